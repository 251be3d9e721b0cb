//! Mapping through a bounce buffer: take slots and copy in, copy at a sync, copy out and release.

use crate::addr::{DmaAddr, PhysAddr};
use crate::allocator::{Found, NotFound};
use crate::area::CpuId;
use crate::attrs::Attrs;
use crate::cc::CcPlatform;
use crate::device::Device;
use crate::direction::DataDirection;
use crate::error::{Full, MapError, SyncError, UnmapError};
use crate::memory::{MemoryError, PhysMemory};
use crate::message::Message;
use crate::pool::{AllocatorId, PoolId};
use crate::search::Wanted;
use crate::slot::{SLOT_BYTES, SLOT_MASK, SLOT_SHIFT, slots_of};
use crate::swiotlb::{Mode, Swiotlb};

/// A buffer to be bounced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BounceRequest {
    /// Original buffer.
    pub orig: PhysAddr,
    /// Its length in bytes.
    pub bytes: u64,
    /// Alignment of the allocation as a mask: the granule of an IOMMU less one, otherwise 0.
    pub alloc_align_mask: u32,
    /// Direction of the transfer.
    pub dir: DataDirection,
    /// Attributes.
    pub attrs: Attrs,
    /// CPU on which the call is made.
    pub cpu: CpuId,
}

/// A bounce buffer that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BounceInfo {
    /// Where the device's bytes are.
    pub tlb_addr: PhysAddr,
    /// Pool that holds it.
    pub pool: PoolId,
    /// First slot of the allocation, padding included.
    pub first_slot: u32,
    /// Slots of the allocation.
    pub slots: u32,
    /// Whole slots in front of the data.
    pub pad_slots: u32,
    /// Bytes copied from the original buffer.
    pub copied_bytes: u64,
    /// Whether the pool is shared memory; the mapping then carries `CC_SHARED`.
    pub is_shared: bool,
}

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

/// Which way a copy goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    ToBounce,
    ToOriginal,
}

impl Swiotlb {
    /// Makes a bounce buffer for a mapping and copies the original into it, whatever the direction:
    /// the device may write only part, and the rest must survive the unmap
    /// (`swiotlb_tbl_map_single`).
    ///
    /// # Errors
    /// If no slots were found or the pool does not suit the device. Nothing has changed then, but
    /// rate-limited messages and the device's need for syncs.
    pub fn tbl_map_single<M: PhysMemory + ?Sized>(
        &mut self,
        mem: &mut M,
        dev: &Device,
        request: &BounceRequest,
    ) -> Result<BounceInfo, MapError> {
        let id = dev.allocator();
        let Some(allocator) = self.allocators.get_mut(id.0 as usize) else {
            return Err(MapError::Inactive);
        };
        if allocator.total_slots == 0 {
            self.warn(dev, Message::TooEarly);
            return Err(MapError::Inactive);
        }
        let pool_is_shared = allocator.is_shared;
        let cc = self.shared.platform.cc;
        if cc.is_active() {
            self.shared.log.push(None, Message::EncryptionActive);
            let suits = match cc {
                CcPlatform::Guest(_) => pool_is_shared == dev.needs_unencrypted(cc),
                _ => pool_is_shared,
            };
            if !suits {
                return Err(MapError::CcMismatch { pool_is_shared });
            }
        }
        let align_mask = request.alloc_align_mask;
        if u64::from(align_mask) > self.shared.platform.page_size.bytes() - 1 {
            self.warn(dev, Message::AlignMayPrevent);
        }
        let granule = u64::from(align_mask) + 1;
        if !granule.is_power_of_two() {
            return Err(MapError::BadAlignMask { mask: align_mask });
        }
        let orig = request.orig.raw();
        let offset = dev.align_offset(align_mask, orig);
        let alloc_size = request
            .bytes
            .checked_add(offset)
            .and_then(|bytes| bytes.checked_next_multiple_of(granule));
        let wanted = Wanted {
            orig,
            alloc_size: alloc_size.unwrap_or(u64::MAX),
            alloc_align_mask: align_mask,
        };
        if request.bytes == 0 {
            return Err(MapError::ZeroSize);
        }
        let allocator = &mut self.allocators[id.0 as usize];
        let found = match allocator.find_slots(&self.shared, dev, &wanted, request.cpu) {
            Ok(found) => found,
            Err(cause) => {
                if let NotFound::Full(full) = cause {
                    self.report_full(dev, &full, request.attrs);
                }
                return Err(cause.into());
            }
        };
        dev.set_skips_sync(false);
        let Found {
            pool: pool_index,
            first_slot,
            slots,
        } = found;
        // Below 128: the padding is part of an allocation that was found.
        let pad_slots = u8::try_from(offset >> SLOT_SHIFT).unwrap_or(u8::MAX);
        let in_slot = u16::try_from(offset & SLOT_MASK).unwrap_or(0);
        let pool = &mut self.allocators[id.0 as usize].pools[pool_index];
        let mapped_bytes = u32::try_from(request.bytes).unwrap_or(u32::MAX);
        pool.table
            .set_orig(first_slot, pad_slots, in_slot, request.orig, mapped_bytes);
        let pool_id = pool.id;
        let tlb_addr = pool
            .slot_addr(first_slot + u32::from(pad_slots))
            .wrapping_add(u64::from(in_slot));
        if let Err(cause) = mem.copy(request.orig, tlb_addr, request.bytes) {
            let is_tracking = self.shared.is_tracking;
            self.allocators[id.0 as usize].release(is_tracking, pool_index, first_slot, slots);
            return Err(cause.into());
        }
        Ok(BounceInfo {
            tlb_addr,
            pool: pool_id,
            first_slot,
            slots,
            pad_slots: u32::from(pad_slots),
            copied_bytes: request.bytes,
            is_shared: pool_is_shared,
        })
    }

