//! Descriptor rings: the sections "Descriptor rings" and "Failures of a ring" of `rtl/README.md`.

use rebound::driver::dma_engine_descriptor::{DONE, ERROR, IRQ, MORE, PACKET_END, ZERO_LENGTH};
use rebound::driver::dma_engine_regs as regs;
use rebound::driver::dma_engine_regs::channel as reg;
use rebound::scenario::plan::{AddrMode, EnginePlan};
use rebound_sim::axi::{ChannelStalls, FaultAccess, FaultResponse, ResponseOrder};
use rebound_sim::events::{AddressEvent, Direction};
use rebound_sim::seed::Seed as SimSeed;
use rebound_sim::stall::Stall;

use super::bench::{Bench, SOURCE, Setup, TARGET, run};
use super::ring::{PORT, Ring};

/// Where the rings lie: the first one reaches over a 4 KiB boundary.
const READ_RING: u64 = 0x30_0fc0;
const WRITE_RING: u64 = 0x31_0000;

async fn read_ring(bench: &Bench, size: u32) -> Ring {
    Ring::enable(bench, bench.mm2s(), READ_RING, size).await
}

async fn write_ring(bench: &Bench, size: u32) -> Ring {
    Ring::enable(bench, bench.s2mm(), WRITE_RING, size).await
}

/// Bursts of the rings' port in one direction.
fn ring_bursts(bench: &Bench, direction: Direction) -> Vec<AddressEvent> {
    let is_wanted = |burst: &AddressEvent| burst.port == PORT && burst.direction == direction;
    bench.bursts().into_iter().filter(is_wanted).collect()
}

#[test]
fn a_ring_wraps_as_often_as_it_likes() {
    for size in [2, 3, 7] {
        run(Setup::default(), async move |bench| {
            let ring = read_ring(&bench, size).await;
            for round in 0..5 {
                let mut sent = Vec::new();
                for part in 0..size - 1 {
                    let addr = SOURCE + u64::from(round * 0x1000 + part * 0x100 + part);
                    let length = 30 + part;
                    let data = bench.fill(addr, length as usize);
                    sent.push((ring.post(addr, length, 0), data));
                }
                ring.doorbell().await;
                for (_, data) in &sent {
                    assert_eq!(bench.packet().await, *data);
                }
                ring.settle().await;
                for (index, data) in sent {
                    let bytes = u32::try_from(data.len()).expect("small");
                    assert_eq!(ring.written(index), (bytes, DONE));
                }
            }
        });
    }
}

#[test]
fn segments_of_one_packet_are_chained() {
    run(Setup::default(), async |bench| {
        let ring = read_ring(&bench, 16).await;
        let parts = [(3_u64, 100_u32, MORE), (0x1001, 1, MORE), (0x2007, 333, 0)];
        let mut packet = Vec::new();
        for (offset, length, flags) in parts {
            packet.extend(bench.fill(SOURCE + offset, length as usize));
            ring.post(SOURCE + offset, length, flags);
        }
        let next = bench.fill(SOURCE + 0x3000, 8);
        ring.post(SOURCE + 0x3000, 8, 0);
        ring.doorbell().await;
        assert_eq!(bench.packet().await, packet);
        assert_eq!(bench.packet().await, next);
        ring.settle().await;
        assert_eq!(ring.written(0), (100, DONE | MORE));
        assert_eq!(ring.written(2), (333, DONE));

        let ring = write_ring(&bench, 16).await;
        for buffer in 0..4 {
            ring.post(TARGET + buffer * 0x1000 + buffer, 200, MORE);
        }
        ring.doorbell().await;
        let data = bench.push(520);
        let last = bench.push(70);
        ring.settle().await;
        let full = (200, DONE | MORE);
        assert_eq!((ring.written(0), ring.written(1)), (full, full));
        assert_eq!(ring.written(2), (120, DONE | MORE | PACKET_END));
        assert_eq!(ring.written(3), (70, DONE | MORE | PACKET_END));
        assert_eq!(bench.memory(TARGET, 200), data[..200]);
        assert_eq!(bench.memory(TARGET + 0x1001, 200), data[200..400]);
        assert_eq!(bench.memory(TARGET + 0x2002, 120), data[400..]);
        assert_eq!(bench.memory(TARGET + 0x3003, 70), last);
    });
}

