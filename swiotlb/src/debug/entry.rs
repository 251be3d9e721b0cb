//! What the debug layer knows of one mapping, and what a lookup asks for.

use std::fmt;

use crate::addr::{DmaAddr, PhysAddr};
use crate::attrs::Attrs;
use crate::debug::caller::Caller;
use crate::device::DeviceId;
use crate::direction::DataDirection;

/// By which kind of call a mapping was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MappingKind {
    /// Only lookups of single syncs have it: no call records it, and so no sync is a perfect match.
    Single,
    /// A segment of a scatter/gather list.
    ScatterGather,
    /// Coherent memory.
    Coherent,
    /// Pages of non-coherent memory.
    Noncoherent,
    /// `map_single`, `map_page`, `map_phys` and `map_resource`.
    Phys,
}

impl fmt::Display for MappingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Single => "single",
            Self::ScatterGather => "scatter-gather",
            Self::Coherent => "coherent",
            Self::Noncoherent => "noncoherent",
            Self::Phys => "phy",
        })
    }
}

/// Whether the driver has asked `dma_mapping_error` about a mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorCheck {
    /// The call reports failure in another way.
    NotApplicable,
    /// Not yet.
    NotChecked,
    /// It has.
    Checked,
}

impl fmt::Display for ErrorCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NotApplicable => "check not applicable",
            Self::NotChecked => "not checked",
            Self::Checked => "checked",
        })
    }
}

/// What a call says about a mapping; the key of lookups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) device: DeviceId,
    pub(super) kind: MappingKind,
    pub(super) dma: DmaAddr,
    pub(super) phys: PhysAddr,
    pub(super) bytes: u64,
    pub(super) dir: DataDirection,
    pub(super) attrs: Attrs,
    /// Entries of the scatter/gather list as the driver gave them; 0 for other calls.
    pub(super) sg_call_entries: u32,
}

impl Claim {
    /// Returns whether device and DMA address are the same.
    pub(super) fn has_address_of(&self, other: &Self) -> bool {
        self.device == other.device && self.dma == other.dma
    }

    /// Returns whether this range covers the whole of another one of the same device.
    pub(super) fn contains(&self, part: &Self) -> bool {
        self.device == part.device
            && self.dma <= part.dma
            && self.dma.wrapping_add(self.bytes) >= part.dma.wrapping_add(part.bytes)
    }

    /// Counts what agrees beside the address: size, kind, direction and list length.
    pub(super) fn score(&self, other: &Self) -> u32 {
        u32::from(self.bytes == other.bytes)
            + u32::from(self.kind == other.kind)
            + u32::from(self.dir == other.dir)
            + u32::from(self.sg_call_entries == other.sg_call_entries)
    }
}

/// A live mapping or allocation (`struct dma_debug_entry`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) claim: Claim,
    /// Segments that the whole list was mapped to; 0 for other calls.
    pub(super) sg_mapped_entries: u32,
    pub(super) check: ErrorCheck,
    pub(super) mapper: Caller,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Device;

    fn claim(dev: &Device, dma: u64, bytes: u64) -> Claim {
        Claim {
            device: dev.id(),
            kind: MappingKind::Phys,
            dma: DmaAddr::new(dma),
            phys: PhysAddr::new(dma),
            bytes,
            dir: DataDirection::ToDevice,
            attrs: Attrs::NONE,
            sg_call_entries: 0,
        }
    }

    #[test]
    fn only_whole_ranges_of_the_same_device_are_contained() {
        let (dev, other) = (Device::new("a"), Device::new("b"));
        let mapping = claim(&dev, 0x1000, 0x100);
        assert!(mapping.contains(&claim(&dev, 0x10ff, 1)));
        assert!(!mapping.contains(&claim(&dev, 0x10ff, 2)));
        assert!(!mapping.contains(&claim(&dev, 0xfff, 2)));
        assert!(!mapping.contains(&claim(&other, 0x1000, 1)));
    }

    #[test]
    fn the_score_counts_what_agrees() {
        let dev = Device::new("a");
        let mapping = claim(&dev, 0x1000, 0x100);
        assert_eq!(mapping.score(&mapping), 4);
        let sync = Claim {
            kind: MappingKind::Single,
            bytes: 1,
            ..mapping
        };
        assert_eq!(mapping.score(&sync), 2);
    }
}
