//! Single mappings behind an IOMMU: when they bounce, and what an untrusted device sees.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod iommu_support;
mod support;

use iommu_support::*;
use support::{HIGH, LOW, Machine, POOL};
use swiotlb::{
    Attrs, CacheWork, CcPlatform, Device, DmaAddr, DomainConfig, Event, FaultReason, IommuError,
    KmallocBounce, MapError, Message, Mode, PhysAddr, Platform, Route, SyncError, UnmapError,
    bit_mask,
};

#[test]
fn a_trusted_device_is_mapped_to_the_buffer_itself_wherever_it_lies() {
    let mut machine = Machine::new();
    let domain = domain();
    let dev = trusted(&domain);
    let mapped = map(&mut machine, &dev, request(HIGH + 0x123, 5000, BOTH));
    assert_eq!(mapped.bounce, None);
    let iova = mapped.dma_addr;
    assert_eq!(iova.raw() & 0xfff, 0x123);
    assert_eq!(
        domain.translate(iova, true),
        Ok(PhysAddr::new(HIGH + 0x123))
    );
    let last = iova.wrapping_add(4999);
    assert_eq!(
        domain.translate(last, false),
        Ok(PhysAddr::new(HIGH + 0x123 + 4999))
    );
    // Granules are mapped as a whole: the IOMMU alone shows the surroundings.
    let start = DmaAddr::new(iova.raw() & !0xfff);
    assert_eq!(domain.translate(start, false), Ok(PhysAddr::new(HIGH)));
    let below = start.wrapping_sub(1);
    assert_eq!(reason(&domain, below, false), Some(FaultReason::NotMapped));
    assert_eq!(domain.stats().mapped_bytes, 8192);

    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    dma.unmap_phys(mem, &dev, iova, 5000, BOTH, Attrs::NONE)
        .unwrap();
    assert_eq!(reason(&domain, iova, false), Some(FaultReason::NotMapped));
    assert_eq!(domain.stats().granted_ranges, 0);
}

#[test]
fn the_direction_of_a_map_decides_what_the_device_may_do() {
    let mut machine = Machine::new();
    let domain = domain();
    let dev = trusted(&domain);
    let (unreadable, unwritable) = (
        Some(FaultReason::NotReadable),
        Some(FaultReason::NotWritable),
    );
    for (dir, read, write) in [
        (TO, None, unwritable),
        (FROM, unreadable, None),
        (BOTH, None, None),
    ] {
        let iova = map(&mut machine, &dev, request(LOW, 4096, dir)).dma_addr;
        assert_eq!(reason(&domain, iova, false), read, "{dir}");
        assert_eq!(reason(&domain, iova, true), write, "{dir}");
    }
    let attrs = Attrs::PRIVILEGED;
    let iova = map(&mut machine, &dev, request(LOW, 4096, TO).with_attrs(attrs)).dma_addr;
    assert_eq!(
        reason(&domain, iova, false),
        Some(FaultReason::NotPrivileged)
    );
    let translation = domain.translate_access(privileged(iova, false)).unwrap();
    assert_eq!(translation.phys, PhysAddr::new(LOW));
    let fault = domain.translate_access(privileged(iova, true)).unwrap_err();
    assert_eq!(fault.reason, FaultReason::NotWritable);
    assert_eq!(
        fault.to_string(),
        format!("device write to I/O virtual {iova}: the mapping is read only")
    );
    assert!(fault.prot.unwrap().is_privileged);
    assert_eq!(domain.stats().faults, 4);
}

#[test]
fn whole_granules_never_bounce_and_anything_else_does_for_an_untrusted_device() {
    let mut machine = Machine::new();
    let domain = domain();
    let dev = untrusted(&domain);
    let mut is_bounced = |phys: u64, bytes: u64, attrs: Attrs| {
        let mapped = map(
            &mut machine,
            &dev,
            request(phys, bytes, BOTH).with_attrs(attrs),
        );
        mapped.bounce.is_some()
    };
    assert!(!is_bounced(HIGH, 4096, Attrs::NONE));
    assert!(!is_bounced(HIGH, 8192, Attrs::NONE));
    assert!(is_bounced(HIGH, 4095, Attrs::NONE));
    assert!(is_bounced(HIGH + 1, 4096, Attrs::NONE));
    assert!(is_bounced(LOW, 100, Attrs::NONE), "reach does not matter");
    assert!(!is_bounced(HIGH, 100, Attrs::MMIO));
    assert!(!is_bounced(HIGH, 4096, Attrs::REQUIRE_COHERENT));
    let attrs = Attrs::REQUIRE_COHERENT;
    let refused = request(HIGH, 100, BOTH).with_attrs(attrs);
    let result = machine.dma.map_phys(&mut machine.mem, &dev, &refused);
    assert_eq!(result, Err(MapError::GranuleBounceForbidden));
}

