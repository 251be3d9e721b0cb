//! The write side of the subordinate: AW and W in, B out.
//!
//! Written bytes land in memory with their W handshake, or with the AW handshake if the data came
//! first; a read beat presented in the next cycle sees them. W data is taken ahead of its address until
//! a buffer is full.

use std::collections::VecDeque;

use swiotlb::{DmaAddr, PhysAddr};

use super::access::Access;
use super::burst::{Burst, Response};
use super::counters::BusCounters;
use super::order::Picker;
use super::policy::{BusPolicy, PolicyError};
use super::rate::RateLimiter;
use super::{Setup, Wires};
use crate::events::{AddressEvent, BeatEvent, BusEvent, Direction, EventLog, ResponseEvent};
use crate::memory::HostMemory;
use crate::pins::{AxiManagerPins, DATA_WORDS};
use crate::seed::RandomStream;
use crate::stall::Staller;

/// W beats that are taken before their address is known: the longest burst, four times.
const AHEAD_BEATS: usize = 1024;

/// A write burst from its AW handshake to its B handshake.
#[derive(Debug, Clone)]
struct WriteBurst {
    burst: Burst,
    number: u64,
    id: u32,
    /// Beats stored so far.
    stored: u16,
    response: Response,
    /// First cycle in which B may be presented; known once all data is there.
    due: Option<u64>,
}

/// A data beat as it came on W.
#[derive(Debug, Clone, Copy)]
struct DataBeat {
    data: [u64; DATA_WORDS],
    strobes: u128,
}

#[derive(Debug)]
pub(super) struct WriteSide {
    queue: VecDeque<WriteBurst>,
    /// Place in `queue` of the burst that takes the next data beat.
    open: usize,
    ahead: VecDeque<DataBeat>,
    limit: usize,
    latency: u64,
    jitter: u64,
    jitter_random: RandomStream,
    accepted: u64,
    /// Place in `queue` of the burst whose response is on B.
    held: Option<usize>,
    picker: Picker,
    aw_stall: Staller,
    w_stall: Staller,
    b_stall: Staller,
    rate: RateLimiter,
    /// Something happens in cycles without traffic: stall patterns advance.
    is_paced: bool,
}

impl WriteSide {
    pub(super) fn new(policy: &BusPolicy, setup: &Setup<'_>) -> Result<Self, PolicyError> {
        let limit = policy.max_writes as usize;
        let aw_stall = setup.staller(policy.stalls.aw, "aw")?;
        let w_stall = setup.staller(policy.stalls.w, "w")?;
        let b_stall = setup.staller(policy.stalls.b, "b")?;
        let rate = RateLimiter::new(policy.write_bandwidth);
        Ok(Self {
            queue: VecDeque::with_capacity(limit),
            open: 0,
            ahead: VecDeque::with_capacity(AHEAD_BEATS),
            limit,
            latency: u64::from(policy.write_latency_cycles),
            jitter: u64::from(policy.write_jitter_cycles),
            jitter_random: setup.random("b.jitter"),
            accepted: 0,
            held: None,
            picker: Picker::new(policy.order, setup.random("b.order")),
            is_paced: aw_stall.is_active()
                || w_stall.is_active()
                || b_stall.is_active()
                || rate.is_active(),
            aw_stall,
            w_stall,
            b_stall,
            rate,
        })
    }

