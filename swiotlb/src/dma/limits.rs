//! Masks, and the sizes that follow from them.

use crate::addr::PhysAddr;
use crate::attrs::Attrs;
use crate::device::{Device, bit_mask, min_not_zero};
use crate::dma::Dma;
use crate::error::MaskError;
use crate::iommu::Route;
use crate::platform::{Platform, RamRange};

impl Dma {
    fn platform(&self) -> &Platform {
        self.swiotlb().platform()
    }

    /// Returns the narrowest mask that works on this machine.
    fn narrowest_mask(&self, dev: &Device) -> u64 {
        let platform = self.platform();
        let last_ram = platform.last_ram().raw();
        let reachable = platform
            .zone_dma_limit
            .map_or(last_ram, |zone_limit| last_ram.min(zone_limit));
        let dma = dev.phys_to_dma(PhysAddr::new(reachable), platform.cc, true);
        dma.raw().min(bit_mask(32))
    }

    fn check_mask(&self, dev: &Device, mask: u64) -> Result<(), MaskError> {
        if dev.iommu().is_some() {
            return Ok(());
        }
        let needed = self.narrowest_mask(dev);
        if mask < needed {
            return Err(MaskError::TooNarrow { mask, needed });
        }
        Ok(())
    }

    /// Sets the streaming mask (`dma_set_mask`). Sync calls of a coherent device return at once
    /// from then on, until its first bounced mapping: also for mappings that are bounced now.
    ///
    /// # Errors
    /// If the device cannot do DMA, or the mask is too narrow for this machine.
    #[doc(alias = "dma_set_mask")]
    pub fn set_mask(&self, dev: &mut Device, mask: u64) -> Result<(), MaskError> {
        if !dev.has_dma_mask() {
            return Err(MaskError::NoDmaMask);
        }
        self.check_mask(dev, mask)?;
        dev.store_mask(mask);
        dev.set_skips_sync(dev.is_coherent());
        Ok(())
    }

    /// Sets the mask for coherent memory (`dma_set_coherent_mask`).
    ///
    /// # Errors
    /// If the mask is too narrow for this machine.
    #[doc(alias = "dma_set_coherent_mask")]
    pub fn set_coherent_mask(&self, dev: &mut Device, mask: u64) -> Result<(), MaskError> {
        self.check_mask(dev, mask)?;
        dev.store_coherent_mask(mask);
        Ok(())
    }

    /// Sets both masks (`dma_set_mask_and_coherent`).
    ///
    /// # Errors
    /// As [`Dma::set_mask`]. What becomes of the coherent mask is not told, as in the kernel.
    #[doc(alias = "dma_set_mask_and_coherent")]
    pub fn set_mask_and_coherent(&self, dev: &mut Device, mask: u64) -> Result<(), MaskError> {
        self.set_mask(dev, mask)?;
        let _ = self.set_coherent_mask(dev, mask);
        Ok(())
    }

    /// Returns the mask that would reach all memory directly (`dma_get_required_mask`).
    #[doc(alias = "dma_get_required_mask")]
    #[must_use]
    pub fn required_mask(&self, dev: &Device) -> u64 {
        match self.route(dev) {
            Route::Direct => self.direct_required_mask(dev),
            Route::Iommu(_) => bit_mask(32),
        }
    }

    /// The mask that would reach all memory without an IOMMU (`dma_direct_get_required_mask`).
    pub(crate) fn direct_required_mask(&self, dev: &Device) -> u64 {
        let cc = self.platform().cc;
        let last = dev.phys_to_dma(self.platform().last_ram(), cc, dev.needs_unencrypted(cc));
        bit_mask(u64::BITS - last.raw().leading_zeros()).max(1)
    }

    /// Returns whether some memory is out of the device's reach (`dma_addressing_limited`).
    #[doc(alias = "dma_addressing_limited")]
    #[must_use]
    pub fn is_addressing_limited(&self, dev: &Device) -> bool {
        let reach = min_not_zero(dev.mask(), dev.bus_limit());
        let has_ram_to_cover = matches!(self.route(dev), Route::Direct);
        reach < self.required_mask(dev) || (has_ram_to_cover && !self.is_ram_covered(dev))
    }

    /// Returns whether the device's windows cover all RAM.
    fn is_ram_covered(&self, dev: &Device) -> bool {
        dev.ranges().is_empty() || self.platform().ram.iter().all(|ram| is_covered(dev, ram))
    }

    /// Returns the largest mapping a driver may ask for (`dma_max_mapping_size`).
    #[doc(alias = "dma_max_mapping_size")]
    #[must_use]
    pub fn max_mapping_size(&self, dev: &Device) -> u64 {
        if !dev.has_dma_mask() {
            return 0;
        }
        let swiotlb = self.swiotlb();
        if matches!(self.route(dev), Route::Iommu(_)) {
            return if dev.is_untrusted() {
                swiotlb.max_mapping_size(dev)
            } else {
                u64::MAX
            };
        }
        let may_bounce = self.is_addressing_limited(dev)
            || swiotlb.is_force_bounce(dev)
            || dev.needs_unencrypted(self.platform().cc);
        if swiotlb.is_active(dev) && may_bounce {
            swiotlb.max_mapping_size(dev)
        } else {
            u64::MAX
        }
    }

