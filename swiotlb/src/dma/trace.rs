//! Tracepoints of the mapping layer as typed events; `Display` prints the line of the trace.

use std::fmt;

use crate::addr::{DmaAddr, PhysAddr};
use crate::attrs::Attrs;
use crate::coherent::Gfp;
use crate::direction::DataDirection;

/// Most entries of a scatter/gather list that a trace line shows.
pub const TRACED_ENTRIES: usize = 128;

/// A hit of one of the `dma_*` tracepoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DmaTrace {
    /// Name of the device.
    pub device: String,
    /// Direction of the call.
    pub dir: DataDirection,
    /// Which tracepoint, with its fields.
    pub kind: DmaTraceKind,
}

/// A tracepoint with the fields that follow device and direction.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DmaTraceKind {
    /// `dma_map_phys`; also for failed maps, whose address is all ones.
    MapPhys {
        /// Result.
        dma_addr: DmaAddr,
        /// Length in bytes.
        bytes: u64,
        /// Original buffer.
        phys: PhysAddr,
        /// Attributes of the caller.
        attrs: Attrs,
    },
    /// `dma_unmap_phys`.
    UnmapPhys {
        /// Address of the mapping.
        dma_addr: DmaAddr,
        /// Length in bytes.
        bytes: u64,
        /// Attributes of the caller.
        attrs: Attrs,
    },
    /// `dma_alloc`, `dma_alloc_pages` or `dma_alloc_sgt_err`.
    Alloc {
        /// Which of the three.
        call: AllocCall,
        /// Result; 0 if there is none.
        dma_addr: DmaAddr,
        /// Length in bytes.
        bytes: u64,
        /// CPU address; 0 if there is none.
        cpu: PhysAddr,
        /// Flags of the allocation.
        gfp: Gfp,
        /// Attributes.
        attrs: Attrs,
    },
    /// `dma_alloc_sgt`.
    AllocSgt {
        /// Address of the one DMA segment.
        dma_addr: DmaAddr,
        /// Length in bytes.
        bytes: u64,
        /// CPU segments.
        phys: Vec<PhysAddr>,
        /// Flags of the allocation.
        gfp: Gfp,
        /// Attributes.
        attrs: Attrs,
    },
    /// `dma_free` or `dma_free_pages`.
    Free {
        /// Which of the two.
        call: FreeCall,
        /// Address of the memory.
        dma_addr: DmaAddr,
        /// Length in bytes.
        bytes: u64,
        /// CPU address.
        cpu: PhysAddr,
        /// Attributes.
        attrs: Attrs,
    },
    /// `dma_free_sgt`.
    FreeSgt {
        /// Address of the one DMA segment.
        dma_addr: DmaAddr,
        /// Length in bytes.
        bytes: u64,
        /// CPU segments.
        phys: Vec<PhysAddr>,
    },
    /// `dma_map_sg`. The lists have at most [`TRACED_ENTRIES`] entries.
    MapSg {
        /// Entries of the list.
        nents: usize,
        /// DMA segments made.
        ents: usize,
        /// Addresses of the segments.
        dma_addrs: Vec<DmaAddr>,
        /// Lengths of the segments in bytes.
        sizes: Vec<u32>,
        /// Original addresses of the entries.
        phys: Vec<PhysAddr>,
        /// Attributes.
        attrs: Attrs,
    },
    /// `dma_map_sg_err`: the code is one that drivers do not know.
    MapSgErr {
        /// Original addresses of the entries, although the line calls them DMA addresses.
        phys: Vec<PhysAddr>,
        /// The code from below.
        code: i32,
        /// Attributes.
        attrs: Attrs,
    },
    /// `dma_unmap_sg`.
    UnmapSg {
        /// Original addresses of the entries.
        phys: Vec<PhysAddr>,
        /// Attributes.
        attrs: Attrs,
    },
    /// `dma_sync_single_for_cpu` or `dma_sync_single_for_device`.
    SyncSingle {
        /// Who owns the buffer now.
        owner: SyncOwner,
        /// Address of the range.
        dma_addr: DmaAddr,
        /// Length in bytes.
        bytes: u64,
    },
    /// `dma_sync_sg_for_cpu` or `dma_sync_sg_for_device`.
    SyncSg {
        /// Who owns the buffers now.
        owner: SyncOwner,
        /// Addresses of the segments.
        dma_addrs: Vec<DmaAddr>,
        /// Lengths of the segments in bytes.
        sizes: Vec<u32>,
    },
}

/// Which allocation a trace line tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AllocCall {
    /// `dma_alloc`.
    Attrs,
    /// `dma_alloc_pages`.
    Pages,
    /// `dma_alloc_sgt_err`.
    SgtErr,
}

/// Which release a trace line tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FreeCall {
    /// `dma_free`.
    Attrs,
    /// `dma_free_pages`.
    Pages,
}

