//! Sync behind an IOMMU.

use crate::addr::{DmaAddr, PhysAddr};
use crate::device::Device;
use crate::direction::DataDirection;
use crate::dma::{CacheWork, Dma, Synced};
use crate::error::SyncError;
use crate::iommu::attachment::Attachment;
use crate::iommu::error::IommuError;
use crate::memory::PhysMemory;

impl Dma {
    /// Hands part of a mapping to the CPU (`iommu_dma_sync_single_for_cpu`).
    pub(crate) fn sync_iommu_for_cpu<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        attachment: &Attachment,
        addr: DmaAddr,
        bytes: u64,
        dir: DataDirection,
    ) -> Result<Synced, SyncError> {
        let Some(phys) = self.synced_phys(dev, attachment, addr, bytes, dir)? else {
            return Ok(Synced::default());
        };
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

    /// Hands part of a mapping to the device (`iommu_dma_sync_single_for_device`).
    pub(crate) fn sync_iommu_for_device<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        attachment: &Attachment,
        addr: DmaAddr,
        bytes: u64,
        dir: DataDirection,
    ) -> Result<Synced, SyncError> {
        let Some(phys) = self.synced_phys(dev, attachment, addr, bytes, dir)? else {
            return Ok(Synced::default());
        };
        let copied = self
            .swiotlb()
            .sync_single_for_device(mem, dev, phys, bytes, dir)?;
        Ok(Synced::of(copied, CacheWork::clean(dev, bytes)))
    }

    /// Returns where the memory to be synced is; `None` if there is nothing to do. The size given to
    /// the sync decides whether it can be bounced, not that of the map.
    fn synced_phys(
        &self,
        dev: &Device,
        attachment: &Attachment,
        addr: DmaAddr,
        bytes: u64,
        dir: DataDirection,
    ) -> Result<Option<PhysAddr>, SyncError> {
        if dev.is_coherent() && !self.uses_swiotlb(dev, bytes, dir) {
            return Ok(None);
        }
        match attachment.domain().iova_to_phys(addr) {
            None if self.is_strict() => Err(IommuError::NotMapped { iova: addr }.into()),
            phys => Ok(phys),
        }
    }
}
