//! Buffers of their own: policy `PerBuffer`, where a larger mapping gets pages for itself alone.

use crate::addr::PhysAddr;
use crate::allocator::Allocator;
use crate::attrs::Attrs;
use crate::block::{Block, BlockWanted};
use crate::bounce::{BounceInfo, BounceRequest};
use crate::device::{Device, min_not_zero};
use crate::direction::DataDirection;
use crate::error::{MapError, UnmapError};
use crate::memory::{MemoryError, PhysMemory};
use crate::message::Message;
use crate::policy::Policy;
use crate::pool::{AllocatorId, PoolId};
use crate::release::Released;
use crate::slot::{align_up, slots_of};
use crate::swiotlb::{Mode, Swiotlb};
use crate::sync::Way;
use crate::sync_primitives::{AtomicBool, Lock, Ordering};

/// A mapping with pages of its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OwnBuffer {
    pub(crate) id: PoolId,
    orig: PhysAddr,
    bytes: u64,
    block: Block,
}

impl OwnBuffer {
    const fn contains(&self, addr: PhysAddr) -> bool {
        addr.raw().wrapping_sub(self.block.base.raw()) < self.block.bytes
    }
}

/// The buffers of a device, most recently used first.
#[derive(Debug, Default)]
pub(crate) struct OwnBuffers {
    /// Set with the first record, cleared just before the last one goes: who reads false need not
    /// look.
    has_any: AtomicBool,
    list: Lock<Vec<OwnBuffer>>,
}

impl OwnBuffers {
    fn add(&self, buffer: OwnBuffer) {
        let mut list = self.list.lock();
        list.insert(0, buffer);
        self.has_any.store(true, Ordering::Release);
    }

    /// Returns whether nobody need look here.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        !self.has_any.load(Ordering::Acquire)
    }

    /// Finds a buffer and makes it the most recently used one.
    #[inline]
    pub(crate) fn touch(&self, addr: PhysAddr) -> Option<OwnBuffer> {
        if self.is_empty() {
            return None;
        }
        let mut list = self.list.lock();
        let index = list.iter().position(|buffer| buffer.contains(addr))?;
        list[..=index].rotate_right(1);
        Some(list[0])
    }

    /// Finds a buffer and leaves the order alone.
    #[inline]
    fn peek(&self, addr: PhysAddr) -> Option<OwnBuffer> {
        if self.is_empty() {
            return None;
        }
        let list = self.list.lock();
        list.iter().find(|buffer| buffer.contains(addr)).copied()
    }

    /// Takes a record out; false if another call has done so.
    fn remove(&self, id: PoolId) -> bool {
        let mut list = self.list.lock();
        let Some(index) = list.iter().position(|buffer| buffer.id == id) else {
            return false;
        };
        if list.len() == 1 {
            self.has_any.store(false, Ordering::Release);
        }
        list.remove(index);
        true
    }

    /// Returns where the buffers lie, most recently used first.
    fn bases(&self) -> Vec<PhysAddr> {
        let list = self.list.lock();
        list.iter().map(|buffer| buffer.block.base).collect()
    }
}

impl Swiotlb {
    /// Returns where the buffers lie that mappings of a device have for themselves, most recently
    /// used first.
    #[must_use]
    pub fn own_buffers(&self, dev: &Device) -> Vec<PhysAddr> {
        dev.own_buffers.bases()
    }

