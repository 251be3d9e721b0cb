//! The verilated engine alone on its bus: registers, streams and memory, without mapping layer or scoreboard.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;
use std::sync::OnceLock;

use rebound::driver::dma_engine_regs as regs;
use rebound::driver::dma_engine_regs::channel as reg;
use rebound::execute::{Core, Environment};
use rebound::scenario::plan::EnginePlan;
use rebound::seed::Seed;
use rebound_sim::axi::{BusPolicy, FaultAccess, FaultResponse, FaultWindow};
use rebound_sim::axil::{AxilPolicy, Registers};
use rebound_sim::clock::Task;
use rebound_sim::device_port::PinDevice;
use rebound_sim::events::{AddressEvent, BusEvent};
use rebound_sim::host::Host;
use rebound_sim::memory::HostMemory;
use rebound_sim::seed::Seed as SimSeed;
use rebound_sim::simulation::{Options, Simulation};
use rebound_sim::stream::{Packet, StreamPolicy};
use rebound_sim::trace::TraceKind;
use swiotlb::{DmaAddr, PhysAddr, PhysMemory as _};

use super::torn::TornStream;

/// Memory that the transfers below use; the limits of 24 and 32 address bits lie inside of ranges of their own.
const RAM: [(u64, u64); 3] = [
    (0, 0x40_0000),
    (0xff_0000, 0x2_0000),
    (0xffff_0000, 0x2_0000),
];
/// The first power of two without memory, and the one above it that has some.
const FIRST_WITHOUT_RAM: u32 = 22;
const BIT_WITH_RAM: u32 = 24;
/// Somewhere within everybody's reach.
pub(crate) const SOURCE: u64 = 0x10_0000;
/// Somewhere else.
pub(crate) const TARGET: u64 = 0x20_0000;
/// Cycles that any of these transfers may take.
const LIMIT: u64 = 20_000;
const RESET_CYCLES: u64 = 8;

/// How a test wants its engine and what surrounds it.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) engine: EnginePlan,
    pub(crate) bus: BusPolicy,
    pub(crate) stream: StreamPolicy,
    /// The rings' port, where it differs from `bus`.
    pub(crate) ring_bus: Option<BusPolicy>,
    /// How the registers are accessed.
    pub(crate) axil: AxilPolicy,
    /// TKEEP of the first beats into s2mm, where it differs from what a well-behaved source sends.
    pub(crate) keeps: Vec<Option<u64>>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            engine: EnginePlan::bits(32),
            bus: BusPolicy::with_latency(20),
            stream: StreamPolicy::default(),
            ring_bus: None,
            axil: AxilPolicy::default(),
            keeps: Vec::new(),
        }
    }
}

impl Setup {
    pub(crate) fn of(engine: EnginePlan) -> Self {
        Self {
            engine,
            ..Self::default()
        }
    }

    pub(crate) fn latency(cycles: u32) -> Self {
        Self {
            bus: BusPolicy::with_latency(cycles),
            ..Self::default()
        }
    }
}

/// The tools and the engine's manifest, found once.
fn environment() -> &'static Environment {
    static ENVIRONMENT: OnceLock<Environment> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rtl/dma_engine.toml");
        Environment::load(&manifest).expect("manifest and tools are there")
    })
}

/// Runs a driver on the engine out of reset, to its end; nothing may break a rule or an assertion.
pub(crate) fn run<T: 'static>(setup: Setup, driver: impl AsyncFnOnce(Bench) -> T + 'static) -> T {
    let (mut simulation, bench, task) = begin(setup, driver);
    let outcome = simulation.run(2_000_000, |events, _| bench.note(events));
    assert!(outcome.is_finished(), "{outcome:?}");
    assert_eq!(simulation.device_mut().take_violations(), []);
    task.take().expect("the driver has finished")
}

