//! The self-check: what the replay answers against what the kernel answered.

use std::fmt;

use crate::replay::engine::{Answer, Engine};
use crate::replay::op::{MapOp, Op, Seen};
use crate::replay::sequence::Sequencer;

/// Differences that are kept to be shown.
const SHOWN: usize = 20;

/// Why the replay and the kernel may have answered differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Events were lost before: what they did is missing here.
    AfterLoss,
    /// A mapping began before the trace, so the pool was not as empty as here.
    BeforeTrace,
    /// The kernel searched another area than that of the CPU that wrote the line.
    OtherArea,
    /// The slots are still in use here: the line of their end is read later.
    StillInUse,
    /// A call on another CPU overlaps with this one.
    Order,
    /// No call overlaps, so the pool is not that of the trace.
    OtherPool,
    /// It follows from an earlier difference.
    Follows,
    /// The decision whether to bounce at all differs: mask or `force` are not those of the trace.
    Decision,
    /// The pool had room here.
    HadRoom,
    /// The pool was full here.
    WasFull,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AfterLoss => "events were lost before",
            Self::BeforeTrace => "mappings from before the trace held slots",
            Self::OtherArea => "the kernel was in another area: the task changed its CPU, or areas are not as given",
            Self::StillInUse => "the slots are still in use here: the line of their end comes later",
            Self::Order => "the order of two CPUs within microseconds is not known",
            Self::OtherPool => {
                "the pool's base, its size or the device's alignment differ: no call of another CPU overlaps"
            }
            Self::Follows => "follows from the difference before",
            Self::Decision => "the mask or `force` is not that of the trace",
            Self::HadRoom => "the pool has room here",
            Self::WasFull => "the pool is full here",
        })
    }
}

/// A mapping with another answer than the kernel's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Line of the trace.
    pub line: u64,
    /// What the kernel answered.
    pub recorded: String,
    /// What the replay answered.
    pub predicted: String,
    /// The likely cause.
    pub cause: Cause,
}

/// The self-check of a whole trace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SelfCheck {
    /// Bounced mappings with a recorded address.
    pub addresses: u64,
    /// Of these, at the recorded address here.
    pub same_addresses: u64,
    /// Mappings that failed on the machine.
    pub failed: u64,
    /// Of these, failed here too.
    pub predicted_failures: u64,
    /// Mappings that fail here alone.
    pub extra_failures: u64,
    /// Mappings that were bounced or not, and here are not or are.
    pub decisions: u64,
    /// All differences.
    pub differences: u64,
    /// The first of them.
    pub shown: Vec<Difference>,
    is_after_loss: bool,
    is_diverged: bool,
}

impl SelfCheck {
    /// Notes that events were lost here.
    pub const fn lose(&mut self) {
        self.is_after_loss = true;
    }

    /// Compares an answer. The sequencer has just handed the operation out.
    pub fn compare(
        &mut self,
        engine: &Engine,
        op: &Op,
        map: &MapOp,
        answer: &Answer,
        has_orphans: bool,
        sequencer: &Sequencer,
    ) {
        let recorded = match map.seen {
            Seen::Bounced(dma) => {
                self.addresses += 1;
                Some(dma)
            }
            Seen::Failed => {
                self.failed += 1;
                None
            }
            Seen::Direct => None,
            Seen::BouncedSomewhere | Seen::Unpaired => return,
        };
        let cause = match (map.seen, answer) {
            (Seen::Direct, Answer::Direct) => return,
            (Seen::Bounced(dma), Answer::Bounced { dma: here, .. }) if dma == *here => {
                self.same_addresses += 1;
                return;
            }
            (Seen::Failed, Answer::Failed(_)) => {
                self.predicted_failures += 1;
                return;
            }
            (Seen::Failed, Answer::Bounced { .. }) => Cause::HadRoom,
            (_, Answer::Failed(_)) => {
                self.extra_failures += 1;
                Cause::WasFull
            }
            (_, Answer::Direct) | (Seen::Direct, _) => {
                self.decisions += 1;
                Cause::Decision
            }
            _ if sequencer.is_overlapped(op, map) => Cause::Order,
            _ => Cause::OtherPool,
        };
        let cause = if cause == Cause::Decision {
            cause
        } else if self.is_after_loss {
            Cause::AfterLoss
        } else if has_orphans {
            Cause::BeforeTrace
        } else if self.is_diverged {
            Cause::Follows
        } else {
            self.is_diverged = true;
            recorded.map_or(cause, |dma| place_cause(engine, op, dma, cause))
        };
        self.note(op.line, map, answer, cause);
    }

    fn note(&mut self, line: u64, map: &MapOp, answer: &Answer, cause: Cause) {
        self.differences += 1;
        if self.shown.len() < SHOWN {
            self.shown.push(Difference {
                line,
                recorded: match map.seen {
                    Seen::Bounced(dma) => format!("{dma:#x}"),
                    Seen::Failed => "failed".to_owned(),
                    _ => "not bounced".to_owned(),
                },
                predicted: match answer {
                    Answer::Direct => "not bounced".to_owned(),
                    Answer::Bounced { dma, .. } => format!("{dma:#x}"),
                    Answer::Failed(cause) => format!("failed: {cause}"),
                },
                cause,
            });
        }
    }

    /// Returns whether the replay answered as the kernel in everything.
    #[must_use]
    pub const fn is_exact(&self) -> bool {
        self.differences == 0
    }
}

fn place_cause(engine: &Engine, op: &Op, dma: u64, otherwise: Cause) -> Cause {
    let machine = engine.machine();
    let area_slots = machine.slots / machine.areas;
    let Some(slot) = engine.slot_of(dma) else {
        return otherwise;
    };
    if slot / area_slots != u32::from(op.cpu) & (machine.areas - 1) {
        return Cause::OtherArea;
    }
    let is_held = engine.all_held().any(|(_, held)| {
        let first = held.dma.and_then(|dma| engine.slot_of(dma));
        first.is_some_and(|first| (first..first + held.slots).contains(&slot))
    });
    if is_held {
        Cause::StillInUse
    } else {
        otherwise
    }
}
