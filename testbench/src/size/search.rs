//! The search for the smallest pool without a failure.

use swiotlb::{Policy, SLOT_BYTES};

use crate::replay::{Change, Load, Machine, ReplayError, what_if};
use crate::seed::Seed;

/// How sure the answer is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Margin {
    /// Slots that stay free above the peak, in percent of it, in a pool that never grows.
    pub percent: u32,
    /// Copies of the load at a time.
    pub scale: u32,
    /// Replays with other shifts of the copies.
    pub runs: u32,
    /// Percent of the replays that must be without a failure.
    pub confidence: u32,
    /// Seed of the shifts.
    pub seed: Seed,
    /// Slots that the traced kernel counted in use at once, if this is the machine that was traced; else 0. A trace
    /// that begins in mid-traffic tells less.
    pub counted_slots: u64,
}

/// Smallest pool that is tried: one slot set.
const LEAST_SLOTS: u32 = 128;
/// Largest pool that is tried on any machine: 2 GiB, which fits below 4 GiB.
const MOST_SLOTS: u32 = 1 << 20;

/// Returns the slots of the largest pool that the machine's memory can hold, a power of two.
pub(crate) fn most_slots(machine: &Machine) -> u32 {
    let room = machine.ram_bytes.saturating_sub(Machine::LOWEST) / SLOT_BYTES;
    let fits = u32::try_from(room).unwrap_or(u32::MAX).min(MOST_SLOTS);
    let largest = fits.checked_ilog2().map_or(0, |bits| 1 << bits);
    largest.max(LEAST_SLOTS * machine.areas)
}

impl Margin {
    /// The load alone, once.
    #[must_use]
    pub const fn none(self) -> Self {
        Self {
            percent: 0,
            scale: 1,
            runs: 1,
            confidence: 100,
            seed: self.seed,
            counted_slots: self.counted_slots,
        }
    }

    fn change(self, run: u32) -> Change {
        Change {
            scale: self.scale,
            cpus: None,
            seed: self.seed.derive(&format!("run {run}")),
            stops_at_failure: true,
        }
    }
}

/// Returns the fewest slots, a power of two, with which the load has no failure; `None` if no size helps.
///
/// # Errors
/// If a replay cannot be made.
pub fn smallest(
    load: &Load,
    machine: &Machine,
    margin: Margin,
) -> Result<Option<u32>, ReplayError> {
    let (mut low, mut high) = (LEAST_SLOTS * machine.areas, most_slots(machine));
    if !holds(load, machine, margin, high)? {
        return Ok(None);
    }
    // A larger pool can fail where a smaller one does not only by chance of placement; powers of two are
    // halved until one fails.
    while low < high {
        let middle = 1 << (low.ilog2() + high.ilog2()).div_euclid(2);
        if holds(load, machine, margin, middle)? {
            high = middle;
        } else {
            low = middle * 2;
        }
    }
    Ok(Some(high))
}

fn holds(load: &Load, machine: &Machine, margin: Margin, slots: u32) -> Result<bool, ReplayError> {
    let mut machine = machine.clone();
    machine.resize(slots, machine.areas);
    let runs = if margin.scale > 1 {
        margin.runs.max(1)
    } else {
        1
    };
    let allowed = runs - (runs * margin.confidence).div_ceil(100).min(runs);
    let mut failed = 0;
    for run in 0..runs {
        let result = what_if(load, machine.clone(), margin.change(run))?;
        // Buffers of their own are no slots of the pool, which its high-water mark knows.
        let peak = match machine.policy {
            Policy::PerBuffer => result.figures.hiwater(),
            _ => result.figures.peak().max(margin.counted_slots),
        };
        let wanted = peak + (peak * u64::from(margin.percent)).div_ceil(100);
        // Only a pool that never grows must hold the peak by itself.
        let is_tight = !machine.policy.is_dynamic() && wanted > u64::from(slots);
        if result.first_failure.is_some() || is_tight {
            failed += 1;
            if failed > allowed {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::planted::{load, planted};
    use crate::replay::{Known, Recorded};

    /// Buffers of 32 slots: five at once, then three.
    fn five_and_three() -> (Load, Machine) {
        let load = load(&[planted(1, 100, 300, (0, 5)), planted(2, 500, 700, (5, 3))]);
        let machine = Recorded::of(&load.survey, Known::default()).machine;
        (
            load,
            Machine {
                areas: 1,
                ..machine
            },
        )
    }

    const PLAIN: Margin = Margin {
        percent: 0,
        scale: 1,
        runs: 10,
        confidence: 95,
        seed: Seed::new(1),
        counted_slots: 0,
    };

    #[test]
    fn what_the_kernel_counted_is_held_even_if_the_trace_tells_less() {
        let (load, machine) = five_and_three();
        let counted = |counted_slots| Margin {
            counted_slots,
            ..PLAIN
        };
        // 160 slots at the peak of the replay.
        for (slots, size) in [(0, 256), (160, 256), (257, 512)] {
            let found = smallest(&load, &machine, counted(slots)).expect("replays");
            assert_eq!(found, Some(size), "{slots} counted");
        }
    }

    #[test]
    fn the_smallest_pool_holds_the_peak_and_margin_asks_for_more() {
        let (load, machine) = five_and_three();
        let size = |margin| smallest(&load, &machine, margin).expect("a pool");
        assert_eq!(size(PLAIN), Some(256));
        let margin = |percent| Margin { percent, ..PLAIN };
        // 160 slots at the peak: 256 keep 60 % of it free, and no more.
        assert_eq!(size(margin(60)), Some(256));
        assert_eq!(size(margin(61)), Some(512));
    }

    #[test]
    fn no_pool_is_larger_than_the_memory() {
        let (load, machine) = five_and_three();
        let with_ram = |ram_bytes| Machine {
            ram_bytes,
            ..machine.clone()
        };
        assert_eq!(most_slots(&with_ram(64 << 30)), 1 << 20);
        assert_eq!(most_slots(&with_ram(64 << 20)), 1 << 14);
        // 160 slots at the peak, and room for 128.
        let small = with_ram((16 << 20) + (256 << 10));
        assert_eq!(smallest(&load, &small, PLAIN).expect("a pool"), None);
    }

    #[test]
    fn shifted_copies_need_no_less_and_a_pool_that_grows_begins_small() {
        let (load, machine) = five_and_three();
        let scaled = Margin { scale: 4, ..PLAIN };
        let fixed = smallest(&load, &machine, scaled).expect("a pool");
        assert!(fixed >= Some(256), "{fixed:?}");
        let growing = Machine {
            policy: Policy::DynamicPools,
            ..machine
        };
        let size = smallest(&load, &growing, scaled).expect("a pool");
        assert!(size <= fixed, "{size:?}");
    }
}
