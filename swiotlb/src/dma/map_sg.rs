//! Map and unmap of scatter/gather lists: without an IOMMU entry by entry.

use crate::addr::{DmaAddr, PhysAddr};
use crate::attrs::Attrs;
use crate::device::Device;
use crate::direction::DataDirection;
use crate::dma::Dma;
use crate::dma::error::{DmaError, errno};
use crate::dma::map::MapRequest;
use crate::dma::message::DmaMessage;
use crate::dma::sg::{Peer, Sg, SgRequest, SgTable, SgWork};
use crate::dma::trace::{DmaTraceKind, TRACED_ENTRIES};
use crate::error::UnmapError;
use crate::iommu::Route;
use crate::memory::PhysMemory;

/// What the layer below made of a list.
type Below = Result<usize, DmaError>;

impl Dma {
    /// Maps a list and returns the number of DMA segments, **0 on any error** (`dma_map_sg`). A list
    /// must not be mapped twice; after an error what its entries say of DMA means nothing.
    ///
    /// Behind an IOMMU the segments are in the first entries, and entries that fill granules join.
    /// For an untrusted device, and if any entry may share cache lines by its length, each entry is
    /// mapped on its own and the first one is marked. Nothing ever clears the mark: such a list must
    /// be made anew before it is used for another device.
    #[doc(alias("dma_map_sg", "dma_map_sg_attrs"))]
    pub fn map_sg<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        sgl: &mut [Sg],
        request: &SgRequest,
    ) -> usize {
        self.try_map_sg(mem, dev, sgl, request).unwrap_or(0)
    }

    /// Maps a table and sets its number of segments (`dma_map_sgtable`).
    ///
    /// A device without a DMA mask makes this call **succeed** with no segment, as in the kernel.
    ///
    /// # Errors
    /// If an entry could not be mapped ([`DmaError::Entry`], `-EIO`), a peer is out of reach
    /// ([`DmaError::RemoteIo`]), the IOMMU has no room or refuses ([`DmaError::List`]), the attributes ask for coherency that the device does not have
    /// ([`DmaError::NotSupported`]), or the table is empty ([`DmaError::Io`]). Nothing stays mapped.
    #[doc(alias = "dma_map_sgtable")]
    pub fn map_sgtable<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        table: &mut SgTable,
        request: &SgRequest,
    ) -> Result<(), DmaError> {
        table.nents = self.try_map_sg(mem, dev, &mut table.entries, request)?;
        Ok(())
    }

    /// `__dma_map_sg_attrs`: what is checked around the map, and which codes come out.
    fn try_map_sg<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        sgl: &mut [Sg],
        request: &SgRequest,
    ) -> Result<usize, DmaError> {
        self.debug_list_request(dev, sgl, request.dir);
        if request.dir == DataDirection::None {
            return Err(DmaError::BadDirection(request.dir));
        }
        if !dev.has_dma_mask() {
            self.warn(dev, DmaMessage::NoDmaMask);
            return Ok(0);
        }
        if !dev.is_coherent() && request.attrs.contains(Attrs::REQUIRE_COHERENT) {
            return Err(DmaError::NotSupported {
                what: "REQUIRE_COHERENT on a device that does not snoop caches",
            });
        }
        let below = match self.route(dev) {
            Route::Direct => self.map_sg_direct(mem, dev, sgl, request),
            Route::Iommu(attachment) => self.map_sg_iommu(mem, dev, attachment, sgl, request),
        };
        self.filter(dev, sgl, request, below)
    }

    /// Lets through what drivers know: a number of segments, and four codes. The rest warns once and
    /// becomes `-EIO`.
    pub(crate) fn filter(
        &self,
        dev: &Device,
        sgl: &[Sg],
        request: &SgRequest,
        below: Below,
    ) -> Below {
        let SgRequest { dir, attrs, .. } = *request;
        let code = match &below {
            Ok(0) => 0,
            Ok(ents) => {
                let ents = *ents;
                self.trace(dev, dir, || map_sg_event(sgl, ents, attrs));
                self.debug_map_sg(dev, sgl, ents, request);
                return below;
            }
            Err(error) => error.errno(),
        };
        let is_known = matches!(
            code,
            errno::EINVAL | errno::ENOMEM | errno::EIO | errno::EREMOTEIO
        );
        if is_known {
            return below;
        }
        self.warn(dev, DmaMessage::UnexpectedSgError { code });
        self.trace(dev, dir, || DmaTraceKind::MapSgErr {
            phys: shown(sgl, |sg| sg.phys),
            code,
            attrs,
        });
        Err(DmaError::Io {
            what: "the result is none that drivers know",
        })
    }

    /// `dma_direct_map_sg`: each entry on its own, nothing is merged.
    fn map_sg_direct<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        sgl: &mut [Sg],
        request: &SgRequest,
    ) -> Below {
        for index in 0..sgl.len() {
            if let Err(error) = self.map_entry(mem, dev, &mut sgl[index], index, request) {
                let attrs = request.attrs | Attrs::SKIP_CPU_SYNC;
                // The entries were just mapped: there is nothing that could be refused.
                let _ = self.unmap_sg_direct(mem, dev, &mut sgl[..index], request.dir, attrs);
                return Err(error);
            }
        }
        Ok(sgl.len())
    }

    fn map_entry<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        sg: &mut Sg,
        index: usize,
        request: &SgRequest,
    ) -> Result<(), DmaError> {
        match sg.peer {
            Peer::None => {}
            Peer::BusAddress { offset } => {
                sg.dma_address = DmaAddr::new(sg.phys.raw().wrapping_add(offset));
                sg.dma_length = sg.length;
                sg.is_bus_address = true;
                return Ok(());
            }
            Peer::Unreachable => return Err(DmaError::RemoteIo { index }),
        }
        let single = MapRequest {
            phys: sg.phys,
            bytes: u64::from(sg.length),
            dir: request.dir,
            attrs: request.attrs,
            cpu: request.cpu,
        };
        sg.is_bus_address = false;
        sg.dma_address = DmaAddr::MAPPING_ERROR;
        let mapped = self
            .map_direct(mem, dev, &single)
            .map_err(|cause| DmaError::Entry { index, cause })?;
        sg.dma_address = mapped.dma_addr;
        sg.dma_length = sg.length;
        Ok(())
    }

    /// Undoes [`Dma::map_sg`] (`dma_unmap_sg`). `sgl` is the whole list that was mapped, not the
    /// segments that came of it. With `SKIP_CPU_SYNC`, what the device wrote into bounce buffers is
    /// lost.
    ///
    /// # Errors
    /// The first that an entry gave, as [`Dma::unmap_phys`]; the other entries are unmapped all the
    /// same.
    #[doc(alias("dma_unmap_sg", "dma_unmap_sg_attrs"))]
    pub fn unmap_sg<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        sgl: &mut [Sg],
        dir: DataDirection,
        attrs: Attrs,
    ) -> Result<SgWork, UnmapError> {
        if dir == DataDirection::None {
            return Err(UnmapError::BadDirection(dir));
        }
        self.trace(dev, dir, || DmaTraceKind::UnmapSg {
            phys: shown(sgl, |sg| sg.phys),
            attrs,
        });
        self.debug_unmap_sg(dev, sgl, dir, attrs);
        match self.route(dev) {
            Route::Direct => self.unmap_sg_direct(mem, dev, sgl, dir, attrs),
            Route::Iommu(attachment) => self.unmap_sg_iommu(mem, dev, attachment, sgl, dir, attrs),
        }
    }

    /// Undoes [`Dma::map_sgtable`] (`dma_unmap_sgtable`).
    ///
    /// # Errors
    /// As [`Dma::unmap_sg`].
    #[doc(alias = "dma_unmap_sgtable")]
    pub fn unmap_sgtable<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        table: &mut SgTable,
        dir: DataDirection,
        attrs: Attrs,
    ) -> Result<SgWork, UnmapError> {
        self.unmap_sg(mem, dev, &mut table.entries, dir, attrs)
    }

    fn unmap_sg_direct<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        sgl: &mut [Sg],
        dir: DataDirection,
        attrs: Attrs,
    ) -> Result<SgWork, UnmapError> {
        let mut sum = SgWork::default();
        let mut refused = None;
        for sg in sgl {
            if sg.is_bus_address {
                sg.is_bus_address = false;
                continue;
            }
            let bytes = u64::from(sg.dma_length);
            match self.unmap_direct(mem, dev, sg.dma_address, bytes, dir, attrs) {
                Ok(done) => {
                    sum.add(done.bounce.is_some(), done.copied_bytes, done.cache);
                }
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        refused.map_or(Ok(sum), Err)
    }
}

/// Returns what a trace line shows of a list.
pub(crate) fn shown<T>(sgl: &[Sg], field: impl Fn(&Sg) -> T) -> Vec<T> {
    sgl.iter().take(TRACED_ENTRIES).map(field).collect()
}

fn map_sg_event(sgl: &[Sg], ents: usize, attrs: Attrs) -> DmaTraceKind {
    let segments = &sgl[..ents.min(sgl.len())];
    DmaTraceKind::MapSg {
        nents: sgl.len(),
        ents,
        dma_addrs: shown(segments, |sg| sg.dma_address),
        sizes: shown(segments, |sg| sg.dma_length),
        phys: shown(sgl, |sg: &Sg| -> PhysAddr { sg.phys }),
        attrs,
    }
}
