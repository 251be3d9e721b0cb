//! Starts, policies, times and questions: any of them, in any order.

use std::time::Duration;

use proptest::prelude::*;
use swiotlb::{
    AllocatorId, Attrs, BootConfig, BootOptions, BounceRequest, CpuId, DataDirection, Device, Dma,
    EarlyInit, InitError, KmallocBounce, MapRequest, Mode, PageRequest, PageSize, PageSource,
    PhysAddr, Platform, Policy, PoolGeometry, RamRange, RegionSource, RestrictedRegion,
    ShrinkPressure, ShrinkerConfig, SparseMemory, Swiotlb, Zone,
};

use crate::support::{HIGH, Machine, POOL};
use crate::{any_device, any_number, any_platform, any_step, device, take};

/// A source that gives any address whatever, refuses to share, and forgets what comes back.
#[derive(Debug, Clone, Copy)]
struct Liar {
    base: u64,
    code: i32,
}

impl PageSource for Liar {
    fn alloc(&mut self, _request: &PageRequest) -> Option<PhysAddr> {
        Some(PhysAddr::new(self.base))
    }

    fn free(&mut self, _base: PhysAddr, _bytes: u64) {}

    fn make_shared(&mut self, _base: PhysAddr, _bytes: u64) -> Result<(), i32> {
        if self.code == 0 {
            Ok(())
        } else {
            Err(self.code)
        }
    }

    fn make_private(&mut self, base: PhysAddr, bytes: u64) -> Result<(), i32> {
        self.make_shared(base, bytes)
    }
}

/// A power of two, or hardly ever something else, which every start refuses.
fn any_alignment() -> impl Strategy<Value = u32> {
    prop_oneof![20 => (0..32_u32).prop_map(|order| 1 << order), 1 => any::<u32>()]
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let times = (any_number(), any_number(), any_number());
    let shrinker = (times, any_number(), any::<u32>(), any::<u32>());
    let shrinker = shrinker.prop_map(|(times, min_free_slots, reserve_percent, batch)| {
        Policy::Shrinker(ShrinkerConfig {
            idle_time: Duration::from_nanos(times.0),
            window: Duration::from_nanos(times.1),
            cooldown: Duration::from_secs(times.2),
            min_free_slots,
            reserve_percent,
            batch,
        })
    });
    prop_oneof![
        1 => Just(Policy::Static),
        1 => Just(Policy::PerBuffer),
        1 => Just(Policy::DynamicPools),
        2 => shrinker,
    ]
}

fn any_options() -> impl Strategy<Value = BootOptions> {
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    let orders = prop_oneof![0..12_u32, Just(63), Just(64), any::<u32>()];
    let sizes = prop_oneof![0..65_u32, any::<u32>()];
    (any_policy(), flags, orders, sizes).prop_map(|(policy, flags, max_page_order, default_mib)| {
        BootOptions {
            default_mib,
            has_statistics: flags.0,
            policy,
            max_page_order,
            has_zone_dma32: flags.1,
            has_atomic_pool: flags.2,
            has_restricted_pools: max_page_order != 11,
        }
    })
}

