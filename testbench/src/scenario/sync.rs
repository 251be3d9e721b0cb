//! Mappings that live long: part of them is synced, again and again.

use crate::scenario::Scenario;
use crate::scenario::layout::{Layout, Placement};
use crate::scenario::plan::{Plan, Usage};
use crate::seed::Seed;

use Placement::{Above, Below};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "sync/partial-to-device",
        stimulus: "The CPU rewrites part of a mapped source five times and syncs just that part for the device.",
        checking: "The device reads the new bytes of the part, and never old ones.",
        plan: to_device,
    },
    Scenario {
        name: "sync/partial-from-device",
        stimulus: "The device rewrites part of a mapped destination five times; the CPU syncs just that part and reads it.",
        checking: "The CPU sees the new bytes in the part, and the old ones around it.",
        plan: from_device,
    },
    Scenario {
        name: "sync/reachable",
        stimulus: "As both partial syncs, with buffers that the device reaches.",
        checking: "Nothing is bounced, and the same bytes arrive.",
        plan: reachable,
    },
];

const PARTS: [(u64, u64); 4] = [(0, 64), (2000, 100), (5, 4000), (4095, 1)];

fn reuse((offset, bytes): (u64, u64)) -> Usage {
    Usage::Reuse {
        rounds: 5,
        offset,
        bytes,
    }
}

fn to_device(seed: Seed) -> Plan {
    let mut layout = Layout::new(seed, 32);
    for part in PARTS {
        layout.send(0, Above, 4096, part.1 % 64).usage = reuse(part);
    }
    layout.finish()
}

fn from_device(seed: Seed) -> Plan {
    let mut layout = Layout::new(seed, 32);
    for part in PARTS {
        layout.receive(0, Above, 4096, part.1 % 64).usage = reuse(part);
    }
    layout.finish()
}

fn reachable(seed: Seed) -> Plan {
    let mut layout = Layout::new(seed, 32);
    for part in PARTS {
        layout.send(0, Below, 4096, part.1 % 64).usage = reuse(part);
        layout.receive(0, Below, 4096, part.1 % 64).usage = reuse(part);
    }
    layout.finish()
}
