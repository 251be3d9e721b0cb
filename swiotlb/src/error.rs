//! Refused requests, with the facts that the kernel prints and those it keeps to itself.

use std::fmt;

use crate::addr::{DmaAddr, PhysAddr};
use crate::direction::DataDirection;
use crate::iommu::IommuError;
use crate::memory::MemoryError;
use crate::pool::AllocatorId;
use crate::slot::{MAX_ALLOC_BYTES, SLOT_BYTES};

/// A request that cannot be searched for at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SearchError {
    ZeroSize,
    AboveSlotSet,
    BadBoundary { mask: u64 },
}

/// Why no run of slots was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FullReason {
    /// The request, with offset and rounding, is above 256 KiB, which no pool can give.
    AboveSlotSet,
    /// The request is longer than the distance of two segment boundaries.
    AboveBoundary,
    /// Too few slots are free.
    FewFree {
        /// Free slots of all pools.
        free: u64,
    },
    /// Enough slots are free, but no run of them is long enough.
    Fragmented {
        /// Longest free run in slots.
        longest_run: u32,
    },
    /// Long enough runs are free, but none begins where the allocation must be aligned.
    Misaligned {
        /// Bits of the slot's DMA address that must be zero.
        mask: u64,
    },
    /// Aligned runs are free, but on the wrong side: none begins where the address has the bits of
    /// the original that `min_align_mask` keeps.
    WrongSide {
        /// Bits that must be those of the original address.
        mask: u64,
    },
    /// Aligned runs are free, but each crosses a segment boundary.
    CrossesBoundary {
        /// The device's mask.
        mask: u64,
    },
    /// A suitable run is free, but the area in which it begins counts too few free slots, or no area
    /// was looked at.
    AreasExhausted {
        /// Areas that a search looks at in each pool.
        searched_areas: u32,
    },
    /// A suitable run is free, but the search stepped over it: it counts whole strides, and stops
    /// when they add up to the area.
    SteppedOver {
        /// Slots of a stride.
        stride: u64,
    },
}

impl FullReason {
    /// Says what would have helped, whatever allocator it was; [`Full::help`] also says how to get it
    /// there.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            Self::AboveSlotSet => "map at most what max_mapping_size says, in several pieces",
            Self::AboveBoundary => "map pieces no longer than the segment boundary",
            Self::FewFree { .. } => "a larger pool, or fewer live mappings",
            Self::Fragmented { .. } => "smaller mappings, or a larger pool",
            Self::Misaligned { .. } => {
                "a larger pool, or one whose base has the alignment asked for"
            }
            Self::WrongSide { .. } => {
                "a buffer whose low address bits are those of free slots, or a larger pool"
            }
            Self::CrossesBoundary { .. } => "smaller mappings, or a pool aligned to the boundary",
            Self::AreasExhausted { searched_areas: 0 } => {
                "a default pool made before the first map"
            }
            Self::AreasExhausted { .. } => {
                "fewer areas (swiotlb=<slots>,<areas>), or a larger pool"
            }
            Self::SteppedOver { .. } => {
                "a larger pool, or to try again when another map has moved the search"
            }
        }
    }
}

impl fmt::Display for FullReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AboveSlotSet => write!(f, "more than a slot set of {MAX_ALLOC_BYTES} bytes"),
            Self::AboveBoundary => f.write_str("longer than the segment boundary allows"),
            Self::FewFree { free } => write!(f, "only {free} free"),
            Self::Fragmented { longest_run } => write!(f, "longest free run {longest_run}"),
            Self::Misaligned { mask } => {
                write!(f, "no free run where address bits {mask:#x} are zero")
            }
            Self::WrongSide { mask } => {
                write!(f, "no free run with the original's address bits {mask:#x}")
            }
            Self::CrossesBoundary { mask } => {
                write!(
                    f,
                    "every free run crosses a segment boundary (mask {mask:#x})"
                )
            }
            Self::AreasExhausted { searched_areas } => write!(
                f,
                "a run is free, but not in the {searched_areas} areas searched that count enough \
                 free slots"
            ),
            Self::SteppedOver { stride } => {
                write!(
                    f,
                    "a run is free, but the search steps over it by {stride} slots"
                )
            }
        }
    }
}

