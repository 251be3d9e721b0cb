//! What the bus shows of a transfer: its bursts, and those that went where they should not.

use rebound_sim::axi::{BurstKind, Response};
use rebound_sim::events::{AddressEvent, BeatEvent, BusEvent, Direction as Way};

use super::memory::Buffers;
use crate::characterize::probe::{Burst, Outcome, Stray, Traffic};

/// Bursts that are kept with their addresses, beside the last one.
const KEPT_BURSTS: usize = 64;
/// Bursts may not cross a multiple of this (IHI 0022, A3.4.1).
const BURST_BOUNDARY: u64 = 4096;

/// A buffer as the bus may touch it.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    from: u64,
    bytes: u64,
}

/// Watches the bus during one transfer.
#[derive(Debug, Default)]
pub(super) struct Watch {
    source: Place,
    destination: Place,
    /// Bytes of a beat on the widest port.
    beat_bytes: u64,
    next_read: Option<u64>,
    next_write: Option<u64>,
    pub(super) reads: Traffic,
    pub(super) writes: Traffic,
    refused_beats: u64,
    /// The transfer is over: a burst is late.
    pub(super) is_over: bool,
    late: Option<String>,
    /// Cycle of the last event.
    pub(super) last_event: u64,
}

impl Watch {
    /// Begins to watch a transfer.
    pub(super) fn begin(&mut self, buffers: &Buffers, beat_bytes: u64, cycle: u64) {
        let place = |from| Place {
            from,
            bytes: buffers.bytes,
        };
        *self = Self {
            source: place(buffers.source_at),
            destination: place(buffers.destination_at),
            beat_bytes,
            last_event: cycle,
            ..Self::default()
        };
    }

    /// Takes note of an event.
    pub(super) fn observe(&mut self, event: &BusEvent) {
        self.last_event = event.cycle();
        match event {
            BusEvent::Address(address) => self.address(address),
            BusEvent::Beat(beat) => self.beat(beat),
            BusEvent::Response(_) => {}
        }
    }

    /// Puts what was seen into an outcome.
    pub(super) fn finish(&mut self, outcome: &mut Outcome) {
        outcome.reads = std::mem::take(&mut self.reads);
        outcome.writes = std::mem::take(&mut self.writes);
        outcome.refused_beats = self.refused_beats;
        outcome.late = self.late.take();
    }

    fn address(&mut self, event: &AddressEvent) {
        if self.is_over {
            let words = || in_words(event);
            self.late.get_or_insert_with(words);
            return;
        }
        let (place, next, traffic) = match event.direction {
            Way::Read => (self.source, &mut self.next_read, &mut self.reads),
            Way::Write => (self.destination, &mut self.next_write, &mut self.writes),
        };
        let address = event.dma.raw();
        let size = 1_u64 << event.size;
        let whole = u64::from(event.beats) * size;
        let bytes = match event.kind {
            BurstKind::Fixed => size - address % size,
            BurstKind::Incr | BurstKind::Wrap => whole - address % size,
        };
        let expected = next.unwrap_or(place.from);
        judge(
            traffic,
            place,
            self.beat_bytes,
            Burst { address, bytes },
            expected,
        );
        *next = Some(address.wrapping_add(bytes));
        if address % BURST_BOUNDARY + bytes > BURST_BOUNDARY {
            traffic.crosses_4k.get_or_insert_with(|| in_words(event));
        }
        traffic.bursts += 1;
        keep(traffic, Burst { address, bytes });
        *traffic.lengths.entry(event.beats.into()).or_insert(0) += 1;
        traffic.sizes.insert(1 << event.size);
        traffic.ids.insert(event.id.into());
        let kind = kind_name(event.kind);
        if !traffic.types.contains(kind) {
            traffic.types.insert(kind.to_owned());
        }
    }

    fn beat(&mut self, beat: &BeatEvent) {
        if beat.response != Response::Okay {
            self.refused_beats += 1;
        }
        match beat.direction {
            Way::Read => self.reads.beats += 1,
            Way::Write => self.written(beat),
        }
    }

