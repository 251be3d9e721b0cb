//! The order of calls where the lines leave it open.
//!
//! Slots are taken somewhere between the two lines of a mapping, and on two CPUs such times overlap.
//! Then the recorded addresses tell who came first: searches of an area go forward from its cursor, so
//! of two mappings in one area the one nearer to the cursor was first; and slots that were given away
//! had been freed before. Where lines do not overlap, nothing is moved.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use crate::replay::engine::Engine;
use crate::replay::op::{MapOp, Op, OpKind, Seen};

/// Operations behind the first that are looked at: a task can be preempted between its two lines.
const MOST_LOOKED_AT: usize = 4096;

/// Operations whose neighbours are not all known yet.
#[derive(Debug, Default)]
pub struct Sequencer {
    waiting: VecDeque<Op>,
    last_line: u64,
    moved: u64,
    releases_first: bool,
    /// The last line of a mapping that was handed out, by CPU.
    closed: FxHashMap<u16, u64>,
}

impl Sequencer {
    /// Begins. With `releases_first`, slots are freed before others are taken wherever the lines leave
    /// it open, which gives the lowest peaks that they allow; otherwise after.
    #[must_use]
    pub fn new(releases_first: bool) -> Self {
        Self {
            releases_first,
            ..Self::default()
        }
    }

    /// Takes the next operation of the load.
    pub fn push(&mut self, op: Op) {
        self.last_line = op.line;
        self.waiting.push_back(op);
    }

    /// Returns how many operations were put in front of others.
    #[must_use]
    pub const fn moved(&self) -> u64 {
        self.moved
    }

    /// Returns the operation that is to be carried out next; `None` if more must be pushed before that
    /// is known. With `is_end` nothing more comes.
    pub fn next(&mut self, engine: &Engine, is_end: bool) -> Option<Op> {
        let front = self.waiting.front()?;
        let OpKind::Map(map) = front.kind else {
            return self.waiting.pop_front();
        };
        if !is_end && self.last_line <= map.closed_line {
            return None;
        }
        let first = self.first(engine);
        self.moved += u64::from(first > 0);
        let op = self.waiting.remove(first)?;
        if let OpKind::Map(map) = op.kind {
            let closed = self.closed.entry(op.cpu).or_default();
            *closed = map.closed_line.max(*closed);
        }
        Some(op)
    }

    /// Returns whether a call on another CPU was under way between the lines of a mapping that was handed
    /// out last.
    #[must_use]
    pub fn is_overlapped(&self, op: &Op, map: &MapOp) -> bool {
        let before = self
            .closed
            .iter()
            .any(|(&cpu, &line)| cpu != op.cpu && line > op.line);
        let mut behind = self
            .waiting
            .iter()
            .take_while(|other| other.line < map.closed_line);
        before || behind.any(|other| other.cpu != op.cpu)
    }

    /// Returns the first operation that need not wait for a later one.
    fn first(&self, engine: &Engine) -> usize {
        let mut index = 0;
        while let Some(OpKind::Map(map)) = self.waiting.get(index).map(|op| op.kind) {
            match self.after(engine, index, &map) {
                After::Nothing => return index,
                After::Release(release) => return release,
                After::Others => index += 1,
            }
        }
        // The way to an operation that comes before always ends at it, so there is one at `index`.
        index.min(self.waiting.len() - 1)
    }

    /// Finds out what a mapping comes after, of what began while it was under way.
    fn after(&self, engine: &Engine, index: usize, map: &MapOp) -> After {
        match map.seen {
            Seen::Bounced(dma) => {
                let Some(slot) = engine.slot_of(dma) else {
                    return After::Nothing;
                };
                let freed = self.under_way(index, map).find(|(_, op)| match op.kind {
                    OpKind::Unmap { id, .. } => holds(engine, id, slot, map.bytes),
                    _ => false,
                });
                if let Some((release, _)) = freed {
                    return After::Release(release);
                }
                let next = self.under_way(index, map).next();
                if let Some((release, op)) = next
                    && self.releases_first
                    && matches!(op.kind, OpKind::Unmap { .. })
                {
                    return After::Release(release);
                }
                self.after_maps(engine, index, map, slot)
            }
            Seen::Failed if Self::has_room(engine, map) => {
                let mut maps = self.under_way(index, map);
                let is_map = |(_, op): (usize, &Op)| matches!(op.kind, OpKind::Map(_));
                if maps.any(is_map) {
                    After::Others
                } else {
                    After::Nothing
                }
            }
            _ => After::Nothing,
        }
    }

    /// A mapping that began later was first if it has the same slots, which it must have given back, or
    /// if it lies nearer behind the area's cursor, in slots that are free now.
    fn after_maps(&self, engine: &Engine, index: usize, map: &MapOp, slot: u32) -> After {
        let machine = engine.machine();
        let area_slots = machine.slots / machine.areas;
        let area = slot / area_slots;
        let mut cursor = None;
        for (_, op) in self.under_way(index, map) {
            let OpKind::Map(MapOp {
                seen: Seen::Bounced(dma),
                ..
            }) = op.kind
            else {
                continue;
            };
            let Some(other) = engine
                .slot_of(dma)
                .filter(|other| other / area_slots == area)
            else {
                continue;
            };
            let cursor = *cursor.get_or_insert_with(|| engine.cursor(area));
            let distance = |slot: u32| (slot % area_slots + area_slots - cursor) % area_slots;
            if other == slot || (distance(other) < distance(slot) && engine.is_free(other)) {
                return After::Others;
            }
        }
        After::Nothing
    }

    fn has_room(engine: &Engine, map: &MapOp) -> bool {
        let needed = map.bytes.div_ceil(swiotlb::SLOT_BYTES);
        engine.used_slots() + needed <= engine.total_slots()
    }

