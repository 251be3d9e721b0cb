//! The read side of the subordinate: AR in, R out.

use std::collections::VecDeque;

use swiotlb::{DmaAddr, PhysAddr};

use super::access::{Access, FILLER, FILLER_WORD};
use super::burst::{Burst, Response};
use super::counters::BusCounters;
use super::order::Picker;
use super::policy::{BusPolicy, PolicyError, ResponseOrder};
use super::rate::RateLimiter;
use super::{Setup, Wires};
use crate::events::{AddressEvent, BeatEvent, BusEvent, Direction, EventLog};
use crate::memory::HostMemory;
use crate::pins::{AxiManagerPins, DATA_WORDS};
use crate::seed::RandomStream;
use crate::stall::Staller;

/// A read burst from its AR handshake to the handshake of its last beat.
#[derive(Debug, Clone)]
struct ReadBurst {
    burst: Burst,
    number: u64,
    id: u32,
    /// Beats presented so far.
    presented: u16,
    /// First cycle in which R may carry the burst.
    due: u64,
}

/// The beat on the R channel, from its presentation to its handshake.
#[derive(Debug, Clone, Copy, Default)]
struct HeldBeat {
    place: usize,
    beat: u16,
    is_last: bool,
    bytes: u32,
    sampled: u64,
    dma: u64,
    lane0_phys: Option<PhysAddr>,
    response: Response,
}

#[derive(Debug)]
pub(super) struct ReadSide {
    queue: VecDeque<ReadBurst>,
    limit: usize,
    latency: u64,
    jitter: u64,
    jitter_random: RandomStream,
    accepted: u64,
    held: Option<HeldBeat>,
    /// The burst whose beats may not be mixed with another's.
    current: Option<usize>,
    picker: Picker,
    interleave: bool,
    ar_stall: Staller,
    r_stall: Staller,
    rate: RateLimiter,
    /// Something happens in cycles without traffic: stall patterns advance.
    is_paced: bool,
}

impl ReadSide {
    pub(super) fn new(policy: &BusPolicy, setup: &Setup<'_>) -> Result<Self, PolicyError> {
        let limit = policy.max_reads as usize;
        let ar_stall = setup.staller(policy.stalls.ar, "ar")?;
        let r_stall = setup.staller(policy.stalls.r, "r")?;
        let rate = RateLimiter::new(policy.read_bandwidth);
        Ok(Self {
            queue: VecDeque::with_capacity(limit),
            limit,
            latency: u64::from(policy.read_latency_cycles),
            jitter: u64::from(policy.read_jitter_cycles),
            jitter_random: setup.random("r.jitter"),
            accepted: 0,
            held: None,
            current: None,
            picker: Picker::new(policy.order, setup.random("r.order")),
            interleave: matches!(
                policy.order,
                ResponseOrder::ReorderById {
                    interleave_reads: true
                }
            ),
            is_paced: ar_stall.is_active() || r_stall.is_active() || rate.is_active(),
            ar_stall,
            r_stall,
            rate,
        })
    }

