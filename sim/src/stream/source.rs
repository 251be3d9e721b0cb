//! The source: sends packets into the core.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::{Packet, StreamCounters};
use crate::clock::{Wait, WaitTimeout};
use crate::host::Host;
use crate::pins::AxiStreamPins;
use crate::seed::Seed;
use crate::stall::{Stall, StallError, Staller};

/// Tells the sender when its packet is through.
#[derive(Debug, Default)]
struct Receipt {
    is_sent: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

/// One stream into the core.
#[derive(Debug)]
pub(crate) struct SourcePort {
    data_bytes: usize,
    stall: Staller,
    queue: VecDeque<(Packet, Rc<Receipt>)>,
    /// Bytes of the first packet that were taken.
    sent: usize,
    /// Bytes of the beat on the pins, while there is one.
    held: Option<usize>,
    /// The core has just left reset: TVALID may rise one cycle later (IHI 0051, 2.7.2).
    is_fresh: bool,
    counters: StreamCounters,
}

impl SourcePort {
    pub(crate) fn new(
        port: usize,
        data_bytes: u32,
        stall: Stall,
        seed: Seed,
    ) -> Result<Self, StallError> {
        Ok(Self {
            data_bytes: data_bytes as usize,
            stall: Staller::new(stall, seed, &format!("stream.source.{port}.stall"))?,
            queue: VecDeque::new(),
            sent: 0,
            held: None,
            is_fresh: false,
            counters: StreamCounters::default(),
        })
    }

    #[inline]
    pub(crate) fn drive(&mut self, pins: &mut AxiStreamPins) {
        let stalls = self.stall.stalls();
        if self.held.is_some() {
            return;
        }
        let waits = std::mem::take(&mut self.is_fresh) || stalls;
        let packet = self.queue.front().filter(|_| !waits);
        let Some((packet, _)) = packet else {
            pins.valid = 0;
            return;
        };
        let rest = &packet.data[self.sent..];
        let bytes = rest.len().min(self.data_bytes);
        for (word, chunk) in pins.data[..self.data_bytes.div_ceil(8)]
            .iter_mut()
            .zip(rest[..bytes].chunks(8).chain(std::iter::repeat(&[][..])))
        {
            let mut padded = [0; 8];
            padded[..chunk.len()].copy_from_slice(chunk);
            *word = u64::from_le_bytes(padded);
        }
        pins.keep = keep_mask(bytes);
        pins.last = u8::from(bytes == rest.len());
        (pins.id, pins.dest, pins.user) = (packet.id, packet.dest, packet.user);
        pins.valid = 1;
        self.held = Some(bytes);
    }

    #[inline]
    pub(crate) fn sample(&mut self, cycle: u64, pins: &AxiStreamPins) {
        let Some(bytes) = self.held else {
            return;
        };
        if pins.ready == 0 {
            self.counters.waiting_cycles += 1;
            return;
        }
        self.held = None;
        self.sent += bytes;
        let is_last = pins.last != 0;
        self.counters
            .count(cycle, u32::try_from(bytes).unwrap_or(u32::MAX), is_last);
        if is_last {
            self.sent = 0;
            if let Some((_, receipt)) = self.queue.pop_front() {
                receipt.is_sent.set(true);
                if let Some(waker) = receipt.waker.take() {
                    waker.wake();
                }
            }
        }
    }

    /// Forgets all packets; the beat on the pins is taken off by the reset that follows.
    fn clear(&mut self) {
        self.queue.clear();
        self.held = None;
        self.sent = 0;
    }

    /// Takes the beat off the pins and starts the packet on it again after the reset.
    pub(crate) fn reset(&mut self, pins: &mut AxiStreamPins) {
        self.held = None;
        self.sent = 0;
        self.is_fresh = true;
        pins.valid = 0;
    }
}

/// TKEEP for the first `bytes` lanes.
fn keep_mask(bytes: usize) -> [u64; 2] {
    let mask = if bytes == 0 {
        0
    } else {
        u128::MAX >> (128 - bytes.min(128))
    };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the two halves of the mask"
    )]
    let halves = [mask as u64, (mask >> 64) as u64];
    halves
}

/// A stream into the core, as a task holds it.
#[derive(Debug, Clone)]
pub struct StreamSource {
    host: Host,
    port: usize,
}

impl StreamSource {
    pub(crate) const fn new(host: Host, port: usize) -> Self {
        Self { host, port }
    }

    /// Sends a packet and waits, at most `limit` cycles, until the core has taken its last beat.
    ///
    /// An empty packet is one beat with no TKEEP bit. After a timeout the packet stays on the stream.
    ///
    /// # Errors
    /// If the core has not taken it in time.
    pub async fn send(&self, packet: Packet, limit: u64) -> Result<(), WaitTimeout> {
        let wait = Wait::StreamSend { port: self.port };
        let sent = self.push(packet);
        self.host.limit_of(limit, wait, sent).await
    }

    /// Puts a packet into the queue at once; the future is ready when the core has taken its last beat.
    pub fn push(&self, packet: Packet) -> impl Future<Output = ()> + use<> {
        let receipt = Rc::new(Receipt::default());
        self.host.shared().sources.borrow_mut()[self.port]
            .queue
            .push_back((packet, Rc::clone(&receipt)));
        Sent {
            host: self.host.clone(),
            port: self.port,
            receipt,
        }
    }

    /// Forgets the packets that are not yet taken. Only a reset of the core may follow: a beat that waits must not
    /// be taken back otherwise (IHI 0051, 2.2.1).
    pub fn clear(&self) {
        self.host.shared().sources.borrow_mut()[self.port].clear();
    }

    /// Returns the packets that are not yet taken.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.host.shared().sources.borrow()[self.port].queue.len()
    }

    /// Returns what went over the stream.
    #[must_use]
    pub fn counters(&self) -> StreamCounters {
        self.host.shared().sources.borrow()[self.port].counters
    }
}

/// A packet that was put into the queue.
struct Sent {
    host: Host,
    port: usize,
    receipt: Rc<Receipt>,
}

impl Future for Sent {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.receipt.is_sent.get() {
            return Poll::Ready(());
        }
        *self.receipt.waker.borrow_mut() = Some(cx.waker().clone());
        self.host
            .shared()
            .tasks
            .note(Wait::StreamSend { port: self.port });
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_cycle_after_a_reset_is_silent() {
        let mut port = SourcePort::new(0, 8, Stall::None, Seed::new(1)).unwrap();
        let mut pins = AxiStreamPins::default();
        port.queue
            .push_back((Packet::new(vec![1; 16]), Rc::default()));
        port.drive(&mut pins);
        assert_eq!(pins.valid, 1);
        port.reset(&mut pins);
        assert_eq!(pins.valid, 0);
        port.drive(&mut pins);
        assert_eq!(pins.valid, 0, "the first rising edge out of reset");
        port.drive(&mut pins);
        assert_eq!((pins.valid, pins.data[0]), (1, 0x0101_0101_0101_0101));
    }
}
