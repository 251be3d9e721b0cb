//! Tests of the comparison, a rule at a time.

use super::*;
use crate::characterize::fixtures;
use crate::characterize::sheet::{ErrorFate, Recovery};

fn of(sheet: &Sheet) -> Vec<Disagreement> {
    compare(sheet, &Envelope::of(sheet))
}

/// The one disagreement that a change of the sound core makes.
fn only(change: impl FnOnce(&mut Sheet)) -> Disagreement {
    let mut sheet = fixtures::sound();
    change(&mut sheet);
    let mut found = of(&sheet);
    assert_eq!(found.len(), 1, "{found:#?}");
    found.remove(0)
}

#[test]
fn a_sound_core_has_no_disagreement() {
    assert_eq!(of(&fixtures::sound()), []);
}

#[test]
fn fewer_bits_than_declared_corrupt_if_the_core_cuts_the_address() {
    let found = of(&fixtures::truncating());
    assert_eq!(found.len(), 1, "both ends are one: {found:#?}");
    assert_eq!(found[0].field, "limits.address_bits");
    assert_eq!(found[0].places, ["copy source", "copy destination"]);
    let said = (found[0].declared.as_str(), found[0].measured.as_str());
    assert_eq!(said, ("40 bits", "32 bits"));
    assert_eq!(found[0].severity, Severity::Corrupts);
    assert!(found[0].evidence.iter().any(|text| text.contains("0x1000")));
    assert!(found[0].advice.contains("address_bits = 32"));
}

#[test]
fn fewer_bits_than_declared_break_if_the_core_refuses() {
    let found = only(|sheet| {
        fixtures::truncate(sheet, Role::Destination, 32);
        for bit in &mut fixtures::side_mut(sheet, Role::Destination).bits[32..] {
            bit.fate = Fate::Refuses {
                errors: vec!["address".into()],
            };
        }
    });
    assert_eq!(found.severity, Severity::Breaks);
    assert_eq!(found.places, ["copy destination"]);
}

#[test]
fn a_port_narrower_than_declared_cuts_the_address() {
    let found = only(|sheet| sheet.declared.address_bits = 64);
    assert_eq!(found.severity, Severity::Corrupts);
    assert_eq!(found.measured, "40 bits");
}

#[test]
fn what_was_seen_in_part_is_unproven_and_what_is_more_is_harmless() {
    let unproven = only(|sheet| {
        sheet.declared.address_bits = 64;
        sheet.core.managers[0].address_bits = 64;
        for side in &mut sheet.sides {
            side.address_bits = fixtures::at_least(52);
        }
    });
    assert_eq!(unproven.severity, Severity::Unproven);
    assert_eq!(unproven.measured, "at least 52 bits");
    let harmless = only(|sheet| sheet.declared.address_bits = 32);
    assert_eq!(harmless.severity, Severity::Harmless);
    assert!(!harmless.severity.is_broken_promise());
}

#[test]
fn a_boundary_that_is_not_declared_is_found_where_it_is_smallest() {
    let found = of(&fixtures::wrapping());
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].field, "limits.boundary");
    assert_eq!(found[0].declared, "none");
    assert_eq!(found[0].measured, "not across 64 KiB");
    assert_eq!(found[0].severity, Severity::Corrupts);
    let mut declared = fixtures::wrapping();
    declared.declared.boundary = Some(1 << 16);
    assert_eq!(of(&declared), []);
    declared.declared.boundary = Some(1 << 20);
    assert_eq!(of(&declared)[0].declared, "1 MiB");
}

#[test]
fn a_boundary_that_the_core_crosses_well_is_harmless() {
    let found = only(|sheet| sheet.declared.boundary = Some(4096));
    assert_eq!(
        (found.severity, found.measured.as_str()),
        (Severity::Harmless, "none")
    );
}

#[test]
fn a_granule_larger_than_declared_is_named_with_its_fate() {
    let found = only(|sheet| fixtures::align(sheet, Role::Source, 8));
    assert_eq!(found.field, "limits.alignment");
    let said = (found.declared.as_str(), found.measured.as_str());
    assert_eq!(said, ("1 B", "8 B"));
    assert_eq!(found.severity, Severity::Breaks);
    assert!(found.evidence[1].contains("misaligned"));
    let silent = only(|sheet| {
        fixtures::align(sheet, Role::Source, 8);
        sheet.declared.source_alignment = 4;
        let side = fixtures::side_mut(sheet, Role::Source);
        side.off_granule = Some(Fate::Corrupts {
            what: "the first bytes are missing".into(),
        });
    });
    assert_eq!(silent.field, "limits.source_alignment");
    assert_eq!(silent.severity, Severity::Corrupts);
}

