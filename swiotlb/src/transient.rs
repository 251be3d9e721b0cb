//! Transient pools: memory for one mapping that found no slots, until it is unmapped.

use crate::addr::PhysAddr;
use crate::allocator::{Allocator, Found};
use crate::block::BlockWanted;
use crate::device::{Device, min_not_zero};
use crate::error::NoPoolAlone;
use crate::memory::PhysMemory;
use crate::pool::{Origin, Pool};
use crate::pool_list::PoolRef;
use crate::release::Released;
use crate::search::Wanted;
use crate::slot::{SLOT_BYTES, slots_of};
use crate::swiotlb::Swiotlb;
use crate::sync_primitives::{Arc, AtomicUsize, Lock, Ordering};

/// The transient pools of a device, newest first.
#[derive(Debug, Default)]
pub(crate) struct TransientPools {
    /// Length of the list. While it is zero, nobody takes the lock.
    len: AtomicUsize,
    pools: Lock<Vec<Arc<Pool>>>,
}

impl TransientPools {
    /// Returns the pool that holds `addr`.
    #[inline]
    pub(crate) fn find(&self, addr: PhysAddr) -> Option<Arc<Pool>> {
        if self.len.load(Ordering::Acquire) == 0 {
            return None;
        }
        let pools = self.pools.lock();
        pools.iter().find(|pool| pool.contains(addr)).cloned()
    }

    fn add(&self, pool: Arc<Pool>) {
        let mut pools = self.pools.lock();
        pools.insert(0, pool);
        self.len.store(pools.len(), Ordering::Release);
    }

    /// Takes a pool out; `None` if another call has done so.
    fn remove(&self, pool: &Pool) -> Option<Arc<Pool>> {
        let mut pools = self.pools.lock();
        let index = pools.iter().position(|listed| listed.id == pool.id)?;
        let pool = pools.remove(index);
        self.len.store(pools.len(), Ordering::Release);
        Some(pool)
    }

    /// Returns where the pools lie.
    pub(crate) fn geometries(&self) -> Vec<crate::PoolGeometry> {
        let pools = self.pools.lock();
        pools.iter().map(|pool| pool.geometry).collect()
    }
}

impl Swiotlb {
    /// Makes a pool for one mapping and takes its slots, or says why not. The pool has no slot to spare, so it fits
    /// only if the block happens to lie as the masks want it.
    pub(crate) fn take_transient<'a, M: PhysMemory + ?Sized>(
        &'a self,
        mem: &mut M,
        allocator: &'a Allocator,
        dev: &Device,
        wanted: &Wanted,
        origin: &Origin,
    ) -> Result<Found<'a>, NoPoolAlone> {
        let slots = slots_of(wanted.alloc_size);
        let block_wanted = BlockWanted {
            bytes: slots * SLOT_BYTES,
            limit: no_zero(dev.reach()),
            is_blocking: false,
            is_shared: allocator.is_shared,
        };
        // The pool of shared pages serves coherent memory, and judges by that mask.
        let atomic_limit = no_zero(min_not_zero(dev.coherent_mask(), dev.bus_limit()));
        let block = self
            .with_source(|source| self.alloc_block(source, &block_wanted, atomic_limit))
            .ok_or(NoPoolAlone::NoSource)?
            .map_err(|_| match block_wanted.is_shared {
                true => NoPoolAlone::NoSharedPages,
                false => NoPoolAlone::NoPages,
            })?;
        let pool = self
            .make_pool(mem, block, slots, 1, false)
            .map_err(|_| NoPoolAlone::NoMemory)?;
        let search = allocator
            .prepare(&self.shared, dev, wanted, &pool)
            .map_err(|_| NoPoolAlone::Misplaced)?;
        let pool = Arc::new(pool);
        let Some(first_slot) = pool.take(&search, 0, Some(origin)) else {
            self.drop_pool(pool);
            return Err(NoPoolAlone::Misplaced);
        };
        let slots = pool.geometry.slots;
        allocator.count_taken(&self.shared, slots);
        allocator.usage.count_transient(slots);
        dev.transient.add(Arc::clone(&pool));
        Ok(Found {
            pool: PoolRef::Transient(pool),
            first_slot,
            slots,
        })
    }

    /// Deletes a transient pool with its mapping. Its memory goes back later.
    pub(crate) fn delete_transient(&self, dev: &Device, pool: &Pool) -> Released {
        let slots = pool.geometry.slots;
        if let Some(allocator) = self.allocator(dev.allocator())
            && let Some(removed) = dev.transient.remove(pool)
        {
            allocator.count_released(&self.shared, slots);
            allocator.usage.count_transient_gone(slots);
            self.drop_pool(removed);
        }
        Released {
            pool: pool.id,
            first_slot: 0,
            slots,
            copied_bytes: 0,
        }
    }

    /// Returns the pools that serve one mapping each of a device, newest first.
    #[must_use]
    pub fn transient_pools(&self, dev: &Device) -> Vec<crate::PoolGeometry> {
        dev.transient.geometries()
    }
}

/// A limit of zero is none.
const fn no_zero(limit: u64) -> u64 {
    if limit == 0 { u64::MAX } else { limit }
}
