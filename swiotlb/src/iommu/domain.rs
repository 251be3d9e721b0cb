//! A domain: one space of I/O virtual addresses with its page table (`struct iommu_domain`).

use std::fmt;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::addr::{DmaAddr, PhysAddr};
use crate::area::CpuId;
use crate::iommu::config::{Aperture, DomainConfig};
use crate::iommu::error::{DomainError, IommuError};
use crate::iommu::fault::{Access, Fault, FaultReason, Translation};
use crate::iommu::flush_queue::FlushQueue;
use crate::iommu::granule::Granule;
use crate::iommu::iova_space::IovaSpace;
use crate::iommu::page_table::{Entry, PageTable, Prot};

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

/// What an unmap by the mapping layer found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Removal {
    /// Whether all of the range was mapped.
    pub(crate) was_mapped: bool,
    /// Whether the range was one that had been given out, and was taken back.
    pub(crate) was_freed: bool,
}

/// One space of I/O virtual addresses, shared by the devices that are attached to it.
///
/// Devices, driver and simulated bus hold it together, so calls take `&self`.
pub struct IommuDomain {
    granule: Granule,
    aperture: Aperture,
    is_forcing_dac: bool,
    caches_absent: bool,
    state: Mutex<State>,
}

struct State {
    space: IovaSpace,
    table: PageTable,
    /// Unmapped, but usable until the next flush.
    stale: PageTable,
    /// Linked, but not usable before the sync.
    unsynced: PageTable,
    queue: FlushQueue,
    now: Duration,
    flushes: u64,
    stale_accesses: u64,
    faults: u64,
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

    pub(crate) const fn is_forcing_dac(&self) -> bool {
        self.is_forcing_dac
    }

    /// No call leaves the state half changed, so a panic elsewhere does no harm to it.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the physical address that an unprivileged access to `iova` reaches.
    ///
    /// # Errors
    /// If nothing is mapped there, or the mapping does not allow the access.
    pub fn translate(&self, iova: DmaAddr, is_write: bool) -> Result<PhysAddr, Fault> {
        let access = Access {
            iova,
            is_write,
            is_privileged: false,
        };
        Ok(self.translate_access(access)?.phys)
    }

    /// Returns where an access goes. It allocates nothing, so that it can be asked for each beat.
    ///
    /// # Errors
    /// As [`IommuDomain::translate`].
    pub fn translate_access(&self, access: Access) -> Result<Translation, Fault> {
        let mut state = self.state();
        let result = self.look_up(&state, access);
        match &result {
            Ok(translation) if translation.is_stale => state.stale_accesses += 1,
            Ok(_) => {}
            Err(_) => state.faults += 1,
        }
        result
    }

    fn look_up(&self, state: &State, access: Access) -> Result<Translation, Fault> {
        let fault = |reason, prot| Fault {
            access,
            reason,
            prot,
        };
        let iova = access.iova.raw();
        let page = self.granule.page_of(iova);
        let live = state.table.get(page);
        let is_stale = live.is_none();
        let found = live.or_else(|| state.stale.get(page));
        let (range, entry) = found.ok_or(fault(FaultReason::NotMapped, None))?;
        let prot = entry.prot;
        if let Some(reason) = refusal(prot, access) {
            return Err(fault(reason, Some(prot)));
        }
        if !state.unsynced.is_empty() && state.unsynced.get(page).is_some() {
            return Err(fault(FaultReason::NotSynced, Some(prot)));
        }
        Ok(Translation {
            phys: self.phys_of(entry, iova),
            contiguous_bytes: self.granule.addr_of(range.end).wrapping_sub(iova),
            is_stale,
        })
    }

    fn phys_of(&self, entry: Entry, iova: u64) -> PhysAddr {
        let granule = self.granule;
        let page = entry.phys_page(granule.page_of(iova));
        PhysAddr::new(granule.addr_of(page) | granule.offset(iova))
    }

