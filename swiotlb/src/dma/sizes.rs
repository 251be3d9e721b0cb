//! Sizes that a driver asks for before it maps.

use crate::device::Device;
use crate::dma::Dma;

impl Dma {
    /// Returns the alignment at which two buffers share no cache line
    /// (`dma_get_cache_alignment`): a power of two.
    #[doc(alias = "dma_get_cache_alignment")]
    #[must_use]
    pub fn cache_alignment(&self) -> u32 {
        let rule = self.swiotlb().platform().kmalloc;
        let of_rule = rule.map_or(1, |rule| rule.cache_alignment);
        // A rule that is no power of two was never one.
        let of_rule = if of_rule.is_power_of_two() {
            of_rule
        } else {
            1
        };
        self.config().cache_alignment.max(of_rule)
    }

    /// Returns whether sync calls of the device are dropped: never if the debug layer is compiled
    /// in or watches, because it wants to see them.
    pub(crate) fn drops_syncs(&self, dev: &Device) -> bool {
        dev.skips_sync() && !self.config().has_debug_layer && !self.is_debugged()
    }
}
