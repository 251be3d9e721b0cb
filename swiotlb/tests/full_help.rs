//! What a refusal says would have helped, for each kind of allocator; and that it does help.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

use support::{HIGH, Machine, POOL};
use swiotlb::{
    AddressMarker, BootConfig, BootOptions, CcPlatform, DataDirection, Device, Dma, Full, MapError,
    MapRequest, Mapping, Mode, MoreSlots, NoPoolAlone, PhysAddr, Platform, Policy, PoolGeometry,
    RegionSource, RestrictedRegion, Swiotlb,
};

const PAGES: u64 = 0x140_0000;
const SHARED: u64 = 0x1c0_0000;

fn machine(policy: Policy, cc: CcPlatform, slots: u32) -> Machine {
    let mut machine = Machine::new();
    let boot = BootConfig::new(BootOptions {
        policy,
        ..BootOptions::default()
    });
    let geometry = PoolGeometry {
        base: PhysAddr::new(POOL),
        slots,
        areas: 1,
    };
    let platform = Platform {
        cc,
        ..Platform::default()
    };
    let mem = &mut machine.mem;
    let mut swiotlb = Swiotlb::with_pool(mem, platform, boot, Mode::Kernel, geometry).unwrap();
    swiotlb.update_mem_attributes(&mut pages());
    machine.dma = Dma::new(swiotlb);
    machine
}

fn pages() -> RegionSource {
    RegionSource::new(PhysAddr::new(PAGES), 0x80_0000)
}

fn map(machine: &mut Machine, dev: &Device, at: u64, bytes: u64) -> Result<Mapping, Full> {
    let request = MapRequest::new(PhysAddr::new(HIGH + at), bytes, DataDirection::ToDevice);
    let mapped = machine.dma.map_single(&mut machine.mem, dev, request);
    mapped.map_err(|cause| match cause {
        MapError::Full(full) => full,
        other => panic!("expected a full layer, got {other}"),
    })
}

/// Maps half of a slot set each time until there is no room, and returns what is said then.
fn fill(machine: &mut Machine, dev: &Device) -> Full {
    loop {
        if let Err(full) = map(machine, dev, 0x800, 128 << 10) {
            return full;
        }
    }
}

#[test]
fn a_fixed_pool_is_made_larger_by_the_parameter_or_a_policy() {
    for policy in [Policy::Static, Policy::PerBuffer] {
        let mut machine = machine(policy, CcPlatform::None, 512);
        let dev = Device::new("d");
        let full = fill(&mut machine, &dev);
        assert_eq!(full.more, MoreSlots::Fixed);
        assert_eq!(
            full.help(),
            "a larger pool, or fewer live mappings; swiotlb=<slots> sets the size of the pool, and a \
             policy that adds pools lets it grow"
        );
        let mut larger = self::machine(policy, CcPlatform::None, 1024);
        let made = (0..9).map(|_| map(&mut larger, &dev, 0x800, 128 << 10));
        assert_eq!(made.filter(Result::is_ok).count(), 9);
    }
}

#[test]
fn a_restricted_pool_is_made_larger_by_its_region_alone() {
    for policy in [Policy::Static, Policy::DynamicPools] {
        for (bytes, is_enough) in [(1 << 20, false), (2 << 20, true)] {
            let mut machine = machine(policy, CcPlatform::None, 512);
            let swiotlb = machine.dma.swiotlb_mut();
            swiotlb.set_page_source(Box::new(pages()));
            let region = RestrictedRegion {
                name: "camera".to_owned(),
                base: PhysAddr::new(POOL + 0x10_0000),
                bytes,
            };
            let id = swiotlb.add_restricted(region).unwrap();
            let mut dev = Device::new("camera");
            swiotlb
                .attach_restricted(&mut machine.mem, &mut pages(), &mut dev, id)
                .unwrap();
            let made = (0..9).map(|_| map(&mut machine, &dev, 0, 128 << 10));
            let refused: Vec<Full> = made.filter_map(Result::err).collect();
            assert_eq!(refused.is_empty(), is_enough);
            for full in refused {
                assert_eq!(full.more, MoreSlots::Restricted);
                let help = full.help();
                assert!(help.contains("restricted region"), "{help}");
                assert!(!help.contains("swiotlb="), "{help}");
            }
        }
    }
}

