//! The write side of the subordinate: AW and W in, B out.
//!
//! Written bytes land in memory with their W handshake, or with the AW handshake if the data came
//! first; a read beat presented in the next cycle sees them. W data is taken ahead of its address until
//! a buffer is full.

use std::collections::VecDeque;

use swiotlb::{DmaAddr, PhysAddr};

use super::access::Access;
use super::burst::{Burst, Response, Run};
use super::counters::Tally;
use super::iommu::IommuAccess;
use super::order::Picker;
use super::policy::{BusPolicy, PolicyError, ResponseOrder};
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
    is_privileged: bool,
    /// Beats stored so far.
    stored: u16,
    response: Response,
    /// First cycle in which B may be presented; the end of time until all data is there.
    due: u64,
}

/// A data beat as it came on W.
#[derive(Debug, Clone, Copy)]
struct DataBeat {
    data: [u64; DATA_WORDS],
    strobes: u128,
}

/// What a cycle's writes work on: passed down, never stored.
pub(super) struct Pass<'a> {
    pub(super) cycle: u64,
    pub(super) wires: Wires,
    pub(super) access: &'a Access,
    pub(super) memory: &'a mut HostMemory,
    pub(super) log: &'a mut EventLog,
}

#[derive(Debug)]
pub(super) struct WriteSide {
    queue: VecDeque<WriteBurst>,
    /// Place in `queue` of the burst that takes the next data beat.
    open: usize,
    /// What is left of it, if it runs through memory in whole beats.
    run: Run,
    ahead: VecDeque<DataBeat>,
    limit: usize,
    /// Place in `queue` of the burst whose response is on B.
    held: Option<usize>,
    /// Something happens in cycles without traffic: stall patterns advance, credit is earned.
    is_paced: bool,
    is_in_order: bool,
    tally: Tally,
    accepted: u64,
    latency: u64,
    jitter: u64,
    jitter_random: RandomStream,
    picker: Picker,
    aw_stall: Staller,
    w_stall: Staller,
    b_stall: Staller,
    rate: RateLimiter,
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
            run: Run::default(),
            ahead: VecDeque::with_capacity(AHEAD_BEATS),
            limit,
            is_in_order: policy.order == ResponseOrder::InOrder,
            tally: Tally::default(),
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

