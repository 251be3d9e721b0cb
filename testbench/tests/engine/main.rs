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
mod register_port;
mod registers;
mod ring;
mod ring_failures;
mod ring_work;
mod ringless;
mod rings;
mod sides;
mod silence;
mod stops;
mod straps;
mod tails;
mod timeouts;
mod torn;
mod wide;
