//! The shrinker: gives back pools that were added and are not needed any more. Not in Linux.
//!
//! A pool may go when it is empty, has been for a while, and what remains has room for the next
//! burst. The one nearest the end of the list goes first: searches begin at the head.

use std::time::Duration;

use crate::policy::{Policy, ShrinkerConfig};
use crate::pool::{AllocatorId, Pool};
use crate::stats::ShrinkerStats;
use crate::swiotlb::Swiotlb;
use crate::sync_primitives::{AtomicU64, Ordering};

/// How hard memory is wanted back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ShrinkPressure {
    /// All conditions hold.
    #[default]
    Normal,
    /// Pools need not have been empty for long, and growth or failed maps may have been just before.
    High,
}

/// "Never", as a time in nanoseconds.
const NEVER: u64 = u64::MAX;

/// What the shrinker remembers of the default allocator.
#[derive(Debug)]
pub(crate) struct Shrinker {
    /// When the last pool was added.
    last_growth: AtomicU64,
    /// When a map last found no slots.
    last_full: AtomicU64,
    pools_added: AtomicU64,
    pools_removed: AtomicU64,
    slots_removed: AtomicU64,
    leaked_bytes: AtomicU64,
}

impl Default for Shrinker {
    fn default() -> Self {
        Self {
            last_growth: AtomicU64::new(NEVER),
            last_full: AtomicU64::new(NEVER),
            pools_added: AtomicU64::default(),
            pools_removed: AtomicU64::default(),
            slots_removed: AtomicU64::default(),
            leaked_bytes: AtomicU64::default(),
        }
    }
}