    /// Returns whether driving does nothing as long as no address or data comes.
    #[inline]
    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.ahead.is_empty() && !self.is_paced
    }

    pub(super) const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Forgets all bursts, before `cycle`.
    pub(super) fn clear(&mut self, cycle: u64) {
        self.queue.clear();
        self.ahead.clear();
        self.open = 0;
        self.run = Run::default();
        self.held = None;
        self.tally.end_busy(cycle);
    }

    /// Puts this cycle's AW and W ready and B response on the pins.
    #[inline]
    pub(super) fn drive(&mut self, cycle: u64, pins: &mut AxiManagerPins) {
        pins.awready = u8::from(self.queue.len() < self.limit);
        pins.wready = u8::from(self.ahead.len() < AHEAD_BEATS);
        if self.is_paced {
            pins.awready &= u8::from(!self.aw_stall.stalls());
            pins.wready &= u8::from(!self.w_stall.stalls() & self.rate.allows(cycle));
            let may_present = !self.b_stall.stalls();
            if self.held.is_some() {
                return;
            }
            if !may_present {
                pins.bvalid = 0;
                return;
            }
        } else if self.held.is_some() {
            return;
        }
        let is_due = |burst: &WriteBurst| burst.due <= cycle;
        self.held = if self.is_in_order {
            self.queue.front().filter(|burst| is_due(burst)).map(|_| 0)
        } else {
            self.picker
                .pick(self.queue.iter().map(|burst| (burst.id, is_due(burst))))
        };
        match self.held {
            Some(place) => {
                pins.bid = self.queue[place].id;
                pins.bresp = self.queue[place].response.bits();
                pins.bvalid = 1;
            }
            None => pins.bvalid = 0,
        }
    }

    /// Takes the AW, W and B handshakes of this cycle.
    #[inline]
    pub(super) fn sample(&mut self, pins: &AxiManagerPins, pass: &mut Pass<'_>) {
        if pins.aw.valid != 0 {
            let accepted = pins.awready != 0;
            self.tally.address.count(accepted);
            if accepted {
                self.accept(pins, pass);
            }
        }
        if pins.wvalid != 0 {
            let accepted = pins.wready != 0;
            self.tally.data.count(accepted);
            if accepted {
                self.take_data(pins, pass);
            }
        }
        if self.held.is_some() {
            let taken = pins.bready != 0;
            self.tally.response.count(taken);
            if taken {
                self.finish(pass);
            }
        }
    }

    #[inline(never)]
    fn accept(&mut self, pins: &AxiManagerPins, pass: &mut Pass<'_>) {
        let burst = Burst::new(&pins.aw, pass.wires.bus_bytes);
        let number = self.accepted;
        self.accepted += 1;
        self.queue.push_back(WriteBurst {
            burst,
            number,
            id: pins.aw.id,
            is_privileged: pins.aw.prot & 1 != 0,
            stored: 0,
            response: if burst.is_malformed() {
                Response::Slverr
            } else {
                Response::Okay
            },
            due: u64::MAX,
        });
        self.tally.count_address(pass.cycle, self.queue.len());
        if pass.log.is_enabled() {
            pass.log.push(BusEvent::Address(AddressEvent::new(
                pass.cycle,
                pass.wires.port,
                Direction::Write,
                number,
                &pins.aw,
                &burst,
            )));
        }
        if self.open + 1 == self.queue.len() {
            self.start_run(pass.wires);
        }
        while self.open < self.queue.len()
            && let Some(beat) = self.ahead.pop_front()
        {
            self.store(&beat.data, beat.strobes, pass);
        }
    }

    #[inline]
    fn take_data(&mut self, pins: &AxiManagerPins, pass: &mut Pass<'_>) {
        if self.is_paced {
            self.rate.spend();
        }
        let strobes = u128::from(pins.wstrb[1]) << 64 | u128::from(pins.wstrb[0]);
        let strobes = strobes & pass.wires.lane_mask;
        let wires = pass.wires;
        if self.run.left > 0
            && strobes == wires.lane_mask
            && pass.access.is_plain()
            && write_whole(self.run.dma, &pins.wdata, wires, pass.memory)
        {
            self.store_next_of_run(pins, strobes, pass);
        } else if self.open < self.queue.len() {
            self.store(&pins.wdata, strobes, pass);
        } else {
            self.ahead.push_back(DataBeat {
                data: pins.wdata,
                strobes,
            });
        }
    }

    /// Counts the beat that was just written to memory: the next one of the run.
    #[inline]
    fn store_next_of_run(&mut self, pins: &AxiManagerPins, strobes: u128, pass: &mut Pass<'_>) {
        let dma = self.run.dma;
        self.run.advance(pass.wires.bus_bytes);
        self.tally.count_beat(pass.cycle, pass.wires.bus_bytes);
        let is_last = self.run.left == 0;
        if pass.log.is_enabled() {
            let entry = &self.queue[self.open];
            let stored = Stored {
                dma,
                lane0_phys: Some(PhysAddr::new(dma)),
                beat: entry.burst.beats() - 1 - self.run.left,
                is_last,
                strobes,
                response: Response::Okay,
            };
            record_beat(entry, &stored, &pins.wdata, pass);
        }
        if is_last {
            self.close(pass.cycle);
            self.start_run(pass.wires);
        }
    }

    /// Takes note that the open burst has all its data.
    fn close(&mut self, cycle: u64) {
        let jitter = if self.jitter == 0 {
            0
        } else {
            self.jitter_random.between(0, self.jitter)
        };
        self.queue[self.open].due = cycle + self.latency + jitter;
        self.open += 1;
    }

    /// Finds out whether the rest of the open burst, if there is one, is a run.
    fn start_run(&mut self, wires: Wires) {
        self.run = self.queue.get(self.open).map_or(Run::default(), |entry| {
            entry.burst.run_from(entry.stored, wires.bus_bytes)
        });
    }

    /// Writes a data beat of the open burst to memory.
    #[inline(never)]
    fn store(&mut self, data: &[u64; DATA_WORDS], strobes: u128, pass: &mut Pass<'_>) {
        let wires = pass.wires;
        let entry = &mut self.queue[self.open];
        if self.run.left > 0 {
            // The run met something that takes the long way.
            entry.stored = entry.burst.beats() - self.run.left;
        }
        let dma = entry.burst.beat_addr(entry.stored);
        let lane0 = dma & !(u64::from(wires.bus_bytes) - 1);
        let is_whole = strobes == wires.lane_mask && pass.access.is_plain();
        let mut lane0_phys = Some(PhysAddr::new(lane0));
        let mut response = Response::Okay;
        let mut bytes = wires.bus_bytes;
        if !is_whole || entry.burst.is_malformed() || !write_whole(lane0, data, wires, pass.memory)
        {
            (lane0_phys, response) = write_lanes(entry, dma, data, strobes, pass);
            entry.response = entry.response.max(response);
            bytes = strobes.count_ones();
            self.tally.error_beats += u64::from(response != Response::Okay);
        }
        self.tally.count_beat(pass.cycle, bytes);
        entry.stored += 1;
        let is_last = entry.stored == entry.burst.beats();
        if pass.log.is_enabled() {
            let stored = Stored {
                dma,
                lane0_phys,
                beat: entry.stored - 1,
                is_last,
                strobes,
                response,
            };
            record_beat(entry, &stored, data, pass);
        }
        if is_last {
            self.close(pass.cycle);
        }
        self.start_run(wires);
    }

    #[inline(never)]
    fn finish(&mut self, pass: &mut Pass<'_>) {
        let Some(place) = self.held.take() else {
            return;
        };
        let Some(entry) = self.queue.remove(place) else {
            return;
        };
        self.open -= 1;
        self.tally.count_finish(pass.cycle, self.queue.len());
        if pass.log.is_enabled() {
            pass.log.push(BusEvent::Response(ResponseEvent {
                cycle: pass.cycle,
                port: pass.wires.port,
                burst: entry.number,
                id: entry.id,
                response: entry.response,
            }));
        }
    }
}

