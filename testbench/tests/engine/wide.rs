//! The high bits of addresses, lengths and indices, each of them alone.

use rebound::driver::dma_engine_descriptor::{DONE, PACKET_END, ZERO_LENGTH};
use rebound::driver::dma_engine_regs as regs;
use rebound::driver::dma_engine_regs::channel as reg;
use rebound_sim::axi::FaultResponse;

use super::bench::{End, SOURCE, Setup, TARGET, run};
use super::ring::Ring;

/// Address bits of the engine.
const BITS: u32 = 32;

#[test]
fn data_is_read_and_written_at_each_power_of_two() {
    run(Setup::latency(3), async |bench| {
        bench.add_memory_at_powers();
        for bit in 0..BITS {
            let addr = 1 << bit;
            let data = bench.fill(addr, 24);
            bench.mm2s().start(addr, 24).await;
            assert_eq!(bench.packet().await, data, "bit {bit}");
            assert_eq!(bench.mm2s().end().await, End::well(24), "bit {bit}");
            let data = bench.push(24);
            bench.s2mm().start(addr, 24).await;
            let end = End::well(24).with_packet_end();
            assert_eq!(bench.s2mm().end().await, end, "bit {bit}");
            assert_eq!(bench.memory(addr, 24), data, "bit {bit}");
        }
    });
}

#[test]
fn the_failing_address_is_told_with_each_of_its_bits() {
    run(Setup::latency(3), async |bench| {
        for bit in 3..BITS {
            let addr = 1 << bit;
            bench.fault(addr, FaultResponse::Decerr);
            let end = End::failed(regs::ERROR_KIND_DECERR, 0, addr);
            bench.mm2s().start(addr, 8).await;
            assert_eq!(bench.mm2s().end().await, end, "bit {bit}");
            assert_eq!(bench.packet().await, [0; 0], "broken off");
            bench.push(8);
            bench.s2mm().start(addr, 8).await;
            let end = end.with_packet_end();
            assert_eq!(bench.s2mm().end().await, end, "bit {bit}");
        }
    });
}

#[test]
fn rings_lie_at_each_power_of_two() {
    run(Setup::latency(3), async |bench| {
        bench.add_memory_at_powers();
        for bit in 6..BITS {
            let (base, source, target) = (1 << bit, 0x30_0000, 0x31_0000);
            let ring = Ring::enable(&bench, bench.mm2s(), base, 4).await;
            let data = bench.fill(source, 8);
            for _ in 0..3 {
                let index = ring.post(source, 8, 0);
                ring.doorbell().await;
                ring.settle().await;
                assert_eq!(bench.packet().await, data, "bit {bit}");
                assert_eq!(ring.written(index), (8, DONE), "bit {bit}");
            }
            let ring = Ring::enable(&bench, bench.s2mm(), base, 4).await;
            let data = bench.push(8);
            let index = ring.post(target, 8, 0);
            ring.doorbell().await;
            ring.settle().await;
            assert_eq!(ring.written(index), (8, DONE | PACKET_END), "bit {bit}");
            assert_eq!(bench.memory(target, 8), data, "bit {bit}");
        }
    });
}

#[test]
fn each_bit_of_a_length_up_to_64_kib_moves_its_bytes() {
    run(Setup::latency(3), async |bench| {
        bench.loopback(true).await;
        for bit in 0..=16 {
            let (length, from, to) = (1_u32 << bit, SOURCE + 1, TARGET + 3);
            let bytes = length as usize;
            let data = bench.fill(from, bytes);
            let around = bench.fill(to - 3, bytes + 6);
            bench.s2mm().start(to, length).await;
            bench.mm2s().start(from, length).await;
            assert_eq!(bench.mm2s().end().await, End::well(length));
            let end = End::well(length).with_packet_end();
            assert_eq!(bench.s2mm().end().await, end);
            let found = bench.memory(to - 3, bytes + 6);
            assert!(found[3..bytes + 3] == data, "{length} bytes");
            assert_eq!(found[..3], around[..3]);
            assert_eq!(found[bytes + 3..], around[bytes + 3..]);
        }
    });
}

#[test]
fn each_bit_of_a_length_beyond_64_kib_counts() {
    run(Setup::latency(3), async |bench| {
        for bit in 17..32 {
            // It is cut short: mm2s by the bus, s2mm by its packet.
            let length = 1 << bit;
            let data = bench.fill(SOURCE, 0x100);
            bench.fault(SOURCE + 0x100, FaultResponse::Slverr);
            bench.mm2s().start(SOURCE, length).await;
            let failing = SOURCE + 0x100;
            let end = End::failed(regs::ERROR_KIND_SLVERR, 0x100, failing);
            assert_eq!(bench.mm2s().end().await, end, "bit {bit}");
            assert_eq!(bench.packet().await, data, "bit {bit}");
            bench.no_faults();
            let data = bench.push(40);
            bench.s2mm().start(TARGET, length).await;
            let end = End::well(40).with_packet_end();
            assert_eq!(bench.s2mm().end().await, end, "bit {bit}");
            assert_eq!(bench.memory(TARGET, 40), data, "bit {bit}");
        }
    });
}

