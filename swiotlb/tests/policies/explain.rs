//! Why a layer is full, found out the naive way: every slot of every pool is looked at, one by one.

use swiotlb::{FullReason, PoolSnapshot};

use crate::world::{Masks, World};

/// What was asked for.
pub(crate) struct Asked {
    pub(crate) masks: Masks,
    pub(crate) orig: u64,
    /// With offset and rounding.
    pub(crate) bytes: u64,
    pub(crate) align: u32,
}

/// How good the best place is, in the order of the reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Misaligned,
    WrongSide,
    CrossesBoundary,
    /// Suitable, but its area counts too few free slots.
    NoRoom,
    /// Suitable, but the search did not come there.
    Missed,
}

/// Returns whether slots `first` and the `count` behind it are free and in one slot set.
fn is_free(snapshot: &PoolSnapshot, first: usize, count: usize) -> bool {
    let end = first + count;
    let is_inside = end <= snapshot.slots.len() && first / 128 == (end - 1) / 128;
    is_inside && snapshot.slots[first..end].iter().all(|slot| slot.list != 0)
}

/// Returns whether the area of a slot counts so many free ones.
fn has_room(snapshot: &PoolSnapshot, first: usize, count: u64) -> bool {
    let area_slots = snapshot.slots.len() / snapshot.areas.len();
    let used = snapshot.areas[first / area_slots].used;
    used + count <= area_slots as u64
}

fn judge(asked: &Asked, start: u64, count: u64, has_room: bool) -> Place {
    let Masks {
        min_align,
        boundary,
    } = asked.masks;
    let wants_page = asked.align == 0 && min_align == 0 && asked.bytes >= 4096;
    let zero = u64::from(if wants_page { 4095 } else { asked.align }) | 2047;
    let keep = u64::from(min_align) & !zero;
    if start & zero != 0 {
        Place::Misaligned
    } else if start & keep != asked.orig & keep {
        Place::WrongSide
    } else if start & !boundary != (start + count * 2048 - 1) & !boundary {
        Place::CrossesBoundary
    } else if has_room {
        Place::Missed
    } else {
        Place::NoRoom
    }
}

/// Returns a reason without its numbers.
pub(crate) fn name(why: FullReason) -> &'static str {
    match why {
        FullReason::FewFree { .. } => "few free",
        FullReason::Fragmented { .. } => "fragmented",
        FullReason::Misaligned { .. } => "misaligned",
        FullReason::WrongSide { .. } => "wrong side",
        FullReason::CrossesBoundary { .. } => "crosses boundary",
        FullReason::SteppedOver { .. } => "stepped over",
        FullReason::AreasExhausted { .. } => "areas exhausted",
        _ => "too long",
    }
}

/// Checks that the reason given is the one that looking at every slot yields.
pub(crate) fn check(world: &World, asked: &Asked, why: FullReason) {
    let count = asked.bytes.div_ceil(2048);
    if count > 128 {
        return assert_eq!(why, FullReason::AboveSlotSet);
    }
    if count > (asked.masks.boundary >> 11).saturating_add(1) {
        return assert_eq!(why, FullReason::AboveBoundary);
    }
    let len = usize::try_from(count).unwrap();
    let (mut free, mut longest_run, mut best) = (0_u64, 0, None);
    for pool in world.swiotlb.pools(world.allocator()) {
        let snapshot = world.swiotlb.snapshot(pool).unwrap();
        for slot in 0..snapshot.slots.len() {
            free += u64::from(is_free(&snapshot, slot, 1));
            let run = (1..=128).take_while(|&run| is_free(&snapshot, slot, run));
            longest_run = longest_run.max(run.count());
            if is_free(&snapshot, slot, len) {
                let start = snapshot.geometry.base.raw() + slot as u64 * 2048;
                let has_room = has_room(&snapshot, slot, count);
                best = best.max(Some(judge(asked, start, count, has_room)));
            }
        }
    }
    let fits = match (best, why) {
        (None, FullReason::FewFree { free: told }) => told == free && free < count,
        (None, FullReason::Fragmented { longest_run: told }) => {
            told as usize == longest_run && free >= count
        }
        (Some(Place::Misaligned), FullReason::Misaligned { mask }) => {
            mask & u64::from(asked.align) == u64::from(asked.align)
        }
        (Some(Place::WrongSide), FullReason::WrongSide { mask }) => {
            mask & !u64::from(asked.masks.min_align) == 0
        }
        (Some(Place::CrossesBoundary), FullReason::CrossesBoundary { mask }) => {
            mask == asked.masks.boundary
        }
        (Some(Place::NoRoom), FullReason::AreasExhausted { searched_areas }) => searched_areas > 0,
        (Some(Place::Missed), FullReason::SteppedOver { .. }) => true,
        _ => false,
    };
    assert!(
        fits,
        "told {why:?}, but {free} free, longest run {longest_run}, best place {best:?}, need {count}"
    );
}
