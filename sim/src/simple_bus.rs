//! APB and Wishbone managers: one access after the other, behind the same handle as AXI4-Lite.
//!
//! APB (IHI 0024, 3.1): a setup cycle, then PENABLE until PREADY. Wishbone classic (B4, 3.2): CYC and STB until ACK,
//! ERR or RTY, then a cycle without; a core that has STALL takes STB once (B4, 3.1.3.2).

use std::collections::VecDeque;
use std::rc::Rc;

use crate::axi::Response;
use crate::axil::{AxilError, AxilPolicy, AxilStage, RegisterMaster, Slot};
use crate::device_port::{RegisterProtocol, RegisterShape};
use crate::manifest::AddressUnit;
use crate::pins::RegisterPins;
use crate::seed::Seed;
use crate::stall::{StallError, Staller};

/// Where an access is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Not yet on the pins.
    Idle,
    /// APB: PSEL is high, PENABLE still low.
    Setup,
    /// It waits for the core's answer.
    Access,
    /// Wishbone: STB was taken, the answer is still to come.
    Taken,
    /// A cycle without request, after an answer.
    Pause,
}

/// One APB or Wishbone port: its queue and what is on its pins.
#[derive(Debug)]
pub(crate) struct SimpleBusPort {
    port: usize,
    shape: RegisterShape,
    timeout_cycles: u64,
    request_stall: Staller,
    queue: VecDeque<Rc<Slot>>,
    active: Option<Rc<Slot>>,
    /// The caller has been told of a timeout; the core's answer, if it comes, is dropped.
    is_abandoned: bool,
    phase: Phase,
    /// The pins show that nothing is asked for.
    is_quiet: bool,
    accesses: u64,
}

impl SimpleBusPort {
    /// An engine for the port with this index among all register ports.
    pub(crate) fn new(
        port: usize,
        shape: RegisterShape,
        policy: &AxilPolicy,
        seed: Seed,
    ) -> Result<Self, StallError> {
        let seed = seed.derive(&format!("registers.{port}"));
        Ok(Self {
            port,
            shape,
            timeout_cycles: policy.timeout_cycles,
            request_stall: Staller::new(policy.request_stall, seed, "request.stall")?,
            queue: VecDeque::new(),
            active: None,
            is_abandoned: false,
            phase: Phase::Idle,
            is_quiet: false,
            accesses: 0,
        })
    }

    /// Returns whether there is anything to put on the pins, or to take off them.
    #[inline]
    pub(crate) fn is_busy(&self) -> bool {
        !self.is_quiet || !self.queue.is_empty()
    }

    pub(crate) fn drive(&mut self, pins: &mut RegisterPins) {
        let stalls = self.request_stall.stalls();
        if self.active.is_none() && self.phase == Phase::Idle {
            self.active = self.queue.pop_front();
            self.is_abandoned = false;
        }
        if self.phase == Phase::Idle && self.active.is_some() && !stalls {
            self.phase = match self.shape.protocol {
                RegisterProtocol::Apb => Phase::Setup,
                RegisterProtocol::Wishbone => Phase::Access,
            };
        }
        let is_on = !matches!(self.phase, Phase::Idle | Phase::Pause);
        self.is_quiet = self.phase == Phase::Idle && self.active.is_none();
        pins.select = u8::from(is_on);
        pins.enable = u8::from(self.phase == Phase::Access);
        let Some(slot) = self.active.as_ref().filter(|_| is_on) else {
            pins.write = 0;
            return;
        };
        let access = slot.access;
        let lanes = access.lanes(self.shape.data_bytes);
        pins.addr = match self.shape.address_unit {
            AddressUnit::Byte => access.addr(),
            AddressUnit::Word => access.addr() / u64::from(self.shape.data_bytes.max(1)),
        };
        pins.write = u8::from(access.is_write());
        pins.wdata = lanes.onto(access.value());
        // PSTRB is low in reads (IHI 0024, 3.2); SEL says which lanes a Wishbone read wants.
        let is_apb = self.shape.protocol == RegisterProtocol::Apb;
        pins.strobe = if is_apb && !access.is_write() {
            0
        } else {
            lanes.strobe()
        };
    }

    pub(crate) fn sample(&mut self, cycle: u64, pins: &RegisterPins) {
        // Between the edges of its clock, the core sees nothing and says nothing.
        if pins.tick != 0 {
            self.edge(pins);
        }
        self.expire(cycle + 1);
    }

    fn edge(&mut self, pins: &RegisterPins) {
        match self.phase {
            Phase::Idle => {}
            Phase::Pause => self.phase = Phase::Idle,
            Phase::Setup => self.phase = Phase::Access,
            Phase::Access | Phase::Taken => self.answer(pins),
        }
    }

    fn answer(&mut self, pins: &RegisterPins) {
        let is_apb = self.shape.protocol == RegisterProtocol::Apb;
        if is_apb && pins.ready == 0 {
            return;
        }
        if is_apb || pins.ready != 0 || pins.error != 0 {
            let response = if pins.error == 0 {
                Response::Okay
            } else {
                Response::Slverr
            };
            self.finish(pins.rdata, response);
            // APB may go on with the next setup; Wishbone's ACK may take a cycle to fall.
            self.phase = if is_apb { Phase::Idle } else { Phase::Pause };
        } else if pins.retry != 0 {
            self.phase = Phase::Pause;
        } else if self.shape.is_pipelined && pins.stall == 0 {
            self.phase = Phase::Taken;
        }
    }

    fn finish(&mut self, bus: u64, response: Response) {
        let Some(slot) = self.active.take() else {
            return;
        };
        self.accesses += 1;
        if self.is_abandoned {
            return;
        }
        let access = slot.access;
        slot.finish(if response == Response::Okay {
            let is_read = !access.is_write();
            let value = access.lanes(self.shape.data_bytes).from(bus);
            Ok(if is_read { value } else { 0 })
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
        let (port, cycles) = (self.port, self.timeout_cycles);
        let timeout = |slot: &Slot, stage| {
            slot.finish(Err(AxilError::Timeout {
                port,
                access: slot.access,
                cycles,
                at: now,
                stage,
            }));
        };
        if let Some(slot) = &self.active
            && !self.is_abandoned
            && slot.deadline <= now
        {
            self.is_abandoned = true;
            let stage = match self.shape.protocol {
                RegisterProtocol::Apb => AxilStage::ApbAccess,
                RegisterProtocol::Wishbone => AxilStage::WishboneCycle,
            };
            timeout(slot, stage);
        }
        while let Some(slot) = self.queue.front()
            && slot.deadline <= now
        {
            timeout(slot, AxilStage::Queued);
            self.queue.pop_front();
        }
    }

    /// Drops everything, as when the core is reset.
    pub(crate) fn reset(&mut self, pins: &mut RegisterPins) {
        let active = self.active.take().filter(|_| !self.is_abandoned);
        for slot in active.into_iter().chain(self.queue.drain(..)) {
            slot.finish(Err(AxilError::Reset {
                port: self.port,
                access: slot.access,
            }));
        }
        self.phase = Phase::Idle;
        self.is_quiet = false;
        (pins.select, pins.enable, pins.write) = (0, 0, 0);
    }
}

impl RegisterMaster for SimpleBusPort {
    fn take(&mut self, slot: Rc<Slot>) {
        self.queue.push_back(slot);
    }

    fn timeout_cycles(&self) -> u64 {
        self.timeout_cycles
    }

    fn accesses(&self) -> u64 {
        self.accesses
    }
}
