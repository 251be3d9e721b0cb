//! The subordinate against a naive model of memory, and its timing to the cycle.

use std::collections::VecDeque;

use proptest::prelude::*;
use swiotlb::{DmaAddr, PhysAddr, PhysMemory};

use super::*;
use crate::events::{BeatEvent, BusEvent, Direction};
use crate::memory::PageAttribute;
use crate::pins::AddressPins;

const RAM: u64 = 0x10_0000;
const RAM_BYTES: u64 = 0x4_0000;

/// An address as a test writes it down.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Job {
    addr: u64,
    id: u32,
    len: u8,
    size: u8,
    burst: u8,
    prot: u8,
}

impl Job {
    fn incr(addr: u64, beats: u16) -> Self {
        Self {
            addr,
            id: 0,
            len: u8::try_from(beats - 1).unwrap(),
            size: 3,
            burst: 1,
            prot: 0,
        }
    }

    fn pins(self) -> AddressPins {
        AddressPins {
            addr: self.addr,
            id: self.id,
            len: self.len,
            size: self.size,
            burst: self.burst,
            prot: self.prot,
            valid: 1,
            ..AddressPins::default()
        }
    }
}

/// One data beat to write: the bus as it stands on the wires.
#[derive(Debug, Clone, Copy)]
struct Data {
    bytes: [u8; 128],
    strobes: u128,
    last: bool,
}

/// A manager that sends what it is given, each channel on its own, and notes the answers.
struct Bench {
    bus: Subordinate,
    memory: HostMemory,
    pins: AxiManagerPins,
    log: EventLog,
    cycle: u64,
    ar: VecDeque<Job>,
    aw: VecDeque<Job>,
    w: VecDeque<Data>,
    /// Cycles in which the manager holds a channel back, as a bit for AR, AW, W, R, B in this order.
    hold: Box<dyn FnMut(u64) -> u8>,
    events: Vec<BusEvent>,
    presented: Option<(AxiManagerPins, u64)>,
}

impl Bench {
    fn new(bus_bytes: u32, policy: &BusPolicy) -> Self {
        Self {
            bus: Subordinate::new(0, bus_bytes, policy, Seed::new(5)).unwrap(),
            memory: HostMemory::with_range(PhysAddr::new(RAM), RAM_BYTES).unwrap(),
            pins: AxiManagerPins::default(),
            log: EventLog::new(true, 8),
            cycle: 0,
            ar: VecDeque::new(),
            aw: VecDeque::new(),
            w: VecDeque::new(),
            hold: Box::new(|_| 0),
            events: Vec::new(),
            presented: None,
        }
    }

    fn step(&mut self) {
        let Self { pins, cycle, .. } = self;
        self.bus.drive(*cycle, pins, &mut self.memory);
        let hold = (self.hold)(*cycle);
        // Valid once given stays, so a hold acts on what is new only.
        let held = |bit: u8, valid: u8| hold & (1 << bit) != 0 && valid == 0;
        if !held(0, pins.ar.valid) {
            pins.ar = self
                .ar
                .front()
                .map_or_else(AddressPins::default, |job| job.pins());
        }
        if !held(1, pins.aw.valid) {
            pins.aw = self
                .aw
                .front()
                .map_or_else(AddressPins::default, |job| job.pins());
        }
        if !held(2, pins.wvalid) {
            pins.wvalid = u8::from(!self.w.is_empty());
            if let Some(data) = self.w.front() {
                for (word, bytes) in pins.wdata.iter_mut().zip(data.bytes.chunks_exact(8)) {
                    *word = u64::from_le_bytes(bytes.try_into().unwrap());
                }
                let halves = data.strobes.to_le_bytes();
                pins.wstrb = [
                    u64::from_le_bytes(halves[..8].try_into().unwrap()),
                    u64::from_le_bytes(halves[8..].try_into().unwrap()),
                ];
                pins.wlast = u8::from(data.last);
            }
        }
        pins.rready = u8::from(hold & 8 == 0);
        pins.bready = u8::from(hold & 16 == 0);
        let now = *pins;
        self.check_stability(&now);
        self.bus
            .sample(self.cycle, &now, &mut self.memory, &mut self.log);
        self.events.extend_from_slice(self.log.events());
        self.log.clear();
        if now.ar.valid & now.arready != 0 {
            self.ar.pop_front();
            self.pins.ar.valid = 0;
        }
        if now.aw.valid & now.awready != 0 {
            self.aw.pop_front();
            self.pins.aw.valid = 0;
        }
        if now.wvalid & now.wready != 0 {
            self.w.pop_front();
            self.pins.wvalid = 0;
        }
        self.cycle += 1;
    }

