//! The model of a Linux driver of the reference engine: the only place that knows both mappings and
//! registers. It acts and never judges; what it lends and expects it tells the scoreboard.

mod account;
mod checks;
mod content;
pub mod dma_engine_descriptor;
pub mod dma_engine_regs;
pub mod engine;
mod list;
mod mapper;
mod mistakes;
mod misuse;
mod overreach;
mod pages;
mod ring;
mod spare;
mod straps;
mod transfer;
mod turn;

pub use mapper::{Lease, Mapper, MapperCounts, RETRY_CYCLES, Request};
pub use pages::Pages;
pub use ring::POLL_CYCLES;
pub use spare::{SpareChange, SpareLog, SpareMemory};
pub use transfer::Driver;
