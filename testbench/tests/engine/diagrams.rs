//! The timing diagrams of `rtl/README.md`: drawn from what the engine does, and compared with the pictures there.
//!
//! `make diagrams` (`REBOUND_BLESS=1`) writes them again.

use std::fs;
use std::path::Path;

use rebound::driver::dma_engine_regs as regs;
use rebound::driver::dma_engine_regs::channel as reg;
use rebound_sim::device_port::PinDevice;
use rebound_sim::pins::{AddressPins, AxiLitePins, AxiManagerPins};
use wavedrom::{Figure, Signal};

use super::bench::{Bench, Setup, begin};
use super::ring::{PORT, Ring};

/// Cycles that any of these drivers may take.
const LIMIT: usize = 2000;
/// Addresses of few digits, to be legible.
const SOURCE: u64 = 0x1_0000;
const TARGET: u64 = 0x2_0000;
const SOURCE_RING: u64 = 0x3_0000;
const TARGET_RING: u64 = 0x4_0000;
/// Cycles that are drawn after the interrupt.
const AFTER: usize = 2;

/// The pins at one rising edge.
#[derive(Debug, Clone)]
struct Sample {
    registers: AxiLitePins,
    data: AxiManagerPins,
    ring: AxiManagerPins,
    irq: bool,
}

/// What a line of a diagram shows.
#[derive(Debug, Clone, Copy)]
enum Wave {
    /// One bit.
    Level(fn(&Sample) -> bool),
    /// A value while it is valid.
    Value(fn(&Sample) -> Option<u64>),
    /// The number of the beat, while it is valid.
    Beat(fn(&Sample) -> bool),
}

