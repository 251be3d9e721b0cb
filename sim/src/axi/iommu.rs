//! What may stand between a manager port and memory: an IOMMU, which turns the addresses on the bus into
//! physical ones and stops what has no right to pass.

use std::fmt;

use swiotlb::{DmaAddr, PhysAddr};

use super::burst::Response;
use crate::events::Direction;

/// One beat on its way to memory, as an IOMMU sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IommuAccess {
    /// Clock cycle in which it reaches memory.
    pub cycle: u64,
    /// Manager port.
    pub port: usize,
    /// Read or write.
    pub direction: Direction,
    /// Number of its burst among those of the port and direction, from 0.
    pub burst: u64,
    /// Address of its first byte.
    pub dma: DmaAddr,
    /// Bytes from there on, to the end of the beat.
    pub bytes: u32,
    /// Whether it is privileged (`AxPROT[0]`; IHI 0022, A4.7).
    pub is_privileged: bool,
}

/// An IOMMU in front of memory, implemented by whoever knows its page tables.
///
/// It is asked for each beat in the cycle in which the beat reaches memory, so an unmap takes effect at the
/// next beat: stricter than hardware, where a burst that has passed is waited for. An implementation should
/// allocate nothing for an access that it lets pass. Its pages hold whole words of the bus.
///
/// What it answers decides where the beat goes: address windows apply behind it, fault windows before it.
pub trait Iommu: fmt::Debug {
    /// Returns the physical address of the first byte of an access.
    ///
    /// # Errors
    /// The response on the bus, if the access is stopped. Arm's MMU-600 says SLVERR (Arm 100310, 2.3.10).
    fn translate(&self, access: &IommuAccess) -> Result<PhysAddr, Response>;
}
