//! Restricted pools: memory set aside for devices that may use nothing else.

use crate::addr::PhysAddr;
use crate::allocator::Allocator;
use crate::area::CpuId;
use crate::attrs::Attrs;
use crate::device::Device;
use crate::error::{AllocError, InitError};
use crate::memory::PhysMemory;
use crate::message::Message;
use crate::page_source::PageSource;
use crate::pool::{AllocatorId, PoolGeometry};
use crate::release::Released;
use crate::search::Wanted;
use crate::slot::SLOT_BYTES;
use crate::swiotlb::{Mode, Swiotlb};

/// A reserved-memory node compatible with `restricted-dma-pool`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestrictedRegion {
    /// Name of the node.
    pub name: String,
    /// First byte.
    pub base: PhysAddr,
    /// Length in bytes; what is not a whole slot stays unused.
    pub bytes: u64,
}

/// What a device tree says of a region beside its place. Each of these makes a restricted pool
/// impossible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "properties without a value, each on its own"
)]
pub struct RegionProperties {
    /// `reusable`: the kernel may use the memory for other things.
    pub is_reusable: bool,
    /// `no-map`: the kernel must not map the memory.
    pub is_unmapped: bool,
    /// `linux,cma-default`: the default area of contiguous memory.
    pub is_cma_default: bool,
    /// `linux,dma-default`: the global coherent region.
    pub is_dma_default: bool,
    /// The region lies in high memory, which the kernel has no lasting mapping of.
    pub is_high_memory: bool,
}

impl RegionProperties {
    fn check(self) -> Result<(), InitError> {
        let faults = [
            (self.is_reusable, "a restricted pool cannot be `reusable`"),
            (self.is_unmapped, "a restricted pool cannot be `no-map`"),
            (
                self.is_cma_default,
                "a restricted pool cannot be `linux,cma-default`",
            ),
            (
                self.is_dma_default,
                "a restricted pool cannot be `linux,dma-default`",
            ),
            (
                self.is_high_memory,
                "a restricted pool cannot lie in high memory",
            ),
        ];
        match faults.into_iter().find(|(is_set, _)| *is_set) {
            Some((_, what)) => Err(InitError::Invalid { what }),
            None => Ok(()),
        }
    }
}

impl Swiotlb {
    /// As [`Swiotlb::add_restricted`], for a node with further properties.
    ///
    /// # Errors
    /// As there, and for each property that a restricted pool cannot have.
    pub fn add_restricted_node(
        &mut self,
        region: RestrictedRegion,
        properties: RegionProperties,
    ) -> Result<AllocatorId, InitError> {
        properties.check()?;
        self.add_restricted(region)
    }

    /// Makes a region known. Its pool comes into being when the first device is attached.
    ///
    /// # Errors
    /// If the region has no whole slot or more than [`crate::MAX_POOL_SLOTS`], does not begin on the
    /// grid of slots, or ends above the address space; or if restricted pools are not built in
    /// ([`crate::BootOptions::has_restricted_pools`]).
    pub fn add_restricted(&mut self, region: RestrictedRegion) -> Result<AllocatorId, InitError> {
        if !self.boot.options.has_restricted_pools {
            let what = "restricted pools are not built in (DMA_RESTRICTED_POOL)";
            return Err(InitError::Invalid { what });
        }
        let slots = region.bytes / SLOT_BYTES;
        PoolGeometry::checked(region.base, slots, 1)?;
        if region.base.checked_add(region.bytes).is_none() {
            let what = "the restricted pool ends above the 64-bit address space";
            return Err(InitError::Invalid { what });
        }
        let number = u32::try_from(self.allocators.len()).map_err(|_| InitError::Invalid {
            what: "too many restricted pools",
        })?;
        self.allocators.push(Allocator::default());
        self.restricted.push(region);
        Ok(AllocatorId(number))
    }

    /// Gives a device a restricted pool instead of the default allocator; the first device makes
    /// the pool. Of several regions of a device, the first one counts.
    ///
    /// # Errors
    /// If `id` names no restricted pool, its memory is none, or could not be shared; if the device is
    /// behind an IOMMU, or has another restricted pool.
    pub fn attach_restricted<M: PhysMemory + ?Sized>(
        &mut self,
        mem: &mut M,
        source: &mut dyn PageSource,
        dev: &mut Device,
        id: AllocatorId,
    ) -> Result<(), InitError> {
        let region = (id.0 as usize)
            .checked_sub(1)
            .and_then(|index| self.restricted.get(index));
        let Some(region) = region.cloned() else {
            let what = "no restricted pool has this number";
            return Err(InitError::Invalid { what });
        };
        if dev.iommu().is_some() {
            return Err(InitError::BehindIommu);
        }
        let first = dev.allocator();
        if first != AllocatorId::DEFAULT && first != id {
            return Err(InitError::NotFirstRegion { first });
        }
        if self.allocators[id.0 as usize].pools.first().is_none() {
            self.start_restricted(mem, source, dev, id, &region)?;
        }
        dev.allocator = id;
        Ok(())
    }