#[test]
fn an_untrusted_device_sees_zeros_around_its_buffer_byte_by_byte() {
    let mut machine = Machine::new();
    let domain = domain();
    let dev = untrusted(&domain);
    // Secrets of others everywhere in the pool and around the original.
    machine.fill(POOL, 0x1_0000, 0xaa);
    machine.fill(HIGH, 0x4000, 0xbb);
    machine.fill(HIGH + 0xc04, 5000, 0x11);
    let mapped = map(&mut machine, &dev, request(HIGH + 0xc04, 5000, BOTH));
    let bounce = mapped.bounce.unwrap();
    assert_eq!(bounce.tlb_addr, PhysAddr::new(POOL + 0xc04));
    assert_eq!((bounce.slots, bounce.pad_slots), (4, 1));
    assert_eq!(mapped.dma_addr.raw() & 0xfff, 0xc04);

    let start = DmaAddr::new(mapped.dma_addr.raw() & !0xfff);
    let seen = device_read(&machine, &domain, start, 8192);
    let mut expected = vec![0; 8192];
    expected[0xc04..0xc04 + 5000].fill(0x11);
    assert_eq!(seen, expected);
    assert_eq!(
        reason(&domain, start.wrapping_add(8192), false),
        Some(FaultReason::NotMapped)
    );
    assert_eq!(
        machine.read(POOL + 8192, 100),
        [0xaa; 100],
        "no byte more is zeroed"
    );

    device_write(&mut machine, &domain, mapped.dma_addr, &[0x22; 5000]);
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let done = dma.unmap_phys(mem, &dev, mapped.dma_addr, 5000, BOTH, Attrs::NONE);
    assert_eq!(done.unwrap().copied_bytes, 5000);
    let mut expected = vec![0xbb; 0x4000];
    expected[0xc04..0xc04 + 5000].fill(0x22);
    assert_eq!(machine.read(HIGH, 0x4000), expected);
    assert_eq!(used_slots(&machine), 0);
}

#[test]
fn every_offset_and_size_is_padded_with_zeros_only() {
    for (offset, bytes) in [
        (0, 1),
        (0, 4095),
        (1, 4095),
        (4095, 1),
        (4095, 2),
        (0x801, 0x1000),
    ] {
        let mut machine = Machine::new();
        let domain = domain();
        let dev = untrusted(&domain);
        machine.fill(POOL, 0x1_0000, 0xaa);
        let len = usize::try_from(bytes).unwrap();
        machine.fill(HIGH + offset, len, 0x11);
        let mapped = map(&mut machine, &dev, request(HIGH + offset, bytes, BOTH));
        let start = DmaAddr::new(mapped.dma_addr.raw() & !0xfff);
        let span = (offset + bytes).next_multiple_of(4096);
        let seen = device_read(&machine, &domain, start, span);
        let at = usize::try_from(offset).unwrap();
        let mut expected = vec![0; seen.len()];
        expected[at..at + len].fill(0x11);
        assert_eq!(seen, expected, "{bytes} bytes at {offset}");
    }
}

#[test]
fn without_min_align_mask_the_offset_in_the_page_is_lost() {
    let mut machine = Machine::new();
    let domain = domain();
    let dev = untrusted(&domain).with_min_align_mask(0);
    let mapped = map(&mut machine, &dev, request(HIGH + 0xc04, 100, TO));
    assert_eq!(mapped.bounce.unwrap().tlb_addr, PhysAddr::new(POOL));
    assert_eq!(mapped.dma_addr.raw() & 0xfff, 0);
}

