//! Stopping: one channel by `stop`, both by `soft_reset`, in time and too late.

use rebound::driver::dma_engine_regs as regs;
use rebound::driver::dma_engine_regs::channel as reg;
use rebound::scenario::plan::EnginePlan;
use rebound_sim::axi::BusPolicy;

use super::bench::{Bench, End, SOURCE, Setup, TARGET, run};
use super::failures::each_mode;

/// Long enough to be stopped on its way.
const LENGTH: u32 = 20_000;

fn each_latency() -> impl Iterator<Item = Setup> {
    let setup = |(engine, latency): (EnginePlan, u32)| Setup {
        bus: BusPolicy::with_latency(latency),
        ..Setup::of(engine)
    };
    each_mode()
        .into_iter()
        .flat_map(|engine| [(engine, 1), (engine, 200)])
        .map(setup)
}

/// Checks the end of an aborted transfer and returns its bytes.
fn aborted(end: End) -> usize {
    let expected = End::failed(regs::ERROR_KIND_ABORTED, end.bytes_done, 0);
    assert_eq!(end, expected);
    assert!((1..LENGTH).contains(&end.bytes_done), "{end:?}");
    end.bytes_done as usize
}

/// Checks that memory holds a beginning of the data, at least `least` bytes of it, and is else as before.
fn check_prefix(bench: &Bench, least: usize, data: &[u8], before: &[u8]) {
    let after = bench.memory(TARGET, before.len());
    let written = after.iter().zip(data).take_while(|(a, b)| a == b).count();
    assert!(written >= least, "{written} of {least} bytes");
    // A byte may be the same by chance: what follows is compared from the last certain place on.
    let differs = (written..before.len()).find(|at| after[*at] != before[*at]);
    assert_eq!(differs, None, "{written} bytes were written");
}

#[test]
fn a_stopped_send_ends_its_packet_at_what_it_counts() {
    for setup in each_latency() {
        run(setup, async |bench| {
            let mm2s = bench.mm2s();
            let data = bench.fill(SOURCE, LENGTH as usize);
            mm2s.start(SOURCE, LENGTH).await;
            bench.host.sleep(700).await;
            mm2s.stop().await;
            let bytes = aborted(mm2s.end().await);
            assert_eq!(bench.packet().await, data[..bytes]);
            let bursts = bench.bursts().len();
            bench.host.sleep(500).await;
            assert_eq!(bench.bursts().len(), bursts, "no further burst");
            bench.works().await;
        });
    }
}

#[test]
fn a_stopped_receive_leaves_the_rest_of_the_packet_in_the_stream() {
    for setup in each_latency() {
        run(setup, async |bench| {
            let s2mm = bench.s2mm();
            let before = bench.fill(TARGET, LENGTH as usize + 64);
            s2mm.start(TARGET, LENGTH).await;
            let data = bench.push(LENGTH as usize);
            bench.host.sleep(700).await;
            s2mm.stop().await;
            let bytes = aborted(s2mm.end().await);
            check_prefix(&bench, bytes, &data, &before);
            bench.host.sleep(500).await;
            let taken = bench.host.stream_source(0).counters().bytes;
            let left = u64::from(LENGTH) - taken;
            let next = TARGET + 0x1_0000;
            s2mm.start(next, LENGTH).await;
            let end = s2mm.end().await;
            assert_eq!(end, End::well(end.bytes_done).with_packet_end());
            // One beat may wait in the engine's input.
            let rest = u64::from(end.bytes_done);
            assert!((left..=left + 8).contains(&rest), "{rest} of {left}");
            let rest = end.bytes_done as usize;
            assert_eq!(bench.memory(next, rest), data[data.len() - rest..]);
            bench.works().await;
        });
    }
}

#[test]
fn a_copy_can_be_stopped_on_either_side() {
    for setup in each_latency() {
        for stops_read in [true, false] {
            run(setup.clone(), async move |bench| {
                let (mm2s, s2mm) = (bench.mm2s(), bench.s2mm());
                let data = bench.fill(SOURCE, LENGTH as usize);
                let before = bench.fill(TARGET, LENGTH as usize + 64);
                bench.loopback(true).await;
                s2mm.start(TARGET, LENGTH).await;
                mm2s.start(SOURCE, LENGTH).await;
                bench.host.sleep(800).await;
                if stops_read {
                    mm2s.stop().await;
                    let bytes = aborted(mm2s.end().await);
                    let end = End::well(u32::try_from(bytes).expect("small"));
                    assert_eq!(s2mm.end().await, end.with_packet_end());
                    check_prefix(&bench, bytes, &data, &before);
                } else {
                    s2mm.stop().await;
                    let bytes = aborted(s2mm.end().await);
                    check_prefix(&bench, bytes, &data, &before);
                    // Nobody takes what the other side has read.
                    assert_eq!(mm2s.status().await, reg::STATUS_BUSY);
                    mm2s.stop().await;
                    s2mm.start(TARGET, LENGTH).await;
                    aborted(mm2s.end().await);
                    assert!(s2mm.end().await.packet_end);
                }
                bench.works().await;
            });
        }
    }
}

