//! Pools that are added while running, pools of single mappings, and buffers of their own.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

use support::{HIGH, Machine, POOL};
use swiotlb::{
    AddressMarker, AllocError, AllocatorId, Attrs, BootConfig, BootOptions, BounceRequest,
    CcPlatform, CpuId, DataDirection, Device, Dma, Event, InitError, MapError, MapRequest, Mapping,
    Message, Mode, PageOrigin, PageRequest, PageSource, PhysAddr, PhysMemory as _, Platform,
    Policy, PoolGeometry, RegionSource, Swiotlb, UnmapError, Zone, bit_mask,
};

/// Memory for further pools, below 32 MiB.
const PAGES: u64 = 0x140_0000;

fn machine(policy: Policy, parameter: &str, mode: Mode) -> Machine {
    let mut machine = Machine::new();
    let mut boot = BootConfig::new(BootOptions {
        policy,
        ..BootOptions::default()
    });
    boot.parse(parameter);
    let geometry = PoolGeometry {
        base: PhysAddr::new(POOL),
        slots: 512,
        areas: 1,
    };
    let platform = Platform::default();
    let mut swiotlb = Swiotlb::with_pool(&mut machine.mem, platform, boot, mode, geometry).unwrap();
    let source = RegionSource::new(PhysAddr::new(PAGES), 0xc0_0000);
    swiotlb.set_page_source(Box::new(source));
    machine.dma = Dma::new(swiotlb);
    machine
}

fn dynamic() -> Machine {
    machine(Policy::DynamicPools, ",,track_hiwater", Mode::Strict)
}

fn map(machine: &mut Machine, dev: &Device, at: u64, bytes: u64) -> Result<Mapping, MapError> {
    let dir = DataDirection::Bidirectional;
    let request = MapRequest::new(PhysAddr::new(HIGH + at), bytes, dir);
    machine.dma.map_single(&mut machine.mem, dev, request)
}

fn fill_pool(machine: &mut Machine, dev: &Device) -> Vec<Mapping> {
    (0..4)
        .map(|_| map(machine, dev, 0, 256 << 10).unwrap())
        .collect()
}

fn unmap(machine: &mut Machine, dev: &Device, mapping: Mapping) {
    machine
        .dma
        .unmap_single(&mut machine.mem, dev, mapping)
        .unwrap();
}

#[test]
fn a_full_pool_serves_one_mapping_from_pages_and_grows_later() {
    let mut machine = dynamic();
    let dev = Device::new("d");
    let held = fill_pool(&mut machine, &dev);
    machine.fill(HIGH, 5000, 0x5a);
    let alone = map(&mut machine, &dev, 0x234, 5000).unwrap();
    let bounce = alone.bounced().copied().unwrap();
    assert_eq!((bounce.slots, bounce.first_slot), (3, 0));
    assert_eq!(machine.read(bounce.tlb_addr.raw(), 1), [0x5a]);
    let stats = machine.dma.swiotlb().stats(AllocatorId::DEFAULT).unwrap();
    assert_eq!((stats.transient_slots, stats.used_slots), (3, 515));
    assert_eq!((stats.counted_slots, stats.total_slots), (512, 512));
    let swiotlb = machine.dma.swiotlb();
    assert_eq!(swiotlb.transient_pools(&dev).len(), 1);
    assert_eq!(swiotlb.find_pool(&dev, bounce.tlb_addr), Some(bounce.pool));
    let other = Device::new("other");
    assert_eq!(swiotlb.find_pool(&other, bounce.tlb_addr), None);

    let work = swiotlb.run_pending_work(&mut machine.mem);
    assert_eq!(work.added.map(|pool| pool.slots), Some(512));
    assert_eq!(work.freed_pools, 0);
    unmap(&mut machine, &dev, alone);
    assert!(machine.dma.swiotlb().has_pending_work());
    let work = machine.dma.swiotlb().run_pending_work(&mut machine.mem);
    assert_eq!((work.added, work.freed_pools), (None, 1));
    assert!(!machine.dma.swiotlb().has_pending_work());

    let next = map(&mut machine, &dev, 0, 4096).unwrap();
    let newest = machine.dma.swiotlb().pools(AllocatorId::DEFAULT).next();
    assert_eq!(Some(next.bounced().unwrap().pool), newest);
    for mapping in held.into_iter().chain([next]) {
        unmap(&mut machine, &dev, mapping);
    }
    let stats = machine.dma.swiotlb().stats(AllocatorId::DEFAULT).unwrap();
    assert_eq!((stats.used_slots, stats.transient_slots), (0, 0));
    assert_eq!(stats.total_slots, 1024);
}

