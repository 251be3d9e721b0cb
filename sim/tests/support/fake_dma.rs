//! A copying DMA engine of 64 bits in Rust: registers, one manager port, one interrupt.
//!
//! Aligned addresses, any number of words. It reads ahead without limit and answers one cycle after
//! each handshake, as a core with registered outputs does.

use std::collections::VecDeque;

use rebound_sim::device_port::{PortShape, PortShapes};
use rebound_sim::pins::{AddressPins, AxiLitePins, AxiManagerPins};

use super::{Block, FakeDevice, Stopped};

pub const SRC: u64 = 0x00;
pub const DST: u64 = 0x04;
/// Bytes, a multiple of 8. Writing it starts the copy.
pub const LEN: u64 = 0x08;
/// Bit 0: done, write 1 to clear; bit 1: an error response came.
pub const STATUS: u64 = 0x0c;
/// Never answers.
pub const HOLE: u64 = 0x40;
/// Answers SLVERR.
pub const BAD: u64 = 0x44;
/// Stops the simulation.
pub const FATAL: u64 = 0x48;

const BEATS: u64 = 16;

#[derive(Debug, Default)]
pub struct FakeDma {
    block: Block,
    /// Outputs of the next cycle, as registers hold them.
    out: AxiManagerPins,
    lite_out: AxiLitePins,
    irq: u64,
    regs: [u32; 4],
    next_read: u64,
    reads_left: u64,
    next_write: u64,
    writes_left: u64,
    data: VecDeque<u64>,
    /// Words of the write burst under way.
    burst_left: u64,
    responses_due: u64,
    is_running: bool,
    error: bool,
    lite_write: (Option<u64>, Option<u64>),
    fatal: bool,
    /// Cycles of reset seen.
    pub reset_cycles: u64,
}

crate::pin_device!(FakeDma);

impl FakeDma {
    pub fn new() -> Self {
        let mut dma = Self::default();
        dma.block = Block::new(&dma.shapes());
        dma
    }

    /// Starts a copy without registers, for measurements.
    pub fn start(&mut self, src: u64, dst: u64, bytes: u64) {
        (self.next_read, self.next_write) = (src, dst);
        (self.reads_left, self.writes_left) = (bytes / 8, bytes / 8);
        self.is_running = bytes >= 8;
        self.error = false;
    }

    pub const fn is_running(&self) -> bool {
        self.is_running
    }

    fn write_register(&mut self, addr: u64, value: u32) -> u8 {
        match addr {
            SRC | DST => self.regs[usize::try_from(addr / 4).unwrap()] = value,
            LEN => self.start(self.regs[0].into(), self.regs[1].into(), u64::from(value)),
            STATUS if value & 1 != 0 => self.irq = 0,
            FATAL => self.fatal = true,
            BAD => return 2,
            _ => {}
        }
        0
    }

    fn read_register(&self, addr: u64) -> (u32, u8) {
        match addr {
            SRC | DST => (self.regs[usize::try_from(addr / 4).unwrap()], 0),
            STATUS => (
                u32::try_from(self.irq).unwrap() | u32::from(self.error) << 1,
                0,
            ),
            BAD => (0, 2),
            _ => (0, 0),
        }
    }

    /// The control port: what the pins of this cycle mean for the next.
    fn control(&mut self, pins: &AxiLitePins) {
        if pins.bvalid != 0 && pins.bready != 0 {
            self.lite_out.bvalid = 0;
        }
        if pins.rvalid != 0 && pins.rready != 0 {
            self.lite_out.rvalid = 0;
        }
        if pins.awvalid != 0 && pins.awready != 0 {
            self.lite_write.0 = Some(pins.awaddr);
        }
        if pins.wvalid != 0 && pins.wready != 0 {
            self.lite_write.1 = Some(pins.wdata);
        }
        if let (Some(addr), Some(data)) = self.lite_write
            && addr != HOLE
        {
            self.lite_write = (None, None);
            self.lite_out.bresp = self.write_register(addr, u32::try_from(data).unwrap());
            self.lite_out.bvalid = 1;
        }
        if pins.arvalid != 0 && pins.arready != 0 && pins.araddr != HOLE {
            let (data, resp) = self.read_register(pins.araddr);
            self.lite_out.rdata = data.into();
            self.lite_out.rresp = resp;
            self.lite_out.rvalid = 1;
        }
        // One access at a time: ready while nothing is held.
        let is_free = self.lite_out.bvalid == 0;
        self.lite_out.awready = u8::from(self.lite_write.0.is_none() && is_free);
        self.lite_out.wready = u8::from(self.lite_write.1.is_none() && is_free);
        self.lite_out.arready = u8::from(self.lite_out.rvalid == 0);
    }

