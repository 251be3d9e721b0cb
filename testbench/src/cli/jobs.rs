//! `--jobs`: how much is done at a time.

use std::num::NonZeroUsize;

pub(super) fn job_count(text: &str) -> Result<NonZeroUsize, String> {
    text.parse()
        .map_err(|_| "expected a number of runs from 1 up".into())
}

/// Returns how much is done at a time: what was asked for, or as much as the machine has cores.
pub(super) fn jobs_or_all(jobs: Option<NonZeroUsize>) -> usize {
    jobs.or_else(|| std::thread::available_parallelism().ok())
        .map_or(1, NonZeroUsize::get)
}
