//! Coherent memory: where it comes from, in which order, and where it goes back to.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

use support::{HIGH, LOW, Machine, POOL, Pages};
use swiotlb::{
    AddressMarker, AllocRequest, Attrs, BootConfig, BootOptions, CcPlatform, CpuAddr,
    DataDirection, Device, Dma, DmaAddr, DmaConfig, DmaError, DmaMessage, DmaRange, Event, Gfp,
    MapError, MapRequest, Message, Mode, NonCoherentMemory, PhysAddr, Platform, RegionSource,
    RestrictedRegion, Swiotlb, Zone, bit_mask,
};

/// Pages that 32 bits reach.
const PAGES: u64 = 0x40_0000;
const BOTH: DataDirection = DataDirection::Bidirectional;

fn guest() -> Platform {
    Platform {
        cc: CcPlatform::Guest(AddressMarker::Unencrypted(47)),
        ..Platform::default()
    }
}

fn realm_device() -> Device {
    Device::new("d").with_masks(bit_mask(64))
}

fn pages() -> Pages {
    Pages::new(PAGES, 0x40_0000)
}

fn messages(machine: &mut Machine) -> Vec<DmaMessage> {
    let events = machine.dma.swiotlb_mut().drain_events();
    let message = |event| match event {
        Event::Message {
            message: Message::Dma(message),
            ..
        } => Some(message),
        _ => None,
    };
    events.into_iter().filter_map(message).collect()
}

fn alloc(
    machine: &mut Machine,
    pages: &mut Pages,
    dev: &Device,
    request: AllocRequest,
) -> Result<swiotlb::Coherent, DmaError> {
    machine
        .dma
        .alloc_attrs(&mut machine.mem, pages, dev, &request)
}

#[test]
fn memory_is_zeroed_aligned_to_its_order_and_goes_back_as_a_block() {
    let mut machine = Machine::new();
    let dev = Device::new("d");
    let mut pages = Pages::new(PAGES + 0x1000, 0x10_0000);
    machine.fill(PAGES, 0x8000, 0xee);
    let memory = alloc(&mut machine, &mut pages, &dev, AllocRequest::new(0x2001)).unwrap();
    assert_eq!(memory.dma_addr(), DmaAddr::new(PAGES + 0x4000));
    assert_eq!(memory.cpu(), CpuAddr::Linear(PhysAddr::new(PAGES + 0x4000)));
    assert_eq!(memory.bytes(), 0x2001);
    assert_eq!(machine.read(PAGES + 0x4000, 0x3000), [0; 0x3000]);
    assert_eq!(machine.read(PAGES + 0x3fff, 1), [0xee]);
    machine.dma.free_coherent(&mut pages, &dev, memory).unwrap();
    assert_eq!(pages.freed, [(PAGES + 0x4000, 0x4000)]);
}

#[test]
fn arguments_are_checked_before_anything_is_taken() {
    let mut machine = Machine::new();
    let mut pages = pages();
    let dev = Device::new("d");
    for request in [
        AllocRequest::new(0),
        AllocRequest::new(1).with_gfp(Gfp::KERNEL.with_compound()),
        AllocRequest::new(1).with_attrs(Attrs::CC_SHARED),
        AllocRequest::new(1).with_attrs(Attrs::ALLOC_CC_SHARED),
    ] {
        let error = alloc(&mut machine, &mut pages, &dev, request).unwrap_err();
        assert_eq!(error.errno(), -22, "{request:?}");
    }
    let error = alloc(&mut machine, &mut pages, &dev, AllocRequest::new(u64::MAX));
    assert_eq!(error.unwrap_err().errno(), -12);
    assert!(pages.asked.is_empty());
    assert_eq!(messages(&mut machine), [DmaMessage::CompoundRefused]);
    // Without a coherent mask the call goes on, and finds that nothing is in reach.
    let maskless = Device::new("d").with_masks(0);
    let error = alloc(&mut machine, &mut pages, &maskless, AllocRequest::new(1));
    assert_eq!(error.unwrap_err().errno(), -12);
    assert_eq!(messages(&mut machine), [DmaMessage::NoCoherentMask]);
}

