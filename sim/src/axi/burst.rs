//! Burst arithmetic of AXI (IHI 0022, A3.4.1), in one place.

use serde::{Deserialize, Serialize};

use crate::pins::AddressPins;

/// How the address moves from beat to beat (`AxBURST`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BurstKind {
    /// Every beat has the same address.
    Fixed,
    /// Each beat follows the one before.
    Incr,
    /// As INCR, but back to the lower boundary at the upper one.
    Wrap,
}

/// A response (`BRESP`, `RRESP`; IHI 0022, A3.4.4). Ordered by severity.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "UPPERCASE")]
pub enum Response {
    /// The access was carried out.
    #[default]
    Okay,
    /// The addressed subordinate reports an error.
    Slverr,
    /// Nothing is at the address.
    Decerr,
}

impl Response {
    /// Returns the value on the wires.
    #[must_use]
    pub const fn bits(self) -> u8 {
        match self {
            Self::Okay => 0,
            Self::Slverr => 2,
            Self::Decerr => 3,
        }
    }

    /// Reads the value on the wires; EXOKAY counts as OKAY.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            2 => Self::Slverr,
            3 => Self::Decerr,
            _ => Self::Okay,
        }
    }
}

impl std::fmt::Display for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Okay => "OKAY",
            Self::Slverr => "SLVERR",
            Self::Decerr => "DECERR",
        })
    }
}

/// A burst as its address channel announced it, made safe to compute with.
///
/// What the specification forbids (a reserved burst type, beats wider than the bus, a wrapping burst of
/// an odd length or start) is clipped to the nearest legal form and marked in
/// [`Burst::is_malformed`]; the subordinate answers it with SLVERR, and the protocol rules report it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Burst {
    addr: u64,
    /// `addr` rounded down to the size of a beat.
    aligned: u64,
    beats: u16,
    size: u8,
    kind: BurstKind,
    malformed: bool,
}

impl Burst {
    /// Reads an address channel of a bus of `bus_bytes` bytes (a power of two).
    #[inline]
    #[must_use]
    pub fn new(pins: &AddressPins, bus_bytes: u32) -> Self {
        Self::from_fields(pins.addr, pins.len, pins.size, pins.burst, bus_bytes)
    }

    /// Reads the fields of an address channel: `AxADDR`, `AxLEN`, `AxSIZE`, `AxBURST`.
    #[inline]
    #[must_use]
    pub fn from_fields(addr: u64, len: u8, size: u8, burst: u8, bus_bytes: u32) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the logarithm of a 32-bit number is below 32"
        )]
        let widest = bus_bytes.trailing_zeros() as u8;
        let mut malformed = size > widest || burst > 2;
        let size = size.min(widest);
        let beats = u16::from(len) + 1;
        let mut kind = match burst {
            0 => BurstKind::Fixed,
            2 => BurstKind::Wrap,
            _ => BurstKind::Incr,
        };
        let aligned = addr & !((1 << size) - 1);
        if kind == BurstKind::Wrap && (!matches!(beats, 2 | 4 | 8 | 16) || addr != aligned) {
            kind = BurstKind::Incr;
            malformed = true;
        }
        Self {
            addr,
            aligned,
            beats,
            size,
            kind,
            malformed,
        }
    }

    /// Returns the number of beats.
    #[inline]
    #[must_use]
    pub const fn beats(&self) -> u16 {
        self.beats
    }

    /// Returns log2 of the bytes in a beat.
    #[inline]
    #[must_use]
    pub const fn size(&self) -> u8 {
        self.size
    }

    /// Returns how the address moves.
    #[inline]
    #[must_use]
    pub const fn kind(&self) -> BurstKind {
        self.kind
    }

    /// Returns whether the announcement broke the specification and had to be clipped.
    #[inline]
    #[must_use]
    pub const fn is_malformed(&self) -> bool {
        self.malformed
    }

    /// Returns the address of a beat, counted from 0 (`Address_N` of IHI 0022, A3.4.1).
    #[inline]
    #[must_use]
    pub const fn beat_addr(&self, beat: u16) -> u64 {
        if beat == 0 {
            return self.addr;
        }
        let offset = (beat as u64) << self.size;
        match self.kind {
            BurstKind::Fixed => self.addr,
            BurstKind::Incr => self.aligned.wrapping_add(offset),
            BurstKind::Wrap => {
                let span = (self.beats as u64) << self.size;
                let lower = self.addr & !(span - 1);
                lower | (self.aligned.wrapping_add(offset) & (span - 1))
            }
        }
    }

    /// Returns the beats from `beat` on, if each of them fills the bus and follows the one before: what
    /// the hot path can serve without looking at the burst again.
    #[inline]
    pub(super) fn run_from(&self, beat: u16, bus_bytes: u32) -> Run {
        let dma = self.beat_addr(beat);
        let is_run =
            self.kind == BurstKind::Incr && !self.malformed && self.beat_bytes(dma) == bus_bytes;
        Run {
            dma,
            left: if is_run { self.beats - beat } else { 0 },
        }
    }

    /// Returns the bytes of a beat that begins at `addr`: up to the next multiple of the beat size.
    #[inline]
    #[must_use]
    pub const fn beat_bytes(&self, addr: u64) -> u32 {
        let bytes = 1u32 << self.size;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "masked to below the bytes of a beat"
        )]
        let skipped = (addr & (bytes as u64 - 1)) as u32;
        bytes - skipped
    }
}

