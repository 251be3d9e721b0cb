//! Pairing: events become mappings with begin and end, in the order in which the calls began.
//!
//! A bounced buffer has two lines, one before its slots are looked for and one after the mapping; a
//! scatterlist has one after its last entry. So an operation waits in a short queue until its last line
//! is read.

use std::collections::VecDeque;
use std::io;

use crate::replay::live::{Live, LiveTable};
use crate::replay::load::Load;
use crate::replay::op::{MapOp, MappingId, Op, OpKind, Seen};
use crate::replay::spool::Spool;
use crate::replay::survey::{DeviceSurvey, Survey};
use crate::trace::{Dir, Event, Lists, Names, Reader, Record, TraceAttrs, TraceError};

/// Longest time between the two lines of a mapping; a copy of 256 KiB takes far less.
const MOST_NS: u64 = 200_000_000;
/// Most operations that wait, whatever the clock says.
const MOST_WAITING: usize = 1 << 16;
/// Bytes of a slot.
const SLOT: u64 = swiotlb::SLOT_BYTES;

#[path = "pairing_ends.rs"]
mod ends;
#[path = "pairing_sg.rs"]
mod sg;

/// An operation in the queue.
#[derive(Debug)]
struct Waiting {
    op: Op,
    is_open: bool,
}

/// What a map line says of one buffer.
struct Mapped {
    dir: Dir,
    attrs: TraceAttrs,
    phys: u64,
    dma: u64,
    bytes: u64,
    is_sg: bool,
}

#[derive(Debug)]
pub(crate) struct Pairing {
    queue: VecDeque<Waiting>,
    /// Operations in the queue that wait for a line.
    open: usize,
    live: LiveTable,
    next_id: MappingId,
    last_ns: u64,
    load: Load,
}

impl Pairing {
    pub(crate) fn new() -> Self {
        Self {
            queue: VecDeque::new(),
            open: 0,
            live: LiveTable::default(),
            next_id: 0,
            last_ns: 0,
            load: Load {
                ops: Spool::default(),
                survey: Survey::new(),
            },
        }
    }

    pub(crate) fn take(
        &mut self,
        record: &Record,
        lists: &Lists,
        devices: &Names,
    ) -> Result<(), TraceError> {
        let survey = &mut self.load.survey;
        while survey.devices.len() < devices.len() {
            let number = u32::try_from(survey.devices.len()).unwrap_or(u32::MAX);
            survey.devices.push(DeviceSurvey::new(devices.text(number)));
        }
        survey.note_time(record.time_ns);
        survey.highest_cpu = survey.highest_cpu.max(record.cpu);
        self.last_ns = self.last_ns.max(record.time_ns);
        match &record.event {
            Event::Bounced {
                mask,
                addr,
                bytes,
                is_forced,
            } => {
                let is_first = survey.devices.iter().all(|device| device.mask.is_none());
                survey.is_forced = *is_forced && (is_first || survey.is_forced);
                survey.devices[record.device as usize].mask = Some(*mask);
                self.open_map(record, *addr, *bytes);
            }
            Event::Map {
                dir,
                dma,
                bytes,
                phys,
                attrs,
            } => {
                let mapped = Mapped {
                    dir: *dir,
                    attrs: *attrs,
                    phys: *phys,
                    dma: *dma,
                    bytes: *bytes,
                    is_sg: false,
                };
                let from = self.queue.len();
                self.close_map(record, &mapped, from);
            }
            Event::Unmap {
                dir,
                dma,
                bytes,
                attrs,
            } => self.unmap(record, (*dir, *dma, *bytes), *attrs),
            Event::MapSg {
                dir,
                entries,
                attrs,
            } => self.map_sg(record, lists, (*dir, *attrs), *entries),
            Event::UnmapSg { attrs } => self.unmap_sg(record, lists, *attrs),
            Event::Sync {
                dir,
                dma,
                bytes,
                for_cpu,
            } => self.sync(record, (*dma, *bytes), *dir, *for_cpu),
            Event::SyncSg { dir, for_cpu } => {
                for (&dma, &bytes) in lists.dma.iter().zip(&lists.bytes) {
                    self.sync(record, (dma, bytes), *dir, *for_cpu);
                }
            }
            // A list that failed has no addresses; its entries are given up when they have waited too long.
            Event::MapSgError | Event::Coherent => {}
            Event::Marker(marker) => {
                let number = survey.note_marker(marker, record.time_ns);
                self.push(record, OpKind::Phase { number });
            }
        }
        self.flush(record.time_ns)
    }

    pub(crate) fn lose(&mut self, line: u64) -> Result<(), TraceError> {
        let op = Op {
            time_ns: self.last_ns,
            line,
            cpu: 0,
            task: 0,
            pid: 0,
            kind: OpKind::Lost,
        };
        self.queue.push_back(Waiting { op, is_open: false });
        self.flush(self.last_ns)
    }

    fn push(&mut self, record: &Record, kind: OpKind) {
        let op = op_at(record, kind);
        let is_open = matches!(&op.kind, OpKind::Map(map) if map.seen == Seen::Unpaired);
        self.open += usize::from(is_open);
        self.queue.push_back(Waiting { op, is_open });
    }

    fn new_id(&mut self) -> MappingId {
        self.next_id += 1;
        self.next_id
    }

