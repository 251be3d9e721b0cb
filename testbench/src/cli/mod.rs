//! The command line: one file for each subcommand.

mod bench;
mod bench_rtl;
mod characterize;
mod characterize_one;
mod core;
mod figures_files;
mod init;
mod jobs;
mod lint_cmdline;
mod list;
mod machine_args;
mod price;
mod price_one;
mod progress;
mod replay;
mod run_one;
mod sim;
mod size;
mod sweep;
mod validate;
mod validate_one;
mod validate_watch;
mod vectors;
mod waves;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::UsageError;

pub use run_one::RunOne;
pub use sim::Sim;

/// Exit code of a run without violations.
const PASS: u8 = 0;
/// Exit code of a run with violations.
const VIOLATIONS: u8 = 1;
/// Exit code of a wrong request or environment.
const USAGE: u8 = 2;

/// Validates DMA-limited IP cores: a Verilated core, a simulated bus, Linux's bounce buffers.
///
/// Start with `rebound sim`: it builds the reference engine, runs it through the whole suite and prints
/// a verdict for each scenario. `rebound list` says what each scenario does and judges.
///
/// Exit codes: 0 all as expected, 1 violations, 2 wrong usage or environment.
#[derive(Debug, Parser)]
#[command(name = "rebound", version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Sim(Sim),
    Validate(validate::Validate),
    Characterize(characterize::Characterize),
    List(list::List),
    Vectors(vectors::Vectors),
    Waves(waves::Waves),
    Bench(bench::Bench),
    Init(init::Init),
    Replay(replay::Replay),
    Size(size::Size),
    LintCmdline(lint_cmdline::LintCmdline),
    #[command(hide = true)]
    RunOne(RunOne),
    #[command(hide = true)]
    ValidateOne(validate_one::ValidateOne),
    #[command(hide = true)]
    CharacterizeOne(characterize_one::CharacterizeOne),
    #[command(hide = true)]
    BenchOne(bench::BenchOne),
    #[command(hide = true)]
    BenchRtlOne(bench_rtl::BenchRtlOne),
    #[command(hide = true)]
    PriceOne(price_one::PriceOne),
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All as expected.
    Pass,
    /// Violations, failed rows, or missed faults.
    Violations,
    /// Wrong usage or environment, of which the user has been told already.
    Told,
}

/// Reads the command line, runs the command and returns the exit code.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        Command::Sim(command) => command.run(),
        Command::Validate(command) => command.run(),
        Command::Characterize(command) => command.run(),
        Command::List(command) => command.run(),
        Command::Vectors(command) => command.run(),
        Command::Waves(command) => command.run(),
        Command::Bench(command) => command.run(),
        Command::Init(command) => command.run(),
        Command::Replay(command) => command.run(),
        Command::Size(command) => command.run(),
        Command::LintCmdline(command) => command.run(),
        Command::RunOne(command) => command.run(),
        Command::ValidateOne(command) => command.run(),
        Command::CharacterizeOne(command) => command.run(),
        Command::BenchOne(command) => command.run(),
        Command::BenchRtlOne(command) => command.run(),
        Command::PriceOne(command) => command.run(),
    };
    match outcome {
        Ok(Outcome::Pass) => ExitCode::from(PASS),
        Ok(Outcome::Violations) => ExitCode::from(VIOLATIONS),
        Ok(Outcome::Told) => ExitCode::from(USAGE),
        Err(error) => {
            eprintln!("{:?}", error.into_report());
            ExitCode::from(USAGE)
        }
    }
}

/// Writes a line to the standard output; a reader that has gone away, as `head` does, is no error.
fn say(line: &str) -> Result<(), UsageError> {
    use std::io::Write as _;
    match writeln!(std::io::stdout(), "{line}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(
            UsageError::from_error("cannot write to the standard output", &error),
        ),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