/// Copies through both rings, and returns the cycles from the first fetch of mm2s to the last response.
fn copies(latency: u32, count: u32, length: u32) -> u64 {
    let mut setup = Setup::latency(latency);
    setup.engine.max_reads = 64;
    setup.engine.max_writes = 64;
    run(setup, async move |bench| {
        let (reads, writes) = (read_ring(&bench, 256).await, write_ring(&bench, 256).await);
        bench.loopback(true).await;
        let mut sent = Vec::new();
        for at in 0..count {
            // An order that nobody guesses.
            let place = u64::from(at * 389 % count) * u64::from(length.next_multiple_of(256));
            let data = bench.fill(SOURCE + place, length as usize);
            reads.post(SOURCE + place, length, 0);
            writes.post(TARGET + place, length, 0);
            sent.push((place, data));
        }
        writes.doorbell().await;
        reads.doorbell().await;
        writes.settle().await;
        reads.settle().await;
        for (index, (place, data)) in (0..).zip(sent) {
            assert_eq!(bench.memory(TARGET + place, length as usize), data);
            assert_eq!(reads.written(index), (length, DONE));
            assert_eq!(writes.written(index), (length, DONE | PACKET_END));
        }
        let first = ring_bursts(&bench, Direction::Read)
            .into_iter()
            .find(|burst| burst.id == 0)
            .expect("a fetch");
        let last = bench.last_response(PORT);
        last - first.cycle
    })
}

#[test]
fn a_copy_from_the_rings_takes_four_latencies() {
    for latency in [1, 50, 200] {
        // The fetch begins two cycles after the doorbell.
        let expected = 8 + 4 * u64::from(latency) + 4;
        assert_eq!(copies(latency, 1, 64), expected, "latency {latency}");
    }
}

#[test]
fn scattered_copies_keep_the_bus_busy_at_any_latency() {
    for latency in [1, 100, 200] {
        let lone = copies(latency, 1, 64);
        let many = copies(latency, 200, 64);
        // A beat a cycle from the first one on, but for a handful of cycles.
        let rest = many - lone - 199 * 8;
        assert!(
            rest <= 48,
            "latency {latency}: {many} cycles, {rest} too many"
        );
    }
}

#[test]
fn completions_share_bursts_under_load_and_go_alone_else() {
    run(Setup::latency(100), async |bench| {
        let ring = read_ring(&bench, 128).await;
        bench.fill(SOURCE, 0x4000);
        for at in 0..100 {
            ring.post(SOURCE + at * 64, 64, 0);
        }
        ring.doorbell().await;
        ring.settle().await;
        let bursts = ring_bursts(&bench, Direction::Write);
        let written: u32 = bursts.iter().map(|burst| u32::from(burst.beats)).sum();
        assert_eq!(written, 100);
        assert!(bursts.len() < 25, "{} bursts", bursts.len());
        for index in 0..100 {
            assert_eq!(ring.written(index), (64, DONE), "{index}");
        }
        ring.post(SOURCE, 8, 0);
        ring.doorbell().await;
        ring.settle().await;
        assert_eq!(
            ring_bursts(&bench, Direction::Write).len(),
            bursts.len() + 1
        );
    });
}

