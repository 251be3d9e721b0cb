//! The mapping layer: when a buffer is bounced, and what each call copies.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

use support::{HIGH, LOW, Machine, POOL};
use swiotlb::{
    AddressMarker, Attrs, CacheWork, CcPlatform, DataDirection, Device, DmaAddr, DmaRange,
    KmallocBounce, MapError, MapRequest, Mapping, Mode, PhysAddr, Platform, SyncError, UnmapError,
    bit_mask,
};

const TO: DataDirection = DataDirection::ToDevice;
const FROM: DataDirection = DataDirection::FromDevice;
const BOTH: DataDirection = DataDirection::Bidirectional;

fn request(addr: u64, bytes: u64, dir: DataDirection) -> MapRequest {
    MapRequest::new(PhysAddr::new(addr), bytes, dir)
}

fn map(machine: &mut Machine, dev: &Device, request: MapRequest) -> Result<Mapping, MapError> {
    machine.dma.map_single(&mut machine.mem, dev, request)
}

/// What became of a map.
fn kind(result: &Result<Mapping, MapError>) -> &'static str {
    match result {
        Ok(mapping) if mapping.bounced().is_some() => "bounced",
        Ok(_) => "direct",
        Err(MapError::NotCapable { .. }) => "overflow",
        Err(MapError::BounceForbidden) => "forbidden",
        Err(MapError::BounceNotCapable { .. }) => "bounce overflow",
        Err(MapError::CcMismatch { .. }) => "mismatch",
        Err(_) => "other",
    }
}

fn outcome(machine: &mut Machine, dev: &Device, addr: u64, attrs: Attrs) -> &'static str {
    kind(&map(
        machine,
        dev,
        request(addr, 4096, TO).with_attrs(attrs),
    ))
}

#[test]
fn a_reachable_buffer_is_mapped_where_it_lies_and_the_rest_bounces() {
    let mut machine = Machine::new();
    let dev = Device::new("d");
    let low = map(&mut machine, &dev, request(LOW, 4096, TO)).unwrap();
    assert_eq!(low.dma_addr(), DmaAddr::new(LOW));
    assert!(low.bounced().is_none());

    let high = map(&mut machine, &dev, request(HIGH, 5000, TO)).unwrap();
    let bounce = *high.bounced().unwrap();
    assert_eq!(high.dma_addr(), DmaAddr::new(POOL));
    assert_eq!((bounce.first_slot, bounce.slots), (0, 3));
    assert_eq!(bounce.copied_bytes, 5000);
    assert_eq!(high.orig_addr(), PhysAddr::new(HIGH));
    let done = machine
        .dma
        .unmap_single(&mut machine.mem, &dev, high)
        .unwrap();
    assert_eq!((done.bounce.unwrap().slots, done.copied_bytes), (3, 0));
    let done = machine
        .dma
        .unmap_single(&mut machine.mem, &dev, low)
        .unwrap();
    assert_eq!(done.bounce, None);
}

#[test]
fn a_buffer_that_ends_above_the_limit_is_bounced_as_a_whole() {
    let mut machine = Machine::new();
    let dev = Device::new("d").with_bus_limit(POOL + 0x10_0fff);
    let end = POOL + 0x10_0000;
    let inside = map(&mut machine, &dev, request(end, 4096, TO));
    assert_eq!(kind(&inside), "direct");
    let across = map(&mut machine, &dev, request(end, 4097, TO));
    assert_eq!(kind(&across), "bounced");
}

#[test]
fn the_decision_follows_the_table_row_by_row() {
    let none = Attrs::NONE;
    let dev = Device::new("d");
    let wide = Device::new("wide").with_masks(bit_mask(64));
    let mut machine = Machine::new();
    // Rows 3 and 4: with a pool.
    assert_eq!(outcome(&mut machine, &dev, LOW, none), "direct");
    assert_eq!(outcome(&mut machine, &dev, HIGH, none), "bounced");
    assert_eq!(outcome(&mut machine, &wide, HIGH, none), "direct");
    assert_eq!(outcome(&mut machine, &dev, LOW, Attrs::MMIO), "direct");
    assert_eq!(outcome(&mut machine, &dev, HIGH, Attrs::MMIO), "overflow");
    let require = Attrs::REQUIRE_COHERENT;
    assert_eq!(outcome(&mut machine, &dev, LOW, require), "direct");
    assert_eq!(outcome(&mut machine, &dev, HIGH, require), "overflow");
    // Row 4: without a pool.
    let mut poolless = Machine::poolless(Platform::default());
    assert_eq!(outcome(&mut poolless, &dev, LOW, none), "direct");
    assert_eq!(outcome(&mut poolless, &dev, HIGH, none), "overflow");
    // Rows 1 and 2: forced.
    let mut forced = Machine::with(Platform::default(), "force", Mode::Kernel);
    assert_eq!(outcome(&mut forced, &dev, LOW, none), "bounced");
    assert_eq!(outcome(&mut forced, &wide, LOW, none), "bounced");
    assert_eq!(outcome(&mut forced, &dev, LOW, Attrs::MMIO), "forbidden");
    assert_eq!(outcome(&mut forced, &dev, LOW, require), "forbidden");
}

