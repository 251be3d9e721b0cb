//! A behavioural model of the reference engine, so that driver and scoreboard are tested without Verilator.
//!
//! It has the engine's registers and moves the same bytes, 64 bits wide and one burst at a time. It is no
//! reference for cycles, and it keeps no protocol rules.

use std::collections::VecDeque;

use rebound_sim::device_port::{PinDevice, PortShape, PortShapes};
use rebound_sim::pins::{AxiLitePins, AxiManagerPins, AxiStreamPins, HostViewPins};

use crate::driver::dma_engine_regs as regs;
use crate::driver::dma_engine_regs::channel;
use crate::scenario::plan::{AddrMode, EnginePlan, PlantedFault, low_bits};
use crate::scoreboard::index;
use crate::violation::Violation;

const BEAT: u64 = 8;
const BURST_BYTES: u64 = 128;

/// A burst in flight: its first address, its bytes, and the bytes that have come.
#[derive(Debug, Clone, Copy)]
struct Burst {
    addr: u64,
    bytes: u64,
    done: u64,
}

#[derive(Debug, Default)]
struct Channel {
    addr: u64,
    length: u32,
    is_busy: bool,
    status: u32,
    bytes_done: u32,
    fail_addr: u64,
    failure: u32,
    /// Next address and bytes that no burst has asked for.
    next: u64,
    left: u64,
    burst: Option<Burst>,
    /// The address handshake of the burst is still to come.
    asks: bool,
}

impl Channel {
    fn start(&mut self, engine: &EnginePlan) {
        (self.status, self.bytes_done, self.failure) = (0, 0, 0);
        let end = self.addr + u64::from(self.length) - 1;
        let reach = low_bits(engine.addr_bits);
        if engine.addr_mode == AddrMode::Error && end > reach {
            self.fail(regs::ERROR_KIND_ADDR_LIMIT, self.addr.max(reach + 1));
            self.end();
            return;
        }
        self.is_busy = true;
        self.next = self.addr & reach;
        self.left = self.length.into();
    }

    fn fail(&mut self, kind: u32, addr: u64) {
        if self.failure == 0 {
            (self.failure, self.fail_addr) = (kind, addr);
        }
    }

    fn end(&mut self) {
        (self.is_busy, self.left) = (false, 0);
        self.status = channel::STATUS_DONE;
        if self.failure != 0 {
            self.status |= channel::STATUS_ERROR | self.failure << channel::STATUS_ERROR_KIND_SHIFT;
        }
    }

    /// All bursts have been asked for and answered.
    fn has_moved(&self) -> bool {
        self.is_busy && self.burst.is_none() && (self.left == 0 || self.failure != 0)
    }

    /// Asks for one beat of a transfer that was refused.
    fn ask_at_once(&mut self) {
        self.asks = true;
        self.burst = Some(Burst {
            addr: self.addr,
            bytes: BEAT - self.addr % BEAT,
            done: 0,
        });
    }

    /// Takes the next burst, if `ready_bytes` bytes are enough for it.
    fn ask(&mut self, engine: &EnginePlan, ready_bytes: u64) -> Option<Burst> {
        let longest = BURST_BYTES - self.next % BEAT;
        let bytes = longest.min(4096 - self.next % 4096).min(self.left);
        let is_due = self.is_busy && self.burst.is_none() && self.failure == 0;
        if !is_due || bytes == 0 || ready_bytes < bytes {
            return None;
        }
        let addr = self.next;
        self.next = match engine.addr_mode {
            AddrMode::Wrap64K => addr & !0xffff | (addr + bytes) & 0xffff,
            AddrMode::Boundary => {
                let page = low_bits(engine.boundary_bits);
                (addr & !page | (addr + bytes) & page) & low_bits(engine.addr_bits)
            }
            AddrMode::Truncate | AddrMode::Error => (addr + bytes) & low_bits(engine.addr_bits),
        };
        self.left -= bytes;
        self.asks = true;
        self.burst = Some(Burst {
            addr,
            bytes,
            done: 0,
        });
        self.burst
    }
}