#[test]
fn memory_out_of_reach_is_given_back_and_the_next_lower_zone_is_asked() {
    let mut machine = Machine::new();
    let region = |base, bytes| RegionSource::new(PhysAddr::new(base), bytes);
    let mut pages = Pages::zoned(vec![
        (Some(Zone::Normal), region(HIGH, 0x10_0000)),
        (Some(Zone::Dma32), region(0x180_0000, 0x10_0000)),
        (Some(Zone::Dma), region(PAGES, 0x10_0000)),
    ]);
    // 28 bits: the 32-bit zone is the best, and it happens to be in reach.
    let dev = Device::new("d").with_masks(bit_mask(28));
    let memory = alloc(&mut machine, &mut pages, &dev, AllocRequest::new(1)).unwrap();
    assert_eq!(memory.dma_addr(), DmaAddr::new(0x180_0000));
    assert_eq!(pages.asked, [(Zone::Dma32, 4096)]);
    // A bus limit of 36 bits and windows that leave out what the higher zones give.
    pages.asked.clear();
    let window = DmaRange {
        cpu_start: PhysAddr::new(0),
        dma_start: DmaAddr::new(0),
        bytes: 0x100_0000,
    };
    let dev = Device::new("d")
        .with_masks(bit_mask(36))
        .with_ranges(vec![window]);
    let memory = alloc(&mut machine, &mut pages, &dev, AllocRequest::new(1)).unwrap();
    assert_eq!(memory.dma_addr(), DmaAddr::new(PAGES));
    let zones: Vec<Zone> = pages.asked.iter().map(|asked| asked.0).collect();
    assert_eq!(zones, [Zone::Normal, Zone::Dma32, Zone::Dma]);
    assert_eq!(pages.freed, [(HIGH, 4096), (0x180_1000, 4096)]);
    // An empty zone ends the search.
    pages.asked.clear();
    pages.regions[0].1 = region(0, 0);
    let error = alloc(&mut machine, &mut pages, &dev, AllocRequest::new(1)).unwrap_err();
    assert_eq!((error.errno(), pages.asked.len()), (-12, 1));
}

#[test]
fn a_cookie_names_pages_that_are_neither_seen_nor_zeroed() {
    let mut machine = Machine::new();
    let mut pages = pages();
    let dev = Device::new("d").with_coherency(false);
    machine.fill(PAGES, 16, 0xee);
    let request = AllocRequest::new(100).with_attrs(Attrs::NO_KERNEL_MAPPING);
    let memory = alloc(&mut machine, &mut pages, &dev, request).unwrap();
    let cookie = memory.cpu();
    assert_eq!(cookie, CpuAddr::Cookie(PhysAddr::new(PAGES)));
    assert_eq!(cookie.accessible(), None);
    assert_eq!(machine.read(PAGES, 16), [0xee; 16]);
    let map = MapRequest::new(PhysAddr::new(0), 16, BOTH);
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let mapped = dma.map_pointer(mem, &dev, cookie, &map);
    let phys = PhysAddr::new(PAGES);
    assert_eq!(mapped, Err(MapError::NoCpuAddress { phys }));
    dma.free_coherent(&mut pages, &dev, memory).unwrap();
    assert_eq!(pages.freed, [(PAGES, 4096)]);
}

#[test]
fn the_platform_decides_what_a_device_that_does_not_snoop_gets() {
    let dev = Device::new("d").with_coherency(false);
    let get = |kind| {
        let config = DmaConfig::PC.with_non_coherent_memory(kind);
        let mut machine = Machine::configured(Platform::default(), Mode::Kernel, config);
        let region = PhysAddr::new(LOW);
        machine.dma.declare_global_region(region, 0x4000).unwrap();
        let result = alloc(&mut machine, &mut pages(), &dev, AllocRequest::new(1));
        (result.map(|memory| memory.cpu()), messages(&mut machine))
    };
    let (result, seen) = get(NonCoherentMemory::Unsupported);
    assert_eq!(result.unwrap_err().errno(), -95);
    assert_eq!(seen, [DmaMessage::NonCoherentUnsupported]);
    let at = PhysAddr::new;
    let (result, _) = get(NonCoherentMemory::GlobalRegion);
    assert_eq!(result, Ok(CpuAddr::Vmalloc(at(LOW))));
    let (result, _) = get(NonCoherentMemory::UncachedAlias);
    assert_eq!(result, Ok(CpuAddr::Uncached(at(PAGES))));
    let (result, _) = get(NonCoherentMemory::Remap);
    assert_eq!(result, Ok(CpuAddr::Vmalloc(at(PAGES))));
}

#[test]
fn a_pointer_into_vmalloc_memory_is_refused_and_reported_once() {
    let mut machine = Machine::new();
    let dev = Device::new("d");
    let request = MapRequest::new(PhysAddr::new(0), 16, BOTH);
    let phys = PhysAddr::new(LOW);
    for _ in 0..2 {
        let (mem, dma) = (&mut machine.mem, &mut machine.dma);
        let result = dma.map_pointer(mem, &dev, CpuAddr::Vmalloc(phys), &request);
        assert_eq!(result, Err(MapError::Vmalloc { phys }));
        let result = dma.map_pointer(mem, &dev, CpuAddr::Linear(phys), &request);
        assert_eq!(result.unwrap().dma_addr, DmaAddr::new(LOW));
    }
    assert_eq!(messages(&mut machine), [DmaMessage::RejectVmalloc { phys }]);
}

