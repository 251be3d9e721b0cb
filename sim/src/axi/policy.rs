//! How the bus behaves towards the core: latency, stalls, bandwidth, order, faults, address windows.

use serde::{Deserialize, Serialize};
use swiotlb::{DmaAddr, PhysAddr};

use super::burst::Response;
use crate::memory::PAGE_BYTES;
use crate::stall::{Stall, StallError};

/// Most bursts in flight that a policy may allow for one direction.
pub const MAX_IN_FLIGHT: u32 = 65_536;

/// The behaviour of one AXI manager port's memory, as plain data.
///
/// The default is an ideal memory: ready always, first read beat and write response one cycle after
/// the address or last data, one beat per cycle, in order, up to 1024 bursts in flight each way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BusPolicy {
    /// Cycles from the AR handshake to the first cycle in which its first beat can be taken; at least 1.
    pub read_latency_cycles: u32,
    /// Cycles from the last W handshake (or the AW handshake, if later) to the first cycle in which B
    /// can be taken; at least 1.
    pub write_latency_cycles: u32,
    /// Up to this many more cycles of read latency, drawn for each burst.
    pub read_jitter_cycles: u32,
    /// Up to this many more cycles of write latency, drawn for each burst.
    pub write_jitter_cycles: u32,
    /// Stalls of each channel.
    pub stalls: ChannelStalls,
    /// Most R beats over time; `None` for one each cycle.
    pub read_bandwidth: Option<Bandwidth>,
    /// Most W beats over time; `None` for one each cycle.
    pub write_bandwidth: Option<Bandwidth>,
    /// Most bursts accepted on AR and not yet finished on R.
    pub max_reads: u32,
    /// Most bursts accepted on AW and not yet answered on B.
    pub max_writes: u32,
    /// In which order bursts are answered.
    pub order: ResponseOrder,
    /// Ranges in which accesses fail.
    pub faults: Vec<FaultWindow>,
    /// DMA addresses that reach memory, and where; empty for all, each at the equal physical address.
    pub windows: Vec<AddressWindow>,
    /// Answers DECERR for private pages, as a confidential guest's memory does to its devices.
    pub refuse_private: bool,
}

impl Default for BusPolicy {
    fn default() -> Self {
        Self {
            read_latency_cycles: 1,
            write_latency_cycles: 1,
            read_jitter_cycles: 0,
            write_jitter_cycles: 0,
            stalls: ChannelStalls::default(),
            read_bandwidth: None,
            write_bandwidth: None,
            max_reads: 1024,
            max_writes: 1024,
            order: ResponseOrder::InOrder,
            faults: Vec::new(),
            windows: Vec::new(),
            refuse_private: false,
        }
    }
}

impl BusPolicy {
    /// Returns the ideal memory with `cycles` of latency on reads and writes.
    #[must_use]
    pub fn with_latency(cycles: u32) -> Self {
        Self {
            read_latency_cycles: cycles,
            write_latency_cycles: cycles,
            ..Self::default()
        }
    }

    /// Checks that the numbers mean something.
    ///
    /// # Errors
    /// If a latency or limit is out of range, a stall blocks for ever, or a window is empty, misaligned
    /// or overlaps another.
    pub fn check(&self) -> Result<(), PolicyError> {
        for (name, cycles) in [
            ("read_latency_cycles", self.read_latency_cycles),
            ("write_latency_cycles", self.write_latency_cycles),
        ] {
            if cycles == 0 {
                return Err(PolicyError::ZeroLatency(name));
            }
        }
        for (name, found) in [
            ("max_reads", self.max_reads),
            ("max_writes", self.max_writes),
        ] {
            if !(1..=MAX_IN_FLIGHT).contains(&found) {
                return Err(PolicyError::InFlight { name, found });
            }
        }
        for (channel, stall) in self.stalls.all() {
            stall
                .check()
                .map_err(|source| PolicyError::Stall { channel, source })?;
        }
        for (name, bandwidth) in [
            ("read_bandwidth", self.read_bandwidth),
            ("write_bandwidth", self.write_bandwidth),
        ] {
            if let Some(Bandwidth { beats, cycles }) = bandwidth
                && !(1..=cycles).contains(&beats)
            {
                return Err(PolicyError::Bandwidth {
                    name,
                    beats,
                    cycles,
                });
            }
        }
        self.faults.iter().try_for_each(FaultWindow::check)?;
        self.windows.iter().try_for_each(AddressWindow::check)?;
        for (place, window) in self.windows.iter().enumerate() {
            if let Some(other) = self.windows[..place].iter().find(|other| {
                window.dma_base.raw() <= other.last() && other.dma_base.raw() <= window.last()
            }) {
                return Err(PolicyError::WindowOverlap {
                    first: *other,
                    second: *window,
                });
            }
        }
        Ok(())
    }
}

