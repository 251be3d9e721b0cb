//! From drafts to the data sheet.

use super::plan::{Draft, SideFacts};
use super::sheet::{DirectionFacts, Fate, Finding, ResetFate, Role, Side};

/// The ends of a direction.
pub(super) fn sides(draft: &Draft) -> Vec<Side> {
    let roles = draft.shape.roles().iter();
    roles.map(|role| side(draft, *role)).collect()
}

fn side(draft: &Draft, role: Role) -> Side {
    let facts = draft.sides.iter().find(|side| side.role == role);
    let granules = draft.base.as_ref().ok().map(|(_, granules)| granules);
    let granule = granules.and_then(|granules| {
        let mut addresses = granules.addresses.iter();
        addresses.find(|(of, _, _)| *of == role)
    });
    let empty = || SideFacts {
        role,
        address_bits: unknown(draft),
        bits: Vec::new(),
        boundaries: Vec::new(),
    };
    let facts = facts.cloned().unwrap_or_else(empty);
    Side {
        direction: draft.shape.direction,
        role,
        address_bits: facts.address_bits,
        bits: facts.bits,
        boundaries: facts.boundaries,
        granule: granule.map_or_else(|| unknown(draft), |(_, granule, _)| granule.clone()),
        off_granule: granule.and_then(|(_, _, off)| off.clone()),
    }
}

/// All of a direction that is not one of its ends.
pub(super) fn direction(draft: &Draft) -> DirectionFacts {
    let granules = draft.base.as_ref().ok().map(|(_, granules)| granules);
    let lengths = draft.lengths.as_ref();
    let bursts = draft.bursts.as_ref();
    DirectionFacts {
        direction: draft.shape.direction,
        length_granule: granules.map_or_else(|| unknown(draft), |granules| granules.length.clone()),
        min_length: granules.map_or_else(|| unknown(draft), |granules| granules.shortest.clone()),
        max_length: lengths.map_or_else(|| unknown(draft), |lengths| lengths.longest.clone()),
        past_longest: lengths.and_then(|lengths| lengths.past.clone()),
        zero_length: or_not_tried(draft, draft.zero.as_ref()),
        reads: bursts.and_then(|bursts| bursts.reads.clone()),
        writes: bursts.and_then(|bursts| bursts.writes.clone()),
        strobes: granules.and_then(|granules| granules.strobes),
        reordered: or_not_tried(draft, draft.reordered.as_ref()),
        errors: draft.errors.clone(),
        silence: draft.silence.clone(),
        reset: draft.reset.clone().unwrap_or_else(|| ResetFate::NotTried {
            reason: reason(draft),
        }),
        early_done: bursts.and_then(|bursts| bursts.early_done.clone()),
    }
}

fn unknown<T>(draft: &Draft) -> Finding<T> {
    Finding::Unknown {
        reason: reason(draft),
    }
}

fn or_not_tried(draft: &Draft, fate: Option<&Fate>) -> Fate {
    fate.cloned().unwrap_or_else(|| Fate::NotTried {
        reason: reason(draft),
    })
}

fn reason(draft: &Draft) -> String {
    match &draft.base {
        Ok(_) => "it was not measured".to_owned(),
        Err(reason) => format!("no transfer works: {reason}"),
    }
}
