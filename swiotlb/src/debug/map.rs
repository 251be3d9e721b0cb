//! What is checked and entered when a driver maps or allocates.

use crate::addr::{DmaAddr, PhysAddr};
use crate::area::CpuId;
use crate::attrs::Attrs;
use crate::debug::DmaDebug;
use crate::debug::entry::{Claim, Entry, ErrorCheck, MappingKind};
use crate::debug::error::DmaDebugError;
use crate::debug::layout::{any_holds, any_meets};
use crate::device::Device;
use crate::direction::DataDirection;

/// Circumstances of a call that makes a mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MapContext {
    /// CPU of the call.
    pub cpu: CpuId,
    /// Whether small buffers are bounced because they may share cache lines: then overlaps are
    /// none of the driver's doing.
    pub kmalloc_bounces: bool,
}

/// A mapping, as its map or unmap describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MappedRange {
    /// Memory of the driver, not of a bounce buffer.
    pub phys: PhysAddr,
    /// Address given to the device.
    pub dma: DmaAddr,
    /// Length in bytes.
    pub bytes: u64,
    /// Direction.
    pub dir: DataDirection,
    /// Attributes.
    pub attrs: Attrs,
}

/// A segment of a scatter/gather list, before or after mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MappedSegment {
    /// Memory of the segment.
    pub phys: PhysAddr,
    /// Its length in bytes.
    pub bytes: u64,
    /// Address given to the device.
    pub dma: DmaAddr,
    /// Length at that address in bytes; longer if following segments were merged into it.
    pub dma_bytes: u64,
}

impl MappedRange {
    pub(super) fn claim(&self, dev: &Device, kind: MappingKind) -> Claim {
        Claim {
            device: dev.id(),
            kind,
            dma: self.dma,
            phys: self.phys,
            bytes: self.bytes,
            dir: self.dir,
            attrs: self.attrs,
            sg_call_entries: 0,
        }
    }
}

impl MappedSegment {
    pub(super) fn claim(
        &self,
        dev: &Device,
        dir: DataDirection,
        attrs: Attrs,
        entries: u32,
    ) -> Claim {
        Claim {
            device: dev.id(),
            kind: MappingKind::ScatterGather,
            dma: self.dma,
            phys: self.phys,
            bytes: self.dma_bytes,
            dir,
            attrs,
            sg_call_entries: entries,
        }
    }
}

impl DmaDebug {
    /// Judges the address of a `map_single` before it is mapped (`debug_dma_map_single`).
    pub fn map_single(&mut self, dev: &Device, addr: PhysAddr, bytes: u64) {
        if self.is_disabled {
            return;
        }
        let linear = &self.layout.linear;
        if any_holds(&self.layout.vmalloc, addr) {
            self.report(dev, DmaDebugError::VmallocArea { addr, bytes }, None);
        } else if !linear.is_empty() && !any_holds(linear, addr) {
            self.report(dev, DmaDebugError::InvalidArea { addr, bytes }, None);
        }
    }

    /// Returns whether a `map_page` has to fail because the page is device memory; tells it once.
    pub fn map_page(&mut self, phys: PhysAddr) -> bool {
        let is_device_memory = !self.is_disabled && any_holds(&self.layout.device_memory, phys);
        if is_device_memory && !self.has_told_device_memory {
            self.has_told_device_memory = true;
            self.notice(DmaDebugError::DeviceMemoryPage { phys });
        }
        is_device_memory
    }

    /// Enters what `map_single`, `map_page`, `map_phys` or `map_resource` has mapped
    /// (`debug_dma_map_phys`). As in the kernel, this marks an older mapping at the same address as
    /// checked, if one is not.
    #[doc(alias = "debug_dma_map_phys")]
    pub fn map_phys(&mut self, dev: &Device, range: &MappedRange, context: MapContext) {
        if self.is_disabled || range.dma == DmaAddr::MAPPING_ERROR {
            return;
        }
        self.caller.cpu = context.cpu;
        self.mapping_error(dev, range.dma);
        if range.attrs.contains(Attrs::MMIO) {
            self.check_mmio(dev, range.phys);
        } else {
            self.check_memory(dev, range.phys, range.bytes);
        }
        let entry = Entry {
            claim: range.claim(dev, MappingKind::Phys),
            sg_mapped_entries: 0,
            check: ErrorCheck::NotChecked,
            mapper: self.caller.clone(),
        };
        self.add(dev, entry, context.kmalloc_bounces);
        self.check_single_segment(dev, range);
    }