#[test]
fn no_mask_no_direction_and_no_coherency_are_refused_first() {
    let mut machine = Machine::new();
    let maskless = Device::new("d").without_dma_mask();
    let result = map(&mut machine, &maskless, request(LOW, 1, TO));
    assert_eq!(result, Err(MapError::NoDmaMask));
    let dev = Device::new("d");
    let none = DataDirection::None;
    let result = map(&mut machine, &dev, request(LOW, 1, none));
    assert_eq!(result, Err(MapError::BadDirection(none)));
    let incoherent = Device::new("d").with_coherency(false);
    let attrs = Attrs::REQUIRE_COHERENT;
    let result = map(
        &mut machine,
        &incoherent,
        request(LOW, 1, TO).with_attrs(attrs),
    );
    assert_eq!(result, Err(MapError::NotCoherent));
}

#[test]
fn a_buffer_outside_all_windows_bounces() {
    let mut machine = Machine::new();
    let window = DmaRange {
        cpu_start: PhysAddr::new(POOL),
        dma_start: DmaAddr::new(0x8000_0000),
        bytes: 0x10_0000,
    };
    let dev = Device::new("d").with_ranges(vec![window]);
    let mapping = map(&mut machine, &dev, request(LOW, 100, TO)).unwrap();
    assert_eq!(mapping.dma_addr(), DmaAddr::new(0x8000_0000));
    assert!(mapping.bounced().is_some());
}

#[test]
fn a_pool_out_of_reach_is_found_out_after_the_allocation() {
    let mut machine = Machine::new();
    let dev = Device::new("isa").with_masks(bit_mask(24));
    let result = map(&mut machine, &dev, request(HIGH, 1000, TO));
    assert_eq!(
        result,
        Err(MapError::BounceNotCapable {
            addr: DmaAddr::new(POOL),
            bytes: 1000,
            mask: bit_mask(24),
            bus_limit: 0
        })
    );
    let swiotlb = machine.dma.swiotlb_mut();
    let pool = swiotlb.find_pool(&dev, PhysAddr::new(POOL)).unwrap();
    let area = swiotlb.areas(pool)[0];
    assert_eq!((area.used, area.cursor), (0, 1));
    let texts: Vec<String> = swiotlb
        .drain_events()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        texts,
        ["isa: swiotlb addr 0x1000000+1000 overflow (mask ffffff, bus limit 0)."]
    );
}

#[test]
fn a_guest_bounces_all_private_memory_through_its_shared_pool() {
    let platform = Platform {
        cc: CcPlatform::Guest(AddressMarker::None),
        ..Platform::default()
    };
    let mut machine = Machine::with(platform, "", Mode::Kernel);
    let dev = Device::new("d").with_masks(bit_mask(64));
    // The pool is still private.
    assert_eq!(outcome(&mut machine, &dev, LOW, Attrs::NONE), "mismatch");
    let mut pages = swiotlb::RegionSource::new(PhysAddr::new(0), 0);
    machine.dma.swiotlb_mut().update_mem_attributes(&mut pages);
    assert_eq!(outcome(&mut machine, &dev, LOW, Attrs::NONE), "bounced");
    assert_eq!(outcome(&mut machine, &dev, LOW, Attrs::CC_SHARED), "direct");
    assert_eq!(outcome(&mut machine, &dev, LOW, Attrs::MMIO), "overflow");
    assert_eq!(machine.dma.max_mapping_size(&dev), 262_144);
}

