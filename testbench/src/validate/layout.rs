//! Places the buffers of a trial: in low memory, across boundaries, and around what the core reaches.

use rebound_sim::axi::BusPolicy;
use rebound_sim::limits::ResolvedLimits;
use rebound_sim::manifest::Direction;

use super::profile::Profile;
use super::trial::{Fate, Job, Trial};
use crate::scenario::plan::{
    BufferPlan, BufferUse, Movement, Outcome, Plan, PoolPlan, Range, Transfer, Usage,
};
use crate::scoreboard::GUARD_BYTES;
use crate::seed::Seed;

const PAGE: u64 = 4096;
const MIB: u64 = 1 << 20;
const GIB_4: u64 = 1 << 32;
/// Bytes of a slot of the pool.
pub(super) const SLOT: u64 = 2048;
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

/// Where low RAM and the pool lie: first the pool, then buffers.
#[derive(Debug, Clone, Copy)]
struct Land {
    low: Range,
    slots: u64,
}

impl Land {
    /// 16 MiB as a PC has them, where the core reaches that; else most of what it reaches, with the smallest pool,
    /// or none.
    const fn of(bits: u32) -> Self {
        let (base, end, slots) = match bits {
            24.. => (MIB, 15 * MIB, 1024),
            19..=23 => (MIB / 16, (1 << bits) / 8 * 7, 128),
            _ => (PAGE, (1 << bits) / 8 * 7, 0),
        };
        Self {
            low: Range {
                base,
                bytes: end - base,
            },
            slots,
        }
    }
}

/// A machine without buffers, whose device reaches what the core declares, with a pool where there is room for one.
pub(super) fn machine(limits: &ResolvedLimits, seed: Seed) -> Plan {
    let bits = limits.address_bits;
    let land = Land::of(bits);
    let granule = limits.source_alignment.max(limits.destination_alignment);
    let granule = granule.max(limits.length_alignment);
    let alignment = u32::try_from(granule).unwrap_or(1 << 11);
    let pool = (land.slots > 0).then_some(PoolPlan::fixed(land.low.base, land.slots));
    let mut plan = Plan::idle(seed, bits, pool, 10);
    // A bounce buffer must be as aligned as the core needs it, so that the buffer's own alignment counts.
    plan.device.min_align_mask = alignment - 1;
    plan
}

/// Builds a trial, job by job.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) trial: Trial,
    pub(super) profile: Profile,
    land: Land,
    may_bounce: bool,
    top: u64,
    low: u64,
    high: u64,
    above: u64,
    crossings_4g: u64,
}

impl Layout {
    /// A machine whose device reaches what the core declares, with a pool.
    pub(super) fn new(profile: &Profile, seed: Seed) -> Self {
        let limits = &profile.limits;
        let top = 1 << limits.address_bits.min(MOST_RAM_BITS);
        let land = Land::of(limits.address_bits);
        let world = machine(limits, seed);
        Self {
            trial: Trial {
                world,
                jobs: Vec::new(),
                has_random_reset: false,
                judges_interrupts: false,
                in_flight: 1,
                lacks_room: false,
            },
            profile: profile.clone(),
            land,
            may_bounce: land.slots > 0,
            top,
            low: land.low.base + land.slots * SLOT + PAGE,
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
        self.unbounced()
    }

    /// Has buffers lie where the core reaches them itself, or not at all.
    pub(super) const fn unbounced(mut self) -> Self {
        self.may_bounce = false;
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
                if middle + bytes + GUARD_BYTES <= self.land.low.end() {
                    self.low = middle + bytes + GUARD_BYTES;
                    middle - half
                } else {
                    self.claim_low(bytes, offset)
                }
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
                let room = (self.high - GUARD_BYTES).saturating_sub(bytes + offset);
                let phys = room / PAGE * PAGE + offset;
                if phys >= self.land.low.end() + GUARD_BYTES {
                    self.high = phys - GUARD_BYTES;
                    phys
                } else {
                    self.claim_low(bytes, offset)
                }
            }
            Spot::AcrossLimit => self.top - half.min(bytes - 1).max(1).next_multiple_of(granule),
            Spot::Above => self.claim_above(bytes, offset),
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

    /// The next place in low memory; when that is full, one beyond the core's reach, from where it is bounced.
    fn claim_low(&mut self, bytes: u64, offset: u64) -> u64 {
        let phys = (self.low + GUARD_BYTES).next_multiple_of(PAGE) + offset;
        if phys + bytes + GUARD_BYTES > self.land.low.end() {
            self.trial.lacks_room |= !self.may_bounce;
            return self.claim_above(bytes, offset);
        }
        self.low = phys + bytes + GUARD_BYTES;
        phys
    }

    fn claim_above(&mut self, bytes: u64, offset: u64) -> u64 {
        let phys = (self.above + GUARD_BYTES).next_multiple_of(PAGE) + offset;
        self.above = phys + bytes + GUARD_BYTES;
        phys
    }

    /// Returns the trial, with RAM wherever a buffer lies.
    ///
    /// # Panics
    /// If buffers lie over each other: the scenario is broken.
    pub(super) fn finish(self) -> Trial {
        let mut trial = self.trial;
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
        let mut ram = vec![self.land.low];
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
    fn a_full_low_memory_goes_on_beyond_reach_or_says_that_it_lacks_room() {
        for (bits, is_pooled) in [(16, false), (18, false), (19, true), (23, true)] {
            let profile = Profile::of_copy(bits);
            assert_eq!(profile.pool().is_ok(), is_pooled, "{bits}");
            let top = 1_u64 << bits;
            let mut layout = Layout::new(&profile, Seed::new(1));
            for _ in 0..1 + top / 4096 / 4 {
                layout.job(COPY, [Spot::Low, Spot::Across64K], 5000, [3, 5], Fate::Done);
            }
            let trial = layout.finish();
            assert_eq!(trial.lacks_room, !is_pooled, "{bits}");
            assert_eq!(trial.world.machine.pool.is_some(), is_pooled, "{bits}");
            let pool = trial
                .world
                .machine
                .pool
                .map_or(0, |pool| pool.base + pool.slots * SLOT);
            let mut buffers = trial.world.buffers.iter();
            assert!(
                buffers.clone().any(|one| one.phys < top && one.phys > pool),
                "{bits}"
            );
            assert!(buffers.any(|one| one.phys >= top), "{bits}");
        }
        let mut layout = Layout::new(&Profile::of_copy(20), Seed::new(1)).unbounced();
        layout.job(COPY, [Spot::Low; 2], 1 << 19, [0; 2], Fate::Done);
        assert!(layout.finish().lacks_room);
    }

    #[test]
    fn both_buffers_of_a_copy_cross_a_multiple_of_4_gib_each() {
        for (start, end) in buffers(40, [Spot::Across4G; 2]) {
            assert_ne!(start >> 32, (end - 1) >> 32);
        }
    }
}
