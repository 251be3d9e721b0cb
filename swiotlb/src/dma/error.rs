//! Errors of the calls beyond single mappings, and the kernel's code of every error.

use std::fmt;

use crate::addr::PhysAddr;
use crate::direction::DataDirection;
use crate::error::{AllocError, MapError, MaskError, SyncError, UnmapError};
use crate::iommu::IommuError;
use crate::memory::MemoryError;

/// The kernel's negative codes.
pub(crate) mod errno {
    pub(crate) const EPERM: i32 = -1;
    pub(crate) const EIO: i32 = -5;
    pub(crate) const ENXIO: i32 = -6;
    pub(crate) const ENOMEM: i32 = -12;
    pub(crate) const EFAULT: i32 = -14;
    pub(crate) const EBUSY: i32 = -16;
    pub(crate) const ENODEV: i32 = -19;
    pub(crate) const EINVAL: i32 = -22;
    pub(crate) const EOPNOTSUPP: i32 = -95;
    pub(crate) const EREMOTEIO: i32 = -121;
}

/// A refused call of the DMA-mapping API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DmaError {
    /// A mapping was refused.
    #[error(transparent)]
    Mapping(#[from] MapError),
    /// An entry of a scatter/gather list could not be mapped.
    #[error("entry {index} of the list could not be mapped: {cause}")]
    Entry {
        /// Number of the entry, from 0.
        index: usize,
        /// Why.
        cause: MapError,
    },
    /// Behind an IOMMU, the list could not be mapped as a whole.
    #[error("the list could not be mapped: {cause}")]
    List {
        /// Why.
        cause: IommuError,
    },
    /// The IOMMU refused.
    #[error(transparent)]
    Iommu(#[from] IommuError),
    /// Something failed for a reason that drivers do not know.
    #[error("the list could not be mapped: {what}")]
    Io {
        /// What happened.
        what: &'static str,
    },
    /// The device cannot reach the peer whose memory an entry names.
    #[error("entry {index} of the list lies in a peer that the device does not reach")]
    RemoteIo {
        /// Number of the entry, from 0.
        index: usize,
    },
    /// There is no memory for the request.
    #[error("no memory for {bytes} bytes: {why}")]
    NoMemory {
        /// Bytes asked for.
        bytes: u64,
        /// What was tried last.
        why: &'static str,
    },
    /// Memory of the device's restricted pool was refused.
    #[error(transparent)]
    Restricted(#[from] AllocError),
    /// The arguments are impossible.
    #[error("invalid argument: {what}")]
    Invalid {
        /// What is wrong.
        what: &'static str,
    },
    /// The range leaves the memory it was given with.
    #[error("{offset} + {bytes} bytes leave the {allocated_bytes} bytes of the memory")]
    OutOfRange {
        /// First byte asked for.
        offset: u64,
        /// Bytes asked for.
        bytes: u64,
        /// Bytes there are.
        allocated_bytes: u64,
    },
    /// The platform or the device cannot do this.
    #[error("not supported: {what}")]
    NotSupported {
        /// What is not supported.
        what: &'static str,
    },
    /// Attributes forbid what the call would have to do.
    #[error("not permitted: {what}")]
    Permission {
        /// What is not permitted.
        what: &'static str,
    },
    /// Something is in use.
    #[error("busy: {what}")]
    Busy {
        /// What is in use.
        what: &'static str,
    },
    /// The device has no such thing.
    #[error("the device has no {what}")]
    NoDevice {
        /// What it lacks.
        what: &'static str,
    },
    /// The direction is `DMA_NONE`; the kernel would stop here.
    #[error("the call needs a direction, got {0}")]
    BadDirection(DataDirection),
    /// The handle belongs to another device.
    #[error("the handle belongs to another device")]
    WrongDevice,
    /// An unmap below was refused.
    #[error(transparent)]
    Unmap(#[from] UnmapError),
    /// Pages could not be converted between private and shared; they are leaked.
    #[error("pages at {phys} could not be converted ({code}), {bytes} bytes leak")]
    Leaked {
        /// First byte.
        phys: PhysAddr,
        /// Length in bytes.
        bytes: u64,
        /// The platform's code.
        code: i32,
    },
    /// The memory given is none.
    #[error(transparent)]
    Memory(#[from] MemoryError),
}

impl DmaError {
    /// Returns the kernel's negative code.
    #[must_use]
    pub const fn errno(&self) -> i32 {
        match self {
            Self::Mapping(error) => error.errno(),
            Self::Entry { .. } | Self::Io { .. } => errno::EIO,
            Self::RemoteIo { .. } => errno::EREMOTEIO,
            Self::NoMemory { .. }
            | Self::Leaked { .. }
            | Self::List {
                cause: IommuError::NoSpace { .. },
            } => errno::ENOMEM,
            Self::Iommu(cause) => cause.errno(),
            Self::Restricted(error) => error.errno(),
            Self::Invalid { .. }
            | Self::BadDirection(_)
            | Self::WrongDevice
            | Self::List { .. } => errno::EINVAL,
            Self::OutOfRange { .. } => errno::ENXIO,
            Self::NotSupported { .. } => errno::EOPNOTSUPP,
            Self::Permission { .. } => errno::EPERM,
            Self::Busy { .. } => errno::EBUSY,
            Self::NoDevice { .. } => errno::ENODEV,
            Self::Unmap(error) => error.errno(),
            Self::Memory(_) => errno::EFAULT,
        }
    }
}

impl MapError {
    /// Returns what `dma_mapping_error` makes of every failed mapping: `-ENOMEM`.
    #[must_use]
    pub const fn errno(&self) -> i32 {
        errno::ENOMEM
    }
}

impl UnmapError {
    /// Returns the negative code; the kernel's unmaps return none.
    #[must_use]
    pub const fn errno(&self) -> i32 {
        match self {
            Self::Memory(_) => errno::EFAULT,
            _ => errno::EINVAL,
        }
    }
}

impl SyncError {
    /// Returns the negative code; the kernel's syncs return none.
    #[must_use]
    pub const fn errno(&self) -> i32 {
        match self {
            Self::Memory(_) => errno::EFAULT,
            _ => errno::EINVAL,
        }
    }
}

impl AllocError {
    /// Returns the code that a driver returns for memory it did not get: `-ENOMEM`.
    #[must_use]
    pub const fn errno(&self) -> i32 {
        errno::ENOMEM
    }
}

impl MaskError {
    /// Returns the kernel's negative code: `-EIO`.
    #[must_use]
    pub const fn errno(&self) -> i32 {
        errno::EIO
    }
}

/// A value that was moved into a call, and comes back because the call was refused. Boxed, so that
/// results stay small.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused<T>(Box<(T, DmaError)>);

impl<T> Refused<T> {
    pub(crate) fn new(value: T, error: DmaError) -> Self {
        Self(Box::new((value, error)))
    }

    /// Returns why the call was refused.
    #[must_use]
    pub fn error(&self) -> DmaError {
        self.0.1
    }

    /// Returns what was moved in.
    #[must_use]
    pub fn into_value(self) -> T {
        self.0.0
    }
}

impl<T> fmt::Display for Refused<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.1.fmt(f)
    }
}

impl<T: fmt::Debug> std::error::Error for Refused<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_the_kernels_code() {
        let memory = MemoryError {
            addr: PhysAddr::new(0),
            bytes: 1,
        };
        let cases = [
            (DmaError::Mapping(MapError::NoDmaMask), -12),
            (
                DmaError::Entry {
                    index: 0,
                    cause: MapError::Inactive,
                },
                -5,
            ),
            (DmaError::Io { what: "x" }, -5),
            (DmaError::RemoteIo { index: 0 }, -121),
            (DmaError::NoMemory { bytes: 1, why: "x" }, -12),
            (DmaError::Restricted(AllocError::ZeroSize), -12),
            (DmaError::Invalid { what: "x" }, -22),
            (
                DmaError::OutOfRange {
                    offset: 0,
                    bytes: 1,
                    allocated_bytes: 0,
                },
                -6,
            ),
            (DmaError::NotSupported { what: "x" }, -95),
            (DmaError::Permission { what: "x" }, -1),
            (DmaError::Busy { what: "x" }, -16),
            (DmaError::NoDevice { what: "x" }, -19),
            (DmaError::BadDirection(DataDirection::None), -22),
            (DmaError::WrongDevice, -22),
            (DmaError::Unmap(UnmapError::WrongDevice), -22),
            (DmaError::Memory(memory), -14),
        ];
        for (error, code) in cases {
            assert_eq!(error.errno(), code, "{error}");
        }
        assert_eq!(MaskError::NoDmaMask.errno(), -5);
        assert_eq!(SyncError::Memory(memory).errno(), -14);
        assert_eq!(UnmapError::Memory(memory).errno(), -14);
    }

    #[test]
    fn a_refused_value_says_why() {
        let refused = Refused::new(5, DmaError::WrongDevice);
        assert_eq!(refused.to_string(), "the handle belongs to another device");
    }
}
