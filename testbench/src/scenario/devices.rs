//! Real devices with limited DMA addressing: the engine strapped to what each of them can do, the driver with the masks of
//! its Linux driver.
//!
//! One core is all of them: 64 address bits, of which the straps take away what the device has not.

use crate::scenario::Scenario;
use crate::scenario::device::DevicePreset;
use crate::scenario::layout::{Layout, Placement};
use crate::scenario::plan::{AddrMode, BufferUse, Demand, EnginePlan, Movement, Plan, Range};
use crate::seed::Seed;

use Placement::{Above, Across, Below};

/// Buffers longer than a segment are only moved where that is affordable.
const LONG_BYTES: u64 = 256 << 10;

/// The scenario of a preset.
macro_rules! scenario {
    ($name:literal, $stimulus:literal, $checking:literal) => {
        Scenario {
            name: concat!("device/", $name),
            stimulus: $stimulus,
            checking: $checking,
            plan: |seed| everywhere(seed, &preset($name)),
        }
    };
}

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario!(
        "isa-8237",
        "Buffers below, above and across 16 MiB, also longer than 64 KiB; records in coherent memory.",
        "What lies beyond 16 MiB is bounced; no transfer crosses 64 KiB, where the address counter wraps."
    ),
    scenario!(
        "isa-8237-16bit",
        "As device/isa-8237 with buffers of whole words, also longer than 128 KiB.",
        "What lies beyond 16 MiB is bounced; no transfer crosses 128 KiB, where the address counter wraps."
    ),
    scenario!(
        "ice1712",
        "Buffers below, above and across 256 MiB; records in coherent memory.",
        "What lies beyond 256 MiB is bounced, nothing else is."
    ),
    scenario!(
        "b44",
        "Buffers below, above and across 1 GiB; records in coherent memory.",
        "What lies beyond 1 GiB is bounced, nothing else is."
    ),
    scenario!(
        "bcm2711",
        "Buffers below, above and across 1 GiB, which the device sees at bus address 0xc0000000; records in coherent memory.",
        "Direct buffers and bounce buffers lie in the window, the device is given bus addresses, and what lies behind it is bounced."
    ),
    scenario!(
        "aacraid",
        "Buffers below, above and across 4 GiB; records in coherent memory, with free pages on both sides of 2 GiB.",
        "What lies beyond 4 GiB is bounced; buffers between 2 and 4 GiB are not, but coherent memory lies below 2 GiB."
    ),
    scenario!(
        "ath10k-pci",
        "Buffers below, above and across 4 GiB; records in coherent memory.",
        "What lies beyond 4 GiB is bounced, nothing else is."
    ),
    scenario!(
        "ata-bmdma",
        "Buffers below, above and across 4 GiB, also longer than 64 KiB; records in coherent memory.",
        "What lies beyond 4 GiB is bounced; no transfer crosses 64 KiB, where the address counter wraps."
    ),
    scenario!(
        "xilinx-dma",
        "Buffers of whole bus words below, above and across 4 GiB; records in coherent memory.",
        "What lies beyond 4 GiB is bounced, nothing else is."
    ),
    scenario!(
        "xilinx-dma-14bit",
        "As device/xilinx-dma, with a length register of 14 bits and longer buffers.",
        "The driver splits them after 16376 bytes, the longest that is whole words; what lies beyond 4 GiB is bounced."
    ),
    Scenario {
        name: "device/xilinx-dma-long",
        stimulus: "The driver of the preset xilinx-dma copies more than 8 MiB on a machine that it reaches all of.",
        checking: "The copy is split after 8388600 bytes, the longest that is whole words; nothing is bounced.",
        plan: long,
    },
    scenario!(
        "vl805",
        "Buffers below, above and across 3 GiB, where the window ends; records in coherent memory.",
        "What lies beyond the window is bounced, though the mask of 36 bits reaches it."
    ),
    scenario!(
        "ath11k-pci",
        "Buffers below, above and across 64 GiB; records in coherent memory, with free pages on both sides of 4 GiB.",
        "What lies beyond 64 GiB is bounced; coherent memory lies below 4 GiB."
    ),
    scenario!(
        "bnx2",
        "Buffers below, above and across 1 TiB; records in coherent memory.",
        "What lies beyond 1 TiB is bounced, nothing else is."
    ),
    scenario!(
        "zynqmp-dma",
        "Buffers below, above and across 16 TiB; records in coherent memory.",
        "What lies beyond 16 TiB is bounced, nothing else is."
    ),
    scenario!(
        "k3-udma",
        "Buffers below, above and across 256 TiB; records in coherent memory.",
        "What lies beyond 256 TiB is bounced, nothing else is."
    ),
    scenario!(
        "nvme",
        "With swiotlb=force, buffers at all multiples of 4 in a page; records in coherent memory.",
        "All are bounced, and each bounce buffer has the low 12 bits of its original."
    ),
];