/// Stalls of the five channels. Sinks (AR, AW, W) hold ready low; sources (R, B) present nothing new.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChannelStalls {
    /// Read addresses.
    pub ar: Stall,
    /// Read data.
    pub r: Stall,
    /// Write addresses.
    pub aw: Stall,
    /// Write data.
    pub w: Stall,
    /// Write responses.
    pub b: Stall,
}

impl ChannelStalls {
    /// Returns the same stall on every channel.
    #[must_use]
    pub const fn uniform(stall: Stall) -> Self {
        Self {
            ar: stall,
            r: stall,
            aw: stall,
            w: stall,
            b: stall,
        }
    }

    /// Returns the channels by name.
    #[must_use]
    pub const fn all(&self) -> [(&'static str, Stall); 5] {
        [
            ("ar", self.ar),
            ("r", self.r),
            ("aw", self.aw),
            ("w", self.w),
            ("b", self.b),
        ]
    }
}

/// At most `beats` data beats in `cycles` cycles, evenly spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bandwidth {
    /// Beats, from 1 to `cycles`.
    pub beats: u32,
    /// Cycles.
    pub cycles: u32,
}

/// In which order bursts are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ResponseOrder {
    /// As their addresses came.
    #[default]
    InOrder,
    /// In random order between IDs; bursts of one ID stay in order (IHI 0022, A5.3).
    ReorderById {
        /// Also mixes the beats of read bursts of different IDs (IHI 0022, A5.3.3).
        interleave_reads: bool,
    },
}

/// Which accesses a fault window meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultAccess {
    /// Reads by the core.
    Read,
    /// Writes by the core.
    Write,
    /// Both.
    Both,
}

/// The error that a fault window answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum FaultResponse {
    /// SLVERR.
    Slverr,
    /// DECERR.
    Decerr,
}

impl From<FaultResponse> for Response {
    fn from(fault: FaultResponse) -> Self {
        match fault {
            FaultResponse::Slverr => Self::Slverr,
            FaultResponse::Decerr => Self::Decerr,
        }
    }
}

/// A range of DMA addresses in which accesses fail. A beat that touches it fails as a whole: a read
/// gets filler bytes, a write leaves memory as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultWindow {
    /// First DMA address.
    #[serde(with = "raw_dma")]
    pub dma_base: DmaAddr,
    /// Length in bytes.
    pub bytes: u64,
    /// Which accesses fail.
    pub access: FaultAccess,
    /// What they are answered.
    pub response: FaultResponse,
}

impl FaultWindow {
    /// Checks that the window has bytes and ends within the space.
    ///
    /// # Errors
    /// If it has not, or does not.
    pub fn check(&self) -> Result<(), PolicyError> {
        check_extent("faults", self.dma_base.raw(), self.bytes)
    }

    /// Returns whether a beat of `bytes` bytes at `dma` fails here.
    pub(super) const fn hits(&self, dma: u64, bytes: u32, is_write: bool) -> bool {
        let concerned = match self.access {
            FaultAccess::Read => !is_write,
            FaultAccess::Write => is_write,
            FaultAccess::Both => true,
        };
        concerned
            && dma <= self.dma_base.raw() + (self.bytes - 1)
            && self.dma_base.raw() <= dma.saturating_add(bytes as u64 - 1)
    }
}