    /// Returns the physical address behind `iova`, whatever the rights (`iommu_iova_to_phys`).
    #[must_use]
    pub fn iova_to_phys(&self, iova: DmaAddr) -> Option<PhysAddr> {
        let state = self.state();
        let (_, entry) = state.table.get(self.granule.page_of(iova.raw()))?;
        Some(self.phys_of(entry, iova.raw()))
    }

    /// Maps whole granules, for the device to use at once (`iommu_map`).
    ///
    /// # Errors
    /// If address or size is not aligned to the granule, nothing would be mapped or allowed, the
    /// range leaves the aperture, or part of it is mapped.
    pub fn map(
        &self,
        iova: DmaAddr,
        phys: PhysAddr,
        bytes: u64,
        prot: Prot,
    ) -> Result<(), IommuError> {
        self.insert(iova, phys, bytes, prot, false, true)
    }

    /// As [`IommuDomain::map`]; an IOMMU that remembers "not mapped" sees the range only after
    /// [`IommuDomain::sync_map`] (`iommu_map_nosync`).
    ///
    /// # Errors
    /// As there.
    pub fn map_nosync(
        &self,
        iova: DmaAddr,
        phys: PhysAddr,
        bytes: u64,
        prot: Prot,
    ) -> Result<(), IommuError> {
        self.insert(iova, phys, bytes, prot, false, false)
    }

    /// Links part of a range of the IOVA-based API.
    pub(crate) fn link(
        &self,
        iova: DmaAddr,
        phys: PhysAddr,
        bytes: u64,
        prot: Prot,
        is_bounce: bool,
    ) -> Result<(), IommuError> {
        self.insert(iova, phys, bytes, prot, is_bounce, false)
    }

    fn insert(
        &self,
        iova: DmaAddr,
        phys: PhysAddr,
        bytes: u64,
        prot: Prot,
        is_bounce: bool,
        is_synced: bool,
    ) -> Result<(), IommuError> {
        let granule = self.granule;
        self.check_map(iova, phys, bytes, prot)?;
        let pages = self.pages(iova, bytes);
        let mut state = self.state();
        if let Some(page) = state.table.first_mapped(&pages) {
            let iova = DmaAddr::new(granule.addr_of(page));
            return Err(IommuError::AlreadyMapped { iova });
        }
        let phys_page = granule.page_of(phys.raw());
        let entry = Entry::new(pages.start, phys_page, prot, is_bounce);
        if self.caches_absent && !is_synced {
            state.unsynced.insert(pages.clone(), entry);
        }
        state.table.insert(pages, entry);
        Ok(())
    }

    fn check_map(
        &self,
        iova: DmaAddr,
        phys: PhysAddr,
        bytes: u64,
        prot: Prot,
    ) -> Result<(), IommuError> {
        let granule = self.granule;
        if bytes == 0 {
            return Err(IommuError::ZeroSize);
        }
        if !prot.allows_anything() {
            return Err(IommuError::NoPermission);
        }
        if granule.offset(iova.raw() | phys.raw() | bytes) != 0 {
            return Err(IommuError::Unaligned {
                iova,
                phys,
                bytes,
                granule: granule.bytes(),
            });
        }
        let last = phys.checked_add(bytes - 1);
        last.ok_or(IommuError::TooLong { phys, bytes })?;
        let end = iova.checked_add(bytes - 1);
        let limit = self.highest();
        match end {
            Some(end) if end.raw() <= limit => Ok(()),
            _ => Err(IommuError::OutOfAperture {
                iova,
                bytes,
                last: DmaAddr::new(limit),
            }),
        }
    }

    /// Returns the highest address that may be mapped.
    pub(crate) const fn highest(&self) -> u64 {
        if self.aperture.is_forced {
            self.aperture.last.raw()
        } else {
            u64::MAX
        }
    }

