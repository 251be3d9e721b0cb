//! What one transfer of the engine takes on the bus.

use rebound_sim::axi::Bandwidth;
use rebound_sim::stall::Stall;

use crate::scenario::plan::{Movement, Outcome, Plan, Transfer};

/// Cycles from the start bit to the first address, from one channel of the bus to the next inside the engine, and
/// from the last response to the interrupt.
const ENGINE_CYCLES: u64 = 14;
/// Cycles between the end of a burst and the address of the one that waited for it.
const TURN_CYCLES: u64 = 4;
/// Standard deviations above the mean that random stalls are granted: one sum in 30 000 is longer.
const DEVIATIONS: f64 = 4.0;

/// What a direction needs.
struct Direction {
    latency: u64,
    /// The address of the first burst, or its response.
    handshakes: u64,
    /// All beats, without the latency before the first.
    data: u64,
    /// What the bursts in flight do not hide of the latency.
    gaps: u64,
}

/// Returns the cycles from the start of the engine to its interrupt, for a transfer of `bytes` bytes at the worst
/// alignment.
pub(super) fn cycles(plan: &Plan, transfer: &Transfer, bytes: u64) -> u64 {
    if transfer.outcome == Outcome::AddrLimit {
        return ENGINE_CYCLES;
    }
    let alone = |direction: Direction| {
        direction.latency + direction.handshakes + direction.data + direction.gaps
    };
    ENGINE_CYCLES
        + match transfer.movement {
            Movement::ToDevice { .. } => alone(reads(plan, bytes)),
            Movement::FromDevice { .. } => alone(writes(plan, bytes)),
            Movement::Copy { .. } => {
                // Each beat is written as soon as it is read, so the slower direction sets the pace.
                let (reads, writes) = (reads(plan, bytes), writes(plan, bytes));
                reads.latency
                    + reads.handshakes
                    + writes.latency
                    + writes.handshakes
                    + (reads.data + reads.gaps).max(writes.data + writes.gaps)
            }
        }
}

fn reads(plan: &Plan, bytes: u64) -> Direction {
    let (bus, stalls) = (&plan.bus, &plan.bus.stalls);
    let window = plan
        .promised_bursts
        .unwrap_or(plan.engine.reads_in_flight());
    Direction {
        latency: u64::from(bus.read_latency_cycles) + u64::from(bus.read_jitter_cycles),
        handshakes: stalled(stalls.ar, 1),
        data: data_cycles(
            plan,
            bytes,
            [stalls.r, stalls.ar, plan.stream.sink_stall],
            bus.read_bandwidth,
        ),
        gaps: 0,
    }
    .with_gaps(plan, bytes, window.min(bus.max_reads))
}

fn writes(plan: &Plan, bytes: u64) -> Direction {
    let (bus, stalls) = (&plan.bus, &plan.bus.stalls);
    let window = plan.promised_bursts.unwrap_or(plan.engine.max_writes);
    Direction {
        latency: u64::from(bus.write_latency_cycles) + u64::from(bus.write_jitter_cycles),
        handshakes: stalled(stalls.aw, 1) + stalled(stalls.b, 1),
        data: data_cycles(
            plan,
            bytes,
            [stalls.w, stalls.aw, plan.stream.source_stall],
            bus.write_bandwidth,
        ),
        gaps: 0,
    }
    .with_gaps(plan, bytes, window.min(bus.max_writes))
}

impl Direction {
    /// Adds, for each burst that has to wait for one `window` places before it, what is left of that one's latency
    /// when the bursts between them have moved.
    fn with_gaps(mut self, plan: &Plan, bytes: u64, window: u32) -> Self {
        let window = u64::from(window.max(1));
        let (_, bursts) = shape(plan, bytes);
        let round = self.latency + self.handshakes + TURN_CYCLES;
        let hidden = (window - 1) * u64::from(plan.engine.max_burst_beats);
        self.gaps = (bursts.saturating_sub(1) / window) * round.saturating_sub(hidden);
        self
    }
}

/// Returns the cycles of all beats, or of all addresses or beats of the stream if these take longer.
fn data_cycles(
    plan: &Plan,
    bytes: u64,
    [data, address, stream]: [Stall; 3],
    bandwidth: Option<Bandwidth>,
) -> u64 {
    let (beats, bursts) = shape(plan, bytes);
    let at_rate = bandwidth.map_or(
        beats,
        |Bandwidth {
             beats: share,
             cycles,
         }| { (beats * u64::from(cycles)).div_ceil(share.max(1).into()) },
    );
    stalled(data, beats)
        .max(stalled(stream, beats))
        .max(stalled(address, bursts))
        .max(at_rate)
}

