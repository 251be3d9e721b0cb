//! A plan: everything that a run does, as plain data that a seed decides and a person can read.

use std::fmt;

use rebound_sim::axi::BusPolicy;
use rebound_sim::cpu::CostModel;
use rebound_sim::stream::StreamPolicy;
use serde::{Deserialize, Serialize};

use crate::seed::Seed;
use crate::violation::{Check, Violation};

/// What one run does, from the machine to the expected verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The seed it was made from; also seeds the bus.
    pub seed: Seed,
    /// Memory, CPUs and bounce pool.
    pub machine: MachinePlan,
    /// What the driver declares about the device.
    pub device: DeviceLimits,
    /// How the engine is built.
    pub engine: EnginePlan,
    /// Straps that the driver sets before its first transfer, if it sets any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub straps: Option<Straps>,
    /// How the bus behaves.
    pub bus: BusPolicy,
    /// How the streams stall.
    pub stream: StreamPolicy,
    /// Latency that the bus adds without the budget knowing: only in the negative control of the budget.
    pub unplanned_latency_cycles: u32,
    /// Bursts in flight that the budget takes for granted, however the engine is built: only in the negative
    /// control of the budget.
    pub promised_bursts: Option<u32>,
    /// What the CPUs' work costs.
    pub costs: CostModel,
    /// The buffers, guards not counted.
    pub buffers: Vec<BufferPlan>,
    /// The transfers; those of one CPU are done in this order.
    pub transfers: Vec<Transfer>,
    /// Situations that the run must come into, or it shows nothing.
    pub demands: Vec<Demand>,
    /// What the verdict should be.
    pub expect: Expect,
}

/// Memory, CPUs and bounce pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MachinePlan {
    /// Ranges of RAM, ascending.
    pub ram: Vec<Range>,
    /// Number of CPUs.
    pub cpus: usize,
    /// Whether this is a confidential guest, whose devices must be given shared pages only.
    pub is_confidential: bool,
    /// The bounce pool, if the machine has one.
    pub pool: Option<PoolPlan>,
    /// The IOMMU that the device is behind, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iommu: Option<IommuPlan>,
    /// Memory that the page allocator gives out, ascending: coherent memory is made of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pages: Vec<Range>,
}

/// An IOMMU with pages of [`IOMMU_PAGE_BYTES`], which forgets a mapping with its unmap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IommuPlan {
    /// Whether the device is external or otherwise not trusted (`untrusted`): it is to see its buffers and
    /// nothing else.
    pub is_untrusted: bool,
}

/// Bytes of the smallest page of an IOMMU: its granule.
pub const IOMMU_PAGE_BYTES: u64 = 4096;

/// A half-open range of physical addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// First address.
    pub base: u64,
    /// Length in bytes.
    pub bytes: u64,
}

impl PoolPlan {
    /// A pool of everybody's, of one area: it refuses mappings when it is full.
    #[must_use]
    pub const fn fixed(base: u64, slots: u64) -> Self {
        Self {
            base,
            slots,
            areas: 1,
            is_forced: false,
            kind: PoolKind::Fixed,
            spare: None,
        }
    }

    /// First address past its last slot.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.base + self.slots * swiotlb::SLOT_BYTES
    }
}

impl Range {
    /// First address past the range.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.base + self.bytes
    }
}

/// The bounce pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolPlan {
    /// Physical address of its first slot.
    pub base: u64,
    /// Slots of 2 KiB.
    pub slots: u64,
    /// Areas with a search of their own.
    pub areas: u32,
    /// Whether every mapping is bounced, reachable or not (`swiotlb=force`).
    pub is_forced: bool,
    /// Whose it is, and what happens when it is full.
    pub kind: PoolKind,
    /// Memory that further pools and buffers are made of.
    pub spare: Option<Range>,
}

/// Whose a pool is, and what happens when it is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PoolKind {
    /// Everybody's; when it is full, mappings are refused.
    Fixed,
    /// The device's own, and all that it may use (`restricted-dma-pool`).
    Restricted,
    /// Everybody's, for small mappings; larger ones get a buffer of their own.
    PerBuffer,
    /// Everybody's; when it is full, a worker adds further pools (`CONFIG_SWIOTLB_DYNAMIC`).
    Growing,
    /// As `Growing`, and pools that are not needed any more are given back.
    Shrinking,
}

impl PoolKind {
    /// Returns whether there is work for a worker.
    #[must_use]
    pub const fn has_worker(self) -> bool {
        matches!(self, Self::Growing | Self::Shrinking)
    }
}