/// Makes everything that [`run`] runs.
pub(crate) fn begin<T: 'static>(
    setup: Setup,
    driver: impl AsyncFnOnce(Bench) -> T + 'static,
) -> (Simulation<TornStream>, Bench, Task<T>) {
    let core = Core {
        engine: setup.engine,
        trace: TraceKind::Off,
        has_rules: true,
    };
    let device = environment()
        .device(&core, Seed::new(1))
        .expect("the engine builds");
    let mut memory = HostMemory::new();
    for (start, bytes) in RAM {
        memory
            .add_range(PhysAddr::new(start), bytes)
            .expect("ranges do not overlap");
    }
    let options = Options {
        bus_by_port: setup
            .ring_bus
            .map_or_else(Vec::new, |ring| vec![setup.bus.clone(), ring]),
        bus: setup.bus,
        stream: setup.stream,
        axil: setup.axil,
        ..Options::default()
    };
    let device = TornStream::new(device, setup.keeps);
    let simulation = Simulation::new(device, memory, &options).expect("valid options");
    let host = simulation.host();
    let bench = Bench {
        registers: host.registers(0),
        host: host.clone(),
        log: Rc::default(),
        salt: Rc::default(),
    };
    let driven = bench.clone();
    let task = simulation.spawn("driver", async move {
        host.reset(RESET_CYCLES).await;
        // Streams may not be valid at the edge that ends the reset (IHI 0051, 2.7.2).
        host.sleep(1).await;
        driver(driven).await
    });
    (simulation, bench, task)
}

/// The engine as a driver sees it.
#[derive(Debug, Clone)]
pub(crate) struct Bench {
    pub(crate) host: Host,
    registers: Registers,
    log: Rc<RefCell<Vec<BusEvent>>>,
    salt: Rc<Cell<u64>>,
}

impl Bench {
    pub(crate) fn mm2s(&self) -> Channel {
        Channel {
            bench: self.clone(),
            base: regs::MM2S_BASE,
        }
    }

    pub(crate) fn s2mm(&self) -> Channel {
        Channel {
            bench: self.clone(),
            base: regs::S2MM_BASE,
        }
    }

    /// Keeps what happened on the bus.
    pub(crate) fn note(&self, events: &[BusEvent]) {
        self.log.borrow_mut().extend_from_slice(events);
    }

    pub(crate) async fn read(&self, addr: u32) -> u32 {
        self.registers
            .read(addr.into())
            .await
            .expect("registers answer")
    }

    pub(crate) async fn write(&self, addr: u32, value: u32) {
        self.registers
            .write(addr.into(), value)
            .await
            .expect("registers answer");
    }

    pub(crate) fn irq(&self) -> bool {
        self.host.wire(0).is_high()
    }

    pub(crate) async fn interrupt(&self) {
        let wire = self.host.wire(0);
        wire.wait_high(LIMIT).await.expect("an interrupt");
    }

    /// Bytes that no earlier call has given.
    pub(crate) fn pattern(&self, bytes: usize) -> Vec<u8> {
        self.salt.set(self.salt.get() + 1);
        let mut random = SimSeed::new(self.salt.get()).stream("pattern");
        let mut data = vec![0; bytes];
        random.fill(&mut data);
        data
    }

    /// Fills memory with a new pattern.
    pub(crate) fn fill(&self, addr: u64, bytes: usize) -> Vec<u8> {
        let data = self.pattern(bytes);
        self.put(addr, &data);
        data
    }

    /// Writes memory.
    pub(crate) fn put(&self, addr: u64, data: &[u8]) {
        let mut memory = self.host.memory();
        memory.write(PhysAddr::new(addr), data).expect("RAM");
    }

    pub(crate) fn memory(&self, addr: u64, bytes: usize) -> Vec<u8> {
        self.host
            .memory()
            .read_vec(PhysAddr::new(addr), bytes)
            .expect("RAM")
    }

    /// Puts a packet of new bytes on the stream into s2mm.
    pub(crate) fn push(&self, bytes: usize) -> Vec<u8> {
        let data = self.pattern(bytes);
        drop(self.host.stream_source(0).push(Packet::new(data.clone())));
        data
    }

