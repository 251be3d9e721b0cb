//! The model of a Linux driver of the reference engine: the only place that knows both mappings and
//! registers. It acts and never judges; what it lends and expects it tells the scoreboard.

mod checks;
pub mod dma_engine_regs;
pub mod engine;
mod mapper;
mod misuse;
mod transfer;

pub use mapper::{Lease, Mapper, MapperCounts};
pub use transfer::Driver;