/// What the driver declares about the device, and what the machine says about its bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceLimits {
    /// Highest DMA address (`dma_mask`).
    pub dma_mask: u64,
    /// Highest DMA address of coherent memory, where that is another one (`coherent_dma_mask`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coherent_dma_mask: Option<u64>,
    /// Highest DMA address that the bus passes, if it is not all (`bus_dma_limit`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bus_dma_limit: Option<u64>,
    /// Where the device sees memory, if not at its physical address (`dma_range_map`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// Low address bits that a bounce buffer must keep (`min_align_mask`).
    pub min_align_mask: u32,
    /// A mapping must not cross a multiple of this plus one (`segment_boundary_mask`).
    pub segment_boundary_mask: u64,
    /// Longest transfer in bytes, if less than the engine's: the driver splits what is longer (`max_segment_size`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_segment_bytes: Option<u32>,
    /// Addresses and lengths must be multiples of this, if not of 1: where the driver splits, it does so here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granule_bytes: Option<u32>,
}

/// The window of a bus on physical memory (`struct bus_dma_region`): outside of it the bus answers DECERR.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// DMA address of its first byte.
    pub bus_base: u64,
    /// Physical address of its first byte.
    pub cpu_base: u64,
    /// Length in bytes.
    pub bytes: u64,
}

/// What an engine is strapped to: its registers `ADDR_LIMIT` and `BOUNDARY`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Straps {
    /// DMA address bits of the data.
    pub addr_bits: u32,
    /// DMA address bits of the descriptors.
    pub ring_bits: u32,
    /// Low address bits that do not carry, in [`AddrMode::Boundary`]; 64 is none.
    pub boundary_bits: u32,
}

impl DeviceLimits {
    /// A device that reaches `bits` address bits and asks for nothing else.
    #[must_use]
    pub const fn bits(bits: u32) -> Self {
        Self {
            dma_mask: low_bits(bits),
            coherent_dma_mask: None,
            bus_dma_limit: None,
            window: None,
            min_align_mask: 0,
            segment_boundary_mask: u64::MAX,
            max_segment_bytes: None,
            granule_bytes: None,
        }
    }
}

/// Returns a number whose low `bits` bits are set (`DMA_BIT_MASK`).
#[must_use]
pub const fn low_bits(bits: u32) -> u64 {
    if bits >= 64 {
        u64::MAX
    } else {
        (1 << bits) - 1
    }
}

/// What the engine does with address bits that it does not implement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AddrMode {
    /// Drops them silently.
    Truncate,
    /// Refuses the transfer with a status.
    Error,
    /// Does not carry out of the low 16 bits, as the 8237.
    Wrap64K,
    /// Does not carry out of as many low bits as the boundary says.
    Boundary,
}

/// A fault planted in the engine, to show that the testbench notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlantedFault {
    /// Bursts ignore the 4 KiB boundary.
    Cross4K,
    /// The last write beat of a transfer has no strobes.
    LostTail,
    /// A transfer from the device is done before its last write response.
    EarlyDone,
    /// AWADDR changes while AWREADY is low.
    AwUnstable,
    /// WLAST is never set.
    WlastMissing,
    /// WLAST is set one beat early as well.
    WlastEarly,
    /// AWVALID falls without AWREADY.
    AwDropped,
    /// ARADDR changes while ARREADY is low.
    ArUnstable,
    /// WDATA changes while WREADY is low.
    WUnstable,
    /// The first write beat strobes lanes before the buffer.
    WideStrobes,
    /// More read bursts are in flight than declared.
    TooManyReads,
    /// ARBURST is the reserved value 3.
    BadBurstType,
    /// AWSIZE is wider than the bus.
    BadSize,
    /// The two lowest bytes of a write beat are swapped.
    SwappedBytes,
    /// A transfer from the device never ends.
    NeverDone,
    /// The last write burst of a transfer goes one beat too far.
    WrongAddress,
    /// TDATA changes while TREADY is low.
    StreamUnstable,
    /// TVALID falls without TREADY.
    StreamDropped,
    /// ARVALID is high during reset.
    ValidInReset,
    /// The interrupt never rises.
    LostInterrupt,
    /// The last read burst of a transfer reads the neighbouring page.
    ReadAstray,
}

