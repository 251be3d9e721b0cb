//! Boundaries: lays a buffer across multiples of powers of two and sees whether the core carries over.

use super::address_bits::LOWEST_BIT;
use super::fate::words;
use super::probe::Transfer;
use super::session::{Base, Session};
use super::sheet::{BoundaryFate, Fate, Role};
use crate::error::UsageError;

/// Bytes of the buffer before the boundary, if the granule allows it: bursts of usual lengths would cross there.
const BEFORE: u64 = 112;
/// Boundaries that are always tried, as powers of two: 4 KiB, 64 KiB, 1 MiB, 16 MiB, 256 MiB, 4 GiB, 1 TiB.
const ALWAYS: [u32; 7] = [12, 16, 20, 24, 28, 32, 40];

/// Measures what becomes of buffers across boundaries, as far as `address_bits` reach.
///
/// # Errors
/// If there is no laboratory.
pub(super) fn measure(
    session: &mut Session<'_>,
    base: &Base,
    role: Role,
    address_bits: u32,
) -> Result<Vec<BoundaryFate>, UsageError> {
    let mut found: Vec<BoundaryFate> = Vec::new();
    let mut passed = None;
    for power in ALWAYS.into_iter().filter(|power| *power < address_bits) {
        let fate = across(session, base, role, power, address_bits)?;
        if fate == Fate::Reaches {
            passed = Some(power);
        } else if first_broken(&found).is_none() && !matches!(fate, Fate::NotTried { .. }) {
            // The first that breaks may be a multiple of the one that does.
            let from = passed.map_or(power, |passed| passed + 1);
            for finer in from..power {
                let fate = across(session, base, role, finer, address_bits)?;
                found.push(BoundaryFate {
                    boundary: 1 << finer,
                    fate,
                });
            }
        }
        found.push(BoundaryFate {
            boundary: 1 << power,
            fate,
        });
    }
    if let Some(first) = first_broken(&found) {
        let transfer = transfer(base, role, first.boundary.trailing_zeros());
        note(session, &transfer, first);
    }
    Ok(found)
}

/// The first boundary that breaks, if any.
#[must_use]
pub(super) fn first_broken(found: &[BoundaryFate]) -> Option<&BoundaryFate> {
    let is_broken =
        |one: &&BoundaryFate| !matches!(one.fate, Fate::Reaches | Fate::NotTried { .. });
    found.iter().find(is_broken)
}

fn across(
    session: &mut Session<'_>,
    base: &Base,
    role: Role,
    power: u32,
    address_bits: u32,
) -> Result<Fate, UsageError> {
    let transfer = transfer(base, role, power);
    if power < LOWEST_BIT && address_bits <= LOWEST_BIT {
        let reason = format!("there are {address_bits} address bits, and both buffers need room");
        return Ok(Fate::NotTried { reason });
    }
    session.fate(&transfer)
}

/// A transfer with the boundary amid one of its buffers, far from the other one: a small boundary lies above 64 KiB.
fn transfer(base: &Base, role: Role, power: u32) -> Transfer {
    let far = if power < LOWEST_BIT {
        1 << LOWEST_BIT
    } else {
        0
    };
    let boundary = far + (1 << power);
    let before = BEFORE
        .next_multiple_of(base.granule(role))
        .min(base.bytes / 2);
    base.with(role, boundary - before)
}

fn note(session: &mut Session<'_>, transfer: &Transfer, first: &BoundaryFate) {
    let size = size(first.boundary);
    let (verb, what) = match first.fate {
        Fate::Goes { .. } => ("wraps", "Addresses do not carry over"),
        Fate::Corrupts { .. } => ("corrupts-at", "Data is wrong behind"),
        Fate::Hangs { .. } => ("hangs-at", "The core hangs at"),
        Fate::Dies { .. } => ("dies-at", "The core ends the simulation at"),
        _ => return,
    };
    let evidence = format!("{} {}", session.words(transfer), words(&first.fate));
    let what = format!("{what} a multiple of {size}.");
    let name = format!(
        "{verb}-{}",
        size.replace(' ', "").replace("iB", "").to_lowercase()
    );
    session.notes.defect(&name, &what, evidence);
}

/// A power of two in words: `64 KiB`.
#[must_use]
pub(super) fn size(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let unit = (bytes.max(1).ilog2() / 10).min(4);
    format!("{} {}", bytes >> (10 * unit), units[unit as usize])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::characterize::fake::{Fake, Planted, defects};

    #[test]
    fn the_boundary_that_wraps_is_found_between_the_usual_ones() {
        let mut core = Fake::with(Planted::Wraps(1 << 18));
        let (mut session, base) = core.session();
        let found = measure(&mut session, &base, Role::Source, 40).expect("a laboratory");
        let broken = first_broken(&found).expect("it wraps");
        assert_eq!(broken.boundary, 1 << 18);
        let wrapped = Fate::Goes {
            // The buffer begins 112 bytes before the boundary, and bursts of the model are of 128 bytes.
            to: 16,
            instead_of: (1 << 18) + 16,
        };
        assert_eq!(broken.fate, wrapped);
        assert_eq!(defects(&session), ["wraps-256k"]);
        let boundaries: Vec<u64> = found.iter().map(|one| one.boundary).collect();
        assert!(boundaries.is_sorted(), "{boundaries:?}");
    }

    #[test]
    fn a_sound_core_has_none_as_far_as_its_addresses_reach() {
        let mut core = Fake::default();
        let (mut session, base) = core.session();
        let found = measure(&mut session, &base, Role::Destination, 33).expect("a laboratory");
        assert_eq!(found.last().expect("boundaries").boundary, 1 << 32);
        assert_eq!(first_broken(&found), None);
        assert_eq!(defects(&session), Vec::<String>::new());
    }
}
