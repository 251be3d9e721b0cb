//! `RING_COALESCE`: when descriptors that were written back are worth an interrupt, by count and by time.

use rebound::driver::dma_engine_descriptor::IRQ;
use rebound::driver::dma_engine_regs as regs;
use rebound::driver::dma_engine_regs::channel as reg;
use rebound_sim::events::{AddressEvent, Direction};

use super::bench::{Bench, Channel, Setup, run};
use super::ring::{PORT, Ring};

/// Where the ring lies.
const RING: u64 = 0x30_0000;
/// Descriptors in the ring, more than are ever posted at a time.
const SIZE: u32 = 1024;
/// Cycles from the response of a write-back to the interrupt as a driver sees it: head, interrupt, a look at the wire.
const AT_ONCE: u64 = 3;

/// Runs a driver on a ring of each channel, with its interrupt enabled and `RING_COALESCE` as given.
fn on_each_ring(coalesce: u32, driver: impl AsyncFn(&Bench, &Ring) + Copy + 'static) {
    run(Setup::latency(3), async move |bench| {
        for (channel, enable) in [
            (bench.mm2s(), regs::INT_ENABLE_MM2S_RING),
            (bench.s2mm(), regs::INT_ENABLE_S2MM_RING),
        ] {
            bench.write(regs::INT_ENABLE, enable).await;
            let ring = fresh(&bench, channel, coalesce).await;
            driver(&bench, &ring).await;
            ring.channel.write(reg::RING_COALESCE, 0).await;
            clear(&bench, &ring).await;
        }
    });
}

/// A ring out of its reset.
async fn fresh(bench: &Bench, channel: Channel, coalesce: u32) -> Ring {
    channel.write(reg::RING_COALESCE, coalesce).await;
    Ring::enable(bench, channel, RING, SIZE).await
}

/// Lets so many descriptors be written back. They are empty: neither bus nor stream have a part in it.
async fn write_back(bench: &Bench, ring: &Ring, count: u32, flags: u32) {
    for _ in 0..count {
        ring.post(0, 0, flags);
    }
    ring.doorbell().await;
    ring.settle().await;
    bench.host.sleep(4).await;
}

async fn clear(bench: &Bench, ring: &Ring) {
    let irq = reg::RING_STATUS_IRQ;
    ring.channel.write(reg::RING_STATUS, irq).await;
    bench.host.sleep(2).await;
    assert!(!bench.irq(), "cleared");
}

fn by_time(delay: u32) -> u32 {
    delay << reg::RING_COALESCE_DELAY_SHIFT
}

/// Cycles from the response of the next write-back, of one descriptor, to the interrupt.
async fn taken(bench: &Bench, ring: &Ring, limit: u64) -> u64 {
    ring.post(0, 0, 0);
    ring.doorbell().await;
    let wire = bench.host.wire(0);
    wire.wait_high(limit).await.expect("an interrupt");
    bench.host.cycle() - bench.last_response(PORT)
}

#[test]
fn an_interrupt_comes_with_the_last_of_the_count_and_the_count_begins_anew() {
    on_each_ring(0, async |bench, ring| {
        for count in [1, 2, 3, 4, 7, 8, 16, 17, 32, 64, 100, 128, 255] {
            ring.channel.write(reg::RING_COALESCE, count).await;
            for round in 0..2 {
                write_back(bench, ring, count - 1, 0).await;
                assert!(!bench.irq(), "{count} in round {round}: one is missing");
                write_back(bench, ring, 1, 0).await;
                assert!(bench.irq(), "{count} in round {round}");
                clear(bench, ring).await;
            }
        }
    });
}

#[test]
fn descriptors_are_counted_further_than_any_count_and_the_sum_never_wraps() {
    on_each_ring(0, async |bench, ring| {
        // Twice the most that the counter could hold, and none of them is worth an interrupt by itself.
        write_back(bench, ring, 520, 0).await;
        bench.host.sleep(2000).await;
        assert!(!bench.irq(), "neither by count nor by time");
        ring.channel.write(reg::RING_COALESCE, 255).await;
        bench.host.sleep(2).await;
        assert!(bench.irq(), "there are more than 255");
        clear(bench, ring).await;
        write_back(bench, ring, 254, 0).await;
        assert!(!bench.irq(), "the count has begun anew");
        write_back(bench, ring, 1, 0).await;
        assert!(bench.irq());
    });
}

