//! A reset amid a transfer: whether the core forgets it.

use rebound_sim::axi::BusPolicy;

use super::fate::{fate, words};
use super::probe::{Before, Probe};
use super::session::{Base, Session};
use super::sheet::{Fate, ResetFate};
use crate::error::UsageError;

/// Latency of the bus, so that much is in flight.
const LATENCY: u32 = 20;
/// Cycles after the reset in which the bus must be quiet.
const QUIET_CYCLES: u64 = 400;
/// Resets come after so many parts of a transfer's cycles.
const PARTS: u64 = 6;

/// Measures what becomes of a reset at several moments of a transfer.
///
/// # Errors
/// If there is no laboratory.
pub(super) fn measure(session: &mut Session<'_>, base: &Base) -> Result<ResetFate, UsageError> {
    let bus = BusPolicy::with_latency(LATENCY);
    let whole = session.probe(base.long_transfer()).on(bus.clone());
    let whole = session.observe(&whole)?.first().cycles;
    if whole == 0 {
        return Ok(ResetFate::NotTried {
            reason: format!("no transfer comes to an end at a latency of {LATENCY} cycles"),
        });
    }
    for part in 0..PARTS {
        let mut torn = base.long_transfer();
        torn.reset_after = Some(whole * part / PARTS + 1);
        torn.quiet_cycles = QUIET_CYCLES;
        let next = base.transfer().after(Before::Init);
        let probe = Probe {
            transfers: vec![torn, next.clone()],
            ..session.probe(base.transfer()).on(bus.clone())
        };
        let observation = session.observe(&probe)?;
        let when = format!(
            "a reset after {} of {whole} cycles",
            whole * part / PARTS + 1
        );
        if let Some(first) = &observation.first().late {
            let what = "After a reset the core goes on with the transfer before it.";
            let evidence = format!("{when}: {first}");
            session.notes.defect("stale-after-reset", what, evidence);
            return Ok(ResetFate::StaleBursts {
                first: first.clone(),
            });
        }
        let found = fate(observation.last(), &next);
        if found != Fate::Reaches {
            let what = format!("{when}, then {} {}", session.words(&next), words(&found));
            let name = "unusable-after-reset";
            let fault = "The transfer after a reset in flight is not sound.";
            session.notes.defect(name, fault, what.clone());
            return Ok(ResetFate::Unusable { what });
        }
    }
    Ok(ResetFate::Clean)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::characterize::fake::{Fake, Planted, defects};

    #[test]
    fn a_core_that_goes_on_after_a_reset_is_told_from_one_that_forgets() {
        let mut core = Fake::default();
        let (mut session, base) = core.session();
        assert_eq!(
            measure(&mut session, &base).expect("a laboratory"),
            ResetFate::Clean
        );
        let mut core = Fake::with(Planted::Stale);
        let (mut session, base) = core.session();
        let found = measure(&mut session, &base).expect("a laboratory");
        assert!(matches!(found, ResetFate::StaleBursts { .. }), "{found:?}");
        assert_eq!(defects(&session), ["stale-after-reset"]);
    }
}
