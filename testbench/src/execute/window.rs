//! The bus of a device that sees memory at other addresses than the CPU, and not all of it.

use rebound_sim::axi::{Iommu, IommuAccess, Response};
use swiotlb::PhysAddr;

use crate::scenario::plan::Window;

/// A window as the bus sees it: it adds an offset, and answers DECERR where there is no window.
#[derive(Debug)]
pub(super) struct BusWindow(pub(super) Window);

impl Iommu for BusWindow {
    fn translate(&self, access: &IommuAccess) -> Result<PhysAddr, Response> {
        let phys = self.0.phys_of(access.dma.raw());
        phys.map(PhysAddr::new).ok_or(Response::Decerr)
    }
}
