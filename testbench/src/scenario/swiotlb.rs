//! What the bounce layer can do beyond a pool of fixed size: each of its capabilities that the bus gets to see.

use crate::scenario::Scenario;
use crate::scenario::layout::{Layout, Placement};
use crate::scenario::plan::{Demand, IommuPlan, Mistake, Plan, PoolKind, Usage};
use crate::seed::Seed;

use Placement::{Above, Across, Below};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "swiotlb/restricted-pool",
        stimulus: "A device with a restricted pool moves buffers that it could reach and ones that it could not.",
        checking: "All are bounced through its pool; the bus refuses it every other page of RAM.",
        plan: restricted,
    },
    Scenario {
        name: "swiotlb/dynamic-growth",
        stimulus: "Four CPUs fill a pool of 256 KiB; a worker that runs every 500 cycles adds pools of that size.",
        checking: "The first mappings without slots get pools of their own, later ones use the pools that were added; all bytes arrive.",
        plan: growth,
    },
    Scenario {
        name: "swiotlb/transient-pool",
        stimulus: "Three CPUs map 90 KiB each, and the pool has room for two.",
        checking: "The third mapping has a pool for itself, which is gone after the unmap; all bytes arrive.",
        plan: transient,
    },
    Scenario {
        name: "swiotlb/per-buffer",
        stimulus: "Mappings of less and more than a page under the policy that gives larger ones buffers of their own.",
        checking: "There are such buffers, all bytes arrive, and none is left at the end.",
        plan: per_buffer,
    },
    Scenario {
        name: "swiotlb/shrinker",
        stimulus: "Four CPUs make the pool grow; then one moves buffers in reach while the pools idle, and bounces again.",
        checking: "A pool is given back, mappings after that are right, and the device leaves the given-back range alone.",
        plan: shrinker,
    },
    Scenario {
        name: "swiotlb/confidential-guest",
        stimulus: "A device of a confidential guest moves buffers in private pages, wherever they lie; only the pool is shared.",
        checking: "All are bounced, the bus refuses no access, and all bytes arrive.",
        plan: confidential,
    },
    Scenario {
        name: "swiotlb/scatter-gather",
        stimulus: "Buffers below, above and across 4 GiB are mapped as lists of eight entries, each a transfer.",
        checking: "Entries beyond the limit are bounced and those below are not; every entry has its bytes.",
        plan: scatter_gather,
    },
    Scenario {
        name: "swiotlb/nvme-min-align",
        stimulus: "A device that needs the low 12 address bits kept, as NVMe does, copies, and rewrites parts of mapped buffers at odd offsets.",
        checking: "Each bounce buffer has the low bits of its original; partial syncs hit the right bytes behind the padding.",
        plan: nvme,
    },
    Scenario {
        name: "swiotlb/untrusted-iommu",
        stimulus: "A device behind an IOMMU that is not trusted moves buffers of whole pages and others; it reads the whole pages around a buffer amid other people's memory, and once more after the unmap.",
        checking: "Only buffers that do not fill pages are bounced; all bytes arrive; the device sees zeros around its buffer, and a fault where it was.",
        plan: untrusted_iommu,
    },
    Scenario {
        name: "swiotlb/coherent-buffer",
        stimulus: "With a mask of 30 bits and free pages on both sides of it, records go from one ring of coherent memory to another; the CPU writes and polls them.",
        checking: "Both rings lie within the mask and are zeroed at first; either side sees the other's bytes without a sync; nothing is copied, and nothing left at the end.",
        plan: coherent_buffer,
    },
    Scenario {
        name: "swiotlb/coherent-restricted",
        stimulus: "As swiotlb/coherent-buffer, for a device with a restricted pool; the bus refuses it every other page of RAM.",
        checking: "The rings lie in the pool although other pages are free; the bus refuses no access; nothing is copied, and no slot left at the end.",
        plan: coherent_restricted,
    },
];

