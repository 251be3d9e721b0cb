//! Every fault that the engine can be built with: each is caught by the check or rule that is named.
//!
//! Each fault is a core of its own, so the family is not part of the suite: it runs when it is named, and in
//! `make test`.

use rebound_sim::axi::{BusPolicy, ChannelStalls};
use rebound_sim::stall::Stall;
use rebound_sim::stream::StreamPolicy;

use crate::scenario::Scenario;
use crate::scenario::layout::{Layout, Placement};
use crate::scenario::plan::{Expect, Plan, PlantedFault};
use crate::seed::Seed;
use crate::violation::Check;

use Placement::Below;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "fault/cross-4k",
        stimulus: "Planted in the engine: bursts ignore the 4 KiB boundary.",
        checking: "Protocol rule AXI_AR_4K is broken.",
        plan: |seed| work(seed, PlantedFault::Cross4K, rule("AXI_AR_4K")),
    },
    Scenario {
        name: "fault/lost-tail",
        stimulus: "Planted in the engine: the last write beat of a transfer has no strobes.",
        checking: "Check not-written fires.",
        plan: |seed| work(seed, PlantedFault::LostTail, check(Check::NotWritten)),
    },
    Scenario {
        name: "fault/early-done",
        stimulus: "Planted in the engine: a transfer from the device is done before its last write response.",
        checking: "Check early-done fires.",
        plan: |seed| work(seed, PlantedFault::EarlyDone, check(Check::EarlyDone)),
    },
    Scenario {
        name: "fault/aw-unstable",
        stimulus: "Planted in the engine: AWADDR changes while AWREADY is low.",
        checking: "Protocol rule AXI_AW_STABLE is broken.",
        plan: |seed| work(seed, PlantedFault::AwUnstable, rule("AXI_AW_STABLE")),
    },
    Scenario {
        name: "fault/wlast-missing",
        stimulus: "Planted in the engine: WLAST is never set.",
        checking: "Protocol rule AXI_W_LAST is broken.",
        plan: |seed| work(seed, PlantedFault::WlastMissing, rule("AXI_W_LAST")),
    },
    Scenario {
        name: "fault/wlast-early",
        stimulus: "Planted in the engine: WLAST is set one beat early as well.",
        checking: "Protocol rule AXI_W_LAST is broken.",
        plan: |seed| work(seed, PlantedFault::WlastEarly, rule("AXI_W_LAST")),
    },
    Scenario {
        name: "fault/aw-dropped",
        stimulus: "Planted in the engine: AWVALID falls without AWREADY.",
        checking: "Protocol rule AXI_AW_VALID is broken.",
        plan: |seed| work(seed, PlantedFault::AwDropped, rule("AXI_AW_VALID")),
    },
    Scenario {
        name: "fault/ar-unstable",
        stimulus: "Planted in the engine: ARADDR changes while ARREADY is low.",
        checking: "Protocol rule AXI_AR_STABLE is broken.",
        plan: |seed| work(seed, PlantedFault::ArUnstable, rule("AXI_AR_STABLE")),
    },
    Scenario {
        name: "fault/w-unstable",
        stimulus: "Planted in the engine: WDATA changes while WREADY is low.",
        checking: "Protocol rule AXI_W_STABLE is broken.",
        plan: |seed| work(seed, PlantedFault::WUnstable, rule("AXI_W_STABLE")),
    },
    Scenario {
        name: "fault/wide-strobes",
        stimulus: "Planted in the engine: the first write beat of a burst strobes all lanes.",
        checking: "Protocol rule AXI_W_STRB is broken, and the guard before the buffer is found overwritten.",
        plan: |seed| work(seed, PlantedFault::WideStrobes, rule("AXI_W_STRB")),
    },
    Scenario {
        name: "fault/too-many-reads",
        stimulus: "Planted in the engine: twice as many reads are in flight as the manifest declares.",
        checking: "Protocol rule AXI_AR_OUTSTANDING is broken.",
        plan: |seed| work(seed, PlantedFault::TooManyReads, rule("AXI_AR_OUTSTANDING")),
    },
    Scenario {
        name: "fault/bad-burst-type",
        stimulus: "Planted in the engine: ARBURST is the reserved value 3.",
        checking: "Protocol rule AXI_AR_BURST is broken.",
        plan: |seed| work(seed, PlantedFault::BadBurstType, rule("AXI_AR_BURST")),
    },
    Scenario {
        name: "fault/bad-size",
        stimulus: "Planted in the engine: AWSIZE is wider than the bus.",
        checking: "Protocol rule AXI_AW_SIZE is broken.",
        plan: |seed| work(seed, PlantedFault::BadSize, rule("AXI_AW_SIZE")),
    },
    Scenario {
        name: "fault/swapped-bytes",
        stimulus: "Planted in the engine: the two lowest bytes of each write beat are swapped.",
        checking: "Check data fires.",
        plan: |seed| work(seed, PlantedFault::SwappedBytes, check(Check::Data)),
    },
    Scenario {
        name: "fault/never-done",
        stimulus: "Planted in the engine: a transfer from the device never ends.",
        checking: "Check hang fires.",
        plan: |seed| work(seed, PlantedFault::NeverDone, check(Check::Hang)),
    },
    Scenario {
        name: "fault/wrong-address",
        stimulus: "Planted in the engine: the last write burst of a transfer goes one beat too far.",
        checking: "Check past-end fires.",
        plan: |seed| work(seed, PlantedFault::WrongAddress, check(Check::PastEnd)),
    },
    Scenario {
        name: "fault/stream-unstable",
        stimulus: "Planted in the engine: TDATA changes while TREADY is low.",
        checking: "Protocol rule AXIS_STABLE is broken.",
        plan: |seed| work(seed, PlantedFault::StreamUnstable, rule("AXIS_STABLE")),
    },
    Scenario {
        name: "fault/stream-dropped",
        stimulus: "Planted in the engine: TVALID falls without TREADY.",
        checking: "Protocol rule AXIS_VALID is broken.",
        plan: |seed| work(seed, PlantedFault::StreamDropped, rule("AXIS_VALID")),
    },
    Scenario {
        name: "fault/valid-in-reset",
        stimulus: "Planted in the engine: ARVALID is high during reset.",
        checking: "Protocol rule AXI_AR_RESET is broken.",
        plan: |seed| work(seed, PlantedFault::ValidInReset, rule("AXI_AR_RESET")),
    },
    Scenario {
        name: "fault/lost-interrupt",
        stimulus: "Planted in the engine: the interrupt never rises.",
        checking: "Check lost-interrupt fires.",
        plan: |seed| {
            work(
                seed,
                PlantedFault::LostInterrupt,
                check(Check::LostInterrupt),
            )
        },
    },
    Scenario {
        name: "fault/read-astray",
        stimulus: "Planted in the engine: the last read burst of a transfer reads the neighbouring page.",
        checking: "Check unmapped fires.",
        plan: |seed| work(seed, PlantedFault::ReadAstray, check(Check::Unmapped)),
    },
];

