//! Engines built otherwise than usual: widths, bursts, and how much is in flight.
//!
//! Every value that a parameter's code treats in its own way (the smallest, one that is no power of two, the
//! largest, a FIFO of a single burst) meets most values of the other parameters in one of these cores.

use crate::scenario::Scenario;
use crate::scenario::layout::{Layout, Placement};
use crate::scenario::plan::{EnginePlan, Plan};
use crate::seed::Seed;

use Placement::{Above, Below};

const CHECKING: &str = "As transfer/to-device, transfer/from-device and transfer/copy, within the budget of these parameters.";

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "parameters/one-read-of-one-beat",
        stimulus: "A 128-bit engine with bursts of 1 beat, 1 read and 255 writes in flight, and a FIFO of 4 beats.",
        checking: CHECKING,
        plan: |seed| built(seed, 128, 1, [1, 255], 4),
    },
    Scenario {
        name: "parameters/one-write-of-256-beats",
        stimulus: "A 128-bit engine with bursts of 256 beats, 3 reads and 1 write in flight, and a FIFO of one burst.",
        checking: CHECKING,
        plan: |seed| built(seed, 128, 256, [3, 1], 256),
    },
    Scenario {
        name: "parameters/many-reads-of-5-beats",
        stimulus: "A 256-bit engine with bursts of 5 beats, 255 reads and 2 writes in flight, and a FIFO of 1024 beats.",
        checking: CHECKING,
        plan: |seed| built(seed, 256, 5, [255, 2], 1024),
    },
    Scenario {
        name: "parameters/bursts-of-a-page",
        stimulus: "A 256-bit engine with bursts of 256 beats, which a page cuts to 128, 16 reads and 255 writes in flight.",
        checking: CHECKING,
        plan: |seed| built(seed, 256, 256, [16, 255], 512),
    },
    Scenario {
        name: "parameters/fifo-of-one-burst",
        stimulus: "A 64-bit engine with bursts of 4 beats, 16 reads and 2 writes in flight, and a FIFO of 4 beats.",
        checking: CHECKING,
        plan: |seed| built(seed, 64, 4, [16, 2], 4),
    },
    Scenario {
        name: "parameters/narrow-and-single",
        stimulus: "A 32-bit wide engine with bursts of 1 beat, 255 reads and 1 write in flight, and a FIFO of 512 beats.",
        checking: CHECKING,
        plan: |seed| built(seed, 32, 1, [255, 1], 512),
    },
];

/// Sends, receives and copies on an engine of 64 address bits whose driver declares 32.
fn built(
    seed: Seed,
    data_width: u32,
    max_burst_beats: u32,
    [max_reads, max_writes]: [u32; 2],
    fifo_depth: u32,
) -> Plan {
    let mut layout = Layout::new(seed, 32).with(|plan| {
        plan.engine = EnginePlan {
            data_width,
            max_burst_beats,
            max_reads,
            max_writes,
            fifo_depth,
            ..EnginePlan::bits(64)
        };
    });
    let mut stream = seed.stream("scenario.parameters");
    let beat = u64::from(data_width) / 8;
    for bytes in [
        1,
        beat - 1,
        beat,
        beat + 1,
        4096,
        stream.between(5000, 20_000),
    ] {
        let mut misalign = || stream.below(4096);
        layout.send(0, Above, bytes, misalign());
        layout.receive(0, Below, bytes, misalign());
        layout.copy(0, [Below, Above], bytes, [misalign(), misalign()]);
    }
    layout.finish()
}
