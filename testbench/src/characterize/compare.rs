//! What the manifest declares beside what was measured: every disagreement, the worst first.

mod addresses;
mod errors;
mod lengths;
#[cfg(test)]
mod tests;

use serde::Serialize;

use crate::characterize::envelope::Envelope;
use crate::characterize::sheet::{Fate, Role, Sheet};

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
        found.extend(addresses::address_bits(sheet, reach));
        found.extend(addresses::boundary(sheet, reach));
    }
    for side in &sheet.sides {
        found.extend(lengths::granule(declared, side));
    }
    for facts in &sheet.directions {
        found.extend(lengths::max_length(declared, facts));
        found.extend(lengths::length_granule(declared, facts));
        found.extend(lengths::shortest(declared, facts));
        found.extend(lengths::no_bytes(declared, facts));
        let ways = [facts.reads.as_ref(), facts.writes.as_ref()];
        for (bursts, role) in ways.into_iter().zip([Role::Source, Role::Destination]) {
            found.extend(
                bursts.and_then(|bursts| lengths::burst_beats(declared, facts, bursts, role)),
            );
        }
        found.extend(
            facts
                .errors
                .iter()
                .filter_map(|one| errors::no_rule(facts, one)),
        );
        found.extend(
            facts
                .errors
                .iter()
                .filter_map(|one| errors::recover(facts, one)),
        );
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
