//! The world of a device's transfers: memory, buffers and the core's work, as a plan.

use rebound_sim::manifest::Direction;

use crate::replay::price::window::Moved;
use crate::scenario::plan::{
    BufferPlan, BufferUse, Movement, Outcome, Plan, PoolPlan, Range, Transfer, Usage,
};
use crate::scoreboard::GUARD_BYTES;
use crate::seed::Seed;
use crate::trace::Dir;
use crate::validate::{Fate, Job, Profile, Trial};

const PAGE: u64 = 4096;
const MIB: u64 = 1 << 20;
/// Slots of the pool: 2 MiB, enough for the longest mapping.
const SLOTS: u64 = 1024;
/// Latency of the bus in cycles.
const LATENCY_CYCLES: u32 = 10;
/// Address bits that a driver declares at most: what lies above 4 GiB is bounced, as for most real devices.
const MOST_BITS: u32 = 32;

/// What the transfers have to know about a core.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoreTraits {
    /// Its name.
    pub name: String,
    /// Address bits that it drives.
    pub address_bits: u32,
    /// Directions that software can start.
    pub directions: Vec<Direction>,
    /// Granule of places and lengths in bytes.
    pub granule: u64,
    /// Shortest transfer in bytes.
    pub least_bytes: u64,
}

impl CoreTraits {
    /// The traits of a core that a control program runs.
    #[must_use]
    pub fn of(name: &str, profile: &Profile) -> Self {
        Self {
            name: name.to_owned(),
            address_bits: profile.limits.address_bits,
            directions: profile.directions.clone(),
            granule: profile.granule(),
            least_bytes: profile.limits.min_length,
        }
    }

    /// The traits of the reference engine, which its own driver runs.
    #[must_use]
    pub fn of_reference_engine(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            address_bits: MOST_BITS,
            directions: vec![Direction::Mm2s, Direction::S2mm, Direction::Copy],
            granule: 1,
            least_bytes: 1,
        }
    }

    /// The address bits that the driver declares.
    #[must_use]
    pub fn mask_bits(&self) -> u32 {
        self.address_bits.min(MOST_BITS)
    }

    /// The program that moves a transfer.
    fn direction(&self, dir: Dir) -> Option<Direction> {
        let wanted = match dir {
            Dir::ToDevice => Direction::Mm2s,
            Dir::FromDevice | Dir::Bidirectional => Direction::S2mm,
        };
        let has = |direction: &Direction| self.directions.contains(direction);
        [wanted, Direction::Copy].into_iter().find(has)
    }
}

/// Where the buffers lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Above what the driver declares: each is bounced.
    Bounced,
    /// Within reach: none is.
    Direct,
}

/// Transfers that a core cannot do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WorldError {
    /// The core lacks a direction.
    #[error(
        "core {core} cannot do the transfer of line {line}: expected a program `{wanted}` or `copy`, found {found}"
    )]
    NoDirection {
        /// Name of the core.
        core: String,
        /// Line of the trace.
        line: u64,
        /// The program that would do it.
        wanted: &'static str,
        /// The programs that there are.
        found: String,
    },
    /// The buffers do not fit below the core's limit.
    #[error(
        "{transfers} transfers do not fit into what core {core} reaches: expected buffers below {limit:#x}, found them up to {end:#x}"
    )]
    NoRoom {
        /// Name of the core.
        core: String,
        /// How many transfers.
        transfers: usize,
        /// Behind the last byte that it reaches.
        limit: u64,
        /// Where the buffers end.
        end: u64,
    },
}

/// Plans the transfers of one device.
///
/// # Errors
/// If the core lacks a direction, or the buffers do not fit below its limit.
pub fn plan(
    core: &CoreTraits,
    transfers: &[Moved],
    min_align_mask: u32,
    place: Place,
    seed: Seed,
) -> Result<Plan, WorldError> {
    let bits = core.mask_bits();
    let limit = 1_u64 << bits;
    let pool = PoolPlan::fixed(MIB, SLOTS);
    let mut ground = Ground {
        core,
        below: Claim::from(pool.end()),
        above: Claim::from(limit + MIB),
        place,
        buffers: Vec::new(),
    };
    let jobs: Vec<Transfer> = transfers
        .iter()
        .map(|one| ground.transfer(one))
        .collect::<Result<_, _>>()?;
    if ground.below.end() > limit {
        return Err(WorldError::NoRoom {
            core: core.name.clone(),
            transfers: transfers.len(),
            limit,
            end: ground.below.end(),
        });
    }
    let mut ram = vec![Range {
        base: MIB,
        bytes: ground.below.end() - MIB,
    }];
    if ground.place == Place::Bounced {
        ram.push(Range {
            base: limit + MIB,
            bytes: ground.above.end() - limit - MIB,
        });
    }
    // Smaller cores ask for whole granules, which are powers of two.
    let granule_mask = u32::try_from(core.granule - 1).unwrap_or(0);
    let mut plan = Plan::idle(seed, bits, Some(pool), LATENCY_CYCLES);
    plan.machine.ram = ram;
    plan.device.min_align_mask = min_align_mask | granule_mask;
    plan.buffers = ground.buffers;
    plan.transfers = jobs;
    Ok(plan)
}

/// Turns a plan into what the driver of control programs carries out.
#[must_use]
pub fn trial(plan: Plan) -> Trial {
    let job = |transfer: &Transfer| Job {
        movement: transfer.movement,
        fate: Fate::Done,
    };
    Trial {
        jobs: plan.transfers.iter().map(job).collect(),
        world: plan,
        has_random_reset: false,
        judges_interrupts: false,
        in_flight: 1,
        lacks_room: false,
    }
}

