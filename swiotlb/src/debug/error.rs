//! What the debug layer objects to, with the facts that the kernel prints.

use crate::addr::{DmaAddr, PhysAddr};
use crate::attrs::Attrs;
use crate::debug::entry::MappingKind;
use crate::direction::DataDirection;

/// A driver's mistake, or a notice of the debug layer itself. Sizes are in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DmaDebugError {
    /// D01: `map_single` of an address outside the linear map.
    InvalidArea {
        /// Address given.
        addr: PhysAddr,
        /// Length given.
        bytes: u64,
    },
    /// D02: `map_single` of a vmalloc address. The mapping layer refuses it before.
    VmallocArea {
        /// Address given.
        addr: PhysAddr,
        /// Length given.
        bytes: u64,
    },
    /// D03: `map_resource`, or MMIO, of what is RAM.
    MmioOfRam {
        /// Address given.
        phys: PhysAddr,
    },
    /// D04: the buffer lies on the caller's stack.
    FromStack {
        /// Address on the stack.
        addr: PhysAddr,
        /// Whether the stack is mapped page by page, so that the address is only probable.
        is_probable: bool,
    },
    /// D05: the buffer touches kernel text or read-only data.
    KernelText {
        /// First byte of the buffer.
        addr: PhysAddr,
        /// Length of the buffer.
        bytes: u64,
    },
    /// D06: a second mapping of a cache line that a device may write.
    CachelineExists,
    /// D07, notice: more overlaps of a line than its counter holds. Told once.
    TooManyOverlaps {
        /// Most overlaps that are counted.
        max: u8,
        /// Number of the cache line.
        line: u64,
    },
    /// D08: a mapped segment is longer than the device takes.
    SegmentTooLong {
        /// Length of the segment.
        bytes: u64,
        /// Longest segment of the device.
        max: u32,
    },
    /// D09: a mapped segment crosses the device's boundary.
    SegmentAcrossBoundary {
        /// First byte.
        start: DmaAddr,
        /// Last byte.
        end: DmaAddr,
        /// The boundary as a mask.
        boundary: u64,
    },
    /// D10, notice: `map_page` of device memory, which fails. Told once.
    DeviceMemoryPage {
        /// Address given.
        phys: PhysAddr,
    },
    /// D11: unmap of the value that stands for a failed mapping.
    FreeInvalid,
    /// D12: unmap or free of what is not mapped.
    NotAllocated {
        /// Address given.
        addr: DmaAddr,
        /// Size given.
        bytes: u64,
    },
    /// D13: unmap or free with another size.
    SizeDiffers {
        /// Address of the mapping.
        addr: DmaAddr,
        /// Size at the map.
        mapped_bytes: u64,
        /// Size at the unmap.
        bytes: u64,
    },
    /// D14: unmap by a function of another kind than that of the map.
    WrongFunction {
        /// Address of the mapping.
        addr: DmaAddr,
        /// Size at the unmap.
        bytes: u64,
        /// Kind of the map.
        mapped_as: MappingKind,
        /// Kind of the unmap.
        unmapped_as: MappingKind,
    },
    /// D15: free of coherent memory with another CPU address.
    CpuAddressDiffers {
        /// Address of the allocation.
        addr: DmaAddr,
        /// Size at the free.
        bytes: u64,
        /// Memory allocated.
        allocated: PhysAddr,
        /// Memory freed.
        freed: PhysAddr,
    },
    /// D16: unmap of a list with another number of entries.
    UnmapCountDiffers {
        /// Entries at the map.
        mapped: u32,
        /// Entries at the unmap.
        unmapped: u32,
    },
    /// D17: unmap or free with another direction.
    DirectionDiffers {
        /// Address of the mapping.
        addr: DmaAddr,
        /// Size at the unmap.
        bytes: u64,
        /// Direction of the map.
        mapped: DataDirection,
        /// Direction of the unmap.
        unmapped: DataDirection,
    },
    /// D18: unmap of a mapping about which `dma_mapping_error` was never asked.
    ErrorNotChecked {
        /// Address of the mapping.
        addr: DmaAddr,
        /// Size at the unmap.
        bytes: u64,
        /// Kind of the map.
        kind: MappingKind,
    },
    /// D19: unmap or free with other attributes, of those that must agree.
    AttrsDiffer {
        /// Address of the mapping.
        addr: DmaAddr,
        /// Size at the unmap.
        bytes: u64,
        /// Attributes of the map.
        mapped: Attrs,
        /// Attributes of the unmap.
        unmapped: Attrs,
    },
    /// D20: sync of what no single mapping holds.
    SyncNotAllocated {
        /// Address given.
        addr: DmaAddr,
        /// Size given.
        bytes: u64,
    },
    /// D21: sync of more than the mapping. D20 comes before it, so no call leads here.
    SyncOutside {
        /// Address given.
        addr: DmaAddr,
        /// Size of the mapping.
        mapped_bytes: u64,
        /// Size given.
        bytes: u64,
    },
    /// D22: sync with another direction than the map's.
    SyncDirectionDiffers {
        /// Address given.
        addr: DmaAddr,
        /// Size given.
        bytes: u64,
        /// Direction of the map.
        mapped: DataDirection,
        /// Direction of the sync.
        synced: DataDirection,
    },
    /// D23: sync for the CPU of what the device only reads.
    SyncReadOnlyForCpu {
        /// Address given.
        addr: DmaAddr,
        /// Size given.
        bytes: u64,
        /// Direction of the map.
        mapped: DataDirection,
        /// Direction of the sync.
        synced: DataDirection,
    },
    /// D24: sync for the device of what it only writes.
    SyncWriteOnlyForDevice {
        /// Address given.
        addr: DmaAddr,
        /// Size given.
        bytes: u64,
        /// Direction of the map.
        mapped: DataDirection,
        /// Direction of the sync.
        synced: DataDirection,
    },
    /// D25: sync of a list with another number of entries.
    SyncCountDiffers {
        /// Entries at the map.
        mapped: u32,
        /// Entries at the sync.
        synced: u32,
    },
    /// D26: the driver leaves its device, but mappings are left.
    PendingAllocations {
        /// Mappings left.
        count: u64,
        /// Address of one of them.
        addr: DmaAddr,
        /// Its size.
        bytes: u64,
        /// Its direction.
        dir: DataDirection,
        /// Its kind.
        kind: MappingKind,
    },
    /// D27, notice: the store of entries has grown to a multiple of its first size.
    PoolGrown {
        /// Entries now.
        entries: u32,
        /// Entries now, in percent of those at boot, in whole hundreds.
        percent: u32,
    },
    /// D27, notice: no memory for a further entry. The layer is off from now on.
    OutOfMemory,
    /// D27, notice: no memory for a further cache line. The layer is off from now on.
    CachelineNoMemory,
}

