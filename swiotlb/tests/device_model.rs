//! Masks, limits and windows of a device, and the sizes that follow from them.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

use support::{HIGH, LOW, Machine};
use swiotlb::{
    Attrs, Bidirectional, DataDirection, Device, DirectedMapping, DmaAddr, DmaConfig, DmaError,
    DmaMessage, DmaRange, Event, FromDevice, KmallocBounce, MapError, MapRequest, MaskError,
    Message, Mode, PhysAddr, Platform, ToDevice, bit_mask,
};

fn window(cpu: u64, dma: u64, bytes: u64) -> DmaRange {
    DmaRange {
        cpu_start: PhysAddr::new(cpu),
        dma_start: DmaAddr::new(dma),
        bytes,
    }
}

#[test]
fn a_limit_needs_parms_and_the_lack_is_reported_once() {
    let mut machine = Machine::new();
    let mut dev = Device::new("d").without_parms();
    for _ in 0..2 {
        let dma = &mut machine.dma;
        assert_eq!(dma.set_max_seg_size(&mut dev, 5).unwrap_err().errno(), -22);
        assert!(dma.set_seg_boundary(&mut dev, 5).is_err());
        assert!(dma.set_min_align_mask(&mut dev, 5).is_err());
    }
    assert_eq!(dev.max_segment_bytes(), 65536);
    assert_eq!(
        (dev.seg_boundary_mask(), dev.min_align_mask()),
        (u64::MAX, 0)
    );
    let events = machine.dma.swiotlb_mut().drain_events();
    assert_eq!(
        events,
        [Event::Message {
            driver: None,
            device: Some("d".to_owned()),
            message: Message::Dma(DmaMessage::NoDmaParms)
        }]
    );

    let mut dev = Device::pci("d");
    assert_eq!(dev.seg_boundary_mask(), 0xffff_ffff);
    let dma = &mut machine.dma;
    dma.set_max_seg_size(&mut dev, 4096).unwrap();
    dma.set_seg_boundary(&mut dev, 0xffff).unwrap();
    dma.set_min_align_mask(&mut dev, 0xfff).unwrap();
    let limits = |dev: &Device| {
        let (segment, boundary) = (dev.max_segment_bytes(), dev.seg_boundary_mask());
        (segment, boundary, dev.min_align_mask())
    };
    assert_eq!(limits(&dev), (4096, 0xffff, 0xfff));
    // Zero means the default.
    dma.set_max_seg_size(&mut dev, 0).unwrap();
    dma.set_seg_boundary(&mut dev, 0).unwrap();
    assert_eq!(limits(&dev), (65536, u64::MAX, 0xfff));
}

#[test]
fn coerced_masks_are_one_variable_from_then_on() {
    let machine = Machine::new();
    let dma = &machine.dma;
    let mut dev = Device::new("d").without_dma_mask();
    // Refused, but the device has a mask now.
    let error = dma.coerce_mask_and_coherent(&mut dev, bit_mask(20));
    assert!(matches!(error, Err(MaskError::TooNarrow { .. })));
    assert!(dev.has_dma_mask() && dev.has_one_mask());
    assert_eq!(dma.coerce_mask_and_coherent(&mut dev, bit_mask(40)), Ok(()));
    assert_eq!(
        (dev.mask(), dev.coherent_mask()),
        (bit_mask(40), bit_mask(40))
    );
    dma.set_coherent_mask(&mut dev, bit_mask(33)).unwrap();
    assert_eq!(dev.mask(), bit_mask(33));
    dma.set_mask(&mut dev, bit_mask(36)).unwrap();
    assert_eq!(dev.coherent_mask(), bit_mask(36));
    // Masks that were not coerced are two.
    let mut two = Device::new("two");
    dma.set_mask(&mut two, bit_mask(40)).unwrap();
    assert_eq!(two.coherent_mask(), bit_mask(32));
}

#[test]
fn a_range_map_cuts_what_the_bus_passes() {
    let machine = Machine::new();
    let dma = &machine.dma;
    let mut dev = Device::new("d").with_masks(bit_mask(64));
    for ranges in [
        vec![],
        vec![window(0, 0, 0)],
        vec![window(1, 0, u64::MAX), window(2, 0, u64::MAX)],
        vec![window(0, 1 << 63, u64::MAX)],
    ] {
        assert_eq!(
            dma.set_range_map(&mut dev, &ranges).unwrap_err().errno(),
            -22
        );
    }
    assert!(dev.ranges().is_empty());
    let ranges = [window(HIGH, 0, 0x4000_0000)];
    dma.set_range_map(&mut dev, &ranges).unwrap();
    assert_eq!((dev.bus_limit(), dev.mask()), (0x3fff_ffff, 0x3fff_ffff));
    let high = PhysAddr::new(HIGH + 0x1000);
    let addr = dma.phys_to_dma(&dev, high, Attrs::NONE);
    assert_eq!(addr, DmaAddr::new(0x1000));
    assert_eq!(dma.dma_to_phys(&dev, addr), high);
    assert!(dma.capable(&dev, addr, 1, Attrs::NONE));
    assert!(!dma.capable(&dev, DmaAddr::MAPPING_ERROR, 1, Attrs::NONE));
    // RAM outside the map limits the device, although its mask is wide enough.
    dma.set_bus_limit(&mut dev, 0);
    dma.set_mask(&mut dev, bit_mask(64)).unwrap();
    assert!(dma.is_addressing_limited(&dev));
}