/// What the kernel's "swiotlb buffer is full" says, and why it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full {
    /// Bytes asked for, alignment offset and rounding included.
    pub bytes: u64,
    /// Slots of the allocator.
    pub total_slots: u64,
    /// Slots in use, as reported to the administrator.
    pub used_slots: u64,
    /// Why the rest was not good enough.
    pub why: FullReason,
    /// Whether the allocator can get more slots, and what came of it.
    pub more: MoreSlots,
}

impl Full {
    /// Says what would have helped, and how to get it for this allocator.
    #[must_use]
    pub fn help(&self) -> String {
        match self.why {
            // No pool helps here, however large.
            FullReason::AboveSlotSet
            | FullReason::AboveBoundary
            | FullReason::AreasExhausted { searched_areas: 0 } => self.why.help().to_owned(),
            _ => format!("{}; {}", self.why.help(), self.more.help()),
        }
    }
}

/// Whether a full allocator can get more slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MoreSlots {
    /// No: its pool has the size of the start.
    Fixed,
    /// No: its pool is a region of the device tree.
    Restricted,
    /// Not any more: growth has ended ([`crate::Swiotlb::default_base`], or a remap call).
    GrowthEnded,
    /// Yes, with the next pending work. Until then a mapping may get a pool for itself.
    Growing {
        /// Why the mapping got none; `None` if none was tried.
        alone: Option<NoPoolAlone>,
    },
}

impl MoreSlots {
    /// Says how the allocator comes to more slots.
    const fn help(self) -> &'static str {
        match self {
            Self::Fixed => {
                "swiotlb=<slots> sets the size of the pool, and a policy that adds pools lets it grow"
            }
            Self::Restricted => {
                "the pool is as large as its restricted region, which neither parameters nor \
                 policies change"
            }
            Self::GrowthEnded => "growth has ended, so that swiotlb=<slots> alone sets the size",
            Self::Growing { alone } => match alone {
                Some(NoPoolAlone::NoSource) => "a source of pages (set_page_source) to grow from",
                Some(NoPoolAlone::NoSharedPages) => {
                    "run_pending_work adds a pool, or pages that are shared already \
                     (PageOrigin::Atomic)"
                }
                _ => "run_pending_work adds a pool, if the page source has pages for it",
            },
        }
    }
}

/// Why a mapping got no pool for itself alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoPoolAlone {
    /// The layer has no page source.
    #[error("there is no source of pages")]
    NoSource,
    /// The page source has no block within the device's reach.
    #[error("there are no pages within the device's reach")]
    NoPages,
    /// A confidential guest needs pages that are shared already, and there are none within the reach
    /// of the coherent mask.
    #[error("no pages are shared already within the device's reach")]
    NoSharedPages,
    /// The page source gave what cannot be a pool.
    #[error("the pages given are no memory for a pool")]
    NoMemory,
    /// The pages do not lie as the masks of the request want it, and such a pool has no slot to spare.
    #[error("the pages do not lie as the masks want it")]
    Misplaced,
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "swiotlb full: need {} slots for {} bytes, {} of {} used, {}",
            self.bytes.div_ceil(SLOT_BYTES),
            self.bytes,
            self.used_slots,
            self.total_slots,
            self.why
        )?;
        match self.more {
            MoreSlots::Growing { alone: Some(cause) } => {
                write!(f, "; no pool for this mapping alone: {cause}")
            }
            _ => Ok(()),
        }
    }
}

