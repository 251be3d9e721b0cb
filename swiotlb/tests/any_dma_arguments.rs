//! Any argument whatever of lists, coherent memory and pools gives an answer or an error, never a
//! panic; and what was given and freed is whole again.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

use proptest::prelude::*;
use support::{HIGH, LOW, Machine, POOL, Pages};
use swiotlb::{
    AddressMarker, AllocRequest, Attrs, CcPlatform, CpuAddr, CpuId, DataDirection, Device, DmaAddr,
    DmaConfig, DmaPool, Gfp, KmallocBounce, MapRequest, Mode, NonCoherentMemory, PageSize, Peer,
    PhysAddr, Platform, Sg, SgRequest, SgTable, Zone,
};

const PAGES: u64 = 0x40_0000;

fn any_number() -> impl Strategy<Value = u64> {
    let edges = vec![
        0,
        1,
        4096,
        LOW,
        PAGES,
        POOL,
        HIGH,
        1 << 32,
        1 << 63,
        u64::MAX,
    ];
    let near = (prop::sample::select(edges), -70_000..70_000_i64);
    let near = near.prop_map(|(edge, distance)| edge.wrapping_add_signed(distance));
    prop_oneof![3 => near, 1 => any::<u64>(), 2 => 0..20_000_u64]
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
    let each = vec![
        Attrs::NONE,
        Attrs::SKIP_CPU_SYNC,
        Attrs::MMIO,
        Attrs::REQUIRE_COHERENT,
        Attrs::CC_SHARED,
        Attrs::ALLOC_CC_SHARED,
        Attrs::NO_WARN,
        Attrs::NO_KERNEL_MAPPING,
        Attrs::ALLOC_SINGLE_PAGES,
    ];
    (
        prop::sample::select(each.clone()),
        prop::sample::select(each),
    )
        .prop_map(|(a, b)| a | b)
}

fn any_gfp() -> impl Strategy<Value = Gfp> {
    prop::sample::select(vec![
        Gfp::KERNEL,
        Gfp::KERNEL,
        Gfp::ATOMIC,
        Gfp::ATOMIC.with_no_warn(),
        Gfp::KERNEL.with_compound(),
        Gfp::KERNEL.with_zone(Zone::Dma),
    ])
}

fn any_platform() -> impl Strategy<Value = Platform> {
    let ccs = vec![
        CcPlatform::None,
        CcPlatform::None,
        CcPlatform::Guest(AddressMarker::Unencrypted(47)),
        CcPlatform::Guest(AddressMarker::Encrypted(63)),
        CcPlatform::Host { encryption_bit: 47 },
    ];
    let sizes = vec![PageSize::Size4KiB, PageSize::Size16KiB, PageSize::Size64KiB];
    let (ccs, sizes) = (prop::sample::select(ccs), prop::sample::select(sizes));
    (ccs, sizes, any::<bool>(), any::<u32>()).prop_map(|(cc, page_size, has_zone, align)| {
        Platform {
            cc,
            page_size,
            zone_dma_limit: has_zone.then_some(0xff_ffff),
            kmalloc: (align % 3 == 0).then_some(KmallocBounce {
                min_align: 1 << (align % 32),
                cache_alignment: 1 << (align / 2 % 32),
            }),
            ..Platform::default()
        }
    })
}

fn any_config() -> impl Strategy<Value = DmaConfig> {
    let kinds = vec![
        NonCoherentMemory::Unsupported,
        NonCoherentMemory::GlobalRegion,
        NonCoherentMemory::UncachedAlias,
        NonCoherentMemory::Remap,
    ];
    let flags = (any::<bool>(), any::<bool>());
    (prop::sample::select(kinds), flags, any_number()).prop_map(|(kind, flags, bytes)| {
        DmaConfig::PC
            .with_non_coherent_memory(kind)
            .with_debug_layer(flags.0)
            .with_pool_debug(flags.1)
            .with_coherent_pool_bytes(bytes)
    })
}

fn device(numbers: [u64; 3]) -> Device {
    let dev = Device::new("d")
        .with_masks(numbers[0])
        .with_bus_limit(if numbers[1].is_multiple_of(2) {
            0
        } else {
            numbers[1]
        })
        .with_coherency(numbers[2].is_multiple_of(2));
    match numbers[2] % 7 {
        0 => dev.without_parms(),
        1 => dev.without_dma_mask(),
        _ => dev,
    }
}

