//! What every policy promises, whatever is called in whatever order: nothing overlaps, masks are
//! kept, no byte and no slot is lost, the counters agree, and each failure is explained truly.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod explain;
mod world;

use std::collections::BTreeSet;
use std::time::Duration;

use explain::Asked;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use swiotlb::{
    AllocError, AllocatorId, Attrs, CpuId, DataDirection, Full, FullReason, MapError, PhysAddr,
    PhysMemory, ShrinkPressure,
};
use world::{Masks, PAGES, PAGES_BYTES, POOL, REGION, SHRINKER, Setting, World};

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
                        self.check_help(device, buffer, full.why);
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

    /// The mapping just made lies where it may, as its masks want it.
    fn check_newest(&mut self) {
        let lent = self.live.last().unwrap();
        self.events
            .insert(match (lent.has_own_buffer, lent.is_transient) {
                (true, _) => "own buffer",
                (_, true) => "pool of one mapping",
                _ if lent.bounce.pad_slots > 0 => "padding",
                _ => "slots",
            });
        let (start, end) = lent.extent;
        let pool_bytes = 256 * 2048;
        let is_in = |base: u64, bytes: u64| base <= start && end <= base + bytes;
        let is_allowed = match self.setting {
            Setting::Static => is_in(POOL, pool_bytes),
            Setting::Restricted => is_in(REGION, pool_bytes),
            _ => is_in(POOL, pool_bytes) || is_in(PAGES, PAGES_BYTES),
        };
        assert!(is_allowed, "{start:#x}..{end:#x} lies in no pool");
        let Masks {
            min_align,
            boundary,
        } = self.devices[lent.device].1;
        let differing = lent.bounce.tlb_addr.raw() ^ lent.request.orig.raw();
        assert_eq!(differing & u64::from(min_align), 0);
        assert_eq!(start & u64::from(lent.request.alloc_align_mask), 0);
        if min_align == 0 && lent.request.alloc_align_mask == 0 && lent.request.bytes >= 4096 {
            assert_eq!(start & 0xfff, 0, "a page does not begin on a page");
        }
        assert!(end - start >= lent.request.bytes);
        if lent.has_own_buffer {
            assert_eq!(self.setting, Setting::PerBuffer);
        } else {
            assert_eq!(
                start & !boundary,
                (end - 1) & !boundary,
                "crosses a boundary"
            );
        }
    }

    /// Everything in the ledger is still so, and everything there is in the ledger.
    fn check_all(&mut self) {
        let mut extents: Vec<(u64, u64)> = self.live.iter().map(|lent| lent.extent).collect();
        extents.extend(
            self.pages
                .iter()
                .map(|&(start, slots)| (start, start + slots * 2048)),
        );
        extents.sort_unstable();
        assert!(
            extents.windows(2).all(|pair| pair[0].1 <= pair[1].0),
            "overlap: {extents:x?}"
        );
        for lent in &self.live {
            let seen = self.bytes_at(lent.bounce.tlb_addr, lent.seen.len());
            assert!(
                seen == lent.seen,
                "a bounce buffer was changed by another call"
            );
        }
        let sum = |is_counted: &dyn Fn(&world::Lent) -> bool| -> u64 {
            let counted = self.live.iter().filter(|lent| is_counted(lent));
            counted.map(|lent| u64::from(lent.bounce.slots)).sum()
        };
        let pages: u64 = self.pages.iter().map(|&(_, slots)| slots).sum();
        let stats = self.swiotlb.stats(self.allocator()).unwrap();
        let in_pools = pages + sum(&|lent| !lent.has_own_buffer && !lent.is_transient);
        assert_eq!(stats.counted_slots, in_pools);
        assert_eq!(stats.transient_slots, sum(&|lent| lent.is_transient));
        assert_eq!(stats.used_slots, in_pools + stats.transient_slots);
        self.peak_used = self.peak_used.max(stats.used_slots);
        assert_eq!(stats.used_hiwater, self.peak_used);
        let mut total = 0;
        for pool in self.swiotlb.pools(self.allocator()) {
            assert_eq!(self.swiotlb.check_invariants(pool), Ok(()));
            total += u64::from(self.swiotlb.pool_geometry(pool).unwrap().slots);
        }
        assert_eq!(stats.total_slots, total);
        if self.setting == Setting::Restricted {
            let default = self.swiotlb.stats(AllocatorId::DEFAULT).unwrap();
            assert_eq!(
                default.used_slots, 0,
                "a restricted device took slots of others"
            );
        }
    }

    /// The shrinker takes empty pools only, as few as it may, and leaves the reserve.
    fn scan(&mut self, target: u64, is_high: bool) {
        let before = self.swiotlb.stats(AllocatorId::DEFAULT).unwrap();
        let offered = self.swiotlb.shrinker_count();
        let pressure = if is_high {
            ShrinkPressure::High
        } else {
            ShrinkPressure::Normal
        };
        let removed = self.swiotlb.shrinker_scan(target, pressure);
        let after = self.swiotlb.stats(AllocatorId::DEFAULT).unwrap();
        assert_eq!(before.total_slots - after.total_slots, removed);
        assert_eq!(before.counted_slots, after.counted_slots);
        let pools = after.shrinker.pools_removed - before.shrinker.pools_removed;
        assert!(pools <= u64::from(SHRINKER.batch));
        if !is_high {
            assert_eq!(
                removed > 0,
                offered > 0 && target > 0,
                "{offered} slots were offered"
            );
        }
        if removed > 0 {
            self.events.insert("pool removed");
            assert_eq!(self.setting, Setting::Shrinker);
            let free = after.total_slots - after.counted_slots;
            let reserve = (after.counted_slots * u64::from(SHRINKER.reserve_percent)).div_ceil(100);
            assert!(
                free >= SHRINKER.min_free_slots.max(reserve),
                "only {free} slots are left"
            );
        }
        let pools = self.swiotlb.pools(AllocatorId::DEFAULT);
        let bases = pools.map(|pool| self.swiotlb.pool_geometry(pool).unwrap().base);
        assert_eq!(
            bases.last(),
            Some(PhysAddr::new(POOL)),
            "the default pool went"
        );
    }

    /// What the reason says would have helped does help.
    fn check_help(&mut self, device: usize, buffer: (u64, u64, u32), why: FullReason) {
        let masks: Vec<Masks> = self.devices.iter().map(|(_, masks)| *masks).collect();
        let mut larger = World::sized(Setting::Static, 4096, 1, &masks);
        if matches!(why, FullReason::AboveSlotSet | FullReason::AboveBoundary) {
            assert!(why.help().contains("pieces"), "{why:?}");
            let (place, _, align) = buffer;
            let size = larger.swiotlb.max_mapping_size(&larger.devices[device].0);
            let bytes = size.min(masks[device].boundary).min(0x1_0000 - 0x4000);
            let request = larger.request((place, bytes, align), DataDirection::ToDevice, 0, 1);
            assert_eq!(larger.map(device, &request, 1), Ok(()));
            return;
        }
        let request = larger.request(buffer, DataDirection::ToDevice, 0, 1);
        if let Err(cause) = larger.map(device, &request, 1) {
            // With the low bits that it must keep, the buffer crosses a boundary wherever it lies.
            let mask = masks[device].boundary;
            let is_told = |full: Full| full.why == FullReason::CrossesBoundary { mask };
            assert!(matches!(cause, MapError::Full(full) if is_told(full)));
            let request = larger.request((buffer.0, 1, buffer.2), request.dir, 0, 1);
            assert_eq!(larger.map(device, &request, 1), Ok(()));
            return;
        }
        assert!(why.help().contains("pool"), "{why:?}");
        larger.unmap(0);
        // The same live mappings and this one, in a larger pool.
        for index in 0..self.live.len() {
            let (request, device) = (self.live[index].request, self.live[index].device);
            let buffer = (
                request.orig.raw() - 64,
                request.bytes,
                request.alloc_align_mask,
            );
            let request = larger.request(buffer, request.dir, 0, 1);
            assert_eq!(larger.map(device, &request, 1), Ok(()));
        }
        let request = larger.request(buffer, DataDirection::ToDevice, 0, 1);
        assert_eq!(
            larger.map(device, &request, 1),
            Ok(()),
            "a larger pool does not help: {why:?}"
        );
        if why.help().contains("smaller mappings") {
            let request = self.request((0, 1, 0), DataDirection::ToDevice, 0, 1);
            assert_eq!(self.map(device, &request, 1), Ok(()), "{why:?}");
            self.check_all();
            self.unmap(self.live.len() - 1);
        }
    }

    /// Gives everything back; nothing is in use then, and no page is lost.
    fn finish(mut self) {
        while !self.live.is_empty() {
            self.unmap(0);
        }
        for (addr, _) in std::mem::take(&mut self.pages) {
            self.swiotlb
                .free(&self.devices[0].0, PhysAddr::new(addr))
                .unwrap();
        }
        self.swiotlb.run_pending_work(&mut self.mem);
        self.check_all();
        let stats = self.swiotlb.stats(self.allocator()).unwrap();
        assert_eq!((stats.used_slots, stats.counted_slots), (0, 0));
        let mut grown = Vec::new();
        for pool in self.swiotlb.pools(AllocatorId::DEFAULT) {
            let geometry = self.swiotlb.pool_geometry(pool).unwrap();
            if geometry.base != PhysAddr::new(POOL) {
                grown.push((geometry.base.raw(), geometry.bytes()));
            }
        }
        let mut out = self.out.lock().unwrap().clone();
        out.sort_unstable();
        grown.sort_unstable();
        assert_eq!(out, grown, "pages were lost");
        if self.setting != Setting::Restricted {
            let counters = stats.shrinker;
            let pools = counters.pools_added - counters.pools_removed;
            assert_eq!(pools, grown.len() as u64);
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
    for areas in [1, 2, 8].into_iter().cycle().take(60) {
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
    ];
    let common = [&full[..], &["slots", "padding"]].concat();
    reached(Setting::Static, &common);
    reached(Setting::Restricted, &common);
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
                cases: 200,
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
