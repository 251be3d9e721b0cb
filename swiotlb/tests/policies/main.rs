//! What every policy promises, whatever is called in whatever order: nothing overlaps, masks are
//! kept, no byte and no slot is lost, the counters agree, and each failure is explained truly.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod checks;
mod explain;
mod world;

use std::collections::BTreeSet;
use std::time::Duration;

use explain::Asked;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use swiotlb::{
    AllocError, Attrs, CpuId, DataDirection, FullReason, MapError, PhysAddr, PhysMemory,
};
use world::{Masks, Setting, World};

#[derive(Clone, Debug)]
enum Call {
    Map {
        device: usize,
        cpu: u32,
        buffer: (u64, u64, u32),
        dir: DataDirection,
        fill: u8,
    },
    DeviceWrites {
        choice: usize,
        part: (usize, usize),
        fill: u8,
    },
    CpuWrites {
        choice: usize,
        part: (usize, usize),
        fill: u8,
    },
    Unmap(usize),
    AllocPages(u64),
    FreePages(usize),
    Work,
    Wait(u64),
    Scan(u64, bool),
}

fn any_masks() -> impl Strategy<Value = Masks> {
    let min_aligns = vec![0, 0, 0, 0x1ff, 0x7ff, 0xfff, 0xfff, 0x3fff];
    let boundaries = vec![u64::MAX, u64::MAX, 0xffff, 0xffff, 0x3_ffff];
    (
        prop::sample::select(min_aligns),
        prop::sample::select(boundaries),
    )
        .prop_map(|(min_align, boundary)| Masks {
            min_align,
            boundary,
        })
}

fn any_call() -> impl Strategy<Value = Call> {
    let dirs = vec![
        DataDirection::ToDevice,
        DataDirection::FromDevice,
        DataDirection::Bidirectional,
    ];
    let bytes = prop_oneof![
        4 => 1..2049_u64,
        4 => 2049..9000_u64,
        3 => 9000..60_000_u64,
        1 => 60_000..65_537_u64,
    ];
    let aligns = vec![0, 0, 0, 0, 0x7ff, 0xfff, 0x3fff];
    let buffer = (0..0x1_0000_u64, bytes, prop::sample::select(aligns));
    let map = (
        0..3_usize,
        0..5_u32,
        buffer,
        prop::sample::select(dirs),
        any::<u8>(),
    );
    let map = map.prop_map(|(device, cpu, buffer, dir, fill)| Call::Map {
        device,
        cpu,
        buffer,
        dir,
        fill,
    });
    let part = (0..70_000_usize, 1..70_000_usize);
    let write = (any::<usize>(), part, any::<u8>());
    prop_oneof![
        12 => map,
        2 => write.clone().prop_map(|(choice, part, fill)| Call::DeviceWrites { choice, part, fill }),
        2 => write.prop_map(|(choice, part, fill)| Call::CpuWrites { choice, part, fill }),
        7 => any::<usize>().prop_map(Call::Unmap),
        1 => (1..40_000_u64).prop_map(Call::AllocPages),
        1 => any::<usize>().prop_map(Call::FreePages),
        1 => Just(Call::Work),
        1 => (0..5_u64).prop_map(Call::Wait),
        1 => (0..600_u64, any::<bool>()).prop_map(|(slots, is_high)| Call::Scan(slots, is_high)),
    ]
}

fn cut((start, len): (usize, usize), bytes: usize) -> std::ops::Range<usize> {
    let start = start % bytes;
    start..(start + len).min(bytes)
}

impl World {
    fn call(&mut self, call: &Call) {
        match *call {
            Call::Map {
                device,
                cpu,
                buffer,
                dir,
                fill,
            } => {
                let request = self.request(buffer, dir, cpu, fill);
                match self.map(device, &request, fill) {
                    Ok(()) => self.check_newest(),
                    Err(MapError::Full(full)) => {
                        let asked = Asked {
                            masks: self.devices[device].1,
                            orig: request.orig.raw(),
                            bytes: full.bytes,
                            align: request.alloc_align_mask,
                        };
                        explain::check(self, &asked, full.why);
                        self.events.insert(explain::name(full.why));
                        if let FullReason::SteppedOver { .. } = full.why {
                            // At once it begins where it began.
                            assert!(self.map(device, &request, fill).is_err());
                        }
                        self.check_help(device, buffer, full);
                    }
                    Err(cause) => panic!("{cause}"),
                }
            }
            Call::DeviceWrites { choice, part, fill } => self.device_writes(choice, part, fill),
            Call::CpuWrites { choice, part, fill } => self.cpu_writes(choice, part, fill),
            Call::Unmap(choice) => {
                if let Some(index) = choice.checked_rem(self.live.len()) {
                    self.unmap(index);
                }
            }
            Call::AllocPages(bytes) => self.alloc_pages(bytes),
            Call::FreePages(choice) => {
                if let Some(index) = choice.checked_rem(self.pages.len()) {
                    let (addr, slots) = self.pages.swap_remove(index);
                    let released = self.swiotlb.free(&self.devices[0].0, PhysAddr::new(addr));
                    assert_eq!(u64::from(released.unwrap().slots), slots);
                }
            }
            Call::Work => {
                if self.swiotlb.run_pending_work(&mut self.mem).added.is_some() {
                    self.events.insert("pool added");
                }
                assert!(!self.swiotlb.has_pending_work());
            }
            Call::Wait(seconds) => {
                self.now += Duration::from_secs(seconds);
                self.swiotlb.set_time(self.now);
            }
            Call::Scan(slots, is_high) => self.scan(slots, is_high),
        }
    }

