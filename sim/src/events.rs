//! What happened on the buses in a cycle, as values for scoreboards and reports.

use swiotlb::{DmaAddr, PhysAddr};

use crate::axi::{Burst, BurstKind, Response};
use crate::pins::{AddressPins, DATA_WORDS};

/// Which way a burst moves data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// The core reads memory: AR and R (Linux: `DMA_TO_DEVICE`).
    Read,
    /// The core writes memory: AW, W and B (Linux: `DMA_FROM_DEVICE`).
    Write,
}

/// Something that happened on a manager port. Within a cycle, events come by port, and then as AR, R,
/// AW, W, B.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BusEvent {
    /// An address handshake.
    Address(AddressEvent),
    /// A data beat: an R handshake, or written bytes that reach memory.
    Beat(BeatEvent),
    /// A write response handshake.
    Response(ResponseEvent),
}

impl BusEvent {
    /// Returns the cycle of the event.
    #[must_use]
    pub const fn cycle(&self) -> u64 {
        match self {
            Self::Address(event) => event.cycle,
            Self::Beat(event) => event.cycle,
            Self::Response(event) => event.cycle,
        }
    }

    /// Returns the index of the manager port.
    #[must_use]
    pub const fn port(&self) -> usize {
        match self {
            Self::Address(event) => event.port,
            Self::Beat(event) => event.port,
            Self::Response(event) => event.port,
        }
    }
}

/// An AR or AW handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressEvent {
    /// Cycle of the handshake.
    pub cycle: u64,
    /// Index of the manager port.
    pub port: usize,
    /// AR or AW.
    pub direction: Direction,
    /// Number of the burst among those of its port and direction, from 0.
    pub burst: u64,
    /// `AxID`.
    pub id: u32,
    /// `AxADDR`.
    pub dma: DmaAddr,
    /// Beats: `AxLEN` + 1.
    pub beats: u16,
    /// `AxSIZE`: log2 of the bytes in a beat.
    pub size: u8,
    /// `AxBURST`.
    pub kind: BurstKind,
    /// `AxCACHE`.
    pub cache: u8,
    /// `AxPROT`.
    pub prot: u8,
}

impl AddressEvent {
    pub(crate) fn new(
        cycle: u64,
        port: usize,
        direction: Direction,
        number: u64,
        pins: &AddressPins,
        burst: &Burst,
    ) -> Self {
        Self {
            cycle,
            port,
            direction,
            burst: number,
            id: pins.id,
            dma: DmaAddr::new(pins.addr),
            beats: burst.beats(),
            size: burst.size(),
            kind: burst.kind(),
            cache: pins.cache,
            prot: pins.prot,
        }
    }
}

/// One data beat.
///
/// Reads: the cycle is that of the R handshake; the bytes are those of memory when the beat was
/// presented ([`BeatEvent::sampled`]). Writes: the cycle is that in which the bytes reached memory,
/// which is the W handshake, or the AW handshake if that came later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BeatEvent {
    /// Cycle of the event.
    pub cycle: u64,
    /// Cycle in which memory was read (reads) or written (writes).
    pub sampled: u64,
    /// Index of the manager port.
    pub port: usize,
    /// Read or write.
    pub direction: Direction,
    /// Number of the burst among those of its port and direction, from 0.
    pub burst: u64,
    /// Number of the beat in its burst, from 0.
    pub beat: u16,
    /// Whether it is the last beat of its burst by `AxLEN`.
    pub is_last: bool,
    /// `AxID` of the burst.
    pub id: u32,
    /// DMA address of the beat (`Address_N`; the first beat of a burst may be unaligned).
    pub dma: DmaAddr,
    /// DMA address of byte lane 0: `dma` rounded down to the width of the bus.
    pub lane0: DmaAddr,
    /// Physical address of byte lane 0, if the address reaches memory.
    pub lane0_phys: Option<PhysAddr>,
    /// Byte lanes that carry data: the active lanes of a read, the strobes of a write, lane 0 lowest.
    pub lanes: u128,
    /// The data bus, `data[0]` holding lanes 0 to 7.
    pub data: [u64; DATA_WORDS],
    /// Response of this beat. A write that did not succeed left memory as it was.
    pub response: Response,
}

impl BeatEvent {
    /// Returns the byte on a lane.
    #[inline]
    #[must_use]
    pub const fn lane(&self, lane: usize) -> u8 {
        self.data[lane / 8].to_le_bytes()[lane % 8]
    }

    /// Returns each byte that the beat carried, with its DMA address and, if it reaches memory, its
    /// physical address.
    pub fn bytes(&self) -> impl Iterator<Item = (DmaAddr, Option<PhysAddr>, u8)> + '_ {
        let mut rest = self.lanes;
        std::iter::from_fn(move || {
            if rest == 0 {
                return None;
            }
            let lane = rest.trailing_zeros();
            rest &= rest - 1;
            let offset = u64::from(lane);
            Some((
                self.lane0.wrapping_add(offset),
                self.lane0_phys.map(|phys| phys.wrapping_add(offset)),
                self.lane(lane as usize),
            ))
        })
    }
}

