//! Unmapping a bounce buffer: copy back what the device wrote, and free the slots.

use crate::addr::PhysAddr;
use crate::attrs::Attrs;
use crate::device::Device;
use crate::direction::DataDirection;
use crate::error::UnmapError;
use crate::memory::PhysMemory;
use crate::pool::{AllocatorId, PoolId};
use crate::slot::slots_of;
use crate::swiotlb::{Mode, Swiotlb};
use crate::sync::Way;

/// A bounce buffer that was given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Released {
    /// Pool that holds it.
    pub pool: PoolId,
    /// First slot that was freed.
    pub first_slot: u32,
    /// Number of slots freed.
    pub slots: u32,
    /// Bytes copied back to the original buffer.
    pub copied_bytes: u64,
}

impl Swiotlb {
    /// Copies back if the device may have written, and releases the bounce buffer at `tlb_addr`
    /// (`swiotlb_tbl_unmap_single`). `None` if the address lies in no pool of the device: nothing
    /// happens then.
    ///
    /// # Errors
    /// In strict mode, if this is not the start of a mapping of this size, or the device's
    /// `min_align_mask` is not that of the mapping; nothing has changed. In both modes, if the
    /// release would reach out of the pool (nothing has changed), or the original is not memory (the
    /// slots are free then).
    pub fn tbl_unmap_single<M: PhysMemory + ?Sized>(
        &mut self,
        mem: &mut M,
        dev: &Device,
        tlb_addr: PhysAddr,
        bytes: u64,
        dir: DataDirection,
        attrs: Attrs,
    ) -> Result<Option<Released>, UnmapError> {
        if dir == DataDirection::None {
            return Err(UnmapError::BadDirection(dir));
        }
        let id = dev.allocator();
        let Some(pool) = self.locate(id, tlb_addr) else {
            return Ok(None);
        };
        if self.shared.mode == Mode::Strict {
            self.check_release(dev, pool, tlb_addr, bytes)?;
        }
        let extent = self.release_extent(dev, pool, tlb_addr)?;
        let copied = if dir.comes_from_device() && !attrs.contains(Attrs::SKIP_CPU_SYNC) {
            self.copy(mem, dev, pool, tlb_addr, bytes, Way::ToOriginal)
        } else {
            Ok(0)
        };
        let is_tracking = self.shared.is_tracking;
        let (first_slot, slots) = extent;
        let allocator = &mut self.allocators[id.0 as usize];
        allocator.release(is_tracking, pool, first_slot, slots);
        Ok(Some(Released {
            pool: allocator.pools[pool].id,
            first_slot,
            slots,
            copied_bytes: copied?,
        }))
    }

    /// Returns the index of the pool that holds `addr`.
    pub(crate) fn locate(&self, id: AllocatorId, addr: PhysAddr) -> Option<usize> {
        self.allocator(id)?.find_pool(addr)
    }

    /// Releases what lies at `addr` of the device's allocator, without a copy.
    pub(crate) fn release_at(&mut self, dev: &Device, addr: PhysAddr) -> Option<Released> {
        let id = dev.allocator();
        let index = self.locate(id, addr)?;
        let (first_slot, slots) = self.release_extent(dev, index, addr).ok()?;
        let is_tracking = self.shared.is_tracking;
        let allocator = &mut self.allocators[id.0 as usize];
        allocator.release(is_tracking, index, first_slot, slots);
        Some(Released {
            pool: allocator.pools[index].id,
            first_slot,
            slots,
            copied_bytes: 0,
        })
    }

    /// Returns first slot and number of slots that the kernel would free for `tlb_addr`
    /// (`swiotlb_release_slots`).
    fn release_extent(
        &self,
        dev: &Device,
        pool: usize,
        tlb_addr: PhysAddr,
    ) -> Result<(u32, u32), UnmapError> {
        let pool = &self.allocators[dev.allocator().0 as usize].pools[pool];
        let out_of_pool = UnmapError::OutOfPool { addr: tlb_addr };
        let offset = dev.align_offset(0, tlb_addr.raw());
        let start = tlb_addr.wrapping_sub(offset);
        if !pool.contains(start) {
            return Err(out_of_pool);
        }
        let data_slot = pool.slot_of(start);
        let first = data_slot
            .checked_sub(pool.table.pad_slots(data_slot))
            .ok_or(out_of_pool)?;
        // The size wraps before it is divided, as in the kernel.
        let slots = slots_of(pool.table.alloc_size(first).wrapping_add(offset));
        let has_area = first / pool.area_slots < pool.geometry.areas;
        match u32::try_from(slots) {
            Ok(slots) if has_area && slots <= pool.geometry.slots - first => Ok((first, slots)),
            _ => Err(out_of_pool),
        }
    }

    /// Refuses a release that the driver has no right to.
    fn check_release(
        &self,
        dev: &Device,
        pool: usize,
        addr: PhysAddr,
        bytes: u64,
    ) -> Result<(), UnmapError> {
        let pool = &self.allocators[dev.allocator().0 as usize].pools[pool];
        let owner = pool.table.owner(pool.slot_of(addr));
        let Some(owner) = owner.filter(|owner| owner.has_orig) else {
            return Err(UnmapError::NotMapped { addr });
        };
        let start = pool
            .slot_addr(owner.data)
            .wrapping_add(u64::from(owner.offset));
        if addr != start {
            return Err(UnmapError::NotBufferStart { addr, start });
        }
        let mapped_bytes = u64::from(owner.mapped_bytes);
        if bytes != mapped_bytes {
            return Err(UnmapError::SizeMismatch {
                addr,
                bytes,
                mapped_bytes,
            });
        }
        // With another `min_align_mask`, other slots than those of the mapping would be freed.
        if dev.align_offset(0, addr.raw()) != u64::from(owner.offset) {
            return Err(UnmapError::WrongDevice);
        }
        Ok(())
    }
}