/// Returns the beats and bursts of `bytes` bytes at the worst alignment: one beat more, and one burst more for
/// each 4 KiB boundary.
fn shape(plan: &Plan, bytes: u64) -> (u64, u64) {
    let beat = plan.engine.beat_bytes();
    let burst = u64::from(plan.engine.max_burst_beats) * beat;
    let beats = bytes.div_ceil(beat) + 1;
    (beats, bytes.div_ceil(burst) + bytes / 4096 + 1)
}

/// Returns an upper bound of the cycles that `handshakes` take on a channel with these stalls.
fn stalled(stall: Stall, handshakes: u64) -> u64 {
    match stall {
        Stall::None => handshakes,
        Stall::EveryN { period } => handshakes + handshakes / u64::from(period.max(2) - 1) + 1,
        Stall::Random { probability } => random(probability, handshakes),
        Stall::LongHold { run, hold } => {
            handshakes + (handshakes / u64::from(run.max(1)) + 1) * u64::from(hold)
        }
    }
}

/// Each handshake waits for a free cycle: the sum of geometric distributions.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a plan has far fewer than 2^53 beats, and its probability is below 1"
)]
fn random(probability: f64, handshakes: u64) -> u64 {
    let free = 1.0 - probability;
    let mean = handshakes as f64 / free;
    let deviation = (handshakes as f64 * probability).sqrt() / free;
    (mean + DEVIATIONS * deviation).ceil() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::layout::{Layout, Placement};
    use crate::seed::Seed;
    use rebound_sim::axi::BusPolicy;

    fn plan(change: impl FnOnce(&mut Plan)) -> Plan {
        let mut layout = Layout::new(Seed::new(1), 32).with(|plan| {
            plan.bus = BusPolicy::with_latency(50);
            change(plan);
        });
        layout.send(0, Placement::Below, 4096, 0);
        layout.finish()
    }

    fn of(plan: &Plan) -> u64 {
        cycles(plan, &plan.transfers[0], 4096)
    }

    #[test]
    fn latency_counts_once_if_the_bursts_in_flight_hide_it() {
        // 513 beats, the latency, an address, and the engine's own cycles.
        assert_eq!(of(&plan(|_| {})), 513 + 50 + 1 + ENGINE_CYCLES);
    }

    #[test]
    fn latency_counts_for_each_burst_if_only_one_is_in_flight() {
        let one = plan(|plan| plan.engine.max_reads = 1);
        // 34 bursts at the worst alignment; each but the first waits for the one before it.
        assert_eq!(of(&one), of(&plan(|_| {})) + 33 * (50 + 1 + TURN_CYCLES));
        let promised = plan(|plan| {
            plan.engine.max_reads = 1;
            plan.promised_bursts = Some(16);
        });
        assert_eq!(of(&promised), of(&plan(|_| {})));
    }

    #[test]
    fn bandwidth_sets_the_pace_if_it_is_below_one_beat_a_cycle() {
        let half = plan(|plan| {
            plan.bus.read_bandwidth = Some(Bandwidth {
                beats: 1,
                cycles: 2,
            });
        });
        assert_eq!(of(&half), of(&plan(|_| {})) + 513);
    }

    #[test]
    fn a_copy_takes_the_slower_direction_and_both_latencies() {
        let mut layout = Layout::new(Seed::new(1), 32);
        layout.copy(0, [Placement::Below; 2], 4096, [0, 0]);
        let plan = layout.finish();
        // An address each, and a response.
        assert_eq!(of(&plan), 513 + 2 * 20 + 3 + ENGINE_CYCLES);
    }

    #[test]
    fn stalls_lengthen_a_channel_by_their_share() {
        assert_eq!(stalled(Stall::None, 100), 100);
        assert_eq!(stalled(Stall::EveryN { period: 4 }, 99), 133);
        assert_eq!(stalled(Stall::LongHold { run: 50, hold: 10 }, 100), 130);
        // The mean of 200, and four times the deviation of 14.1.
        assert_eq!(stalled(Stall::Random { probability: 0.5 }, 100), 257);
    }
}