#[test]
fn a_min_align_mask_above_the_granule_is_not_supported() {
    let mut machine = Machine::new();
    let domain = domain();
    let dev = untrusted(&domain).with_min_align_mask(0x1fff);
    for _ in 0..2 {
        let result = machine
            .dma
            .map_phys(&mut machine.mem, &dev, &request(HIGH, 100, TO));
        let error = MapError::AlignmentAboveGranule {
            mask: 0x1fff,
            granule: 4096,
        };
        assert_eq!(result, Err(error));
    }
    assert_eq!(
        messages(&mut machine),
        [Message::UnsupportedAlignment],
        "once"
    );
}

#[test]
fn without_a_pool_what_must_bounce_fails_with_one_warning() {
    let mut machine = Machine::poolless(Platform::default());
    let domain = domain();
    let dev = untrusted(&domain);
    for _ in 0..2 {
        let result = machine
            .dma
            .map_phys(&mut machine.mem, &dev, &request(HIGH, 100, TO));
        assert_eq!(result, Err(MapError::Inactive));
    }
    let texts: Vec<String> = messages(&mut machine)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(texts, ["DMA bounce buffers are inactive"]);
    assert!(
        map(&mut machine, &dev, request(HIGH, 4096, TO))
            .bounce
            .is_none()
    );
}

#[test]
fn the_bounce_trace_shows_the_physical_address() {
    let mut machine = Machine::new();
    machine.dma.swiotlb_mut().set_tracing(true);
    let domain = domain();
    let dev = untrusted(&domain);
    map(&mut machine, &dev, request(HIGH + 4, 100, TO));
    let events = machine.dma.swiotlb_mut().drain_events();
    let [Event::Bounced(trace), Event::Dma(_)] = &events[..] else {
        panic!("two traces expected, got {events:?}");
    };
    assert_eq!((trace.dev_addr, trace.bytes), (DmaAddr::new(HIGH + 4), 100));
}

#[test]
fn small_buffers_of_incoherent_devices_bounce_but_are_not_padded_with_zeros() {
    let kmalloc = Some(KmallocBounce {
        min_align: 128,
        cache_alignment: 64,
    });
    let platform = Platform {
        kmalloc,
        ..Platform::default()
    };
    let mut machine = Machine::with(platform, "", Mode::Kernel);
    let domain = domain();
    let dev = trusted(&domain).with_coherency(false);
    machine.fill(POOL, 8192, 0xaa);
    let bounced: Vec<u64> = (1..=300)
        .filter(|&bytes| {
            let mapped = map(&mut machine, &dev, request(LOW, bytes, FROM));
            let (mem, dma) = (&mut machine.mem, &mut machine.dma);
            dma.unmap_phys(mem, &dev, mapped.dma_addr, bytes, FROM, Attrs::NONE)
                .unwrap();
            mapped.bounce.is_some()
        })
        .collect();
    let expected: Vec<u64> = (1..=32).chain(65..=96).collect();
    assert_eq!(bounced, expected);
    assert!(
        map(&mut machine, &dev, request(LOW, 32, TO))
            .bounce
            .is_none()
    );

    machine.fill(POOL, 512 * 2048, 0xaa);
    let mapped = map(&mut machine, &dev, request(LOW, 32, BOTH));
    let tlb = mapped.bounce.unwrap().tlb_addr.raw();
    assert_eq!(machine.read(tlb + 32, 4096 - 32), vec![0xaa; 4096 - 32]);

    // The size given to the sync decides, but an incoherent device is never left out.
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let synced = dma
        .sync_single_for_cpu(mem, &dev, mapped.dma_addr, 32, BOTH)
        .unwrap();
    assert_eq!(
        (synced.copied_bytes, synced.cache.invalidated_bytes),
        (32, 32)
    );
    let synced = dma
        .sync_single_for_device(mem, &dev, mapped.dma_addr, 32, BOTH)
        .unwrap();
    assert_eq!((synced.copied_bytes, synced.cache.cleaned_bytes), (32, 32));
}