    fn written(&mut self, beat: &BeatEvent) {
        let traffic = &mut self.writes;
        traffic.beats += 1;
        let lanes = u64::from(beat.lanes.count_ones());
        traffic.has_partial_strobes |= lanes > 0 && lanes < self.beat_bytes;
        if beat.lanes == 0 || traffic.outside.is_some() {
            return;
        }
        let place = self.destination;
        let lane0 = beat.lane0.raw();
        let first = lane0.wrapping_add(beat.lanes.trailing_zeros().into());
        let last = lane0.wrapping_add((127 - beat.lanes.leading_zeros()).into());
        let is_inside = |address: u64| address.wrapping_sub(place.from) < place.bytes;
        // The beats of a buffer lie in one piece: its ends tell.
        let outside = [first, last]
            .into_iter()
            .find(|address| !is_inside(*address));
        traffic.outside = outside;
    }
}

/// Looks whether a burst lies in its buffer, rounded to beats.
fn judge(traffic: &mut Traffic, place: Place, beat_bytes: u64, burst: Burst, expected: u64) {
    let low = place.from & !(beat_bytes - 1);
    let high = place.from.wrapping_add(place.bytes);
    let high = high.wrapping_add(beat_bytes - 1) & !(beat_bytes - 1);
    let span = high.wrapping_sub(low);
    let offset = burst.address.wrapping_sub(low);
    if offset < span {
        if offset + burst.bytes > span {
            traffic.beyond.get_or_insert(Stray {
                to: high,
                instead_of: burst.address,
            });
        }
        return;
    }
    let stray = Stray {
        to: burst.address,
        instead_of: expected,
    };
    // It goes on from the burst before, or begins where nothing was asked for.
    let goes_on = burst.address.wrapping_sub(expected & !(beat_bytes - 1)) < beat_bytes;
    let slot = if goes_on {
        &mut traffic.beyond
    } else {
        &mut traffic.stray
    };
    slot.get_or_insert(stray);
}

fn keep(traffic: &mut Traffic, burst: Burst) {
    if traffic.kept.len() > KEPT_BURSTS {
        traffic.kept.pop();
    }
    traffic.kept.push(burst);
}

const fn kind_name(kind: BurstKind) -> &'static str {
    match kind {
        BurstKind::Fixed => "FIXED",
        BurstKind::Incr => "INCR",
        BurstKind::Wrap => "WRAP",
    }
}

/// A burst in words: `read of 16 beats of 8 bytes at dma 0x1000`.
fn in_words(event: &AddressEvent) -> String {
    let way = match event.direction {
        Way::Read => "read",
        Way::Write => "write",
    };
    format!(
        "{way} of {} beats of {} bytes at dma {}",
        event.beats,
        1_u32 << event.size,
        event.dma
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(place: Place, bursts: &[(u64, u64)]) -> Traffic {
        let mut traffic = Traffic::default();
        let mut next = place.from;
        for (address, bytes) in bursts {
            let burst = Burst {
                address: *address,
                bytes: *bytes,
            };
            judge(&mut traffic, place, 8, burst, next);
            next = address + bytes;
        }
        traffic
    }

    #[test]
    fn a_burst_is_inside_beyond_or_astray() {
        let place = Place {
            from: 0x1003,
            bytes: 0x100,
        };
        let inside = judged(place, &[(0x1000, 0x80), (0x1080, 0x88)]);
        assert!(inside.stray.is_none() && inside.beyond.is_none());
        let beyond = judged(place, &[(0x1000, 0x108), (0x1108, 0x80)]);
        let past = Stray {
            to: 0x1108,
            instead_of: 0x1108,
        };
        assert_eq!((beyond.stray, beyond.beyond), (None, Some(past)));
        let astray = judged(place, &[(0x1000, 0x80), (0x80, 0x80)]);
        let wrapped = Stray {
            to: 0x80,
            instead_of: 0x1080,
        };
        assert_eq!((astray.stray, astray.beyond), (Some(wrapped), None));
    }

    #[test]
    fn of_many_bursts_the_first_and_the_last_are_kept() {
        let mut traffic = Traffic::default();
        for address in 0..1000 {
            keep(&mut traffic, Burst { address, bytes: 1 });
        }
        assert_eq!(traffic.kept.len(), KEPT_BURSTS + 1);
        assert_eq!(traffic.kept[0].address, 0);
        assert_eq!(traffic.kept[KEPT_BURSTS].address, 999);
        assert_eq!(
            traffic.kept[KEPT_BURSTS - 1].address,
            KEPT_BURSTS as u64 - 1
        );
    }
}
