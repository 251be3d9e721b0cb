//! What the bus did last, behind the violation that ended a run.

use rebound_sim::events::{BeatEvent, BusEvent, Direction};

use crate::violation::{Check, Violation};

/// Events that are kept of a run: enough for the lines below, when those are of long bursts.
pub(super) const RECENT_EVENTS: usize = 1024;
/// Lines that are shown.
const SHOWN_LINES: usize = 20;

/// Puts the last events of the bus behind the violation that ended the run at `end`, a line each.
pub(super) fn show_events(violations: &mut [Violation], events: &[BusEvent], end: u64) {
    let ends = [Check::Hang, Check::Status, Check::Assertion];
    let Some(last) = violations
        .iter_mut()
        .rev()
        .find(|violation| ends.contains(&violation.check))
    else {
        return;
    };
    let Some(final_event) = events.last() else {
        last.text.push_str("\nnothing happened on the bus");
        return;
    };
    let lines = folded(events);
    let lines = &lines[lines.len().saturating_sub(SHOWN_LINES)..];
    last.text
        .push_str(&format!("\nlast {} bus events:", lines.len()));
    for line in lines {
        last.text.push('\n');
        last.text.push_str(&line.to_string());
    }
    let quiet = end.saturating_sub(final_event.cycle());
    if quiet > 0 {
        last.text
            .push_str(&format!("\nthen nothing on the bus for {quiet} cycles"));
    }
}

/// A line: an event, or beats of one burst that follow each other.
#[derive(Debug, Clone, Copy)]
enum Line<'a> {
    Event(&'a BusEvent),
    Beats(&'a BeatEvent, &'a BeatEvent),
}

/// Joins the beats of each burst, as long as they are answered alike.
fn folded(events: &[BusEvent]) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    for event in events {
        let BusEvent::Beat(beat) = event else {
            lines.push(Line::Event(event));
            continue;
        };
        let continued = lines.iter_mut().rev().find_map(|line| match line {
            Line::Beats(_, last) if is_next(last, beat) => Some(last),
            _ => None,
        });
        match continued {
            Some(last) => *last = beat,
            None => lines.push(Line::Beats(beat, beat)),
        }
    }
    lines
}

fn is_next(last: &BeatEvent, beat: &BeatEvent) -> bool {
    let place = |beat: &BeatEvent| (beat.port, beat.direction, beat.burst);
    place(last) == place(beat) && last.beat + 1 == beat.beat && last.response == beat.response
}

impl std::fmt::Display for Line<'_> {
    /// `cycle 120 port 0: AR burst 3 id 0 at dma 0x1000, 16 beats of 8 bytes`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Event(event) => {
                write!(f, "cycle {} port {}: ", event.cycle(), event.port())?;
                match event {
                    BusEvent::Address(address) => {
                        let channel = match address.direction {
                            Direction::Read => "AR",
                            Direction::Write => "AW",
                        };
                        let (burst, id, dma) = (address.burst, address.id, address.dma);
                        let (beats, bytes) = (address.beats, 1_u32 << address.size);
                        write!(
                            f,
                            "{channel} burst {burst} id {id} at dma {dma}, {beats} beats of {bytes} bytes"
                        )
                    }
                    BusEvent::Response(response) => {
                        write!(f, "B  burst {}: {}", response.burst, response.response)
                    }
                    BusEvent::Beat(beat) => Self::Beats(beat, beat).fmt(f),
                }
            }
            Self::Beats(first, last) => {
                let channel = match first.direction {
                    Direction::Read => "R ",
                    Direction::Write => "W ",
                };
                let (port, burst, dma, response) =
                    (first.port, first.burst, first.dma, first.response);
                if first.beat == last.beat {
                    write!(
                        f,
                        "cycle {} port {port}: {channel} burst {burst} beat {}",
                        first.cycle, first.beat
                    )?;
                } else {
                    write!(
                        f,
                        "cycle {} to {} port {port}: {channel} burst {burst} beats {} to {}",
                        first.cycle, last.cycle, first.beat, last.beat
                    )?;
                }
                let end = if last.is_last { ", last" } else { "" };
                write!(f, " at dma {dma}: {response}{end}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rebound_sim::axi::Response;
    use rebound_sim::events::ResponseEvent;
    use swiotlb::DmaAddr;

    use super::*;

    fn beat(direction: Direction, beat: u16, response: Response) -> BusEvent {
        BusEvent::Beat(BeatEvent {
            cycle: 10 + u64::from(beat),
            sampled: 0,
            port: 0,
            direction,
            burst: 4,
            beat,
            is_last: beat == 3,
            id: 0,
            dma: DmaAddr::new(0x1000 + 8 * u64::from(beat)),
            lane0: DmaAddr::new(0x1000),
            lane0_phys: None,
            lanes: 0xff,
            data: Default::default(),
            response,
        })
    }

    fn shown(events: &[BusEvent]) -> Vec<String> {
        let mut violations = [Violation {
            check: Check::Hang,
            cycle: None,
            transfer: None,
            text: "it hangs".into(),
            place: None,
        }];
        show_events(&mut violations, events, 100);
        let lines = violations[0].text.lines().skip(1);
        lines.map(str::to_owned).collect()
    }

    #[test]
    fn beats_of_a_burst_are_one_line_though_others_come_between() {
        let mut events = Vec::new();
        for number in 0..4 {
            events.push(beat(Direction::Read, number, Response::Okay));
            events.push(beat(Direction::Write, number, Response::Okay));
        }
        events.push(BusEvent::Response(ResponseEvent {
            cycle: 20,
            port: 0,
            burst: 4,
            id: 0,
            response: Response::Slverr,
        }));
        assert_eq!(
            shown(&events),
            [
                "last 3 bus events:",
                "cycle 10 to 13 port 0: R  burst 4 beats 0 to 3 at dma 0x1000: OKAY, last",
                "cycle 10 to 13 port 0: W  burst 4 beats 0 to 3 at dma 0x1000: OKAY, last",
                "cycle 20 port 0: B  burst 4: SLVERR",
                "then nothing on the bus for 80 cycles",
            ]
        );
    }

    #[test]
    fn a_beat_that_is_answered_differently_has_a_line_of_its_own() {
        let events = [
            beat(Direction::Read, 0, Response::Okay),
            beat(Direction::Read, 1, Response::Slverr),
            beat(Direction::Read, 2, Response::Okay),
        ];
        let lines = shown(&events);
        assert_eq!(lines.len(), 5, "{lines:#?}");
        assert_eq!(
            lines[2],
            "cycle 11 port 0: R  burst 4 beat 1 at dma 0x1008: SLVERR"
        );
    }

    #[test]
    fn a_silent_bus_is_told_and_a_long_history_is_cut() {
        assert_eq!(shown(&[]), ["nothing happened on the bus"]);
        let events: Vec<BusEvent> = (0..40)
            .map(|number| beat(Direction::Read, 2 * number, Response::Okay))
            .collect();
        let lines = shown(&events);
        assert_eq!(lines[0], "last 20 bus events:");
        assert_eq!(lines.len(), 22);
    }
}
