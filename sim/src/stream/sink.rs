//! The sink: collects packets from the core.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::{Packet, StreamCounters};
use crate::clock::{Wait, WaitTimeout};
use crate::host::Host;
use crate::pins::AxiStreamPins;
use crate::seed::Seed;
use crate::stall::{Stall, StallError, Staller};

/// One stream out of the core.
#[derive(Debug)]
pub(crate) struct SinkPort {
    data_bytes: usize,
    stall: Staller,
    is_paused: bool,
    partial: Vec<u8>,
    packets: VecDeque<Packet>,
    waiting: Vec<Waker>,
    counters: StreamCounters,
}

impl SinkPort {
    pub(crate) fn new(
        port: usize,
        data_bytes: u32,
        stall: Stall,
        seed: Seed,
    ) -> Result<Self, StallError> {
        Ok(Self {
            data_bytes: data_bytes as usize,
            stall: Staller::new(stall, seed, &format!("stream.sink.{port}.stall"))?,
            is_paused: false,
            partial: Vec::new(),
            packets: VecDeque::new(),
            waiting: Vec::new(),
            counters: StreamCounters::default(),
        })
    }

    #[inline]
    pub(crate) fn drive(&mut self, pins: &mut AxiStreamPins) {
        pins.ready = u8::from(!self.stall.stalls() && !self.is_paused);
    }

    #[inline]
    pub(crate) fn sample(&mut self, cycle: u64, pins: &AxiStreamPins) {
        if pins.valid == 0 {
            return;
        }
        if pins.ready == 0 {
            self.counters.waiting_cycles += 1;
            return;
        }
        let bytes = self.collect(pins);
        let is_last = pins.last != 0;
        self.counters.count(cycle, bytes, is_last);
        if is_last {
            self.packets.push_back(Packet {
                data: std::mem::take(&mut self.partial),
                id: pins.id,
                dest: pins.dest,
                user: pins.user,
            });
            // All of them: the first may have given up since.
            self.waiting.drain(..).for_each(Waker::wake);
        }
    }

    /// Takes the bytes that TKEEP marks; those it does not mark are no data (IHI 0051, 2.4).
    #[inline]
    fn collect(&mut self, pins: &AxiStreamPins) -> u32 {
        let before = self.partial.len();
        let full = u128::MAX >> (128 - self.data_bytes);
        let mut keep = (u128::from(pins.keep[1]) << 64 | u128::from(pins.keep[0])) & full;
        if keep == full {
            for (word, bytes) in pins.data.iter().zip((0..self.data_bytes).step_by(8)) {
                let take = (self.data_bytes - bytes).min(8);
                self.partial.extend_from_slice(&word.to_le_bytes()[..take]);
            }
        } else {
            while keep != 0 {
                let lane = keep.trailing_zeros() as usize;
                keep &= keep - 1;
                self.partial
                    .push(pins.data[lane / 8].to_le_bytes()[lane % 8]);
            }
        }
        u32::try_from(self.partial.len() - before).unwrap_or(u32::MAX)
    }

    /// Forgets the packet that the reset cut off.
    pub(crate) fn reset(&mut self, pins: &mut AxiStreamPins) {
        self.partial.clear();
        pins.ready = 0;
    }
}

/// A stream out of the core, as a task holds it.
#[derive(Debug, Clone)]
pub struct StreamSink {
    host: Host,
    port: usize,
}

impl StreamSink {
    pub(crate) const fn new(host: Host, port: usize) -> Self {
        Self { host, port }
    }

    /// Waits, at most `limit` cycles, for the next packet.
    ///
    /// # Errors
    /// If no packet was complete in time.
    pub async fn recv(&self, limit: u64) -> Result<Packet, WaitTimeout> {
        let wait = Wait::StreamReceive { port: self.port };
        self.host
            .limit_of(limit, wait, Receive { sink: self })
            .await
    }

    /// Takes the next packet, if one is complete.
    #[must_use]
    pub fn try_recv(&self) -> Option<Packet> {
        self.host.shared().sinks.borrow_mut()[self.port]
            .packets
            .pop_front()
    }

    /// Holds ready low from the next cycle on.
    pub fn pause(&self) {
        self.host.shared().sinks.borrow_mut()[self.port].is_paused = true;
    }

    /// Ends a pause.
    pub fn resume(&self) {
        self.host.shared().sinks.borrow_mut()[self.port].is_paused = false;
    }

    /// Returns the bytes of the packet that is not yet complete.
    #[must_use]
    pub fn partial_bytes(&self) -> usize {
        self.host.shared().sinks.borrow()[self.port].partial.len()
    }

    /// Returns what went over the stream.
    #[must_use]
    pub fn counters(&self) -> StreamCounters {
        self.host.shared().sinks.borrow()[self.port].counters
    }
}

/// Waits for a packet.
struct Receive<'a> {
    sink: &'a StreamSink,
}

impl Future for Receive<'_> {
    type Output = Packet;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Packet> {
        let shared = self.sink.host.shared();
        let mut sinks = shared.sinks.borrow_mut();
        let port = &mut sinks[self.sink.port];
        if let Some(packet) = port.packets.pop_front() {
            return Poll::Ready(packet);
        }
        if !port.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            port.waiting.push(cx.waker().clone());
        }
        shared.tasks.note(Wait::StreamReceive {
            port: self.sink.port,
        });
        Poll::Pending
    }
}