impl Shrinker {
    pub(crate) fn count_added(&self, now: u64) {
        self.last_growth.store(now, Ordering::Relaxed);
        self.pools_added.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_leaked(&self, bytes: u64) {
        self.leaked_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn note_full(&self, now: u64) {
        self.last_full.store(now, Ordering::Relaxed);
    }

    /// Returns whether growth and failed maps are long enough ago.
    fn is_calm(&self, now: u64, cooldown: Duration) -> bool {
        [&self.last_growth, &self.last_full]
            .map(|time| time.load(Ordering::Relaxed))
            .into_iter()
            .all(|time| time == NEVER || now.saturating_sub(time) >= nanos(cooldown))
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Parts into which the window is cut.
const PARTS: u32 = 16;

/// Parts that are remembered: those of a window, and the one in which the window begins.
const KEPT_PARTS: u32 = PARTS + 1;

/// The peak of use over a window of time, in parts. A peak is never forgotten within the window; it
/// may be remembered for up to a part longer.
#[derive(Debug, Default)]
pub(crate) struct Peaks {
    part_nanos: u64,
    /// Number of the part in the upper half, peak in the lower half, so that the maximum is that of
    /// the latest part.
    parts: [AtomicU64; KEPT_PARTS as usize],
}

impl Peaks {
    pub(crate) fn new(window: Duration) -> Self {
        Self {
            part_nanos: nanos(window).div_ceil(u64::from(PARTS)).max(1),
            ..Self::default()
        }
    }

    fn part_of(&self, now: u64) -> u64 {
        // Parts are counted from 1, so that an empty entry is older than any.
        (now / self.part_nanos)
            .saturating_add(1)
            .min(u64::from(u32::MAX))
    }

    /// Notes how many slots are, or were until now, in use.
    pub(crate) fn note(&self, now: u64, used: u64) {
        let part = self.part_of(now);
        let entry = part << 32 | used.min(u64::from(u32::MAX));
        let index = usize::try_from(part % u64::from(KEPT_PARTS)).unwrap_or(0);
        self.parts[index].fetch_max(entry, Ordering::Relaxed);
    }

    /// Returns the peak of the last window, given how many are in use now.
    pub(crate) fn peak(&self, now: u64, used: u64) -> u64 {
        let oldest = self.part_of(now).saturating_sub(u64::from(PARTS));
        self.parts
            .iter()
            .map(|entry| entry.load(Ordering::Relaxed))
            .filter(|entry| entry >> 32 >= oldest.max(1))
            .map(|entry| entry & u64::from(u32::MAX))
            .fold(used, u64::max)
    }
}

impl Swiotlb {
    /// Returns the counters of the default allocator's growth and shrinking; zeros for others.
    pub(crate) fn shrinker_stats(&self, id: AllocatorId) -> ShrinkerStats {
        if id != AllocatorId::DEFAULT {
            return ShrinkerStats::default();
        }
        let shrinker = &self.shrinker;
        ShrinkerStats {
            pools_added: shrinker.pools_added.load(Ordering::Relaxed),
            pools_removed: shrinker.pools_removed.load(Ordering::Relaxed),
            slots_removed: shrinker.slots_removed.load(Ordering::Relaxed),
            leaked_bytes: shrinker.leaked_bytes.load(Ordering::Relaxed),
        }
    }

    fn shrinker_config(&self) -> Option<ShrinkerConfig> {
        match self.shared.policy {
            Policy::Shrinker(config) => Some(config),
            _ => None,
        }
    }

    /// Returns the slots of all pools that could be removed now, each looked at on its own; 0 without
    /// the policy [`Policy::Shrinker`].
    #[must_use]
    pub fn shrinker_count(&self) -> u64 {
        let mut slots = 0;
        if let Some(config) = self.shrinker_config()
            && let Some(further) = self.allocators[0].pools.further()
        {
            for pool in further.iter() {
                if self.may_remove(&config, pool, ShrinkPressure::Normal) {
                    slots += u64::from(pool.geometry.slots);
                }
            }
        }
        slots
    }

    /// Removes pools, the oldest that may go first, until at least `target_slots` slots or as many
    /// pools as the policy allows at once are gone. Returns the slots removed. Their memory goes back
    /// with [`Swiotlb::run_pending_work`], when no thread looks at it any more.
    pub fn shrinker_scan(&self, target_slots: u64, pressure: ShrinkPressure) -> u64 {
        let Some(config) = self.shrinker_config() else {
            return 0;
        };
        let Some(further) = self.allocators[0].pools.further() else {
            return 0;
        };
        let (mut slots, mut pools) = (0, 0);
        for pool in further.iter().rev() {
            if slots >= target_slots || pools >= config.batch {
                break;
            }
            if self.may_remove(&config, pool, pressure) && self.remove_pool(pool) {
                slots += u64::from(pool.geometry.slots);
                pools += 1;
            }
        }
        slots
    }

    /// Returns whether a pool that was added may go.
    fn may_remove(&self, config: &ShrinkerConfig, pool: &Pool, pressure: ShrinkPressure) -> bool {
        let allocator = &self.allocators[AllocatorId::DEFAULT.0 as usize];
        let now = self.shared.log.now_nanos();
        let Some(last_active) = pool.last_active_if_empty() else {
            return false;
        };
        let has_idled = now.saturating_sub(last_active) >= nanos(config.idle_time);
        let is_calm = self.shrinker.is_calm(now, config.cooldown) && !allocator.growth.is_pending();
        if pressure == ShrinkPressure::Normal && !(has_idled && is_calm) {
            return false;
        }
        let used = allocator.used();
        let peak = allocator.usage.peak(now).max(used);
        let percent = u128::from(peak) * u128::from(config.reserve_percent);
        let reserve = u128::from(config.min_free_slots).max(percent.div_ceil(100));
        let remaining = allocator
            .total_slots()
            .saturating_sub(u64::from(pool.geometry.slots));
        u128::from(remaining.saturating_sub(used)) >= reserve
    }

    fn remove_pool(&self, pool: &Pool) -> bool {
        let Some(removed) = self.allocators[0].remove_pool(pool.id) else {
            return false;
        };
        let slots = u64::from(removed.geometry.slots);
        self.shrinker.pools_removed.fetch_add(1, Ordering::Relaxed);
        self.shrinker
            .slots_removed
            .fetch_add(slots, Ordering::Relaxed);
        self.drop_pool(removed);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_forgotten_after_the_window() {
        let second = 1_000_000_000;
        let peaks = Peaks::new(Duration::from_secs(16));
        assert_eq!(peaks.peak(0, 3), 3);
        peaks.note(0, 100);
        peaks.note(second, 40);
        assert_eq!(peaks.peak(second, 0), 100);
        assert_eq!(peaks.peak(15 * second, 0), 100);
        assert_eq!(peaks.peak(16 * second, 0), 100);
        assert_eq!(peaks.peak(17 * second, 0), 40);
        assert_eq!(peaks.peak(18 * second, 7), 7);
        peaks.note(17 * second, 5);
        assert_eq!(peaks.peak(18 * second, 0), 5);
    }

    #[test]
    fn a_peak_is_remembered_for_the_whole_window_wherever_in_a_part_it_was() {
        let milli = 1_000_000;
        for window in [16_000, 60_000, 60_001] {
            for at in [0, 1, 999, 3_000, 3_749, 3_750, 14_999] {
                let peaks = Peaks::new(Duration::from_millis(window));
                peaks.note(at * milli, 100);
                let end = (at + window) * milli;
                assert_eq!(peaks.peak(end, 0), 100, "{window} ms from {at} ms on");
                let part = peaks.part_nanos;
                assert_eq!(peaks.peak(end + part, 0), 0, "{window} ms from {at} ms on");
            }
        }
    }
}