impl DmaDebugError {
    /// Returns the number of the check, `D13` for instance.
    #[must_use]
    pub const fn id(&self) -> &'static str {
        match self {
            Self::InvalidArea { .. } => "D01",
            Self::VmallocArea { .. } => "D02",
            Self::MmioOfRam { .. } => "D03",
            Self::FromStack { .. } => "D04",
            Self::KernelText { .. } => "D05",
            Self::CachelineExists => "D06",
            Self::TooManyOverlaps { .. } => "D07",
            Self::SegmentTooLong { .. } => "D08",
            Self::SegmentAcrossBoundary { .. } => "D09",
            Self::DeviceMemoryPage { .. } => "D10",
            Self::FreeInvalid => "D11",
            Self::NotAllocated { .. } => "D12",
            Self::SizeDiffers { .. } => "D13",
            Self::WrongFunction { .. } => "D14",
            Self::CpuAddressDiffers { .. } => "D15",
            Self::UnmapCountDiffers { .. } => "D16",
            Self::DirectionDiffers { .. } => "D17",
            Self::ErrorNotChecked { .. } => "D18",
            Self::AttrsDiffer { .. } => "D19",
            Self::SyncNotAllocated { .. } => "D20",
            Self::SyncOutside { .. } => "D21",
            Self::SyncDirectionDiffers { .. } => "D22",
            Self::SyncReadOnlyForCpu { .. } => "D23",
            Self::SyncWriteOnlyForDevice { .. } => "D24",
            Self::SyncCountDiffers { .. } => "D25",
            Self::PendingAllocations { .. } => "D26",
            Self::PoolGrown { .. } | Self::OutOfMemory | Self::CachelineNoMemory => "D27",
        }
    }

    /// Returns the DMA address that the error is about, if it is about one.
    #[must_use]
    pub const fn dma_addr(&self) -> Option<DmaAddr> {
        match self {
            Self::SegmentAcrossBoundary { start: addr, .. }
            | Self::NotAllocated { addr, .. }
            | Self::SizeDiffers { addr, .. }
            | Self::WrongFunction { addr, .. }
            | Self::CpuAddressDiffers { addr, .. }
            | Self::DirectionDiffers { addr, .. }
            | Self::ErrorNotChecked { addr, .. }
            | Self::AttrsDiffer { addr, .. }
            | Self::SyncNotAllocated { addr, .. }
            | Self::SyncOutside { addr, .. }
            | Self::SyncDirectionDiffers { addr, .. }
            | Self::SyncReadOnlyForCpu { addr, .. }
            | Self::SyncWriteOnlyForDevice { addr, .. }
            | Self::PendingAllocations { addr, .. } => Some(*addr),
            _ => None,
        }
    }

    /// Returns whether this is told without being an error: it is not counted, and no filter hides
    /// it.
    #[must_use]
    pub const fn is_notice(&self) -> bool {
        matches!(
            self,
            Self::TooManyOverlaps { .. }
                | Self::DeviceMemoryPage { .. }
                | Self::PoolGrown { .. }
                | Self::OutOfMemory
                | Self::CachelineNoMemory
        )
    }
}
