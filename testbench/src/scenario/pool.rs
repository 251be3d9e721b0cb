//! The bounce pool under pressure: full, in areas, forced, with alignment.

use crate::scenario::Scenario;
use crate::scenario::layout::{Layout, Placement};
use crate::scenario::plan::{Demand, Plan};
use crate::seed::Seed;

use Placement::{Above, Below};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "pool/full-and-recovering",
        stimulus: "Six CPUs each map 240 KiB buffers of a 1 MiB pool; who finds it full tries again.",
        checking: "The pool runs full and recovers; all bytes arrive; no slot is left in use.",
        plan: full,
    },
    Scenario {
        name: "pool/areas-and-cpus",
        stimulus: "Four CPUs share a pool of four areas and both channels.",
        checking: "Each CPU's data arrive, and no slot is left in use.",
        plan: areas,
    },
    Scenario {
        name: "pool/forced",
        stimulus: "Bouncing is forced for buffers that the device could reach.",
        checking: "Every transfer is bounced, and all bytes arrive.",
        plan: forced,
    },
    Scenario {
        name: "pool/min-align-mask",
        stimulus: "A device that needs the low 12 address bits kept moves buffers at odd offsets in a page.",
        checking: "Each bounce buffer has the low bits of its original; nothing before it is written.",
        plan: min_align,
    },
    Scenario {
        name: "pool/small-transfers",
        stimulus: "Sixty transfers of 1 to 300 bytes go through the pool one after the other.",
        checking: "Slots are given back and used again; all bytes arrive.",
        plan: small,
    },
];

fn full(seed: Seed) -> Plan {
    let mut layout = Layout::new(seed, 32).pool(512, 1).cpus(6);
    for _ in 0..2 {
        for cpu in 0..6 {
            if cpu % 2 == 0 {
                layout.send(cpu, Above, 240 << 10, 0);
            } else {
                layout.receive(cpu, Above, 240 << 10, 0);
            }
        }
    }
    layout
        .with(|plan| plan.demands.push(Demand::PoolRunsFull))
        .finish()
}

fn areas(seed: Seed) -> Plan {
    let mut layout = Layout::new(seed, 32).pool(1024, 4).cpus(4);
    let mut stream = seed.stream("scenario.areas");
    for _ in 0..5 {
        for cpu in 0..4 {
            let (bytes, misalign) = (stream.between(1, 12_000), stream.below(4096));
            if stream.below(2) == 0 {
                layout.send(cpu, Above, bytes, misalign);
            } else {
                layout.receive(cpu, Above, bytes, misalign);
            }
        }
    }
    layout.finish()
}

fn forced(seed: Seed) -> Plan {
    let mut layout = Layout::new(seed, 32).with(|plan| {
        if let Some(pool) = &mut plan.machine.pool {
            pool.is_forced = true;
        }
    });
    for bytes in [1, 100, 3000] {
        layout.send(0, Below, bytes, 4);
        layout.receive(0, Below, bytes, 12);
        layout.copy(0, [Below, Above], bytes, [1, 2]);
    }
    layout.finish()
}

fn min_align(seed: Seed) -> Plan {
    let mut layout = Layout::new(seed, 32).with(|plan| plan.device.min_align_mask = 4095);
    let mut stream = seed.stream("scenario.min-align");
    for bytes in [1, 512, 2048, 4096, 4097, 20_000] {
        layout.send(0, Above, bytes, stream.between(1, 4095));
        layout.receive(0, Above, bytes, stream.between(1, 4095));
    }
    layout.finish()
}

fn small(seed: Seed) -> Plan {
    let mut layout = Layout::new(seed, 32);
    let mut stream = seed.stream("scenario.small");
    for number in 0..60 {
        let (bytes, misalign) = (stream.between(1, 300), stream.below(64));
        if number % 2 == 0 {
            layout.send(0, Above, bytes, misalign);
        } else {
            layout.receive(0, Above, bytes, misalign);
        }
    }
    layout.finish()
}
