//! Who owns a buffer: what driver and device do with it is told to the book of owners, and what that
//! objects to becomes a violation.

use swiotlb::{Attrs, Breach, Caller, CpuId, Held, OwnershipBreach, OwnershipId, PhysAddr};

use super::beats::Access;
use super::{Mapping, MappingId, Scoreboard};
use crate::scenario::plan::Range;
use crate::violation::{Check, Place, Violation};

/// To whom a sync hands a part of a mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandOver {
    /// To the CPU.
    ForCpu,
    /// To the device.
    ForDevice,
}

impl Scoreboard {
    /// Describes a mapping as the book of owners wants it.
    pub(super) fn held(&self, mapping: &Mapping) -> Held {
        let buffer = &self.buffers[mapping.buffer];
        let caller = Caller::new(CpuId(mapping.cpu), mapping.mapped_at);
        Held {
            dma: mapping.dma,
            orig: PhysAddr::new(buffer.phys + mapping.offset),
            bytes: mapping.expected.len() as u64,
            dir: mapping.direction,
            has_two_views: mapping.is_bounced,
            mapper: caller.with_label(buffer.name.as_str()),
            handed_over_at: mapping.mapped_at,
        }
    }

    /// Says that the driver has synced a part of a mapping.
    pub fn synced(&mut self, id: MappingId, to: HandOver, cycle: u64, offset: u64, bytes: u64) {
        let entry = self.ledger.entry(id);
        let (Some(owner), direction) = (entry.owner, entry.mapping.direction) else {
            return;
        };
        match to {
            HandOver::ForCpu => self.owners.synced_for_cpu(owner, offset, bytes, direction),
            HandOver::ForDevice => {
                self.owners
                    .synced_for_device(owner, cycle, offset, bytes, direction);
            }
        }
    }

    /// Says that the driver has started the device on a mapping.
    pub fn device_started(&mut self, id: MappingId) {
        if let Some(owner) = self.ledger.entry(id).owner {
            self.owners.device_started(owner);
        }
    }

    /// Says that the device has told the driver that it has done with a mapping.
    pub fn device_finished(&mut self, id: MappingId) {
        if let Some(owner) = self.ledger.entry(id).owner {
            self.owners.device_finished(owner);
        }
    }

    /// Says that the bounce layer was given memory for a pool or a buffer.
    pub fn pool_memory_given(&mut self, range: Range) {
        self.owners.permit(PhysAddr::new(range.base), range.bytes);
    }

    /// Says that the bounce layer has given memory back: the device has no business there any more.
    pub fn pool_memory_returned(&mut self, range: Range) {
        let why = "that of a bounce pool that was given back";
        self.owners
            .forbid(PhysAddr::new(range.base), range.bytes, why);
    }

    /// Judges a device access by the memory that it has reached, mapped or not.
    pub fn device_reached(&mut self, cycle: u64, phys: PhysAddr, bytes: u64) {
        if self.owners.on_memory_access(cycle, phys, bytes) {
            self.report_ownership();
        }
    }

    /// Judges a read of the driver in one of its buffers.
    pub fn cpu_read(&mut self, cycle: u64, buffer: usize, offset: u64, bytes: u64) {
        let phys = PhysAddr::new(self.buffers[buffer].phys + offset);
        self.owners.on_cpu_read(cycle, phys, bytes);
        self.report_ownership();
    }

    /// Judges a write of the driver to one of its buffers.
    pub fn cpu_wrote(&mut self, cycle: u64, buffer: usize, offset: u64, bytes: u64) {
        let phys = PhysAddr::new(self.buffers[buffer].phys + offset);
        self.owners.on_cpu_write(cycle, phys, bytes);
        self.report_ownership();
    }

    /// Notes the attributes of an unmap that comes next, if there are any: with `SKIP_CPU_SYNC` it
    /// drops what the device wrote.
    pub fn unmapping_with(&mut self, id: MappingId, cycle: u64, attrs: Attrs) {
        if let Some(owner) = self.ledger.entry(id).owner {
            self.owners.unmapped(owner, cycle, attrs);
            self.report_ownership();
        }
    }

    /// Ends a mapping in the book of owners.
    pub(super) fn release(&mut self, id: MappingId, cycle: u64) {
        self.unmapping_with(id, cycle, Attrs::NONE);
    }

    /// Tells the book of owners of a device access inside a mapping.
    pub(super) fn note_access(
        &mut self,
        access: Access,
        cycle: u64,
        owner: OwnershipId,
        offset: u64,
        bytes: u64,
    ) {
        match access {
            Access::Read => self.owners.on_device_read(owner, cycle, offset, bytes),
            Access::Write => self.owners.on_device_write(owner, cycle, offset, bytes),
        }
        self.report_ownership();
    }

    /// Turns what the book of owners objected to into violations. Stale bytes are left out: they
    /// are judged by their values, which also says what they are.
    pub(super) fn report_ownership(&mut self) {
        for found in self.owners.take_breaches() {
            let is_stale = matches!(found.breach, Breach::StaleCpuRead | Breach::StaleDeviceRead);
            if !is_stale {
                let violation = self.ownership_violation(&found);
                self.log.push(violation);
            }
        }
    }

    fn ownership_violation(&self, found: &OwnershipBreach) -> Violation {
        let phys = found.phys.raw();
        let hit = self.buffers.iter().find(|buffer| buffer.guards(phys));
        let place = hit.map(|buffer| Place {
            dma: found.held.as_ref().map(|held| held.dma.raw()),
            is_bounced: found.held.as_ref().is_some_and(|held| held.has_two_views),
            ..buffer.place(phys.wrapping_sub(buffer.phys).cast_signed())
        });
        Violation {
            check: Check::Ownership,
            cycle: Some(found.cycle),
            transfer: None,
            text: format!("{} {found}", found.breach.id()),
            place,
        }
    }
}