impl PlantedFault {
    /// Every fault, in the order of its number.
    pub const ALL: [Self; 21] = [
        Self::Cross4K,
        Self::LostTail,
        Self::EarlyDone,
        Self::AwUnstable,
        Self::WlastMissing,
        Self::WlastEarly,
        Self::AwDropped,
        Self::ArUnstable,
        Self::WUnstable,
        Self::WideStrobes,
        Self::TooManyReads,
        Self::BadBurstType,
        Self::BadSize,
        Self::SwappedBytes,
        Self::NeverDone,
        Self::WrongAddress,
        Self::StreamUnstable,
        Self::StreamDropped,
        Self::ValidInReset,
        Self::LostInterrupt,
        Self::ReadAstray,
    ];

    /// Returns its number, the value of the engine's parameter `PlantedFault`.
    #[must_use]
    pub const fn number(self) -> u32 {
        self as u32 + 1
    }
}

/// How the engine is built: the parameters of `rtl/dma_engine.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnginePlan {
    /// Width of bus and streams in bits.
    pub data_width: u32,
    /// Implemented DMA address bits.
    pub addr_bits: u32,
    /// What happens to the bits above them.
    pub addr_mode: AddrMode,
    /// Low address bits that do not carry into those above, in [`AddrMode::Boundary`]: 12 to 64.
    pub boundary_bits: u32,
    /// Longest burst in beats.
    pub max_burst_beats: u32,
    /// Read bursts in flight.
    pub max_reads: u32,
    /// Write bursts in flight.
    pub max_writes: u32,
    /// Depth of the read FIFO in beats, which every read burst in flight claims its share of.
    pub fifo_depth: u32,
    /// Descriptors that each ring fetches ahead; 0 leaves the rings out.
    pub ring_depth: u32,
    /// A planted fault, in negative controls.
    pub planted_fault: Option<PlantedFault>,
}

impl EnginePlan {
    /// An engine with this many address bits and otherwise the usual parameters.
    #[must_use]
    pub const fn bits(addr_bits: u32) -> Self {
        Self {
            data_width: 64,
            addr_bits,
            addr_mode: AddrMode::Truncate,
            boundary_bits: 64,
            max_burst_beats: 16,
            max_reads: 16,
            max_writes: 16,
            fifo_depth: 512,
            ring_depth: 64,
            planted_fault: None,
        }
    }

    /// Bytes in one bus beat.
    #[must_use]
    pub const fn beat_bytes(&self) -> u64 {
        self.data_width as u64 / 8
    }

    /// Full read bursts that can be in flight together: as many as the FIFO has room for, at most `max_reads`.
    #[must_use]
    pub const fn reads_in_flight(&self) -> u32 {
        let room = self.fifo_depth / self.max_burst_beats;
        if room < self.max_reads {
            room
        } else {
            self.max_reads
        }
    }
}

/// What a buffer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BufferUse {
    /// The device reads it.
    Source,
    /// The device writes it.
    Destination,
    /// Other people's memory: nobody lends it.
    Bystander,
}

/// A buffer in host memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BufferPlan {
    /// Name used in messages.
    pub name: String,
    /// What it is for.
    pub purpose: BufferUse,
    /// Physical address.
    pub phys: u64,
    /// Length in bytes.
    pub bytes: u64,
}

/// What a transfer moves; buffers by their index in the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Movement {
    /// Memory to stream.
    ToDevice {
        /// The source.
        source: usize,
    },
    /// Stream to memory.
    FromDevice {
        /// The destination.
        destination: usize,
    },
    /// Memory to memory, through the engine's loopback.
    Copy {
        /// The source.
        source: usize,
        /// The destination.
        destination: usize,
    },
}

/// How a transfer uses its mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Usage {
    /// Map, move all, unmap.
    Once,
    /// Map all as a scatter-gather list, move entry by entry, unmap the list.
    List {
        /// Entries, of the same length but for the last one.
        entries: u32,
    },
    /// Map and move all; then move a part again and again with syncs between; then unmap.
    Reuse {
        /// Further rounds after the first.
        rounds: u32,
        /// First byte of the part.
        offset: u64,
        /// Length of the part in bytes.
        bytes: u64,
    },
    /// Map and move all; then let the device read the whole pages of the IOMMU that the mapping touches;
    /// unmap, and let it try that again. Of a source only.
    Overreach,
    /// Copy records from one ring of coherent memory to another, both allocated before and freed after,
    /// and find them there without an interrupt or a sync.
    Ring {
        /// Bytes of records that the engine copies at once; at least 8.
        batch_bytes: u64,
        /// Rounds through the whole ring.
        laps: u32,
    },
}

