//! What software sets on a device after it was made: masks, segment limits, windows.

use crate::addr::{DmaAddr, PhysAddr};
use crate::device::{Device, DmaRange, bit_mask};

impl Device {
    /// Takes away `dma_parms`: segment limits are the defaults and cannot be set.
    #[must_use]
    pub const fn without_parms(mut self) -> Self {
        self.has_parms = false;
        self.min_align_mask = 0;
        self.seg_boundary_mask = u64::MAX;
        self.max_segment_bytes = 65536;
        self.note_constraints();
        self
    }

    /// Returns whether segment limits can be set.
    #[must_use]
    pub const fn has_parms(&self) -> bool {
        self.has_parms
    }

    /// Returns whether both masks are one variable (after `dma_coerce_mask_and_coherent`).
    #[must_use]
    pub const fn has_one_mask(&self) -> bool {
        self.masks_are_one
    }

    /// Takes windows as firmware gives them (`dma-ranges`): nothing above their highest DMA address
    /// passes the bus, and both masks are cut to what just covers it. No window changes nothing.
    #[doc(alias = "dma-ranges")]
    #[must_use]
    pub fn with_firmware_ranges(mut self, ranges: Vec<DmaRange>) -> Self {
        self.take_firmware_ranges(ranges);
        self
    }

    pub(crate) fn take_firmware_ranges(&mut self, ranges: Vec<DmaRange>) {
        let last = ranges
            .iter()
            .filter(|range| range.bytes > 0)
            .map(|range| range.dma_start.raw().saturating_add(range.bytes - 1))
            .max();
        let Some(last) = last else {
            return;
        };
        self.ranges = ranges;
        self.note_constraints();
        self.bus_dma_limit = last;
        let cover = bit_mask(u64::BITS - last.leading_zeros());
        self.coherent_dma_mask &= cover;
        self.dma_mask = self.dma_mask.map(|mask| mask & cover);
    }

    pub(crate) fn set_window(&mut self, cpu: PhysAddr, dma: DmaAddr, bytes: u64) {
        self.ranges = vec![DmaRange {
            cpu_start: cpu,
            dma_start: dma,
            bytes,
        }];
        self.note_constraints();
    }

    /// To be called by whatever changes alignment, boundary or windows.
    pub(super) const fn note_constraints(&mut self) {
        self.is_unconstrained = self.min_align_mask == 0
            && self.seg_boundary_mask == u64::MAX
            && self.ranges.is_empty();
    }

    pub(crate) const fn set_bus_limit(&mut self, limit: u64) {
        self.bus_dma_limit = limit;
    }

    /// Stores the streaming mask, and the coherent one if both are one variable.
    pub(crate) const fn store_mask(&mut self, mask: u64) {
        self.dma_mask = Some(mask);
        self.has_set_mask = true;
        if self.masks_are_one {
            self.coherent_dma_mask = mask;
        }
    }

    /// Stores the coherent mask, and the streaming one if both are one variable.
    pub(crate) const fn store_coherent_mask(&mut self, mask: u64) {
        self.coherent_dma_mask = mask;
        if self.masks_are_one {
            self.dma_mask = Some(mask);
        }
    }

    /// Makes both masks one variable: the coherent one.
    pub(crate) const fn join_masks(&mut self) {
        self.masks_are_one = true;
        self.dma_mask = Some(self.coherent_dma_mask);
    }

    pub(crate) const fn store_max_segment(&mut self, bytes: u32) {
        self.max_segment_bytes = if bytes == 0 { 65536 } else { bytes };
    }

    pub(crate) const fn store_seg_boundary(&mut self, mask: u64) {
        self.seg_boundary_mask = if mask == 0 { u64::MAX } else { mask };
        self.note_constraints();
    }

    pub(crate) const fn store_min_align_mask(&mut self, mask: u32) {
        self.min_align_mask = mask;
        self.note_constraints();
    }

    /// Returns the highest DMA address of coherent memory: mask and bus together.
    #[must_use]
    pub const fn coherent_reach(&self) -> u64 {
        crate::device::min_not_zero(self.coherent_dma_mask, self.bus_dma_limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(dma_start: u64, bytes: u64) -> DmaRange {
        DmaRange {
            cpu_start: PhysAddr::new(0x8000_0000),
            dma_start: DmaAddr::new(dma_start),
            bytes,
        }
    }

    #[test]
    fn windows_of_firmware_cut_bus_limit_and_masks() {
        let ranges = vec![window(0, 0x1000), window(0x4000_0000, 0x3000_0000)];
        let dev = Device::new("soc").with_masks(bit_mask(64));
        let dev = dev.with_firmware_ranges(ranges);
        assert_eq!(dev.bus_limit(), 0x6fff_ffff);
        assert_eq!(dev.mask(), bit_mask(31));
        assert_eq!(dev.coherent_mask(), bit_mask(31));
        let maskless = Device::new("soc")
            .without_dma_mask()
            .with_firmware_ranges(vec![window(0, 0x1000)]);
        assert!(!maskless.has_dma_mask());
        assert_eq!(maskless.coherent_mask(), 0xfff);
    }

    #[test]
    fn every_setter_of_a_constraint_is_noticed() {
        let dev = || Device::new("soc");
        assert!(dev().is_unconstrained());
        let windows = || vec![window(0, 0x1000)];
        let mut by_store = [dev(), dev(), dev()];
        by_store[0].store_min_align_mask(0xfff);
        by_store[1].store_seg_boundary(0xffff);
        by_store[2].set_window(PhysAddr::new(0x8000_0000), DmaAddr::new(0), 0x1000);
        let by_builder = [
            dev().with_min_align_mask(0xfff),
            dev().with_seg_boundary(0xffff),
            dev().with_ranges(windows()),
            dev().with_firmware_ranges(windows()),
        ];
        for constrained in by_store.iter().chain(&by_builder) {
            assert!(!constrained.is_unconstrained(), "{constrained:?}");
        }
        let freed = dev().with_min_align_mask(0xfff).without_parms();
        assert!(freed.is_unconstrained());
    }

    #[test]
    fn windows_without_a_byte_change_nothing() {
        let dev = Device::new("soc").with_firmware_ranges(vec![window(0x1000, 0)]);
        assert_eq!((dev.bus_limit(), dev.mask()), (0, bit_mask(32)));
        assert!(dev.ranges().is_empty());
    }
}