    fn data_path(&mut self, pins: &AxiManagerPins) {
        let out = &mut self.out;
        out.rready = 1;
        out.bready = 1;
        if pins.ar.valid != 0 && pins.arready != 0 {
            out.ar.valid = 0;
        }
        if pins.rvalid != 0 && pins.rready != 0 {
            self.data.push_back(pins.rdata[0]);
            self.error |= pins.rresp != 0;
        }
        if pins.aw.valid != 0 && pins.awready != 0 {
            out.aw.valid = 0;
        }
        if pins.wvalid != 0 && pins.wready != 0 {
            out.wvalid = 0;
        }
        if pins.bvalid != 0 && pins.bready != 0 {
            self.responses_due -= 1;
            self.error |= pins.bresp != 0;
        }
        if out.ar.valid == 0 && self.reads_left > 0 {
            out.ar = burst(&mut self.next_read, &mut self.reads_left);
        }
        if self.burst_left == 0 && self.writes_left > 0 && out.aw.valid == 0 {
            out.aw = burst(&mut self.next_write, &mut self.writes_left);
            self.burst_left = u64::from(out.aw.len) + 1;
            self.responses_due += 1;
        }
        if out.wvalid == 0
            && self.burst_left > 0
            && let Some(word) = self.data.pop_front()
        {
            self.burst_left -= 1;
            out.wdata[0] = word;
            out.wstrb[0] = 0xff;
            out.wlast = u8::from(self.burst_left == 0);
            out.wvalid = 1;
        }
        let is_done = self.writes_left == 0 && self.burst_left == 0 && self.responses_due == 0;
        if self.is_running && is_done {
            self.is_running = false;
            self.irq = 1;
        }
    }
}

/// The next burst of what is left, not crossing 4 KiB.
fn burst(next: &mut u64, left: &mut u64) -> AddressPins {
    let words = (*left).min(BEATS).min((4096 - *next % 4096) / 8);
    let pins = AddressPins {
        addr: *next,
        id: u32::try_from(*next / 128 % 4).unwrap(),
        len: u8::try_from(words - 1).unwrap(),
        size: 3,
        burst: 1,
        valid: 1,
        ..AddressPins::default()
    };
    *next += words * 8;
    *left -= words;
    pins
}

impl FakeDevice for FakeDma {
    fn shapes(&self) -> PortShapes {
        PortShapes {
            managers: vec![PortShape::new("m_axi", 8)],
            lites: vec![PortShape::new("s_axil", 4)],
            wires_out: vec!["irq".to_owned()],
            wires_in: vec!["enable".to_owned()],
            ..PortShapes::default()
        }
    }

    fn block(&self) -> &Block {
        &self.block
    }

    fn block_mut(&mut self) -> &mut Block {
        &mut self.block
    }

    /// The inputs of the cycle are on the pins. Registered outputs join them, then the clock edge
    /// computes what the registers hold next; the pins keep the values before the edge.
    fn cycle(&mut self) -> Result<(), Stopped> {
        if self.fatal {
            return Err(Stopped("the fatal register was written".to_owned()));
        }
        if self.block.in_reset {
            self.reset();
            return Ok(());
        }
        let pins = &mut self.block.managers[0];
        (pins.ar, pins.aw) = (self.out.ar, self.out.aw);
        (pins.wdata, pins.wstrb) = (self.out.wdata, self.out.wstrb);
        (pins.wlast, pins.wvalid) = (self.out.wlast, self.out.wvalid);
        (pins.rready, pins.bready) = (self.out.rready, self.out.bready);
        let pins = *pins;
        let lite = &mut self.block.lites[0];
        (lite.awready, lite.wready) = (self.lite_out.awready, self.lite_out.wready);
        lite.arready = self.lite_out.arready;
        (lite.bresp, lite.bvalid) = (self.lite_out.bresp, self.lite_out.bvalid);
        (lite.rdata, lite.rresp) = (self.lite_out.rdata, self.lite_out.rresp);
        lite.rvalid = self.lite_out.rvalid;
        let lite = *lite;
        self.block.wires_out[0] = self.irq;
        self.control(&lite);
        self.data_path(&pins);
        Ok(())
    }
}

impl FakeDma {
    fn reset(&mut self) {
        let block = std::mem::take(&mut self.block);
        let cycles = self.reset_cycles + 1;
        *self = Self::new();
        self.block.in_reset = block.in_reset;
        self.block.wires_in = block.wires_in;
        self.block.view = block.view;
        self.reset_cycles = cycles;
    }
}
