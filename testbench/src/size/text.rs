//! The advice for people.

use std::fmt::Write as _;

use swiotlb::MapError;

use crate::lint_cmdline::{pool_bytes, size_text};
use crate::replay::{Failure, Point, Survey, doubts, percent, sparkline};
use crate::size::advice::{Advice, Obstacle};
use crate::size::leak::task_name;

/// Holders of the peak that are shown.
const SHOWN: usize = 8;

/// Writes the advice.
#[must_use]
pub fn text(survey: &Survey, advice: &Advice, is_forced: bool) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "peak need: {} slots ({}) at once, {} area{}",
        advice.peak_slots,
        size_text(pool_bytes(advice.peak_slots)),
        advice.areas,
        if advice.areas == 1 { "" } else { "s" }
    );
    if advice.counted_slots > advice.peak_slots {
        let _ = writeln!(
            out,
            "the kernel counted {} slots in use at once, more than the trace tells: sizes go by its count",
            advice.counted_slots
        );
    }
    if !advice.needs_pool() {
        let _ = writeln!(
            out,
            "nothing is bounced: no pool is needed for this load, and no line for the kernel"
        );
        out.push_str(&doubts(survey));
        return out;
    }
    let _ = writeln!(out, "\nheld at the peak by");
    let _ = writeln!(
        out,
        "  {:>7} {:>7}  {:<14} {:<20} buffers of up to",
        "slots", "share", "device", "task"
    );
    for share in advice.at_peak.iter().take(SHOWN) {
        let device = &survey.devices[share.device as usize].name;
        let _ = writeln!(
            out,
            "  {:>7} {:>7}  {device:<14} {:<20} {}",
            share.slots,
            percent(share.slots, advice.peak_slots),
            task_name(survey, share.task),
            size_text(share.bytes)
        );
    }
    let _ = writeln!(
        out,
        "\n{:<12} {:>14} {:>12} {:>14} {:>12}",
        "policy", "smallest", "bytes", "with margin", "most slots"
    );
    for policy in &advice.policies {
        let slots =
            |slots: Option<u32>| slots.map_or_else(|| "none".to_owned(), |slots| slots.to_string());
        let bytes = policy.slots.map_or_else(
            || "-".to_owned(),
            |slots| size_text(pool_bytes(u64::from(slots))),
        );
        let _ = writeln!(
            out,
            "{:<12} {:>14} {bytes:>12} {:>14} {:>12}",
            policy.name,
            slots(policy.slots),
            slots(policy.with_margin),
            policy.most_slots
        );
        if !policy.curve.is_empty() {
            let pools = policy.curve.iter().map(|point| Point {
                used_slots: point.total_slots,
                ..*point
            });
            let pools: Vec<Point> = pools.collect();
            let _ = writeln!(out, "  its pools over time |{}|", sparkline(&pools, 60));
        }
    }
    out.push('\n');
    if let Some((failure, obstacle)) = &advice.obstacle {
        let _ = writeln!(
            out,
            "no size helps: {}",
            obstacle_text(survey, failure, *obstacle)
        );
    }
    if let Some((slots, failure)) = &advice.smaller {
        let _ = writeln!(
            out,
            "with {slots} slots it fails: {}{}",
            failure_text(survey, failure),
            help_text(failure)
        );
    }
    if let Some((spilled, bounced)) = spilled(advice) {
        let _ = writeln!(
            out,
            "area imbalance: {spilled} of {bounced} mappings did not fit into the area of their CPU and went to \
             another's; fewer areas or more slots keep each CPU in its own"
        );
    }
    for leak in &advice.leaks {
        let _ = writeln!(
            out,
            "leak: {} only maps more: {} mappings, {} slots at the end, {} slots a minute, most by task {}; a larger \
             pool only lasts longer",
            leak.device, leak.mappings, leak.slots, leak.slots_per_minute, leak.task
        );
    }
    out.push_str(&doubts(survey));
    let _ = writeln!(out, "{}", recommendation(advice, is_forced));
    out
}

/// The line for the kernel, or why there is none.
fn recommendation(advice: &Advice, is_forced: bool) -> String {
    match advice.recommended() {
        Some(("static", slots)) => {
            let line = command_line("static", (slots, advice.areas), is_forced);
            format!("kernel command line: {line}")
        }
        Some((name, slots)) => {
            let line = command_line(name, (slots, advice.areas), is_forced);
            format!("kernel command line for policy {name}: {line}")
        }
        None if advice.obstacle.is_some() => {
            "no line for the kernel: no size helps, as told above".to_owned()
        }
        None => "no line for the kernel: no pool that is tried holds the load with its margin"
            .to_owned(),
    }
}

/// Writes `swiotlb=` for a pool of so many slots and areas.
pub(crate) fn command_line(policy: &str, (slots, areas): (u32, u32), is_forced: bool) -> String {
    let force = if is_forced { ",force" } else { "" };
    let dynamic = if policy == "per-buffer" {
        ",dynamic"
    } else {
        ""
    };
    format!("swiotlb={slots},{areas}{force}{dynamic}")
}

/// Mappings of the smallest static pool that overflowed an area.
fn spilled(advice: &Advice) -> Option<(u64, u64)> {
    let fixed = advice
        .policies
        .iter()
        .find(|policy| policy.name == "static")?;
    Some(fixed.spilled_of).filter(|&(spilled, _)| spilled > 0)
}

/// What would help where it is not simply more slots.
fn help_text(failure: &Failure) -> String {
    match failure.cause {
        MapError::Full(full) => format!("; helps: {}", full.why.help()),
        _ => String::new(),
    }
}

fn failure_text(survey: &Survey, failure: &Failure) -> String {
    format!(
        "line {}, {} for task {}, {} bytes: {}",
        failure.line,
        survey.devices[failure.device as usize].name,
        task_name(survey, failure.task),
        failure.bytes,
        failure.cause
    )
}

fn obstacle_text(survey: &Survey, failure: &Failure, obstacle: Obstacle) -> String {
    let why = match obstacle {
        Obstacle::TooLarge { most_bytes } => format!(
            "a bounce buffer is at most 262144 bytes, for this device {most_bytes} wherever the buffer lies; its driver \
             must ask dma_max_mapping_size"
        ),
        Obstacle::OutOfReach { mask } => format!(
            "the pool lies above what the device reaches (mask {mask:#x}): it needs a restricted pool, or a mask that \
             covers the pool"
        ),
        Obstacle::Alignment => {
            "no free place has the alignment or boundary that the device asks for".to_owned()
        }
        Obstacle::Areas => {
            "the area of the calling CPU is full while others have room: fewer areas".to_owned()
        }
        Obstacle::Fragmentation { longest_run } => {
            format!(
                "slots are free, but the longest run is {longest_run}: smaller mappings help, more slots do not"
            )
        }
        Obstacle::Room { slots } => format!(
            "even {} of slots do not suffice",
            size_text(pool_bytes(u64::from(slots)))
        ),
        Obstacle::Invalid => {
            "the trace asks for a mapping that no kernel makes, whatever the pool".to_owned()
        }
    };
    format!("{why}\n  {}", failure_text(survey, failure))
}