#[test]
fn a_layer_without_a_page_source_asks_for_one_and_grows_with_it() {
    let mut machine = machine(Policy::DynamicPools, CcPlatform::None, 512);
    let dev = Device::new("d");
    let full = fill(&mut machine, &dev);
    let alone = Some(NoPoolAlone::NoSource);
    assert_eq!(full.more, MoreSlots::Growing { alone });
    assert!(full.help().contains("set_page_source"), "{}", full.help());
    machine.dma.swiotlb_mut().set_page_source(Box::new(pages()));
    assert!(map(&mut machine, &dev, 0, 100).is_ok());
    let work = machine.dma.swiotlb().run_pending_work(&mut machine.mem);
    assert!(work.added.is_some());
}

#[test]
fn pages_that_are_used_up_or_lie_badly_are_told_apart() {
    let mut machine = machine(Policy::DynamicPools, CcPlatform::None, 512);
    let dev = Device::new("d");
    let nvme = Device::new("nvme").with_min_align_mask(0xfff);
    let few = RegionSource::new(PhysAddr::new(PAGES), 0x1000);
    machine.dma.swiotlb_mut().set_page_source(Box::new(few));
    let full = fill(&mut machine, &dev);
    let alone = Some(NoPoolAlone::NoPages);
    assert_eq!(full.more, MoreSlots::Growing { alone });
    let full = map(&mut machine, &nvme, 0x800, 100).unwrap_err();
    let alone = Some(NoPoolAlone::Misplaced);
    assert_eq!(full.more, MoreSlots::Growing { alone });
    let text = full.to_string();
    assert!(text.ends_with("lie as the masks want it"), "{text}");
    assert!(full.help().contains("run_pending_work"), "{}", full.help());
    machine.dma.swiotlb_mut().set_page_source(Box::new(pages()));
    machine.dma.swiotlb().run_pending_work(&mut machine.mem);
    assert!(map(&mut machine, &nvme, 0x800, 100).is_ok());
}

#[test]
fn a_guest_is_told_that_no_pages_are_shared_already() {
    let guest = CcPlatform::Guest(AddressMarker::None);
    let mut machine = machine(Policy::DynamicPools, guest, 512);
    let dev = Device::new("d");
    machine.dma.swiotlb_mut().set_page_source(Box::new(pages()));
    let full = fill(&mut machine, &dev);
    let alone = Some(NoPoolAlone::NoSharedPages);
    assert_eq!(full.more, MoreSlots::Growing { alone });
    assert!(
        full.help().contains("PageOrigin::Atomic"),
        "{}",
        full.help()
    );
    let shared = pages().with_shared(PhysAddr::new(SHARED), 0x4_0000);
    machine.dma.swiotlb_mut().set_page_source(Box::new(shared));
    let alone = map(&mut machine, &dev, 0, 100).unwrap();
    let tlb_addr = alone.bounced().unwrap().tlb_addr;
    assert_eq!(tlb_addr, PhysAddr::new(SHARED));
}

#[test]
fn ended_growth_leaves_the_parameter() {
    let mut machine = machine(Policy::DynamicPools, CcPlatform::None, 512);
    machine.dma.swiotlb_mut().set_page_source(Box::new(pages()));
    assert!(machine.dma.swiotlb().default_base().is_some());
    let full = fill(&mut machine, &Device::new("d"));
    assert_eq!(full.more, MoreSlots::GrowthEnded);
    assert!(full.help().contains("swiotlb=<slots>"), "{}", full.help());
    assert!(!full.help().contains("run_pending_work"));
}
