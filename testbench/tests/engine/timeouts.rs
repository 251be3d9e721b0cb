//! `TIMEOUT`: the section "Timeout" of `rtl/README.md`.

use rebound::driver::dma_engine_descriptor::{DONE, PACKET_END};
use rebound::driver::dma_engine_regs as regs;
use rebound::driver::dma_engine_regs::channel as reg;
use rebound_sim::axi::BusPolicy;

use super::bench::{Bench, End, SOURCE, Setup, run};
use super::ring::Ring;

/// Where the ring lies.
const RING: u64 = 0x30_0000;
/// Cycles of `TIMEOUT`.
const PATIENCE: u32 = 500;
/// Cycles after which a bus answers that seems to be dead.
const DEAD: u32 = 5_000;

/// What `STATUS` reads of a timeout.
const TOLD: u32 = reg::STATUS_ERROR | regs::ERROR_KIND_TIMEOUT << reg::STATUS_ERROR_KIND_SHIFT;

#[test]
fn a_receiver_that_never_takes_a_beat_is_told_after_the_timeout() {
    run(Setup::default(), async |bench| {
        let mm2s = bench.mm2s();
        let sink = bench.host.stream_sink(0);
        bench.fill(SOURCE, 0x1000);
        bench
            .write(regs::INT_ENABLE, regs::INT_ENABLE_MM2S_ERROR)
            .await;
        mm2s.write(reg::TIMEOUT, PATIENCE).await;
        sink.pause();
        let started = bench.host.cycle();
        mm2s.start(SOURCE, 0x1000).await;
        bench.interrupt().await;
        let taken = bench.host.cycle() - started;
        // Reading what the FIFO holds takes its time too.
        assert!((1000..1200).contains(&taken), "{taken} cycles");
        let status = mm2s.status().await;
        assert_eq!(status, reg::STATUS_BUSY | TOLD);
        sink.resume();
        let end = mm2s.end().await;
        assert_eq!(end.kind, regs::ERROR_KIND_TIMEOUT);
        assert_eq!(bench.packet().await.len(), end.bytes_done as usize);
        mm2s.write(reg::TIMEOUT, 0).await;
        bench.works().await;
    });
}

/// Rings the doorbell of one packet, and returns the ring and the cycles until the timeout was told.
async fn wait_for_timeout(bench: &Bench) -> (Ring, u64) {
    let ring = Ring::enable(bench, bench.mm2s(), RING, 16).await;
    ring.channel.write(reg::TIMEOUT, PATIENCE).await;
    bench
        .write(regs::INT_ENABLE, regs::INT_ENABLE_MM2S_ERROR)
        .await;
    ring.post(SOURCE, 64, 0);
    ring.doorbell().await;
    let started = bench.host.cycle();
    bench.interrupt().await;
    let taken = bench.host.cycle() - started;
    (ring, taken)
}

#[test]
fn a_descriptor_that_does_not_come_is_told_after_the_timeout() {
    let mut setup = Setup::default();
    setup.bus = BusPolicy {
        read_latency_cycles: DEAD,
        ..setup.bus
    };
    run(setup, async |bench| {
        let data = bench.fill(SOURCE, 64);
        let (ring, taken) = wait_for_timeout(&bench).await;
        // The address needs its cycles too.
        let patience = u64::from(PATIENCE);
        assert!((patience..patience + 10).contains(&taken), "{taken} cycles");
        assert_eq!(ring.channel.status().await, TOLD, "nothing is in work");
        let expected = (regs::ERROR_KIND_TIMEOUT, regs::ERROR_SOURCE_FETCH, 0, 0);
        assert_eq!(ring.failure().await, expected);
        let state = ring.state().await;
        assert_eq!(state & reg::RING_STATUS_HALTED, 0, "the bus owes an answer");
        assert_ne!(state & reg::RING_STATUS_BUSY, 0);
        assert_eq!(ring.halt().await, 0, "the descriptor has not begun");
        ring.channel.write(reg::TIMEOUT, 0).await;
        ring.resume().await;
        ring.settle().await;
        assert_eq!(bench.packet().await, data);
        assert_eq!(ring.written(0), (64, DONE));
    });
}

