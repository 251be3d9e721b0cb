//! Mappings whose direction is part of their type: what makes no sense does not compile.

use std::marker::PhantomData;

use crate::addr::DmaAddr;
use crate::device::Device;
use crate::direction::DataDirection;
use crate::dma::Dma;
use crate::dma::error::{DmaError, Refused};
use crate::dma::map::{MapRequest, Unmapped};
use crate::dma::mapping::Mapping;
use crate::dma::sync::Synced;
use crate::error::{MapError, SyncError, UnmapError};
use crate::memory::PhysMemory;

mod sealed {
    pub trait Sealed {}
}

/// A direction as a type. Sealed: there are three.
pub trait Direction: sealed::Sealed {
    /// The direction as a value.
    const DIRECTION: DataDirection;
}

/// Directions in which the device reads.
pub trait DeviceReads: Direction {}

/// Directions in which the device writes.
pub trait DeviceWrites: Direction {}

macro_rules! direction {
    ($(#[$doc:meta])* $name:ident: $($role:ident),+) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name;

        impl sealed::Sealed for $name {}

        impl Direction for $name {
            const DIRECTION: DataDirection = DataDirection::$name;
        }

        $(impl $role for $name {})+
    };
}

direction! {
    /// The device reads (`DMA_TO_DEVICE`).
    ToDevice: DeviceReads
}
direction! {
    /// The device writes (`DMA_FROM_DEVICE`).
    FromDevice: DeviceWrites
}
direction! {
    /// The device reads and writes (`DMA_BIDIRECTIONAL`).
    Bidirectional: DeviceReads, DeviceWrites
}

/// A live mapping of direction `D`. For a direction known only at run time, see [`Mapping`].
///
/// ```
/// # use swiotlb::{Device, Dma, FromDevice, MapError, PhysAddr, Refused, SparseMemory};
/// # fn receive(dma: &Dma, mem: &mut SparseMemory, dev: &Device) -> Result<(), Box<dyn std::error::Error>> {
/// let packet = dma.map_directed::<FromDevice, _>(mem, dev, PhysAddr::new(0x1000), 64)?;
/// // ... the device writes ...
/// dma.sync_directed_for_cpu(mem, dev, &packet)?;
/// dma.unmap_directed(mem, dev, packet)?;
/// # Ok(())
/// # }
/// ```
///
/// Nothing comes back from a device that only reads:
///
/// ```compile_fail,E0277
/// # use swiotlb::{Device, DirectedMapping, Dma, SparseMemory, ToDevice};
/// fn read_back(dma: &Dma, mem: &mut SparseMemory, dev: &Device, sent: &DirectedMapping<ToDevice>) {
///     let _ = dma.sync_directed_for_cpu(mem, dev, sent);
/// }
/// ```
///
/// After the unmap, nothing is left to be used:
///
/// ```compile_fail,E0382
/// # use swiotlb::{Device, DirectedMapping, Dma, FromDevice, SparseMemory};
/// fn late(dma: &Dma, mem: &mut SparseMemory, dev: &Device, packet: DirectedMapping<FromDevice>) {
///     let _ = dma.unmap_directed(mem, dev, packet);
///     let _ = packet.dma_addr();
/// }
/// ```
#[must_use = "a mapping that is dropped stays mapped: its slots leak"]
#[derive(Debug, PartialEq, Eq)]
pub struct DirectedMapping<D: Direction> {
    mapping: Mapping,
    direction: PhantomData<D>,
}

impl<D: Direction> DirectedMapping<D> {
    /// Returns the address for the device.
    #[must_use]
    pub const fn dma_addr(&self) -> DmaAddr {
        self.mapping.dma_addr()
    }

    /// Returns the mapping, for calls that ask for the direction at run time.
    pub const fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    /// Forgets the direction in the type.
    pub fn into_mapping(self) -> Mapping {
        self.mapping
    }
}

impl<D: Direction> TryFrom<Mapping> for DirectedMapping<D> {
    type Error = Mapping;

    /// Puts the direction into the type, or gives the mapping back if it has another.
    fn try_from(mapping: Mapping) -> Result<Self, Mapping> {
        if mapping.direction() == D::DIRECTION {
            Ok(Self {
                mapping,
                direction: PhantomData,
            })
        } else {
            Err(mapping)
        }
    }
}

impl Dma {
    /// Maps `bytes` bytes at `phys` in direction `D`, without attributes, on CPU 0. For more, map
    /// with [`Dma::map_single`] and convert.
    ///
    /// # Errors
    /// As [`Dma::map_phys`].
    pub fn map_directed<D: Direction, M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        phys: crate::PhysAddr,
        bytes: u64,
    ) -> Result<DirectedMapping<D>, MapError> {
        let request = MapRequest::new(phys, bytes, D::DIRECTION);
        let mapping = self.map_single(mem, dev, request)?;
        Ok(DirectedMapping {
            mapping,
            direction: PhantomData,
        })
    }

    /// Hands a mapping to the CPU. Only where the device writes is there anything to hand over.
    ///
    /// # Errors
    /// As [`Dma::sync_range_for_cpu`].
    pub fn sync_directed_for_cpu<D: DeviceWrites, M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        mapping: &DirectedMapping<D>,
    ) -> Result<Synced, SyncError> {
        self.sync_for_cpu(mem, dev, &mapping.mapping)
    }

    /// Hands a mapping to the device: after the CPU wrote it, or to be filled again.
    ///
    /// # Errors
    /// As [`Dma::sync_range_for_device`].
    pub fn sync_directed_for_device<D: Direction, M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        mapping: &DirectedMapping<D>,
    ) -> Result<Synced, SyncError> {
        self.sync_for_device(mem, dev, &mapping.mapping)
    }

    /// Undoes a map with the attributes of the map.
    ///
    /// # Errors
    /// As [`Dma::unmap_single`]; the mapping comes back.
    pub fn unmap_directed<D: Direction, M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        mapping: DirectedMapping<D>,
    ) -> Result<Unmapped, Refused<DirectedMapping<D>>> {
        let refused = |mapping, error: UnmapError| Refused::new(mapping, DmaError::Unmap(error));
        let inner = &mapping.mapping;
        if !inner.belongs_to(dev) {
            return Err(refused(mapping, UnmapError::WrongDevice));
        }
        let (addr, bytes) = (inner.dma_addr(), inner.bytes());
        let (dir, attrs) = (inner.direction(), inner.attrs());
        match self.unmap_phys(mem, dev, addr, bytes, dir, attrs) {
            Ok(done) => Ok(done),
            Err(error) => Err(refused(mapping, error)),
        }
    }
}
