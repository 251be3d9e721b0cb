//! What the IOMMU layer refuses, with facts and the kernel's codes.

use crate::addr::{DmaAddr, PhysAddr};
use crate::error::{MapError, UnmapError};

const EPERM: i32 = -1;
const EIO: i32 = -5;
const ENOMEM: i32 = -12;
const EEXIST: i32 = -17;
const EINVAL: i32 = -22;
const ERANGE: i32 = -34;
const EOPNOTSUPP: i32 = -95;

/// A domain that cannot be made (`-EINVAL`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DomainError {
    /// The set of page sizes is empty.
    #[error("an IOMMU needs at least one page size")]
    NoPageSize,
    /// The smallest page is a single byte, or larger than the CPU's.
    #[error("smallest IOMMU page is {bytes} bytes, expected 2 to {limit}, the CPU's page")]
    BadGranule {
        /// Smallest page in bytes.
        bytes: u64,
        /// The CPU's page in bytes.
        limit: u64,
    },
    /// The aperture has no whole page above page 0.
    #[error("the aperture {first} to {last} holds no usable page")]
    EmptyAperture {
        /// First address.
        first: DmaAddr,
        /// Last address.
        last: DmaAddr,
    },
    /// A reserved region leaves the 64-bit address space.
    #[error("reserved region {start} + {bytes} bytes ends above the 64-bit address space")]
    BadReserved {
        /// First address.
        start: DmaAddr,
        /// Length in bytes.
        bytes: u64,
    },
    /// A flush queue without room.
    #[error("a flush queue needs room for at least one range")]
    NoQueueEntries,
}

impl DomainError {
    /// Returns the kernel's negative code.
    #[must_use]
    pub const fn errno(&self) -> i32 {
        EINVAL
    }
}

/// A request that a domain refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IommuError {
    /// No range of I/O virtual addresses is free (`-ENOMEM`).
    #[error("no free range of {bytes} bytes of I/O virtual addresses up to {limit:#x}")]
    NoSpace {
        /// Bytes wanted, rounded to granules.
        bytes: u64,
        /// Highest address allowed.
        limit: u64,
    },
    /// The page source gave too little (`-ENOMEM`).
    #[error("no pages for {bytes} bytes of coherent memory")]
    NoPages {
        /// Bytes wanted.
        bytes: u64,
    },
    /// Address or size is no multiple of the granule (`-EINVAL`).
    #[error("{iova} -> {phys}, {bytes} bytes, is not aligned to the granule of {granule} bytes")]
    Unaligned {
        /// I/O virtual address.
        iova: DmaAddr,
        /// Physical address.
        phys: PhysAddr,
        /// Length in bytes.
        bytes: u64,
        /// Granule in bytes.
        granule: u64,
    },
    /// Nothing was to be mapped (`-EINVAL`).
    #[error("a mapping must have at least one byte")]
    ZeroSize,
    /// The buffer leaves the 64-bit address space (`-EINVAL`).
    #[error("{phys} + {bytes} bytes leaves the 64-bit address space")]
    TooLong {
        /// Physical address.
        phys: PhysAddr,
        /// Length in bytes.
        bytes: u64,
    },
    /// Neither reading nor writing was to be allowed (`-EINVAL`).
    #[error("a mapping must be readable or writable")]
    NoPermission,
    /// The range leaves the addresses that the IOMMU translates (`-ERANGE`).
    #[error("{iova} + {bytes} bytes leaves the aperture, which ends at {last}")]
    OutOfAperture {
        /// I/O virtual address.
        iova: DmaAddr,
        /// Length in bytes.
        bytes: u64,
        /// Last address of the aperture.
        last: DmaAddr,
    },
    /// Part of the range is mapped already (`-EEXIST`).
    #[error("{iova} is mapped already")]
    AlreadyMapped {
        /// First address that is mapped.
        iova: DmaAddr,
    },
    /// Nothing is mapped at the address, or physical address 0 is (strict mode only, `-EINVAL`).
    #[error("nothing is mapped at {iova}")]
    NotMapped {
        /// I/O virtual address.
        iova: DmaAddr,
    },
    /// The address begins no range that was given out (`-EINVAL`).
    #[error("{iova} begins no range that was given out")]
    NotAllocated {
        /// I/O virtual address.
        iova: DmaAddr,
    },
    /// The size is not that of the map (strict mode only, `-EINVAL`).
    #[error("{iova} was given out with {allocated} bytes, but is unmapped with {bytes}")]
    SizeMismatch {
        /// I/O virtual address.
        iova: DmaAddr,
        /// Bytes given, rounded to granules.
        bytes: u64,
        /// Bytes given out.
        allocated: u64,
    },
    /// Memory that is already shared is to be mapped, or allocated (`-EIO`).
    #[error("memory that is shared with the host cannot be mapped behind an IOMMU")]
    SharedMemory,
    /// The device is not behind an IOMMU (`-EINVAL`).
    #[error("the device is not behind an IOMMU")]
    NoIommu,
}

