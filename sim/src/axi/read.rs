//! The read side of the subordinate: AR in, R out.

use std::collections::VecDeque;

use swiotlb::{DmaAddr, PhysAddr};

use super::access::{Access, FILLER, FILLER_WORD};
use super::burst::{Burst, Response, Run};
use super::counters::Tally;
use super::iommu::IommuAccess;
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
    is_privileged: bool,
    /// Beats presented so far.
    presented: u16,
    /// First cycle in which R may carry the burst.
    due: u64,
}

/// The beat on the R channel, from its presentation to its handshake.
#[derive(Debug, Clone, Copy, Default)]
struct HeldBeat {
    place: usize,
    dma: u64,
    sampled: u64,
    bytes: u32,
    beat: u16,
    is_last: bool,
    response: Response,
    lane0_phys: Option<PhysAddr>,
}

#[derive(Debug)]
pub(super) struct ReadSide {
    queue: VecDeque<ReadBurst>,
    limit: usize,
    is_held: bool,
    held: HeldBeat,
    /// The burst whose beats may not be mixed with another's.
    current: Option<usize>,
    /// What is left of it, if it runs through memory in whole beats.
    run: Run,
    /// Something happens in cycles without traffic: stall patterns advance, credit is earned.
    is_paced: bool,
    is_in_order: bool,
    interleave: bool,
    tally: Tally,
    accepted: u64,
    latency: u64,
    jitter: u64,
    jitter_random: RandomStream,
    picker: Picker,
    ar_stall: Staller,
    r_stall: Staller,
    rate: RateLimiter,
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
            is_held: false,
            held: HeldBeat::default(),
            is_in_order: policy.order == ResponseOrder::InOrder,
            tally: Tally::default(),
            latency: u64::from(policy.read_latency_cycles),
            jitter: u64::from(policy.read_jitter_cycles),
            jitter_random: setup.random("r.jitter"),
            accepted: 0,
            current: None,
            run: Run::default(),
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