    /// Returns the pages that a range touches; sizes that leave the 64-bit space are cut.
    fn pages(&self, iova: DmaAddr, bytes: u64) -> Range<u64> {
        let granule = self.granule;
        let start = granule.page_of(iova.raw());
        let Some(extra) = bytes.checked_sub(1) else {
            return start..start;
        };
        start..granule.page_of(iova.raw().saturating_add(extra)) + 1
    }

    /// Lets the device use what was mapped without a sync (`iommu_sync_map`).
    pub fn sync_map(&self, iova: DmaAddr, bytes: u64) {
        let pages = self.pages(iova, bytes);
        self.state().unsynced.remove(&pages);
    }

    /// Unmaps all granules that a range touches, for the device too, and returns the bytes that
    /// were mapped (`iommu_unmap`).
    pub fn unmap(&self, iova: DmaAddr, bytes: u64) -> u64 {
        let pages = self.pages(iova, bytes);
        let mut state = self.state();
        let removed = state.remove(&pages);
        state.stale.remove(&pages);
        removed.saturating_mul(self.granule.bytes())
    }

    /// Unmaps a range and frees its addresses, now or with the next flush (`__iommu_dma_unmap`).
    pub(crate) fn unmap_and_free(&self, iova: DmaAddr, bytes: u64) -> Removal {
        let pages = self.pages(iova, bytes);
        let mut state = self.state();
        if state.queue.is_lazy() {
            let leftovers: Vec<_> = state.table.overlapping(&pages).collect();
            for (range, entry) in leftovers {
                state.stale.insert(range, entry);
            }
        }
        let removed = state.remove(&pages);
        let was_freed = state.free(pages.start);
        Removal {
            was_mapped: removed == pages.end - pages.start,
            was_freed,
        }
    }

    /// Gives out addresses for `bytes` bytes, rounded up to granules, none above `limit`
    /// (`iommu_dma_alloc_iova`).
    ///
    /// # Errors
    /// If nothing is asked for, or no place is free.
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

    /// Returns the parts of a range that are mapped, ascending: address, length in bytes, physical
    /// address, and whether they are a bounce buffer of the IOVA-based API.
    pub(crate) fn mapped_parts(&self, iova: DmaAddr, bytes: u64) -> Vec<MappedPart> {
        let pages = self.pages(iova, bytes);
        let (first, end) = (iova.raw(), iova.raw().saturating_add(bytes));
        let granule = self.granule;
        let state = self.state();
        let parts = state.table.overlapping(&pages).map(|(range, entry)| {
            let start = granule.addr_of(range.start).max(first);
            // The end of the last page may be 2^64.
            let last = granule.addr_of(range.end).wrapping_sub(1).min(end - 1);
            MappedPart {
                iova: start,
                bytes: (last - start).saturating_add(1),
                phys: self.phys_of(entry, start),
                is_bounce: entry.is_bounce,
            }
        });
        parts.collect()
    }
}

/// Part of a range that is mapped to contiguous physical memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MappedPart {
    pub(crate) iova: u64,
    pub(crate) bytes: u64,
    pub(crate) phys: PhysAddr,
    pub(crate) is_bounce: bool,
}

impl State {
    /// Removes pages from the table and returns how many were mapped.
    fn remove(&mut self, pages: &Range<u64>) -> u64 {
        let lengths = self.table.overlapping(pages);
        let removed = lengths.fold(0, |sum, (range, _)| sum + (range.end - range.start));
        self.table.remove(pages);
        self.unsynced.remove(pages);
        removed
    }

    /// Frees the range that begins at `page`. Returns whether there was one.
    fn free(&mut self, page: u64) -> bool {
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

/// Returns why a mapping stops an access, if it does.
const fn refusal(prot: Prot, access: Access) -> Option<FaultReason> {
    if prot.is_privileged && !access.is_privileged {
        return Some(FaultReason::NotPrivileged);
    }
    match access.is_write {
        true if !prot.is_writable => Some(FaultReason::NotWritable),
        false if !prot.is_readable => Some(FaultReason::NotReadable),
        _ => None,
    }
}
