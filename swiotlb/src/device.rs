//! The device as software sees it: what it can address, and how its buffers must lie.

mod parms;

use std::sync::Arc;
use std::sync::atomic::AtomicU64 as ProcessCounter;

use crate::addr::{DmaAddr, PhysAddr};
use crate::attrs::Attrs;
use crate::cc::CcPlatform;
use crate::iommu::{Attachment, IommuDomain};
use crate::own_buffers::OwnBuffers;
use crate::pool::AllocatorId;
use crate::sync_primitives::{AtomicU8, Ordering};
use crate::transient::TransientPools;

/// Returns the mask of the lowest `bits` bits (`DMA_BIT_MASK`); all ones from 64 on.
#[doc(alias = "DMA_BIT_MASK")]
#[must_use]
pub const fn bit_mask(bits: u32) -> u64 {
    if bits >= 64 {
        u64::MAX
    } else {
        (1 << bits) - 1
    }
}

/// Returns the smaller value, where zero means "no limit".
#[must_use]
pub const fn min_not_zero(a: u64, b: u64) -> u64 {
    if a == 0 || (b != 0 && b < a) { b } else { a }
}

/// Sync calls of the device return at once (`dma_skip_sync`).
const SKIPS_SYNC: u8 = 1;
/// The device has been given a bounce buffer (`dma_uses_io_tlb`). Never taken back.
const USES_IO_TLB: u8 = 2;

/// Identity of a device, different for each [`Device`] of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(u64);

/// One window through which a device sees physical memory (`struct bus_dma_region`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DmaRange {
    /// First physical address of the window.
    pub cpu_start: PhysAddr,
    /// DMA address at which the device sees it.
    pub dma_start: DmaAddr,
    /// Length in bytes.
    pub bytes: u64,
}

/// A DMA-capable device (`struct device`). Setters take `&mut`; calls that map take `&`.
#[derive(Debug)]
pub struct Device {
    id: DeviceId,
    name: String,
    driver: String,
    dma_mask: Option<u64>,
    coherent_dma_mask: u64,
    bus_dma_limit: u64,
    ranges: Vec<DmaRange>,
    min_align_mask: u32,
    seg_boundary_mask: u64,
    /// Any place in any pool suits: no alignment, no boundary, no window.
    is_unconstrained: bool,
    max_segment_bytes: u32,
    is_coherent: bool,
    unencrypted: Option<bool>,
    pub(crate) allocator: AllocatorId,
    /// [`SKIPS_SYNC`] and [`USES_IO_TLB`], in one word: a map looks at both.
    sync_state: AtomicU8,
    pub(crate) transient: TransientPools,
    pub(crate) own_buffers: OwnBuffers,
    has_parms: bool,
    has_set_mask: bool,
    masks_are_one: bool,
    iommu: Option<Attachment>,
    is_pci: bool,
    is_untrusted: bool,
}

