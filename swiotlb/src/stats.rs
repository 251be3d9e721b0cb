//! Counters of an allocator, as the kernel shows them in its `swiotlb` debug directory.

use crate::pool::AllocatorId;
use crate::swiotlb::Swiotlb;

/// Counters in slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Slots of all pools (`io_tlb_nslabs`).
    pub total_slots: u64,
    /// Slots in use as reported (`io_tlb_used`): the tracked total if tracking is on, else the sum
    /// over the areas.
    pub used_slots: u64,
    /// Slots in use as the areas count them.
    pub counted_slots: u64,
    /// Highest number of slots in use since the last reset; 0 without tracking
    /// (`io_tlb_used_hiwater`).
    pub used_hiwater: u64,
    /// Slots of pools of single mappings (`io_tlb_transient_nslabs`).
    pub transient_slots: u64,
    /// Pools that came and went.
    pub shrinker: ShrinkerStats,
}

/// Counters of growth and shrinking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ShrinkerStats {
    /// Pools added by growth.
    pub pools_added: u64,
    /// Pools removed by the shrinker.
    pub pools_removed: u64,
    /// Their slots.
    pub slots_removed: u64,
    /// Bytes that could not be made private again and are lost.
    pub leaked_bytes: u64,
}

/// A file of the debug directory.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DebugFile {
    /// Path below the root of debugfs.
    pub path: String,
    /// Access bits.
    pub mode: u16,
    /// Content, with its line end.
    pub text: String,
}

impl Swiotlb {
    /// Returns the files of the debug directory `swiotlb`, with one folder below for each restricted
    /// pool. There are none of an allocator without slots, or if the kernel was built without them.
    #[must_use]
    pub fn debug_files(&self) -> Vec<DebugFile> {
        let mut files = Vec::new();
        if !self.boot.options.has_statistics {
            return files;
        }
        let names = self.restricted.iter().map(|region| region.name.as_str());
        for (number, name) in (0..).zip(std::iter::once("").chain(names)) {
            let Some(stats) = self.stats(AllocatorId(number)) else {
                continue;
            };
            if stats.total_slots == 0 {
                continue;
            }
            let slash = if name.is_empty() { "" } else { "/" };
            let mut add = |file: &str, mode: u16, value: u64| {
                files.push(DebugFile {
                    path: format!("swiotlb{slash}{name}/{file}"),
                    mode,
                    text: format!("{value}\n"),
                });
            };
            for (file, value) in stats.debug_files() {
                let mode = if file == HIWATER_FILE { 0o600 } else { 0o400 };
                add(file, mode, value);
            }
            if self.shared.policy.is_dynamic() {
                add("io_tlb_transient_nslabs", 0o400, stats.transient_slots);
            }
        }
        files
    }
}

/// The one file that can be written.
const HIWATER_FILE: &str = "io_tlb_used_hiwater";

impl Stats {
    /// Returns the files that every debug directory has, with their numbers.
    #[must_use]
    pub const fn debug_files(&self) -> [(&'static str, u64); 3] {
        [
            ("io_tlb_nslabs", self.total_slots),
            ("io_tlb_used", self.used_slots),
            (HIWATER_FILE, self.used_hiwater),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_files_have_the_kernels_names() {
        let stats = Stats {
            total_slots: 1024,
            used_slots: 3,
            counted_slots: 3,
            used_hiwater: 7,
            ..Stats::default()
        };
        assert_eq!(
            stats.debug_files(),
            [
                ("io_tlb_nslabs", 1024),
                ("io_tlb_used", 3),
                ("io_tlb_used_hiwater", 7)
            ]
        );
    }
}