#[test]
fn a_granule_smaller_than_declared_is_harmless() {
    let found = only(|sheet| {
        sheet.declared.length_alignment = 8;
        sheet.directions[0].min_length = fixtures::measured(8);
    });
    assert_eq!(found.field, "limits.length_alignment");
    assert_eq!(found.severity, Severity::Harmless);
}

#[test]
fn the_longest_transfer_is_compared_both_ways_and_when_undeclared() {
    let broken = only(|sheet| sheet.declared.max_length = Some(1 << 20));
    assert_eq!(broken.severity, Severity::Breaks);
    assert!(broken.evidence.iter().any(|text| text.contains("length")));
    let undeclared = only(|sheet| sheet.declared.max_length = None);
    assert_eq!(undeclared.declared, "no limit");
    let harmless = only(|sheet| sheet.declared.max_length = Some(4096));
    assert_eq!(harmless.severity, Severity::Harmless);
    let unproven = only(|sheet| {
        sheet.declared.max_length = Some(1 << 30);
        sheet.directions[0].max_length = fixtures::at_least(1 << 20);
    });
    assert_eq!(unproven.severity, Severity::Unproven);
    let mut open = fixtures::sound();
    open.declared.max_length = None;
    open.directions[0].max_length = fixtures::at_least(1 << 20);
    assert_eq!(of(&open), []);
}

#[test]
fn a_transfer_of_no_bytes_is_compared_with_the_shortest() {
    let broken = only(|sheet| {
        sheet.declared.min_length = 0;
        sheet.directions[0].zero_length = Fate::Hangs {
            step: "control.copy.done[0]".into(),
        };
    });
    assert_eq!(broken.severity, Severity::Breaks);
    assert_eq!(broken.measured, "0 B hangs");
    let harmless = only(|sheet| sheet.directions[0].zero_length = Fate::Reaches);
    assert_eq!(harmless.severity, Severity::Harmless);
}

#[test]
fn the_shortest_transfer_is_compared_beside_the_granule() {
    let broken = only(|sheet| sheet.directions[0].min_length = fixtures::measured(4));
    assert_eq!(
        (broken.severity, broken.measured.as_str()),
        (Severity::Breaks, "4 B")
    );
    let harmless = only(|sheet| sheet.declared.min_length = 16);
    assert_eq!(harmless.severity, Severity::Harmless);
    let mut sheet = fixtures::sound();
    sheet.declared.length_alignment = 4;
    sheet.directions[0].length_granule = fixtures::measured(4);
    sheet.directions[0].min_length = fixtures::measured(4);
    assert_eq!(of(&sheet), []);
}

#[test]
fn a_burst_longer_than_declared_breaks_the_promise() {
    let found = only(|sheet| {
        let reads = sheet.directions[0].reads.as_mut().expect("it reads");
        reads.longest_beats = 32;
    });
    assert_eq!(found.field, "limits.max_burst_beats");
    assert_eq!(found.places, ["copy reads"]);
    assert_eq!(found.severity, Severity::Breaks);
}

#[test]
fn a_recovery_that_does_not_suffice_and_a_missing_rule_are_told() {
    let found = only(|sheet| sheet.directions[0].errors[1].after = Recovery::Reset);
    assert_eq!(found.field, "control.copy.recover");
    assert!(found.evidence[0].contains("writes"));
    let found = only(|sheet| sheet.directions[0].errors[0].fate = ErrorFate::NoErrorRule);
    assert_eq!(found.field, "control.copy.errors");
    assert_eq!(found.severity, Severity::Unproven);
}

#[test]
fn the_worst_comes_first() {
    let mut sheet = fixtures::truncating();
    sheet.declared.max_length = Some(4096);
    fixtures::align(&mut sheet, Role::Source, 8);
    let severities: Vec<Severity> = of(&sheet).iter().map(|one| one.severity).collect();
    assert_eq!(
        severities,
        [Severity::Corrupts, Severity::Breaks, Severity::Harmless]
    );
}
