//! What waits for slots, and what tasks map in one go.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use crate::replay::op::{MapOp, Op};
use crate::replay::pace::Pace;

/// After so long without a further end, a request's ends are over.
const ENDS_NS: u64 = 50_000;
/// After so long without a try, a queue is run (`BLK_MQ_RESOURCE_DELAY`).
const RERUN_NS: u64 = 3_000_000;
/// Longest run of mappings of a task that is remembered.
const MOST_PARTS: usize = 512;

/// A mapping as it was asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tried {
    pub(crate) op: Op,
    pub(crate) map: MapOp,
}

/// Mappings that are made together.
pub(crate) type Request = Vec<Tried>;

/// What waits for slots of a device.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    pub(crate) requests: VecDeque<Request>,
    pub(crate) last_try_ns: u64,
    /// Ends of all devices up to the last try: without a further one, another try would fail as that did.
    pub(crate) ends_at_try: u64,
    /// Task and CPU whose ends go on, with the time of the last.
    pub(crate) ending: Option<(u32, u16, u64)>,
}

impl Queue {
    /// When it is run by itself, if so many mappings have ended; `None` if no try can go better than the last.
    pub(crate) fn due_ns(&self, ends: u64) -> Option<u64> {
        if ends == self.ends_at_try {
            return None;
        }
        // Ends of other devices do not run the queue.
        let rerun_ns = self.last_try_ns + RERUN_NS;
        Some(
            self.ending
                .map_or(rerun_ns, |(_, _, last_ns)| last_ns + ENDS_NS),
        )
    }
}

/// What a task has mapped in one go for a device.
#[derive(Debug, Default)]
struct TaskRun {
    device: u32,
    pace: Pace,
    parts: Vec<Tried>,
}

/// What tasks map, by process number and copy.
#[derive(Debug, Default)]
pub(crate) struct TaskRuns {
    runs: FxHashMap<(u32, u16), TaskRun>,
}

impl TaskRuns {
    /// Notes what a task maps in one go.
    pub(crate) fn remember(&mut self, tried: Tried, copy: u16) {
        let run = self.runs.entry((tried.op.pid, copy)).or_default();
        let goes_on = run.pace.goes_on(tried.op.time_ns);
        if !goes_on || run.device != tried.map.device || run.parts.len() >= MOST_PARTS {
            run.device = tried.map.device;
            run.parts.clear();
        }
        run.parts.push(tried);
    }

    /// The task does something else.
    pub(crate) fn end(&mut self, pid: u32, copy: u16) {
        if let Some(run) = self.runs.get_mut(&(pid, copy)) {
            run.parts.clear();
            run.pace = Pace::default();
        }
    }

    /// Takes what a task mapped in one go before a mapping that failed.
    pub(crate) fn take(&mut self, failed: &Tried, copy: u16) -> Vec<Tried> {
        let run = self.runs.remove(&(failed.op.pid, copy));
        run.filter(|run| run.device == failed.map.device)
            .filter(|run| {
                let mut pace = run.pace;
                pace.goes_on(failed.op.time_ns)
            })
            .map_or_else(Vec::new, |run| run.parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::op::{OpKind, Seen};
    use crate::trace::{Dir, TraceAttrs};

    fn tried(pid: u32, device: u32, id: u64) -> Tried {
        let map = MapOp {
            id,
            device,
            dir: Dir::ToDevice,
            attrs: TraceAttrs::default(),
            phys: 0x1000,
            bytes: 64,
            seen: Seen::Direct,
            closed_line: id,
            is_sg: false,
        };
        let op = Op {
            time_ns: id,
            line: id,
            cpu: 0,
            task: 0,
            pid,
            kind: OpKind::Map(map),
        };
        Tried { op, map }
    }

    #[test]
    fn only_what_one_task_maps_for_one_device_is_one_go() {
        let mut runs = TaskRuns::default();
        let ids = |parts: Vec<Tried>| -> Vec<u64> { parts.iter().map(|one| one.map.id).collect() };
        runs.remember(tried(1, 0, 1), 0);
        runs.remember(tried(2, 0, 2), 0);
        runs.remember(tried(1, 0, 3), 0);
        assert_eq!(ids(runs.take(&tried(1, 0, 4), 0)), [1, 3]);
        assert!(runs.take(&tried(1, 0, 4), 0).is_empty());
        runs.remember(tried(2, 1, 5), 0);
        assert!(runs.take(&tried(2, 0, 6), 0).is_empty());
        runs.remember(tried(2, 1, 7), 0);
        runs.end(2, 0);
        assert!(runs.take(&tried(2, 1, 8), 0).is_empty());
    }

    #[test]
    fn a_queue_is_due_when_its_ends_are_over_and_otherwise_after_3_ms() {
        let mut queue = Queue {
            last_try_ns: 1_000_000,
            ..Queue::default()
        };
        assert_eq!((queue.due_ns(0), queue.due_ns(1)), (None, Some(4_000_000)));
        queue.ending = Some((0, 0, 2_000_000));
        assert_eq!(queue.due_ns(1), Some(2_050_000));
    }
}