/// A line: its name on the port, and what it shows.
type Line = (&'static str, Wave);

const fn is_valid(pins: &AddressPins) -> bool {
    pins.valid != 0
}

fn address(pins: &AddressPins) -> Option<u64> {
    is_valid(pins).then_some(pins.addr)
}

/// The ports of data that every diagram has.
const DATA: [Line; 9] = [
    ("ARVALID", Wave::Level(|at| is_valid(&at.data.ar))),
    ("ARADDR", Wave::Value(|at| address(&at.data.ar))),
    ("RDATA, beat", Wave::Beat(|at| at.data.rvalid != 0)),
    ("AWVALID", Wave::Level(|at| is_valid(&at.data.aw))),
    ("AWADDR", Wave::Value(|at| address(&at.data.aw))),
    ("WDATA, beat", Wave::Beat(|at| at.data.wvalid != 0)),
    (
        "WSTRB",
        Wave::Value(|at| (at.data.wvalid != 0).then_some(at.data.wstrb[0])),
    ),
    (
        "WLAST",
        Wave::Level(|at| at.data.wvalid & at.data.wlast != 0),
    ),
    ("BVALID", Wave::Level(|at| at.data.bvalid != 0)),
];

/// The port of the rings.
const RING: [Line; 6] = [
    ("ring ARADDR", Wave::Value(|at| address(&at.ring.ar))),
    ("ring RDATA, beat", Wave::Beat(|at| at.ring.rvalid != 0)),
    ("ring AWADDR", Wave::Value(|at| address(&at.ring.aw))),
    ("ring WDATA, beat", Wave::Beat(|at| at.ring.wvalid != 0)),
    (
        "ring WLAST",
        Wave::Level(|at| at.ring.wvalid & at.ring.wlast != 0),
    ),
    ("ring BVALID", Wave::Level(|at| at.ring.bvalid != 0)),
];

/// Runs a driver and returns the pins of each cycle, from the last register write before the first burst (cycle 0)
/// to a little after the interrupt.
fn record(setup: Setup, driver: impl AsyncFnOnce(Bench) + 'static) -> Vec<Sample> {
    let (mut simulation, bench, task) = begin(setup, driver);
    let mut samples = Vec::new();
    // The task begins with the run; a tick only goes on.
    let begun = simulation.run(1, |_, _| ());
    assert!(!begun.is_finished());
    while task.take().is_none() {
        assert!(samples.len() < LIMIT, "the driver never ends");
        simulation
            .tick(&mut |events, _| bench.note(events))
            .expect("nothing fails");
        let pins = simulation.device_mut();
        samples.push(Sample {
            registers: pins.lites()[0],
            data: pins.managers()[0],
            ring: pins.managers()[PORT],
            irq: pins.wires_out()[0] != 0,
        });
    }
    assert_eq!(simulation.device_mut().take_violations(), []);
    let is_burst = |at: &Sample| is_valid(&at.data.ar) || is_valid(&at.ring.ar);
    let burst = samples.iter().position(is_burst).expect("a burst");
    let start = samples[..burst].iter().rposition(is_write);
    let irq = samples.iter().position(|at| at.irq).expect("an interrupt");
    samples[start.expect("a write")..=irq + AFTER].to_vec()
}

/// Whether a register is written.
fn is_write(at: &Sample) -> bool {
    at.registers.wvalid & at.registers.wready != 0
}

/// Draws one line.
fn signal(samples: &[Sample], (name, wave): Line) -> Signal {
    let mut states = String::new();
    let mut labels = Vec::new();
    let mut before = None;
    let mut beats = 0;
    for at in samples {
        let (state, label) = match wave {
            Wave::Level(level) => (if level(at) { '1' } else { '0' }, None),
            Wave::Value(value) => match value(at) {
                Some(value) => ('=', Some(format!("{value:x}"))),
                None => ('x', None),
            },
            Wave::Beat(is_valid) if is_valid(at) => {
                beats += 1;
                ('=', Some((beats - 1).to_string()))
            }
            Wave::Beat(_) => ('x', None),
        };
        let now = Some((state, label.clone()));
        if now == before {
            states.push('.');
        } else {
            states.push(state);
            labels.extend(label);
        }
        before = now;
    }
    Signal::with_cycle_str(states)
        .name(name)
        .add_data_fields(labels)
}

/// Draws a diagram and compares it with the picture in `rtl/diagrams`.
fn check(file: &str, title: &str, samples: &[Sample], lines: &[Line]) {
    let clock = format!("p{}", ".".repeat(samples.len() - 1));
    let mut figure = Figure::new()
        .header_text(title)
        .bottom_cycle_marker(0, 1)
        .add_signal(Signal::with_cycle_str(clock).name("aclk"));
    let start: Line = ("s_axil W", Wave::Level(is_write));
    let irq: Line = ("irq", Wave::Level(|at| at.irq));
    for line in [&[start], lines, &[irq]].concat() {
        figure = figure.add_signal(signal(samples, line));
    }
    let mut drawn = Vec::new();
    let assembled = figure.assemble();
    assembled.write_svg(&mut drawn).expect("memory");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rtl/diagrams");
    let path = folder.join(file).with_extension("svg");
    if std::env::var_os("REBOUND_BLESS").is_some() {
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(&path, &drawn).expect("the picture is written");
    }
    let kept = fs::read(&path).unwrap_or_default();
    assert!(
        kept == drawn,
        "{} does not show what the engine does: run `make diagrams`, and look at it",
        path.display()
    );
}

/// Cycles from the start to the last cycle in which something is so.
fn last(samples: &[Sample], is_so: impl Fn(&Sample) -> bool) -> usize {
    samples.iter().rposition(is_so).expect("it happens")
}

async fn copy(bench: &Bench, source: u64, target: u64, bytes: u32) {
    bench.fill(source, bytes as usize);
    bench
        .write(regs::INT_ENABLE, regs::INT_ENABLE_S2MM_DONE)
        .await;
    bench.loopback(true).await;
    bench.s2mm().start(target, bytes).await;
    bench.mm2s().start(source, bytes).await;
    bench.interrupt().await;
    bench.host.sleep(8).await;
}

#[test]
fn the_diagram_of_a_copy() {
    let samples = record(Setup::latency(3), async |bench| {
        copy(&bench, SOURCE, TARGET, 32).await;
    });
    // N + 2 L + 1.
    assert_eq!(last(&samples, |at| at.data.bvalid != 0), 4 + 6 + 1);
    check("copy", "A copy of 32 bytes, latency 3", &samples, &DATA);
}

#[test]
fn the_diagram_of_a_misaligned_copy() {
    let samples = record(Setup::latency(3), async |bench| {
        copy(&bench, SOURCE + 1, TARGET + 3, 24).await;
    });
    assert_eq!(last(&samples, |at| at.data.bvalid != 0), 4 + 6 + 1);
    check(
        "misaligned",
        "A copy of 24 bytes from offset 1 to offset 3, latency 3",
        &samples,
        &DATA,
    );
}

async fn ring_copy(bench: &Bench, count: u32, bytes: u32) {
    let sources = Ring::enable(bench, bench.mm2s(), SOURCE_RING, count + 1).await;
    let targets = Ring::enable(bench, bench.s2mm(), TARGET_RING, count + 1).await;
    for index in 0..count {
        let offset = u64::from(index) * 0x1000;
        sources.post(SOURCE + offset, bytes, 0);
        targets.post(TARGET + offset, bytes, 0);
    }
    bench.fill(SOURCE, 0x1000 * count as usize);
    bench.loopback(true).await;
    targets.channel.write(reg::RING_COALESCE, count).await;
    bench
        .write(regs::INT_ENABLE, regs::INT_ENABLE_S2MM_RING)
        .await;
    targets.doorbell().await;
    sources.doorbell().await;
    bench.interrupt().await;
    bench.host.sleep(8).await;
}

#[test]
fn the_diagram_of_a_copy_from_the_rings() {
    let samples = record(Setup::latency(2), async |bench| {
        ring_copy(&bench, 1, 32).await;
    });
    // N + 4 L + 6, from the doorbell of mm2s, which comes second.
    let doorbell = last(&samples, is_write);
    let answered = last(&samples, |at| at.ring.bvalid != 0);
    assert_eq!((doorbell, answered - doorbell), (2, 4 + 8 + 6));
    let lines = [&RING[..], &DATA[..]].concat();
    check(
        "ring",
        "A copy of 32 bytes by one descriptor of each ring, latency 2",
        &samples,
        &lines,
    );
}

#[test]
fn the_diagram_of_many_copies_from_the_rings() {
    let samples = record(Setup::latency(4), async |bench| {
        ring_copy(&bench, 4, 32).await;
    });
    // Without a gap: a beat of data in every cycle from the first to the last.
    let beats = samples.iter().filter(|at| at.data.wvalid != 0).count();
    let first = samples.iter().position(|at| at.data.wvalid != 0);
    let end = last(&samples, |at| at.data.wvalid != 0);
    assert_eq!((beats, end + 1 - first.expect("a beat")), (16, 16));
    let lines = [&RING[..], &DATA[..]].concat();
    check(
        "rings",
        "Four copies of 32 bytes from the rings, latency 4",
        &samples,
        &lines,
    );
}
