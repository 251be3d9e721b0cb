//! Plain wires: interrupts and status out of the core, enables into it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::clock::{Wait, WaitTimeout};
use crate::host::Host;

/// Someone who waits for a value on a wire.
#[derive(Debug)]
struct Waiter {
    key: u64,
    index: usize,
    mask: u64,
    value: u64,
    waker: Waker,
}

/// The wires out of the core and who waits for them.
#[derive(Debug, Default)]
pub(crate) struct WiresOut {
    values: Vec<u64>,
    waiters: Vec<Waiter>,
    next_key: u64,
}

impl WiresOut {
    pub(crate) fn new(wires: usize) -> Self {
        Self {
            values: vec![0; wires],
            waiters: Vec::new(),
            next_key: 0,
        }
    }

    #[inline]
    pub(crate) fn is_awaited(&self) -> bool {
        !self.waiters.is_empty()
    }

    /// Wakes those whose value has come.
    #[inline]
    pub(crate) fn wake(&mut self, pins: &[u64]) {
        let has_come = |waiter: &Waiter| pins[waiter.index] & waiter.mask == waiter.value;
        if self.waiters.iter().any(has_come) {
            self.wake_some(pins);
        }
    }

    #[cold]
    fn wake_some(&mut self, pins: &[u64]) {
        self.waiters.retain_mut(|waiter| {
            let has_come = pins[waiter.index] & waiter.mask == waiter.value;
            if has_come {
                waiter.waker.wake_by_ref();
            }
            !has_come
        });
    }

    /// Takes over what the core drives, for tasks to see.
    #[inline]
    pub(crate) fn update(&mut self, pins: &[u64]) {
        self.values.copy_from_slice(pins);
    }
}

/// A wire out of the core, as a task holds it.
#[derive(Debug, Clone)]
pub struct Wire {
    host: Host,
    index: usize,
}

impl Wire {
    pub(crate) const fn new(host: Host, index: usize) -> Self {
        Self { host, index }
    }

    /// Returns the value in the last cycle.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.host.shared().wires_out.borrow().values[self.index]
    }

    /// Returns whether any bit is high.
    #[must_use]
    pub fn is_high(&self) -> bool {
        self.value() != 0
    }

    /// Waits, at most `limit` cycles, until bit 0 is high; ready at once if it is.
    ///
    /// # Errors
    /// If it stays low.
    pub async fn wait_high(&self, limit: u64) -> Result<(), WaitTimeout> {
        self.wait_for(1, 1, limit).await
    }

    /// Waits, at most `limit` cycles, until bit 0 is low; ready at once if it is.
    ///
    /// # Errors
    /// If it stays high.
    pub async fn wait_low(&self, limit: u64) -> Result<(), WaitTimeout> {
        self.wait_for(1, 0, limit).await
    }

    /// Waits, at most `limit` cycles, until the bits of `mask` have `value`; ready at once if they have.
    ///
    /// # Errors
    /// If they do not get it.
    pub async fn wait_for(&self, mask: u64, value: u64, limit: u64) -> Result<(), WaitTimeout> {
        let wait = Wait::Wire {
            index: self.index,
            mask,
            value,
        };
        let level = Level {
            wire: self,
            mask,
            value: value & mask,
            key: None,
        };
        self.host.limit_of(limit, wait, level).await
    }
}

/// Waits for a level.
struct Level<'a> {
    wire: &'a Wire,
    mask: u64,
    value: u64,
    key: Option<u64>,
}

impl Future for Level<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let wire = self.wire;
        let shared = wire.host.shared();
        let mut wires = shared.wires_out.borrow_mut();
        let (index, mask, value) = (wire.index, self.mask, self.value);
        if wires.values[index] & mask == value {
            return Poll::Ready(());
        }
        let key = self.key;
        let known = wires
            .waiters
            .iter_mut()
            .find(|waiter| Some(waiter.key) == key);
        if let Some(waiter) = known {
            waiter.waker.clone_from(cx.waker());
        } else {
            let key = wires.next_key;
            wires.next_key += 1;
            wires.waiters.push(Waiter {
                key,
                index,
                mask,
                value,
                waker: cx.waker().clone(),
            });
            self.key = Some(key);
        }
        shared.tasks.note(Wait::Wire { index, mask, value });
        Poll::Pending
    }
}

impl Drop for Level<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            let mut wires = self.wire.host.shared().wires_out.borrow_mut();
            wires.waiters.retain(|waiter| waiter.key != key);
        }
    }
}

/// A wire into the core, as a task holds it.
#[derive(Debug, Clone)]
pub struct WireIn {
    host: Host,
    index: usize,
}

impl WireIn {
    pub(crate) const fn new(host: Host, index: usize) -> Self {
        Self { host, index }
    }

    /// Drives a value from the next cycle on.
    pub fn set(&self, value: u64) {
        let shared = self.host.shared();
        shared.wires_in.borrow_mut()[self.index] = value;
        shared.inputs_changed.set(true);
    }

    /// Returns the value that is driven.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.host.shared().wires_in.borrow()[self.index]
    }
}