    /// Returns what began behind `index` while its mapping was under way.
    fn under_way(&self, index: usize, map: &MapOp) -> impl Iterator<Item = (usize, &Op)> {
        let closed_line = map.closed_line;
        let behind = self.waiting.iter().enumerate().skip(index + 1);
        behind
            .take(MOST_LOOKED_AT)
            .take_while(move |(_, op)| op.line < closed_line)
    }
}

/// What a mapping comes after.
enum After {
    /// After nothing that began later.
    Nothing,
    /// After this release.
    Release(usize),
    /// After others, to be found behind it.
    Others,
}

/// Returns whether a live mapping holds slots that `bytes` bytes from `slot` on need.
fn holds(engine: &Engine, id: u64, slot: u32, bytes: u64) -> bool {
    let held = engine.held(id);
    let held_slot = held.and_then(|held| engine.slot_of(held.dma?));
    let (Some(held), Some(held_slot)) = (held, held_slot) else {
        return false;
    };
    let slots = u32::try_from(bytes.div_ceil(swiotlb::SLOT_BYTES)).unwrap_or(u32::MAX);
    slot < held_slot + held.slots && held_slot < slot.saturating_add(slots)
}

#[cfg(test)]
mod tests {
    use swiotlb::Policy;

    use super::*;
    use crate::replay::machine::{DeviceConfig, Machine};
    use crate::trace::{Dir, TraceAttrs};

    const BASE: u64 = 0x700_0000;

    fn engine() -> Engine {
        let machine = Machine {
            slots: 128,
            areas: 1,
            base: BASE,
            is_forced: true,
            policy: Policy::Static,
            cpus: 2,
            ram_bytes: 4 << 30,
            devices: vec![DeviceConfig {
                name: "disk".to_owned(),
                mask: u64::MAX,
                min_align_mask: 0,
            }],
        };
        Engine::new(machine).expect("a pool")
    }

    fn op(line: u64, kind: OpKind) -> Op {
        Op {
            time_ns: line,
            line,
            cpu: 0,
            task: 0,
            pid: 0,
            kind,
        }
    }

    /// A mapping of a slot between two lines.
    fn map(id: u64, (line, closed_line): (u64, u64), slot: u64) -> Op {
        let map = MapOp {
            id,
            device: 0,
            dir: Dir::ToDevice,
            attrs: TraceAttrs::default(),
            phys: id << 16,
            bytes: 2048,
            seen: Seen::Bounced(BASE + slot * 2048),
            closed_line,
            is_sg: false,
        };
        op(line, OpKind::Map(map))
    }

    fn unmap(id: u64, line: u64) -> Op {
        let kind = OpKind::Unmap {
            id,
            skips_sync: false,
            is_early: false,
        };
        op(line, kind)
    }

    /// Carries operations out in the order of the sequencer; returns the lines in that order.
    fn order(ops: &[Op], releases_first: bool) -> Vec<u64> {
        let (mut engine, mut sequencer) = (engine(), Sequencer::new(releases_first));
        let mut lines = Vec::new();
        let mut carry_out = |engine: &mut Engine, op: &Op| {
            lines.push(op.line);
            match op.kind {
                OpKind::Map(map) => _ = engine.map(&map, (op.cpu, 0, 0)),
                OpKind::Unmap { id, .. } => _ = engine.unmap(id),
                _ => {}
            }
        };
        for next in ops {
            sequencer.push(*next);
            while let Some(op) = sequencer.next(&engine, false) {
                carry_out(&mut engine, &op);
            }
        }
        while let Some(op) = sequencer.next(&engine, true) {
            carry_out(&mut engine, &op);
        }
        lines
    }

    #[test]
    fn of_two_that_overlap_the_one_nearer_to_the_cursor_was_first() {
        assert_eq!(
            order(&[map(1, (1, 4), 1), map(2, (2, 3), 0)], false),
            [2, 1]
        );
        assert_eq!(
            order(&[map(1, (1, 2), 1), map(2, (3, 4), 0)], false),
            [1, 3]
        );
    }

    /// Whether the first mapping is overlapped, if the second is on that CPU.
    fn is_overlapped(lines: [(u64, u64); 2], cpu: u16, handed_out: usize) -> bool {
        let mut ops = [map(1, lines[0], 0), map(2, lines[1], 1)];
        ops[1].cpu = cpu;
        let (engine, mut sequencer) = (engine(), Sequencer::new(false));
        for op in ops {
            sequencer.push(op);
        }
        for _ in 0..handed_out {
            let _ = sequencer.next(&engine, true).expect("an operation");
        }
        let op = ops[handed_out - 1];
        let OpKind::Map(map) = op.kind else {
            panic!("a mapping, found {op:?}");
        };
        sequencer.is_overlapped(&op, &map)
    }

    #[test]
    fn only_calls_of_two_cpus_overlap() {
        for handed_out in [1, 2] {
            assert!(is_overlapped([(1, 3), (2, 4)], 1, handed_out));
            assert!(!is_overlapped([(1, 3), (2, 4)], 0, handed_out));
            assert!(!is_overlapped([(1, 2), (3, 4)], 1, handed_out));
        }
    }

    #[test]
    fn slots_that_are_given_away_again_were_freed_before() {
        let ops = [map(1, (1, 2), 0), map(2, (3, 5), 0), unmap(1, 4)];
        assert_eq!(order(&ops, false), [1, 4, 3]);
    }

    #[test]
    fn a_release_that_could_be_before_or_after_is_where_it_is_asked_for() {
        let ops = [map(1, (1, 2), 0), map(2, (3, 5), 1), unmap(1, 4)];
        assert_eq!(order(&ops, false), [1, 3, 4]);
        assert_eq!(order(&ops, true), [1, 4, 3]);
    }
}