#[test]
fn an_offset_is_set_once_and_zero_installs_nothing() {
    let machine = Machine::new();
    let dma = &machine.dma;
    let mut dev = Device::new("d");
    let (cpu, bus) = (PhysAddr::new(HIGH), DmaAddr::new(0x1000_0000));
    let same = DmaAddr::new(HIGH);
    assert_eq!(dma.set_offset(&mut dev, cpu, same, 0x1000), Ok(()));
    assert!(dev.ranges().is_empty());
    assert_eq!(dma.set_offset(&mut dev, cpu, bus, 0x1000), Ok(()));
    assert_eq!(dma.phys_to_dma(&dev, cpu, Attrs::NONE), bus);
    let again = dma.set_offset(&mut dev, cpu, bus, 0x1000);
    assert!(matches!(again, Err(DmaError::Invalid { .. })));
}

#[test]
fn sizes_without_an_iommu_know_no_merging() {
    let machine = Machine::new();
    let dma = &machine.dma;
    let dev = Device::new("d");
    assert_eq!(dma.opt_mapping_size(&dev), dma.max_mapping_size(&dev));
    assert_eq!(dma.opt_mapping_size(&dev), 262_144);
    assert_eq!(
        dma.opt_mapping_size(&Device::new("m").without_dma_mask()),
        0
    );
    assert_eq!(dma.merge_boundary(&dev), 0);
    assert_eq!(dma.cache_alignment(), 1);
    let config = DmaConfig::PC.with_cache_alignment(128).unwrap();
    let machine = Machine::configured(Platform::default(), Mode::Kernel, config);
    assert_eq!(machine.dma.cache_alignment(), 128);
}

#[test]
fn small_buffers_that_bounce_do_not_lower_the_largest_size() {
    let platform = Platform {
        kmalloc: Some(KmallocBounce {
            min_align: 128,
            cache_alignment: 64,
        }),
        ..Platform::default()
    };
    let mut machine = Machine::with(platform, "", Mode::Kernel);
    let dev = Device::new("d")
        .with_masks(bit_mask(64))
        .with_coherency(false);
    let request = MapRequest::new(PhysAddr::new(LOW), 16, DataDirection::FromDevice);
    let mapped = machine.dma.map_phys(&mut machine.mem, &dev, &request);
    assert!(mapped.unwrap().bounce.is_some());
    assert_eq!(machine.dma.max_mapping_size(&dev), u64::MAX);
    assert_eq!(machine.dma.cache_alignment(), 64);
}

#[test]
fn a_page_is_never_mmio_and_its_unmap_ignores_mmio() {
    let mut machine = Machine::new();
    let dev = Device::new("d");
    let from = DataDirection::FromDevice;
    let page = MapRequest::new(PhysAddr::new(HIGH), 16, from);
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let mmio = page.with_attrs(Attrs::MMIO);
    assert_eq!(dma.map_page(mem, &dev, 0, &mmio), Err(MapError::MmioPage));
    let mapped = dma.map_page(mem, &dev, 0x234, &page).unwrap();
    let addr = mapped.dma_addr;
    assert!(mapped.bounce.is_some());
    let done = dma.unmap_page(mem, &dev, addr, 16, from, Attrs::MMIO);
    assert_eq!(done.unwrap().bounce, None);
    let done = dma.unmap_page(mem, &dev, addr, 16, from, Attrs::NONE);
    assert_eq!(done.unwrap().copied_bytes, 16);
    // An offset that wraps leads to page 0, which is memory here.
    let wrapped = dma.map_page(mem, &dev, HIGH.wrapping_neg(), &page);
    assert_eq!(wrapped.unwrap().dma_addr, DmaAddr::new(0));
    let resource = MapRequest::new(PhysAddr::new(0xf000_0000), 16, from);
    let mapped = dma.map_resource(mem, &dev, &resource).unwrap();
    let done = dma.unmap_resource(mem, &dev, mapped.dma_addr, 16, from, Attrs::NONE);
    assert_eq!(done.unwrap().bounce, None);
}

#[test]
fn a_direction_in_the_type_is_that_of_the_mapping() {
    let mut machine = Machine::new();
    let (dev, other) = (Device::new("d"), Device::new("o"));
    let high = PhysAddr::new(HIGH);
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let sent = dma
        .map_directed::<ToDevice, _>(mem, &dev, high, 16)
        .unwrap();
    let synced = dma.sync_directed_for_device(mem, &dev, &sent);
    assert_eq!(synced.unwrap().copied_bytes, 16);
    assert_eq!(sent.mapping().direction(), DataDirection::ToDevice);
    // To the dynamic form and back; another direction is not taken.
    let sent = DirectedMapping::<FromDevice>::try_from(sent.into_mapping()).unwrap_err();
    let sent = DirectedMapping::<ToDevice>::try_from(sent).unwrap();
    let refused = dma.unmap_directed(mem, &other, sent).unwrap_err();
    let sent = refused.into_value();
    assert_eq!(dma.unmap_directed(mem, &dev, sent).unwrap().copied_bytes, 0);

    let both = dma
        .map_directed::<Bidirectional, _>(mem, &dev, high, 16)
        .unwrap();
    assert!(dma.needs_sync(&dev, both.dma_addr()));
    let synced = dma.sync_directed_for_cpu(mem, &dev, &both);
    assert_eq!(synced.unwrap().copied_bytes, 16);
    assert_eq!(
        dma.unmap_directed(mem, &dev, both).unwrap().copied_bytes,
        16
    );
}
