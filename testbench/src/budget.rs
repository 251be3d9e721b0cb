//! The cycle budget of a plan: what its parameters justify, as an upper bound.
//!
//! A run that exceeds it is slower than the engine promises: bursts that do not overlap, a channel that
//! idles between beats, a driver that does work twice. The bound adds up, transfer by transfer:
//!
//! * the CPU: one map and one unmap with their copies, the syncs, one interrupt, the register accesses;
//! * the bus: one cycle a beat and address, lengthened by the stalls, and the latency once for every
//!   window of bursts in flight.
//!
//! It takes all transfers one after the other, so overlap between CPUs and channels is a reserve.

use rebound_sim::axi::{Bandwidth, ResponseOrder};
use rebound_sim::stall::Stall;

use crate::scenario::plan::{EnginePlan, Movement, Plan, Transfer, Usage};

/// Cycles of one register access, from the driver's call to the response.
const REGISTER_ACCESS_CYCLES: u64 = 8;
/// Register accesses of one engine transfer: two for the address, length, start, and in the interrupt
/// handler the cause, the status, the bytes done, and the acknowledgement. A copy has two channels.
const REGISTER_ACCESSES: u64 = 8;
/// Cycles from the start bit to the first address, and from the last response to the interrupt.
const ENGINE_CYCLES: u64 = 40;
/// Longest single mapping (`swiotlb_max_mapping_size`): what is longer is split.
const MAPPING_BYTES: u64 = 256 << 10;
/// What the bound leaves to chance and rounding: one part in this many.
const RESERVE: u64 = 10;
/// Cycles for reset and set-up of the engine.
const START_CYCLES: u64 = 200;

/// Returns the cycles that the plan justifies.
#[must_use]
pub fn cycles(plan: &Plan) -> u64 {
    let work: u64 = plan
        .transfers
        .iter()
        .map(|transfer| transfer_cycles(plan, transfer))
        .sum();
    START_CYCLES + work + work / RESERVE
}

/// Returns the cycles after which a run is given up: well above the budget, so that a slow run is told
/// from one in which nothing happens any more.
#[must_use]
pub fn limit(plan: &Plan) -> u64 {
    cycles(plan) * 4 + 100_000
}

fn transfer_cycles(plan: &Plan, transfer: &Transfer) -> u64 {
    let whole = plan.buffer_of(transfer).bytes;
    let largest =
        MAPPING_BYTES - (u64::from(plan.device.min_align_mask) + 1).next_multiple_of(2048);
    let pieces = whole.div_ceil(largest.min(whole));
    let (rounds, part) = match transfer.usage {
        Usage::Once => (0, 0),
        Usage::Reuse { rounds, bytes, .. } => (u64::from(rounds), bytes),
    };
    let sides = match transfer.movement {
        Movement::Copy { .. } => 2,
        Movement::ToDevice { .. } | Movement::FromDevice { .. } => 1,
    };
    let costs = &plan.costs;
    let register = REGISTER_ACCESS_CYCLES
        + u64::from(costs.register_read_cycles.max(costs.register_write_cycles));
    let start = u64::from(costs.interrupt_entry_cycles) + sides * REGISTER_ACCESSES * register;
    let piece = whole.div_ceil(pieces);
    let map =
        u64::from(costs.map_cycles) + u64::from(costs.unmap_cycles) + 2 * costs.copy_cycles(piece);
    // Every sync of a round happens at most twice: for the device and for the CPU.
    let sync = 2 * (u64::from(costs.sync_cycles) + costs.copy_cycles(part));
    pieces * (sides * map + start + bus_cycles(plan, transfer, piece))
        + rounds * (sides * sync + start + bus_cycles(plan, transfer, part))
}

/// Returns the cycles that the engine needs for `bytes` bytes on the bus.
fn bus_cycles(plan: &Plan, transfer: &Transfer, bytes: u64) -> u64 {
    let stalls = &plan.bus.stalls;
    let reads = || {
        let latency = plan.bus.read_latency_cycles + plan.bus.read_jitter_cycles;
        let window = plan.engine.reads_in_flight();
        let (beats, bursts) = shape(&plan.engine, bytes);
        stalled(stalls.r, paced(plan.bus.read_bandwidth, beats))
            + stalled(stalls.ar, bursts)
            + latencies(plan, latency, bursts, window)
    };
    let writes = || {
        let latency = plan.bus.write_latency_cycles + plan.bus.write_jitter_cycles;
        let window = plan.engine.max_writes;
        let (beats, bursts) = shape(&plan.engine, bytes);
        stalled(stalls.w, paced(plan.bus.write_bandwidth, beats))
            + stalled(stalls.aw, bursts)
            + stalled(stalls.b, bursts)
            + latencies(plan, latency, bursts, window)
    };
    ENGINE_CYCLES
        + match transfer.movement {
            Movement::ToDevice { .. } => reads(),
            Movement::FromDevice { .. } => writes(),
            Movement::Copy { .. } => reads() + writes(),
        }
}

