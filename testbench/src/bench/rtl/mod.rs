//! `rebound bench rtl`: how well the reference engine uses its bus, in simulated cycles.
//!
//! The bus is an ideal memory: addresses and write data are always taken, up to 1024 bursts each way; the first beat of
//! a read can be taken L cycles after its AR, then one beat a cycle, bursts in order and back to back; B can be taken L
//! cycles after the last W. That is [`BusPolicy::with_latency`](rebound_sim::axi::BusPolicy::with_latency). The same
//! memory was used to measure the open DMA cores of `peers.csv`; `PEERS.md` says how.
//!
//! Cycles follow from the core and the cell alone: they are the same on every machine and in every run.

mod against;
mod cell;
mod drive;
mod layout;
mod measure;
mod registers;
mod ring;
mod row;
mod table;

pub use against::Against;
pub use cell::{Cell, LATENCIES, MANY, Mode, WIDTHS, cells};
pub use measure::{Measured, measure};
pub use row::Row;
pub use table::{lines, summary};

use crate::scenario::plan::EnginePlan;

/// Bursts in flight, each way, of the engines that are measured.
pub const IN_FLIGHT: [u32; 2] = [64, 16];
/// Address bits of the engines that are measured.
const ADDR_BITS: u32 = 32;

/// The engine for a data width, with so many bursts in flight each way, and room for as many in its FIFO.
#[must_use]
pub fn engine(data_width: u32, in_flight: u32) -> EnginePlan {
    let usual = EnginePlan::bits(ADDR_BITS);
    let room = (in_flight * usual.max_burst_beats).next_power_of_two();
    EnginePlan {
        data_width,
        max_reads: in_flight,
        max_writes: in_flight,
        fifo_depth: usual.fifo_depth.max(room),
        ..usual
    }
}

/// The name of a core that has so many bursts in flight, as in the column `core`.
#[must_use]
pub fn core_name(core: &str, in_flight: u32) -> String {
    format!("{core} ({in_flight} in flight)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fifo_holds_all_reads_in_flight() {
        for in_flight in [1, 16, 64, 255] {
            let engine = engine(64, in_flight);
            assert!(engine.fifo_depth.is_power_of_two());
            assert_eq!(engine.reads_in_flight(), in_flight);
        }
    }
}
