//! A pool's state laid open, and a check that it does not contradict itself.

use bitvec::prelude::{BitVec, Lsb0};

use crate::area::Area;
use crate::domain::Domain;
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
            areas: pool.areas(),
            slots: pool
                .domains()
                .flat_map(|domain| {
                    let table = &domain.lock().table;
                    (0..table.slots())
                        .map(|slot| table.info(slot))
                        .collect::<Vec<_>>()
                })
                .collect(),
            occupancy: pool.occupancy(),
        })
    }

    /// Returns the areas of a pool; empty if there is no such pool.
    #[must_use]
    pub fn areas(&self, id: PoolId) -> Vec<Area> {
        self.pool(id).map_or_else(Vec::new, |pool| pool.areas())
    }

    /// Returns one bit per slot of a pool, set if the slot is in use.
    #[must_use]
    pub fn occupancy(&self, id: PoolId) -> Option<BitVec<u64, Lsb0>> {
        Some(self.pool(id)?.occupancy())
    }

    /// Checks that a pool's bookkeeping does not contradict itself. An unknown pool has none.
    ///
    /// # Errors
    /// With the first contradiction.
    pub fn check_invariants(&self, id: PoolId) -> Result<(), InvariantBreach> {
        let Some(pool) = self.pool(id) else {
            return Ok(());
        };
        let (mut counted, mut occupied) = (0_u64, 0_u64);
        for domain in pool.domains() {
            let domain = domain.lock();
            if let Some(what) = domain.table.contradiction() {
                return Err(InvariantBreach::Table { what });
            }
            let slots = domain.table.slots();
            counted = counted.wrapping_add(domain.used());
            occupied += u64::from(slots - domain.table.count_free(0, slots));
        }
        if counted != occupied {
            return Err(InvariantBreach::UsedMiscounted { counted, occupied });
        }
        pool.domains()
            .try_fold(0, |first, domain| check_areas(&domain.lock(), first))?;
        Ok(())
    }
}

/// Checks the areas of a domain, the first of which has number `first` in the pool. Returns the
/// number behind the last one.
fn check_areas(domain: &Domain, first: usize) -> Result<usize, InvariantBreach> {
    let area_slots = domain.area_slots;
    // Runs reach into the next area only where areas are no whole slot sets.
    let is_separate = area_slots.is_multiple_of(crate::SLOT_SET_SLOTS);
    let mut base = 0;
    let mut number = first;
    for state in domain.areas() {
        if state.cursor >= area_slots.max(1) {
            return Err(InvariantBreach::CursorOutside {
                area: number,
                cursor: state.cursor,
                area_slots,
            });
        }
        let occupied = u64::from(area_slots - domain.table.count_free(base, area_slots));
        if is_separate && state.used != occupied {
            return Err(InvariantBreach::AreaMiscounted {
                area: number,
                counted: state.used,
                occupied,
            });
        }
        base += area_slots;
        number += 1;
    }
    Ok(number)
}