#[test]
fn a_pool_of_one_mapping_fails_where_the_original_has_bits_that_pages_lack() {
    let mut machine = dynamic();
    let dev = Device::new("nvme").with_min_align_mask(0xfff);
    let plain = Device::new("d");
    let _held = fill_pool(&mut machine, &plain);
    let refused = map(&mut machine, &dev, 0xa10, 1000);
    assert!(matches!(refused, Err(MapError::Full(_))));
    let mapping = map(&mut machine, &dev, 0x210, 1000).unwrap();
    assert_eq!(mapping.bounced().unwrap().tlb_addr.raw() & 0xfff, 0x210);
    let work = machine.dma.swiotlb().run_pending_work(&mut machine.mem);
    assert_eq!(work.freed_pools, 1);
}

#[test]
fn without_a_source_of_pages_a_full_layer_says_so_and_the_worker_complains() {
    let mut machine = Machine::new();
    let boot = BootConfig::new(BootOptions {
        policy: Policy::DynamicPools,
        ..BootOptions::default()
    });
    let geometry = PoolGeometry {
        base: PhysAddr::new(POOL),
        slots: 512,
        areas: 1,
    };
    let platform = Platform::default();
    let swiotlb =
        Swiotlb::with_pool(&mut machine.mem, platform, boot, Mode::Kernel, geometry).unwrap();
    machine.dma = Dma::new(swiotlb);
    let dev = Device::new("d");
    let _held = fill_pool(&mut machine, &dev);
    assert!(matches!(
        map(&mut machine, &dev, 0, 100),
        Err(MapError::Full(_))
    ));
    let work = machine.dma.swiotlb().run_pending_work(&mut machine.mem);
    assert_eq!(
        work.refused,
        Some(InitError::NoMemory { bytes: 512 * 2048 })
    );
    let events = machine.dma.swiotlb().drain_events();
    assert!(events.contains(&Event::Message {
        driver: None,
        device: None,
        message: Message::GrowFailed
    }));
}

#[test]
fn pages_that_are_refused_ask_for_a_further_pool_as_a_mapping_does() {
    let mut machine = dynamic();
    let dev = Device::new("d");
    let _held = fill_pool(&mut machine, &dev);
    let alloc = |machine: &Machine| {
        let swiotlb = machine.dma.swiotlb();
        swiotlb.alloc(&dev, 4096, Attrs::NONE, CpuId(0))
    };
    assert!(matches!(alloc(&machine), Err(AllocError::Full(_))));
    let swiotlb = machine.dma.swiotlb();
    assert!(swiotlb.transient_pools(&dev).is_empty());
    let added = swiotlb.run_pending_work(&mut machine.mem).added;
    assert_eq!(alloc(&machine), Ok(added.unwrap().base));
}

#[test]
fn pending_work_stops_at_its_budget() {
    let mut machine = dynamic();
    let dev = Device::new("d");
    let held = fill_pool(&mut machine, &dev);
    let alone: Vec<Mapping> = (0..3)
        .map(|_| map(&mut machine, &dev, 0, 100).unwrap())
        .collect();
    for mapping in alone.into_iter().chain(held) {
        unmap(&mut machine, &dev, mapping);
    }
    let mut work = |budget| {
        let swiotlb = machine.dma.swiotlb();
        let done = swiotlb.run_some_pending_work(&mut machine.mem, budget);
        (done.added.is_some(), done.freed_pools)
    };
    assert_eq!(work(0), (false, 0));
    assert_eq!(work(2), (true, 1));
    assert_eq!(work(1), (false, 1));
    assert_eq!(work(5), (false, 1));
    assert!(!machine.dma.swiotlb().has_pending_work());
}

