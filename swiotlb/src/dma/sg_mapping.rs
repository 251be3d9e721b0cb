//! The typed door of scatter/gather: a mapped list that cannot be mapped or unmapped twice.

use crate::attrs::Attrs;
use crate::device::{Device, DeviceId};
use crate::direction::DataDirection;
use crate::dma::Dma;
use crate::dma::error::{DmaError, Refused};
use crate::dma::sg::{Sg, SgRequest, SgTable, SgWork};
use crate::error::SyncError;
use crate::memory::PhysMemory;

/// A mapped list. Not `Clone`: the list is moved in by the map and comes back from the unmap.
///
/// ```compile_fail,E0382
/// # use swiotlb::{Device, Dma, SgMapping, SparseMemory};
/// fn unmap_twice(dma: &Dma, mem: &mut SparseMemory, dev: &Device, list: SgMapping) {
///     let _ = dma.unmap_list(mem, dev, list);
///     let _ = dma.unmap_list(mem, dev, list); // moved above
/// }
/// ```
///
/// ```compile_fail,E0382
/// # use swiotlb::{DataDirection, Device, Dma, SgRequest, SgTable, SparseMemory};
/// fn map_twice(dma: &Dma, mem: &mut SparseMemory, dev: &Device, table: SgTable) {
///     let request = SgRequest::new(DataDirection::ToDevice);
///     let _ = dma.map_list(mem, dev, table, request);
///     let _ = dma.map_list(mem, dev, table, request); // moved above
/// }
/// ```
#[must_use = "a list that is dropped stays mapped: its slots leak"]
#[derive(Debug, PartialEq, Eq)]
pub struct SgMapping {
    device: DeviceId,
    table: SgTable,
    request: SgRequest,
}

impl SgMapping {
    /// Returns the DMA segments for the device.
    #[must_use]
    pub fn segments(&self) -> &[Sg] {
        self.table.segments()
    }

    /// Returns the direction.
    #[must_use]
    pub const fn direction(&self) -> DataDirection {
        self.request.dir
    }

    /// Returns the attributes given at map time.
    #[must_use]
    pub const fn attrs(&self) -> Attrs {
        self.request.attrs
    }

    /// Returns the table as the map left it.
    #[must_use]
    pub const fn table(&self) -> &SgTable {
        &self.table
    }
}

impl Dma {
    /// Maps a list.
    ///
    /// # Errors
    /// As [`Dma::map_sgtable`], and if the device has no DMA mask; the table comes back.
    pub fn map_list<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        mut table: SgTable,
        request: SgRequest,
    ) -> Result<SgMapping, Refused<SgTable>> {
        match self.map_sgtable(mem, dev, &mut table, &request) {
            Ok(()) if table.nents == 0 => {
                let what = "DMA mask";
                Err(Refused::new(table, DmaError::NoDevice { what }))
            }
            Ok(()) => Ok(SgMapping {
                device: dev.id(),
                table,
                request,
            }),
            Err(error) => Err(Refused::new(table, error)),
        }
    }

    /// Unmaps a list with the attributes of the map and gives its table back.
    ///
    /// # Errors
    /// If the list was mapped for another device; the mapping comes back.
    pub fn unmap_list<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        mut list: SgMapping,
    ) -> Result<(SgTable, SgWork), Refused<SgMapping>> {
        if dev.id() != list.device {
            return Err(Refused::new(list, DmaError::WrongDevice));
        }
        let SgRequest { dir, attrs, .. } = list.request;
        match self.unmap_sgtable(mem, dev, &mut list.table, dir, attrs) {
            Ok(work) => Ok((list.table, work)),
            Err(error) => Err(Refused::new(list, DmaError::Unmap(error))),
        }
    }

    /// Hands a list to the CPU.
    ///
    /// # Errors
    /// If the list was mapped for another device; otherwise as [`Dma::sync_sg_for_cpu`].
    pub fn sync_list_for_cpu<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        list: &SgMapping,
    ) -> Result<SgWork, SyncError> {
        if dev.id() != list.device {
            return Err(SyncError::WrongDevice);
        }
        self.sync_sgtable_for_cpu(mem, dev, &list.table, list.request.dir)
    }

    /// Hands a list to the device.
    ///
    /// # Errors
    /// If the list was mapped for another device; otherwise as [`Dma::sync_sg_for_device`].
    pub fn sync_list_for_device<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        list: &SgMapping,
    ) -> Result<SgWork, SyncError> {
        if dev.id() != list.device {
            return Err(SyncError::WrongDevice);
        }
        self.sync_sgtable_for_device(mem, dev, &list.table, list.request.dir)
    }
}
