//! Explains an access outside every live mapping, and says where a byte belongs.

use super::{Access, Entry, Scoreboard};
use crate::violation::{Check, Place, Violation, offset_text};

/// How far past a mapping an access counts as running past its end, in bytes: one bounce slot.
const PAST_END_REACH: u64 = 2048;

impl Scoreboard {
    /// Reports an access that hits no live mapping, by the nearest explanation.
    pub(super) fn outside(&mut self, access: Access, cycle: u64, addr: u64, bytes: usize) {
        let (check, why, entry) = self.explain_outside(cycle, addr);
        let transfer = entry.map(|entry| entry.mapping.transfer);
        let place = entry.map_or_else(
            || self.memory_place(addr),
            |entry| self.mapped_place(entry, addr - entry.mapping.dma.raw()),
        );
        self.log.push_with(check, || Violation {
            check,
            cycle: Some(cycle),
            transfer,
            text: format!(
                "device {} of {bytes} bytes at dma {addr:#x}: {why}",
                access.name()
            ),
            place: Some(place),
        });
    }

    /// Says which check an access outside every live mapping breaks, and whose address it was.
    ///
    /// Lost address bits come first: a truncated address may well lie in memory that was mapped before.
    fn explain_outside(&self, cycle: u64, addr: u64) -> (Check, String, Option<&Entry>) {
        if let Some(why) = self
            .ledger
            .live()
            .find_map(|entry| self.explain_by(entry, addr))
        {
            return (Check::Unmapped, why, None);
        }
        if let Some(entry) = self.ledger.dead_at(addr) {
            let age = cycle.saturating_sub(entry.unmapped_at.unwrap_or(cycle));
            let when = match age {
                0 => "in the same cycle".to_owned(),
                1 => "1 cycle ago".to_owned(),
                _ => format!("{age} cycles ago"),
            };
            let why = format!("expected a live mapping, found one unmapped {when}");
            return (Check::UseAfterUnmap, why, Some(entry));
        }
        if let Some(entry) = self.ledger.ending_below(addr, PAST_END_REACH) {
            let past = addr - entry.end();
            let found = match past {
                0 => "it at the first byte behind".to_owned(),
                _ => format!("it {past} bytes further"),
            };
            let why = format!(
                "expected no access behind the end of the mapping at dma {:#x}, found {found}",
                entry.end()
            );
            return (Check::PastEnd, why, Some(entry));
        }
        let why = "expected a live mapping, found none, now or before".into();
        (Check::Unmapped, why, None)
    }

    /// Explains `addr` as an address of this mapping that lost bits or a carry on its way.
    fn explain_by(&self, entry: &Entry, addr: u64) -> Option<String> {
        let start = entry.mapping.dma.raw();
        let last = entry.end() - 1;
        // The widest cut that fits is the likely one: narrower ones fit by chance.
        let cut = (16..64_u32).rev().find(|bits| {
            let low = (1_u64 << bits) - 1;
            last > low && addr <= low && addr.wrapping_sub(start) & low < entry.mapping.bytes()
        });
        if let Some(bits) = cut {
            let offset = addr.wrapping_sub(start) & ((1 << bits) - 1);
            return Some(format!(
                "expected dma {:#x} of {}, found only its low {bits} bits",
                start.wrapping_add(offset),
                place_text(&self.mapped_place(entry, offset)),
            ));
        }
        let offset = addr.wrapping_sub(start) & 0xffff;
        let lost_carry = addr >> 16 == start >> 16 && last >> 16 > start >> 16;
        (lost_carry && offset < entry.mapping.bytes()).then(|| {
            format!(
                "expected dma {:#x} of {}, found no carry out of its low 16 bits",
                start.wrapping_add(offset),
                place_text(&self.mapped_place(entry, offset)),
            )
        })
    }

    /// Describes the byte at `offset` of a mapping.
    pub(super) fn mapped_place(&self, entry: &Entry, offset: u64) -> Place {
        let in_buffer = entry.mapping.offset.saturating_add(offset);
        Place {
            dma: Some(entry.mapping.dma.raw().wrapping_add(offset)),
            is_bounced: entry.mapping.is_bounced,
            ..self.buffers[entry.mapping.buffer].place(in_buffer.cast_signed())
        }
    }

    /// Describes a DMA address that belongs to no mapping by the buffer whose memory it hits.
    fn memory_place(&self, addr: u64) -> Place {
        let hit = self.buffers.iter().find(|buffer| buffer.guards(addr));
        hit.map_or_else(
            || Place {
                dma: Some(addr),
                ..Place::default()
            },
            |buffer| Place {
                dma: Some(addr),
                ..buffer.place(addr.wrapping_sub(buffer.phys).cast_signed())
            },
        )
    }
}

/// Names a place as messages begin with it.
pub(super) fn place_text(place: &Place) -> String {
    place.buffer.as_ref().map_or_else(
        || "memory".into(),
        |buffer| offset_text(buffer, place.offset),
    )
}
