//! Negative controls: a fault is planted, and the verdict is good only if it is caught.

use rebound_sim::axi::BusPolicy;

use crate::scenario::layout::{Layout, Placement};
use crate::scenario::plan::{
    DeviceLimits, Expect, IommuPlan, Mistake, Plan, PlantedFault, Usage, Wanted,
};
use crate::scenario::{Scenario, bus, devices, limits, swiotlb};
use crate::seed::Seed;
use crate::violation::Check;

use Placement::{Above, Below};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "control/no-bouncing",
        stimulus: "A truncating 32-bit engine is given physical addresses above 4 GiB: bouncing is left out. Other memory lies where they are cut to.",
        checking: "The stray accesses are caught at their first beat and located in the other memory, which is found corrupted.",
        plan: no_bouncing,
    },
    Scenario {
        name: "control/mask-too-wide",
        stimulus: "The driver declares 36 bits for an engine that truncates at 32.",
        checking: "The stray accesses are caught and explained by the lost address bits.",
        plan: mask_too_wide,
    },
    Scenario {
        name: "control/preset-mask-too-wide",
        stimulus: "The driver of the preset b44 declares 32 bits; the device truncates at 30.",
        checking: "As control/mask-too-wide: the lost bits are counted.",
        plan: preset_mask_too_wide,
    },
    Scenario {
        name: "control/missing-sync-for-device",
        stimulus: "The CPU rewrites a bounced source and forgets to sync it for the device.",
        checking: "The device's read of the old bytes is caught as stale.",
        plan: missing_sync_for_device,
    },
    Scenario {
        name: "control/missing-sync-for-cpu",
        stimulus: "The device rewrites a bounced destination and the CPU reads it without a sync.",
        checking: "The CPU's view is caught as stale.",
        plan: missing_sync_for_cpu,
    },
    Scenario {
        name: "control/use-after-unmap",
        stimulus: "The driver unmaps a buffer while the engine still writes it.",
        checking: "The first beat after the unmap is caught, with its age.",
        plan: use_after_unmap,
    },
    Scenario {
        name: "control/retired-pool",
        stimulus: "As control/use-after-unmap, but the mapping has a pool for itself, which is given back after the unmap.",
        checking: "The first beats after the unmap are caught, and those into the given-back memory as such.",
        plan: retired_pool,
    },
    Scenario {
        name: "control/leak",
        stimulus: "The driver forgets to unmap one of three bounced buffers.",
        checking: "The mapping and its slots are found at the end.",
        plan: leak,
    },
    Scenario {
        name: "control/wrong-direction",
        stimulus: "The driver maps a source with the direction of a destination.",
        checking: "The device's first read is caught.",
        plan: wrong_direction,
    },
    Scenario {
        name: "control/past-end",
        stimulus: "The driver programs 64 bytes more than it mapped.",
        checking: "The first beat past the end of the mapping is caught.",
        plan: past_end,
    },
    Scenario {
        name: "control/private-page",
        stimulus: "The driver of a confidential guest gives the device the address of a private page: bouncing is left out.",
        checking: "The bus refuses the access, and the engine's failure is caught.",
        plan: private_page,
    },
    Scenario {
        name: "control/double-unmap",
        stimulus: "The driver unmaps a buffer, and unmaps it again.",
        checking: "The second unmap is caught, with the history of the mapping.",
        plan: double_unmap,
    },
    Scenario {
        name: "control/unmap-wrong-size",
        stimulus: "The driver unmaps with half of the size it mapped.",
        checking: "The unmap is caught, with both sizes and who mapped.",
        plan: unmap_wrong_size,
    },
    Scenario {
        name: "control/unmap-wrong-direction",
        stimulus: "The driver unmaps a source with the direction of a destination.",
        checking: "The unmap is caught, with both directions and who mapped.",
        plan: unmap_wrong_direction,
    },
    Scenario {
        name: "control/unmap-skipping-sync",
        stimulus: "The driver unmaps a bounced destination with SKIP_CPU_SYNC and has not synced it.",
        checking: "The unmap that drops the device's data is caught.",
        plan: unmap_skipping_sync,
    },
    Scenario {
        name: "control/no-mapping-error-check",
        stimulus: "The driver never asks whether its mapping has failed.",
        checking: "The unmap is caught as one of an unchecked mapping.",
        plan: no_mapping_error_check,
    },
    Scenario {
        name: "control/sync-outside",
        stimulus: "The driver syncs 64 bytes past the end of its mapping.",
        checking: "The sync is caught.",
        plan: sync_outside,
    },
    Scenario {
        name: "control/write-while-lent",
        stimulus: "The CPU rewrites a mapped source without taking it back from the device.",
        checking: "The CPU's write is caught, with who mapped the buffer.",
        plan: write_while_lent,
    },
    Scenario {
        name: "control/trusted-iommu",
        stimulus: "As swiotlb/untrusted-iommu, but the device is trusted, and reads the pages around its buffers all the same.",
        checking: "Other people's bytes, which it sees there, are caught and located.",
        plan: trusted_iommu,
    },
    Scenario {
        name: "control/iommu-use-after-unmap",
        stimulus: "The driver of a device behind an IOMMU unmaps a buffer while the engine still writes it.",
        checking: "The IOMMU stops the next beat, and the fault tells who mapped and when that ended.",
        plan: iommu_use_after_unmap,
    },
    Scenario {
        name: "control/coherent-double-free",
        stimulus: "The driver frees a ring of coherent memory, and frees it again.",
        checking: "dma-debug catches the second free, with address and size.",
        plan: coherent_double_free,
    },
    Scenario {
        name: "control/coherent-leak",
        stimulus: "The driver leaves the device and keeps its rings of coherent memory.",
        checking: "The rings are found at the end, and dma-debug names one of them.",
        plan: coherent_leak,
    },
    Scenario {
        name: "control/cross-4k",
        stimulus: "The engine carries a planted fault: its bursts ignore the 4 KiB boundary.",
        checking: "The protocol rule is broken and named with its AXI section.",
        plan: cross_4k,
    },
    Scenario {
        name: "control/lost-tail",
        stimulus: "The engine carries a planted fault: the last write beat has no strobes.",
        checking: "The bytes that were not written are named.",
        plan: lost_tail,
    },
    Scenario {
        name: "control/8237-no-boundary",
        stimulus: "As limit/8237-boundary, but the driver does not declare the 64 KiB boundary.",
        checking: "The access that wrapped is caught and explained by the missing carry.",
        plan: wrap_without_boundary,
    },
    Scenario {
        name: "control/slow-bus",
        stimulus: "The bus is 2000 cycles slower than the plan says.",
        checking: "The run exceeds its cycle budget.",
        plan: slow_bus,
    },
    Scenario {
        name: "control/one-burst",
        stimulus: "At a memory latency of 50 cycles, an engine that promises 16 bursts in flight has one.",
        checking: "The run exceeds its cycle budget.",
        plan: one_burst,
    },
    Scenario {
        name: "control/no-interrupt",
        stimulus: "The driver waits for an interrupt that it left disabled.",
        checking: "The run is given up at its cycle limit and says what it waited for.",
        plan: no_interrupt,
    },
];

