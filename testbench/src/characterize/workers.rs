//! Runs measurements side by side, each with a laboratory of its own, and hands their results back in order.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Step;
use super::lab::Lab;
use super::session::{Notes, Session, Shape};
use crate::error::UsageError;

/// A measurement to run.
pub(super) struct Task<T> {
    /// What is measured, in words.
    pub(super) what: String,
    /// Ports of its direction.
    pub(super) shape: Shape,
    /// The measurement.
    pub(super) run: Measurement<T>,
}

/// A measurement.
pub(super) type Measurement<T> = Box<dyn FnOnce(&mut Session<'_>) -> Result<T, UsageError> + Send>;

impl<T> std::fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Task")
            .field("what", &self.what)
            .finish_non_exhaustive()
    }
}

/// What came of a measurement, with its notes.
type Noted<T> = Result<(T, Notes), UsageError>;

/// Makes a laboratory.
pub(super) type MakeLab<'a> = dyn Fn() -> Box<dyn Lab + Send> + Sync + 'a;

/// Laboratories, and how many measurements are done of how many.
pub(super) struct Workers<'a> {
    make: &'a MakeLab<'a>,
    idle: Mutex<Vec<Box<dyn Lab + Send>>>,
    jobs: usize,
    progress: &'a (dyn Fn(Step) + Sync),
    done: AtomicUsize,
    all: usize,
}

impl std::fmt::Debug for Workers<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Workers")
            .field("jobs", &self.jobs)
            .finish_non_exhaustive()
    }
}

impl<'a> Workers<'a> {
    /// Prepares `jobs` workers for `all` measurements.
    pub(super) fn new(
        make: &'a MakeLab<'a>,
        jobs: usize,
        all: usize,
        progress: &'a (dyn Fn(Step) + Sync),
    ) -> Self {
        Self {
            make,
            idle: Mutex::default(),
            jobs: jobs.max(1),
            progress,
            done: AtomicUsize::new(0),
            all,
        }
    }

    /// Runs all tasks; the results are in their order.
    ///
    /// # Errors
    /// The first error of the environment, in the order of the tasks.
    pub(super) fn run<T: Send>(&self, tasks: Vec<Task<T>>) -> Result<Vec<(T, Notes)>, UsageError> {
        let count = tasks.len();
        let waiting = Mutex::new(tasks.into_iter().enumerate());
        let results: Mutex<Vec<Option<Noted<T>>>> = Mutex::new((0..count).map(|_| None).collect());
        std::thread::scope(|scope| {
            for _ in 0..self.jobs.min(count) {
                scope.spawn(|| {
                    let mut lab = self.lab();
                    while let Some((number, task)) = next(&waiting) {
                        let result = self.one(lab.as_mut(), task);
                        if let Ok(mut results) = results.lock() {
                            results[number] = Some(result);
                        }
                    }
                    if let Ok(mut idle) = self.idle.lock() {
                        idle.push(lab);
                    }
                });
            }
        });
        let results = results.into_inner().unwrap_or_default();
        results.into_iter().flatten().collect()
    }

    fn one<T>(&self, lab: &mut dyn Lab, task: Task<T>) -> Noted<T> {
        (self.progress)(Step {
            what: task.what,
            done: self.done.load(Ordering::Relaxed),
            all: self.all,
        });
        let mut session = Session::new(lab, task.shape);
        let result = (task.run)(&mut session)?;
        self.done.fetch_add(1, Ordering::Relaxed);
        Ok((result, session.notes))
    }

    fn lab(&self) -> Box<dyn Lab + Send> {
        let idle = self.idle.lock().ok().and_then(|mut idle| idle.pop());
        idle.unwrap_or_else(|| (self.make)())
    }
}

fn next<T>(
    waiting: &Mutex<std::iter::Enumerate<std::vec::IntoIter<Task<T>>>>,
) -> Option<(usize, Task<T>)> {
    waiting.lock().ok()?.next()
}
