//! Lengths: the longest transfer, those amid that fail, and a transfer of no bytes.

use super::boundaries::size;
use super::fate::{fate, words};
use super::probe::{End, Transfer};
use super::session::{Base, Session};
use super::sheet::{Fate, Finding};
use crate::error::UsageError;

/// Longest length that is tried.
pub(super) const CAP: u64 = 16 << 20;
/// From this length on the walk goes by leaps of so many times: long transfers take long.
const LEAP_FROM: u64 = 64 << 10;
const LEAP: u64 = 16;
/// Cycles after a transfer of no bytes in which the bus must be quiet.
const QUIET_CYCLES: u64 = 400;

/// Lengths of a direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lengths {
    /// Longest transfer.
    pub(super) longest: Finding<u64>,
    /// What became of the first length past it.
    pub(super) past: Option<Fate>,
    /// Lengths below the longest whose multiples fail.
    pub(super) gap: Option<u64>,
}

/// What bounds the walk, beside [`CAP`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    /// Address bits of both ends.
    pub(super) address_bits: u32,
    /// A boundary that no transfer may cross.
    pub(super) boundary: Option<u64>,
}

/// Measures the longest transfer.
///
/// # Errors
/// If there is no laboratory.
pub(super) fn measure(
    session: &mut Session<'_>,
    base: &Base,
    room: Room,
) -> Result<Lengths, UsageError> {
    Walk {
        session,
        base,
        room,
        gap: None,
    }
    .run()
}

struct Walk<'s, 'a> {
    session: &'s mut Session<'a>,
    base: &'s Base,
    room: Room,
    gap: Option<u64>,
}

impl Walk<'_, '_> {
    /// Walks up in powers of two, by leaps where transfers are long, to the first that fails.
    fn run(mut self) -> Result<Lengths, UsageError> {
        let mut longest = self.base.bytes;
        let mut power = longest.next_power_of_two();
        loop {
            let leap = power * LEAP;
            let next = if power >= LEAP_FROM && self.end_of_room(leap).is_none() {
                leap
            } else {
                power * 2
            };
            if let Some(reason) = self.end_of_room(next) {
                return Ok(self.end(longest, Some(reason), None));
            }
            match self.step(next)? {
                Ok(works) => (longest, power) = (works, next),
                Err(past) => return self.descend(longest, power, next, past),
            }
        }
    }

    /// Whether a length works; if it fails and the next one does not, it is a gap and the next one counts.
    fn step(&mut self, bytes: u64) -> Result<Result<u64, Fate>, UsageError> {
        let past = self.fate(bytes)?;
        if past == Fate::Reaches {
            return Ok(Ok(bytes));
        }
        let next = bytes + self.base.length_granule;
        if self.end_of_room(next).is_none() && self.fate(next)? == Fate::Reaches {
            self.note_gap(bytes, &past);
            return Ok(Ok(next));
        }
        Ok(Err(past))
    }

    /// Goes back from a leap that failed, by powers of two above `power`.
    fn descend(
        mut self,
        longest: u64,
        power: u64,
        fails: u64,
        past: Fate,
    ) -> Result<Lengths, UsageError> {
        let (mut fails, mut past) = (fails, past);
        while fails / 2 > power {
            match self.step(fails / 2)? {
                Ok(works) => return self.search(works, fails, past),
                Err(fate) => (fails, past) = (fails / 2, fate),
            }
        }
        self.search(longest, fails, past)
    }

    /// Finds the longest length between one that works and one that does not.
    fn search(mut self, works: u64, fails: u64, past: Fate) -> Result<Lengths, UsageError> {
        let granule = self.base.length_granule;
        let (mut low, mut high, mut past) = (works, fails, past);
        // A counter ends just below a power of two, or on it.
        for guess in [fails - granule, works + granule] {
            if low < guess && guess < high {
                match self.fate(guess)? {
                    Fate::Reaches => low = guess,
                    fate => (high, past) = (guess, fate),
                }
            }
        }
        while high - low > granule {
            let mut middle = low + (high - low) / 2 / granule * granule;
            if self.gap.is_some_and(|gap| middle.is_multiple_of(gap)) {
                middle += granule;
            }
            if middle >= high {
                break;
            }
            match self.fate(middle)? {
                Fate::Reaches => low = middle,
                fate => (high, past) = (middle, fate),
            }
        }
        Ok(self.end(low, None, Some((high, past))))
    }

    fn end(self, longest: u64, reason: Option<String>, past: Option<(u64, Fate)>) -> Lengths {
        let mut evidence = vec![format!(
            "{} arrives",
            self.session.words(&self.transfer(longest))
        )];
        evidence.extend(reason);
        let Some((bytes, past)) = past else {
            return Lengths {
                longest: Finding::AtLeast {
                    value: longest,
                    evidence,
                },
                past: None,
                gap: self.gap,
            };
        };
        let beyond = self.session.words(&self.transfer(bytes));
        evidence.push(format!("{beyond} {}", words(&past)));
        Lengths {
            longest: Finding::Measured {
                value: longest,
                evidence,
            },
            past: Some(past),
            gap: self.gap,
        }
    }

