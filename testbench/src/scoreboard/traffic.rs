//! The engine's bus as it was seen: bursts in flight, what overlapped, what was refused, when it last moved.
//!
//! It is what the engine's own account (failing address, bytes done) and the claim that both channels work at
//! once are judged by, so it asks neither the engine nor the driver.

use std::collections::VecDeque;

use rebound_sim::axi::Response;
use rebound_sim::events::{BusEvent, Direction};
use swiotlb::DmaAddr;

/// A burst that the bus answered with an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// First byte of the burst.
    pub burst: DmaAddr,
    /// First byte of its first failing beat (reads), or of the burst (writes: their response is the burst's).
    pub beat: DmaAddr,
}

/// Cycles during which something was so.
#[derive(Debug, Clone, Copy, Default)]
struct Span {
    since: Option<u64>,
    cycles: u64,
    /// Cycles below this one are counted.
    counted_to: u64,
}

impl Span {
    fn set(&mut self, is_so: bool, cycle: u64) {
        if is_so {
            self.since.get_or_insert(cycle.max(self.counted_to));
        } else if let Some(since) = self.since.take() {
            self.cycles += cycle + 1 - since;
            self.counted_to = cycle + 1;
        }
    }

    fn cycles_before(&self, now: u64) -> u64 {
        self.cycles + self.since.map_or(0, |since| now.saturating_sub(since))
    }
}

/// The bursts of one direction.
#[derive(Debug, Clone, Default)]
struct Flight {
    /// Number and address of the bursts in flight, oldest first.
    bursts: VecDeque<(u64, DmaAddr)>,
    first_refusal: Option<Refusal>,
}

impl Flight {
    fn refuse(&mut self, burst: u64, beat: Option<DmaAddr>) {
        let start = self.bursts.iter().find(|(number, _)| *number == burst);
        if let (None, Some((_, start))) = (self.first_refusal, start) {
            self.first_refusal = Some(Refusal {
                burst: *start,
                beat: beat.unwrap_or(*start),
            });
        }
    }

    fn finish(&mut self, burst: u64) {
        if let Some(at) = self.bursts.iter().position(|(number, _)| *number == burst) {
            self.bursts.remove(at);
        }
    }
}

/// What happened on one manager port.
#[derive(Debug, Clone, Default)]
pub struct Traffic {
    flights: [Flight; 2],
    busy: Span,
    overlap_beats: u64,
    last_cycle: Option<u64>,
}

impl Traffic {
    /// Takes note of an event; events come in the order of their cycles.
    pub fn observe(&mut self, event: &BusEvent) {
        let cycle = event.cycle();
        self.last_cycle = Some(cycle);
        match event {
            BusEvent::Address(address) => {
                let flight = &mut self.flights[address.direction as usize];
                flight.bursts.push_back((address.burst, address.dma));
            }
            BusEvent::Beat(beat) => {
                let other = &self.flights[1 - beat.direction as usize];
                self.overlap_beats += u64::from(!other.bursts.is_empty());
                let flight = &mut self.flights[beat.direction as usize];
                if beat.direction == Direction::Read {
                    if beat.response != Response::Okay {
                        flight.refuse(beat.burst, Some(beat.dma));
                    }
                    if beat.is_last {
                        flight.finish(beat.burst);
                    }
                }
            }
            BusEvent::Response(response) => {
                let flight = &mut self.flights[Direction::Write as usize];
                if response.response != Response::Okay {
                    flight.refuse(response.burst, None);
                }
                flight.finish(response.burst);
            }
        }
        let is_busy = self.flights.iter().any(|flight| !flight.bursts.is_empty());
        self.busy.set(is_busy, cycle);
    }

    /// Forgets the refusals of a direction: a transfer begins.
    pub fn begin(&mut self, direction: Direction) {
        self.flights[direction as usize].first_refusal = None;
    }

    /// Returns the first burst of a direction that was refused since [`Traffic::begin`].
    #[must_use]
    pub fn first_refusal(&self, direction: Direction) -> Option<Refusal> {
        self.flights[direction as usize].first_refusal
    }

    /// Returns the cycles before `now` in which a burst was in flight, of whatever direction.
    #[must_use]
    pub fn busy_cycles(&self, now: u64) -> u64 {
        self.busy.cycles_before(now)
    }

