//! Cycles of single transfers against latency and length.

use rebound_sim::axi::BusPolicy;
use rebound_sim::manifest::Direction;

use super::fate::{fate, words};
use super::length::Room;
use super::probe::Transfer;
use super::session::{Base, Session};
use super::sheet::{Fate, Timing};
use crate::error::UsageError;

/// Latencies of the bus in cycles.
const LATENCIES: [u32; 5] = [1, 10, 50, 100, 200];
/// Lengths in bytes.
const LENGTHS: [u64; 6] = [64, 256, 1 << 10, 4 << 10, 64 << 10, 1 << 20];

/// Measures the cycles of a direction whose longest transfer is `longest`.
///
/// # Errors
/// If there is no laboratory.
pub(super) fn measure(
    session: &mut Session<'_>,
    base: &Base,
    longest: u64,
    room: Room,
) -> Result<Vec<Timing>, UsageError> {
    let mut timings = Vec::new();
    for bytes in LENGTHS.into_iter().filter(|bytes| *bytes <= longest) {
        let span = bytes.next_power_of_two().max(1 << 16);
        let transfer = if bytes <= base.long {
            base.of(bytes)
        } else {
            Transfer::new(span, 2 * span + (1 << 16), bytes)
        };
        let end = transfer.destination + bytes;
        let is_whole = bytes.is_multiple_of(base.length_granule);
        if !is_whole || room.address_bits < 64 && end > 1 << room.address_bits {
            continue;
        }
        for latency in LATENCIES {
            let probe = session.probe(transfer.clone());
            let probe = probe.on(BusPolicy::with_latency(latency));
            let outcome = session.observe(&probe)?.outcomes.swap_remove(0);
            let found = fate(&outcome, &transfer);
            if found != Fate::Reaches {
                let text = format!(
                    "cycles of a {} at a latency of {latency}: it {}",
                    session.words(&transfer),
                    words(&found)
                );
                session.notes.unmeasured.push(text);
                break;
            }
            let beats = outcome.reads.beats.max(outcome.writes.beats);
            timings.push(timing(
                session.shape.direction,
                latency,
                bytes,
                outcome.cycles,
                beats,
            ));
        }
    }
    Ok(timings)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a ratio for people; 2^53 cycles are years of simulation"
)]
fn timing(direction: Direction, latency: u32, bytes: u64, cycles: u64, beats: u64) -> Timing {
    let utilisation = if cycles == 0 {
        0.0
    } else {
        beats as f64 / cycles as f64
    };
    Timing {
        direction,
        latency,
        bytes,
        cycles,
        beats,
        utilisation,
    }
}
