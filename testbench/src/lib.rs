//! The testbench of Rebound: scenarios, drivers, scoreboard and reports, behind the program `rebound`.
#![forbid(unsafe_code)]

pub mod bench;
pub mod budget;
pub mod characterize;
pub mod cli;
pub mod driver;
pub mod error;
pub mod execute;
pub mod harness;
pub mod init;
pub mod lint_cmdline;
pub mod parallel;
pub mod pattern;
pub mod program;
pub mod replay;
pub mod report;
pub mod result;
pub mod runner;
pub mod scenario;
pub mod scoreboard;
pub mod seed;
pub mod size;
pub mod trace;
pub mod validate;
pub mod violation;
