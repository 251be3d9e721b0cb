//! Sync: copying between a bounce buffer and its original while it is mapped.

use crate::addr::PhysAddr;
use crate::device::Device;
use crate::direction::DataDirection;
use crate::error::SyncError;
use crate::memory::{MemoryError, PhysMemory};
use crate::message::Message;
use crate::pool::Pool;
use crate::slot::SLOT_MASK;
use crate::swiotlb::Swiotlb;

/// Which way a copy goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    ToBounce,
    ToOriginal,
}

impl Swiotlb {
    /// Copies part of a mapping to the bounce buffer, if the device may read
    /// (`swiotlb_sync_single_for_device`). Returns the bytes copied, or `None` if the address lies
    /// in no pool of the device.
    ///
    /// # Errors
    /// If the direction is none, or the copy reaches what is not memory.
    #[doc(alias = "swiotlb_sync_single_for_device")]
    pub fn sync_single_for_device<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        tlb_addr: PhysAddr,
        bytes: u64,
        dir: DataDirection,
    ) -> Result<Option<u64>, SyncError> {
        let wanted = dir.reaches_device().then_some(Way::ToBounce);
        self.sync(mem, dev, tlb_addr, bytes, dir, wanted)
    }

    /// Copies part of a mapping to the original buffer, if the device may have written
    /// (`swiotlb_sync_single_for_cpu`). Returns the bytes copied, or `None` if the address lies in
    /// no pool of the device.
    ///
    /// # Errors
    /// If the direction is none, or the copy reaches what is not memory.
    #[doc(alias = "swiotlb_sync_single_for_cpu")]
    pub fn sync_single_for_cpu<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        tlb_addr: PhysAddr,
        bytes: u64,
        dir: DataDirection,
    ) -> Result<Option<u64>, SyncError> {
        let wanted = dir.comes_from_device().then_some(Way::ToOriginal);
        self.sync(mem, dev, tlb_addr, bytes, dir, wanted)
    }

    fn sync<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        tlb_addr: PhysAddr,
        bytes: u64,
        dir: DataDirection,
        way: Option<Way>,
    ) -> Result<Option<u64>, SyncError> {
        if dir == DataDirection::None {
            return Err(SyncError::BadDirection(dir));
        }
        if let Some(buffer) = dev.own_buffers.touch(tlb_addr) {
            let copied = match way {
                None => 0,
                Some(way) => self.copy_own(mem, dev, &buffer, tlb_addr, bytes, way)?,
            };
            return Ok(Some(copied));
        }
        let Some(pool) = self.locate(dev, tlb_addr) else {
            return Ok(None);
        };
        match way {
            None => Ok(Some(0)),
            Some(way) => Ok(Some(self.copy(mem, dev, &pool, tlb_addr, bytes, way)?)),
        }
    }

    /// Copies between bounce buffer and original (`swiotlb_bounce`). Addresses in free slots and in
    /// padding copy nothing; what is longer than the allocation is cut, with a warning.
    pub(crate) fn copy<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        pool: &Pool,
        tlb_addr: PhysAddr,
        bytes: u64,
        way: Way,
    ) -> Result<u64, MemoryError> {
        let slot = pool.slot_of(tlb_addr);
        let domain = pool.domain_of(slot).lock();
        let in_table = slot - domain.first_slot;
        let Some(orig) = domain.table.orig_addr(in_table) else {
            return Ok(0);
        };
        let alloc_size = domain.table.alloc_size(in_table);
        drop(domain);
        // Negative when the address lies in the first `offset` bytes of a later slot. All sums are
        // modulo 2^64.
        let in_slot = tlb_addr.raw() & SLOT_MASK;
        let tlb_offset = in_slot.wrapping_sub(dev.align_offset(0, orig));
        let orig = PhysAddr::new(orig.wrapping_add(tlb_offset));
        let alloc_bytes = alloc_size.wrapping_sub(tlb_offset);
        let mut bytes = bytes;
        if bytes > alloc_bytes {
            self.warn(dev, Message::BufferOverflow { alloc_bytes, bytes });
            bytes = alloc_bytes;
        }
        match way {
            Way::ToBounce => mem.copy(orig, tlb_addr, bytes)?,
            Way::ToOriginal => mem.copy(tlb_addr, orig, bytes)?,
        }
        Ok(bytes)
    }
}