#[derive(Debug, Clone, Copy)]
struct Step {
    call: u8,
    numbers: [u64; 3],
    dir: DataDirection,
    attrs: Attrs,
    gfp: Gfp,
}

fn any_step() -> impl Strategy<Value = Step> {
    let numbers = [any_number(), any_number(), any_number()];
    (0..14_u8, numbers, any_dir(), any_attrs(), any_gfp()).prop_map(
        |(call, numbers, dir, attrs, gfp)| Step {
            call,
            numbers,
            dir,
            attrs,
            gfp,
        },
    )
}

fn list(numbers: [u64; 3]) -> Vec<Sg> {
    let length = |number: u64| u32::try_from(number & 0xffff_ffff).unwrap();
    let peer = match numbers[2] % 5 {
        0 => Peer::BusAddress { offset: numbers[1] },
        1 => Peer::Unreachable,
        _ => Peer::None,
    };
    let entry = |addr: u64, number: u64| Sg::new(PhysAddr::new(addr), length(number));
    let entries = [
        entry(HIGH, numbers[0] % 5000),
        entry(numbers[0], numbers[1]),
        entry(numbers[1], numbers[2]).in_peer(peer),
    ];
    entries[..usize::try_from(numbers[2] % 4).unwrap()].to_vec()
}

