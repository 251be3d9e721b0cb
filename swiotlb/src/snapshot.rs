//! A pool's state laid open, and a check that it does not contradict itself.

use bitvec::prelude::{BitVec, Lsb0};

use crate::area::Area;
use crate::pool::{PoolGeometry, PoolId};
use crate::slot::SlotInfo;
use crate::swiotlb::Swiotlb;

/// Everything the kernel's descriptors would say of a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolSnapshot {
    /// Where it lies and how it is cut.
    pub geometry: PoolGeometry,
    /// Its areas.
    pub areas: Vec<Area>,
    /// Its slots.
    pub slots: Vec<SlotInfo>,
    /// One bit per slot, set if the slot is in use.
    pub occupancy: BitVec<u64, Lsb0>,
}

/// A contradiction in a pool's bookkeeping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvariantBreach {
    /// The areas count other than what is in use. Only a driver that releases what it does not
    /// own brings this about.
    #[error("the areas count {counted} slots in use, but {occupied} are")]
    UsedMiscounted {
        /// Sum over the areas.
        counted: u64,
        /// Slots in use.
        occupied: u64,
    },
    /// An area counts other than what is in use in it.
    #[error("area {area} counts {counted} slots in use, but {occupied} are")]
    AreaMiscounted {
        /// Number of the area.
        area: usize,
        /// What it counts.
        counted: u64,
        /// Slots in use.
        occupied: u64,
    },
    /// A cursor points behind its area.
    #[error("the cursor of area {area} is {cursor}, behind its {area_slots} slots")]
    CursorOutside {
        /// Number of the area.
        area: usize,
        /// The cursor.
        cursor: u32,
        /// Slots of the area.
        area_slots: u32,
    },
    /// The slot table contradicts itself.
    #[error("slot table: {what}")]
    Table {
        /// What is wrong.
        what: &'static str,
    },
}

impl Swiotlb {
    /// Lays a pool's state open; `None` if there is no such pool.
    #[must_use]
    pub fn snapshot(&self, id: PoolId) -> Option<PoolSnapshot> {
        let pool = self.pool(id)?;
        Some(PoolSnapshot {
            geometry: pool.geometry,
            areas: pool.areas.clone(),
            slots: (0..pool.table.slots())
                .map(|slot| pool.table.info(slot))
                .collect(),
            occupancy: pool.table.occupancy(),
        })
    }

    /// Returns the areas of a pool; empty if there is no such pool.
    #[must_use]
    pub fn areas(&self, id: PoolId) -> &[Area] {
        self.pool(id).map_or(&[], |pool| &pool.areas)
    }

    /// Returns one bit per slot of a pool, set if the slot is in use.
    #[must_use]
    pub fn occupancy(&self, id: PoolId) -> Option<BitVec<u64, Lsb0>> {
        Some(self.pool(id)?.table.occupancy())
    }

    /// Checks that a pool's bookkeeping does not contradict itself. An unknown pool has none.
    ///
    /// # Errors
    /// With the first contradiction.
    pub fn check_invariants(&self, id: PoolId) -> Result<(), InvariantBreach> {
        let Some(pool) = self.pool(id) else {
            return Ok(());
        };
        if let Some(what) = pool.table.contradiction() {
            return Err(InvariantBreach::Table { what });
        }
        let slots = pool.table.slots();
        let occupied = u64::from(slots - pool.table.count_free(0, slots));
        let counted = pool.used();
        if counted != occupied {
            return Err(InvariantBreach::UsedMiscounted { counted, occupied });
        }
        let area_slots = pool.area_slots;
        // Runs reach into the next area only where areas are no whole slot sets.
        let is_separate = area_slots.is_multiple_of(crate::SLOT_SET_SLOTS);
        for (area, state) in pool.areas.iter().enumerate() {
            if state.cursor >= area_slots {
                return Err(InvariantBreach::CursorOutside {
                    area,
                    cursor: state.cursor,
                    area_slots,
                });
            }
            let base = u32::try_from(area).unwrap_or(0) * area_slots;
            let occupied = u64::from(area_slots - pool.table.count_free(base, area_slots));
            if is_separate && state.used != occupied {
                return Err(InvariantBreach::AreaMiscounted {
                    area,
                    counted: state.used,
                    occupied,
                });
            }
        }
        Ok(())
    }
}
