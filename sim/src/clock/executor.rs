//! The executor: driver tasks as futures, polled only when something woke one of them.
//!
//! It is `FuturesUnordered` of the `futures` crate with a waker of our own. `LocalPool` of the same
//! crate would do the same, but does not tell whether anything is to be done, and asking it costs more
//! than a simulated cycle.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures::StreamExt as _;
use futures::future::LocalBoxFuture;
use futures::stream::FuturesUnordered;

use super::Wait;

/// Set by any waker of any task.
#[derive(Debug)]
struct WakeFlag(AtomicBool);

impl Wake for WakeFlag {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What a task is called, and what it waits for.
#[derive(Debug)]
struct TaskEntry {
    name: String,
    is_background: bool,
    is_done: bool,
    waits: Vec<Wait>,
}

/// All tasks of a run, and the one that is being polled.
#[derive(Debug, Default)]
pub(crate) struct TaskTable {
    entries: RefCell<Vec<TaskEntry>>,
    incoming: RefCell<Vec<RunningTask>>,
    current: Cell<Option<usize>>,
    unfinished: Cell<usize>,
}

impl TaskTable {
    /// Notes what the task being polled waits for.
    pub(crate) fn note(&self, wait: Wait) {
        self.with_waits(|waits| waits.push(wait));
    }

    /// Polls a part of the task being polled, and notes its wait under a name. What the part itself waits for
    /// comes after the name, as the means.
    pub(crate) fn poll_named<T>(
        &self,
        name: &'static str,
        poll: impl FnOnce() -> Poll<T>,
    ) -> Poll<T> {
        let place = self.with_waits(|waits| waits.len());
        let result = poll();
        if result.is_pending()
            && let Some(place) = place
        {
            self.with_waits(|waits| waits.insert(place, Wait::Named(name)));
        }
        result
    }

    /// The waits of the task being polled, if one is.
    fn with_waits<T>(&self, act: impl FnOnce(&mut Vec<Wait>) -> T) -> Option<T> {
        let current = self.current.get()?;
        let mut entries = self.entries.borrow_mut();
        Some(act(&mut entries.get_mut(current)?.waits))
    }

    /// Returns how many foreground tasks have not finished.
    pub(crate) fn unfinished(&self) -> usize {
        self.unfinished.get()
    }

    /// Says who waits for what.
    pub(crate) fn report(&self) -> Vec<TaskReport> {
        self.entries
            .borrow()
            .iter()
            .enumerate()
            .filter(|(_, entry)| !entry.is_done)
            .map(|(task, entry)| TaskReport {
                task,
                name: entry.name.clone(),
                is_background: entry.is_background,
                waits: entry.waits.clone(),
            })
            .collect()
    }
}

/// An unfinished task and its waits, as of its last poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskReport {
    /// Number of the task, in the order of spawning.
    pub task: usize,
    /// Its name.
    pub name: String,
    /// Whether the run ends without it.
    pub is_background: bool,
    /// What it waits for; several, if it waits for the first of them. After a [`Wait::Named`] comes what the
    /// named wait rests on.
    pub waits: Vec<Wait>,
}

impl fmt::Display for TaskReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task {} `{}` waits for ", self.task, self.name)?;
        if self.waits.is_empty() {
            return write!(f, "{}", Wait::Other);
        }
        let is_name = |wait: &Wait| matches!(wait, Wait::Named(_));
        let mut waits = self.waits.iter().peekable();
        while let Some(wait) = waits.next() {
            write!(f, "{wait}")?;
            match waits.peek() {
                Some(next) if is_name(wait) && !is_name(next) => f.write_str(": ")?,
                Some(_) => f.write_str(" or ")?,
                None => {}
            }
        }
        Ok(())
    }
}

/// A task's result, once there is one, and who waits for it.
struct JoinState<T> {
    result: Cell<Option<T>>,
    is_done: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

/// A spawned task: await it in another task, or take its result after the run. Dropping it changes
/// nothing, the task runs on.
pub struct Task<T> {
    number: usize,
    state: Rc<JoinState<T>>,
    table: Rc<TaskTable>,
}

impl<T> Task<T> {
    /// Returns whether the task has finished.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.state.is_done.get()
    }

