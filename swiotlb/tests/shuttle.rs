//! Interleavings of threads, tried one after the other by a model checker:
//! `RUSTFLAGS="--cfg shuttle" cargo test -p swiotlb --test shuttle`.
#![cfg(shuttle)]
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

// Counters over all schedules are the test's own, unknown to the model checker.
use std::sync::Arc as StdArc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use shuttle::sync::{Arc, Mutex};
use shuttle::thread;
use swiotlb::{
    AllocatorId, Attrs, BootConfig, BootOptions, BounceInfo, BounceRequest, CpuId, DataDirection,
    Device, MapError, Mode, NoBytes, PhysAddr, Platform, Policy, PoolGeometry, RegionSource,
    ShrinkPressure, ShrinkerConfig, Swiotlb,
};

const POOL: u64 = 0x100_0000;
const PAGES: u64 = 0x200_0000;
const RUNS: usize = 2000;

/// Parameters that have slots counted, so that each mapping goes the general way.
const COUNTED: &str = ",,track_hiwater";
/// Parameters that have nothing counted, so that common mappings go the short way.
const UNCOUNTED: &str = "";

/// A layer with one pool of 128 slots per area, so that it is soon full.
fn layer(policy: Policy, areas: u32, parameters: &str) -> Swiotlb {
    let mut boot = BootConfig::new(BootOptions {
        policy,
        ..BootOptions::default()
    });
    boot.parse(parameters);
    let geometry = PoolGeometry {
        base: PhysAddr::new(POOL),
        slots: 128 * areas,
        areas,
    };
    let platform = Platform::default();
    let mut swiotlb =
        Swiotlb::with_pool(&mut NoBytes, platform, boot, Mode::Strict, geometry).unwrap();
    let pages = RegionSource::new(PhysAddr::new(PAGES), 0x100_0000);
    swiotlb.set_page_source(Box::new(pages));
    swiotlb
}

fn shrinker() -> Policy {
    Policy::Shrinker(ShrinkerConfig {
        idle_time: Duration::ZERO,
        min_free_slots: 0,
        reserve_percent: 0,
        ..ShrinkerConfig::default()
    })
}

fn map(swiotlb: &Swiotlb, dev: &Device, bytes: u64, cpu: u32) -> Result<BounceInfo, MapError> {
    swiotlb.tbl_map_single(
        &mut NoBytes,
        dev,
        &BounceRequest {
            orig: PhysAddr::new(0x1_0000_0000),
            bytes,
            alloc_align_mask: 0,
            dir: DataDirection::ToDevice,
            attrs: Attrs::NONE,
            cpu: CpuId(cpu),
        },
    )
}

fn unmap(swiotlb: &Swiotlb, dev: &Device, bounce: &BounceInfo, bytes: u64) {
    let dir = DataDirection::ToDevice;
    let addr = bounce.tlb_addr;
    let released = swiotlb.tbl_unmap_single(&mut NoBytes, dev, addr, bytes, dir, Attrs::NONE);
    assert_eq!(released.unwrap().unwrap().pool, bounce.pool);
}

/// Addresses in use, so that an overlap is seen when it happens.
#[derive(Default)]
struct InUse(Mutex<Vec<(u64, u64)>>);

impl InUse {
    fn enter(&self, start: u64, bytes: u64) {
        let mut ranges = self.0.lock().unwrap();
        let is_free = |&(other, len): &(u64, u64)| start + bytes <= other || other + len <= start;
        assert!(ranges.iter().all(is_free), "two mappings overlap");
        ranges.push((start, bytes));
    }

    fn leave(&self, start: u64) {
        self.0.lock().unwrap().retain(|&(other, _)| other != start);
    }
}

fn check_end(swiotlb: &Swiotlb) {
    let stats = swiotlb.stats(AllocatorId::DEFAULT).unwrap();
    assert_eq!((stats.used_slots, stats.counted_slots), (0, 0));
    assert_eq!(stats.transient_slots, 0);
    let mut slots = 0;
    for pool in swiotlb.pools(AllocatorId::DEFAULT) {
        assert_eq!(swiotlb.check_invariants(pool), Ok(()));
        slots += u64::from(swiotlb.pool_geometry(pool).unwrap().slots);
    }
    assert_eq!(stats.total_slots, slots);
}

