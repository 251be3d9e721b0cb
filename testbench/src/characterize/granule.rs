//! Granules of addresses and lengths, the shortest length, and how narrow ends are written.

use super::defects::ROUNDS_ADDRESS;
use super::fate::{fate, words};
use super::probe::{End, Outcome, Transfer, Wrong, WrongBytes};
use super::session::{Base, Session};
use super::sheet::{Fate, Finding, Role, Strobes};
use crate::error::UsageError;

/// Largest granule that is tried.
const LARGEST: u64 = 128;

/// Granules of a direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Granules {
    /// Of lengths.
    pub(super) length: Finding<u64>,
    /// What became of a length off that granule; none if it is 1.
    pub(super) off_length: Option<Fate>,
    /// Shortest length above 0.
    pub(super) shortest: Finding<u64>,
    /// Of the addresses of each role, and what became of an address off that granule.
    pub(super) addresses: Vec<(Role, Finding<u64>, Option<Fate>)>,
    /// How narrow ends are written; none in a direction that does not write.
    pub(super) strobes: Option<Strobes>,
}

/// Measures all granules, and puts them into the base.
///
/// # Errors
/// If there is no laboratory.
pub(super) fn measure(session: &mut Session<'_>, base: &mut Base) -> Result<Granules, UsageError> {
    let mut ends = Vec::new();
    let lengths =
        |granule: u64, base: &Base| [1, 3].map(|times| base.of(base.bytes + times * granule));
    let (length, off_length) = smallest(session, base, lengths, &mut ends)?;
    base.length_granule = value_of(&length);
    note_ends(session, &ends);
    let shortest = shortest(session, base)?;
    let mut addresses = Vec::new();
    for role in session.shape.roles() {
        let places = |granule: u64, base: &Base| {
            [1, 3].map(|times| base.with(*role, base.address(*role) + times * granule))
        };
        let mut seen = Vec::new();
        let (granule, off) = smallest(session, base, places, &mut seen)?;
        match role {
            Role::Source => base.source_granule = value_of(&granule),
            Role::Destination => base.destination_granule = value_of(&granule),
        }
        note_rounding(session, base, *role, value_of(&granule), off.as_ref());
        if *role == Role::Destination {
            note_lost(session, &seen);
            ends.extend(
                seen.into_iter()
                    .filter(|(_, outcome)| outcome.writes.is_inside()),
            );
        }
        addresses.push((*role, granule, off));
    }
    let writes = session.shape.roles().contains(&Role::Destination);
    Ok(Granules {
        length,
        off_length,
        shortest,
        addresses,
        strobes: writes.then(|| strobes(&ends)),
    })
}

/// Finds the smallest granule whose transfers work; beside it, what became of the first that is off it.
fn smallest(
    session: &mut Session<'_>,
    base: &Base,
    transfers: impl Fn(u64, &Base) -> [Transfer; 2],
    seen: &mut Vec<(Transfer, Outcome)>,
) -> Result<(Finding<u64>, Option<Fate>), UsageError> {
    let mut off = None;
    let mut evidence = Vec::new();
    let mut granule = 1;
    while granule <= LARGEST {
        let mut works = true;
        for transfer in transfers(granule, base) {
            let outcome = session.single(transfer.clone())?;
            let found = fate(&outcome, &transfer);
            seen.push((transfer.clone(), outcome));
            if found != Fate::Reaches {
                evidence.push(format!("{} {}", session.words(&transfer), words(&found)));
                off.get_or_insert(found);
                works = false;
                break;
            }
            evidence.push(format!("{} arrives", session.words(&transfer)));
        }
        if works {
            let value = granule;
            return Ok((Finding::Measured { value, evidence }, off));
        }
        granule *= 2;
    }
    let reason = format!(
        "no granule up to {LARGEST} works: {}",
        evidence.first().cloned().unwrap_or_default()
    );
    Ok((Finding::Unknown { reason }, off))
}

/// The granule that was found, or one that every core takes.
fn value_of(finding: &Finding<u64>) -> u64 {
    match finding {
        Finding::Measured { value, .. } | Finding::AtLeast { value, .. } => *value,
        Finding::Unknown { .. } => LARGEST,
    }
}

fn shortest(session: &mut Session<'_>, base: &Base) -> Result<Finding<u64>, UsageError> {
    let mut evidence = Vec::new();
    let step = base.length_granule;
    for bytes in (1..=16).map(|times| times * step) {
        let transfer = base.of(bytes);
        let found = session.fate(&transfer)?;
        evidence.push(format!("{} {}", session.words(&transfer), words(&found)));
        if found == Fate::Reaches {
            return Ok(Finding::Measured {
                value: bytes,
                evidence,
            });
        }
    }
    Ok(Finding::Unknown {
        reason: format!("none of 1 to 16 granules works: {}", evidence[0]),
    })
}