#[test]
fn a_private_region_serves_its_device_alone_and_has_no_fallback() {
    let mut machine = Machine::new();
    let mut pages = pages();
    let (dev, other) = (Device::new("one"), Device::new("other"));
    let (phys, addr) = (PhysAddr::new(HIGH), DmaAddr::new(0x1000));
    let declare = |machine: &Machine, bytes| {
        let dma = &machine.dma;
        dma.declare_coherent_memory(&dev, phys, addr, bytes)
    };
    assert_eq!(declare(&machine, 0).unwrap_err().errno(), -22);
    assert_eq!(declare(&machine, u64::MAX).unwrap_err().errno(), -22);
    assert_eq!(declare(&machine, 0x4000), Ok(()));
    assert_eq!(declare(&machine, 0x4000).unwrap_err().errno(), -16);

    machine.fill(HIGH, 0x4000, 0xee);
    let one = alloc(&mut machine, &mut pages, &dev, AllocRequest::new(1)).unwrap();
    assert_eq!(one.dma_addr(), DmaAddr::new(0x1000));
    assert_eq!(machine.read(HIGH, 1), [0]);
    // Three pages take a naturally aligned block of four, which is not free.
    let error = alloc(&mut machine, &mut pages, &dev, AllocRequest::new(0x3000));
    assert_eq!(error.unwrap_err().errno(), -12);
    let two = alloc(&mut machine, &mut pages, &dev, AllocRequest::new(0x2000)).unwrap();
    assert_eq!(two.cpu().phys(), PhysAddr::new(HIGH + 0x2000));
    assert_eq!(two.dma_addr(), DmaAddr::new(0x3000));
    let outside = alloc(&mut machine, &mut pages, &dev, AllocRequest::new(0x8000));
    assert!(outside.is_err() && pages.asked.is_empty());

    let refused = machine.dma.free_coherent(&mut pages, &other, two);
    let two = refused.unwrap_err().into_value().unwrap();
    machine.dma.free_coherent(&mut pages, &dev, two).unwrap();
    machine.dma.free_coherent(&mut pages, &dev, one).unwrap();
    let whole = alloc(&mut machine, &mut pages, &dev, AllocRequest::new(0x4000));
    let parts = whole.unwrap().into_parts();
    assert!(pages.freed.is_empty());
    assert!(alloc(&mut machine, &mut pages, &other, AllocRequest::new(1)).is_ok());

    // A release that the region did not give is refused.
    let cpu = Some(CpuAddr::Vmalloc(PhysAddr::new(HIGH + 0x2000)));
    let (dma, none) = (&mut machine.dma, Attrs::NONE);
    let wrong = dma.free_attrs(&mut pages, &dev, 0x4000, cpu, addr, none);
    assert_eq!(wrong.unwrap_err().errno(), -22);
    let nothing = dma.free_attrs(&mut pages, &dev, 0x4000, None, addr, none);
    assert_eq!(nothing, Ok(()));
    let cpu = Some(parts.cpu);
    let right = dma.free_attrs(&mut pages, &dev, 0x4000, cpu, addr, none);
    assert_eq!(right, Ok(()));
    assert_eq!(dma.release_coherent_memory(&dev), Ok(()));
    assert_eq!(dma.release_coherent_memory(&dev).unwrap_err().errno(), -19);
}

#[test]
fn a_shared_dma_pool_is_seen_where_the_windows_put_it() {
    let mut machine = Machine::new();
    let window = DmaRange {
        cpu_start: PhysAddr::new(HIGH),
        dma_start: DmaAddr::new(0x4000_0000),
        bytes: 0x1000_0000,
    };
    let dev = Device::new("d").with_ranges(vec![window]);
    let declare = |phys| {
        let phys = PhysAddr::new(phys);
        machine.dma.declare_shared_dma_pool(&dev, phys, 0x1000)
    };
    assert_eq!(declare(LOW).unwrap_err().errno(), -22);
    assert_eq!(declare(HIGH + 0x2000), Ok(()));
    let memory = alloc(&mut machine, &mut pages(), &dev, AllocRequest::new(1));
    assert_eq!(memory.unwrap().dma_addr(), DmaAddr::new(0x4000_2000));
}

