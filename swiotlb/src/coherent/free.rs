//! Coherent memory goes back to where it came from.

use crate::addr::{DmaAddr, PhysAddr};
use crate::attrs::Attrs;
use crate::coherent::handle::{Coherent, CoherentParts, CpuAddr};
use crate::coherent::private::ReservedFree;
use crate::debug::MappedRange;
use crate::device::Device;
use crate::direction::DataDirection;
use crate::dma::{Dma, DmaError, DmaTraceKind, FreeCall, Refused};
use crate::iommu::Route;
use crate::page_source::PageSource;

impl Dma {
    /// Gives coherent memory back (`dma_free_coherent`).
    ///
    /// # Errors
    /// If it belongs to another device; the memory comes back. If its pages could not be made
    /// private, they leak ([`DmaError::Leaked`]), and nothing comes back.
    pub fn free_coherent(
        &self,
        pages: &mut dyn PageSource,
        dev: &Device,
        memory: Coherent,
    ) -> Result<(), Refused<Option<Coherent>>> {
        if !memory.belongs_to(dev) {
            return Err(Refused::new(Some(memory), DmaError::WrongDevice));
        }
        let CoherentParts {
            cpu,
            dma_addr,
            bytes,
            attrs,
        } = memory.into_parts();
        self.free_attrs(pages, dev, bytes, Some(cpu), dma_addr, attrs)
            .map_err(|error| Refused::new(None, error))
    }

    /// Gives coherent memory back, named by its facts (`dma_free_attrs`). Size and addresses must be
    /// those of the allocation; the kernel does not check, nor does this call, beyond what would
    /// reach out of the region it came from. No CPU address: nothing happens.
    ///
    /// # Errors
    /// If the region that holds the address did not give this memory, or pages could not be made
    /// private and leak.
    pub fn free_attrs(
        &self,
        pages: &mut dyn PageSource,
        dev: &Device,
        bytes: u64,
        cpu: Option<CpuAddr>,
        dma_addr: DmaAddr,
        attrs: Attrs,
    ) -> Result<(), DmaError> {
        let Some(cpu) = cpu else {
            return Ok(());
        };
        let phys = cpu.phys();
        let rounded = self.whole_pages(bytes)?;
        let is_private = self.is_private(dev, phys);
        if !is_private {
            self.trace(dev, DataDirection::Bidirectional, || DmaTraceKind::Free {
                call: FreeCall::Attrs,
                dma_addr,
                bytes,
                cpu: phys,
                attrs,
            });
            let range = MappedRange {
                phys,
                dma: dma_addr,
                bytes,
                dir: DataDirection::Bidirectional,
                attrs,
            };
            self.debug_free(dev, FreeCall::Attrs, &range);
        }
        match self.coherent_route(dev) {
            Route::Iommu(attachment) if !is_private => {
                self.free_iommu(pages, dev, attachment, (cpu, dma_addr), rounded)
            }
            _ => {
                let is_shared = dev.needs_unencrypted(self.swiotlb().platform().cc);
                self.free_anywhere(pages, dev, phys, rounded, is_shared)
            }
        }
    }

    fn is_private(&self, dev: &Device, phys: PhysAddr) -> bool {
        let mut state = self.coherent();
        let private = state.private_of(dev);
        private.is_some_and(|private| private.contains(phys))
    }

    /// Finds the source by the address: a reserved region, an atomic pool, the restricted pool, or
    /// pages.
    pub(crate) fn free_anywhere(
        &self,
        pages: &mut dyn PageSource,
        dev: &Device,
        phys: PhysAddr,
        bytes: u64,
        is_shared: bool,
    ) -> Result<(), DmaError> {
        let order = self.swiotlb().platform().page_size.order_of(bytes);
        let not_taken = DmaError::Invalid {
            what: "the region that holds the address did not give this memory",
        };
        match self.free_reserved(dev, phys, order) {
            ReservedFree::Done => return Ok(()),
            ReservedFree::NotTaken => return Err(not_taken),
            ReservedFree::Elsewhere => {}
        }
        if let Some(is_done) = self.free_atomic(phys, bytes) {
            return if is_done { Ok(()) } else { Err(not_taken) };
        }
        if self.swiotlb().find_pool(dev, phys).is_some() {
            let released = self.swiotlb().free(dev, phys);
            return released.map(|_| ()).ok_or(not_taken);
        }
        self.return_pages(pages, dev, phys, bytes, is_shared)
    }
}