/// A call of the layer itself: start, growth, shrinking, restricted pools, questions.
fn take_setup(
    (mem, dma): (&mut SparseMemory, &mut Dma),
    (dev, source): (&mut Device, &mut dyn PageSource),
    (call, [a, b, c], number): (u8, [u64; 3], u32),
) {
    let zones = [Zone::Normal, Zone::Dma32, Zone::Dma];
    let zone = zones[number as usize % 3];
    let swiotlb = dma.swiotlb_mut();
    match call {
        0 => {
            let how = EarlyInit {
                has_addressing_limit: true,
                is_anywhere: a.is_multiple_of(2),
                is_verbose: true,
                remap: None,
            };
            let _ = swiotlb.init_early(mem, source, how);
        }
        1 => {
            let mut remap = |_: PhysAddr, bytes: u64| if bytes > b { Err(-5) } else { Ok(()) };
            let remap = c
                .is_multiple_of(3)
                .then_some(&mut remap as swiotlb::Remap<'_>);
            let _ = swiotlb.init_late(mem, source, a, zone, remap);
        }
        2 => {
            swiotlb.update_mem_attributes(source);
        }
        3 => {
            swiotlb.exit(source);
        }
        4 => {
            swiotlb.set_time(Duration::new(a, number % 1_000_000_000));
            let is_high = b.is_multiple_of(2);
            let pressure = [ShrinkPressure::Normal, ShrinkPressure::High][usize::from(is_high)];
            let _ = (swiotlb.shrinker_count(), swiotlb.shrinker_scan(c, pressure));
        }
        5 => {
            swiotlb.run_pending_work(mem);
            let _ = (swiotlb.has_pending_work(), swiotlb.free_dropped_pools());
            let _ = swiotlb.grow_if_asked(mem);
        }
        6 => {
            let region = RestrictedRegion {
                name: String::new(),
                base: PhysAddr::new(a),
                bytes: b,
            };
            if let Ok(id) = swiotlb.add_restricted(region) {
                let _ = swiotlb.attach_restricted(mem, source, dev, id);
                let _ = swiotlb.restricted_region(id);
            }
        }
        7 => {
            let _ = swiotlb.attach_restricted(mem, source, dev, AllocatorId::DEFAULT);
            swiotlb.detach_restricted(dev);
        }
        8 => {
            let _ = dma.set_mask(dev, a);
            let _ = dma.set_coherent_mask(dev, b);
            let _ = dma.coerce_mask_and_coherent(dev, c);
        }
        9 => {
            let _ = dma.is_reachable(dev, PhysAddr::new(a), b, Attrs::NONE);
            let _ = (dma.is_addressing_limited(dev), dma.required_mask(dev));
            let request = MapRequest::new(PhysAddr::new(a), b, DataDirection::ToDevice);
            let _ = dma.map_resource(mem, dev, &request);
        }
        _ => ask(swiotlb, dev, a),
    }
}

fn ask(swiotlb: &Swiotlb, dev: &Device, number: u64) {
    let addr = PhysAddr::new(number);
    let _ = (swiotlb.find_pool(dev, addr), swiotlb.pool_at(dev, addr));
    let _ = (
        swiotlb.default_base(),
        swiotlb.default_limit(),
        swiotlb.growth_limit(),
    );
    let _ = swiotlb.reset_hiwater(dev.allocator(), number);
    let _ = (swiotlb.debug_files(), swiotlb.drain_events());
    swiotlb.print_info();
    for pool in swiotlb.pools(dev.allocator()) {
        let _ = (swiotlb.areas(pool), swiotlb.pool_geometry(pool));
        // Nothing here is released that was not mapped.
        assert_eq!(swiotlb.check_invariants(pool), Ok(()));
    }
    if let Some(stats) = swiotlb.stats(dev.allocator()) {
        let _ = stats.debug_files();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 800, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn starts_and_policies_never_panic(
        options in any_options(),
        parameter in "[0-9]{0,8}(,[0-9]{0,4})?(,force|,dynamic|,track_hiwater)?",
        platform in any_platform(),
        kmalloc in prop::option::of((any_alignment(), any_alignment())),
        (limit, cpus, page) in (prop::option::of(any_number()), any::<u32>(), 0..3_usize),
        numbers in any_device(),
        source in prop_oneof![
            Just(None),
            (any_number(), -30..1_i32).prop_map(|(base, code)| Some(Liar { base, code })),
        ],
        setups in prop::collection::vec(
            (0..12_u8, [any_number(), any_number(), any_number()], any::<u32>()),
            1..30,
        ),
        steps in prop::collection::vec(any_step(), 30),
    ) {
        const BYTES: u64 = 0x200_0000;
        let range = |start: u64, bytes: u64| RamRange { start: PhysAddr::new(start), bytes };
        let mut mem = SparseMemory::new(&[range(POOL, BYTES), range(HIGH, 0x10_0000)]).unwrap();
        let mut boot = BootConfig::new(options);
        boot.parse(&parameter);
        let platform = Platform {
            page_size: [PageSize::Size4KiB, PageSize::Size16KiB, PageSize::Size64KiB][page],
            possible_cpus: cpus,
            ram: vec![range(numbers[0], numbers[1]), range(numbers[2], numbers[3])],
            zone_dma_limit: limit,
            kmalloc: kmalloc.map(|(min_align, cache_alignment)| KmallocBounce {
                min_align,
                cache_alignment,
            }),
            ..platform
        };
        let mut region = RegionSource::new(PhysAddr::new(POOL), BYTES / 2);
        let later = RegionSource::new(PhysAddr::new(POOL + BYTES / 2), BYTES / 2);
        let mut swiotlb = Swiotlb::new(platform, boot, Mode::Strict);
        match source {
            None => swiotlb.set_page_source(Box::new(later)),
            Some(liar) => swiotlb.set_page_source(Box::new(liar)),
        }
        let mut machine = Machine { mem, dma: Dma::new(swiotlb) };
        let mut dev = device(&numbers);
        for (setup, step) in setups.into_iter().zip(steps) {
            let parts = (&mut machine.mem, &mut machine.dma);
            match source {
                Some(mut liar) if setup.2.is_multiple_of(2) => {
                    take_setup(parts, (&mut dev, &mut liar), setup);
                }
                _ => take_setup(parts, (&mut dev, &mut region), setup),
            }
            take(&mut machine, &dev, step);
        }
        mem = machine.mem;
        prop_assert!(swiotlb::PhysMemory::zero(&mut mem, PhysAddr::new(POOL), BYTES).is_ok());
    }

    #[test]
    fn plain_functions_never_panic(
        [a, b] in [any_number(), any_number()],
        (bits, kmalloc) in (any::<u32>(), (any::<u32>(), any::<u32>())),
        numbers in any_device(),
        platform in any_platform(),
    ) {
        let rule = KmallocBounce { min_align: kmalloc.0, cache_alignment: kmalloc.1 };
        let _ = (rule.is_size_safe(a), swiotlb::bit_mask(bits), swiotlb::min_not_zero(a, b));
        let _ = (swiotlb::coco_default_size(a, b), swiotlb::small_buffer_size(a, b));
        let dev = device(&numbers).with_max_segment(bits);
        let cc = platform.cc;
        for is_shared in [false, true] {
            let dma = dev.phys_to_dma(PhysAddr::new(a), cc, is_shared);
            let _ = (dev.dma_to_phys(dma, cc), dev.is_capable(dma, b, Attrs::NONE, cc));
        }
        let geometry = PoolGeometry { base: PhysAddr::new(a), slots: bits, areas: bits };
        prop_assert_eq!(geometry.bytes(), u64::from(bits) * 2048);
        let mut pages = RegionSource::new(PhysAddr::new(a), b);
        pages.free(PhysAddr::new(b), a);
    }
}

/// A layer of one slot set that is full after one map, and asks to grow at the next.
fn grow_with(options: BootOptions, since_boot: Duration) -> Swiotlb {
    let mut machine = Machine::new();
    let mem = &mut machine.mem;
    let geometry = PoolGeometry {
        base: PhysAddr::new(POOL),
        slots: 128,
        areas: 1,
    };
    let (boot, platform) = (BootConfig::new(options), Platform::default());
    let mut swiotlb = Swiotlb::with_pool(mem, platform, boot, Mode::Strict, geometry).unwrap();
    let pages = RegionSource::new(PhysAddr::new(POOL + 0x10_0000), 0x80_0000);
    swiotlb.set_page_source(Box::new(pages));
    swiotlb.set_time(since_boot);
    let dev = Device::new("d");
    let request = BounceRequest {
        orig: PhysAddr::new(HIGH),
        bytes: 256 << 10,
        alloc_align_mask: 0,
        dir: DataDirection::ToDevice,
        attrs: Attrs::NONE,
        cpu: CpuId(0),
    };
    for _ in 0..2 {
        let bounce = swiotlb.tbl_map_single(mem, &dev, &request).unwrap();
        assert_eq!(swiotlb.find_pool(&dev, bounce.tlb_addr), Some(bounce.pool));
    }
    assert!(swiotlb.has_pending_work());
    swiotlb.run_pending_work(mem);
    swiotlb
}

#[test]
fn any_largest_block_of_the_page_allocator_lets_the_layer_grow() {
    for max_page_order in [6, 10, 51, 52, 62, 63, 64, 1000, u32::MAX] {
        let swiotlb = grow_with(
            BootOptions {
                policy: Policy::DynamicPools,
                max_page_order,
                ..BootOptions::default()
            },
            Duration::ZERO,
        );
        let stats = swiotlb.stats(AllocatorId::DEFAULT).unwrap();
        assert_eq!(stats.total_slots, 256, "order {max_page_order}");
    }
}

#[test]
fn any_time_and_window_lets_the_shrinker_look() {
    let extremes = [Duration::ZERO, Duration::from_nanos(1), Duration::MAX];
    for (window, since_boot) in extremes
        .into_iter()
        .flat_map(|window| extremes.map(|time| (window, time)))
    {
        let config = ShrinkerConfig {
            idle_time: window,
            window,
            cooldown: window,
            min_free_slots: 1,
            reserve_percent: u32::MAX,
            batch: u32::MAX,
        };
        let swiotlb = grow_with(
            BootOptions {
                policy: Policy::Shrinker(config),
                ..BootOptions::default()
            },
            since_boot,
        );
        // The first pool is full, so one that is empty must stay as the reserve.
        assert_eq!(swiotlb.shrinker_count(), 0);
        assert_eq!(swiotlb.shrinker_scan(u64::MAX, ShrinkPressure::High), 0);
    }
}

#[test]
fn a_start_with_absurdly_many_areas_can_grow_no_further_pool() {
    let mut machine = Machine::new();
    let mem = &mut machine.mem;
    let mut boot = BootConfig::new(BootOptions {
        policy: Policy::DynamicPools,
        ..BootOptions::default()
    });
    boot.parse(",1073741824");
    let mut swiotlb = Swiotlb::new(Platform::default(), boot, Mode::Strict);
    let mut pages = RegionSource::new(PhysAddr::new(POOL), 0x10_0000);
    let how = EarlyInit {
        has_addressing_limit: true,
        ..EarlyInit::default()
    };
    swiotlb.init_early(mem, &mut pages, how).unwrap();
    let later = RegionSource::new(PhysAddr::new(0x40_0000), 0x80_0000);
    swiotlb.set_page_source(Box::new(later));
    let dev = Device::new("d");
    while !swiotlb.has_pending_work() {
        let request = BounceRequest {
            orig: PhysAddr::new(HIGH),
            bytes: 256 << 10,
            alloc_align_mask: 0,
            dir: DataDirection::ToDevice,
            attrs: Attrs::NONE,
            cpu: CpuId(0),
        };
        swiotlb.tbl_map_single(mem, &dev, &request).unwrap();
    }
    let refused = swiotlb.run_pending_work(mem).refused.unwrap();
    // The descriptors of 2^30 areas.
    let bytes = 16 << 30;
    assert!(
        matches!(refused, InitError::NoMemory { bytes: found } if found == bytes),
        "{refused}"
    );
}