/// What the model does wrong, so that a check has something to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quirk {
    /// The lowest bit of each written burst is flipped.
    FlipsABit,
    /// `BYTES_DONE` is one too few.
    ShortBytesDone,
    /// `FAIL_ADDR` is another one.
    WrongFailAddr,
    /// A transfer beyond the limit is refused, but its first burst is read.
    ReadsWhenRefused,
    /// What was read is not sent, though the channel says that it was.
    SendsNoPacket,
    /// A channel waits while the other has a burst in flight.
    OneChannelAtATime,
    /// Writing stops after the first burst, and never ends.
    StopsHalfway,
}

/// The model's `$fatal`.
#[derive(Debug, thiserror::Error)]
#[error("the model was told to end here")]
pub(crate) struct Fatal;

/// The model.
#[derive(Debug)]
pub(crate) struct ModelEngine {
    /// Steps until the model ends the simulation, for tests.
    pub(crate) steps_left: u64,
    /// What it does wrong.
    pub(crate) quirk: Option<Quirk>,
    engine: EnginePlan,
    /// As in `ADDR_LIMIT`: nothing of the model obeys it, for it has no rings.
    ring_bits: u32,
    manager: [AxiManagerPins; 1],
    lite: [AxiLitePins; 1],
    stream_out: [AxiStreamPins; 1],
    stream_in: [AxiStreamPins; 1],
    irq: [u64; 1],
    view: HostViewPins,
    mm2s: Channel,
    s2mm: Channel,
    is_loopback: bool,
    int_enable: u32,
    /// Answers of the registers that have not been taken.
    read_answer: Option<u32>,
    owes_write_answer: bool,
    /// Bytes read and not sent; bytes received and not written.
    outgoing: VecDeque<u8>,
    incoming: VecDeque<u8>,
    packet_ended: bool,
    /// The stream beat on its way out, and the write beats.
    out_beat: Option<(u64, u64, bool)>,
    write_beats: VecDeque<(u64, u64, bool)>,
}

impl ModelEngine {
    pub(crate) fn new(engine: EnginePlan) -> Self {
        Self {
            steps_left: u64::MAX,
            quirk: None,
            ring_bits: engine.addr_bits << channel::ADDR_LIMIT_RING_BITS_SHIFT,
            engine,
            manager: Default::default(),
            lite: Default::default(),
            stream_out: Default::default(),
            stream_in: Default::default(),
            irq: [0],
            view: HostViewPins::default(),
            mm2s: Channel::default(),
            s2mm: Channel::default(),
            is_loopback: false,
            int_enable: 0,
            read_answer: None,
            owes_write_answer: false,
            outgoing: VecDeque::new(),
            incoming: VecDeque::new(),
            packet_ended: false,
            out_beat: None,
            write_beats: VecDeque::new(),
        }
    }

    fn has(&self, quirk: Quirk) -> bool {
        self.quirk == Some(quirk)
    }

    fn int_status(&self) -> u32 {
        let bits = |state: &Channel| state.status >> 1 & 3;
        bits(&self.mm2s) | bits(&self.s2mm) << 8
    }

    fn read_register(&self, addr: u32) -> u32 {
        let of = |state: &Channel, at: u32| match at {
            channel::STATUS => state.status | u32::from(state.is_busy),
            channel::BYTES_DONE => state
                .bytes_done
                .saturating_sub(self.has(Quirk::ShortBytesDone).into()),
            channel::FAIL_ADDR_LO if self.has(Quirk::WrongFailAddr) => low(state.fail_addr) ^ 0x40,
            channel::FAIL_ADDR_LO => low(state.fail_addr),
            channel::FAIL_ADDR_HI => low(state.fail_addr >> 32),
            // Strapped together: no driver has two channels of different widths.
            channel::ADDR_LIMIT => self.engine.addr_bits | self.ring_bits,
            channel::BOUNDARY => self.engine.boundary_bits,
            _ => 0,
        };
        match addr {
            regs::ID => regs::ID_MAGIC_VALUE,
            regs::INT_STATUS => self.int_status(),
            regs::MM2S_BASE..0x200 => of(&self.mm2s, addr - regs::MM2S_BASE),
            regs::S2MM_BASE..0x300 => of(&self.s2mm, addr - regs::S2MM_BASE),
            _ => 0,
        }
    }

