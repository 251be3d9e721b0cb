//! Turns at something that one task has at a time: who asks first has it first.
//!
//! A mutex promises no order, and so no bound for how long a CPU waits for a channel.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use futures::channel::oneshot;

/// What tasks take turns at; clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Turns {
    state: Rc<RefCell<State>>,
}

#[derive(Debug, Default)]
struct State {
    is_taken: bool,
    queue: VecDeque<oneshot::Sender<Turn>>,
}

/// The sole use, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    turns: Turns,
}

impl Turns {
    /// Waits for the turn of the caller.
    pub(super) async fn take(&self) -> Turn {
        loop {
            let waiting = {
                let mut state = self.state.borrow_mut();
                if !state.is_taken {
                    state.is_taken = true;
                    return Turn {
                        turns: self.clone(),
                    };
                }
                let (sender, receiver) = oneshot::channel();
                state.queue.push_back(sender);
                receiver
            };
            if let Ok(turn) = waiting.await {
                return turn;
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let heir = self.turns.state.borrow_mut().queue.pop_front();
        match heir {
            // An heir that no longer waits drops its turn, which passes it on.
            Some(heir) => drop(heir.send(Self {
                turns: self.turns.clone(),
            })),
            None => self.turns.state.borrow_mut().is_taken = false,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn turns_come_in_the_order_of_asking() {
        let turns = Turns::default();
        let first = turns.take().now_or_never().expect("it is free");
        let mut second = Box::pin(turns.take());
        let mut third = Box::pin(turns.take());
        assert!(second.as_mut().now_or_never().is_none());
        assert!(third.as_mut().now_or_never().is_none());
        drop(first);
        assert!(third.as_mut().now_or_never().is_none());
        let second = second.now_or_never().expect("its turn");
        assert!(turns.take().now_or_never().is_none(), "nobody pushes in");
        drop(second);
        assert!(third.now_or_never().is_some());
    }

    #[test]
    fn who_gives_up_is_passed_over() {
        let turns = Turns::default();
        let first = turns.take().now_or_never().expect("it is free");
        let mut second = Box::pin(turns.take());
        let mut third = Box::pin(turns.take());
        assert!(second.as_mut().now_or_never().is_none());
        assert!(third.as_mut().now_or_never().is_none());
        drop(second);
        drop(first);
        assert!(third.now_or_never().is_some());
        assert!(turns.take().now_or_never().is_some());
    }
}