/// How a transfer should end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// All bytes moved.
    Done,
    /// The engine reports SLVERR.
    Slverr,
    /// The engine reports DECERR.
    Decerr,
    /// The engine refuses an address beyond its limit.
    AddrLimit,
}

/// A driver's mistake, in negative controls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mistake {
    /// Gives the physical address to the device as it is, without bouncing.
    SkipsBouncing,
    /// Leaves out the sync for the device after the CPU wrote.
    SkipsSyncForDevice,
    /// Leaves out the sync for the CPU before the CPU reads.
    SkipsSyncForCpu,
    /// Unmaps while the device still works.
    UnmapsEarly,
    /// Never unmaps; of coherent memory, never frees.
    NeverUnmaps,
    /// Maps with the opposite direction.
    SwapsDirection,
    /// Leaves the interrupt disabled and waits for it.
    KeepsInterruptDisabled,
    /// Programs a longer transfer than was mapped.
    ProgramsTooLong,
    /// Unmaps, and then unmaps again; of coherent memory, frees it twice.
    UnmapsTwice,
    /// Unmaps with half of the size.
    UnmapsHalf,
    /// Unmaps with the opposite direction.
    UnmapsSwapped,
    /// Unmaps with `SKIP_CPU_SYNC`, without a sync before.
    UnmapsSkippingSync,
    /// Never asks whether a mapping has failed.
    SkipsMappingError,
    /// Syncs for the device past the end of the mapping.
    SyncsOutside,
    /// Writes a mapped source without taking it back from the device first.
    WritesLent,
}

/// One job for the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// CPU whose driver does it.
    pub cpu: usize,
    /// What moves.
    pub movement: Movement,
    /// How the mapping is used.
    pub usage: Usage,
    /// How it should end.
    pub outcome: Outcome,
    /// A mistake of the driver.
    pub mistake: Option<Mistake>,
}

/// A situation that a run must come into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Demand {
    /// A mapping is refused because the pool is full, and tried again.
    PoolRunsFull,
    /// Both channels work at the same time.
    ChannelsOverlap,
    /// Some mappings are bounced, and some are not.
    MixedMappings,
    /// A mapping gets a pool for itself alone, because the others are full.
    TransientPool,
    /// A mapping goes through a pool that was added.
    GrownPool,
    /// A mapping gets a buffer of its own instead of slots.
    OwnBuffer,
    /// A mapping is bounced after a pool was given back.
    ShrunkPool,
    /// There is coherent memory, and no CPU copies a byte into or out of a bounce buffer.
    CoherentOnly,
}

/// What the verdict of a run should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expect {
    /// No violation.
    Pass,
    /// A planted fault is caught: there is every violation of `must`, and nothing beside these checks and `may`.
    Caught {
        /// The violations that there have to be.
        must: Vec<Wanted>,
        /// Checks that may fire as a consequence.
        may: Vec<Check>,
    },
}

/// A violation that a planted fault has to lead to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// The check that it breaks.
    pub check: Check,
    /// What its text begins with: the name of a protocol rule, for instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<String>,
}

impl Wanted {
    /// A breach of the protocol rule `name`.
    #[must_use]
    pub fn rule(name: &str) -> Self {
        Self {
            check: Check::Protocol,
            words: Some(format!("{name} ")),
        }
    }

    /// Returns whether this is such a violation.
    #[must_use]
    pub fn is(&self, violation: &Violation) -> bool {
        let words = self.words.as_deref().unwrap_or_default();
        violation.check == self.check && violation.text.starts_with(words)
    }
}

