//! The allocator: pools, flags and counters behind the devices that share them.

use crossbeam_utils::CachePadded;

use crate::area::CpuId;
use crate::common_case::CommonPool;
use crate::device::Device;
use crate::error::{AllocError, Full, FullReason, MapError, MoreSlots, SearchError};
use crate::growth::Growth;
use crate::plain_search::PlainSearch;
use crate::pool::{Origin, Pool, PoolId};
use crate::pool_list::{PoolList, PoolRef};
use crate::search::{FindRun, Search, Wanted};
use crate::shrinker::Peaks;
use crate::swiotlb::Shared;
use crate::sync_primitives::{Arc, AtomicU64, Ordering, View};

/// One allocator (`struct io_tlb_mem`).
#[derive(Debug, Default)]
pub(crate) struct Allocator {
    pub(crate) pools: PoolList,
    /// The first pool, if mappings can be the common case there.
    pub(crate) common: Option<CommonPool>,
    /// Every streaming mapping bounces.
    pub(crate) is_forced: bool,
    /// Coherent memory comes from here too.
    pub(crate) is_for_alloc: bool,
    /// The pools are shared (decrypted) memory.
    pub(crate) is_shared: bool,
    /// Slots of all pools.
    total_slots: AtomicU64,
    pub(crate) growth: Growth,
    pub(crate) usage: CachePadded<Usage>,
}

/// Counters of use. The first one is kept only with tracking or for a shrinker, the second one only
/// with tracking.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    /// Slots in use, those of transient pools too.
    total_used: AtomicU64,
    /// Highest value of `total_used` since the last reset.
    pub(crate) used_hiwater: AtomicU64,
    /// Slots of transient pools.
    pub(crate) transient_slots: AtomicU64,
    /// The peaks of use, if a shrinker wants to know them.
    pub(crate) peaks: Option<Peaks>,
}

impl Usage {
    fn count_taken(&self, shared: &Shared, slots: u32) {
        let slots = u64::from(slots);
        let used = self.total_used.fetch_add(slots, Ordering::Relaxed);
        let used = used.wrapping_add(slots);
        if shared.is_tracking {
            self.used_hiwater.fetch_max(used, Ordering::Relaxed);
        }
        if let Some(peaks) = &self.peaks {
            peaks.note(shared.log.now_nanos(), used);
        }
    }

    fn count_released(&self, shared: &Shared, slots: u32) {
        let slots = u64::from(slots);
        let used = self.total_used.fetch_sub(slots, Ordering::Relaxed);
        if let Some(peaks) = &self.peaks {
            peaks.note(shared.log.now_nanos(), used);
        }
    }

    /// Returns the peak of use that the shrinker goes by.
    pub(crate) fn peak(&self, now: u64) -> u64 {
        let used = self.total_used.load(Ordering::Relaxed);
        self.peaks.as_ref().map_or(0, |peaks| peaks.peak(now, used))
    }

    pub(crate) fn count_transient(&self, slots: u32) {
        self.transient_slots
            .fetch_add(u64::from(slots), Ordering::Relaxed);
    }

    pub(crate) fn count_transient_gone(&self, slots: u32) {
        self.transient_slots
            .fetch_sub(u64::from(slots), Ordering::Relaxed);
    }

    fn clear(&self) {
        self.total_used.store(0, Ordering::Relaxed);
        self.used_hiwater.store(0, Ordering::Relaxed);
    }
}

/// Slots that were found and taken.
#[derive(Debug)]
pub(crate) struct Found<'a> {
    pub(crate) pool: PoolRef<'a>,
    pub(crate) first_slot: u32,
    pub(crate) slots: u32,
}

/// Why nothing was found, before anyone asks for details.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Miss {
    /// No slots in any pool.
    Full,
    /// No pool can ever give that much.
    AboveSlotSet,
    ZeroSize,
    BadBoundary {
        mask: u64,
    },
}

impl From<SearchError> for Miss {
    fn from(cause: SearchError) -> Self {
        match cause {
            SearchError::ZeroSize => Self::ZeroSize,
            SearchError::BadBoundary { mask } => Self::BadBoundary { mask },
            SearchError::AboveSlotSet => Self::AboveSlotSet,
        }
    }
}

/// Why nothing was found.
#[derive(Debug, Clone, Copy)]
pub(crate) enum NotFound {
    Full(Full),
    ZeroSize,
    BadBoundary { mask: u64 },
}