    fn write_register(&mut self, addr: u32, value: u32) {
        let engine = self.engine;
        let reads_when_refused = self.has(Quirk::ReadsWhenRefused);
        let mut straps = (engine.addr_bits, self.ring_bits, engine.boundary_bits);
        let mut to = |state: &mut Channel, at: u32| match at {
            channel::CONTROL if value & channel::CONTROL_START != 0 => {
                state.start(&engine);
                if reads_when_refused && state.failure == regs::ERROR_KIND_ADDR_LIMIT {
                    state.ask_at_once();
                }
            }
            channel::STATUS => state.status &= !(value & 6),
            channel::ADDR_LO => state.addr = state.addr >> 32 << 32 | u64::from(value),
            channel::ADDR_HI => {
                state.addr = state.addr & 0xffff_ffff | u64::from(value) << 32;
            }
            channel::LENGTH => state.length = value,
            channel::ADDR_LIMIT => {
                straps.0 = value & channel::ADDR_LIMIT_BITS_MASK;
                straps.1 = value & channel::ADDR_LIMIT_RING_BITS_MASK;
            }
            channel::BOUNDARY => straps.2 = value,
            _ => {}
        };
        match addr {
            regs::CONTROL => self.is_loopback = value & regs::CONTROL_LOOPBACK != 0,
            regs::INT_ENABLE => self.int_enable = value,
            regs::MM2S_BASE..0x200 => to(&mut self.mm2s, addr - regs::MM2S_BASE),
            regs::S2MM_BASE..0x300 => {
                self.packet_ended &= addr != regs::S2MM_BASE + channel::CONTROL;
                to(&mut self.s2mm, addr - regs::S2MM_BASE);
            }
            _ => {}
        }
        let strapped = &mut self.engine;
        (strapped.addr_bits, self.ring_bits, strapped.boundary_bits) = straps;
    }

    fn step_registers(&mut self) {
        let pins = &mut self.lite[0];
        pins.arready = u8::from(self.read_answer.is_none());
        pins.awready = u8::from(pins.awvalid != 0 && pins.wvalid != 0 && !self.owes_write_answer);
        pins.wready = pins.awready;
        pins.bvalid = self.owes_write_answer.into();
        pins.rvalid = self.read_answer.is_some().into();
        pins.rdata = self.read_answer.unwrap_or(0).into();
        let pins = *pins;
        if pins.bvalid != 0 && pins.bready != 0 {
            self.owes_write_answer = false;
        }
        if pins.rvalid != 0 && pins.rready != 0 {
            self.read_answer = None;
        }
        if pins.arvalid != 0 && pins.arready != 0 {
            self.read_answer = Some(self.read_register(low(pins.araddr)));
        }
        if pins.awready != 0 {
            self.write_register(low(pins.awaddr), low(pins.wdata));
            self.owes_write_answer = true;
        }
    }

    fn step_reads(&mut self) {
        let pins = &mut self.manager[0];
        pins.rready = 1;
        pins.ar.valid = self.mm2s.asks.into();
        if let Some(burst) = self.mm2s.burst {
            address(&mut pins.ar, burst);
        }
        if pins.ar.valid != 0 && pins.arready != 0 {
            self.mm2s.asks = false;
        }
        if pins.rvalid != 0
            && let Some(burst) = &mut self.mm2s.burst
        {
            let lane = (burst.addr + burst.done) % BEAT;
            let count = (BEAT - lane).min(burst.bytes - burst.done);
            burst.done += count;
            let addr = burst.addr;
            if pins.rresp != 0 {
                self.mm2s.fail(u32::from(pins.rresp) - 1, addr);
            }
            if self.mm2s.failure == 0 {
                let data = pins.rdata[0].to_le_bytes();
                let lanes = data.iter().skip(index(lane)).take(index(count));
                self.outgoing.extend(lanes);
            }
            if pins.rlast != 0 {
                self.mm2s.burst = None;
            }
        }
        if !(self.has(Quirk::OneChannelAtATime) && self.s2mm.burst.is_some()) {
            let _ = self.mm2s.ask(&self.engine, u64::MAX);
        }
    }

