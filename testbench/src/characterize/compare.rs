//! What the manifest declares beside what was measured: every disagreement, the worst first.

use rebound_sim::limits::ResolvedLimits;
use serde::Serialize;

use crate::characterize::envelope::{Bound, Envelope, Reach};
use crate::characterize::sheet::{
    BurstFacts, DirectionFacts, ErrorFacts, ErrorFate, Fate, Finding, Recovery, Role, Sheet, Side,
};
use crate::characterize::words;

/// How bad it is for a driver that believes the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Bytes go elsewhere or are wrong, and nothing tells.
    Corrupts,
    /// Transfers are refused or never end.
    Breaks,
    /// The core may do what is declared; it was not seen.
    Unproven,
    /// The core does more than is declared.
    Harmless,
}

impl Severity {
    /// The word used in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Corrupts => "CORRUPTS",
            Self::Breaks => "BREAKS",
            Self::Unproven => "UNPROVEN",
            Self::Harmless => "HARMLESS",
        }
    }

    /// Returns whether the manifest promises what the core does not keep.
    #[must_use]
    pub const fn is_broken_promise(self) -> bool {
        matches!(self, Self::Corrupts | Self::Breaks)
    }
}

/// A field of the manifest that says something else than the core does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Disagreement {
    /// Path in the manifest, such as `limits.address_bits`.
    pub field: String,
    /// Ends or directions where it was seen, such as `copy source`.
    pub places: Vec<String>,
    /// What the manifest says.
    pub declared: String,
    /// What the core does.
    pub measured: String,
    /// How bad it is.
    pub severity: Severity,
    /// The probes that show it, a sentence each.
    pub evidence: Vec<String>,
    /// What to do.
    pub advice: String,
}

/// Returns where manifest and core disagree, the worst first; the same at several ends is one disagreement.
#[must_use]
pub fn compare(sheet: &Sheet, envelope: &Envelope) -> Vec<Disagreement> {
    let declared = &sheet.declared;
    let mut found = Vec::new();
    for reach in &envelope.reaches {
        found.extend(address_bits(sheet, reach));
        found.extend(boundary(sheet, reach));
    }
    for side in &sheet.sides {
        found.extend(granule(declared, side));
    }
    for facts in &sheet.directions {
        found.extend(max_length(declared, facts));
        found.extend(length_granule(declared, facts));
        found.extend(shortest(declared, facts));
        found.extend(no_bytes(declared, facts));
        let ways = [facts.reads.as_ref(), facts.writes.as_ref()];
        for (bursts, role) in ways.into_iter().zip([Role::Source, Role::Destination]) {
            found.extend(bursts.and_then(|bursts| burst_beats(declared, facts, bursts, role)));
        }
        found.extend(facts.errors.iter().filter_map(|one| no_rule(facts, one)));
        found.extend(facts.errors.iter().filter_map(|one| recover(facts, one)));
    }
    let mut merged = merge(found);
    merged.sort_by_key(|one| one.severity);
    merged
}

/// Joins what was seen alike at several ends.
fn merge(found: Vec<Disagreement>) -> Vec<Disagreement> {
    let mut merged: Vec<Disagreement> = Vec::new();
    for one in found {
        let same = |other: &&mut Disagreement| {
            (
                &other.field,
                &other.declared,
                &other.measured,
                other.severity,
            ) == (&one.field, &one.declared, &one.measured, one.severity)
        };
        let Some(known) = merged.iter_mut().find(same) else {
            merged.push(one);
            continue;
        };
        for place in one.places {
            if !known.places.contains(&place) {
                known.places.push(place);
            }
        }
        for evidence in one.evidence {
            if !known.evidence.contains(&evidence) {
                known.evidence.push(evidence);
            }
        }
    }
    merged
}

/// How bad it is that what is declared ends so.
const fn severity_of(fate: Option<&Fate>) -> Severity {
    match fate {
        Some(Fate::Goes { .. } | Fate::Corrupts { .. }) => Severity::Corrupts,
        _ => Severity::Breaks,
    }
}

