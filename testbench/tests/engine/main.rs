//! The reference engine at register level, on the verilated RTL: each row of the tables in `rtl/README.md`.

mod bench;
mod coalescing;
mod counters;
mod cycles;
mod diagrams;
mod failures;
mod fields;
mod lengths;
mod limits;
mod packets;
mod parameters;
mod registers;
mod ring;
mod ring_work;
mod ringless;
mod rings;
mod stops;
mod straps;
mod tails;
mod timeouts;
mod torn;
mod wide;