impl From<NotFound> for MapError {
    fn from(cause: NotFound) -> Self {
        match cause {
            NotFound::Full(full) => Self::Full(full),
            NotFound::ZeroSize => Self::ZeroSize,
            NotFound::BadBoundary { mask } => Self::BadBoundary { mask },
        }
    }
}

impl From<NotFound> for AllocError {
    fn from(cause: NotFound) -> Self {
        match cause {
            NotFound::Full(full) => Self::Full(full),
            NotFound::ZeroSize => Self::ZeroSize,
            NotFound::BadBoundary { mask } => Self::BadBoundary { mask },
        }
    }
}

impl Allocator {
    /// Returns the slots of all pools.
    #[inline]
    pub(crate) fn total_slots(&self) -> u64 {
        self.total_slots.load(Ordering::Relaxed)
    }

    /// Makes a pool the first one.
    pub(crate) fn set_first_pool(&mut self, shared: &Shared, pool: Pool) {
        self.total_slots = AtomicU64::new(u64::from(pool.geometry.slots));
        let pool = Arc::new(pool);
        self.common = CommonPool::new(shared, &pool);
        self.pools.set_first(pool);
    }

    /// Puts a pool at the head of the list.
    pub(crate) fn add_further_pool(&self, pool: Pool) {
        let slots = u64::from(pool.geometry.slots);
        self.pools.add(pool);
        self.total_slots.fetch_add(slots, Ordering::Relaxed);
    }

    /// Takes an empty pool out of the list.
    pub(crate) fn remove_pool(&self, id: PoolId) -> Option<Arc<Pool>> {
        let pool = self.pools.remove_if_pristine(id)?;
        let slots = u64::from(pool.geometry.slots);
        self.total_slots.fetch_sub(slots, Ordering::Relaxed);
        Some(pool)
    }

    /// Forgets all pools and what was counted in them. Returns them, newest first.
    pub(crate) fn clear(&mut self) -> Vec<Arc<Pool>> {
        self.total_slots = AtomicU64::new(0);
        self.usage.clear();
        self.growth = Growth::default();
        self.common = None;
        self.pools.take_all()
    }

    /// Returns the slots in use as the areas count them, without transient pools.
    pub(crate) fn used(&self) -> u64 {
        let mut used = 0_u64;
        self.pools
            .for_each(|pool| used = used.wrapping_add(pool.used()));
        used
    }

    /// Returns the slots in use as reported to the administrator.
    pub(crate) fn reported_used(&self, is_tracking: bool) -> u64 {
        if is_tracking {
            self.usage.total_used.load(Ordering::Relaxed)
        } else {
            self.used()
        }
    }

