//! Several threads over one bounce layer and one memory: nothing overlaps, no byte is lost, and
//! the counters agree at the end.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use swiotlb::{
    AllocatorId, BootConfig, BootOptions, CpuId, DataDirection, Device, Dma, MapRequest, Mapping,
    MemoryError, Mode, PhysAddr, PhysMemory, Platform, Policy, PoolGeometry, RamRange,
    RegionSource, ShrinkPressure, ShrinkerConfig, SparseMemory, Stats, Swiotlb,
};

const THREADS: u32 = 4;
const ROUNDS: u32 = 3000;
const POOL: u64 = 0x100_0000;
const PAGES: u64 = 0x200_0000;
const HIGH: u64 = 0x1_0000_0000;

/// Memory that threads share: the trait is implemented for the reference.
struct SharedMemory(Mutex<SparseMemory>);

impl PhysMemory for &SharedMemory {
    fn read(&self, addr: PhysAddr, buf: &mut [u8]) -> Result<(), MemoryError> {
        self.0.lock().unwrap().read(addr, buf)
    }

    fn write(&mut self, addr: PhysAddr, buf: &[u8]) -> Result<(), MemoryError> {
        self.0.lock().unwrap().write(addr, buf)
    }

    fn copy(&mut self, from: PhysAddr, to: PhysAddr, bytes: u64) -> Result<(), MemoryError> {
        self.0.lock().unwrap().copy(from, to, bytes)
    }

    fn zero(&mut self, addr: PhysAddr, bytes: u64) -> Result<(), MemoryError> {
        self.0.lock().unwrap().zero(addr, bytes)
    }
}

fn ranges() -> Vec<RamRange> {
    let range = |start, bytes| RamRange {
        start: PhysAddr::new(start),
        bytes,
    };
    vec![range(0, 0x400_0000), range(HIGH, 0x100_0000)]
}

/// Parameters that have slots counted, so that each mapping goes the general way.
const COUNTED: &str = ",,track_hiwater";
/// Parameters that have nothing counted, so that common mappings go the short way.
const UNCOUNTED: &str = "";

fn machine(policy: Policy, slots: u32, areas: u32, parameters: &str) -> (SharedMemory, Dma) {
    let mut mem = SparseMemory::new(&ranges()).unwrap();
    let platform = Platform {
        ram: ranges(),
        ..Platform::default()
    };
    let mut boot = BootConfig::new(BootOptions {
        policy,
        ..BootOptions::default()
    });
    boot.parse(parameters);
    let geometry = PoolGeometry {
        base: PhysAddr::new(POOL),
        slots,
        areas,
    };
    let mut swiotlb = Swiotlb::with_pool(&mut mem, platform, boot, Mode::Strict, geometry).unwrap();
    let pages = RegionSource::new(PhysAddr::new(PAGES), 0x200_0000);
    swiotlb.set_page_source(Box::new(pages));
    (SharedMemory(Mutex::new(mem)), Dma::new(swiotlb))
}

/// A generator of the thread's own (splitmix64).
struct Choices(u64);

