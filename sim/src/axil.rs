//! The AXI4-Lite manager: register accesses of the driver as async calls. The handle that drivers hold,
//! [`Registers`], is the same for AXI4-Lite, APB and Wishbone.
//!
//! Accesses of a port are done one after the other, in the order in which they were asked for, each
//! from its address handshake to its response, as a CPU does with device memory.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use serde::{Deserialize, Serialize};

use crate::axi::Response;
use crate::clock::Wait;
use crate::host::Host;
use crate::manifest::low_mask;
use crate::pins::AxiLitePins;
use crate::seed::Seed;
use crate::stall::{Stall, StallError, Staller};

/// How the control port is driven, as plain data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AxilPolicy {
    /// Most cycles from the call to the response; at least 1.
    pub timeout_cycles: u64,
    /// Stalls before an address or data is presented.
    pub request_stall: Stall,
    /// Stalls of the response channels: B and R ready held low.
    pub response_stall: Stall,
    /// Which of AW and W comes first.
    pub write_order: WriteOrder,
}

impl Default for AxilPolicy {
    fn default() -> Self {
        Self {
            timeout_cycles: 10_000,
            request_stall: Stall::None,
            response_stall: Stall::None,
            write_order: WriteOrder::Together,
        }
    }
}

/// Which of a write's two halves is presented first. A core must take all three (IHI 0022, A3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WriteOrder {
    /// Address and data in the same cycle.
    #[default]
    Together,
    /// Data one cycle after the address, taken or not.
    AddressFirst,
    /// Address one cycle after the data, taken or not.
    DataFirst,
}

/// A register access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AxilAccess {
    /// Read of a register.
    Read {
        /// Byte address.
        addr: u64,
    },
    /// Write of a register.
    Write {
        /// Byte address.
        addr: u64,
        /// Value.
        value: u32,
    },
    /// Read of some bytes, at most the width of the bus.
    ReadBytes {
        /// Byte address, a multiple of `bytes`.
        addr: u64,
        /// 1, 2, 4 or 8.
        bytes: u32,
    },
    /// Write of some bytes, at most the width of the bus; other bytes are not enabled.
    WriteBytes {
        /// Byte address, a multiple of `bytes`.
        addr: u64,
        /// Value.
        value: u64,
        /// 1, 2, 4 or 8.
        bytes: u32,
    },
}

impl AxilAccess {
    pub(crate) const fn addr(self) -> u64 {
        match self {
            Self::Read { addr }
            | Self::Write { addr, .. }
            | Self::ReadBytes { addr, .. }
            | Self::WriteBytes { addr, .. } => addr,
        }
    }

    pub(crate) const fn is_write(self) -> bool {
        matches!(self, Self::Write { .. } | Self::WriteBytes { .. })
    }

    /// Lanes of a bus of `bus_bytes` that the access moves.
    pub(crate) fn lanes(self, bus_bytes: u32) -> Lanes {
        let bytes = match self {
            Self::Read { .. } | Self::Write { .. } => 4,
            Self::ReadBytes { bytes, .. } | Self::WriteBytes { bytes, .. } => bytes,
        };
        let bytes = bytes.min(bus_bytes).max(1);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "below the width of the bus"
        )]
        let first = (self.addr() & u64::from(bus_bytes.max(1) - 1)) as u32;
        Lanes {
            first: first / bytes * bytes,
            bytes,
        }
    }

    /// What a write puts into the lowest lanes.
    pub(crate) const fn value(self) -> u64 {
        match self {
            Self::Write { value, .. } => value as u64,
            Self::WriteBytes { value, .. } => value,
            Self::Read { .. } | Self::ReadBytes { .. } => 0,
        }
    }
}

/// Neighbouring byte lanes of a register bus of at most 8 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lanes {
    first: u32,
    bytes: u32,
}

impl Lanes {
    /// Byte enables.
    pub(crate) const fn strobe(self) -> u8 {
        // One bit for each lane: eight lanes fill the byte.
        (u8::MAX >> (8 - self.bytes)) << self.first
    }

    /// A value of the lowest lanes, in its place on the bus.
    pub(crate) const fn onto(self, value: u64) -> u64 {
        (value & low_mask(8 * self.bytes)) << (8 * self.first)
    }

    /// The value that stands in these lanes of the bus.
    pub(crate) const fn from(self, bus: u64) -> u64 {
        (bus >> (8 * self.first)) & low_mask(8 * self.bytes)
    }
}

impl fmt::Display for AxilAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { addr } | Self::ReadBytes { addr, .. } => {
                write!(f, "read of register {addr:#x}")
            }
            Self::WriteBytes { addr, value, .. } => {
                write!(f, "write of {value:#x} to register {addr:#x}")
            }
            Self::Write { addr, value } => write!(f, "write of {value:#x} to register {addr:#x}"),
        }
    }
}