    /// A buffer is about to be bounced: the operation begins here.
    fn open_map(&mut self, record: &Record, phys: u64, bytes: u64) {
        let id = self.new_id();
        let map = MapOp {
            id,
            device: record.device,
            dir: Dir::Bidirectional,
            attrs: TraceAttrs::default(),
            phys,
            bytes,
            seen: Seen::Unpaired,
            closed_line: record.line,
            is_sg: false,
        };
        self.push(record, OpKind::Map(map));
    }

    /// Finds the latest open operation of a buffer in front of `from`, that of the same task first:
    /// a driver that failed tries again, and only its last try has a mapping.
    fn find_open(&self, record: &Record, mapped: &Mapped, from: usize) -> Option<usize> {
        if self.open == 0 {
            return None;
        }
        let mut other = None;
        for (index, waiting) in self.queue.iter().enumerate().take(from).rev() {
            if let OpKind::Map(map) = &waiting.op.kind
                && waiting.is_open
                && map.device == record.device
                && map.phys == mapped.phys
                && map.bytes == mapped.bytes
            {
                if waiting.op.pid == record.pid {
                    return Some(index);
                }
                other = other.or(Some(index));
            }
        }
        other
    }

    /// The mapping of a buffer is told; returns its number, and where in the queue it waits if it was open.
    fn close_map(
        &mut self,
        record: &Record,
        mapped: &Mapped,
        from: usize,
    ) -> (MappingId, Option<usize>) {
        let mut found = self.find_open(record, mapped, from);
        let survey = &mut self.load.survey;
        let device = &mut survey.devices[record.device as usize];
        device.largest_bytes = device.largest_bytes.max(mapped.bytes);
        if mapped.bytes == 0 {
            survey.misfits.empty_maps.note(record.line);
        }
        let seen = if mapped.dma == u64::MAX {
            device.failed += 1;
            Seen::Failed
        } else if mapped.dma == mapped.phys && found.is_none() {
            device.direct += 1;
            Seen::Direct
        } else {
            if found.is_none() {
                survey.misfits.maps_without_bounce.note(record.line);
            }
            device.note_bounced(mapped.phys, mapped.dma);
            let cpu = found.map_or(record.cpu, |index| self.queue[index].op.cpu);
            survey.note_place(cpu, mapped.dma, mapped.bytes);
            Seen::Bounced(mapped.dma)
        };
        if matches!(seen, Seen::Bounced(_)) {
            let inserted = self.end_overlapped(record, mapped);
            found = found.map(|index| index + inserted);
        }
        let id = match found {
            Some(index) => {
                self.open -= 1;
                let waiting = &mut self.queue[index];
                waiting.is_open = false;
                let OpKind::Map(map) = &mut waiting.op.kind else {
                    unreachable!("only maps are open");
                };
                (map.dir, map.attrs) = (mapped.dir, mapped.attrs);
                (map.seen, map.is_sg) = (seen, mapped.is_sg);
                map.closed_line = record.line;
                map.id
            }
            None => {
                let id = self.new_id();
                let map = MapOp {
                    id,
                    device: record.device,
                    dir: mapped.dir,
                    attrs: mapped.attrs,
                    phys: mapped.phys,
                    bytes: mapped.bytes,
                    seen,
                    closed_line: record.line,
                    is_sg: mapped.is_sg,
                };
                self.push(record, OpKind::Map(map));
                id
            }
        };
        if seen.is_mapped() {
            self.live.insert(Live {
                id,
                device: record.device,
                dma: mapped.dma,
                phys: mapped.phys,
                bytes: mapped.bytes,
                dir: mapped.dir,
                is_bounced: seen != Seen::Direct,
                is_sg: mapped.is_sg,
            });
        }
        (id, found)
    }

    fn sync(&mut self, record: &Record, (dma, bytes): (u64, u64), dir: Dir, for_cpu: bool) {
        if let Some(live) = self.live.holding(record.device, dma) {
            let kind = OpKind::Sync {
                id: live.id,
                bytes,
                dir,
                for_cpu,
            };
            self.push(record, kind);
        }
    }

    /// Hands on what is complete, and gives up what has waited for too long.
    fn flush(&mut self, now_ns: u64) -> Result<(), TraceError> {
        while let Some(front) = self.queue.front() {
            if front.is_open {
                let is_old = now_ns.saturating_sub(front.op.time_ns) > MOST_NS;
                if !is_old && self.queue.len() < MOST_WAITING {
                    return Ok(());
                }
                self.give_up();
            }
            self.pop()?;
        }
        Ok(())
    }

    fn pop(&mut self) -> io::Result<()> {
        match self.queue.pop_front() {
            Some(waiting) => self.load.ops.push(waiting.op),
            None => Ok(()),
        }
    }

    pub(crate) fn finish(mut self, reader: &Reader) -> Result<Load, TraceError> {
        while let Some(front) = self.queue.front() {
            if front.is_open {
                self.give_up();
            }
            self.pop()?;
        }
        self.load.ops.finish()?;
        let mut survey = self.load.survey;
        survey.misfits.live_at_end = self.live.all().len() as u64;
        survey.read = reader.counts.clone();
        survey.tasks = reader.tasks.iter().map(str::to_owned).collect();
        Ok(Load {
            survey,
            ops: self.load.ops,
        })
    }
}

#[cfg(test)]
#[path = "pairing_tests.rs"]
mod tests;

/// What a record tells, at its place in the trace.
fn op_at(record: &Record, kind: OpKind) -> Op {
    Op {
        time_ns: record.time_ns,
        line: record.line,
        cpu: record.cpu,
        task: record.task,
        pid: record.pid,
        kind,
    }
}
