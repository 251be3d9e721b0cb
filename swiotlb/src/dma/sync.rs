//! Sync: handing a mapped buffer to the CPU and back to the device.

use crate::addr::DmaAddr;
use crate::device::Device;
use crate::direction::DataDirection;
use crate::dma::Dma;
use crate::dma::map::CacheWork;
use crate::dma::trace::{DmaTraceKind, SyncOwner};
use crate::error::SyncError;
use crate::iommu::Route;
use crate::memory::PhysMemory;

/// What came of a sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Synced {
    /// Whether the address lies in a bounce pool.
    pub is_bounced: bool,
    /// Bytes copied between bounce buffer and original.
    pub copied_bytes: u64,
    /// Cache maintenance made.
    pub cache: CacheWork,
    /// Whether the call returned at once, because the device has never bounced.
    pub is_skipped: bool,
}

impl Synced {
    pub(crate) const SKIPPED: Self = Self {
        is_bounced: false,
        copied_bytes: 0,
        cache: CacheWork {
            cleaned_bytes: 0,
            invalidated_bytes: 0,
        },
        is_skipped: true,
    };

    pub(crate) fn of(copied: Option<u64>, cache: CacheWork) -> Self {
        Self {
            is_bounced: copied.is_some(),
            copied_bytes: copied.unwrap_or(0),
            cache,
            is_skipped: false,
        }
    }
}

impl Dma {
    /// Hands part of a mapping to the CPU (`dma_sync_single_for_cpu`). The direction of this call
    /// decides what is copied, not that of the map.
    ///
    /// # Errors
    /// If the direction is none, or the copy reaches what is not memory.
    #[doc(alias = "dma_sync_single_for_cpu")]
    pub fn sync_single_for_cpu<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        addr: DmaAddr,
        bytes: u64,
        dir: DataDirection,
    ) -> Result<Synced, SyncError> {
        if dir == DataDirection::None {
            return Err(SyncError::BadDirection(dir));
        }
        if self.drops_syncs(dev) {
            return Ok(Synced::SKIPPED);
        }
        let result = match self.route(dev) {
            Route::Direct => self.sync_direct_for_cpu(mem, dev, addr, bytes, dir),
            Route::Iommu(attachment) => {
                self.sync_iommu_for_cpu(mem, dev, attachment, addr, bytes, dir)
            }
        };
        self.trace_sync(dev, SyncOwner::Cpu, addr, bytes, dir);
        self.debug_sync(dev, addr, bytes, dir, SyncOwner::Cpu);
        result
    }

    fn trace_sync(
        &self,
        dev: &Device,
        owner: SyncOwner,
        dma_addr: DmaAddr,
        bytes: u64,
        dir: DataDirection,
    ) {
        self.trace(dev, dir, || DmaTraceKind::SyncSingle {
            owner,
            dma_addr,
            bytes,
        });
    }

    /// `dma_direct_sync_single_for_cpu`, untraced: caches first, then the copy.
    pub(crate) fn sync_direct_for_cpu<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        addr: DmaAddr,
        bytes: u64,
        dir: DataDirection,
    ) -> Result<Synced, SyncError> {
        let phys = dev.dma_to_phys(addr, self.swiotlb().platform().cc);
        let cache = if dir.comes_from_device() {
            CacheWork::invalidate(dev, bytes)
        } else {
            CacheWork::default()
        };
        let copied = self
            .swiotlb()
            .sync_single_for_cpu(mem, dev, phys, bytes, dir)?;
        Ok(Synced::of(copied, cache))
    }

    /// Hands part of a mapping to the device (`dma_sync_single_for_device`).
    ///
    /// # Errors
    /// If the direction is none, or the copy reaches what is not memory.
    #[doc(alias = "dma_sync_single_for_device")]
    pub fn sync_single_for_device<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        addr: DmaAddr,
        bytes: u64,
        dir: DataDirection,
    ) -> Result<Synced, SyncError> {
        if dir == DataDirection::None {
            return Err(SyncError::BadDirection(dir));
        }
        if self.drops_syncs(dev) {
            return Ok(Synced::SKIPPED);
        }
        let result = match self.route(dev) {
            Route::Direct => self.sync_direct_for_device(mem, dev, addr, bytes, dir),
            Route::Iommu(attachment) => {
                self.sync_iommu_for_device(mem, dev, attachment, addr, bytes, dir)
            }
        };
        self.trace_sync(dev, SyncOwner::Device, addr, bytes, dir);
        self.debug_sync(dev, addr, bytes, dir, SyncOwner::Device);
        result
    }

    /// `dma_direct_sync_single_for_device`, untraced: the copy first, then caches.
    pub(crate) fn sync_direct_for_device<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        addr: DmaAddr,
        bytes: u64,
        dir: DataDirection,
    ) -> Result<Synced, SyncError> {
        let phys = dev.dma_to_phys(addr, self.swiotlb().platform().cc);
        let copied = self
            .swiotlb()
            .sync_single_for_device(mem, dev, phys, bytes, dir)?;
        Ok(Synced::of(copied, CacheWork::clean(dev, bytes)))
    }

    /// As [`Dma::sync_single_for_cpu`] for `bytes` bytes at `addr + offset`.
    ///
    /// # Errors
    /// As there.
    #[doc(alias = "dma_sync_single_range_for_cpu")]
    pub fn sync_single_range_for_cpu<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        addr: DmaAddr,
        offset: u64,
        bytes: u64,
        dir: DataDirection,
    ) -> Result<Synced, SyncError> {
        self.sync_single_for_cpu(mem, dev, addr.wrapping_add(offset), bytes, dir)
    }

    /// As [`Dma::sync_single_for_device`] for `bytes` bytes at `addr + offset`.
    ///
    /// # Errors
    /// As there.
    #[doc(alias = "dma_sync_single_range_for_device")]
    pub fn sync_single_range_for_device<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        addr: DmaAddr,
        offset: u64,
        bytes: u64,
        dir: DataDirection,
    ) -> Result<Synced, SyncError> {
        self.sync_single_for_device(mem, dev, addr.wrapping_add(offset), bytes, dir)
    }

    /// Returns whether syncs of this mapping have an effect (`dma_need_sync`).
    #[doc(alias = "dma_need_sync")]
    #[must_use]
    pub fn needs_sync(&self, dev: &Device, addr: DmaAddr) -> bool {
        if self.drops_syncs(dev) {
            return false;
        }
        if matches!(self.route(dev), Route::Iommu(_)) {
            return true;
        }
        let phys = dev.dma_to_phys(addr, self.swiotlb().platform().cc);
        !dev.is_coherent() || self.swiotlb().find_pool(dev, phys).is_some()
    }

    /// Returns whether unmaps have an effect (`dma_need_unmap`); meaningful only after all
    /// mappings have been made. With a debug layer they always have.
    #[doc(alias = "dma_need_unmap")]
    #[must_use]
    pub fn needs_unmap(&self, dev: &Device) -> bool {
        !self.drops_syncs(dev) || matches!(self.route(dev), Route::Iommu(_))
    }
}