/// The fault is caught by a check.
fn check(must: Check) -> Expect {
    Expect::Caught {
        must: vec![must],
        words: None,
        may: Vec::new(),
    }
}

/// The fault is caught by a protocol rule.
fn rule(name: &str) -> Expect {
    Expect::Caught {
        must: vec![Check::Protocol],
        words: Some(format!("{name} ")),
        may: Vec::new(),
    }
}

/// Makes a plan that provokes every fault: unaligned transfers in both directions that cross pages and need
/// several bursts, on a bus and streams that let address and data wait.
fn work(seed: Seed, fault: PlantedFault, mut expect: Expect) -> Plan {
    if let Expect::Caught { may, .. } = &mut expect {
        may.extend(consequences(fault));
    }
    let stall = Stall::Random { probability: 0.5 };
    let mut layout = Layout::new(seed, 32).with(|plan| {
        plan.engine.planted_fault = Some(fault);
        plan.bus = BusPolicy {
            stalls: ChannelStalls::uniform(stall),
            ..BusPolicy::with_latency(20)
        };
        plan.stream = StreamPolicy {
            sink_stall: stall,
            ..StreamPolicy::default()
        };
        if fault == PlantedFault::TooManyReads {
            // More reads than are allowed only come together if the first ones take long.
            plan.engine.max_reads = 2;
            plan.bus.read_latency_cycles = 200;
        }
    });
    // Often enough that every kind of waiting comes, whatever the seed.
    for _ in 0..4 {
        layout.send(0, Below, 3000, 4001);
        layout.receive(0, Below, 3000, 4003);
    }
    layout.with(|plan| plan.expect = expect).finish()
}

/// Returns the checks that a fault breaks beside the one that has to catch it: bytes that go astray, and what
/// is still held when a run is given up.
const fn consequences(fault: PlantedFault) -> &'static [Check] {
    use PlantedFault as Fault;
    match fault {
        Fault::AwUnstable => &[
            Check::Unmapped,
            Check::UseAfterUnmap,
            Check::PastEnd,
            Check::Data,
            Check::NotWritten,
            Check::WrittenTwice,
            Check::Guard,
        ],
        Fault::ArUnstable => &[
            Check::Unmapped,
            Check::UseAfterUnmap,
            Check::PastEnd,
            Check::Stream,
        ],
        Fault::WUnstable => &[Check::Data, Check::NotWritten],
        Fault::WideStrobes => &[Check::Unmapped, Check::Guard],
        Fault::BadBurstType | Fault::BadSize => &[Check::Status],
        Fault::NeverDone => &[Check::Data, Check::NotWritten, Check::Leak],
        Fault::WrongAddress => &[Check::Data, Check::NotWritten, Check::Guard],
        Fault::StreamUnstable | Fault::ReadAstray => &[Check::Stream],
        Fault::LostInterrupt => &[Check::Leak, Check::Hang],
        _ => &[],
    }
}
