//! Where the debug layer looks on: what each call of the mapping layer tells it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::addr::{DmaAddr, PhysAddr};
use crate::attrs::Attrs;
use crate::debug::{Caller, DmaDebug, MapContext, MappedRange};
use crate::device::Device;
use crate::direction::DataDirection;
use crate::dma::Dma;
use crate::dma::map::{MapRequest, Mapped};
use crate::error::MapError;

impl Dma {
    /// Lets a debug layer watch all calls (`CONFIG_DMA_API_DEBUG`). As where the kernel is built
    /// with it, syncs are then never skipped. If the layer knows no RAM, it takes the platform's.
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

    pub(super) fn debug_map_single(
        &self,
        dev: &Device,
        request: &MapRequest,
    ) -> Result<(), MapError> {
        let Some(mut debug) = self.debug() else {
            return Ok(());
        };
        debug.map_single(dev, request.phys, request.bytes);
        if debug.map_page(request.phys) {
            return Err(MapError::DeviceMemory(request.phys));
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
        let swiotlb = self.swiotlb();
        let context = MapContext {
            cpu: request.cpu,
            kmalloc_bounces: swiotlb.platform().kmalloc.is_some() && swiotlb.is_active(dev),
        };
        debug.map_phys(dev, &range, context);
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

    pub(super) fn debug_sync_for_cpu(
        &self,
        dev: &Device,
        addr: DmaAddr,
        bytes: u64,
        dir: DataDirection,
    ) {
        if let Some(mut debug) = self.debug() {
            debug.sync_single_for_cpu(dev, addr, bytes, dir);
        }
    }

    pub(super) fn debug_sync_for_device(
        &self,
        dev: &Device,
        addr: DmaAddr,
        bytes: u64,
        dir: DataDirection,
    ) {
        if let Some(mut debug) = self.debug() {
            debug.sync_single_for_device(dev, addr, bytes, dir);
        }
    }
}
