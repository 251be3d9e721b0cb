//! `rebound vectors`: replays golden traces of a bounce-buffer allocator.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use swiotlb::vectors::{Summary, VectorError, replay_files};

use crate::cli::{Outcome, say};
use crate::error::UsageError;

/// Replay golden traces of Linux's bounce buffers and compare every answer
///
/// A trace is a `.csv` or `.csv.gz` file in the format of swiotlb/tests/vectors/README.md. Every row of it is
/// carried out and compared.
#[derive(Debug, Args)]
pub(crate) struct Vectors {
    /// The traces
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print the totals only, and what failed
    #[arg(long)]
    quiet: bool,
}

impl Vectors {
    pub(super) fn run(&self) -> Result<Outcome, UsageError> {
        let mut total = Summary::default();
        let start = Instant::now();
        for (file, summary) in self.files.iter().zip(replay_files(&self.files)) {
            let summary = summary.map_err(|error| explain(&error))?;
            if summary.scenarios_run == 0 {
                return Err(UsageError::new(format!(
                    "{}: expected at least one scenario, found none",
                    file.display()
                ))
                .help("swiotlb/tests/vectors/README.md describes the format"));
            }
            if !self.quiet {
                say(&format!("{}: {}", file.display(), text(&summary)))?;
            }
            if let Some(failure) = &summary.first_failure {
                say(&format!("FAIL {failure}"))?;
            }
            total.add(summary);
        }
        let files = self.files.len();
        say(&format!(
            "{files} files: {}; {}",
            text(&total),
            speed(total.rows_checked, start.elapsed())
        ))?;
        Ok(if total.is_pass() {
            Outcome::Pass
        } else {
            Outcome::Violations
        })
    }
}

fn text(summary: &Summary) -> String {
    format!(
        "{} scenarios, {} rows checked, {} failed",
        summary.scenarios_run,
        summary.rows_checked,
        summary.rows_failed + summary.starts_failed
    )
}

fn speed(rows: u64, time: Duration) -> String {
    let nanoseconds = time.as_nanos().max(1);
    let thousands = u128::from(rows) * 1_000_000 / nanoseconds;
    format!(
        "{} ms, {}.{:02} million rows per second",
        time.as_millis(),
        thousands / 1000,
        thousands % 1000 / 10
    )
}

fn explain(error: &VectorError) -> UsageError {
    let help = match error {
        VectorError::Unreadable { .. } => {
            "name a readable trace; those of the project are in swiotlb/tests/vectors"
        }
        _ => "swiotlb/tests/vectors/README.md describes the format",
    };
    UsageError::from_error("the trace cannot be replayed", error).help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_that_came_out_otherwise_counts_as_a_failure() {
        let summary = Summary {
            scenarios_run: 1,
            starts_failed: 1,
            rows_checked: 12,
            rows_failed: 2,
            ..Summary::default()
        };
        assert_eq!(text(&summary), "1 scenarios, 12 rows checked, 3 failed");
    }

    #[test]
    fn speed_is_rows_over_time() {
        let second = Duration::from_secs(1);
        assert_eq!(
            speed(2_340_000, second),
            "1000 ms, 2.34 million rows per second"
        );
        assert!(speed(0, Duration::ZERO).starts_with("0 ms, 0.00"));
    }
}