/// To whom a sync hands a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SyncOwner {
    /// `_for_cpu`.
    Cpu,
    /// `_for_device`.
    Device,
}

impl DmaTraceKind {
    /// Returns the name of the tracepoint.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::MapPhys { .. } => "dma_map_phys",
            Self::UnmapPhys { .. } => "dma_unmap_phys",
            Self::Alloc { call, .. } => match call {
                AllocCall::Attrs => "dma_alloc",
                AllocCall::Pages => "dma_alloc_pages",
                AllocCall::SgtErr => "dma_alloc_sgt_err",
            },
            Self::AllocSgt { .. } => "dma_alloc_sgt",
            Self::Free { call, .. } => match call {
                FreeCall::Attrs => "dma_free",
                FreeCall::Pages => "dma_free_pages",
            },
            Self::FreeSgt { .. } => "dma_free_sgt",
            Self::MapSg { .. } => "dma_map_sg",
            Self::MapSgErr { .. } => "dma_map_sg_err",
            Self::UnmapSg { .. } => "dma_unmap_sg",
            Self::SyncSingle { owner, .. } => match owner {
                SyncOwner::Cpu => "dma_sync_single_for_cpu",
                SyncOwner::Device => "dma_sync_single_for_device",
            },
            Self::SyncSg { owner, .. } => match owner {
                SyncOwner::Cpu => "dma_sync_sg_for_cpu",
                SyncOwner::Device => "dma_sync_sg_for_device",
            },
        }
    }
}

/// Prints a list as `{a,b,c}`: hexadecimal.
struct Hex<'a, T>(&'a [T], fn(&T) -> u64);

impl<T> fmt::Display for Hex<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (index, item) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "," };
            write!(f, "{separator}{:x}", (self.1)(item))?;
        }
        f.write_str("}")
    }
}

/// Prints a list as `{a,b,c}`: decimal.
struct Decimal<'a>(&'a [u32]);

impl fmt::Display for Decimal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (index, item) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "," };
            write!(f, "{separator}{item}")?;
        }
        f.write_str("}")
    }
}

fn dma_list(list: &[DmaAddr]) -> Hex<'_, DmaAddr> {
    Hex(list, |addr| addr.raw())
}

fn phys_list(list: &[PhysAddr]) -> Hex<'_, PhysAddr> {
    Hex(list, |addr| addr.raw())
}

impl fmt::Display for DmaTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} dir={} ", self.device, self.dir)?;
        self.kind.fmt(f)
    }
}

impl fmt::Display for DmaTraceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MapPhys {
                dma_addr,
                bytes,
                phys,
                attrs,
            } => write!(
                f,
                "dma_addr={:x} size={bytes} phys_addr={:x} attrs={attrs}",
                dma_addr.raw(),
                phys.raw()
            ),
            Self::UnmapPhys {
                dma_addr,
                bytes,
                attrs,
            } => write!(
                f,
                "dma_addr={:x} size={bytes} attrs={attrs}",
                dma_addr.raw()
            ),
            Self::Alloc {
                dma_addr,
                bytes,
                cpu,
                gfp,
                attrs,
                call: _,
            } => write!(
                f,
                "dma_addr={:x} size={bytes} virt_addr={:x} flags={gfp} attrs={attrs}",
                dma_addr.raw(),
                cpu.raw()
            ),
            Self::AllocSgt {
                dma_addr,
                bytes,
                phys,
                gfp,
                attrs,
            } => write!(
                f,
                "dma_addr={:x} size={bytes} phys_addrs={} flags={gfp} attrs={attrs}",
                dma_addr.raw(),
                phys_list(phys)
            ),
            Self::Free {
                dma_addr,
                bytes,
                cpu,
                attrs,
                call: _,
            } => write!(
                f,
                "dma_addr={:x} size={bytes} virt_addr={:x} attrs={attrs}",
                dma_addr.raw(),
                cpu.raw()
            ),
            Self::FreeSgt {
                dma_addr,
                bytes,
                phys,
            } => write!(
                f,
                "dma_addr={:x} size={bytes} phys_addrs={}",
                dma_addr.raw(),
                phys_list(phys)
            ),
            Self::MapSg { .. } => self.fmt_map_sg(f),
            Self::MapSgErr { phys, code, attrs } => {
                write!(f, "dma_addrs={} err={code} attrs={attrs}", phys_list(phys))
            }
            Self::UnmapSg { phys, attrs } => {
                write!(f, "phys_addrs={} attrs={attrs}", phys_list(phys))
            }
            Self::SyncSingle {
                dma_addr, bytes, ..
            } => write!(f, "dma_addr={:x} size={bytes}", dma_addr.raw()),
            Self::SyncSg {
                dma_addrs, sizes, ..
            } => write!(
                f,
                "dma_addrs={} sizes={}",
                dma_list(dma_addrs),
                Decimal(sizes)
            ),
        }
    }
}

