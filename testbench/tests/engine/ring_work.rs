//! Descriptors in work: as many as there is room for, and none that waits for nothing.

use rebound::driver::dma_engine_descriptor::{DONE, PACKET_END};
use rebound_sim::events::Direction;

use super::bench::{Bench, SOURCE, Setup, TARGET, run};
use super::ring::{PORT, Ring};

const READ_RING: u64 = 0x30_0000;
const WRITE_RING: u64 = 0x31_0000;
/// Descriptors: several times what a ring fetches ahead.
const MANY: u32 = 200;

/// Cycles in which the rings' port wrote completions.
fn write_backs(bench: &Bench) -> Vec<u64> {
    let bursts = bench.bursts().into_iter();
    bursts
        .filter(|burst| burst.port == PORT && burst.direction == Direction::Write)
        .map(|burst| burst.cycle)
        .collect()
}

#[test]
fn tiny_copies_fill_everything_that_holds_them() {
    for (latency, length) in [(3, 1), (300, 1), (300, 8), (300, 17)] {
        run(Setup::latency(latency), async move |bench| {
            bench.loopback(true).await;
            let s2mm = Ring::enable(&bench, bench.s2mm(), WRITE_RING, MANY + 1).await;
            let mm2s = Ring::enable(&bench, bench.mm2s(), READ_RING, MANY + 1).await;
            let place = |base: u64, index: u32| base + 0x1003 * u64::from(index);
            let mut data = Vec::new();
            for index in 0..MANY {
                data.push(bench.fill(place(SOURCE, index), length as usize));
                s2mm.post(place(TARGET, index) + 2, length, 0);
                mm2s.post(place(SOURCE, index), length, 0);
            }
            s2mm.doorbell().await;
            mm2s.doorbell().await;
            mm2s.settle().await;
            s2mm.settle().await;
            for (index, data) in (0..MANY).zip(data) {
                assert_eq!(mm2s.written(index), (length, DONE), "{index}");
                assert_eq!(s2mm.written(index), (length, DONE | PACKET_END), "{index}");
                let copy = bench.memory(place(TARGET, index) + 2, length as usize);
                assert_eq!(copy, data, "{index}");
            }
        });
    }
}

#[test]
fn receives_wait_for_their_packets_in_the_engine() {
    run(Setup::latency(100), async |bench| {
        let s2mm = Ring::enable(&bench, bench.s2mm(), WRITE_RING, MANY + 1).await;
        for index in 0..MANY {
            s2mm.post(TARGET + u64::from(index) * 0x40, 0x40, 0);
        }
        s2mm.doorbell().await;
        bench.host.sleep(2_000).await;
        let data: Vec<_> = (0..MANY)
            .map(|index| bench.push(1 + index as usize % 64))
            .collect();
        s2mm.settle().await;
        for (index, data) in (0..MANY).zip(data) {
            let bytes = u32::try_from(data.len()).expect("small");
            assert_eq!(s2mm.written(index), (bytes, DONE | PACKET_END), "{index}");
            let written = bench.memory(TARGET + u64::from(index) * 0x40, data.len());
            assert_eq!(written, data, "{index}");
        }
    });
}

#[test]
fn the_last_completion_waits_for_no_response() {
    for is_write in [false, true] {
        let latency = 200;
        let cycles = run(Setup::latency(latency), async move |bench| {
            let (channel, base) = if is_write {
                (bench.s2mm(), WRITE_RING)
            } else {
                (bench.mm2s(), READ_RING)
            };
            let ring = Ring::enable(&bench, channel, base, 8).await;
            for part in 0..2 {
                ring.post(SOURCE + part * 0x100, 64, 0);
                if is_write {
                    bench.push(64);
                }
            }
            ring.doorbell().await;
            ring.settle().await;
            write_backs(&bench)
        });
        let [first, last] = cycles[..] else {
            panic!("a write-back each: {cycles:?}");
        };
        assert!(last - first < u64::from(latency) / 2, "{cycles:?}");
    }
}