#[test]
fn a_write_back_that_is_not_answered_is_told_after_the_timeout() {
    let mut setup = Setup::default();
    setup.bus = BusPolicy {
        write_latency_cycles: DEAD,
        ..setup.bus
    };
    run(setup, async |bench| {
        let data = bench.fill(SOURCE, 64);
        let (ring, _) = wait_for_timeout(&bench).await;
        assert_eq!(ring.channel.status().await, TOLD, "the transfer is over");
        assert_eq!(bench.packet().await, data);
        let source = regs::ERROR_SOURCE_WRITEBACK;
        let expected = (regs::ERROR_KIND_TIMEOUT, source, 0, 0);
        assert_eq!(ring.failure().await, expected);
        assert_eq!(ring.head().await, 0, "not yet in memory");
        assert_eq!(ring.halt().await, 1, "it came after all");
        assert_eq!(ring.written(0), (64, DONE));
        ring.channel.write(reg::TIMEOUT, 0).await;
        ring.resume().await;
        ring.post(SOURCE, 32, 0);
        ring.doorbell().await;
        ring.settle().await;
        assert_eq!(bench.packet().await, data[..32]);
    });
}

#[test]
fn an_idle_ring_has_no_timeout() {
    run(Setup::default(), async |bench| {
        let ring = Ring::enable(&bench, bench.s2mm(), RING, 16).await;
        ring.channel.write(reg::TIMEOUT, PATIENCE).await;
        bench.host.sleep(4 * u64::from(PATIENCE)).await;
        assert_eq!(ring.channel.status().await, 0);
        let data = bench.push(100);
        ring.post(SOURCE, 100, 0);
        ring.doorbell().await;
        ring.settle().await;
        assert_eq!(ring.written(0), (100, DONE | PACKET_END));
        assert_eq!(bench.memory(SOURCE, 100), data);
    });
}

#[test]
fn a_write_that_ends_well_after_its_timeout_was_told_has_failed_all_the_same() {
    let mut setup = Setup::default();
    setup.bus = BusPolicy {
        write_latency_cycles: DEAD,
        ..setup.bus
    };
    run(setup, async |bench| {
        let s2mm = bench.s2mm();
        bench
            .write(regs::INT_ENABLE, regs::INT_ENABLE_S2MM_ERROR)
            .await;
        s2mm.write(reg::TIMEOUT, PATIENCE).await;
        let data = bench.push(64);
        s2mm.start(SOURCE, 64).await;
        bench.interrupt().await;
        let status = s2mm.status().await;
        assert_eq!(status, reg::STATUS_BUSY | TOLD);
        let end = s2mm.end().await;
        let expected = End::failed(regs::ERROR_KIND_TIMEOUT, 64, 0);
        assert_eq!(end, expected.with_packet_end());
        assert_eq!(bench.memory(SOURCE, 64), data);
    });
}

#[test]
fn a_ring_whose_receiver_takes_nothing_is_told_after_the_timeout_and_halts() {
    run(Setup::default(), async |bench| {
        let sink = bench.host.stream_sink(0);
        sink.pause();
        bench.fill(SOURCE, 0x1000);
        let ring = Ring::enable(&bench, bench.mm2s(), RING, 16).await;
        ring.channel.write(reg::TIMEOUT, PATIENCE).await;
        bench
            .write(regs::INT_ENABLE, regs::INT_ENABLE_MM2S_ERROR)
            .await;
        ring.post(SOURCE, 64, 0);
        ring.post(SOURCE + 0x100, 64, 0);
        ring.doorbell().await;
        bench.interrupt().await;
        sink.resume();
        let head = ring.halt().await;
        assert!((1..=2).contains(&head), "{head}");
        let (kind, source, _, _) = ring.failure().await;
        assert_eq!(
            (kind, source),
            (regs::ERROR_KIND_TIMEOUT, regs::ERROR_SOURCE_DATA)
        );
        while bench.host.stream_sink(0).try_recv().is_some() {}
        ring.channel.write(reg::TIMEOUT, 0).await;
        ring.channel.write(reg::CONTROL, 0).await;
        ring.channel
            .write(reg::CONTROL, reg::CONTROL_RING_RESET)
            .await;
        ring.channel.write(reg::STATUS, u32::MAX).await;
        bench.works().await;
    });
}

#[test]
fn a_timeout_that_is_lowered_while_nothing_moves_is_told_at_once() {
    run(Setup::default(), async |bench| {
        let mm2s = bench.mm2s();
        let sink = bench.host.stream_sink(0);
        sink.pause();
        bench.fill(SOURCE, 64);
        bench
            .write(regs::INT_ENABLE, regs::INT_ENABLE_MM2S_ERROR)
            .await;
        mm2s.write(reg::TIMEOUT, u32::MAX).await;
        mm2s.start(SOURCE, 64).await;
        bench.host.sleep(3 * u64::from(PATIENCE)).await;
        assert!(!bench.irq());
        mm2s.write(reg::TIMEOUT, PATIENCE).await;
        bench.host.sleep(4).await;
        assert!(bench.irq());
        sink.resume();
        assert_eq!(mm2s.end().await.kind, regs::ERROR_KIND_TIMEOUT);
    });
}
