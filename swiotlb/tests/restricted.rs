//! Restricted pools: page allocations and mappings in one pool.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use swiotlb::{
    AllocError, AllocatorId, Attrs, BootConfig, BootOptions, BounceRequest, CpuId, DataDirection,
    Device, DomainConfig, InitError, IommuDomain, MapError, Mode, PhysAddr, Platform, RamRange,
    RegionProperties, RegionSource, RestrictedRegion, SparseMemory, Swiotlb,
};

const BASE: u64 = 0x8000_0000;

struct Bench {
    mem: SparseMemory,
    swiotlb: Swiotlb,
    id: AllocatorId,
    dev: Device,
}

fn bench(base: u64, bytes: u64) -> Bench {
    let range = |start: u64, bytes: u64| RamRange {
        start: PhysAddr::new(start),
        bytes,
    };
    let mut mem =
        SparseMemory::new(&[range(base, bytes), range(0x1_0000_0000, 0x10_0000)]).unwrap();
    let mut swiotlb = Swiotlb::new(Platform::default(), BootConfig::default(), Mode::Kernel);
    let region = RestrictedRegion {
        name: "nic-pool".to_owned(),
        base: PhysAddr::new(base),
        bytes,
    };
    let id = swiotlb.add_restricted(region).unwrap();
    let mut dev = Device::new("nic");
    let mut pages = RegionSource::new(PhysAddr::new(0), 0);
    swiotlb
        .attach_restricted(&mut mem, &mut pages, &mut dev, id)
        .unwrap();
    Bench {
        mem,
        swiotlb,
        id,
        dev,
    }
}

impl Bench {
    fn alloc(&mut self, bytes: u64) -> Result<u64, AllocError> {
        let cpu = CpuId(0);
        self.swiotlb
            .alloc(&self.dev, bytes, Attrs::NONE, cpu)
            .map(PhysAddr::raw)
    }

    fn lists(&self, from: usize, len: usize) -> Vec<u16> {
        let pool = self.swiotlb.pools(self.id).next().unwrap();
        let slots = self.swiotlb.snapshot(pool).unwrap().slots;
        slots[from..from + len]
            .iter()
            .map(|slot| slot.list)
            .collect()
    }
}

#[test]
fn pages_are_naturally_aligned_but_take_only_their_slots() {
    let mut bench = bench(BASE, 200 * 2048);
    assert_eq!(bench.lists(127, 2), [1, 72]);
    assert_eq!(bench.alloc(4096), Ok(BASE));
    assert_eq!(bench.alloc(12288), Ok(BASE + 0x4000));
    assert_eq!(
        bench.lists(0, 16),
        [0, 0, 6, 5, 4, 3, 2, 1, 0, 0, 0, 0, 0, 0, 114, 113]
    );
    assert_eq!(bench.alloc(65536), Ok(BASE + 0x1_0000));
    let freed = bench.swiotlb.free(&bench.dev, PhysAddr::new(BASE + 0x4000));
    assert_eq!(freed.map(|released| released.slots), Some(6));
    assert_eq!(bench.lists(2, 6), [30, 29, 28, 27, 26, 25]);
    let foreign = bench.swiotlb.free(&bench.dev, PhysAddr::new(0x1000));
    assert_eq!(foreign, None);
}

#[test]
fn a_release_at_the_end_of_an_uneven_pool_stays_inside() {
    let mut bench = bench(BASE, 131 * 2048);
    let mut all: Vec<u64> = (0..65).map(|_| bench.alloc(4096).unwrap()).collect();
    assert_eq!(all[64], BASE + 128 * 2048);
    all.push(bench.alloc(1).unwrap());
    assert_eq!(all[65], BASE + 130 * 2048);
    let error = bench.alloc(1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "swiotlb full: need 1 slots for 1 bytes, 131 of 131 used, only 0 free"
    );
    for addr in all {
        bench.swiotlb.free(&bench.dev, PhysAddr::new(addr)).unwrap();
    }
    assert_eq!(bench.lists(127, 4), [1, 3, 2, 1]);
    assert_eq!(bench.swiotlb.stats(bench.id).unwrap().used_slots, 0);
}

#[test]
fn mappings_bounce_always_and_share_slots_with_pages() {
    let mut bench = bench(BASE, 0x10_0000);
    assert!(bench.swiotlb.is_force_bounce(&bench.dev));
    assert!(bench.swiotlb.is_for_alloc(&bench.dev));
    bench.alloc(1).unwrap();
    let request = BounceRequest {
        orig: PhysAddr::new(0x1_0000_0000),
        bytes: 100,
        alloc_align_mask: 0,
        dir: DataDirection::ToDevice,
        attrs: Attrs::NONE,
        cpu: CpuId(3),
    };
    let bounce = bench
        .swiotlb
        .tbl_map_single(&mut bench.mem, &bench.dev, &request)
        .unwrap();
    assert_eq!(bounce.tlb_addr, PhysAddr::new(BASE + 2048));
    // Another device keeps the default allocator, which has no pool.
    let other = Device::new("other");
    let refused = bench
        .swiotlb
        .tbl_map_single(&mut bench.mem, &other, &request);
    assert_eq!(refused, Err(MapError::Inactive));
    assert_eq!(bench.swiotlb.find_pool(&other, bounce.tlb_addr), None);
    bench.swiotlb.detach_restricted(&mut bench.dev);
    assert_eq!(bench.dev.allocator(), AllocatorId::DEFAULT);
}

