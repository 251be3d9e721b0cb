//! Leaks: mappings of one device that only grow.

use crate::replay::{Share, Survey, WhatIf};

/// A device whose mappings only grow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leak {
    /// Its name.
    pub device: String,
    /// The task that made most of what is left.
    pub task: String,
    /// Slots held at the end.
    pub slots: u64,
    /// Mappings left at the end.
    pub mappings: u64,
    /// Slots a minute, in the trace's time.
    pub slots_per_minute: u64,
}

/// Growing parts of the trace from which on growth is called a leak.
const GROWING_PARTS: usize = 5;

/// Finds devices that hold more slots at the end of each part of the trace, and never fewer.
///
/// A receive ring is filled once and stays; a leak grows with the work.
#[must_use]
pub fn leaks(survey: &Survey, result: &WhatIf) -> Vec<Leak> {
    let minutes_ns = u128::from(survey.last_ns - survey.first_ns).max(1);
    let mut leaks = Vec::new();
    for (number, device) in survey.devices.iter().enumerate() {
        let held: Vec<u64> = result.samples.iter().map(|sample| sample[number]).collect();
        let grows = held.windows(2).filter(|pair| pair[1] > pair[0]).count();
        let shrinks = held.windows(2).any(|pair| pair[1] < pair[0]);
        let (Some(&first), Some(&last)) = (held.first(), held.last()) else {
            continue;
        };
        if grows < GROWING_PARTS || shrinks {
            continue;
        }
        let mine = |share: &&Share| share.device as usize == number;
        let most = result.left.iter().find(mine);
        let rate = u128::from(last - first) * 60_000_000_000 / minutes_ns;
        leaks.push(Leak {
            device: device.name.clone(),
            task: most.map_or_else(String::new, |share| task_name(survey, share.task)),
            slots: last,
            mappings: result
                .left
                .iter()
                .filter(mine)
                .map(|share| share.mappings)
                .sum(),
            slots_per_minute: u64::try_from(rate).unwrap_or(u64::MAX),
        });
    }
    leaks
}

pub(crate) fn task_name(survey: &Survey, task: u32) -> String {
    survey.tasks.get(task as usize).cloned().unwrap_or_default()
}
