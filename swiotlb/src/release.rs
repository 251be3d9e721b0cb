//! Unmapping a bounce buffer: copy back what the device wrote, and free the slots.

use crate::addr::PhysAddr;
use crate::attrs::Attrs;
use crate::device::Device;
use crate::direction::DataDirection;
use crate::domain::Domain;
use crate::error::UnmapError;
use crate::memory::PhysMemory;
use crate::policy::Policy;
use crate::pool::{Pool, PoolId};
use crate::pool_list::PoolRef;
use crate::slot::slots_of;
use crate::swiotlb::{Mode, Swiotlb};
use crate::sync::Way;
use crate::sync_primitives::Lock;

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
    /// In kernel mode a stray release does what it does in the kernel: it frees other slots than
    /// those of one mapping, and may reach into the next slot set or area.
    ///
    /// # Errors
    /// In strict mode, if this is not the start of a mapping of this size, or the device's
    /// `min_align_mask` is not that of the mapping; nothing has changed. In both modes, if the
    /// release would reach out of the pool (nothing has changed), or the original is not memory (the
    /// slots are free then).
    #[doc(alias = "swiotlb_tbl_unmap_single")]
    #[inline(always)]
    pub fn tbl_unmap_single<M: PhysMemory + ?Sized>(
        &self,
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
        let has_copy = dir.comes_from_device() && !attrs.contains(Attrs::SKIP_CPU_SYNC);
        if !has_copy && let Some((pool, slots)) = self.release_common(dev, tlb_addr, bytes) {
            return Ok(Some(Released {
                pool: pool.id,
                first_slot: pool.slot_of(tlb_addr),
                slots,
                copied_bytes: 0,
            }));
        }
        self.unmap_in_general(mem, dev, tlb_addr, bytes, (dir, attrs))
    }

    /// As [`Swiotlb::tbl_unmap_single`], with all that is out of the ordinary.
    #[inline(never)]
    fn unmap_in_general<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        tlb_addr: PhysAddr,
        bytes: u64,
        (dir, attrs): (DataDirection, Attrs),
    ) -> Result<Option<Released>, UnmapError> {
        if let Some(result) = self.unmap_own(mem, dev, tlb_addr, bytes, (dir, attrs)) {
            return result.map(Some);
        }
        let has_copy = dir.comes_from_device() && !attrs.contains(Attrs::SKIP_CPU_SYNC);
        let Some(pool) = self.locate(dev, tlb_addr) else {
            return Ok(None);
        };
        let release = Release {
            pool: &pool,
            dev,
            tlb_addr,
            strict_bytes: (self.shared.mode == Mode::Strict).then_some(bytes),
        };
        if !has_copy {
            return self.release(&release).map(Some);
        }
        // Looked at before the copy, so that a refusal changes nothing. No lock is held while
        // copying: until they are released, the slots belong to the caller.
        release.extent(&release.domain().lock())?;
        let copied = self.copy(mem, dev, &pool, tlb_addr, bytes, Way::ToOriginal);
        let mut released = self.release(&release)?;
        released.copied_bytes = copied?;
        Ok(Some(released))
    }

    /// Says in strict mode whether an unmap would be refused; in kernel mode it never is here.
    /// Nothing changes. An address in no pool is fine: there is nothing to release.
    pub(crate) fn check_release(
        &self,
        dev: &Device,
        addr: PhysAddr,
        bytes: u64,
    ) -> Result<(), UnmapError> {
        if self.shared.mode != Mode::Strict {
            return Ok(());
        }
        if let Some(result) = self.check_own(dev, addr, bytes) {
            return result;
        }
        let Some(pool) = self.locate(dev, addr) else {
            return Ok(());
        };
        let release = Release {
            pool: &pool,
            dev,
            tlb_addr: addr,
            strict_bytes: Some(bytes),
        };
        let domain = release.domain().lock();
        release.extent(&domain).map(|_| ())
    }

    /// Releases what lies at `addr` of the device's allocator, without a copy.
    pub(crate) fn release_at(&self, dev: &Device, addr: PhysAddr) -> Option<Released> {
        let pool = self.locate(dev, addr)?;
        self.release(&Release {
            pool: &pool,
            dev,
            tlb_addr: addr,
            strict_bytes: None,
        })
        .ok()
    }

    /// Frees slots and counts them (`swiotlb_release_slots`).
    #[inline]
    fn release(&self, release: &Release<'_>) -> Result<Released, UnmapError> {
        let pool: &Pool = release.pool;
        let mut domain = release.domain().lock();
        let (first_slot, slots) = release.extent(&domain)?;
        if matches!(release.pool, PoolRef::Transient(_)) {
            drop(domain);
            return Ok(self.delete_transient(release.dev, pool));
        }
        let left = domain.release(first_slot, slots, slots);
        if let Policy::Shrinker(_) = self.shared.policy {
            domain.last_active = self.shared.log.now_nanos();
        }
        drop(domain);
        if left > 0 {
            pool.release_rest(first_slot + slots - left, left);
        }
        if let Some(allocator) = self.allocator(release.dev.allocator()) {
            allocator.count_released(&self.shared, slots);
        }
        Ok(Released {
            pool: pool.id,
            first_slot,
            slots,
            copied_bytes: 0,
        })
    }
}

