//! Any argument whatever gives an answer or an error, never a panic.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod setup;
#[path = "../support/mod.rs"]
mod support;

use proptest::prelude::*;
use support::{HIGH, Machine, POOL};
use swiotlb::{
    AddressMarker, AllocatorId, Attrs, BootConfig, BounceRequest, CcPlatform, CpuId, DataDirection,
    Device, DmaAddr, DmaRange, MapRequest, Mode, PhysAddr, Platform, PoolGeometry, RamRange,
    RegionSource, Swiotlb, Zone,
};

/// Numbers around the places where something changes, and any other.
fn any_number() -> impl Strategy<Value = u64> {
    let edges = vec![
        0,
        1,
        2047,
        2048,
        4096,
        POOL,
        POOL + 0x10_0000,
        HIGH,
        u64::from(u32::MAX),
        1 << 63,
        u64::MAX,
    ];
    let near = (prop::sample::select(edges), 0..5000_u64, any::<bool>());
    let near = near.prop_map(|(edge, distance, is_above)| {
        if is_above {
            edge.wrapping_add(distance)
        } else {
            edge.wrapping_sub(distance)
        }
    });
    prop_oneof![3 => near, 1 => any::<u64>(), 1 => 0..100_000_u64]
}

fn any_dir() -> impl Strategy<Value = DataDirection> {
    prop::sample::select(vec![
        DataDirection::ToDevice,
        DataDirection::FromDevice,
        DataDirection::Bidirectional,
        DataDirection::None,
    ])
}

fn any_attrs() -> impl Strategy<Value = Attrs> {
    prop::sample::select(vec![
        Attrs::NONE,
        Attrs::NONE,
        Attrs::SKIP_CPU_SYNC,
        Attrs::MMIO,
        Attrs::REQUIRE_COHERENT,
        Attrs::CC_SHARED,
        Attrs::ALLOC_CC_SHARED,
        Attrs::NO_WARN,
    ])
}

fn any_platform() -> impl Strategy<Value = Platform> {
    let platforms = vec![
        CcPlatform::None,
        CcPlatform::Guest(AddressMarker::None),
        CcPlatform::Guest(AddressMarker::Encrypted(51)),
        CcPlatform::Guest(AddressMarker::Unencrypted(63)),
        CcPlatform::Host { encryption_bit: 47 },
        CcPlatform::Host { encryption_bit: 63 },
        CcPlatform::Host { encryption_bit: 0 },
    ];
    prop::sample::select(platforms).prop_map(|cc| Platform {
        cc,
        ..Platform::default()
    })
}

fn any_device() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(any_number(), 8)
}

fn device(numbers: &[u64]) -> Device {
    let ranges = if numbers[7].is_multiple_of(3) {
        vec![DmaRange {
            cpu_start: PhysAddr::new(numbers[4]),
            dma_start: DmaAddr::new(numbers[5]),
            bytes: numbers[6],
        }]
    } else {
        Vec::new()
    };
    let low = |number: u64| u32::try_from(number & 0xffff_ffff).unwrap();
    Device::new("d")
        .with_masks(numbers[0])
        .with_bus_limit(numbers[1])
        .with_min_align_mask(low(numbers[2]))
        .with_seg_boundary(numbers[3])
        .with_ranges(ranges)
        .with_coherency(numbers[7].is_multiple_of(2))
}

type Step = (u8, [u64; 3], u32, DataDirection, Attrs);

fn any_step() -> impl Strategy<Value = Step> {
    let numbers = [any_number(), any_number(), any_number()];
    (0..9_u8, numbers, any::<u32>(), any_dir(), any_attrs())
}

fn take(machine: &mut Machine, dev: &Device, step: Step) {
    let (call, [addr, bytes, offset], number, dir, attrs) = step;
    let (phys, dma_addr) = (PhysAddr::new(addr), DmaAddr::new(addr));
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let cpu = CpuId(number);
    match call {
        0 => {
            let request = MapRequest::new(phys, bytes, dir)
                .with_attrs(attrs)
                .on_cpu(cpu);
            let _ = dma.map_phys(mem, dev, &request);
        }
        1 => {
            let request = BounceRequest {
                orig: phys,
                bytes: bytes % 300_000,
                alloc_align_mask: number,
                dir,
                attrs,
                cpu,
            };
            let _ = dma.swiotlb_mut().tbl_map_single(mem, dev, &request);
        }
        2 => {
            let _ = dma.unmap_phys(mem, dev, dma_addr, bytes, dir, attrs);
        }
        3 => {
            let _ = dma.sync_single_range_for_cpu(mem, dev, dma_addr, offset, bytes, dir);
        }
        4 => {
            let _ = dma.sync_single_range_for_device(mem, dev, dma_addr, offset, bytes, dir);
        }
        5 => {
            let _ = dma.swiotlb_mut().alloc(dev, bytes, attrs, cpu);
        }
        6 => {
            dma.swiotlb_mut().free(dev, phys);
        }
        7 => {
            let _ = dma.required_mask(dev);
            let _ = dma.max_mapping_size(dev);
            let _ = dma.needs_sync(dev, dma_addr);
        }
        _ => {
            let request = MapRequest::new(PhysAddr::new(HIGH + addr % 0x1000), bytes % 9000, dir);
            let _ = dma.map_phys(mem, dev, &request.on_cpu(cpu));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn calls_never_panic(
        platform in any_platform(),
        is_strict in any::<bool>(),
        devices in prop::collection::vec(any_device(), 3),
        steps in prop::collection::vec((0..3_usize, any_step()), 1..60),
    ) {
        let mode = if is_strict { Mode::Strict } else { Mode::Kernel };
        let mut machine = Machine::with(platform, "", mode);
        let mut pages = RegionSource::new(PhysAddr::new(0), 0);
        machine.dma.swiotlb_mut().update_mem_attributes(&mut pages);
        let devices: Vec<Device> = devices.iter().map(|numbers| device(numbers)).collect();
        for (index, step) in steps {
            take(&mut machine, &devices[index], step);
        }
        if is_strict {
            let pool = machine.dma.swiotlb().pools(AllocatorId::DEFAULT).next();
            prop_assert!(machine.dma.swiotlb().snapshot(pool.unwrap()).is_some());
        }
    }

    #[test]
    fn parameters_and_starts_never_panic(
        parameter in "[0-9a-fx,]{0,24}(force|noforce|track_hiwater)?.{0,4}",
        adjust in any_number(),
        late in any_number(),
        cpus in any::<u32>(),
        place in (any_number(), any::<u32>(), any::<u32>()),
    ) {
        let mut boot = BootConfig::default();
        boot.parse(&parameter);
        boot.adjust_size(adjust);
        let platform = Platform {
            possible_cpus: cpus,
            ram: vec![RamRange { start: PhysAddr::new(late), bytes: adjust }],
            ..Platform::default()
        };
        // Pools that are really made have at most 64 MiB.
        let mut pages = RegionSource::new(PhysAddr::new(POOL), 0x400_0000);
        let mut mem = swiotlb::SparseMemory::new(&[RamRange {
            start: PhysAddr::new(POOL),
            bytes: 0x400_0000,
        }])
        .unwrap();
        let mut swiotlb = Swiotlb::new(platform.clone(), boot.clone(), Mode::Kernel);
        let _ = swiotlb.init_late(&mut mem, &mut pages, late, Zone::Dma32, None);
        swiotlb.exit(&mut pages);
        let geometry = PoolGeometry { base: PhysAddr::new(place.0), slots: place.1, areas: place.2 };
        let _ = Swiotlb::with_pool(&mut mem, platform, boot, Mode::Kernel, geometry);
    }
}
