//! Map and unmap: the decision between the buffer itself and a bounce buffer.

use crate::addr::{DmaAddr, PhysAddr};
use crate::area::CpuId;
use crate::attrs::Attrs;
use crate::bounce::{BounceInfo, BounceRequest};
use crate::cc::CcPlatform;
use crate::device::Device;
use crate::direction::DataDirection;
use crate::dma::Dma;
use crate::dma::message::DmaMessage;
use crate::dma::trace::DmaTraceKind;
use crate::error::{MapError, UnmapError};
use crate::iommu::{IommuError, Route};
use crate::memory::PhysMemory;
use crate::message::Message;
use crate::release::Released;
use crate::swiotlb::Mode;

/// A buffer to be mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MapRequest {
    /// First byte.
    pub phys: PhysAddr,
    /// Length in bytes.
    pub bytes: u64,
    /// Direction of the transfer.
    pub dir: DataDirection,
    /// Attributes.
    pub attrs: Attrs,
    /// CPU on which the call is made.
    pub cpu: CpuId,
}

impl MapRequest {
    /// Asks for a mapping without attributes, on CPU 0.
    #[must_use]
    pub const fn new(phys: PhysAddr, bytes: u64, dir: DataDirection) -> Self {
        Self {
            phys,
            bytes,
            dir,
            attrs: Attrs::NONE,
            cpu: CpuId(0),
        }
    }

    /// Sets the attributes.
    #[must_use]
    pub const fn with_attrs(mut self, attrs: Attrs) -> Self {
        self.attrs = attrs;
        self
    }

    /// Sets the CPU on which the call is made.
    #[must_use]
    pub const fn on_cpu(mut self, cpu: CpuId) -> Self {
        self.cpu = cpu;
        self
    }
}

/// Cache maintenance that a call makes for a device that does not snoop, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CacheWork {
    /// Bytes written back to memory, so that the device reads them.
    pub cleaned_bytes: u64,
    /// Bytes dropped from caches, so that the CPU reads what the device wrote.
    pub invalidated_bytes: u64,
}

impl CacheWork {
    pub(crate) const fn add(&mut self, other: Self) {
        self.cleaned_bytes = self.cleaned_bytes.saturating_add(other.cleaned_bytes);
        self.invalidated_bytes = self
            .invalidated_bytes
            .saturating_add(other.invalidated_bytes);
    }

    pub(crate) const fn clean(dev: &Device, bytes: u64) -> Self {
        Self {
            cleaned_bytes: if dev.is_coherent() { 0 } else { bytes },
            invalidated_bytes: 0,
        }
    }

    pub(crate) const fn invalidate(dev: &Device, bytes: u64) -> Self {
        Self {
            cleaned_bytes: 0,
            invalidated_bytes: if dev.is_coherent() { 0 } else { bytes },
        }
    }
}

/// What came of a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapped {
    /// Address for the device.
    pub dma_addr: DmaAddr,
    /// The bounce buffer, if there is one.
    pub bounce: Option<BounceInfo>,
    /// Cache maintenance made.
    pub cache: CacheWork,
}

/// What came of an unmap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unmapped {
    /// The bounce buffer given back, if there was one.
    pub bounce: Option<Released>,
    /// Bytes copied back to the original buffer.
    pub copied_bytes: u64,
    /// Cache maintenance made.
    pub cache: CacheWork,
}

/// Attributes with which nothing is ever bounced.
pub(crate) const NEVER_BOUNCED: Attrs = Attrs::MMIO.with(Attrs::REQUIRE_COHERENT);