/// Bytes that are written beyond an end within a beat.
fn note_ends(session: &mut Session<'_>, ends: &[(Transfer, Outcome)]) {
    for (transfer, outcome) in ends {
        let end = transfer.destination + transfer.bytes;
        if let Some(outside) = outcome.writes.outside.filter(|outside| *outside >= end) {
            let evidence = format!("{}: {outside:#x} was written", session.words(transfer));
            let what = "Bytes behind the end of the buffer are overwritten.";
            session.notes.defect("writes-past-end", what, evidence);
        }
    }
}

/// Bytes of the buffer that are not written, though nothing outside is.
fn note_lost(session: &mut Session<'_>, seen: &[(Transfer, Outcome)]) {
    for (transfer, outcome) in seen {
        if let Some(wrong) = lost(outcome) {
            let evidence = format!("{}: {}", session.words(transfer), wrong.what);
            let what = "Bytes of a buffer that begins or ends within a beat are not written.";
            session.notes.defect("loses-bytes", what, evidence);
        }
    }
}

/// Bytes that a transfer lost of which the core says that all is well.
fn lost(outcome: &Outcome) -> Option<&Wrong> {
    let is_told_well = matches!(&outcome.end, End::Done { errors } if errors.is_empty());
    let wrong = outcome.wrong.as_ref()?;
    let is_lost = wrong.how == WrongBytes::Unwritten && outcome.writes.is_inside();
    (is_told_well && is_lost).then_some(wrong)
}

/// A core that takes any length and silently rounds addresses moves other bytes than it is asked for. One that counts
/// in words has addresses of words as well.
fn note_rounding(
    session: &mut Session<'_>,
    base: &Base,
    role: Role,
    granule: u64,
    off: Option<&Fate>,
) {
    let Some(off @ Fate::Goes { to, instead_of }) = off else {
        return;
    };
    if base.length_granule < granule && to < instead_of {
        let transfer = base.with(role, *instead_of);
        let evidence = format!("{} {}", session.words(&transfer), words(off));
        let what = "Addresses within a beat are rounded down, and the core says that all is well.";
        session.notes.defect(ROUNDS_ADDRESS, what, evidence);
    }
}

/// How strobes are used, from transfers with ends within beats.
fn strobes(ends: &[(Transfer, Outcome)]) -> Strobes {
    let beyond = |(transfer, outcome): &(Transfer, Outcome)| {
        let end = transfer.destination + transfer.bytes;
        outcome.writes.outside.is_some_and(|outside| outside >= end)
    };
    if ends.iter().any(beyond) {
        Strobes::TooWide
    } else if ends.iter().any(|(_, outcome)| lost(outcome).is_some()) {
        Strobes::TooNarrow
    } else if ends
        .iter()
        .any(|(_, outcome)| outcome.writes.has_partial_strobes)
    {
        Strobes::Exact
    } else {
        Strobes::WholeBeats
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::characterize::fake::{Fake, Planted, defects, value};

    fn granules(planted: Option<Planted>) -> (Granules, Vec<String>) {
        let mut core = Fake {
            planted: planted.into_iter().collect(),
        };
        let (mut session, mut base) = core.session();
        let found = measure(&mut session, &mut base).expect("a laboratory");
        (found, defects(&session))
    }

    #[test]
    fn a_core_of_single_bytes_has_granules_of_1() {
        let (found, names) = granules(None);
        assert_eq!(value(&found.length), 1);
        assert_eq!(value(&found.shortest), 1);
        let addresses = found.addresses.iter();
        assert!(addresses.clone().all(|(_, granule, _)| value(granule) == 1));
        assert_eq!(found.strobes, Some(Strobes::Exact));
        assert_eq!(names, Vec::<String>::new());
    }

    #[test]
    fn a_refused_address_is_a_granule_and_a_rounded_one_a_defect() {
        let (found, names) = granules(Some(Planted::Aligned(8)));
        let (_, granule, off) = &found.addresses[0];
        assert_eq!(value(granule), 8);
        assert!(matches!(off, Some(Fate::Refuses { .. })) && names.is_empty());
        let (found, names) = granules(Some(Planted::Rounds(8)));
        let (_, granule, off) = &found.addresses[1];
        assert_eq!(value(granule), 8);
        assert!(
            matches!(off, Some(Fate::Goes { to: 0x8000, .. })),
            "{off:?}"
        );
        assert_eq!(names, ["rounds-address"]);
    }

    #[test]
    fn bytes_behind_the_end_are_a_defect() {
        let (found, names) = granules(Some(Planted::WideTail));
        assert_eq!(found.strobes, Some(Strobes::TooWide));
        assert_eq!(names, ["writes-past-end"]);
    }
}
