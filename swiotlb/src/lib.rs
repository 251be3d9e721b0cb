//! Linux's software IO TLB (bounce buffers) and DMA-mapping API, slot for slot.
//!
//! A device that cannot address all memory is lent a buffer it can: the CPU copies the original
//! into *slots* of a *pool* before the device reads, and back after the device has written. Which
//! slots, which counters, which failures and which bytes: as in Linux 7.3.4, and checked against
//! traces of its allocator.
//!
//! What happens when the pool is full is a [`Policy`]: refuse, give a larger mapping a buffer of its
//! own, add pools, or add pools and take them away again. What the kernel leaves to its workers is
//! done by [`Swiotlb::run_pending_work`]. Threads share a layer: see [`Swiotlb`].
//!
//! The crate owns no memory and takes nothing from its surroundings. Bytes come through
//! [`PhysMemory`], pages through [`PageSource`], the CPU is an argument, and what the kernel would
//! log or trace is drained as [`Event`] values.
//!
//! ```
//! use swiotlb::{
//!     BootConfig, DataDirection, Device, Dma, MapRequest, Mode, PhysAddr, PhysMemory, Platform,
//!     PoolGeometry, RamRange, SparseMemory, Swiotlb, bit_mask,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let ram = RamRange { start: PhysAddr::new(0), bytes: 8 << 30 };
//! let mut mem = SparseMemory::new(&[ram])?;
//! let platform = Platform { ram: vec![ram], ..Platform::default() };
//! let pool = PoolGeometry { base: PhysAddr::new(0x400_0000), slots: 512, areas: 1 };
//! let boot = BootConfig::default();
//! let swiotlb = Swiotlb::with_pool(&mut mem, platform, boot, Mode::Strict, pool)?;
//! let mut dma = Dma::new(swiotlb);
//!
//! let mut nic = Device::pci("nic");
//! dma.set_mask_and_coherent(&mut nic, bit_mask(32))?;
//!
//! // A buffer above 4 GiB, which the device cannot reach.
//! let buffer = PhysAddr::new(0x1_2345_6000);
//! mem.write(buffer, b"packet")?;
//! let request = MapRequest::new(buffer, 6, DataDirection::ToDevice);
//! let mapping = dma.map_single(&mut mem, &nic, request)?;
//! assert_eq!(mapping.dma_addr().raw(), 0x400_0000);
//! assert_eq!(mapping.bounced().map(|bounce| bounce.copied_bytes), Some(6));
//!
//! dma.unmap_single(&mut mem, &nic, mapping)?;
//! # Ok(())
//! # }
//! ```
//!
//! # Linux names
//!
//! | Linux | here |
//! |---|---|
//! | `swiotlb=` | [`BootConfig::parse`] |
//! | `swiotlb_adjust_size` | [`BootConfig::adjust_size`] |
//! | `swiotlb_init`, `swiotlb_init_remap` | [`Swiotlb::init_early`] |
//! | `swiotlb_init_late` | [`Swiotlb::init_late`] |
//! | `swiotlb_update_mem_attributes` | [`Swiotlb::update_mem_attributes`] |
//! | `swiotlb_exit` | [`Swiotlb::exit`] |
//! | `swiotlb_print_info` | [`Swiotlb::print_info`] |
//! | `struct io_tlb_mem`, `io_tlb_pool`, `io_tlb_area`, `io_tlb_slot` | [`AllocatorId`], [`PoolId`] and [`PoolSnapshot`], [`Area`], [`SlotInfo`] |
//! | `swiotlb_tbl_map_single`, `swiotlb_tbl_unmap_single` | [`Swiotlb::tbl_map_single`], [`Swiotlb::tbl_unmap_single`] |
//! | `swiotlb_sync_single_for_device`, `_for_cpu` | [`Swiotlb::sync_single_for_device`], [`Swiotlb::sync_single_for_cpu`] |
//! | `swiotlb_map` | [`Swiotlb::map`] |
//! | `swiotlb_find_pool` | [`Swiotlb::find_pool`] |
//! | `swiotlb_max_mapping_size` | [`Swiotlb::max_mapping_size`] |
//! | `is_swiotlb_active`, `is_swiotlb_allocated`, `is_swiotlb_force_bounce`, `is_swiotlb_for_alloc` | [`Swiotlb::is_active`], [`Swiotlb::is_allocated`], [`Swiotlb::is_force_bounce`], [`Swiotlb::is_for_alloc`] |
//! | `default_swiotlb_base`, `default_swiotlb_limit`, `swiotlb_size_or_default` | [`Swiotlb::default_base`], [`Swiotlb::default_limit`], [`BootConfig::size_or_default`] |
//! | `swiotlb_alloc`, `swiotlb_free`, `restricted-dma-pool` | [`Swiotlb::alloc`], [`Swiotlb::free`], [`Swiotlb::attach_restricted`] |
//! | `CONFIG_SWIOTLB_DYNAMIC` | [`Policy::DynamicPools`] |
//! | `swiotlb_dyn_alloc`, `swiotlb_dyn_free` | [`Swiotlb::grow_if_asked`], [`Swiotlb::free_dropped_pools`] |
//! | `io_tlb_nslabs`, `io_tlb_used`, `io_tlb_used_hiwater`, `io_tlb_transient_nslabs` | [`Swiotlb::stats`], [`Swiotlb::debug_files`], [`Swiotlb::reset_hiwater`] |
//! | `trace_swiotlb_bounced` | [`BouncedTrace`] |
//! | `struct device` | [`Device`] |
//! | `dma_set_mask`, `dma_set_coherent_mask`, `dma_set_mask_and_coherent` | [`Dma::set_mask`], [`Dma::set_coherent_mask`], [`Dma::set_mask_and_coherent`] |
//! | `dma_coerce_mask_and_coherent` | [`Dma::coerce_mask_and_coherent`] |
//! | `dma_get_required_mask`, `dma_addressing_limited` | [`Dma::required_mask`], [`Dma::is_addressing_limited`] |
//! | `dma_set_min_align_mask`, `dma_set_seg_boundary`, `dma_set_max_seg_size` | [`Device::with_min_align_mask`], [`Device::with_seg_boundary`], [`Device::with_max_segment`] |
//! | `phys_to_dma`, `dma_to_phys`, `dma_capable` | [`Device::phys_to_dma`], [`Device::dma_to_phys`], [`Device::is_capable`] |
//! | `dma_map_single` and friends | [`Dma::map_single`]; on bare addresses [`Dma::map_phys`], [`Dma::map_phys_addr`] |
//! | `dma_map_resource` | [`Dma::map_resource`] |
//! | `dma_unmap_single` and friends | [`Dma::unmap_single`]; on bare addresses [`Dma::unmap_phys`] |
//! | `dma_mapping_error` | [`Dma::mapping_error`] |
//! | `dma_sync_single_for_cpu`, `_for_device`, `_range_` | [`Dma::sync_for_cpu`], [`Dma::sync_for_device`]; on bare addresses [`Dma::sync_single_for_cpu`], [`Dma::sync_single_for_device`], [`Dma::sync_single_range_for_cpu`], [`Dma::sync_single_range_for_device`] |
//! | `dma_need_sync`, `dma_need_unmap` | [`Dma::needs_sync`], [`Dma::needs_unmap`] |
//! | `dma_max_mapping_size` | [`Dma::max_mapping_size`] |
//! | `DMA_ATTR_*`, `enum dma_data_direction` | [`Attrs`], [`DataDirection`] |
#![forbid(unsafe_code)]