impl Dma {
    /// Maps a buffer for a device: where it lies if the device reaches it, else through a bounce
    /// buffer (`dma_map_phys`, and so `dma_map_single` and `dma_map_page`).
    ///
    /// # Errors
    /// With the cause, in strict mode also for a buffer without a byte or one that reaches over the
    /// end of the address space; the kernel's callers see [`DmaAddr::MAPPING_ERROR`] for each, see
    /// [`Dma::map_phys_addr`].
    #[doc(alias = "dma_map_phys")]
    pub fn map_phys<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        request: &MapRequest,
    ) -> Result<Mapped, MapError> {
        self.debug_request(dev, request);
        if request.dir == DataDirection::None {
            return Err(MapError::BadDirection(request.dir));
        }
        if !dev.has_dma_mask() {
            self.warn(dev, DmaMessage::NoDmaMask);
            return Err(MapError::NoDmaMask);
        }
        if !dev.is_coherent() && request.attrs.contains(Attrs::REQUIRE_COHERENT) {
            return Err(MapError::NotCoherent);
        }
        let result = match self.route(dev) {
            Route::Direct => self.map_direct(mem, dev, request),
            Route::Iommu(_) if request.attrs.contains(Attrs::CC_SHARED) => {
                return Err(IommuError::SharedMemory.into());
            }
            Route::Iommu(attachment) => self.map_iommu(mem, dev, attachment, request),
        };
        self.trace(dev, request.dir, || DmaTraceKind::MapPhys {
            dma_addr: result.map_or(DmaAddr::MAPPING_ERROR, |mapped| mapped.dma_addr),
            bytes: request.bytes,
            phys: request.phys,
            attrs: request.attrs,
        });
        if let Ok(mapped) = &result {
            self.debug_map_phys(dev, request, mapped);
        }
        result
    }

    /// As [`Dma::map_phys`], with the kernel's result: an address, or
    /// [`DmaAddr::MAPPING_ERROR`] without a reason.
    pub fn map_phys_addr<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        request: &MapRequest,
    ) -> DmaAddr {
        self.map_phys(mem, dev, request)
            .map_or(DmaAddr::MAPPING_ERROR, |mapped| mapped.dma_addr)
    }

    /// Maps what is not RAM, such as another device's registers (`dma_map_resource`).
    ///
    /// # Errors
    /// As [`Dma::map_phys`].
    #[doc(alias = "dma_map_resource")]
    pub fn map_resource<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        request: &MapRequest,
    ) -> Result<Mapped, MapError> {
        let attrs = request.attrs | Attrs::MMIO;
        self.map_phys(mem, dev, &request.with_attrs(attrs))
    }

    /// The decision of `dma_direct_map_phys`, in its order.
    pub(crate) fn map_direct<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        request: &MapRequest,
    ) -> Result<Mapped, MapError> {
        let cc = self.swiotlb().platform().cc;
        let mut attrs = request.attrs;
        let is_mmio = attrs.contains(Attrs::MMIO);
        if is_mmio && matches!(cc, CcPlatform::Host { .. }) {
            attrs |= Attrs::CC_SHARED;
        }
        if self.swiotlb().is_force_bounce(dev) {
            if attrs.intersects(NEVER_BOUNCED) {
                return Err(MapError::BounceForbidden);
            }
            return self.map_bounced(mem, dev, request);
        }
        let (phys, bytes) = (request.phys, request.bytes);
        let addr = dev.phys_to_dma(phys, cc, attrs.contains(Attrs::CC_SHARED));
        let is_capable = dev.is_capable(addr, bytes, attrs, cc);
        let wants_bounce = !is_capable || self.shares_cache_lines(dev, bytes, request.dir);
        if !is_mmio && wants_bounce {
            let may_bounce =
                self.swiotlb().is_active(dev) && !attrs.contains(Attrs::REQUIRE_COHERENT);
            if may_bounce {
                return self.map_bounced(mem, dev, request);
            }
        }
        if is_capable && (is_mmio || !wants_bounce) {
            if self.swiotlb().mode() == Mode::Strict {
                check_extent(phys, bytes)?;
            }
            let has_cache_work = !attrs.intersects(Attrs::SKIP_CPU_SYNC | Attrs::MMIO);
            let cache = if has_cache_work {
                CacheWork::clean(dev, bytes)
            } else {
                CacheWork::default()
            };
            return Ok(Mapped {
                dma_addr: addr,
                bounce: None,
                cache,
            });
        }
        let (mask, bus_limit) = (dev.raw_mask(), dev.bus_limit());
        let message = Message::DmaOverflow {
            addr,
            bytes,
            mask,
            bus_limit,
        };
        self.swiotlb().warn(dev, message);
        Err(MapError::NotCapable {
            addr,
            bytes,
            mask,
            bus_limit,
        })
    }

    /// The kmalloc rule: whether a small buffer may share cache lines with other data.
    pub(crate) fn shares_cache_lines(&self, dev: &Device, bytes: u64, dir: DataDirection) -> bool {
        let rule = self.swiotlb().platform().kmalloc;
        rule.is_some_and(|rule| {
            !dev.is_coherent() && dir != DataDirection::ToDevice && !rule.is_size_safe(bytes)
        })
    }

    fn map_bounced<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        request: &MapRequest,
    ) -> Result<Mapped, MapError> {
        let bounce_request = BounceRequest {
            orig: request.phys,
            bytes: request.bytes,
            alloc_align_mask: 0,
            dir: request.dir,
            attrs: request.attrs,
            cpu: request.cpu,
        };
        let (dma_addr, bounce) = self.swiotlb().map(mem, dev, &bounce_request)?;
        let cache = if request.attrs.contains(Attrs::SKIP_CPU_SYNC) {
            CacheWork::default()
        } else {
            CacheWork::clean(dev, request.bytes)
        };
        Ok(Mapped {
            dma_addr,
            bounce: Some(bounce),
            cache,
        })
    }

    /// Undoes a map (`dma_unmap_phys`, and so `dma_unmap_single` and `dma_unmap_page`). Address,
    /// size and direction must be those of the map; the kernel does not check, nor does this call
    /// outside strict mode.
    ///
    /// With `SKIP_CPU_SYNC`, what the device wrote into a bounce buffer is lost.
    ///
    /// # Errors
    /// As [`crate::Swiotlb::tbl_unmap_single`].
    #[doc(alias = "dma_unmap_phys")]
    pub fn unmap_phys<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        addr: DmaAddr,
        bytes: u64,
        dir: DataDirection,
        attrs: Attrs,
    ) -> Result<Unmapped, UnmapError> {
        if dir == DataDirection::None {
            return Err(UnmapError::BadDirection(dir));
        }
        let result = match self.route(dev) {
            Route::Direct => self.unmap_direct(mem, dev, addr, bytes, dir, attrs),
            Route::Iommu(attachment) => {
                self.unmap_iommu(mem, dev, attachment, addr, bytes, dir, attrs)
            }
        };
        self.trace(dev, dir, || DmaTraceKind::UnmapPhys {
            dma_addr: addr,
            bytes,
            attrs,
        });
        self.debug_unmap_phys(dev, addr, bytes, dir, attrs);
        result
    }

    /// `dma_direct_unmap_phys`, untraced.
    pub(crate) fn unmap_direct<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        addr: DmaAddr,
        bytes: u64,
        dir: DataDirection,
        attrs: Attrs,
    ) -> Result<Unmapped, UnmapError> {
        if attrs.intersects(NEVER_BOUNCED) {
            return Ok(Unmapped::default());
        }
        let phys = dev.dma_to_phys(addr, self.swiotlb().platform().cc);
        let cache = if dir.comes_from_device() && !attrs.contains(Attrs::SKIP_CPU_SYNC) {
            CacheWork::invalidate(dev, bytes)
        } else {
            CacheWork::default()
        };
        let bounce = self
            .swiotlb()
            .tbl_unmap_single(mem, dev, phys, bytes, dir, attrs)?;
        Ok(Unmapped {
            bounce,
            copied_bytes: bounce.map_or(0, |released| released.copied_bytes),
            cache,
        })
    }

    /// Returns whether `addr` stands for a failed mapping (`dma_mapping_error`), and notes in the
    /// debug layer that the driver asked.
    #[doc(alias = "dma_mapping_error")]
    #[must_use]
    pub fn mapping_error(&self, dev: &Device, addr: DmaAddr) -> bool {
        if let Some(mut debug) = self.debug() {
            debug.mapping_error(dev, addr);
        }
        addr == DmaAddr::MAPPING_ERROR
    }
}

/// Refuses a buffer that no memory can hold. The kernel calculates on with whatever it is given.
fn check_extent(phys: PhysAddr, bytes: u64) -> Result<(), MapError> {
    let last = bytes.checked_sub(1).ok_or(MapError::ZeroSize)?;
    match phys.checked_add(last) {
        Some(_) => Ok(()),
        None => Err(MapError::AboveAddressSpace { phys, bytes }),
    }
}
