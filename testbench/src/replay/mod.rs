//! Replay: what a traced load asks of the bounce layer, asked again of crate `swiotlb`.
//!
//! The stages: events are paired into mappings ([`Load`]), a machine is found or given ([`Machine`]),
//! the load is carried out on it ([`Engine`]), and what happens is counted ([`Figures`]) and compared
//! with the trace ([`SelfCheck`]).

mod check;
mod copies;
mod doubts;
mod driver;
mod engine;
mod failures;
mod figures;
mod levels;
mod live;
mod load;
mod machine;
mod op;
mod pace;
mod pairing;
#[cfg(test)]
pub(crate) mod planted;
mod plot;
pub mod price;
mod queue;
mod report;
mod request;
mod run;
mod sequence;
mod spool;
mod survey;
mod tally;
mod units;
mod whatif;

pub use check::{Cause, Difference, SelfCheck};
pub use doubts::doubts;
pub use engine::{Answer, Engine, Held};
pub use figures::{Cell, Figures, POINTS, PhaseFigures, Point};
pub use levels::{Level, Lifetimes};
pub use load::Load;
pub use machine::{DeviceConfig, Known, Machine, Recorded, Source};
pub use op::{MapOp, MappingId, Op, OpKind, Seen};
pub use plot::{sparkline, svg};
pub use report::{Report, Row, text};
pub use run::{Recording, ReplayError, fit_alignment, replay_recorded};
pub use sequence::Sequencer;
pub use spool::{Cursor, Spool};
pub use survey::{Count, DeviceSurvey, Misfits, Phase, Survey};
pub use tally::Share;
pub use units::{bytes_text, percent, time_text};
pub use whatif::{Change, Failure, WhatIf, what_if};