/// Where the largest rings lie: a mebibyte each.
const READS: u64 = 0x20_0000;
const WRITES: u64 = 0x30_0000;
/// Descriptors of the largest ring.
const MOST: u32 = 0xffff;
/// Bytes of those descriptors that are not empty.
const BYTES: u32 = 8;

/// Whether a descriptor moves data: where indices get another bit, and shortly before and after.
fn moves(index: u32) -> bool {
    index.is_power_of_two() || (index + 1).is_power_of_two() || index % 4096 == 4095
}

/// Waits until the ring has come to its tail, longer than [`Ring::settle`] would.
async fn come_to_the_end(ring: &Ring, tail: u32) {
    let mut last = ring.head().await;
    while ring.state().await & reg::RING_STATUS_BUSY != 0 {
        let head = ring.head().await;
        assert!(head >= last, "the head went back from {last} to {head}");
        last = head;
    }
    assert_eq!(ring.head().await, tail);
}

#[test]
fn the_largest_rings_use_each_of_their_descriptors_and_wrap() {
    run(Setup::latency(3), async |bench| {
        let reads = Ring::enable(&bench, bench.mm2s(), READS, MOST).await;
        let writes = Ring::enable(&bench, bench.s2mm(), WRITES, MOST).await;
        bench.loopback(true).await;
        let to = 0x8_0000;
        let data = bench.fill(SOURCE, 0x1000);
        let (mut places, mut at) = (Vec::new(), 0);
        for index in 0..MOST - 1 {
            let length = if moves(index) { BYTES } else { 0 };
            reads.post(SOURCE + u64::from(at), length, 0);
            writes.post(to + u64::from(at), length, 0);
            places.push(length);
            at += length;
        }
        assert!(at < 0x1000);
        writes.doorbell().await;
        reads.doorbell().await;
        come_to_the_end(&reads, MOST - 1).await;
        come_to_the_end(&writes, MOST - 1).await;
        for (index, length) in (0..).zip(places) {
            let is_empty = length == 0;
            let flags = if is_empty { ZERO_LENGTH } else { 0 };
            let ends = if is_empty { ZERO_LENGTH } else { PACKET_END };
            assert_eq!(reads.written(index), (length, DONE | flags), "{index}");
            assert_eq!(writes.written(index), (length, DONE | ends), "{index}");
        }
        let moved = at as usize;
        assert_eq!(bench.memory(to, moved), data[..moved]);
        for round in 1..4 {
            reads.post(0, 0, 0);
            writes.post(0, 0, 0);
            writes.doorbell().await;
            reads.doorbell().await;
            reads.settle().await;
            writes.settle().await;
            let index = (MOST - 2 + round) % MOST;
            assert_eq!(reads.written(index), (0, DONE | ZERO_LENGTH), "{index}");
            assert_eq!(writes.written(index), (0, DONE | ZERO_LENGTH), "{index}");
        }
    });
}

#[test]
fn a_failing_descriptor_is_told_with_each_bit_of_its_index() {
    for is_write in [false, true] {
        run(Setup::latency(3), async move |bench| {
            let (channel, buffer) = if is_write {
                (bench.s2mm(), TARGET)
            } else {
                (bench.mm2s(), SOURCE)
            };
            // Never two in a row: s2mm would begin with the second before the first has failed.
            let fails =
                |index: u32| (index > 2 && index.is_power_of_two()) || index.is_multiple_of(0x445);
            let ring = Ring::enable(&bench, channel, WRITES, MOST).await;
            bench.fault(buffer, FaultResponse::Slverr);
            for index in 0..MOST - 1 {
                ring.post(buffer, if fails(index) { BYTES } else { 0 }, 0);
            }
            ring.doorbell().await;
            for index in (0..MOST - 1).filter(|index| fails(*index)) {
                if is_write {
                    bench.push(BYTES as usize);
                }
                let head = ring.halt().await;
                assert_eq!(head, index + 1, "{index} is written back");
                let expected = (
                    regs::ERROR_KIND_SLVERR,
                    regs::ERROR_SOURCE_DATA,
                    buffer,
                    index,
                );
                assert_eq!(ring.failure().await, expected);
                if !is_write {
                    assert_eq!(bench.packet().await, [0; 0], "broken off");
                }
                ring.resume().await;
            }
            come_to_the_end(&ring, MOST - 1).await;
            // Places MOST - 1, 0 and 1: around the end.
            for length in [0, 0, BYTES] {
                ring.post(buffer, length, 0);
            }
            if is_write {
                bench.push(BYTES as usize);
            }
            ring.doorbell().await;
            ring.halt().await;
            let expected = (regs::ERROR_KIND_SLVERR, regs::ERROR_SOURCE_DATA, buffer, 1);
            assert_eq!(ring.failure().await, expected);
        });
    }
}