/// Maps twice and unmaps; every address is found while it is mapped.
fn use_slots(swiotlb: &Swiotlb, dev: &Device, in_use: &InUse, cpu: u32) {
    const BYTES: u64 = 200 << 10;
    for _ in 0..2 {
        let Ok(bounce) = map(swiotlb, dev, BYTES, cpu) else {
            continue;
        };
        let start = bounce.tlb_addr;
        in_use.enter(start.raw(), BYTES);
        assert_eq!(swiotlb.find_pool(dev, start), Some(bounce.pool));
        in_use.leave(start.raw());
        unmap(swiotlb, dev, &bounce, BYTES);
    }
}

#[test]
fn two_areas_and_their_neighbours_never_give_the_same_slots() {
    let check = || {
        let swiotlb = Arc::new(layer(Policy::Static, 2, COUNTED));
        let dev = Arc::new(Device::new("d"));
        let in_use = Arc::new(InUse::default());
        let threads: Vec<_> = (0..3)
            .map(|cpu| {
                let (swiotlb, dev) = (Arc::clone(&swiotlb), Arc::clone(&dev));
                let in_use = Arc::clone(&in_use);
                thread::spawn(move || use_slots(&swiotlb, &dev, &in_use, cpu))
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        check_end(&swiotlb);
    };
    shuttle::check_random(check, RUNS);
}

/// Whether a mapping leaves a high-water mark: if not, nothing keeps a common one from the short way.
fn is_counted(swiotlb: &Swiotlb) -> bool {
    let dev = Device::new("probe");
    let bounce = map(swiotlb, &dev, 2048, 0).unwrap();
    unmap(swiotlb, &dev, &bounce, 2048);
    swiotlb.stats(AllocatorId::DEFAULT).unwrap().used_hiwater > 0
}

/// Holds mappings of several lengths at a time in one area: below a page, of a page, of some slots,
/// and more than half a slot set.
fn hold_slots(swiotlb: &Swiotlb, dev: &Device, in_use: &InUse) {
    let mut held = Vec::new();
    for bytes in [2048, 4096, 6000, 140 << 10] {
        let Ok(bounce) = map(swiotlb, dev, bytes, 0) else {
            continue;
        };
        in_use.enter(bounce.tlb_addr.raw(), bytes);
        held.push((bounce, bytes));
    }
    for (bounce, bytes) in held {
        in_use.leave(bounce.tlb_addr.raw());
        unmap(swiotlb, dev, &bounce, bytes);
    }
}

#[test]
fn threads_in_one_area_never_get_the_same_slots_the_short_way() {
    let check = || {
        let swiotlb = Arc::new(layer(Policy::Static, 1, UNCOUNTED));
        assert!(!is_counted(&swiotlb));
        let dev = Arc::new(Device::new("d"));
        let in_use = Arc::new(InUse::default());
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let (swiotlb, dev) = (Arc::clone(&swiotlb), Arc::clone(&dev));
                let in_use = Arc::clone(&in_use);
                thread::spawn(move || hold_slots(&swiotlb, &dev, &in_use))
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        check_end(&swiotlb);
    };
    shuttle::check_random(check, RUNS);
}

/// Two mappers in one area and the worker that adds pools.
fn check_growth(parameters: &'static str, use_slots: fn(&Swiotlb, &Device, &InUse)) {
    let added = StdArc::new(AtomicU64::new(0));
    let seen = StdArc::clone(&added);
    let check = move || {
        let swiotlb = Arc::new(layer(Policy::DynamicPools, 1, parameters));
        assert_eq!(is_counted(&swiotlb), parameters == COUNTED);
        let dev = Arc::new(Device::new("d"));
        let in_use = Arc::new(InUse::default());
        let mappers: Vec<_> = (0..2)
            .map(|_| {
                let (swiotlb, dev) = (Arc::clone(&swiotlb), Arc::clone(&dev));
                let in_use = Arc::clone(&in_use);
                thread::spawn(move || use_slots(&swiotlb, &dev, &in_use))
            })
            .collect();
        let worker = {
            let swiotlb = Arc::clone(&swiotlb);
            thread::spawn(move || {
                swiotlb.run_pending_work(&mut NoBytes);
                swiotlb.run_pending_work(&mut NoBytes);
            })
        };
        for thread in mappers {
            thread.join().unwrap();
        }
        worker.join().unwrap();
        swiotlb.run_pending_work(&mut NoBytes);
        assert!(!swiotlb.has_pending_work());
        let pools = swiotlb.pools(AllocatorId::DEFAULT).count() as u64;
        seen.fetch_add(pools - 1, Ordering::Relaxed);
        check_end(&swiotlb);
    };
    shuttle::check_random(check, RUNS);
    assert!(
        added.load(Ordering::Relaxed) > 0,
        "no schedule added a pool"
    );
}

#[test]
fn pools_are_added_while_others_map_and_look_addresses_up() {
    check_growth(COUNTED, |swiotlb, dev, in_use| {
        use_slots(swiotlb, dev, in_use, 0)
    });
}

#[test]
fn pools_are_added_while_others_map_the_short_way() {
    check_growth(UNCOUNTED, |swiotlb, dev, in_use| {
        use_slots(swiotlb, dev, in_use, 0)
    });
    check_growth(UNCOUNTED, hold_slots);
}

#[test]
fn a_pool_is_removed_only_between_mappings() {
    let removed_slots = StdArc::new(AtomicU64::new(0));
    let seen = StdArc::clone(&removed_slots);
    let check = move || {
        let swiotlb = Arc::new(layer(shrinker(), 1, COUNTED));
        let dev = Arc::new(Device::new("d"));
        // Two pools, both empty.
        let held = map(&swiotlb, &dev, 256 << 10, 0).unwrap();
        let alone = map(&swiotlb, &dev, 100, 0).unwrap();
        swiotlb.run_pending_work(&mut NoBytes);
        unmap(&swiotlb, &dev, &held, 256 << 10);
        unmap(&swiotlb, &dev, &alone, 100);
        assert_eq!(swiotlb.pools(AllocatorId::DEFAULT).count(), 2);
        let in_use = Arc::new(InUse::default());
        let mappers: Vec<_> = (0..2)
            .map(|cpu| {
                let (swiotlb, dev) = (Arc::clone(&swiotlb), Arc::clone(&dev));
                let in_use = Arc::clone(&in_use);
                thread::spawn(move || use_slots(&swiotlb, &dev, &in_use, cpu))
            })
            .collect();
        let shrinker = {
            let swiotlb = Arc::clone(&swiotlb);
            thread::spawn(move || {
                let removed = swiotlb.shrinker_scan(1, ShrinkPressure::High);
                let stats = swiotlb.stats(AllocatorId::DEFAULT).unwrap();
                assert_eq!(stats.shrinker.slots_removed, removed);
                swiotlb.free_dropped_pools();
            })
        };
        for thread in mappers {
            thread.join().unwrap();
        }
        shrinker.join().unwrap();
        swiotlb.run_pending_work(&mut NoBytes);
        let stats = swiotlb.stats(AllocatorId::DEFAULT).unwrap();
        seen.fetch_add(stats.shrinker.slots_removed, Ordering::Relaxed);
        check_end(&swiotlb);
    };
    shuttle::check_random(check, RUNS);
    let removed = removed_slots.load(Ordering::Relaxed);
    assert!(removed > 0, "no schedule removed a pool");
}

#[test]
fn a_pool_of_one_mapping_is_found_by_its_device_until_it_is_unmapped() {
    let check = || {
        let swiotlb = Arc::new(layer(Policy::DynamicPools, 1, COUNTED));
        let dev = Arc::new(Device::new("d"));
        let held = map(&swiotlb, &dev, 256 << 10, 0).unwrap();
        let threads: Vec<_> = (0..2)
            .map(|cpu| {
                let (swiotlb, dev) = (Arc::clone(&swiotlb), Arc::clone(&dev));
                thread::spawn(move || {
                    let bounce = map(&swiotlb, &dev, 5000, cpu).unwrap();
                    let addr = bounce.tlb_addr;
                    assert_eq!(swiotlb.find_pool(&dev, addr), Some(bounce.pool));
                    unmap(&swiotlb, &dev, &bounce, 5000);
                    swiotlb.free_dropped_pools();
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        unmap(&swiotlb, &dev, &held, 256 << 10);
        swiotlb.run_pending_work(&mut NoBytes);
        assert!(swiotlb.transient_pools(&dev).is_empty());
        check_end(&swiotlb);
    };
    shuttle::check_random(check, RUNS);
}
