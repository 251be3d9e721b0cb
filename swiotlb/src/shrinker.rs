//! The shrinker: gives back pools that were added and are not needed any more. Not in Linux.

use crate::sync_primitives::{AtomicU64, Ordering};

/// What the shrinker remembers.
#[derive(Debug, Default)]
pub(crate) struct Shrinker {
    /// When the last pool was added, in nanoseconds.
    last_growth: AtomicU64,
    pools_added: AtomicU64,
    leaked_bytes: AtomicU64,
}

impl Shrinker {
    pub(crate) fn count_added(&self, now: u64) {
        self.last_growth.store(now, Ordering::Relaxed);
        self.pools_added.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_leaked(&self, bytes: u64) {
        self.leaked_bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}
