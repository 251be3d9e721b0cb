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
//! Searching these pages for a Linux name finds the item too, where one item stands for it.
//!
//! | Linux | here |
//! |---|---|
//! | **Bounce layer** | |
//! | `swiotlb=` | [`BootConfig::parse`] |
//! | `swiotlb_adjust_size` | [`BootConfig::adjust_size`] |
//! | `swiotlb_init`, `swiotlb_init_remap` | [`Swiotlb::init_early`] |
//! | `swiotlb_init_late` | [`Swiotlb::init_late`] |
//! | `swiotlb_update_mem_attributes` | [`Swiotlb::update_mem_attributes`] |
//! | `swiotlb_exit` | [`Swiotlb::exit`] |
//! | `swiotlb_print_info` | [`Swiotlb::print_info`] |
//! | `IO_TLB_SHIFT`, `IO_TLB_SIZE`, `IO_TLB_SEGSIZE`, `IO_TLB_MIN_SLABS` | [`SLOT_SHIFT`], [`SLOT_BYTES`], [`SLOT_SET_SLOTS`], [`MIN_SLOTS`] |
//! | `struct io_tlb_mem`, `io_tlb_pool`, `io_tlb_area`, `io_tlb_slot` | [`AllocatorId`], [`PoolId`] and [`PoolSnapshot`], [`Area`], [`SlotInfo`] |
//! | `swiotlb_tbl_map_single`, `swiotlb_tbl_unmap_single` | [`Swiotlb::tbl_map_single`], [`Swiotlb::tbl_unmap_single`] |
//! | `swiotlb_sync_single_for_device`, `_for_cpu` | [`Swiotlb::sync_single_for_device`], [`Swiotlb::sync_single_for_cpu`] |
//! | `swiotlb_map` | [`Swiotlb::map`] |
//! | `swiotlb_find_pool` | [`Swiotlb::find_pool`] |
//! | `swiotlb_max_mapping_size` | [`Swiotlb::max_mapping_size`] |
//! | `is_swiotlb_active`, `is_swiotlb_allocated`, `is_swiotlb_force_bounce`, `is_swiotlb_for_alloc` | [`Swiotlb::is_active`], [`Swiotlb::is_allocated`], [`Swiotlb::is_force_bounce`], [`Swiotlb::is_for_alloc`] |
//! | `default_swiotlb_base`, `default_swiotlb_limit`, `swiotlb_size_or_default` | [`Swiotlb::default_base`], [`Swiotlb::default_limit`], [`BootConfig::size_or_default`] |
//! | `swiotlb_alloc`, `swiotlb_free`, `restricted-dma-pool` | [`Swiotlb::alloc`], [`Swiotlb::free`], [`Swiotlb::add_restricted`], [`Swiotlb::attach_restricted`], [`Swiotlb::detach_restricted`] |
//! | `CONFIG_SWIOTLB_DYNAMIC` | [`Policy::DynamicPools`] |
//! | `swiotlb_dyn_alloc`, `swiotlb_dyn_free`, the work queue | [`Swiotlb::grow_if_asked`], [`Swiotlb::free_dropped_pools`], [`Swiotlb::run_pending_work`] |
//! | `io_tlb_nslabs`, `io_tlb_used`, `io_tlb_used_hiwater`, `io_tlb_transient_nslabs` | [`Swiotlb::stats`], [`Swiotlb::debug_files`], [`Swiotlb::reset_hiwater`] |
//! | `trace_swiotlb_bounced` | [`BouncedTrace`] |
//! | **Machine and device** | |
//! | memory, page allocator, `set_memory_decrypted`, `set_memory_encrypted` | [`PhysMemory`], [`PageSource`], [`PageSource::make_shared`], [`PageSource::make_private`] |
//! | `cc_platform_has`, `dma_kmalloc_needs_bounce` | [`CcPlatform`], [`KmallocBounce`] |
//! | `pr_warn`, `dev_warn`, `_once`, `_ratelimited` | [`Message`], [`DmaMessage`], [`Swiotlb::drain_events`] |
//! | `struct device`, `dev_driver_string`, `dma_coherent` | [`Device`], [`Device::driver`], [`Device::with_coherency`] |
//! | `enum dma_data_direction`, `gfp_t`, `DMA_MAPPING_ERROR`, `DMA_BIT_MASK` | [`DataDirection`], [`Gfp`], [`DmaAddr::MAPPING_ERROR`], [`bit_mask`] |
//! | `DMA_ATTR_WEAK_ORDERING`, `DMA_ATTR_WRITE_COMBINE` | [`Attrs::WEAK_ORDERING`], [`Attrs::WRITE_COMBINE`] |
//! | `DMA_ATTR_NO_KERNEL_MAPPING`, `DMA_ATTR_FORCE_CONTIGUOUS`, `DMA_ATTR_ALLOC_SINGLE_PAGES` | [`Attrs::NO_KERNEL_MAPPING`], [`Attrs::FORCE_CONTIGUOUS`], [`Attrs::ALLOC_SINGLE_PAGES`] |
//! | `DMA_ATTR_SKIP_CPU_SYNC`, `DMA_ATTR_NO_WARN`, `DMA_ATTR_PRIVILEGED`, `DMA_ATTR_MMIO` | [`Attrs::SKIP_CPU_SYNC`], [`Attrs::NO_WARN`], [`Attrs::PRIVILEGED`], [`Attrs::MMIO`] |
//! | `DMA_ATTR_DEBUGGING_IGNORE_CACHELINES`, `DMA_ATTR_REQUIRE_COHERENT`, `DMA_ATTR_CC_SHARED` | [`Attrs::DEBUGGING_IGNORE_CACHELINES`], [`Attrs::REQUIRE_COHERENT`], [`Attrs::CC_SHARED`] |
//! | `dma_set_mask`, `dma_set_coherent_mask`, `dma_set_mask_and_coherent`, `dma_coerce_mask_and_coherent` | [`Dma::set_mask`], [`Dma::set_coherent_mask`], [`Dma::set_mask_and_coherent`], [`Dma::coerce_mask_and_coherent`] |
//! | `dma_get_mask`, `coherent_dma_mask` | [`Device::mask`], [`Device::coherent_mask`] |
//! | `dma_get_required_mask`, `dma_addressing_limited` | [`Dma::required_mask`], [`Dma::is_addressing_limited`] |
//! | `dma_set_min_align_mask`, `dma_set_seg_boundary`, `dma_set_max_seg_size` | [`Dma::set_min_align_mask`], [`Dma::set_seg_boundary`], [`Dma::set_max_seg_size`]; before use [`Device::with_min_align_mask`], [`Device::with_seg_boundary`], [`Device::with_max_segment`] |
//! | `dma_get_min_align_mask`, `dma_get_seg_boundary`, `dma_get_max_seg_size` | [`Device::min_align_mask`], [`Device::seg_boundary_mask`], [`Device::max_segment_bytes`] |
//! | `dma-ranges`, `dma_direct_set_offset`, `bus_dma_limit` | [`Device::with_firmware_ranges`], [`Dma::set_range_map`], [`Dma::set_offset`], [`Dma::set_bus_limit`] |
//! | `phys_to_dma`, `dma_to_phys`, `dma_capable` | [`Dma::phys_to_dma`], [`Dma::dma_to_phys`], [`Dma::capable`]; without a platform [`Device::phys_to_dma`], [`Device::dma_to_phys`], [`Device::is_capable`] |
//! | **Streaming mappings** | |
//! | `dma_map_single` and friends | [`Dma::map_single`], [`Dma::map_directed`]; on bare addresses [`Dma::map_phys`], [`Dma::map_phys_addr`]; of a pointer [`Dma::map_pointer`] |
//! | `dma_unmap_single` and friends | [`Dma::unmap_single`], [`Dma::unmap_directed`]; on bare addresses [`Dma::unmap_phys`] |
//! | `dma_map_page`, `dma_unmap_page` | [`Dma::map_page`], [`Dma::unmap_page`] |
//! | `dma_map_resource`, `dma_unmap_resource` | [`Dma::map_resource`], [`Dma::unmap_resource`] |
//! | `dma_mapping_error` | [`Dma::mapping_error`] |
//! | `dma_sync_single_for_cpu`, `_for_device`, `_range_` | [`Dma::sync_for_cpu`], [`Dma::sync_for_device`]; on bare addresses [`Dma::sync_single_for_cpu`], [`Dma::sync_single_for_device`], [`Dma::sync_single_range_for_cpu`], [`Dma::sync_single_range_for_device`] |
//! | `dma_need_sync`, `dma_need_unmap` | [`Dma::needs_sync`], [`Dma::needs_unmap`] |
//! | `dma_max_mapping_size`, `dma_opt_mapping_size` | [`Dma::max_mapping_size`], [`Dma::opt_mapping_size`] |
//! | `dma_get_merge_boundary`, `dma_get_cache_alignment` | [`Dma::merge_boundary`], [`Dma::cache_alignment`] |
//! | **Scatter/gather** | |
//! | `struct scatterlist`, `struct sg_table` | [`Sg`], [`SgTable`] |
//! | `dma_map_sg`, `dma_map_sgtable`, `dma_unmap_sg`, `dma_unmap_sgtable` | [`Dma::map_sg`], [`Dma::map_sgtable`], [`Dma::unmap_sg`], [`Dma::unmap_sgtable`]; as a value [`Dma::map_list`], [`Dma::unmap_list`] |
//! | `dma_sync_sg_for_cpu`, `_for_device`, `dma_sync_sgtable_*` | [`Dma::sync_sg_for_cpu`], [`Dma::sync_sg_for_device`], [`Dma::sync_sgtable_for_cpu`], [`Dma::sync_sgtable_for_device`]; of a value [`Dma::sync_list_for_cpu`], [`Dma::sync_list_for_device`] |
//! | **Memory for both** | |
//! | `dma_alloc_coherent`, `dma_alloc_attrs`, `dma_free_coherent`, `dma_free_attrs` | [`Dma::alloc_coherent`], [`Dma::alloc_attrs`], [`Dma::free_coherent`], [`Dma::free_attrs`] |
//! | `dma_alloc_wc`, `dma_free_wc` | [`Dma::alloc_attrs`] with [`Attrs::WRITE_COMBINE`], [`Dma::free_attrs`] |
//! | `dmam_alloc_coherent`, `dmam_alloc_attrs`, `dmam_free_coherent` | [`Dma::dmam_alloc_coherent`], [`Dma::dmam_alloc_attrs`], [`Dma::dmam_free_coherent`], [`Dma::detach_driver`] |
//! | `vmap` of coherent memory, `dma_common_find_pages` | [`CpuAddr`], [`Dma::coherent_view`] |
//! | `dma_declare_coherent_memory`, `dma_release_coherent_memory`, `shared-dma-pool`, `linux,dma-default` | [`Dma::declare_coherent_memory`], [`Dma::release_coherent_memory`], [`Dma::declare_shared_dma_pool`], [`Dma::declare_global_region`] |
//! | `dma_atomic_pool_init`, `coherent_pool=`, `atomic_pool_work` | [`Dma::init_atomic_pools`], [`DmaConfig::parse_coherent_pool`], [`Dma::run_atomic_pool_work`] |
//! | `cma=`, `dma_contiguous_reserve`, `linux,cma-default`, `cma_area` | [`CmaParam::parse`], [`Dma::reserve_default_cma`], [`Dma::set_default_cma`], [`Dma::set_device_cma`], [`Dma::set_node_cma`] |
//! | `dma_alloc_pages`, `dma_free_pages`, `dma_alloc_noncoherent`, `dma_free_noncoherent` | [`Dma::alloc_pages`], [`Dma::free_pages`], [`Dma::alloc_noncoherent`], [`Dma::free_pages`] |
//! | `dma_alloc_noncontiguous`, `dma_free_noncontiguous` | [`Dma::alloc_noncontiguous`], [`Dma::free_noncontiguous`] |
//! | `dma_vmap_noncontiguous`, `dma_vunmap_noncontiguous`, `dma_mmap_noncontiguous` | [`Dma::vmap_noncontiguous`], the drop of [`CpuView`], [`Dma::mmap_noncontiguous`] |
//! | `dma_mmap_attrs`, `dma_mmap_pages`, `dma_can_mmap`, `dma_get_sgtable` | [`Dma::mmap_attrs`], [`Dma::mmap_pages`], [`Dma::can_mmap`], [`Dma::get_sgtable`] |
//! | `dma_pool_create`, `dmam_pool_create`, `dma_pool_alloc`, `dma_pool_zalloc`, `dma_pool_free`, `dma_pool_destroy`, `dmam_pool_destroy` | [`DmaPool::create`], [`DmaPool::create_managed`], [`DmaPool::alloc`], [`DmaPool::zalloc`], [`DmaPool::free`], [`DmaPool::destroy`] for both |
//! | sysfs `pools` | [`Dma::pools_text`], [`DmaPool::info`] |
//! | **IOMMU** | |
//! | `dev->dma_iommu`, `dev->untrusted`, `dma_ops_bypass` | [`Device::with_iommu`], [`Device::with_untrusted`], [`Device::with_ops_bypass`] |
//! | `dma_go_direct`, `use_dma_iommu` | [`Dma::route`], [`Device::iommu`] |
//! | `struct iommu_domain`, `iommu_dma_init_domain` | [`IommuDomain`], [`IommuDomain::new`] |
//! | `iommu_map`, `iommu_map_nosync`, `iommu_sync_map`, `iommu_unmap`, `iommu_iova_to_phys` | [`IommuDomain::map`], [`IommuDomain::map_nosync`], [`IommuDomain::sync_map`], [`IommuDomain::unmap`], [`IommuDomain::iova_to_phys`] |
//! | `iommu_dma_alloc_iova`, `free_iova_fast`, `iommu_flush_iotlb_all` | [`IommuDomain::alloc_iova`], [`IommuDomain::free_iova`], [`IommuDomain::flush`] |
//! | `iommu.strict`, `iommu.forcedac` | [`DomainConfig::with_flush`], [`DomainConfig::with_forced_dac`] |
//! | `report_iommu_fault` | [`IommuDomain::translate`], [`Fault`] |
//! | `struct dma_iova_state`, `dma_use_iova`, `dma_iova_size` | [`IovaState`], [`IovaState::is_used`], [`IovaState::bytes`] |
//! | `dma_iova_try_alloc`, `dma_iova_free`, `dma_iova_destroy` | [`Dma::iova_try_alloc`], [`Dma::iova_free`], [`Dma::iova_destroy`] |
//! | `dma_iova_link`, `dma_iova_sync`, `dma_iova_unlink` | [`Dma::iova_link`], [`Dma::iova_sync`], [`Dma::iova_unlink`] |
//! | **Watching** | |
//! | `trace_dma_*` | [`DmaTrace`] |
//! | `CONFIG_DMA_API_DEBUG`, `dma_debug=`, `dma_debug_entries=`, `dma_debug_driver=` | [`Dma::with_debug`], [`DmaDebugOptions::parse`] |
//! | `debug_dma_map_*`, `debug_dma_unmap_*`, `debug_dma_sync_*`, `debug_dma_alloc_*`, `debug_dma_free_*` | [`DmaDebug::map_phys`], [`DmaDebug::map_sg`], [`DmaDebug::unmap_phys`], [`DmaDebug::sync_single_for_cpu`], [`DmaDebug::alloc_coherent`] and their like |
//! | files of debugfs `dma-api/` | [`DmaDebugFile`], [`DmaDebug::read_file`], [`DmaDebug::write_file`] |
#![forbid(unsafe_code)]

