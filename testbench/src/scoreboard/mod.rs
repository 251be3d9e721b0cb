//! The scoreboard: judges every beat and every buffer, and keeps what was found.
//!
//! The driver tells it what is lent to the device and what should move ([`Scoreboard::mapped`],
//! [`Scoreboard::handed_over`], [`Scoreboard::device_done`], [`Scoreboard::unmapped`]); the bus tells
//! it every beat. It acts on nothing: its only product are [`Violation`] values.

mod beats;
mod bits;
mod buffers;
mod dma_api;
mod explain;
mod iommu;
mod ledger;
mod memory;
mod traffic;

use std::ops::Range;
mod ownership;

pub use bits::Bits;
pub(crate) use buffers::index;
pub use buffers::{Buffer, GUARD_BYTES, Role};
pub use iommu::{Overreach, Right};
pub use ledger::{Entry, Ledger, Mapping, MappingId};
pub use ownership::HandOver;
pub use traffic::{Refusal, Traffic};

use swiotlb::Ownership;

use crate::violation::{Check, Violation, ViolationLog};
use explain::{mapped_place, place_text};
use memory::buffer_violation;

/// The judge of one run.
#[derive(Debug, Default)]
pub struct Scoreboard {
    buffers: Vec<Buffer>,
    ledger: Ledger,
    log: ViolationLog,
    last_hit: Option<MappingId>,
    traffic: Traffic,
    owners: Ownership,
    overreach: Option<Overreach>,
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

    /// Returns what was seen of the engine's bus.
    #[must_use]
    pub const fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// Returns what was seen of the engine's bus, for going on with it.
    pub const fn traffic_mut(&mut self) -> &mut Traffic {
        &mut self.traffic
    }

    /// Adds a violation that somebody else found: the protocol rules, the driver, the budget.
    pub fn report(&mut self, violation: Violation) {
        self.log.push(violation);
    }

    /// Enters a mapping that now belongs to the device.
    pub fn mapped(&mut self, mapping: Mapping) -> MappingId {
        let owner = self.owners.mapped(self.held(&mapping));
        let id = self.ledger.insert(mapping, Some(owner));
        self.report_ownership();
        id
    }

    /// Enters coherent memory: it belongs to CPU and device at once, until it is freed.
    pub fn allocated(&mut self, memory: Mapping) -> MappingId {
        self.ledger.insert(memory, None)
    }

    /// Hands a live mapping over again, with new expected bytes from `offset` of the mapping on.
    pub fn handed_over(&mut self, id: MappingId, offset: u64, expected: &[u8]) {
        let entry = self.ledger.entry_mut(id);
        let start = index(offset);
        entry.mapping.previous = Some(entry.mapping.expected.clone());
        entry.mapping.expected[start..start + expected.len()].copy_from_slice(expected);
        entry.written.clear();
    }

    /// Lets the device write any bytes into a mapping: the bus fails the reads that they come from. Where it writes
    /// is judged all the same.
    pub fn excuse_data(&mut self, id: MappingId) {
        self.ledger.entry_mut(id).is_excused = true;
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
        let place = mapped_place(&self.buffers, entry, first as u64);
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
        let guard = index(GUARD_BYTES);
        let end = found.len() - guard;
        for section in [0..guard, guard..end, end..found.len()] {
            self.judge_section(buffer, found, section, mapping, cycle);
        }
    }

    /// Compares a buffer's guards alone: its content is not known yet.
    pub fn judge_guards(&mut self, buffer: usize, found: &[u8], cycle: u64) {
        let guard = index(GUARD_BYTES);
        for section in [0..guard, found.len() - guard..found.len()] {
            self.judge_section(buffer, found, section, None, cycle);
        }
    }

    /// Reports the first wrong byte of a section, with the number of the wrong ones.
    fn judge_section(
        &mut self,
        buffer: usize,
        found: &[u8],
        section: Range<usize>,
        mapping: Option<MappingId>,
        cycle: u64,
    ) {
        let expected = &self.buffers[buffer];
        let guard = index(GUARD_BYTES);
        let is_content = section.start == guard;
        let mut wrong = section.filter(|at| expected.guarded()[*at] != found[*at]);
        let Some(first) = wrong.next() else {
            return;
        };
        let count = 1 + wrong.count();
        let entry = mapping.map(|id| self.ledger.entry(id));
        let violation = buffer_violation(expected, found, first, is_content, count, entry, cycle);
        self.log.push(violation);
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
                let place = mapped_place(&self.buffers, entry, 0);
                Violation {
                    check: Check::Leak,
                    cycle: Some(cycle),
                    transfer: Some(entry.mapping.transfer),
                    text: format!(
                        "{} still mapped at the end: expected an unmap, found {} bytes {:?} mapped \
                         since cycle {}",
                        place_text(&place),
                        entry.bytes,
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
}

#[cfg(test)]
mod tests;