impl IommuError {
    /// Returns the kernel's negative code.
    #[must_use]
    pub const fn errno(&self) -> i32 {
        match self {
            Self::NoSpace { .. } | Self::NoPages { .. } => ENOMEM,
            Self::OutOfAperture { .. } => ERANGE,
            Self::AlreadyMapped { .. } => EEXIST,
            Self::SharedMemory => EIO,
            _ => EINVAL,
        }
    }
}

/// A call of the IOVA-based API that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IovaError {
    /// Only the first link may begin inside a granule (`-EIO`).
    #[error("{phys} begins inside a granule, but is linked at offset {offset}, expected 0")]
    OffsetInGranule {
        /// Physical address.
        phys: PhysAddr,
        /// Offset in the range.
        offset: u64,
    },
    /// `REQUIRE_COHERENT` on a device that does not snoop caches (`-EOPNOTSUPP`).
    #[error("REQUIRE_COHERENT was asked for, but the device is not cache coherent")]
    NotCoherent,
    /// `REQUIRE_COHERENT` in a range of which a part has been bounced (`-EOPNOTSUPP`).
    #[error("REQUIRE_COHERENT was asked for, but part of the range is bounced")]
    AlreadyBounced,
    /// The buffer must be bounced, but the attributes forbid it (`-EPERM`).
    #[error("the buffer must bounce, but MMIO or REQUIRE_COHERENT forbids it")]
    BounceForbidden,
    /// There is no bounce buffer (`-ENOMEM`).
    #[error("no bounce buffer: {0}")]
    NoBounce(MapError),
    /// The range leaves the one that was allocated (`-EINVAL`).
    #[error("offset {offset} + {bytes} bytes leaves the range of {range_bytes} bytes")]
    OutOfRange {
        /// Offset given.
        offset: u64,
        /// Bytes given.
        bytes: u64,
        /// Bytes of the range.
        range_bytes: u64,
    },
    /// The IOMMU refused (its code).
    #[error(transparent)]
    Iommu(#[from] IommuError),
    /// A bounce buffer could not be released properly; the range is unlinked all the same.
    #[error(transparent)]
    Release(#[from] UnmapError),
}

impl IovaError {
    /// Returns the kernel's negative code.
    #[must_use]
    pub const fn errno(&self) -> i32 {
        match self {
            Self::OffsetInGranule { .. } => EIO,
            Self::NotCoherent | Self::AlreadyBounced => EOPNOTSUPP,
            Self::BounceForbidden => EPERM,
            Self::NoBounce(_) => ENOMEM,
            Self::Iommu(cause) => cause.errno(),
            Self::OutOfRange { .. } | Self::Release(_) => EINVAL,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_the_kernels_codes() {
        let iova = DmaAddr::new(0x1000);
        assert_eq!(IommuError::ZeroSize.errno(), -22);
        assert_eq!(IommuError::AlreadyMapped { iova }.errno(), -17);
        let no_space = IommuError::NoSpace { bytes: 1, limit: 2 };
        assert_eq!(no_space.errno(), -12);
        let already = IommuError::AlreadyMapped { iova };
        assert_eq!(IovaError::from(already).errno(), -17, "passed on");
        assert_eq!(IovaError::BounceForbidden.errno(), -1);
        assert_eq!(IovaError::AlreadyBounced.errno(), -95);
        assert_eq!(DomainError::NoPageSize.errno(), -22);
    }
}
