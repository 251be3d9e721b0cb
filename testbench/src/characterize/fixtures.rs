//! Data sheets made by hand, for tests: a sound core, and ways to spoil it.

use std::collections::BTreeMap;

use rebound_sim::limits::ResolvedLimits;
use rebound_sim::manifest::Direction;

use crate::characterize::sheet::{
    BitFate, BoundaryFate, BurstFacts, CoreFacts, Defect, DirectionFacts, ErrorFacts, ErrorFate,
    Fate, Finding, ManagerFacts, Phase, Recovery, ResetFate, Role, Sheet, Side, SilenceFacts,
    Strobes, Timing,
};
use crate::seed::Seed;
use crate::validate::Profile;

/// Address bits that the sound core has and declares.
pub(super) const BITS: u32 = 40;

/// A core that copies, with 40 address bits, and keeps what its manifest declares.
pub(super) fn sound() -> Sheet {
    Sheet {
        core: CoreFacts {
            name: "sound_copy".into(),
            top: "sound_copy".into(),
            parameters: BTreeMap::from([("AddrWidth".into(), BITS.to_string())]),
            managers: vec![ManagerFacts {
                name: "m_axi".into(),
                protocol: "AXI4".into(),
                address_bits: BITS,
                data_bits: 64,
                id_bits: 4,
            }],
        },
        seed: Seed::new(1),
        declared: ResolvedLimits {
            max_length: Some(65_535),
            ..Profile::of_copy(BITS).limits
        },
        sides: vec![side(Role::Source), side(Role::Destination)],
        directions: vec![copy()],
        defects: Vec::new(),
        timings: timings(),
        probes: 250,
        unmeasured: Vec::new(),
    }
}

/// A core of 32 bits that cuts addresses, though its manifest declares 40.
pub(super) fn truncating() -> Sheet {
    let mut sheet = sound();
    sheet.core.name = "truncating_copy".into();
    truncate(&mut sheet, Role::Source, 32);
    truncate(&mut sheet, Role::Destination, 32);
    sheet.defects.push(Defect {
        name: "truncates-address".into(),
        what: "the core drops the address bits from bit 32 up, and says done".into(),
        evidence: vec!["a source at 0x100001000 was read at 0x1000".into()],
    });
    sheet
}

/// A core that wraps at 64 KiB, as the 8237 did, and declares no boundary.
pub(super) fn wrapping() -> Sheet {
    let mut sheet = sound();
    sheet.core.name = "wrapping_copy".into();
    wrap(&mut sheet, Role::Source, 1 << 16);
    wrap(&mut sheet, Role::Destination, 1 << 16);
    sheet
}

pub(super) fn measured<T>(value: T) -> Finding<T> {
    Finding::Measured {
        value,
        evidence: vec!["a probe reached, and its neighbour did not".into()],
    }
}

pub(super) fn at_least<T>(value: T) -> Finding<T> {
    Finding::AtLeast {
        value,
        evidence: vec!["the furthest probe reached".into()],
    }
}

/// Has an end drop the bits from `bits` up.
pub(super) fn truncate(sheet: &mut Sheet, role: Role, bits: u32) {
    let side = side_mut(sheet, role);
    side.address_bits = measured(bits);
    for bit in &mut side.bits {
        if bit.bit >= bits {
            bit.fate = cut(bit.bit);
        }
    }
}

/// Has an end drop one bit, and reach with those above it.
pub(super) fn kill_bit(sheet: &mut Sheet, role: Role, bit: u32) {
    let found = side_mut(sheet, role)
        .bits
        .iter_mut()
        .find(|one| one.bit == bit);
    if let Some(found) = found {
        found.fate = cut(bit);
    }
}

/// Has an end wrap at multiples of `boundary`, and so at those of all larger ones.
pub(super) fn wrap(sheet: &mut Sheet, role: Role, boundary: u64) {
    let fate = Fate::Goes {
        to: 0,
        instead_of: boundary,
    };
    let boundaries = &mut side_mut(sheet, role).boundaries;
    for one in boundaries.iter_mut().filter(|one| one.boundary >= boundary) {
        one.fate = fate.clone();
    }
}

/// Gives an end a granule; addresses off it are refused.
pub(super) fn align(sheet: &mut Sheet, role: Role, granule: u64) {
    let side = side_mut(sheet, role);
    side.granule = measured(granule);
    side.off_granule = Some(Fate::Refuses {
        errors: vec!["misaligned".into()],
    });
}

pub(super) fn side_mut(sheet: &mut Sheet, role: Role) -> &mut Side {
    let found = sheet.sides.iter_mut().find(|side| side.role == role);
    found.expect("a side of that role")
}

fn cut(bit: u32) -> Fate {
    Fate::Goes {
        to: 0x1000,
        instead_of: (1 << bit) + 0x1000,
    }
}

fn side(role: Role) -> Side {
    let fate = |bit| {
        if bit < BITS {
            Fate::Reaches
        } else {
            Fate::NotTried {
                reason: "AxADDR has 40 bits".into(),
            }
        }
    };
    Side {
        direction: Direction::Copy,
        role,
        address_bits: measured(BITS),
        bits: (0..64)
            .map(|bit| BitFate {
                bit,
                fate: fate(bit),
            })
            .collect(),
        boundaries: [12, 16, 20, 24, 30, 32]
            .map(|shift| BoundaryFate {
                boundary: 1 << shift,
                fate: Fate::Reaches,
            })
            .to_vec(),
        granule: measured(1),
        off_granule: None,
    }
}

fn copy() -> DirectionFacts {
    DirectionFacts {
        direction: Direction::Copy,
        length_granule: measured(1),
        min_length: measured(1),
        max_length: measured(65_535),
        past_longest: Some(Fate::Refuses {
            errors: vec!["length".into()],
        }),
        zero_length: Fate::Refuses {
            errors: vec!["length".into()],
        },
        reads: Some(bursts()),
        writes: Some(bursts()),
        strobes: Some(Strobes::Exact),
        reordered: Fate::Reaches,
        errors: vec![refusal(Role::Source), refusal(Role::Destination)],
        silence: vec![SilenceFacts {
            role: Role::Source,
            fate: ErrorFate::Hangs {
                step: "control.copy.done[0]".into(),
            },
            after: Recovery::Reset,
        }],
        reset: ResetFate::Clean,
        early_done: None,
    }
}

fn bursts() -> BurstFacts {
    BurstFacts {
        longest_beats: 16,
        lengths: BTreeMap::from([(1, 40), (16, 900)]),
        sizes: vec![8],
        types: vec!["INCR".into()],
        ids: vec![0],
        outstanding: measured(4),
        crosses_4k: None,
    }
}

fn refusal(role: Role) -> ErrorFacts {
    ErrorFacts {
        role,
        phase: Phase::First,
        response: "SLVERR".into(),
        fate: ErrorFate::Reported {
            errors: vec!["bus error".into()],
        },
        after: Recovery::Usable,
    }
}

/// Cycles of a core that needs the latency twice and then a cycle a beat.
fn timings() -> Vec<Timing> {
    let mut timings = Vec::new();
    for latency in [1, 10, 100] {
        for bytes in [64, 256, 1024, 4096, 16_384, 32_768] {
            let beats = bytes / 8;
            let cycles = beats + 2 * u64::from(latency) + 10;
            let per_mille = u32::try_from(beats * 1000 / cycles).expect("below 1000");
            timings.push(Timing {
                direction: Direction::Copy,
                latency,
                bytes,
                cycles,
                beats,
                utilisation: f64::from(per_mille) / 1000.0,
            });
        }
    }
    timings
}
