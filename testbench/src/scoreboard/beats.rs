//! Judges every beat: reads by the bytes that memory hands out, writes by the bytes that reach memory.

use super::explain::{mapped_place, place_text};
use super::{Entry, MappingId, Scoreboard, index};
use crate::pattern::Kind;
use crate::violation::{Check, Violation};

/// Whether a beat reads or writes host memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

impl Access {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

impl Scoreboard {
    /// Judges a read beat: `data` are the bytes from `addr` to the end of the beat.
    ///
    /// A beat that holds a byte of a live mapping may fetch its neighbours too: the beat is the least
    /// that a bus reads, and the core drops the rest.
    pub fn observe_read(&mut self, cycle: u64, addr: u64, data: &[u8]) {
        let mut position = 0;
        let mut has_hit = false;
        let mut missed = None;
        while position < data.len() {
            let at = addr.wrapping_add(position as u64);
            if let Some(id) = self.live_at(at) {
                has_hit = true;
                position += self.judge_run(Access::Read, cycle, id, at, &data[position..]);
            } else {
                let run = self.run_outside(at, data.len() - position);
                let found = &data[position..position + run];
                if self.is_overreach(at, run) {
                    self.judge_overreach(cycle, at, found);
                } else {
                    missed.get_or_insert(at);
                }
                position += run;
            }
        }
        if let (false, Some(at)) = (has_hit, missed) {
            self.outside(Access::Read, cycle, at, data.len());
        }
    }

    /// Judges a write beat: `data` are the bytes from `addr` on, `strobes` says which are written.
    pub fn observe_write(
        &mut self,
        cycle: u64,
        addr: u64,
        data: &[u8],
        strobe: impl Fn(usize) -> bool,
    ) {
        let mut position = 0;
        while position < data.len() {
            if !strobe(position) {
                position += 1;
                continue;
            }
            let end = (position..data.len())
                .find(|lane| !strobe(*lane))
                .unwrap_or(data.len());
            while position < end {
                let at = addr.wrapping_add(position as u64);
                position += if let Some(id) = self.live_at(at) {
                    self.judge_run(Access::Write, cycle, id, at, &data[position..end])
                } else {
                    let run = self.run_outside(at, end - position);
                    self.outside(Access::Write, cycle, at, run);
                    run
                };
            }
        }
    }

    /// Judges a beat that the bus answered with an error: its data say nothing, its address does.
    pub fn observe_refused(&mut self, is_write: bool, cycle: u64, addr: u64, bytes: usize) {
        let end = addr.saturating_add(bytes as u64);
        let touches_live = self.live_at(addr).is_some()
            || self
                .ledger
                .next_start(addr)
                .is_some_and(|start| start < end);
        if !touches_live && !self.is_stopped_overreach(addr) {
            let access = if is_write {
                Access::Write
            } else {
                Access::Read
            };
            self.outside(access, cycle, addr, bytes);
        }
    }

    pub(super) fn live_at(&mut self, addr: u64) -> Option<MappingId> {
        if let Some(id) = self.last_hit
            && self.ledger.entry(id).contains(addr)
        {
            return Some(id);
        }
        self.last_hit = self.ledger.live_at(addr);
        self.last_hit
    }

    /// Returns how many of `bytes` bytes from `at` on lie outside every live mapping.
    fn run_outside(&self, at: u64, bytes: usize) -> usize {
        self.ledger.next_start(at).map_or(bytes, |start| {
            bytes.min(usize::try_from(start - at).unwrap_or(bytes))
        })
    }

    /// Judges the bytes from `at` on that lie in one mapping and returns their number.
    fn judge_run(
        &mut self,
        access: Access,
        cycle: u64,
        id: MappingId,
        at: u64,
        data: &[u8],
    ) -> usize {
        let entry = self.ledger.entry_mut(id);
        let offset = at - entry.mapping.dma.raw();
        let run = data.len().min(index(entry.end() - at));
        let range = index(offset)..index(offset) + run;
        let is_allowed = match access {
            Access::Read => entry.mapping.direction.reaches_device(),
            Access::Write => entry.mapping.direction.comes_from_device(),
        };
        if !is_allowed {
            self.wrong_direction(access, cycle, id, offset);
            return run;
        }
        let mut twice = None;
        if access == Access::Write {
            for position in range.clone() {
                if entry.written.set(position) {
                    twice.get_or_insert(position as u64);
                }
            }
        }
        let is_wrong = !entry.is_excused && entry.mapping.expected[range] != data[..run];
        let owner = entry.owner;
        if let Some(owner) = owner {
            self.note_access(access, cycle, owner, offset, run as u64);
        }
        if let Some(offset) = twice {
            self.written_twice(cycle, id, offset);
        }
        if is_wrong {
            self.wrong_data(access, cycle, id, offset, &data[..run]);
        }
        run
    }

    fn wrong_data(&mut self, access: Access, cycle: u64, id: MappingId, offset: u64, found: &[u8]) {
        let mapping = &self.ledger.entry(id).mapping;
        let start = index(offset);
        let expected = &mapping.expected[start..start + found.len()];
        let Some(lane) = (0..found.len()).find(|lane| expected[*lane] != found[*lane]) else {
            return;
        };
        let (right, wrong) = (expected[lane], found[lane]);
        let previous = mapping.previous.as_ref();
        let is_stale = access == Access::Read
            && previous.is_some_and(|previous| previous[start + lane] == wrong);
        let check = if is_stale { Check::Stale } else { Check::Data };
        let what = match (access, is_stale) {
            (Access::Read, true) => {
                "stale in a device read, no sync for the device since the CPU wrote"
            }
            (Access::Read, false) => "wrong in a device read",
            (Access::Write, _) => "wrong in a device write",
        };
        self.report_at(check, cycle, id, offset + lane as u64, |place, _| {
            format!(
                "{place} {what}: expected {right:#04x}, found {} {wrong:#04x}",
                Kind::claimed_by(wrong)
            )
        });
    }

    fn written_twice(&mut self, cycle: u64, id: MappingId, offset: u64) {
        self.report_at(Check::WrittenTwice, cycle, id, offset, |place, _| {
            format!(
                "{place} written twice in one transfer: expected one write a byte, found a second"
            )
        });
    }

    fn wrong_direction(&mut self, access: Access, cycle: u64, id: MappingId, offset: u64) {
        self.report_at(Check::Direction, cycle, id, offset, |place, entry| {
            format!(
                "device {} of {place}: expected the direction {:?} of its mapping",
                access.name(),
                entry.mapping.direction
            )
        });
    }

    /// Reports a violation at `offset` of a mapping. `text` gets the place's name, and is only asked if the
    /// violation is going to be kept.
    pub(super) fn report_at(
        &mut self,
        check: Check,
        cycle: u64,
        id: MappingId,
        offset: u64,
        text: impl FnOnce(&str, &Entry) -> String,
    ) {
        let Self {
            buffers,
            ledger,
            log,
            ..
        } = self;
        log.push_with(check, || {
            let entry = ledger.entry(id);
            let place = mapped_place(buffers, entry, offset);
            Violation {
                check,
                cycle: Some(cycle),
                transfer: Some(entry.mapping.transfer),
                text: text(&place_text(&place), entry),
                place: Some(place),
            }
        });
    }
}
