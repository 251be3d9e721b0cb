//! Refusals of the bus, and responses that never come: what the core says, and what it takes until it works again.

use rebound_sim::axi::{BusPolicy, FaultAccess, FaultResponse, FaultWindow};
use swiotlb::DmaAddr;

use super::probe::{Before, Burst, End, Outcome, Probe, Transfer};
use super::session::{Base, Session};
use super::sheet::{ErrorFacts, ErrorFate, Phase, Recovery, Role, SilenceFacts};
use crate::error::UsageError;

/// Measures what becomes of a refusal of the first, a middle and the last burst of a role.
///
/// # Errors
/// If there is no laboratory.
pub(super) fn refusals(
    session: &mut Session<'_>,
    base: &Base,
    role: Role,
) -> Result<Vec<ErrorFacts>, UsageError> {
    let sound = session.single(base.long_transfer())?;
    let bursts = match role {
        Role::Source => &sound.reads.kept,
        Role::Destination => &sound.writes.kept,
    };
    let mut found = Vec::new();
    for (phase, burst) in phases(bursts) {
        for response in [FaultResponse::Slverr, FaultResponse::Decerr] {
            found.push(refusal(session, base, role, phase, burst, response)?);
        }
    }
    note(session, &found);
    Ok(found)
}

/// The bursts that are refused; fewer if a transfer has fewer.
fn phases(bursts: &[Burst]) -> Vec<(Phase, Burst)> {
    let picked = [
        (Phase::First, bursts.first()),
        (
            Phase::Middle,
            bursts.get(bursts.len() / 2).filter(|_| bursts.len() > 2),
        ),
        (Phase::Last, bursts.last().filter(|_| bursts.len() > 1)),
    ];
    picked
        .into_iter()
        .filter_map(|(phase, burst)| burst.map(|burst| (phase, *burst)))
        .collect()
}

fn refusal(
    session: &mut Session<'_>,
    base: &Base,
    role: Role,
    phase: Phase,
    burst: Burst,
    response: FaultResponse,
) -> Result<ErrorFacts, UsageError> {
    let mut refused = base.long_transfer();
    refused.faults.push(FaultWindow {
        dma_base: DmaAddr::new(burst.address),
        bytes: 1,
        access: match role {
            Role::Source => FaultAccess::Read,
            Role::Destination => FaultAccess::Write,
        },
        response,
    });
    let probe = session.probe(refused);
    let (outcome, after) = followed(session, base, &probe, None)?;
    let fate = if outcome.refused_beats == 0 && !matches!(outcome.end, End::Stuck { .. }) {
        ErrorFate::NotTried {
            reason: format!("no burst came to {:#x}", burst.address),
        }
    } else {
        fate_of(session, &outcome)
    };
    Ok(ErrorFacts {
        role,
        phase,
        response: match response {
            FaultResponse::Slverr => "SLVERR".to_owned(),
            FaultResponse::Decerr => "DECERR".to_owned(),
        },
        fate,
        after,
    })
}

/// Measures what becomes of reads or writes that are never answered.
///
/// # Errors
/// If there is no laboratory.
pub(super) fn silence(
    session: &mut Session<'_>,
    base: &Base,
    role: Role,
) -> Result<SilenceFacts, UsageError> {
    let mut bus = BusPolicy::default();
    match role {
        Role::Source => bus.read_latency_cycles = u32::MAX,
        Role::Destination => bus.write_latency_cycles = u32::MAX,
    }
    let probe = session.probe(base.long_transfer()).on(bus);
    let (outcome, after) = followed(session, base, &probe, Some(&BusPolicy::default()))?;
    let fate = fate_of(session, &outcome);
    if fate == ErrorFate::Ignored && role == Role::Source {
        let what = "The core says that it is done, though its reads were never answered.";
        let evidence = session.words(&base.long_transfer());
        session.notes.defect("done-without-data", what, evidence);
    }
    Ok(SilenceFacts { role, fate, after })
}

/// Lets a sound transfer follow: behind `recover`, and if that does not help behind a reset.
fn followed(
    session: &mut Session<'_>,
    base: &Base,
    probe: &Probe,
    bus: Option<&BusPolicy>,
) -> Result<(Outcome, Recovery), UsageError> {
    let mut found = None;
    for (before, recovery) in [
        (Before::Recover, Recovery::Usable),
        (Before::Reset, Recovery::Reset),
    ] {
        let mut probe = probe.clone();
        let sound = Transfer {
            bus: bus.cloned(),
            ..base.transfer().after(before)
        };
        probe.transfers.push(sound);
        let observation = session.observe(&probe)?;
        if observation.last().is_sound() {
            return Ok((observation.first().clone(), recovery));
        }
        found = Some(observation);
    }
    let first = found.map(|observation| observation.first().clone());
    Ok((first.unwrap_or_default(), Recovery::Never))
}