#[test]
fn host_encryption_counts_mmio_as_shared() {
    let platform = Platform {
        cc: CcPlatform::Host { encryption_bit: 47 },
        ..Platform::default()
    };
    let mut machine = Machine::with(platform, "", Mode::Kernel);
    let dev = Device::new("d");
    assert_eq!(outcome(&mut machine, &dev, LOW, Attrs::MMIO), "direct");
    let mut pages = swiotlb::RegionSource::new(PhysAddr::new(0), 0);
    machine.dma.swiotlb_mut().update_mem_attributes(&mut pages);
    assert_eq!(outcome(&mut machine, &dev, LOW, Attrs::NONE), "bounced");
    let wide = Device::new("d").with_masks(bit_mask(64));
    let mapping = map(&mut machine, &wide, request(LOW, 1, TO)).unwrap();
    assert_eq!(mapping.dma_addr(), DmaAddr::new(LOW | 1 << 47));
}

#[test]
fn small_buffers_of_incoherent_devices_bounce_by_the_kmalloc_rule() {
    let platform = Platform {
        kmalloc: Some(KmallocBounce {
            min_align: 128,
            cache_alignment: 64,
        }),
        ..Platform::default()
    };
    let mut machine = Machine::with(platform, "", Mode::Kernel);
    let dev = Device::new("d").with_coherency(false);
    let coherent = Device::new("c");
    let mut result = |dev: &Device, bytes: u64, dir: DataDirection| {
        kind(&map(&mut machine, dev, request(LOW, bytes, dir)))
    };
    assert_eq!(result(&dev, 32, FROM), "bounced");
    assert_eq!(result(&dev, 33, FROM), "direct");
    assert_eq!(result(&dev, 96, BOTH), "bounced");
    assert_eq!(result(&dev, 32, TO), "direct");
    assert_eq!(result(&coherent, 32, FROM), "direct");
    assert_eq!(
        machine
            .dma
            .max_mapping_size(&Device::new("w").with_masks(bit_mask(64))),
        u64::MAX
    );
}

#[test]
fn each_call_copies_what_the_table_says() {
    // Direction; bytes copied at map, sync for device, sync for CPU, unmap.
    let rows = [
        (TO, 100, 100, 0, 0),
        (FROM, 100, 0, 100, 100),
        (BOTH, 100, 100, 100, 100),
    ];
    for (dir, at_map, for_device, for_cpu, at_unmap) in rows {
        let mut machine = Machine::new();
        let dev = Device::new("d");
        machine.fill(HIGH, 100, 0x11);
        let mapping = map(&mut machine, &dev, request(HIGH, 100, dir)).unwrap();
        assert_eq!(mapping.bounced().unwrap().copied_bytes, at_map);
        assert_eq!(
            machine.read(POOL, 100),
            [0x11; 100],
            "map copies in for {dir}"
        );

        machine.fill(HIGH, 100, 0x22);
        let (mem, dma) = (&mut machine.mem, &mut machine.dma);
        let synced = dma.sync_for_device(mem, &dev, &mapping).unwrap();
        assert_eq!((synced.copied_bytes, synced.is_bounced), (for_device, true));
        let expected = if for_device == 0 { 0x11 } else { 0x22 };
        assert_eq!(
            machine.read(POOL, 100),
            [expected; 100],
            "for device, {dir}"
        );

        machine.fill(POOL, 100, 0x33);
        let (mem, dma) = (&mut machine.mem, &mut machine.dma);
        let synced = dma.sync_for_cpu(mem, &dev, &mapping).unwrap();
        assert_eq!(synced.copied_bytes, for_cpu);
        let expected = if for_cpu == 0 { 0x22 } else { 0x33 };
        assert_eq!(machine.read(HIGH, 100), [expected; 100], "for cpu, {dir}");

        machine.fill(POOL, 100, 0x44);
        let (mem, dma) = (&mut machine.mem, &mut machine.dma);
        let done = dma.unmap_single(mem, &dev, mapping).unwrap();
        assert_eq!(done.copied_bytes, at_unmap);
        let expected = if at_unmap == 0 { expected } else { 0x44 };
        assert_eq!(machine.read(HIGH, 100), [expected; 100], "unmap, {dir}");
    }
}

#[test]
fn skip_cpu_sync_still_copies_in_but_drops_the_copy_back() {
    let mut machine = Machine::new();
    let dev = Device::new("d");
    machine.fill(HIGH, 100, 0x11);
    let with_skip = request(HIGH, 100, FROM).with_attrs(Attrs::SKIP_CPU_SYNC);
    let mapping = map(&mut machine, &dev, with_skip).unwrap();
    assert_eq!(machine.read(POOL, 100), [0x11; 100]);
    machine.fill(POOL, 100, 0x22);
    let done = machine
        .dma
        .unmap_single(&mut machine.mem, &dev, mapping)
        .unwrap();
    assert_eq!(done.copied_bytes, 0);
    assert_eq!(machine.read(HIGH, 100), [0x11; 100]);
    assert_eq!(
        machine.read(POOL, 100),
        [0x22; 100],
        "a release clears nothing"
    );
}

