//! The bounce layer as a whole: all allocators, their messages, and what can be asked of them.

use std::fmt;
use std::time::Duration;

use crate::addr::{DmaAddr, PhysAddr};
use crate::allocator::Allocator;
use crate::allocators::Allocators;
use crate::device::Device;
use crate::error::InvalidHiwater;
use crate::growth::Growth;
use crate::memory::PhysMemory;
use crate::message::{BouncedTrace, Event, EventLog, Message};
use crate::page_source::PageSource;
use crate::platform::Platform;
use crate::policy::Policy;
use crate::pool::{AllocatorId, Pool, PoolGeometry, PoolId};
use crate::pool_list::PoolRef;
use crate::restricted::RestrictedRegion;
use crate::shrinker::{Peaks, Shrinker};
use crate::sizing::BootConfig;
use crate::slot::{MAX_ALLOC_BYTES, SLOT_BYTES};
use crate::stats::Stats;
use crate::sync_primitives::{Arc, AtomicU32, Lock, Ordering};

/// How faithful the layer is to the kernel when a driver releases what it does not own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Does what the kernel does, damage included: a stray release frees what it hits, also in the next
    /// slot set or area.
    #[default]
    Kernel,
    /// Refuses such a release with an error and changes nothing.
    Strict,
}

/// What all allocators share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) platform: Platform,
    pub(crate) mode: Mode,
    pub(crate) is_tracking: bool,
    /// Slots in use are counted: tracking is on, or a shrinker wants to know.
    pub(crate) is_counting: bool,
    pub(crate) policy: Policy,
    /// No encryption, no counting, no buffers of their own, and searches look at areas: see
    /// [`crate::common_case`].
    pub(crate) is_common: bool,
    /// Pools can be added.
    pub(crate) is_dynamic: bool,
    /// Areas that a search looks at in each pool: `default_nareas` where pools can be added, which
    /// is 0 before the default pool is made; no limit otherwise.
    pub(crate) search_areas: u32,
    pub(crate) log: EventLog,
}

impl Shared {
    /// Sets how many areas a search looks at, and whether mappings can be the common case.
    fn set_search_areas(&mut self, areas: u32) {
        self.search_areas = areas;
        self.is_common = areas > 0
            && !self.platform.cc.is_active()
            && !self.is_counting
            && self.policy != Policy::PerBuffer;
    }
}

/// Linux's software IO TLB: the default allocator and the restricted pools.
///
/// Memory is passed to each call that copies, and never stored. What the kernel takes from its
/// surroundings (the CPU, the time, the page allocator) is an argument.
///
/// Mapping, unmapping, syncing, statistics and messages take `&self`, from as many threads as there
/// are; only start, teardown and restricted pools want the layer for themselves. A memory that
/// threads share implements [`PhysMemory`] for its reference, as `std::io::Write` is implemented for
/// `&File`. Searches of different areas do not wait for each other. An address that one thread
/// hands to another must be handed over by something that synchronises (a channel, a lock).
pub struct Swiotlb {
    pub(crate) shared: Shared,
    pub(crate) boot: BootConfig,
    pub(crate) allocators: Allocators,
    pub(crate) restricted: Vec<RestrictedRegion>,
    next_pool: AtomicU32,
    /// Where pages come from that are asked for while running.
    pub(crate) source: Lock<Option<Box<dyn PageSource + Send>>>,
    /// Pools that nobody can find any more, until their memory goes back.
    pub(crate) dropped: Lock<Vec<Arc<Pool>>>,
    pub(crate) shrinker: Shrinker,
}

impl fmt::Debug for Swiotlb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Swiotlb")
            .field("shared", &self.shared)
            .field("boot", &self.boot)
            .field("allocators", &self.allocators)
            .field("restricted", &self.restricted)
            .finish_non_exhaustive()
    }
}