/// A release that is asked for.
struct Release<'a> {
    pool: &'a PoolRef<'a>,
    dev: &'a Device,
    tlb_addr: PhysAddr,
    /// In strict mode, the bytes that must have been mapped.
    strict_bytes: Option<u64>,
}

impl Release<'_> {
    /// Returns the slot that holds the address. The alignment offset is below a slot, so it also
    /// holds the start of the data.
    #[inline]
    fn data_slot(&self) -> u32 {
        self.pool.slot_of(self.tlb_addr)
    }

    #[inline]
    fn domain(&self) -> &Lock<Domain> {
        self.pool.domain_of(self.data_slot())
    }

    /// Returns first slot and number of slots that the kernel would free.
    #[inline]
    fn extent(&self, domain: &Domain) -> Result<(u32, u32), UnmapError> {
        if let Some(bytes) = self.strict_bytes {
            self.check(domain, bytes)?;
        }
        if matches!(self.pool, PoolRef::Transient(_)) {
            // Whatever the address, the pool goes as a whole.
            return Ok((0, self.pool.geometry.slots));
        }
        let out_of_pool = UnmapError::OutOfPool {
            addr: self.tlb_addr,
        };
        let data_slot = self.data_slot() - domain.first_slot;
        let (first, alloc_size) = domain.table.release_start(data_slot).ok_or(out_of_pool)?;
        let offset = self.dev.align_offset(0, self.tlb_addr.raw());
        // The size wraps before it is divided, as in the kernel.
        let slots = slots_of(alloc_size.wrapping_add(offset));
        let first = domain.first_slot + first;
        let is_in_area = first < self.pool.area_slots * self.pool.geometry.areas;
        match u32::try_from(slots) {
            Ok(slots) if is_in_area && slots <= self.pool.geometry.slots - first => {
                Ok((first, slots))
            }
            _ => Err(out_of_pool),
        }
    }

    /// Refuses a release that the driver has no right to.
    fn check(&self, domain: &Domain, bytes: u64) -> Result<(), UnmapError> {
        let addr = self.tlb_addr;
        let owner = domain.table.owner(self.data_slot() - domain.first_slot);
        let Some(owner) = owner.filter(|owner| owner.has_orig) else {
            return Err(UnmapError::NotMapped { addr });
        };
        let start = self
            .pool
            .slot_addr(domain.first_slot + owner.data)
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
        if self.dev.align_offset(0, addr.raw()) != u64::from(owner.offset) {
            return Err(UnmapError::WrongDevice);
        }
        Ok(())
    }
}