#[test]
fn a_partial_sync_touches_its_range_only() {
    let mut machine = Machine::new();
    let dev = Device::new("d");
    let mapping = map(&mut machine, &dev, request(HIGH, 5000, FROM)).unwrap();
    machine.fill(POOL, 5000, 0x77);
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let synced = dma
        .sync_range_for_cpu(mem, &dev, &mapping, 2040, 20)
        .unwrap();
    assert_eq!(synced.copied_bytes, 20);
    let mut expected = vec![0; 5000];
    expected[2040..2060].fill(0x77);
    assert_eq!(machine.read(HIGH, 5000), expected);
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    assert_eq!(
        dma.sync_range_for_cpu(mem, &dev, &mapping, 4990, 11),
        Err(SyncError::OutOfMapping {
            offset: 4990,
            bytes: 11,
            mapped_bytes: 5000
        })
    );
    let synced = dma.sync_single_range_for_cpu(mem, &dev, mapping.dma_addr(), 4990, 10, FROM);
    assert_eq!(synced.unwrap().copied_bytes, 10);
}

#[test]
fn syncs_are_skipped_from_set_mask_to_the_first_bounce() {
    let mut machine = Machine::new();
    let mut dev = Device::new("d");
    assert!(!dev.skips_sync());
    machine.dma.set_mask(&mut dev, bit_mask(32)).unwrap();
    assert!(dev.skips_sync() && !machine.dma.needs_unmap(&dev));
    let addr = DmaAddr::new(LOW);
    let synced = machine
        .dma
        .sync_single_for_cpu(&mut machine.mem, &dev, addr, 1, FROM);
    assert!(synced.unwrap().is_skipped);

    let mapping = map(&mut machine, &dev, request(HIGH, 100, FROM)).unwrap();
    assert!(!dev.skips_sync() && machine.dma.needs_unmap(&dev));
    assert!(machine.dma.needs_sync(&dev, mapping.dma_addr()));
    assert!(!machine.dma.needs_sync(&dev, addr));

    // Setting the mask while a bounced mapping lives drops its syncs.
    machine.dma.set_mask(&mut dev, bit_mask(32)).unwrap();
    machine.fill(POOL, 100, 0x55);
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    assert!(dma.sync_for_cpu(mem, &dev, &mapping).unwrap().is_skipped);
    assert_eq!(machine.read(HIGH, 100), [0; 100]);

    // Incoherent devices never skip.
    let mut incoherent = Device::new("i").with_coherency(false);
    machine.dma.set_mask(&mut incoherent, bit_mask(32)).unwrap();
    assert!(!incoherent.skips_sync());
    assert!(machine.dma.needs_sync(&incoherent, addr));
}

#[test]
fn cache_work_is_reported_for_incoherent_devices_only() {
    let mut machine = Machine::new();
    for (is_coherent, cleaned, invalidated) in [(true, 0, 0), (false, 100, 100)] {
        let dev = Device::new("d").with_coherency(is_coherent);
        let mapping = map(&mut machine, &dev, request(LOW, 100, BOTH)).unwrap();
        let work = |cleaned_bytes, invalidated_bytes| CacheWork {
            cleaned_bytes,
            invalidated_bytes,
        };
        assert_eq!(mapping.cache_work(), work(cleaned, 0));
        let (mem, dma) = (&mut machine.mem, &mut machine.dma);
        let synced = dma.sync_for_cpu(mem, &dev, &mapping).unwrap();
        assert_eq!(synced.cache, work(0, invalidated));
        let synced = dma.sync_for_device(mem, &dev, &mapping).unwrap();
        assert_eq!(synced.cache, work(cleaned, 0));
        let done = dma.unmap_single(mem, &dev, mapping).unwrap();
        assert_eq!(done.cache, work(0, invalidated));
    }
}

#[test]
fn a_mapping_belongs_to_its_device() {
    let mut machine = Machine::new();
    let (one, other) = (Device::new("one"), Device::new("other"));
    let mapping = map(&mut machine, &one, request(HIGH, 100, FROM)).unwrap();
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let synced = dma.sync_for_cpu(mem, &other, &mapping);
    assert_eq!(synced, Err(SyncError::WrongDevice));
    let done = dma.unmap_single(mem, &other, mapping);
    let failed = done.unwrap_err();
    assert_eq!(failed.cause, UnmapError::WrongDevice);
    // The mapping is not lost.
    let mapping = failed.mapping.unwrap();
    assert!(dma.unmap_single(mem, &one, mapping).is_ok());
}