#[test]
fn an_interrupt_comes_after_so_many_descriptors() {
    run(Setup::default(), async |bench| {
        let ring = read_ring(&bench, 64).await;
        bench.fill(SOURCE, 64);
        bench
            .write(regs::INT_ENABLE, regs::INT_ENABLE_MM2S_RING)
            .await;
        ring.channel.write(reg::RING_COALESCE, 4).await;
        for _ in 0..3 {
            ring.post(SOURCE, 8, 0);
        }
        ring.doorbell().await;
        ring.settle().await;
        bench.host.sleep(2000).await;
        assert!(!bench.irq(), "three are not enough");
        ring.post(SOURCE, 8, 0);
        ring.doorbell().await;
        ring.settle().await;
        assert!(bench.irq(), "the fourth");
        assert_eq!(
            bench.read(regs::INT_STATUS).await,
            regs::INT_STATUS_MM2S_RING
        );
        let irq = reg::RING_STATUS_IRQ;
        ring.channel.write(reg::RING_STATUS, irq).await;
        bench.host.sleep(2).await;
        assert!(!bench.irq(), "taken");
        // One that asks for it does not wait.
        ring.post(SOURCE, 8, IRQ);
        ring.doorbell().await;
        ring.settle().await;
        assert!(bench.irq(), "asked for");
        assert_eq!(ring.written(4), (8, DONE | IRQ));
    });
}

#[test]
fn an_interrupt_comes_so_long_after_the_first_descriptor() {
    run(Setup::default(), async |bench| {
        let ring = read_ring(&bench, 64).await;
        bench.fill(SOURCE, 64);
        bench
            .write(regs::INT_ENABLE, regs::INT_ENABLE_MM2S_RING)
            .await;
        let times_16 = 20;
        let coalesce = times_16 << reg::RING_COALESCE_DELAY_SHIFT;
        ring.channel.write(reg::RING_COALESCE, coalesce).await;
        ring.post(SOURCE, 8, 0);
        ring.post(SOURCE, 8, 0);
        ring.doorbell().await;
        ring.settle().await;
        assert!(!bench.irq(), "too early");
        bench.interrupt().await;
        let taken = bench.host.cycle() - bench.first_response(PORT);
        assert!((320..330).contains(&taken), "{taken} cycles");
    });
}

#[test]
fn length_0_is_written_back_in_its_turn() {
    run(Setup::default(), async |bench| {
        let ring = read_ring(&bench, 16).await;
        let data = bench.fill(SOURCE, 300);
        ring.post(SOURCE, 200, 0);
        ring.post(SOURCE, 0, 0);
        ring.post(SOURCE + 200, 100, 0);
        ring.doorbell().await;
        assert_eq!(bench.packet().await, data[..200]);
        assert_eq!(bench.packet().await, data[200..]);
        ring.settle().await;
        assert_eq!(ring.written(0), (200, DONE));
        assert_eq!(ring.written(1), (0, DONE | ZERO_LENGTH));
        assert_eq!(ring.written(2), (100, DONE));
    });
}

#[test]
fn a_descriptor_that_cannot_be_read_halts_its_ring_alone() {
    run(Setup::latency(50), async |bench| {
        let (reads, writes) = (read_ring(&bench, 16).await, write_ring(&bench, 16).await);
        let data = bench.fill(SOURCE, 0x400);
        for at in 0..6 {
            reads.post(SOURCE + at * 100, 100, 0);
            writes.post(TARGET + at * 0x1000, 100, 0);
        }
        reads.fault(2, FaultAccess::Read, FaultResponse::Decerr);
        writes.doorbell().await;
        reads.doorbell().await;
        assert_eq!(reads.halt().await, 2, "what is before is done");
        let expected = (
            regs::ERROR_KIND_DECERR,
            regs::ERROR_SOURCE_FETCH,
            reads.addr(2),
            2,
        );
        assert_eq!(reads.failure().await, expected);
        assert_eq!(reads.written(1), (100, DONE));
        assert_eq!(reads.written(2), (100, 0), "not touched");
        // The other channel goes on.
        for at in 0..6 {
            let data = bench.push(90);
            bench.host.sleep(400).await;
            assert_eq!(bench.memory(TARGET + at * 0x1000, 90), data);
        }
        writes.settle().await;
        reads.no_faults();
        reads.resume().await;
        reads.settle().await;
        for at in 0..6 {
            assert_eq!(bench.packet().await, data[at * 100..(at + 1) * 100]);
        }
    });
}

