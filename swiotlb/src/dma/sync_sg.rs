//! Sync of scatter/gather lists.

use crate::device::Device;
use crate::direction::DataDirection;
use crate::dma::Dma;
use crate::dma::map_sg::shown;
use crate::dma::sg::{Sg, SgTable, SgWork};
use crate::dma::trace::{DmaTraceKind, SyncOwner};
use crate::error::SyncError;
use crate::iommu::Route;
use crate::memory::PhysMemory;

impl Dma {
    /// Hands a mapped list to the CPU (`dma_sync_sg_for_cpu`). `sgl` is the whole list that was
    /// mapped.
    ///
    /// # Errors
    /// If the direction is none, or a copy reaches what is not memory; the entries before are synced
    /// then.
    #[doc(alias = "dma_sync_sg_for_cpu")]
    pub fn sync_sg_for_cpu<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        sgl: &[Sg],
        dir: DataDirection,
    ) -> Result<SgWork, SyncError> {
        self.sync_sg(mem, dev, sgl, dir, SyncOwner::Cpu)
    }

    /// Hands a mapped list to the device (`dma_sync_sg_for_device`).
    ///
    /// # Errors
    /// As [`Dma::sync_sg_for_cpu`].
    #[doc(alias = "dma_sync_sg_for_device")]
    pub fn sync_sg_for_device<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        sgl: &[Sg],
        dir: DataDirection,
    ) -> Result<SgWork, SyncError> {
        self.sync_sg(mem, dev, sgl, dir, SyncOwner::Device)
    }

    /// Hands a mapped table to the CPU (`dma_sync_sgtable_for_cpu`).
    ///
    /// # Errors
    /// As [`Dma::sync_sg_for_cpu`].
    #[doc(alias = "dma_sync_sgtable_for_cpu")]
    pub fn sync_sgtable_for_cpu<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        table: &SgTable,
        dir: DataDirection,
    ) -> Result<SgWork, SyncError> {
        self.sync_sg_for_cpu(mem, dev, &table.entries, dir)
    }

    /// Hands a mapped table to the device (`dma_sync_sgtable_for_device`).
    ///
    /// # Errors
    /// As [`Dma::sync_sg_for_cpu`].
    #[doc(alias = "dma_sync_sgtable_for_device")]
    pub fn sync_sgtable_for_device<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        table: &SgTable,
        dir: DataDirection,
    ) -> Result<SgWork, SyncError> {
        self.sync_sg_for_device(mem, dev, &table.entries, dir)
    }

    fn sync_sg<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        sgl: &[Sg],
        dir: DataDirection,
        owner: SyncOwner,
    ) -> Result<SgWork, SyncError> {
        if dir == DataDirection::None {
            return Err(SyncError::BadDirection(dir));
        }
        if self.drops_syncs(dev) {
            return Ok(SgWork {
                is_skipped: true,
                ..SgWork::default()
            });
        }
        let result = match self.route(dev) {
            Route::Direct => self.sync_entries(mem, dev, sgl, dir, owner),
            Route::Iommu(attachment) => self.sync_sg_iommu(mem, dev, attachment, sgl, dir, owner),
        };
        self.trace(dev, dir, || DmaTraceKind::SyncSg {
            owner,
            dma_addrs: shown(sgl, |sg| sg.dma_address),
            sizes: shown(sgl, |sg| sg.dma_length),
        });
        self.debug_sync_sg(dev, sgl, dir, owner);
        result
    }

    fn sync_entries<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        sgl: &[Sg],
        dir: DataDirection,
        owner: SyncOwner,
    ) -> Result<SgWork, SyncError> {
        let mut sum = SgWork::default();
        // A bus address leads past the host: no cache and no bounce buffer is concerned.
        for sg in sgl.iter().filter(|sg| !sg.is_bus_address) {
            let (addr, bytes) = (sg.dma_address, u64::from(sg.length));
            let done = match owner {
                SyncOwner::Cpu => self.sync_direct_for_cpu(mem, dev, addr, bytes, dir),
                SyncOwner::Device => self.sync_direct_for_device(mem, dev, addr, bytes, dir),
            }?;
            sum.add(done.is_bounced, done.copied_bytes, done.cache);
        }
        Ok(sum)
    }
}