impl From<Check> for Wanted {
    fn from(check: Check) -> Self {
        Self { check, words: None }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}`", self.check)?;
        match &self.words {
            Some(words) => write!(formatter, ", {}", words.trim()),
            None => Ok(()),
        }
    }
}

impl Expect {
    /// Returns whether a violation of `check` was not to be expected.
    #[must_use]
    pub fn is_foreign(&self, check: Check) -> bool {
        match self {
            Self::Pass => true,
            Self::Caught { must, may } => {
                must.iter().all(|wanted| wanted.check != check) && !may.contains(&check)
            }
        }
    }
}

impl Plan {
    /// A machine of one CPU with nothing to do yet and no RAM, whose device and engine reach `bits` address bits;
    /// its bus answers after `latency_cycles`.
    #[must_use]
    pub fn idle(seed: Seed, bits: u32, pool: Option<PoolPlan>, latency_cycles: u32) -> Self {
        Self {
            seed,
            machine: MachinePlan {
                ram: Vec::new(),
                cpus: 1,
                is_confidential: false,
                pool,
                iommu: None,
                pages: Vec::new(),
            },
            device: DeviceLimits::bits(bits),
            engine: EnginePlan::bits(bits),
            straps: None,
            bus: BusPolicy::with_latency(latency_cycles),
            stream: StreamPolicy::default(),
            unplanned_latency_cycles: 0,
            promised_bursts: None,
            costs: CostModel::default(),
            buffers: Vec::new(),
            transfers: Vec::new(),
            demands: Vec::new(),
            expect: Expect::Pass,
        }
    }

    /// Bytes that the transfer moves in all its rounds.
    #[must_use]
    pub fn bytes_of(&self, transfer: &Transfer) -> u64 {
        let whole = self.buffer_of(transfer).bytes;
        match transfer.usage {
            Usage::Once | Usage::List { .. } | Usage::Overreach => whole,
            Usage::Ring { laps, .. } => u64::from(laps) * whole,
            Usage::Reuse { rounds, bytes, .. } => whole + u64::from(rounds) * bytes,
        }
    }

    /// The buffer that decides the length of a transfer.
    #[must_use]
    pub fn buffer_of(&self, transfer: &Transfer) -> &BufferPlan {
        match transfer.movement {
            Movement::ToDevice { source } | Movement::Copy { source, .. } => &self.buffers[source],
            Movement::FromDevice { destination } => &self.buffers[destination],
        }
    }

    /// Returns whether a buffer is a ring of coherent memory, which lies where its allocation says.
    #[must_use]
    pub fn is_coherent(&self, buffer: usize) -> bool {
        self.transfers.iter().any(|transfer| {
            let is_used = match transfer.movement {
                Movement::ToDevice { source } => source == buffer,
                Movement::FromDevice { destination } => destination == buffer,
                Movement::Copy {
                    source,
                    destination,
                } => source == buffer || destination == buffer,
            };
            is_used && matches!(transfer.usage, Usage::Ring { .. })
        })
    }

    /// Returns whether a mapping of these bytes has to go through the pool: the device does not reach all of
    /// them or must not, or bouncing is forced. Behind an IOMMU it reaches all, but one that is not trusted
    /// gets whole pages of its own.
    #[must_use]
    pub fn should_bounce(&self, phys: u64, bytes: u64) -> bool {
        if let Some(iommu) = self.machine.iommu {
            return iommu.is_untrusted && !(phys | bytes).is_multiple_of(IOMMU_PAGE_BYTES);
        }
        let is_forced = self
            .machine
            .pool
            .as_ref()
            .is_some_and(|pool| pool.is_forced || pool.kind == PoolKind::Restricted);
        is_forced || self.machine.is_confidential || !self.device.reaches(phys, bytes)
    }

    /// Returns whether the same work can be done unbounced: every transfer should succeed.
    #[must_use]
    pub fn is_comparable(&self) -> bool {
        self.transfers
            .iter()
            .all(|transfer| transfer.outcome == Outcome::Done)
    }

    /// The same work with nothing to bounce: an engine and a mask of 64 bits, and no forced bouncing.
    #[must_use]
    pub fn unbounced(&self) -> Self {
        let mut plan = self.clone();
        plan.demands.clear();
        plan.engine.addr_bits = 64;
        plan.engine.addr_mode = AddrMode::Truncate;
        plan.engine.boundary_bits = 64;
        plan.straps = None;
        plan.device.dma_mask = u64::MAX;
        plan.device.coherent_dma_mask = None;
        plan.device.bus_dma_limit = None;
        plan.device.window = None;
        // Without bouncing nobody keeps the limits of the buffers' places: they lie where they lie.
        plan.device.segment_boundary_mask = u64::MAX;
        plan.device.min_align_mask = 0;
        plan.machine.is_confidential = false;
        plan.machine.iommu = None;
        for transfer in &mut plan.transfers {
            // There are no pages of an IOMMU to read around the buffer.
            if transfer.usage == Usage::Overreach {
                transfer.usage = Usage::Once;
            }
        }
        plan.bus.refuse_private = false;
        if let Some(pool) = &mut plan.machine.pool {
            pool.is_forced = false;
            pool.kind = PoolKind::Fixed;
        }
        plan
    }
}