/// Bytes of a mapping of which two fit into 128 slots.
const LARGE_BYTES: u64 = 90 << 10;

fn restricted(seed: Seed) -> Plan {
    let layout = Layout::new(seed, 32).kind(PoolKind::Restricted);
    everywhere(layout.with(|plan| plan.bus.refuse_private = true))
}

fn confidential(seed: Seed) -> Plan {
    everywhere(guest(seed))
}

/// A confidential guest: nothing but the pool is shared with devices.
pub(super) fn guest(seed: Seed) -> Layout {
    Layout::new(seed, 32).with(|plan| {
        plan.machine.is_confidential = true;
        plan.bus.refuse_private = true;
    })
}

/// Moves buffers of all sorts within and beyond the device's reach.
fn everywhere(mut layout: Layout) -> Plan {
    for bytes in [1, 700, 5000, 20_000] {
        for placement in [Below, Above] {
            layout.send(0, placement, bytes, 3);
            layout.receive(0, placement, bytes, 17);
        }
        layout.copy(0, [Below, Above], bytes, [5, 6]);
    }
    layout.finish()
}

/// Four CPUs, each with so many mappings of which only two fit into the first pool.
fn crowd(seed: Seed, kind: PoolKind, rounds: usize) -> Layout {
    let mut layout = Layout::new(seed, 32).pool(128, 1).cpus(4).kind(kind);
    for round in 0..rounds {
        for cpu in 0..4 {
            if (cpu + round) % 2 == 0 {
                layout.send(cpu, Above, LARGE_BYTES, 8);
            } else {
                layout.receive(cpu, Above, LARGE_BYTES, 8);
            }
        }
    }
    layout
}

fn growth(seed: Seed) -> Plan {
    crowd(seed, PoolKind::Growing, 3)
        .with(|plan| plan.demands = vec![Demand::TransientPool, Demand::GrownPool])
        .finish()
}

fn transient(seed: Seed) -> Plan {
    three_for_two(seed, None).finish()
}

/// Three mappings in a pool that has room for two; the driver of the third one may make a mistake.
pub(super) fn three_for_two(seed: Seed, mistake: Option<Mistake>) -> Layout {
    let mut layout = Layout::new(seed, 32)
        .pool(128, 1)
        .cpus(3)
        .kind(PoolKind::Growing);
    layout.send(0, Above, LARGE_BYTES, 0);
    layout.receive(1, Above, LARGE_BYTES, 0);
    layout.receive(2, Above, LARGE_BYTES, 0).mistake = mistake;
    layout.with(|plan| plan.demands.push(Demand::TransientPool))
}

fn per_buffer(seed: Seed) -> Plan {
    let mut layout = Layout::new(seed, 32).kind(PoolKind::PerBuffer);
    for bytes in [100, 4095, 4096, 10_000, 200_000] {
        layout.send(0, Above, bytes, 12);
        layout.receive(0, Above, bytes, 1);
    }
    layout.receive(0, Above, 9000, 4).usage = Usage::Reuse {
        rounds: 2,
        offset: 4000,
        bytes: 700,
    };
    layout
        .with(|plan| plan.demands.push(Demand::OwnBuffer))
        .finish()
}

fn shrinker(seed: Seed) -> Plan {
    let mut layout = crowd(seed, PoolKind::Shrinking, 2);
    for _ in 0..8 {
        layout.receive(0, Below, 60_000, 0);
    }
    for bytes in [3000, 9000] {
        layout.send(0, Above, bytes, 1);
        layout.receive(0, Above, bytes, 2);
    }
    layout
        .with(|plan| plan.demands = vec![Demand::GrownPool, Demand::ShrunkPool])
        .finish()
}

