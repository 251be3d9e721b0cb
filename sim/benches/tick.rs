//! What a simulated cycle costs around the device: idle, and with a read and a write beat in every cycle.
//!
//! `cargo bench -p rebound-sim --bench tick`. The figures are of everything but the core: endpoints,
//! memory, executor, and a stand-in for the core that costs a few nanoseconds itself, measured apart.

use std::convert::Infallible;
use std::hint::black_box;
use std::time::Instant;

use rebound_sim::device_port::{PinDevice, PortShape, PortShapes};
use rebound_sim::memory::HostMemory;
use rebound_sim::pins::{AxiLitePins, AxiManagerPins, AxiStreamPins, HostViewPins};
use rebound_sim::simulation::{Options, Simulation};
use swiotlb::PhysAddr;

const CYCLES: u32 = 4_000_000;
const ROUNDS: u32 = 5;

/// Keeps both data channels of a bus busy, or nothing at all.
struct Load {
    managers: [AxiManagerPins; 1],
    lites: [AxiLitePins; 1],
    wires_out: [u64; 1],
    view: HostViewPins,
    bus_bytes: u32,
    is_saturated: bool,
    cycle: u64,
}

impl Load {
    fn new(bus_bytes: u32, is_saturated: bool) -> Self {
        Self {
            bus_bytes,
            managers: [AxiManagerPins::default()],
            lites: [AxiLitePins::default()],
            wires_out: [0],
            view: HostViewPins::default(),
            is_saturated,
            cycle: 0,
        }
    }
}

impl PinDevice for Load {
    type Error = Infallible;
    type Violation = String;

    fn ports(&self) -> PortShapes {
        PortShapes {
            managers: vec![PortShape::new("m_axi", self.bus_bytes)],
            lites: vec![PortShape::new("s_axil", 4)],
            wires_out: vec!["irq".to_owned()],
            ..PortShapes::default()
        }
    }

    #[inline(never)]
    fn step(&mut self) -> Result<(), Infallible> {
        let pins = &mut self.managers[0];
        if self.is_saturated {
            // Bursts of 16 beats, an address in each direction every 16th cycle.
            let place = self.cycle % 16;
            pins.rready = 1;
            pins.bready = 1;
            pins.ar.valid = u8::from(place == 0);
            pins.aw.valid = u8::from(place == 0);
            if place == 0 {
                let offset = self.cycle * u64::from(self.bus_bytes) % (1 << 20);
                let size = self.bus_bytes.ilog2().to_le_bytes()[0];
                (pins.ar.addr, pins.aw.addr) = (offset, (1 << 20) + offset);
                (pins.ar.len, pins.ar.size, pins.ar.burst) = (15, size, 1);
                (pins.aw.len, pins.aw.size, pins.aw.burst) = (15, size, 1);
            }
            pins.wvalid = 1;
            pins.wdata[0] = pins.rdata[0];
            pins.wstrb[0] = u64::MAX >> (64 - self.bus_bytes);
            pins.wlast = u8::from(place == 15);
        }
        self.cycle += 1;
        Ok(())
    }

    fn set_reset(&mut self, _is_active: bool) {}
    fn managers(&self) -> &[AxiManagerPins] {
        &self.managers
    }
    fn managers_mut(&mut self) -> &mut [AxiManagerPins] {
        &mut self.managers
    }
    fn lites(&self) -> &[AxiLitePins] {
        &self.lites
    }
    fn lites_mut(&mut self) -> &mut [AxiLitePins] {
        &mut self.lites
    }
    fn streams_out(&self) -> &[AxiStreamPins] {
        &[]
    }
    fn streams_out_mut(&mut self) -> &mut [AxiStreamPins] {
        &mut []
    }
    fn streams_in(&self) -> &[AxiStreamPins] {
        &[]
    }
    fn streams_in_mut(&mut self) -> &mut [AxiStreamPins] {
        &mut []
    }
    fn wires_out(&self) -> &[u64] {
        &self.wires_out
    }
    fn wires_in_mut(&mut self) -> &mut [u64] {
        &mut []
    }
    fn host_view_mut(&mut self) -> &mut HostViewPins {
        &mut self.view
    }
    fn take_violations(&mut self) -> Vec<String> {
        Vec::new()
    }
}

/// Nanoseconds per cycle, the best of some rounds.
fn measure(mut round: impl FnMut()) -> f64 {
    (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            round();
            start.elapsed().as_secs_f64() * 1e9 / f64::from(CYCLES)
        })
        .fold(f64::INFINITY, f64::min)
}

fn device_alone(bus_bytes: u32, is_saturated: bool) -> f64 {
    let mut load = Load::new(bus_bytes, is_saturated);
    measure(|| {
        for _ in 0..CYCLES {
            let Ok(()) = black_box(&mut load).step();
        }
    })
}

fn simulated(bus_bytes: u32, is_saturated: bool, events: bool) -> f64 {
    let mut memory = HostMemory::with_range(PhysAddr::new(0), 1 << 30).expect("the range is legal");
    let filled = memory.fill(PhysAddr::new(0), 2 << 20, 0x5a);
    filled.expect("the range is memory");
    let options = Options {
        events,
        ..Options::default()
    };
    let mut simulation = Simulation::new(Load::new(bus_bytes, is_saturated), memory, &options)
        .expect("the default options fit");
    // A driver that waits for its interrupt, as in any real run.
    let host = simulation.host();
    simulation.spawn(
        "driver",
        async move { host.wire(0).wait_high(u64::MAX).await },
    );
    let mut limit = 0;
    let mut seen = 0usize;
    let best = measure(|| {
        limit += u64::from(CYCLES);
        let outcome = simulation.run(limit, |events, _| seen += events.len());
        assert!(!outcome.is_finished(), "nothing raises the interrupt");
    });
    let counters = simulation.bus_counters(0).expect("there is one port");
    if is_saturated {
        let beats = counters.read.beats.min(counters.write.beats);
        assert!(beats > limit - 100, "{beats} beats in {limit} cycles");
        assert_eq!(seen > 0, events);
    }
    best
}

fn main() {
    for (name, bus_bytes, is_saturated) in [
        ("idle", 8, false),
        ("saturated, 32 bits", 4, true),
        ("saturated, 64 bits", 8, true),
        ("saturated, 512 bits", 64, true),
    ] {
        let device = device_alone(bus_bytes, is_saturated);
        let bare = simulated(bus_bytes, is_saturated, false);
        let watched = simulated(bus_bytes, is_saturated, true);
        println!(
            "{name:<20} stand-in {device:5.2} ns, events off {bare:6.2} ns per cycle, on {watched:6.2} ns"
        );
    }
}
