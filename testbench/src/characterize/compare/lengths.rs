//! Granules, lengths and bursts, declared and measured.

use rebound_sim::limits::ResolvedLimits;

use super::{Disagreement, Severity, severity_of};
use crate::characterize::envelope::Bound;
use crate::characterize::sheet::{BurstFacts, DirectionFacts, Fate, Role, Side};
use crate::characterize::words;

pub(super) fn granule(declared: &ResolvedLimits, side: &Side) -> Option<Disagreement> {
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

pub(super) fn length_granule(
    declared: &ResolvedLimits,
    facts: &DirectionFacts,
) -> Option<Disagreement> {
    let own = declared.length_alignment;
    let place = format!("{} length", facts.direction.name());
    let bound = Bound::of(&facts.length_granule, place)?;
    // What lengths do not need, addresses may.
    let field = if own == declared.alignment && bound.value > own {
        "alignment"
    } else {
        "length_alignment"
    };
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
        measured: format!("{}{}", bound.prefix(), words::size(value)),
        severity,
        evidence,
        advice,
    })
}

pub(super) fn max_length(
    declared: &ResolvedLimits,
    facts: &DirectionFacts,
) -> Option<Disagreement> {
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
        measured: format!("{}{}", bound.prefix(), words::size(value)),
        severity,
        evidence,
        advice,
    })
}

/// The shortest transfer above one of no bytes.
pub(super) fn shortest(declared: &ResolvedLimits, facts: &DirectionFacts) -> Option<Disagreement> {
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
        measured: format!("{}{}", bound.prefix(), words::size(value)),
        severity,
        evidence: bound.evidence,
        advice,
    })
}

pub(super) fn no_bytes(declared: &ResolvedLimits, facts: &DirectionFacts) -> Option<Disagreement> {
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

pub(super) fn burst_beats(
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
