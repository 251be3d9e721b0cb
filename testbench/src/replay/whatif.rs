//! What if: the load on another machine.
//!
//! Time goes on as in the trace; only what fails moves. The model of a driver:
//!
//! - A mapping that fails is put at the end of its device's queue, as a block driver puts a request
//!   back, and is tried again whenever a mapping of the device ends. Made at last, it lives as long as
//!   it did in the trace.
//! - A mapping that failed in the trace and is made here is kept until the trace's own next try of the
//!   same buffer, which then only takes it over; if none comes, to the end.
//! - Copies of the load (`scale`) begin at other places of the trace and go round; each has its own
//!   CPUs, one further for each copy, and the same devices.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use rustc_hash::{FxHashMap, FxHashSet};
use swiotlb::{FullReason, MapError};

use crate::replay::engine::{Answer, Engine};
use crate::replay::figures::Figures;
use crate::replay::machine::Machine;
use crate::replay::op::{MapOp, MappingId, Op, OpKind, Seen};
use crate::replay::pairing::Load;
use crate::replay::run::ReplayError;
use crate::replay::spool::Cursor;
use crate::replay::tally::{Share, Tally};
use crate::seed::Seed;

/// What is different from the trace, apart from the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Copies of the load, at least 1.
    pub scale: u32,
    /// CPUs; calls of CPU `n` are made on `n mod cpus`.
    pub cpus: Option<u32>,
    /// Seed of where the copies begin.
    pub seed: Seed,
    /// Stop at the first failure: only whether there is one is wanted.
    pub stops_at_failure: bool,
}

/// Why mappings failed, first of all the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// Line of the trace.
    pub line: u64,
    /// Number of the device.
    pub device: u32,
    /// Number of the task's name.
    pub task: u32,
    /// Length in bytes.
    pub bytes: u64,
    /// The cause.
    pub cause: MapError,
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhatIf {
    /// What was counted.
    pub figures: Figures,
    /// Tries that failed.
    pub failed_tries: u64,
    /// Mappings that were never made.
    pub never_made: u64,
    /// Longest time from the first try to the mapping, in nanoseconds.
    pub longest_wait_ns: u64,
    /// The first failure.
    pub first_failure: Option<Failure>,
    /// Failures by device and size class (binary logarithm of the bytes, rounded up).
    pub failures_of: FxHashMap<(u32, u32), u64>,
    /// Longest free run at the first failure for want of a run.
    pub longest_free_run: Option<u32>,
    /// Bounced mappings that did not fit into the area of their CPU and took slots of another's.
    pub spilled: u64,
    /// Bounced mappings in all.
    pub bounced: u64,
    /// Most slots that all pools had together.
    pub most_slots: u64,
    /// Who held the slots at the peak, most first.
    pub at_peak: Vec<Share>,
    /// Slots held by each device at equal parts of the trace, and at its end.
    pub samples: Vec<Vec<u64>>,
    /// Mappings that are live at the end, by device and task, most slots first.
    pub left: Vec<Share>,
}

/// Replays a load on another machine.
///
/// # Errors
/// If there can be no such pool.
pub fn what_if(load: &Load, machine: Machine, change: Change) -> Result<WhatIf, ReplayError> {
    let survey = &load.survey;
    let cpus = change.cpus.unwrap_or(machine.cpus).max(1);
    let mut run = Run {
        engine: Engine::new(machine)?,
        figures: Figures::new(survey.devices.len(), survey.first_ns, survey.last_ns),
        queues: vec![VecDeque::new(); survey.devices.len()],
        waiting: FxHashSet::default(),
        ended: FxHashMap::default(),
        delays: FxHashMap::default(),
        ends: BinaryHeap::new(),
        kept: FxHashMap::default(),
        out: Counts::default(),
        tally: Tally::new(survey),
        cpus,
    };
    let mut copies = copies(load, change)?;
    let length_ns = survey.last_ns - survey.first_ns;
    while let Some((copy, op)) = next_of(&mut copies, length_ns)? {
        run.step(&op, copy);
        if change.stops_at_failure && run.out.first.is_some() {
            break;
        }
    }
    Ok(run.finish(survey.last_ns))
}

/// A copy of the load that goes round the trace once.
struct Copy<'a> {
    cursor: Cursor<'a>,
    /// Operation at which it began.
    first: u64,
    /// Time that is added to make it begin at the trace's beginning, modulo its length.
    shift_ns: u64,
    has_wrapped: bool,
    next: Option<Op>,
}

fn copies<'a>(load: &'a Load, change: Change) -> Result<Vec<Copy<'a>>, ReplayError> {
    let survey = &load.survey;
    let mut stream = change.seed.stream("replay.scale");
    let mut copies = Vec::new();
    for copy in 0..change.scale.max(1) {
        let first = if copy == 0 {
            0
        } else {
            stream.below(load.ops.len())
        };
        let mut cursor = load.ops.cursor(first);
        let begin_ns = cursor.next_op()?.map_or(survey.first_ns, |op| op.time_ns);
        cursor.seek(first);
        let mut copy = Copy {
            cursor,
            first,
            shift_ns: begin_ns.saturating_sub(survey.first_ns),
            has_wrapped: false,
            next: None,
        };
        copy.advance(survey.last_ns - survey.first_ns)?;
        copies.push(copy);
    }
    Ok(copies)
}

