//! What an allocation returns: a CPU address, a DMA address, and the right to free both.

use crate::addr::{DmaAddr, PhysAddr};
use crate::area::CpuId;
use crate::attrs::Attrs;
use crate::coherent::gfp::Gfp;
use crate::device::{Device, DeviceId};

/// How the CPU reaches memory. The crate has no virtual addresses: a CPU address is the physical
/// one, with the kind of its mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CpuAddr {
    /// In the linear map, cached.
    Linear(PhysAddr),
    /// Through an uncached alias of the linear map.
    Uncached(PhysAddr),
    /// Through a mapping of its own (vmalloc, remap).
    Vmalloc(PhysAddr),
    /// Through a mapping of its own on pages that do not lie in one piece (vmap, behind an IOMMU):
    /// the value is that of the first page, see [`crate::Dma::coherent_view`].
    Scattered(PhysAddr),
    /// Not at all: the value only names the allocation (`NO_KERNEL_MAPPING`).
    Cookie(PhysAddr),
}

impl CpuAddr {
    /// Returns the physical address behind it: of the first page, if the pages are scattered.
    #[must_use]
    pub const fn phys(self) -> PhysAddr {
        match self {
            Self::Linear(phys)
            | Self::Uncached(phys)
            | Self::Vmalloc(phys)
            | Self::Scattered(phys)
            | Self::Cookie(phys) => phys,
        }
    }

    /// Returns where the CPU may read and write, or `None` if that is not one piece: for a cookie,
    /// and for scattered pages.
    #[must_use]
    pub const fn accessible(self) -> Option<PhysAddr> {
        match self {
            Self::Cookie(_) | Self::Scattered(_) => None,
            _ => Some(self.phys()),
        }
    }
}

/// What is to be allocated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AllocRequest {
    /// Length in bytes.
    pub bytes: u64,
    /// How the allocation may be made.
    pub gfp: Gfp,
    /// Attributes.
    pub attrs: Attrs,
    /// CPU on which the call is made.
    pub cpu: CpuId,
}

impl AllocRequest {
    /// Asks for memory of a caller that may sleep, without attributes, on CPU 0.
    #[must_use]
    pub const fn new(bytes: u64) -> Self {
        Self {
            bytes,
            gfp: Gfp::KERNEL,
            attrs: Attrs::NONE,
            cpu: CpuId(0),
        }
    }

    /// Asks as `dma_alloc_coherent` does: silent flags become `NO_WARN`.
    pub(super) const fn coherent(bytes: u64, gfp: Gfp) -> Self {
        let attrs = if gfp.is_silent() {
            Attrs::NO_WARN
        } else {
            Attrs::NONE
        };
        Self::new(bytes).with_gfp(gfp).with_attrs(attrs)
    }

    /// Sets how the allocation may be made.
    #[must_use]
    pub const fn with_gfp(mut self, gfp: Gfp) -> Self {
        self.gfp = gfp;
        self
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

/// The facts of an allocation, as a driver of the kernel keeps them: freely copied, and so freely
/// misused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CoherentParts {
    /// Where the CPU reaches it.
    pub cpu: CpuAddr,
    /// Where the device reaches it.
    pub dma_addr: DmaAddr,
    /// Length asked for in bytes.
    pub bytes: u64,
    /// Attributes asked for.
    pub attrs: Attrs,
}

/// Coherent memory. Not `Clone`: it is moved into [`crate::Dma::free_coherent`].
///
/// ```compile_fail,E0382
/// # use swiotlb::{Coherent, Device, Dma, PageSource};
/// fn late(dma: &Dma, pages: &mut dyn PageSource, dev: &Device, ring: Coherent) {
///     let _ = dma.free_coherent(pages, dev, ring);
///     let _ = ring.dma_addr(); // freed above
/// }
/// ```
#[must_use = "coherent memory that is dropped is never given back"]
#[derive(Debug, PartialEq, Eq)]
pub struct Coherent {
    pub(crate) device: DeviceId,
    pub(crate) parts: CoherentParts,
}

impl Coherent {
    /// Returns where the CPU reaches it.
    #[must_use]
    pub const fn cpu(&self) -> CpuAddr {
        self.parts.cpu
    }

    /// Returns where the device reaches it.
    #[must_use]
    pub const fn dma_addr(&self) -> DmaAddr {
        self.parts.dma_addr
    }

    /// Returns the length asked for in bytes.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.parts.bytes
    }

    /// Returns the attributes asked for.
    #[must_use]
    pub const fn attrs(&self) -> Attrs {
        self.parts.attrs
    }

    /// Gives up the right to free, for [`crate::Dma::free_attrs`].
    pub const fn into_parts(self) -> CoherentParts {
        self.parts
    }

    pub(crate) fn belongs_to(&self, dev: &Device) -> bool {
        self.device == dev.id()
    }
}
