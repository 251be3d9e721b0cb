//! A bus of which one channel does not answer for a long time: the section "Timeout" of `rtl/README.md`.

use rebound::driver::dma_engine_descriptor::{DONE, ERROR};
use rebound::driver::dma_engine_regs as regs;
use rebound::driver::dma_engine_regs::channel as reg;
use rebound_sim::axi::BusPolicy;
use rebound_sim::stall::Stall;

use super::bench::{Bench, End, Setup, run};
use super::ring::Ring;
use super::sides::{LENGTH, Side};

/// Cycles in which the bus answers, from the reset on; a test is ready by then.
const ANSWERS: u32 = 1_000;
/// Cycles in which it does not, after them.
const SILENT: u32 = 5_000;
/// Cycles of `TIMEOUT`.
const PATIENCE: u32 = 500;
/// Cycles from a start or a doorbell to what is not answered.
const WAY: u64 = 60;

/// What `STATUS` reads of a timeout, but for busy.
const TOLD: u32 = reg::STATUS_ERROR | regs::ERROR_KIND_TIMEOUT << reg::STATUS_ERROR_KIND_SHIFT;

/// A channel of a bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wire {
    Ar,
    R,
    Aw,
    W,
    B,
}

impl Wire {
    const ALL: [Self; 5] = [Self::Ar, Self::R, Self::Aw, Self::W, Self::B];

    /// Which of the engine's channels has its data there.
    const fn side(self) -> Side {
        match self {
            Self::Ar | Self::R => Side::Mm2s,
            Self::Aw | Self::W | Self::B => Side::S2mm,
        }
    }

    /// A quick bus that falls silent there.
    fn silent(self) -> BusPolicy {
        let mut policy = BusPolicy::default();
        let stall = match self {
            Self::Ar => &mut policy.stalls.ar,
            Self::R => &mut policy.stalls.r,
            Self::Aw => &mut policy.stalls.aw,
            Self::W => &mut policy.stalls.w,
            Self::B => &mut policy.stalls.b,
        };
        *stall = Stall::LongHold {
            run: ANSWERS,
            hold: SILENT,
        };
        policy
    }

    /// Silence on the data's port.
    fn on_data(self) -> Setup {
        Setup {
            bus: self.silent(),
            ring_bus: Some(BusPolicy::default()),
            ..Setup::default()
        }
    }

    /// Silence on the rings' port.
    fn on_rings(self) -> Setup {
        Setup {
            bus: BusPolicy::default(),
            ring_bus: Some(self.silent()),
            ..Setup::default()
        }
    }
}

/// Makes a channel impatient, and waits until the bus is silent.
async fn silence(bench: &Bench, side: Side) {
    let interrupt = side.error_interrupt();
    bench.write(regs::INT_ENABLE, interrupt).await;
    side.channel(bench).write(reg::TIMEOUT, PATIENCE).await;
    let begun = u64::from(ANSWERS) + 100;
    assert!(bench.host.cycle() < begun, "ready in time");
    bench.host.sleep(begun - bench.host.cycle()).await;
}

/// Waits for the interrupt of a timeout of something that began at `started`.
async fn timeout(bench: &Bench, started: u64) {
    bench.interrupt().await;
    let taken = bench.host.cycle() - started;
    let patience = u64::from(PATIENCE);
    assert!(
        (patience..patience + WAY).contains(&taken),
        "{taken} cycles"
    );
}

/// Waits until shortly before the bus answers again.
async fn almost_answered(bench: &Bench) {
    let end = u64::from(ANSWERS + SILENT) - 100;
    bench.host.sleep(end - bench.host.cycle()).await;
}

/// Looks at what an aborted transfer of s2mm has left of its packet: bytes that were on their way are not counted.
fn is_rest(rest: &[u8], data: &[u8], bytes: u32) {
    assert!(!rest.is_empty(), "an abort drops nothing");
    assert!(rest.len() <= data.len() - bytes as usize);
    assert_eq!(rest, &data[data.len() - rest.len()..]);
}

#[test]
fn a_bus_that_does_not_answer_a_transfer_is_told_after_the_timeout() {
    for wire in Wire::ALL {
        run(wire.on_data(), async move |bench| {
            let side = wire.side();
            let channel = side.channel(&bench);
            channel.set(side.buffer(0), LENGTH).await;
            silence(&bench, side).await;
            let data = side.provide(&bench, 0);
            let started = bench.host.cycle();
            channel.write(reg::CONTROL, reg::CONTROL_START).await;
            timeout(&bench, started).await;
            assert_eq!(channel.status().await, reg::STATUS_BUSY | TOLD, "{wire:?}");
            side.other().moves(&bench).await;
            almost_answered(&bench).await;
            assert_eq!(channel.status().await, reg::STATUS_BUSY | TOLD, "{wire:?}");
            channel.write(reg::TIMEOUT, 0).await;
            let end = channel.end().await;
            let mut expected = End::failed(regs::ERROR_KIND_TIMEOUT, end.bytes_done, 0);
            expected.packet_end = end.packet_end;
            assert_eq!(end, expected, "{wire:?}");
            let brought = side.brought(&bench, 0, end.bytes_done).await;
            assert_eq!(brought, data[..brought.len()], "{wire:?}");
            if side == Side::S2mm {
                assert_eq!(end.packet_end, end.bytes_done == LENGTH, "{wire:?}");
                if end.bytes_done < LENGTH {
                    channel.start(side.buffer(1), LENGTH).await;
                    let left = channel.end().await;
                    assert_eq!(left, End::well(left.bytes_done).with_packet_end());
                    let rest = side.brought(&bench, 1, left.bytes_done).await;
                    is_rest(&rest, &data, end.bytes_done);
                }
            }
            bench.works().await;
        });
    }
}