    /// Takes the result, if the task has finished and nobody took it before.
    #[must_use]
    pub fn take(&self) -> Option<T> {
        self.state.result.take()
    }
}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("number", &self.number)
            .field("is_finished", &self.is_finished())
            .finish_non_exhaustive()
    }
}

impl<T> Future for Task<T> {
    type Output = T;

    /// # Panics
    /// If the result was taken before.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        if self.is_finished() {
            let result = self.state.result.take();
            return Poll::Ready(result.expect("a task's result is awaited or taken only once"));
        }
        self.table.note(Wait::Join { task: self.number });
        *self.state.waker.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// A future on its way through the executor, under its name.
struct RunningTask {
    number: usize,
    table: Rc<TaskTable>,
    future: LocalBoxFuture<'static, ()>,
}

impl fmt::Debug for RunningTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningTask")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

impl Future for RunningTask {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if let Some(entry) = this.table.entries.borrow_mut().get_mut(this.number) {
            entry.waits.clear();
        }
        this.table.current.set(Some(this.number));
        let poll = this.future.as_mut().poll(cx);
        this.table.current.set(None);
        if poll.is_ready()
            && let Some(entry) = this.table.entries.borrow_mut().get_mut(this.number)
        {
            entry.is_done = true;
            if !entry.is_background {
                this.table.unfinished.set(this.table.unfinished.get() - 1);
            }
        }
        poll
    }
}

/// Puts a future among the tasks; it is polled first when the executor runs next.
pub(crate) fn spawn<T: 'static>(
    table: &Rc<TaskTable>,
    name: &str,
    is_background: bool,
    future: impl Future<Output = T> + 'static,
) -> Task<T> {
    let state = Rc::new(JoinState {
        result: Cell::new(None),
        is_done: Cell::new(false),
        waker: RefCell::new(None),
    });
    let mut entries = table.entries.borrow_mut();
    let number = entries.len();
    entries.push(TaskEntry {
        name: name.to_owned(),
        is_background,
        is_done: false,
        waits: Vec::new(),
    });
    if !is_background {
        table.unfinished.set(table.unfinished.get() + 1);
    }
    let finish = Rc::clone(&state);
    let future = async move {
        finish.result.set(Some(future.await));
        finish.is_done.set(true);
        if let Some(waker) = finish.waker.take() {
            waker.wake();
        }
    };
    table.incoming.borrow_mut().push(RunningTask {
        number,
        table: Rc::clone(table),
        future: Box::pin(future),
    });
    Task {
        number,
        state,
        table: Rc::clone(table),
    }
}

/// Polls tasks.
#[derive(Debug)]
pub(crate) struct Executor {
    table: Rc<TaskTable>,
    tasks: FuturesUnordered<RunningTask>,
    flag: Arc<WakeFlag>,
    waker: Waker,
}

impl Executor {
    pub(crate) fn new(table: Rc<TaskTable>) -> Self {
        let flag = Arc::new(WakeFlag(AtomicBool::new(false)));
        Self {
            table,
            tasks: FuturesUnordered::new(),
            waker: Waker::from(Arc::clone(&flag)),
            flag,
        }
    }

    /// Returns whether a task was woken since the last run.
    #[inline]
    pub(crate) fn is_woken(&self) -> bool {
        self.flag.0.load(Ordering::Relaxed)
    }

    /// Polls until every task waits.
    pub(crate) fn run(&mut self) {
        let mut context = Context::from_waker(&self.waker);
        loop {
            let incoming = self.table.incoming.take();
            let has_new = !incoming.is_empty();
            self.tasks.extend(incoming);
            let was_woken = self.flag.0.swap(false, Ordering::Relaxed);
            if !has_new && !was_woken {
                return;
            }
            while let Poll::Ready(Some(())) = self.tasks.poll_next_unpin(&mut context) {}
        }
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        // A task holds the state that holds it until it is polled first: break the circle.
        drop(self.table.incoming.take());
    }
}
