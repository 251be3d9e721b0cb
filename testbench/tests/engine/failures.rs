//! Transfers that fail: the table "Failures" of `rtl/README.md`, in each address mode.

use rebound::driver::dma_engine_regs as regs;
use rebound::scenario::plan::{AddrMode, EnginePlan};
use rebound_sim::axi::{BusPolicy, FaultResponse};

use super::bench::{Bench, End, SOURCE, Setup, TARGET, run};

/// A burst of the default engine: 16 beats of 8 bytes.
const BURST: u64 = 128;
const LENGTH: u32 = 1000;

/// An engine of each address mode, those of the suite.
pub(super) fn each_mode() -> [EnginePlan; 4] {
    let engine = |addr_mode, bits| EnginePlan {
        addr_mode,
        ..EnginePlan::bits(bits)
    };
    [
        engine(AddrMode::Truncate, 32),
        engine(AddrMode::Error, 32),
        engine(AddrMode::Wrap64K, 24),
        EnginePlan {
            boundary_bits: 27,
            ..engine(AddrMode::Boundary, 64)
        },
    ]
}

const RESPONSES: [(FaultResponse, u32); 2] = [
    (FaultResponse::Slverr, regs::ERROR_KIND_SLVERR),
    (FaultResponse::Decerr, regs::ERROR_KIND_DECERR),
];

/// Runs a driver on every mode, with every error response, on a quick and on a slow bus.
fn with_responses(driver: impl AsyncFn(&Bench, FaultResponse, u32) + Clone + 'static) {
    for engine in each_mode() {
        for (response, kind) in RESPONSES {
            for latency in [1, 60] {
                let setup = Setup {
                    bus: BusPolicy::with_latency(latency),
                    ..Setup::of(engine)
                };
                let driver = driver.clone();
                run(setup, async move |bench| {
                    driver(&bench, response, kind).await;
                    bench.works().await;
                });
            }
        }
    }
}

fn small(value: u64) -> u32 {
    u32::try_from(value).expect("small")
}

#[test]
fn a_failing_read_ends_the_packet_and_tells_burst_and_bytes() {
    with_responses(async |bench, response, kind| {
        let mm2s = bench.mm2s();
        // Where the transfer starts, and the first byte that fails: in the first, a middle, the last beat.
        for (addr, failing) in [
            (SOURCE + 3, SOURCE),
            (SOURCE + 3, SOURCE + 3 * BURST + 40),
            (SOURCE, SOURCE + 992),
        ] {
            let data = bench.fill(addr, LENGTH as usize);
            bench.fault(failing, response);
            mm2s.start(addr, LENGTH).await;
            let sent = failing.saturating_sub(addr);
            let burst = (failing / BURST * BURST).max(addr);
            let expected = End::failed(kind, small(sent), burst);
            assert_eq!(mm2s.end().await, expected, "{failing:#x}");
            let packet = bench.packet().await;
            assert_eq!(packet, data[..packet.len()]);
            assert_eq!(small(packet.len() as u64), expected.bytes_done);
        }
    });
}

#[test]
fn a_failing_read_ends_the_packet_with_keep_open_too() {
    with_responses(async |bench, response, kind| {
        let mm2s = bench.mm2s();
        let data = bench.fill(SOURCE, 500);
        bench.fault(SOURCE + 200, response);
        mm2s.start_open(SOURCE, 100).await;
        assert_eq!(mm2s.end().await, End::well(100));
        mm2s.start_open(SOURCE + 100, 400).await;
        // Its first burst reaches up to offset 96 + 128.
        let expected = End::failed(kind, 100, SOURCE + 100);
        assert_eq!(mm2s.end().await, expected);
        assert_eq!(bench.packet().await, data[..200]);
    });
}

#[test]
fn a_failing_write_tells_burst_and_bytes_and_drops_the_rest_of_the_packet() {
    with_responses(async |bench, response, kind| {
        let s2mm = bench.s2mm();
        for (addr, failing) in [
            (TARGET + 3, TARGET + 8),
            (TARGET + 3, TARGET + 3 * BURST + 40),
            (TARGET, TARGET + 992),
        ] {
            bench.fault(failing, response);
            let data = bench.push(LENGTH as usize);
            let next = bench.push(40);
            s2mm.start(addr, LENGTH).await;
            let burst = (failing / BURST * BURST).max(addr);
            let written = burst - addr;
            let expected = End::failed(kind, small(written), burst);
            assert_eq!(s2mm.end().await, expected.with_packet_end());
            let good = usize::try_from(written).expect("small");
            assert_eq!(bench.memory(addr, good), data[..good]);
            s2mm.start(TARGET + 0x4000, 40).await;
            assert_eq!(s2mm.end().await, End::well(40).with_packet_end());
            assert_eq!(bench.memory(TARGET + 0x4000, 40), next);
        }
    });
}

#[test]
fn a_failing_write_with_keep_open_drops_up_to_the_length() {
    with_responses(async |bench, response, kind| {
        let s2mm = bench.s2mm();
        bench.fault(TARGET, response);
        let data = bench.push(1200);
        s2mm.start_open(TARGET, LENGTH).await;
        assert_eq!(s2mm.end().await, End::failed(kind, 0, TARGET));
        s2mm.start_open(TARGET + 0x4000, LENGTH).await;
        assert_eq!(s2mm.end().await, End::well(200).with_packet_end());
        assert_eq!(bench.memory(TARGET + 0x4000, 200), data[1000..]);
    });
}