fn take(machine: &mut Machine, pages: &mut Pages, dev: &mut Device, step: Step) {
    let Step {
        call,
        numbers,
        dir,
        attrs,
        gfp,
    } = step;
    let [first, second, third] = numbers;
    let (phys, addr) = (PhysAddr::new(first), DmaAddr::new(first));
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let low = |number: u64| u32::try_from(number & 0xffff_ffff).unwrap();
    let request = AllocRequest::new(second)
        .with_gfp(gfp)
        .with_attrs(attrs)
        .on_cpu(CpuId(low(third)));
    match call {
        0 => {
            let mut sgl = list(numbers);
            let request = SgRequest::new(dir).with_attrs(attrs);
            if dma.map_sg(mem, dev, &mut sgl, &request) > 0 {
                let _ = dma.sync_sg_for_cpu(mem, dev, &sgl, dir);
                let _ = dma.sync_sg_for_device(mem, dev, &sgl, dir);
                let _ = dma.unmap_sg(mem, dev, &mut sgl, dir, attrs);
            }
        }
        1 => {
            let mut table = SgTable::new(list(numbers));
            let _ = dma.unmap_sgtable(mem, dev, &mut table, dir, attrs);
            let _ = dma.sync_sgtable_for_cpu(mem, dev, &table, dir);
            let _ = dma.map_sgtable(mem, dev, &mut table, &SgRequest::new(dir));
        }
        2 => {
            if let Ok(memory) = dma.alloc_attrs(mem, pages, dev, &request) {
                let _ = dma.mmap_attrs(&memory, first, third);
                let _ = dma.get_sgtable(&memory, first);
                let _ = dma.free_coherent(pages, dev, memory);
            }
        }
        3 => {
            let cpu = CpuAddr::Linear(phys);
            let _ = dma.free_attrs(pages, dev, second, Some(cpu), DmaAddr::new(third), attrs);
        }
        4 => {
            if let Ok(block) = dma.alloc_pages(mem, pages, dev, dir, &request) {
                let _ = dma.mmap_pages(&block, first, third);
                let _ = dma.free_pages(pages, dev, block);
            }
        }
        5 => {
            if let Ok(frame) = dma.alloc_noncontiguous(mem, pages, dev, dir, &request) {
                let _ = dma.mmap_noncontiguous(&frame, first, third);
                let _ = dma.free_noncontiguous(pages, dev, frame);
            }
        }
        6 => {
            let _ = dma.declare_coherent_memory(dev, phys, DmaAddr::new(second), third);
            let _ = dma.declare_global_region(phys, third);
        }
        7 => {
            if let Ok(area) = dma.add_cma_area(phys, third) {
                dma.set_default_cma(area);
                dma.set_device_cma(dev, area);
            }
        }
        8 => {
            let _ = dma.init_atomic_pools(pages);
            dma.run_atomic_pool_work(pages);
        }
        9 => {
            let Ok(pool) = DmaPool::create(dma, dev, "p", first, second, third) else {
                return;
            };
            if let Ok(block) = pool.zalloc(dma, mem, pages, dev, gfp) {
                let _ = pool.free_at(dma, mem, dev, CpuAddr::Linear(phys), addr);
                let _ = pool.free(dma, mem, dev, block);
            }
            let _ = pool.alloc(dma, mem, pages, dev, gfp);
            let _ = dma.pools_text(dev);
            let _ = pool.destroy(dma, mem, pages, dev);
        }
        10 => {
            let _ = dma.dmam_alloc_attrs(mem, pages, dev, &request);
            let _ = dma.dmam_free_coherent(pages, dev, second, CpuAddr::Linear(phys), addr);
            dma.detach_driver(mem, pages, dev);
        }
        11 => {
            let request = MapRequest::new(phys, second, dir).with_attrs(attrs);
            let _ = dma.map_page(mem, dev, third, &request);
            let _ = dma.map_pointer(mem, dev, CpuAddr::Uncached(phys), &request);
            let _ = dma.unmap_page(mem, dev, addr, second, dir, attrs);
            let _ = dma.unmap_resource(mem, dev, addr, second, dir, attrs);
        }
        12 => {
            let _ = dma.coerce_mask_and_coherent(dev, first);
            let _ = dma.set_min_align_mask(dev, low(second));
            let _ = dma.set_seg_boundary(dev, second);
            let _ = dma.set_max_seg_size(dev, low(third));
        }
        _ => {
            let window = swiotlb::DmaRange {
                cpu_start: phys,
                dma_start: DmaAddr::new(second),
                bytes: third,
            };
            let _ = dma.set_offset(dev, phys, DmaAddr::new(second), third);
            let _ = dma.set_range_map(dev, &[window]);
            let _ = dma.declare_shared_dma_pool(dev, phys, third);
            let _ = (dma.opt_mapping_size(dev), dma.cache_alignment());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn calls_never_panic(
        platform in any_platform(),
        config in any_config(),
        is_strict in any::<bool>(),
        devices in prop::collection::vec([any_number(), any_number(), any_number()], 3),
        steps in prop::collection::vec((0..3_usize, any_step()), 1..40),
    ) {
        let mode = if is_strict { Mode::Strict } else { Mode::Kernel };
        let mut machine = Machine::configured(platform, mode, config);
        machine.dma.swiotlb_mut().set_tracing(true);
        let mut pages = Pages::new(PAGES, 0x40_0000);
        let mut devices: Vec<Device> = devices.into_iter().map(device).collect();
        for (index, step) in steps {
            take(&mut machine, &mut pages, &mut devices[index], step);
        }
        for event in machine.dma.swiotlb_mut().drain_events() {
            prop_assert!(!event.to_string().is_empty());
        }
    }

    #[test]
    fn what_a_private_region_gave_never_overlaps_and_comes_back(
        requests in prop::collection::vec((1..40_000_u64, any::<bool>()), 1..60),
    ) {
        let mut machine = Machine::new();
        let mut pages = Pages::new(0, 0);
        let dev = Device::new("d");
        let (base, addr) = (PhysAddr::new(HIGH), DmaAddr::new(0));
        machine.dma.declare_coherent_memory(&dev, base, addr, 0x4_0000).unwrap();
        let mut live: Vec<swiotlb::Coherent> = Vec::new();
        for (bytes, frees) in requests {
            let (mem, dma) = (&mut machine.mem, &mut machine.dma);
            if let Ok(memory) = dma.alloc_coherent(mem, &mut pages, &dev, bytes, Gfp::KERNEL) {
                let start = memory.dma_addr().raw();
                for other in &live {
                    let begin = other.dma_addr().raw();
                    prop_assert!(start + bytes <= begin || begin + other.bytes() <= start);
                }
                prop_assert!(start + bytes <= 0x4_0000);
                live.push(memory);
            }
            if frees && !live.is_empty() {
                let memory = live.remove(live.len() / 2);
                prop_assert!(dma.free_coherent(&mut pages, &dev, memory).is_ok());
            }
        }
        let (mem, dma) = (&mut machine.mem, &mut machine.dma);
        for memory in live {
            prop_assert!(dma.free_coherent(&mut pages, &dev, memory).is_ok());
        }
        let whole = dma.alloc_coherent(mem, &mut pages, &dev, 0x4_0000, Gfp::KERNEL);
        prop_assert!(whole.is_ok());
    }
}