#[test]
fn a_stop_that_comes_too_late_changes_nothing() {
    run(Setup::latency(200), async |bench| {
        let (mm2s, s2mm) = (bench.mm2s(), bench.s2mm());
        let sink = bench.host.stream_sink(0);
        // All is handed out; only the receiver is slow.
        let data = bench.fill(SOURCE, 8);
        sink.pause();
        mm2s.start(SOURCE, 8).await;
        bench.host.sleep(300).await;
        mm2s.stop().await;
        bench.host.sleep(100).await;
        assert_eq!(mm2s.status().await, reg::STATUS_BUSY);
        sink.resume();
        assert_eq!(mm2s.end().await, End::well(8));
        assert_eq!(bench.packet().await, data);
        // All is written; only the response is missing.
        s2mm.start(TARGET, 64).await;
        let data = bench.push(64);
        bench.host.sleep(50).await;
        s2mm.stop().await;
        assert_eq!(s2mm.end().await, End::well(64).with_packet_end());
        assert_eq!(bench.memory(TARGET, 64), data);
        bench.works().await;
    });
}

#[test]
fn a_stop_of_an_idle_channel_does_nothing_to_the_next_transfer() {
    run(Setup::default(), async |bench| {
        for channel in [bench.mm2s(), bench.s2mm()] {
            channel.stop().await;
            assert_eq!(channel.status().await, 0);
        }
        bench.works().await;
    });
}

#[test]
fn a_stopped_send_waits_for_its_receiver() {
    run(Setup::default(), async |bench| {
        let mm2s = bench.mm2s();
        let sink = bench.host.stream_sink(0);
        let data = bench.fill(SOURCE, LENGTH as usize);
        mm2s.start(SOURCE, LENGTH).await;
        bench.host.sleep(200).await;
        sink.pause();
        mm2s.stop().await;
        bench.host.sleep(500).await;
        let status = mm2s.status().await;
        assert_eq!(
            status & (reg::STATUS_BUSY | reg::STATUS_DONE),
            reg::STATUS_BUSY
        );
        sink.resume();
        let bytes = aborted(mm2s.end().await);
        assert_eq!(bench.packet().await, data[..bytes]);
        bench.works().await;
    });
}

#[test]
fn a_soft_reset_stops_both_channels_and_keeps_the_other_registers() {
    for setup in each_latency() {
        run(setup, async |bench| {
            let (mm2s, s2mm) = (bench.mm2s(), bench.s2mm());
            bench
                .write(regs::INT_ENABLE, regs::INT_STATUS_S2MM_ERROR)
                .await;
            let data = bench.fill(SOURCE, LENGTH as usize);
            mm2s.start_open(SOURCE, LENGTH).await;
            s2mm.start(TARGET, LENGTH).await;
            bench.push(LENGTH as usize);
            bench.host.sleep(700).await;
            // The receiver holds the reset up, so that it can be seen.
            bench.host.stream_sink(0).pause();
            bench.write(regs::CONTROL, regs::CONTROL_SOFT_RESET).await;
            assert_eq!(bench.read(regs::CONTROL).await, regs::CONTROL_SOFT_RESET);
            aborted(s2mm.end().await);
            assert_eq!(bench.read(regs::CONTROL).await, regs::CONTROL_SOFT_RESET);
            s2mm.start(TARGET, 8).await;
            assert_eq!(s2mm.status().await & reg::STATUS_BUSY, 0);
            assert_ne!(s2mm.status().await & reg::STATUS_START_IGNORED, 0);
            bench.host.stream_sink(0).resume();
            let bytes = aborted(mm2s.end().await);
            assert_eq!(bench.packet().await, data[..bytes]);
            assert_eq!(bench.read(regs::CONTROL).await, 0);
            let enabled = bench.read(regs::INT_ENABLE).await;
            assert_eq!(enabled, regs::INT_STATUS_S2MM_ERROR);
            assert_eq!(u64::from(mm2s.read(reg::ADDR_LO).await), SOURCE);
            assert_eq!(mm2s.read(reg::LENGTH).await, LENGTH);
            assert_eq!(mm2s.read(reg::CONTROL).await, reg::CONTROL_KEEP_OPEN);
            // What is left of the packet goes before what comes next.
            s2mm.start(TARGET, LENGTH).await;
            assert!(s2mm.end().await.packet_end);
            bench.works().await;
        });
    }
}

#[test]
fn a_soft_reset_ends_a_copy_on_both_sides() {
    for setup in each_latency() {
        run(setup, async |bench| {
            let (mm2s, s2mm) = (bench.mm2s(), bench.s2mm());
            bench.loopback(true).await;
            s2mm.start(TARGET, LENGTH).await;
            mm2s.start(SOURCE, LENGTH).await;
            bench.host.sleep(800).await;
            let bits = regs::CONTROL_SOFT_RESET | regs::CONTROL_LOOPBACK;
            bench.write(regs::CONTROL, bits).await;
            aborted(s2mm.end().await);
            aborted(mm2s.end().await);
            assert_eq!(bench.read(regs::CONTROL).await, regs::CONTROL_LOOPBACK);
            bench.works().await;
        });
    }
}

#[test]
fn a_soft_reset_of_an_idle_engine_is_over_at_once() {
    run(Setup::default(), async |bench| {
        bench.write(regs::CONTROL, regs::CONTROL_SOFT_RESET).await;
        assert_eq!(bench.read(regs::CONTROL).await, 0);
        assert_eq!(bench.mm2s().status().await, 0);
        bench.works().await;
    });
}