    /// What a source presents stays until it is taken (IHI 0022, A3.2.1).
    fn check_stability(&mut self, now: &AxiManagerPins) {
        if let Some((before, at)) = &self.presented {
            if before.rvalid != 0 && before.rready == 0 {
                assert_eq!(
                    (now.rvalid, now.rdata, now.rid, now.rresp, now.rlast),
                    (1, before.rdata, before.rid, before.rresp, before.rlast),
                    "R changed after cycle {at}"
                );
            }
            if before.bvalid != 0 && before.bready == 0 {
                assert_eq!(
                    (now.bvalid, now.bid, now.bresp),
                    (1, before.bid, before.bresp),
                    "B changed after cycle {at}"
                );
            }
        }
        self.presented = Some((*now, self.cycle));
    }

    /// Runs until all jobs are done and answered.
    fn finish(&mut self) {
        for _ in 0..200_000 {
            let is_sent = self.ar.is_empty() && self.aw.is_empty() && self.w.is_empty();
            if is_sent && self.bus.in_flight() == (0, 0) {
                return;
            }
            self.step();
        }
        panic!(
            "not finished after 200000 cycles: {:?}",
            self.bus.in_flight()
        );
    }

    fn beats(&self, wanted: Direction) -> Vec<BeatEvent> {
        self.events
            .iter()
            .filter_map(|event| match event {
                BusEvent::Beat(beat) if beat.direction == wanted => Some(*beat),
                _ => None,
            })
            .collect()
    }

    fn beat_cycles(&self, wanted: Direction) -> Vec<u64> {
        self.beats(wanted).iter().map(|beat| beat.cycle).collect()
    }

    fn responses(&self) -> Vec<(u64, u64, u32, Response)> {
        self.events
            .iter()
            .filter_map(|event| match event {
                BusEvent::Response(event) => {
                    Some((event.cycle, event.burst, event.id, event.response))
                }
                _ => None,
            })
            .collect()
    }

    fn push_write(&mut self, job: Job, bus_bytes: u32, fill: u8) {
        self.aw.push_back(job);
        let burst = Burst::new(&job.pins(), bus_bytes);
        for beat in 0..burst.beats() {
            let addr = burst.beat_addr(beat);
            let first = addr % u64::from(bus_bytes);
            let strobes = (u128::MAX >> (128 - burst.beat_bytes(addr))) << first;
            self.w.push_back(Data {
                bytes: [fill.wrapping_add(u8::try_from(beat % 256).unwrap()); 128],
                strobes,
                last: beat + 1 == burst.beats(),
            });
        }
    }
}

/// Addresses of the bytes of each beat, computed a byte at a time.
fn naive_beats(job: Job) -> Vec<Vec<u64>> {
    let bytes = 1u64 << job.size;
    let beats = u64::from(job.len) + 1;
    let mut at = job.addr;
    (0..beats)
        .map(|_| {
            let mut beat = vec![at];
            while !(at + beat.len() as u64).is_multiple_of(bytes) {
                beat.push(at + beat.len() as u64);
            }
            at = match job.burst {
                0 => at,
                1 => beat[beat.len() - 1] + 1,
                _ => {
                    let next = beat[beat.len() - 1] + 1;
                    if next % (bytes * beats) == 0 {
                        next - bytes * beats
                    } else {
                        next
                    }
                }
            };
            beat
        })
        .collect()
}

fn any_job(bus_log2: u8) -> impl Strategy<Value = Job> {
    (
        0u64..RAM_BYTES - 0x8000,
        0u32..4,
        any::<u8>(),
        0u8..=bus_log2,
        0u8..3,
    )
        .prop_map(|(offset, id, len, size, burst)| {
            let addr = RAM + offset;
            match burst {
                2 => Job {
                    addr: addr >> size << size,
                    id,
                    len: [1, 3, 7, 15][usize::from(len) % 4],
                    size,
                    burst,
                    prot: 0,
                },
                0 => Job {
                    addr,
                    id,
                    len: len % 16,
                    size,
                    burst,
                    prot: 0,
                },
                _ => Job {
                    addr,
                    id,
                    len,
                    size,
                    burst,
                    prot: 0,
                },
            }
        })
}

fn any_stall() -> impl Strategy<Value = Stall> {
    prop_oneof![
        Just(Stall::None),
        (2u32..6).prop_map(|period| Stall::EveryN { period }),
        (0.0..0.8).prop_map(|probability| Stall::Random { probability }),
        (1u32..8, 1u32..20).prop_map(|(run, hold)| Stall::LongHold { run, hold }),
    ]
}

