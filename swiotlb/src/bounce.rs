//! Mapping through a bounce buffer: take slots and copy the original in.

use crate::addr::{DmaAddr, PhysAddr};
use crate::allocator::{Found, Miss, NotFound};
use crate::area::CpuId;
use crate::attrs::Attrs;
use crate::cc::CcPlatform;
use crate::device::Device;
use crate::direction::DataDirection;
use crate::error::{Full, MapError, MoreSlots};
use crate::memory::PhysMemory;
use crate::message::Message;
use crate::pool::{Origin, PoolId};
use crate::pool_list::PoolRef;
use crate::search::Wanted;
use crate::slot::{SLOT_MASK, SLOT_SHIFT, slots_of};
use crate::swiotlb::Swiotlb;

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

impl Swiotlb {
    /// Makes a bounce buffer for a mapping and copies the original into it, whatever the direction:
    /// the device may write only part, and the rest must survive the unmap
    /// (`swiotlb_tbl_map_single`).
    ///
    /// # Errors
    /// If no slots were found, the pool does not suit the device, or the original is not memory. No
    /// slot is taken then; in the last case the search cursor has moved on, the high-water mark may
    /// be higher, and the device's sync calls are no longer skipped.
    #[doc(alias = "swiotlb_tbl_map_single")]
    #[inline(always)]
    pub fn tbl_map_single<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        request: &BounceRequest,
    ) -> Result<BounceInfo, MapError> {
        if request.dir == DataDirection::None {
            return Err(MapError::BadDirection(request.dir));
        }
        if let Some((pool, first_slot)) = self.take_common(dev, request) {
            #[expect(clippy::cast_possible_truncation, reason = "at most 128")]
            let slots = slots_of(request.bytes) as u32;
            let bounce = BounceInfo {
                tlb_addr: pool.slot_addr(first_slot),
                pool: pool.id,
                first_slot,
                slots,
                pad_slots: 0,
                copied_bytes: request.bytes,
                is_shared: self
                    .allocator(dev.allocator())
                    .is_some_and(|allocator| allocator.is_shared),
            };
            dev.note_bounced();
            if let Err(cause) = mem.copy(request.orig, bounce.tlb_addr, request.bytes) {
                pool.release(first_slot, slots);
                return Err(cause.into());
            }
            return Ok(bounce);
        }
        self.map_in_general(mem, dev, request)
    }

    /// As [`Swiotlb::tbl_map_single`], with all that is out of the ordinary.
    #[inline(never)]
    fn map_in_general<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        request: &BounceRequest,
    ) -> Result<BounceInfo, MapError> {
        let Some(allocator) = self.allocator(dev.allocator()) else {
            return Err(MapError::Inactive);
        };
        if allocator.total_slots() == 0 {
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
        if let Some(result) = self.map_own(mem, allocator, dev, request) {
            return result;
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
        // Below 128: the padding is part of an allocation of at most 128 slots.
        let pad_slots = u8::try_from(offset >> SLOT_SHIFT).unwrap_or(u8::MAX);
        let in_slot = u16::try_from(offset & SLOT_MASK).unwrap_or(0);
        let origin = Origin {
            orig: request.orig,
            mapped_bytes: u32::try_from(request.bytes).unwrap_or(u32::MAX),
            offset: in_slot,
            padding: pad_slots,
        };
        let found = allocator.find_slots(&self.shared, dev, &wanted, Some(&origin), request.cpu);
        let found = match found {
            Ok(found) => found,
            Err(miss) => self.grow_or_refuse(mem, dev, request.attrs, &wanted, &origin, miss)?,
        };
        dev.note_bounced();
        let Found {
            pool,
            first_slot,
            slots,
        } = &found;
        let tlb_addr = pool
            .slot_addr(first_slot + u32::from(pad_slots))
            .wrapping_add(u64::from(in_slot));
        if let Err(cause) = mem.copy(request.orig, tlb_addr, request.bytes) {
            self.release_found(dev, &found);
            return Err(cause.into());
        }
        Ok(BounceInfo {
            tlb_addr,
            pool: pool.id,
            first_slot: *first_slot,
            slots: *slots,
            pad_slots: u32::from(pad_slots),
            copied_bytes: request.bytes,
            is_shared: pool_is_shared,
        })
    }

    /// Asks for a further pool and makes do with one for this mapping alone, where pools can be
    /// added; else says that the layer is full.
    #[cold]
    fn grow_or_refuse<'a, M: PhysMemory + ?Sized>(
        &'a self,
        mem: &mut M,
        dev: &Device,
        attrs: Attrs,
        wanted: &Wanted,
        origin: &Origin,
        miss: Miss,
    ) -> Result<Found<'a>, MapError> {
        let Some(allocator) = self.allocator(dev.allocator()) else {
            return Err(MapError::Inactive);
        };
        let mut alone = None;
        if self.ask_for_growth(allocator, miss) {
            match self.take_transient(mem, allocator, dev, wanted, origin) {
                Ok(found) => return Ok(found),
                Err(cause) => alone = Some(cause),
            }
        }
        let mut cause = allocator.explain_miss(&self.shared, dev, wanted, miss);
        if let NotFound::Full(full) = &mut cause {
            if alone.is_some() {
                full.more = MoreSlots::Growing { alone };
            }
            self.report_full(dev, full, attrs);
        }
        Err(cause.into())
    }

    /// Undoes a find.
    fn release_found(&self, dev: &Device, found: &Found<'_>) {
        if let PoolRef::Transient(pool) = &found.pool {
            self.delete_transient(dev, pool);
            return;
        }
        found.pool.release(found.first_slot, found.slots);
        if let Some(allocator) = self.allocator(dev.allocator()) {
            allocator.count_released(&self.shared, found.slots);
        }
    }

    fn report_full(&self, dev: &Device, full: &Full, attrs: Attrs) {
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
    #[doc(alias = "swiotlb_map")]
    pub fn map<M: PhysMemory + ?Sized>(
        &self,
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
        if !self.drop_own(dev, bounce.tlb_addr) {
            self.release_at(dev, bounce.tlb_addr);
        }
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
}