/// A B handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResponseEvent {
    /// Cycle of the handshake.
    pub cycle: u64,
    /// Index of the manager port.
    pub port: usize,
    /// Number of the burst among the writes of its port, from 0.
    pub burst: u64,
    /// `BID`.
    pub id: u32,
    /// `BRESP`: the worst of the burst's beats.
    pub response: Response,
}

/// Takes the events of a cycle, keeps the last few for diagnostics, or drops them.
#[derive(Debug)]
pub(crate) struct EventLog {
    enabled: bool,
    events: Vec<BusEvent>,
    recent: Vec<BusEvent>,
    keep: usize,
    oldest: usize,
}

impl EventLog {
    pub(crate) fn new(enabled: bool, keep: usize) -> Self {
        Self {
            enabled,
            events: Vec::with_capacity(if enabled { 16 } else { 0 }),
            recent: Vec::with_capacity(if enabled { keep } else { 0 }),
            keep,
            oldest: 0,
        }
    }

    #[inline]
    pub(crate) const fn is_enabled(&self) -> bool {
        self.enabled
    }

    #[inline]
    pub(crate) fn push(&mut self, event: BusEvent) {
        self.events.push(event);
    }

    pub(crate) fn events(&self) -> &[BusEvent] {
        &self.events
    }

    /// Closes the cycle: moves its events to the recent ones.
    #[inline]
    pub(crate) fn clear(&mut self) {
        if self.events.is_empty() {
            return;
        }
        if self.keep > 0 {
            for event in &self.events {
                if self.recent.len() < self.keep {
                    self.recent.push(*event);
                } else {
                    self.recent[self.oldest] = *event;
                    self.oldest = (self.oldest + 1) % self.keep;
                }
            }
        }
        self.events.clear();
    }

    /// Returns the last events, oldest first.
    pub(crate) fn recent(&self) -> impl Iterator<Item = &BusEvent> {
        let (newer, older) = self.recent.split_at(self.oldest.min(self.recent.len()));
        older.iter().chain(newer)
    }
}

impl std::fmt::Display for BusEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(event) => {
                let channel = match event.direction {
                    Direction::Read => "AR",
                    Direction::Write => "AW",
                };
                write!(
                    f,
                    "cycle {} port {} {channel} burst {} id {} dma {} {} beats of {} bytes {:?}",
                    event.cycle,
                    event.port,
                    event.burst,
                    event.id,
                    event.dma,
                    event.beats,
                    1u32 << event.size,
                    event.kind,
                )
            }
            Self::Beat(event) => {
                let channel = match event.direction {
                    Direction::Read => "R",
                    Direction::Write => "W",
                };
                write!(
                    f,
                    "cycle {} port {} {channel} burst {} beat {} id {} dma {} lanes {:#x} first word {:#018x} {}",
                    event.cycle,
                    event.port,
                    event.burst,
                    event.beat,
                    event.id,
                    event.dma,
                    event.lanes,
                    event.data[event.lanes.trailing_zeros() as usize % 128 / 8],
                    event.response,
                )
            }
            Self::Response(event) => write!(
                f,
                "cycle {} port {} B burst {} id {} {}",
                event.cycle, event.port, event.burst, event.id, event.response
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(cycle: u64) -> BusEvent {
        BusEvent::Response(ResponseEvent {
            cycle,
            port: 0,
            burst: cycle,
            id: 3,
            response: Response::Slverr,
        })
    }

    #[test]
    fn the_log_keeps_the_last_events_in_order() {
        let mut log = EventLog::new(true, 3);
        for cycle in 0..8 {
            log.push(response(cycle));
            assert_eq!(log.events().len(), 1);
            log.clear();
        }
        let kept: Vec<u64> = log.recent().map(BusEvent::cycle).collect();
        assert_eq!(kept, [5, 6, 7]);
        assert_eq!(
            response(5).to_string(),
            "cycle 5 port 0 B burst 5 id 3 SLVERR"
        );
    }

    #[test]
    fn a_beat_names_each_byte_it_carries() {
        let mut data = [0; DATA_WORDS];
        data[0] = 0x8877_6655_4433_2211;
        data[1] = 0xff;
        let beat = BeatEvent {
            cycle: 1,
            sampled: 1,
            port: 0,
            direction: Direction::Write,
            burst: 0,
            beat: 0,
            is_last: true,
            id: 0,
            dma: DmaAddr::new(0x1002),
            lane0: DmaAddr::new(0x1000),
            lane0_phys: Some(PhysAddr::new(0x9000)),
            lanes: 1 << 2 | 1 << 7 | 1 << 8,
            data,
            response: Response::Okay,
        };
        let bytes: Vec<(u64, u64, u8)> = beat
            .bytes()
            .map(|(dma, phys, byte)| (dma.raw(), phys.unwrap().raw(), byte))
            .collect();
        assert_eq!(
            bytes,
            [
                (0x1002, 0x9002, 0x33),
                (0x1007, 0x9007, 0x88),
                (0x1008, 0x9008, 0xff)
            ]
        );
        assert!(
            BusEvent::Beat(beat)
                .to_string()
                .contains("W burst 0 beat 0")
        );
    }
}
