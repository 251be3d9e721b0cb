//! Scatter/gather lists.

use crate::addr::{DmaAddr, PhysAddr};
use crate::area::CpuId;
use crate::attrs::Attrs;
use crate::direction::DataDirection;
use crate::dma::map::CacheWork;

/// How a device reaches memory that lies in a peer (PCI peer-to-peer).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Peer {
    /// It is no peer's memory.
    #[default]
    None,
    /// Past the host: the bus address is `phys + offset`, modulo 2^64.
    BusAddress {
        /// Distance of bus address and physical address.
        offset: u64,
    },
    /// Not at all.
    Unreachable,
}

/// One entry of a list (`struct scatterlist`).
#[doc(alias = "scatterlist")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sg {
    /// First byte.
    pub phys: PhysAddr,
    /// Length in bytes.
    pub length: u32,
    /// Address of the DMA segment that the map put here.
    pub dma_address: DmaAddr,
    /// Length of that segment in bytes.
    pub dma_length: u32,
    /// Whose memory it is.
    pub peer: Peer,
    /// Whether the map gave a bus address (`SG_DMA_BUS_ADDRESS`).
    pub is_bus_address: bool,
    /// Whether the list was mapped through bounce buffers of an IOMMU (`SG_DMA_SWIOTLB`). Never
    /// cleared by an unmap.
    pub is_swiotlb: bool,
}

impl Sg {
    /// Makes an entry that is not mapped.
    #[must_use]
    pub const fn new(phys: PhysAddr, length: u32) -> Self {
        Self {
            phys,
            length,
            dma_address: DmaAddr::new(0),
            dma_length: 0,
            peer: Peer::None,
            is_bus_address: false,
            is_swiotlb: false,
        }
    }

    /// Says that the memory lies in a peer.
    #[must_use]
    pub const fn in_peer(mut self, peer: Peer) -> Self {
        self.peer = peer;
        self
    }
}

/// A list with what its map made of it (`struct sg_table`).
#[doc(alias = "sg_table")]
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SgTable {
    /// Entries. Their number is the original count, which unmap and sync go by.
    pub entries: Vec<Sg>,
    /// DMA segments of the map, in the first entries.
    pub nents: usize,
}

impl SgTable {
    /// Makes a table that is not mapped.
    #[must_use]
    pub const fn new(entries: Vec<Sg>) -> Self {
        Self { entries, nents: 0 }
    }

    /// Returns the DMA segments that the device is to be given.
    #[must_use]
    pub fn segments(&self) -> &[Sg] {
        &self.entries[..self.nents.min(self.entries.len())]
    }
}

/// How a list is to be mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SgRequest {
    /// Direction of the transfer.
    pub dir: DataDirection,
    /// Attributes.
    pub attrs: Attrs,
    /// CPU on which the call is made.
    pub cpu: CpuId,
}

impl SgRequest {
    /// Asks for a mapping without attributes, on CPU 0.
    #[must_use]
    pub const fn new(dir: DataDirection) -> Self {
        Self {
            dir,
            attrs: Attrs::NONE,
            cpu: CpuId(0),
        }
    }

    /// Sets the attributes.
    #[must_use]
    pub const fn with_attrs(mut self, attrs: Attrs) -> Self {
        self.attrs = attrs;
        self
    }

    /// Sets the CPU on which the call is made.
    #[must_use]
    pub const fn on_cpu(mut self, cpu: CpuId) -> Self {
        self.cpu = cpu;
        self
    }
}

/// What an unmap or a sync of a list did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SgWork {
    /// Entries that lie in a bounce pool.
    pub bounced_entries: usize,
    /// Bytes copied between bounce buffers and originals.
    pub copied_bytes: u64,
    /// Cache maintenance made.
    pub cache: CacheWork,
    /// Whether the call returned at once, because the device has never bounced.
    pub is_skipped: bool,
}

impl SgWork {
    pub(crate) fn add(&mut self, is_bounced: bool, copied_bytes: u64, cache: CacheWork) {
        self.bounced_entries += usize::from(is_bounced);
        self.copied_bytes = self.copied_bytes.saturating_add(copied_bytes);
        self.cache.add(cache);
    }
}
