//! The shrinker's promises, S1 to S7 of its design, each with a test.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use support::{HIGH, Machine, POOL};
use swiotlb::{
    AddressMarker, AllocatorId, Attrs, BootConfig, BootOptions, CcPlatform, DataDirection, Device,
    Dma, MapRequest, Mapping, Mode, PageRequest, PageSource, PhysAddr, Platform, Policy,
    PoolGeometry, PoolId, RegionSource, ShrinkPressure, ShrinkerConfig, ShrinkerStats, Stats,
    Swiotlb,
};

const PAGES: u64 = 0x140_0000;
/// Pages that are shared from the start.
const SHARED_PAGES: u64 = 0x1f0_0000;
const NORMAL: ShrinkPressure = ShrinkPressure::Normal;

/// A region of pages that notes what comes back, and can refuse to make pages private.
#[derive(Debug)]
struct Pages {
    region: RegionSource,
    log: Arc<Mutex<Log>>,
}

#[derive(Debug, Default)]
struct Log {
    freed: Vec<u64>,
    made_private: Vec<u64>,
    keeps_shared: bool,
}

impl PageSource for Pages {
    fn alloc(&mut self, request: &PageRequest) -> Option<PhysAddr> {
        self.region.alloc(request)
    }

    fn free(&mut self, base: PhysAddr, bytes: u64) {
        self.log.lock().unwrap().freed.push(base.raw());
        self.region.free(base, bytes);
    }

    fn free_atomic(&mut self, base: PhysAddr, bytes: u64) {
        self.region.free_atomic(base, bytes);
    }

    fn make_private(&mut self, base: PhysAddr, _bytes: u64) -> Result<(), i32> {
        let mut log = self.log.lock().unwrap();
        if log.keeps_shared {
            return Err(-22);
        }
        log.made_private.push(base.raw());
        Ok(())
    }
}

struct Shrinking {
    machine: Machine,
    dev: Device,
    log: Arc<Mutex<Log>>,
}

impl Shrinking {
    fn new(policy: Policy, cc: CcPlatform) -> Self {
        let mut machine = Machine::new();
        let mut boot = BootConfig::new(BootOptions {
            policy,
            ..BootOptions::default()
        });
        boot.parse(",,track_hiwater");
        let geometry = PoolGeometry {
            base: PhysAddr::new(POOL),
            slots: 512,
            areas: 1,
        };
        let platform = Platform {
            cc,
            ..Platform::default()
        };
        let mem = &mut machine.mem;
        let mut swiotlb = Swiotlb::with_pool(mem, platform, boot, Mode::Strict, geometry).unwrap();
        let log = Arc::default();
        let mut pages = Pages {
            region: RegionSource::new(PhysAddr::new(PAGES), 0xb0_0000)
                .with_shared(PhysAddr::new(SHARED_PAGES), 0x10_0000),
            log: Arc::clone(&log),
        };
        swiotlb.update_mem_attributes(&mut pages);
        swiotlb.set_page_source(Box::new(pages));
        machine.dma = Dma::new(swiotlb);
        Self {
            machine,
            dev: Device::new("d"),
            log,
        }
    }

    /// A shrinker that leaves no slots in reserve.
    fn eager() -> Self {
        let config = ShrinkerConfig {
            min_free_slots: 0,
            reserve_percent: 0,
            ..ShrinkerConfig::default()
        };
        Self::new(Policy::Shrinker(config), CcPlatform::None)
    }

    fn swiotlb(&self) -> &Swiotlb {
        self.machine.dma.swiotlb()
    }

    fn at(&self, seconds: u64) {
        self.swiotlb().set_time(Duration::from_secs(seconds));
    }

    fn map(&mut self, bytes: u64) -> Mapping {
        let dir = DataDirection::ToDevice;
        let request = MapRequest::new(PhysAddr::new(HIGH), bytes, dir);
        let mem = &mut self.machine.mem;
        self.machine
            .dma
            .map_single(mem, &self.dev, request)
            .unwrap()
    }

