//! From what was seen of a transfer to what became of it.

use super::probe::{End, Outcome, Transfer, WrongBytes};
use super::sheet::Fate;

/// Says what became of a transfer that should have worked.
#[must_use]
pub(super) fn fate(outcome: &Outcome, transfer: &Transfer) -> Fate {
    match &outcome.end {
        End::Impossible { why } => Fate::NotTried {
            reason: why.clone(),
        },
        End::NotBegun => not_tried("the core died before it"),
        End::Reset => not_tried("the reset came first"),
        End::Stuck { step } => Fate::Hangs { step: step.clone() },
        End::Stopped { how } => Fate::Hangs { step: how.clone() },
        End::Died { how } => Fate::Dies { how: how.clone() },
        End::Done { errors } if !errors.is_empty() => Fate::Refuses {
            errors: errors.clone(),
        },
        End::Done { .. } => moved(outcome, transfer),
    }
}

/// What became of a transfer of which the core says that all is well.
fn moved(outcome: &Outcome, transfer: &Transfer) -> Fate {
    if let Some(stray) = outcome.reads.stray.or(outcome.writes.stray) {
        return Fate::Goes {
            to: stray.to,
            instead_of: stray.instead_of,
        };
    }
    if let Some(to) = outcome.writes.outside {
        if to < transfer.destination {
            return Fate::Goes {
                to,
                instead_of: transfer.destination,
            };
        }
        return Fate::Corrupts {
            what: format!("the byte at {to:#x}, beyond the end of the buffer, was written"),
        };
    }
    match &outcome.wrong {
        None => Fate::Reaches,
        Some(wrong) => match wrong.how {
            WrongBytes::Shifted(shift) if wrong.offset == 0 => Fate::Goes {
                to: transfer.source.wrapping_add_signed(-shift),
                instead_of: transfer.source,
            },
            _ => Fate::Corrupts {
                what: wrong.what.clone(),
            },
        },
    }
}

fn not_tried(reason: &str) -> Fate {
    Fate::NotTried {
        reason: reason.to_owned(),
    }
}

/// A fate in words, to go on after "a copy of 256 bytes …".
#[must_use]
pub(super) fn words(fate: &Fate) -> String {
    match fate {
        Fate::Reaches => "arrives".to_owned(),
        Fate::Goes { to, instead_of } => {
            format!(
                "goes to {to:#x} instead of {instead_of:#x}, and the core says that all is well"
            )
        }
        Fate::Refuses { errors } => format!("is refused by the core: {}", errors.join(", ")),
        Fate::Corrupts { what } => format!("is told done, but {what}"),
        Fate::Hangs { step } => format!("hangs: {step}"),
        Fate::Dies { how } => format!("ends the simulation: {how}"),
        Fate::NotTried { reason } => format!("was not tried: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::characterize::probe::{Stray, Wrong};

    fn done() -> Outcome {
        Outcome {
            end: End::Done { errors: Vec::new() },
            ..Outcome::default()
        }
    }

    #[test]
    fn an_error_of_the_core_counts_before_what_it_did() {
        let transfer = Transfer::new(0x4000, 0x8000, 64);
        let mut outcome = done();
        outcome.reads.stray = Some(Stray {
            to: 0,
            instead_of: 0x4000,
        });
        assert!(matches!(
            fate(&outcome, &transfer),
            Fate::Goes { to: 0, .. }
        ));
        outcome.end = End::Done {
            errors: vec!["misaligned".into()],
        };
        assert!(matches!(fate(&outcome, &transfer), Fate::Refuses { .. }));
    }

    #[test]
    fn a_death_has_other_words_than_a_hang() {
        let transfer = Transfer::new(0x4000, 0x8000, 64);
        let words_of = |end| {
            let outcome = Outcome { end, ..done() };
            words(&fate(&outcome, &transfer))
        };
        let how = || "so".to_owned();
        assert_eq!(
            words_of(End::Died { how: how() }),
            "ends the simulation: so"
        );
        assert_eq!(words_of(End::Stopped { how: how() }), "hangs: so");
        assert_eq!(words_of(End::Stuck { step: how() }), "hangs: so");
    }

    #[test]
    fn rounded_addresses_of_either_end_go_elsewhere() {
        let transfer = Transfer::new(0x4003, 0x8003, 64);
        let mut outcome = done();
        outcome.wrong = Some(Wrong {
            offset: 0,
            bytes: 64,
            how: WrongBytes::Shifted(3),
            what: String::new(),
        });
        let source = Fate::Goes {
            to: 0x4000,
            instead_of: 0x4003,
        };
        assert_eq!(fate(&outcome, &transfer), source);
        outcome.writes.outside = Some(0x8000);
        let destination = Fate::Goes {
            to: 0x8000,
            instead_of: 0x8003,
        };
        assert_eq!(fate(&outcome, &transfer), destination);
        outcome.writes.outside = Some(0x8043);
        assert!(matches!(fate(&outcome, &transfer), Fate::Corrupts { .. }));
    }
}
