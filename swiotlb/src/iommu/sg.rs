//! Scatter/gather lists behind an IOMMU: one range for the list of a trusted device, entry by entry
//! where something may bounce.

use crate::addr::DmaAddr;
use crate::attrs::Attrs;
use crate::device::Device;
use crate::direction::DataDirection;
use crate::dma::{CacheWork, Dma, DmaError, MapRequest, Peer, Sg, SgRequest, SgWork, SyncOwner};
use crate::error::{SyncError, UnmapError};
use crate::iommu::attachment::Attachment;
use crate::iommu::error::IommuError;
use crate::iommu::page_table::Prot;
use crate::iommu::route::has_cache_work;
use crate::iommu::sg_layout::{Limits, Place};
use crate::memory::PhysMemory;

impl Dma {
    /// Maps a list for a device behind an IOMMU and returns the number of segments, which are in
    /// the first entries (`iommu_dma_map_sg`).
    ///
    /// For an untrusted device, and if any entry may share cache lines by its length, each entry is
    /// mapped on its own and the first one is marked. Nothing ever clears the mark: such a list must
    /// be made anew before it is used for another device.
    pub(crate) fn map_sg_iommu<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        attachment: &Attachment,
        sgl: &mut [Sg],
        request: &SgRequest,
    ) -> Result<usize, DmaError> {
        if request.attrs.contains(Attrs::CC_SHARED) {
            return Err(list(IommuError::SharedMemory));
        }
        let unreachable = sgl.iter().position(|sg| sg.peer == Peer::Unreachable);
        if let Some(index) = unreachable {
            return Err(DmaError::RemoteIo { index });
        }
        let is_single = |sg: &Sg| self.uses_swiotlb(dev, u64::from(sg.length), request.dir);
        if sgl.iter().any(is_single) {
            self.map_sg_singly(mem, dev, attachment, sgl, request)
        } else {
            self.map_sg_joined(dev, attachment, sgl, request)
        }
    }

    /// Each entry on its own (`iommu_dma_map_sg_swiotlb`).
    fn map_sg_singly<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        attachment: &Attachment,
        sgl: &mut [Sg],
        request: &SgRequest,
    ) -> Result<usize, DmaError> {
        let SgRequest { dir, attrs, cpu } = *request;
        if let Some(first) = sgl.first_mut() {
            first.is_swiotlb = true;
        }
        for index in 0..sgl.len() {
            let sg = &mut sgl[index];
            let single = MapRequest {
                phys: sg.phys,
                bytes: u64::from(sg.length),
                dir,
                attrs,
                cpu,
            };
            match self.map_iommu(mem, dev, attachment, &single) {
                Ok(mapped) => {
                    sg.dma_address = mapped.dma_addr;
                    sg.dma_length = sg.length;
                }
                Err(cause) => {
                    let attrs = attrs | Attrs::SKIP_CPU_SYNC;
                    // These were just mapped: nothing can be refused.
                    let done = &mut sgl[..index];
                    let _ = self.unmap_sg_singly(mem, dev, attachment, done, dir, attrs);
                    return Err(DmaError::Entry { index, cause });
                }
            }
        }
        Ok(sgl.len())
    }

    /// All entries in one range.
    fn map_sg_joined(
        &self,
        dev: &Device,
        attachment: &Attachment,
        sgl: &mut [Sg],
        request: &SgRequest,
    ) -> Result<usize, DmaError> {
        let domain = attachment.domain();
        let limits = Limits::of(dev, domain.granule());
        let (places, bytes) = limits.lay_out(sgl);
        if bytes == 0 {
            // Peers only, or nothing at all.
            if sgl.iter().all(|sg| sg.peer == Peer::None) {
                return Err(list(IommuError::ZeroSize));
            }
            return Ok(limits.join(sgl, &places, DmaAddr::new(0)));
        }
        let iova = self.alloc_iova(dev, attachment, bytes, dev.raw_mask(), request.cpu);
        let iova = iova.map_err(list)?;
        let prot = Prot::new(request.dir, request.attrs);
        if let Err(cause) = map_places(attachment, sgl, &places, iova, prot) {
            domain.unmap(iova, bytes);
            domain.free_iova(iova).map_err(list)?;
            return Err(list(cause));
        }
        Ok(limits.join(sgl, &places, iova))
    }

    /// Undoes [`Dma::map_sg_iommu`] (`iommu_dma_unmap_sg`). The error is the first that an entry
    /// gave; the others are unmapped all the same.
    pub(crate) fn unmap_sg_iommu<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        attachment: &Attachment,
        sgl: &mut [Sg],
        dir: DataDirection,
        attrs: Attrs,
    ) -> Result<SgWork, UnmapError> {
        if is_marked(sgl) {
            return self.unmap_sg_singly(mem, dev, attachment, sgl, dir, attrs);
        }
        let mut sum = SgWork::default();
        if dir.comes_from_device() && has_cache_work(dev, attrs) {
            sum.cache = cache_of_list(sgl, |bytes| CacheWork::invalidate(dev, bytes));
        }
        // All segments lie in one range.
        let mut range: Option<(DmaAddr, DmaAddr)> = None;
        for sg in sgl {
            if sg.is_bus_address {
                sg.is_bus_address = false;
            } else if sg.dma_length > 0 {
                let end = sg.dma_address.wrapping_add(u64::from(sg.dma_length));
                range = Some(range.map_or((sg.dma_address, end), |(start, _)| (start, end)));
            }
        }
        if let Some((start, end)) = range {
            let bytes = end.raw().wrapping_sub(start.raw());
            self.free_mapping(dev, attachment, start, bytes)?;
        }
        Ok(sum)
    }

    fn unmap_sg_singly<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        attachment: &Attachment,
        sgl: &mut [Sg],
        dir: DataDirection,
        attrs: Attrs,
    ) -> Result<SgWork, UnmapError> {
        let mut sum = SgWork::default();
        let mut refused = None;
        for sg in sgl {
            let (addr, bytes) = (sg.dma_address, u64::from(sg.dma_length));
            match self.unmap_iommu(mem, dev, attachment, addr, bytes, dir, attrs) {
                Ok(done) => sum.add(done.bounce.is_some(), done.copied_bytes, done.cache),
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        refused.map_or(Ok(sum), Err)
    }

    /// Hands a list over (`iommu_dma_sync_sg_for_cpu`, `iommu_dma_sync_sg_for_device`): entry by
    /// entry if it is marked, else with cache maintenance only.
    pub(crate) fn sync_sg_iommu<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        attachment: &Attachment,
        sgl: &[Sg],
        dir: DataDirection,
        owner: SyncOwner,
    ) -> Result<SgWork, SyncError> {
        let mut sum = SgWork::default();
        if !is_marked(sgl) {
            sum.cache = match owner {
                SyncOwner::Cpu if dir.comes_from_device() => {
                    cache_of_list(sgl, |bytes| CacheWork::invalidate(dev, bytes))
                }
                SyncOwner::Cpu => CacheWork::default(),
                SyncOwner::Device => cache_of_list(sgl, |bytes| CacheWork::clean(dev, bytes)),
            };
            return Ok(sum);
        }
        for sg in sgl {
            let (addr, bytes) = (sg.dma_address, u64::from(sg.length));
            let done = match owner {
                SyncOwner::Cpu => self.sync_iommu_for_cpu(mem, dev, attachment, addr, bytes, dir),
                SyncOwner::Device => {
                    self.sync_iommu_for_device(mem, dev, attachment, addr, bytes, dir)
                }
            }?;
            sum.add(done.is_bounced, done.copied_bytes, done.cache);
        }
        Ok(sum)
    }
}

/// Says that a list could not be mapped as a whole.
const fn list(cause: IommuError) -> DmaError {
    DmaError::List { cause }
}

fn is_marked(sgl: &[Sg]) -> bool {
    sgl.first().is_some_and(|first| first.is_swiotlb)
}

/// Adds up the maintenance of all entries that are memory of the host.
fn cache_of_list(sgl: &[Sg], work: impl Fn(u64) -> CacheWork) -> CacheWork {
    let mut sum = CacheWork::default();
    for sg in sgl.iter().filter(|sg| sg.peer == Peer::None) {
        sum.add(work(u64::from(sg.length)));
    }
    sum
}

/// Maps each entry at its place (`iommu_map_sg`).
fn map_places(
    attachment: &Attachment,
    sgl: &[Sg],
    places: &[Place],
    iova: DmaAddr,
    prot: Prot,
) -> Result<(), IommuError> {
    let domain = attachment.domain();
    for (sg, place) in sgl.iter().zip(places) {
        if place.bytes > 0 {
            let phys = sg.phys.wrapping_sub(place.offset);
            domain.map(iova.wrapping_add(place.at), phys, place.bytes, prot)?;
        }
    }
    Ok(())
}
