//! A domain: one space of I/O virtual addresses with its page table (`struct iommu_domain`).

use std::fmt;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::addr::DmaAddr;
use crate::area::CpuId;
use crate::iommu::config::{Aperture, DomainConfig};
use crate::iommu::error::{DomainError, IommuError};
use crate::iommu::flush_queue::FlushQueue;
use crate::iommu::granule::Granule;
use crate::iommu::iova_space::IovaSpace;
use crate::iommu::page_table::PageTable;

/// What a domain holds, and what it has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DomainStats {
    /// Bytes that are mapped.
    pub mapped_bytes: u64,
    /// Ranges of I/O virtual addresses given out.
    pub granted_ranges: usize,
    /// Freed ranges that CPUs keep for their next allocation.
    pub cached_ranges: usize,
    /// Unmapped ranges that wait for a flush.
    pub waiting_ranges: usize,
    /// Flushes of the whole domain.
    pub flushes: u64,
    /// Accesses that went through a range that was unmapped, but not yet flushed.
    pub stale_accesses: u64,
    /// Accesses that were stopped.
    pub faults: u64,
}

/// One space of I/O virtual addresses, shared by the devices that are attached to it.
///
/// Devices, driver and simulated bus hold it together, so calls take `&self`.
#[doc(alias = "iommu_domain")]
pub struct IommuDomain {
    granule: Granule,
    aperture: Aperture,
    is_forcing_dac: bool,
    pub(super) caches_absent: bool,
    state: Mutex<State>,
}

pub(super) struct State {
    pub(super) space: IovaSpace,
    pub(super) table: PageTable,
    /// Unmapped, but usable until the next flush.
    pub(super) stale: PageTable,
    /// Linked, but not usable before the sync.
    pub(super) unsynced: PageTable,
    pub(super) queue: FlushQueue,
    now: Duration,
    flushes: u64,
    pub(super) stale_accesses: u64,
    pub(super) faults: u64,
}

