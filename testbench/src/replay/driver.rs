//! The driver of a replay on another machine: what it does about a full pool. [`what_if`](super::what_if) has the model.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::replay::copies::Turn;
use crate::replay::engine::{Answer, Engine};
use crate::replay::failures::Failures;
use crate::replay::figures::Figures;
use crate::replay::load::Load;
use crate::replay::machine::Machine;
use crate::replay::op::{MappingId, Op, OpKind, Seen};
use crate::replay::queue::{Queue, Request, TaskRuns, Tried};
use crate::replay::request::{Ahead, bounded};
use crate::replay::run::ReplayError;
use crate::replay::tally::Tally;
use crate::replay::whatif::{Change, WhatIf};

/// Numbers of mappings of different copies differ in the highest bits.
const COPY_SHIFT: u32 = 48;

/// A replay on another machine.
pub(crate) struct Driver<'a> {
    load: &'a Load,
    engine: Engine,
    figures: Figures,
    queues: Vec<Queue>,
    /// Requests that wait, over all queues.
    waiting_requests: usize,
    /// Their mappings.
    waiting: FxHashSet<MappingId>,
    /// Those whose end came while they waited, with its time.
    ended: FxHashMap<MappingId, u64>,
    /// How much later than in the trace those were made that are live now.
    delays: FxHashMap<MappingId, u64>,
    /// Ends that come later than in the trace.
    ends: BinaryHeap<Reverse<(u64, MappingId)>>,
    /// Mappings that failed in the trace and are made here, by device, buffer and copy.
    kept: FxHashMap<(u32, u64, u64, u64), MappingId>,
    /// What tasks map, by process number and copy.
    runs: TaskRuns,
    failures: Failures,
    /// Mappings that have ended.
    ended_mappings: u64,
    /// Time of the last operation.
    now_ns: u64,
    tally: Tally,
    cpus: u32,
}

impl<'a> Driver<'a> {
    pub(crate) fn new(
        load: &'a Load,
        machine: Machine,
        change: Change,
    ) -> Result<Self, ReplayError> {
        let survey = &load.survey;
        let devices = survey.devices.len();
        let cpus = change.cpus.unwrap_or(machine.cpus).max(1);
        Ok(Self {
            load,
            engine: Engine::new(machine)?,
            figures: Figures::new(devices, survey.first_ns, survey.last_ns),
            queues: (0..devices).map(|_| Queue::default()).collect(),
            waiting_requests: 0,
            waiting: FxHashSet::default(),
            ended: FxHashMap::default(),
            delays: FxHashMap::default(),
            ends: BinaryHeap::new(),
            kept: FxHashMap::default(),
            runs: TaskRuns::default(),
            failures: Failures::default(),
            ended_mappings: 0,
            now_ns: 0,
            tally: Tally::new(survey),
            cpus,
        })
    }

    pub(crate) const fn has_failed(&self) -> bool {
        self.failures.first.is_some()
    }

