//! The testbench of Rebound: scenarios, drivers, scoreboard and reports, behind the program `rebound`.
#![forbid(unsafe_code)]

pub mod pattern;
pub mod scoreboard;
pub mod seed;
pub mod violation;
