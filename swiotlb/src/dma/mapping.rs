//! The typed door: a mapping that cannot be unmapped twice.

use crate::addr::{DmaAddr, PhysAddr};
use crate::attrs::Attrs;
use crate::bounce::BounceInfo;
use crate::device::{Device, DeviceId};
use crate::direction::DataDirection;
use crate::dma::Dma;
use crate::dma::map::{CacheWork, MapRequest, Unmapped};
use crate::dma::sync::Synced;
use crate::error::{MapError, SyncError, UnmapError};
use crate::memory::PhysMemory;

/// A live mapping. Not `Clone`: it is moved into [`Dma::unmap_single`].
///
/// ```compile_fail,E0382
/// # use swiotlb::{Device, Dma, Mapping, SparseMemory};
/// fn late(dma: &Dma, mem: &mut SparseMemory, dev: &Device, mapping: Mapping) {
///     let _ = dma.unmap_single(mem, dev, mapping);
///     let _ = dma.sync_for_cpu(mem, dev, &mapping); // moved above
/// }
/// ```
#[must_use = "a mapping that is dropped stays mapped: its slots leak"]
#[derive(Debug, PartialEq, Eq)]
pub struct Mapping {
    device: DeviceId,
    dma_addr: DmaAddr,
    request: MapRequest,
    bounce: Option<BounceInfo>,
    cache: CacheWork,
}

/// An unmap that failed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
#[non_exhaustive]
pub struct FailedUnmap {
    /// Why.
    pub cause: UnmapError,
    /// The mapping, if it still is one. `None` if its slots are free and only the copy back failed.
    pub mapping: Option<Mapping>,
}

impl From<Box<FailedUnmap>> for UnmapError {
    /// Drops the mapping, which then stays mapped.
    fn from(failed: Box<FailedUnmap>) -> Self {
        failed.cause
    }
}

impl Mapping {
    /// Returns the address for the device.
    #[must_use]
    pub const fn dma_addr(&self) -> DmaAddr {
        self.dma_addr
    }

    /// Returns the first byte of the original buffer.
    #[must_use]
    pub const fn orig_addr(&self) -> PhysAddr {
        self.request.phys
    }

    /// Returns the length in bytes.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.request.bytes
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

    /// Returns the bounce buffer, if there is one.
    #[must_use]
    pub const fn bounced(&self) -> Option<&BounceInfo> {
        self.bounce.as_ref()
    }

    /// Returns the cache maintenance made by the map.
    #[must_use]
    pub const fn cache_work(&self) -> CacheWork {
        self.cache
    }

    /// Returns whether the mapping was made for this device.
    #[must_use]
    pub fn belongs_to(&self, dev: &Device) -> bool {
        dev.id() == self.device
    }

    fn check_range(&self, dev: &Device, offset: u64, bytes: u64) -> Result<(), SyncError> {
        if dev.id() != self.device {
            return Err(SyncError::WrongDevice);
        }
        match offset.checked_add(bytes) {
            Some(end) if end <= self.bytes() => Ok(()),
            _ => Err(SyncError::OutOfMapping {
                offset,
                bytes,
                mapped_bytes: self.bytes(),
            }),
        }
    }
}

impl Dma {
    /// Maps a buffer for a device (`dma_map_single`). Its result says whether that failed, so the
    /// debug layer takes it for the call of `dma_mapping_error` too.
    ///
    /// # Errors
    /// As [`Dma::map_phys`], and if the debug layer says that the buffer is device memory.
    #[doc(alias("dma_map_single", "dma_map_single_attrs"))]
    pub fn map_single<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        request: MapRequest,
    ) -> Result<Mapping, MapError> {
        self.debug_map_single(dev, &request);
        self.debug_map_page(request.phys)?;
        let mapped = self.map_phys(mem, dev, &request)?;
        self.debug_mapping_error(dev, mapped.dma_addr);
        Ok(Mapping {
            device: dev.id(),
            dma_addr: mapped.dma_addr,
            request,
            bounce: mapped.bounce,
            cache: mapped.cache,
        })
    }

    /// Undoes a map with the attributes of the map (`dma_unmap_single`).
    ///
    /// # Errors
    /// As [`Dma::unmap_single_attrs`].
    #[doc(alias("dma_unmap_single", "dma_unmap_single_attrs"))]
    pub fn unmap_single<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        mapping: Mapping,
    ) -> Result<Unmapped, Box<FailedUnmap>> {
        let attrs = mapping.attrs();
        self.unmap_single_attrs(mem, dev, mapping, attrs)
    }

    /// Undoes a map with other attributes than at map time, such as `SKIP_CPU_SYNC` alone at the
    /// unmap (`dma_unmap_single_attrs`).
    ///
    /// # Errors
    /// If the mapping was made for another device, its `min_align_mask` was changed, or the original
    /// buffer is not memory any more. The mapping comes back with the error as long as it lives.
    pub fn unmap_single_attrs<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        mapping: Mapping,
        attrs: Attrs,
    ) -> Result<Unmapped, Box<FailedUnmap>> {
        let (bytes, dir) = (mapping.bytes(), mapping.direction());
        let result = if dev.id() == mapping.device {
            self.unmap_phys(mem, dev, mapping.dma_addr, bytes, dir, attrs)
        } else {
            Err(UnmapError::WrongDevice)
        };
        result.map_err(|cause| {
            // The copy back comes last: its failure leaves nothing mapped.
            let is_gone = matches!(cause, UnmapError::Memory(_));
            Box::new(FailedUnmap {
                cause,
                mapping: (!is_gone).then_some(mapping),
            })
        })
    }

    /// Hands a whole mapping to the CPU.
    ///
    /// # Errors
    /// As [`Dma::sync_range_for_cpu`].
    pub fn sync_for_cpu<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        mapping: &Mapping,
    ) -> Result<Synced, SyncError> {
        self.sync_range_for_cpu(mem, dev, mapping, 0, mapping.bytes())
    }

    /// Hands a whole mapping to the device.
    ///
    /// # Errors
    /// As [`Dma::sync_range_for_device`].
    pub fn sync_for_device<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        mapping: &Mapping,
    ) -> Result<Synced, SyncError> {
        self.sync_range_for_device(mem, dev, mapping, 0, mapping.bytes())
    }

    /// Hands `bytes` bytes at `offset` of a mapping to the CPU.
    ///
    /// # Errors
    /// If the range leaves the mapping, it belongs to another device, or the original buffer is
    /// not memory any more.
    pub fn sync_range_for_cpu<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        mapping: &Mapping,
        offset: u64,
        bytes: u64,
    ) -> Result<Synced, SyncError> {
        mapping.check_range(dev, offset, bytes)?;
        let addr = mapping.dma_addr.wrapping_add(offset);
        self.sync_single_for_cpu(mem, dev, addr, bytes, mapping.direction())
    }

    /// Hands `bytes` bytes at `offset` of a mapping to the device.
    ///
    /// # Errors
    /// As [`Dma::sync_range_for_cpu`].
    pub fn sync_range_for_device<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        mapping: &Mapping,
        offset: u64,
        bytes: u64,
    ) -> Result<Synced, SyncError> {
        mapping.check_range(dev, offset, bytes)?;
        let addr = mapping.dma_addr.wrapping_add(offset);
        self.sync_single_for_device(mem, dev, addr, bytes, mapping.direction())
    }
}