#[test]
fn a_copy_whose_read_fails_ends_at_the_bytes_before() {
    with_responses(async |bench, response, kind| {
        let (mm2s, s2mm) = (bench.mm2s(), bench.s2mm());
        let data = bench.fill(SOURCE, LENGTH as usize);
        let before = bench.fill(TARGET, LENGTH as usize + 8);
        bench.fault(SOURCE + 520, response);
        bench.loopback(true).await;
        s2mm.start(TARGET + 6, LENGTH).await;
        mm2s.start(SOURCE, LENGTH).await;
        assert_eq!(s2mm.end().await, End::well(520).with_packet_end());
        let expected = End::failed(kind, 520, SOURCE + 512);
        assert_eq!(mm2s.end().await, expected);
        let after = bench.memory(TARGET, LENGTH as usize + 8);
        assert_eq!(after[6..526], data[..520]);
        assert_eq!(after[526..], before[526..]);
    });
}

#[test]
fn a_copy_whose_write_fails_lets_the_read_go_on_to_its_end() {
    with_responses(async |bench, response, kind| {
        let (mm2s, s2mm) = (bench.mm2s(), bench.s2mm());
        let data = bench.fill(SOURCE, LENGTH as usize);
        bench.fault(TARGET + 520, response);
        bench.loopback(true).await;
        s2mm.start(TARGET, LENGTH).await;
        mm2s.start(SOURCE, LENGTH).await;
        let expected = End::failed(kind, 512, TARGET + 512);
        assert_eq!(s2mm.end().await, expected.with_packet_end());
        assert_eq!(mm2s.end().await, End::well(LENGTH));
        assert_eq!(bench.memory(TARGET, 512), data[..512]);
    });
}

#[test]
fn an_overrun_in_each_mode_leaves_the_buffer_full_and_correct() {
    for engine in each_mode() {
        run(Setup::of(engine), async |bench| {
            let s2mm = bench.s2mm();
            let data = bench.push(500);
            s2mm.start(TARGET + 1, 299).await;
            let expected = End::failed(regs::ERROR_KIND_OVERRUN, 299, 0);
            assert_eq!(s2mm.end().await, expected.with_packet_end());
            assert_eq!(bench.memory(TARGET + 1, 299), data[..299]);
            bench.works().await;
        });
    }
}

#[test]
fn a_hole_in_tkeep_is_reported_and_the_beat_counts_up_to_it() {
    for engine in each_mode() {
        // A hole in the middle, at lane 0, and one in the last beat.
        for (beat, keep, kept) in [(1, 0x5f, 5), (2, 0xfe, 0), (3, 0x85, 1)] {
            let mut keeps = vec![None; beat];
            keeps.push(Some(keep));
            let setup = Setup {
                keeps,
                ..Setup::of(engine)
            };
            run(setup, async move |bench| {
                let s2mm = bench.s2mm();
                let data = bench.push(32);
                s2mm.start(TARGET, 100).await;
                let counted = [&data[..beat * 8 + kept], &data[beat * 8 + 8..]].concat();
                let bytes = small(counted.len() as u64);
                let expected = End::failed(regs::ERROR_KIND_BAD_KEEP, bytes, 0);
                assert_eq!(s2mm.end().await, expected.with_packet_end());
                assert_eq!(bench.memory(TARGET, counted.len()), counted);
                bench.works().await;
            });
        }
    }
}

#[test]
fn the_first_cause_is_kept() {
    let setup = Setup {
        keeps: vec![Some(0xfd)],
        ..Setup::default()
    };
    run(setup, async |bench| {
        let s2mm = bench.s2mm();
        bench.fault(TARGET + 0x100, FaultResponse::Decerr);
        bench.push(500);
        s2mm.start(TARGET, 400).await;
        // The hole comes first, then the burst fails; BYTES_DONE still ends at the failing burst.
        let expected = End::failed(regs::ERROR_KIND_BAD_KEEP, 256, 0);
        assert_eq!(s2mm.end().await, expected.with_packet_end());
        bench.works().await;
    });
}

#[test]
fn the_first_failing_burst_is_told_when_several_fail() {
    with_responses(async |bench, response, kind| {
        let window = |offset| rebound_sim::axi::FaultWindow {
            dma_base: swiotlb::DmaAddr::new(TARGET + offset),
            bytes: 8,
            access: rebound_sim::axi::FaultAccess::Both,
            response,
        };
        let windows = vec![window(0x110), window(0x190), window(0x210)];
        bench.host.set_faults(0, windows).expect("valid windows");
        bench.push(LENGTH as usize);
        bench.s2mm().start(TARGET, LENGTH).await;
        let expected = End::failed(kind, 256, TARGET + 256).with_packet_end();
        assert_eq!(bench.s2mm().end().await, expected);
        bench.fill(TARGET, LENGTH as usize);
        bench.mm2s().start(TARGET, LENGTH).await;
        let expected = End::failed(kind, 0x110, TARGET + 256);
        assert_eq!(bench.mm2s().end().await, expected);
        assert_eq!(bench.packet().await.len(), 0x110);
    });
}

#[test]
fn no_further_burst_begins_after_one_that_failed() {
    // Of 400 bursts, those that were on their way when the first one was answered.
    const MANY: u32 = 400 * 128;
    with_responses(async |bench, response, kind| {
        for (is_write, channel, addr) in
            [(false, bench.mm2s(), SOURCE), (true, bench.s2mm(), TARGET)]
        {
            bench.fault(addr, response);
            let before = bench.bursts().len();
            if is_write {
                bench.push(MANY as usize);
            }
            channel.start(addr, MANY).await;
            let end = channel.end().await;
            assert_eq!((end.kind, end.bytes_done, end.fail_addr), (kind, 0, addr));
            if !is_write {
                assert_eq!(bench.packet().await, [0; 0], "broken off");
            }
            let begun = bench.bursts().len() - before;
            assert!((1..200).contains(&begun), "{begun} bursts");
        }
    });
}
