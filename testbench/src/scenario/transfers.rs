//! The basic movements: directions, sizes and alignments.

use crate::scenario::Scenario;
use crate::scenario::layout::{Layout, Placement};
use crate::scenario::plan::{EnginePlan, Plan, low_bits};
use crate::seed::Seed;

use Placement::{Above, Below};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "transfer/to-device",
        stimulus: "A 32-bit device reads 18 buffers of 1 byte to 64 KiB, every second one above 4 GiB.",
        checking: "Every beat reads the buffer's byte in a live mapping, and the stream carries all of them.",
        plan: to_device,
    },
    Scenario {
        name: "transfer/from-device",
        stimulus: "A 32-bit device writes 18 buffers of 1 byte to 64 KiB, the same ones above 4 GiB as in transfer/to-device.",
        checking: "Every byte is written once with the stream's byte and is in the buffer after unmap; guards are whole.",
        plan: from_device,
    },
    Scenario {
        name: "transfer/copy",
        stimulus: "The engine copies 12 buffers of 1 byte to 32 KiB from and to memory above 4 GiB.",
        checking: "The destination holds the source's bytes after unmap, the source is as it was, guards are whole.",
        plan: copy,
    },
    Scenario {
        name: "transfer/sizes-to-1-mib",
        stimulus: "Lengths around one beat, 2 KiB, 4 KiB, 256 beats, 256 KiB and 1 MiB; the driver splits what exceeds the largest mapping.",
        checking: "As transfer/copy; no mapping is refused, and none is longer than max_mapping_size.",
        plan: sizes,
    },
    Scenario {
        name: "transfer/alignments",
        stimulus: "Copies of 1 to 40 bytes between every pair of byte offsets in a beat, bounced and direct.",
        checking: "Strobes cover exactly the destination: guards next to each buffer are whole.",
        plan: alignments,
    },
    Scenario {
        name: "transfer/width-512",
        stimulus: "A 512-bit engine copies between byte offsets 0 to 63 of a beat, bounced by its 32-bit mask.",
        checking: "As transfer/alignments, at the widest bus.",
        plan: width_512,
    },
    Scenario {
        name: "transfer/width-32",
        stimulus: "A 32-bit wide engine moves 12 buffers in both directions, bounced by its 32-bit mask.",
        checking: "As transfer/to-device and transfer/from-device, at the narrowest bus.",
        plan: width_32,
    },
    Scenario {
        name: "bounce/waveform",
        stimulus: "One 32-bit bounced buffer of 700 bytes to the device, then one from it, then one reachable copy.",
        checking: "As the other transfers; its waveform is written by default and explained in waves/README.md.",
        plan: waveform,
    },
];

/// Lengths around which hardware and slots change their ways, up to 64 KiB.
const LADDER: [u64; 18] = [
    1, 2, 3, 7, 8, 9, 63, 64, 65, 127, 129, 2047, 2048, 2049, 4095, 4097, 10_000, 65_536,
];

fn to_device(seed: Seed) -> Plan {
    let mut layout = Layout::new(seed, 32);
    let mut stream = seed.stream("scenario.misalign");
    for (number, bytes) in LADDER.into_iter().enumerate() {
        layout.send(0, every_second_above(number), bytes, stream.below(4096));
    }
    layout.finish()
}

/// The last and longest buffer of the ladder is out of reach. Both directions bounce the same bytes, so that
/// their costs can be compared: from the device they are copied twice.
const fn every_second_above(number: usize) -> Placement {
    if number & 1 == 0 { Below } else { Above }
}

fn from_device(seed: Seed) -> Plan {
    let mut layout = Layout::new(seed, 32);
    let mut stream = seed.stream("scenario.misalign");
    for (number, bytes) in LADDER.into_iter().enumerate() {
        layout.receive(0, every_second_above(number), bytes, stream.below(4096));
    }
    layout.finish()
}

fn copy(seed: Seed) -> Plan {
    let mut layout = Layout::new(seed, 32);
    let mut stream = seed.stream("scenario.copy");
    for bytes in [
        1, 5, 8, 64, 100, 1000, 2048, 4096, 5000, 8192, 20_000, 32_768,
    ] {
        let source = if stream.chance(0.5) { Above } else { Below };
        let placement = [source, Above];
        let misalign = [stream.below(4096), stream.below(4096)];
        layout.copy(0, placement, bytes, misalign);
    }
    layout.finish()
}

fn sizes(seed: Seed) -> Plan {
    let mut layout = Layout::new(seed, 32);
    for bytes in [
        1, 7, 8, 9, 2047, 2048, 2049, 4095, 4096, 4097, 262_143, 262_144, 262_145, 1_048_576,
    ] {
        layout.copy(0, [Above, Above], bytes, [0, 0]);
    }
    layout.finish()
}

fn alignments(seed: Seed) -> Plan {
    let mut layout = Layout::new(seed, 32);
    let mut stream = seed.stream("scenario.length");
    for source in 0..8 {
        for destination in 0..8 {
            let placement = if (source + destination) % 2 == 0 {
                Above
            } else {
                Below
            };
            layout.copy(
                0,
                [placement, placement],
                stream.between(1, 40),
                [source, destination],
            );
        }
    }
    // The lowest bits of a buffer's address survive bouncing only if the device asks for it.
    layout.with(|plan| plan.device.min_align_mask = 7).finish()
}

fn width_512(seed: Seed) -> Plan {
    let mut layout = Layout::new(seed, 32).with(|plan| {
        plan.engine = EnginePlan {
            data_width: 512,
            ..EnginePlan::bits(64)
        };
        plan.device.min_align_mask = 63;
    });
    let mut stream = seed.stream("scenario.offsets");
    for offset in 0..32 {
        let misalign = [offset * 2 + stream.below(2), stream.below(64)];
        layout.copy(0, [Above, Above], stream.between(1, 400), misalign);
    }
    layout.finish()
}

fn width_32(seed: Seed) -> Plan {
    let mut layout = Layout::new(seed, 32).with(|plan| {
        plan.engine = EnginePlan {
            data_width: 32,
            ..EnginePlan::bits(64)
        };
    });
    let mut stream = seed.stream("scenario.width");
    for bytes in [1, 3, 4, 5, 250, 6000] {
        layout.send(0, Above, bytes, stream.below(4096));
        layout.receive(0, Above, bytes, stream.below(4096));
    }
    layout.finish()
}

fn waveform(seed: Seed) -> Plan {
    let mut layout = Layout::new(seed, 32);
    layout.send(0, Above, 700, 0x10);
    layout.receive(0, Above, 700, 0x20);
    layout.copy(0, [Below, Below], 300, [3, 5]);
    let plan = layout.finish();
    debug_assert_eq!(plan.device.dma_mask, low_bits(32));
    plan
}
