//! What an IOMMU stops, where it lets accesses through to, and what a device sees that reads beyond its buffer.

use swiotlb::{Fault, PhysAddr};

use super::explain::{mapped_place, place_text};
use super::{MappingId, Scoreboard};
use crate::violation::{Check, Place, Violation, offset_text};

/// What a device that reads beyond its buffer should find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// Zeros: the mapping is live, and its pages hold nothing else.
    Zeros,
    /// A fault: the mapping is gone.
    Fault,
}

/// Addresses that the device is told to read although they are not lent to it, or not any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overreach {
    /// The mapping whose pages they are.
    pub id: MappingId,
    /// First DMA address.
    pub start: u64,
    /// Number of bytes.
    pub bytes: u64,
    /// What should be found.
    pub right: Right,
}

impl Overreach {
    fn covers(&self, addr: u64, bytes: u64) -> bool {
        let offset = addr.wrapping_sub(self.start);
        offset < self.bytes && bytes <= self.bytes - offset
    }
}

impl Scoreboard {
    /// Announces that the device is told to read what is not lent to it, or, with `None`, that this is over.
    pub fn announce(&mut self, overreach: Option<Overreach>) {
        self.overreach = overreach;
    }

    /// Returns whether these bytes are announced, and may be found as zeros.
    pub(super) fn is_overreach(&self, addr: u64, bytes: usize) -> bool {
        self.overreach.is_some_and(|announced| {
            announced.right == Right::Zeros && announced.covers(addr, bytes as u64)
        })
    }

    /// Returns whether an access to this address is announced, and is to be stopped.
    pub(super) fn is_stopped_overreach(&self, addr: u64) -> bool {
        self.overreach
            .is_some_and(|announced| announced.right == Right::Fault && announced.covers(addr, 1))
    }

    /// Judges bytes beside a mapping that the device has read as announced.
    pub(super) fn judge_overreach(&mut self, cycle: u64, addr: u64, found: &[u8]) {
        let Some(announced) = self.overreach else {
            return;
        };
        let Some(first) = found.iter().position(|byte| *byte != 0) else {
            return;
        };
        let Self {
            buffers,
            ledger,
            log,
            ..
        } = self;
        log.push_with(Check::Exposed, || {
            let mapping = &ledger.entry(announced.id).mapping;
            let dma = addr.wrapping_add(first as u64);
            // A page of the IOMMU lies in one piece.
            let phys = dma
                .wrapping_sub(mapping.dma.raw())
                .wrapping_add(mapping.target.raw());
            let neighbour = buffers.iter().find(|buffer| buffer.guards(phys));
            let place = neighbour.map_or_else(
                || Place {
                    phys: Some(phys),
                    ..Place::default()
                },
                |buffer| buffer.place(phys.wrapping_sub(buffer.phys).cast_signed()),
            );
            let text = format!(
                "{} visible to the device through the page of {}: expected 0x00, found {:#04x}",
                place_text(&place),
                offset_text(&buffers[mapping.buffer].name, 0),
                found[first]
            );
            Violation {
                check: Check::Exposed,
                cycle: Some(cycle),
                transfer: Some(mapping.transfer),
                text,
                place: Some(Place {
                    dma: Some(dma),
                    ..place
                }),
            }
        });
    }

    /// Reports an access that the IOMMU has stopped, with the history of the mapping, unless it was announced.
    pub fn iommu_fault(&mut self, fault: &Fault, cycle: u64) {
        let addr = fault.access.iova;
        if self.is_stopped_overreach(addr.raw()) {
            return;
        }
        let entry = self.last_mapping_at(addr);
        let history =
            entry.map_or_else(|| ", and never was".to_owned(), |entry| self.history(entry));
        let place = entry.map_or_else(
            || Place {
                dma: Some(addr.raw()),
                ..Place::default()
            },
            |entry| {
                let offset = addr.raw().wrapping_sub(entry.mapping.dma.raw());
                mapped_place(&self.buffers, entry, offset)
            },
        );
        let violation = Violation {
            check: Check::Iommu,
            cycle: Some(cycle),
            transfer: entry.map(|entry| entry.mapping.transfer),
            text: format!("IOMMU fault: {fault}{history}"),
            place: Some(place),
        };
        self.log.push(violation);
    }

    /// Compares the physical address that a beat reached with that of its mapping.
    pub fn judge_target(&mut self, cycle: u64, addr: u64, phys: PhysAddr) {
        let Some(id) = self.live_at(addr) else {
            return;
        };
        let mapping = &self.ledger.entry(id).mapping;
        let offset = addr - mapping.dma.raw();
        let right = mapping.target.wrapping_add(offset);
        if right != phys {
            self.report_at(Check::Iommu, cycle, id, offset, |place, _| {
                format!("beat for {place} led astray: expected phys {right}, found {phys}")
            });
        }
    }
}
