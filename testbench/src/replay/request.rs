//! Requests: mappings that a driver makes together and gives back together.
//!
//! A trace has no requests, but shows them: what one task maps for a device without anything else or a pause in
//! between, and what also ends in one go. Requests are no longer than the longest bounce buffer: drivers bound them by
//! `dma_max_mapping_size`. When one of these mappings fails, a driver gives the others back and tries the
//! whole request again later (the block layer answers `BLK_STS_RESOURCE` and puts it into the queue).

use rustc_hash::{FxHashMap, FxHashSet};

use crate::replay::load::Load;
use crate::replay::op::{MapOp, MappingId, Op, OpKind};
use crate::replay::pace::Pace;
use crate::replay::run::ReplayError;

/// Operations behind a failure that are looked through for the end of its request.
const MOST_AHEAD: u64 = 8192;

/// Mappings of the load that belong to one request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Ahead {
    /// Those of the task that follow, as far as they belong to the request.
    pub(crate) rest: Vec<(Op, MapOp)>,
    /// All mappings of the request.
    pub(crate) ids: FxHashSet<MappingId>,
}

impl Ahead {
    /// Looks for the request of the mapping that operation `position` of the load makes. One whose end is not
    /// found, as that of a buffer in a ring, is a request of its own.
    pub(crate) fn of(load: &Load, position: u64) -> Result<Self, ReplayError> {
        let mut cursor = load.ops.cursor(position);
        let Some(first) = cursor.next_op()? else {
            return Ok(Self::default());
        };
        let OpKind::Map(failed) = first.kind else {
            return Ok(Self::default());
        };
        let mut following = Vec::new();
        let mut is_following = true;
        let mut pace = Pace::default();
        pace.goes_on(first.time_ns);
        let mut ends = EndRuns::default();
        let mut ids = None;
        while cursor.position() < position + MOST_AHEAD
            && ids.is_none()
            && let Some(op) = cursor.next_op()?
        {
            if is_following && op.pid == first.pid {
                match op.kind {
                    OpKind::Map(map)
                        if map.device == failed.device
                            && map.seen.is_mapped()
                            && pace.goes_on(op.time_ns) =>
                    {
                        following.push((op, map));
                    }
                    _ => is_following = false,
                }
            }
            ids = ends.take(&op, failed.id);
        }
        let ids = ids
            .or_else(|| ends.open_run_of(failed.id))
            .unwrap_or_else(|| FxHashSet::from_iter([failed.id]));
        following.retain(|(_, map)| ids.contains(&map.id));
        Ok(Self {
            rest: following,
            ids,
        })
    }
}

/// Mappings that end one after the other on one CPU, with nothing in between.
#[derive(Debug, Default)]
struct EndRuns {
    open: FxHashMap<(u32, u16), (Pace, Vec<MappingId>)>,
}

impl EndRuns {
    /// Takes an operation; returns the run with mapping `wanted` once it is over.
    fn take(&mut self, op: &Op, wanted: MappingId) -> Option<FxHashSet<MappingId>> {
        let (pace, run) = self.open.entry((op.pid, op.cpu)).or_default();
        if let OpKind::Unmap { id, .. } = op.kind {
            if pace.goes_on(op.time_ns) {
                run.push(id);
                return None;
            }
            let over = std::mem::replace(run, vec![id]);
            return over.contains(&wanted).then(|| over.into_iter().collect());
        }
        *pace = Pace::default();
        let over = std::mem::take(run);
        over.contains(&wanted).then(|| over.into_iter().collect())
    }

    fn open_run_of(&self, wanted: MappingId) -> Option<FxHashSet<MappingId>> {
        let (_, run) = self.open.values().find(|(_, run)| run.contains(&wanted))?;
        Some(run.iter().copied().collect())
    }
}

/// Returns the part of `lengths` that is one request with number `index`: they are cut, from the first on, wherever
/// the sum exceeds the longest bounce buffer.
pub(crate) fn bounded(lengths: &[u64], index: usize) -> std::ops::Range<usize> {
    let (mut start, mut sum) = (0, 0);
    for (at, &bytes) in lengths.iter().enumerate() {
        sum += bytes;
        if sum > swiotlb::MAX_ALLOC_BYTES {
            if at > index {
                return start..at;
            }
            (start, sum) = (at, bytes);
        }
    }
    start..lengths.len()
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;
    use std::path::Path;

    use super::*;
    use crate::trace::{Lines, Reader};

    /// Two requests of a task, of two buffers each, that end on another CPU at other times.
    fn load() -> Load {
        let mut text = String::new();
        for buffer in 0..4 {
            let (phys, dma) = (
                0x1_0000_0000_u64 + buffer * 4096,
                0x700_0000 + buffer * 4096,
            );
            text.push_str(&format!(
                "a-1 [000] 1.{buffer}1: swiotlb_bounced: dev_name: disk dma_mask=ffffffff dev_addr={phys:x} size=4096 NORMAL\n\
                 a-1 [000] 1.{buffer}2: dma_map_phys: disk dir=TO_DEVICE dma_addr={dma:x} size=4096 phys_addr={phys:x} attrs=\n"
            ));
        }
        for (time, buffer) in [(20, 0), (21, 1), (30, 2), (31, 3)] {
            if time == 30 {
                text.push_str("b-0 [001] 2.29: dma_map_phys: disk dir=TO_DEVICE dma_addr=1000 size=64 phys_addr=1000 attrs=\n");
            }
            text.push_str(&format!(
                "b-0 [001] 2.{time}: dma_unmap_phys: disk dir=TO_DEVICE dma_addr={:x} size=4096 attrs=\n",
                0x700_0000 + buffer * 4096
            ));
        }
        let lines = Lines::new(Cursor::new(text), Path::new("a.txt")).expect("text");
        Load::read(Reader::new(lines)).expect("a trace")
    }

    #[test]
    fn what_is_mapped_and_ends_together_is_a_request() {
        let load = load();
        let request = |position| {
            let ahead = Ahead::of(&load, position).expect("in memory");
            let mut ids: Vec<_> = ahead.ids.iter().copied().collect();
            ids.sort_unstable();
            (ids, ahead.rest.len())
        };
        assert_eq!(request(0), (vec![1, 2], 1));
        assert_eq!(request(1), (vec![1, 2], 0));
        assert_eq!(request(2), (vec![3, 4], 1));
    }

    #[test]
    fn a_request_is_no_longer_than_the_longest_bounce_buffer() {
        let lengths = [65_536; 10];
        assert_eq!(bounded(&lengths, 0), 0..4);
        assert_eq!(bounded(&lengths, 5), 4..8);
        assert_eq!(bounded(&lengths, 9), 8..10);
        assert_eq!(bounded(&[300_000, 1], 0), 0..1);
    }

    #[test]
    fn a_mapping_without_an_end_stands_alone() {
        let lines = "a-1 [000] 1.0: swiotlb_bounced: dev_name: nic dma_mask=ff dev_addr=1000 size=64 NORMAL\n\
                     a-1 [000] 1.1: dma_map_phys: nic dir=FROM_DEVICE dma_addr=7000000 size=64 phys_addr=1000 attrs=\n";
        let lines = Lines::new(Cursor::new(lines), Path::new("a.txt")).expect("text");
        let load = Load::read(Reader::new(lines)).expect("a trace");
        let ahead = Ahead::of(&load, 0).expect("in memory");
        assert_eq!((ahead.rest.len(), ahead.ids.len()), (0, 1));
    }
}
