//! Messages of the mapping layer and of coherent memory.

use std::fmt;

use crate::addr::{DmaAddr, PhysAddr};
use crate::message::Level;
use crate::page_source::Zone;

/// A message of the DMA-mapping layer, with its fields.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DmaMessage {
    /// A device without a streaming mask was to be mapped for. Once.
    NoDmaMask,
    /// A segment limit was set on a device that has no `dma_parms`. Once.
    NoDmaParms,
    /// A buffer of vmalloc memory was to be mapped. Once.
    RejectVmalloc {
        /// First byte.
        phys: PhysAddr,
    },
    /// A scatter/gather list failed with a code that drivers do not know. Once.
    UnexpectedSgError {
        /// The code, which became `-EIO`.
        code: i32,
    },
    /// Coherent memory was asked for by a device without a coherent mask. Once.
    NoCoherentMask,
    /// A compound page was asked for. Once.
    CompoundRefused,
    /// Flags that this call does not take. Once.
    FlagsRefused,
    /// A device that does not snoop asks for coherent memory, and the platform cannot make any. Once.
    NonCoherentUnsupported,
    /// Nothing is left of the atomic pools.
    AtomicPoolExhausted {
        /// Bytes wanted.
        bytes: u64,
    },
    /// An atomic pool could not be made at start.
    AtomicPoolFailed {
        /// Its zone.
        zone: Zone,
    },
    /// Pages whose state is not known are never used again.
    Leaking {
        /// First byte.
        phys: PhysAddr,
        /// Length in bytes.
        bytes: u64,
    },
    /// Managed memory was freed that the device does not have, or with other facts.
    ManagedMismatch {
        /// DMA address given.
        addr: DmaAddr,
        /// Length given.
        bytes: u64,
    },
    /// Blocks of a dma pool are still out when it is destroyed.
    PoolBusy {
        /// Name of the pool.
        pool: String,
        /// Blocks that are out.
        active_blocks: u64,
    },
    /// A block that is none of the pool's was freed.
    PoolBadDma {
        /// Name of the pool.
        pool: String,
        /// Address given.
        addr: DmaAddr,
    },
    /// A block was freed twice.
    PoolAlreadyFree {
        /// Name of the pool.
        pool: String,
        /// Address given.
        addr: DmaAddr,
    },
    /// A block was written to while it was free.
    PoolCorrupted {
        /// Name of the pool.
        pool: String,
        /// Address of the block.
        addr: DmaAddr,
        /// First byte of the block that changed.
        offset: u64,
    },
}

impl DmaMessage {
    pub(crate) const fn level(&self) -> Level {
        match self {
            Self::PoolBusy { .. }
            | Self::PoolBadDma { .. }
            | Self::PoolAlreadyFree { .. }
            | Self::PoolCorrupted { .. }
            | Self::AtomicPoolFailed { .. } => Level::Error,
            _ => Level::Warning,
        }
    }

    /// Returns the number of a message that comes once in the life of the system.
    pub(crate) const fn once_site(&self) -> Option<u8> {
        Some(match self {
            Self::NoDmaMask => 0,
            Self::NoDmaParms => 1,
            Self::RejectVmalloc { .. } => 2,
            Self::UnexpectedSgError { .. } => 3,
            Self::NoCoherentMask => 4,
            Self::CompoundRefused => 5,
            Self::FlagsRefused => 6,
            Self::NonCoherentUnsupported => 7,
            _ => return None,
        })
    }
}

impl fmt::Display for DmaMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDmaMask => f.write_str("mapping for a device without a DMA mask"),
            Self::NoDmaParms => {
                f.write_str("setting a segment limit of a device without dma_parms")
            }
            Self::RejectVmalloc { phys } => {
                write!(f, "rejecting DMA map of vmalloc memory at {phys}")
            }
            Self::UnexpectedSgError { code } => {
                write!(f, "unexpected result {code} of a scatter/gather map")
            }
            Self::NoCoherentMask => f.write_str("coherent memory without a coherent DMA mask"),
            Self::CompoundRefused => f.write_str("DMA memory cannot be a compound page"),
            Self::FlagsRefused => f.write_str("allocation flags or attributes not allowed here"),
            Self::NonCoherentUnsupported => f.write_str(
                "coherent DMA memory is not available to a device that does not snoop caches",
            ),
            Self::AtomicPoolExhausted { bytes } => {
                write!(f, "DMA pool exhausted for {bytes} bytes")
            }
            Self::AtomicPoolFailed { zone } => {
                write!(f, "failed to allocate the {zone:?} coherent pool")
            }
            Self::Leaking { phys, bytes } => {
                write!(f, "leaking DMA memory at {phys}, {bytes} bytes")
            }
            Self::ManagedMismatch { addr, bytes } => {
                write!(
                    f,
                    "managed memory freed as {addr}, {bytes} bytes, which it is not"
                )
            }
            Self::PoolBusy {
                pool,
                active_blocks,
            } => write!(f, "dma_pool_destroy {pool}, busy ({active_blocks} blocks)"),
            Self::PoolBadDma { pool, addr } => {
                write!(f, "dma_pool_free {pool}, {addr} (bad dma)")
            }
            Self::PoolAlreadyFree { pool, addr } => {
                write!(f, "dma_pool_free {pool}, dma {addr} already free")
            }
            Self::PoolCorrupted { pool, addr, offset } => {
                write!(
                    f,
                    "dma_pool_alloc {pool}, {addr} (corrupted) at byte {offset}"
                )
            }
        }
    }
}
