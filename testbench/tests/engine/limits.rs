//! What happens beyond the implemented address bits, in each address mode.

use rebound::driver::dma_engine_regs as regs;
use rebound::driver::dma_engine_regs::channel as reg;
use rebound::scenario::plan::EnginePlan;

use super::bench::{Bench, End, SOURCE, Setup, TARGET, run};
use super::failures::each_mode;

/// First address beyond 32 bits.
const LIMIT: u64 = 1 << 32;

fn truncating() -> EnginePlan {
    each_mode()[0]
}

fn refusing() -> EnginePlan {
    each_mode()[1]
}

fn wrapping() -> EnginePlan {
    each_mode()[2]
}

/// Transfers that a 32-bit engine refuses, and the first byte beyond.
const BEYOND: [(u64, u32, u64); 4] = [
    (LIMIT - 1, 2, LIMIT),
    (LIMIT - 0x100, 0x1000, LIMIT),
    (LIMIT, 1, LIMIT),
    (0x1234_5678_9abc_def1, 8, 0x1234_5678_9abc_def1),
];

#[test]
fn a_transfer_beyond_the_limit_is_refused_before_any_access() {
    run(Setup::of(refusing()), async |bench| {
        let (mm2s, s2mm) = (bench.mm2s(), bench.s2mm());
        let data = bench.push(40);
        for (addr, length, beyond) in BEYOND {
            let expected = End::failed(regs::ERROR_KIND_ADDR_LIMIT, 0, beyond);
            for channel in [&mm2s, &s2mm] {
                channel.start(addr, length).await;
                assert_eq!(channel.end().await, expected, "{addr:#x}");
            }
        }
        assert_eq!(bench.bursts(), []);
        assert_eq!(bench.host.stream_sink(0).counters().beats, 0);
        s2mm.start(TARGET, 40).await;
        assert_eq!(s2mm.end().await, End::well(40).with_packet_end());
        assert_eq!(bench.memory(TARGET, 40), data, "the packet is whole");
        bench.works().await;
    });
}

#[test]
fn the_last_byte_within_the_limit_can_be_reached() {
    run(Setup::of(refusing()), async |bench| {
        let (mm2s, s2mm) = (bench.mm2s(), bench.s2mm());
        let data = bench.fill(LIMIT - 100, 100);
        mm2s.start(LIMIT - 100, 100).await;
        assert_eq!(mm2s.end().await, End::well(100));
        assert_eq!(bench.packet().await, data);
        let data = bench.push(33);
        s2mm.start(LIMIT - 33, 33).await;
        assert_eq!(s2mm.end().await, End::well(33).with_packet_end());
        assert_eq!(bench.memory(LIMIT - 33, 33), data);
        // Length 0 reaches nothing, wherever it begins.
        mm2s.start(LIMIT, 0).await;
        assert_eq!(mm2s.end().await, End::well(0).with_zero_length());
        bench.works().await;
    });
}

#[test]
fn a_refused_transfer_does_not_leave_its_partner_in_loopback_waiting() {
    run(Setup::of(refusing()), async |bench| {
        let (mm2s, s2mm) = (bench.mm2s(), bench.s2mm());
        for (addr, length, beyond) in BEYOND {
            let refused = End::failed(regs::ERROR_KIND_ADDR_LIMIT, 0, beyond);
            let before = bench.fill(TARGET, 100);
            bench.loopback(true).await;
            // A refused mm2s sends an empty packet.
            s2mm.start(TARGET, 100).await;
            mm2s.start(addr, length).await;
            assert_eq!(s2mm.end().await, End::well(0).with_packet_end());
            assert_eq!(mm2s.end().await, refused);
            assert_eq!(bench.memory(TARGET, 100), before);
            // A refused s2mm drops one packet.
            bench.fill(SOURCE, 100);
            s2mm.start(addr, length).await;
            mm2s.start(SOURCE, 100).await;
            assert_eq!(mm2s.end().await, End::well(100));
            assert_eq!(s2mm.end().await, refused.with_packet_end());
            // Both.
            s2mm.start(addr, length).await;
            mm2s.start(addr, length).await;
            assert_eq!(mm2s.end().await, refused);
            assert_eq!(s2mm.end().await, refused.with_packet_end());
        }
        bench.works().await;
    });
}

/// The addresses of all bursts since the last call.
fn addresses(bench: &Bench, seen: &mut usize) -> Vec<u64> {
    let bursts = bench.bursts();
    let new = bursts[*seen..]
        .iter()
        .map(|burst| burst.dma.raw())
        .collect();
    *seen = bursts.len();
    new
}

#[test]
fn a_truncating_engine_drops_the_higher_bits_without_a_word() {
    run(Setup::of(truncating()), async |bench| {
        let (mm2s, s2mm) = (bench.mm2s(), bench.s2mm());
        let mut seen = 0;
        let data = bench.fill(SOURCE, 64);
        mm2s.start(0x77 << 32 | SOURCE, 64).await;
        assert_eq!(mm2s.end().await, End::well(64));
        assert_eq!(bench.packet().await, data);
        assert_eq!(addresses(&bench, &mut seen), [SOURCE]);

        let top = bench.fill(LIMIT - 20, 20);
        let bottom = bench.fill(0, 30);
        mm2s.start(LIMIT - 20, 50).await;
        assert_eq!(mm2s.end().await, End::well(50));
        assert_eq!(bench.packet().await, [top, bottom].concat());
        assert_eq!(addresses(&bench, &mut seen), [LIMIT - 20, 0]);

        let data = bench.push(50);
        s2mm.start(5 << 32 | (LIMIT - 20), 50).await;
        assert_eq!(s2mm.end().await, End::well(50).with_packet_end());
        assert_eq!(bench.memory(LIMIT - 20, 20), data[..20]);
        assert_eq!(bench.memory(0, 30), data[20..]);
        bench.works().await;
    });
}

#[test]
fn a_wrapping_engine_goes_on_at_the_beginning_of_its_64_kib() {
    run(Setup::of(wrapping()), async |bench| {
        let (mm2s, s2mm) = (bench.mm2s(), bench.s2mm());
        let (page, end) = (SOURCE, SOURCE + 0x1_0000);
        let tail = bench.fill(end - 20, 20);
        let head = bench.fill(page, 30);
        mm2s.start(1 << 24 | (end - 20), 50).await;
        assert_eq!(mm2s.end().await, End::well(50));
        assert_eq!(bench.packet().await, [tail, head].concat());
        assert_eq!(addresses(&bench, &mut 0), [end - 20, page]);

        let beyond = bench.fill(end, 64);
        let data = bench.push(50);
        s2mm.start(end - 20, 50).await;
        assert_eq!(s2mm.end().await, End::well(50).with_packet_end());
        assert_eq!(bench.memory(end - 20, 20), data[..20]);
        assert_eq!(bench.memory(page, 30), data[20..]);
        assert_eq!(bench.memory(end, 64), beyond, "no carry");
        assert_eq!(mm2s.read(reg::FAIL_ADDR_LO).await, 0);
        bench.works().await;
    });
}