mod addr;
mod allocator;
mod area;
mod attrs;
mod bits;
mod block;
mod bounce;
mod cc;
mod common_case;
mod device;
mod direction;
mod dma;
mod domain;
mod error;
mod explain;
mod growth;
mod init;
mod lines;
mod memory;
mod message;
mod own_buffers;
mod page_source;
mod param;
mod plain_search;
mod platform;
mod policy;
mod pool;
mod pool_list;
mod release;
mod restricted;
mod run_index;
mod search;
mod shrinker;
mod sizing;
mod slot;
mod slot_table;
mod snapshot;
mod sparse_memory;
mod stats;
mod swiotlb;
mod sync;
mod sync_primitives;
mod transient;
#[cfg(feature = "vectors")]
pub mod vectors;

pub use addr::{DmaAddr, PhysAddr};
pub use area::{Area, CpuId};
pub use attrs::Attrs;
pub use bounce::{BounceInfo, BounceRequest};
pub use cc::{AddressMarker, CcPlatform};
pub use device::{Device, DeviceId, DmaRange, bit_mask, min_not_zero};
pub use direction::DataDirection;
pub use dma::{CacheWork, Dma, FailedUnmap, MapRequest, Mapped, Mapping, Synced, Unmapped};
pub use error::{
    AllocError, Full, FullReason, InitError, InvalidHiwater, MapError, MaskError, SyncError,
    UnmapError,
};
pub use growth::WorkDone;
pub use init::{EarlyInit, InitOutcome, MemAttributes, Remap};
pub use memory::{MemoryError, PhysMemory};
pub use message::{BouncedTrace, Event, Level, Message};
pub use page_source::{PageOrigin, PageRequest, PageSource, RegionSource, Zone};
pub use param::ParamWarning;
pub use platform::{KmallocBounce, PageSize, Platform, RamRange};
pub use policy::{Policy, ShrinkerConfig};
pub use pool::{AllocatorId, MAX_POOL_SLOTS, PoolGeometry, PoolId};
pub use release::Released;
pub use restricted::RestrictedRegion;
pub use shrinker::ShrinkPressure;
pub use sizing::{BootConfig, BootOptions, coco_default_size, small_buffer_size};
pub use slot::{MAX_ALLOC_BYTES, MIN_SLOTS, SLOT_BYTES, SLOT_SET_SLOTS, SLOT_SHIFT, SlotInfo};
pub use snapshot::{InvariantBreach, PoolSnapshot};
pub use sparse_memory::{SparseMemory, SparseMemoryError};
pub use stats::{DebugFile, ShrinkerStats, Stats};
pub use swiotlb::{Mode, Swiotlb};