    #[inline]
    pub(super) fn in_flight(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn clear(&mut self) {
        self.queue.clear();
        self.ahead.clear();
        self.open = 0;
        self.held = None;
    }

    /// Puts this cycle's AW and W ready and B response on the pins.
    #[inline]
    pub(super) fn drive(&mut self, cycle: u64, pins: &mut AxiManagerPins) {
        let aw_free = self.queue.len() < self.limit;
        let w_free = self.ahead.len() < AHEAD_BEATS;
        if self.is_paced {
            pins.awready = u8::from(!self.aw_stall.stalls() && aw_free);
            pins.wready = u8::from(!self.w_stall.stalls() && w_free && self.rate.allows(cycle));
            let b_stalls = self.b_stall.stalls();
            if self.held.is_some() {
                return;
            }
            if b_stalls {
                pins.bvalid = 0;
                return;
            }
        } else {
            pins.awready = u8::from(aw_free);
            pins.wready = u8::from(w_free);
            if self.held.is_some() {
                return;
            }
        }
        let is_due = |burst: &WriteBurst| burst.due.is_some_and(|due| due <= cycle);
        let place = if self.picker.is_in_order() {
            self.queue.front().filter(|burst| is_due(burst)).map(|_| 0)
        } else {
            self.picker
                .pick(self.queue.iter().map(|burst| (burst.id, is_due(burst))))
        };
        match place {
            Some(place) => {
                pins.bid = self.queue[place].id;
                pins.bresp = self.queue[place].response.bits();
                pins.bvalid = 1;
                self.held = Some(place);
            }
            None => pins.bvalid = 0,
        }
    }

    /// Takes the AW, W and B handshakes of this cycle.
    #[inline]
    pub(super) fn sample(
        &mut self,
        cycle: u64,
        pins: &AxiManagerPins,
        wires: Wires,
        access: &Access,
        memory: &mut HostMemory,
        counters: &mut BusCounters,
        log: &mut EventLog,
    ) {
        if !self.queue.is_empty() {
            counters.write.busy_cycles += 1;
        }
        let responded = self.held.is_some() && {
            let taken = pins.bready != 0;
            counters.b.count(taken);
            taken
        };
        if pins.aw.valid != 0 {
            let accepted = pins.awready != 0;
            counters.aw.count(accepted);
            if accepted {
                self.accept(cycle, pins, wires, counters, log);
                while self.open < self.queue.len()
                    && let Some(beat) = self.ahead.pop_front()
                {
                    self.store(&beat, cycle, wires, access, memory, counters, log);
                }
            }
        }
        if pins.wvalid != 0 {
            let accepted = pins.wready != 0;
            counters.w.count(accepted);
            if accepted {
                self.rate.spend();
                let beat = DataBeat {
                    data: pins.wdata,
                    strobes: u128::from(pins.wstrb[1]) << 64 | u128::from(pins.wstrb[0]),
                };
                if self.open < self.queue.len() {
                    self.store(&beat, cycle, wires, access, memory, counters, log);
                } else {
                    self.ahead.push_back(beat);
                }
            }
        }
        if responded {
            self.finish(cycle, wires, counters, log);
        }
    }

    fn accept(
        &mut self,
        cycle: u64,
        pins: &AxiManagerPins,
        wires: Wires,
        counters: &mut BusCounters,
        log: &mut EventLog,
    ) {
        let burst = Burst::new(&pins.aw, wires.bus_bytes);
        let number = self.accepted;
        self.accepted += 1;
        self.queue.push_back(WriteBurst {
            burst,
            number,
            id: pins.aw.id,
            stored: 0,
            response: if burst.is_malformed() {
                Response::Slverr
            } else {
                Response::Okay
            },
            due: None,
        });
        counters.write.count_address(cycle, self.queue.len());
        if log.is_enabled() {
            log.push(BusEvent::Address(AddressEvent {
                cycle,
                port: wires.port,
                direction: Direction::Write,
                burst: number,
                id: pins.aw.id,
                dma: DmaAddr::new(pins.aw.addr),
                beats: burst.beats(),
                size: burst.size(),
                kind: burst.kind(),
                cache: pins.aw.cache,
                prot: pins.aw.prot,
            }));
        }
    }

    /// Writes a data beat of the open burst to memory.
    #[inline]
    #[expect(
        clippy::too_many_arguments,
        reason = "memory, counters and log are passed, never stored"
    )]
    fn store(
        &mut self,
        data: &DataBeat,
        cycle: u64,
        wires: Wires,
        access: &Access,
        memory: &mut HostMemory,
        counters: &mut BusCounters,
        log: &mut EventLog,
    ) {
        let entry = &mut self.queue[self.open];
        let beat = entry.stored;
        entry.stored += 1;
        let is_last = entry.stored == entry.burst.beats();
        let dma = entry.burst.beat_addr(beat);
        let lane0 = dma & !(u64::from(wires.bus_bytes) - 1);
        let strobes = data.strobes & wires.lane_mask;
        let malformed = entry.burst.is_malformed();
        let is_simple = access.is_plain() && wires.bus_bytes == 8 && strobes == 0xff && !malformed;
        let (lane0_phys, response) = if is_simple && memory.write_word(lane0, data.data[0]) {
            (Some(PhysAddr::new(lane0)), Response::Okay)
        } else {
            let bytes = entry.burst.beat_bytes(dma);
            let mut target = access.target(memory, dma, bytes, wires.bus_bytes, true);
            if malformed {
                target.response = target.response.max(Response::Slverr);
            }
            if let (Response::Okay, Some(phys)) = (target.response, target.lane0_phys) {
                write_lanes(memory, phys, &data.data, strobes);
            }
            (target.lane0_phys, target.response)
        };
        entry.response = entry.response.max(response);
        counters
            .write
            .count_beat(cycle, strobes.count_ones(), response != Response::Okay);
        if log.is_enabled() {
            log.push(BusEvent::Beat(BeatEvent {
                cycle,
                sampled: cycle,
                port: wires.port,
                direction: Direction::Write,
                burst: entry.number,
                beat,
                is_last,
                id: entry.id,
                dma: DmaAddr::new(dma),
                lane0: DmaAddr::new(lane0),
                lane0_phys,
                lanes: strobes,
                data: data.data,
                response,
            }));
        }
        if is_last {
            let jitter = if self.jitter == 0 {
                0
            } else {
                self.jitter_random.between(0, self.jitter)
            };
            entry.due = Some(cycle + self.latency + jitter);
            self.open += 1;
        }
    }

    fn finish(&mut self, cycle: u64, wires: Wires, counters: &mut BusCounters, log: &mut EventLog) {
        let Some(place) = self.held.take() else {
            return;
        };
        let Some(entry) = self.queue.remove(place) else {
            return;
        };
        self.open -= 1;
        counters.write.count_finish(cycle);
        if log.is_enabled() {
            log.push(BusEvent::Response(ResponseEvent {
                cycle,
                port: wires.port,
                burst: entry.number,
                id: entry.id,
                response: entry.response,
            }));
        }
    }
}

/// Writes the strobed lanes, run by run. The strobes are obeyed to the letter, as a memory does: a lane
/// outside the beat is the core's fault, reported by the protocol rules, and its damage is done.
fn write_lanes(memory: &mut HostMemory, lane0: PhysAddr, data: &[u64; DATA_WORDS], strobes: u128) {
    let mut bytes = [0; DATA_WORDS * 8];
    for (chunk, word) in bytes.chunks_exact_mut(8).zip(data) {
        chunk.copy_from_slice(&word.to_le_bytes());
    }
    let mut rest = strobes;
    while rest != 0 {
        let first = rest.trailing_zeros();
        let run = (!(rest >> first)).trailing_zeros().min(128 - first);
        let (from, to) = (first as usize, (first + run) as usize);
        // The target was checked to be memory, so this cannot fail.
        let _ = memory.write_within_page(lane0.raw() + u64::from(first), &bytes[from..to]);
        rest &= !((u128::MAX >> (128 - run)) << first);
    }
}
