//! Scatterlists: one line for all entries, written after the last is mapped.

use super::{Mapped, Pairing};
use crate::replay::op::{MappingId, OpKind, Seen};
use crate::trace::{Dir, Lists, Record, TraceAttrs};

impl Pairing {
    pub(super) fn map_sg(
        &mut self,
        record: &Record,
        lists: &Lists,
        (dir, attrs): (Dir, TraceAttrs),
        entries: u64,
    ) {
        let shown = lists.phys.len();
        if lists.dma.len() != shown || lists.bytes.len() != shown {
            self.load.survey.misfits.uneven_lists.note(record.line);
            return;
        }
        let hidden = entries.saturating_sub(shown as u64);
        let mut from = self.queue.len();
        let mut next_line = record.line;
        let mut last_of_list = None;
        // Backwards: the entries of the last try are the latest of the task.
        let mut head = None;
        for index in (0..shown).rev() {
            let mapped = Mapped {
                dir,
                attrs,
                phys: lists.phys[index],
                dma: lists.dma[index],
                bytes: lists.bytes[index],
                is_sg: true,
            };
            let (id, at) = self.close_map(record, &mapped, from);
            head = Some(id);
            if let Some(at) = at
                && let OpKind::Map(map) = &mut self.queue[at].op.kind
            {
                map.closed_line = next_line;
                next_line = self.queue[at].op.line;
                from = at;
                last_of_list = last_of_list.or(Some(at));
            }
        }
        if let (Some(head), true) = (head, hidden > 0) {
            let from = last_of_list.map_or(0, |last| last + 1);
            self.hide_entries(record, head, (from, hidden), (dir, attrs));
        }
    }

    /// Entries that a shortened list does not show are live as long as its first.
    fn hide_entries(
        &mut self,
        record: &Record,
        head: MappingId,
        (from, mut hidden): (usize, u64),
        (dir, attrs): (Dir, TraceAttrs),
    ) {
        for waiting in self.queue.iter_mut().skip(from) {
            if hidden == 0 {
                return;
            }
            if let OpKind::Map(map) = &mut waiting.op.kind
                && waiting.is_open
                && waiting.op.pid == record.pid
                && map.device == record.device
            {
                waiting.is_open = false;
                self.open -= 1;
                (map.seen, map.dir, map.attrs) = (Seen::BouncedSomewhere, dir, attrs);
                map.closed_line = record.line;
                self.live.hide(head, map.id);
                hidden -= 1;
            }
        }
    }

    pub(super) fn unmap_sg(&mut self, record: &Record, lists: &Lists, attrs: TraceAttrs) {
        for (index, &phys) in lists.phys.iter().enumerate() {
            let Some(live) = self.live.sg_entry(record.device, phys) else {
                self.load
                    .survey
                    .misfits
                    .unmaps_without_map
                    .note(record.line);
                continue;
            };
            self.live.remove(live.id);
            let end = |id| OpKind::Unmap {
                id,
                skips_sync: attrs.skips_sync,
                is_early: true,
            };
            self.push(record, end(live.id));
            if index == 0 {
                for id in self.live.unhide(live.id) {
                    self.push(record, end(id));
                }
            }
        }
    }
}