/// Where an access was stuck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AxilStage {
    /// Behind an access that came before and is stuck itself.
    Queued,
    /// ARVALID is high, ARREADY stays low.
    ReadAddress,
    /// ARADDR was taken, RVALID stays low.
    ReadData,
    /// AWVALID and WVALID are high, AWREADY and WREADY stay low.
    WriteBoth,
    /// WDATA was taken; AWVALID is high, AWREADY stays low.
    WriteAddress,
    /// AWADDR was taken; WVALID is high, WREADY stays low.
    WriteData,
    /// AWADDR and WDATA were taken, BVALID stays low.
    WriteResponse,
    /// APB: PSEL and PENABLE are high, PREADY stays low.
    ApbAccess,
    /// Wishbone: CYC and STB are high, ACK, ERR and RTY stay low.
    WishboneCycle,
}

impl fmt::Display for AxilStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Queued => "it waits behind an earlier access that is stuck",
            Self::ReadAddress => "ARVALID is high, ARREADY stays low",
            Self::ReadData => "ARADDR was taken, RVALID stays low",
            Self::WriteBoth => "AWVALID and WVALID are high, AWREADY and WREADY stay low",
            Self::WriteAddress => "WDATA was taken, AWREADY stays low",
            Self::WriteData => "AWADDR was taken, WREADY stays low",
            Self::WriteResponse => "AWADDR and WDATA were taken, BVALID stays low",
            Self::ApbAccess => "PSEL and PENABLE are high, PREADY stays low",
            Self::WishboneCycle => "CYC and STB are high, ACK, ERR and RTY stay low",
        })
    }
}

/// A register access that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AxilError {
    /// No response in time. The access stays on the pins, as AXI demands, and later ones queue behind it.
    #[error(
        "{access} on control port {port}: no response within {cycles} cycles, at cycle {at}: {stage}"
    )]
    Timeout {
        /// Control port.
        port: usize,
        /// The access.
        access: AxilAccess,
        /// The limit.
        cycles: u64,
        /// Cycle of giving up.
        at: u64,
        /// Which channel waited for what.
        stage: AxilStage,
    },
    /// The core answered with an error.
    #[error("{access} on control port {port}: expected OKAY, found {response}")]
    Response {
        /// Control port.
        port: usize,
        /// The access.
        access: AxilAccess,
        /// SLVERR or DECERR.
        response: Response,
    },
    /// The core was reset before it answered.
    #[error("{access} on control port {port}: the core was reset")]
    Reset {
        /// Control port.
        port: usize,
        /// The access.
        access: AxilAccess,
    },
}

/// An access on its way, shared by the port and the caller.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) access: AxilAccess,
    pub(crate) deadline: u64,
    result: Cell<Option<Result<u64, AxilError>>>,
    waker: RefCell<Option<Waker>>,
}