    fn start_restricted<M: PhysMemory + ?Sized>(
        &mut self,
        mem: &mut M,
        source: &mut dyn PageSource,
        dev: &Device,
        id: AllocatorId,
        region: &RestrictedRegion,
    ) -> Result<(), InitError> {
        let slots = region.bytes / SLOT_BYTES;
        let geometry = PoolGeometry {
            base: region.base,
            slots: u32::try_from(slots).unwrap_or(u32::MAX),
            areas: 1,
        };
        let is_shared = self.shared.platform.cc.is_active();
        if is_shared && let Err(code) = source.make_shared(region.base, region.bytes) {
            self.warn(dev, Message::DecryptRestrictedFailed);
            return Err(InitError::ShareFailed { code });
        }
        if let Err(cause) = self.add_pool(mem, id, geometry, false) {
            if is_shared && source.make_private(region.base, region.bytes).is_err() {
                self.count_leaked(region.bytes);
            }
            return Err(cause);
        }
        let allocator = &mut self.allocators[id.0 as usize];
        allocator.is_shared = is_shared;
        allocator.is_forced = true;
        allocator.is_for_alloc = true;
        self.say(Message::RestrictedCreated {
            base: region.base,
            mib: region.bytes >> 20,
        });
        Ok(())
    }

    /// Puts a device back on the default allocator.
    pub const fn detach_restricted(&self, dev: &mut Device) {
        dev.allocator = AllocatorId::DEFAULT;
    }

    /// Returns the region of a restricted pool.
    #[must_use]
    pub fn restricted_region(&self, id: AllocatorId) -> Option<&RestrictedRegion> {
        self.restricted.get((id.0 as usize).checked_sub(1)?)
    }

    /// Takes whole pages from the device's pool (`swiotlb_alloc`). They are not zeroed, and the
    /// slots taken are those of `bytes`, not a power of two. Where pools can be added, a full layer
    /// asks for one; a pool for this call alone is not made, because it would go with the first
    /// release of any of its pages.
    ///
    /// # Errors
    /// If the pool is full or of the wrong kind, or its pages are not page aligned.
    pub fn alloc(
        &self,
        dev: &Device,
        bytes: u64,
        attrs: Attrs,
        cpu: CpuId,
    ) -> Result<PhysAddr, AllocError> {
        let id = dev.allocator();
        let allocator = self.allocator(id);
        let Some(allocator) = allocator.filter(|allocator| allocator.total_slots() > 0) else {
            return Err(AllocError::Inactive);
        };
        let pool_is_shared = allocator.is_shared;
        if attrs.contains(Attrs::ALLOC_CC_SHARED) != pool_is_shared {
            return Err(AllocError::CcMismatch { pool_is_shared });
        }
        if bytes == 0 {
            return Err(AllocError::ZeroSize);
        }
        let page = self.shared.platform.page_size;
        let natural = page.bytes().checked_shl(page.order_of(bytes)).unwrap_or(0);
        let mask = natural.wrapping_sub(1);
        let wanted = Wanted {
            orig: 0,
            alloc_size: bytes,
            // A mask above 32 bits belongs to a size that no pool can give.
            alloc_align_mask: u32::try_from(mask).unwrap_or(u32::MAX),
        };
        let found = allocator
            .find_slots(&self.shared, dev, &wanted, None, cpu)
            .map_err(|miss| {
                self.ask_for_growth(allocator, miss);
                allocator.explain_miss(&self.shared, dev, &wanted, miss)
            })?;
        if self.shared.policy.is_dynamic() {
            dev.set_uses_io_tlb();
        }
        let addr = found.pool.slot_addr(found.first_slot);
        if !addr.raw().is_multiple_of(page.bytes()) {
            found.pool.release(found.first_slot, found.slots);
            allocator.count_released(&self.shared, found.slots);
            self.warn(dev, Message::UnalignedPages { addr });
            return Err(AllocError::Unaligned { addr });
        }
        Ok(addr)
    }

    /// Gives pages back (`swiotlb_free`). `None` if no pool of the device holds the address, the
    /// release would reach out of it, or, in strict mode, no pages given by [`Swiotlb::alloc`] begin
    /// there; nothing has changed then.
    pub fn free(&self, dev: &Device, addr: PhysAddr) -> Option<Released> {
        if self.shared.mode == Mode::Strict && !self.begins_pages(dev, addr) {
            return None;
        }
        self.release_at(dev, addr)
    }

    fn begins_pages(&self, dev: &Device, addr: PhysAddr) -> bool {
        let Some(pool) = self.locate(dev, addr) else {
            return false;
        };
        let slot = pool.slot_of(addr);
        let domain = pool.domain_of(slot).lock();
        let owner = domain.table.owner(slot - domain.first_slot);
        owner.is_some_and(|owner| {
            !owner.has_orig && addr == pool.slot_addr(domain.first_slot + owner.first)
        })
    }
}
