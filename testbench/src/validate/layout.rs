//! Places the buffers of a trial: in low memory, across boundaries, and around what the core reaches.

use rebound_sim::axi::BusPolicy;
use rebound_sim::cpu::CostModel;
use rebound_sim::manifest::Direction;
use rebound_sim::stream::StreamPolicy;

use super::profile::Profile;
use super::trial::{Fate, Job, Trial};
use crate::scenario::plan::{
    BufferPlan, BufferUse, DeviceLimits, EnginePlan, Expect, MachinePlan, Movement, Outcome, Plan,
    PoolKind, PoolPlan, Range, Transfer, Usage,
};
use crate::scoreboard::GUARD_BYTES;
use crate::seed::Seed;

const PAGE: u64 = 4096;
const MIB: u64 = 1 << 20;
const GIB_4: u64 = 1 << 32;
/// Low RAM: first the pool, then buffers.
const LOW: Range = Range {
    base: MIB,
    bytes: 14 * MIB,
};
/// Slots of the pool: 2 MiB.
const SLOTS: u64 = 1024;
/// Address bits of RAM where a core reaches all of 64.
const MOST_RAM_BITS: u32 = 52;

/// Where a buffer lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spot {
    /// In low memory.
    Low,
    /// Its middle lies on a multiple of 64 KiB.
    Across64K,
    /// Its middle lies on a multiple of 4 GiB.
    Across4G,
    /// Just below the highest address that the core reaches.
    High,
    /// Begins within and ends beyond the core's reach.
    AcrossLimit,
    /// Beyond the core's reach.
    Above,
}

/// Builds a trial, job by job.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) trial: Trial,
    pub(super) profile: Profile,
    top: u64,
    low: u64,
    high: u64,
    above: u64,
    crossings_4g: u64,
}

impl Layout {
    /// A machine whose device reaches what the core declares, with a pool.
    pub(super) fn new(profile: &Profile, seed: Seed) -> Self {
        let bits = profile.limits.address_bits;
        let top = 1 << bits.min(MOST_RAM_BITS);
        let alignment = u32::try_from(profile.granule()).unwrap_or(1 << 11);
        let world = Plan {
            seed,
            machine: MachinePlan {
                ram: Vec::new(),
                cpus: 1,
                is_confidential: false,
                pool: Some(PoolPlan {
                    base: LOW.base,
                    slots: SLOTS,
                    areas: 1,
                    is_forced: false,
                    kind: PoolKind::Fixed,
                    spare: None,
                }),
                iommu: None,
                pages: Vec::new(),
            },
            device: DeviceLimits {
                // A bounce buffer must be as aligned as the core needs it, so that the buffer's own alignment counts.
                min_align_mask: alignment - 1,
                ..DeviceLimits::bits(bits)
            },
            engine: EnginePlan::bits(bits),
            bus: BusPolicy::with_latency(10),
            stream: StreamPolicy::default(),
            unplanned_latency_cycles: 0,
            promised_bursts: None,
            costs: CostModel::default(),
            buffers: Vec::new(),
            transfers: Vec::new(),
            demands: Vec::new(),
            expect: Expect::Pass,
        };
        Self {
            trial: Trial {
                world,
                jobs: Vec::new(),
                has_random_reset: false,
                judges_interrupts: false,
            },
            profile: profile.clone(),
            top,
            low: LOW.base + SLOTS * 2048 + PAGE,
            high: top - PAGE,
            above: top + MIB,
            crossings_4g: 0,
        }
    }

    /// Has every mapping go through the pool (`swiotlb=force`).
    pub(super) fn bounced(mut self) -> Self {
        if let Some(pool) = &mut self.trial.world.machine.pool {
            pool.is_forced = true;
        }
        self
    }

    /// Takes the pool away: a mapping can then be as long as the core's longest transfer.
    pub(super) fn without_pool(mut self) -> Self {
        self.trial.world.machine.pool = None;
        self
    }

    /// Changes the bus.
    pub(super) fn with_bus(mut self, change: impl FnOnce(&mut BusPolicy)) -> Self {
        change(&mut self.trial.world.bus);
        self
    }

    /// Adds a transfer in low memory for each direction of the core.
    pub(super) fn each(&mut self, bytes: u64, offsets: [u64; 2]) {
        for direction in self.profile.directions.clone() {
            self.job(direction, [Spot::Low; 2], bytes, offsets, Fate::Done);
        }
    }

    /// Adds a transfer: source and destination at spots, so many bytes past a place of their granule.
    pub(super) fn job(
        &mut self,
        direction: Direction,
        spots: [Spot; 2],
        bytes: u64,
        offsets: [u64; 2],
        fate: Fate,
    ) -> usize {
        let limits = self.profile.limits;
        let mut source = || {
            let granule = limits.source_alignment;
            self.buffer(BufferUse::Source, spots[0], bytes, offsets[0], granule)
        };
        let movement = match direction {
            Direction::Mm2s => Movement::ToDevice { source: source() },
            Direction::S2mm => Movement::FromDevice {
                destination: self.destination(spots[1], bytes, offsets[1]),
            },
            Direction::Copy => Movement::Copy {
                source: source(),
                destination: self.destination(spots[1], bytes, offsets[1]),
            },
        };
        self.trial.jobs.push(Job { movement, fate });
        self.trial.world.transfers.push(Transfer {
            cpu: 0,
            movement,
            usage: Usage::Once,
            outcome: Outcome::Done,
            mistake: None,
        });
        self.trial.jobs.len() - 1
    }