#[test]
fn a_bus_that_does_not_answer_a_ring_s_transfer_is_told_after_the_timeout() {
    for wire in Wire::ALL {
        run(wire.on_data(), async move |bench| {
            let side = wire.side();
            let ring = side.ring(&bench).await;
            silence(&bench, side).await;
            ring.post(side.buffer(0), LENGTH, 0);
            let data = side.provide(&bench, 0);
            let started = bench.host.cycle();
            ring.doorbell().await;
            timeout(&bench, started).await;
            let status = ring.channel.status().await;
            assert_eq!(status, reg::STATUS_BUSY | TOLD, "{wire:?}");
            let failure = (regs::ERROR_KIND_TIMEOUT, regs::ERROR_SOURCE_DATA, 0, 0);
            assert_eq!(ring.failure().await, failure, "{wire:?}");
            side.other().moves(&bench).await;
            almost_answered(&bench).await;
            let state = ring.state().await;
            assert_eq!(state & reg::RING_STATUS_HALTED, 0, "the bus owes an answer");
            assert_ne!(state & reg::RING_STATUS_BUSY, 0);
            assert_eq!(ring.head().await, 0);
            ring.channel.write(reg::TIMEOUT, 0).await;
            assert_eq!(ring.halt().await, 1, "{wire:?}: it is written back");
            assert_eq!(ring.failure().await, failure, "{wire:?}");
            let (bytes, status) = ring.written(0);
            let aborted = (bytes, DONE | ERROR | regs::ERROR_KIND_TIMEOUT << 8);
            let is_late = (bytes, status) == side.written_well();
            assert!(
                is_late || (bytes, status) == aborted,
                "{wire:?}: {bytes} {status:#x}"
            );
            let brought = side.brought(&bench, 0, bytes).await;
            assert_eq!(brought, data[..brought.len()], "{wire:?}");
            goes_on(&bench, side, &ring, &data, bytes).await;
        });
    }
}

/// The ring takes what was left, and one more packet.
async fn goes_on(bench: &Bench, side: Side, ring: &Ring, data: &[u8], bytes: u32) {
    ring.resume().await;
    if side == Side::S2mm && bytes < LENGTH {
        let index = ring.post(side.buffer(1), LENGTH, 0);
        ring.doorbell().await;
        ring.settle().await;
        let (left, status) = ring.written(index);
        assert_eq!(status, side.written_well().1);
        let rest = side.brought(bench, 1, left).await;
        is_rest(&rest, data, bytes);
    }
    let index = ring.post(side.buffer(2), LENGTH, 0);
    let next = side.provide(bench, 2);
    ring.doorbell().await;
    ring.settle().await;
    assert_eq!(ring.written(index), side.written_well());
    assert_eq!(side.brought(bench, 2, LENGTH).await, next);
}

#[test]
fn a_rings_port_that_does_not_answer_is_told_after_the_timeout() {
    for side in Side::BOTH {
        for wire in Wire::ALL {
            run(wire.on_rings(), async move |bench| {
                let is_fetch = matches!(wire, Wire::Ar | Wire::R);
                let ring = side.ring(&bench).await;
                silence(&bench, side).await;
                ring.post(side.buffer(0), LENGTH, 0);
                let data = side.provide(&bench, 0);
                let started = bench.host.cycle();
                ring.doorbell().await;
                timeout(&bench, started).await;
                let status = ring.channel.status().await;
                assert_eq!(status & !reg::STATUS_PACKET_END, TOLD, "nothing is in work");
                let source = if is_fetch {
                    regs::ERROR_SOURCE_FETCH
                } else {
                    regs::ERROR_SOURCE_WRITEBACK
                };
                let failure = (regs::ERROR_KIND_TIMEOUT, source, 0, 0);
                assert_eq!(ring.failure().await, failure, "{side:?} {wire:?}");
                side.other().moves(&bench).await;
                almost_answered(&bench).await;
                let state = ring.state().await;
                assert_eq!(state & reg::RING_STATUS_HALTED, 0, "the bus owes an answer");
                assert_ne!(state & reg::RING_STATUS_BUSY, 0);
                assert_eq!(ring.head().await, 0, "not yet in memory");
                ring.channel.write(reg::TIMEOUT, 0).await;
                let head = ring.halt().await;
                assert_eq!(head, u32::from(!is_fetch), "{side:?} {wire:?}");
                assert_eq!(ring.failure().await, failure, "{side:?} {wire:?}");
                let before = if is_fetch {
                    (LENGTH, 0)
                } else {
                    side.written_well()
                };
                assert_eq!(ring.written(0), before, "{side:?} {wire:?}");
                ring.resume().await;
                ring.settle().await;
                assert_eq!(ring.written(0), side.written_well());
                assert_eq!(side.brought(&bench, 0, LENGTH).await, data);
            });
        }
    }
}
