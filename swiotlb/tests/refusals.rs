//! Pools and calls that are refused, with a typed error and without a trace.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

use support::{HIGH, Machine, POOL};
use swiotlb::{
    AddressMarker, AllocatorId, Attrs, BootConfig, BounceRequest, CcPlatform, CpuId, DataDirection,
    Device, EarlyInit, InitError, InvalidHiwater, MAX_POOL_SLOTS, MapError, MapRequest, Mode,
    PageRequest, PageSource, PhysAddr, Platform, PoolGeometry, RegionSource, RestrictedRegion,
    Swiotlb,
};

fn with_geometry(base: u64, slots: u32, areas: u32) -> Result<Swiotlb, InitError> {
    let mut machine = Machine::new();
    let geometry = PoolGeometry {
        base: PhysAddr::new(base),
        slots,
        areas,
    };
    let (platform, boot) = (Platform::default(), BootConfig::default());
    Swiotlb::with_pool(&mut machine.mem, platform, boot, Mode::Kernel, geometry)
}

fn region(base: u64, bytes: u64) -> RestrictedRegion {
    RestrictedRegion {
        name: "r".to_owned(),
        base: PhysAddr::new(base),
        bytes,
    }
}

#[test]
fn a_pool_larger_than_its_bookkeeping_is_refused_before_any_is_made() {
    let slots = u64::from(u32::MAX);
    assert_eq!(
        with_geometry(0, u32::MAX, 1).unwrap_err(),
        InitError::TooManySlots { slots }
    );
    let error = with_geometry(0, MAX_POOL_SLOTS + 1, 1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "4194305 slots are more than a pool can have (4194304)"
    );
    assert_eq!(error.errno(), -12);
}

#[test]
fn a_pool_off_the_grid_of_slots_is_refused() {
    let error = with_geometry(POOL + 1024, 512, 1).unwrap_err();
    let base = PhysAddr::new(POOL + 1024);
    assert_eq!(error, InitError::OffGrid { base });
    let mut swiotlb = with_geometry(POOL, 512, 1).unwrap();
    let off_grid = swiotlb.add_restricted(region(1, 4096));
    assert!(matches!(off_grid, Err(InitError::OffGrid { .. })));
}

#[test]
fn pools_that_share_memory_are_refused() {
    let mut machine = Machine::new();
    let mut source = RegionSource::new(PhysAddr::new(0), 0);
    let swiotlb = machine.dma.swiotlb_mut();
    let overlapping = swiotlb
        .add_restricted(region(POOL + 0x8_0000, 1 << 20))
        .unwrap();
    let mut dev = Device::new("d");
    let error = swiotlb.attach_restricted(&mut machine.mem, &mut source, &mut dev, overlapping);
    assert_eq!(
        error,
        Err(InitError::Overlaps {
            base: PhysAddr::new(POOL + 0x8_0000),
            other: PhysAddr::new(POOL)
        })
    );
    assert_eq!(dev.allocator(), AllocatorId::DEFAULT);
    let behind = swiotlb
        .add_restricted(region(POOL + 0x10_0000, 4096))
        .unwrap();
    let fits = swiotlb.attach_restricted(&mut machine.mem, &mut source, &mut dev, behind);
    assert_eq!(fits, Ok(()));
}

/// Notes which pages are shared.
#[derive(Default)]
struct Sharing {
    shared: Vec<(PhysAddr, u64)>,
}

impl PageSource for Sharing {
    fn alloc(&mut self, _: &PageRequest) -> Option<PhysAddr> {
        None
    }

    fn free(&mut self, _: PhysAddr, _: u64) {}

    fn make_shared(&mut self, base: PhysAddr, bytes: u64) -> Result<(), i32> {
        self.shared.push((base, bytes));
        Ok(())
    }

    fn make_private(&mut self, base: PhysAddr, bytes: u64) -> Result<(), i32> {
        self.shared.retain(|&range| range != (base, bytes));
        Ok(())
    }
}

