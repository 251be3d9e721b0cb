//! The scoreboard: judges every beat and every buffer, and keeps what was found.
//!
//! The driver tells it what is lent to the device and what should move ([`Scoreboard::mapped`],
//! [`Scoreboard::handed_over`], [`Scoreboard::device_done`], [`Scoreboard::unmapped`]); the bus tells
//! it every beat. It acts on nothing: its only product are [`Violation`] values.

mod bits;
mod buffers;
mod dma_api;
mod explain;
mod ledger;
mod memory;
mod ownership;

pub use bits::Bits;
pub(crate) use buffers::index;
pub use buffers::{Buffer, GUARD_BYTES, Role};
pub use ledger::{Entry, Ledger, Mapping, MappingId};
pub use ownership::HandOver;

use swiotlb::Ownership;

use crate::pattern::Kind;
use crate::violation::{Check, Violation, ViolationLog};
use explain::place_text;
use memory::buffer_violation;

/// Whether a beat reads or writes host memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

impl Access {
    const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// The judge of one run.
#[derive(Debug, Default)]
pub struct Scoreboard {
    buffers: Vec<Buffer>,
    ledger: Ledger,
    log: ViolationLog,
    last_hit: Option<MappingId>,
    owners: Ownership,
}

impl Scoreboard {
    /// Makes a scoreboard for these buffers.
    #[must_use]
    pub fn new(buffers: Vec<Buffer>) -> Self {
        Self {
            buffers,
            ..Self::default()
        }
    }

    /// Returns the buffers.
    #[must_use]
    pub fn buffers(&self) -> &[Buffer] {
        &self.buffers
    }

    /// Returns a buffer for changing what it should hold.
    pub fn buffer_mut(&mut self, buffer: usize) -> &mut Buffer {
        &mut self.buffers[buffer]
    }

    /// Returns the violations found so far.
    #[must_use]
    pub fn log(&self) -> &ViolationLog {
        &self.log
    }

    /// Adds a violation that somebody else found: the protocol rules, the driver, the budget.
    pub fn report(&mut self, violation: Violation) {
        self.log.push(violation);
    }

    /// Enters a mapping that now belongs to the device.
    pub fn mapped(&mut self, mapping: Mapping) -> MappingId {
        let owner = self.owners.mapped(self.held(&mapping));
        let id = self.ledger.insert(mapping, owner);
        self.report_ownership();
        id
    }

    /// Hands a live mapping over again, with new expected bytes from `offset` of the mapping on.
    pub fn handed_over(&mut self, id: MappingId, offset: u64, expected: &[u8]) {
        let entry = self.ledger.entry_mut(id);
        let start = index(offset);
        entry.mapping.previous = Some(entry.mapping.expected.clone());
        entry.mapping.expected[start..start + expected.len()].copy_from_slice(expected);
        entry.written.clear();
    }

    /// Checks that the device wrote `bytes` bytes from `offset` of the mapping on.
    pub fn device_done(&mut self, id: MappingId, offset: u64, bytes: u64, cycle: u64) {
        let entry = self.ledger.entry(id);
        if !entry.mapping.direction.comes_from_device() {
            return;
        }
        let range = index(offset)..index(offset + bytes);
        let missing: Vec<usize> = entry
            .written
            .clear_below(range.end)
            .skip_while(|position| *position < range.start)
            .collect();
        let Some(first) = missing.first().copied() else {
            return;
        };
        let place = self.mapped_place(entry, first as u64);
        let transfer = entry.mapping.transfer;
        let text = format!(
            "{} not written: expected {:#04x} from the device, found {} of {bytes} bytes without a write",
            place_text(&place),
            entry.mapping.expected[first],
            missing.len(),
        );
        self.log.push(Violation {
            check: Check::NotWritten,
            cycle: Some(cycle),
            transfer: Some(transfer),
            text,
            place: Some(place),
        });
    }

    /// Closes a mapping: from now on the device must not touch it.
    pub fn unmapped(&mut self, id: MappingId, cycle: u64) {
        self.release(id, cycle);
        self.ledger.close(id, cycle);
        self.last_hit = None;
    }

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
                missed.get_or_insert(at);
                position += self.run_outside(at, data.len() - position);
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
        if !touches_live {
            let access = if is_write {
                Access::Write
            } else {
                Access::Read
            };
            self.outside(access, cycle, addr, bytes);
        }
    }

    /// Compares a buffer's memory, guards included, with what it should hold.
    ///
    /// `mapping` is the mapping through which it was just taken back, if any: with it, bytes that the
    /// device wrote and the CPU does not see are told apart from bytes that the device never wrote.
    pub fn judge_buffer(
        &mut self,
        buffer: usize,
        found: &[u8],
        mapping: Option<MappingId>,
        cycle: u64,
    ) {
        let expected = &self.buffers[buffer];
        let guard = index(GUARD_BYTES);
        let end = found.len() - guard;
        let sections = [0..guard, guard..end, end..found.len()];
        for section in sections {
            let wrong: Vec<usize> = section
                .clone()
                .filter(|at| expected.guarded()[*at] != found[*at])
                .collect();
            let Some(first) = wrong.first().copied() else {
                continue;
            };
            let entry = mapping.map(|id| self.ledger.entry(id));
            let violation = buffer_violation(
                expected,
                found,
                first,
                section.start == guard,
                wrong.len(),
                entry,
                cycle,
            );
            self.log.push(violation);
        }
    }