    pub(crate) fn step(&mut self, turn: &Turn) -> Result<(), ReplayError> {
        let op = self.placed(turn.op, turn.copy);
        self.catch_up(op.time_ns);
        self.now_ns = op.time_ns;
        self.engine.set_time(op.time_ns);
        self.tally.sample(op.time_ns);
        if self.waiting_requests > 0 {
            self.run_queues_behind_ends(&op);
        }
        let salt = u64::from(turn.copy) << COPY_SHIFT;
        match op.kind {
            OpKind::Map(mut map) => {
                map.id |= salt;
                self.map(Tried { op, map }, turn)?;
            }
            OpKind::Unmap { id, skips_sync, .. } => {
                self.runs.end(op.pid, turn.copy);
                self.unmap(id | salt, skips_sync, &op);
            }
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
            OpKind::Phase { .. } if turn.copy == 0 => {
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
        Ok(())
    }

    /// Puts an operation on the CPU of its copy.
    fn placed(&self, mut op: Op, copy: u16) -> Op {
        op.cpu = u16::try_from((u32::from(op.cpu) + u32::from(copy)) % self.cpus).unwrap_or(0);
        op
    }

    fn map(&mut self, tried: Tried, turn: &Turn) -> Result<(), ReplayError> {
        let map = tried.map;
        // Its request waits, or was made before this line came.
        if self.waiting.contains(&map.id) || self.engine.held(map.id).is_some() {
            return Ok(());
        }
        let key = (map.device, map.phys, map.bytes, map.id >> COPY_SHIFT);
        let kept = self.kept.get(&key).copied();
        match (map.seen, kept) {
            (Seen::Failed, Some(_)) => return Ok(()),
            (_, Some(id)) if map.seen.is_mapped() => {
                self.kept.remove(&key);
                if self.engine.rename(id, map.id) {
                    return Ok(());
                }
            }
            _ => {}
        }
        if !map.seen.is_mapped() {
            self.runs.end(tried.op.pid, turn.copy);
        }
        if self.attempt(&tried, tried.op.time_ns) {
            if map.seen == Seen::Failed {
                self.kept.insert(key, map.id);
            } else if map.seen.is_mapped() {
                self.runs.remember(tried, turn.copy);
            }
        } else if map.seen.is_mapped() && !self.failures.is_hopeless() {
            self.put_back(tried, turn)?;
        }
        Ok(())
    }

    /// A mapping has failed: its request is taken back and put at the end of the queue, which is run then.
    fn put_back(&mut self, failed: Tried, turn: &Turn) -> Result<(), ReplayError> {
        let ahead = Ahead::of(self.load, turn.position)?;
        let salt = u64::from(turn.copy) << COPY_SHIFT;
        let made = self.runs.take(&failed, turn.copy).into_iter();
        let mut request: Request = made
            .filter(|tried| ahead.ids.contains(&(tried.map.id ^ salt)))
            .collect();
        let index = request.len();
        request.push(failed);
        // A copy has a time of its own.
        let shift_ns = failed.op.time_ns.wrapping_sub(self.time_of(turn.position)?);
        for (mut op, mut map) in ahead.rest {
            op.time_ns = op.time_ns.wrapping_add(shift_ns);
            map.id |= salt;
            let op = self.placed(op, turn.copy);
            request.push(Tried { op, map });
        }
        let lengths: Vec<u64> = request.iter().map(|tried| tried.map.bytes).collect();
        let bounds = bounded(&lengths, index);
        request.truncate(bounds.end);
        request.drain(..bounds.start);
        for tried in &request[..index - bounds.start] {
            self.take_back(tried.map.id, failed.op.time_ns);
        }
        self.waiting
            .extend(request.iter().map(|tried| tried.map.id));
        let queue = &mut self.queues[failed.map.device as usize];
        queue.requests.push_back(request);
        self.waiting_requests += 1;
        self.run_queue(failed.map.device, failed.op.time_ns);
        Ok(())
    }

    fn time_of(&self, position: u64) -> Result<u64, ReplayError> {
        let op = self.load.ops.cursor(position).next_op()?;
        Ok(op.map_or(0, |op| op.time_ns))
    }

    /// Tries to map; returns whether it is live now.
    fn attempt(&mut self, tried: &Tried, now_ns: u64) -> bool {
        let (op, map) = (&tried.op, &tried.map);
        let answer = self.engine.map(map, (op.cpu, op.task, now_ns));
        self.figures.map(map, &answer, now_ns);
        match answer {
            Answer::Failed(cause) => {
                self.engine.drop_messages();
                self.failures.note(op, map, cause);
                false
            }
            Answer::Bounced { dma, slots } => {
                let is_spilled = self.engine.is_spilled(dma, op.cpu);
                self.failures.note_bounced(is_spilled);
                self.tally
                    .take((map.device, op.task, map.bytes), u64::from(slots));
                true
            }
            Answer::Direct => true,
        }
    }

    fn unmap(&mut self, id: MappingId, skips_sync: bool, op: &Op) {
        if self.waiting.contains(&id) {
            // It ended in the trace, and has not begun here: it will live as long.
            self.ended.entry(id).or_insert(op.time_ns);
            return;
        }
        match self.delays.remove(&id) {
            Some(delay_ns) => self.ends.push(Reverse((op.time_ns + delay_ns, id))),
            None => self.end(id, skips_sync, (op.pid, op.cpu, op.time_ns)),
        }
    }

    fn end(&mut self, id: MappingId, skips_sync: bool, (pid, cpu, time_ns): (u32, u16, u64)) {
        let Some(held) = self.engine.unmap(id) else {
            return;
        };
        self.ended_mappings += 1;
        self.figures.unmap(&held, skips_sync, time_ns);
        self.tally
            .give((held.device, held.task, held.bytes), u64::from(held.slots));
        if self.waiting_requests > 0 {
            self.queues[held.device as usize].ending = Some((pid, cpu, time_ns));
        }
    }

    /// Gives a mapping of a request back that cannot be made as a whole.
    fn take_back(&mut self, id: MappingId, now_ns: u64) {
        if let Some(held) = self.engine.unmap(id) {
            self.figures.unmap(&held, true, now_ns);
            self.tally
                .give((held.device, held.task, held.bytes), u64::from(held.slots));
        }
    }

    /// Does what comes of itself before a time: late ends, and queues whose time has come.
    fn catch_up(&mut self, until_ns: u64) {
        loop {
            let end = self.ends.peek().map(|&Reverse((time_ns, _))| time_ns);
            let queue = self.next_queue();
            match (end, queue) {
                (Some(time_ns), queue)
                    if time_ns <= until_ns && queue.is_none_or(|(due_ns, _)| time_ns <= due_ns) =>
                {
                    if let Some(Reverse((time_ns, id))) = self.ends.pop() {
                        self.end(id, false, (0, 0, time_ns));
                    }
                }
                (_, Some((due_ns, device))) if due_ns <= until_ns => {
                    self.run_queue(device, due_ns.max(self.now_ns));
                }
                _ => return,
            }
        }
    }

    /// Returns the queue that is to be run next, and when.
    fn next_queue(&self) -> Option<(u64, u32)> {
        if self.waiting_requests == 0 {
            return None;
        }
        let waiting = self
            .queues
            .iter()
            .zip(0..)
            .filter(|(queue, _)| !queue.requests.is_empty());
        waiting
            .filter_map(|(queue, device)| Some((queue.due_ns(self.ended_mappings)?, device)))
            .min()
    }

    /// Runs the queue of a device whose ends are over, because their task goes on with something else.
    fn run_queues_behind_ends(&mut self, op: &Op) {
        if matches!(op.kind, OpKind::Unmap { .. }) {
            return;
        }
        for device in 0..self.queues.len() {
            let queue = &self.queues[device];
            let is_over = queue
                .ending
                .is_some_and(|(pid, cpu, _)| (pid, cpu) == (op.pid, op.cpu));
            if is_over && !queue.requests.is_empty() {
                self.run_queue(u32::try_from(device).unwrap_or(u32::MAX), op.time_ns);
            }
        }
    }

    /// Tries what waits, from the head of the queue, until one fails.
    fn run_queue(&mut self, device: u32, now_ns: u64) {
        let queue = &mut self.queues[device as usize];
        queue.last_try_ns = now_ns;
        queue.ends_at_try = self.ended_mappings;
        queue.ending = None;
        while let Some(request) = self.queues[device as usize].requests.pop_front() {
            if !self.make(&request, now_ns) {
                self.queues[device as usize].requests.push_front(request);
                return;
            }
            self.waiting_requests -= 1;
            for tried in &request {
                self.begin_late(tried, now_ns);
            }
        }
    }

    /// Makes all mappings of a request, or none; returns which.
    fn make(&mut self, request: &[Tried], now_ns: u64) -> bool {
        for (index, tried) in request.iter().enumerate() {
            if !self.attempt(tried, now_ns) {
                for made in &request[..index] {
                    self.take_back(made.map.id, now_ns);
                }
                return false;
            }
        }
        true
    }

    /// A mapping of a request that waited lives as long as in the trace.
    fn begin_late(&mut self, tried: &Tried, now_ns: u64) {
        let id = tried.map.id;
        self.waiting.remove(&id);
        let waited_ns = now_ns.saturating_sub(tried.op.time_ns);
        self.failures.note_wait(waited_ns);
        match self.ended.remove(&id) {
            Some(end_ns) => self.ends.push(Reverse((end_ns + waited_ns, id))),
            None if waited_ns > 0 => _ = self.delays.insert(id, waited_ns),
            None => {}
        }
    }

    pub(crate) fn finish(mut self, last_ns: u64) -> WhatIf {
        let mut now_ns = last_ns;
        loop {
            while let Some(Reverse((time_ns, id))) = self.ends.pop() {
                now_ns = now_ns.max(time_ns);
                self.end(id, false, (0, 0, time_ns));
            }
            let before = self.waiting_requests;
            for device in 0..self.queues.len() {
                self.run_queue(u32::try_from(device).unwrap_or(u32::MAX), now_ns);
            }
            if self.waiting_requests == before {
                break;
            }
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
            failed_tries: self.failures.tries,
            never_made: self.waiting.len() as u64,
            longest_wait_ns: self.failures.longest_wait_ns,
            first_failure: self.failures.first,
            out_of_reach: self.failures.out_of_reach,
            failures_of: self.failures.of,
            longest_free_run: self.failures.longest_free_run,
            spilled: self.failures.spilled,
            bounced: self.failures.bounced,
        }
    }
}