#[test]
fn a_failing_read_is_written_back_and_halts_the_ring() {
    run(Setup::latency(50), async |bench| {
        let ring = read_ring(&bench, 16).await;
        let data = bench.fill(SOURCE, 0x1000);
        for at in 0..8 {
            ring.post(SOURCE + at * 0x100, 0x100, 0);
        }
        // The second burst of descriptor 3.
        bench.fault(SOURCE + 0x390, FaultResponse::Slverr);
        ring.doorbell().await;
        assert_eq!(ring.halt().await, 4, "those behind were not done");
        let expected = (
            regs::ERROR_KIND_SLVERR,
            regs::ERROR_SOURCE_DATA,
            SOURCE + 0x380,
            3,
        );
        assert_eq!(ring.failure().await, expected);
        let kind = regs::ERROR_KIND_SLVERR << 8;
        assert_eq!(ring.written(3), (0x90, DONE | ERROR | kind));
        assert_eq!(ring.written(4), (0x100, 0), "not touched");
        bench.no_faults();
        ring.resume().await;
        ring.settle().await;
        for at in 0..8 {
            let sent = if at == 3 { 0x90 } else { 0x100 };
            let packet = bench.packet().await;
            assert_eq!(packet, data[at * 0x100..at * 0x100 + sent], "{at}");
        }
    });
}

#[test]
fn a_failing_write_leaves_those_that_began_after_it_alone() {
    run(Setup::latency(100), async |bench| {
        let ring = write_ring(&bench, 32).await;
        for at in 0..20 {
            ring.post(TARGET + at * 0x100, 0x100, 0);
        }
        bench.fault(TARGET + 0x280, FaultResponse::Decerr);
        ring.doorbell().await;
        let packets: Vec<_> = (0..20).map(|_| bench.push(0x100)).collect();
        let head = ring.halt().await;
        assert!((3..20).contains(&head), "{head}");
        let expected = (
            regs::ERROR_KIND_DECERR,
            regs::ERROR_SOURCE_DATA,
            TARGET + 0x280,
            2,
        );
        assert_eq!(ring.failure().await, expected);
        let kind = regs::ERROR_KIND_DECERR << 8;
        let failed = (0x80, DONE | ERROR | PACKET_END | kind);
        assert_eq!(ring.written(2), failed);
        bench.no_faults();
        ring.resume().await;
        ring.settle().await;
        for (index, packet) in (0..).zip(packets) {
            if index != 2 {
                let addr = TARGET + u64::from(index) * 0x100;
                assert_eq!(ring.written(index), (0x100, DONE | PACKET_END), "{index}");
                assert_eq!(bench.memory(addr, 0x100), packet, "{index}");
            }
        }
    });
}

#[test]
fn a_write_back_that_fails_is_told_and_halts_the_ring() {
    run(Setup::default(), async |bench| {
        let ring = read_ring(&bench, 16).await;
        bench.fill(SOURCE, 64);
        for _ in 0..3 {
            ring.post(SOURCE, 64, 0);
        }
        ring.fault(0, FaultAccess::Write, FaultResponse::Decerr);
        ring.doorbell().await;
        assert_eq!(ring.halt().await, 0, "nothing is known to be in memory");
        let (kind, source, addr, index) = ring.failure().await;
        assert_eq!(kind, regs::ERROR_KIND_DECERR);
        assert_eq!(source, regs::ERROR_SOURCE_WRITEBACK);
        assert_eq!((addr, index), (ring.addr(0), 0));
        // A reset of the ring makes it new.
        ring.no_faults();
        let done = ring.channel.status().await;
        ring.channel.write(reg::STATUS, done).await;
        let ring = read_ring(&bench, 16).await;
        assert_eq!(ring.state().await, 0);
        ring.post(SOURCE, 64, 0);
        ring.doorbell().await;
        ring.settle().await;
        assert_eq!(ring.written(0), (64, DONE));
    });
}