fn caught(must: Check, may: &[Check]) -> Expect {
    caught_by(&[must], may)
}

fn caught_by(must: &[Check], may: &[Check]) -> Expect {
    Expect::Caught {
        must: must.iter().copied().map(Wanted::from).collect(),
        may: may.to_vec(),
    }
}

fn no_bouncing(seed: Seed) -> Plan {
    let mut layout = Layout::new(seed, 32);
    layout.send(0, Above, 600, 0).mistake = Some(Mistake::SkipsBouncing);
    layout.receive(0, Above, 600, 0).mistake = Some(Mistake::SkipsBouncing);
    bystanders_where_cut(layout)
        .with(|plan| {
            plan.expect = caught_by(
                &[Check::Unmapped, Check::Guard],
                &[Check::Stream, Check::NotWritten],
            );
        })
        .finish()
}

fn mask_too_wide(seed: Seed) -> Plan {
    cut(Layout::new(seed, 32), 36)
}

fn preset_mask_too_wide(seed: Seed) -> Plan {
    cut(devices::machine(seed, &devices::preset("b44")), 32)
}

/// Moves buffers that the device does not reach, though its driver says so.
fn cut(layout: Layout, declared_bits: u32) -> Plan {
    let mut layout = layout.with(|plan| plan.device = DeviceLimits::bits(declared_bits));
    layout.send(0, Above, 300, 0);
    layout.receive(0, Above, 300, 0);
    bystanders_where_cut(layout)
        .with(|plan| {
            plan.expect = caught(
                Check::Unmapped,
                &[Check::Guard, Check::Stream, Check::NotWritten],
            );
        })
        .finish()
}

/// Puts other people's memory where the truncated addresses of all buffers land.
fn bystanders_where_cut(mut layout: Layout) -> Layout {
    let limit = layout.limit();
    let mut cut = Vec::new();
    layout = layout.with(|plan| {
        let buffers = plan.buffers.iter();
        cut = buffers
            .map(|buffer| (buffer.phys % limit, buffer.bytes))
            .collect();
        // They land at the beginning of low RAM: the pool makes room for them.
        if let Some(pool) = &mut plan.machine.pool {
            pool.base += 2 << 20;
        }
    });
    for (phys, bytes) in cut {
        layout.bystander(phys, bytes);
    }
    layout
}