    fn unmap(&mut self, mapping: Mapping) {
        let mem = &mut self.machine.mem;
        let done = self.machine.dma.unmap_single(mem, &self.dev, mapping);
        done.unwrap();
    }

    /// Fills all pools, so that a further one is made, and empties them.
    fn grow(&mut self) -> PoolGeometry {
        let free = self.stats().total_slots - self.stats().counted_slots;
        let mut held: Vec<Mapping> = (0..free / 128).map(|_| self.map(256 << 10)).collect();
        held.push(self.map(100));
        let work = self
            .machine
            .dma
            .swiotlb()
            .run_pending_work(&mut self.machine.mem);
        for mapping in held {
            self.unmap(mapping);
        }
        self.work();
        work.added.unwrap()
    }

    fn work(&mut self) -> u32 {
        let mem = &mut self.machine.mem;
        self.machine.dma.swiotlb().run_pending_work(mem).freed_pools
    }

    fn stats(&self) -> Stats {
        self.swiotlb().stats(AllocatorId::DEFAULT).unwrap()
    }

    fn pools(&self) -> Vec<PoolId> {
        self.swiotlb().pools(AllocatorId::DEFAULT).collect()
    }

    fn counters(&self) -> ShrinkerStats {
        self.stats().shrinker
    }
}

#[test]
fn an_idle_pool_goes_after_its_time_and_its_memory_comes_back() {
    let mut machine = Shrinking::eager();
    machine.at(100);
    let pool = machine.grow();
    assert_eq!(machine.swiotlb().shrinker_count(), 0);
    machine.at(130);
    assert_eq!(machine.swiotlb().shrinker_count(), 512);
    assert_eq!(machine.swiotlb().shrinker_scan(1, NORMAL), 512);
    assert_eq!(machine.stats().total_slots, 512);
    assert_eq!(machine.work(), 1);
    let last_freed = machine.log.lock().unwrap().freed.last().copied();
    assert_eq!(last_freed, Some(pool.base.raw()));
    let counters = machine.counters();
    assert_eq!((counters.pools_added, counters.pools_removed), (1, 1));
    assert_eq!((counters.slots_removed, counters.leaked_bytes), (512, 0));
}

#[test]
fn s1_a_pool_with_a_live_mapping_never_goes_even_under_pressure() {
    let mut machine = Shrinking::eager();
    machine.grow();
    let mapping = machine.map(100);
    let newest = machine.pools()[0];
    assert_eq!(mapping.bounced().unwrap().pool, newest);
    machine.at(1000);
    assert_eq!(
        machine
            .swiotlb()
            .shrinker_scan(u64::MAX, ShrinkPressure::High),
        0
    );
    assert_eq!(machine.pools()[0], newest);
    machine.unmap(mapping);
    assert_eq!(
        machine.swiotlb().shrinker_scan(1, NORMAL),
        0,
        "not idle yet"
    );
    assert_eq!(
        machine.swiotlb().shrinker_scan(1, ShrinkPressure::High),
        512
    );
}

#[test]
fn s2_other_pools_keep_order_slots_and_cursors() {
    let mut machine = Shrinking::eager();
    machine.grow();
    machine.grow();
    let held = machine.map(5000);
    let before: Vec<_> = machine
        .pools()
        .into_iter()
        .map(|pool| (pool, machine.swiotlb().snapshot(pool).unwrap()))
        .collect();
    machine.at(1000);
    // The oldest pool that was added is in the middle.
    assert_eq!(machine.swiotlb().shrinker_scan(1, NORMAL), 512);
    let after: Vec<_> = machine
        .pools()
        .into_iter()
        .map(|pool| (pool, machine.swiotlb().snapshot(pool).unwrap()))
        .collect();
    assert_eq!(after, [before[0].clone(), before[2].clone()]);
    let next = machine.map(100);
    assert_eq!(next.bounced().unwrap().pool, before[0].0);
    assert_eq!(next.bounced().unwrap().first_slot, 3);
    machine.unmap(held);
    machine.unmap(next);
}

