//! What fails in a replay on another machine, and why.

use rustc_hash::FxHashMap;
use swiotlb::{FullReason, MapError};

use crate::replay::op::{MapOp, Op};
use crate::replay::whatif::Failure;

/// Counts of failures, waits and overflows.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    pub(crate) tries: u64,
    pub(crate) longest_wait_ns: u64,
    pub(crate) first: Option<Failure>,
    /// The first because the device cannot reach its buffer.
    pub(crate) out_of_reach: Option<Failure>,
    /// By device and size class.
    pub(crate) of: FxHashMap<(u32, u32), u64>,
    pub(crate) longest_free_run: Option<u32>,
    pub(crate) spilled: u64,
    pub(crate) bounced: u64,
    /// Why the last try failed.
    last: Option<MapError>,
}

impl Failures {
    pub(crate) fn note(&mut self, op: &Op, map: &MapOp, cause: MapError) {
        self.tries += 1;
        self.last = Some(cause);
        let failure = Failure {
            line: op.line,
            device: map.device,
            task: op.task,
            bytes: map.bytes,
            cause,
        };
        self.first.get_or_insert(failure);
        if is_out_of_reach(&cause) {
            self.out_of_reach.get_or_insert(failure);
        }
        let class = map.bytes.max(1).next_power_of_two().ilog2();
        *self.of.entry((map.device, class)).or_default() += 1;
        if let MapError::Full(full) = cause
            && let FullReason::Fragmented { longest_run } = full.why
        {
            self.longest_free_run.get_or_insert(longest_run);
        }
    }

    pub(crate) fn note_bounced(&mut self, is_spilled: bool) {
        self.bounced += 1;
        self.spilled += u64::from(is_spilled);
    }

    pub(crate) fn note_wait(&mut self, waited_ns: u64) {
        self.longest_wait_ns = self.longest_wait_ns.max(waited_ns);
    }

    /// Returns whether the last try would fail again whatever is freed.
    pub(crate) fn is_hopeless(&self) -> bool {
        match self.last {
            Some(MapError::Full(full)) => {
                matches!(
                    full.why,
                    FullReason::AboveSlotSet | FullReason::AboveBoundary
                )
            }
            Some(cause) => is_out_of_reach(&cause) || cause == MapError::ZeroSize,
            None => false,
        }
    }
}

const fn is_out_of_reach(cause: &MapError) -> bool {
    matches!(
        cause,
        MapError::BounceNotCapable { .. } | MapError::NotCapable { .. }
    )
}