/// Whole beats to come, one after the other in memory.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Run {
    /// Address of the next one.
    pub(super) dma: u64,
    /// How many.
    pub(super) left: u16,
}

impl Run {
    /// Steps over a beat.
    #[inline]
    pub(super) const fn advance(&mut self, bus_bytes: u32) {
        self.dma = self.dma.wrapping_add(bus_bytes as u64);
        self.left -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The pseudo code of IHI 0022, A3.4.2, followed to the letter: addresses and byte lanes by beat.
    fn by_the_book(
        start: u64,
        number_bytes: u64,
        burst_length: u64,
        mode: u8,
        bus: u64,
    ) -> Vec<(u64, u64, u64)> {
        let mut addr = start;
        let aligned_address = start / number_bytes * number_bytes;
        let mut aligned = aligned_address == addr;
        let dtsize = number_bytes * burst_length;
        let (lower_wrap, upper_wrap) = if mode == 2 {
            let lower = addr / dtsize * dtsize;
            (lower, lower + dtsize)
        } else {
            (0, 0)
        };
        let mut beats = Vec::new();
        for _ in 1..=burst_length {
            let lower_lane = addr - addr / bus * bus;
            let upper_lane = if aligned {
                lower_lane + number_bytes - 1
            } else {
                aligned_address + number_bytes - 1 - addr / bus * bus
            };
            beats.push((addr, lower_lane, upper_lane));
            if mode != 0 {
                if aligned {
                    addr += number_bytes;
                    if mode == 2 && addr >= upper_wrap {
                        addr = lower_wrap;
                    }
                } else {
                    addr = aligned_address + number_bytes;
                    aligned = true;
                }
            }
        }
        beats
    }

    proptest! {
        #[test]
        fn addresses_and_lanes_are_those_of_the_specification(
            start in 0u64..0x1_0000_0000,
            len in 0u8..=255,
            bus_log2 in 2u8..=7,
            size in 0u8..=7,
            mode in 0u8..=2,
        ) {
            let size = size.min(bus_log2);
            let (start, len) = if mode == 2 {
                (start >> size << size, [1, 3, 7, 15][usize::from(len) % 4])
            } else {
                (start, len)
            };
            let bus = 1u64 << bus_log2;
            let burst = Burst::from_fields(start, len, size, mode, 1 << bus_log2);
            prop_assert!(!burst.is_malformed());
            let book = by_the_book(start, 1 << size, u64::from(len) + 1, mode, bus);
            prop_assert_eq!(book.len(), usize::from(burst.beats()));
            for (beat, (addr, lower, upper)) in (0u16..).zip(book) {
                prop_assert_eq!(burst.beat_addr(beat), addr);
                prop_assert_eq!(addr % bus, lower);
                prop_assert_eq!(u64::from(burst.beat_bytes(addr)), upper - lower + 1);
            }
        }
    }

    #[test]
    fn what_the_specification_forbids_is_clipped_and_marked() {
        let wide = Burst::from_fields(0x10, 0, 7, 1, 8);
        assert!(wide.is_malformed());
        assert_eq!(wide.size(), 3);
        assert!(Burst::from_fields(0, 0, 3, 3, 8).is_malformed());
        let odd = Burst::from_fields(0, 2, 3, 2, 8);
        assert!(odd.is_malformed());
        assert_eq!(odd.kind(), BurstKind::Incr);
        assert!(Burst::from_fields(4, 3, 3, 2, 8).is_malformed());
    }

    #[test]
    fn an_incrementing_burst_may_run_over_the_end_of_the_space() {
        let burst = Burst::from_fields(u64::MAX - 7, 1, 3, 1, 8);
        assert_eq!(burst.beat_addr(1), 0);
    }
}
