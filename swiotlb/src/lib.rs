//! Linux's software IO TLB (bounce buffers) and DMA-mapping API, slot for slot.
#![forbid(unsafe_code)]

mod addr;
mod allocator;
mod area;
mod attrs;
mod bounce;
mod cc;
mod device;
mod direction;
mod dma;
mod error;
mod init;
mod memory;
mod message;
mod page_source;
mod param;
mod platform;
mod pool;
mod restricted;
mod search;
mod sizing;
mod slot;
mod slot_table;
mod snapshot;
mod sparse_memory;
mod stats;
mod swiotlb;
#[cfg(feature = "vectors")]
pub mod vectors;

pub use addr::{DmaAddr, PhysAddr};
pub use area::{Area, CpuId};
pub use attrs::Attrs;
pub use bounce::{BounceInfo, BounceRequest, Released};
pub use cc::{AddressMarker, CcPlatform};
pub use device::{Device, DeviceId, DmaRange, bit_mask, min_not_zero};
pub use direction::DataDirection;
pub use dma::{CacheWork, Dma, MapRequest, Mapped, Mapping, Synced, Unmapped};
pub use error::{
    AllocError, Full, FullReason, InitError, InvalidHiwater, MapError, MaskError, SyncError,
    UnmapError,
};
pub use init::{EarlyInit, InitOutcome, MemAttributes, Remap};
pub use memory::{MemoryError, PhysMemory};
pub use message::{BouncedTrace, Event, Level, Message};
pub use page_source::{PageOrigin, PageRequest, PageSource, RegionSource, Zone};
pub use param::ParamWarning;
pub use platform::{KmallocBounce, PageSize, Platform, RamRange};
pub use pool::{AllocatorId, PoolGeometry, PoolId};
pub use restricted::RestrictedRegion;
pub use sizing::{BootConfig, BootOptions, coco_default_size, small_buffer_size};
pub use slot::{MAX_ALLOC_BYTES, MIN_SLOTS, SLOT_BYTES, SLOT_SET_SLOTS, SLOT_SHIFT, SlotInfo};
pub use snapshot::{InvariantBreach, PoolSnapshot};
pub use sparse_memory::{SparseMemory, SparseMemoryError};
pub use stats::Stats;
pub use swiotlb::{Mode, Swiotlb};
