//! Work on several things at a time, with results in their order.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use crate::error::UsageError;

/// Does `work` for each of `items`, `jobs` at a time.
///
/// `finished` is called for each in the order of `items`, as soon as it and all before it are done.
///
/// # Errors
/// The first error; what has not begun is then not started.
pub fn in_parallel<T: Sync, R: Send>(
    items: &[T],
    jobs: usize,
    work: impl Fn(&T) -> Result<R, UsageError> + Sync,
    mut finished: impl FnMut(usize, R),
) -> Result<(), UsageError> {
    let next = AtomicUsize::new(0);
    let failure: Mutex<Option<UsageError>> = Mutex::new(None);
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, items.len().max(1)) {
            let (sender, next, failure, work) = (sender.clone(), &next, &failure, &work);
            scope.spawn(move || {
                while let Some((index, item)) = claim(items, next) {
                    match work(item) {
                        // The receiver only goes away with this scope.
                        Ok(result) => drop(sender.send((index, result))),
                        Err(error) => {
                            next.store(items.len(), Ordering::Relaxed);
                            if let Ok(mut slot) = failure.lock() {
                                slot.get_or_insert(error);
                            }
                        }
                    }
                }
            });
        }
        drop(sender);
        let mut waiting = BTreeMap::new();
        let mut due = 0;
        for (index, result) in receiver {
            waiting.insert(index, result);
            while let Some(result) = waiting.remove(&due) {
                finished(due, result);
                due += 1;
            }
        }
    });
    failure.into_inner().ok().flatten().map_or(Ok(()), Err)
}

fn claim<'a, T>(items: &'a [T], next: &AtomicUsize) -> Option<(usize, &'a T)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    items.get(index).map(|item| (index, item))
}