#[test]
fn a_stopped_ring_ends_its_transfer_and_goes_on_when_told() {
    for latency in [1, 200] {
        run(Setup::latency(latency), async |bench| {
            let ring = read_ring(&bench, 16).await;
            let data = bench.fill(SOURCE, 0x8000);
            for at in 0..4 {
                ring.post(SOURCE + at * 0x2000, 0x2000, 0);
            }
            ring.doorbell().await;
            bench.host.sleep(1500).await;
            ring.stop().await;
            let head = ring.halt().await;
            assert_eq!(head, 2, "stopped within the second");
            let (bytes, status) = ring.written(1);
            assert_eq!(status, DONE | ERROR | regs::ERROR_KIND_ABORTED << 8);
            assert!((1..0x2000).contains(&bytes), "{bytes}");
            assert_eq!(bench.packet().await, data[..0x2000]);
            let packet = bench.packet().await;
            assert_eq!(packet, data[0x2000..0x2000 + bytes as usize]);
            let bursts = bench.bursts().len();
            bench.host.sleep(1000).await;
            assert_eq!(bench.bursts().len(), bursts, "the bus is silent");
            ring.resume().await;
            ring.settle().await;
            assert_eq!(bench.packet().await, data[0x4000..0x6000]);
            assert_eq!(bench.packet().await, data[0x6000..]);
        });
    }
}

#[test]
fn a_soft_reset_stops_both_rings_and_leaves_them_usable() {
    run(Setup::latency(100), async |bench| {
        let (reads, writes) = (read_ring(&bench, 16).await, write_ring(&bench, 16).await);
        bench.loopback(true).await;
        bench.fill(SOURCE, 0x8000);
        for at in 0..8 {
            reads.post(SOURCE + at * 0x1000, 0x1000, 0);
            writes.post(TARGET + at * 0x1000, 0x1000, 0);
        }
        writes.doorbell().await;
        reads.doorbell().await;
        bench.host.sleep(1500).await;
        let bits = regs::CONTROL_SOFT_RESET | regs::CONTROL_LOOPBACK;
        bench.write(regs::CONTROL, bits).await;
        reads.halt().await;
        writes.halt().await;
        assert_eq!(bench.read(regs::CONTROL).await, regs::CONTROL_LOOPBACK);
        for channel in [bench.mm2s(), bench.s2mm()] {
            channel.write(reg::CONTROL, 0).await;
            channel.write(reg::CONTROL, reg::CONTROL_RING_RESET).await;
            channel.write(reg::STATUS, u32::MAX).await;
        }
        bench.works().await;
    });
}

#[test]
fn a_start_is_ignored_while_the_ring_is_on() {
    run(Setup::default(), async |bench| {
        let ring = read_ring(&bench, 16).await;
        let control = reg::CONTROL_START | reg::CONTROL_RING_ENABLE;
        ring.channel.write(reg::CONTROL, control).await;
        let status = ring.channel.status().await;
        assert_eq!(
            status & reg::STATUS_START_IGNORED,
            reg::STATUS_START_IGNORED
        );
    });
}

#[test]
fn a_start_that_comes_with_the_ring_is_ignored() {
    run(Setup::default(), async |bench| {
        for channel in [bench.mm2s(), bench.s2mm()] {
            channel.set(SOURCE, 64).await;
            let both = reg::CONTROL_START | reg::CONTROL_RING_ENABLE;
            channel.write(reg::CONTROL, both).await;
            bench.host.sleep(200).await;
            let ignored = reg::STATUS_START_IGNORED;
            assert_eq!(channel.status().await, ignored, "and nothing else");
            assert_eq!(bench.bursts(), []);
            channel.write(reg::CONTROL, 0).await;
        }
    });
}