    /// Looks for slots in the areas of `cpu`, and takes them.
    pub(crate) fn find_slots(
        &self,
        shared: &Shared,
        dev: &Device,
        wanted: &Wanted,
        origin: Option<&Origin>,
        cpu: CpuId,
    ) -> Result<Found<'_>, Miss> {
        if let Some(further) = self.pools.further() {
            return self.find_in_list(shared, dev, wanted, origin, cpu, further);
        }
        let Some(pool) = self.pools.first() else {
            return Err(Miss::Full);
        };
        if let Some(search) = self.prepare_plain(shared, dev, wanted, pool) {
            return self.find_in_pool(shared, &search, pool, origin, cpu);
        }
        self.find_with_masks(shared, dev, wanted, origin, cpu, pool)
    }

    /// Looks in the only pool, for a device with boundaries or alignments out of the ordinary.
    #[inline(never)]
    fn find_with_masks<'a>(
        &self,
        shared: &Shared,
        dev: &Device,
        wanted: &Wanted,
        origin: Option<&Origin>,
        cpu: CpuId,
        pool: &'a Pool,
    ) -> Result<Found<'a>, Miss> {
        let search = self.prepare(shared, dev, wanted, pool)?;
        self.find_in_pool(shared, &search, pool, origin, cpu)
    }

    /// Looks at the areas of one pool, that of `cpu` first.
    fn find_in_pool<'a>(
        &self,
        shared: &Shared,
        search: &impl FindRun,
        pool: &'a Pool,
        origin: Option<&Origin>,
        cpu: CpuId,
    ) -> Result<Found<'a>, Miss> {
        let areas = pool.geometry.areas;
        for step in 0..areas.min(shared.search_areas) {
            let area = cpu.0.wrapping_add(step) & (areas - 1);
            if let Some(first_slot) = pool.take(search, area, origin) {
                return Ok(self.found(shared, PoolRef::First(pool), first_slot, search.slots()));
            }
        }
        Err(Miss::Full)
    }

    /// Looks through several pools, newest first: first at the area of `cpu` in each, then at the
    /// next one in each, and so on.
    fn find_in_list(
        &self,
        shared: &Shared,
        dev: &Device,
        wanted: &Wanted,
        origin: Option<&Origin>,
        cpu: CpuId,
        further: View<Vec<Arc<Pool>>>,
    ) -> Result<Found<'_>, Miss> {
        let first = self.pools.first();
        let pools = || further.iter().map(|pool| &**pool).chain(first);
        let most_areas = pools().map(|pool| pool.geometry.areas).max().unwrap_or(0);
        for step in 0..most_areas.min(shared.search_areas) {
            for (index, pool) in pools().enumerate() {
                let areas = pool.geometry.areas;
                if step >= areas {
                    continue;
                }
                let area = cpu.0.wrapping_add(step) & (areas - 1);
                let (taken, slots) = match self.prepare_plain(shared, dev, wanted, pool) {
                    Some(search) => (pool.take(&search, area, origin), search.slots()),
                    None => {
                        let search = self.prepare(shared, dev, wanted, pool)?;
                        (pool.take(&search, area, origin), search.slots())
                    }
                };
                let Some(first_slot) = taken else {
                    continue;
                };
                let pool = match first {
                    Some(first) if index == further.len() => PoolRef::First(first),
                    _ => PoolRef::Further(further, index),
                };
                return Ok(self.found(shared, pool, first_slot, slots));
            }
        }
        Err(Miss::Full)
    }

    #[inline]
    fn found<'a>(
        &self,
        shared: &Shared,
        pool: PoolRef<'a>,
        first_slot: u32,
        slots: u32,
    ) -> Found<'a> {
        self.count_taken(shared, slots);
        Found {
            pool,
            first_slot,
            slots,
        }
    }

    /// Makes a plain search in one pool ready, if it is one.
    fn prepare_plain(
        &self,
        shared: &Shared,
        dev: &Device,
        wanted: &Wanted,
        pool: &Pool,
    ) -> Option<PlainSearch> {
        let platform = &shared.platform;
        let pool_dma = dev.phys_to_dma(pool.base(), platform.cc, self.is_shared);
        let slots = pool.geometry.slots;
        let page_bytes = platform.page_size.bytes();
        PlainSearch::new(dev, wanted, pool_dma.raw(), slots, page_bytes)
    }

    /// Makes a search in one pool ready.
    pub(crate) fn prepare(
        &self,
        shared: &Shared,
        dev: &Device,
        wanted: &Wanted,
        pool: &Pool,
    ) -> Result<Search, SearchError> {
        let platform = &shared.platform;
        let pool_dma = dev.phys_to_dma(pool.base(), platform.cc, self.is_shared);
        let slots = pool.geometry.slots;
        let page_bytes = platform.page_size.bytes();
        Search::new(dev, wanted, pool_dma.raw(), slots, page_bytes)
    }

    /// Counts slots that were taken.
    #[inline]
    pub(crate) fn count_taken(&self, shared: &Shared, slots: u32) {
        if shared.is_counting {
            self.usage.count_taken(shared, slots);
        }
    }

    /// Counts slots that were released.
    #[inline]
    pub(crate) fn count_released(&self, shared: &Shared, slots: u32) {
        if shared.is_counting {
            self.usage.count_released(shared, slots);
        }
    }

    /// Says what the "buffer is full" message says, and why.
    #[cold]
    pub(crate) fn explain_miss(
        &self,
        shared: &Shared,
        dev: &Device,
        wanted: &Wanted,
        miss: Miss,
    ) -> NotFound {
        let why = match miss {
            Miss::ZeroSize => return NotFound::ZeroSize,
            Miss::BadBoundary { mask } => return NotFound::BadBoundary { mask },
            Miss::AboveSlotSet => FullReason::AboveSlotSet,
            Miss::Full => self.explain_full(shared, dev, wanted),
        };
        NotFound::Full(Full {
            bytes: wanted.alloc_size,
            total_slots: self.total_slots(),
            used_slots: self.reported_used(shared.is_tracking),
            why,
            more: self.more_slots(shared),
        })
    }

    /// Says whether there can be more slots.
    fn more_slots(&self, shared: &Shared) -> MoreSlots {
        if self.is_for_alloc {
            MoreSlots::Restricted
        } else if !shared.is_dynamic {
            MoreSlots::Fixed
        } else if self.growth.can_grow() {
            MoreSlots::Growing { alone: None }
        } else {
            MoreSlots::GrowthEnded
        }
    }
}