#[test]
fn a_pool_off_the_page_grid_gives_no_pages() {
    let mut bench = bench(BASE + 0x800, 0x10_0000);
    assert_eq!(bench.alloc(4096), Ok(BASE + 0x1000));
    let stray = bench.alloc(262_145).unwrap_err();
    assert!(
        stray.to_string().contains("more than a slot set"),
        "{stray}"
    );
    assert_eq!(bench.alloc(0), Err(AllocError::ZeroSize));
    let shared = Attrs::ALLOC_CC_SHARED;
    let result = bench.swiotlb.alloc(&bench.dev, 1, shared, CpuId(0));
    assert_eq!(
        result,
        Err(AllocError::CcMismatch {
            pool_is_shared: false
        })
    );
}

#[test]
fn impossible_regions_are_refused() {
    let mut swiotlb = Swiotlb::new(Platform::default(), BootConfig::default(), Mode::Kernel);
    let region = |base: u64, bytes: u64| RestrictedRegion {
        name: "bad".to_owned(),
        base: PhysAddr::new(base),
        bytes,
    };
    assert!(swiotlb.add_restricted(region(BASE, 2047)).is_err());
    assert!(swiotlb.add_restricted(region(BASE, u64::MAX)).is_err());
    assert!(
        swiotlb
            .add_restricted(region(u64::MAX - 4095, 8192))
            .is_err()
    );
    let mut mem = SparseMemory::new(&[]).unwrap();
    let mut pages = RegionSource::new(PhysAddr::new(0), 0);
    let mut dev = Device::new("d");
    let id = AllocatorId::DEFAULT;
    let refused = swiotlb.attach_restricted(&mut mem, &mut pages, &mut dev, id);
    assert!(matches!(refused, Err(InitError::Invalid { .. })));
    // Known, but not memory.
    let id = swiotlb.add_restricted(region(BASE, 4096)).unwrap();
    let refused = swiotlb.attach_restricted(&mut mem, &mut pages, &mut dev, id);
    assert!(matches!(refused, Err(InitError::Memory(_))));
    assert_eq!(dev.allocator(), AllocatorId::DEFAULT);
}

#[test]
fn a_device_behind_an_iommu_gets_no_restricted_pool() {
    let mut bench = bench(BASE, 0x10_0000);
    let domain = IommuDomain::new(&DomainConfig::default()).unwrap();
    let mut dev = Device::new("gpu").with_iommu(domain.into());
    let mut pages = RegionSource::new(PhysAddr::new(0), 0);
    let refused = bench
        .swiotlb
        .attach_restricted(&mut bench.mem, &mut pages, &mut dev, bench.id);
    assert_eq!(refused, Err(InitError::BehindIommu));
    assert_eq!(InitError::BehindIommu.errno(), -22);
    assert_eq!(dev.allocator(), AllocatorId::DEFAULT);
}

#[test]
fn of_several_regions_of_a_device_the_first_counts() {
    let mut bench = bench(BASE, 0x10_0000);
    let mut second = region_at(BASE);
    second.base = PhysAddr::new(BASE + 0x10_0000);
    let id = bench.swiotlb.add_restricted(second).unwrap();
    let mut pages = RegionSource::new(PhysAddr::new(0), 0);
    let mut attach = |swiotlb: &mut Swiotlb, dev: &mut Device, id| {
        swiotlb.attach_restricted(&mut bench.mem, &mut pages, dev, id)
    };
    let refused = attach(&mut bench.swiotlb, &mut bench.dev, id);
    assert_eq!(refused, Err(InitError::NotFirstRegion { first: bench.id }));
    assert_eq!(bench.dev.allocator(), bench.id);
    // The same region again changes nothing.
    let again = attach(&mut bench.swiotlb, &mut bench.dev, bench.id);
    assert_eq!(again, Ok(()));
}

fn region_at(base: u64) -> RestrictedRegion {
    RestrictedRegion {
        name: "r".to_owned(),
        base: PhysAddr::new(base),
        bytes: 0x10_0000,
    }
}

#[test]
fn each_property_that_a_restricted_pool_cannot_have_is_refused() {
    let none = RegionProperties::default();
    let rows = [
        (
            RegionProperties {
                is_reusable: true,
                ..none
            },
            "reusable",
        ),
        (
            RegionProperties {
                is_unmapped: true,
                ..none
            },
            "no-map",
        ),
        (
            RegionProperties {
                is_cma_default: true,
                ..none
            },
            "linux,cma-default",
        ),
        (
            RegionProperties {
                is_dma_default: true,
                ..none
            },
            "linux,dma-default",
        ),
        (
            RegionProperties {
                is_high_memory: true,
                ..none
            },
            "high memory",
        ),
    ];
    let mut swiotlb = Swiotlb::new(Platform::default(), BootConfig::default(), Mode::Kernel);
    for (properties, name) in rows {
        let refused = swiotlb.add_restricted_node(region_at(BASE), properties);
        let refused = refused.unwrap_err();
        assert_eq!(refused.errno(), -22);
        assert!(refused.to_string().contains(name), "{refused}");
    }
    assert!(swiotlb.add_restricted_node(region_at(BASE), none).is_ok());
}

#[test]
fn without_restricted_pools_in_the_build_no_region_becomes_one() {
    let boot = BootConfig::new(BootOptions {
        has_restricted_pools: false,
        ..BootOptions::default()
    });
    let mut swiotlb = Swiotlb::new(Platform::default(), boot, Mode::Kernel);
    let refused = swiotlb.add_restricted(region_at(BASE)).unwrap_err();
    assert!(
        refused.to_string().contains("DMA_RESTRICTED_POOL"),
        "{refused}"
    );
}