#[test]
fn asking_for_the_base_ends_growth_but_not_what_is_queued() {
    let mut machine = dynamic();
    let dev = Device::new("d");
    let _held = fill_pool(&mut machine, &dev);
    let _held_alone = map(&mut machine, &dev, 0, 100).unwrap();
    let swiotlb = machine.dma.swiotlb();
    assert_eq!(swiotlb.default_limit(), Some(PhysAddr::new(0xffff_ffff)));
    assert_eq!(swiotlb.default_base(), Some(PhysAddr::new(POOL)));
    assert_eq!(
        swiotlb.default_limit(),
        Some(PhysAddr::new(POOL + 0xf_ffff))
    );
    assert!(swiotlb.run_pending_work(&mut machine.mem).added.is_some());
    let _more = fill_pool(&mut machine, &dev);
    assert!(matches!(
        map(&mut machine, &dev, 0, 100),
        Err(MapError::Full(_))
    ));
    assert!(!machine.dma.swiotlb().has_pending_work());
}

#[test]
fn a_stray_unmap_inside_a_pool_of_one_mapping_is_refused_in_strict_mode() {
    let mut machine = dynamic();
    let dev = Device::new("d");
    let _held = fill_pool(&mut machine, &dev);
    let mapping = map(&mut machine, &dev, 0, 5000).unwrap();
    let start = mapping.bounced().unwrap().tlb_addr;
    let stray = start.wrapping_add(2048);
    let (mem, swiotlb) = (&mut machine.mem, machine.dma.swiotlb());
    let dir = DataDirection::ToDevice;
    let refused = swiotlb.tbl_unmap_single(mem, &dev, stray, 5000, dir, Attrs::NONE);
    assert_eq!(
        refused,
        Err(UnmapError::NotBufferStart { addr: stray, start })
    );
    unmap(&mut machine, &dev, mapping);
}

/// A source that offers high memory first, and notes what it was asked.
#[derive(Debug, Default)]
struct HighFirst(std::sync::Arc<std::sync::Mutex<Log>>);

#[derive(Debug, Default)]
struct Log {
    asked: Vec<(PageOrigin, Zone, u64)>,
    freed: Vec<(u64, u64)>,
}

impl PageSource for HighFirst {
    fn alloc(&mut self, request: &PageRequest) -> Option<PhysAddr> {
        let mut log = self.0.lock().unwrap();
        log.asked
            .push((request.origin, request.zone, request.bytes));
        let base = match request.zone {
            Zone::Normal => HIGH + 0x80_0000,
            Zone::Dma32 => PAGES,
            Zone::Dma => 0x80_0000,
        };
        Some(PhysAddr::new(base))
    }

    fn free(&mut self, base: PhysAddr, bytes: u64) {
        self.0.lock().unwrap().freed.push((base.raw(), bytes));
    }
}

#[test]
fn a_block_above_the_limit_goes_back_and_the_next_zone_is_asked() {
    let mut machine = dynamic();
    let log = std::sync::Arc::default();
    let source = HighFirst(std::sync::Arc::clone(&log));
    machine.dma.swiotlb_mut().set_page_source(Box::new(source));
    let narrow = Device::new("d").with_masks(bit_mask(32));
    let _held = fill_pool(&mut machine, &narrow);
    // 33 bits end above DMA32, and what the first zone gives lies above 32 bits but below them.
    let wide = Device::new("wide").with_masks(HIGH + 0x7f_ffff);
    let request = MapRequest::new(
        PhysAddr::new(HIGH + 0xf0_0000),
        5000,
        DataDirection::ToDevice,
    );
    let mapping = machine
        .dma
        .map_single(&mut machine.mem, &wide, request)
        .unwrap();
    assert_eq!(mapping.bounced().unwrap().tlb_addr, PhysAddr::new(PAGES));
    let log = log.lock().unwrap();
    let pages = PageOrigin::Pages;
    assert_eq!(
        log.asked,
        [(pages, Zone::Normal, 8192), (pages, Zone::Dma32, 8192)]
    );
    assert_eq!(log.freed, [(HIGH + 0x80_0000, 8192)]);
}