/// A range of DMA addresses and the physical addresses it reaches (Linux: a `dma-ranges` entry).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddressWindow {
    /// First DMA address; a multiple of 4096.
    #[serde(with = "raw_dma")]
    pub dma_base: DmaAddr,
    /// Physical address that it reaches; a multiple of 4096.
    #[serde(with = "raw_phys")]
    pub phys_base: PhysAddr,
    /// Length in bytes; a multiple of 4096.
    pub bytes: u64,
}

impl AddressWindow {
    /// Returns the physical address behind a DMA address, if it lies in the window.
    #[inline]
    #[must_use]
    pub const fn translate(&self, dma: DmaAddr) -> Option<PhysAddr> {
        match dma.raw().checked_sub(self.dma_base.raw()) {
            Some(offset) if offset < self.bytes => self.phys_base.checked_add(offset),
            _ => None,
        }
    }

    const fn last(&self) -> u64 {
        self.dma_base.raw() + (self.bytes - 1)
    }

    fn check(&self) -> Result<(), PolicyError> {
        check_extent("windows", self.dma_base.raw(), self.bytes)?;
        check_extent("windows", self.phys_base.raw(), self.bytes)?;
        if [self.dma_base.raw(), self.phys_base.raw(), self.bytes]
            .iter()
            .any(|value| !value.is_multiple_of(PAGE_BYTES))
        {
            return Err(PolicyError::WindowAlignment(*self));
        }
        Ok(())
    }
}

fn check_extent(list: &'static str, base: u64, bytes: u64) -> Result<(), PolicyError> {
    if bytes == 0 || base.checked_add(bytes - 1).is_none() {
        return Err(PolicyError::Extent { list, base, bytes });
    }
    Ok(())
}

/// A bus policy that means nothing, or that would block a core for ever.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PolicyError {
    /// A latency of no cycles: an answer in the cycle of the question is no registered memory.
    #[error("bus policy {0}: expected at least 1 cycle, found 0")]
    ZeroLatency(&'static str),
    /// A limit of bursts in flight out of range.
    #[error("bus policy {name}: expected 1 to {MAX_IN_FLIGHT} bursts, found {found}")]
    InFlight {
        /// Field.
        name: &'static str,
        /// Value found.
        found: u32,
    },
    /// A stall pattern that blocks for ever.
    #[error("bus policy stalls.{channel}: {source}")]
    Stall {
        /// Channel.
        channel: &'static str,
        /// What is wrong with the pattern.
        source: StallError,
    },
    /// A bandwidth of no beats, or of more than one beat per cycle.
    #[error(
        "bus policy {name}: expected 1 beat to 1 beat per cycle, found {beats} beats in {cycles} cycles"
    )]
    Bandwidth {
        /// Field.
        name: &'static str,
        /// Beats found.
        beats: u32,
        /// Cycles found.
        cycles: u32,
    },
    /// A window without bytes, or past the end of the 64-bit space.
    #[error(
        "bus policy {list}: expected a range within 64 bits, found {bytes:#x} bytes at {base:#x}"
    )]
    Extent {
        /// Field.
        list: &'static str,
        /// First address.
        base: u64,
        /// Length found.
        bytes: u64,
    },
    /// An address window that does not consist of whole pages.
    #[error(
        "bus policy windows: expected multiples of 0x1000, found dma {}, phys {}, {:#x} bytes",
        .0.dma_base, .0.phys_base, .0.bytes
    )]
    WindowAlignment(AddressWindow),
    /// Two address windows claim the same DMA address.
    #[error(
        "bus policy windows: {:#x} bytes at {} overlap {:#x} bytes at {}",
        .second.bytes, .second.dma_base, .first.bytes, .first.dma_base
    )]
    WindowOverlap {
        /// The window that came first.
        first: AddressWindow,
        /// The window that overlaps it.
        second: AddressWindow,
    },
}

/// DMA addresses as bare numbers in files.
mod raw_dma {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use swiotlb::DmaAddr;

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde's signature for `with`"
    )]
    pub(super) fn serialize<S: Serializer>(addr: &DmaAddr, to: S) -> Result<S::Ok, S::Error> {
        addr.raw().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<DmaAddr, D::Error> {
        u64::deserialize(from).map(DmaAddr::new)
    }
}

