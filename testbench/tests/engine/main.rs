//! The reference engine at register level, on the verilated RTL: each row of the tables in `rtl/README.md`.

mod bench;
mod cycles;
mod diagrams;
mod failures;
mod limits;
mod packets;
mod parameters;
mod register_port;
mod registers;
mod ring;
mod ring_failures;
mod ringless;
mod rings;
mod sides;
mod silence;
mod stops;
mod straps;
mod timeouts;
mod torn;
