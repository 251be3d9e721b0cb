//! The allocator: pools, flags and counters behind the devices that share them.

use crate::addr::PhysAddr;
use crate::area::CpuId;
use crate::device::Device;
use crate::error::{AllocError, Full, FullReason, MapError, SearchError};
use crate::pool::Pool;
use crate::search::{Search, Wanted};
use crate::swiotlb::Shared;

/// One allocator (`struct io_tlb_mem`).
#[derive(Debug, Clone, Default)]
pub(crate) struct Allocator {
    /// Pools, newest first.
    pub(crate) pools: Vec<Pool>,
    /// Slots of all pools.
    pub(crate) total_slots: u64,
    /// Every streaming mapping bounces.
    pub(crate) is_forced: bool,
    /// Coherent memory comes from here too.
    pub(crate) is_for_alloc: bool,
    /// The pools are shared (decrypted) memory.
    pub(crate) is_shared: bool,
    /// Slots in use, counted if tracking is on.
    pub(crate) total_used: u64,
    /// Highest value of `total_used` since the last reset.
    pub(crate) used_hiwater: u64,
}

/// Slots that were found and taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    /// Index of the pool in the list.
    pub(crate) pool: usize,
    pub(crate) first_slot: u32,
    pub(crate) slots: u32,
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
    /// Puts a new pool at the head of the list.
    pub(crate) fn add_pool(&mut self, pool: Pool) {
        self.total_slots += u64::from(pool.geometry.slots);
        self.pools.insert(0, pool);
    }

    /// Returns the index of the pool that holds `addr`.
    #[inline]
    pub(crate) fn find_pool(&self, addr: PhysAddr) -> Option<usize> {
        self.pools.iter().position(|pool| pool.contains(addr))
    }

    /// Returns the slots in use as the areas count them.
    pub(crate) fn used(&self) -> u64 {
        self.pools
            .iter()
            .fold(0, |sum, pool| sum.wrapping_add(pool.used()))
    }

    /// Returns the slots in use as reported to the administrator.
    pub(crate) fn reported_used(&self, is_tracking: bool) -> u64 {
        if is_tracking {
            self.total_used
        } else {
            self.used()
        }
    }

    /// Looks for slots from the area of `cpu` on, and takes them.
    pub(crate) fn find_slots(
        &mut self,
        shared: &Shared,
        dev: &Device,
        wanted: &Wanted,
        cpu: CpuId,
    ) -> Result<Found, NotFound> {
        let is_tracking = shared.is_tracking;
        let Some(pool) = self.pools.first_mut() else {
            return Err(NotFound::Full(self.full(is_tracking, wanted, None)));
        };
        let platform = &shared.platform;
        let pool_dma = dev.phys_to_dma(pool.base(), platform.cc, self.is_shared);
        let slots = pool.geometry.slots;
        let page_bytes = platform.page_size.bytes();
        let search = match Search::new(dev, wanted, pool_dma.raw(), slots, page_bytes) {
            Ok(search) => search,
            Err(SearchError::ZeroSize) => return Err(NotFound::ZeroSize),
            Err(SearchError::BadBoundary { mask }) => return Err(NotFound::BadBoundary { mask }),
            Err(SearchError::AboveSlotSet) => {
                return Err(NotFound::Full(self.full(is_tracking, wanted, None)));
            }
        };
        let areas = pool.geometry.areas;
        for step in 0..areas {
            let area = cpu.0.wrapping_add(step) & (areas - 1);
            if let Some(first_slot) = search.take(pool, area) {
                let slots = search.slots();
                self.count_taken(is_tracking, slots);
                return Ok(Found {
                    pool: 0,
                    first_slot,
                    slots,
                });
            }
        }
        Err(NotFound::Full(self.full(
            is_tracking,
            wanted,
            Some(&search),
        )))
    }

    fn count_taken(&mut self, is_tracking: bool, slots: u32) {
        if is_tracking {
            self.total_used = self.total_used.wrapping_add(u64::from(slots));
            self.used_hiwater = self.used_hiwater.max(self.total_used);
        }
    }

    /// Frees slots of a pool and counts them in the area in which they begin.
    pub(crate) fn release(&mut self, is_tracking: bool, pool: usize, first_slot: u32, slots: u32) {
        let pool = &mut self.pools[pool];
        pool.table.release(first_slot, slots);
        let area = &mut pool.areas[(first_slot / pool.area_slots) as usize];
        area.used = area.used.wrapping_sub(u64::from(slots));
        if is_tracking {
            self.total_used = self.total_used.wrapping_sub(u64::from(slots));
        }
    }

    /// Says what the "buffer is full" message says, and why.
    fn full(&mut self, is_tracking: bool, wanted: &Wanted, search: Option<&Search>) -> Full {
        let why = search.map_or(FullReason::AboveSlotSet, |search| self.explain(search));
        Full {
            bytes: wanted.alloc_size,
            total_slots: self.total_slots,
            used_slots: self.reported_used(is_tracking),
            why,
        }
    }

    fn explain(&mut self, search: &Search) -> FullReason {
        if search.is_above_boundary() {
            return FullReason::AboveBoundary;
        }
        let free = self.total_slots.saturating_sub(self.used());
        if free < u64::from(search.slots()) {
            return FullReason::FewFree { free };
        }
        let longest_run = self
            .pools
            .iter_mut()
            .map(|pool| pool.table.longest_free_run())
            .max()
            .unwrap_or(0);
        if longest_run < search.slots() {
            FullReason::Fragmented { longest_run }
        } else {
            FullReason::Unsuitable { longest_run }
        }
    }
}