/// Three pools, of which the oldest added is full, and the other two are empty with cursors that have
/// moved. Returns what fills it.
fn full_in_the_middle(machine: &mut Shrinking) -> Vec<Mapping> {
    machine.grow();
    machine.grow();
    let middle = machine.pools()[1];
    let all: Vec<Mapping> = (0..12).map(|_| machine.map(256 << 10)).collect();
    let is_kept = |mapping: &Mapping| mapping.bounced().unwrap().pool == middle;
    let (kept, others): (Vec<_>, Vec<_>) = all.into_iter().partition(is_kept);
    assert_eq!(kept.len(), 4);
    for mapping in others {
        machine.unmap(mapping);
    }
    kept
}

/// Where a long run of maps and unmaps puts its buffers.
fn placements(machine: &mut Shrinking) -> Vec<u64> {
    let mut live: Vec<Mapping> = Vec::new();
    let mut places = Vec::new();
    for step in 0..600_u64 {
        // Any order will do that repeats late.
        let choice = step.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        if live.len() >= 70 || (choice.is_multiple_of(3) && !live.is_empty()) {
            let index = usize::try_from(choice).unwrap() % live.len();
            machine.unmap(live.swap_remove(index));
        } else {
            let mapping = machine.map(1 + choice % 30_000);
            places.push(mapping.bounced().unwrap().tlb_addr.raw());
            live.push(mapping);
        }
    }
    for mapping in live {
        machine.unmap(mapping);
    }
    places
}

#[test]
fn s2_all_later_placements_are_those_of_a_run_in_which_the_removed_pool_is_full() {
    let mut with_full = Shrinking::eager();
    let kept = full_in_the_middle(&mut with_full);
    let mut without = Shrinking::eager();
    for mapping in full_in_the_middle(&mut without) {
        without.unmap(mapping);
    }
    without.at(1000);
    let middle = without.pools()[1];
    assert_eq!(without.swiotlb().shrinker_scan(1, NORMAL), 512);
    assert!(!without.pools().contains(&middle));
    let places = placements(&mut without);
    assert_eq!(places, placements(&mut with_full));
    let pools = without.pools().len();
    let used = places
        .iter()
        .map(|place| place >> 20)
        .collect::<BTreeSet<_>>();
    assert_eq!(used.len(), pools, "some pool was never used: {used:x?}");
    for mapping in kept {
        with_full.unmap(mapping);
    }
}

#[test]
fn s3_and_s6_no_address_of_a_removed_pool_is_a_bounce_buffer() {
    let mut machine = Shrinking::eager();
    let pool = machine.grow();
    let inside = pool.base.wrapping_add(5000);
    assert!(machine.swiotlb().find_pool(&machine.dev, inside).is_some());
    machine.at(1000);
    machine.swiotlb().shrinker_scan(1, NORMAL);
    assert_eq!(machine.swiotlb().find_pool(&machine.dev, inside), None);
    let mem = &mut machine.machine.mem;
    let dir = DataDirection::FromDevice;
    let swiotlb = machine.machine.dma.swiotlb();
    let sync = swiotlb.sync_single_for_cpu(mem, &machine.dev, inside, 8, dir);
    assert_eq!(sync, Ok(None));
    let unmap = swiotlb.tbl_unmap_single(mem, &machine.dev, inside, 8, dir, Attrs::NONE);
    assert_eq!(unmap, Ok(None));
}

#[test]
fn s4_shared_pages_become_private_before_they_go_or_are_lost_and_counted() {
    for keeps_shared in [false, true] {
        let config = ShrinkerConfig {
            min_free_slots: 0,
            ..ShrinkerConfig::default()
        };
        let cc = CcPlatform::Guest(AddressMarker::None);
        let mut machine = Shrinking::new(Policy::Shrinker(config), cc);
        let pool = machine.grow();
        machine.at(1000);
        machine.log.lock().unwrap().keeps_shared = keeps_shared;
        assert_eq!(machine.swiotlb().shrinker_scan(1, NORMAL), 512);
        machine.work();
        let log = machine.log.lock().unwrap();
        let base = pool.base.raw();
        assert_eq!(log.made_private.contains(&base), !keeps_shared);
        assert_eq!(log.freed.contains(&base), !keeps_shared);
        let lost = if keeps_shared { pool.bytes() } else { 0 };
        assert_eq!(machine.counters().leaked_bytes, lost);
    }
}