/// Physical addresses as bare numbers in files.
mod raw_phys {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use swiotlb::PhysAddr;

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde's signature for `with`"
    )]
    pub(super) fn serialize<S: Serializer>(addr: &PhysAddr, to: S) -> Result<S::Ok, S::Error> {
        addr.raw().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<PhysAddr, D::Error> {
        u64::deserialize(from).map(PhysAddr::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(dma: u64, phys: u64, bytes: u64) -> AddressWindow {
        AddressWindow {
            dma_base: DmaAddr::new(dma),
            phys_base: PhysAddr::new(phys),
            bytes,
        }
    }

    #[test]
    fn the_default_is_the_ideal_memory_and_passes() {
        BusPolicy::default().check().unwrap();
        assert_eq!(BusPolicy::with_latency(200).read_latency_cycles, 200);
    }

    #[test]
    fn a_policy_survives_its_file_form() {
        let policy = BusPolicy {
            stalls: ChannelStalls::uniform(Stall::Random { probability: 0.25 }),
            read_bandwidth: Some(Bandwidth {
                beats: 3,
                cycles: 4,
            }),
            order: ResponseOrder::ReorderById {
                interleave_reads: true,
            },
            faults: vec![FaultWindow {
                dma_base: DmaAddr::new(0x1000),
                bytes: 16,
                access: FaultAccess::Both,
                response: FaultResponse::Decerr,
            }],
            windows: vec![window(0xc000_0000, 0, 0x4000_0000)],
            ..BusPolicy::with_latency(7)
        };
        let text = toml::to_string(&policy).unwrap();
        assert_eq!(toml::from_str::<BusPolicy>(&text).unwrap(), policy);
        assert!(toml::from_str::<BusPolicy>("latency = 3").is_err());
    }

    #[test]
    fn policies_that_mean_nothing_are_refused_by_field() {
        let zero = BusPolicy::with_latency(0).check().unwrap_err();
        assert_eq!(
            zero.to_string(),
            "bus policy read_latency_cycles: expected at least 1 cycle, found 0"
        );
        let check = |change: fn(&mut BusPolicy)| {
            let mut policy = BusPolicy::default();
            change(&mut policy);
            policy.check().unwrap_err().to_string()
        };
        assert!(check(|policy| policy.max_writes = 0).contains("max_writes"));
        assert!(check(|policy| policy.stalls.w = Stall::EveryN { period: 1 }).contains("stalls.w"));
        assert!(
            check(|policy| policy.read_bandwidth = Some(Bandwidth {
                beats: 5,
                cycles: 4
            }))
            .contains("found 5 beats in 4 cycles")
        );
        assert!(
            check(|policy| policy.windows = vec![window(0x800, 0, 0x1000)])
                .contains("multiples of 0x1000")
        );
        assert!(
            check(|policy| policy.windows =
                vec![window(0, 0, 0x2000), window(0x1000, 0x9000, 0x1000)])
            .contains("overlap")
        );
        assert!(
            check(|policy| policy.windows = vec![window(u64::MAX - 0xfff, 0, 0x2000)])
                .contains("within 64 bits")
        );
    }

    #[test]
    fn a_fault_window_hits_every_beat_that_touches_it() {
        let fault = FaultWindow {
            dma_base: DmaAddr::new(0x1004),
            bytes: 4,
            access: FaultAccess::Write,
            response: FaultResponse::Slverr,
        };
        assert!(fault.hits(0x1000, 8, true));
        assert!(fault.hits(0x1007, 1, true));
        assert!(!fault.hits(0x1008, 8, true));
        assert!(!fault.hits(0x0ffc, 8, true));
        assert!(!fault.hits(0x1004, 4, false));
    }

    #[test]
    fn a_window_translates_its_own_addresses_only() {
        let window = window(0xc000_0000, 0x1000, 0x2000);
        let translate = |dma| window.translate(DmaAddr::new(dma)).map(PhysAddr::raw);
        assert_eq!(translate(0xc000_0010), Some(0x1010));
        assert_eq!(translate(0xc000_1fff), Some(0x2fff));
        assert_eq!(translate(0xc000_2000), None);
        assert_eq!(translate(0xbfff_ffff), None);
    }
}
