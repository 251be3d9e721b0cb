//! What the layer does when its first pool is full: the one choice made at construction.

use std::time::Duration;

/// How bounce memory grows and shrinks. Placement inside a pool is the same in every policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// One pool of fixed size (`CONFIG_SWIOTLB_DYNAMIC=n`). A full pool refuses.
    #[default]
    Static,
    /// One pool of fixed size, and before it a buffer of its own for each larger mapping, if
    /// `swiotlb=dynamic` was given: a proposal of 2023 that Linux did not take. The parameter then
    /// ends in a list of `force`, `noforce` and `dynamic`, each matched exactly.
    PerBuffer,
    /// Pools are added when all are full, and kept; a mapping that cannot wait gets a pool of its own
    /// (`CONFIG_SWIOTLB_DYNAMIC=y`).
    DynamicPools,
    /// As [`Policy::DynamicPools`], and pools that were added are given back when they have been
    /// empty for long enough. Linux has no such shrinker.
    Shrinker(ShrinkerConfig),
}

impl Policy {
    /// Returns whether pools can be added.
    #[must_use]
    pub const fn is_dynamic(self) -> bool {
        matches!(self, Self::DynamicPools | Self::Shrinker(_))
    }
}

/// When the shrinker may take a pool away. Times are those told by [`crate::Swiotlb::set_time`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShrinkerConfig {
    /// How long a pool must have been empty.
    pub idle_time: Duration,
    /// How far back the peak of use is looked for.
    pub window: Duration,
    /// How long after the last growth, or the last map that found no slots, nothing is removed.
    pub cooldown: Duration,
    /// Slots that must stay free in the remaining pools.
    pub min_free_slots: u64,
    /// As that, in percent of the peak of use; the larger one counts.
    pub reserve_percent: u32,
    /// Most pools that one scan removes.
    pub batch: u32,
}

impl Default for ShrinkerConfig {
    fn default() -> Self {
        Self {
            idle_time: Duration::from_secs(10),
            window: Duration::from_secs(60),
            cooldown: Duration::from_secs(30),
            min_free_slots: 512,
            reserve_percent: 25,
            batch: 1,
        }
    }
}