impl DmaTraceKind {
    fn fmt_map_sg(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::MapSg {
            nents,
            ents,
            dma_addrs,
            sizes,
            phys,
            attrs,
        } = self
        else {
            return Ok(());
        };
        let is_truncated = phys.len() < *nents || dma_addrs.len() < *ents;
        write!(
            f,
            "nents={}/{nents} ents={}/{ents}{} dma_addrs={} sizes={} phys_addrs={} attrs={attrs}",
            phys.len(),
            dma_addrs.len(),
            if is_truncated { " [TRUNCATED]" } else { "" },
            dma_list(dma_addrs),
            Decimal(sizes),
            phys_list(phys)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(kind: DmaTraceKind) -> String {
        let trace = DmaTrace {
            device: "nic".to_owned(),
            dir: DataDirection::ToDevice,
            kind,
        };
        trace.to_string()
    }

    fn dma(raw: u64) -> DmaAddr {
        DmaAddr::new(raw)
    }

    fn phys(raw: u64) -> PhysAddr {
        PhysAddr::new(raw)
    }

    #[test]
    fn single_events_print_their_fields_in_order() {
        let attrs = Attrs::SKIP_CPU_SYNC | Attrs::NO_WARN;
        let map = DmaTraceKind::MapPhys {
            dma_addr: dma(0x400_0000),
            bytes: 4096,
            phys: phys(0x1_2345_6000),
            attrs,
        };
        assert_eq!(
            line(map),
            "nic dir=TO_DEVICE dma_addr=4000000 size=4096 phys_addr=123456000 \
             attrs=SKIP_CPU_SYNC|NO_WARN"
        );
        let unmap = DmaTraceKind::UnmapPhys {
            dma_addr: DmaAddr::MAPPING_ERROR,
            bytes: 1,
            attrs: Attrs::NONE,
        };
        assert_eq!(
            line(unmap),
            "nic dir=TO_DEVICE dma_addr=ffffffffffffffff size=1 attrs="
        );
        let sync = DmaTraceKind::SyncSingle {
            owner: SyncOwner::Cpu,
            dma_addr: dma(0x10),
            bytes: 16,
        };
        assert_eq!(sync.name(), "dma_sync_single_for_cpu");
        assert_eq!(line(sync), "nic dir=TO_DEVICE dma_addr=10 size=16");
    }

    #[test]
    fn allocations_print_flags_and_releases_do_not() {
        let alloc = DmaTraceKind::Alloc {
            call: AllocCall::SgtErr,
            dma_addr: dma(0),
            bytes: 8192,
            cpu: phys(0),
            gfp: Gfp::KERNEL.with_no_warn(),
            attrs: Attrs::NO_WARN,
        };
        assert_eq!(alloc.name(), "dma_alloc_sgt_err");
        assert_eq!(
            line(alloc),
            "nic dir=TO_DEVICE dma_addr=0 size=8192 virt_addr=0 flags=GFP_KERNEL|__GFP_NOWARN \
             attrs=NO_WARN"
        );
        let table = DmaTraceKind::AllocSgt {
            dma_addr: dma(0x1000),
            bytes: 8192,
            phys: vec![phys(0x1000), phys(0x9000)],
            gfp: Gfp::KERNEL,
            attrs: Attrs::NONE,
        };
        assert_eq!(
            line(table),
            "nic dir=TO_DEVICE dma_addr=1000 size=8192 phys_addrs={1000,9000} flags=GFP_KERNEL \
             attrs="
        );
        let free = DmaTraceKind::FreeSgt {
            dma_addr: dma(0x1000),
            bytes: 4096,
            phys: vec![phys(0x1000)],
        };
        assert_eq!(
            line(free),
            "nic dir=TO_DEVICE dma_addr=1000 size=4096 phys_addrs={1000}"
        );
    }

    #[test]
    fn lists_say_how_much_of_them_is_shown() {
        let map = |shown: usize| DmaTraceKind::MapSg {
            nents: 2,
            ents: 2,
            dma_addrs: vec![dma(0x10); shown],
            sizes: vec![64; shown],
            phys: vec![phys(0x20); shown],
            attrs: Attrs::NONE,
        };
        assert_eq!(
            line(map(2)),
            "nic dir=TO_DEVICE nents=2/2 ents=2/2 dma_addrs={10,10} sizes={64,64} \
             phys_addrs={20,20} attrs="
        );
        assert_eq!(
            line(map(1)),
            "nic dir=TO_DEVICE nents=1/2 ents=1/2 [TRUNCATED] dma_addrs={10} sizes={64} \
             phys_addrs={20} attrs="
        );
        let error = DmaTraceKind::MapSgErr {
            phys: vec![phys(0x20)],
            code: -75,
            attrs: Attrs::MMIO,
        };
        assert_eq!(
            line(error),
            "nic dir=TO_DEVICE dma_addrs={20} err=-75 attrs=MMIO"
        );
    }
}