#[test]
fn counters_tell_beats_stalls_and_the_most_bursts_outstanding() {
    run(Setup::latency(100), async |bench| {
        let mm2s = bench.mm2s();
        bench.fill(SOURCE, 0x1000);
        let count = reg::CONTROL_COUNTERS_RESET | reg::CONTROL_COUNTERS_ENABLE;
        mm2s.write(reg::CONTROL, count).await;
        mm2s.set(SOURCE, 0x400).await;
        let start = reg::CONTROL_START | reg::CONTROL_COUNTERS_ENABLE;
        mm2s.write(reg::CONTROL, start).await;
        mm2s.end().await;
        assert_eq!(mm2s.read(reg::COUNT_BEATS).await, 128);
        assert_eq!(mm2s.read(reg::COUNT_OUTSTANDING).await, 8);
        assert_eq!(mm2s.read(reg::COUNT_STALL_ADDRESS).await, 0);
        assert_eq!(mm2s.read(reg::COUNT_STALL_STREAM).await, 0);
        // From the second cycle of the first burst on, until its first beat.
        assert_eq!(mm2s.read(reg::COUNT_STALL_DATA).await, 100);
        let busy = mm2s.read(reg::COUNT_BUSY).await;
        assert_eq!(busy, 128 + 100 + 1, "first AR to last TVALID");
        mm2s.write(reg::CONTROL, reg::CONTROL_COUNTERS_RESET).await;
        assert_eq!(mm2s.read(reg::COUNT_BEATS).await, 0);
        // They stand still when they are off.
        mm2s.start(SOURCE, 0x400).await;
        mm2s.end().await;
        assert_eq!(mm2s.read(reg::COUNT_BUSY).await, 0);
    });
}

#[test]
fn rings_move_every_byte_on_a_bus_that_stalls_and_reorders() {
    let stall = Stall::Random { probability: 0.3 };
    let mut setup = Setup::latency(7);
    setup.bus.read_jitter_cycles = 40;
    setup.bus.write_jitter_cycles = 40;
    setup.bus.stalls = ChannelStalls::uniform(stall);
    setup.bus.order = ResponseOrder::ReorderById {
        interleave_reads: true,
    };
    run(setup, async |bench| {
        let (reads, writes) = (read_ring(&bench, 30).await, write_ring(&bench, 30).await);
        bench.loopback(true).await;
        let mut random = SimSeed::new(5).stream("rings");
        for _round in 0..12 {
            let mut copies = Vec::new();
            for part in 0..random.between(1, 28) {
                let length = u32::try_from(random.below(700)).expect("small");
                let from = SOURCE + part * 0x1000 + random.below(0x900);
                let to = TARGET + part * 0x1000 + random.below(0x900);
                let data = bench.fill(from, length as usize);
                let before = bench.fill(to - 8, length as usize + 16);
                // Length 0 ends no packet: both sides pass over it.
                copies.push((
                    reads.post(from, length, 0),
                    writes.post(to, length, 0),
                    to,
                    data,
                    before,
                ));
            }
            writes.doorbell().await;
            reads.doorbell().await;
            reads.settle().await;
            writes.settle().await;
            for (read, write, to, data, before) in copies {
                let end = data.len();
                let (sent, got) = (reads.written(read), writes.written(write));
                let bytes = u32::try_from(end).expect("small");
                let flags = if end == 0 { ZERO_LENGTH } else { 0 };
                let ends = if end == 0 { ZERO_LENGTH } else { PACKET_END };
                assert_eq!(sent, (bytes, DONE | flags));
                assert_eq!(got, (bytes, DONE | ends));
                let after = bench.memory(to - 8, end + 16);
                assert_eq!(after[8..end + 8], data);
                assert_eq!(after[..8], before[..8]);
                assert_eq!(after[end + 8..], before[end + 8..]);
            }
        }
    });
}

