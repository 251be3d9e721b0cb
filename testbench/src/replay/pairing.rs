//! Pairing: events become mappings with begin and end, in the order in which the calls began.
//!
//! A bounced buffer has two lines, one before its slots are looked for and one after the mapping; a
//! scatterlist has one after its last entry. So an operation waits in a short queue until its last line
//! is read.

use std::collections::VecDeque;
use std::io;

use crate::replay::live::{Live, LiveTable};
use crate::replay::op::{MapOp, MappingId, Op, OpKind, Seen};
use crate::replay::spool::Spool;
use crate::replay::survey::{DeviceSurvey, Survey};
use crate::trace::{Dir, Event, Item, Lists, Names, Reader, Record, TraceAttrs, TraceError};

/// Longest time between the two lines of a mapping; a copy of 256 KiB takes far less.
const MOST_NS: u64 = 200_000_000;
/// Most operations that wait, whatever the clock says.
const MOST_WAITING: usize = 1 << 16;
/// Bytes of a slot.
const SLOT: u64 = swiotlb::SLOT_BYTES;

#[path = "pairing_sg.rs"]
mod sg;

/// A load with what else the trace tells.
#[derive(Debug)]
pub struct Load {
    /// The operations.
    pub ops: Spool,
    /// The machine, the devices, the phases, and what did not fit.
    pub survey: Survey,
}

impl Load {
    /// Reads a trace to its end.
    ///
    /// # Errors
    /// If it cannot be read, or holds nothing of use.
    pub fn read(mut reader: Reader) -> Result<Self, TraceError> {
        let mut pairing = Pairing::new();
        while let Some(item) = reader.next_item()? {
            match item {
                Item::Record(record) => pairing.take(&record, &reader.lists, &reader.devices)?,
                Item::Lost { line, .. } => pairing.lose(line)?,
            }
        }
        let load = pairing.finish(&reader)?;
        load.refuse_if_empty(&reader)?;
        Ok(load)
    }

    fn refuse_if_empty(&self, reader: &Reader) -> Result<(), TraceError> {
        let counts = &self.survey.read;
        let devices = &self.survey.devices;
        let maps: u64 = devices
            .iter()
            .map(|device| device.bounced + device.direct)
            .sum();
        let nothing = |found| {
            Err(TraceError::NothingUsable {
                name: reader.name().to_owned(),
                found,
            })
        };
        if maps + self.survey.failed() == 0 {
            let first = counts.first_bad.first().or(counts.first_foreign.as_ref());
            let first = first.map_or_else(String::new, |bad| {
                format!("; line {}: {}", bad.line, bad.cause)
            });
            return nothing(format!(
                "no mapping in {} lines ({} events of ours, {} others, {} that could not be read, {} that \
                 are no events){first}",
                counts.lines,
                counts.events,
                counts.other_events,
                counts.bad_lines,
                counts.foreign_lines
            ));
        }
        let elsewhere = self.survey.misfits.maps_without_bounce.count;
        if elsewhere * 2 > maps {
            return nothing(format!(
                "{elsewhere} of {maps} mappings elsewhere than at their buffer without a line of \
                 swiotlb_bounced: an IOMMU translates, or that event was not enabled"
            ));
        }
        Ok(())
    }
}

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
struct Pairing {
    queue: VecDeque<Waiting>,
    /// Operations in the queue that wait for a line.
    open: usize,
    live: LiveTable,
    next_id: MappingId,
    last_ns: u64,
    load: Load,
}

impl Pairing {
    fn new() -> Self {
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

    fn take(&mut self, record: &Record, lists: &Lists, devices: &Names) -> Result<(), TraceError> {
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

    fn lose(&mut self, line: u64) -> Result<(), TraceError> {
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
        let op = Op {
            time_ns: record.time_ns,
            line: record.line,
            cpu: record.cpu,
            task: record.task,
            pid: record.pid,
            kind,
        };
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

    /// Slots that are given away have been freed before, even if no line told. Returns how many ends were
    /// put in front of what is open.
    fn end_overlapped(&mut self, record: &Record, mapped: &Mapped) -> usize {
        let mut inserted = 0;
        while let Some(old) = self.live.overlapping(mapped.dma, mapped.bytes) {
            self.load.survey.misfits.lost_unmaps.note(record.line);
            self.live.remove(old.id);
            let at = self.queue.iter().position(|waiting| waiting.is_open);
            let op = Op {
                time_ns: record.time_ns,
                line: record.line,
                cpu: record.cpu,
                task: record.task,
                pid: record.pid,
                kind: OpKind::Unmap {
                    id: old.id,
                    skips_sync: false,
                    is_early: false,
                },
            };
            let is_open = false;
            // In front of all that still waits, the mapping that took the slots among them.
            self.queue
                .insert(at.unwrap_or(self.queue.len()), Waiting { op, is_open });
            inserted += 1;
        }
        inserted
    }

    fn unmap(&mut self, record: &Record, (dir, dma, bytes): (Dir, u64, u64), attrs: TraceAttrs) {
        let misfits = &mut self.load.survey.misfits;
        let Some(live) = self.live.at(record.device, dma) else {
            misfits.unmaps_without_map.note(record.line);
            misfits.orphan_slots += bytes.div_ceil(SLOT);
            return;
        };
        if live.bytes != bytes || live.dir != dir {
            misfits.changed_ends.note(record.line);
        }
        self.live.remove(live.id);
        let kind = OpKind::Unmap {
            id: live.id,
            skips_sync: attrs.skips_sync,
            is_early: false,
        };
        self.push(record, kind);
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

    /// The first in the queue has no mapping. With what its task began right behind it, that was a
    /// scatterlist that failed: its entries are freed after the last.
    fn give_up(&mut self) {
        let Some(front) = self.queue.front() else {
            return;
        };
        let (pid, first_ns) = (front.op.pid, front.op.time_ns);
        let (mut ends, mut last) = (Vec::new(), 0);
        for (index, waiting) in self.queue.iter_mut().enumerate() {
            if waiting.op.time_ns.saturating_sub(first_ns) > MOST_NS {
                break;
            }
            if waiting.is_open && waiting.op.pid == pid {
                waiting.is_open = false;
                self.open -= 1;
                last = index;
                self.load
                    .survey
                    .misfits
                    .bounces_without_map
                    .note(waiting.op.line);
                if let OpKind::Map(map) = &waiting.op.kind {
                    ends.push(map.id);
                }
            }
        }
        let op = self.queue[last].op;
        for id in ends {
            let kind = OpKind::Unmap {
                id,
                skips_sync: true,
                is_early: false,
            };
            let op = Op { kind, ..op };
            self.queue.insert(last + 1, Waiting { op, is_open: false });
        }
    }

    fn finish(mut self, reader: &Reader) -> Result<Load, TraceError> {
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