impl Slot {
    pub(crate) fn finish(&self, result: Result<u64, AxilError>) {
        self.result.set(Some(result));
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// The access on the pins.
#[derive(Debug)]
struct Active {
    slot: Rc<Slot>,
    /// The caller has been told of a timeout; the core's answer, if it comes, is dropped.
    is_abandoned: bool,
    address_sent: bool,
    address_done: bool,
    data_sent: bool,
    data_done: bool,
}

impl Active {
    fn stage(&self) -> AxilStage {
        match (
            self.slot.access.is_write(),
            self.address_done,
            self.data_done,
        ) {
            (false, false, _) => AxilStage::ReadAddress,
            (false, true, _) => AxilStage::ReadData,
            (true, false, false) => AxilStage::WriteBoth,
            (true, false, true) => AxilStage::WriteAddress,
            (true, true, false) => AxilStage::WriteData,
            (true, true, true) => AxilStage::WriteResponse,
        }
    }
}

/// One control port: its queue and what is on its pins.
#[derive(Debug)]
pub(crate) struct AxilPort {
    port: usize,
    data_bytes: u32,
    policy: AxilPolicy,
    request_stall: Staller,
    response_stall: Staller,
    queue: VecDeque<Rc<Slot>>,
    active: Option<Active>,
    /// The pins show that nothing is asked for.
    is_quiet: bool,
    accesses: u64,
}

impl AxilPort {
    pub(crate) fn new(
        port: usize,
        data_bytes: u32,
        policy: &AxilPolicy,
        seed: Seed,
    ) -> Result<Self, StallError> {
        let seed = seed.derive(&format!("axil.{port}"));
        Ok(Self {
            port,
            data_bytes,
            policy: policy.clone(),
            request_stall: Staller::new(policy.request_stall, seed, "request.stall")?,
            response_stall: Staller::new(policy.response_stall, seed, "response.stall")?,
            queue: VecDeque::new(),
            active: None,
            is_quiet: false,
            accesses: 0,
        })
    }

    /// Returns whether there is anything to put on the pins, or to take off them.
    #[inline]
    pub(crate) fn is_busy(&self) -> bool {
        !self.is_quiet || !self.queue.is_empty()
    }

    pub(crate) fn drive(&mut self, pins: &mut AxiLitePins) {
        let request_stalls = self.request_stall.stalls();
        let response_stalls = self.response_stall.stalls();
        if self.active.is_none()
            && let Some(slot) = self.queue.pop_front()
        {
            self.active = Some(Active {
                slot,
                is_abandoned: false,
                address_sent: false,
                address_done: false,
                data_sent: false,
                data_done: false,
            });
        }
        pins.bready = u8::from(!response_stalls);
        pins.rready = u8::from(!response_stalls);
        self.is_quiet = self.active.is_none();
        let Some(active) = &mut self.active else {
            (pins.arvalid, pins.awvalid, pins.wvalid) = (0, 0, 0);
            return;
        };
        let access = active.slot.access;
        if access.is_write() {
            if !request_stalls {
                let (address_was_sent, data_was_sent) = (active.address_sent, active.data_sent);
                let order = self.policy.write_order;
                active.address_sent |= order != WriteOrder::DataFirst || data_was_sent;
                active.data_sent |= order != WriteOrder::AddressFirst || address_was_sent;
            }
            // On a bus wider than the register, its address chooses the lanes.
            let lanes = access.lanes(self.data_bytes);
            pins.awaddr = access.addr();
            pins.wdata = lanes.onto(access.value());
            pins.wstrb = lanes.strobe();
            pins.awvalid = u8::from(active.address_sent && !active.address_done);
            pins.wvalid = u8::from(active.data_sent && !active.data_done);
            pins.arvalid = 0;
        } else {
            active.address_sent |= !request_stalls;
            pins.araddr = access.addr();
            pins.arvalid = u8::from(active.address_sent && !active.address_done);
            (pins.awvalid, pins.wvalid) = (0, 0);
        }
    }

    pub(crate) fn sample(&mut self, cycle: u64, pins: &AxiLitePins) {
        if let Some(active) = &mut self.active {
            let is_write = active.slot.access.is_write();
            if is_write {
                active.address_done |= pins.awvalid != 0 && pins.awready != 0;
                active.data_done |= pins.wvalid != 0 && pins.wready != 0;
                // A response in the cycle of the last handshake is early, but it must not be lost.
                let is_complete = active.address_done && active.data_done;
                if is_complete && pins.bvalid != 0 && pins.bready != 0 {
                    self.finish(0, Response::from_bits(pins.bresp));
                }
            } else {
                active.address_done |= pins.arvalid != 0 && pins.arready != 0;
                if active.address_done && pins.rvalid != 0 && pins.rready != 0 {
                    let lanes = active.slot.access.lanes(self.data_bytes);
                    let value = lanes.from(pins.rdata);
                    self.finish(value, Response::from_bits(pins.rresp));
                }
            }
        }
        self.expire(cycle + 1);
    }

    fn finish(&mut self, value: u64, response: Response) {
        let Some(active) = self.active.take() else {
            return;
        };
        self.accesses += 1;
        if active.is_abandoned {
            return;
        }
        let access = active.slot.access;
        active.slot.finish(if response == Response::Okay {
            Ok(value)
        } else {
            Err(AxilError::Response {
                port: self.port,
                access,
                response,
            })
        });
    }

    /// Tells callers whose time is over.
    fn expire(&mut self, now: u64) {
        let (port, cycles) = (self.port, self.policy.timeout_cycles);
        let timeout = |access, stage| AxilError::Timeout {
            port,
            access,
            cycles,
            at: now,
            stage,
        };
        if let Some(active) = &mut self.active
            && !active.is_abandoned
            && active.slot.deadline <= now
        {
            active.is_abandoned = true;
            let error = timeout(active.slot.access, active.stage());
            active.slot.finish(Err(error));
        }
        // All accesses have the same limit, so the queue is in order of deadlines.
        while let Some(slot) = self.queue.front()
            && slot.deadline <= now
        {
            slot.finish(Err(timeout(slot.access, AxilStage::Queued)));
            self.queue.pop_front();
        }
    }

    /// Drops everything, as when the core is reset.
    pub(crate) fn reset(&mut self, pins: &mut AxiLitePins) {
        let active = self.active.take().filter(|active| !active.is_abandoned);
        for slot in active
            .map(|active| active.slot)
            .into_iter()
            .chain(self.queue.drain(..))
        {
            slot.finish(Err(AxilError::Reset {
                port: self.port,
                access: slot.access,
            }));
        }
        (pins.arvalid, pins.awvalid, pins.wvalid) = (0, 0, 0);
        (pins.rready, pins.bready) = (0, 0);
    }
}

/// What drives one register port, whichever its protocol: it takes accesses, and does them one after the other.
pub(crate) trait RegisterMaster {
    /// Takes an access; its deadline is not before that of the one taken last.
    fn take(&mut self, slot: Rc<Slot>);
    /// Most cycles from the call to the response.
    fn timeout_cycles(&self) -> u64;
    /// Accesses finished so far.
    fn accesses(&self) -> u64;
}

impl RegisterMaster for AxilPort {
    fn take(&mut self, slot: Rc<Slot>) {
        self.queue.push_back(slot);
    }

    fn timeout_cycles(&self) -> u64 {
        self.policy.timeout_cycles
    }

    fn accesses(&self) -> u64 {
        self.accesses
    }
}

/// The registers of the core behind one control port, as a task holds them: AXI4-Lite, APB or Wishbone.
#[derive(Debug, Clone)]
pub struct Registers {
    host: Host,
    port: usize,
}

impl Registers {
    pub(crate) const fn new(host: Host, port: usize) -> Self {
        Self { host, port }
    }

    /// Reads a register of 32 bits at a byte address.
    ///
    /// # Errors
    /// If the core answers SLVERR or DECERR, not at all, or is reset meanwhile.
    pub async fn read(&self, addr: u64) -> Result<u32, AxilError> {
        self.submit(AxilAccess::Read { addr }).await
    }

    /// Writes a register of 32 bits at a byte address, and waits for the response.
    ///
    /// # Errors
    /// If the core answers SLVERR or DECERR, not at all, or is reset meanwhile.
    pub async fn write(&self, addr: u64, value: u32) -> Result<(), AxilError> {
        self.submit(AxilAccess::Write { addr, value })
            .await
            .map(|_| ())
    }

    /// Reads some bytes at a byte address, at most as many as the bus has.
    ///
    /// # Errors
    /// If the core answers with an error, not at all, or is reset meanwhile.
    pub async fn read_bytes(&self, addr: u64, bytes: u32) -> Result<u64, AxilError> {
        self.ask(AxilAccess::ReadBytes { addr, bytes }).await
    }

    /// Writes some bytes at a byte address, at most as many as the bus has; others are not enabled.
    ///
    /// # Errors
    /// If the core answers with an error, not at all, or is reset meanwhile.
    pub async fn write_bytes(&self, addr: u64, value: u64, bytes: u32) -> Result<(), AxilError> {
        let access = AxilAccess::WriteBytes { addr, value, bytes };
        self.ask(access).await.map(|_| ())
    }

    /// Puts an access into the queue at once; the future is its response. So several can be queued.
    pub fn submit(
        &self,
        access: AxilAccess,
    ) -> impl Future<Output = Result<u32, AxilError>> + use<> {
        let pending = self.ask(access);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a register is the low 32 bits"
        )]
        async move {
            pending.await.map(|value| value as u32)
        }
    }