/// A mapping that was refused. The kernel's caller sees only `DMA_MAPPING_ERROR`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MapError {
    /// The device has no streaming mask: it cannot do DMA.
    #[error("the device has no DMA mask")]
    NoDmaMask,
    /// The direction is `DMA_NONE`; the kernel would stop here.
    #[error("a mapping needs a direction, got {0}")]
    BadDirection(DataDirection),
    /// The buffer is device memory, which the debug layer refuses.
    #[error("{0} is device memory, which cannot be mapped as a page")]
    DeviceMemory(PhysAddr),
    /// `REQUIRE_COHERENT` on a device that does not snoop caches.
    #[error("REQUIRE_COHERENT was asked for, but the device is not cache coherent")]
    NotCoherent,
    /// Bouncing is forced, but the attributes forbid it.
    #[error("every mapping must bounce, but MMIO or REQUIRE_COHERENT forbids it")]
    BounceForbidden,
    /// The device cannot address the buffer, and it cannot or must not be bounced.
    #[error(
        "device cannot address {addr} + {bytes} bytes (mask {mask:#x}, bus limit {bus_limit:#x}) \
         and the buffer is not bounced"
    )]
    NotCapable {
        /// DMA address of the buffer; all ones if the device has no window on it.
        addr: DmaAddr,
        /// Length in bytes.
        bytes: u64,
        /// Streaming mask.
        mask: u64,
        /// Bus limit; 0 means none.
        bus_limit: u64,
    },
    /// The buffer was bounced, but the device cannot address the bounce buffer either.
    #[error(
        "device cannot address its bounce buffer {addr} + {bytes} bytes (mask {mask:#x}, bus \
         limit {bus_limit:#x})"
    )]
    BounceNotCapable {
        /// DMA address of the bounce buffer.
        addr: DmaAddr,
        /// Length in bytes.
        bytes: u64,
        /// Streaming mask.
        mask: u64,
        /// Bus limit; 0 means none.
        bus_limit: u64,
    },
    /// The device's allocator has no pool.
    #[error("the device's allocator has no pool to bounce through")]
    Inactive,
    /// No suitable run of slots is free.
    #[error("{0}")]
    Full(Full),
    /// The pool is shared and the device needs private memory, or the other way round.
    #[error("the pool is {}, but the device needs the other kind", shared_word(*.pool_is_shared))]
    CcMismatch {
        /// Whether the pool is shared (decrypted) memory.
        pool_is_shared: bool,
    },
    /// Nothing was to be mapped, and no offset has to be kept in front of it; the kernel would
    /// stop here.
    #[error("a mapping must have at least one byte")]
    ZeroSize,
    /// The buffer reaches over the end of the address space (strict mode only; the kernel calculates
    /// on with the sum that wraps).
    #[error("{bytes} bytes from {phys} on reach over the end of the 64-bit address space")]
    AboveAddressSpace {
        /// First byte.
        phys: PhysAddr,
        /// Length in bytes.
        bytes: u64,
    },
    /// `mask + 1` is no power of two; the kernel would stop here.
    #[error("segment boundary mask {mask:#x} is not a power of two less one")]
    BadBoundary {
        /// The device's mask.
        mask: u64,
    },
    /// `mask + 1` is no power of two; the kernel's rounding would be meaningless.
    #[error("allocation alignment mask {mask:#x} is not a power of two less one")]
    BadAlignMask {
        /// The caller's mask.
        mask: u32,
    },
    /// The pointer is into vmalloc memory, which need not be contiguous.
    #[error("vmalloc memory at {phys} cannot be mapped as one buffer")]
    Vmalloc {
        /// First byte.
        phys: PhysAddr,
    },
    /// The value is a cookie of an allocation without a CPU address.
    #[error("the allocation at {phys} has no CPU address to map")]
    NoCpuAddress {
        /// First byte.
        phys: PhysAddr,
    },
    /// A page was to be mapped as MMIO.
    #[error("a page of memory cannot be mapped as MMIO")]
    MmioPage,
    /// Behind an IOMMU: the buffer must bounce, but `REQUIRE_COHERENT` forbids it.
    #[error("the buffer does not fill granules and must bounce, but REQUIRE_COHERENT forbids it")]
    GranuleBounceForbidden,
    /// Behind an IOMMU: `min_align_mask` asks for more than the granule keeps.
    #[error(
        "min_align_mask {mask:#x} is not supported behind an IOMMU with granules of {granule} bytes"
    )]
    AlignmentAboveGranule {
        /// The device's mask.
        mask: u32,
        /// Granule in bytes.
        granule: u64,
    },
    /// The IOMMU refused.
    #[error(transparent)]
    Iommu(#[from] IommuError),
    /// The buffer is not memory.
    #[error(transparent)]
    Memory(#[from] MemoryError),
}

fn shared_word(is_shared: bool) -> &'static str {
    if is_shared { "shared" } else { "private" }
}

