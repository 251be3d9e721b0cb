//! Rules for errors and the steps of `recover`, declared and measured.

use super::{Disagreement, Severity};
use crate::characterize::sheet::{DirectionFacts, ErrorFacts, ErrorFate, Recovery};
use crate::characterize::words;

/// The bus refused, the core said done, and no rule could have told otherwise.
pub(super) fn no_rule(facts: &DirectionFacts, refusal: &ErrorFacts) -> Option<Disagreement> {
    (refusal.fate == ErrorFate::NoErrorRule).then(|| Disagreement {
        field: format!("control.{}.errors", facts.direction.name()),
        places: vec![words::place(facts.direction, refusal.role)],
        declared: "no rule".into(),
        measured: "the core said done".into(),
        severity: Severity::Unproven,
        evidence: vec![refusal_text(refusal)],
        advice: "name the bits of the core's status that tell of an error; if it has none, it cannot tell"
            .into(),
    })
}

/// The steps of `recover` do not suffice.
pub(super) fn recover(facts: &DirectionFacts, refusal: &ErrorFacts) -> Option<Disagreement> {
    let (measured, advice) = match refusal.after {
        Recovery::Usable | Recovery::NotTried => return None,
        Recovery::Reset => (
            "a reset is needed",
            "have `recover` do what a reset does, or reset the core after each error",
        ),
        Recovery::Never => (
            "not even a reset helps",
            "this is for the core's designer: no driver can mend it",
        ),
    };
    Some(Disagreement {
        field: format!("control.{}.recover", facts.direction.name()),
        places: vec![words::place(facts.direction, refusal.role)],
        declared: "its steps suffice".into(),
        measured: measured.into(),
        severity: Severity::Breaks,
        evidence: vec![refusal_text(refusal)],
        advice: advice.into(),
    })
}

fn refusal_text(refusal: &ErrorFacts) -> String {
    format!(
        "{} to the {} of its {}: {}; then {}",
        refusal.response,
        words::phase(refusal.phase),
        words::way_name(refusal.role),
        words::error_fate(&refusal.fate),
        words::recovery(refusal.after)
    )
}