#[test]
fn each_call_copies_what_the_table_says_behind_an_iommu_too() {
    // Direction; bytes copied at sync for device, sync for CPU, unmap.
    for (dir, for_device, for_cpu, at_unmap) in
        [(TO, 100, 0, 0), (FROM, 0, 100, 100), (BOTH, 100, 100, 100)]
    {
        let mut machine = Machine::new();
        let domain = domain();
        let dev = untrusted(&domain);
        machine.fill(HIGH, 100, 0x11);
        let mapped = map(&mut machine, &dev, request(HIGH, 100, dir));
        let bounce = mapped.bounce.unwrap();
        assert_eq!(bounce.copied_bytes, 100, "copy in for {dir}");
        let addr = mapped.dma_addr;
        let (mem, dma) = (&mut machine.mem, &mut machine.dma);
        let synced = dma
            .sync_single_for_device(mem, &dev, addr, 100, dir)
            .unwrap();
        assert_eq!(
            (synced.copied_bytes, synced.is_bounced),
            (for_device, true),
            "{dir}"
        );
        let synced = dma.sync_single_for_cpu(mem, &dev, addr, 100, dir).unwrap();
        assert_eq!(synced.copied_bytes, for_cpu, "{dir}");
        machine.fill(bounce.tlb_addr.raw(), 100, 0x22);
        let (mem, dma) = (&mut machine.mem, &mut machine.dma);
        let done = dma
            .unmap_phys(mem, &dev, addr, 100, dir, Attrs::NONE)
            .unwrap();
        assert_eq!(done.copied_bytes, at_unmap, "{dir}");
        let expected = if at_unmap == 0 { 0x11 } else { 0x22 };
        assert_eq!(machine.read(HIGH, 100), [expected; 100]);
    }
}

#[test]
fn skip_cpu_sync_at_unmap_discards_what_the_device_wrote() {
    let mut machine = Machine::new();
    let domain = domain();
    let dev = untrusted(&domain);
    machine.fill(HIGH, 100, 0x11);
    let addr = map(&mut machine, &dev, request(HIGH, 100, FROM)).dma_addr;
    device_write(&mut machine, &domain, addr, &[0x22; 100]);
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let done = dma
        .unmap_phys(mem, &dev, addr, 100, FROM, Attrs::SKIP_CPU_SYNC)
        .unwrap();
    assert_eq!((done.copied_bytes, done.bounce.is_some()), (0, true));
    assert_eq!(machine.read(HIGH, 100), [0x11; 100]);
}

#[test]
fn an_unmap_with_mmio_leaks_the_bounce_buffer() {
    let mut machine = Machine::new();
    let domain = domain();
    let dev = untrusted(&domain);
    let addr = map(&mut machine, &dev, request(HIGH, 100, FROM)).dma_addr;
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let done = dma
        .unmap_phys(mem, &dev, addr, 100, FROM, Attrs::MMIO)
        .unwrap();
    assert_eq!(done.bounce, None);
    assert_eq!(reason(&domain, addr, true), Some(FaultReason::NotMapped));
    assert_eq!(used_slots(&machine), 2);
}

#[test]
fn an_unmap_of_nothing_warns_and_strict_mode_refuses_it() {
    let addr = DmaAddr::new(0x5000);
    let domain = domain();
    let dev = trusted(&domain);
    let mut machine = Machine::new();
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let done = dma
        .unmap_phys(mem, &dev, addr, 100, FROM, Attrs::NONE)
        .unwrap();
    assert_eq!(done.copied_bytes, 0);
    assert_eq!(
        messages(&mut machine),
        [Message::IommuNotMapped { iova: addr }]
    );

    let mut machine = Machine::with(Platform::default(), "", Mode::Strict);
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let result = dma.unmap_phys(mem, &dev, addr, 100, FROM, Attrs::NONE);
    assert_eq!(
        result,
        Err(UnmapError::Iommu(IommuError::NotMapped { iova: addr }))
    );
    let synced = dma.sync_single_for_cpu(mem, &untrusted(&domain), addr, 100, FROM);
    assert_eq!(
        synced,
        Err(SyncError::Iommu(IommuError::NotMapped { iova: addr }))
    );

    let addr = map(&mut machine, &dev, request(LOW, 8192, BOTH)).dma_addr;
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let result = dma.unmap_phys(mem, &dev, addr, 4096, BOTH, Attrs::NONE);
    let error = IommuError::SizeMismatch {
        iova: addr,
        bytes: 4096,
        allocated: 8192,
    };
    assert_eq!(result, Err(UnmapError::Iommu(error)));
    assert!(domain.translate(addr, true).is_ok(), "nothing has changed");
}