    /// Enters the segments of a list of which the first `mapped` carry DMA addresses
    /// (`debug_dma_map_sg`).
    #[doc(alias = "debug_dma_map_sg")]
    pub fn map_sg(
        &mut self,
        dev: &Device,
        segments: &[MappedSegment],
        mapped: usize,
        dir: DataDirection,
        attrs: Attrs,
        context: MapContext,
    ) {
        if self.is_disabled {
            return;
        }
        self.caller.cpu = context.cpu;
        for segment in segments {
            self.check_memory(dev, segment.phys, segment.bytes);
        }
        let call_entries = entry_count(segments.len());
        for segment in segments.iter().take(mapped) {
            self.check_segment(dev, segment);
            let entry = Entry {
                claim: segment.claim(dev, dir, attrs, call_entries),
                sg_mapped_entries: entry_count(mapped),
                check: ErrorCheck::NotApplicable,
                mapper: self.caller.clone(),
            };
            self.add(dev, entry, context.kmalloc_bounces);
            if self.is_disabled {
                return;
            }
        }
    }

    /// Enters coherent memory (`debug_dma_alloc_coherent`). Memory of a private region is not told.
    #[doc(alias = "debug_dma_alloc_coherent")]
    pub fn alloc_coherent(&mut self, dev: &Device, range: &MappedRange, context: MapContext) {
        self.enter_allocation(dev, range, MappingKind::Coherent, context);
    }

    /// Enters pages of non-coherent memory (`debug_dma_alloc_pages`).
    pub fn alloc_pages(&mut self, dev: &Device, range: &MappedRange, context: MapContext) {
        self.enter_allocation(dev, range, MappingKind::Noncoherent, context);
    }

    fn enter_allocation(
        &mut self,
        dev: &Device,
        range: &MappedRange,
        kind: MappingKind,
        context: MapContext,
    ) {
        if self.is_disabled {
            return;
        }
        self.caller.cpu = context.cpu;
        let entry = Entry {
            claim: range.claim(dev, kind),
            sg_mapped_entries: 0,
            check: ErrorCheck::NotApplicable,
            mapper: self.caller.clone(),
        };
        self.add(dev, entry, context.kmalloc_bounces);
    }

    /// Enters a link of the IOVA-based API. The kernel keeps no book of links; here they count as
    /// `map_phys` whose result was looked at, because the call itself says whether it failed.
    pub fn link(&mut self, dev: &Device, range: &MappedRange, context: MapContext) {
        self.enter_allocation(dev, range, MappingKind::Phys, context);
    }

    /// Notes that the driver asked about an address (`debug_dma_mapping_error`): the oldest mapping
    /// there that is not yet checked now is.
    pub fn mapping_error(&mut self, dev: &Device, dma: DmaAddr) {
        if self.is_disabled {
            return;
        }
        let claim = MappedRange {
            phys: PhysAddr::new(0),
            dma,
            bytes: 0,
            dir: DataDirection::None,
            attrs: Attrs::NONE,
        }
        .claim(dev, MappingKind::Phys);
        let unchecked = self
            .table
            .at_address(claim)
            .find(|id| self.table.entry(*id).check == ErrorCheck::NotChecked);
        if let Some(id) = unchecked {
            self.table.entry_mut(id).check = ErrorCheck::Checked;
        }
    }

    fn check_mmio(&mut self, dev: &Device, phys: PhysAddr) {
        let layout = &self.layout;
        if any_holds(&layout.linear, phys) && !any_holds(&layout.reserved, phys) {
            self.report(dev, DmaDebugError::MmioOfRam { phys }, None);
        }
    }

    fn check_memory(&mut self, dev: &Device, addr: PhysAddr, bytes: u64) {
        if let Some(stack) = self.layout.stack_at(addr) {
            let is_probable = stack.is_vmapped;
            self.report(dev, DmaDebugError::FromStack { addr, is_probable }, None);
        }
        if any_meets(&self.layout.text, addr, bytes) {
            self.report(dev, DmaDebugError::KernelText { addr, bytes }, None);
        }
    }

    fn check_segment(&mut self, dev: &Device, segment: &MappedSegment) {
        let (bytes, max) = (segment.dma_bytes, dev.max_segment_bytes());
        if bytes > u64::from(max) {
            self.report(dev, DmaDebugError::SegmentTooLong { bytes, max }, None);
        }
        let boundary = dev.seg_boundary_mask();
        let (start, end) = first_and_last(segment.dma, bytes);
        if crosses(start, end, boundary) {
            let error = DmaDebugError::SegmentAcrossBoundary {
                start,
                end,
                boundary,
            };
            self.report(dev, error, None);
        }
    }
}

/// Returns first and last address of a range.
pub(super) const fn first_and_last(start: DmaAddr, bytes: u64) -> (DmaAddr, DmaAddr) {
    (start, start.wrapping_add(bytes).wrapping_sub(1))
}

/// Returns whether a boundary lies between two addresses.
pub(super) const fn crosses(start: DmaAddr, end: DmaAddr, boundary: u64) -> bool {
    (start.raw() ^ end.raw()) & !boundary != 0
}

/// Returns a list length as the kernel keeps it.
pub(super) fn entry_count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
