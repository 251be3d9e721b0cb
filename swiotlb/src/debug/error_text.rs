//! The texts of the debug layer's errors: the kernel's key phrase, then the facts in its order.

use std::fmt;

use crate::addr::DmaAddr;
use crate::debug::error::DmaDebugError;

/// Address and size as most messages begin their facts.
struct At(DmaAddr, u64);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "[device address={:#018x}] [size={} bytes]",
            self.0, self.1
        )
    }
}

impl fmt::Display for DmaDebugError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::InvalidArea { addr, bytes } => write!(
                f,
                "device driver maps memory from invalid area [addr={addr}] [len={bytes}]"
            ),
            Self::VmallocArea { addr, bytes } => write!(
                f,
                "device driver maps memory from vmalloc area [addr={addr}] [len={bytes}]"
            ),
            Self::MmioOfRam { phys } => {
                write!(f, "mapping of MMIO called for RAM address [phys={phys}]")
            }
            Self::FromStack { addr, is_probable } => {
                let probable = if is_probable { "probable " } else { "" };
                write!(
                    f,
                    "device driver maps memory from stack [{probable}addr={addr}]"
                )
            }
            Self::KernelText { addr, bytes } => write!(
                f,
                "device driver maps memory from kernel text or rodata [addr={addr}] [len={bytes}]"
            ),
            Self::CachelineExists => {
                f.write_str("cacheline tracking EEXIST, overlapping mappings aren't supported")
            }
            Self::TooManyOverlaps { max, line } => {
                write!(
                    f,
                    "exceeded {max} overlapping mappings of cacheline {line:#x}"
                )
            }
            Self::SegmentTooLong { bytes, max } => write!(
                f,
                "mapping sg segment longer than device claims to support [len={bytes}] [max={max}]"
            ),
            Self::SegmentAcrossBoundary {
                start,
                end,
                boundary,
            } => write!(
                f,
                "mapping sg segment across boundary [start={start:#018x}] [end={end:#018x}] \
                 [boundary={boundary:#018x}]"
            ),
            Self::DeviceMemoryPage { phys } => {
                write!(f, "device driver maps a device-memory page [phys={phys}]")
            }
            _ => self.fmt_release(f),
        }
    }
}

impl DmaDebugError {
    /// Texts of the checks at unmap and free.
    fn fmt_release(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::FreeInvalid => {
                f.write_str("device driver tries to free an invalid DMA memory address")
            }
            Self::NotAllocated { addr, bytes } => write!(
                f,
                "device driver tries to free DMA memory it has not allocated {}",
                At(addr, bytes)
            ),
            Self::SizeDiffers {
                addr,
                mapped_bytes,
                bytes,
            } => write!(
                f,
                "device driver frees DMA memory with different size [device address={addr:#018x}] \
                 [map size={mapped_bytes} bytes] [unmap size={bytes} bytes]"
            ),
            Self::WrongFunction {
                addr,
                bytes,
                mapped_as,
                unmapped_as,
            } => write!(
                f,
                "device driver frees DMA memory with wrong function {} [mapped as {mapped_as}] \
                 [unmapped as {unmapped_as}]",
                At(addr, bytes)
            ),
            Self::CpuAddressDiffers {
                addr,
                bytes,
                allocated,
                freed,
            } => write!(
                f,
                "device driver frees DMA memory with different CPU address {} \
                 [cpu alloc address={allocated}] [cpu free address={freed}]",
                At(addr, bytes)
            ),
            Self::UnmapCountDiffers { mapped, unmapped } => write!(
                f,
                "device driver frees DMA sg list with different entry count [map count={mapped}] \
                 [unmap count={unmapped}]"
            ),
            Self::DirectionDiffers {
                addr,
                bytes,
                mapped,
                unmapped,
            } => write!(
                f,
                "device driver frees DMA memory with different direction {} [mapped with {mapped}] \
                 [unmapped with {unmapped}]",
                At(addr, bytes)
            ),
            Self::ErrorNotChecked { addr, bytes, kind } => write!(
                f,
                "device driver failed to check map error {} [mapped as {kind}]",
                At(addr, bytes)
            ),
            Self::AttrsDiffer {
                addr,
                bytes,
                mapped,
                unmapped,
            } => write!(
                f,
                "device driver frees DMA memory with different attributes {} \
                 [mapped with {:#x}] [unmapped with {:#x}]",
                At(addr, bytes),
                mapped.bits(),
                unmapped.bits()
            ),
            _ => self.fmt_sync(f),
        }
    }

    /// Texts of the checks at sync and at the end, and of notices.
    fn fmt_sync(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::SyncNotAllocated { addr, bytes } => write!(
                f,
                "device driver tries to sync DMA memory it has not allocated {}",
                At(addr, bytes)
            ),
            Self::SyncOutside {
                addr,
                mapped_bytes,
                bytes,
            } => write!(
                f,
                "device driver syncs DMA memory outside allocated range \
                 [device address={addr:#018x}] [allocation size={mapped_bytes} bytes] \
                 [sync offset+size={bytes}]"
            ),
            Self::SyncDirectionDiffers {
                addr,
                bytes,
                mapped,
                synced,
            } => write!(
                f,
                "device driver syncs DMA memory with different direction {} [mapped with {mapped}] \
                 [synced with {synced}]",
                At(addr, bytes)
            ),
            Self::SyncReadOnlyForCpu {
                addr,
                bytes,
                mapped,
                synced,
            } => write!(
                f,
                "device driver syncs device read-only DMA memory for cpu {} [mapped with {mapped}] \
                 [synced with {synced}]",
                At(addr, bytes)
            ),
            Self::SyncWriteOnlyForDevice {
                addr,
                bytes,
                mapped,
                synced,
            } => write!(
                f,
                "device driver syncs device write-only DMA memory to device {} \
                 [mapped with {mapped}] [synced with {synced}]",
                At(addr, bytes)
            ),
            Self::SyncCountDiffers { mapped, synced } => write!(
                f,
                "device driver syncs DMA sg list with different entry count [map count={mapped}] \
                 [sync count={synced}]"
            ),
            Self::PendingAllocations {
                count,
                addr,
                bytes,
                dir,
                kind,
            } => write!(
                f,
                "device driver has pending DMA allocations while released from device \
                 [count={count}] one of them {} [mapped with {dir}] [mapped as {kind}]",
                At(addr, bytes)
            ),
            Self::PoolGrown { entries, percent } => {
                write!(f, "dma_debug_entry pool grown to {entries} ({percent}%)")
            }
            Self::OutOfMemory => f.write_str("debugging out of memory, disabled"),
            Self::CachelineNoMemory => f.write_str("cacheline tracking ENOMEM, dma-debug disabled"),
            _ => Ok(()),
        }
    }
}
