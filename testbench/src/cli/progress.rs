//! Progress of a long step: a bar on a terminal, plain lines elsewhere, such as in the log of a CI.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Least time between two plain lines.
const LINE_EVERY: Duration = Duration::from_secs(1);

/// Progress of steps that have names and whose number may grow, on the standard error.
#[derive(Debug)]
pub(super) struct Steps {
    bar: ProgressBar,
    last: Mutex<Instant>,
}

impl Steps {
    /// No step yet.
    pub(super) fn new() -> Self {
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        Self {
            bar: ProgressBar::new(0).with_style(style),
            last: Mutex::new(Instant::now()),
        }
    }

    /// Says which step begins now.
    pub(super) fn show(&self, done: usize, all: usize, what: &str) {
        self.bar.set_length(all as u64);
        self.bar.set_position(done as u64);
        self.bar.set_message(what.to_owned());
        if self.bar.is_hidden()
            && let Ok(mut last) = self.last.lock()
            && last.elapsed() >= LINE_EVERY
        {
            *last = Instant::now();
            eprintln!("{done} of {all}: {what}");
        }
    }

    /// All steps are done.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// Progress of one step, on the standard error.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    lines: Option<Mutex<Lines>>,
}

/// The state of plain lines.
#[derive(Debug)]
struct Lines {
    what: &'static str,
    done: usize,
    total: usize,
    last: Instant,
}

impl Progress {
    /// A step that says how far it is, in plain lines if there is no terminal.
    pub(super) fn new(total: usize, what: &'static str) -> Self {
        let progress = Self::quiet(total, what);
        if !progress.bar.is_hidden() {
            return progress;
        }
        let lines = Lines {
            what,
            done: 0,
            total,
            last: Instant::now(),
        };
        eprintln!("{what}: {total}; those of an earlier run are taken from the cache");
        Self {
            lines: Some(Mutex::new(lines)),
            ..progress
        }
    }

    /// A step that prints lines of its own: only a terminal gets a bar beside them.
    pub(super) fn quiet(total: usize, what: &'static str) -> Self {
        let style = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::new(total as u64)
            .with_style(style)
            .with_message(what);
        Self { bar, lines: None }
    }

    /// One more part is done.
    pub(super) fn advance(&self) {
        self.bar.inc(1);
        if let Some(Ok(mut lines)) = self.lines.as_ref().map(Mutex::lock) {
            lines.done += 1;
            if lines.last.elapsed() >= LINE_EVERY {
                lines.last = Instant::now();
                eprintln!("{}: {} of {} done", lines.what, lines.done, lines.total);
            }
        }
    }

    /// Takes the bar away while something else is printed.
    pub(super) fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }

    /// The step is over.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