#[test]
fn strict_mode_refuses_a_wrong_size_inside_the_granule_before_it_unmaps_anything() {
    let mut machine = Machine::with(Platform::default(), "", Mode::Strict);
    let domain = domain();
    let dev = untrusted(&domain);
    let addr = map(&mut machine, &dev, request(HIGH, 100, FROM)).dma_addr;
    device_write(&mut machine, &domain, addr, &[0x22; 100]);
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let result = dma.unmap_phys(mem, &dev, addr, 99, FROM, Attrs::NONE);
    assert!(
        matches!(
            result,
            Err(UnmapError::SizeMismatch {
                bytes: 99,
                mapped_bytes: 100,
                ..
            })
        ),
        "{result:?}"
    );
    assert!(domain.translate(addr, true).is_ok(), "nothing has changed");
    dma.unmap_phys(mem, &dev, addr, 100, FROM, Attrs::NONE)
        .unwrap();
    assert_eq!(machine.read(HIGH, 100), [0x22; 100]);
    assert_eq!(used_slots(&machine), 0);
}

#[test]
fn a_mapping_of_physical_address_zero_cannot_be_undone() {
    let mut machine = Machine::new();
    let domain = domain();
    let dev = trusted(&domain);
    let addr = map(&mut machine, &dev, request(0, 4096, BOTH)).dma_addr;
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    dma.unmap_phys(mem, &dev, addr, 4096, BOTH, Attrs::NONE)
        .unwrap();
    assert_eq!(domain.translate(addr, true), Ok(PhysAddr::new(0)));
    assert_eq!(
        messages(&mut machine),
        [Message::IommuNotMapped { iova: addr }]
    );
}

#[test]
fn cache_work_is_made_for_incoherent_devices_and_left_out_on_request() {
    let mut machine = Machine::new();
    let domain = domain();
    let work = |cleaned_bytes, invalidated_bytes| CacheWork {
        cleaned_bytes,
        invalidated_bytes,
    };
    let rows = [
        (false, Attrs::NONE, 100, 100),
        (false, Attrs::SKIP_CPU_SYNC, 0, 0),
        (false, Attrs::MMIO, 0, 0),
        (true, Attrs::NONE, 0, 0),
    ];
    for (is_coherent, attrs, cleaned, invalidated) in rows {
        let dev = trusted(&domain).with_coherency(is_coherent);
        let mapped = map(
            &mut machine,
            &dev,
            request(LOW, 100, BOTH).with_attrs(attrs),
        );
        assert_eq!(mapped.cache, work(cleaned, 0));
        let (mem, dma) = (&mut machine.mem, &mut machine.dma);
        let done = dma.unmap_phys(mem, &dev, mapped.dma_addr, 100, BOTH, attrs);
        assert_eq!(done.unwrap().cache, work(0, invalidated));
    }
}

#[test]
fn a_coherent_trusted_device_needs_no_sync() {
    let mut machine = Machine::new();
    let domain = domain();
    let dev = trusted(&domain);
    let addr = map(&mut machine, &dev, request(LOW, 100, BOTH)).dma_addr;
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let synced = dma.sync_single_for_cpu(mem, &dev, addr, 100, BOTH).unwrap();
    assert_eq!(synced, swiotlb::Synced::default());
    assert!(
        dma.needs_sync(&dev, addr),
        "the answer does not look that far"
    );
}

#[test]
fn syncs_are_skipped_until_the_first_bounce_but_unmaps_are_always_needed() {
    let mut machine = Machine::new();
    let domain = domain();
    let mut dev = untrusted(&domain);
    machine.dma.set_mask(&mut dev, bit_mask(64)).unwrap();
    assert!(dev.skips_sync() && machine.dma.needs_unmap(&dev));
    let addr = map(&mut machine, &dev, request(LOW, 100, BOTH)).dma_addr;
    assert!(!dev.skips_sync() && machine.dma.needs_sync(&dev, addr));
}

#[test]
fn shared_memory_cannot_be_mapped_behind_an_iommu() {
    let mut machine = Machine::new();
    let domain = domain();
    let dev = trusted(&domain);
    let shared = request(LOW, 4096, TO).with_attrs(Attrs::CC_SHARED);
    let result = machine.dma.map_phys(&mut machine.mem, &dev, &shared);
    assert_eq!(result, Err(MapError::Iommu(IommuError::SharedMemory)));
}