/// A release that was refused. The first three come in strict mode only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnmapError {
    /// No mapping holds the address.
    #[error("{addr} lies in the bounce pool, but no mapping holds it")]
    NotMapped {
        /// Address given.
        addr: PhysAddr,
    },
    /// The address lies in a mapping, but it does not begin there.
    #[error("{addr} is not the start of its mapping, which is {start}")]
    NotBufferStart {
        /// Address given.
        addr: PhysAddr,
        /// Where the mapping begins.
        start: PhysAddr,
    },
    /// The size is not that of the map.
    #[error("{addr} was mapped with {mapped_bytes} bytes, but is unmapped with {bytes}")]
    SizeMismatch {
        /// Address given.
        addr: PhysAddr,
        /// Bytes given.
        bytes: u64,
        /// Bytes at map time.
        mapped_bytes: u64,
    },
    /// The release would reach out of the pool; the kernel would destroy its own data here.
    #[error("releasing {addr} would reach out of its pool")]
    OutOfPool {
        /// Address given.
        addr: PhysAddr,
    },
    /// The mapping was made for another device, or with another `min_align_mask`.
    #[error("the mapping belongs to another device, or its min_align_mask was changed")]
    WrongDevice,
    /// The direction is `DMA_NONE`.
    #[error("an unmap needs a direction, got {0}")]
    BadDirection(DataDirection),
    /// The IOMMU does not hold what is unmapped (strict mode only).
    #[error(transparent)]
    Iommu(#[from] IommuError),
    /// The original buffer is not memory any more.
    #[error(transparent)]
    Memory(#[from] MemoryError),
}

/// A sync that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SyncError {
    /// The direction is `DMA_NONE`; the kernel would stop here.
    #[error("a sync needs a direction, got {0}")]
    BadDirection(DataDirection),
    /// The range leaves the mapping it was given with.
    #[error("{offset} + {bytes} bytes leave the mapping of {mapped_bytes}")]
    OutOfMapping {
        /// Offset given.
        offset: u64,
        /// Bytes given.
        bytes: u64,
        /// Bytes of the mapping.
        mapped_bytes: u64,
    },
    /// The mapping was made for another device.
    #[error("the mapping belongs to another device")]
    WrongDevice,
    /// The IOMMU does not map what is synced (strict mode only).
    #[error(transparent)]
    Iommu(#[from] IommuError),
    /// The copy reached what is not memory.
    #[error(transparent)]
    Memory(#[from] MemoryError),
}

/// Pages of a restricted pool that were not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AllocError {
    /// The device's allocator has no pool.
    #[error("the device's allocator has no pool to allocate from")]
    Inactive,
    /// No suitable run of slots is free.
    #[error("{0}")]
    Full(Full),
    /// The pool is shared and the caller wants private memory, or the other way round.
    #[error("the pool is {}, but the caller wants the other kind", shared_word(*.pool_is_shared))]
    CcMismatch {
        /// Whether the pool is shared (decrypted) memory.
        pool_is_shared: bool,
    },
    /// The run found is not page aligned, because the pool is not.
    #[error("cannot allocate pages from non page-aligned {addr}")]
    Unaligned {
        /// First byte of the run.
        addr: PhysAddr,
    },
    /// Nothing was to be allocated.
    #[error("an allocation must have at least one byte")]
    ZeroSize,
    /// The device's segment boundary mask plus one is no power of two.
    #[error("segment boundary mask {mask:#x} is not a power of two less one")]
    BadBoundary {
        /// The device's mask.
        mask: u64,
    },
}

/// A pool that could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InitError {
    /// The page source gave nothing that was enough (`-ENOMEM`).
    #[error("no memory for a bounce pool, last tried {bytes} bytes")]
    NoMemory {
        /// Bytes of the last request; 0 if the size was too small to be tried.
        bytes: u64,
    },
    /// The remap call refused (its code).
    #[error("the remap of {bytes} bytes failed with {code}")]
    RemapFailed {
        /// Bytes to be remapped.
        bytes: u64,
        /// The negative code.
        code: i32,
    },
    /// The pages could not be made shared (their code).
    #[error("the pool's pages could not be shared: {code}")]
    ShareFailed {
        /// The negative code.
        code: i32,
    },
    /// The pool has more slots than the layer keeps books on (`-ENOMEM`).
    #[error(
        "{slots} slots are more than a pool can have ({})",
        crate::MAX_POOL_SLOTS
    )]
    TooManySlots {
        /// Slots asked for.
        slots: u64,
    },
    /// The pool does not begin on a multiple of 2048 (`-EINVAL`).
    #[error("the pool's base {base} is not a multiple of {SLOT_BYTES}")]
    OffGrid {
        /// First byte.
        base: PhysAddr,
    },
    /// The pool shares memory with another one (`-EINVAL`).
    #[error("the pool at {base} overlaps the one at {other}")]
    Overlaps {
        /// First byte.
        base: PhysAddr,
        /// First byte of the other pool.
        other: PhysAddr,
    },
    /// The device is behind an IOMMU, where restricted pools do not serve (`-EINVAL`).
    #[error("a restricted pool serves no device behind an IOMMU")]
    BehindIommu,
    /// The device has a restricted pool already; of several regions the first counts (`-EINVAL`).
    #[error("the device has the restricted pool {} already, and only the first counts", .first.number())]
    NotFirstRegion {
        /// The pool that it has.
        first: AllocatorId,
    },
    /// The arguments are impossible (`-EINVAL`).
    #[error("invalid pool: {what}")]
    Invalid {
        /// What is wrong.
        what: &'static str,
    },
    /// The pool is not memory.
    #[error(transparent)]
    Memory(#[from] MemoryError),
}