    /// Returns whether the device can use the buffer where it lies.
    #[must_use]
    pub fn is_reachable(&self, dev: &Device, phys: PhysAddr, bytes: u64, attrs: Attrs) -> bool {
        let cc = self.platform().cc;
        let addr = dev.phys_to_dma(phys, cc, attrs.contains(Attrs::CC_SHARED));
        dev.is_capable(addr, bytes, attrs, cc)
    }
}

/// Returns whether windows cover a range of RAM without a gap.
fn is_covered(dev: &Device, ram: &RamRange) -> bool {
    let end = ram.start.raw().saturating_add(ram.bytes);
    let mut covered = ram.start.raw();
    while covered < end {
        let window = dev
            .ranges()
            .iter()
            .find(|range| covered.wrapping_sub(range.cpu_start.raw()) < range.bytes);
        let Some(range) = window else {
            return false;
        };
        covered = range.cpu_start.raw().saturating_add(range.bytes);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::DmaAddr;
    use crate::device::DmaRange;
    use crate::sizing::BootConfig;
    use crate::swiotlb::{Mode, Swiotlb};

    fn dma(platform: Platform) -> Dma {
        Dma::new(Swiotlb::new(platform, BootConfig::default(), Mode::Kernel))
    }

    fn ram(start: u64, bytes: u64) -> RamRange {
        RamRange {
            start: PhysAddr::new(start),
            bytes,
        }
    }

    #[test]
    fn a_mask_must_cover_the_dma_zone() {
        let dma = dma(Platform::default());
        let mut dev = Device::new("isa");
        assert_eq!(dma.set_mask(&mut dev, bit_mask(24)), Ok(()));
        assert_eq!(
            dma.set_mask(&mut dev, bit_mask(23)),
            Err(MaskError::TooNarrow {
                mask: bit_mask(23),
                needed: bit_mask(24)
            })
        );
        assert_eq!(dev.mask(), bit_mask(24));
    }

    #[test]
    fn little_memory_admits_a_narrow_mask_and_no_zone_a_wide_one_only() {
        let small = dma(Platform {
            ram: vec![ram(0, 8 << 20)],
            ..Platform::default()
        });
        let mut dev = Device::new("isa");
        assert_eq!(small.set_mask(&mut dev, bit_mask(23)), Ok(()));

        let zoneless = dma(Platform {
            zone_dma_limit: None,
            ..Platform::default()
        });
        assert!(zoneless.set_mask(&mut dev, bit_mask(31)).is_err());
        assert_eq!(zoneless.set_mask(&mut dev, bit_mask(32)), Ok(()));
    }

    #[test]
    fn a_device_without_a_mask_cannot_get_one() {
        let dma = dma(Platform::default());
        let mut dev = Device::new("d").without_dma_mask();
        let result = dma.set_mask_and_coherent(&mut dev, bit_mask(64));
        assert_eq!(result, Err(MaskError::NoDmaMask));
        assert_eq!(dev.mask(), bit_mask(32));
        assert_eq!(dma.max_mapping_size(&dev), 0);
    }

    #[test]
    fn a_device_without_a_mask_can_be_coerced_into_one() {
        let dma = dma(Platform::default());
        let mut dev = Device::new("d").without_dma_mask();
        let result = dma.coerce_mask_and_coherent(&mut dev, bit_mask(64));
        assert_eq!(result, Ok(()));
        assert_eq!(
            (dev.mask(), dev.coherent_mask()),
            (bit_mask(64), bit_mask(64))
        );
        let mut narrow = Device::new("d").without_dma_mask();
        assert!(
            dma.coerce_mask_and_coherent(&mut narrow, bit_mask(20))
                .is_err()
        );
        assert!(narrow.has_dma_mask());
    }

    #[test]
    fn nine_gib_of_ram_need_34_bits() {
        let dma = dma(Platform {
            ram: vec![ram(0, 0x2_4000_0000)],
            ..Platform::default()
        });
        let mut dev = Device::new("d");
        assert_eq!(dma.required_mask(&dev), 0x3_ffff_ffff);
        assert!(dma.is_addressing_limited(&dev));
        dma.set_mask_and_coherent(&mut dev, bit_mask(64)).unwrap();
        assert!(!dma.is_addressing_limited(&dev));
        assert_eq!(dev.coherent_mask(), bit_mask(64));
    }

    #[test]
    fn ram_outside_all_windows_limits_a_device() {
        let dma = dma(Platform {
            ram: vec![ram(0x8000_0000, 0x2000_0000)],
            ..Platform::default()
        });
        let window = |cpu: u64, bytes: u64| DmaRange {
            cpu_start: PhysAddr::new(cpu),
            dma_start: DmaAddr::new(cpu),
            bytes,
        };
        let halves = vec![
            window(0x8000_0000, 0x1000_0000),
            window(0x9000_0000, 0x1000_0000),
        ];
        let whole = Device::new("d").with_ranges(halves.clone());
        assert!(!dma.is_addressing_limited(&whole));
        let half = Device::new("d").with_ranges(vec![halves[1]]);
        assert!(dma.is_addressing_limited(&half));
    }
}