#[test]
fn host_encryption_does_not_concern_devices_behind_an_iommu() {
    let host = CcPlatform::Host { encryption_bit: 47 };
    assert!(Device::new("d").needs_unencrypted(host));
    assert!(!trusted(&domain()).needs_unencrypted(host));
}

#[test]
fn a_device_with_bypassed_operations_goes_around_the_iommu_if_it_reaches_all_memory() {
    let mut machine = Machine::new();
    let domain = domain();
    let is_direct =
        |dev: &Device, machine: &Machine| matches!(machine.dma.route(dev), Route::Direct);
    let narrow = trusted(&domain).with_ops_bypass();
    assert!(!is_direct(&narrow, &machine), "RAM ends above 32 bits");
    let wide = trusted(&domain).with_ops_bypass().with_masks(bit_mask(33));
    assert!(is_direct(&wide, &machine));
    let limited = trusted(&domain)
        .with_ops_bypass()
        .with_masks(bit_mask(64))
        .with_bus_limit(bit_mask(32));
    assert!(!is_direct(&limited, &machine));
    let never = trusted(&domain).with_masks(bit_mask(64));
    assert!(
        !is_direct(&never, &machine),
        "the layer itself is never bypassed"
    );
    let mapped = map(&mut machine, &wide, request(HIGH, 100, TO));
    assert_eq!(mapped.dma_addr, DmaAddr::new(HIGH));
}

#[test]
fn sizes_and_masks_are_those_of_an_iommu() {
    let mut machine = Machine::new();
    let domain = domain();
    let mut dev = trusted(&domain);
    machine.dma.set_mask(&mut dev, bit_mask(20)).unwrap();
    assert_eq!(dev.mask(), bit_mask(20), "any mask is supported");
    assert_eq!(machine.dma.required_mask(&dev), bit_mask(32));
    assert!(machine.dma.is_addressing_limited(&dev));
    machine.dma.set_mask(&mut dev, bit_mask(32)).unwrap();
    assert!(!machine.dma.is_addressing_limited(&dev));
    assert_eq!(machine.dma.max_mapping_size(&dev), u64::MAX);
    assert_eq!(machine.dma.opt_mapping_size(&dev), 128 << 10);
    assert_eq!(machine.dma.merge_boundary(&dev), 4095);
    let external = untrusted(&domain);
    assert_eq!(machine.dma.max_mapping_size(&external), 262_144 - 4096);
    assert_eq!(machine.dma.opt_mapping_size(&external), 128 << 10);
    let direct = Device::new("d").with_masks(bit_mask(64));
    assert_eq!(machine.dma.merge_boundary(&direct), 0);
    assert_eq!(machine.dma.opt_mapping_size(&direct), u64::MAX);
    let _ = &mut machine;
}

#[test]
fn a_full_domain_gives_the_bounce_buffer_back() {
    let mut machine = Machine::new();
    let aperture = swiotlb::Aperture {
        first: DmaAddr::new(0x1000),
        last: DmaAddr::new(0x2fff),
        is_forced: true,
    };
    let domain = domain_of(&DomainConfig::default().with_aperture(aperture));
    let dev = untrusted(&domain);
    map(&mut machine, &dev, request(HIGH, 100, FROM));
    map(&mut machine, &dev, request(HIGH, 100, FROM));
    let used = used_slots(&machine);
    let result = machine
        .dma
        .map_phys(&mut machine.mem, &dev, &request(HIGH, 100, FROM));
    let error = IommuError::NoSpace {
        bytes: 4096,
        limit: 0x2fff,
    };
    assert_eq!(result, Err(MapError::Iommu(error)));
    assert_eq!(error.errno(), -12);
    assert_eq!(used_slots(&machine), used);
}

#[test]
fn the_typed_door_leads_through_the_iommu_too() {
    let mut machine = Machine::with(Platform::default(), "", Mode::Strict);
    let domain = domain();
    let dev = untrusted(&domain);
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let mapping = dma
        .map_single(mem, &dev, request(HIGH + 5, 100, BOTH))
        .unwrap();
    assert!(mapping.bounced().is_some());
    let synced = dma.sync_range_for_cpu(mem, &dev, &mapping, 10, 20).unwrap();
    assert_eq!(synced.copied_bytes, 20);
    assert_eq!(
        dma.unmap_single(mem, &dev, mapping).unwrap().copied_bytes,
        100
    );
    assert_eq!(domain.stats().granted_ranges, 0);
}