    /// Why no longer transfer can be tried.
    fn end_of_room(&self, bytes: u64) -> Option<String> {
        if bytes > CAP {
            return Some(format!("nothing longer than {} was tried", size(CAP)));
        }
        if let Some(boundary) = self.room.boundary.filter(|boundary| bytes > *boundary) {
            return Some(format!(
                "longer ones cross a multiple of {}, which this core does not",
                size(boundary)
            ));
        }
        let transfer = self.transfer(bytes);
        let end = transfer.source.max(transfer.destination) + bytes;
        (self.room.address_bits < 64 && end > 1 << self.room.address_bits)
            .then(|| "longer ones have no room in the address bits".to_owned())
    }

    /// A transfer of this length, at multiples of powers of two that hold it.
    fn transfer(&self, bytes: u64) -> Transfer {
        if self.base.source + bytes < self.base.destination {
            return self.base.of(bytes);
        }
        let span = bytes.next_power_of_two().max(1 << 16);
        Transfer::new(span, 2 * span + (1 << 16), bytes)
    }

    fn fate(&mut self, bytes: u64) -> Result<Fate, UsageError> {
        let transfer = self.transfer(bytes);
        self.session.fate(&transfer)
    }

    fn note_gap(&mut self, bytes: u64, past: &Fate) {
        let gap = *self.gap.get_or_insert(bytes);
        let verb = match past {
            Fate::Hangs { .. } => "hangs",
            Fate::Dies { .. } => "dies",
            Fate::Refuses { .. } => "refuses",
            _ => "corrupts",
        };
        let name = format!("{verb}-on-multiples-of-{gap}");
        let transfer = self.transfer(bytes);
        let evidence = format!("{} {}", self.session.words(&transfer), words(past));
        let what = format!("Lengths that are a multiple of {gap} bytes fail, longer ones do not.");
        self.session.notes.defect(&name, &what, evidence);
    }
}

/// Says what becomes of a transfer of no bytes.
///
/// # Errors
/// If there is no laboratory.
pub(super) fn zero(session: &mut Session<'_>, base: &Base) -> Result<Fate, UsageError> {
    let mut transfer = base.of(0);
    transfer.quiet_cycles = QUIET_CYCLES;
    let outcome = session.single(transfer.clone())?;
    if let End::Done { errors } = &outcome.end
        && errors.is_empty()
    {
        let kept = outcome.reads.kept.first().or(outcome.writes.kept.first());
        let asked = outcome.reads.bursts + outcome.writes.bursts;
        let late = outcome.late.clone();
        let first = kept.map(|burst| format!("{asked} bursts, the first at {:#x}", burst.address));
        let Some(moved) = first.or(late) else {
            return Ok(Fate::Reaches);
        };
        let what = "A transfer of no bytes moves some.";
        let evidence = format!("{}: {moved}", session.words(&transfer));
        session.notes.defect("moves-on-zero-length", what, evidence);
        return Ok(Fate::Corrupts {
            what: format!("it moved data: {moved}"),
        });
    }
    Ok(fate(&outcome, &transfer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::characterize::fake::{Fake, Planted, defects, value};

    const ROOM: Room = Room {
        address_bits: 40,
        boundary: None,
    };

    fn lengths(planted: &[Planted], room: Room) -> (Lengths, Vec<String>) {
        let mut core = Fake {
            planted: planted.to_vec(),
        };
        let (mut session, base) = core.session();
        let found = measure(&mut session, &base, room).expect("a laboratory");
        (found, defects(&session))
    }

    #[test]
    fn a_counter_ends_below_its_power_of_two() {
        let (found, names) = lengths(&[Planted::Counts(1 << 20)], ROOM);
        assert_eq!(value(&found.longest), (1 << 20) - 1);
        assert!(matches!(found.past, Some(Fate::Corrupts { .. })));
        assert_eq!(names, Vec::<String>::new());
    }

    #[test]
    fn an_odd_limit_is_found_by_halving() {
        let (found, _) = lengths(&[Planted::Counts(5001)], ROOM);
        assert_eq!(value(&found.longest), 5000);
    }

    #[test]
    fn without_a_limit_the_cap_is_told() {
        let (found, _) = lengths(&[], ROOM);
        assert!(matches!(found.longest, Finding::AtLeast { value: CAP, .. }));
        let narrow = Room {
            address_bits: 20,
            boundary: Some(1 << 16),
        };
        let (found, _) = lengths(&[], narrow);
        assert!(matches!(
            found.longest,
            Finding::AtLeast { value: 65536, .. }
        ));
    }

    #[test]
    fn lengths_that_fail_amid_others_are_a_defect_and_no_limit() {
        let planted = [Planted::HangsOn(4096), Planted::Counts(1 << 16)];
        let (found, names) = lengths(&planted, ROOM);
        assert_eq!(value(&found.longest), (1 << 16) - 1);
        assert_eq!(found.gap, Some(4096));
        assert_eq!(names, ["hangs-on-multiples-of-4096"]);
    }

    #[test]
    fn bytes_that_length_0_moves_are_seen() {
        let mut core = Fake::default();
        let (mut session, base) = core.session();
        assert_eq!(
            zero(&mut session, &base).expect("a laboratory"),
            Fate::Reaches
        );
        let mut core = Fake::with(Planted::MovesOnZero);
        let (mut session, base) = core.session();
        let fate = zero(&mut session, &base).expect("a laboratory");
        assert!(matches!(fate, Fate::Corrupts { .. }), "{fate:?}");
        assert_eq!(defects(&session), ["moves-on-zero-length"]);
    }
}
