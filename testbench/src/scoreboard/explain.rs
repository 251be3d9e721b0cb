//! Explains an access outside every live mapping, and says where a byte belongs.

use super::beats::Access;
use super::{Buffer, Entry, Ledger, Scoreboard};
use crate::violation::{Check, Place, Violation, offset_text};

/// How far past a mapping an access counts as running past its end, in bytes: one bounce slot.
const PAST_END_REACH: u64 = 2048;

/// Why an access hit no live mapping. Found by arithmetic alone: words are made only for what is reported.
enum Stray<'a> {
    /// The address of a byte of a live mapping, without its upper bits.
    LostBits {
        entry: &'a Entry,
        offset: u64,
        bits: u32,
    },
    /// The address of a byte of a live mapping, without the carry out of its low bits.
    LostCarry {
        entry: &'a Entry,
        offset: u64,
        bits: u32,
    },
    /// An address that was mapped before, and the cycles since then.
    Unmapped { entry: &'a Entry, age: u64 },
    /// An address so many bytes past the end of a live mapping.
    PastEnd { entry: &'a Entry, past: u64 },
    /// An address that was never mapped.
    Unknown,
}

impl<'a> Stray<'a> {
    /// Finds the nearest explanation.
    ///
    /// Lost address bits come first: a truncated address may well lie in memory that was mapped before.
    fn find(ledger: &'a Ledger, cycle: u64, addr: u64) -> Self {
        if let Some(stray) = ledger.live().find_map(|entry| Self::by_loss(entry, addr)) {
            return stray;
        }
        if let Some(entry) = ledger.dead_at(addr) {
            let age = cycle.saturating_sub(entry.unmapped_at.unwrap_or(cycle));
            return Self::Unmapped { entry, age };
        }
        if let Some(entry) = ledger.ending_below(addr, PAST_END_REACH) {
            let past = addr - entry.end();
            return Self::PastEnd { entry, past };
        }
        Self::Unknown
    }

    /// Explains `addr` as an address of this mapping that lost bits or a carry on its way.
    fn by_loss(entry: &'a Entry, addr: u64) -> Option<Self> {
        let start = entry.mapping.dma.raw();
        let last = entry.end() - 1;
        // The widest cut that fits is the likely one: narrower ones fit by chance.
        let cut = (16..64_u32).rev().find(|bits| {
            let low = (1_u64 << bits) - 1;
            last > low && addr <= low && addr.wrapping_sub(start) & low < entry.bytes
        });
        if let Some(bits) = cut {
            let offset = addr.wrapping_sub(start) & ((1 << bits) - 1);
            return Some(Self::LostBits {
                entry,
                offset,
                bits,
            });
        }
        // Boundaries lie in pages of the bus or above; the lowest that is crossed and fits is the likely one.
        let bits = (12..64_u32).find(|bits| {
            let low = (1_u64 << bits) - 1;
            let crosses = addr >> bits == start >> bits && last >> bits > start >> bits;
            crosses && addr.wrapping_sub(start) & low < entry.bytes
        })?;
        let offset = addr.wrapping_sub(start) & ((1 << bits) - 1);
        Some(Self::LostCarry {
            entry,
            offset,
            bits,
        })
    }

    /// The check that the access breaks.
    const fn check(&self) -> Check {
        match self {
            Self::LostBits { .. } | Self::LostCarry { .. } | Self::Unknown => Check::Unmapped,
            Self::Unmapped { .. } => Check::UseAfterUnmap,
            Self::PastEnd { .. } => Check::PastEnd,
        }
    }

    /// The mapping whose address it was; a cut address belongs to whoever it hits.
    const fn owner(&self) -> Option<&'a Entry> {
        match self {
            Self::LostBits { .. } | Self::LostCarry { .. } | Self::Unknown => None,
            Self::Unmapped { entry, .. } | Self::PastEnd { entry, .. } => Some(entry),
        }
    }

    /// Says what was expected and what was found.
    fn text(&self, buffers: &[Buffer]) -> String {
        let meant = |entry: &Entry, offset| {
            let dma = entry.mapping.dma.raw().wrapping_add(offset);
            let place = place_text(&mapped_place(buffers, entry, offset));
            format!("expected dma {dma:#x} of {place}")
        };
        match *self {
            Self::LostBits {
                entry,
                offset,
                bits,
            } => format!("{}, found only its low {bits} bits", meant(entry, offset)),
            Self::LostCarry {
                entry,
                offset,
                bits,
            } => format!(
                "{}, found no carry out of its low {bits} bits",
                meant(entry, offset)
            ),
            Self::Unmapped { age, .. } => {
                let when = match age {
                    0 => "in the same cycle".to_owned(),
                    1 => "1 cycle ago".to_owned(),
                    _ => format!("{age} cycles ago"),
                };
                format!("expected a live mapping, found one unmapped {when}")
            }
            Self::PastEnd { entry, past } => {
                let found = match past {
                    0 => "it at the first byte behind".to_owned(),
                    _ => format!("it {past} bytes further"),
                };
                format!(
                    "expected no access behind the end of the mapping at dma {:#x}, found {found}",
                    entry.end()
                )
            }
            Self::Unknown => "expected a live mapping, found none, now or before".to_owned(),
        }
    }
}

impl Scoreboard {
    /// Reports an access that hits no live mapping, by the nearest explanation.
    pub(super) fn outside(&mut self, access: Access, cycle: u64, addr: u64, bytes: usize) {
        let Self {
            buffers,
            ledger,
            log,
            ..
        } = self;
        let stray = Stray::find(ledger, cycle, addr);
        log.push_with(stray.check(), || {
            let owner = stray.owner();
            let place = owner.map_or_else(
                || memory_place(buffers, addr),
                |entry| mapped_place(buffers, entry, addr - entry.mapping.dma.raw()),
            );
            Violation {
                check: stray.check(),
                cycle: Some(cycle),
                transfer: owner.map(|entry| entry.mapping.transfer),
                text: format!(
                    "device {} of {bytes} bytes at dma {addr:#x}: {}",
                    access.name(),
                    stray.text(buffers)
                ),
                place: Some(place),
            }
        });
    }
}

/// Describes the byte at `offset` of a mapping.
pub(super) fn mapped_place(buffers: &[Buffer], entry: &Entry, offset: u64) -> Place {
    let in_buffer = entry.mapping.offset.saturating_add(offset);
    Place {
        dma: Some(entry.mapping.dma.raw().wrapping_add(offset)),
        is_bounced: entry.mapping.is_bounced,
        ..buffers[entry.mapping.buffer].place(in_buffer.cast_signed())
    }
}

/// Describes a DMA address that belongs to no mapping by the buffer whose memory it hits.
fn memory_place(buffers: &[Buffer], addr: u64) -> Place {
    let hit = buffers.iter().find(|buffer| buffer.guards(addr));
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

/// Names a place as messages begin with it.
pub(super) fn place_text(place: &Place) -> String {
    place.buffer.as_ref().map_or_else(
        || "memory".into(),
        |buffer| offset_text(buffer, place.offset),
    )
}
