//! All that follows from a data sheet, in one value: what a program reads beside it, and what is rendered.

use serde::Serialize;

use crate::characterize::c_lines::c_lines;
use crate::characterize::compare::{Disagreement, compare};
use crate::characterize::cost::{Cost, Machine};
use crate::characterize::duties::{Duty, duties};
use crate::characterize::envelope::Envelope;
use crate::characterize::preset::Preset;
use crate::characterize::settings::{Setting, settings};
use crate::characterize::sheet::{Finding, Sheet};

/// What follows from a sheet.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Derived {
    /// Where manifest and core disagree, the worst first.
    pub disagreements: Vec<Disagreement>,
    /// The narrowest of everything.
    pub envelope: Envelope,
    /// What a Linux driver sets.
    pub settings: Vec<Setting>,
    /// What a driver has to do beyond.
    pub duties: Vec<Duty>,
    /// Both as C.
    pub c: String,
    /// The core as Rebound takes it.
    pub preset: Preset,
    /// What bouncing costs; none if it cannot be said.
    pub cost: Option<Cost>,
    /// Why nothing is known that a driver could set or a manifest declare; none if anything is.
    pub unknown: Option<String>,
}

impl Derived {
    /// What follows from `sheet` on a machine.
    #[must_use]
    pub fn of(sheet: &Sheet, machine: Machine) -> Self {
        let envelope = Envelope::of(sheet);
        let settings = settings(sheet, &envelope);
        let duties = duties(sheet, &envelope);
        let unknown = unknown(sheet);
        let mut preset = Preset::of(sheet, &envelope);
        let mut c = c_lines(&sheet.core.name, &settings, &duties);
        if let Some(reason) = &unknown {
            c = format!("/* {} */\n", reason.replace("*/", "* /"));
            preset.toml = format!("# {reason}\n");
        }
        Self {
            unknown,
            disagreements: compare(sheet, &envelope),
            c,
            settings,
            duties,
            preset,
            cost: Cost::of(sheet, &envelope, machine),
            envelope,
        }
    }

    /// Number of disagreements that a driver suffers from.
    #[must_use]
    pub fn broken_promises(&self) -> usize {
        let broken = |one: &&Disagreement| one.severity.is_broken_promise();
        self.disagreements.iter().filter(broken).count()
    }

    /// Whether the core is as its manifest says, and without a defect.
    #[must_use]
    pub fn is_sound(&self, sheet: &Sheet) -> bool {
        sheet.defects.is_empty() && self.broken_promises() == 0
    }
}

/// Why nothing follows from a sheet, where no direction has moved anything.
fn unknown(sheet: &Sheet) -> Option<String> {
    let mut reason = None;
    for facts in &sheet.directions {
        let Finding::Unknown { reason: why } = &facts.max_length else {
            return None;
        };
        reason.get_or_insert(why);
    }
    let reason = reason?;
    Some(format!(
        "no settings and no limits, since nothing was measured: {}",
        reason.replace('\n', " ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::characterize::fixtures;

    #[test]
    fn nothing_follows_from_a_core_that_moves_nothing() {
        let mut sheet = fixtures::sound();
        sheet.directions[0].max_length = Finding::Unknown {
            reason: "no transfer works: it */ hangs".into(),
        };
        let derived = Derived::of(&sheet, Machine::default());
        let why = "no settings and no limits, since nothing was measured: no transfer works: it";
        assert_eq!(derived.c, format!("/* {why} * / hangs */\n"));
        assert_eq!(derived.preset.toml, format!("# {why} */ hangs\n"));
        let lines = crate::characterize::text::lines(&sheet, &derived);
        assert!(
            !lines
                .iter()
                .any(|line| line.contains("As the limits") || line.contains("driver sets"))
        );
        assert!(
            lines
                .iter()
                .any(|line| line.starts_with("UNKNOWN   no settings"))
        );
    }

    #[test]
    fn a_core_is_sound_without_defects_and_broken_promises_alone() {
        let is_sound = |sheet: &Sheet| Derived::of(sheet, Machine::default()).is_sound(sheet);
        assert!(is_sound(&fixtures::sound()));
        assert!(!is_sound(&fixtures::truncating()));
        assert!(
            !is_sound(&fixtures::wrapping()),
            "no defect, but not declared"
        );
        let mut more = fixtures::sound();
        more.declared.address_bits = 32;
        assert!(is_sound(&more), "more than declared is no fault");
        more.defects = fixtures::truncating().defects;
        assert!(!is_sound(&more));
    }
}