fn missing_sync_for_device(seed: Seed) -> Plan {
    let mut layout = Layout::new(seed, 32);
    let transfer = layout.send(0, Above, 4096, 0);
    transfer.usage = Usage::Reuse {
        rounds: 1,
        offset: 256,
        bytes: 512,
    };
    transfer.mistake = Some(Mistake::SkipsSyncForDevice);
    layout
        .with(|plan| plan.expect = caught(Check::Stale, &[Check::Stream]))
        .finish()
}

fn missing_sync_for_cpu(seed: Seed) -> Plan {
    let mut layout = Layout::new(seed, 32);
    let transfer = layout.receive(0, Above, 4096, 0);
    transfer.usage = Usage::Reuse {
        rounds: 1,
        offset: 256,
        bytes: 512,
    };
    transfer.mistake = Some(Mistake::SkipsSyncForCpu);
    layout
        .with(|plan| plan.expect = caught(Check::Stale, &[]))
        .finish()
}

fn use_after_unmap(seed: Seed) -> Plan {
    let mut layout = Layout::new(seed, 32);
    layout.receive(0, Above, 8192, 0).mistake = Some(Mistake::UnmapsEarly);
    layout
        .with(|plan| plan.expect = caught(Check::UseAfterUnmap, &[Check::NotWritten]))
        .finish()
}

fn retired_pool(seed: Seed) -> Plan {
    swiotlb::three_for_two(seed, Some(Mistake::UnmapsEarly))
        .with(|plan| {
            let returned = Wanted {
                check: Check::Ownership,
                words: Some("X9 device access".to_owned()),
            };
            plan.expect = Expect::Caught {
                must: vec![returned, Check::UseAfterUnmap.into()],
                may: vec![Check::NotWritten],
            };
        })
        .finish()
}

fn leak(seed: Seed) -> Plan {
    let mut layout = Layout::new(seed, 32);
    layout.send(0, Above, 3000, 0);
    layout.send(0, Above, 3000, 0).mistake = Some(Mistake::NeverUnmaps);
    layout.receive(0, Above, 3000, 0);
    layout
        .with(|plan| plan.expect = caught(Check::Leak, &[Check::DmaApi]))
        .finish()
}

fn wrong_direction(seed: Seed) -> Plan {
    let mut layout = Layout::new(seed, 32);
    layout.send(0, Above, 300, 0).mistake = Some(Mistake::SwapsDirection);
    layout
        .with(|plan| plan.expect = caught(Check::Direction, &[]))
        .finish()
}

fn past_end(seed: Seed) -> Plan {
    let mut layout = Layout::new(seed, 32);
    layout.receive(0, Below, 256, 0).mistake = Some(Mistake::ProgramsTooLong);
    layout
        .with(|plan| plan.expect = caught(Check::PastEnd, &[Check::Guard]))
        .finish()
}

fn private_page(seed: Seed) -> Plan {
    let mut layout = swiotlb::guest(seed);
    layout.receive(0, Below, 1000, 0);
    layout.send(0, Below, 1000, 0).mistake = Some(Mistake::SkipsBouncing);
    layout
        .with(|plan| plan.expect = caught(Check::Status, &[]))
        .finish()
}

/// One bounced transfer to the device, with a mistake that the debug layer catches.
fn misused(seed: Seed, mistake: Mistake) -> Plan {
    let mut layout = Layout::new(seed, 32);
    layout.send(0, Above, 4096, 0).mistake = Some(mistake);
    layout
        .with(|plan| plan.expect = caught(Check::DmaApi, &[]))
        .finish()
}

fn double_unmap(seed: Seed) -> Plan {
    misused(seed, Mistake::UnmapsTwice)
}

fn unmap_wrong_size(seed: Seed) -> Plan {
    misused(seed, Mistake::UnmapsHalf)
}

fn unmap_wrong_direction(seed: Seed) -> Plan {
    misused(seed, Mistake::UnmapsSwapped)
}

fn no_mapping_error_check(seed: Seed) -> Plan {
    misused(seed, Mistake::SkipsMappingError)
}

fn unmap_skipping_sync(seed: Seed) -> Plan {
    let mut layout = Layout::new(seed, 32);
    layout.receive(0, Above, 4096, 0).mistake = Some(Mistake::UnmapsSkippingSync);
    layout
        .with(|plan| plan.expect = caught(Check::Ownership, &[Check::Stale, Check::NotWritten]))
        .finish()
}

