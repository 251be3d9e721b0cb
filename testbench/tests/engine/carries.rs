//! Transfers and rings that reach over a power of two: every carry of an address counts.

use rebound::driver::dma_engine_descriptor::{DONE, PACKET_END};
use rebound::driver::dma_engine_regs as regs;
use rebound::driver::dma_engine_regs::channel as reg;
use rebound_sim::axi::{FaultAccess, FaultResponse};

use super::bench::{Bench, End, SOURCE, Setup, TARGET, run};
use super::ring::Ring;

/// Address bits of the engine.
const BITS: u32 = 32;

/// Where data come from and go to: not where a ring lies.
const FROM: u64 = SOURCE + 0x5_0000;
const TO: u64 = TARGET + 0x5_0000;

#[test]
fn data_are_read_and_written_across_each_power_of_two() {
    run(Setup::latency(3), async |bench| {
        bench.add_memory_at_powers();
        for bit in 6..BITS {
            let addr = (1 << bit) - 45;
            let data = bench.fill(addr, 300);
            bench.mm2s().start(addr, 300).await;
            assert_eq!(bench.packet().await, data, "bit {bit}");
            assert_eq!(bench.mm2s().end().await, End::well(300), "bit {bit}");
            let data = bench.push(300);
            bench.s2mm().start(addr, 300).await;
            let end = End::well(300).with_packet_end();
            assert_eq!(bench.s2mm().end().await, end, "bit {bit}");
            assert_eq!(bench.memory(addr, 300), data, "bit {bit}");
        }
    });
}

/// A ring whose third descriptor begins at a power of two.
async fn ring_across(bench: &Bench, is_write: bool, bit: u32) -> Ring {
    let channel = if is_write { bench.s2mm() } else { bench.mm2s() };
    Ring::enable(bench, channel, (1 << bit) - 32, 5).await
}

/// Posts a transfer, and returns its descriptor and data.
fn post(bench: &Bench, ring: &Ring, is_write: bool, part: u64) -> (u32, Vec<u8>) {
    if is_write {
        let data = bench.push(8);
        (ring.post(TO + 0x100 * part, 8, 0), data)
    } else {
        let addr = FROM + 0x100 * part;
        let data = bench.fill(addr, 8);
        (ring.post(addr, 8, 0), data)
    }
}

#[test]
fn rings_lie_across_each_power_of_two() {
    for is_write in [false, true] {
        run(Setup::latency(3), async move |bench| {
            bench.add_memory_at_powers();
            for bit in 6..BITS {
                let ring = ring_across(&bench, is_write, bit).await;
                for round in 0..2 {
                    let posted: Vec<_> = (0..4)
                        .map(|part| post(&bench, &ring, is_write, part))
                        .collect();
                    ring.doorbell().await;
                    ring.settle().await;
                    for (part, (index, data)) in (0..).zip(posted) {
                        let (found, end) = if is_write {
                            (bench.memory(TO + 0x100 * part, 8), PACKET_END)
                        } else {
                            (bench.packet().await, 0)
                        };
                        assert_eq!(found, data, "bit {bit}, round {round}, {part}");
                        assert_eq!(ring.written(index), (8, DONE | end), "bit {bit}");
                    }
                }
            }
        });
    }
}

#[test]
fn a_descriptor_that_fails_is_told_with_each_bit_of_its_address() {
    for (is_write, access) in [
        (false, FaultAccess::Read),
        (false, FaultAccess::Write),
        (true, FaultAccess::Read),
        (true, FaultAccess::Write),
    ] {
        run(Setup::latency(3), async move |bench| {
            bench.add_memory_at_powers();
            for (bit, failing) in (6..BITS).flat_map(|bit| [1, 2, 3].map(|at| (bit, at))) {
                let ring = ring_across(&bench, is_write, bit).await;
                ring.fault(failing, access, FaultResponse::Slverr);
                for part in 0..=failing {
                    // One after the other, so that each has its own burst.
                    post(&bench, &ring, is_write, part.into());
                    ring.doorbell().await;
                    if part < failing {
                        ring.settle().await;
                    }
                }
                assert_eq!(ring.halt().await, failing, "bit {bit}");
                let source = if access == FaultAccess::Read {
                    regs::ERROR_SOURCE_FETCH
                } else {
                    regs::ERROR_SOURCE_WRITEBACK
                };
                let expected = (regs::ERROR_KIND_SLVERR, source, ring.addr(failing), failing);
                assert_eq!(ring.failure().await, expected, "bit {bit}");
                ring.no_faults();
                ring.channel.write(reg::STATUS, u32::MAX).await;
                if is_write && access == FaultAccess::Read {
                    // What came for the descriptor that was not read.
                    ring.resume().await;
                    ring.settle().await;
                }
            }
        });
    }
}
