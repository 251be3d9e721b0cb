//! Each number of address bits that the straps can leave of the engine as it comes: what is above does not count.

use rebound::driver::dma_engine_descriptor::{DONE, PACKET_END};
use rebound::driver::dma_engine_regs as regs;
use rebound::driver::dma_engine_regs::channel as reg;
use rebound_sim::axi::{FaultAccess, FaultResponse};

use super::bench::{End, Setup, run};
use super::ring::Ring;
use super::straps::{enable_at, strap_both};

/// The fewest bits, and those of the engine.
const LEAST: u32 = 16;
const BITS: u32 = 32;
/// Within everybody's reach: where data are, and where the ring is.
const DATA: u64 = 0x9fe0;
const RING: u64 = 0x4fe0;

/// All address bits of the engine that so many bits leave out.
const fn beyond(bits: u32) -> u64 {
    (1 << BITS) - (1 << bits)
}

#[test]
fn data_lie_below_each_limit() {
    run(Setup::latency(3), async |bench| {
        for bits in LEAST..BITS {
            strap_both(&bench, bits).await;
            // Over a page: the second burst is cut as well.
            let data = bench.fill(DATA, 100);
            bench.mm2s().start(DATA | beyond(bits), 100).await;
            assert_eq!(bench.packet().await, data, "{bits} bits");
            assert_eq!(bench.mm2s().end().await, End::well(100), "{bits} bits");
            let data = bench.push(100);
            bench.s2mm().start(DATA | beyond(bits), 100).await;
            let end = End::well(100).with_packet_end();
            assert_eq!(bench.s2mm().end().await, end, "{bits} bits");
            assert_eq!(bench.memory(DATA, 100), data, "{bits} bits");
        }
    });
}

#[test]
fn rings_lie_below_each_limit() {
    run(Setup::latency(3), async |bench| {
        for bits in LEAST..BITS {
            strap_both(&bench, bits).await;
            let mm2s = Ring::enable(&bench, bench.mm2s(), RING, 8).await;
            enable_at(&mm2s, RING | beyond(bits)).await;
            for _ in 0..6 {
                let data = bench.fill(DATA, 20);
                let index = mm2s.post(DATA | beyond(bits), 20, 0);
                mm2s.doorbell().await;
                mm2s.settle().await;
                assert_eq!(bench.packet().await, data, "{bits} bits");
                assert_eq!(mm2s.written(index), (20, DONE), "{bits} bits");
            }
            let s2mm = Ring::enable(&bench, bench.s2mm(), RING, 8).await;
            enable_at(&s2mm, RING | beyond(bits)).await;
            for _ in 0..6 {
                let data = bench.push(20);
                let index = s2mm.post(DATA | beyond(bits), 20, 0);
                s2mm.doorbell().await;
                s2mm.settle().await;
                assert_eq!(bench.memory(DATA, 20), data, "{bits} bits");
                assert_eq!(s2mm.written(index), (20, DONE | PACKET_END), "{bits} bits");
            }
            // Straps are for rings that are off.
            for ring in [mm2s, s2mm] {
                ring.channel.write(reg::CONTROL, 0).await;
            }
        }
    });
}

#[test]
fn data_wrap_at_each_limit() {
    run(Setup::latency(3), async |bench| {
        bench.add_memory_at_powers();
        // Two and three bursts up to the limit, then two more.
        for (bits, before) in (LEAST..BITS).flat_map(|bits| [(bits, 200_u32), (bits, 300)]) {
            let length = before + 200;
            let (below, all) = (before as usize, length as usize);
            let top: u64 = 1 << bits;
            strap_both(&bench, bits).await;
            let begin = top - u64::from(before);
            let mut data = bench.fill(begin, below);
            data.extend(bench.fill(0, all - below));
            bench.mm2s().start(begin, length).await;
            assert_eq!(bench.packet().await, data, "{bits} bits");
            assert_eq!(bench.mm2s().end().await, End::well(length), "{bits} bits");
            let data = bench.push(all);
            bench.s2mm().start(begin, length).await;
            let end = End::well(length).with_packet_end();
            assert_eq!(bench.s2mm().end().await, end, "{bits} bits");
            assert_eq!(bench.memory(begin, below), data[..below], "{bits} bits");
            assert_eq!(bench.memory(0, all - below), data[below..], "{bits} bits");
        }
    });
}

#[test]
fn a_descriptor_that_cannot_be_read_is_told_by_the_address_that_the_driver_gave() {
    run(Setup::latency(3), async |bench| {
        for channel in [bench.mm2s(), bench.s2mm()] {
            for bit in BITS..64 {
                let ring = Ring::enable(&bench, channel.clone(), RING, 8).await;
                enable_at(&ring, RING | 1 << bit).await;
                let index = ring.post(DATA, 20, 0);
                ring.fault(index, FaultAccess::Read, FaultResponse::Decerr);
                ring.doorbell().await;
                assert_eq!(ring.halt().await, index, "bit {bit}");
                let kind = regs::ERROR_KIND_DECERR;
                let expected = (kind, regs::ERROR_SOURCE_FETCH, RING | 1 << bit, index);
                assert_eq!(ring.failure().await, expected, "bit {bit}");
                ring.no_faults();
                ring.channel.write(reg::STATUS, u32::MAX).await;
                ring.channel.write(reg::CONTROL, 0).await;
            }
        }
    });
}