#[test]
fn s5_the_high_water_mark_stays() {
    let mut machine = Shrinking::eager();
    machine.grow();
    let mark = machine.stats().used_hiwater;
    assert_eq!(mark, 513);
    machine.at(1000);
    machine.swiotlb().shrinker_scan(1, NORMAL);
    assert_eq!(machine.stats().used_hiwater, mark);
}

#[test]
fn s7_a_pool_that_was_just_added_stays_for_the_cooldown() {
    let config = ShrinkerConfig {
        idle_time: Duration::ZERO,
        min_free_slots: 0,
        reserve_percent: 0,
        ..ShrinkerConfig::default()
    };
    let mut machine = Shrinking::new(Policy::Shrinker(config), CcPlatform::None);
    let mut cycles = 0;
    for seconds in 0..90 {
        machine.at(seconds);
        if machine.pools().len() == 1 {
            machine.grow();
        }
        if machine.swiotlb().shrinker_scan(1, NORMAL) > 0 {
            cycles += 1;
        }
        machine.work();
    }
    assert_eq!(cycles, 2);
}

#[test]
fn a_reserve_stays_free_for_the_peak_of_the_last_window() {
    let config = ShrinkerConfig {
        min_free_slots: 0,
        reserve_percent: 100,
        ..ShrinkerConfig::default()
    };
    let mut machine = Shrinking::new(Policy::Shrinker(config), CcPlatform::None);
    machine.grow();
    // The peak of 513 slots is remembered for a minute; 512 free ones are not enough for it.
    machine.at(45);
    assert_eq!(machine.swiotlb().shrinker_scan(1, ShrinkPressure::High), 0);
    machine.at(64);
    assert_eq!(machine.swiotlb().shrinker_scan(1, NORMAL), 512);
}

#[test]
fn a_peak_within_a_part_of_the_window_keeps_its_reserve_to_the_end_of_the_window() {
    let config = ShrinkerConfig {
        min_free_slots: 0,
        reserve_percent: 100,
        ..ShrinkerConfig::default()
    };
    let mut machine = Shrinking::new(Policy::Shrinker(config), CcPlatform::None);
    machine.at(3);
    machine.grow();
    for seconds in [60, 62, 63] {
        machine.at(seconds);
        let removed = machine.swiotlb().shrinker_scan(u64::MAX, NORMAL);
        assert_eq!(removed, 0, "at {seconds} s");
    }
    machine.at(67);
    assert_eq!(machine.swiotlb().shrinker_scan(u64::MAX, NORMAL), 512);
}

#[test]
fn a_scan_takes_no_more_pools_than_a_batch_and_none_while_growth_is_pending() {
    let mut machine = Shrinking::eager();
    machine.grow();
    machine.grow();
    machine.at(1000);
    assert_eq!(machine.swiotlb().shrinker_count(), 1024);
    assert_eq!(machine.swiotlb().shrinker_scan(u64::MAX, NORMAL), 512);
    let free = machine.stats().total_slots;
    let held: Vec<Mapping> = (0..free / 128).map(|_| machine.map(256 << 10)).collect();
    let alone = machine.map(100);
    for mapping in held {
        machine.unmap(mapping);
    }
    machine.at(5000);
    assert_eq!(machine.swiotlb().shrinker_scan(u64::MAX, NORMAL), 0);
    machine.unmap(alone);
}

#[test]
fn without_the_policy_nothing_is_counted_or_removed() {
    let mut machine = Shrinking::new(Policy::DynamicPools, CcPlatform::None);
    machine.grow();
    machine.at(1000);
    assert_eq!(machine.swiotlb().shrinker_count(), 0);
    assert_eq!(
        machine
            .swiotlb()
            .shrinker_scan(u64::MAX, ShrinkPressure::High),
        0
    );
    assert_eq!(machine.pools().len(), 2);
}
