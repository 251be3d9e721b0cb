//! What is checked when a driver unmaps or frees.

use crate::addr::DmaAddr;
use crate::attrs::Attrs;
use crate::debug::DmaDebug;
use crate::debug::entry::{Claim, Entry, ErrorCheck, MappingKind};
use crate::debug::error::DmaDebugError;
use crate::debug::map::{MappedRange, MappedSegment, entry_count};
use crate::device::Device;
use crate::direction::DataDirection;

/// Attributes that must be the same at map and unmap.
const MUST_AGREE: Attrs = Attrs::NO_KERNEL_MAPPING
    .with(Attrs::FORCE_CONTIGUOUS)
    .with(Attrs::MMIO)
    .with(Attrs::REQUIRE_COHERENT)
    .with(Attrs::PRIVILEGED)
    .with(Attrs::CC_SHARED);

impl DmaDebug {
    /// Judges an unmap of a single mapping, and removes it (`debug_dma_unmap_phys`). `range.phys` is
    /// not looked at. The mapping layer calls this after it has unmapped.
    #[doc(alias = "debug_dma_unmap_phys")]
    pub fn unmap_phys(&mut self, dev: &Device, range: &MappedRange) {
        self.check_unmap(dev, &range.claim(dev, MappingKind::Phys));
    }

    /// Judges an unmap of a list, and removes its segments (`debug_dma_unmap_sg`). `segments` has
    /// the driver's number of entries. The mapping layer calls this before it unmaps.
    #[doc(alias = "debug_dma_unmap_sg")]
    pub fn unmap_sg(
        &mut self,
        dev: &Device,
        segments: &[MappedSegment],
        dir: DataDirection,
        attrs: Attrs,
    ) {
        if self.is_disabled {
            return;
        }
        let call_entries = entry_count(segments.len());
        let mut mapped = 0;
        for (number, segment) in (0..call_entries).zip(segments) {
            // A list that is not known has no number of segments: each of its entries is tried.
            if mapped != 0 && number >= mapped {
                break;
            }
            let claim = segment.claim(dev, dir, attrs, call_entries);
            if number == 0 {
                mapped = self.mapped_entries(&claim);
            }
            self.check_unmap(dev, &claim);
        }
    }

    /// Judges a free of coherent memory, and removes it (`debug_dma_free_coherent`). The mapping
    /// layer calls this before it frees.
    #[doc(alias = "debug_dma_free_coherent")]
    pub fn free_coherent(&mut self, dev: &Device, range: &MappedRange) {
        self.check_unmap(dev, &range.claim(dev, MappingKind::Coherent));
    }

    /// Judges a free of non-coherent pages, and removes them (`debug_dma_free_pages`). The mapping
    /// layer calls this before it frees.
    pub fn free_pages(&mut self, dev: &Device, range: &MappedRange) {
        self.check_unmap(dev, &range.claim(dev, MappingKind::Noncoherent));
    }

    /// Judges an unlink of the IOVA-based API, and removes the links in its range: it may cover any
    /// number of them, but none in part. The mapping layer calls this after it has unlinked.
    pub fn unlink(&mut self, dev: &Device, range: &MappedRange) {
        if self.is_disabled {
            return;
        }
        let end = range.dma.wrapping_add(range.bytes);
        let mut links: Vec<Claim> = self
            .table
            .all()
            .map(|(_, entry)| entry.claim)
            .filter(|link| link.device == dev.id() && link.kind == MappingKind::Phys)
            .filter(|link| range.dma <= link.dma && link.dma < end)
            .collect();
        links.sort_by_key(|link| link.dma);
        let unlink = range.claim(dev, MappingKind::Phys);
        if links.is_empty() {
            return self.check_unmap(dev, &unlink);
        }
        for link in links {
            let room = end.raw().wrapping_sub(link.dma.raw());
            let bytes = link.bytes.min(room);
            let (dma, phys) = (link.dma, link.phys);
            self.check_unmap(
                dev,
                &Claim {
                    dma,
                    phys,
                    bytes,
                    ..unlink
                },
            );
        }
    }

    /// Returns how many segments the list was mapped to that begins at a claim's address; 0 if
    /// there is none.
    pub(super) fn mapped_entries(&self, claim: &Claim) -> u32 {
        self.table
            .find_exact(claim)
            .map_or(0, |id| self.table.entry(id).sg_mapped_entries)
    }

    fn check_unmap(&mut self, dev: &Device, claim: &Claim) {
        if self.is_disabled {
            return;
        }
        let Some(id) = self.table.find_exact(claim) else {
            let error = if claim.dma == DmaAddr::MAPPING_ERROR {
                DmaDebugError::FreeInvalid
            } else {
                let (addr, bytes) = (claim.dma, claim.bytes);
                DmaDebugError::NotAllocated { addr, bytes }
            };
            return self.report(dev, error, None);
        };
        let entry = self.table.entry(id).clone();
        for error in differences(&entry, claim).into_iter().flatten() {
            self.report(dev, error, Some(entry.mapper.clone()));
        }
        self.table.remove(id);
        self.untrack_line(&entry.claim);
    }
}

/// Returns in what an unmap differs from its map, in the order of the kernel.
fn differences(entry: &Entry, claim: &Claim) -> [Option<DmaDebugError>; 6] {
    let mapped = &entry.claim;
    let (addr, bytes) = (claim.dma, claim.bytes);
    [
        (mapped.bytes != bytes).then_some(DmaDebugError::SizeDiffers {
            addr,
            mapped_bytes: mapped.bytes,
            bytes,
        }),
        kind_or_memory_differs(mapped, claim),
        list_differs(mapped, claim),
        (mapped.dir != claim.dir).then_some(DmaDebugError::DirectionDiffers {
            addr,
            bytes,
            mapped: mapped.dir,
            unmapped: claim.dir,
        }),
        (entry.check == ErrorCheck::NotChecked).then_some(DmaDebugError::ErrorNotChecked {
            addr,
            bytes,
            kind: mapped.kind,
        }),
        attrs_differ(mapped, claim),
    ]
}

fn kind_or_memory_differs(mapped: &Claim, claim: &Claim) -> Option<DmaDebugError> {
    let (addr, bytes) = (claim.dma, claim.bytes);
    if mapped.kind != claim.kind {
        return Some(DmaDebugError::WrongFunction {
            addr,
            bytes,
            mapped_as: mapped.kind,
            unmapped_as: claim.kind,
        });
    }
    let is_allocation = matches!(
        mapped.kind,
        MappingKind::Coherent | MappingKind::Noncoherent
    );
    (is_allocation && mapped.phys != claim.phys).then_some(DmaDebugError::CpuAddressDiffers {
        addr,
        bytes,
        allocated: mapped.phys,
        freed: claim.phys,
    })
}

fn list_differs(mapped: &Claim, claim: &Claim) -> Option<DmaDebugError> {
    let is_list = claim.kind == MappingKind::ScatterGather && claim.sg_call_entries != 0;
    let differs = mapped.sg_call_entries != claim.sg_call_entries;
    (is_list && differs).then_some(DmaDebugError::UnmapCountDiffers {
        mapped: mapped.sg_call_entries,
        unmapped: claim.sg_call_entries,
    })
}

fn attrs_differ(mapped: &Claim, claim: &Claim) -> Option<DmaDebugError> {
    let differs = (mapped.attrs.bits() ^ claim.attrs.bits()) & MUST_AGREE.bits() != 0;
    differs.then_some(DmaDebugError::AttrsDiffer {
        addr: claim.dma,
        bytes: claim.bytes,
        mapped: mapped.attrs,
        unmapped: claim.attrs,
    })
}