#[test]
fn a_guest_takes_pages_for_one_mapping_from_those_that_are_shared_already() {
    let mut machine = Machine::new();
    let platform = Platform {
        cc: CcPlatform::Guest(AddressMarker::None),
        ..Platform::default()
    };
    let boot = BootConfig::new(BootOptions {
        policy: Policy::DynamicPools,
        ..BootOptions::default()
    });
    let geometry = PoolGeometry {
        base: PhysAddr::new(POOL),
        slots: 512,
        areas: 1,
    };
    let mut swiotlb =
        Swiotlb::with_pool(&mut machine.mem, platform, boot, Mode::Kernel, geometry).unwrap();
    let log = std::sync::Arc::default();
    let mut source = HighFirst(std::sync::Arc::clone(&log));
    swiotlb.update_mem_attributes(&mut source);
    swiotlb.set_page_source(Box::new(source));
    machine.dma = Dma::new(swiotlb);
    let dev = Device::new("d").with_masks(bit_mask(64));
    let _held = fill_pool(&mut machine, &dev);
    let _held_alone = map(&mut machine, &dev, 0, 5000).unwrap();
    let asked = log.lock().unwrap().asked.clone();
    assert_eq!(asked, [(PageOrigin::Atomic, Zone::Normal, 3 * 2048)]);
}

#[test]
fn larger_mappings_get_a_buffer_of_their_own_first() {
    let mut machine = machine(Policy::PerBuffer, "dynamic", Mode::Strict);
    let dev = Device::new("d");
    machine.fill(HIGH, 0x9000, 0x11);
    let first = map(&mut machine, &dev, 0, 0x8001).unwrap();
    let second = map(&mut machine, &dev, 0x4_0000, 512 << 10).unwrap();
    let small = map(&mut machine, &dev, 0, 100).unwrap();
    let base = |mapping: &Mapping| mapping.bounced().unwrap().tlb_addr;
    assert_eq!(base(&small), PhysAddr::new(POOL));
    let order = |machine: &Machine| machine.dma.swiotlb().own_buffers(&dev);
    assert_eq!(order(&machine), [base(&second), base(&first)]);
    let stats = machine.dma.swiotlb().stats(AllocatorId::DEFAULT).unwrap();
    assert_eq!(stats.used_slots, 1);
    // The rest of the last page is zero; a sync moves the record to the front.
    assert_eq!(machine.read(base(&first).raw() + 0x8000, 2), [0x11, 0]);
    machine.fill(base(&first).raw(), 0x8001, 0x22);
    let (mem, dma) = (&mut machine.mem, &machine.dma);
    let synced = dma.sync_range_for_cpu(mem, &dev, &first, 0x10, 0x20);
    assert_eq!(synced.unwrap().copied_bytes, 0x20);
    assert_eq!(order(&machine), [base(&first), base(&second)]);
    assert_eq!(machine.read(HIGH + 0xf, 2), [0x11, 0x22]);
    let own = base(&first);
    unmap(&mut machine, &dev, first);
    assert_eq!(machine.read(HIGH + 0x8000, 2), [0x22, 0x11]);
    assert_eq!(machine.dma.swiotlb().find_pool(&dev, own), None);
    unmap(&mut machine, &dev, second);
    unmap(&mut machine, &dev, small);
    assert_eq!(order(&machine), []);
}

