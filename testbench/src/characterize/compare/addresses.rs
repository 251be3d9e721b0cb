//! Reach and boundaries of each end, declared and measured.

use super::{Disagreement, Severity, severity_of};
use crate::characterize::envelope::Reach;
use crate::characterize::sheet::{Fate, Sheet};
use crate::characterize::words;

pub(super) fn address_bits(sheet: &Sheet, reach: &Reach) -> Option<Disagreement> {
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
        // A measured value tells it already, as the neighbour that did not hold.
        if evidence.len() < 2 {
            evidence.push(format!("bit {value}: {}", words::fate(fate)));
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
        measured: format!("{}{value} bits", bound.prefix()),
        severity,
        evidence,
        advice,
    })
}

pub(super) fn boundary(sheet: &Sheet, reach: &Reach) -> Option<Disagreement> {
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
