//! Why a full layer is full: each reason comes when it is the one.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

use support::{HIGH, Machine, POOL};
use swiotlb::{
    BootConfig, BootOptions, Device, Dma, FullReason, MapError, MapRequest, Mapping, Mode,
    PhysAddr, Platform, Policy, RegionSource, RestrictedRegion, Swiotlb,
};

fn map(machine: &mut Machine, dev: &Device, at: u64, bytes: u64) -> Result<Mapping, FullReason> {
    let dir = swiotlb::DataDirection::ToDevice;
    let request = MapRequest::new(PhysAddr::new(HIGH + at), bytes, dir);
    let mapped = machine.dma.map_single(&mut machine.mem, dev, request);
    mapped.map_err(|cause| match cause {
        MapError::Full(full) => full.why,
        other => panic!("expected a full layer, got {other}"),
    })
}

/// Maps single slots until all are taken.
fn take_all(machine: &mut Machine, dev: &Device) -> Vec<Mapping> {
    (0..512)
        .map(|_| map(machine, dev, 0, 100).unwrap())
        .collect()
}

fn release(machine: &mut Machine, dev: &Device, held: &mut Vec<Mapping>, slots: &[u32]) {
    for &slot in slots {
        let index = held
            .iter()
            .position(|mapping| mapping.bounced().unwrap().first_slot == slot);
        let mapping = held.swap_remove(index.unwrap());
        machine
            .dma
            .unmap_single(&mut machine.mem, dev, mapping)
            .unwrap();
    }
}

#[test]
fn sizes_that_no_pool_can_give_are_told_apart() {
    let mut machine = Machine::new();
    let dev = Device::new("d").with_seg_boundary(0xffff);
    let reason = |machine: &mut Machine, bytes| map(machine, &dev, 0, bytes).unwrap_err();
    assert_eq!(reason(&mut machine, 262_145), FullReason::AboveSlotSet);
    assert_eq!(reason(&mut machine, 65_537), FullReason::AboveBoundary);
}

#[test]
fn few_free_slots_and_scattered_ones_are_told_apart() {
    let mut machine = Machine::new();
    let dev = Device::new("d");
    let mut held = take_all(&mut machine, &dev);
    let full = map(&mut machine, &dev, 0, 100).unwrap_err();
    assert_eq!(full, FullReason::FewFree { free: 0 });
    release(&mut machine, &dev, &mut held, &[10, 11, 20, 22]);
    let scattered = map(&mut machine, &dev, 0, 8192).unwrap_err();
    assert_eq!(scattered, FullReason::Fragmented { longest_run: 2 });
    let few = map(&mut machine, &dev, 0, 10_241).unwrap_err();
    assert_eq!(few, FullReason::FewFree { free: 4 });
}

#[test]
fn masks_that_no_free_run_satisfies_are_named() {
    let mut machine = Machine::new();
    let dev = Device::new("d");
    let mut held = take_all(&mut machine, &dev);
    release(&mut machine, &dev, &mut held, &[31, 32]);
    // Two slots, the first one odd: not page aligned.
    let page = map(&mut machine, &dev, 0, 4096).unwrap_err();
    assert_eq!(page, FullReason::Misaligned { mask: 0xfff });
    // The second one is even, but the original's bit 11 is set.
    release(&mut machine, &dev, &mut held, &[40]);
    let nvme = Device::new("nvme").with_min_align_mask(0xfff);
    let taken = map(&mut machine, &nvme, 0x800, 100).unwrap();
    assert_eq!(taken.bounced().unwrap().first_slot, 31);
    let side = map(&mut machine, &nvme, 0x800, 100).unwrap_err();
    assert_eq!(side, FullReason::WrongSide { mask: 0x800 });
    // Slots 31 and 32 lie on two sides of a 64 KiB boundary.
    machine
        .dma
        .unmap_single(&mut machine.mem, &nvme, taken)
        .unwrap();
    let isa = Device::new("8237").with_seg_boundary(0xffff);
    let crossing = map(&mut machine, &isa, 0, 2049).unwrap_err();
    assert_eq!(crossing, FullReason::CrossesBoundary { mask: 0xffff });
}

#[test]
fn a_run_that_the_strided_search_steps_over_is_told() {
    let mut machine = Machine::new();
    let dev = Device::new("d");
    let mut held = take_all(&mut machine, &dev);
    // The cursor stands behind slot 1; the only free slot is slot 1, for which bit 11 must be set.
    release(&mut machine, &dev, &mut held, &[1]);
    let again = map(&mut machine, &dev, 0, 100).unwrap();
    held.push(again);
    release(&mut machine, &dev, &mut held, &[1]);
    let nvme = Device::new("nvme").with_min_align_mask(0xfff);
    let reason = map(&mut machine, &nvme, 0x800, 100).unwrap_err();
    assert_eq!(reason, FullReason::SteppedOver { stride: 2 });
    assert!(reason.help().contains("try again"));
}

#[test]
fn a_restricted_pool_without_a_default_pool_is_never_searched_where_pools_can_be_added() {
    let mut machine = Machine::new();
    let boot = BootConfig::new(BootOptions {
        policy: Policy::DynamicPools,
        ..BootOptions::default()
    });
    let mut swiotlb = Swiotlb::new(Platform::default(), boot, Mode::Kernel);
    let region = RestrictedRegion {
        name: "camera".to_owned(),
        base: PhysAddr::new(POOL),
        bytes: 1 << 20,
    };
    let id = swiotlb.add_restricted(region).unwrap();
    let mut dev = Device::new("camera");
    let mut source = RegionSource::new(PhysAddr::new(0), 0);
    swiotlb
        .attach_restricted(&mut machine.mem, &mut source, &mut dev, id)
        .unwrap();
    machine.dma = Dma::new(swiotlb);
    let reason = map(&mut machine, &dev, 0, 100).unwrap_err();
    assert_eq!(reason, FullReason::AreasExhausted { searched_areas: 0 });
}