fn scatter_gather(seed: Seed) -> Plan {
    let mut layout = Layout::new(seed, 32);
    let mut stream = seed.stream("scenario.scatter-gather");
    let list = Usage::List { entries: 8 };
    let across = 8 * stream.between(1000, 5000);
    layout.receive(0, Across, across, stream.below(64)).usage = list;
    for placement in [Below, Above] {
        let (bytes, misalign) = (stream.between(8, 20_000), stream.below(4096));
        layout.send(0, placement, bytes, misalign).usage = list;
        layout.receive(0, placement, bytes, misalign).usage = list;
    }
    layout
        .with(|plan| plan.demands.push(Demand::MixedMappings))
        .finish()
}

fn nvme(seed: Seed) -> Plan {
    let mut layout = Layout::new(seed, 32).with(|plan| plan.device.min_align_mask = 0xfff);
    let mut stream = seed.stream("scenario.nvme");
    for bytes in [512, 4096, 12_288] {
        let misalign = [stream.between(1, 4095), stream.between(1, 4095)];
        layout.copy(0, [Above, Above], bytes, misalign);
        let rewritten = Usage::Reuse {
            rounds: 2,
            offset: stream.between(1, bytes / 2),
            bytes: stream.between(1, bytes / 2),
        };
        layout.send(0, Above, bytes, stream.between(1, 4095)).usage = rewritten;
        layout
            .receive(0, Above, bytes, stream.between(1, 4095))
            .usage = rewritten;
    }
    layout.finish()
}

fn untrusted_iommu(seed: Seed) -> Plan {
    behind_iommu(seed, true)
        .with(|plan| plan.demands.push(Demand::MixedMappings))
        .finish()
}

/// A device behind an IOMMU, whose address bits no buffer is beyond.
pub(super) fn behind_iommu(seed: Seed, is_untrusted: bool) -> Layout {
    let mut layout = Layout::new(seed, 32)
        .pool(128, 1)
        .with(|plan| plan.machine.iommu = Some(IommuPlan { is_untrusted }));
    let mut stream = seed.stream("scenario.iommu");
    // It leaves its bytes in all slots: who looks around in the next ones would find them.
    layout.send(0, Above, 240_001, 1);
    for placement in [Below, Above] {
        layout.send(0, placement, 8192, 0);
        layout.receive(0, placement, 4096, 0);
        let bytes = stream.between(1, 9000);
        let misalign = [stream.between(1, 4095), stream.between(1, 4095)];
        layout.copy(0, [placement, Above], bytes, misalign);
        // In one page, and across two.
        for misalign in [stream.between(200, 2000), stream.between(3000, 4000)] {
            let bytes = stream.between(1200, 1800);
            layout.send(0, placement, bytes, misalign).usage = Usage::Overreach;
            layout.neighbours(layout.buffers() - 1);
        }
    }
    layout
        .receive(0, Below, 9000, stream.between(1, 4095))
        .usage = Usage::Reuse {
        rounds: 2,
        offset: 4000,
        bytes: 700,
    };
    layout
}

fn coherent_buffer(seed: Seed) -> Plan {
    rings(Layout::new(seed, 30)).finish()
}

fn coherent_restricted(seed: Seed) -> Plan {
    rings(Layout::new(seed, 32).kind(PoolKind::Restricted))
        .with(|plan| plan.bus.refuse_private = true)
        .finish()
}

/// Adds pages for coherent memory, and rings of records one after the other: the later ones find the pages of the
/// earlier ones again. The last record of a ring is shorter.
fn rings(mut layout: Layout) -> Layout {
    let pages = layout.last_pages();
    let mut stream = layout.seed().stream("scenario.rings");
    for record_bytes in [64, 8 * stream.between(2, 60)] {
        let records = stream.between(20, 60);
        layout.ring(0, records * record_bytes + 24, record_bytes, 3);
    }
    layout.with(|plan| {
        if let Some(pool) = &mut plan.machine.pool {
            // What is spare belongs to the page allocator here.
            pool.spare = None;
        }
        plan.machine.pages = pages;
        plan.demands.push(Demand::CoherentOnly);
    })
}