impl Choices {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

/// Maps, lets the "device" write, syncs, unmaps, and looks at every byte.
fn work(mem: &SharedMemory, dma: &Dma, dev: &Device, thread: u32) {
    let mut mem = mem;
    let mut choices = Choices(u64::from(thread));
    let mut live: Vec<(u64, Mapping, u8)> = Vec::new();
    for round in 0..ROUNDS {
        let slot = choices.below(8);
        let orig = PhysAddr::new(HIGH + u64::from(thread) * 0x40_0000 + slot * 0x1_0000);
        let bytes = 1 + choices.below(12_000);
        let byte = u8::try_from(choices.below(256)).unwrap();
        if let Some(index) = live.iter().position(|(taken, ..)| *taken == slot) {
            let (_, mapping, byte) = live.swap_remove(index);
            let len = usize::try_from(mapping.bytes()).unwrap();
            let bounce = mapping.bounced().unwrap().tlb_addr;
            let mut seen = vec![0; len];
            mem.read(bounce, &mut seen).unwrap();
            assert!(seen.iter().all(|&found| found == byte), "round {round}");
            mem.write(bounce, &vec![!byte; len]).unwrap();
            dma.sync_for_cpu(&mut mem, dev, &mapping).unwrap();
            mem.read(orig, &mut seen).unwrap();
            assert!(seen.iter().all(|&found| found == !byte), "round {round}");
            dma.unmap_single(&mut mem, dev, mapping).unwrap();
        } else {
            let len = usize::try_from(bytes).unwrap();
            mem.write(orig, &vec![byte; len]).unwrap();
            let request = MapRequest::new(orig, bytes, DataDirection::Bidirectional)
                .on_cpu(CpuId(thread + round % 2));
            live.push((slot, dma.map_single(&mut mem, dev, request).unwrap(), byte));
        }
    }
    for (_, mapping, _) in live {
        dma.unmap_single(&mut mem, dev, mapping).unwrap();
    }
}

/// Runs the threads, with one more that does the pending work and shrinks, and checks the end.
fn check_machine(policy: Policy, slots: u32, areas: u32) -> Stats {
    let (mem, dma) = machine(policy, slots, areas, COUNTED);
    let mappers = AtomicU32::new(THREADS);
    // One thread alone finds too little in a pool that can grow.
    let holder = Device::new("holder");
    let mut held = Vec::new();
    if policy.is_dynamic() {
        let request = MapRequest::new(PhysAddr::new(HIGH), 110 * 2048, DataDirection::ToDevice);
        held.push(dma.map_single(&mut &mem, &holder, request).unwrap());
    }
    let shared_dev = Device::new("shared");
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (mem, dma, shared_dev) = (&mem, &dma, &shared_dev);
            let mappers = &mappers;
            scope.spawn(move || {
                let own_dev = Device::new("own").with_min_align_mask(0xfff);
                let dev = if thread % 2 == 0 {
                    shared_dev
                } else {
                    &own_dev
                };
                work(mem, dma, dev, thread);
                mappers.fetch_sub(1, Ordering::Release);
            });
        }
        while mappers.load(Ordering::Acquire) > 0 {
            dma.swiotlb().run_pending_work(&mut &mem);
            dma.swiotlb().shrinker_scan(1, ShrinkPressure::High);
            std::thread::yield_now();
        }
    });
    for mapping in held {
        dma.unmap_single(&mut &mem, &holder, mapping).unwrap();
    }
    dma.swiotlb().run_pending_work(&mut &mem);
    // Whatever was removed on the way: what is empty now can go.
    dma.swiotlb().set_time(Duration::from_secs(3600));
    dma.swiotlb().shrinker_scan(u64::MAX, ShrinkPressure::High);
    dma.swiotlb().run_pending_work(&mut &mem);
    assert!(!dma.swiotlb().has_pending_work());
    let stats = dma.swiotlb().stats(AllocatorId::DEFAULT).unwrap();
    assert_eq!((stats.used_slots, stats.counted_slots), (0, 0));
    assert_eq!(stats.transient_slots, 0);
    assert!(stats.used_hiwater > 0);
    for pool in dma.swiotlb().pools(AllocatorId::DEFAULT) {
        assert_eq!(dma.swiotlb().check_invariants(pool), Ok(()));
        let snapshot = dma.swiotlb().snapshot(pool).unwrap();
        assert!(snapshot.occupancy.not_any());
    }
    stats
}

#[test]
fn threads_keep_to_their_buffers_when_each_area_has_its_lock() {
    let stats = check_machine(Policy::Static, 2048, 4);
    assert!(stats.used_hiwater <= 2048);
}

#[test]
fn threads_keep_to_their_buffers_when_areas_share_slots_and_a_lock() {
    let stats = check_machine(Policy::Static, 1024, 16);
    assert!(stats.used_hiwater <= 1024);
}

#[test]
fn threads_keep_to_their_buffers_while_pools_come() {
    let stats = check_machine(Policy::DynamicPools, 128, 1);
    assert!(stats.shrinker.pools_added > 0);
    assert_eq!(stats.total_slots, 128 * (1 + stats.shrinker.pools_added));
}