#[test]
fn a_count_that_is_lowered_to_what_was_counted_fires_at_once() {
    on_each_ring(7, async |bench, ring| {
        write_back(bench, ring, 5, 0).await;
        ring.channel.write(reg::RING_COALESCE, 6).await;
        bench.host.sleep(4).await;
        assert!(!bench.irq(), "five of six");
        ring.channel.write(reg::RING_COALESCE, 5).await;
        bench.host.sleep(4).await;
        assert!(bench.irq(), "five of five");
    });
}

#[test]
fn the_delay_runs_16_cycles_for_each_of_its_units() {
    on_each_ring(1, async |bench, ring| {
        let at_once = taken(bench, ring, 1000).await;
        assert_eq!(at_once, AT_ONCE);
        clear(bench, ring).await;
        for delay in [1, 2, 3, 4, 8, 16, 32, 64, 128, 0x101, 0x200, 0x3ff] {
            ring.channel.write(reg::RING_COALESCE, by_time(delay)).await;
            let cycles = taken(bench, ring, 20_000).await;
            assert_eq!(cycles, AT_ONCE + 16 * u64::from(delay), "delay {delay}");
            clear(bench, ring).await;
        }
    });
}

#[test]
fn no_bit_of_a_long_delay_is_lost() {
    on_each_ring(0, async |bench, ring| {
        for bit in 10..16 {
            // Without that bit it would be 16 cycles.
            ring.channel
                .write(reg::RING_COALESCE, by_time(1 << bit | 1))
                .await;
            write_back(bench, ring, 1, 0).await;
            bench.host.sleep(1000).await;
            assert!(!bench.irq(), "bit {bit} of the delay");
            ring.channel.write(reg::RING_COALESCE, by_time(32)).await;
            bench.host.sleep(4).await;
            assert!(bench.irq(), "older than 512 cycles");
            clear(bench, ring).await;
        }
    });
}

#[test]
fn the_age_is_measured_as_far_as_the_delay_reaches() {
    run(Setup::latency(3), async |bench| {
        let delay = 0x8000;
        bench
            .write(regs::INT_ENABLE, regs::INT_ENABLE_MM2S_RING)
            .await;
        let ring = fresh(&bench, bench.mm2s(), by_time(delay)).await;
        let limit = 17 * u64::from(delay);
        let cycles = taken(&bench, &ring, limit).await;
        assert_eq!(cycles, AT_ONCE + 16 * u64::from(delay));
    });
}

#[test]
fn the_delay_runs_from_the_first_descriptor_on_and_only_while_there_is_one() {
    on_each_ring(by_time(20), async |bench, ring| {
        bench.host.sleep(1000).await;
        assert!(!bench.irq(), "nothing was written back");
        write_back(bench, ring, 1, 0).await;
        let first = bench.last_response(PORT);
        bench.host.sleep(150).await;
        write_back(bench, ring, 1, 0).await;
        assert!(!bench.irq(), "too early");
        bench.interrupt().await;
        let cycles = bench.host.cycle() - first;
        assert_eq!(cycles, AT_ONCE + 320);
        clear(bench, ring).await;
        bench.host.sleep(1000).await;
        assert!(!bench.irq(), "both were told of");
    });
}

#[test]
fn count_or_delay_whichever_is_first() {
    on_each_ring(by_time(20) | 3, async |bench, ring| {
        write_back(bench, ring, 3, 0).await;
        assert!(bench.irq(), "by count");
        let counted = bench.host.cycle() - bench.last_response(PORT);
        assert!(counted < 320, "before its time");
        clear(bench, ring).await;
        bench.host.sleep(1000).await;
        assert!(!bench.irq(), "the time ended with the count");
        write_back(bench, ring, 2, 0).await;
        assert!(!bench.irq(), "one is missing");
        bench.interrupt().await;
        clear(bench, ring).await;
        write_back(bench, ring, 2, 0).await;
        assert!(!bench.irq(), "the count ended with the time");
        write_back(bench, ring, 1, 0).await;
        assert!(bench.irq());
    });
}