#[test]
fn a_ring_respects_the_address_limit_for_buffers_and_for_itself() {
    let engine = EnginePlan {
        addr_mode: AddrMode::Error,
        ..EnginePlan::bits(32)
    };
    run(Setup::of(engine), async |bench| {
        let ring = read_ring(&bench, 16).await;
        let data = bench.fill(SOURCE, 64);
        ring.post(SOURCE, 64, 0);
        ring.post((1 << 32) - 10, 20, 0);
        ring.post(SOURCE, 64, 0);
        ring.doorbell().await;
        assert_eq!(ring.halt().await, 2, "the refused one is told of");
        let kind = regs::ERROR_KIND_ADDR_LIMIT;
        let expected = (kind, regs::ERROR_SOURCE_DATA, 1 << 32, 1);
        assert_eq!(ring.failure().await, expected);
        assert_eq!(ring.written(1), (0, DONE | ERROR | kind << 8));
        ring.resume().await;
        ring.settle().await;
        assert_eq!(bench.packet().await, data);
        assert_eq!(bench.packet().await, data);

        let before = ring_bursts(&bench, Direction::Read).len();
        ring.channel.write(reg::CONTROL, 0).await;
        ring.channel
            .write(reg::CONTROL, reg::CONTROL_RING_RESET)
            .await;
        ring.channel.write(reg::RING_BASE_HI, 1).await;
        ring.channel
            .write(reg::CONTROL, reg::CONTROL_RING_ENABLE)
            .await;
        ring.channel.write(reg::RING_TAIL, 1).await;
        assert_eq!(ring.halt().await, 0);
        let expected = (kind, regs::ERROR_SOURCE_FETCH, 1 << 32 | ring.addr(0), 0);
        assert_eq!(ring.failure().await, expected);
        assert_eq!(ring_bursts(&bench, Direction::Read).len(), before);
    });
}

#[test]
fn a_ring_that_is_switched_off_in_mid_work_finishes_and_is_reset_only_then() {
    run(Setup::latency(20), async |bench| {
        let ring = write_ring(&bench, 16).await;
        ring.post(TARGET, 100, 0);
        ring.doorbell().await;
        // It is taken, and waits for its packet.
        bench.host.sleep(100).await;
        ring.channel.write(reg::CONTROL, 0).await;
        let reset = reg::CONTROL_RING_RESET;
        ring.channel.write(reg::CONTROL, reset).await;
        assert_ne!(ring.state().await & reg::RING_STATUS_BUSY, 0);
        let data = bench.push(100);
        ring.settle().await;
        assert_eq!(ring.written(0), (100, DONE | PACKET_END));
        assert_eq!(bench.memory(TARGET, 100), data);
        ring.channel.write(reg::CONTROL, reset).await;
        assert_eq!(ring.head().await, 0);
        bench.works().await;
    });
}

#[test]
fn a_write_back_that_fails_after_its_ring_was_switched_off_is_told() {
    run(Setup::latency(200), async |bench| {
        let ring = read_ring(&bench, 16).await;
        ring.fault(0, FaultAccess::Write, FaultResponse::Decerr);
        bench
            .write(regs::INT_ENABLE, regs::INT_ENABLE_MM2S_ERROR)
            .await;
        let data = bench.fill(SOURCE, 64);
        ring.post(SOURCE, 64, 0);
        ring.doorbell().await;
        // The write-back follows the last beat, and its response a latency later.
        assert_eq!(bench.packet().await, data);
        ring.channel.write(reg::CONTROL, 0).await;
        assert!(!bench.irq());
        bench.interrupt().await;
        assert_eq!(ring.halt().await, 0);
        let (kind, source, addr, index) = ring.failure().await;
        let expected = (regs::ERROR_KIND_DECERR, regs::ERROR_SOURCE_WRITEBACK);
        assert_eq!((kind, source), expected);
        assert_eq!((addr, index), (ring.addr(0), 0));
        ring.no_faults();
        ring.channel
            .write(reg::CONTROL, reg::CONTROL_RING_RESET)
            .await;
        ring.channel.write(reg::STATUS, u32::MAX).await;
        let state = ring.state().await;
        assert_eq!(state & (reg::RING_STATUS_HALTED | reg::RING_STATUS_BUSY), 0);
        bench.works().await;
    });
}
