//! What a domain is made of: page sizes, aperture, reserved regions, and when it flushes.

use std::time::Duration;

use crate::addr::DmaAddr;
use crate::iommu::error::DomainError;
use crate::iommu::granule::Granule;
use crate::platform::PageSize;

/// The I/O virtual addresses that an IOMMU translates (`struct iommu_domain_geometry`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aperture {
    /// First address.
    pub first: DmaAddr,
    /// Last address.
    pub last: DmaAddr,
    /// Whether no address above `last` may be given out or mapped (`force_aperture`).
    pub is_forced: bool,
}

/// I/O virtual addresses that are never given out: bridge windows, firmware regions, MSI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReservedRegion {
    /// First address.
    pub start: DmaAddr,
    /// Length in bytes.
    pub bytes: u64,
}

/// Where unmapped ranges wait for a flush.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FlushQueues {
    /// One queue for each CPU.
    PerCpu,
    /// One queue for all.
    Single,
}

/// When the IOMMU forgets a translation that was unmapped (`iommu.strict`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FlushMode {
    /// At the unmap.
    #[default]
    Strict,
    /// Later, with others: until then the device can still use what was unmapped, and the range is
    /// not given out again.
    Lazy {
        /// Where the ranges wait.
        queues: FlushQueues,
        /// Ranges that a queue holds; the next one flushes first.
        entries: usize,
        /// Time after which a waiting range is flushed.
        timeout: Duration,
    },
}

impl FlushMode {
    /// Lazy as Linux has it by default: 256 ranges for each CPU, 10 ms.
    #[must_use]
    pub const fn lazy() -> Self {
        Self::Lazy {
            queues: FlushQueues::PerCpu,
            entries: 256,
            timeout: Duration::from_millis(10),
        }
    }

    /// Lazy as Linux has it where a flush is dear: 32768 ranges in one queue, 1 s.
    #[must_use]
    pub const fn lazy_single() -> Self {
        Self::Lazy {
            queues: FlushQueues::Single,
            entries: 32768,
            timeout: Duration::from_secs(1),
        }
    }
}

/// How a domain is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainConfig {
    pub(crate) page_sizes: u64,
    pub(crate) cpu_page: PageSize,
    pub(crate) aperture: Aperture,
    pub(crate) reserved: Vec<ReservedRegion>,
    pub(crate) flush: FlushMode,
    pub(crate) is_forcing_dac: bool,
    pub(crate) caches_absent: bool,
}

impl Default for DomainConfig {
    /// Pages of 4 KiB, 2 MiB and 1 GiB, 48 address bits, strict flushing.
    fn default() -> Self {
        Self::new(4 << 10 | 2 << 20 | 1 << 30)
    }
}

impl DomainConfig {
    /// Takes the page sizes as a sum of powers of two (`pgsize_bitmap`); the rest is as in
    /// [`DomainConfig::default`].
    #[must_use]
    pub const fn new(page_sizes: u64) -> Self {
        Self {
            page_sizes,
            cpu_page: PageSize::Size4KiB,
            aperture: Aperture {
                first: DmaAddr::new(0),
                last: DmaAddr::new((1 << 48) - 1),
                is_forced: true,
            },
            reserved: Vec::new(),
            flush: FlushMode::Strict,
            is_forcing_dac: false,
            caches_absent: false,
        }
    }

    /// Sets the CPU's page size, which the smallest page must not exceed.
    #[must_use]
    pub const fn with_cpu_page(mut self, page: PageSize) -> Self {
        self.cpu_page = page;
        self
    }

    /// Sets the addresses that the IOMMU translates.
    #[must_use]
    pub const fn with_aperture(mut self, aperture: Aperture) -> Self {
        self.aperture = aperture;
        self
    }

    /// Sets addresses that are never given out.
    #[must_use]
    pub fn with_reserved(mut self, reserved: Vec<ReservedRegion>) -> Self {
        self.reserved = reserved;
        self
    }

    /// Sets when unmapped ranges are flushed.
    #[doc(alias = "iommu.strict")]
    #[must_use]
    pub const fn with_flush(mut self, flush: FlushMode) -> Self {
        self.flush = flush;
        self
    }

    /// Lets PCI devices have addresses above 4 GiB from the start (`iommu.forcedac`).
    #[doc(alias = "iommu.forcedac")]
    #[must_use]
    pub const fn with_forced_dac(mut self) -> Self {
        self.is_forcing_dac = true;
        self
    }

    /// Makes an IOMMU that remembers "not mapped": a range that was linked cannot be used before
    /// [`crate::Dma::iova_sync`]. Without it, a driver that forgets the sync goes unpunished.
    #[must_use]
    pub const fn with_cached_absence(mut self) -> Self {
        self.caches_absent = true;
        self
    }

    /// Returns the smallest page, if it is possible.
    pub(crate) const fn granule(&self) -> Result<Granule, DomainError> {
        if self.page_sizes == 0 {
            return Err(DomainError::NoPageSize);
        }
        let shift = self.page_sizes.trailing_zeros();
        let bytes = 1 << shift;
        let limit = self.cpu_page.bytes();
        if bytes < 2 || bytes > limit {
            return Err(DomainError::BadGranule { bytes, limit });
        }
        Ok(Granule::from_shift(shift))
    }
}
