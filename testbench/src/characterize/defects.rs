//! Defects: rules of AXI that the core broke by their names, and the order of severity.

use rebound_sim::limits::ResolvedLimits;

use super::session::Notes;
use super::sheet::{Defect, Finding, Role, Side};

/// Name of the defect of a core that rounds addresses in silence.
pub(super) const ROUNDS_ADDRESS: &str = "rounds-address";
/// Ends of rules that are bounds of the manifest or of the rules themselves, or that are told elsewhere.
const NOT_DEFECTS: [&str; 3] = ["_OUTSTANDING", "_TRACKED", "_4K"];
/// Channels that the memory drives: what is wrong there follows from what the core did.
const OF_MEMORY: [&str; 2] = ["AXI_R_", "AXI_B_"];

/// Beginnings of names, those that lose data or hit foreign memory first.
const SEVERITY: [&str; 25] = [
    "writes-past-end",
    "truncates-address",
    "misses-address",
    "late-address",
    "wraps",
    ROUNDS_ADDRESS,
    "moves-on-zero-length",
    "stale-after-reset",
    "goes-astray",
    "corrupts",
    "mixes-ids",
    "loses-bytes",
    "early-done",
    "done-without-data",
    "ignores",
    "bursts-after-done",
    "reads-past-end",
    "asks-past-end",
    "dies",
    "hangs",
    "dead-after-error",
    "unusable-after-reset",
    "wedged-by-error",
    "breaks",
    "fails",
];

/// Turns notes into defects, the severest first. What the manifest declares is none: a driver that knows whole beats
/// never sees how others are rounded.
#[must_use]
pub(super) fn beyond(declared: &ResolvedLimits, sides: &[Side], notes: Notes) -> Vec<Defect> {
    let mut defects = sorted(notes);
    if sides.iter().all(|side| is_granule_declared(declared, side)) {
        defects.retain(|defect| defect.name != ROUNDS_ADDRESS);
    }
    defects
}

fn is_granule_declared(declared: &ResolvedLimits, side: &Side) -> bool {
    let alignment = match side.role {
        Role::Source => declared.source_alignment,
        Role::Destination => declared.destination_alignment,
    };
    match &side.granule {
        Finding::Measured { value, .. } | Finding::AtLeast { value, .. } => alignment % value == 0,
        Finding::Unknown { .. } => true,
    }
}

/// Turns notes into defects, the severest first.
fn sorted(mut notes: Notes) -> Vec<Defect> {
    for (rule, (broken, transfer)) in std::mem::take(&mut notes.broken) {
        if is_defect(&rule) {
            let (name, what) = of_rule(&rule);
            let evidence = format!("{transfer}: {rule}: {}", broken.text);
            notes.defect(&name, &what, evidence);
        }
    }
    let mut defects: Vec<Defect> = notes.defects.into_values().collect();
    defects.sort_by_key(|defect| severity(&defect.name));
    defects
}

fn is_defect(rule: &str) -> bool {
    let is_bound = NOT_DEFECTS.iter().any(|end| rule.ends_with(end));
    let is_of_memory = OF_MEMORY.iter().any(|begin| rule.starts_with(begin));
    !is_bound && !is_of_memory
}

fn severity(name: &str) -> usize {
    let place = SEVERITY.iter().position(|begin| name.starts_with(begin));
    place.unwrap_or(SEVERITY.len())
}

/// The name of the defect behind a rule, and what it is.
fn of_rule(rule: &str) -> (String, String) {
    let known = match rule {
        "AXI_W_LAST" => Some((
            "breaks-wlast",
            "WLAST does not come with the last beat of a burst, and with no other.",
        )),
        "assertion" => Some(("fails-assertion", "An assertion of the core fails.")),
        _ => None,
    };
    if let Some((name, what)) = known {
        return (name.to_owned(), what.to_owned());
    }
    let channel_rule = rule
        .strip_prefix("AXI_")
        .and_then(|rest| rest.split_once('_'));
    match channel_rule {
        Some((channel, "STABLE")) => (
            format!("breaks-{}-stable", channel.to_lowercase()),
            format!("{channel} payload changes while it waits for ready (IHI 0022, A3.2.1)."),
        ),
        Some((channel, "VALID")) => (
            format!("breaks-{}-valid", channel.to_lowercase()),
            format!("{channel}VALID falls before its handshake (IHI 0022, A3.2.1)."),
        ),
        _ => (
            format!("breaks-{}", rule.to_lowercase().replace('_', "-")),
            format!("The core breaks the rule {rule}."),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::characterize::probe::BrokenRule;

    #[test]
    fn rounding_that_the_manifest_declares_is_no_defect() {
        let mut sheet = crate::characterize::fixtures::sound();
        for side in &mut sheet.sides {
            let evidence = Vec::new();
            side.granule = Finding::Measured { value: 8, evidence };
        }
        let names = |sheet: &crate::characterize::sheet::Sheet| {
            let mut notes = Notes::default();
            notes.defect(ROUNDS_ADDRESS, "It rounds.", "one".into());
            let defects = beyond(&sheet.declared, &sheet.sides, notes);
            defects.into_iter().map(|one| one.name).collect::<Vec<_>>()
        };
        assert_eq!(names(&sheet), [ROUNDS_ADDRESS], "declared to take any byte");
        sheet.declared.source_alignment = 8;
        assert_eq!(names(&sheet), [ROUNDS_ADDRESS], "not at the destination");
        sheet.declared.destination_alignment = 16;
        assert!(names(&sheet).is_empty());
    }

    #[test]
    fn broken_rules_are_defects_but_for_the_bounds_of_the_manifest() {
        let mut notes = Notes::default();
        notes.defect("wedged-by-error", "It needs a reset.", "one".into());
        notes.defect("wraps-64k", "It wraps.", "two".into());
        for rule in [
            "AXI_W_LAST",
            "AXI_AR_OUTSTANDING",
            "AXI_AW_STABLE",
            "AXI_W_ID",
        ] {
            let broken = BrokenRule {
                rule: rule.into(),
                text: "wrong".into(),
            };
            let first = (broken, "copy".to_owned());
            notes.broken.insert(rule.into(), first);
        }
        let defects = sorted(notes);
        let names: Vec<&str> = defects.iter().map(|defect| defect.name.as_str()).collect();
        let expected = [
            "wraps-64k",
            "wedged-by-error",
            "breaks-aw-stable",
            "breaks-axi-w-id",
            "breaks-wlast",
        ];
        assert_eq!(names, expected);
        assert_eq!(defects[4].evidence, ["copy: AXI_W_LAST: wrong"]);
    }
}
