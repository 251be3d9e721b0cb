//! The common case, taken and released without a detour: one pool with a lock for each area, a device
//! without constraints, no padding, nothing to count. Whatever else there may be is left to the
//! general way, which would give the same answer.

use crate::addr::PhysAddr;
use crate::bounce::BounceRequest;
use crate::device::Device;
use crate::domain::Domain;
use crate::half::Record;
use crate::plain_search::{PlainSearch, half_pattern};
use crate::pool::{Origin, Pool};
use crate::slot::{MAX_ALLOC_BYTES, SLOT_MASK, slots_of};
use crate::swiotlb::{Mode, Shared, Swiotlb};
use crate::sync_primitives::Arc;

/// A pool in which mappings can be the common case, and what is known of it beforehand.
#[derive(Debug)]
pub(crate) struct CommonPool {
    pool: Arc<Pool>,
    /// From so many bytes on, a buffer begins on a page.
    page_bytes: u64,
    /// The slots of half a set that begin on a page.
    page_starts: u64,
}

impl CommonPool {
    /// Returns `None` if each mapping in the pool must go the general way.
    pub(crate) fn new(shared: &Shared, pool: &Arc<Pool>) -> Option<Self> {
        let page_bytes = shared.platform.page_size.bytes();
        (shared.is_common && pool.is_even()).then(|| Self {
            pool: Arc::clone(pool),
            page_bytes,
            page_starts: half_pattern(page_bytes, pool.base().raw()),
        })
    }
}

impl Swiotlb {
    /// Takes slots for a mapping in the area of its CPU. Returns their pool and the first one;
    /// `None` if this is no common case or the area is full.
    #[inline(always)]
    pub(crate) fn take_common(
        &self,
        dev: &Device,
        request: &BounceRequest,
    ) -> Option<(&Pool, u32)> {
        let allocator = self.allocator(dev.allocator())?;
        let common = allocator.common.as_ref()?;
        if allocator.pools.has_further() {
            return None;
        }
        let pool = &*common.pool;
        let bytes = request.bytes;
        let is_common = request.alloc_align_mask == 0
            && dev.is_unconstrained()
            && bytes.wrapping_sub(1) < MAX_ALLOC_BYTES;
        if !is_common {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "at most 256 KiB")]
        let (slots, size) = (slots_of(bytes) as u32, bytes as u32);
        let record = Record {
            orig: request.orig.raw(),
            alloc_size: size.cast_signed(),
            mapped_bytes: size,
            ..Record::EMPTY
        };
        let pattern = if bytes < common.page_bytes {
            u64::MAX
        } else {
            common.page_starts
        };
        let mut domain = pool.domain_of_cpu(request.cpu)?.lock();
        // With a constant length, much of the search is decided when it is compiled.
        let near = match slots {
            1 => domain.take_near(1, pattern, record),
            2 => domain.take_near(2, pattern, record),
            slots => domain.take_near(slots, pattern, record),
        };
        let first_slot = match near {
            Some(first_slot) => first_slot,
            None => self.take_far(&mut domain, pool, request)?,
        };
        Some((pool, first_slot))
    }

    /// Searches the whole area of a domain.
    #[inline(never)]
    fn take_far(&self, domain: &mut Domain, pool: &Pool, request: &BounceRequest) -> Option<u32> {
        let page_bytes = self.shared.platform.page_size.bytes();
        let search = PlainSearch::unconstrained(request.bytes, pool.base().raw(), page_bytes);
        let origin = Origin {
            orig: request.orig,
            #[expect(clippy::cast_possible_truncation, reason = "at most 256 KiB")]
            mapped_bytes: request.bytes as u32,
            offset: 0,
            padding: 0,
        };
        domain.take(&search, 0, Some(&origin))
    }

    /// Releases the mapping of `bytes` bytes that begins at `addr`. Returns its pool and how many
    /// slots there were; `None`, and nothing has changed, if this is no common case.
    #[inline(always)]
    pub(crate) fn release_common(
        &self,
        dev: &Device,
        addr: PhysAddr,
        bytes: u64,
    ) -> Option<(&Pool, u32)> {
        let common = self.allocator(dev.allocator())?.common.as_ref()?;
        let pool = &*common.pool;
        let slot = pool.slot_at(addr)?;
        if self.shared.is_dynamic && !dev.uses_io_tlb() {
            return None;
        }
        if dev.align_offset(0, addr.raw()) != 0 {
            return None;
        }
        let is_expected = |record: &Record| {
            self.shared.mode == Mode::Kernel
                || (addr.raw() & SLOT_MASK == 0 && record.is_mapping(bytes, 0))
        };
        let mut domain = pool.domain_of(slot).lock();
        let slots = domain.release_whole(slot, is_expected)?;
        Some((pool, slots))
    }
}

#[cfg(test)]
mod tests;
