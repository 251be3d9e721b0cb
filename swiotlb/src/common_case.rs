//! The common case, taken and released without a detour: one pool, no padding, no windows of the
//! device, nothing to count. Whatever else there may be is left to the general way, which would give
//! the same answer.

use crate::addr::PhysAddr;
use crate::allocator::Allocator;
use crate::bounce::BounceRequest;
use crate::device::Device;
use crate::plain_search::PlainSearch;
use crate::pool::{Origin, Pool};
use crate::search::Wanted;
use crate::slot::{SLOT_MASK, SLOT_SHIFT};
use crate::slot_table::Expected;
use crate::swiotlb::{Mode, Shared, Swiotlb};

impl Allocator {
    /// Takes slots for a mapping in the area of its CPU. Returns the first one and their number;
    /// `None` if this is no common case or the area is full.
    #[inline(never)]
    pub(crate) fn take_common(
        &self,
        shared: &Shared,
        dev: &Device,
        request: &BounceRequest,
    ) -> Option<(u32, u32)> {
        let pool = self.pools.only()?;
        let is_common = shared.is_common && shared.search_areas > 0 && dev.ranges().is_empty();
        if !is_common || request.alloc_align_mask != 0 {
            return None;
        }
        let orig = request.orig.raw();
        let offset = dev.align_offset(0, orig);
        let wanted = Wanted {
            orig,
            alloc_size: request.bytes.checked_add(offset)?,
            alloc_align_mask: 0,
        };
        let (base, slots) = (pool.base().raw(), pool.geometry.slots);
        let page_bytes = shared.platform.page_size.bytes();
        let search = PlainSearch::new(dev, &wanted, base, slots, page_bytes)?;
        let origin = Origin {
            orig: request.orig,
            mapped_bytes: u32::try_from(request.bytes).ok()?,
            offset: u16::try_from(offset).ok()?,
            padding: 0,
        };
        let area = request.cpu.0 & (pool.geometry.areas - 1);
        let first_slot = pool.take(&search, area, Some(&origin))?;
        let slots = (wanted.alloc_size + SLOT_MASK) >> SLOT_SHIFT;
        Some((first_slot, u32::try_from(slots).ok()?))
    }
}

impl Swiotlb {
    /// Releases the mapping of `bytes` bytes that begins at `addr`. Returns the first slot and their
    /// number; `None`, and nothing has changed, if this is no common case.
    #[inline(never)]
    pub(crate) fn release_common(
        &self,
        pool: &Pool,
        dev: &Device,
        addr: PhysAddr,
        bytes: u64,
    ) -> Option<(u32, u32)> {
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
        domain.release(slot, slots, slots);
        Some((slot, slots))
    }
}