fn address_bits(sheet: &Sheet, reach: &Reach) -> Option<Disagreement> {
    let declared = sheet.declared.address_bits;
    let bound = reach.bits.as_ref()?;
    let value = bound.value;
    let at_port = sheet
        .core
        .managers
        .iter()
        .all(|port| port.address_bits < declared)
        && !sheet.core.managers.is_empty();
    let severity = match value.cmp(&declared) {
        std::cmp::Ordering::Equal => return None,
        std::cmp::Ordering::Greater => Severity::Harmless,
        std::cmp::Ordering::Less if bound.is_at_least && !at_port => Severity::Unproven,
        // Bits that no port has are cut off: there is nothing that could refuse them.
        std::cmp::Ordering::Less if reach.beyond.is_none() && at_port => Severity::Corrupts,
        std::cmp::Ordering::Less => severity_of(reach.beyond.as_ref()),
    };
    let mut evidence = bound.evidence.clone();
    if let Some(fate) = &reach.beyond {
        let text = format!("bit {value}: {}", words::fate(fate));
        if !evidence.contains(&text) {
            evidence.push(text);
        }
    }
    if let (Some(first), Some(last)) = (reach.beyond_gap.first(), reach.beyond_gap.last()) {
        evidence.push(format!(
            "a hole: bits {first} to {last} reach, bit {value} below them does not"
        ));
    }
    let advice = match severity {
        Severity::Corrupts | Severity::Breaks => format!(
            "declare `address_bits = {value}`, so that buffers beyond are bounced, or give the core the bits"
        ),
        Severity::Unproven => {
            "keep the declared value only if the core's documentation proves it".to_owned()
        }
        Severity::Harmless => format!(
            "`address_bits = {value}` would bounce less, unless the declared value is a promise for other builds"
        ),
    };
    Some(Disagreement {
        field: "limits.address_bits".into(),
        places: vec![bound.place.clone()],
        declared: format!("{declared} bits"),
        measured: format!("{}{value} bits", prefix(bound)),
        severity,
        evidence,
        advice,
    })
}

fn boundary(sheet: &Sheet, reach: &Reach) -> Option<Disagreement> {
    let declared = sheet.declared.boundary;
    let text = declared.map_or_else(|| "none".to_owned(), words::size);
    let place = words::place(reach.direction, reach.role);
    let make = |measured, severity, evidence, advice| Disagreement {
        field: "limits.boundary".into(),
        places: vec![place.clone()],
        declared: text.clone(),
        measured,
        severity,
        evidence,
        advice,
    };
    if let Some((broken, fate)) = &reach.boundary {
        return declared.is_none_or(|declared| declared > *broken).then(|| {
            make(
                format!("not across {}", words::size(*broken)),
                severity_of(Some(fate)),
                vec![format!(
                    "across {}: {}",
                    words::size(*broken),
                    words::fate(fate)
                )],
                format!("declare `boundary = {broken}`: a driver then splits there"),
            )
        });
    }
    let declared = declared?;
    let side = sheet
        .sides
        .iter()
        .find(|side| (side.direction, side.role) == (reach.direction, reach.role))?;
    let reached = |fate: &Fate| *fate == Fate::Reaches;
    let crossed = side
        .boundaries
        .iter()
        .find(|tried| tried.boundary == declared && reached(&tried.fate))?;
    Some(make(
        "none".to_owned(),
        Severity::Harmless,
        vec![format!("across {}: reaches", words::size(crossed.boundary))],
        "without `boundary`, a driver would split less".to_owned(),
    ))
}

fn granule(declared: &ResolvedLimits, side: &Side) -> Option<Disagreement> {
    let (own, field) = match side.role {
        Role::Source => (declared.source_alignment, "source_alignment"),
        Role::Destination => (declared.destination_alignment, "destination_alignment"),
    };
    let field = if own == declared.alignment {
        "alignment"
    } else {
        field
    };
    let bound = Bound::of(&side.granule, words::place(side.direction, side.role))?;
    alignment(field, own, &bound, side.off_granule.as_ref())
}

fn length_granule(declared: &ResolvedLimits, facts: &DirectionFacts) -> Option<Disagreement> {
    let own = declared.length_alignment;
    let field = if own == declared.alignment {
        "alignment"
    } else {
        "length_alignment"
    };
    let place = format!("{} length", facts.direction.name());
    let bound = Bound::of(&facts.length_granule, place)?;
    alignment(field, own, &bound, None)
}

fn alignment(
    field: &str,
    declared: u64,
    bound: &Bound<u64>,
    off: Option<&Fate>,
) -> Option<Disagreement> {
    let value = bound.value;
    let (severity, advice) = match value.cmp(&declared) {
        std::cmp::Ordering::Equal => return None,
        std::cmp::Ordering::Greater => (
            severity_of(off),
            format!("declare `{field} = {value}`, and have the driver refuse what is not aligned"),
        ),
        std::cmp::Ordering::Less => (
            Severity::Harmless,
            format!("`{field} = {value}` would let a driver use more buffers as they are"),
        ),
    };
    let mut evidence = bound.evidence.clone();
    evidence.extend(off.map(|fate| format!("off the granule: {}", words::fate(fate))));
    Some(Disagreement {
        field: format!("limits.{field}"),
        places: vec![bound.place.clone()],
        declared: words::size(declared),
        measured: format!("{}{}", prefix(bound), words::size(value)),
        severity,
        evidence,
        advice,
    })
}