fn fate_of(session: &Session<'_>, outcome: &Outcome) -> ErrorFate {
    match &outcome.end {
        End::Done { errors } if !errors.is_empty() => ErrorFate::Reported {
            errors: errors.clone(),
        },
        End::Done { .. } if session.shape.has_error_rules => ErrorFate::Ignored,
        End::Done { .. } => ErrorFate::NoErrorRule,
        End::Stuck { step } => ErrorFate::Hangs { step: step.clone() },
        End::Stopped { how } => ErrorFate::Hangs { step: how.clone() },
        End::Died { how } => ErrorFate::Dies { how: how.clone() },
        End::Impossible { why } => ErrorFate::NotTried {
            reason: why.clone(),
        },
        End::Reset | End::NotBegun => ErrorFate::NotTried {
            reason: "the core died before it".to_owned(),
        },
    }
}

fn note(session: &mut Session<'_>, found: &[ErrorFacts]) {
    for facts in found {
        let (way, ignores) = match facts.role {
            Role::Source => ("read", "ignores-read-error"),
            Role::Destination => ("write", "ignores-write-error"),
        };
        let phase = match facts.phase {
            Phase::First => "first",
            Phase::Middle => "middle",
            Phase::Last => "last",
        };
        let evidence = format!("{} at the {phase} {way} burst", facts.response);
        match (&facts.fate, facts.after) {
            (ErrorFate::Ignored, _) => {
                let what =
                    format!("A transfer with a refused {way} is told done without an error.");
                session.notes.defect(ignores, &what, evidence);
            }
            (_, Recovery::Never) => {
                let what = "After a refusal of the bus not even a reset makes the core work again.";
                session.notes.defect("dead-after-error", what, evidence);
            }
            (ErrorFate::Reported { .. }, Recovery::Reset) => {
                let what = "After a transfer that it reported as failed the core needs a reset.";
                session.notes.defect("wedged-by-error", what, evidence);
            }
            (ErrorFate::Dies { .. }, _) => {
                let what = "A refusal of the bus makes the core end the simulation.";
                session.notes.defect("dies-on-error", what, evidence);
            }
            (ErrorFate::Hangs { .. }, _) => {
                let what = "A refusal of the bus makes the core hang.";
                session.notes.defect("hangs-on-error", what, evidence);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::characterize::fake::{Fake, Planted, defects};

    fn facts(planted: Option<Planted>) -> (Vec<ErrorFacts>, Vec<String>) {
        let mut core = Fake {
            planted: planted.into_iter().collect(),
        };
        let (mut session, base) = core.session();
        let found = refusals(&mut session, &base, Role::Destination).expect("a laboratory");
        (found, defects(&session))
    }

    #[test]
    fn a_sound_core_reports_every_refusal_and_works_on() {
        let (found, names) = facts(None);
        assert_eq!(found.len(), 6);
        for facts in &found {
            assert!(
                matches!(facts.fate, ErrorFate::Reported { .. }),
                "{facts:?}"
            );
            assert_eq!(facts.after, Recovery::Usable);
        }
        assert_eq!(names, Vec::<String>::new());
    }

    #[test]
    fn an_ignored_refusal_and_a_wedged_core_are_defects() {
        let (found, names) = facts(Some(Planted::IgnoresErrors));
        assert!(found.iter().all(|facts| facts.fate == ErrorFate::Ignored));
        assert_eq!(names, ["ignores-write-error"]);
        let (found, names) = facts(Some(Planted::Wedged));
        assert!(found.iter().all(|facts| facts.after == Recovery::Reset));
        assert_eq!(names, ["wedged-by-error"]);
    }

    #[test]
    fn a_silent_bus_hangs_and_is_no_defect() {
        let mut core = Fake::default();
        let (mut session, base) = core.session();
        let found = silence(&mut session, &base, Role::Source).expect("a laboratory");
        assert!(matches!(found.fate, ErrorFate::Hangs { .. }), "{found:?}");
        assert_eq!(defects(&session), Vec::<String>::new());
    }
}
