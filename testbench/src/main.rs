//! The `rebound` program.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    rebound::cli::main()
}