#[test]
fn masks_and_small_sizes_take_slots_and_so_does_a_refusal_of_pages() {
    let mut machine = machine(Policy::PerBuffer, "dynamic", Mode::Kernel);
    let picky = Device::new("nvme").with_min_align_mask(0xfff);
    let in_pool = |mapping: &Mapping| mapping.bounced().unwrap().tlb_addr.raw() < PAGES;
    assert!(in_pool(&map(&mut machine, &picky, 0, 8192).unwrap()));
    let narrow = Device::new("d");
    assert!(!in_pool(&map(&mut machine, &narrow, 0, 8192).unwrap()));
    let isa = Device::new("isa").with_masks(bit_mask(24));
    let refused = map(&mut machine, &isa, 0, 8192);
    assert!(matches!(refused, Err(MapError::BounceNotCapable { .. })));
    let mut off = self::machine(Policy::PerBuffer, "", Mode::Kernel);
    assert!(in_pool(&map(&mut off, &narrow, 0, 8192).unwrap()));
}

#[test]
fn a_mapping_for_which_no_power_of_two_of_pages_exists_asks_nobody_for_pages() {
    let mut machine = machine(Policy::PerBuffer, "dynamic", Mode::Kernel);
    let log = std::sync::Arc::default();
    let source = HighFirst(std::sync::Arc::clone(&log));
    machine.dma.swiotlb_mut().set_page_source(Box::new(source));
    let dev = Device::new("d");
    for bytes in [u64::MAX - 5000, (1 << 63) + 1] {
        let request = BounceRequest {
            orig: PhysAddr::new(HIGH),
            bytes,
            alloc_align_mask: 0,
            dir: DataDirection::ToDevice,
            attrs: Attrs::NONE,
            cpu: CpuId(0),
        };
        let swiotlb = machine.dma.swiotlb();
        let refused = swiotlb.tbl_map_single(&mut machine.mem, &dev, &request);
        assert!(matches!(refused, Err(MapError::Full(_))), "{refused:?}");
    }
    let log = log.lock().unwrap();
    assert_eq!((&log.asked[..], &log.freed[..]), (&[][..], &[][..]));
}

#[test]
fn a_sync_behind_a_buffer_of_its_own_is_cut_with_a_warning() {
    let mut machine = machine(Policy::PerBuffer, "dynamic", Mode::Kernel);
    let dev = Device::new("d");
    let mapping = map(&mut machine, &dev, 0, 5000).unwrap();
    let base = mapping.bounced().unwrap().tlb_addr;
    let dir = DataDirection::FromDevice;
    let (mem, swiotlb) = (&mut machine.mem, machine.dma.swiotlb());
    let cut = swiotlb.sync_single_for_cpu(mem, &dev, base.wrapping_add(4000), 2000, dir);
    assert_eq!(cut, Ok(Some(1000)));
    let behind = swiotlb.sync_single_for_cpu(mem, &dev, base.wrapping_add(6000), 8, dir);
    assert_eq!(behind, Ok(Some(0)));
    let overflow = Message::BufferOverflow {
        alloc_bytes: 1000,
        bytes: 2000,
    };
    let events = swiotlb.drain_events();
    assert!(
        events
            .iter()
            .any(|event| matches!(event, Event::Message { message, .. } if *message == overflow))
    );
    mem.read(base, &mut [0; 8]).unwrap();
    unmap(&mut machine, &dev, mapping);
}

#[test]
fn the_debug_directory_has_the_kernels_files() {
    let machine = dynamic();
    let files = machine.dma.swiotlb().debug_files();
    let lines: Vec<String> = files
        .iter()
        .map(|file| format!("{} {:o} {}", file.path, file.mode, file.text.trim_end()))
        .collect();
    assert_eq!(
        lines,
        [
            "swiotlb/io_tlb_nslabs 400 512",
            "swiotlb/io_tlb_used 400 0",
            "swiotlb/io_tlb_used_hiwater 600 0",
            "swiotlb/io_tlb_transient_nslabs 400 0"
        ]
    );
    assert!(files.iter().all(|file| file.text.ends_with('\n')));
    assert_eq!(Machine::new().dma.swiotlb().debug_files().len(), 3);
    let empty = Swiotlb::new(Platform::default(), BootConfig::default(), Mode::Kernel);
    assert!(empty.debug_files().is_empty());
}
