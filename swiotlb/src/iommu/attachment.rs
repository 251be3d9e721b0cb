//! A device's place behind an IOMMU.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::addr::DmaAddr;
use crate::area::CpuId;
use crate::device::bit_mask;
use crate::iommu::domain::IommuDomain;
use crate::iommu::error::IommuError;

/// How a device uses the domain it is attached to (`dev->dma_iommu`).
#[derive(Debug)]
pub struct Attachment {
    domain: Arc<IommuDomain>,
    /// Whether addresses below 4 GiB are tried first; dropped for good when that fails once.
    prefers_low: AtomicBool,
    may_bypass: bool,
}

impl Attachment {
    pub(crate) fn new(domain: Arc<IommuDomain>, is_pci: bool) -> Self {
        let prefers_low = is_pci && !domain.is_forcing_dac();
        Self {
            domain,
            prefers_low: AtomicBool::new(prefers_low),
            may_bypass: false,
        }
    }

    pub(crate) const fn set_may_bypass(&mut self) {
        self.may_bypass = true;
    }

    /// Returns the domain.
    #[must_use]
    pub const fn domain(&self) -> &Arc<IommuDomain> {
        &self.domain
    }

    /// Returns whether the device reaches the domain through mapping operations that step aside
    /// when it addresses all memory (`dma_ops_bypass`).
    #[must_use]
    pub const fn may_bypass(&self) -> bool {
        self.may_bypass
    }

    /// Returns whether addresses below 4 GiB are still tried first.
    #[must_use]
    pub fn prefers_low(&self) -> bool {
        self.prefers_low.load(Ordering::Relaxed)
    }

    /// Gives out addresses up to `limit`.
    pub(crate) fn alloc(&self, bytes: u64, limit: u64, cpu: CpuId) -> Result<DmaAddr, IommuError> {
        let low = bit_mask(32);
        if limit.min(self.domain.highest()) > low && self.prefers_low() {
            match self.domain.alloc_within(bytes, low, cpu, false) {
                Err(IommuError::NoSpace { .. }) => {
                    self.prefers_low.store(false, Ordering::Relaxed);
                }
                result => return result,
            }
        }
        self.domain.alloc_within(bytes, limit, cpu, true)
    }
}