    /// The next packet of mm2s.
    pub(crate) async fn packet(&self) -> Vec<u8> {
        let sink = self.host.stream_sink(0);
        sink.recv(LIMIT).await.expect("a packet").data
    }

    /// Puts memory on both sides of each power of two that the engine reaches and [`RAM`] does not.
    pub(crate) fn add_memory_at_powers(&self) {
        for bit in (FIRST_WITHOUT_RAM..32).filter(|bit| *bit != BIT_WITH_RAM) {
            // The first memory ends where this begins.
            let below = if bit == FIRST_WITHOUT_RAM { 0 } else { 0x1000 };
            let mut memory = self.host.memory();
            memory
                .add_range(PhysAddr::new((1 << bit) - below), below + 0x1000)
                .expect("nothing is there");
        }
    }

    /// Lets the 8 bytes at `addr` answer with an error, and nothing else.
    pub(crate) fn fault(&self, addr: u64, response: FaultResponse) {
        let window = FaultWindow {
            dma_base: DmaAddr::new(addr),
            bytes: 8,
            access: FaultAccess::Both,
            response,
        };
        self.host
            .set_faults(0, vec![window])
            .expect("a valid window");
    }

    pub(crate) fn no_faults(&self) {
        self.host.set_faults(0, Vec::new()).expect("no window");
    }

    pub(crate) async fn loopback(&self, is_on: bool) {
        let bits = if is_on { regs::CONTROL_LOOPBACK } else { 0 };
        self.write(regs::CONTROL, bits).await;
    }

    /// The bus events so far.
    pub(crate) fn events(&self) -> Vec<BusEvent> {
        self.log.borrow().clone()
    }

    /// The bursts so far.
    pub(crate) fn bursts(&self) -> Vec<AddressEvent> {
        let of = |event: &BusEvent| match event {
            BusEvent::Address(address) => Some(*address),
            _ => None,
        };
        self.log.borrow().iter().filter_map(of).collect()
    }

    fn responses(&self, port: usize) -> Vec<u64> {
        let of = |event: &BusEvent| match event {
            BusEvent::Response(response) if response.port == port => Some(response.cycle),
            _ => None,
        };
        self.log.borrow().iter().filter_map(of).collect()
    }

    /// The cycle of a port's first write response.
    pub(crate) fn first_response(&self, port: usize) -> u64 {
        *self.responses(port).first().expect("a response")
    }

    /// The cycle of a port's last write response.
    pub(crate) fn last_response(&self, port: usize) -> u64 {
        *self.responses(port).last().expect("a response")
    }

    /// Both channels and the copy through both do what they should: nothing is left of what was before.
    pub(crate) async fn works(&self) {
        self.no_faults();
        self.loopback(false).await;
        let (mm2s, s2mm) = (self.mm2s(), self.s2mm());
        let data = self.fill(SOURCE + 0x8003, 300);
        mm2s.start(SOURCE + 0x8003, 300).await;
        assert_eq!(self.packet().await, data, "mm2s works");
        assert_eq!(mm2s.end().await, End::well(300), "mm2s works");

        let before = self.fill(TARGET + 0x8000, 400);
        s2mm.start(TARGET + 0x8005, 300).await;
        let data = self.push(300);
        assert_eq!(s2mm.end().await, End::well(300).with_packet_end());
        let after = self.memory(TARGET + 0x8000, 400);
        assert_eq!(after[5..305], data, "s2mm works");
        assert_eq!((&after[..5], &after[305..]), (&before[..5], &before[305..]));

        let data = self.fill(SOURCE + 0x9001, 777);
        self.loopback(true).await;
        s2mm.start(TARGET + 0x9006, 777).await;
        mm2s.start(SOURCE + 0x9001, 777).await;
        assert_eq!(s2mm.end().await, End::well(777).with_packet_end());
        assert_eq!(mm2s.end().await, End::well(777));
        assert_eq!(self.memory(TARGET + 0x9006, 777), data, "a copy works");
        self.loopback(false).await;
    }
}

/// One channel.
#[derive(Debug, Clone)]
pub(crate) struct Channel {
    bench: Bench,
    base: u32,
}

