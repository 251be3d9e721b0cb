//! The first transfer: finds a length that works at places that any core should take.

use super::fate::{fate, words};
use super::probe::{End, Outcome};
use super::session::{Base, Session};
use crate::error::UsageError;

/// Where transfers go first: low, in one 64 KiB and on a multiple of every usual granule.
const SOURCE: u64 = 0x4000;
const DESTINATION: u64 = 0x8000;
/// Lengths that are tried for the first transfer.
const LENGTHS: [u64; 8] = [256, 64, 512, 128, 1024, 4096, 32, 16];
/// Lengths of several bursts, none a multiple of a page.
const LONG_LENGTHS: [u64; 5] = [3072, 2048, 1536, 1024, 512];

/// Finds a transfer that works. None if there is none; then the reason.
///
/// # Errors
/// If there is no laboratory.
pub(super) fn find(session: &mut Session<'_>) -> Result<Result<Base, String>, UsageError> {
    let mut base = Base {
        source: SOURCE,
        destination: DESTINATION,
        bytes: LENGTHS[0],
        long: LENGTHS[0],
        length_granule: 16,
        source_granule: 16,
        destination_granule: 16,
    };
    let mut reasons = Vec::new();
    let mut works = None;
    for bytes in LENGTHS {
        let transfer = base.of(bytes);
        let outcome = session.single(transfer.clone())?;
        if outcome.is_sound() {
            works = Some((bytes, outcome));
            break;
        }
        let is_dead = matches!(outcome.end, End::Died { .. } | End::Stopped { .. });
        let reason = words(&fate(&outcome, &transfer));
        reasons.push(format!("{} {reason}", session.words(&transfer)));
        if is_dead {
            break;
        }
    }
    let Some((bytes, outcome)) = works else {
        return Ok(Err(reasons.remove(0)));
    };
    base.bytes = bytes;
    base.long = bytes;
    note_reach(session, &base, bytes, &outcome);
    for long in LONG_LENGTHS.into_iter().filter(|long| *long > bytes) {
        let outcome = session.single(base.of(long))?;
        if outcome.is_sound() {
            base.long = long;
            note_reach(session, &base, long, &outcome);
            break;
        }
    }
    Ok(Ok(base))
}

/// A core that reads too far still moves its bytes: that is noted beside.
fn note_reach(session: &mut Session<'_>, base: &Base, bytes: u64, outcome: &Outcome) {
    let transfer = base.of(bytes);
    let ways = [
        (&outcome.reads, "reads-past-end", "reads"),
        (&outcome.writes, "asks-past-end", "asks for writes"),
    ];
    for (traffic, name, verb) in ways {
        if let Some(beyond) = traffic.beyond {
            let evidence = format!("{}: a burst at {:#x}", session.words(&transfer), beyond.to);
            let what = format!("The core {verb} behind the end of its buffer.");
            session.notes.defect(name, &what, evidence);
        }
    }
    if let Some(late) = &outcome.late {
        let evidence = format!("{}: {late}", session.words(&transfer));
        let what = "Bursts begin after the core has said that it is done.";
        session.notes.defect("bursts-after-done", what, evidence);
    }
}
