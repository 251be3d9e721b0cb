//! Where the debug layer looks on: what each call of the mapping layer tells it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::addr::{DmaAddr, PhysAddr};
use crate::area::CpuId;
use crate::attrs::Attrs;
use crate::debug::{Caller, DmaDebug, MapContext, MappedRange, MappedSegment};
use crate::device::Device;
use crate::direction::DataDirection;
use crate::dma::Dma;
use crate::dma::map::{MapRequest, Mapped};
use crate::dma::sg::{Sg, SgRequest};
use crate::dma::trace::{AllocCall, FreeCall, SyncOwner};
use crate::error::MapError;

impl Dma {
    /// Lets a debug layer watch all calls (`CONFIG_DMA_API_DEBUG`). As where the kernel is built
    /// with it, syncs are then never skipped. If the layer knows no RAM, it takes the platform's.
    #[doc(alias = "CONFIG_DMA_API_DEBUG")]
    #[must_use]
    pub fn with_debug(mut self, mut debug: DmaDebug) -> Self {
        let layout = debug.layout_mut();
        if layout.linear.is_empty() {
            layout.linear.clone_from(&self.swiotlb().platform().ram);
        }
        self.debug = Some(Box::new(Mutex::new(debug)));
        self
    }

    /// Returns the debug layer, if one watches. Calls that map, unmap or sync on another thread
    /// wait until the guard is dropped; on this thread they would wait forever.
    #[must_use]
    pub fn debug(&self) -> Option<MutexGuard<'_, DmaDebug>> {
        let debug = self.debug.as_ref()?;
        // No call of the layer can leave its book half-written.
        Some(debug.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns whether a debug layer watches.
    #[must_use]
    pub const fn is_debugged(&self) -> bool {
        self.debug.is_some()
    }

    /// Tells the debug layer, if one watches, who makes the calls that follow.
    pub fn set_caller(&self, caller: Caller) {
        if let Some(mut debug) = self.debug() {
            debug.set_caller(caller);
        }
    }

    /// Tells the debug layer, if one watches, that the driver has left its device.
    pub fn driver_unbound(&self, dev: &Device) {
        if let Some(mut debug) = self.debug() {
            debug.driver_unbound(dev);
        }
    }

    pub(super) fn debug_request(&self, dev: &Device, request: &MapRequest) {
        let Some(mut debug) = self.debug() else {
            return;
        };
        if debug.has_extra_checks() {
            let max_bytes = self.max_mapping_size(dev);
            debug.map_requested(dev, request.bytes, request.dir, max_bytes);
        }
    }

    /// Judges the address of a `map_single`.
    pub(super) fn debug_map_single(&self, dev: &Device, request: &MapRequest) {
        if let Some(mut debug) = self.debug() {
            debug.map_single(dev, request.phys, request.bytes);
        }
    }

    /// Judges the page of a `map_page`, and so of a `map_single`.
    pub(super) fn debug_map_page(&self, phys: PhysAddr) -> Result<(), MapError> {
        let is_refused = self.debug().is_some_and(|mut debug| debug.map_page(phys));
        if is_refused {
            return Err(MapError::DeviceMemory(phys));
        }
        Ok(())
    }

    pub(super) fn debug_map_phys(&self, dev: &Device, request: &MapRequest, mapped: &Mapped) {
        let Some(mut debug) = self.debug() else {
            return;
        };
        let range = MappedRange {
            phys: request.phys,
            dma: mapped.dma_addr,
            bytes: request.bytes,
            dir: request.dir,
            attrs: request.attrs,
        };
        debug.map_phys(dev, &range, self.debug_context(dev, request.cpu));
    }

    fn debug_context(&self, dev: &Device, cpu: CpuId) -> MapContext {
        let swiotlb = self.swiotlb();
        MapContext {
            cpu,
            kmalloc_bounces: swiotlb.platform().kmalloc.is_some() && swiotlb.is_active(dev),
        }
    }

    pub(super) fn debug_mapping_error(&self, dev: &Device, addr: DmaAddr) {
        if let Some(mut debug) = self.debug() {
            debug.mapping_error(dev, addr);
        }
    }

    pub(super) fn debug_unmap_phys(
        &self,
        dev: &Device,
        dma: DmaAddr,
        bytes: u64,
        dir: DataDirection,
        attrs: Attrs,
    ) {
        if let Some(mut debug) = self.debug() {
            let range = MappedRange {
                phys: PhysAddr::INVALID,
                dma,
                bytes,
                dir,
                attrs,
            };
            debug.unmap_phys(dev, &range);
        }
    }

    pub(super) fn debug_sync(
        &self,
        dev: &Device,
        addr: DmaAddr,
        bytes: u64,
        dir: DataDirection,
        owner: SyncOwner,
    ) {
        if let Some(mut debug) = self.debug() {
            match owner {
                SyncOwner::Cpu => debug.sync_single_for_cpu(dev, addr, bytes, dir),
                SyncOwner::Device => debug.sync_single_for_device(dev, addr, bytes, dir),
            }
        }
    }

    /// Tells the debug layer of each entry of a list that is to be mapped.
    pub(super) fn debug_list_request(&self, dev: &Device, sgl: &[Sg], dir: DataDirection) {
        let Some(mut debug) = self.debug() else {
            return;
        };
        if debug.has_extra_checks() {
            let max_bytes = self.max_mapping_size(dev);
            for sg in sgl {
                debug.map_requested(dev, u64::from(sg.length), dir, max_bytes);
            }
        }
    }

    /// Enters a mapped list, of which the first `mapped` entries carry DMA addresses.
    pub(crate) fn debug_map_sg(
        &self,
        dev: &Device,
        sgl: &[Sg],
        mapped: usize,
        request: &SgRequest,
    ) {
        if let Some(mut debug) = self.debug() {
            let context = self.debug_context(dev, request.cpu);
            let (dir, attrs) = (request.dir, request.attrs);
            debug.map_sg(dev, &segments(sgl), mapped, dir, attrs, context);
        }
    }

    pub(crate) fn debug_unmap_sg(
        &self,
        dev: &Device,
        sgl: &[Sg],
        dir: DataDirection,
        attrs: Attrs,
    ) {
        if let Some(mut debug) = self.debug() {
            debug.unmap_sg(dev, &segments(sgl), dir, attrs);
        }
    }

    pub(super) fn debug_sync_sg(
        &self,
        dev: &Device,
        sgl: &[Sg],
        dir: DataDirection,
        owner: SyncOwner,
    ) {
        if let Some(mut debug) = self.debug() {
            match owner {
                SyncOwner::Cpu => debug.sync_sg_for_cpu(dev, &segments(sgl), dir),
                SyncOwner::Device => debug.sync_sg_for_device(dev, &segments(sgl), dir),
            }
        }
    }

    /// Enters coherent memory, or pages with a direction.
    pub(crate) fn debug_alloc(
        &self,
        dev: &Device,
        call: AllocCall,
        range: &MappedRange,
        cpu: CpuId,
    ) {
        if let Some(mut debug) = self.debug() {
            let context = self.debug_context(dev, cpu);
            match call {
                AllocCall::Attrs => debug.alloc_coherent(dev, range, context),
                AllocCall::Pages => debug.alloc_pages(dev, range, context),
                // Nothing was allocated.
                AllocCall::SgtErr => {}
            }
        }
    }

    pub(crate) fn debug_free(&self, dev: &Device, call: FreeCall, range: &MappedRange) {
        if let Some(mut debug) = self.debug() {
            match call {
                FreeCall::Attrs => debug.free_coherent(dev, range),
                FreeCall::Pages => debug.free_pages(dev, range),
            }
        }
    }

    /// Enters a link of the IOVA-based API.
    pub(crate) fn debug_link(&self, dev: &Device, range: &MappedRange, cpu: CpuId) {
        if let Some(mut debug) = self.debug() {
            debug.link(dev, range, self.debug_context(dev, cpu));
        }
    }

    /// Judges an unlink of the IOVA-based API, which may cover any number of links.
    pub(crate) fn debug_unlink(&self, dev: &Device, range: &MappedRange) {
        if let Some(mut debug) = self.debug() {
            debug.unlink(dev, range);
        }
    }
}

fn segments(sgl: &[Sg]) -> Vec<MappedSegment> {
    let segment = |sg: &Sg| MappedSegment {
        phys: sg.phys,
        bytes: u64::from(sg.length),
        dma: sg.dma_address,
        dma_bytes: u64::from(sg.dma_length),
    };
    sgl.iter().map(segment).collect()
}