impl Channel {
    pub(crate) async fn read(&self, register: u32) -> u32 {
        self.bench.read(self.base + register).await
    }

    pub(crate) async fn write(&self, register: u32, value: u32) {
        self.bench.write(self.base + register, value).await;
    }

    pub(crate) async fn set(&self, addr: u64, length: u32) {
        let bytes = addr.to_le_bytes();
        let half =
            |at| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        self.write(reg::ADDR_LO, half(0)).await;
        self.write(reg::ADDR_HI, half(4)).await;
        self.write(reg::LENGTH, length).await;
    }

    pub(crate) async fn start(&self, addr: u64, length: u32) {
        self.set(addr, length).await;
        self.write(reg::CONTROL, reg::CONTROL_START).await;
    }

    pub(crate) async fn start_open(&self, addr: u64, length: u32) {
        self.set(addr, length).await;
        let bits = reg::CONTROL_START | reg::CONTROL_KEEP_OPEN;
        self.write(reg::CONTROL, bits).await;
    }

    pub(crate) async fn stop(&self) {
        self.write(reg::CONTROL, reg::CONTROL_STOP).await;
    }

    pub(crate) async fn status(&self) -> u32 {
        self.read(reg::STATUS).await
    }

    /// Waits until the channel is done, and takes and clears its result.
    pub(crate) async fn end(&self) -> End {
        let limit = self.bench.host.cycle() + LIMIT;
        let mut status = self.status().await;
        while status & reg::STATUS_DONE == 0 {
            assert_ne!(
                status & reg::STATUS_BUSY,
                0,
                "idle and not done: {status:#x}"
            );
            assert!(self.bench.host.cycle() < limit, "never done: {status:#x}");
            status = self.status().await;
        }
        assert_eq!(status & reg::STATUS_BUSY, 0, "done and busy: {status:#x}");
        let kind = (status & reg::STATUS_ERROR_KIND_MASK) >> reg::STATUS_ERROR_KIND_SHIFT;
        let is_error = status & reg::STATUS_ERROR != 0;
        assert_eq!(is_error, kind != regs::ERROR_KIND_NONE, "{status:#x}");
        let fail_low = self.read(reg::FAIL_ADDR_LO).await;
        let fail_high = self.read(reg::FAIL_ADDR_HI).await;
        let end = End {
            kind,
            bytes_done: self.read(reg::BYTES_DONE).await,
            fail_addr: u64::from(fail_high) << 32 | u64::from(fail_low),
            packet_end: status & reg::STATUS_PACKET_END != 0,
            zero_length: status & reg::STATUS_ZERO_LENGTH != 0,
            start_ignored: status & reg::STATUS_START_IGNORED != 0,
        };
        let clears = reg::STATUS_DONE | reg::STATUS_ERROR | reg::STATUS_START_IGNORED;
        self.write(reg::STATUS, clears).await;
        assert_eq!(
            self.status().await,
            status & !clears,
            "only these are cleared"
        );
        end
    }
}

/// How a transfer ended: everything that the channel says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) kind: u32,
    pub(crate) bytes_done: u32,
    pub(crate) fail_addr: u64,
    pub(crate) packet_end: bool,
    pub(crate) zero_length: bool,
    pub(crate) start_ignored: bool,
}

impl End {
    pub(crate) const fn well(bytes_done: u32) -> Self {
        Self::failed(regs::ERROR_KIND_NONE, bytes_done, 0)
    }

    pub(crate) const fn failed(kind: u32, bytes_done: u32, fail_addr: u64) -> Self {
        Self {
            kind,
            bytes_done,
            fail_addr,
            packet_end: false,
            zero_length: false,
            start_ignored: false,
        }
    }

    pub(crate) const fn with_packet_end(mut self) -> Self {
        self.packet_end = true;
        self
    }

    pub(crate) const fn with_zero_length(mut self) -> Self {
        self.zero_length = true;
        self
    }

    pub(crate) const fn with_start_ignored(mut self) -> Self {
        self.start_ignored = true;
        self
    }
}
