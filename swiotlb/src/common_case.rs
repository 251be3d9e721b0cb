//! The common case, taken and released without a detour: one pool, a device without constraints,
//! no padding, nothing to count. Whatever else there may be is left to the general way, which would give
//! the same answer.

use crate::addr::PhysAddr;
use crate::allocator::Allocator;
use crate::bounce::BounceRequest;
use crate::device::Device;
use crate::plain_search::PlainSearch;
use crate::pool::{Origin, Pool};
use crate::slot::SLOT_MASK;
use crate::slot_table::Expected;
use crate::swiotlb::{Mode, Shared, Swiotlb};

impl Allocator {
    /// Takes slots for a mapping in the area of its CPU. Returns the first one; `None` if this is no
    /// common case or the area is full.
    #[inline(never)]
    pub(crate) fn take_common(
        &self,
        shared: &Shared,
        dev: &Device,
        request: &BounceRequest,
    ) -> Option<u32> {
        let pool = self.pools.only()?;
        let is_common = shared.is_common
            && shared.search_areas > 0
            && request.alloc_align_mask == 0
            && dev.is_unconstrained();
        if !is_common {
            return None;
        }
        let (base, page_bytes) = (pool.base().raw(), shared.platform.page_size.bytes());
        let search = PlainSearch::unconstrained(request.bytes, base, page_bytes)?;
        let origin = Origin {
            orig: request.orig,
            #[expect(clippy::cast_possible_truncation, reason = "at most 256 KiB")]
            mapped_bytes: request.bytes as u32,
            offset: 0,
            padding: 0,
        };
        let area = request.cpu.0 & (pool.geometry.areas - 1);
        pool.take(&search, area, Some(&origin))
    }
}

impl Swiotlb {
    /// Releases the mapping of `bytes` bytes that begins at `addr`. Returns how many
    /// there were; `None`, and nothing has changed, if this is no common case.
    #[inline(never)]
    pub(crate) fn release_common(
        &self,
        pool: &Pool,
        dev: &Device,
        addr: PhysAddr,
        bytes: u64,
    ) -> Option<u32> {
        if !self.shared.is_common {
            return None;
        }
        let offset = dev.align_offset(0, addr.raw());
        let slot = pool.slot_of(addr);
        let mut domain = pool.domain_of(slot).lock();
        let in_domain = slot - domain.first_slot;
        let expected = match self.shared.mode {
            Mode::Kernel => None,
            Mode::Strict if addr.raw() & SLOT_MASK == offset => Some(Expected { bytes, offset }),
            Mode::Strict => return None,
        };
        let slots = domain.table.whole_mapping(in_domain, offset, expected)?;
        if slot >= pool.area_slots * pool.geometry.areas {
            return None;
        }
        domain.release_inside(slot, slots);
        Some(slots)
    }
}