    fn step_writes(&mut self) {
        let pins = &mut self.manager[0];
        pins.bready = 1;
        pins.aw.valid = self.s2mm.asks.into();
        if let Some(burst) = self.s2mm.burst {
            address(&mut pins.aw, burst);
        }
        let (data, strobes, is_last) = self.write_beats.front().copied().unwrap_or_default();
        pins.wvalid = u8::from(!self.write_beats.is_empty());
        (pins.wdata[0], pins.wstrb[0], pins.wlast) = (data, strobes, is_last.into());
        if pins.aw.valid != 0 && pins.awready != 0 {
            self.s2mm.asks = false;
        }
        if pins.wvalid != 0 && pins.wready != 0 {
            self.write_beats.pop_front();
        }
        if pins.bvalid != 0
            && let Some(burst) = self.s2mm.burst.take()
        {
            if pins.bresp != 0 {
                self.s2mm.fail(u32::from(pins.bresp) - 1, burst.addr);
            } else if self.s2mm.failure == 0 {
                self.s2mm.bytes_done += low(burst.bytes);
            }
        }
        let waits = self.has(Quirk::OneChannelAtATime) && self.mm2s.burst.is_some()
            || self.has(Quirk::StopsHalfway) && self.s2mm.bytes_done > 0;
        if !waits && let Some(burst) = self.s2mm.ask(&self.engine, self.incoming.len() as u64) {
            self.fill_write_beats(burst);
        }
        if self.s2mm.has_moved() && self.packet_ended {
            self.incoming.clear();
            self.s2mm.end();
        }
    }

    fn fill_write_beats(&mut self, burst: Burst) {
        let mut at = burst.addr;
        let end = burst.addr + burst.bytes;
        while at < end {
            let count = (BEAT - at % BEAT).min(end - at);
            let (mut data, mut strobes) = (0, 0);
            for lane in at % BEAT..at % BEAT + count {
                let byte = self.incoming.pop_front().unwrap_or(0);
                data |= u64::from(byte) << (8 * lane);
                strobes |= 1 << lane;
            }
            if self.has(Quirk::FlipsABit) && at == burst.addr {
                data ^= 1 << (8 * (at % BEAT));
            }
            at += count;
            let loses = self.engine.planted_fault == Some(PlantedFault::LostTail);
            if loses && at == end && self.s2mm.left == 0 {
                strobes = 0;
            }
            self.write_beats.push_back((data, strobes, at == end));
        }
    }

    fn step_stream_out(&mut self) {
        if self.has(Quirk::SendsNoPacket) {
            return self.drop_packet();
        }
        let pins = &mut self.stream_out[0];
        let (data, keep, is_last) = self.out_beat.unwrap_or_default();
        pins.valid = self.out_beat.is_some().into();
        (pins.data[0], pins.keep[0], pins.last) = (data, keep, is_last.into());
        if pins.valid != 0 && pins.ready != 0 {
            self.out_beat = None;
            self.mm2s.bytes_done += keep.count_ones();
            if is_last {
                self.mm2s.end();
            }
        }
        let has_all = self.mm2s.has_moved();
        let beat = index(BEAT);
        if self.out_beat.is_none() && (has_all || self.outgoing.len() > beat) {
            let count = self.outgoing.len().min(beat);
            let (mut data, mut keep) = (0, 0);
            for lane in 0..count {
                data |= u64::from(self.outgoing.pop_front().unwrap_or(0)) << (8 * lane);
                keep |= 1 << lane;
            }
            self.out_beat = Some((data, keep, has_all && self.outgoing.is_empty()));
        }
    }

