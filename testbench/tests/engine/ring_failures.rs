//! Descriptors that cannot be read or written, and those that tell of a failure: the section "Failures of a ring" of
//! `rtl/README.md`, for both channels.

use rebound::driver::dma_engine_descriptor::{DONE, ERROR, PACKET_END};
use rebound::driver::dma_engine_regs as regs;
use rebound::driver::dma_engine_regs::channel as reg;
use rebound_sim::axi::{FaultAccess, FaultResponse};

use super::bench::{Bench, SOURCE, Setup, TARGET, run};
use super::ring::Ring;
use super::sides::{LENGTH, Side};

const RESPONSES: [(FaultResponse, u32); 2] = [
    (FaultResponse::Slverr, regs::ERROR_KIND_SLVERR),
    (FaultResponse::Decerr, regs::ERROR_KIND_DECERR),
];
/// Descriptors posted.
const COUNT: u32 = 4;

/// Runs a driver for each channel with each error response.
fn with_responses(driver: impl AsyncFn(&Bench, Side, FaultResponse, u32) + Clone + 'static) {
    for side in Side::BOTH {
        for (response, kind) in RESPONSES {
            let driver = driver.clone();
            run(Setup::latency(50), async move |bench| {
                driver(&bench, side, response, kind).await;
            });
        }
    }
}

/// Posts [`COUNT`] transfers on a channel's ring, and returns their data; the doorbell is not rung.
fn post(bench: &Bench, side: Side, ring: &Ring) -> Vec<Vec<u8>> {
    let one = |at| {
        ring.post(side.buffer(at), LENGTH, 0);
        side.provide(bench, at)
    };
    (0..COUNT).map(one).collect()
}

/// Waits until all that [`post`] has posted is done, and looks at it.
async fn all_well(bench: &Bench, side: Side, ring: &Ring, sent: &[Vec<u8>]) {
    ring.settle().await;
    for (at, data) in (0..).zip(sent) {
        assert_eq!(ring.written(at), side.written_well(), "{side:?} {at}");
        assert_eq!(side.brought(bench, at, LENGTH).await, *data, "{side:?}");
    }
    assert_eq!(ring.channel.status().await & reg::STATUS_ERROR, 0);
}

/// Leaves nothing of a ring that has halted.
async fn forget(ring: &Ring) {
    ring.no_faults();
    ring.channel.write(reg::CONTROL, 0).await;
    ring.channel
        .write(reg::CONTROL, reg::CONTROL_RING_RESET)
        .await;
    ring.channel.write(reg::STATUS, u32::MAX).await;
    let left = reg::RING_STATUS_HALTED | reg::RING_STATUS_BUSY;
    assert_eq!(ring.state().await & left, 0);
}

#[test]
fn a_descriptor_whose_read_fails_is_told_with_its_response_and_not_touched() {
    with_responses(async |bench, side, response, kind| {
        let (ring, other) = (side.ring(bench).await, side.other().ring(bench).await);
        let sent = post(bench, side, &ring);
        let others = post(bench, side.other(), &other);
        ring.fault(2, FaultAccess::Read, response);
        ring.doorbell().await;
        other.doorbell().await;
        assert_eq!(ring.halt().await, 2, "what is before is done");
        let expected = (kind, regs::ERROR_SOURCE_FETCH, ring.addr(2), 2);
        assert_eq!(ring.failure().await, expected);
        assert_eq!(ring.written(0), side.written_well());
        assert_eq!(ring.written(1), side.written_well());
        assert_eq!(ring.written(2), (LENGTH, 0), "not touched");
        all_well(bench, side.other(), &other, &others).await;
        ring.no_faults();
        ring.resume().await;
        all_well(bench, side, &ring, &sent).await;
    });
}

#[test]
fn a_write_back_that_fails_is_told_with_its_response_and_its_first_descriptor() {
    with_responses(async |bench, side, response, kind| {
        let (ring, other) = (side.ring(bench).await, side.other().ring(bench).await);
        ring.post(side.buffer(0), LENGTH, 0);
        let data = side.provide(bench, 0);
        let others = post(bench, side.other(), &other);
        ring.fault(0, FaultAccess::Write, response);
        ring.doorbell().await;
        other.doorbell().await;
        assert_eq!(ring.halt().await, 0, "nothing is known to be in memory");
        let expected = (kind, regs::ERROR_SOURCE_WRITEBACK, ring.addr(0), 0);
        assert_eq!(ring.failure().await, expected);
        assert_eq!(ring.written(0), (LENGTH, 0), "not written");
        assert_eq!(side.brought(bench, 0, LENGTH).await, data);
        all_well(bench, side.other(), &other, &others).await;
        other.channel.write(reg::CONTROL, 0).await;
        forget(&ring).await;
        bench.works().await;
    });
}