    /// Returns whether driving does nothing as long as no address comes.
    #[inline]
    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty() && !self.is_paced
    }

    pub(super) const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Forgets all bursts, before `cycle`.
    pub(super) fn clear(&mut self, cycle: u64) {
        self.queue.clear();
        self.is_held = false;
        self.current = None;
        self.run = Run::default();
        self.tally.end_busy(cycle);
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
        pins.arready = u8::from(self.queue.len() < self.limit);
        if self.is_paced {
            pins.arready &= u8::from(!self.ar_stall.stalls());
            let may_present = !self.r_stall.stalls() && self.rate.allows(cycle);
            if self.is_held {
                return;
            }
            if !may_present {
                pins.rvalid = 0;
                return;
            }
        } else if self.is_held {
            return;
        }
        if self.run.left > 0 && access.is_plain() && read_whole(self.run.dma, pins, wires, memory) {
            self.present_next_of_run(cycle, pins, wires);
            return;
        }
        match self.choose(cycle) {
            Some(place) => {
                if self.is_paced {
                    self.rate.spend();
                }
                self.present(place, cycle, pins, wires, access, memory);
            }
            None => pins.rvalid = 0,
        }
    }

    /// Presents the beat whose data is on the pins already: the next one of the run.
    #[inline]
    fn present_next_of_run(&mut self, cycle: u64, pins: &mut AxiManagerPins, wires: Wires) {
        let held = &mut self.held;
        held.dma = self.run.dma;
        held.bytes = wires.bus_bytes;
        held.sampled = cycle;
        held.beat += 1;
        held.is_last = self.run.left == 1;
        held.response = Response::Okay;
        held.lane0_phys = Some(PhysAddr::new(self.run.dma));
        self.run.advance(wires.bus_bytes);
        if held.is_last {
            self.current = None;
        }
        if self.is_paced {
            self.rate.spend();
        }
        pins.rresp = Response::Okay.bits();
        pins.rlast = u8::from(held.is_last);
        pins.rvalid = 1;
        self.is_held = true;
    }

    #[inline]
    fn choose(&mut self, cycle: u64) -> Option<usize> {
        if self.current.is_some() {
            return self.current;
        }
        if self.is_in_order {
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
    #[inline(never)]
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
        let held = &mut self.held;
        if self.run.left > 0 {
            // The run met something that takes the long way.
            entry.presented = held.beat + 1;
        }
        held.place = place;
        held.beat = entry.presented;
        held.sampled = cycle;
        held.dma = entry.burst.beat_addr(entry.presented);
        held.bytes = entry.burst.beat_bytes(held.dma);
        entry.presented += 1;
        held.is_last = entry.presented == entry.burst.beats();
        let is_whole = held.bytes == wires.bus_bytes && access.is_plain();
        if is_whole && !entry.burst.is_malformed() && read_whole(held.dma, pins, wires, memory) {
            held.lane0_phys = Some(PhysAddr::new(held.dma));
            held.response = Response::Okay;
        } else {
            read_lanes(held, entry, pins, wires, access, memory);
        }
        pins.rid = entry.id;
        pins.rresp = held.response.bits();
        pins.rlast = u8::from(held.is_last);
        pins.rvalid = 1;
        self.current = (!held.is_last && !self.interleave).then_some(place);
        self.run = if self.current.is_some() {
            entry.burst.run_from(entry.presented, wires.bus_bytes)
        } else {
            Run::default()
        };
        self.is_held = true;
    }

    /// Takes the R and AR handshakes of this cycle.
    #[inline]
    pub(super) fn sample(
        &mut self,
        cycle: u64,
        pins: &AxiManagerPins,
        wires: Wires,
        log: &mut EventLog,
    ) {
        if pins.ar.valid != 0 {
            let accepted = pins.arready != 0;
            self.tally.address.count(accepted);
            if accepted {
                self.accept(cycle, pins, wires, log);
            }
        }
        if self.is_held {
            let taken = pins.rready != 0;
            self.tally.data.count(taken);
            if taken {
                self.finish_beat(cycle, pins, wires, log);
            }
        }
    }

    #[inline(never)]
    fn accept(&mut self, cycle: u64, pins: &AxiManagerPins, wires: Wires, log: &mut EventLog) {
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
            is_privileged: pins.ar.prot & 1 != 0,
            presented: 0,
            due: cycle + self.latency + jitter,
        });
        self.tally.count_address(cycle, self.queue.len());
        if log.is_enabled() {
            log.push(BusEvent::Address(AddressEvent::new(
                cycle,
                wires.port,
                Direction::Read,
                number,
                &pins.ar,
                &burst,
            )));
        }
    }

    #[inline]
    fn finish_beat(&mut self, cycle: u64, pins: &AxiManagerPins, wires: Wires, log: &mut EventLog) {
        self.is_held = false;
        self.tally.count_beat(cycle, self.held.bytes);
        if self.held.response != Response::Okay {
            self.tally.error_beats += 1;
        }
        if log.is_enabled() {
            self.record_beat(cycle, pins, wires, log);
        }
        if self.held.is_last {
            let place = self.held.place;
            if place == 0 {
                self.queue.pop_front();
            } else {
                self.queue.remove(place);
            }
            self.tally.count_finish(cycle, self.queue.len());
        }
    }

    #[inline(never)]
    fn record_beat(&self, cycle: u64, pins: &AxiManagerPins, wires: Wires, log: &mut EventLog) {
        let held = &self.held;
        let entry = &self.queue[held.place];
        let first_lane = held.dma & u64::from(wires.bus_bytes - 1);
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
            lanes: (u128::MAX >> (128 - held.bytes)) << first_lane,
            data: pins.rdata,
            response: held.response,
        }));
    }
}

/// Fills all lanes of the bus from memory; says whether there is memory.
#[inline]
fn read_whole(dma: u64, pins: &mut AxiManagerPins, wires: Wires, memory: &mut HostMemory) -> bool {
    if matches!(wires.bus_bytes, 4 | 8) {
        let word = memory.read_word(dma & !7);
        if let Some(word) = word {
            pins.rdata[0] = if wires.bus_bytes == 8 {
                word
            } else {
                (word >> ((dma & 4) * 8)) & 0xffff_ffff
            };
        }
        return word.is_some();
    }
    // Buses below 32 bits, which AXI4 does not have, take the general way.
    let words = wires.bus_bytes as usize / 8;
    words > 0 && memory.read_words(dma, &mut pins.rdata[..words])
}

/// Fills the byte lanes of a beat in the general case: any width, narrow, unaligned, failing.
#[inline(never)]
fn read_lanes(
    held: &mut HeldBeat,
    entry: &ReadBurst,
    pins: &mut AxiManagerPins,
    wires: Wires,
    access: &Access,
    memory: &mut HostMemory,
) {
    let bus = wires.bus_bytes as usize;
    let beat = IommuAccess {
        cycle: held.sampled,
        port: wires.port,
        direction: Direction::Read,
        burst: entry.number,
        dma: DmaAddr::new(held.dma),
        bytes: held.bytes,
        is_privileged: entry.is_privileged,
    };
    let target = access.target(memory, &beat, wires.bus_bytes);
    held.lane0_phys = target.lane0_phys;
    held.response = target.response;
    if entry.burst.is_malformed() {
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
