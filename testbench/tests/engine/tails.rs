//! `RING_TAIL` that is not below `RING_SIZE`: the ring halts, nothing is read, and it goes on when the tail is right.

use rebound::driver::dma_engine_descriptor::{DONE, ZERO_LENGTH};
use rebound::driver::dma_engine_regs as regs;
use rebound::driver::dma_engine_regs::channel as reg;
use rebound_sim::events::{AddressEvent, Direction};

use super::bench::{Bench, Setup, run};
use super::ring::{PORT, Ring};

/// Where the ring lies.
const RING: u64 = 0x30_0000;

/// Descriptors that were asked for so far.
fn fetched(bench: &Bench) -> u32 {
    let is_fetch = |burst: &&AddressEvent| burst.port == PORT && burst.direction == Direction::Read;
    let bursts = bench.bursts();
    let beats = bursts.iter().filter(is_fetch);
    beats.map(|burst| u32::from(burst.beats)).sum()
}

/// Writes a tail that is out of the ring, and takes what the ring says of it.
async fn goes_astray(bench: &Bench, ring: &Ring, tail: u32, head: u32) {
    let before = fetched(bench);
    ring.channel.write(reg::RING_TAIL, tail).await;
    assert_eq!(ring.halt().await, head, "tail {tail:#x}");
    let expected = (
        regs::ERROR_KIND_ADDR_LIMIT,
        regs::ERROR_SOURCE_FETCH,
        ring.addr(head),
        head,
    );
    assert_eq!(ring.failure().await, expected, "tail {tail:#x}");
    bench.host.sleep(200).await;
    assert_eq!(fetched(bench), before, "tail {tail:#x}: nothing is read");
    assert_eq!(
        ring.state().await & reg::RING_STATUS_HALTED,
        reg::RING_STATUS_HALTED,
        "it stays where it is"
    );
}

#[test]
fn a_tail_outside_of_the_ring_halts_it_until_it_is_put_right() {
    run(Setup::latency(5), async |bench| {
        for channel in [bench.mm2s(), bench.s2mm()] {
            let size = 8;
            let ring = Ring::enable(&bench, channel, RING, size).await;
            let mut head = 0;
            for tail in [8, 9, 16, 0x18, 0x108, 0x1000, 0x8000, 0xffff] {
                goes_astray(&bench, &ring, tail, head).await;
                let before = fetched(&bench);
                let posted = [ring.post(0, 0, 0), ring.post(0, 0, 0), ring.post(0, 0, 0)];
                ring.doorbell().await;
                ring.resume().await;
                ring.settle().await;
                assert_eq!(fetched(&bench), before + 3, "tail {tail:#x}");
                for index in posted {
                    assert_eq!(ring.written(index), (0, DONE | ZERO_LENGTH));
                }
                head = (head + 3) % size;
            }
        }
    });
}

#[test]
fn the_last_place_of_a_ring_is_a_tail_like_any_other() {
    run(Setup::latency(5), async |bench| {
        for channel in [bench.mm2s(), bench.s2mm()] {
            for size in [2, 3, 16, 17, 256, 257] {
                let ring = Ring::enable(&bench, channel.clone(), RING, size).await;
                for _ in 0..size - 1 {
                    ring.post(0, 0, 0);
                }
                ring.doorbell().await;
                ring.settle().await;
                assert_eq!(ring.head().await, size - 1);
                assert_eq!(ring.channel.status().await & reg::STATUS_ERROR, 0);
                ring.post(0, 0, 0);
                ring.doorbell().await;
                ring.settle().await;
                assert_eq!(ring.head().await, 0, "and after it comes place 0");
            }
        }
    });
}

#[test]
fn a_ring_without_places_halts_at_any_doorbell() {
    run(Setup::latency(5), async |bench| {
        for channel in [bench.mm2s(), bench.s2mm()] {
            for tail in [1, 0x100, 0xffff] {
                let ring = Ring::enable(&bench, channel.clone(), RING, 0).await;
                bench.host.sleep(100).await;
                assert_eq!(ring.state().await, 0, "nothing is asked for");
                goes_astray(&bench, &ring, tail, 0).await;
                // An empty ring has nothing to go astray with.
                ring.channel.write(reg::RING_TAIL, 0).await;
                ring.resume().await;
                bench.host.sleep(100).await;
                let state = ring.state().await & !reg::RING_STATUS_ERROR_SOURCE_MASK;
                assert_eq!((state, ring.head().await), (0, 0));
            }
        }
    });
}