#[test]
fn a_restricted_pool_serves_its_device_alone_and_has_no_fallback() {
    let mut machine = Machine::new();
    let mut pages = pages();
    let mut dev = Device::new("d");
    let swiotlb = machine.dma.swiotlb_mut();
    let region = RestrictedRegion {
        name: "r".to_owned(),
        base: PhysAddr::new(LOW),
        bytes: 0x4000,
    };
    let id = swiotlb.add_restricted(region).unwrap();
    swiotlb
        .attach_restricted(&mut machine.mem, &mut pages, &mut dev, id)
        .unwrap();
    machine.fill(LOW, 0x4000, 0xee);
    // A cookie is not given here: the flag is ignored, and the memory zeroed.
    let request = AllocRequest::new(4096).with_attrs(Attrs::NO_KERNEL_MAPPING);
    let one = alloc(&mut machine, &mut pages, &dev, request).unwrap();
    assert_eq!(one.cpu(), CpuAddr::Linear(PhysAddr::new(LOW)));
    assert_eq!(machine.read(LOW, 4097).iter().sum::<u8>(), 0xee);
    let error = alloc(&mut machine, &mut pages, &dev, AllocRequest::new(0x4000));
    assert!(matches!(error, Err(DmaError::Restricted(_))));
    machine.dma.free_coherent(&mut pages, &dev, one).unwrap();
    let all = alloc(&mut machine, &mut pages, &dev, AllocRequest::new(0x4000)).unwrap();
    assert!(pages.asked.is_empty() && pages.freed.is_empty());
    machine.dma.free_coherent(&mut pages, &dev, all).unwrap();

    // The coherent mask is asked too, and what was taken goes back.
    let narrow = dev.with_bus_limit(LOW + 0xfff);
    let error = alloc(&mut machine, &mut pages, &narrow, AllocRequest::new(0x2000));
    assert_eq!(error.unwrap_err().errno(), -12);
    let id = narrow.allocator();
    let stats = machine.dma.swiotlb().stats(id).unwrap();
    assert_eq!(stats.counted_slots, 0);
}

#[test]
fn a_contiguous_area_comes_first_for_those_who_may_sleep() {
    let mut machine = Machine::new();
    let mut pages = pages();
    let dev = Device::new("d").with_masks(bit_mask(64));
    let dma = &machine.dma;
    let area = |base| dma.add_cma_area(PhysAddr::new(base), 0x20_0000).unwrap();
    let (default, node, own) = (area(0xa0_0000), area(0xc0_0000), area(0xe0_0000));
    assert!(dma.add_cma_area(PhysAddr::new(0x10), 0x1000).is_err());
    assert!(dma.add_cma_area(PhysAddr::new(0), 0xfff).is_err());
    dma.set_default_cma(default);
    let at = |machine: &mut Machine, pages: &mut Pages, dev: &Device, bytes, gfp| {
        let request = AllocRequest::new(bytes).with_gfp(gfp);
        let memory = alloc(machine, pages, dev, request).unwrap();
        let addr = memory.dma_addr().raw();
        machine.dma.free_coherent(pages, dev, memory).unwrap();
        addr
    };
    let (kernel, atomic) = (Gfp::KERNEL, Gfp::ATOMIC);
    assert_eq!(
        at(&mut machine, &mut pages, &dev, 0x2000, kernel),
        0xa0_0000
    );
    assert_eq!(at(&mut machine, &mut pages, &dev, 0x2000, atomic), PAGES);
    assert_eq!(
        at(&mut machine, &mut pages, &dev, 0x1000, kernel),
        PAGES + 0x2000
    );
    machine.dma.set_node_cma(&dev, node);
    assert_eq!(
        at(&mut machine, &mut pages, &dev, 0x2000, kernel),
        0xc0_0000
    );
    // A device that needs a zone is not served by its node.
    let narrow = Device::new("narrow").with_masks(bit_mask(32));
    machine.dma.set_node_cma(&narrow, node);
    assert_eq!(
        at(&mut machine, &mut pages, &narrow, 0x2000, kernel),
        0xa0_0000
    );
    // Its own area serves single pages too.
    machine.dma.set_device_cma(&dev, own);
    assert_eq!(
        at(&mut machine, &mut pages, &dev, 0x1000, kernel),
        0xe0_0000
    );
    // An area out of reach is passed over.
    let tiny = Device::new("tiny").with_masks(0x80_0000 - 1);
    assert_eq!(
        at(&mut machine, &mut pages, &tiny, 0x2000, kernel),
        PAGES + 0x4000
    );
}

