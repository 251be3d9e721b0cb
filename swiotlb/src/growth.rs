//! Growth: further pools, made by a worker that a full layer asks for (`swiotlb_dyn_alloc`).

use crate::addr::PhysAddr;
use crate::allocator::{Allocator, Miss};
use crate::area::limit_areas;
use crate::block::{Block, BlockWanted};
use crate::error::InitError;
use crate::memory::PhysMemory;
use crate::message::Message;
use crate::page_source::PageSource;
use crate::pool::{AllocatorId, MAX_POOL_SLOTS, Pool, PoolGeometry};
use crate::slot::{MIN_SLOTS, SLOT_BYTES, SLOT_SET_SLOTS, align_up};
use crate::swiotlb::Swiotlb;
use crate::sync_primitives::{Arc, AtomicBool, Lock, Ordering};

/// Whether and where an allocator may grow, and whether it was asked to.
#[derive(Debug, Default)]
pub(crate) struct Growth {
    can_grow: AtomicBool,
    /// Highest address of new pools.
    pub(crate) phys_limit: u64,
    is_queued: AtomicBool,
    is_running: AtomicBool,
    /// Held by the worker.
    worker: Lock<()>,
}

impl Growth {
    pub(crate) fn new(can_grow: bool, phys_limit: u64) -> Self {
        Self {
            can_grow: AtomicBool::new(can_grow),
            phys_limit,
            ..Self::default()
        }
    }

    #[inline]
    pub(crate) fn can_grow(&self) -> bool {
        self.can_grow.load(Ordering::Relaxed)
    }

    /// Ends growth for ever. What is queued still runs.
    pub(crate) fn forbid(&self) {
        self.can_grow.store(false, Ordering::Relaxed);
    }

    /// Asks the worker for a pool. Asked again before it runs, it still makes one.
    pub(crate) fn queue(&self) {
        if !self.is_queued.load(Ordering::Relaxed) {
            self.is_queued.store(true, Ordering::Release);
        }
    }

    /// Returns whether the worker was asked or is at work.
    pub(crate) fn is_pending(&self) -> bool {
        self.is_queued.load(Ordering::Acquire) || self.is_running.load(Ordering::Acquire)
    }
}

/// What pending work came to, see [`Swiotlb::run_pending_work`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct WorkDone {
    /// The pool that was added, if one was asked for and could be had.
    pub added: Option<PoolGeometry>,
    /// Why the pool that was asked for could not be had.
    pub refused: Option<InitError>,
    /// Pools whose memory was given back: those of single mappings, and removed ones.
    pub freed_pools: u32,
}

impl Swiotlb {
    /// Gives the layer a source of pages for growth, pools of one mapping and buffers of their own.
    /// Without one, these are refused for want of memory.
    pub fn set_page_source(&mut self, source: Box<dyn PageSource + Send>) {
        *self.source.get_mut() = Some(source);
    }

    /// Calls `ask` with the page source, if there is one.
    pub(crate) fn with_source<T>(&self, ask: impl FnOnce(&mut dyn PageSource) -> T) -> Option<T> {
        let mut source = self.source.lock();
        source.as_mut().map(|source| ask(&mut **source))
    }

    /// Does what the kernel leaves to its workers: makes the pool that was asked for, and gives back
    /// the memory of pools that nobody uses any more. Explicit, so that a run is deterministic.
    pub fn run_pending_work<M: PhysMemory + ?Sized>(&self, mem: &mut M) -> WorkDone {
        self.run_some_pending_work(mem, u32::MAX)
    }