    fn ask(&self, access: AxilAccess) -> Pending {
        let cycle = self.host.cycle();
        let slot = self.with_master(|master| {
            let slot = Rc::new(Slot {
                access,
                deadline: cycle.saturating_add(master.timeout_cycles()),
                result: Cell::new(None),
                waker: RefCell::new(None),
            });
            master.take(Rc::clone(&slot));
            slot
        });
        Pending {
            host: self.host.clone(),
            port: self.port,
            slot,
        }
    }

    /// Returns the accesses finished so far.
    #[must_use]
    pub fn accesses(&self) -> u64 {
        self.with_master(|master| master.accesses())
    }

    /// The port's engine: AXI4-Lite ports come first, then APB and Wishbone.
    fn with_master<R>(&self, act: impl FnOnce(&mut dyn RegisterMaster) -> R) -> R {
        let shared = self.host.shared();
        let mut lites = shared.lites.borrow_mut();
        let others = self.port.checked_sub(lites.len());
        match others {
            None => act(&mut lites[self.port]),
            Some(index) => act(&mut shared.simple_buses.borrow_mut()[index]),
        }
    }
}

/// An access that was asked for.
struct Pending {
    host: Host,
    port: usize,
    slot: Rc<Slot>,
}

impl Future for Pending {
    type Output = Result<u64, AxilError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(result) = self.slot.result.get() {
            return Poll::Ready(result);
        }
        *self.slot.waker.borrow_mut() = Some(cx.waker().clone());
        self.host.shared().tasks.note(Wait::Register {
            port: self.port,
            is_write: self.slot.access.is_write(),
            addr: self.slot.access.addr(),
        });
        Poll::Pending
    }
}