#[test]
fn threads_keep_to_their_buffers_while_pools_come_and_go() {
    let config = ShrinkerConfig {
        min_free_slots: 0,
        reserve_percent: 0,
        ..ShrinkerConfig::default()
    };
    let stats = check_machine(Policy::Shrinker(config), 128, 1);
    let counters = stats.shrinker;
    assert!(counters.pools_removed > 0, "nothing was removed");
    assert!(counters.pools_added >= counters.pools_removed);
    let pools_left = 1 + counters.pools_added - counters.pools_removed;
    assert_eq!(stats.total_slots, 128 * pools_left);
}

/// Maps for reading by the device and unmaps, several mappings at a time, all on one CPU. The
/// "device" finds what the driver wrote, until the unmap.
fn send(mem: &SharedMemory, dma: &Dma, dev: &Device, thread: u32) {
    const LENGTHS: [u64; 6] = [100, 2048, 4096, 6000, 20_000, 140 << 10];
    let mut mem = mem;
    let mut choices = Choices(u64::from(thread));
    let mut live: Vec<(Mapping, u8)> = Vec::new();
    for round in 0..ROUNDS {
        if live.len() == 4 || (!live.is_empty() && choices.below(2) == 0) {
            let index = usize::try_from(choices.below(live.len() as u64)).unwrap();
            let (mapping, byte) = live.swap_remove(index);
            let mut seen = vec![0; usize::try_from(mapping.bytes()).unwrap()];
            mem.read(mapping.bounced().unwrap().tlb_addr, &mut seen)
                .unwrap();
            assert!(seen.iter().all(|&found| found == byte), "round {round}");
            dma.unmap_single(&mut mem, dev, mapping).unwrap();
            continue;
        }
        let orig = PhysAddr::new(HIGH + u64::from(thread) * 0x40_0000);
        let bytes = LENGTHS[usize::try_from(choices.below(6)).unwrap()];
        let byte = u8::try_from(choices.below(256)).unwrap();
        mem.write(orig, &vec![byte; usize::try_from(bytes).unwrap()])
            .unwrap();
        let request = MapRequest::new(orig, bytes, DataDirection::ToDevice).on_cpu(CpuId(0));
        live.push((dma.map_single(&mut mem, dev, request).unwrap(), byte));
    }
    for (mapping, _) in live {
        dma.unmap_single(&mut mem, dev, mapping).unwrap();
    }
}

/// All threads map the short way in one area: nothing is counted, which the high-water mark shows,
/// so that nothing keeps them from it.
fn check_short_way(policy: Policy, slots: u32) {
    let (mem, dma) = machine(policy, slots, 1, UNCOUNTED);
    let dev = Device::new("d");
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (mem, dma, dev) = (&mem, &dma, &dev);
            scope.spawn(move || send(mem, dma, dev, thread));
        }
    });
    dma.swiotlb().run_pending_work(&mut &mem);
    let stats = dma.swiotlb().stats(AllocatorId::DEFAULT).unwrap();
    assert_eq!((stats.used_slots, stats.used_hiwater), (0, 0));
    for pool in dma.swiotlb().pools(AllocatorId::DEFAULT) {
        assert_eq!(dma.swiotlb().check_invariants(pool), Ok(()));
        assert!(dma.swiotlb().snapshot(pool).unwrap().occupancy.not_any());
    }
}

#[test]
fn threads_keep_to_their_buffers_the_short_way_in_one_area() {
    check_short_way(Policy::Static, 4096);
}

#[test]
fn threads_keep_to_their_buffers_the_short_way_where_pools_may_come() {
    check_short_way(Policy::DynamicPools, 4096);
}

#[test]
fn the_layer_and_its_devices_can_be_shared() {
    fn check_shared<T: Send + Sync>(_: &T) {}
    let (_, dma) = machine(Policy::Static, 512, 1, COUNTED);
    check_shared(&dma);
    check_shared(dma.swiotlb());
    check_shared(&Device::new("d"));
}
