//! Counters of an allocator, as the kernel shows them in its `swiotlb` debug directory.

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
}

impl Stats {
    /// Returns the files of the debug directory with their contents, without the line end.
    #[must_use]
    pub const fn debug_files(&self) -> [(&'static str, u64); 3] {
        [
            ("io_tlb_nslabs", self.total_slots),
            ("io_tlb_used", self.used_slots),
            ("io_tlb_used_hiwater", self.used_hiwater),
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
            transient_slots: 0,
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