/// What became of a data beat.
struct Stored {
    dma: u64,
    lane0_phys: Option<PhysAddr>,
    beat: u16,
    is_last: bool,
    strobes: u128,
    response: Response,
}

#[inline(never)]
fn record_beat(entry: &WriteBurst, stored: &Stored, data: &[u64; DATA_WORDS], pass: &mut Pass<'_>) {
    pass.log.push(BusEvent::Beat(BeatEvent {
        cycle: pass.cycle,
        sampled: pass.cycle,
        port: pass.wires.port,
        direction: Direction::Write,
        burst: entry.number,
        beat: stored.beat,
        is_last: stored.is_last,
        id: entry.id,
        dma: DmaAddr::new(stored.dma),
        lane0: DmaAddr::new(stored.dma & !(u64::from(pass.wires.bus_bytes) - 1)),
        lane0_phys: stored.lane0_phys,
        lanes: stored.strobes,
        data: *data,
        response: stored.response,
    }));
}

/// Writes all lanes of the bus to memory; says whether there is memory.
#[inline]
fn write_whole(
    lane0: u64,
    data: &[u64; DATA_WORDS],
    wires: Wires,
    memory: &mut HostMemory,
) -> bool {
    if wires.bus_bytes == 8 {
        return memory.write_word(lane0, data[0]);
    }
    if wires.bus_bytes == 4 {
        let bytes = data[0].to_le_bytes();
        return memory.write_within_page(lane0, &bytes[..4]);
    }
    // Buses below 32 bits, which AXI4 does not have, take the general way.
    let words = wires.bus_bytes as usize / 8;
    words > 0 && memory.write_words(lane0, &data[..words])
}

/// Writes a beat in the general case: any width, any strobes, failing. Returns the physical address of
/// lane 0 and the response.
///
/// The strobes are obeyed to the letter, as a memory does: a lane outside the beat is the core's fault,
/// reported by the protocol rules, and its damage is done.
#[inline(never)]
fn write_lanes(
    entry: &WriteBurst,
    dma: u64,
    data: &[u64; DATA_WORDS],
    strobes: u128,
    pass: &mut Pass<'_>,
) -> (Option<PhysAddr>, Response) {
    let beat = IommuAccess {
        cycle: pass.cycle,
        port: pass.wires.port,
        direction: Direction::Write,
        burst: entry.number,
        dma: DmaAddr::new(dma),
        bytes: entry.burst.beat_bytes(dma),
        is_privileged: entry.is_privileged,
    };
    let target = pass.access.target(pass.memory, &beat, pass.wires.bus_bytes);
    let mut response = target.response;
    if entry.burst.is_malformed() {
        response = response.max(Response::Slverr);
    }
    if let (Response::Okay, Some(phys)) = (response, target.lane0_phys) {
        let mut bytes = [0; DATA_WORDS * 8];
        for (chunk, word) in bytes.chunks_exact_mut(8).zip(data) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        let mut rest = strobes;
        while rest != 0 {
            let first = rest.trailing_zeros();
            let run = (!(rest >> first)).trailing_zeros().min(128 - first);
            let run_bytes = &bytes[first as usize..(first + run) as usize];
            // The target was checked to be memory, so this cannot fail.
            let _ = pass
                .memory
                .write_within_page(phys.raw() + u64::from(first), run_bytes);
            rest &= !((u128::MAX >> (128 - run)) << first);
        }
    }
    (target.lane0_phys, response)
}