prop_compose! {
    fn any_policy()(
        latency in (1u32..30, 1u32..30, 0u32..9, 0u32..9),
        stalls in [any_stall(), any_stall(), any_stall(), any_stall(), any_stall()],
        bandwidth in (prop::option::of((1u32..4, 0u32..4)), prop::option::of((1u32..4, 0u32..4))),
        limits in (1u32..9, 1u32..9),
        order in prop_oneof![
            Just(ResponseOrder::InOrder),
            any::<bool>().prop_map(|interleave_reads| ResponseOrder::ReorderById { interleave_reads }),
        ],
    ) -> BusPolicy {
        let rate = |(beats, extra)| Bandwidth { beats, cycles: beats + extra };
        BusPolicy {
            read_latency_cycles: latency.0,
            write_latency_cycles: latency.1,
            read_jitter_cycles: latency.2,
            write_jitter_cycles: latency.3,
            stalls: ChannelStalls {
                ar: stalls[0], r: stalls[1], aw: stalls[2], w: stalls[3], b: stalls[4],
            },
            read_bandwidth: bandwidth.0.map(rate),
            write_bandwidth: bandwidth.1.map(rate),
            max_reads: limits.0,
            max_writes: limits.1,
            order,
            ..BusPolicy::default()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Every burst type, narrow and unaligned, on every width, under every policy: writes leave the
    /// bytes of the naive model in memory, and reads return them.
    #[test]
    fn bytes_are_those_of_a_naive_model(
        bus_log2 in 2u8..=7,
        policy in any_policy(),
        jobs in prop::collection::vec(any_job(7), 1..12),
        holds in any::<u64>(),
        seed in any::<u64>(),
    ) {
        let bus_bytes = 1u32 << bus_log2;
        let jobs: Vec<Job> = jobs
            .into_iter()
            .map(|job| Job { size: job.size.min(bus_log2), ..job })
            .collect();
        let mut bench = Bench::new(bus_bytes, &policy);
        let mut random = Seed::new(seed).stream("data");
        let mut manager = Seed::new(holds).stream("manager");
        bench.hold = Box::new(move |_| u8::try_from(manager.below(32) & manager.below(32)).unwrap());

        // Writes, with random strobes among the lanes that a beat may use.
        let mut naive = vec![0u8; usize::try_from(RAM_BYTES).unwrap()];
        for job in &jobs {
            bench.aw.push_back(*job);
            let beats = naive_beats(*job);
            for (number, beat) in beats.iter().enumerate() {
                let mut data = Data { bytes: [0; 128], strobes: 0, last: number + 1 == beats.len() };
                random.fill(&mut data.bytes);
                for addr in beat {
                    let lane = usize::try_from(addr % u64::from(bus_bytes)).unwrap();
                    if random.chance(0.9) {
                        data.strobes |= 1 << lane;
                        naive[usize::try_from(addr - RAM).unwrap()] = data.bytes[lane];
                    }
                }
                bench.w.push_back(data);
            }
        }
        bench.finish();
        let stored = bench.memory.read_vec(PhysAddr::new(RAM), naive.len()).unwrap();
        prop_assert!(stored == naive, "memory differs from the model");

        // Reads of the same places.
        bench.ar.extend(&jobs);
        bench.finish();
        let mut expected: Vec<VecDeque<Vec<u64>>> =
            jobs.iter().map(|job| naive_beats(*job).into()).collect();
        for beat in bench.beats(Direction::Read) {
            let number = usize::try_from(beat.burst).unwrap();
            prop_assert_eq!(beat.id, jobs[number].id);
            let addrs = expected[number].pop_front().unwrap();
            prop_assert_eq!(beat.is_last, expected[number].is_empty());
            prop_assert_eq!(beat.response, Response::Okay);
            let found: Vec<(u64, u64, u8)> = beat
                .bytes()
                .map(|(dma, phys, byte)| (dma.raw(), phys.unwrap().raw(), byte))
                .collect();
            let wanted: Vec<(u64, u64, u8)> = addrs
                .iter()
                .map(|addr| (*addr, *addr, naive[usize::try_from(addr - RAM).unwrap()]))
                .collect();
            prop_assert_eq!(found, wanted);
            for lane in 0..bus_bytes {
                if beat.lanes >> lane & 1 == 0 {
                    prop_assert_eq!(beat.lane(lane as usize), FILLER);
                }
            }
        }
        prop_assert!(expected.iter().all(VecDeque::is_empty));

        // Events of writes tell the same story as memory.
        let mut told = vec![0u8; naive.len()];
        for beat in bench.beats(Direction::Write) {
            for (_, phys, byte) in beat.bytes() {
                told[usize::try_from(phys.unwrap().raw() - RAM).unwrap()] = byte;
            }
        }
        prop_assert!(told == naive, "events differ from the model");
        let counters = bench.bus.counters(bench.cycle);
        prop_assert_eq!(counters.read.bursts, jobs.len() as u64);
        prop_assert_eq!(counters.write.bursts, jobs.len() as u64);
        prop_assert!(counters.read.peak_in_flight <= policy.max_reads);
        prop_assert!(counters.write.peak_in_flight <= policy.max_writes);

        // Bursts of one ID are answered in order.
        for id in 0..4 {
            let order: Vec<u64> = bench.responses().iter().filter(|r| r.2 == id).map(|r| r.1).collect();
            prop_assert!(order.is_sorted(), "writes of id {}: {:?}", id, order);
            let order: Vec<u64> = bench
                .beats(Direction::Read).iter().filter(|b| b.id == id).map(|b| b.burst).collect();
            prop_assert!(order.is_sorted(), "reads of id {}: {:?}", id, order);
        }
    }
}

#[test]
fn the_first_read_beat_comes_exactly_after_the_latency_and_then_one_each_cycle() {
    for latency in [1, 2, 10, 200] {
        let mut bench = Bench::new(8, &BusPolicy::with_latency(latency));
        bench.ar.extend([Job::incr(RAM, 4), Job::incr(RAM + 64, 3)]);
        bench.finish();
        let first = u64::from(latency);
        // Address handshakes in cycles 0 and 1; the second burst follows the first without a gap.
        let expected: Vec<u64> = (first..first + 7).collect();
        assert_eq!(
            bench.beat_cycles(Direction::Read),
            expected,
            "latency {latency}"
        );
    }
}

#[test]
fn the_write_response_comes_exactly_after_the_latency() {
    for latency in [1, 2, 10, 200] {
        let mut bench = Bench::new(8, &BusPolicy::with_latency(latency));
        bench.push_write(Job::incr(RAM, 4), 8, 1);
        bench.push_write(Job::incr(RAM + 64, 1), 8, 9);
        bench.finish();
        assert_eq!(bench.beat_cycles(Direction::Write), [0, 1, 2, 3, 4]);
        let cycles: Vec<u64> = bench.responses().iter().map(|event| event.0).collect();
        let first = 3 + u64::from(latency);
        assert_eq!(cycles, [first, first + 1], "latency {latency}");
    }
}

#[test]
fn data_may_come_before_its_address() {
    let mut bench = Bench::new(8, &BusPolicy::with_latency(3));
    bench.push_write(Job::incr(RAM, 4), 8, 1);
    bench.push_write(Job::incr(RAM + 64, 2), 8, 0x20);
    // Addresses wait until cycle 20.
    bench.hold = Box::new(|cycle| if cycle < 20 { 2 } else { 0 });
    bench.finish();
    assert_eq!(
        bench.memory.read_vec(PhysAddr::new(RAM + 24), 1).unwrap(),
        [4]
    );
    assert_eq!(
        bench.memory.read_vec(PhysAddr::new(RAM + 72), 1).unwrap(),
        [0x21]
    );
    assert_eq!(
        bench.beat_cycles(Direction::Write),
        [20, 20, 20, 20, 21, 21]
    );
    let cycles: Vec<u64> = bench.responses().iter().map(|event| event.0).collect();
    assert_eq!(cycles, [23, 24]);
}

#[test]
fn a_read_sees_writes_of_the_cycles_before_it_is_presented() {
    let mut bench = Bench::new(8, &BusPolicy::with_latency(1));
    // W in cycle 2, R presented in cycles 2 and 3: the first is too early, the second sees it.
    bench
        .ar
        .extend([Job::incr(RAM, 1), Job::incr(RAM, 1), Job::incr(RAM, 1)]);
    bench.push_write(Job::incr(RAM, 1), 8, 0x55);
    bench.hold = Box::new(|cycle| if cycle < 2 { 4 } else { 0 });
    bench.finish();
    let words: Vec<(u64, u64)> = bench
        .beats(Direction::Read)
        .iter()
        .map(|beat| (beat.cycle, beat.data[0]))
        .collect();
    assert_eq!(words, [(1, 0), (2, 0), (3, 0x5555_5555_5555_5555)]);
}

#[test]
fn a_read_keeps_what_it_sampled_while_it_waits() {
    let mut bench = Bench::new(8, &BusPolicy::with_latency(1));
    bench.ar.push_back(Job::incr(RAM, 1));
    bench.hold = Box::new(|cycle| if cycle < 10 { 8 } else { 0 });
    for _ in 0..5 {
        bench.step();
    }
    bench.memory.write(PhysAddr::new(RAM), &[1; 8]).unwrap();
    bench.finish();
    let beat = bench.beats(Direction::Read)[0];
    assert_eq!((beat.cycle, beat.sampled, beat.data[0]), (10, 1, 0));
}

#[test]
fn no_more_bursts_are_in_flight_than_allowed() {
    for limit in [1, 2, 4] {
        let policy = BusPolicy {
            max_reads: limit,
            max_writes: limit,
            ..BusPolicy::with_latency(50)
        };
        let mut bench = Bench::new(8, &policy);
        for place in 0..8 {
            bench.ar.push_back(Job::incr(RAM + place * 64, 8));
            bench.push_write(Job::incr(RAM + 0x1000 + place * 64, 8), 8, 0);
        }
        bench.finish();
        let counters = bench.bus.counters(bench.cycle);
        assert_eq!(counters.read.peak_in_flight, limit);
        assert_eq!(counters.write.peak_in_flight, limit);
        let last = bench.beat_cycles(Direction::Read).pop().unwrap();
        // Each group of `limit` bursts costs the latency once; an address follows the last beat by one.
        let groups = 8 / u64::from(limit);
        assert!(last >= groups * 50 + 7, "limit {limit}: {last}");
        assert!(counters.ar.waiting_cycles > 0);
    }
}

#[test]
fn bandwidth_spreads_beats_evenly() {
    let rate = Some(Bandwidth {
        beats: 1,
        cycles: 4,
    });
    let policy = BusPolicy {
        read_bandwidth: rate,
        write_bandwidth: rate,
        ..BusPolicy::default()
    };
    let mut bench = Bench::new(8, &policy);
    bench.ar.push_back(Job::incr(RAM, 16));
    bench.push_write(Job::incr(RAM + 0x100, 16), 8, 0);
    bench.finish();
    for direction in [Direction::Read, Direction::Write] {
        let cycles = bench.beat_cycles(direction);
        assert!(
            cycles.windows(2).all(|pair| pair[1] - pair[0] == 4),
            "{direction:?} {cycles:?}"
        );
    }
}

#[test]
fn reordering_mixes_ids_and_the_seed_decides_how() {
    let run = |interleave_reads, seed| {
        let policy = BusPolicy {
            order: ResponseOrder::ReorderById { interleave_reads },
            ..BusPolicy::with_latency(40)
        };
        let mut bench = Bench::new(8, &policy);
        bench.bus = Subordinate::new(0, 8, &policy, Seed::new(seed)).unwrap();
        for place in 0..32u32 {
            let job = Job {
                id: place % 4,
                ..Job::incr(RAM + u64::from(place) * 64, 4)
            };
            bench.ar.push_back(job);
        }
        bench.finish();
        bench
            .beats(Direction::Read)
            .iter()
            .map(|beat| beat.burst)
            .collect::<Vec<u64>>()
    };
    let whole = run(false, 1);
    assert!(!whole.is_sorted(), "bursts overtake each other");
    assert!(
        whole
            .chunks(4)
            .all(|burst| burst.iter().all(|b| *b == burst[0])),
        "beats of a burst stay together"
    );
    assert_eq!(whole, run(false, 1));
    assert_ne!(whole, run(false, 2));
    let mixed = run(true, 1);
    assert!(
        mixed
            .chunks(4)
            .any(|burst| burst.iter().any(|b| *b != burst[0])),
        "beats of bursts mix"
    );
}

#[test]
fn stalls_are_decided_by_the_seed() {
    let policy = BusPolicy {
        stalls: ChannelStalls::uniform(Stall::Random { probability: 0.5 }),
        ..BusPolicy::default()
    };
    let run = |seed| {
        let mut bench = Bench::new(8, &policy);
        bench.bus = Subordinate::new(0, 8, &policy, Seed::new(seed)).unwrap();
        bench.ar.push_back(Job::incr(RAM, 32));
        bench.push_write(Job::incr(RAM + 0x1000, 32), 8, 0);
        bench.finish();
        (
            bench.beat_cycles(Direction::Read),
            bench.beat_cycles(Direction::Write),
            bench.responses(),
        )
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3), run(4));
}

#[test]
fn fault_windows_answer_with_their_error_and_protect_memory() {
    let fault = |base, bytes, access, response| FaultWindow {
        dma_base: DmaAddr::new(base),
        bytes,
        access,
        response,
    };
    let policy = BusPolicy {
        faults: vec![
            fault(RAM + 8, 1, FaultAccess::Both, FaultResponse::Slverr),
            fault(RAM + 20, 2, FaultAccess::Write, FaultResponse::Decerr),
        ],
        ..BusPolicy::default()
    };
    let mut bench = Bench::new(8, &policy);
    bench.push_write(Job::incr(RAM, 4), 8, 0x41);
    bench.push_write(Job::incr(RAM + 0x40, 1), 8, 0x51);
    bench.finish();
    bench.ar.push_back(Job::incr(RAM, 4));
    bench.finish();
    use Response::{Decerr, Okay, Slverr};
    let answers = |direction| -> Vec<Response> {
        bench
            .beats(direction)
            .iter()
            .map(|beat| beat.response)
            .collect()
    };
    assert_eq!(
        answers(Direction::Write),
        [Okay, Slverr, Decerr, Okay, Okay]
    );
    assert_eq!(answers(Direction::Read), [Okay, Slverr, Okay, Okay]);
    let responses: Vec<Response> = bench.responses().iter().map(|event| event.3).collect();
    assert_eq!(responses, [Decerr, Okay], "a burst answers its worst beat");
    let stored = bench.memory.read_vec(PhysAddr::new(RAM), 32).unwrap();
    assert_eq!(stored[0], 0x41);
    assert_eq!(stored[8..24], [0; 16]);
    assert_eq!(stored[24], 0x44);
    assert_eq!(bench.beats(Direction::Read)[1].lane(0), FILLER);
    assert_eq!(bench.bus.counters(bench.cycle).write.error_beats, 2);
    // Faults can be changed under way.
    bench.bus.set_faults(Vec::new()).unwrap();
    bench.ar.push_back(Job::incr(RAM + 8, 1));
    bench.finish();
    assert_eq!(bench.beats(Direction::Read).last().unwrap().response, Okay);
    let empty = fault(0, 0, FaultAccess::Both, FaultResponse::Slverr);
    assert!(bench.bus.set_faults(vec![empty]).is_err());
}

#[test]
fn faults_that_come_and_go_within_a_burst_meet_the_beats_of_their_time() {
    let mut bench = Bench::new(8, &BusPolicy::default());
    bench.memory.fill(PhysAddr::new(RAM), 0x1000, 0x77).unwrap();
    bench.ar.push_back(Job::incr(RAM + 4, 16));
    bench.push_write(Job::incr(RAM + 0x400, 16), 8, 0x10);
    for _ in 0..6 {
        bench.step();
    }
    let fault = FaultWindow {
        dma_base: DmaAddr::new(RAM),
        bytes: 0x1000,
        access: FaultAccess::Both,
        response: FaultResponse::Slverr,
    };
    bench.bus.set_faults(vec![fault]).unwrap();
    for _ in 0..3 {
        bench.step();
    }
    bench.bus.set_faults(Vec::new()).unwrap();
    bench.finish();
    for (direction, first) in [(Direction::Read, 5), (Direction::Write, 6)] {
        let beats = bench.beats(direction);
        assert_eq!(beats.len(), 16);
        for (number, beat) in (0u16..).zip(&beats) {
            let expected = if (first..first + 3).contains(&number) {
                Response::Slverr
            } else {
                Response::Okay
            };
            assert_eq!(beat.response, expected, "{direction:?} {number}");
            assert_eq!(beat.beat, number);
            assert_eq!(beat.is_last, number == 15);
        }
    }
    let stored = bench
        .memory
        .read_vec(PhysAddr::new(RAM + 0x400), 128)
        .unwrap();
    for (number, word) in (0u8..).zip(stored.chunks(8)) {
        let expected = if (6..9).contains(&number) {
            0x77
        } else {
            0x10 + number
        };
        assert_eq!(word, [expected; 8], "beat {number}");
    }
    assert_eq!(bench.responses()[0].3, Response::Slverr);
}

#[test]
fn what_is_not_memory_answers_decerr() {
    let mut bench = Bench::new(8, &BusPolicy::default());
    let end = RAM + RAM_BYTES;
    bench.ar.push_back(Job::incr(end - 8, 2));
    bench.push_write(Job::incr(end - 8, 2), 8, 7);
    bench.push_write(Job::incr(u64::MAX - 7, 1), 8, 7);
    bench.finish();
    let reads = bench.beats(Direction::Read);
    assert_eq!(reads[0].response, Response::Okay);
    assert_eq!(reads[1].response, Response::Decerr);
    assert_eq!(reads[1].lane0_phys, None);
    let responses: Vec<Response> = bench.responses().iter().map(|event| event.3).collect();
    assert_eq!(responses, [Response::Decerr, Response::Decerr]);
    assert_eq!(bench.memory.byte(PhysAddr::new(end - 1)), Some(7));
}

#[test]
fn address_windows_translate_and_close_the_rest() {
    let policy = BusPolicy {
        windows: vec![
            AddressWindow {
                dma_base: DmaAddr::new(0xc000_0000),
                phys_base: PhysAddr::new(RAM),
                bytes: 0x1000,
            },
            AddressWindow {
                dma_base: DmaAddr::new(0xc000_1000),
                phys_base: PhysAddr::new(RAM + 0x8000),
                bytes: 0x1000,
            },
        ],
        ..BusPolicy::default()
    };
    let mut bench = Bench::new(16, &policy);
    let job = Job {
        size: 4,
        ..Job::incr(0xc000_0ff0, 2)
    };
    bench.push_write(job, 16, 0x61);
    bench.ar.push_back(Job::incr(RAM, 1));
    bench.finish();
    assert_eq!(bench.memory.byte(PhysAddr::new(RAM + 0xfff)), Some(0x61));
    assert_eq!(bench.memory.byte(PhysAddr::new(RAM + 0x8000)), Some(0x62));
    let writes = bench.beats(Direction::Write);
    assert_eq!(writes[1].lane0_phys, Some(PhysAddr::new(RAM + 0x8000)));
    assert_eq!(bench.beats(Direction::Read)[0].response, Response::Decerr);
}

#[test]
fn private_pages_are_refused_when_the_policy_says_so() {
    for refuse_private in [false, true] {
        let policy = BusPolicy {
            refuse_private,
            ..BusPolicy::default()
        };
        let mut bench = Bench::new(8, &policy);
        let whole = PhysAddr::new(RAM);
        bench
            .memory
            .set_attribute(whole, RAM_BYTES, PageAttribute::Private)
            .unwrap();
        bench
            .memory
            .set_attribute(PhysAddr::new(RAM + 0x1000), 0x1000, PageAttribute::Shared)
            .unwrap();
        bench.push_write(Job::incr(RAM, 1), 8, 1);
        bench.push_write(Job::incr(RAM + 0x1000, 1), 8, 2);
        bench.finish();
        let responses: Vec<Response> = bench.responses().iter().map(|event| event.3).collect();
        let private = if refuse_private {
            Response::Decerr
        } else {
            Response::Okay
        };
        assert_eq!(responses, [private, Response::Okay]);
        let expected = if refuse_private { 0 } else { 1 };
        assert_eq!(bench.memory.byte(whole), Some(expected));
    }
}

#[test]
fn malformed_bursts_are_answered_slverr_and_do_not_hang() {
    let mut bench = Bench::new(8, &BusPolicy::default());
    bench.ar.extend([
        Job {
            size: 6,
            ..Job::incr(RAM, 2)
        },
        Job {
            burst: 3,
            ..Job::incr(RAM, 2)
        },
        Job {
            burst: 2,
            ..Job::incr(RAM, 3)
        },
    ]);
    bench.push_write(
        Job {
            burst: 3,
            ..Job::incr(RAM, 2)
        },
        8,
        1,
    );
    bench.finish();
    let reads = bench.beats(Direction::Read);
    assert_eq!(reads.len(), 7);
    assert!(reads.iter().all(|beat| beat.response == Response::Slverr));
    assert_eq!(bench.responses()[0].3, Response::Slverr);
    assert_eq!(bench.memory.byte(PhysAddr::new(RAM)), Some(0));
}

#[test]
fn counters_say_what_happened() {
    let mut bench = Bench::new(8, &BusPolicy::with_latency(5));
    bench.ar.push_back(Job::incr(RAM + 4, 3));
    bench.push_write(Job::incr(RAM + 0x100, 2), 8, 0);
    bench.hold = Box::new(|cycle| if cycle == 6 { 8 } else { 0 });
    bench.finish();
    let counters = bench.bus.counters(bench.cycle);
    assert_eq!(
        (
            counters.read.bursts,
            counters.read.beats,
            counters.read.bytes
        ),
        (1, 3, 20)
    );
    assert_eq!(
        (
            counters.write.bursts,
            counters.write.beats,
            counters.write.bytes
        ),
        (1, 2, 16)
    );
    assert_eq!(counters.read.first_address_cycle, Some(0));
    assert_eq!(counters.read.first_beat_cycle, Some(5));
    assert_eq!(counters.read.last_beat_cycle, Some(8));
    assert_eq!(counters.read.busy_cycles, 8, "cycles 1 to 8");
    assert_eq!(counters.write.last_finish_cycle, Some(6));
    assert_eq!(counters.r.waiting_cycles, 1);
    assert_eq!(counters.r.handshakes, 3);
    assert!((counters.read.beats_per_cycle() - 0.75).abs() < 1e-9);
}

/// An IOMMU that shows the first page of RAM at 0x7000, read only above its middle, and notes what it is asked.
#[derive(Debug, Default)]
struct OnePage {
    asked: std::rc::Rc<std::cell::RefCell<Vec<IommuAccess>>>,
}

impl Iommu for OnePage {
    fn translate(&self, access: &IommuAccess) -> Result<PhysAddr, Response> {
        self.asked.borrow_mut().push(*access);
        let offset = access.dma.raw().wrapping_sub(0x7000);
        let is_write = access.direction == Direction::Write;
        if offset >= 0x1000 || is_write && offset >= 0x800 {
            return Err(Response::Slverr);
        }
        Ok(PhysAddr::new(RAM + offset))
    }
}

#[test]
fn behind_an_iommu_beats_go_where_it_says_and_the_rest_is_stopped() {
    use Response::{Okay, Slverr};
    for bus_bytes in [4, 8, 32] {
        let mut bench = Bench::new(bus_bytes, &BusPolicy::default());
        bench.memory.fill(PhysAddr::new(RAM), 0x1000, 0x55).unwrap();
        let iommu = OnePage::default();
        let asked = std::rc::Rc::clone(&iommu.asked);
        bench.bus.set_iommu(Some(Box::new(iommu)));
        let size = u8::try_from(bus_bytes.trailing_zeros()).unwrap();
        let job = |addr, beats| Job {
            size,
            ..Job::incr(addr, beats)
        };
        // The first write begins at an odd address; the last beat of the second one goes too far.
        bench.push_write(job(0x7003, 2), bus_bytes, 0x10);
        bench.push_write(job(0x7800 - u64::from(bus_bytes), 2), bus_bytes, 0x20);
        bench.ar.push_back(job(0x7003, 2));
        bench.ar.push_back(job(RAM, 1));
        bench.finish();
        let answers = |direction| -> Vec<Response> {
            let beats = bench.beats(direction);
            beats.iter().map(|beat| beat.response).collect()
        };
        assert_eq!(answers(Direction::Write), [Okay, Okay, Okay, Slverr]);
        assert_eq!(answers(Direction::Read), [Okay, Okay, Slverr]);
        for beat in bench.beats(Direction::Read) {
            let word = beat.dma.raw() & !(u64::from(bus_bytes) - 1);
            let expected = (beat.response == Okay).then(|| PhysAddr::new(word - 0x7000 + RAM));
            assert_eq!(beat.lane0_phys, expected);
        }
        let stored = bench.memory.read_vec(PhysAddr::new(RAM), 0x801).unwrap();
        assert_eq!(stored[..3], [0x55; 3], "before the first byte");
        assert_ne!(stored[3], 0x55);
        assert_eq!(stored[0x800], 0x55, "a write that was stopped");
        let asked = asked.borrow();
        assert_eq!(asked.len(), 7, "once for each beat");
        let numbers: Vec<u64> = asked
            .iter()
            .filter(|access| access.direction == Direction::Write)
            .map(|access| access.burst)
            .collect();
        assert_eq!(numbers, [0, 0, 1, 1]);
        assert!(asked.iter().any(|access| access.dma.raw() == 0x7003));
    }
}

#[test]
fn an_iommu_is_told_who_is_privileged_and_passes_windows_and_private_pages_behind_it() {
    let policy = BusPolicy {
        windows: vec![AddressWindow {
            dma_base: DmaAddr::new(RAM),
            phys_base: PhysAddr::new(RAM + 0x2000),
            bytes: 0x1000,
        }],
        refuse_private: true,
        faults: vec![FaultWindow {
            dma_base: DmaAddr::new(0x7100),
            bytes: 8,
            access: FaultAccess::Both,
            response: FaultResponse::Decerr,
        }],
        ..BusPolicy::default()
    };
    let mut bench = Bench::new(8, &policy);
    let iommu = OnePage::default();
    let asked = std::rc::Rc::clone(&iommu.asked);
    bench.bus.set_iommu(Some(Box::new(iommu)));
    let behind = PhysAddr::new(RAM + 0x2000);
    bench.memory.fill(behind, 0x1000, 0x66).unwrap();
    bench.ar.push_back(Job::incr(0x7000, 1));
    bench.ar.push_back(Job::incr(0x7100, 1));
    bench.finish();
    let beats = bench.beats(Direction::Read);
    assert_eq!(beats[0].lane0_phys, Some(behind));
    assert_eq!(beats[0].lane(0), 0x66);
    assert_eq!(beats[1].response, Response::Decerr, "a fault window");
    assert_eq!(asked.borrow().len(), 1, "the other one came not so far");
    assert!(!asked.borrow()[0].is_privileged);
    bench.push_write(
        Job {
            prot: 1,
            ..Job::incr(0x7000, 1)
        },
        8,
        0x10,
    );
    bench.finish();
    assert!(asked.borrow()[1].is_privileged);
    let private = PageAttribute::Private;
    bench.memory.set_attribute(behind, 0x1000, private).unwrap();
    bench.ar.push_back(Job::incr(0x7000, 1));
    bench.finish();
    let last = *bench.beats(Direction::Read).last().unwrap();
    assert_eq!(last.response, Response::Decerr, "a private page");
    // Without it, the bus has its own addresses again.
    bench.bus.set_iommu(None);
    bench.ar.push_back(Job::incr(0x7000, 1));
    bench.finish();
    assert_eq!(asked.borrow().len(), 3);
}