#[test]
fn areas_are_aligned_to_the_order_but_to_no_more_than_256_pages() {
    let mut machine = Machine::new();
    let mut pages = Pages::new(0, 0);
    let dev = Device::new("d");
    let base = PhysAddr::new(0x80_1000);
    let area = machine.dma.add_cma_area(base, 0x50_0000).unwrap();
    machine.dma.set_default_cma(area);
    let mut at = |bytes| {
        let memory = alloc(&mut machine, &mut pages, &dev, AllocRequest::new(bytes));
        memory.unwrap().dma_addr().raw()
    };
    // Three pages are aligned to four, and take three.
    assert_eq!(at(0x3000), 0x80_4000);
    assert_eq!(at(0x2000), 0x80_2000);
    assert_eq!(at(0x20_0000), 0x90_0000);
}

#[test]
fn the_default_area_is_reserved_as_the_parameter_asks() {
    let machine = Machine::new();
    let parse = |text| swiotlb::CmaParam::parse(text).unwrap();
    let mut source = RegionSource::new(PhysAddr::new(0), 0x1000_0000);
    let dma = &machine.dma;
    assert_eq!(dma.reserve_default_cma(&mut source, &parse("0")), Ok(None));
    let made = dma.reserve_default_cma(&mut source, &parse("1M@0-16M"));
    assert!(made.unwrap().is_some());
    // The place is taken: it is not put elsewhere.
    let error = dma.reserve_default_cma(&mut source, &parse("1M@0"));
    assert_eq!(error.unwrap_err().errno(), -12);
    let error = dma.reserve_default_cma(&mut source, &parse("0xffffffffffffffff"));
    assert!(error.is_err());
}

#[test]
fn pages_are_shared_for_a_guest_and_made_private_before_they_go_back() {
    let mut machine = Machine::with(guest(), "", Mode::Kernel);
    let mut pages = pages();
    let dev = realm_device();
    let request = AllocRequest::new(100).with_attrs(Attrs::NO_KERNEL_MAPPING);
    let memory = alloc(&mut machine, &mut pages, &dev, request).unwrap();
    assert_eq!(memory.dma_addr(), DmaAddr::new(1 << 47 | PAGES));
    assert_eq!(memory.cpu(), CpuAddr::Linear(PhysAddr::new(PAGES)));
    assert_eq!(pages.shared, [(PAGES, 4096)]);
    machine.dma.free_coherent(&mut pages, &dev, memory).unwrap();
    assert_eq!((pages.shared.len(), pages.freed.len()), (0, 1));
}

#[test]
fn pages_of_unknown_state_leak() {
    let mut machine = Machine::with(guest(), "", Mode::Kernel);
    let mut pages = pages();
    let dev = realm_device();
    pages.refuses_sharing = true;
    let error = alloc(&mut machine, &mut pages, &dev, AllocRequest::new(1)).unwrap_err();
    let phys = PhysAddr::new(PAGES);
    let leaked = |phys| DmaError::Leaked {
        phys,
        bytes: 4096,
        code: -5,
    };
    assert_eq!((error, error.errno()), (leaked(phys), -12));
    pages.refuses_sharing = false;
    let memory = alloc(&mut machine, &mut pages, &dev, AllocRequest::new(1)).unwrap();
    let second = memory.cpu().phys();
    assert_ne!(second, phys);
    pages.refuses_privacy = true;
    let refused = machine.dma.free_coherent(&mut pages, &dev, memory);
    let refused = refused.unwrap_err();
    assert_eq!(refused.error(), leaked(second));
    assert_eq!(refused.into_value(), None);
    assert!(pages.freed.is_empty());
    let leak = |phys| DmaMessage::Leaking { phys, bytes: 4096 };
    assert_eq!(messages(&mut machine), [leak(phys), leak(second)]);
}

#[test]
fn a_guest_that_cannot_sleep_is_served_from_the_atomic_pools() {
    let config = DmaConfig::PC.with_coherent_pool_bytes(0x4000);
    let mut machine = Machine::configured(guest(), Mode::Kernel, config);
    let mut pages = pages();
    let dev = realm_device();
    let request = AllocRequest::new(0x1800).with_gfp(Gfp::ATOMIC);
    let error = alloc(&mut machine, &mut pages, &dev, request).unwrap_err();
    assert_eq!(error.errno(), -12);
    assert_eq!(
        messages(&mut machine),
        [DmaMessage::AtomicPoolExhausted { bytes: 0x2000 }]
    );
    let silent = request.with_gfp(Gfp::ATOMIC.with_no_warn());
    assert!(alloc(&mut machine, &mut pages, &dev, silent).is_err());
    assert_eq!(messages(&mut machine), []);

    assert_eq!(machine.dma.init_atomic_pools(&mut pages), Ok(0xc000));
    assert_eq!(
        machine
            .dma
            .init_atomic_pools(&mut pages)
            .unwrap_err()
            .errno(),
        -16
    );
    assert_eq!(pages.shared.len(), 3);
    pages.asked.clear();
    let normal = machine.dma.atomic_pool_bytes(Zone::Normal);
    assert_eq!(normal, Some((0x4000, 0x4000)));
    let memory = alloc(&mut machine, &mut pages, &dev, request).unwrap();
    assert!(matches!(memory.cpu(), CpuAddr::Vmalloc(_)));
    let normal = machine.dma.atomic_pool_bytes(Zone::Normal);
    assert_eq!(normal, Some((0x4000, 0x2000)));
    assert!(pages.asked.is_empty());
    // Less than the initial size is free: the pool doubles when somebody may sleep.
    assert_eq!(machine.dma.run_atomic_pool_work(&mut pages), 1);
    assert_eq!(machine.dma.run_atomic_pool_work(&mut pages), 0);
    let normal = machine.dma.atomic_pool_bytes(Zone::Normal);
    assert_eq!(normal, Some((0x8000, 0x6000)));
    machine.dma.free_coherent(&mut pages, &dev, memory).unwrap();
    let normal = machine.dma.atomic_pool_bytes(Zone::Normal);
    assert_eq!(normal, Some((0x8000, 0x8000)));
    assert!(pages.freed.is_empty());
}

