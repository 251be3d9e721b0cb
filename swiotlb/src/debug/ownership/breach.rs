//! Breaches of ownership, with the mapping's history.

use std::fmt;

use crate::addr::{DmaAddr, PhysAddr};
use crate::debug::caller::Caller;
use crate::direction::DataDirection;

/// A mapping, as far as ownership is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Address given to the device.
    pub dma: DmaAddr,
    /// Memory of the driver.
    pub orig: PhysAddr,
    /// Length in bytes.
    pub bytes: u64,
    /// Direction.
    pub dir: DataDirection,
    /// Whether CPU and device can see different bytes: the buffer is bounced, or the device does
    /// not snoop.
    pub has_two_views: bool,
    /// Who mapped it, and when.
    pub mapper: Caller,
    /// Cycle in which the device was last given the buffer: at the map, or at a sync.
    pub handed_over_at: u64,
}

/// What rule was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Breach {
    /// X4: the CPU reads, though the buffer is the device's.
    CpuReadWhileLent,
    /// X4: the CPU writes, though the buffer is the device's.
    CpuWriteWhileLent,
    /// X5: the CPU reads what was there before the device wrote.
    StaleCpuRead,
    /// X5: the device reads what was there before the CPU wrote.
    StaleDeviceRead,
    /// X6: the device writes memory that is mapped a second time.
    AliasedWrite {
        /// Address of the mapping through which it writes.
        dma: DmaAddr,
    },
    /// X7: the addresses are given out again while the device still uses them.
    ReusedInFlight,
    /// X9: the device reaches memory that is not for it.
    ForbiddenMemory {
        /// Which memory.
        why: &'static str,
    },
    /// X10: an unmap with `SKIP_CPU_SYNC` drops what the device wrote.
    UnsyncedDataDropped,
}

impl Breach {
    /// Returns the number of the check, `X4` for instance.
    #[must_use]
    pub const fn id(&self) -> &'static str {
        match self {
            Self::CpuReadWhileLent | Self::CpuWriteWhileLent => "X4",
            Self::StaleCpuRead | Self::StaleDeviceRead => "X5",
            Self::AliasedWrite { .. } => "X6",
            Self::ReusedInFlight => "X7",
            Self::ForbiddenMemory { .. } => "X9",
            Self::UnsyncedDataDropped => "X10",
        }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CpuReadWhileLent => f.write_str(
                "CPU read of a lent buffer: expected a sync for the CPU before, found none",
            ),
            Self::CpuWriteWhileLent => f.write_str(
                "CPU write to a lent buffer: expected a sync for the CPU before, found none",
            ),
            Self::StaleCpuRead => f.write_str(
                "stale CPU read: expected a sync for the CPU since the device wrote, found none",
            ),
            Self::StaleDeviceRead => f.write_str(
                "stale device read: expected a sync for the device since the CPU wrote, found none",
            ),
            Self::AliasedWrite { dma } => write!(
                f,
                "device write through the mapping at dma {dma}: expected the only mapping of this \
                 memory, found another"
            ),
            Self::ReusedInFlight => f.write_str(
                "address reused: expected the device to be done with it, found a transfer in flight",
            ),
            Self::ForbiddenMemory { why } => {
                write!(f, "device access: expected memory for it, found {why}")
            }
            Self::UnsyncedDataDropped => f.write_str(
                "unmap with SKIP_CPU_SYNC: expected a sync for the CPU before, found data of the \
                 device that is dropped",
            ),
        }
    }
}

/// A breach with its circumstances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnershipBreach {
    /// What rule was broken.
    pub breach: Breach,
    /// Cycle of the breach.
    pub cycle: u64,
    /// First byte concerned, in the driver's memory.
    pub phys: PhysAddr,
    /// Bytes of the access, or bytes that were dropped.
    pub bytes: u64,
    /// The mapping concerned; for a second mapping of the same memory or addresses, the older one.
    pub held: Option<Held>,
}

impl fmt::Display for OwnershipBreach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}, {} bytes at phys {}",
            self.breach, self.bytes, self.phys
        )?;
        let Some(held) = &self.held else {
            return Ok(());
        };
        write!(f, ", mapped {} by {}", held.dir, held.mapper)?;
        if held.handed_over_at != held.mapper.cycle {
            write!(f, ", handed over at cycle {}", held.handed_over_at)?;
        }
        Ok(())
    }
}
