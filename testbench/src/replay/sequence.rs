//! The order of calls where the lines leave it open.
//!
//! Slots are taken somewhere between the two lines of a mapping, and on two CPUs such times overlap.
//! Then the recorded addresses tell who came first: searches of an area go forward from its cursor, so
//! of two mappings in one area the one nearer to the cursor was first; and slots that were given away
//! had been freed before. Where lines do not overlap, nothing is moved.

use std::collections::VecDeque;

use crate::replay::engine::Engine;
use crate::replay::op::{MapOp, Op, OpKind, Seen};

/// Operations whose neighbours are not all known yet.
#[derive(Debug, Default)]
pub struct Sequencer {
    waiting: VecDeque<Op>,
    last_line: u64,
    moved: u64,
}

impl Sequencer {
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
        let first = self.first_of(engine, &map);
        self.moved += u64::from(first > 0);
        self.waiting.remove(first)
    }

    /// Chooses among the operations that began while `map`, the first, was under way.
    fn first_of(&self, engine: &Engine, map: &MapOp) -> usize {
        let overlapping = self.waiting.iter().enumerate().skip(1);
        let mut overlapping = overlapping
            .take_while(|(_, op)| op.line < map.closed_line)
            .peekable();
        if overlapping.peek().is_none() {
            return 0;
        }
        match map.seen {
            Seen::Bounced(dma) => {
                let taken = engine.slot_of(dma);
                let freed = overlapping.clone().find(|(_, op)| match op.kind {
                    OpKind::Unmap { id, .. } => holds(engine, id, taken, map.bytes),
                    _ => false,
                });
                freed.map_or_else(|| self.nearest(engine, taken), |(index, _)| index)
            }
            Seen::Failed => self.who_filled(engine, map).unwrap_or(0),
            _ => 0,
        }
    }

    /// If a mapping that began later lies nearer behind the area's cursor, in slots that are free now, it
    /// was first: returns what is to be carried out on the way to it.
    fn nearest(&self, engine: &Engine, slot: Option<u32>) -> usize {
        let machine = engine.machine();
        let area_slots = machine.slots / machine.areas;
        let Some(slot) = slot else {
            return 0;
        };
        let area = slot / area_slots;
        let cursor = engine.cursor(area);
        let distance = |slot: u32| (slot % area_slots + area_slots - cursor) % area_slots;
        let place = |op: &Op| match op.kind {
            OpKind::Map(map) => match map.seen {
                Seen::Bounced(dma) => engine.slot_of(dma).filter(|slot| slot / area_slots == area),
                _ => None,
            },
            _ => None,
        };
        let (mut best, mut least) = (0, distance(slot));
        for index in self.under_way() {
            if let Some(slot) = place(&self.waiting[index])
                && distance(slot) < least
                && engine.is_free(slot)
            {
                (best, least) = (index, distance(slot));
            }
        }
        // Those that are under way as well and lie farther wait like the first one.
        let line = self.waiting[best].line;
        let waits = |op: &Op| match op.kind {
            OpKind::Map(map) => {
                map.closed_line > line && place(op).is_some_and(|slot| distance(slot) > least)
            }
            _ => false,
        };
        (1..best)
            .find(|&index| !waits(&self.waiting[index]))
            .unwrap_or(best)
    }

    /// A mapping failed although there is room: what began while it was under way took that first.
    fn who_filled(&self, engine: &Engine, map: &MapOp) -> Option<usize> {
        let needed = map.bytes.div_ceil(swiotlb::SLOT_BYTES);
        if engine.used_slots() + needed > engine.total_slots() {
            return None;
        }
        self.under_way().next()
    }

    /// Returns the mappings that began while the first was under way.
    fn under_way(&self) -> impl Iterator<Item = usize> {
        let closed_line = self.waiting.front().map_or(0, |op| match op.kind {
            OpKind::Map(first) => first.closed_line,
            _ => 0,
        });
        let maps = self.waiting.iter().enumerate().skip(1);
        maps.take_while(move |(_, op)| op.line < closed_line)
            .filter(|(_, op)| matches!(op.kind, OpKind::Map(_)))
            .map(|(index, _)| index)
    }
}

/// Returns whether a live mapping holds slots that `bytes` bytes from `slot` on need.
fn holds(engine: &Engine, id: u64, slot: Option<u32>, bytes: u64) -> bool {
    let held = engine.held(id);
    let held_slot = held.and_then(|held| engine.slot_of(held.dma?));
    let (Some(held), Some(held_slot), Some(slot)) = (held, held_slot, slot) else {
        return false;
    };
    let slots = u32::try_from(bytes.div_ceil(swiotlb::SLOT_BYTES)).unwrap_or(u32::MAX);
    slot < held_slot + held.slots && held_slot < slot.saturating_add(slots)
}