#[test]
fn a_descriptor_that_asks_for_it_interrupts_by_itself_and_ends_the_count() {
    on_each_ring(0, async |bench, ring| {
        write_back(bench, ring, 5, 0).await;
        assert!(!bench.irq());
        write_back(bench, ring, 1, IRQ).await;
        assert!(bench.irq(), "neither by count nor by time");
        clear(bench, ring).await;
        // One in the midst of others.
        for flags in [0, 0, IRQ, 0, 0] {
            ring.post(0, 0, flags);
        }
        ring.doorbell().await;
        ring.settle().await;
        bench.host.sleep(4).await;
        assert!(bench.irq());
        // What had been counted is told of, so the count begins anew.
        ring.channel.write(reg::RING_COALESCE, 4).await;
        write_back(bench, ring, 1, IRQ).await;
        clear(bench, ring).await;
        write_back(bench, ring, 3, 0).await;
        assert!(!bench.irq());
        write_back(bench, ring, 1, 0).await;
        assert!(bench.irq());
    });
}

#[test]
fn a_reset_of_the_ring_forgets_what_was_counted_and_how_old_it_is() {
    on_each_ring(4, async |bench, ring| {
        write_back(bench, ring, 3, 0).await;
        let ring = fresh(bench, ring.channel.clone(), 4).await;
        write_back(bench, &ring, 3, 0).await;
        assert!(!bench.irq(), "three since the reset");
        write_back(bench, &ring, 1, 0).await;
        assert!(bench.irq());
        let ring = fresh(bench, ring.channel.clone(), by_time(20)).await;
        assert!(!bench.irq(), "the reset clears RING_STATUS");
        write_back(bench, &ring, 1, 0).await;
        let ring = fresh(bench, ring.channel.clone(), by_time(20)).await;
        bench.host.sleep(1000).await;
        assert!(!bench.irq(), "nothing is there that could grow old");
        let cycles = taken(bench, &ring, 1000).await;
        assert_eq!(cycles, AT_ONCE + 320);
    });
}

#[test]
fn clearing_the_interrupt_never_loses_one_that_rises_in_the_same_cycle() {
    on_each_ring(by_time(4), async |bench, ring| {
        let wire = bench.host.wire(0);
        // How long the interrupt takes after the response, and how long clearing it takes.
        let rises = taken(bench, ring, 1000).await;
        let begun = bench.host.cycle();
        let irq = reg::RING_STATUS_IRQ;
        ring.channel.write(reg::RING_STATUS, irq).await;
        wire.wait_low(10).await.expect("cleared");
        let falls = bench.host.cycle() - begun;
        for early in 0..8 {
            // One is there already when the next one comes.
            write_back(bench, ring, 1, IRQ).await;
            ring.post(0, 0, 0);
            let before = bench.last_response(PORT);
            ring.doorbell().await;
            while bench.last_response(PORT) == before {
                bench.host.sleep(1).await;
            }
            let due = bench.last_response(PORT) + rises;
            bench.host.sleep_until(due - early).await;
            ring.channel.write(reg::RING_STATUS, irq).await;
            bench.host.sleep_until(due + 20).await;
            let is_told_after = early >= falls;
            assert_eq!(bench.irq(), is_told_after, "{early} cycles before");
            clear(bench, ring).await;
        }
    });
}

#[test]
fn completions_that_share_a_burst_are_counted_each() {
    run(Setup::latency(200), async |bench| {
        for channel in [bench.mm2s(), bench.s2mm()] {
            let before = bench.bursts().len();
            let ring = fresh(&bench, channel, 250).await;
            write_back(&bench, &ring, 249, 0).await;
            let bursts = bench.bursts().split_off(before);
            let is_full = |burst: &AddressEvent| {
                burst.port == PORT && burst.direction == Direction::Write && burst.beats == 16
            };
            assert!(bursts.iter().any(is_full), "sixteen in a burst");
            let irq = ring.state().await & reg::RING_STATUS_IRQ;
            assert_eq!(irq, 0, "249 are too few");
            write_back(&bench, &ring, 1, 0).await;
            let irq = ring.state().await & reg::RING_STATUS_IRQ;
            assert_ne!(irq, 0, "250 are enough");
            ring.channel.write(reg::CONTROL, 0).await;
        }
    });
}