    fn report_full(&mut self, dev: &Device, full: &Full, attrs: Attrs) {
        if !attrs.contains(Attrs::NO_WARN) {
            self.warn(
                dev,
                Message::BufferFull {
                    bytes: full.bytes,
                    total_slots: full.total_slots,
                    used_slots: full.used_slots,
                },
            );
        }
    }

    /// Bounces a buffer for a device and returns the DMA address of the bounce buffer
    /// (`swiotlb_map`).
    ///
    /// # Errors
    /// As [`Swiotlb::tbl_map_single`]; or if the device cannot address the bounce buffer, which is
    /// then released again without a copy.
    pub fn map<M: PhysMemory + ?Sized>(
        &mut self,
        mem: &mut M,
        dev: &Device,
        request: &BounceRequest,
    ) -> Result<(DmaAddr, BounceInfo), MapError> {
        self.trace_bounced(dev, request.orig, request.bytes);
        let bounce = self.tbl_map_single(mem, dev, request)?;
        let attrs = if bounce.is_shared {
            request.attrs | Attrs::CC_SHARED
        } else {
            request.attrs.without(Attrs::CC_SHARED)
        };
        let cc = self.shared.platform.cc;
        let addr = dev.phys_to_dma(bounce.tlb_addr, cc, bounce.is_shared);
        if dev.is_capable(addr, request.bytes, attrs, cc) {
            return Ok((addr, bounce));
        }
        self.release_at(dev, bounce.tlb_addr);
        let (mask, bus_limit) = (dev.raw_mask(), dev.bus_limit());
        self.warn(
            dev,
            Message::BounceOverflow {
                addr,
                bytes: request.bytes,
                mask,
                bus_limit,
            },
        );
        Err(MapError::BounceNotCapable {
            addr,
            bytes: request.bytes,
            mask,
            bus_limit,
        })
    }

    /// Copies back if the device may have written, and releases the bounce buffer at `tlb_addr`
    /// (`swiotlb_tbl_unmap_single`). `None` if the address lies in no pool of the device: nothing
    /// happens then.
    ///
    /// # Errors
    /// In strict mode, if this is not the start of a mapping of this size; nothing has changed. In
    /// kernel mode only if the release would reach out of the pool, or the original is not memory.
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
            self.check_release(id, pool, tlb_addr, bytes)?;
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

    fn locate(&self, id: AllocatorId, addr: PhysAddr) -> Option<usize> {
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
        id: AllocatorId,
        pool: usize,
        addr: PhysAddr,
        bytes: u64,
    ) -> Result<(), UnmapError> {
        let pool = &self.allocators[id.0 as usize].pools[pool];
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
        Ok(())
    }

    /// Copies part of a mapping to the bounce buffer, if the device may read
    /// (`swiotlb_sync_single_for_device`). Returns the bytes copied, or `None` if the address lies
    /// in no pool of the device.
    ///
    /// # Errors
    /// If the direction is none, or the copy reaches what is not memory.
    pub fn sync_single_for_device<M: PhysMemory + ?Sized>(
        &mut self,
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
    pub fn sync_single_for_cpu<M: PhysMemory + ?Sized>(
        &mut self,
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
        &mut self,
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
        let Some(pool) = self.locate(dev.allocator(), tlb_addr) else {
            return Ok(None);
        };
        match way {
            None => Ok(Some(0)),
            Some(way) => Ok(Some(self.copy(mem, dev, pool, tlb_addr, bytes, way)?)),
        }
    }

    /// Copies between bounce buffer and original (`swiotlb_bounce`). Addresses in free slots and in
    /// padding copy nothing; what is longer than the allocation is cut, with a warning.
    fn copy<M: PhysMemory + ?Sized>(
        &mut self,
        mem: &mut M,
        dev: &Device,
        pool: usize,
        tlb_addr: PhysAddr,
        bytes: u64,
        way: Way,
    ) -> Result<u64, MemoryError> {
        let pool = &self.allocators[dev.allocator().0 as usize].pools[pool];
        let slot = pool.slot_of(tlb_addr);
        let Some(orig) = pool.table.orig_addr(slot) else {
            return Ok(0);
        };
        // Negative when the address lies in the first `offset` bytes of a later slot. All sums are
        // modulo 2^64.
        let in_slot = tlb_addr.raw() & (SLOT_BYTES - 1);
        let tlb_offset = in_slot.wrapping_sub(dev.align_offset(0, orig));
        let orig = PhysAddr::new(orig.wrapping_add(tlb_offset));
        let alloc_bytes = pool.table.alloc_size(slot).wrapping_sub(tlb_offset);
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