#[test]
fn atomic_pools_of_the_other_state_are_passed_over() {
    // The pools of a machine without encryption are private; this device wants shared memory.
    let mut machine = Machine::new();
    let mut pages = pages();
    machine.dma.init_atomic_pools(&mut pages).unwrap();
    let dev = Device::new("d").with_unencrypted(true);
    let request = AllocRequest::new(1).with_gfp(Gfp::ATOMIC);
    assert!(alloc(&mut machine, &mut pages, &dev, request).is_err());
    // A device that does not snoop wants private memory, and gets it.
    let config = DmaConfig::PC.with_non_coherent_memory(NonCoherentMemory::Remap);
    let mut machine = Machine::configured(Platform::default(), Mode::Kernel, config);
    machine.dma.init_atomic_pools(&mut pages).unwrap();
    pages.asked.clear();
    let dev = Device::new("d").with_coherency(false);
    assert!(alloc(&mut machine, &mut pages, &dev, request).is_ok());
    assert!(pages.asked.is_empty());
}

#[test]
fn atomic_pools_are_sized_by_memory_and_search_on_when_full() {
    let config = DmaConfig::PC.with_non_coherent_memory(NonCoherentMemory::Remap);
    let mut machine = Machine::configured(Platform::default(), Mode::Kernel, config);
    let mut pages = Pages::new(PAGES, 0x100_0000);
    machine.dma.init_atomic_pools(&mut pages).unwrap();
    // Less than 1 GiB of memory: the smallest size.
    let each = machine.dma.atomic_pool_bytes(Zone::Dma32).unwrap();
    assert_eq!(each, (128 << 10, 128 << 10));
    let dev = Device::new("d").with_coherency(false);
    let request = AllocRequest::new(128 << 10).with_gfp(Gfp::ATOMIC);
    let _first = alloc(&mut machine, &mut pages, &dev, request).unwrap();
    assert_eq!(machine.dma.atomic_pool_bytes(Zone::Dma32).unwrap().1, 0);
    let _second = alloc(&mut machine, &mut pages, &dev, request).unwrap();
    assert_eq!(machine.dma.atomic_pool_bytes(Zone::Dma).unwrap().1, 0);
    let _third = alloc(&mut machine, &mut pages, &dev, request).unwrap();
    assert_eq!(machine.dma.atomic_pool_bytes(Zone::Normal).unwrap().1, 0);
    assert!(alloc(&mut machine, &mut pages, &dev, request).is_err());
}

#[test]
fn zones_and_the_largest_block_are_those_that_the_bounce_layer_knows() {
    let boot = BootConfig::new(BootOptions {
        has_zone_dma32: false,
        max_page_order: 3,
        ..BootOptions::default()
    });
    let dma = Dma::new(Swiotlb::new(Platform::default(), boot, Mode::Kernel));
    let mut pages = Pages::new(PAGES, 0x100_0000);
    dma.init_atomic_pools(&mut pages).unwrap();
    assert_eq!(dma.atomic_pool_bytes(Zone::Dma32), None);
    let normal = dma.atomic_pool_bytes(Zone::Normal);
    assert_eq!(normal, Some((0x8000, 0x8000)));
}