    /// Compares what the core's stream carried with what the buffer held.
    pub fn judge_stream(
        &mut self,
        transfer: usize,
        name: &str,
        expected: &[u8],
        found: &[u8],
        cycle: u64,
    ) {
        let text = if let Some(at) =
            (0..expected.len().min(found.len())).find(|at| expected[*at] != found[*at])
        {
            format!(
                "stream of {name} differs at byte {at:#x}: expected {:#04x}, found {:#04x}",
                expected[at], found[at]
            )
        } else if expected.len() != found.len() {
            format!(
                "stream of {name} has the wrong length: expected {} bytes, found {}",
                expected.len(),
                found.len()
            )
        } else {
            return;
        };
        self.log.push(Violation {
            check: Check::Stream,
            cycle: Some(cycle),
            transfer: Some(transfer),
            text,
            place: None,
        });
    }

    /// Looks for what nobody gave back: live mappings and pool slots.
    pub fn finish(&mut self, slots_used: u64, cycle: u64) {
        let leaked: Vec<Violation> = self
            .ledger
            .live()
            .map(|entry| {
                let place = self.mapped_place(entry, 0);
                Violation {
                    check: Check::Leak,
                    cycle: Some(cycle),
                    transfer: Some(entry.mapping.transfer),
                    text: format!(
                        "{} still mapped at the end: expected an unmap, found {} bytes {:?} mapped \
                         since cycle {}",
                        place_text(&place),
                        entry.mapping.bytes(),
                        entry.mapping.direction,
                        entry.mapping.mapped_at,
                    ),
                    place: Some(place),
                }
            })
            .collect();
        for violation in leaked {
            self.log.push(violation);
        }
        if slots_used > 0 {
            self.log.push(Violation {
                check: Check::Leak,
                cycle: Some(cycle),
                transfer: None,
                text: format!("pool slots still in use at the end: expected 0, found {slots_used}"),
                place: None,
            });
        }
    }

    fn live_at(&mut self, addr: u64) -> Option<MappingId> {
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
        let is_wrong = entry.mapping.expected[range] != data[..run];
        let owner = entry.owner;
        self.note_access(access, cycle, owner, offset, run as u64);
        if let Some(offset) = twice {
            self.written_twice(cycle, id, offset);
        }
        if is_wrong {
            self.wrong_data(access, cycle, id, offset, &data[..run]);
        }
        run
    }

    fn wrong_data(&mut self, access: Access, cycle: u64, id: MappingId, offset: u64, found: &[u8]) {
        let entry = self.ledger.entry(id);
        let start = index(offset);
        let Some(lane) =
            (0..found.len()).find(|lane| entry.mapping.expected[start + lane] != found[*lane])
        else {
            return;
        };
        let is_stale = access == Access::Read
            && entry
                .mapping
                .previous
                .as_ref()
                .is_some_and(|previous| previous[start + lane] == found[lane]);
        let check = if is_stale { Check::Stale } else { Check::Data };
        let place = self.mapped_place(entry, offset + lane as u64);
        let what = match (access, is_stale) {
            (Access::Read, true) => {
                "stale in a device read, no sync for the device since the CPU wrote"
            }
            (Access::Read, false) => "wrong in a device read",
            (Access::Write, _) => "wrong in a device write",
        };
        let text = format!(
            "{} {what}: expected {:#04x}, found {} {:#04x}",
            place_text(&place),
            entry.mapping.expected[start + lane],
            Kind::claimed_by(found[lane]),
            found[lane],
        );
        let transfer = Some(entry.mapping.transfer);
        self.log.push_with(check, || Violation {
            check,
            cycle: Some(cycle),
            transfer,
            text,
            place: Some(place),
        });
    }

    fn written_twice(&mut self, cycle: u64, id: MappingId, offset: u64) {
        let entry = self.ledger.entry(id);
        let place = self.mapped_place(entry, offset);
        let transfer = Some(entry.mapping.transfer);
        self.log.push_with(Check::WrittenTwice, || Violation {
            check: Check::WrittenTwice,
            cycle: Some(cycle),
            transfer,
            text: format!(
                "{} written twice in one transfer: expected one write a byte, found a second",
                place_text(&place)
            ),
            place: Some(place),
        });
    }

    fn wrong_direction(&mut self, access: Access, cycle: u64, id: MappingId, offset: u64) {
        let entry = self.ledger.entry(id);
        let place = self.mapped_place(entry, offset);
        let (direction, transfer) = (entry.mapping.direction, Some(entry.mapping.transfer));
        self.log.push_with(Check::Direction, || Violation {
            check: Check::Direction,
            cycle: Some(cycle),
            transfer,
            text: format!(
                "device {} of {}: expected the direction {direction:?} of its mapping",
                access.name(),
                place_text(&place)
            ),
            place: Some(place),
        });
    }
}

#[cfg(test)]
mod tests;