/// Finds a preset that the scenarios name.
pub(super) fn preset(name: &str) -> DevicePreset {
    DevicePreset::find(name).unwrap_or_else(|| panic!("no device preset is named {name}"))
}

/// A machine with RAM around the end of a device's reach, and the engine strapped to be the device.
pub(super) fn machine(seed: Seed, preset: &DevicePreset) -> Layout {
    Layout::of_device(seed, preset.limits()).with(|plan| {
        plan.engine.addr_mode = AddrMode::Boundary;
        plan.straps = Some(preset.straps());
    })
}

/// Moves buffers of all sorts within, beyond and across the device's reach.
fn everywhere(seed: Seed, preset: &DevicePreset) -> Plan {
    let granule = u64::from(preset.granule_bytes);
    let is_limited = preset.streaming_bits < 64;
    let mut layout = machine(seed, preset).coherent_pages();
    let mut stream = seed.stream("scenario.device");
    let mut units = |most: u64| granule * stream.between(1, most / granule);
    for placement in [Below, Above] {
        for _ in 0..2 {
            layout.send(0, placement, units(6000), units(4000));
            layout.receive(0, placement, units(6000), units(4000));
        }
    }
    let bytes = units(6000);
    layout.copy(0, [Above, Below], bytes, [units(4000), units(4000)]);
    layout.copy(0, [Below, Above], bytes, [units(4000), units(4000)]);
    if is_limited {
        layout.receive(0, Across, 2 * units(3000), 0);
    }
    let longest = preset.limits().longest_transfer();
    if longest <= LONG_BYTES {
        for placement in [Below, Above] {
            let bytes = longest + units(5000);
            layout.send(0, placement, bytes, units(4000));
            layout.receive(0, placement, bytes, units(4000));
        }
    }
    layout.ring(0, 20 * 64 + 24, 64, 2);
    layout
        .with(|plan| {
            if is_limited {
                plan.demands.push(Demand::MixedMappings);
            } else if let Some(pool) = &mut plan.machine.pool {
                // There is nothing that it does not reach.
                pool.is_forced = true;
            }
        })
        .finish()
}

/// More than a segment at once needs a machine on which nothing limits a mapping, and a wide bus.
fn long(seed: Seed) -> Plan {
    let preset = preset("xilinx-dma");
    let mut layout = machine(seed, &preset).with(|plan| {
        plan.engine = EnginePlan {
            data_width: 256,
            max_burst_beats: 256,
            max_writes: 255,
            ..EnginePlan::bits(64)
        };
        plan.machine.ram[1] = Range {
            base: 0x4000_0000,
            bytes: 32 << 20,
        };
    });
    let longest = preset.limits().longest_transfer();
    let bytes = longest + 4096;
    let source = layout.buffer_at(BufferUse::Source, 0x4010_0008, bytes);
    let destination = layout.buffer_at(BufferUse::Destination, 0x4110_0010, bytes);
    layout.transfer(
        0,
        Movement::Copy {
            source,
            destination,
        },
    );
    layout.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::device::PRESETS;

    #[test]
    fn each_preset_has_its_scenario() {
        for preset in PRESETS {
            let name = format!("device/{}", preset.name);
            let scenario = SCENARIOS.iter().find(|scenario| scenario.name == name);
            let scenario = scenario.unwrap_or_else(|| panic!("{name} is missing"));
            let plan = (scenario.plan)(Seed::new(1));
            assert_eq!(plan.device, preset.limits(), "{name}");
            assert_eq!(plan.straps, Some(preset.straps()), "{name}");
        }
    }
}