#[test]
fn a_restricted_pool_that_fails_leaves_no_page_shared() {
    let mut machine = Machine::new();
    let platform = Platform {
        cc: CcPlatform::Guest(AddressMarker::None),
        ..Platform::default()
    };
    let mut swiotlb = Swiotlb::new(platform, BootConfig::default(), Mode::Kernel);
    let nowhere = swiotlb.add_restricted(region(0x7000_0000, 4096)).unwrap();
    let mut sharing = Sharing::default();
    let mut dev = Device::new("d");
    let error = swiotlb.attach_restricted(&mut machine.mem, &mut sharing, &mut dev, nowhere);
    assert!(matches!(error, Err(InitError::Memory(_))));
    assert_eq!(sharing.shared, []);
    let here = swiotlb.add_restricted(region(POOL, 4096)).unwrap();
    swiotlb
        .attach_restricted(&mut machine.mem, &mut sharing, &mut dev, here)
        .unwrap();
    assert_eq!(sharing.shared, [(PhysAddr::new(POOL), 4096)]);
}

#[test]
fn a_layer_with_a_given_pool_says_nothing_of_other_sizes() {
    let mut machine = Machine::new();
    let mut boot = BootConfig::default();
    boot.parse("8192,4");
    let geometry = PoolGeometry {
        base: PhysAddr::new(POOL),
        slots: 512,
        areas: 2,
    };
    let platform = Platform::default();
    let mem = &mut machine.mem;
    let swiotlb = Swiotlb::with_pool(mem, platform, boot, Mode::Kernel, geometry).unwrap();
    assert_eq!(swiotlb.drain_events(), []);
    let boot = swiotlb.boot();
    assert_eq!((boot.default_slots(), boot.default_areas()), (512, 2));
}

#[test]
fn a_teardown_clears_the_high_water_mark() {
    let mut machine = Machine::with(Platform::default(), ",,track_hiwater", Mode::Kernel);
    let dev = Device::new("d");
    let request = MapRequest::new(PhysAddr::new(HIGH), 100, DataDirection::ToDevice);
    let mapped = machine
        .dma
        .map_phys(&mut machine.mem, &dev, &request)
        .unwrap();
    assert!(mapped.bounce.is_some());
    let mut source = RegionSource::new(PhysAddr::new(0), 0);
    let swiotlb = machine.dma.swiotlb_mut();
    assert_eq!(swiotlb.stats(AllocatorId::DEFAULT).unwrap().used_hiwater, 1);
    assert_eq!(swiotlb.exit(&mut source), 1 << 20);
    let stats = swiotlb.stats(AllocatorId::DEFAULT).unwrap();
    assert_eq!((stats.used_hiwater, stats.used_slots), (0, 0));
    let how = EarlyInit {
        has_addressing_limit: true,
        ..EarlyInit::default()
    };
    let mut again = RegionSource::new(PhysAddr::new(POOL), 1 << 20);
    assert!(
        swiotlb
            .init_early(&mut machine.mem, &mut again, how)
            .is_ok()
    );
}

#[test]
fn the_mark_of_an_unknown_allocator_cannot_be_reset() {
    let mut other = with_geometry(POOL, 512, 1).unwrap();
    let id = other.add_restricted(region(0x20_0000, 4096)).unwrap();
    let swiotlb = with_geometry(POOL, 512, 1).unwrap();
    let error = swiotlb.reset_hiwater(id, 0).unwrap_err();
    assert_eq!(error, InvalidHiwater::UnknownAllocator { id });
    assert_eq!(error.to_string(), "there is no allocator 1");
}

#[test]
fn a_bounce_buffer_needs_a_direction() {
    let mut machine = Machine::new();
    let dir = DataDirection::None;
    let request = BounceRequest {
        orig: PhysAddr::new(HIGH),
        bytes: 100,
        alloc_align_mask: 0,
        dir,
        attrs: Attrs::NONE,
        cpu: CpuId(0),
    };
    let swiotlb = machine.dma.swiotlb();
    let refused = swiotlb.tbl_map_single(&mut machine.mem, &Device::new("d"), &request);
    assert_eq!(refused, Err(MapError::BadDirection(dir)));
}