    /// Returns the beats that moved while a burst of the other direction was in flight.
    #[must_use]
    pub const fn overlap_beats(&self) -> u64 {
        self.overlap_beats
    }

    /// Returns the cycle of the last event, if there was one.
    #[must_use]
    pub const fn last_cycle(&self) -> Option<u64> {
        self.last_cycle
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rebound_sim::axi::BurstKind;
    use rebound_sim::events::{AddressEvent, BeatEvent, ResponseEvent};
    use rebound_sim::pins::DATA_WORDS;

    fn address(cycle: u64, direction: Direction, burst: u64, dma: u64) -> BusEvent {
        BusEvent::Address(AddressEvent {
            cycle,
            port: 0,
            direction,
            burst,
            id: 0,
            dma: DmaAddr::new(dma),
            beats: 2,
            size: 3,
            kind: BurstKind::Incr,
            cache: 0,
            prot: 0,
        })
    }

    fn beat(cycle: u64, direction: Direction, burst: u64, dma: u64, is_last: bool) -> BeatEvent {
        BeatEvent {
            cycle,
            sampled: cycle,
            port: 0,
            direction,
            burst,
            beat: u16::from(is_last),
            is_last,
            id: 0,
            dma: DmaAddr::new(dma),
            lane0: DmaAddr::new(dma),
            lane0_phys: None,
            lanes: 0xff,
            data: [0; DATA_WORDS],
            response: Response::Okay,
        }
    }

    fn response(cycle: u64, burst: u64, response: Response) -> BusEvent {
        BusEvent::Response(ResponseEvent {
            cycle,
            port: 0,
            burst,
            id: 0,
            response,
        })
    }

    #[test]
    fn cycles_with_bursts_in_flight_are_counted_once() {
        let mut traffic = Traffic::default();
        traffic.observe(&address(10, Direction::Read, 0, 0));
        traffic.observe(&address(12, Direction::Write, 0, 0));
        traffic.observe(&BusEvent::Beat(beat(13, Direction::Read, 0, 0, false)));
        traffic.observe(&BusEvent::Beat(beat(14, Direction::Read, 0, 8, true)));
        // The next burst begins in the cycle in which the last one ended.
        traffic.observe(&response(15, 0, Response::Okay));
        traffic.observe(&address(15, Direction::Read, 1, 0));
        assert_eq!(traffic.busy_cycles(16), 6, "10 to 15");
        assert_eq!(traffic.overlap_beats(), 2);
        assert_eq!(traffic.last_cycle(), Some(15));
    }

    #[test]
    fn directions_one_after_the_other_do_not_overlap() {
        let mut traffic = Traffic::default();
        traffic.observe(&address(1, Direction::Read, 0, 0));
        traffic.observe(&BusEvent::Beat(beat(2, Direction::Read, 0, 0, true)));
        traffic.observe(&address(2, Direction::Write, 0, 0));
        traffic.observe(&BusEvent::Beat(beat(3, Direction::Write, 0, 0, true)));
        traffic.observe(&response(4, 0, Response::Okay));
        assert_eq!(traffic.overlap_beats(), 0);
        assert_eq!(traffic.busy_cycles(5), 4);
    }

    #[test]
    fn the_first_refusal_of_a_transfer_is_kept() {
        let mut traffic = Traffic::default();
        traffic.observe(&address(1, Direction::Read, 4, 0x100));
        traffic.observe(&address(1, Direction::Read, 5, 0x110));
        for (burst, dma, is_last) in [(4, 0x108, true), (5, 0x110, false)] {
            traffic.observe(&BusEvent::Beat(BeatEvent {
                response: Response::Slverr,
                ..beat(2, Direction::Read, burst, dma, is_last)
            }));
        }
        let refusal = traffic.first_refusal(Direction::Read).expect("two came");
        let addresses = (refusal.burst.raw(), refusal.beat.raw());
        assert_eq!(addresses, (0x100, 0x108));
        traffic.begin(Direction::Read);
        assert_eq!(traffic.first_refusal(Direction::Read), None);

        traffic.observe(&address(3, Direction::Write, 0, 0x200));
        traffic.observe(&response(4, 0, Response::Decerr));
        let refusal = traffic.first_refusal(Direction::Write).expect("one came");
        assert_eq!(refusal.burst.raw(), 0x200);
    }
}
