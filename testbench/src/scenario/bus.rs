//! What the bus and several CPUs do to a transfer: latency, stalls, order, errors, contention.

use rebound_sim::axi::{
    BusPolicy, ChannelStalls, FaultAccess, FaultResponse, FaultWindow, ResponseOrder,
};
use rebound_sim::stall::Stall;
use swiotlb::DmaAddr;

use crate::scenario::Scenario;
use crate::scenario::layout::{Layout, Placement};
use crate::scenario::plan::{Demand, Outcome, Plan};
use crate::seed::Seed;

use Placement::{Above, Below};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "bus/both-channels",
        stimulus: "Two CPUs keep the sending and the receiving channel busy at once.",
        checking: "Each channel's data arrive, and the channels do not hold each other up beyond the budget.",
        plan: |seed| mixed(seed, BusPolicy::with_latency(20)),
    },
    Scenario {
        name: "bus/latency-1",
        stimulus: "Both channels at a memory latency of 1 cycle.",
        checking: "All bytes arrive within the budget.",
        plan: |seed| mixed(seed, BusPolicy::with_latency(1)),
    },
    Scenario {
        name: "bus/latency-50",
        stimulus: "Both channels at a memory latency of 50 cycles.",
        checking: "All bytes arrive within a budget that expects bursts in flight.",
        plan: |seed| mixed(seed, BusPolicy::with_latency(50)),
    },
    Scenario {
        name: "bus/latency-200",
        stimulus: "Both channels at a memory latency of 200 cycles.",
        checking: "All bytes arrive within a budget that expects bursts in flight.",
        plan: |seed| mixed(seed, BusPolicy::with_latency(200)),
    },
    Scenario {
        name: "bus/stalls-random",
        stimulus: "Every channel of the bus stalls in 40 % of the cycles, each by a stream of its own.",
        checking: "All bytes arrive, and no signal changes while it waits.",
        plan: |seed| stalled(seed, Stall::Random { probability: 0.4 }),
    },
    Scenario {
        name: "bus/stalls-regular",
        stimulus: "Every channel of the bus stalls in every fourth cycle.",
        checking: "As bus/stalls-random.",
        plan: |seed| stalled(seed, Stall::EveryN { period: 4 }),
    },
    Scenario {
        name: "bus/stalls-long",
        stimulus: "Every channel of the bus stalls for 100 cycles after every 60 free ones.",
        checking: "As bus/stalls-random.",
        plan: |seed| stalled(seed, Stall::LongHold { run: 60, hold: 100 }),
    },
    Scenario {
        name: "bus/jitter",
        stimulus: "Each response comes 30 to 50 cycles after its burst, so reads and writes overtake each other. The engine uses one id, so its reads stay in order, and so do its writes.",
        checking: "All bytes arrive in their places. Reordering between ids is tested with the bus model, which answers masters of many ids.",
        plan: jitter,
    },
    Scenario {
        name: "bus/error-responses",
        stimulus: "SLVERR and DECERR windows are hit by both channels; a good transfer follows each.",
        checking: "The status tells the error, the channel stays usable, and no mapping or slot is lost.",
        plan: errors,
    },
];

/// Two CPUs, one that sends and one that receives.
pub(super) fn mixed(seed: Seed, bus: BusPolicy) -> Plan {
    let mut layout = Layout::new(seed, 32).cpus(2).with(|plan| plan.bus = bus);
    let mut stream = seed.stream("scenario.mixed");
    for number in 0..6 {
        let placement = if number % 2 == 0 { Above } else { Below };
        layout.send(0, placement, stream.between(1000, 20_000), stream.below(64));
        layout.receive(1, placement, stream.between(1000, 20_000), stream.below(64));
    }
    layout
        .with(|plan| plan.demands.push(Demand::ChannelsOverlap))
        .finish()
}

fn stalled(seed: Seed, stall: Stall) -> Plan {
    let bus = BusPolicy {
        stalls: ChannelStalls::uniform(stall),
        ..BusPolicy::with_latency(10)
    };
    mixed(seed, bus)
}

fn jitter(seed: Seed) -> Plan {
    let bus = BusPolicy {
        order: ResponseOrder::ReorderById {
            interleave_reads: true,
        },
        stalls: ChannelStalls::uniform(Stall::Random { probability: 0.2 }),
        read_jitter_cycles: 20,
        write_jitter_cycles: 20,
        ..BusPolicy::with_latency(30)
    };
    mixed(seed, bus)
}

fn errors(seed: Seed) -> Plan {
    let mut layout = Layout::new(seed, 32);
    for (response, outcome) in [
        (FaultResponse::Slverr, Outcome::Slverr),
        (FaultResponse::Decerr, Outcome::Decerr),
    ] {
        layout.send(0, Below, 3000, 7).outcome = outcome;
        layout.send(0, Below, 1000, 0);
        layout.receive(0, Below, 3000, 9).outcome = outcome;
        layout.receive(0, Below, 1000, 0);
        layout = layout.with(|plan| {
            let windows: Vec<FaultWindow> = plan
                .transfers
                .iter()
                .filter(|transfer| transfer.outcome == outcome)
                .map(|transfer| FaultWindow {
                    dma_base: DmaAddr::new((plan.buffer_of(transfer).phys + 1500) / 64 * 64),
                    bytes: 64,
                    access: FaultAccess::Both,
                    response,
                })
                .collect();
            plan.bus.faults.extend(windows);
        });
    }
    layout.finish()
}