/// Memory that is given out upwards.
struct Claim {
    next: u64,
}

impl Claim {
    const fn from(base: u64) -> Self {
        Self { next: base }
    }

    /// Takes `bytes` bytes at a place in a page, guards around them.
    fn take(&mut self, offset: u64, bytes: u64) -> u64 {
        let phys = (self.next + GUARD_BYTES).next_multiple_of(PAGE) + offset;
        self.next = phys + bytes + GUARD_BYTES;
        phys
    }

    const fn end(&self) -> u64 {
        self.next.next_multiple_of(PAGE)
    }
}

struct Ground<'a> {
    core: &'a CoreTraits,
    below: Claim,
    above: Claim,
    place: Place,
    buffers: Vec<BufferPlan>,
}

impl Ground<'_> {
    fn transfer(&mut self, one: &Moved) -> Result<Transfer, WorldError> {
        let direction = self
            .core
            .direction(one.dir)
            .ok_or_else(|| self.lacks(one))?;
        let reads = one.dir == Dir::ToDevice;
        let (source, destination) = (BufferUse::Source, BufferUse::Destination);
        let movement = match direction {
            Direction::Mm2s => Movement::ToDevice {
                source: self.buffer(source, one, true),
            },
            Direction::S2mm => Movement::FromDevice {
                destination: self.buffer(destination, one, true),
            },
            Direction::Copy => Movement::Copy {
                source: self.buffer(source, one, reads),
                destination: self.buffer(destination, one, !reads),
            },
        };
        Ok(Transfer {
            cpu: 0,
            movement,
            usage: Usage::Once,
            outcome: Outcome::Done,
            mistake: None,
        })
    }

    /// Places a buffer; `is_traced` is that of the trace, the other side of a copy is always within reach.
    fn buffer(&mut self, purpose: BufferUse, one: &Moved, is_traced: bool) -> usize {
        let granule = self.core.granule;
        let offset = one.offset - one.offset % granule;
        let bytes = one
            .bytes
            .max(self.core.least_bytes)
            .next_multiple_of(granule);
        let claim = if is_traced && self.place == Place::Bounced {
            &mut self.above
        } else {
            &mut self.below
        };
        let phys = claim.take(offset, bytes);
        self.buffers.push(BufferPlan {
            name: format!("line {}", one.line),
            purpose,
            phys,
            bytes,
        });
        self.buffers.len() - 1
    }

    fn lacks(&self, one: &Moved) -> WorldError {
        let names: Vec<&str> = self.core.directions.iter().map(|one| name(*one)).collect();
        WorldError::NoDirection {
            core: self.core.name.clone(),
            line: one.line,
            wanted: if one.dir == Dir::ToDevice {
                name(Direction::Mm2s)
            } else {
                name(Direction::S2mm)
            },
            found: if names.is_empty() {
                "none".to_owned()
            } else {
                names.join(", ")
            },
        }
    }
}

const fn name(direction: Direction) -> &'static str {
    match direction {
        Direction::Mm2s => "mm2s",
        Direction::S2mm => "s2mm",
        Direction::Copy => "copy",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(dir: Dir, offset: u64, bytes: u64) -> Moved {
        Moved {
            line: 7,
            device: 0,
            dir,
            offset,
            bytes,
        }
    }

    fn core(bits: u32, directions: &[Direction]) -> CoreTraits {
        CoreTraits {
            address_bits: bits,
            directions: directions.to_vec(),
            granule: 4,
            ..CoreTraits::of_reference_engine("core")
        }
    }

    #[test]
    fn only_the_traced_side_of_a_bounced_copy_lies_out_of_reach() {
        let core = core(24, &[Direction::Copy]);
        let work = [moved(Dir::ToDevice, 0x42, 5), moved(Dir::FromDevice, 8, 8)];
        let places = |place| -> Vec<bool> {
            let plan = plan(&core, &work, 0xfff, place, Seed::new(1)).expect("a plan");
            let buffers = plan.buffers.iter();
            buffers.map(|one| one.phys >= 1 << 24).collect()
        };
        assert_eq!(places(Place::Bounced), [true, false, false, true]);
        assert_eq!(places(Place::Direct), [false; 4]);
    }

    #[test]
    fn places_in_the_page_and_lengths_suit_the_core() {
        let core = core(64, &[Direction::Mm2s]);
        let work = [moved(Dir::ToDevice, 0x43, 5)];
        let plan = plan(&core, &work, 0xfff, Place::Bounced, Seed::new(1)).expect("a plan");
        assert_eq!(
            (plan.buffers[0].phys % PAGE, plan.buffers[0].bytes),
            (0x40, 8)
        );
        assert_eq!(plan.device.min_align_mask, 0xfff);
        assert_eq!(plan.device.dma_mask, 0xffff_ffff);
    }

    #[test]
    fn a_missing_direction_and_too_little_room_are_refused() {
        let lacking = core(32, &[Direction::Mm2s]);
        let work = [moved(Dir::FromDevice, 0, 4)];
        let error = plan(&lacking, &work, 0, Place::Direct, Seed::new(1)).expect_err("no s2mm");
        assert!(
            error
                .to_string()
                .contains("line 7: expected a program `s2mm` or `copy`, found mm2s"),
            "{error}"
        );
        let small = core(24, &[Direction::S2mm]);
        let work = [moved(Dir::FromDevice, 0, 1 << 18); 60];
        let error = plan(&small, &work, 0, Place::Direct, Seed::new(1)).expect_err("no room");
        assert!(matches!(error, WorldError::NoRoom { .. }), "{error}");
    }
}
