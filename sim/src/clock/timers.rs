//! Timers on the simulated clock.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::task::Waker;

/// A due time in the heap: cycle, order of setting, slot, generation of the slot.
type Entry = Reverse<(u64, u64, usize, u64)>;

/// Names a timer that was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimerKey {
    slot: usize,
    generation: u64,
}

#[derive(Debug, Default)]
struct Slot {
    generation: u64,
    waker: Option<Waker>,
}

/// All timers, earliest first; those of one cycle in the order in which they were set.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Entry>,
    slots: Vec<Slot>,
    free: Vec<usize>,
    set_so_far: u64,
}

impl Timers {
    /// Returns the cycle of the earliest timer, `u64::MAX` without any. It may be of a cancelled one.
    pub(crate) fn next_due(&self) -> u64 {
        self.heap.peek().map_or(u64::MAX, |Reverse(entry)| entry.0)
    }

    pub(crate) fn set(&mut self, due: u64, waker: Waker) -> TimerKey {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            self.slots.len() - 1
        });
        self.slots[slot].waker = Some(waker);
        let generation = self.slots[slot].generation;
        self.set_so_far += 1;
        self.heap
            .push(Reverse((due, self.set_so_far, slot, generation)));
        TimerKey { slot, generation }
    }

    /// Changes who is woken.
    pub(crate) fn renew(&mut self, key: TimerKey, waker: &Waker) {
        let slot = &mut self.slots[key.slot];
        if slot.generation == key.generation
            && let Some(old) = &mut slot.waker
        {
            old.clone_from(waker);
        }
    }

    /// Takes a timer back; nothing happens if it has fired.
    pub(crate) fn cancel(&mut self, key: TimerKey) {
        if self.slots[key.slot].generation != key.generation {
            return;
        }
        self.release(key.slot);
        // Waits with a limit leave a cancelled timer each: do not let them pile up until their time.
        let live = self.slots.len() - self.free.len();
        if self.heap.len() > 64 && self.heap.len() > 2 * live {
            let slots = &self.slots;
            self.heap
                .retain(|Reverse((_, _, slot, generation))| slots[*slot].generation == *generation);
        }
    }

    /// Takes the waker of the next timer due at or before `cycle`.
    pub(crate) fn pop_due(&mut self, cycle: u64) -> Option<Waker> {
        while let Some(Reverse((due, _, slot, generation))) = self.heap.peek().copied() {
            if due > cycle {
                return None;
            }
            self.heap.pop();
            if self.slots[slot].generation == generation
                && let Some(waker) = self.release(slot)
            {
                return Some(waker);
            }
        }
        None
    }

    fn release(&mut self, slot: usize) -> Option<Waker> {
        self.free.push(slot);
        self.slots[slot].generation += 1;
        self.slots[slot].waker.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use std::task::Wake;

    struct Recorder(u32, Arc<Mutex<Vec<u32>>>);

    impl Wake for Recorder {
        fn wake(self: Arc<Self>) {
            self.1.lock().unwrap().push(self.0);
        }
    }

    #[test]
    fn timers_fire_by_cycle_and_then_in_the_order_of_setting() {
        let woken = Arc::new(Mutex::new(Vec::new()));
        let waker = |name| Waker::from(Arc::new(Recorder(name, Arc::clone(&woken))));
        let mut timers = Timers::default();
        timers.set(20, waker(1));
        timers.set(10, waker(2));
        let cancelled = timers.set(10, waker(3));
        let fired = timers.set(10, waker(4));
        timers.cancel(cancelled);
        assert_eq!(timers.next_due(), 10);
        assert!(timers.pop_due(9).is_none());
        while let Some(waker) = timers.pop_due(15) {
            waker.wake();
        }
        assert_eq!(*woken.lock().unwrap(), [2, 4]);
        assert_eq!(timers.next_due(), 20);
        timers.cancel(fired);
        while let Some(waker) = timers.pop_due(20) {
            waker.wake();
        }
        assert_eq!(*woken.lock().unwrap(), [2, 4, 1]);
        assert_eq!(timers.next_due(), u64::MAX);
    }

    #[test]
    fn cancelled_timers_do_not_pile_up() {
        let mut timers = Timers::default();
        for _ in 0..10_000 {
            let key = timers.set(1_000_000, Waker::noop().clone());
            timers.cancel(key);
        }
        assert!(timers.heap.len() <= 130, "{}", timers.heap.len());
        assert_eq!(timers.slots.len(), 1);
    }
}
