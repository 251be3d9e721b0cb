//! The plain search beside the general one, through the same random states.

use super::*;
use crate::search::Search;
use crate::test_random::TestRandom;

const POOL: u64 = 0x7000_0800;
const PAGE_BYTES: u64 = 4096;

/// Two domains that were treated alike, but for the search that took the slots.
struct Pair {
    general: Domain,
    plain: Domain,
    areas: u32,
    slots: u32,
    /// First slot and number of slots of what is taken.
    live: Vec<(u32, u32)>,
}

impl Pair {
    fn new(areas: u32, area_slots: u32) -> Self {
        let slots = areas * area_slots;
        Self {
            general: Domain::new(0, slots, areas, area_slots),
            plain: Domain::new(0, slots, areas, area_slots),
            areas,
            slots,
            live: Vec::new(),
        }
    }

    fn release_one(&mut self, random: &mut TestRandom) {
        if self.live.is_empty() {
            return;
        }
        let index = usize::try_from(random.below(self.live.len() as u64)).unwrap();
        let (first, slots) = self.live.swap_remove(index);
        self.general.release(first, slots, slots);
        self.plain.release(first, slots, slots);
    }

    /// Takes with both. `None` if they differ.
    fn take(&mut self, general: &Search, plain: &impl FindRun, area: u32) -> Option<()> {
        let expected = self.general.take(general, area, None);
        let found = self.plain.take(plain, area, None);
        let is_same = found == expected
            && plain.slots() == general.slots()
            && plain.first_size() == general.first_size()
            && self.plain.areas().eq(self.general.areas());
        self.live.extend(found.map(|first| (first, plain.slots())));
        is_same.then_some(())
    }
}

fn some_device(random: &mut TestRandom) -> Device {
    let dev = Device::new("d");
    match random.below(6) {
        0 => dev.with_min_align_mask(0x7ff),
        1 => dev.with_min_align_mask(0xfff),
        2 => dev.with_min_align_mask(0xffff),
        3 => dev.with_seg_boundary(0xffff_ffff),
        _ => dev,
    }
}

fn some_request(random: &mut TestRandom) -> Wanted {
    let any = 1 + random.below(0x4_0000);
    Wanted {
        orig: 0x10_0000 + random.below(0x10_0000),
        alloc_size: random.one_of(&[64, 2048, 4096, 4096, 0x1_0000, 0x2_0000, 0x4_0000, any]),
        alloc_align_mask: random.one_of(&[0, 0, 0, 0xfff, 0x7fff]),
    }
}

/// Returns the step at which a search in place of the plain one gives another answer than the
/// general one, and how many maps were compared.
fn first_difference<S: FindRun>(
    areas: u32,
    area_slots: u32,
    search: impl Fn(PlainSearch) -> S,
) -> (Option<u32>, u32) {
    let mut random = TestRandom(u64::from(area_slots));
    let mut pair = Pair::new(areas, area_slots);
    let mut compared = 0;
    for step in 0..20_000 {
        // Fills up and empties again, over and over.
        let takes = if step % 1000 < 500 { 7 } else { 3 };
        if random.below(10) >= takes {
            pair.release_one(&mut random);
            continue;
        }
        let (dev, wanted) = (some_device(&mut random), some_request(&mut random));
        let area = u32::try_from(random.below(u64::from(pair.areas))).unwrap();
        let plain = PlainSearch::new(&dev, &wanted, POOL, pair.slots, PAGE_BYTES);
        let general = Search::new(&dev, &wanted, POOL, pair.slots, PAGE_BYTES);
        if let (Some(plain), Ok(general)) = (plain, general) {
            compared += 1;
            if pair.take(&general, &search(plain), area).is_none() {
                return (Some(step), compared);
            }
        }
    }
    assert_eq!(pair.plain.table.contradiction(), None);
    (None, compared)
}

#[test]
fn a_plain_search_finds_what_the_general_one_finds() {
    for (areas, area_slots) in [(1, 512), (1, 200), (4, 100)] {
        let (difference, compared) = first_difference(areas, area_slots, |plain| plain);
        assert_eq!(difference, None, "{areas} areas of {area_slots} slots");
        assert!(compared > 5000, "{compared} maps were compared");
    }
}

#[test]
fn a_plain_search_that_steps_or_aligns_otherwise_is_found_out() {
    let wrong_stride = |plain: PlainSearch| PlainSearch {
        stride: plain.stride + 1,
        ..plain
    };
    let wrong_residue = |plain: PlainSearch| PlainSearch {
        residue: (plain.residue + 1) % plain.period,
        ..plain
    };
    let wrong_size = |plain: PlainSearch| PlainSearch {
        first_size: plain.first_size - 1,
        ..plain
    };
    assert!(first_difference(1, 200, wrong_stride).0.is_some());
    assert!(first_difference(1, 512, wrong_residue).0.is_some());
    assert!(first_difference(1, 512, wrong_size).0.is_some());
}
