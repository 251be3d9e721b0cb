//! The bounce layer as a whole: all allocators, their messages, and what can be asked of them.

use std::time::Duration;

use crate::addr::{DmaAddr, PhysAddr};
use crate::allocator::Allocator;
use crate::device::Device;
use crate::error::InvalidHiwater;
use crate::memory::PhysMemory;
use crate::message::{BouncedTrace, Event, EventLog, Message};
use crate::platform::Platform;
use crate::pool::{AllocatorId, Pool, PoolGeometry, PoolId};
use crate::restricted::RestrictedRegion;
use crate::sizing::BootConfig;
use crate::slot::{MAX_ALLOC_BYTES, SLOT_BYTES};
use crate::stats::Stats;

/// How faithful the layer is to the kernel when a driver releases what it does not own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Does what the kernel does, damage included.
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
    pub(crate) log: EventLog,
}

/// Linux's software IO TLB: the default allocator and the restricted pools.
///
/// Memory is passed to each call that copies, and never stored. What the kernel takes from its
/// surroundings (the CPU, the time, the page allocator) is an argument.
#[derive(Debug)]
pub struct Swiotlb {
    pub(crate) shared: Shared,
    pub(crate) boot: BootConfig,
    pub(crate) allocators: Vec<Allocator>,
    pub(crate) restricted: Vec<RestrictedRegion>,
    next_pool: u32,
}

impl Swiotlb {
    /// Makes a bounce layer without a pool.
    #[must_use]
    pub fn new(platform: Platform, mut boot: BootConfig, mode: Mode) -> Self {
        let mut log = EventLog::default();
        for message in boot.messages.drain(..) {
            log.push(None, message);
        }
        Self {
            shared: Shared {
                platform,
                mode,
                is_tracking: boot.track_hiwater,
                log,
            },
            boot,
            allocators: vec![Allocator::default()],
            restricted: Vec::new(),
            next_pool: 0,
        }
    }

    /// Makes a bounce layer with a default pool at a given place, as a test or a simulation wants
    /// it: `force` and `track_hiwater` come from `boot`, the size does not.
    ///
    /// # Errors
    /// If the geometry is impossible or not memory.
    pub fn with_pool<M: PhysMemory + ?Sized>(
        mem: &mut M,
        platform: Platform,
        boot: BootConfig,
        mode: Mode,
        geometry: PoolGeometry,
    ) -> Result<Self, crate::InitError> {
        let mut swiotlb = Self::new(platform, boot, mode);
        swiotlb.allocators[0].is_forced = swiotlb.boot.force;
        swiotlb.boot.set_areas_from_cpus(geometry.areas);
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
        let invalid = |what| Err(crate::InitError::Invalid { what });
        if geometry.slots == 0 || !geometry.areas.is_power_of_two() {
            return invalid("slots must be above 0 and areas a power of two");
        }
        if geometry.areas > geometry.slots {
            return invalid("there are more areas than slots");
        }
        if geometry.base.checked_add(geometry.bytes()).is_none() {
            return invalid("the end is above the 64-bit address space");
        }
        mem.zero(geometry.base, geometry.bytes())?;
        let id = PoolId(self.next_pool);
        self.next_pool += 1;
        let pool = Pool::new(id, geometry, is_late);
        self.allocators[allocator.0 as usize].add_pool(pool);
        Ok(id)
    }

    /// Returns the platform.
    #[must_use]
    pub const fn platform(&self) -> &Platform {
        &self.shared.platform
    }

    pub(crate) const fn mode(&self) -> Mode {
        self.shared.mode
    }

    /// Returns boot parameters and default sizes as they are now.
    #[must_use]
    pub const fn boot(&self) -> &BootConfig {
        &self.boot
    }

    /// Tells the time, which the rate limit of messages depends on.
    pub const fn set_time(&mut self, since_boot: Duration) {
        self.shared.log.set_time(since_boot);
    }

    /// Switches the tracepoint `swiotlb_bounced` on or off. Events pile up until they are drained.
    pub const fn set_tracing(&mut self, is_on: bool) {
        self.shared.log.is_tracing = is_on;
    }

    /// Takes the messages and trace events since the last call.
    pub fn drain_events(&mut self) -> Vec<Event> {
        self.shared.log.drain()
    }

    pub(crate) fn allocator(&self, id: AllocatorId) -> Option<&Allocator> {
        self.allocators.get(id.0 as usize)
    }

    pub(crate) fn warn(&mut self, dev: &Device, message: Message) {
        self.shared.log.push(Some(dev.name()), message);
    }