#[test]
fn the_largest_mapping_is_unlimited_unless_the_device_may_bounce() {
    let machine = Machine::new();
    let dma = &machine.dma;
    assert_eq!(dma.max_mapping_size(&Device::new("d")), 262_144);
    let nvme = Device::new("d").with_min_align_mask(0xfff);
    assert_eq!(dma.max_mapping_size(&nvme), 258_048);
    let wide = Device::new("d").with_masks(bit_mask(64));
    assert_eq!(dma.max_mapping_size(&wide), u64::MAX);
    let forced = Machine::with(Platform::default(), "force", Mode::Kernel);
    assert_eq!(forced.dma.max_mapping_size(&wide), 262_144);
    let poolless = Machine::poolless(Platform::default());
    assert_eq!(poolless.dma.max_mapping_size(&Device::new("d")), u64::MAX);
}

#[test]
fn the_raw_door_has_the_kernels_results() {
    let mut machine = Machine::new();
    let dev = Device::new("d");
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let addr = dma.map_phys_addr(mem, &dev, &request(HIGH, 100, FROM));
    assert_eq!(addr, DmaAddr::new(POOL));
    assert!(!dma.mapping_error(&dev, addr));
    let failed = dma.map_phys_addr(mem, &dev, &request(HIGH, 300_000, FROM));
    assert!(dma.mapping_error(&dev, failed));
    let failed = dma.map_resource(mem, &dev, &request(HIGH, 100, FROM));
    assert!(matches!(failed, Err(MapError::NotCapable { .. })));
    // MMIO and REQUIRE_COHERENT make an unmap do nothing at all.
    let attrs = Attrs::REQUIRE_COHERENT;
    let done = dma.unmap_phys(mem, &dev, addr, 100, FROM, attrs).unwrap();
    assert_eq!(done.bounce, None);
    let done = dma
        .unmap_phys(mem, &dev, addr, 100, FROM, Attrs::NONE)
        .unwrap();
    assert_eq!(done.copied_bytes, 100);
    // A second unmap of a free slot does nothing.
    let again = dma
        .unmap_phys(mem, &dev, addr, 100, FROM, Attrs::NONE)
        .unwrap();
    assert_eq!((again.bounce.unwrap().slots, again.copied_bytes), (0, 0));
}

#[test]
fn bounces_are_traced_with_the_address_of_the_original() {
    let mut machine = Machine::with(Platform::default(), "force", Mode::Kernel);
    let dev = Device::new("0000:01:00.0");
    machine.dma.swiotlb_mut().set_tracing(true);
    machine.dma.swiotlb_mut().drain_events();
    let _ = map(&mut machine, &dev, request(HIGH, 4096, TO)).unwrap();
    // A map that fails is traced too, and then reported.
    map(&mut machine, &dev, request(HIGH, 300_000, TO)).unwrap_err();
    let no_warn = request(HIGH, 300_001, TO).with_attrs(Attrs::NO_WARN);
    map(&mut machine, &dev, no_warn).unwrap_err();
    let events = machine.dma.swiotlb_mut().drain_events();
    let texts: Vec<String> = events.iter().map(ToString::to_string).collect();
    let bounced = |bytes| {
        format!("dev_name: 0000:01:00.0 dma_mask=ffffffff dev_addr=100000000 size={bytes} FORCE")
    };
    let failed = |bytes, attrs| {
        let all_ones = u64::MAX;
        format!(
            "0000:01:00.0 dir=TO_DEVICE dma_addr={all_ones:x} size={bytes} phys_addr={HIGH:x} \
             attrs={attrs}"
        )
    };
    assert_eq!(
        texts,
        [
            bounced(4096),
            format!(
                "0000:01:00.0 dir=TO_DEVICE dma_addr={POOL:x} size=4096 phys_addr={HIGH:x} attrs="
            ),
            bounced(300_000),
            "0000:01:00.0: swiotlb buffer is full (sz: 300000 bytes), total 512 (slots), used 2 \
             (slots)"
                .to_owned(),
            failed(300_000, ""),
            bounced(300_001),
            failed(300_001, "NO_WARN"),
        ]
    );
}