#[test]
fn managed_memory_is_freed_with_its_driver() {
    let mut machine = Machine::new();
    let mut pages = pages();
    let (dev, other) = (Device::new("one"), Device::new("other"));
    let gfp = Gfp::KERNEL;
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let one = dma.dmam_alloc_coherent(mem, &mut pages, &dev, 1, gfp);
    let one = one.unwrap();
    let two = dma.dmam_alloc_coherent(mem, &mut pages, &dev, 0x2000, gfp);
    let two = two.unwrap();
    dma.dmam_alloc_coherent(mem, &mut pages, &other, 1, gfp)
        .unwrap();
    // Another size is reported; what was allocated is freed.
    dma.dmam_free_coherent(&mut pages, &dev, 5, one.cpu, one.dma_addr)
        .unwrap();
    let again = dma.dmam_free_coherent(&mut pages, &dev, 1, one.cpu, one.dma_addr);
    assert_eq!(again.unwrap_err().errno(), -22);
    assert_eq!(pages.freed, [(PAGES, 4096)]);
    let detached = dma.detach_driver(mem, &mut pages, &dev);
    assert_eq!((detached.allocations, detached.failures), (1, 0));
    assert_eq!(pages.freed[1..], [(two.cpu.phys().raw(), 0x2000)]);
    assert_eq!(dma.detach_driver(mem, &mut pages, &dev).allocations, 0);
    let mismatch = |bytes| DmaMessage::ManagedMismatch {
        addr: one.dma_addr,
        bytes,
    };
    assert_eq!(messages(&mut machine), [mismatch(5), mismatch(1)]);
}

#[test]
fn pages_take_a_direction_and_no_zone() {
    let mut machine = Machine::new();
    let mut pages = pages();
    let dev = Device::new("d");
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let from = DataDirection::FromDevice;
    for gfp in [
        Gfp::KERNEL.with_zone(Zone::Dma),
        Gfp::KERNEL.with_compound(),
    ] {
        let result = dma.alloc_noncoherent(mem, &mut pages, &dev, 1, from, gfp);
        assert_eq!(result.unwrap_err().errno(), -22);
    }
    let kernel = Gfp::KERNEL;
    let none = dma.alloc_noncoherent(mem, &mut pages, &dev, 1, DataDirection::None, kernel);
    assert!(matches!(none, Err(DmaError::BadDirection(_))));
    let maskless = Device::new("m").with_masks(0);
    let result = dma.alloc_noncoherent(mem, &mut pages, &maskless, 1, from, kernel);
    assert_eq!(result.unwrap_err().errno(), -22);
    let block = dma.alloc_noncoherent(mem, &mut pages, &dev, 5000, from, kernel);
    let block = block.unwrap();
    assert_eq!(block.dma_addr(), DmaAddr::new(PAGES));
    assert_eq!((block.bytes(), block.direction()), (5000, from));
    // Ownership is passed with sync calls, which copy nothing here.
    let synced = dma.sync_single_for_cpu(mem, &dev, block.dma_addr(), 5000, from);
    assert!(!synced.unwrap().is_bounced);
    let other = Device::new("other");
    let refused = dma.free_pages(&mut pages, &other, block).unwrap_err();
    let block = refused.into_value().unwrap();
    dma.free_pages(&mut pages, &dev, block).unwrap();
    assert_eq!(pages.freed, [(PAGES, 0x2000)]);
    assert_eq!(
        messages(&mut machine),
        [DmaMessage::FlagsRefused, DmaMessage::NoCoherentMask]
    );
}

#[test]
fn noncontiguous_memory_is_one_segment_without_an_iommu() {
    let mut machine = Machine::new();
    let mut pages = pages();
    let dev = Device::new("d");
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let from = DataDirection::FromDevice;
    let request = AllocRequest::new(0x2100);
    let wrong = request.with_attrs(Attrs::ALLOC_SINGLE_PAGES | Attrs::NO_WARN);
    let result = dma.alloc_noncontiguous(mem, &mut pages, &dev, from, &wrong);
    assert_eq!(result.unwrap_err().errno(), -22);
    let huge = AllocRequest::new(1 << 32);
    let result = dma.alloc_noncontiguous(mem, &mut pages, &dev, from, &huge);
    assert_eq!(result.unwrap_err().errno(), -22);
    let single = request.with_attrs(Attrs::ALLOC_SINGLE_PAGES);
    let frame = dma.alloc_noncontiguous(mem, &mut pages, &dev, from, &single);
    let frame = frame.unwrap();
    assert_eq!((frame.table().nents, frame.table().entries.len()), (1, 1));
    assert_eq!(frame.table().segments()[0].dma_length, 0x3000);
    let view = swiotlb::Dma::vmap_noncontiguous(&frame);
    assert_eq!(view.phys_at(0x2fff), Some(PhysAddr::new(PAGES + 0x2fff)));
    assert_eq!(view.phys_at(0x3000), None);
    let user = dma.mmap_noncontiguous(&frame, 1, 2).unwrap();
    assert_eq!(user.phys_at(0), Some(PhysAddr::new(PAGES + 0x1000)));
    assert_eq!(
        dma.mmap_noncontiguous(&frame, 1, 3).unwrap_err().errno(),
        -6
    );
    let refused = dma.free_noncontiguous(&mut pages, &Device::new("o"), frame);
    let frame = refused.unwrap_err().into_value().unwrap();
    dma.free_noncontiguous(&mut pages, &dev, frame).unwrap();
    assert_eq!(pages.freed, [(PAGES, 0x4000)]);
}