impl InitError {
    /// Returns the kernel's negative code.
    #[must_use]
    pub const fn errno(&self) -> i32 {
        match self {
            Self::NoMemory { .. } | Self::TooManySlots { .. } => -12,
            Self::RemapFailed { code, .. } | Self::ShareFailed { code } => *code,
            Self::Invalid { .. }
            | Self::OffGrid { .. }
            | Self::Overlaps { .. }
            | Self::BehindIommu
            | Self::NotFirstRegion { .. } => -22,
            Self::Memory(_) => -14,
        }
    }
}

/// A mask that the platform refuses (`-EIO`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MaskError {
    /// The device cannot do DMA.
    #[error("the device has no DMA mask to set")]
    NoDmaMask,
    /// The mask does not cover the memory that can always be had.
    #[error("mask {mask:#x} is too narrow: at least {needed:#x} is needed")]
    TooNarrow {
        /// Mask given.
        mask: u64,
        /// Narrowest mask that works here.
        needed: u64,
    },
}

/// A write to `io_tlb_used_hiwater` that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidHiwater {
    /// The value may not be written (`-EINVAL`).
    #[error("only 0 may be written to io_tlb_used_hiwater, got {value}")]
    Value {
        /// Value written.
        value: u64,
    },
    /// There is no such allocator.
    #[error("there is no allocator {}", .id.number())]
    UnknownAllocator {
        /// Allocator named.
        id: AllocatorId,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_pool_says_what_was_needed_and_why_it_failed() {
        let full = Full {
            bytes: 5000,
            total_slots: 512,
            used_slots: 510,
            why: FullReason::Fragmented { longest_run: 2 },
            more: MoreSlots::Fixed,
        };
        assert_eq!(
            MapError::Full(full).to_string(),
            "swiotlb full: need 3 slots for 5000 bytes, 510 of 512 used, longest free run 2"
        );
        let alone = Some(NoPoolAlone::NoSource);
        let growing = Full {
            more: MoreSlots::Growing { alone },
            ..full
        };
        assert_eq!(
            growing.to_string(),
            "swiotlb full: need 3 slots for 5000 bytes, 510 of 512 used, longest free run 2; no pool \
             for this mapping alone: there is no source of pages"
        );
    }

    #[test]
    fn init_errors_have_the_kernels_codes() {
        assert_eq!(InitError::NoMemory { bytes: 0 }.errno(), -12);
        assert_eq!(InitError::Invalid { what: "x" }.errno(), -22);
        assert_eq!(InitError::RemapFailed { bytes: 1, code: -5 }.errno(), -5);
    }
}