fn max_length(declared: &ResolvedLimits, facts: &DirectionFacts) -> Option<Disagreement> {
    let bound = Bound::of(&facts.max_length, facts.direction.name())?;
    let value = bound.value;
    let declares = format!("declare `max_length = {value}`: a driver then splits what is longer");
    let (severity, advice) = match declared.max_length {
        Some(declared) if declared == value => return None,
        Some(declared) if declared < value => (
            Severity::Harmless,
            format!("`max_length = {value}` would let a driver split less"),
        ),
        None if bound.is_at_least => return None,
        Some(_) if bound.is_at_least => (
            Severity::Unproven,
            "keep the declared value only if the core's documentation proves it".to_owned(),
        ),
        _ => (severity_of(facts.past_longest.as_ref()), declares),
    };
    let mut evidence = bound.evidence.clone();
    let past = facts.past_longest.as_ref();
    evidence.extend(past.map(|fate| format!("past the longest: {}", words::fate(fate))));
    Some(Disagreement {
        field: "limits.max_length".into(),
        places: vec![bound.place.clone()],
        declared: declared
            .max_length
            .map_or_else(|| "no limit".to_owned(), words::size),
        measured: format!("{}{}", prefix(&bound), words::size(value)),
        severity,
        evidence,
        advice,
    })
}

/// The shortest transfer above one of no bytes.
fn shortest(declared: &ResolvedLimits, facts: &DirectionFacts) -> Option<Disagreement> {
    let bound = Bound::of(&facts.min_length, facts.direction.name())?;
    let value = bound.value;
    // A granule is the shortest of its own accord.
    let declared = declared.min_length.max(declared.length_alignment);
    let (severity, advice) = match value.cmp(&declared) {
        std::cmp::Ordering::Equal => return None,
        std::cmp::Ordering::Greater => (
            Severity::Breaks,
            format!("declare `min_length = {value}`: a driver then moves less in software"),
        ),
        std::cmp::Ordering::Less => (
            Severity::Harmless,
            format!("`min_length = {value}` would let a driver use the core for less"),
        ),
    };
    Some(Disagreement {
        field: "limits.min_length".into(),
        places: vec![bound.place.clone()],
        declared: words::size(declared),
        measured: format!("{}{}", prefix(&bound), words::size(value)),
        severity,
        evidence: bound.evidence,
        advice,
    })
}

fn no_bytes(declared: &ResolvedLimits, facts: &DirectionFacts) -> Option<Disagreement> {
    let fate = &facts.zero_length;
    let (severity, advice) = match (declared.min_length, fate) {
        (_, Fate::NotTried { .. }) | (0, Fate::Reaches) => return None,
        (0, fate) => (
            severity_of(Some(fate)),
            "declare `min_length = 1`: a driver then starts no transfer of no bytes",
        ),
        (1, Fate::Reaches) => (
            Severity::Harmless,
            "`min_length = 0` would let a driver start a transfer of no bytes",
        ),
        _ => return None,
    };
    Some(Disagreement {
        field: "limits.min_length".into(),
        places: vec![facts.direction.name().to_owned()],
        declared: words::size(declared.min_length),
        measured: if severity == Severity::Harmless {
            "0 B is done".to_owned()
        } else {
            format!("0 B {}", words::fate_word(fate))
        },
        severity,
        evidence: vec![format!("a transfer of no bytes: {}", words::fate(fate))],
        advice: advice.to_owned(),
    })
}

fn burst_beats(
    declared: &ResolvedLimits,
    facts: &DirectionFacts,
    bursts: &BurstFacts,
    role: Role,
) -> Option<Disagreement> {
    let declared = declared.max_burst_beats?;
    let longest = u64::from(bursts.longest_beats);
    let (severity, advice) = match longest.cmp(&declared) {
        std::cmp::Ordering::Equal => return None,
        std::cmp::Ordering::Greater => (
            Severity::Breaks,
            format!("declare `max_burst_beats = {longest}`, or have the core keep its promise"),
        ),
        std::cmp::Ordering::Less => (
            Severity::Harmless,
            format!("no burst was longer than {longest} beats; longer ones may come yet"),
        ),
    };
    let count = bursts.lengths.get(&bursts.longest_beats).copied();
    let count = count.unwrap_or_default();
    Some(Disagreement {
        field: "limits.max_burst_beats".into(),
        places: vec![format!(
            "{} {}",
            facts.direction.name(),
            words::way_name(role)
        )],
        declared: format!("{declared} beats"),
        measured: format!("{longest} beats"),
        severity,
        evidence: vec![format!(
            "{count} bursts of {longest} beats were seen, none longer"
        )],
        advice,
    })
}

/// The bus refused, the core said done, and no rule could have told otherwise.
fn no_rule(facts: &DirectionFacts, refusal: &ErrorFacts) -> Option<Disagreement> {
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
fn recover(facts: &DirectionFacts, refusal: &ErrorFacts) -> Option<Disagreement> {
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

const fn prefix<T>(bound: &Bound<T>) -> &'static str {
    if bound.is_at_least { "at least " } else { "" }
}

/// What a finding says in a word, for tables.
#[must_use]
pub fn finding_text<T: Copy>(finding: &Finding<T>, text: impl Fn(T) -> String) -> String {
    match finding {
        Finding::Measured { value, .. } => text(*value),
        Finding::AtLeast { value, .. } => format!("at least {}", text(*value)),
        Finding::Unknown { .. } => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::characterize::fixtures;

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
}
