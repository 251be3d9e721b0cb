//! What a trace leaves in doubt: lines that could not be read or paired, and what they may change.

use std::fmt::Write as _;

use crate::replay::survey::{Count, Survey};

/// Tells what could not be read or paired, and how much that may change the answer. Empty if nothing.
#[must_use]
pub fn doubts(survey: &Survey) -> String {
    let (read, misfits) = (&survey.read, &survey.misfits);
    let mut out = String::new();
    let mut say = |text: String| {
        let _ = writeln!(out, "note: {text}");
    };
    if read.losses > 0 {
        say(format!(
            "the kernel lost {} events at {} places: peaks may be higher than told, and addresses behind the first \
             place differ; record with a larger buffer",
            read.lost_events, read.losses
        ));
    }
    if read.overwritten > 0 {
        say(format!(
            "{} events were overwritten before the trace was read: it begins in the middle of the traffic",
            read.overwritten
        ));
    }
    if read.bad_lines > 0 {
        say(format!(
            "{} lines of our events could not be read and were skipped",
            read.bad_lines
        ));
        for bad in &read.first_bad {
            say(format!("  line {}: {}", bad.line, bad.cause));
        }
    }
    if let Some(first) = &read.first_foreign {
        say(format!(
            "{} lines are no events and were skipped, the first is line {}: {}",
            read.foreign_lines, first.line, first.cause
        ));
    }
    if read.is_cut {
        say("the last line has no end: the trace was cut there".to_owned());
    }
    if let Some(damage) = &read.damage {
        say(format!(
            "the compressed file breaks off behind line {}: {damage}; what lies before was read",
            read.lines
        ));
    }
    let orphans = misfits.unmaps_without_map;
    if orphans.count > 0 {
        say(format!(
            "{} mappings ended that began before the trace or in lost lines (first line {}): up to {} more slots were \
             in use",
            orphans.count, orphans.first_line, misfits.orphan_slots
        ));
    }
    let counted: [(Count, &str); 7] = [
        (
            misfits.bounces_without_map,
            "buffers were about to be bounced and no mapping followed: scatterlists that failed, or lost lines",
        ),
        (
            misfits.maps_without_bounce,
            "mappings elsewhere than at their buffer have no line of swiotlb_bounced: taken for bounced",
        ),
        (
            misfits.lost_unmaps,
            "mappings ended without a line: their slots were given away again",
        ),
        (
            misfits.changed_ends,
            "mappings ended with another length or direction than they began with",
        ),
        (
            misfits.uneven_lists,
            "scatterlists have lists of unequal length and were left out: an IOMMU may have joined entries",
        ),
        (
            misfits.empty_maps,
            "mappings are of 0 bytes: no kernel makes such a mapping, and none is made here",
        ),
        (
            Count {
                count: read.backwards,
                first_line: read.first_backwards.unwrap_or(0),
            },
            "events are earlier than the line before: record with `echo global > trace_clock`",
        ),
    ];
    for (count, what) in counted {
        if count.count > 0 {
            say(format!(
                "{} {what} (first line {})",
                count.count, count.first_line
            ));
        }
    }
    if misfits.live_at_end > 0 {
        say(format!(
            "{} mappings are live at the end of the trace",
            misfits.live_at_end
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_doubtful_is_told_with_its_line() {
        let mut survey = Survey::new();
        assert_eq!(doubts(&survey), "");
        survey.read.losses = 2;
        survey.read.lost_events = 70;
        survey.misfits.lost_unmaps.note(12);
        let told = doubts(&survey);
        assert!(
            told.contains("lost 70 events at 2 places") && told.contains("(first line 12)"),
            "{told}"
        );
    }
}