    #[inline]
    pub(super) fn in_flight(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn clear(&mut self) {
        self.queue.clear();
        self.held = None;
        self.current = None;
    }

    /// Puts this cycle's AR ready and R beat on the pins.
    #[inline]
    pub(super) fn drive(
        &mut self,
        cycle: u64,
        pins: &mut AxiManagerPins,
        wires: Wires,
        access: &Access,
        memory: &mut HostMemory,
    ) {
        if self.is_paced {
            let ar_stalls = self.ar_stall.stalls();
            let r_stalls = self.r_stall.stalls();
            pins.arready = u8::from(!ar_stalls && self.queue.len() < self.limit);
            if self.held.is_some() {
                return;
            }
            if r_stalls || !self.rate.allows(cycle) {
                pins.rvalid = 0;
                return;
            }
        } else {
            pins.arready = u8::from(self.queue.len() < self.limit);
            if self.held.is_some() {
                return;
            }
        }
        match self.choose(cycle) {
            Some(place) => {
                self.rate.spend();
                self.present(place, cycle, pins, wires, access, memory);
            }
            None => pins.rvalid = 0,
        }
    }

    #[inline]
    fn choose(&mut self, cycle: u64) -> Option<usize> {
        if let Some(place) = self.current {
            return Some(place);
        }
        if self.picker.is_in_order() {
            return (self.queue.front()?.due <= cycle).then_some(0);
        }
        self.picker.pick(
            self.queue
                .iter()
                .map(|burst| (burst.id, burst.due <= cycle)),
        )
    }

    /// Reads memory and puts the next beat of a burst on R. The bytes are those of this moment: of
    /// everything written up to the cycle before.
    #[inline]
    fn present(
        &mut self,
        place: usize,
        cycle: u64,
        pins: &mut AxiManagerPins,
        wires: Wires,
        access: &Access,
        memory: &mut HostMemory,
    ) {
        let entry = &mut self.queue[place];
        let beat = entry.presented;
        entry.presented += 1;
        let is_last = entry.presented == entry.burst.beats();
        let dma = entry.burst.beat_addr(beat);
        let bytes = entry.burst.beat_bytes(dma);
        let mut held = HeldBeat {
            place,
            beat,
            is_last,
            bytes,
            sampled: cycle,
            dma,
            lane0_phys: None,
            response: Response::Okay,
        };
        pins.rid = entry.id;
        let is_simple = access.is_plain() && bytes == 8 && wires.bus_bytes == 8;
        match is_simple.then(|| memory.read_word(dma)).flatten() {
            Some(word) if !entry.burst.is_malformed() => {
                pins.rdata[0] = word;
                held.lane0_phys = Some(PhysAddr::new(dma));
            }
            _ => {
                let malformed = entry.burst.is_malformed();
                read_lanes(&mut held, malformed, pins, wires, access, memory);
            }
        }
        pins.rresp = held.response.bits();
        pins.rlast = u8::from(is_last);
        pins.rvalid = 1;
        self.current = (!is_last && !self.interleave).then_some(place);
        self.held = Some(held);
    }

    /// Takes the R and AR handshakes of this cycle.
    #[inline]
    pub(super) fn sample(
        &mut self,
        cycle: u64,
        pins: &AxiManagerPins,
        wires: Wires,
        counters: &mut BusCounters,
        log: &mut EventLog,
    ) {
        if !self.queue.is_empty() {
            counters.read.busy_cycles += 1;
        }
        if pins.ar.valid != 0 {
            let accepted = pins.arready != 0;
            counters.ar.count(accepted);
            if accepted {
                self.accept(cycle, pins, wires, counters, log);
            }
        }
        if let Some(held) = self.held {
            let taken = pins.rready != 0;
            counters.r.count(taken);
            if taken {
                self.finish_beat(held, cycle, pins, wires, counters, log);
            }
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
        let burst = Burst::new(&pins.ar, wires.bus_bytes);
        let number = self.accepted;
        self.accepted += 1;
        let jitter = if self.jitter == 0 {
            0
        } else {
            self.jitter_random.between(0, self.jitter)
        };
        self.queue.push_back(ReadBurst {
            burst,
            number,
            id: pins.ar.id,
            presented: 0,
            due: cycle + self.latency + jitter,
        });
        counters.read.count_address(cycle, self.queue.len());
        if log.is_enabled() {
            log.push(BusEvent::Address(AddressEvent {
                cycle,
                port: wires.port,
                direction: Direction::Read,
                burst: number,
                id: pins.ar.id,
                dma: DmaAddr::new(pins.ar.addr),
                beats: burst.beats(),
                size: burst.size(),
                kind: burst.kind(),
                cache: pins.ar.cache,
                prot: pins.ar.prot,
            }));
        }
    }

    #[inline]
    fn finish_beat(
        &mut self,
        held: HeldBeat,
        cycle: u64,
        pins: &AxiManagerPins,
        wires: Wires,
        counters: &mut BusCounters,
        log: &mut EventLog,
    ) {
        self.held = None;
        counters
            .read
            .count_beat(cycle, held.bytes, held.response != Response::Okay);
        if log.is_enabled() {
            let entry = &self.queue[held.place];
            let first_lane = held.dma & u64::from(wires.bus_bytes - 1);
            let lanes = (u128::MAX >> (128 - held.bytes)) << first_lane;
            log.push(BusEvent::Beat(BeatEvent {
                cycle,
                sampled: held.sampled,
                port: wires.port,
                direction: Direction::Read,
                burst: entry.number,
                beat: held.beat,
                is_last: held.is_last,
                id: entry.id,
                dma: DmaAddr::new(held.dma),
                lane0: DmaAddr::new(held.dma - first_lane),
                lane0_phys: held.lane0_phys,
                lanes,
                data: pins.rdata,
                response: held.response,
            }));
        }
        if held.is_last {
            counters.read.count_finish(cycle);
            if held.place == 0 {
                self.queue.pop_front();
            } else {
                self.queue.remove(held.place);
            }
        }
    }
}

/// Fills the byte lanes of a beat in the general case: any width, narrow, unaligned, failing.
fn read_lanes(
    held: &mut HeldBeat,
    is_malformed: bool,
    pins: &mut AxiManagerPins,
    wires: Wires,
    access: &Access,
    memory: &mut HostMemory,
) {
    let bus = wires.bus_bytes as usize;
    let target = access.target(memory, held.dma, held.bytes, wires.bus_bytes, false);
    held.lane0_phys = target.lane0_phys;
    held.response = target.response;
    if is_malformed {
        held.response = held.response.max(Response::Slverr);
    }
    let mut lanes = [FILLER; DATA_WORDS * 8];
    if let (Response::Okay, Some(phys)) = (held.response, held.lane0_phys) {
        let first = usize::try_from(held.dma & (bus as u64 - 1)).unwrap_or(0);
        let active = &mut lanes[first..first + held.bytes as usize];
        // The target was checked to be memory, so this cannot fail.
        let _ = memory.read_within_page(phys.raw() + first as u64, active);
    }
    if bus < 8 {
        let mut word = [0; 8];
        word[..bus].copy_from_slice(&lanes[..bus]);
        pins.rdata[0] = u64::from_le_bytes(word);
        return;
    }
    for (word, bytes) in pins.rdata[..bus / 8].iter_mut().zip(lanes.chunks_exact(8)) {
        *word = bytes.try_into().map_or(FILLER_WORD, u64::from_le_bytes);
    }
}
