//! Unmapping behind an IOMMU: the device's way is closed before the bounce buffer is read.

use crate::addr::DmaAddr;
use crate::attrs::Attrs;
use crate::device::Device;
use crate::direction::DataDirection;
use crate::dma::{CacheWork, Dma, NEVER_BOUNCED, Unmapped};
use crate::error::UnmapError;
use crate::iommu::attachment::Attachment;
use crate::iommu::error::IommuError;
use crate::iommu::route::has_cache_work;
use crate::memory::PhysMemory;
use crate::message::Message;

impl Dma {
    /// Undoes [`Dma::map_iommu`] (`iommu_dma_unmap_phys`).
    #[expect(
        clippy::too_many_arguments,
        reason = "those of the kernel, and the memory"
    )]
    pub(crate) fn unmap_iommu<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        attachment: &Attachment,
        addr: DmaAddr,
        bytes: u64,
        dir: DataDirection,
        attrs: Attrs,
    ) -> Result<Unmapped, UnmapError> {
        if attrs.intersects(NEVER_BOUNCED) {
            self.free_mapping(dev, attachment, addr, bytes)?;
            return Ok(Unmapped::default());
        }
        // Address 0 stands for "not mapped" here, and so a mapping of physical address 0 leaks.
        let phys = attachment.domain().iova_to_phys(addr);
        let Some(phys) = phys.filter(|phys| phys.raw() != 0) else {
            let message = Message::IommuNotMapped { iova: addr };
            self.swiotlb().warn(dev, message);
            return if self.is_strict() {
                Err(IommuError::NotMapped { iova: addr }.into())
            } else {
                Ok(Unmapped::default())
            };
        };
        let cache = if dir.comes_from_device() && has_cache_work(dev, attrs) {
            CacheWork::invalidate(dev, bytes)
        } else {
            CacheWork::default()
        };
        // Strict mode looks at both parts before it undoes one.
        self.check_mapping(attachment, addr, bytes)?;
        self.swiotlb().check_release(dev, phys, bytes)?;
        self.free_mapping(dev, attachment, addr, bytes)?;
        let bounce = self
            .swiotlb()
            .tbl_unmap_single(mem, dev, phys, bytes, dir, attrs)?;
        Ok(Unmapped {
            bounce,
            copied_bytes: bounce.map_or(0, |released| released.copied_bytes),
            cache,
        })
    }
}
