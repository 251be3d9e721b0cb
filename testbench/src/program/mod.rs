//! The control program of a manifest, carried out by a CPU: what a Linux driver of the core would do.
//!
//! It knows no buffers and no mappings: it gets DMA addresses and a length that the core takes in one piece, and
//! says how the transfer ended.

mod access;
mod error;
mod interpreter;
mod steps;
mod streams;
mod symbols;
mod units;

pub use error::{StepError, StepProblem};
pub use interpreter::{Completion, Interpreter};
pub(crate) use streams::RESET_CYCLES;
pub use symbols::Symbols;
pub use units::units;