/// Returns the beats and bursts of `bytes` bytes at the worst alignment.
fn shape(engine: &EnginePlan, bytes: u64) -> (u64, u64) {
    let beats = bytes.div_ceil(engine.beat_bytes()) + 1;
    let burst_bytes = u64::from(engine.max_burst_beats) * engine.beat_bytes();
    let pages = bytes.div_ceil(4096) + 1;
    (beats, bytes.div_ceil(burst_bytes) + pages)
}

/// Returns the latency once for every window of bursts in flight.
fn latencies(plan: &Plan, latency: u32, bursts: u64, window: u32) -> u64 {
    let windows = bursts.div_ceil(u64::from(window.max(1)));
    let once = windows * u64::from(latency);
    match plan.bus.order {
        ResponseOrder::InOrder => once,
        // The burst that the engine needs next may be the last of its window.
        ResponseOrder::ReorderById { .. } => 2 * once,
    }
}

/// Returns the cycles in which so many beats move at a bandwidth.
fn paced(bandwidth: Option<Bandwidth>, beats: u64) -> u64 {
    bandwidth.map_or(
        beats,
        |Bandwidth {
             beats: moved,
             cycles,
         }| { (beats * u64::from(cycles)).div_ceil(u64::from(moved.max(1))) },
    )
}

/// Returns an upper bound of the cycles that `beats` handshakes take on a channel with these stalls.
fn stalled(stall: Stall, beats: u64) -> u64 {
    match stall {
        Stall::None => beats,
        Stall::EveryN { period } => beats + beats / u64::from(period.max(2) - 1) + 1,
        Stall::Random { probability } => {
            // Half as much again as the mean, and a constant for short sums.
            let mean_permille = 1000.0 / (1.0 - probability);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "the plan's probability is below 1, so this is a small positive number"
            )]
            let permille = mean_permille as u64;
            beats * permille / 1000 * 3 / 2 + 30
        }
        Stall::LongHold { run, hold } => {
            beats + (beats / u64::from(run.max(1)) + 1) * u64::from(hold)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::layout::{Layout, Placement};
    use crate::seed::Seed;
    use rebound_sim::axi::BusPolicy;

    fn plan(bytes: u64, latency: u32) -> Plan {
        let mut layout =
            Layout::new(Seed::new(1), 32).with(|plan| plan.bus = BusPolicy::with_latency(latency));
        layout.send(0, Placement::Above, bytes, 0);
        layout.finish()
    }

    #[test]
    fn more_bytes_and_more_latency_justify_more_cycles() {
        assert!(cycles(&plan(2000, 20)) > cycles(&plan(1000, 20)));
        assert!(cycles(&plan(1000, 200)) > cycles(&plan(1000, 20)));
    }

    #[test]
    fn latency_counts_once_for_bursts_in_flight_together() {
        // 16 bursts of 128 bytes are in flight at once: one latency, not 16.
        let difference = cycles(&plan(1500, 1020)) - cycles(&plan(1500, 20));
        assert_eq!(difference, 1100, "one latency and the reserve");
    }

    #[test]
    fn long_transfers_pay_for_every_piece() {
        let one = cycles(&plan(200 << 10, 20)) - START_CYCLES;
        let four = cycles(&plan(800 << 10, 20)) - START_CYCLES;
        assert!(four > 39 * one / 10 && four < 41 * one / 10, "{four} {one}");
    }

    #[test]
    fn a_bandwidth_lengthens_a_channel_by_its_share() {
        let limit = |beats, cycles| Some(Bandwidth { beats, cycles });
        assert_eq!(paced(None, 100), 100);
        assert_eq!(paced(limit(1, 3), 100), 300);
        assert_eq!(paced(limit(2, 5), 101), 253);
    }

    #[test]
    fn stalls_lengthen_a_channel_by_their_share() {
        assert_eq!(stalled(Stall::None, 100), 100);
        assert_eq!(stalled(Stall::EveryN { period: 4 }, 99), 133);
        assert_eq!(stalled(Stall::LongHold { run: 50, hold: 10 }, 100), 130);
        assert_eq!(stalled(Stall::Random { probability: 0.5 }, 100), 330);
    }
}
