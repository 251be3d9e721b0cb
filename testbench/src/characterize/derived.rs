//! All that follows from a data sheet, in one value: what a program reads beside it, and what is rendered.

use serde::Serialize;

use crate::characterize::c_lines::c_lines;
use crate::characterize::compare::{Disagreement, compare};
use crate::characterize::cost::{Cost, Machine};
use crate::characterize::duties::{Duty, duties};
use crate::characterize::envelope::Envelope;
use crate::characterize::preset::Preset;
use crate::characterize::settings::{Setting, settings};
use crate::characterize::sheet::Sheet;

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
}

impl Derived {
    /// What follows from `sheet` on a machine.
    #[must_use]
    pub fn of(sheet: &Sheet, machine: Machine) -> Self {
        let envelope = Envelope::of(sheet);
        let settings = settings(sheet, &envelope);
        let duties = duties(sheet, &envelope);
        Self {
            disagreements: compare(sheet, &envelope),
            c: c_lines(&sheet.core.name, &settings, &duties),
            settings,
            duties,
            preset: Preset::of(sheet, &envelope),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::characterize::fixtures;

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
