//! A core of plain arithmetic, for tests of the measurements: sound unless a fault is planted.

use rebound_sim::manifest::Direction;

use super::lab::Lab;
use super::probe::{
    Before, Burst, End, Observation, Outcome, Probe, Stray, Traffic, Transfer, Wrong, WrongBytes,
};
use super::session::{Base, Session, Shape};
use crate::error::UsageError;

/// Bytes of a burst.
const BURST: u64 = 128;

/// A planted fault or limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Planted {
    /// Address bits from here on are dropped.
    Truncates(u32),
    /// Addresses with bits from here on are refused.
    Refuses(u32),
    /// Address bits from here on are those of the transfer before.
    Late(u32),
    /// Addresses do not carry over this.
    Wraps(u64),
    /// Lengths are counted modulo this.
    Counts(u64),
    /// Lengths that are a multiple of this hang.
    HangsOn(u64),
    /// Addresses are rounded to this.
    Rounds(u64),
    /// Addresses off this are refused.
    Aligned(u64),
    /// A partial last beat is written whole.
    WideTail,
    /// Refusals of the bus are not told.
    IgnoresErrors,
    /// After an error only a reset helps.
    Wedged,
    /// It goes on after a reset.
    Stale,
    /// Length 0 moves something.
    MovesOnZero,
    /// It is done before its last response, if that takes long.
    Early,
    /// It hangs when write data is slow.
    HangsWhenSlow,
}

/// The core.
#[derive(Debug, Clone, Default)]
pub(super) struct Fake {
    pub(super) planted: Vec<Planted>,
}

impl Fake {
    pub(super) fn with(planted: Planted) -> Self {
        Self {
            planted: vec![planted],
        }
    }

    /// A session on the core, with a base that works.
    pub(super) fn session(&mut self) -> (Session<'_>, Base) {
        let shape = Shape {
            direction: Direction::Copy,
            beat_bytes: 8,
            read_bits: 40,
            write_bits: 40,
            has_error_rules: true,
        };
        let base = Base {
            source: 0x4000,
            destination: 0x8000,
            bytes: 256,
            long: 3072,
            length_granule: 1,
            source_granule: 1,
            destination_granule: 1,
        };
        (Session::new(self, shape), base)
    }

    /// Where the core goes for an address of a buffer that begins at `from`.
    fn place(&self, address: u64, from: u64, before: u64) -> u64 {
        let mut place = address;
        for planted in &self.planted {
            place = match planted {
                Planted::Truncates(bits) => place & ((1 << bits) - 1),
                Planted::Late(bits) => {
                    let low = (1 << bits) - 1;
                    place & low | before & !low
                }
                Planted::Wraps(bytes) => from & !(bytes - 1) | place & (bytes - 1),
                Planted::Rounds(bytes) => place - from % bytes,
                _ => place,
            };
        }
        place
    }

    fn traffic(&self, from: u64, bytes: u64, before: u64, peak: u32) -> Traffic {
        let mut traffic = Traffic {
            peak,
            ..Traffic::default()
        };
        let mut offset = 0;
        while offset < bytes {
            let (wanted, part) = (from + offset, BURST.min(bytes - offset));
            let address = self.place(wanted, from, before);
            if address != wanted && address & !7 != wanted & !7 {
                traffic.stray.get_or_insert(Stray {
                    to: address,
                    instead_of: wanted,
                });
            }
            traffic.kept.push(Burst {
                address,
                bytes: part,
            });
            *traffic.lengths.entry(16).or_insert(0) += 1;
            traffic.bursts += 1;
            offset += part;
        }
        traffic
    }