impl Device {
    /// Makes a cache-coherent platform device: 32-bit masks, no bus limit, no constraint.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        static NEXT_ID: ProcessCounter = ProcessCounter::new(0);
        Self {
            id: DeviceId(NEXT_ID.fetch_add(1, std::sync::atomic::Ordering::Relaxed)),
            name: name.into(),
            driver: String::new(),
            dma_mask: Some(bit_mask(32)),
            coherent_dma_mask: bit_mask(32),
            bus_dma_limit: 0,
            ranges: Vec::new(),
            min_align_mask: 0,
            seg_boundary_mask: u64::MAX,
            is_unconstrained: true,
            max_segment_bytes: 65536,
            is_coherent: true,
            unencrypted: None,
            allocator: AllocatorId::DEFAULT,
            sync_state: AtomicU8::new(0),
            transient: TransientPools::default(),
            own_buffers: OwnBuffers::default(),
            has_parms: true,
            has_set_mask: false,
            masks_are_one: false,
            iommu: None,
            is_pci: false,
            is_untrusted: false,
        }
    }

    /// Makes a PCI device: as [`Device::new`], with a segment boundary of 4 GiB.
    #[must_use]
    pub fn pci(name: impl Into<String>) -> Self {
        let mut dev = Self::new(name).with_seg_boundary(bit_mask(32));
        dev.is_pci = true;
        dev
    }

    /// Puts the device behind an IOMMU (`iommu_attach_device` and `iommu_setup_dma_ops`): its
    /// mappings go through the domain from then on.
    #[doc(alias = "dma_iommu")]
    #[must_use]
    pub fn with_iommu(mut self, domain: Arc<IommuDomain>) -> Self {
        self.iommu = Some(Attachment::new(domain, self.is_pci));
        self
    }

    /// Lets the device, already behind an IOMMU, go around it while its mask and bus reach all
    /// memory (`dma_ops_bypass`). Without this call an IOMMU is never bypassed.
    #[doc(alias = "dma_ops_bypass")]
    #[must_use]
    pub fn with_ops_bypass(mut self) -> Self {
        if let Some(attachment) = &mut self.iommu {
            attachment.set_may_bypass();
        }
        self
    }

    /// Says that the device is external or otherwise not trusted (`dev->untrusted`): behind an
    /// IOMMU it is shown nothing but its buffers.
    #[doc(alias = "untrusted")]
    #[must_use]
    pub const fn with_untrusted(mut self, is_untrusted: bool) -> Self {
        self.is_untrusted = is_untrusted;
        self
    }

    /// Names the driver that the device is bound to.
    #[must_use]
    pub fn with_driver(mut self, driver: impl Into<String>) -> Self {
        self.driver = driver.into();
        self
    }

    /// Sets both DMA masks without asking the platform; see [`crate::Dma::set_mask_and_coherent`].
    #[must_use]
    pub const fn with_masks(mut self, mask: u64) -> Self {
        self.dma_mask = Some(mask);
        self.coherent_dma_mask = mask;
        self.has_set_mask = true;
        self
    }

    /// Takes away the DMA mask: the device is not DMA capable.
    #[must_use]
    pub const fn without_dma_mask(mut self) -> Self {
        self.dma_mask = None;
        self
    }

    /// Sets the highest DMA address that the bus passes (0: no limit).
    #[must_use]
    pub const fn with_bus_limit(mut self, limit: u64) -> Self {
        self.bus_dma_limit = limit;
        self
    }

    /// Sets the windows of the device on physical memory; none means DMA address = physical.
    #[must_use]
    pub fn with_ranges(mut self, ranges: Vec<DmaRange>) -> Self {
        self.ranges = ranges;
        self.note_constraints();
        self
    }

    /// Sets the address bits that a bounce buffer must keep (`dma_set_min_align_mask`).
    #[must_use]
    pub const fn with_min_align_mask(mut self, mask: u32) -> Self {
        self.store_min_align_mask(mask);
        self
    }

    /// Sets the boundary that no buffer may cross, as a mask; 0 means none
    /// (`dma_set_seg_boundary`).
    #[must_use]
    pub const fn with_seg_boundary(mut self, mask: u64) -> Self {
        self.store_seg_boundary(mask);
        self
    }

    /// Sets the longest segment; 0 means the default of 64 KiB (`dma_set_max_seg_size`).
    #[must_use]
    pub const fn with_max_segment(mut self, bytes: u32) -> Self {
        self.max_segment_bytes = if bytes == 0 { 65536 } else { bytes };
        self
    }

    /// Says whether the device snoops the CPU's caches.
    #[doc(alias = "dma_coherent")]
    #[must_use]
    pub const fn with_coherency(mut self, is_coherent: bool) -> Self {
        self.is_coherent = is_coherent;
        self
    }

    /// Overrides what the platform says about the need for unencrypted memory.
    #[must_use]
    pub const fn with_unencrypted(mut self, needs_unencrypted: bool) -> Self {
        self.unencrypted = Some(needs_unencrypted);
        self
    }

    /// Returns the identity.
    #[must_use]
    pub const fn id(&self) -> DeviceId {
        self.id
    }

    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the name of the driver, empty if the device is bound to none (`dev_driver_string`).
    #[doc(alias = "dev_driver_string")]
    #[must_use]
    pub fn driver(&self) -> &str {
        &self.driver
    }

    /// Returns whether a streaming mask was ever set; if not, the bus's default holds.
    #[must_use]
    pub const fn has_set_mask(&self) -> bool {
        self.has_set_mask
    }

    /// Returns the streaming mask, or the 32-bit mask if absent or zero (`dma_get_mask`).
    #[doc(alias = "dma_get_mask")]
    #[must_use]
    pub const fn mask(&self) -> u64 {
        match self.dma_mask {
            Some(mask) if mask != 0 => mask,
            _ => bit_mask(32),
        }
    }

    /// Returns whether the device has a streaming mask, that is, can do DMA.
    #[must_use]
    pub const fn has_dma_mask(&self) -> bool {
        self.dma_mask.is_some()
    }

    /// Returns the streaming mask as stored; 0 if there is none (as trace lines show it).
    #[must_use]
    pub const fn raw_mask(&self) -> u64 {
        match self.dma_mask {
            Some(mask) => mask,
            None => 0,
        }
    }

    /// Returns the mask for coherent memory.
    #[doc(alias = "coherent_dma_mask")]
    #[must_use]
    pub const fn coherent_mask(&self) -> u64 {
        self.coherent_dma_mask
    }

    /// Returns the highest DMA address that the bus passes; 0 means no limit.
    #[must_use]
    pub const fn bus_limit(&self) -> u64 {
        self.bus_dma_limit
    }

    /// Returns the highest DMA address that device and bus reach together.
    #[must_use]
    pub const fn reach(&self) -> u64 {
        min_not_zero(self.raw_mask(), self.bus_dma_limit)
    }

    /// Returns the windows on physical memory.
    #[must_use]
    pub fn ranges(&self) -> &[DmaRange] {
        &self.ranges
    }

    /// Returns the address bits that a bounce buffer must keep.
    #[doc(alias = "dma_get_min_align_mask")]
    #[must_use]
    pub const fn min_align_mask(&self) -> u32 {
        self.min_align_mask
    }

    /// Returns the segment boundary as a mask.
    #[doc(alias = "dma_get_seg_boundary")]
    #[must_use]
    pub const fn seg_boundary_mask(&self) -> u64 {
        self.seg_boundary_mask
    }

    /// Returns the longest segment in bytes.
    #[doc(alias = "dma_get_max_seg_size")]
    #[must_use]
    pub const fn max_segment_bytes(&self) -> u32 {
        self.max_segment_bytes
    }

    /// Returns whether the device snoops the CPU's caches.
    #[must_use]
    pub const fn is_coherent(&self) -> bool {
        self.is_coherent
    }

    /// Returns the allocator that serves the device.
    #[must_use]
    pub const fn allocator(&self) -> AllocatorId {
        self.allocator
    }

    /// Returns the device's place behind an IOMMU, if it has one (`use_dma_iommu`).
    #[doc(alias = "use_dma_iommu")]
    #[must_use]
    pub const fn iommu(&self) -> Option<&Attachment> {
        self.iommu.as_ref()
    }

    /// Returns whether the device is not trusted.
    #[must_use]
    pub const fn is_untrusted(&self) -> bool {
        self.is_untrusted
    }

    /// Returns whether sync calls return at once (`dma_skip_sync`).
    #[must_use]
    pub fn skips_sync(&self) -> bool {
        self.sync_state.load(Ordering::Relaxed) & SKIPS_SYNC != 0
    }

    pub(crate) fn set_skips_sync(&self, skips: bool) {
        if skips {
            self.sync_state.fetch_or(SKIPS_SYNC, Ordering::Relaxed);
        } else {
            self.need_sync();
        }
    }

    /// Ends the skipping of syncs.
    pub(crate) fn need_sync(&self) {
        self.sync_state.fetch_and(!SKIPS_SYNC, Ordering::Relaxed);
    }

    /// Notes that the device has a bounce buffer, which must be synced. What is noted already is not
    /// written again: devices are shared by threads.
    #[inline(always)]
    pub(crate) fn note_bounced(&self) {
        if self.sync_state.load(Ordering::Relaxed) != USES_IO_TLB {
            self.note_first_bounce();
        }
    }

    #[cold]
    fn note_first_bounce(&self) {
        self.set_uses_io_tlb();
        self.need_sync();
    }

    /// Returns whether the device was ever given a bounce buffer.
    #[inline]
    pub(crate) fn uses_io_tlb(&self) -> bool {
        self.sync_state.load(Ordering::Acquire) & USES_IO_TLB != 0
    }

    /// Notes that the device has a bounce buffer. Pairs with [`Device::uses_io_tlb`]: who learns the
    /// address sees the flag.
    pub(crate) fn set_uses_io_tlb(&self) {
        self.sync_state.fetch_or(USES_IO_TLB, Ordering::Release);
    }

    /// Returns whether the device can only use unencrypted memory on `platform`.
    #[must_use]
    pub const fn needs_unencrypted(&self, platform: CcPlatform) -> bool {
        match (self.unencrypted, platform) {
            (Some(needs), _) => needs,
            (None, CcPlatform::None) => false,
            (None, CcPlatform::Guest(_)) => true,
            (None, CcPlatform::Host { encryption_bit }) => {
                self.iommu.is_none()
                    && min_not_zero(self.coherent_dma_mask, self.bus_dma_limit)
                        <= bit_mask(encryption_bit as u32)
            }
        }
    }

    /// Returns the DMA address of `phys` in its shared or private form; all ones if the device has
    /// no window on it (`phys_to_dma`).
    #[must_use]
    pub fn phys_to_dma(&self, phys: PhysAddr, platform: CcPlatform, shared: bool) -> DmaAddr {
        let dma = if self.ranges.is_empty() {
            phys.raw()
        } else {
            let window = self
                .ranges
                .iter()
                .find(|range| phys.raw().wrapping_sub(range.cpu_start.raw()) < range.bytes);
            let Some(range) = window else {
                return DmaAddr::MAPPING_ERROR;
            };
            let offset = phys.raw().wrapping_sub(range.cpu_start.raw());
            range.dma_start.raw().wrapping_add(offset)
        };
        DmaAddr::new(dma | platform.marker_bits(shared))
    }

    /// Returns the physical address behind `dma`; all ones if there is none (`dma_to_phys`).
    #[must_use]
    pub fn dma_to_phys(&self, dma: DmaAddr, platform: CcPlatform) -> PhysAddr {
        let dma = dma.raw() & !platform.all_marker_bits();
        if self.ranges.is_empty() {
            return PhysAddr::new(dma);
        }
        self.ranges
            .iter()
            .find(|range| dma.wrapping_sub(range.dma_start.raw()) < range.bytes)
            .map_or(PhysAddr::INVALID, |range| {
                let offset = dma.wrapping_sub(range.dma_start.raw());
                range.cpu_start.wrapping_add(offset)
            })
    }

    /// Returns whether the device can use `bytes` bytes at `addr` (`dma_capable`).
    ///
    /// The comparison is numeric. The end is computed modulo 2^64, as in the kernel: a size of zero
    /// makes it `addr - 1`, and a buffer that wraps around ends low.
    #[must_use]
    pub fn is_capable(
        &self,
        addr: DmaAddr,
        bytes: u64,
        attrs: Attrs,
        platform: CcPlatform,
    ) -> bool {
        if addr == DmaAddr::MAPPING_ERROR {
            return false;
        }
        if !attrs.contains(Attrs::CC_SHARED) && self.needs_unencrypted(platform) {
            return false;
        }
        addr.raw().wrapping_add(bytes).wrapping_sub(1) <= self.reach()
    }

    /// Returns whether any place in any pool suits: no alignment, no boundary, no window.
    #[inline(always)]
    pub(crate) const fn is_unconstrained(&self) -> bool {
        self.is_unconstrained
    }

    /// Returns `addr` under the low bits that a slot must keep.
    pub(crate) const fn align_offset(&self, alloc_align_mask: u32, addr: u64) -> u64 {
        addr & (self.min_align_mask & (alloc_align_mask | 2047)) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_translate_both_ways_and_refuse_the_rest() {
        let dev = Device::new("soc").with_ranges(vec![DmaRange {
            cpu_start: PhysAddr::new(0x8000_0000),
            dma_start: DmaAddr::new(0),
            bytes: 0x1000_0000,
        }]);
        let none = CcPlatform::None;
        let dma = dev.phys_to_dma(PhysAddr::new(0x8000_1000), none, false);
        assert_eq!(dma, DmaAddr::new(0x1000));
        assert_eq!(dev.dma_to_phys(dma, none), PhysAddr::new(0x8000_1000));
        let outside = dev.phys_to_dma(PhysAddr::new(0x9000_0000), none, false);
        assert_eq!(outside, DmaAddr::MAPPING_ERROR);
        assert!(!dev.is_capable(outside, 1, Attrs::NONE, none));
        assert_eq!(
            dev.dma_to_phys(DmaAddr::new(0x1000_0000), none),
            PhysAddr::INVALID
        );
    }

    #[test]
    fn the_last_byte_decides_and_the_smaller_limit_counts() {
        let none = CcPlatform::None;
        let dev = Device::new("d").with_masks(bit_mask(32));
        let top = DmaAddr::new(0xffff_f000);
        assert!(dev.is_capable(top, 4096, Attrs::NONE, none));
        assert!(!dev.is_capable(top, 4097, Attrs::NONE, none));
        let limited = Device::new("d").with_bus_limit(0x10f_ffff);
        assert!(limited.is_capable(DmaAddr::new(0x10f_f000), 4096, Attrs::NONE, none));
        assert!(!limited.is_capable(DmaAddr::new(0x110_0000), 1, Attrs::NONE, none));
    }

    #[test]
    fn a_guest_reaches_shared_memory_only() {
        let guest = CcPlatform::Guest(crate::AddressMarker::None);
        let dev = Device::new("d");
        let addr = DmaAddr::new(0x1000);
        assert!(!dev.is_capable(addr, 1, Attrs::NONE, guest));
        assert!(dev.is_capable(addr, 1, Attrs::CC_SHARED, guest));
    }

    #[test]
    fn host_encryption_concerns_devices_that_cannot_set_the_bit() {
        let host = CcPlatform::Host { encryption_bit: 47 };
        assert!(Device::new("d").needs_unencrypted(host));
        assert!(
            !Device::new("d")
                .with_masks(bit_mask(64))
                .needs_unencrypted(host)
        );
        let wide = Device::new("d").with_masks(bit_mask(64));
        let addr = wide.phys_to_dma(PhysAddr::new(0x1000), host, false);
        assert_eq!(addr, DmaAddr::new(0x8000_0000_1000));
        assert_eq!(wide.dma_to_phys(addr, host), PhysAddr::new(0x1000));
    }

    #[test]
    fn zero_means_no_limit() {
        assert_eq!(min_not_zero(0, 5), 5);
        assert_eq!(min_not_zero(5, 0), 5);
        assert_eq!(min_not_zero(7, 5), 5);
        assert_eq!(min_not_zero(0, 0), 0);
    }
}