#[test]
fn a_packet_that_is_too_long_is_written_back_with_overrun_and_the_ring_goes_on() {
    run(Setup::default(), async |bench| {
        let ring = Side::S2mm.ring(&bench).await;
        for at in 0..3 {
            ring.post(TARGET + at * 0x1000, LENGTH, 0);
        }
        let first = bench.push(LENGTH as usize);
        let long = bench.push(200);
        let last = bench.push(10);
        ring.doorbell().await;
        ring.settle().await;
        let kind = regs::ERROR_KIND_OVERRUN;
        assert_eq!(ring.written(0), Side::S2mm.written_well());
        let failed = (LENGTH, DONE | ERROR | PACKET_END | kind << 8);
        assert_eq!(ring.written(1), failed);
        assert_eq!(ring.written(2), (10, DONE | PACKET_END));
        let expected = (kind, regs::ERROR_SOURCE_DATA, 0, 1);
        assert_eq!(ring.failure().await, expected);
        let bytes = ring.channel.read(reg::BYTES_DONE).await;
        assert_eq!(bytes, LENGTH, "of the one that failed");
        assert_eq!(ring.state().await & reg::RING_STATUS_HALTED, 0);
        assert_eq!(bench.memory(TARGET, 64), first);
        assert_eq!(bench.memory(TARGET + 0x1000, 64), long[..64]);
        assert_eq!(bench.memory(TARGET + 0x2000, 10), last);
    });
}

#[test]
fn a_hole_in_tkeep_is_written_back_and_the_ring_goes_on() {
    // The second beat of the second packet has 3 bytes before its hole.
    let mut keeps = vec![None; 9];
    keeps.push(Some(0xf7));
    let setup = Setup {
        keeps,
        ..Setup::default()
    };
    run(setup, async |bench| {
        let ring = Side::S2mm.ring(&bench).await;
        let sent = post(&bench, Side::S2mm, &ring);
        ring.doorbell().await;
        ring.settle().await;
        let kind = regs::ERROR_KIND_BAD_KEEP;
        let failed = (59, DONE | ERROR | PACKET_END | kind << 8);
        assert_eq!(ring.written(1), failed);
        for at in [0, 2, 3] {
            assert_eq!(ring.written(at), Side::S2mm.written_well(), "{at}");
        }
        let expected = (kind, regs::ERROR_SOURCE_DATA, 0, 1);
        assert_eq!(ring.failure().await, expected);
        assert_eq!(ring.channel.read(reg::BYTES_DONE).await, 59);
        assert_eq!(ring.state().await & reg::RING_STATUS_HALTED, 0);
        let counted = [&sent[1][..11], &sent[1][16..]].concat();
        assert_eq!(bench.memory(Side::S2mm.buffer(1), 59), counted);
        assert_eq!(bench.memory(Side::S2mm.buffer(2), 64), sent[2]);
    });
}

#[test]
fn a_packet_that_does_not_come_is_written_back_with_timeout_and_halts_the_ring() {
    run(Setup::default(), async |bench| {
        let side = Side::S2mm;
        let ring = side.ring(&bench).await;
        ring.channel.write(reg::TIMEOUT, 500).await;
        ring.post(side.buffer(0), LENGTH, 0);
        ring.post(side.buffer(1), LENGTH, 0);
        let first = side.provide(&bench, 0);
        ring.doorbell().await;
        assert_eq!(ring.halt().await, 2, "the late one is told of");
        let kind = regs::ERROR_KIND_TIMEOUT;
        let expected = (kind, regs::ERROR_SOURCE_DATA, 0, 1);
        assert_eq!(ring.failure().await, expected);
        assert_eq!(ring.written(0), side.written_well());
        assert_eq!(ring.written(1), (0, DONE | ERROR | kind << 8));
        assert_eq!(side.brought(&bench, 0, LENGTH).await, first);
        Side::Mm2s.moves(&bench).await;
        ring.channel.write(reg::TIMEOUT, 0).await;
        ring.resume().await;
        ring.post(side.buffer(2), LENGTH, 0);
        ring.doorbell().await;
        let late = side.provide(&bench, 2);
        ring.settle().await;
        assert_eq!(ring.written(2), side.written_well());
        assert_eq!(side.brought(&bench, 2, LENGTH).await, late);
    });
}

#[test]
fn a_receiver_that_stops_is_written_back_with_timeout_and_halts_the_ring() {
    run(Setup::default(), async |bench| {
        // More than the read FIFO holds, so that the transfer cannot end well.
        let length = 0x4000;
        let ring = Side::Mm2s.ring(&bench).await;
        let sink = bench.host.stream_sink(0);
        let interrupt = Side::Mm2s.error_interrupt();
        bench.write(regs::INT_ENABLE, interrupt).await;
        ring.channel.write(reg::TIMEOUT, 500).await;
        let data = bench.fill(SOURCE, length as usize);
        sink.pause();
        ring.post(SOURCE, length, 0);
        ring.post(SOURCE, LENGTH, 0);
        ring.doorbell().await;
        bench.interrupt().await;
        let kind = regs::ERROR_KIND_TIMEOUT;
        let expected = (kind, regs::ERROR_SOURCE_DATA, 0, 0);
        assert_eq!(ring.failure().await, expected);
        Side::S2mm.moves(&bench).await;
        assert_eq!(ring.state().await & reg::RING_STATUS_HALTED, 0);
        sink.resume();
        assert_eq!(ring.halt().await, 1, "the next one has not begun");
        let (bytes, status) = ring.written(0);
        assert_eq!(status, DONE | ERROR | kind << 8);
        assert!(bytes < length, "{bytes}");
        assert_eq!(bench.packet().await, data[..bytes as usize]);
        assert_eq!(ring.written(1), (LENGTH, 0), "not touched");
        ring.channel.write(reg::TIMEOUT, 0).await;
        ring.resume().await;
        ring.settle().await;
        assert_eq!(bench.packet().await, data[..LENGTH as usize]);
    });
}
