//! Setters and getters of a device's segment limits, masks and windows.

use crate::addr::{DmaAddr, PhysAddr};
use crate::attrs::Attrs;
use crate::device::{Device, DmaRange};
use crate::dma::Dma;
use crate::dma::error::DmaError;
use crate::dma::message::DmaMessage;
use crate::error::MaskError;

impl Dma {
    fn check_parms(&self, dev: &Device) -> Result<(), DmaError> {
        if dev.has_parms() {
            return Ok(());
        }
        self.warn(dev, DmaMessage::NoDmaParms);
        Err(DmaError::Invalid {
            what: "the device has no dma_parms to set a limit in",
        })
    }

    /// Sets the longest segment in bytes; 0 means the default of 64 KiB (`dma_set_max_seg_size`).
    ///
    /// # Errors
    /// If the device has no `dma_parms`; nothing has changed then.
    #[doc(alias = "dma_set_max_seg_size")]
    pub fn set_max_seg_size(&self, dev: &mut Device, bytes: u32) -> Result<(), DmaError> {
        self.check_parms(dev)?;
        dev.store_max_segment(bytes);
        Ok(())
    }

    /// Sets the boundary that no segment may cross, as a mask; 0 means none
    /// (`dma_set_seg_boundary`).
    ///
    /// # Errors
    /// If the device has no `dma_parms`; nothing has changed then.
    #[doc(alias = "dma_set_seg_boundary")]
    pub fn set_seg_boundary(&self, dev: &mut Device, mask: u64) -> Result<(), DmaError> {
        self.check_parms(dev)?;
        dev.store_seg_boundary(mask);
        Ok(())
    }

    /// Sets the address bits that a bounce buffer must keep (`dma_set_min_align_mask`).
    ///
    /// # Errors
    /// If the device has no `dma_parms`; nothing has changed then.
    #[doc(alias = "dma_set_min_align_mask")]
    pub fn set_min_align_mask(&self, dev: &mut Device, mask: u32) -> Result<(), DmaError> {
        self.check_parms(dev)?;
        dev.store_min_align_mask(mask);
        Ok(())
    }

    /// Makes both masks one variable and sets it (`dma_coerce_mask_and_coherent`). A device
    /// without a streaming mask has one afterwards, also if the call fails.
    ///
    /// # Errors
    /// As [`Dma::set_mask_and_coherent`].
    #[doc(alias = "dma_coerce_mask_and_coherent")]
    pub fn coerce_mask_and_coherent(&self, dev: &mut Device, mask: u64) -> Result<(), MaskError> {
        dev.join_masks();
        self.set_mask_and_coherent(dev, mask)
    }

    /// Gives the device the windows that firmware describes (`dma-ranges`): the highest DMA address
    /// becomes the bus limit, and both masks are cut to what just covers it.
    ///
    /// # Errors
    /// If there is no window, or one is empty or wraps; nothing has changed then.
    pub fn set_range_map(&self, dev: &mut Device, ranges: &[DmaRange]) -> Result<(), DmaError> {
        if ranges.is_empty() {
            let what = "a range map has at least one window";
            return Err(DmaError::Invalid { what });
        }
        let is_whole = |range: &DmaRange| {
            let last = range.bytes.checked_sub(1);
            last.is_some_and(|last| {
                range.cpu_start.checked_add(last).is_some()
                    && range.dma_start.checked_add(last).is_some()
            })
        };
        if !ranges.iter().all(is_whole) {
            let what = "a window is empty or ends above the 64-bit address space";
            return Err(DmaError::Invalid { what });
        }
        dev.take_firmware_ranges(ranges.to_vec());
        Ok(())
    }

    /// Shifts what the device sees of memory (`dma_direct_set_offset`): `bytes` bytes from `cpu` on
    /// appear at `dma`. An offset of zero installs nothing.
    ///
    /// # Errors
    /// If the device has windows already (`-EINVAL`).
    #[doc(alias = "dma_direct_set_offset")]
    pub fn set_offset(
        &self,
        dev: &mut Device,
        cpu: PhysAddr,
        dma: DmaAddr,
        bytes: u64,
    ) -> Result<(), DmaError> {
        if !dev.ranges().is_empty() {
            let what = "the device has a range map already";
            return Err(DmaError::Invalid { what });
        }
        if cpu.raw() != dma.raw() {
            dev.set_window(cpu, dma, bytes);
        }
        Ok(())
    }

    /// Sets the highest DMA address that the bus passes; 0 means no limit.
    #[doc(alias = "bus_dma_limit")]
    pub const fn set_bus_limit(&self, dev: &mut Device, limit: u64) {
        dev.set_bus_limit(limit);
    }

    /// Returns the DMA address of `phys` in the form that `attrs` ask for (`phys_to_dma`).
    #[must_use]
    pub fn phys_to_dma(&self, dev: &Device, phys: PhysAddr, attrs: Attrs) -> DmaAddr {
        let cc = self.swiotlb().platform().cc;
        dev.phys_to_dma(phys, cc, attrs.contains(Attrs::CC_SHARED))
    }

    /// Returns the physical address behind `addr`; all ones if there is none (`dma_to_phys`).
    #[must_use]
    pub fn dma_to_phys(&self, dev: &Device, addr: DmaAddr) -> PhysAddr {
        dev.dma_to_phys(addr, self.swiotlb().platform().cc)
    }

    /// Returns whether the device can use `bytes` bytes at `addr` (`dma_capable`).
    #[doc(alias = "dma_capable")]
    #[must_use]
    pub fn capable(&self, dev: &Device, addr: DmaAddr, bytes: u64, attrs: Attrs) -> bool {
        dev.is_capable(addr, bytes, attrs, self.swiotlb().platform().cc)
    }
}