impl fmt::Debug for IommuDomain {
    /// Prints counts; the tables would be long.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IommuDomain")
            .field("granule", &self.granule)
            .field("aperture", &self.aperture)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl IommuDomain {
    /// Makes an empty domain (`iommu_paging_domain_alloc` and `iommu_dma_init_domain`).
    ///
    /// # Errors
    /// If page sizes, aperture, reserved regions or queue cannot be (`-EINVAL`).
    #[doc(alias = "iommu_dma_init_domain")]
    pub fn new(config: &DomainConfig) -> Result<Self, DomainError> {
        let granule = config.granule()?;
        let aperture = config.aperture;
        let (first, last) = (aperture.first, aperture.last);
        let empty = DomainError::EmptyAperture { first, last };
        let first_page = granule.page_of(granule.align_up(first.raw()).ok_or(empty)?);
        let last_page = last_whole_page(granule, last.raw()).ok_or(empty)?;
        let mut space = IovaSpace::new(&(first_page..=last_page));
        if space.is_exhausted() {
            return Err(empty);
        }
        for region in &config.reserved {
            let (start, bytes) = (region.start, region.bytes);
            let Some(extra) = bytes.checked_sub(1) else {
                continue;
            };
            let end = start.checked_add(extra);
            let end = end.ok_or(DomainError::BadReserved { start, bytes })?;
            let pages = granule.page_of(start.raw())..=granule.page_of(end.raw());
            space.reserve(&pages);
        }
        if let crate::FlushMode::Lazy { entries: 0, .. } = config.flush {
            return Err(DomainError::NoQueueEntries);
        }
        Ok(Self {
            granule,
            aperture,
            is_forcing_dac: config.is_forcing_dac,
            caches_absent: config.caches_absent,
            state: Mutex::new(State {
                space,
                table: PageTable::default(),
                stale: PageTable::default(),
                unsynced: PageTable::default(),
                queue: FlushQueue::new(config.flush),
                now: Duration::ZERO,
                flushes: 0,
                stale_accesses: 0,
                faults: 0,
            }),
        })
    }

    /// Returns the smallest page.
    #[must_use]
    pub const fn granule(&self) -> Granule {
        self.granule
    }

    /// Returns the addresses that the IOMMU translates.
    #[must_use]
    pub const fn aperture(&self) -> Aperture {
        self.aperture
    }

    /// Returns the granules that a range touches: first address and length in bytes.
    pub(crate) fn granules_of(&self, addr: DmaAddr, bytes: u64) -> (DmaAddr, u64) {
        let offset = self.granule().offset(addr.raw());
        let span = self.granule().span(offset, bytes).unwrap_or(u64::MAX);
        (addr.wrapping_sub(offset), span)
    }

    /// Returns the highest address that may be mapped.
    pub(crate) const fn highest(&self) -> u64 {
        if self.aperture.is_forced {
            self.aperture.last.raw()
        } else {
            u64::MAX
        }
    }

    pub(crate) const fn is_forcing_dac(&self) -> bool {
        self.is_forcing_dac
    }

    /// No call leaves the state half changed, so a panic elsewhere does no harm to it.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives out addresses for `bytes` bytes, rounded up to granules, none above `limit`
    /// (`iommu_dma_alloc_iova`).
    ///
    /// # Errors
    /// If nothing is asked for, or no place is free.
    #[doc(alias = "iommu_dma_alloc_iova")]
    pub fn alloc_iova(&self, bytes: u64, limit: u64, cpu: CpuId) -> Result<DmaAddr, IommuError> {
        self.alloc_within(bytes, limit, cpu, true)
    }

    /// As [`IommuDomain::alloc_iova`]; `may_reclaim` empties the caches of all CPUs at need.
    pub(crate) fn alloc_within(
        &self,
        bytes: u64,
        limit: u64,
        cpu: CpuId,
        may_reclaim: bool,
    ) -> Result<DmaAddr, IommuError> {
        if bytes == 0 {
            return Err(IommuError::ZeroSize);
        }
        let granule = self.granule;
        let limit = limit.min(self.highest());
        let no_space = IommuError::NoSpace { bytes, limit };
        let rounded = granule.align_up(bytes).ok_or(no_space)?;
        let last = last_whole_page(granule, limit).ok_or(no_space)?;
        let asked = granule.page_of(rounded);
        let page = self.state().space.alloc(asked, last, cpu, may_reclaim);
        let page = page.ok_or(no_space)?;
        Ok(DmaAddr::new(granule.addr_of(page)))
    }

    /// Takes back addresses that are not mapped any more (`free_iova_fast`), or lets them wait for
    /// the next flush in lazy mode.
    ///
    /// # Errors
    /// If no range that was given out begins at `iova`.
    #[doc(alias = "free_iova_fast")]
    pub fn free_iova(&self, iova: DmaAddr) -> Result<(), IommuError> {
        let page = self.granule.page_of(iova.raw());
        if self.granule.offset(iova.raw()) == 0 && self.state().free(page) {
            Ok(())
        } else {
            Err(IommuError::NotAllocated { iova })
        }
    }

    /// Returns the bytes given out at `iova`, rounded to granules, if a range begins there.
    #[must_use]
    pub fn granted_bytes(&self, iova: DmaAddr) -> Option<u64> {
        let grant = self.state().space.grant(self.granule.page_of(iova.raw()))?;
        Some(self.granule.addr_of(grant.asked))
    }

    /// Forgets all that was unmapped, and frees its addresses (`iommu_flush_iotlb_all`).
    #[doc(alias = "iommu_flush_iotlb_all")]
    pub fn flush(&self) {
        self.state().flush();
    }

    /// Tells the time; unmapped ranges that have waited too long are flushed.
    pub fn set_time(&self, since_boot: Duration) {
        let mut state = self.state();
        state.now = since_boot;
        if state.queue.is_due(since_boot) {
            state.flush();
        }
    }

    /// Returns counts.
    #[must_use]
    pub fn stats(&self) -> DomainStats {
        let state = self.state();
        DomainStats {
            mapped_bytes: state.table.pages().saturating_mul(self.granule.bytes()),
            granted_ranges: state.space.grants().count(),
            cached_ranges: state.space.cached(),
            waiting_ranges: state.queue.len(),
            flushes: state.flushes,
            stale_accesses: state.stale_accesses,
            faults: state.faults,
        }
    }

    /// Returns the ranges given out as first address and length in bytes as taken, ascending.
    #[must_use]
    pub fn granted_ranges(&self) -> Vec<(DmaAddr, u64)> {
        let granule = self.granule;
        let state = self.state();
        let to_bytes = |(page, grant): (u64, crate::iommu::iova_space::Grant)| {
            let iova = DmaAddr::new(granule.addr_of(page));
            (iova, granule.addr_of(grant.taken))
        };
        state.space.grants().map(to_bytes).collect()
    }
}

impl State {
    /// Removes pages from the table and returns how many were mapped.
    pub(super) fn remove(&mut self, pages: &Range<u64>) -> u64 {
        let lengths = self.table.overlapping(pages);
        let removed = lengths.fold(0, |sum, (range, _)| sum + (range.end - range.start));
        self.table.remove(pages);
        self.unsynced.remove(pages);
        removed
    }

    /// Frees the range that begins at `page`. Returns whether there was one.
    pub(super) fn free(&mut self, page: u64) -> bool {
        let Some(grant) = self.space.revoke(page) else {
            return false;
        };
        if self.queue.is_lazy() {
            if self.queue.is_full(grant.cpu) {
                self.flush();
            }
            self.queue.push(page, grant, self.now);
        } else {
            self.space.release(page, grant);
        }
        true
    }

    fn flush(&mut self) {
        self.flushes += 1;
        self.stale.clear();
        for (page, grant) in self.queue.drain() {
            self.space.release(page, grant);
        }
    }
}

/// Returns the last page that ends at or below `limit`.
const fn last_whole_page(granule: Granule, limit: u64) -> Option<u64> {
    match limit.checked_add(1) {
        Some(end) => granule.page_of(end).checked_sub(1),
        None => Some(granule.page_of(u64::MAX)),
    }
}