    /// Tries to give a mapping pages of its own. `None` if it is not eligible or there are none: slots
    /// may do then.
    pub(crate) fn map_own<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        allocator: &Allocator,
        dev: &Device,
        request: &BounceRequest,
    ) -> Option<Result<BounceInfo, MapError>> {
        let page_bytes = self.shared.platform.page_size.bytes();
        let is_eligible = self.shared.policy == Policy::PerBuffer
            && self.boot.dynamic
            && dev.allocator() == AllocatorId::DEFAULT
            && request.bytes >= page_bytes
            && request.alloc_align_mask == 0
            && dev.min_align_mask() == 0;
        if !is_eligible {
            return None;
        }
        // The pages come from where coherent memory comes from, so that mask judges.
        let limit = min_not_zero(dev.coherent_mask(), dev.bus_limit());
        let bytes = request.bytes.checked_next_multiple_of(page_bytes)?;
        let wanted = BlockWanted {
            bytes,
            limit,
            is_blocking: request.attrs.contains(Attrs::MAY_SLEEP),
            is_shared: allocator.is_shared,
        };
        let block = self
            .with_source(|source| self.alloc_block(source, &wanted, limit))?
            .ok()?;
        let copied = mem
            .zero(block.base, align_up(request.bytes, page_bytes))
            .and_then(|()| mem.copy(request.orig, block.base, request.bytes));
        if let Err(cause) = copied {
            self.with_source(|source| self.give_back(source, &block));
            return Some(Err(cause.into()));
        }
        let id = self.next_pool_id();
        dev.own_buffers.add(OwnBuffer {
            id,
            orig: request.orig,
            bytes: request.bytes,
            block,
        });
        dev.need_sync();
        Some(Ok(BounceInfo {
            tlb_addr: block.base,
            pool: id,
            first_slot: 0,
            slots: slots_below_max(request.bytes),
            pad_slots: 0,
            copied_bytes: request.bytes,
            is_shared: allocator.is_shared,
        }))
    }

    /// Unmaps a buffer of its own. `None` if the address lies in none.
    pub(crate) fn unmap_own<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        addr: PhysAddr,
        bytes: u64,
        (dir, attrs): (DataDirection, Attrs),
    ) -> Option<Result<Released, UnmapError>> {
        let buffer = dev.own_buffers.peek(addr)?;
        if self.shared.mode == Mode::Strict
            && let Err(cause) = check(&buffer, addr, bytes)
        {
            return Some(Err(cause));
        }
        let has_copy = dir.comes_from_device() && !attrs.contains(Attrs::SKIP_CPU_SYNC);
        let copied = if has_copy {
            self.copy_own(mem, dev, &buffer, addr, bytes, Way::ToOriginal)
        } else {
            Ok(0)
        };
        self.free_own(dev, &buffer);
        Some(match copied {
            Ok(copied_bytes) => Ok(Released {
                pool: buffer.id,
                first_slot: 0,
                slots: slots_below_max(buffer.bytes),
                copied_bytes,
            }),
            Err(cause) => Err(cause.into()),
        })
    }

    /// Says whether an unmap of a buffer of its own would be refused. `None` if the address lies in
    /// none.
    pub(crate) fn check_own(
        &self,
        dev: &Device,
        addr: PhysAddr,
        bytes: u64,
    ) -> Option<Result<(), UnmapError>> {
        let buffer = dev.own_buffers.peek(addr)?;
        Some(check(&buffer, addr, bytes))
    }

    /// Frees a buffer of its own without a copy. False if the address lies in none.
    pub(crate) fn drop_own(&self, dev: &Device, addr: PhysAddr) -> bool {
        let Some(buffer) = dev.own_buffers.peek(addr) else {
            return false;
        };
        self.free_own(dev, &buffer);
        true
    }

    fn free_own(&self, dev: &Device, buffer: &OwnBuffer) {
        if dev.own_buffers.remove(buffer.id) {
            self.with_source(|source| self.give_back(source, &buffer.block));
        }
    }

    /// Copies between a buffer of its own and the original. What lies behind the mapping is cut, with
    /// a warning.
    pub(crate) fn copy_own<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        buffer: &OwnBuffer,
        addr: PhysAddr,
        bytes: u64,
        way: Way,
    ) -> Result<u64, MemoryError> {
        let offset = addr.raw() - buffer.block.base.raw();
        let alloc_bytes = buffer.bytes.saturating_sub(offset);
        if bytes > alloc_bytes {
            self.warn(dev, Message::BufferOverflow { alloc_bytes, bytes });
        }
        let bytes = bytes.min(alloc_bytes);
        let orig = buffer.orig.wrapping_add(offset);
        match way {
            _ if bytes == 0 => {}
            Way::ToBounce => mem.copy(orig, addr, bytes)?,
            Way::ToOriginal => mem.copy(addr, orig, bytes)?,
        }
        Ok(bytes)
    }
}

/// Refuses an unmap that the driver has no right to.
fn check(buffer: &OwnBuffer, addr: PhysAddr, bytes: u64) -> Result<(), UnmapError> {
    let start = buffer.block.base;
    if addr != start {
        return Err(UnmapError::NotBufferStart { addr, start });
    }
    if bytes != buffer.bytes {
        return Err(UnmapError::SizeMismatch {
            addr,
            bytes,
            mapped_bytes: buffer.bytes,
        });
    }
    Ok(())
}

fn slots_below_max(bytes: u64) -> u32 {
    u32::try_from(slots_of(bytes)).unwrap_or(u32::MAX)
}