    /// As [`Swiotlb::run_pending_work`], for at most `budget` pools: the one that was asked for comes
    /// first, then those whose memory goes back, the oldest first. The rest stays pending.
    pub fn run_some_pending_work<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        budget: u32,
    ) -> WorkDone {
        let Some(left) = budget.checked_sub(1) else {
            return WorkDone::default();
        };
        let (added, refused, left) = match self.grow_if_asked(mem) {
            None => (None, None, budget),
            Some(Ok(geometry)) => (Some(geometry), None, left),
            Some(Err(cause)) => (None, Some(cause), left),
        };
        WorkDone {
            added,
            refused,
            freed_pools: self.free_dropped(left),
        }
    }

    /// Returns whether a worker would have something to do.
    #[must_use]
    pub fn has_pending_work(&self) -> bool {
        self.allocators[0].growth.is_pending() || !self.dropped.lock().is_empty()
    }

    /// Asks the worker for a further pool after a search that found nothing. Returns whether the
    /// allocator grows at all.
    #[cold]
    pub(crate) fn ask_for_growth(&self, allocator: &Allocator, miss: Miss) -> bool {
        let grows = matches!(miss, Miss::Full) && allocator.growth.can_grow();
        if grows {
            self.shrinker.note_full(self.shared.log.now_nanos());
            allocator.growth.queue();
        }
        grows
    }

    /// Makes the pool that was asked for. `None` if none was.
    ///
    /// # Errors
    /// If no memory could be had, it could not be shared, or it is none.
    pub fn grow_if_asked<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
    ) -> Option<Result<PoolGeometry, InitError>> {
        let growth = &self.allocators[0].growth;
        if !growth.is_queued.load(Ordering::Acquire) {
            return None;
        }
        let _worker = growth.worker.lock();
        // At every moment from the request to the new pool, one of the two flags is up: the shrinker
        // must not see a gap between them. Only the holder of the lock touches this one.
        growth.is_running.store(true, Ordering::Release);
        // Another worker may have done what was asked while this one waited for the lock.
        let was_queued = growth.is_queued.swap(false, Ordering::AcqRel);
        let result = was_queued.then(|| self.grow(mem));
        growth.is_running.store(false, Ordering::Release);
        if let Some(Err(_)) = result {
            self.say(Message::GrowFailed);
        }
        result
    }

    fn grow<M: PhysMemory + ?Sized>(&self, mem: &mut M) -> Result<PoolGeometry, InitError> {
        let allocator = &self.allocators[0];
        let page_slots = self.shared.platform.page_size.slots();
        // No block is larger than a pool can be, whatever order the page allocator is said to have.
        let order = self.boot.options.max_page_order.min(MAX_POOL_SLOTS.ilog2());
        let most_slots = (page_slots << order).min(u64::from(MAX_POOL_SLOTS));
        let (mut slots, mut areas) = (self.boot.default_slots(), self.boot.default_areas());
        if slots > most_slots {
            slots = most_slots;
            areas = limit_areas(areas, slots);
        }
        loop {
            let wanted = BlockWanted {
                bytes: slots * SLOT_BYTES,
                limit: allocator.growth.phys_limit,
                is_blocking: true,
                is_shared: allocator.is_shared,
            };
            let block = self.with_source(|source| self.alloc_block(source, &wanted, 0));
            match block.unwrap_or(Err(InitError::NoMemory {
                bytes: wanted.bytes,
            })) {
                Ok(block) => return self.add_grown(mem, block, slots, areas),
                Err(cause) if slots <= MIN_SLOTS => return Err(cause),
                Err(_) => {}
            }
            slots = align_up(slots / 2, u64::from(SLOT_SET_SLOTS));
            areas = limit_areas(areas, slots);
        }
    }

    fn add_grown<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        block: Block,
        slots: u64,
        areas: u32,
    ) -> Result<PoolGeometry, InitError> {
        let pool = self.make_pool(mem, block, slots, areas, true)?;
        let geometry = pool.geometry;
        let allocator = &self.allocators[AllocatorId::DEFAULT.0 as usize];
        pool.set_last_active(self.shared.log.now_nanos());
        allocator.add_further_pool(pool);
        self.shrinker.count_added(self.shared.log.now_nanos());
        Ok(geometry)
    }

    /// Makes a pool of zeroed memory on a block, or gives the block back.
    pub(crate) fn make_pool<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        block: Block,
        slots: u64,
        areas: u32,
        is_listed: bool,
    ) -> Result<Pool, InitError> {
        let base = block.base;
        let made = PoolGeometry::checked(base, slots, areas).and_then(|geometry| {
            if is_listed {
                self.check_overlap(&geometry)?;
            }
            mem.zero(base, geometry.bytes())?;
            Ok(geometry)
        });
        match made {
            Ok(geometry) => {
                let pool = Pool::new(self.next_pool_id(), geometry, true);
                Ok(pool.with_block(block))
            }
            Err(cause) => {
                self.with_source(|source| self.give_back(source, &block));
                Err(cause)
            }
        }
    }

    /// Gives back the memory of pools that were dropped and that no thread looks at any more.
    /// Returns how many.
    pub fn free_dropped_pools(&self) -> u32 {
        self.free_dropped(u32::MAX)
    }

    /// As [`Swiotlb::free_dropped_pools`], at most `budget` of them.
    fn free_dropped(&self, budget: u32) -> u32 {
        let mut freed = 0;
        let mut dropped = self.dropped.lock();
        dropped.retain_mut(|pool| {
            if freed >= budget || Arc::strong_count(pool) > 1 {
                return true;
            }
            if let Some(block) = pool.block {
                self.with_source(|source| self.give_back(source, &block));
            }
            freed += 1;
            false
        });
        freed
    }

    /// Lets go of a pool; its memory goes back when nobody looks at it any more.
    pub(crate) fn drop_pool(&self, pool: Arc<Pool>) {
        self.dropped.lock().push(pool);
    }

    #[cfg(feature = "vectors")]
    pub(crate) fn default_growth(&self) -> &Growth {
        &self.allocators[0].growth
    }

    /// Returns the highest address of pools that growth may add; `None` if there is no growth.
    #[must_use]
    pub fn growth_limit(&self) -> Option<PhysAddr> {
        let growth = &self.allocators[0].growth;
        growth.can_grow().then(|| PhysAddr::new(growth.phys_limit))
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

    use super::*;
    use crate::page_source::PageRequest;
    use crate::sizing::{BootConfig, BootOptions};
    use crate::swiotlb::Mode;
    use crate::{Platform, Policy, RamRange, SparseMemory};
    use std::sync::atomic::AtomicU64;

    /// Has no pages, and counts how often it was asked.
    struct Nothing(Arc<AtomicU64>);

    impl PageSource for Nothing {
        fn alloc(&mut self, _: &PageRequest) -> Option<PhysAddr> {
            self.0.fetch_add(1, Ordering::SeqCst);
            None
        }

        fn free(&mut self, _: PhysAddr, _: u64) {}
    }

    #[test]
    fn growth_is_pending_without_a_gap_from_the_request_to_its_end() {
        let range = RamRange {
            start: PhysAddr::new(0),
            bytes: 0x20_0000,
        };
        let mut mem = SparseMemory::new(&[range]).unwrap();
        let boot = BootConfig::new(BootOptions {
            policy: Policy::DynamicPools,
            ..BootOptions::default()
        });
        let geometry = PoolGeometry {
            base: PhysAddr::new(0x10_0000),
            slots: 512,
            areas: 1,
        };
        let platform = Platform::default();
        let mut swiotlb =
            Swiotlb::with_pool(&mut mem, platform, boot, Mode::Kernel, geometry).unwrap();
        let asked = Arc::new(AtomicU64::new(0));
        swiotlb.set_page_source(Box::new(Nothing(Arc::clone(&asked))));
        let growth = &swiotlb.allocators[0].growth;
        let (mut gaps, is_over) = (0, AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    swiotlb.grow_if_asked(&mut mem);
                }
            });
            for _ in 0..20_000 {
                let before = asked.load(Ordering::SeqCst);
                growth.queue();
                while growth.is_pending() {
                    std::hint::spin_loop();
                }
                gaps += u32::from(asked.load(Ordering::SeqCst) == before);
            }
            is_over.store(true, Ordering::Relaxed);
        });
        assert_eq!(gaps, 0, "growth was not pending before it was done");
    }
}
