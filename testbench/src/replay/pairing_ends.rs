//! Ends of mappings: by their line, and those that no line tells.

use super::{MOST_NS, Mapped, Pairing, SLOT, Waiting, op_at};
use crate::replay::op::{Op, OpKind};
use crate::trace::{Dir, Record, TraceAttrs};

impl Pairing {
    /// Slots that are given away have been freed before, even if no line told. Returns how many ends were
    /// put in front of what is open.
    pub(super) fn end_overlapped(&mut self, record: &Record, mapped: &Mapped) -> usize {
        let mut inserted = 0;
        while let Some(old) = self.live.overlapping(mapped.dma, mapped.bytes) {
            self.load.survey.misfits.lost_unmaps.note(record.line);
            self.live.remove(old.id);
            let at = self.queue.iter().position(|waiting| waiting.is_open);
            let kind = OpKind::Unmap {
                id: old.id,
                skips_sync: false,
                is_early: false,
            };
            let op = op_at(record, kind);
            let is_open = false;
            // In front of all that still waits, the mapping that took the slots among them.
            self.queue
                .insert(at.unwrap_or(self.queue.len()), Waiting { op, is_open });
            inserted += 1;
        }
        inserted
    }

    pub(super) fn unmap(
        &mut self,
        record: &Record,
        (dir, dma, bytes): (Dir, u64, u64),
        attrs: TraceAttrs,
    ) {
        let misfits = &mut self.load.survey.misfits;
        let Some(live) = self.live.at(record.device, dma) else {
            misfits.unmaps_without_map.note(record.line);
            misfits.orphan_slots += bytes.div_ceil(SLOT);
            return;
        };
        if live.bytes != bytes || live.dir != dir {
            misfits.changed_ends.note(record.line);
        }
        self.live.remove(live.id);
        let kind = OpKind::Unmap {
            id: live.id,
            skips_sync: attrs.skips_sync,
            is_early: false,
        };
        self.push(record, kind);
    }

    /// The first in the queue has no mapping. With what its task began right behind it, that was a
    /// scatterlist that failed: its entries are freed after the last.
    pub(super) fn give_up(&mut self) {
        let Some(front) = self.queue.front() else {
            return;
        };
        let (pid, first_ns) = (front.op.pid, front.op.time_ns);
        let (mut ends, mut last) = (Vec::new(), 0);
        for (index, waiting) in self.queue.iter_mut().enumerate() {
            if waiting.op.time_ns.saturating_sub(first_ns) > MOST_NS {
                break;
            }
            if waiting.is_open && waiting.op.pid == pid {
                waiting.is_open = false;
                self.open -= 1;
                last = index;
                self.load
                    .survey
                    .misfits
                    .bounces_without_map
                    .note(waiting.op.line);
                if let OpKind::Map(map) = &waiting.op.kind {
                    ends.push(map.id);
                }
            }
        }
        let op = self.queue[last].op;
        for id in ends {
            let kind = OpKind::Unmap {
                id,
                skips_sync: true,
                is_early: false,
            };
            let op = Op { kind, ..op };
            self.queue.insert(last + 1, Waiting { op, is_open: false });
        }
    }
}
