//! What a device asks of an IOMMU, and the answers.

use std::fmt;

use crate::addr::{DmaAddr, PhysAddr};
use crate::iommu::page_table::Prot;

/// One access of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// I/O virtual address of the first byte.
    pub iova: DmaAddr,
    /// Whether the device writes.
    pub is_write: bool,
    /// Whether the access is privileged (on AXI, `AxPROT[0]`).
    pub is_privileged: bool,
}

/// Where an access goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Translation {
    /// Physical address of the first byte.
    pub phys: PhysAddr,
    /// Bytes from there on that are mapped without a gap, with the same rights.
    pub contiguous_bytes: u64,
    /// Whether the range was unmapped and only waits for a flush: the driver did not mean this
    /// access to work.
    pub is_stale: bool,
}

/// Why an access was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FaultReason {
    /// Nothing is mapped there.
    NotMapped,
    /// The range was linked, but not synced.
    NotSynced,
    /// The mapping does not allow reading.
    NotReadable,
    /// The mapping does not allow writing.
    NotWritable,
    /// The mapping allows privileged accesses only.
    NotPrivileged,
}

/// An access that the IOMMU stopped.
#[doc(alias = "report_iommu_fault")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub struct Fault {
    /// The access.
    pub access: Access,
    /// Why it was stopped.
    pub reason: FaultReason,
    /// The rights of the mapping, if there is one.
    pub prot: Option<Prot>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if self.access.is_write {
            "write to"
        } else {
            "read from"
        };
        write!(f, "device {verb} I/O virtual {}: ", self.access.iova)?;
        f.write_str(match self.reason {
            FaultReason::NotMapped => "nothing is mapped there",
            FaultReason::NotSynced => "the range was linked but not synced",
            FaultReason::NotReadable => "the mapping is write only",
            FaultReason::NotWritable => "the mapping is read only",
            FaultReason::NotPrivileged => "the mapping is for privileged accesses only",
        })
    }
}
