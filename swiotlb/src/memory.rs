//! The memory seam: what the bounce layer needs of the bytes behind physical addresses.

use crate::addr::PhysAddr;

/// An access to physical memory that could not be carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no memory at physical {addr}: {bytes} bytes were to be accessed")]
pub struct MemoryError {
    /// First byte of the access that is not backed by memory.
    pub addr: PhysAddr,
    /// Length of the whole access in bytes.
    pub bytes: u64,
}

/// Physical memory, as seen by the CPU. Implemented by whoever owns the bytes (a simulator, a VMM).
///
/// An access is all or nothing: on error no byte has changed.
pub trait PhysMemory {
    /// Fills `buf` from `addr` on.
    ///
    /// # Errors
    /// If any byte of the range is not memory.
    fn read(&self, addr: PhysAddr, buf: &mut [u8]) -> Result<(), MemoryError>;

    /// Stores `buf` from `addr` on.
    ///
    /// # Errors
    /// If any byte of the range is not memory.
    fn write(&mut self, addr: PhysAddr, buf: &[u8]) -> Result<(), MemoryError>;

    /// Copies `bytes` bytes. The ranges overlap only if a driver maps memory of a bounce pool; what
    /// the overlap then holds is not defined.
    ///
    /// # Errors
    /// If any byte of either range is not memory.
    fn copy(&mut self, from: PhysAddr, to: PhysAddr, bytes: u64) -> Result<(), MemoryError>;

    /// Sets `bytes` bytes from `addr` on to zero.
    ///
    /// # Errors
    /// If any byte of the range is not memory.
    fn zero(&mut self, addr: PhysAddr, bytes: u64) -> Result<(), MemoryError>;
}

/// Memory everywhere, but without bytes: reads give zeros, writes are lost. For those who want places
/// and counts alone: the replay of a trace, a measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NoBytes;

impl PhysMemory for NoBytes {
    #[inline]
    fn read(&self, _: PhysAddr, buf: &mut [u8]) -> Result<(), MemoryError> {
        buf.fill(0);
        Ok(())
    }

    #[inline]
    fn write(&mut self, _: PhysAddr, _: &[u8]) -> Result<(), MemoryError> {
        Ok(())
    }

    #[inline]
    fn copy(&mut self, _: PhysAddr, _: PhysAddr, _: u64) -> Result<(), MemoryError> {
        Ok(())
    }

    #[inline]
    fn zero(&mut self, _: PhysAddr, _: u64) -> Result<(), MemoryError> {
        Ok(())
    }
}
