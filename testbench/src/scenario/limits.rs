//! How far a device reaches: address bits, and what lies at the edge.

use crate::scenario::Scenario;
use crate::scenario::layout::{Layout, Placement};
use crate::scenario::plan::{AddrMode, Demand, DeviceLimits, Outcome, Plan};
use crate::seed::Seed;

use Placement::{Above, Across, Below};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "limit/24-bit",
        stimulus: "A device of 24 address bits copies, sends and receives below, above and across 16 MiB.",
        checking: "What lies above or across is bounced as a whole, what lies below is not; all bytes arrive.",
        plan: |seed| around(seed, 24),
    },
    Scenario {
        name: "limit/30-bit",
        stimulus: "A device of 30 address bits copies, sends and receives below, above and across 1 GiB.",
        checking: "As limit/24-bit, and in as many cycles: it is the same work around another limit.",
        plan: |seed| around(seed, 30),
    },
    Scenario {
        name: "limit/32-bit",
        stimulus: "A device of 32 address bits copies, sends and receives below, above and across 4 GiB.",
        checking: "As limit/24-bit, and in as many cycles: it is the same work around another limit.",
        plan: |seed| around(seed, 32),
    },
    Scenario {
        name: "limit/36-bit",
        stimulus: "A device of 36 address bits copies, sends and receives below, above and across 64 GiB.",
        checking: "As limit/24-bit, and in as many cycles: it is the same work around another limit.",
        plan: |seed| around(seed, 36),
    },
    Scenario {
        name: "limit/64-bit",
        stimulus: "A device without a limit copies, sends and receives at 1 TiB and in low memory.",
        checking: "Nothing is bounced, and all bytes arrive.",
        plan: |seed| around(seed, 64),
    },
    Scenario {
        name: "limit/refused-by-engine",
        stimulus: "An engine of 32 address bits that reports them is given addresses above and across 4 GiB by a driver with a 64-bit mask.",
        checking: "It refuses both with an address-limit status and no beat, and the next transfer works.",
        plan: refused,
    },
    Scenario {
        name: "limit/8237-boundary",
        stimulus: "An engine that wraps in 64 KiB moves six buffers of 60000 bytes; the driver declares the 24-bit mask and the 64 KiB boundary.",
        checking: "No bounce buffer crosses a multiple of 64 KiB, so nothing wraps.",
        plan: wrap_with_boundary,
    },
];

fn around(seed: Seed, bits: u32) -> Plan {
    let mut layout = Layout::new(seed, bits);
    let mut stream = seed.stream("scenario.limit");
    for placement in [Below, Above] {
        for _ in 0..2 {
            layout.send(0, placement, stream.between(1, 6000), stream.below(64));
            layout.receive(0, placement, stream.between(1, 6000), stream.below(64));
        }
    }
    let misalign = [stream.below(64), stream.below(64)];
    layout.copy(0, [Above, Below], stream.between(1, 6000), misalign);
    layout.copy(0, [Below, Above], stream.between(1, 6000), misalign);
    layout.receive(0, Across, stream.between(2, 9000), stream.below(64));
    if bits < 64 {
        layout = layout.with(|plan| plan.demands.push(Demand::MixedMappings));
    }
    layout.finish()
}

fn refused(seed: Seed) -> Plan {
    let mut layout = Layout::new(seed, 32).with(|plan| {
        plan.engine.addr_mode = AddrMode::Error;
        plan.device = DeviceLimits::bits(64);
    });
    layout.send(0, Below, 500, 0);
    layout.send(0, Above, 500, 8).outcome = Outcome::AddrLimit;
    layout.send(0, Below, 500, 16);
    layout.receive(0, Across, 500, 0).outcome = Outcome::AddrLimit;
    layout.receive(0, Below, 500, 0);
    layout.finish()
}

fn wrap_with_boundary(seed: Seed) -> Plan {
    isa(seed, 0xffff)
}

/// An ISA-like device: 24 address bits of which the low 16 do not carry.
pub(super) fn isa(seed: Seed, boundary: u64) -> Plan {
    let mut layout = Layout::new(seed, 24).pool(512, 1).with(|plan| {
        plan.engine.addr_mode = AddrMode::Wrap64K;
        plan.device.segment_boundary_mask = boundary;
    });
    for _ in 0..3 {
        layout.send(0, Above, 60_000, 0);
        layout.receive(0, Above, 60_000, 0);
    }
    layout.finish()
}