/// Rewrites the last 512 bytes of a mapped source once.
fn rewritten(seed: Seed, mistake: Mistake, must: Check) -> Plan {
    let mut layout = Layout::new(seed, 32);
    let transfer = layout.send(0, Above, 4096, 0);
    transfer.usage = Usage::Reuse {
        rounds: 1,
        offset: 3584,
        bytes: 512,
    };
    transfer.mistake = Some(mistake);
    layout.with(|plan| plan.expect = caught(must, &[])).finish()
}

fn sync_outside(seed: Seed) -> Plan {
    rewritten(seed, Mistake::SyncsOutside, Check::DmaApi)
}

fn write_while_lent(seed: Seed) -> Plan {
    rewritten(seed, Mistake::WritesLent, Check::Ownership)
}

fn trusted_iommu(seed: Seed) -> Plan {
    swiotlb::behind_iommu(seed, false)
        .with(|plan| plan.expect = caught(Check::Exposed, &[Check::Stream]))
        .finish()
}

fn iommu_use_after_unmap(seed: Seed) -> Plan {
    let mut layout = Layout::new(seed, 32).with(|plan| {
        plan.machine.iommu = Some(IommuPlan { is_untrusted: true });
    });
    layout.receive(0, Above, 8192, 0).mistake = Some(Mistake::UnmapsEarly);
    layout
        .with(|plan| {
            let fault = Wanted {
                check: Check::Iommu,
                words: Some("IOMMU fault: device write".to_owned()),
            };
            plan.expect = Expect::Caught {
                must: vec![fault, Check::UseAfterUnmap.into()],
                may: vec![Check::NotWritten],
            };
        })
        .finish()
}

/// Rings of coherent memory, with a mistake at their end.
fn misused_rings(seed: Seed, mistake: Mistake) -> Layout {
    let mut layout = Layout::new(seed, 30);
    let pages = layout.last_pages();
    layout.ring(0, 1024, 64, 1).mistake = Some(mistake);
    layout.with(|plan| plan.machine.pages = pages)
}

fn coherent_double_free(seed: Seed) -> Plan {
    misused_rings(seed, Mistake::UnmapsTwice)
        .with(|plan| plan.expect = caught(Check::DmaApi, &[]))
        .finish()
}

fn coherent_leak(seed: Seed) -> Plan {
    misused_rings(seed, Mistake::NeverUnmaps)
        .with(|plan| plan.expect = caught_by(&[Check::Leak, Check::DmaApi], &[]))
        .finish()
}

fn cross_4k(seed: Seed) -> Plan {
    let mut layout = Layout::new(seed, 32).with(|plan| {
        plan.engine.planted_fault = Some(PlantedFault::Cross4K);
    });
    layout.send(0, Below, 1000, 4000);
    layout.receive(0, Below, 1000, 4000);
    layout
        .with(|plan| plan.expect = caught(Check::Protocol, &[]))
        .finish()
}

fn lost_tail(seed: Seed) -> Plan {
    let mut layout = Layout::new(seed, 32).with(|plan| {
        plan.engine.planted_fault = Some(PlantedFault::LostTail);
    });
    layout.receive(0, Above, 1000, 0);
    layout
        .with(|plan| plan.expect = caught(Check::NotWritten, &[]))
        .finish()
}

fn wrap_without_boundary(seed: Seed) -> Plan {
    let mut plan = limits::isa(seed, u64::MAX);
    plan.expect = caught(
        Check::Unmapped,
        &[Check::NotWritten, Check::Stream, Check::Data, Check::Stale],
    );
    plan
}

fn slow_bus(seed: Seed) -> Plan {
    let mut layout = Layout::new(seed, 32).with(|plan| plan.unplanned_latency_cycles = 2000);
    for _ in 0..4 {
        layout.send(0, Above, 1000, 0);
    }
    layout
        .with(|plan| plan.expect = caught(Check::Budget, &[]))
        .finish()
}

fn one_burst(seed: Seed) -> Plan {
    let mut plan = bus::mixed(seed, BusPolicy::with_latency(50));
    plan.promised_bursts = Some(plan.engine.max_reads);
    (plan.engine.max_reads, plan.engine.max_writes) = (1, 1);
    plan.expect = caught(Check::Budget, &[]);
    plan
}

fn no_interrupt(seed: Seed) -> Plan {
    let mut layout = Layout::new(seed, 32);
    layout.send(0, Below, 300, 0).mistake = Some(Mistake::KeepsInterruptDisabled);
    layout
        .with(|plan| plan.expect = caught(Check::Hang, &[]))
        .finish()
}