    /// Emits the tracepoint of a mapping that is about to bounce.
    pub(crate) fn trace_bounced(&mut self, dev: &Device, orig: PhysAddr, bytes: u64) {
        if !self.shared.log.is_tracing {
            return;
        }
        let dev_addr = dev.phys_to_dma(orig, self.shared.platform.cc, false);
        self.trace_bounced_at(dev, dev_addr, bytes);
    }

    /// As [`Swiotlb::trace_bounced`] with the address to be shown: behind an IOMMU that is the
    /// physical one.
    pub(crate) fn trace_bounced_at(&mut self, dev: &Device, dev_addr: DmaAddr, bytes: u64) {
        if !self.shared.log.is_tracing {
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
    #[must_use]
    pub fn is_active(&self, dev: &Device) -> bool {
        self.allocator(dev.allocator())
            .is_some_and(|allocator| allocator.total_slots > 0)
    }

    /// Returns whether the default allocator has slots (`is_swiotlb_allocated`).
    #[must_use]
    pub fn is_allocated(&self) -> bool {
        self.allocators[0].total_slots > 0
    }

    /// Returns whether every streaming mapping of the device bounces (`is_swiotlb_force_bounce`).
    #[must_use]
    pub fn is_force_bounce(&self, dev: &Device) -> bool {
        self.allocator(dev.allocator())
            .is_some_and(|allocator| allocator.is_forced)
    }

    /// Returns whether the device's coherent memory comes from its pool (`is_swiotlb_for_alloc`).
    #[must_use]
    pub fn is_for_alloc(&self, dev: &Device) -> bool {
        self.allocator(dev.allocator())
            .is_some_and(|allocator| allocator.is_for_alloc)
    }

    /// Returns the largest mapping that fits wherever the buffer lies
    /// (`swiotlb_max_mapping_size`).
    #[must_use]
    pub const fn max_mapping_size(&self, dev: &Device) -> u64 {
        let room = (dev.min_align_mask() as u64).next_multiple_of(SLOT_BYTES);
        MAX_ALLOC_BYTES.saturating_sub(room)
    }

    /// Returns the pool that holds `addr`, of those the device may use (`swiotlb_find_pool`).
    ///
    /// The only test of "is this a bounce buffer": it looks at whole pools, not at mappings.
    #[must_use]
    pub fn find_pool(&self, dev: &Device, addr: PhysAddr) -> Option<PoolId> {
        let allocator = self.allocator(dev.allocator())?;
        let index = allocator.find_pool(addr)?;
        Some(allocator.pools[index].id)
    }

    /// Returns the geometry of a pool, or `None` if there is no such pool.
    #[must_use]
    pub fn pool_geometry(&self, id: PoolId) -> Option<PoolGeometry> {
        self.pool(id).map(|pool| pool.geometry)
    }

    pub(crate) fn pool(&self, id: PoolId) -> Option<&Pool> {
        self.allocators
            .iter()
            .flat_map(|allocator| &allocator.pools)
            .find(|pool| pool.id == id)
    }

    /// Returns the pools of an allocator, newest first.
    pub fn pools(&self, id: AllocatorId) -> impl Iterator<Item = PoolId> {
        self.allocator(id)
            .into_iter()
            .flat_map(|allocator| &allocator.pools)
            .map(|pool| pool.id)
    }

    /// Returns the first byte of the default pool (`default_swiotlb_base`).
    #[must_use]
    pub fn default_base(&self) -> Option<PhysAddr> {
        self.allocators[0].pools.last().map(Pool::base)
    }

    /// Returns the last byte of the default pool (`default_swiotlb_limit`).
    #[must_use]
    pub fn default_limit(&self) -> Option<PhysAddr> {
        self.allocators[0]
            .pools
            .last()
            .map(|pool| pool.end().wrapping_sub(1))
    }

    /// Returns the counters of an allocator, or `None` if there is no such allocator.
    #[must_use]
    pub fn stats(&self, id: AllocatorId) -> Option<Stats> {
        let allocator = self.allocator(id)?;
        Some(Stats {
            total_slots: allocator.total_slots,
            used_slots: allocator.reported_used(self.shared.is_tracking),
            counted_slots: allocator.used(),
            used_hiwater: allocator.used_hiwater,
        })
    }

    /// Writes to `io_tlb_used_hiwater`: 0 resets the mark of an allocator.
    ///
    /// # Errors
    /// For any other value (`-EINVAL`).
    pub fn reset_hiwater(&mut self, id: AllocatorId, value: u64) -> Result<(), InvalidHiwater> {
        if value != 0 {
            return Err(InvalidHiwater { value });
        }
        if let Some(allocator) = self.allocators.get_mut(id.0 as usize) {
            allocator.used_hiwater = 0;
        }
        Ok(())
    }
}
