//! The common case, taken and released without a detour: one pool, a device without constraints,
//! no padding, nothing to count. Whatever else there may be is left to the general way, which would give
//! the same answer.

use crate::addr::PhysAddr;
use crate::allocator::Allocator;
use crate::bounce::BounceRequest;
use crate::device::Device;
use crate::domain::Domain;
use crate::plain_search::{PlainSearch, half_pattern};
use crate::pool::{Origin, Pool};
use crate::search::FindRun;
use crate::slot::{MAX_ALLOC_BYTES, SLOT_MASK, slots_of};
use crate::slot_table::Expected;
use crate::swiotlb::{Mode, Shared, Swiotlb};

impl Allocator {
    /// Takes slots for a mapping in the area of its CPU. Returns their pool and the first one;
    /// `None` if this is no common case or the area is full.
    #[inline]
    pub(crate) fn take_common(
        &self,
        shared: &Shared,
        dev: &Device,
        request: &BounceRequest,
    ) -> Option<(&Pool, u32)> {
        let pool = self.pools.only()?;
        let is_common = shared.is_common
            && shared.search_areas > 0
            && request.alloc_align_mask == 0
            && dev.is_unconstrained();
        if !is_common {
            return None;
        }
        if request.bytes.wrapping_sub(1) >= MAX_ALLOC_BYTES {
            return None;
        }
        let search = CommonSearch {
            bytes: request.bytes,
            page_bytes: shared.platform.page_size.bytes(),
            pool_base: pool.base().raw(),
        };
        let origin = Origin {
            orig: request.orig,
            #[expect(clippy::cast_possible_truncation, reason = "at most 256 KiB")]
            mapped_bytes: request.bytes as u32,
            offset: 0,
            padding: 0,
        };
        let area = request.cpu.0 & (pool.geometry.areas - 1);
        let domain = pool.separate_domain(area)?;
        let first_slot = domain.lock().take(&search, 0, Some(&origin))?;
        Some((pool, first_slot))
    }
}

impl Swiotlb {
    /// Releases the mapping of `bytes` bytes that begins at `addr`, in `slot`. Returns how many
    /// there were; `None`, and nothing has changed, if this is no common case.
    #[inline]
    pub(crate) fn release_common(
        &self,
        pool: &Pool,
        slot: u32,
        dev: &Device,
        addr: PhysAddr,
        bytes: u64,
    ) -> Option<u32> {
        if !self.shared.is_common {
            return None;
        }
        let offset = dev.align_offset(0, addr.raw());
        let mut domain = pool.domain_of(slot).lock();
        let in_domain = slot - domain.first_slot;
        let expected = match self.shared.mode {
            Mode::Kernel => None,
            Mode::Strict if addr.raw() & SLOT_MASK == offset => Some(Expected { bytes, offset }),
            Mode::Strict => return None,
        };
        if slot >= pool.area_slots * pool.geometry.areas {
            return None;
        }
        let slots = domain.table.release_whole(in_domain, offset, expected)?;
        domain.count_released(in_domain, slots);
        Some(slots)
    }
}

/// The search of a device without constraints. What it cannot see in one look is left to
/// [`PlainSearch`].
#[derive(Debug, Clone, Copy)]
struct CommonSearch {
    /// At least 1, at most 256 KiB.
    bytes: u64,
    page_bytes: u64,
    pool_base: u64,
}

impl CommonSearch {
    #[inline(never)]
    fn search_on(bytes: u64, page_bytes: u64, pool_base: u64, domain: &mut Domain) -> Option<u32> {
        PlainSearch::unconstrained(bytes, pool_base, page_bytes)?.scan_area(domain, 0)
    }
}

impl FindRun for CommonSearch {
    #[inline(always)]
    fn slots(&self) -> u32 {
        #[expect(clippy::cast_possible_truncation, reason = "at most 128")]
        let slots = slots_of(self.bytes) as u32;
        slots
    }

    #[inline(always)]
    fn first_size(&self) -> i64 {
        self.bytes.cast_signed()
    }

    /// Areas have a domain each, so the area is always the first one.
    #[inline(always)]
    fn find(&self, domain: &mut Domain, _: u32) -> Option<u32> {
        let state = domain.area(0);
        let area_slots = domain.area_slots;
        if u64::from(self.slots()) > u64::from(area_slots).wrapping_sub(state.used) {
            return None;
        }
        let positions = if self.bytes < self.page_bytes {
            u64::MAX
        } else {
            half_pattern(self.page_bytes, self.pool_base)
        };
        let found = domain
            .table
            .first_in_half(state.cursor, self.slots(), positions);
        match found {
            Some(slot) if slot < area_slots => Some(slot),
            _ => Self::search_on(self.bytes, self.page_bytes, self.pool_base, domain),
        }
    }
}