    fn run(&self, probe: &Probe, number: usize, is_wedged: &mut bool) -> Outcome {
        let transfer = &probe.transfers[number];
        if transfer.before == Before::Reset {
            *is_wedged = false;
        }
        if *is_wedged {
            return stuck();
        }
        if let Some(error) = self.refusal(transfer) {
            return done(vec![error]);
        }
        let before = match (number, transfer.before) {
            (0, _) | (_, Before::Reset | Before::Init) => (0, 0),
            _ => (
                probe.transfers[number - 1].source,
                probe.transfers[number - 1].destination,
            ),
        };
        let bytes = self.counted(transfer.bytes);
        let is_late = self.has(Planted::Early) && probe.bus.write_latency_cycles > 50;
        let mut outcome = Outcome {
            cycles: bytes + 10,
            reads: self.traffic(transfer.source, bytes, before.0, 1),
            writes: self.traffic(transfer.destination, bytes, before.1, 1),
            wrong: (bytes < transfer.bytes).then(|| wrong(bytes)),
            unanswered_writes: is_late.into(),
            ..done(Vec::new())
        };
        let end = transfer.destination + transfer.bytes;
        if self.has(Planted::WideTail) && !end.is_multiple_of(8) {
            outcome.writes.outside = Some(end);
        }
        if self.place(transfer.destination, transfer.destination, before.1) < transfer.destination {
            outcome
                .writes
                .outside
                .get_or_insert(transfer.destination & !7);
        }
        outcome.writes.has_partial_strobes = !end.is_multiple_of(8);
        if let Some(cycles) = transfer.reset_after {
            let stale = self.has(Planted::Stale) && cycles < outcome.cycles;
            outcome.late = stale.then(|| "read of 16 beats".to_owned());
            outcome.end = End::Reset;
        } else if self.hangs(probe, transfer) {
            outcome.end = stuck().end;
        } else if !transfer.faults.is_empty() {
            outcome.refused_beats = 1;
            *is_wedged = self.has(Planted::Wedged);
            if !self.has(Planted::IgnoresErrors) {
                outcome.end = done(vec!["bus error".to_owned()]).end;
            }
        }
        outcome
    }

    fn has(&self, planted: Planted) -> bool {
        self.planted.contains(&planted)
    }

    fn refusal(&self, transfer: &Transfer) -> Option<String> {
        self.planted.iter().find_map(|planted| {
            let ends = [transfer.source, transfer.destination];
            let is_refused = |address: u64| match planted {
                Planted::Refuses(bits) => address >> bits != 0,
                Planted::Aligned(bytes) => !address.is_multiple_of(*bytes),
                _ => false,
            };
            ends.into_iter()
                .any(is_refused)
                .then(|| "address".to_owned())
        })
    }

    fn counted(&self, bytes: u64) -> u64 {
        if bytes == 0 && self.has(Planted::MovesOnZero) {
            return 256;
        }
        self.planted
            .iter()
            .fold(bytes, |bytes, planted| match planted {
                Planted::Counts(modulus) => bytes % modulus,
                _ => bytes,
            })
    }

    fn hangs(&self, probe: &Probe, transfer: &Transfer) -> bool {
        let bus = &probe.bus;
        let is_silent = bus.read_latency_cycles.max(bus.write_latency_cycles) > 10_000;
        is_silent && transfer.bus.is_none()
            || self.has(Planted::HangsWhenSlow) && bus.write_bandwidth.is_some()
            || self.planted.iter().any(|planted| match planted {
                Planted::HangsOn(bytes) => {
                    transfer.bytes > 0 && transfer.bytes.is_multiple_of(*bytes)
                }
                _ => false,
            })
    }
}

impl Lab for Fake {
    fn observe(&mut self, probe: &Probe) -> Result<Observation, UsageError> {
        let mut is_wedged = false;
        let numbers = 0..probe.transfers.len();
        Ok(Observation {
            outcomes: numbers
                .map(|number| self.run(probe, number, &mut is_wedged))
                .collect(),
            broken: Vec::new(),
        })
    }
}

fn done(errors: Vec<String>) -> Outcome {
    Outcome {
        end: End::Done { errors },
        ..Outcome::default()
    }
}

fn stuck() -> Outcome {
    Outcome {
        end: End::Stuck {
            step: "control.copy.done[0]".to_owned(),
        },
        ..Outcome::default()
    }
}

fn wrong(offset: u64) -> Wrong {
    Wrong {
        offset,
        bytes: 1,
        how: WrongBytes::Unwritten,
        what: format!("byte {offset:#x} was never written"),
    }
}

/// Names of the defects that a session has noted.
pub(super) fn defects(session: &Session<'_>) -> Vec<String> {
    session.notes.defects.keys().cloned().collect()
}

/// The value of a measurement.
pub(super) fn value<T: Copy + std::fmt::Debug>(finding: &super::sheet::Finding<T>) -> T {
    match finding {
        super::sheet::Finding::Measured { value, .. } => *value,
        other => panic!("expected a measured value, found {other:?}"),
    }
}