#[test]
fn user_space_sees_no_page_beyond_the_memory() {
    let mut machine = Machine::new();
    let mut pages = pages();
    let dev = Device::new("d");
    let request = AllocRequest::new(0x2001).with_attrs(Attrs::WRITE_COMBINE);
    let memory = alloc(&mut machine, &mut pages, &dev, request).unwrap();
    let dma = &machine.dma;
    let view = dma.mmap_attrs(&memory, 0, 3).unwrap();
    assert_eq!((view.bytes(), view.is_write_combined()), (0x3000, true));
    assert_eq!(view.phys_at(0x2abc), Some(PhysAddr::new(PAGES + 0x2abc)));
    assert_eq!(view.phys_at(0x3000), None);
    for (first, count) in [(0, 4), (3, 1), (1, 3), (u64::MAX, 1), (1, u64::MAX)] {
        let error = dma.mmap_attrs(&memory, first, count).unwrap_err();
        assert_eq!(error.errno(), -6, "{first} {count}");
    }
    assert_eq!(dma.mmap_attrs(&memory, 0, 0).unwrap_err().errno(), -22);
    let table = dma.get_sgtable(&memory, 0x2500).unwrap();
    assert_eq!(table.entries[0].length, 0x3000);
    assert_eq!(dma.get_sgtable(&memory, 0x3001).unwrap_err().errno(), -6);
    assert!(dma.can_mmap(&dev));
    let incoherent = Device::new("i").with_coherency(false);
    assert!(!dma.can_mmap(&incoherent));
    let config = DmaConfig::PC.with_non_coherent_mmap(true);
    let machine = Machine::configured(Platform::default(), Mode::Kernel, config);
    assert!(machine.dma.can_mmap(&incoherent));
}

#[test]
fn pages_can_be_seen_by_user_space_too() {
    let mut machine = Machine::new();
    let mut pages = pages();
    let dev = Device::new("d");
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let block = dma
        .alloc_pages(mem, &mut pages, &dev, BOTH, &AllocRequest::new(0x2000))
        .unwrap();
    let view = dma.mmap_pages(&block, 1, 1).unwrap();
    let phys = PhysAddr::new(PAGES + 0x1000);
    assert_eq!(view.pages(), [CpuAddr::Linear(phys)]);
    assert_eq!(dma.mmap_pages(&block, 1, 2).unwrap_err().errno(), -6);
}

#[test]
fn the_device_of_a_guest_never_sees_a_private_page() {
    let mut machine = Machine::with(guest(), "", Mode::Kernel);
    let mut pages = Pages::new(PAGES, 0x40_0000);
    machine.dma.swiotlb_mut().update_mem_attributes(&mut pages);
    let dev = realm_device();
    let private = PhysAddr::new(LOW);
    machine.fill(LOW, 64, 0x5a);
    let request = MapRequest::new(private, 64, BOTH);
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let mapped = dma.map_phys(mem, &dev, &request).unwrap();
    assert_eq!(mapped.dma_addr, DmaAddr::new(1 << 47 | POOL));
    // Where the device looks, and all that is shared, is the pool.
    assert_eq!(dma.dma_to_phys(&dev, mapped.dma_addr), PhysAddr::new(POOL));
    assert_eq!(pages.shared, [(POOL, 0x10_0000)]);
    assert_eq!(dma.max_mapping_size(&dev), 262_144);
    // Memory that the caller has shared is mapped where it lies; private MMIO is not mapped at all.
    let shared = request.with_attrs(Attrs::CC_SHARED);
    let mapped = dma.map_phys(mem, &dev, &shared).unwrap();
    assert_eq!(mapped.dma_addr, DmaAddr::new(1 << 47 | LOW));
    assert!(mapped.bounce.is_none());
    let mmio = dma.map_resource(mem, &dev, &request);
    assert!(matches!(mmio, Err(MapError::NotCapable { .. })));
    // A mask without the bit of shared addresses does not even reach the pool.
    let narrow = Device::new("n");
    let refused = dma.map_phys(mem, &narrow, &request);
    assert!(matches!(refused, Err(MapError::BounceNotCapable { .. })));
}