    fn alloc_pages(&mut self, bytes: u64) {
        if self.setting != Setting::Restricted {
            return;
        }
        let (dev, masks) = &self.devices[0];
        match self.swiotlb.alloc(dev, bytes, Attrs::NONE, CpuId(0)) {
            Ok(addr) => {
                let natural = bytes.next_multiple_of(4096).next_power_of_two();
                assert_eq!(addr.raw() % natural, 0);
                self.pages.push((addr.raw(), bytes.div_ceil(2048)));
            }
            Err(AllocError::Full(full)) => {
                let natural = bytes.next_multiple_of(4096).next_power_of_two();
                let asked = Asked {
                    masks: *masks,
                    orig: 0,
                    bytes,
                    align: u32::try_from(natural - 1).unwrap(),
                };
                explain::check(self, &asked, full.why);
            }
            Err(cause) => panic!("{cause}"),
        }
    }

    fn device_writes(&mut self, choice: usize, part: (usize, usize), fill: u8) {
        let Some(index) = choice.checked_rem(self.live.len()) else {
            return;
        };
        let lent = &mut self.live[index];
        if !lent.request.dir.comes_from_device() {
            return;
        }
        let range = cut(part, lent.seen.len());
        let addr = lent.bounce.tlb_addr.wrapping_add(range.start as u64);
        self.mem.write(addr, &vec![fill; range.len()]).unwrap();
        let dev = &self.devices[lent.device].0;
        let (bytes, dir) = (range.len() as u64, lent.request.dir);
        let copied = self
            .swiotlb
            .sync_single_for_cpu(&mut self.mem, dev, addr, bytes, dir);
        assert_eq!(copied, Ok(Some(bytes)));
        lent.seen[range.clone()].fill(fill);
        lent.orig[range].fill(fill);
    }

    fn cpu_writes(&mut self, choice: usize, part: (usize, usize), fill: u8) {
        let Some(index) = choice.checked_rem(self.live.len()) else {
            return;
        };
        let lent = &mut self.live[index];
        let range = cut(part, lent.seen.len());
        let at = range.start as u64;
        let orig = lent.request.orig.wrapping_add(at);
        self.mem.write(orig, &vec![fill; range.len()]).unwrap();
        lent.orig[range.clone()].fill(fill);
        let dev = &self.devices[lent.device].0;
        let (bytes, dir) = (range.len() as u64, lent.request.dir);
        let addr = lent.bounce.tlb_addr.wrapping_add(at);
        let copied = self
            .swiotlb
            .sync_single_for_device(&mut self.mem, dev, addr, bytes, dir);
        let expected = if dir.reaches_device() { bytes } else { 0 };
        assert_eq!(copied, Ok(Some(expected)));
        if dir.reaches_device() {
            lent.seen[range].fill(fill);
        }
    }
}

fn run(setting: Setting, areas: u32, masks: &[Masks], calls: &[Call]) -> BTreeSet<&'static str> {
    let mut world = World::new(setting, areas, masks);
    for call in calls {
        world.call(call);
        world.check_all();
    }
    let events = std::mem::take(&mut world.events);
    world.finish();
    events
}

/// Calls that are the same in every run, so that what they reach can be asked for.
fn events_of(setting: Setting) -> BTreeSet<&'static str> {
    let mut runner = TestRunner::deterministic();
    let masks = prop::collection::vec(any_masks(), 3);
    let calls = prop::collection::vec(any_call(), 150);
    let mut events = BTreeSet::new();
    for areas in [1, 2, 8].into_iter().cycle().take(120) {
        let masks = masks.new_tree(&mut runner).unwrap().current();
        let calls = calls.new_tree(&mut runner).unwrap().current();
        events.extend(run(setting, areas, &masks, &calls));
    }
    events
}

#[test]
fn the_random_calls_reach_what_each_policy_knows() {
    let reached = |setting, wanted: &[&'static str]| {
        let events = events_of(setting);
        let missing = wanted.iter().find(|&event| !events.contains(event));
        assert_eq!(missing, None, "{setting:?} reached only {events:?}");
    };
    let full = [
        "few free",
        "fragmented",
        "misaligned",
        "wrong side",
        "crosses boundary",
        "too long",
    ];
    let common = [&full[..], &["slots", "padding"]].concat();
    reached(Setting::Static, &common);
    reached(Setting::Static, &["areas exhausted"]);
    // A restricted pool has one area.
    reached(Setting::Restricted, &common);
    reached(Setting::Restricted, &["stepped over"]);
    reached(Setting::PerBuffer, &["slots", "own buffer", "few free"]);
    reached(
        Setting::DynamicPools,
        &["slots", "pool of one mapping", "pool added"],
    );
    reached(
        Setting::Shrinker,
        &["slots", "pool of one mapping", "pool added", "pool removed"],
    );
}

macro_rules! promises {
    ($($name:ident: $setting:ident,)*) => {
        proptest! {
            #![proptest_config(ProptestConfig {
                cases: 100,
                failure_persistence: None,
                max_shrink_iters: 500,
                ..ProptestConfig::default()
            })]
            $(
                #[test]
                fn $name(
                    areas in prop::sample::select(vec![1, 2, 8]),
                    masks in prop::collection::vec(any_masks(), 3),
                    calls in prop::collection::vec(any_call(), 1..150),
                ) {
                    run(Setting::$setting, areas, &masks, &calls);
                }
            )*
        }
    };
}

promises! {
    one_pool_of_fixed_size_keeps_its_promises: Static,
    buffers_of_their_own_keep_the_promises: PerBuffer,
    pools_that_are_added_keep_the_promises: DynamicPools,
    pools_that_come_and_go_keep_the_promises: Shrinker,
    a_restricted_pool_keeps_the_promises: Restricted,
}
