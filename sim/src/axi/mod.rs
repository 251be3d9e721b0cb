//! The bus: an AXI4 subordinate over host memory for each manager port of the core.
//!
//! Timing, to the cycle. With `read_latency_cycles` = L, a burst whose AR handshake is in cycle c can
//! have its first R handshake in cycle c + L, then one beat each cycle, burst after burst without a gap.
//! With `write_latency_cycles` = L, B can be taken L cycles after the last W handshake (or the AW
//! handshake, if that is later). A read beat samples memory when it is presented, that is, at the start
//! of the first cycle with RVALID; it sees all writes of the cycles before.
//!
//! The subordinate acts and never judges: it serves what breaks a rule as well as it can.

mod access;
mod burst;
mod counters;
mod iommu;
mod order;
mod policy;
mod rate;
mod read;
mod write;

pub use self::access::FILLER;
pub use self::burst::{Burst, BurstKind, Response};
pub use self::counters::{BusCounters, ChannelCounters, DirectionCounters};
pub use self::iommu::{Iommu, IommuAccess};
pub use self::policy::{
    AddressWindow, Bandwidth, BusPolicy, ChannelStalls, FaultAccess, FaultResponse, FaultWindow,
    MAX_IN_FLIGHT, PolicyError, ResponseOrder,
};

use self::access::Access;
use self::read::ReadSide;
use self::write::{Pass, WriteSide};
use crate::events::EventLog;
use crate::memory::HostMemory;
use crate::pins::AxiManagerPins;
use crate::seed::{RandomStream, Seed};
use crate::stall::{Stall, Staller};

/// What both sides need to know of the port.
#[derive(Debug, Clone, Copy)]
struct Wires {
    port: usize,
    bus_bytes: u32,
    lane_mask: u128,
}

/// Where a port's random numbers come from.
struct Setup<'a> {
    seed: Seed,
    policy: &'a BusPolicy,
}

impl Setup<'_> {
    fn random(&self, name: &str) -> RandomStream {
        self.seed.stream(name)
    }

    fn staller(&self, stall: Stall, channel: &'static str) -> Result<Staller, PolicyError> {
        debug_assert!(
            self.policy
                .stalls
                .all()
                .iter()
                .any(|(name, _)| *name == channel)
        );
        Staller::new(stall, self.seed, &format!("{channel}.stall"))
            .map_err(|source| PolicyError::Stall { channel, source })
    }
}

/// The memory side of one AXI manager port.
#[derive(Debug)]
pub struct Subordinate {
    wires: Wires,
    access: Access,
    reads: ReadSide,
    writes: WriteSide,
    /// Nothing is in flight, and the pins say so: ready, and no answers.
    is_quiet: bool,
}

impl Subordinate {
    /// Creates the subordinate of manager port `port`, a bus of `bus_bytes` bytes (a power of two up to
    /// 128), behaving by `policy`.
    ///
    /// # Errors
    /// If the policy does not pass [`BusPolicy::check`].
    ///
    /// # Panics
    /// If `bus_bytes` is no width of AXI: the manifest was to refuse such a core.
    pub fn new(
        port: usize,
        bus_bytes: u32,
        policy: &BusPolicy,
        seed: Seed,
    ) -> Result<Self, PolicyError> {
        assert!(
            bus_bytes.is_power_of_two() && bus_bytes <= 128,
            "manager port {port}: expected a data bus of 1 to 128 bytes, found {bus_bytes}"
        );
        policy.check()?;
        let setup = Setup {
            seed: seed.derive(&format!("bus.{port}")),
            policy,
        };
        Ok(Self {
            wires: Wires {
                port,
                bus_bytes,
                lane_mask: u128::MAX >> (128 - bus_bytes),
            },
            access: Access::new(policy),
            reads: ReadSide::new(policy, &setup)?,
            writes: WriteSide::new(policy, &setup)?,
            is_quiet: false,
        })
    }

    /// Puts this cycle's values on the pins to the core.
    #[inline]
    pub fn drive(&mut self, cycle: u64, pins: &mut AxiManagerPins, memory: &mut HostMemory) {
        if self.is_quiet {
            return;
        }
        self.is_quiet = self.reads.is_idle() && self.writes.is_idle();
        self.reads
            .drive(cycle, pins, self.wires, &self.access, memory);
        self.writes.drive(cycle, pins);
    }

    /// Takes the handshakes of this cycle.
    #[inline]
    pub(crate) fn sample(
        &mut self,
        cycle: u64,
        pins: &AxiManagerPins,
        memory: &mut HostMemory,
        log: &mut EventLog,
    ) {
        if self.is_quiet {
            if (pins.ar.valid | pins.aw.valid | pins.wvalid) == 0 {
                return;
            }
            self.is_quiet = false;
        }
        self.reads.sample(cycle, pins, self.wires, log);
        let mut pass = Pass {
            cycle,
            wires: self.wires,
            access: &self.access,
            memory,
            log,
        };
        self.writes.sample(pins, &mut pass);
    }

    /// Returns what the port did up to the cycle before `now`.
    #[must_use]
    pub fn counters(&self, now: u64) -> BusCounters {
        let (read, write) = (self.reads.tally(), self.writes.tally());
        BusCounters {
            read: read.direction(now),
            write: write.direction(now),
            ar: read.address,
            r: read.data,
            aw: write.address,
            w: write.data,
            b: write.response,
        }
    }

    /// Returns the bursts accepted and not yet finished, reads and writes.
    #[must_use]
    pub fn in_flight(&self) -> (usize, usize) {
        (self.reads.in_flight(), self.writes.in_flight())
    }

    /// Returns the fault windows.
    #[must_use]
    pub fn faults(&self) -> &[FaultWindow] {
        self.access.faults()
    }

    /// Replaces the fault windows, with effect on the beats from now on.
    ///
    /// # Errors
    /// If a window is empty or leaves the address space; the old ones then stay.
    pub fn set_faults(&mut self, faults: Vec<FaultWindow>) -> Result<(), PolicyError> {
        faults.iter().try_for_each(FaultWindow::check)?;
        self.access.set_faults(faults);
        Ok(())
    }

    /// Puts an IOMMU before memory, or takes it away, with effect on the beats from now on.
    pub fn set_iommu(&mut self, iommu: Option<Box<dyn Iommu>>) {
        self.access.set_iommu(iommu);
    }

    /// Forgets all bursts and takes all answers off the pins, as when the core is reset.
    pub(crate) fn reset(&mut self, cycle: u64, pins: &mut AxiManagerPins) {
        self.reads.clear(cycle);
        self.writes.clear(cycle);
        self.is_quiet = false;
        for pin in [
            &mut pins.arready,
            &mut pins.awready,
            &mut pins.wready,
            &mut pins.rvalid,
            &mut pins.bvalid,
        ] {
            *pin = 0;
        }
    }
}

#[cfg(test)]
mod tests;