impl Copy<'_> {
    /// Reads the next operation, going round at the end of the trace.
    fn advance(&mut self, length_ns: u64) -> Result<(), ReplayError> {
        self.next = self.cursor.next_op()?;
        if self.next.is_none() && !self.has_wrapped && self.first > 0 {
            self.has_wrapped = true;
            self.cursor.seek(0);
            self.next = self.cursor.next_op()?;
        }
        if self.has_wrapped && self.cursor.position() > self.first {
            self.next = None;
        }
        if let Some(op) = &mut self.next {
            let added = if self.has_wrapped { length_ns } else { 0 };
            op.time_ns = (op.time_ns + added).saturating_sub(self.shift_ns);
        }
        Ok(())
    }
}

/// Takes the earliest operation of all copies, with the number of its copy.
fn next_of(copies: &mut [Copy<'_>], length_ns: u64) -> Result<Option<(u16, Op)>, ReplayError> {
    let times = copies.iter().enumerate();
    let times = times.filter_map(|(index, copy)| Some((copy.next.as_ref()?.time_ns, index)));
    let Some((_, index)) = times.min() else {
        return Ok(None);
    };
    let op = copies[index].next.take();
    copies[index].advance(length_ns)?;
    let copy = u16::try_from(index).unwrap_or(u16::MAX);
    Ok(op.map(|op| (copy, op)))
}

/// A mapping that waits in its device's queue.
#[derive(Debug, Clone, Copy)]
struct Tried {
    op: Op,
    map: MapOp,
    first_ns: u64,
}

#[derive(Debug, Default)]
struct Counts {
    failed_tries: u64,
    longest_wait_ns: u64,
    first: Option<Failure>,
    failures_of: FxHashMap<(u32, u32), u64>,
    longest_free_run: Option<u32>,
    spilled: u64,
    bounced: u64,
}

struct Run {
    engine: Engine,
    figures: Figures,
    queues: Vec<VecDeque<Tried>>,
    /// Mappings in a queue.
    waiting: FxHashSet<MappingId>,
    /// Those whose end came while they waited, with its time.
    ended: FxHashMap<MappingId, u64>,
    /// How much later than in the trace those were made that are live now.
    delays: FxHashMap<MappingId, u64>,
    /// Ends that come later than in the trace.
    ends: BinaryHeap<Reverse<(u64, MappingId)>>,
    /// Mappings that failed in the trace and are made here, by device, buffer and copy.
    kept: FxHashMap<(u32, u64, u64, u64), MappingId>,
    out: Counts,
    tally: Tally,
    cpus: u32,
}

/// Numbers of mappings of different copies differ in the highest bits.
const COPY_SHIFT: u32 = 48;

impl Run {
    fn step(&mut self, op: &Op, copy: u16) {
        let mut op = *op;
        let salt = u64::from(copy) << COPY_SHIFT;
        op.cpu = u16::try_from((u32::from(op.cpu) + u32::from(copy)) % self.cpus).unwrap_or(0);
        while let Some(&Reverse((time_ns, id))) = self.ends.peek()
            && time_ns <= op.time_ns
        {
            self.ends.pop();
            self.end(id, false, time_ns);
        }
        self.engine.set_time(op.time_ns);
        self.tally.sample(op.time_ns);
        match op.kind {
            OpKind::Map(mut map) => {
                map.id |= salt;
                self.map(&op, map);
            }
            OpKind::Unmap { id, skips_sync, .. } => self.unmap(id | salt, skips_sync, op.time_ns),
            OpKind::Sync {
                id,
                bytes,
                dir,
                for_cpu,
            } => {
                if let Some(held) = self.engine.held(id | salt) {
                    self.figures.sync(held, bytes, dir, for_cpu);
                }
            }
            OpKind::Phase { .. } if copy == 0 => {
                let hiwater = self.engine.take_hiwater();
                self.figures
                    .next_phase(op.time_ns, hiwater, self.engine.used_slots());
            }
            OpKind::Phase { .. } | OpKind::Lost => {}
        }
        self.figures.note_use(
            self.engine.used_slots(),
            self.engine.total_slots(),
            op.time_ns,
        );
    }

    fn map(&mut self, op: &Op, map: MapOp) {
        let key = (map.device, map.phys, map.bytes, map.id >> COPY_SHIFT);
        let kept = self.kept.get(&key).copied();
        match (map.seen, kept) {
            (Seen::Failed, Some(_)) => return,
            (_, Some(id)) if map.seen.is_mapped() => {
                self.kept.remove(&key);
                if self.engine.rename(id, map.id) {
                    return;
                }
            }
            _ => {}
        }
        let tried = Tried {
            op: *op,
            map,
            first_ns: op.time_ns,
        };
        if self.attempt(&tried, op.time_ns) {
            if map.seen == Seen::Failed {
                self.kept.insert(key, map.id);
            }
        } else if map.seen.is_mapped() && !is_hopeless(self.out.last_cause(&map)) {
            self.waiting.insert(map.id);
            self.queues[map.device as usize].push_back(tried);
        }
    }

    /// Tries to map; returns whether it is live now.
    fn attempt(&mut self, tried: &Tried, now_ns: u64) -> bool {
        let (op, map) = (&tried.op, &tried.map);
        let answer = self.engine.map(map, (op.cpu, op.task, now_ns));
        self.figures.map(map, &answer, now_ns);
        let Answer::Failed(cause) = answer else {
            if let Answer::Bounced { dma, slots } = answer {
                self.out.bounced += 1;
                self.out.spilled += u64::from(self.engine.is_spilled(dma, op.cpu));
                self.tally
                    .take((map.device, op.task, map.bytes), u64::from(slots));
            }
            return true;
        };
        self.engine.drop_messages();
        self.out.note(op, map, cause);
        false
    }

    fn unmap(&mut self, id: MappingId, skips_sync: bool, time_ns: u64) {
        if self.waiting.contains(&id) {
            // It ended in the trace, and has not begun here: it will live as long.
            self.ended.entry(id).or_insert(time_ns);
            return;
        }
        match self.delays.remove(&id) {
            Some(delay_ns) => self.ends.push(Reverse((time_ns + delay_ns, id))),
            None => self.end(id, skips_sync, time_ns),
        }
    }

    fn end(&mut self, id: MappingId, skips_sync: bool, time_ns: u64) {
        let Some(held) = self.engine.unmap(id) else {
            return;
        };
        self.figures.unmap(&held, skips_sync, time_ns);
        self.tally
            .give((held.device, held.task, held.bytes), u64::from(held.slots));
        self.retry(held.device, time_ns);
    }

    /// A mapping of the device has ended: what waits in its queue is tried again, in order.
    fn retry(&mut self, device: u32, now_ns: u64) {
        while let Some(tried) = self.queues[device as usize].front().copied() {
            if !self.attempt(&tried, now_ns) {
                return;
            }
            self.queues[device as usize].pop_front();
            self.waiting.remove(&tried.map.id);
            let waited = now_ns.saturating_sub(tried.first_ns);
            self.out.longest_wait_ns = self.out.longest_wait_ns.max(waited);
            match self.ended.remove(&tried.map.id) {
                Some(end_ns) => self.ends.push(Reverse((end_ns + waited, tried.map.id))),
                None => _ = self.delays.insert(tried.map.id, waited),
            }
        }
    }

    fn finish(mut self, last_ns: u64) -> WhatIf {
        while let Some(Reverse((time_ns, id))) = self.ends.pop() {
            self.end(id, false, time_ns);
        }
        self.tally.end();
        let hiwater = self.engine.take_hiwater();
        self.figures.end_phase(last_ns, hiwater);
        WhatIf {
            most_slots: self.figures.most_slots,
            at_peak: self.tally.at_peak(),
            samples: self.tally.samples(),
            left: Tally::left(&self.engine),
            figures: self.figures,
            failed_tries: self.out.failed_tries,
            never_made: self.waiting.len() as u64,
            longest_wait_ns: self.out.longest_wait_ns,
            first_failure: self.out.first,
            failures_of: self.out.failures_of,
            longest_free_run: self.out.longest_free_run,
            spilled: self.out.spilled,
            bounced: self.out.bounced,
        }
    }
}

impl Counts {
    fn note(&mut self, op: &Op, map: &MapOp, cause: MapError) {
        self.failed_tries += 1;
        self.first.get_or_insert(Failure {
            line: op.line,
            device: map.device,
            task: op.task,
            bytes: map.bytes,
            cause,
        });
        let class = map.bytes.max(1).next_power_of_two().ilog2();
        *self.failures_of.entry((map.device, class)).or_default() += 1;
        if let MapError::Full(full) = cause
            && let FullReason::Fragmented { longest_run } = full.why
        {
            self.longest_free_run.get_or_insert(longest_run);
        }
    }

    /// Returns the first failure's cause if it is of the same length: some never come out otherwise.
    fn last_cause(&self, map: &MapOp) -> Option<MapError> {
        self.first
            .filter(|first| first.bytes == map.bytes)
            .map(|first| first.cause)
    }
}

/// Returns whether a try would fail again whatever is freed.
fn is_hopeless(cause: Option<MapError>) -> bool {
    match cause {
        Some(MapError::Full(full)) => {
            matches!(
                full.why,
                FullReason::AboveSlotSet | FullReason::AboveBoundary
            )
        }
        Some(MapError::BounceNotCapable { .. } | MapError::NotCapable { .. }) => true,
        _ => false,
    }
}