impl Swiotlb {
    /// Makes a bounce layer without a pool.
    #[must_use]
    pub fn new(platform: Platform, mut boot: BootConfig, mode: Mode) -> Self {
        let shrinker = match boot.options.policy {
            Policy::Shrinker(config) => Some(config),
            _ => None,
        };
        let mut allocator = Allocator::default();
        allocator.usage.peaks = shrinker.map(|config| Peaks::new(config.window));
        let log = EventLog::default();
        for message in boot.messages.drain(..) {
            log.push(None, message);
        }
        let is_counting = boot.track_hiwater || shrinker.is_some();
        let mut swiotlb = Self {
            shared: Shared {
                is_dynamic: boot.options.policy.is_dynamic(),
                is_common: false,
                platform,
                mode,
                is_tracking: boot.track_hiwater,
                is_counting,
                policy: boot.options.policy,
                search_areas: 0,
                log,
            },
            boot,
            allocators: Allocators::new(allocator),
            restricted: Vec::new(),
            next_pool: AtomicU32::new(0),
            source: Lock::default(),
            dropped: Lock::default(),
            shrinker: Shrinker::default(),
        };
        if !swiotlb.shared.is_dynamic {
            swiotlb.shared.set_search_areas(u32::MAX);
        }
        swiotlb
    }

    /// Makes a bounce layer with a default pool at a given place, as a test or a simulation wants
    /// it: options, `force` and `track_hiwater` come from `boot`, the size does not. Pools that are
    /// added lie below 4 GiB.
    ///
    /// # Errors
    /// If the geometry is impossible or not memory, or the platform is impossible
    /// ([`Platform::check`]).
    pub fn with_pool<M: PhysMemory + ?Sized>(
        mem: &mut M,
        platform: Platform,
        boot: BootConfig,
        mode: Mode,
        geometry: PoolGeometry,
    ) -> Result<Self, crate::InitError> {
        platform.check()?;
        let mut boot = boot;
        boot.set_geometry(u64::from(geometry.slots), geometry.areas);
        let mut swiotlb = Self::new(platform, boot, mode);
        swiotlb.allocators[0].is_forced = swiotlb.boot.force;
        swiotlb.allow_growth(true, 0xffff_ffff);
        swiotlb.add_pool(mem, AllocatorId::DEFAULT, geometry, false)?;
        Ok(swiotlb)
    }

    /// Makes a pool of zeroed memory and puts it at the head of an allocator's list.
    pub(crate) fn add_pool<M: PhysMemory + ?Sized>(
        &mut self,
        mem: &mut M,
        allocator: AllocatorId,
        geometry: PoolGeometry,
        is_late: bool,
    ) -> Result<PoolId, crate::InitError> {
        let PoolGeometry { base, slots, areas } = geometry;
        let geometry = PoolGeometry::checked(base, u64::from(slots), areas)?;
        if areas > slots {
            let what = "there are more areas than slots";
            return Err(crate::InitError::Invalid { what });
        }
        self.check_overlap(&geometry)?;
        mem.zero(geometry.base, geometry.bytes())?;
        let id = self.next_pool_id();
        let pool = Pool::new(id, geometry, is_late);
        self.allocators[allocator.0 as usize].set_first_pool(&self.shared, pool);
        Ok(id)
    }

    /// Refuses a pool that shares memory with another.
    pub(crate) fn check_overlap(&self, geometry: &PoolGeometry) -> Result<(), crate::InitError> {
        let mut overlapped = None;
        for allocator in self.allocators.iter() {
            allocator.pools.for_each(|pool| {
                if pool.geometry.overlaps(geometry) {
                    overlapped = Some(pool.base());
                }
            });
        }
        match overlapped {
            None => Ok(()),
            Some(other) => Err(crate::InitError::Overlaps {
                base: geometry.base,
                other,
            }),
        }
    }

    /// Opens the way to further pools, if the policy knows any.
    pub(crate) fn allow_growth(&mut self, can_grow: bool, phys_limit: u64) {
        if self.shared.policy.is_dynamic() {
            self.shared.set_search_areas(self.boot.default_areas());
            self.allocators[0].growth = Growth::new(can_grow, phys_limit);
        }
    }

    pub(crate) fn count_leaked(&self, bytes: u64) {
        self.shrinker.count_leaked(bytes);
    }

    pub(crate) fn next_pool_id(&self) -> PoolId {
        PoolId(self.next_pool.fetch_add(1, Ordering::Relaxed))
    }

    /// Returns the platform.
    #[must_use]
    pub const fn platform(&self) -> &Platform {
        &self.shared.platform
    }