    fn destination(&mut self, spot: Spot, bytes: u64, offset: u64) -> usize {
        let granule = self.profile.limits.destination_alignment;
        self.buffer(BufferUse::Destination, spot, bytes, offset, granule)
    }

    fn buffer(
        &mut self,
        purpose: BufferUse,
        spot: Spot,
        bytes: u64,
        offset: u64,
        granule: u64,
    ) -> usize {
        let offset = offset - offset % granule;
        let half = (bytes / 2).next_multiple_of(granule) + offset;
        let phys = match spot {
            Spot::Low => self.claim_low(bytes, offset),
            Spot::Across64K => {
                let room = self.low + GUARD_BYTES + half;
                let middle = room.next_multiple_of(1 << 16);
                self.low = middle + bytes + GUARD_BYTES;
                middle - half
            }
            Spot::Across4G => {
                let middle = (self.crossings_4g + 1) * GIB_4;
                if middle + MIB < self.top {
                    self.crossings_4g += 1;
                    middle - half
                } else {
                    self.claim_low(bytes, offset)
                }
            }
            Spot::High => {
                let room = self.high - GUARD_BYTES - bytes - offset;
                let phys = room / PAGE * PAGE + offset;
                self.high = phys - GUARD_BYTES;
                phys
            }
            Spot::AcrossLimit => self.top - half.min(bytes - 1).max(1).next_multiple_of(granule),
            Spot::Above => {
                let phys = (self.above + GUARD_BYTES).next_multiple_of(PAGE) + offset;
                self.above = phys + bytes + GUARD_BYTES;
                phys
            }
        };
        let prefix = if purpose == BufferUse::Source {
            "tx"
        } else {
            "rx"
        };
        let buffers = &mut self.trial.world.buffers;
        buffers.push(BufferPlan {
            name: format!("{prefix}{}", buffers.len()),
            purpose,
            phys,
            bytes,
        });
        buffers.len() - 1
    }

    fn claim_low(&mut self, bytes: u64, offset: u64) -> u64 {
        let phys = (self.low + GUARD_BYTES).next_multiple_of(PAGE) + offset;
        self.low = phys + bytes + GUARD_BYTES;
        phys
    }

    /// Returns the trial, with RAM wherever a buffer lies.
    ///
    /// # Panics
    /// If buffers lie over each other or low memory is full: the scenario is broken.
    pub(super) fn finish(self) -> Trial {
        let mut trial = self.trial;
        assert!(self.low <= LOW.end(), "the buffers need more than low RAM");
        let mut spans: Vec<(u64, u64)> = trial
            .world
            .buffers
            .iter()
            .map(|buffer| {
                let end = buffer.phys + buffer.bytes + GUARD_BYTES;
                (buffer.phys - GUARD_BYTES, end)
            })
            .collect();
        spans.sort_unstable();
        for pair in spans.windows(2) {
            assert!(
                pair[0].1 <= pair[1].0,
                "buffers over each other at {:#x}",
                pair[1].0
            );
        }
        let mut ram = vec![LOW];
        for (start, end) in spans {
            let (start, end) = (start / PAGE * PAGE, end.next_multiple_of(PAGE));
            match ram.last_mut() {
                Some(last) if start <= last.end() => last.bytes = last.end().max(end) - last.base,
                _ => ram.push(Range {
                    base: start,
                    bytes: end - start,
                }),
            }
        }
        trial.world.machine.ram = ram;
        trial
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COPY: Direction = Direction::Copy;

    fn buffers(bits: u32, spots: [Spot; 2]) -> Vec<(u64, u64)> {
        let mut layout = Layout::new(&Profile::of_copy(bits), Seed::new(1));
        layout.job(COPY, spots, 5000, [3, 5], Fate::Done);
        let trial = layout.finish();
        let buffers = trial.world.buffers.iter();
        buffers
            .map(|one| (one.phys, one.phys + one.bytes))
            .collect()
    }

    #[test]
    fn spots_lie_where_they_say() {
        for bits in [24, 32, 40, 64] {
            let top = 1_u64 << bits.min(MOST_RAM_BITS);
            let [low, cross] = buffers(bits, [Spot::Low, Spot::Across64K])[..] else {
                panic!("two buffers");
            };
            assert_eq!(low.0 % PAGE, 3);
            assert_ne!(cross.0 >> 16, (cross.1 - 1) >> 16);
            let [high, above] = buffers(bits, [Spot::High, Spot::Above])[..] else {
                panic!("two buffers");
            };
            assert!(high.1 <= top && high.0 > top - MIB && above.0 >= top);
            let across = buffers(bits, [Spot::AcrossLimit, Spot::Low])[0];
            assert!(across.0 < top && across.1 > top, "{bits}");
        }
    }

    #[test]
    fn both_buffers_of_a_copy_cross_a_multiple_of_4_gib_each() {
        for (start, end) in buffers(40, [Spot::Across4G; 2]) {
            assert_ne!(start >> 32, (end - 1) >> 32);
        }
    }
}