    fn drop_packet(&mut self) {
        self.mm2s.bytes_done += low(self.outgoing.len() as u64);
        self.outgoing.clear();
        if self.mm2s.has_moved() {
            self.mm2s.end();
        }
    }

    fn step_stream_in(&mut self) {
        let pins = &mut self.stream_in[0];
        pins.ready = u8::from(self.s2mm.is_busy && !self.packet_ended && !self.is_loopback);
        if pins.valid != 0 && pins.ready != 0 {
            let data = pins.data[0].to_le_bytes();
            let kept = (0..8).filter(|lane| pins.keep[0] >> lane & 1 != 0);
            self.incoming.extend(kept.map(|lane| data[lane]));
            self.packet_ended = pins.last != 0;
        }
    }

    fn step_loopback(&mut self) {
        self.mm2s.bytes_done += low(self.outgoing.len() as u64);
        self.incoming.append(&mut self.outgoing);
        if self.mm2s.has_moved() {
            self.mm2s.end();
            self.packet_ended = true;
        }
    }
}

impl PinDevice for ModelEngine {
    type Error = Fatal;
    type Violation = Violation;

    fn ports(&self) -> PortShapes {
        let shape = |name| vec![PortShape::new(name, 8)];
        PortShapes {
            managers: shape("m_axi"),
            lites: vec![PortShape::new("s_axil", 4)],
            streams_out: shape("mm2s"),
            streams_in: shape("s2mm"),
            wires_out: vec!["irq".into()],
            wires_in: Vec::new(),
        }
    }

    fn step(&mut self) -> Result<(), Self::Error> {
        if self.steps_left == 0 {
            return Err(Fatal);
        }
        self.steps_left -= 1;
        self.irq[0] = u64::from(self.int_status() & self.int_enable != 0);
        self.step_registers();
        self.step_reads();
        if self.is_loopback {
            self.step_loopback();
            self.stream_out[0].valid = 0;
        } else {
            self.step_stream_out();
        }
        self.step_stream_in();
        self.step_writes();
        Ok(())
    }

    fn set_reset(&mut self, _is_active: bool) {}

    fn managers(&self) -> &[AxiManagerPins] {
        &self.manager
    }

    fn managers_mut(&mut self) -> &mut [AxiManagerPins] {
        &mut self.manager
    }

    fn lites(&self) -> &[AxiLitePins] {
        &self.lite
    }

    fn lites_mut(&mut self) -> &mut [AxiLitePins] {
        &mut self.lite
    }

    fn streams_out(&self) -> &[AxiStreamPins] {
        &self.stream_out
    }

    fn streams_out_mut(&mut self) -> &mut [AxiStreamPins] {
        &mut self.stream_out
    }

    fn streams_in(&self) -> &[AxiStreamPins] {
        &self.stream_in
    }

    fn streams_in_mut(&mut self) -> &mut [AxiStreamPins] {
        &mut self.stream_in
    }

    fn wires_out(&self) -> &[u64] {
        &self.irq
    }

    fn wires_in_mut(&mut self) -> &mut [u64] {
        &mut []
    }

    fn host_view_mut(&mut self) -> &mut HostViewPins {
        &mut self.view
    }

    fn take_violations(&mut self) -> Vec<Violation> {
        Vec::new()
    }
}

fn address(pins: &mut rebound_sim::pins::AddressPins, burst: Burst) {
    let beats = (burst.addr % BEAT + burst.bytes).div_ceil(BEAT);
    pins.addr = burst.addr;
    pins.len = u8::try_from(beats - 1).unwrap_or(u8::MAX);
    pins.size = 3;
    pins.burst = 1;
}

/// The low half of a word, as a register holds it.
fn low(word: u64) -> u32 {
    let bytes = word.to_le_bytes();
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}