    /// Returns how faithful the layer is to the kernel.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.shared.mode
    }

    /// Returns boot parameters and default sizes as they are now.
    #[must_use]
    pub const fn boot(&self) -> &BootConfig {
        &self.boot
    }

    /// Tells the time, which the rate limit of messages depends on.
    pub fn set_time(&self, since_boot: Duration) {
        self.shared.log.set_time(since_boot);
    }

    /// Switches the tracepoint `swiotlb_bounced` on or off. Events pile up until they are drained.
    pub fn set_tracing(&self, is_on: bool) {
        self.shared.log.set_tracing(is_on);
    }

    /// Takes the messages and trace events since the last call.
    pub fn drain_events(&self) -> Vec<Event> {
        self.shared.log.drain()
    }

    #[inline(always)]
    pub(crate) fn allocator(&self, id: AllocatorId) -> Option<&Allocator> {
        self.allocators.get(id)
    }

    pub(crate) fn warn(&self, dev: &Device, message: Message) {
        self.shared.log.push(Some(dev), message);
    }

    /// Emits the tracepoint of a mapping that is about to bounce.
    #[inline]
    pub(crate) fn trace_bounced(&self, dev: &Device, orig: PhysAddr, bytes: u64) {
        if self.shared.log.is_tracing() {
            self.trace_bounced_now(dev, orig, bytes);
        }
    }

    #[cold]
    fn trace_bounced_now(&self, dev: &Device, orig: PhysAddr, bytes: u64) {
        let dev_addr = dev.phys_to_dma(orig, self.shared.platform.cc, false);
        self.trace_bounced_at(dev, dev_addr, bytes);
    }

    /// As [`Swiotlb::trace_bounced`] with the address to be shown: behind an IOMMU that is the
    /// physical one.
    pub(crate) fn trace_bounced_at(&self, dev: &Device, dev_addr: DmaAddr, bytes: u64) {
        if !self.shared.log.is_tracing() {
            return;
        }
        let trace = BouncedTrace {
            dev_name: dev.name().to_owned(),
            dma_mask: dev.raw_mask(),
            dev_addr,
            bytes,
            is_forced: self.is_force_bounce(dev),
        };
        self.shared.log.trace(trace);
    }

    /// Returns whether the device's allocator has slots (`is_swiotlb_active`).
    #[doc(alias = "is_swiotlb_active")]
    #[must_use]
    pub fn is_active(&self, dev: &Device) -> bool {
        self.allocator(dev.allocator())
            .is_some_and(|allocator| allocator.total_slots() > 0)
    }

    /// Returns whether the default allocator has slots (`is_swiotlb_allocated`).
    #[doc(alias = "is_swiotlb_allocated")]
    #[must_use]
    pub fn is_allocated(&self) -> bool {
        self.allocators[0].total_slots() > 0
    }

    /// Returns whether every streaming mapping of the device bounces (`is_swiotlb_force_bounce`).
    #[doc(alias = "is_swiotlb_force_bounce")]
    #[must_use]
    pub fn is_force_bounce(&self, dev: &Device) -> bool {
        self.allocator(dev.allocator())
            .is_some_and(|allocator| allocator.is_forced)
    }

    /// Returns whether the device's coherent memory comes from its pool (`is_swiotlb_for_alloc`).
    #[doc(alias = "is_swiotlb_for_alloc")]
    #[must_use]
    pub fn is_for_alloc(&self, dev: &Device) -> bool {
        self.allocator(dev.allocator())
            .is_some_and(|allocator| allocator.is_for_alloc)
    }

    /// Returns the largest mapping that fits wherever the buffer lies
    /// (`swiotlb_max_mapping_size`).
    #[doc(alias = "swiotlb_max_mapping_size")]
    #[must_use]
    pub const fn max_mapping_size(&self, dev: &Device) -> u64 {
        let room = (dev.min_align_mask() as u64).next_multiple_of(SLOT_BYTES);
        MAX_ALLOC_BYTES.saturating_sub(room)
    }

    /// Returns the pool that holds `addr`, of those the device may use (`swiotlb_find_pool`).
    ///
    /// The only test of "is this a bounce buffer": it looks at whole pools, not at mappings. A buffer
    /// of its own ([`Policy::PerBuffer`]) has a number like a pool.
    #[doc(alias = "swiotlb_find_pool")]
    #[must_use]
    pub fn find_pool(&self, dev: &Device, addr: PhysAddr) -> Option<PoolId> {
        if let Some(buffer) = dev.own_buffers.touch(addr) {
            return Some(buffer.id);
        }
        self.locate(dev, addr).map(|pool| pool.id)
    }

    /// Returns the pool that holds `addr`, of those the device may use.
    #[inline]
    pub(crate) fn locate(&self, dev: &Device, addr: PhysAddr) -> Option<PoolRef<'_>> {
        let allocator = self.allocator(dev.allocator())?;
        if !self.shared.is_dynamic {
            return allocator.pools.find(addr);
        }
        if !dev.uses_io_tlb() {
            return None;
        }
        allocator
            .pools
            .find(addr)
            .or_else(|| dev.transient.find(addr).map(PoolRef::Transient))
    }

    /// Returns the geometry of a pool, or `None` if there is no such pool.
    #[must_use]
    pub fn pool_geometry(&self, id: PoolId) -> Option<PoolGeometry> {
        self.pool(id).map(|pool| pool.geometry)
    }

    pub(crate) fn pool(&self, id: PoolId) -> Option<PoolRef<'_>> {
        self.allocators
            .iter()
            .find_map(|allocator| allocator.pools.get(id))
    }

    /// Returns the pools of an allocator, newest first.
    pub fn pools(&self, id: AllocatorId) -> impl Iterator<Item = PoolId> {
        let mut ids = Vec::new();
        if let Some(allocator) = self.allocator(id) {
            allocator.pools.for_each(|pool| ids.push(pool.id));
        }
        ids.into_iter()
    }

    /// Returns where the pool lies that holds `addr`, one of a single mapping included.
    #[must_use]
    pub fn pool_at(&self, dev: &Device, addr: PhysAddr) -> Option<PoolGeometry> {
        self.locate(dev, addr).map(|pool| pool.geometry)
    }

    /// Returns the first byte of the default pool (`default_swiotlb_base`). As in the kernel, asking
    /// ends growth for ever; what is queued still runs.
    #[doc(alias = "default_swiotlb_base")]
    #[must_use]
    pub fn default_base(&self) -> Option<PhysAddr> {
        self.allocators[0].growth.forbid();
        self.allocators[0].pools.first().map(Pool::base)
    }

    /// Returns the highest address that growth may use, or, where there is no growth, the last byte
    /// of the default pool (`default_swiotlb_limit`).
    #[doc(alias = "default_swiotlb_limit")]
    #[must_use]
    pub fn default_limit(&self) -> Option<PhysAddr> {
        if let Some(limit) = self.growth_limit() {
            return Some(limit);
        }
        self.allocators[0]
            .pools
            .first()
            .map(|pool| pool.end().wrapping_sub(1))
    }

    /// Returns the counters of an allocator, or `None` if there is no such allocator.
    #[doc(alias(
        "io_tlb_nslabs",
        "io_tlb_used",
        "io_tlb_used_hiwater",
        "io_tlb_transient_nslabs"
    ))]
    #[must_use]
    pub fn stats(&self, id: AllocatorId) -> Option<Stats> {
        let allocator = self.allocator(id)?;
        Some(Stats {
            total_slots: allocator.total_slots(),
            used_slots: allocator.reported_used(self.shared.is_tracking),
            counted_slots: allocator.used(),
            used_hiwater: allocator.usage.used_hiwater.load(Ordering::Relaxed),
            transient_slots: allocator.usage.transient_slots.load(Ordering::Relaxed),
            shrinker: self.shrinker_stats(id),
        })
    }

    /// Writes to `io_tlb_used_hiwater`: 0 resets the mark of an allocator.
    ///
    /// # Errors
    /// For any other value (`-EINVAL`), and if there is no such allocator.
    #[doc(alias = "io_tlb_used_hiwater")]
    pub fn reset_hiwater(&self, id: AllocatorId, value: u64) -> Result<(), InvalidHiwater> {
        if value != 0 {
            return Err(InvalidHiwater::Value { value });
        }
        let Some(allocator) = self.allocator(id) else {
            return Err(InvalidHiwater::UnknownAllocator { id });
        };
        allocator.usage.used_hiwater.store(0, Ordering::Relaxed);
        Ok(())
    }
}
