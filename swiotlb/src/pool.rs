//! The pool: contiguous bounce memory cut into areas and slots.

use crate::addr::PhysAddr;
use crate::area::Area;
use crate::slot::SLOT_BYTES;
use crate::slot_table::SlotTable;

/// Names an allocator: the default one or one of the restricted pools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AllocatorId(pub(crate) u32);

impl AllocatorId {
    /// The allocator every device begins with.
    pub const DEFAULT: Self = Self(0);

    /// Returns the number: 0 is the default allocator.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

/// Names a pool. A number is never given twice in the life of a [`crate::Swiotlb`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PoolId(pub(crate) u32);

impl PoolId {
    /// Returns the number of the pool, counted from 0 in order of creation.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

/// Where a pool lies and how it is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolGeometry {
    /// First byte.
    pub base: PhysAddr,
    /// Number of slots.
    pub slots: u32,
    /// Number of areas, a power of two.
    pub areas: u32,
}

impl PoolGeometry {
    /// Returns the size in bytes.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.slots as u64 * SLOT_BYTES
    }
}

/// One pool (`struct io_tlb_pool`).
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    pub(crate) id: PoolId,
    pub(crate) geometry: PoolGeometry,
    /// Slots of an area.
    pub(crate) area_slots: u32,
    /// Made after boot: its pages are not converted by `update_mem_attributes`.
    pub(crate) is_late: bool,
    pub(crate) areas: Vec<Area>,
    pub(crate) table: SlotTable,
}

impl Pool {
    /// Makes a pool whose slots are all free. Its memory is to be zeroed by the caller.
    pub(crate) fn new(id: PoolId, geometry: PoolGeometry, is_late: bool) -> Self {
        Self {
            id,
            geometry,
            area_slots: geometry.slots / geometry.areas,
            is_late,
            areas: vec![Area::default(); geometry.areas as usize],
            table: SlotTable::new(geometry.slots),
        }
    }

    /// First byte.
    pub(crate) const fn base(&self) -> PhysAddr {
        self.geometry.base
    }

    /// One past the last byte.
    pub(crate) const fn end(&self) -> PhysAddr {
        self.geometry.base.wrapping_add(self.geometry.bytes())
    }

    /// Returns whether `addr` lies in the pool.
    pub(crate) const fn contains(&self, addr: PhysAddr) -> bool {
        addr.raw().wrapping_sub(self.geometry.base.raw()) < self.geometry.bytes()
    }

    /// Returns the slot that holds `addr`, which must lie in the pool.
    pub(crate) fn slot_of(&self, addr: PhysAddr) -> u32 {
        let slot = (addr.raw() - self.base().raw()) / SLOT_BYTES;
        u32::try_from(slot).unwrap_or(u32::MAX)
    }

    /// Returns the address of `slot`.
    pub(crate) const fn slot_addr(&self, slot: u32) -> PhysAddr {
        self.geometry.base.wrapping_add(slot as u64 * SLOT_BYTES)
    }

    /// Returns the slots in use, as the areas count them.
    pub(crate) fn used(&self) -> u64 {
        self.areas
            .iter()
            .fold(0, |sum, area| sum.wrapping_add(area.used))
    }

    /// Marks the whole pool as used (its memory could not be made accessible).
    pub(crate) fn disable(&mut self) {
        self.table.disable();
        for area in &mut self.areas {
            area.used = u64::from(self.area_slots);
            area.cursor = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool() -> Pool {
        let geometry = PoolGeometry {
            base: PhysAddr::new(0x7000_0000),
            slots: 1024,
            areas: 4,
        };
        Pool::new(PoolId(0), geometry, false)
    }

    #[test]
    fn ends_are_exclusive() {
        let pool = pool();
        assert!(pool.contains(PhysAddr::new(0x7000_0000)));
        assert!(pool.contains(PhysAddr::new(0x701f_ffff)));
        assert!(!pool.contains(PhysAddr::new(0x7020_0000)));
        assert!(!pool.contains(PhysAddr::new(0x6fff_ffff)));
        assert_eq!(pool.end(), PhysAddr::new(0x7020_0000));
        assert_eq!(pool.slot_of(PhysAddr::new(0x7000_0fff)), 1);
    }

    #[test]
    fn a_disabled_pool_is_full() {
        let mut pool = pool();
        pool.disable();
        assert_eq!(pool.used(), 1024);
        assert_eq!(pool.table.longest_free_run(), 0);
    }
}