mod addr;
mod allocator;
mod allocators;
mod area;
mod attrs;
mod bits;
mod block;
mod bounce;
mod cc;
mod coherent;
mod common_case;
mod debug;
mod device;
mod direction;
mod dma;
mod dma_pool;
mod domain;
mod error;
mod explain;
mod growth;
#[cfg(feature = "vm-memory")]
mod guest_ram;
mod half;
mod init;
mod iommu;
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
#[cfg(test)]
mod test_random;
mod transient;
#[cfg(feature = "vectors")]
pub mod vectors;

pub use addr::{DmaAddr, PhysAddr};
pub use area::{Area, CpuId};
pub use attrs::Attrs;
pub use bounce::{BounceInfo, BounceRequest};
pub use cc::{AddressMarker, CcPlatform};
pub use coherent::{
    AllocRequest, CmaId, CmaParam, Coherent, CoherentParts, CoherentView, CpuAddr, CpuView,
    Detached, DmaPages, Gfp, Noncontiguous, PhysRun, UserView,
};
pub use debug::{
    Breach, Caller, DebugParamWarning, DebugReport, DmaDebug, DmaDebugError, DmaDebugFile,
    DmaDebugFileError, DmaDebugOptions, ErrorCheck, Held, KernelLayout, MapContext, MapMisuse,
    MappedRange, MappedSegment, MappingKind, MisuseReport, Ownership, OwnershipBreach, OwnershipId,
    StackRange,
};
pub use device::{Device, DeviceId, DmaRange, bit_mask, min_not_zero};
pub use direction::DataDirection;
pub use dma::{
    AllocCall, Bidirectional, CacheWork, DeviceReads, DeviceWrites, DirectedMapping, Direction,
    Dma, DmaConfig, DmaError, DmaMessage, DmaTrace, DmaTraceKind, FailedUnmap, FreeCall,
    FromDevice, MapRequest, Mapped, Mapping, NonCoherentMemory, Peer, Refused, Sg, SgMapping,
    SgRequest, SgTable, SgWork, SyncOwner, Synced, TRACED_ENTRIES, ToDevice, Unmapped,
};
pub use dma_pool::{DmaPool, PoolBlock, PoolInfo};
pub use error::{
    AllocError, Full, FullReason, InitError, InvalidHiwater, MapError, MaskError, MoreSlots,
    NoPoolAlone, SyncError, UnmapError,
};
pub use growth::WorkDone;
#[cfg(feature = "vm-memory")]
pub use guest_ram::GuestRam;
pub use init::{EarlyInit, InitOutcome, MemAttributes, Remap};
pub use iommu::{
    Access, Aperture, Attachment, DomainConfig, DomainError, DomainStats, Fault, FaultReason,
    FlushMode, FlushQueues, Granule, IommuDomain, IommuError, IovaError, IovaState, Linked, Prot,
    ReservedRegion, Route, Translation, Unlinked,
};
pub use memory::{MemoryError, NoBytes, PhysMemory};
pub use message::{BouncedTrace, Event, Level, Message};
pub use page_source::{PageOrigin, PageRequest, PageSource, RegionSource, Zone};
pub use param::{ParamNumbers, ParamWarning};
pub use platform::{KmallocBounce, PageSize, Platform, RamRange};
pub use policy::{Policy, ShrinkerConfig};
pub use pool::{AllocatorId, MAX_POOL_SLOTS, PoolGeometry, PoolId};
pub use release::Released;
pub use restricted::{RegionProperties, RestrictedRegion};
pub use shrinker::ShrinkPressure;
pub use sizing::{BootConfig, BootOptions, coco_default_size, small_buffer_size};
pub use slot::{MAX_ALLOC_BYTES, MIN_SLOTS, SLOT_BYTES, SLOT_SET_SLOTS, SLOT_SHIFT, SlotInfo};
pub use snapshot::{InvariantBreach, PoolSnapshot};
pub use sparse_memory::{SparseMemory, SparseMemoryError};
pub use stats::{DebugFile, ShrinkerStats, Stats};
pub use swiotlb::{Mode, Swiotlb};
