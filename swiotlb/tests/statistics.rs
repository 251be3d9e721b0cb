//! Use counts with and without tracking.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

use support::{HIGH, Machine};
use swiotlb::{
    AllocatorId, DataDirection, Device, InvalidHiwater, MapRequest, Mapping, Mode, PhysAddr,
    Platform, Stats,
};

fn map(machine: &mut Machine, dev: &Device, bytes: u64) -> Mapping {
    let dir = DataDirection::ToDevice;
    let request = MapRequest::new(PhysAddr::new(HIGH), bytes, dir);
    machine
        .dma
        .map_single(&mut machine.mem, dev, request)
        .unwrap()
}

fn stats(machine: &Machine) -> Stats {
    machine.dma.swiotlb().stats(AllocatorId::DEFAULT).unwrap()
}

#[test]
fn the_high_water_mark_rises_resets_and_rises_again() {
    let mut machine = Machine::with(Platform::default(), ",,track_hiwater", Mode::Kernel);
    let dev = Device::new("d");
    let first = map(&mut machine, &dev, 8192);
    let second = map(&mut machine, &dev, 100);
    assert_eq!(
        (stats(&machine).used_slots, stats(&machine).used_hiwater),
        (5, 5)
    );
    machine
        .dma
        .unmap_single(&mut machine.mem, &dev, first)
        .unwrap();
    assert_eq!(
        (stats(&machine).used_slots, stats(&machine).used_hiwater),
        (1, 5)
    );
    let swiotlb = machine.dma.swiotlb_mut();
    assert_eq!(
        swiotlb.reset_hiwater(AllocatorId::DEFAULT, 7),
        Err(InvalidHiwater::Value { value: 7 })
    );
    swiotlb.reset_hiwater(AllocatorId::DEFAULT, 0).unwrap();
    assert_eq!(stats(&machine).used_hiwater, 0);
    machine
        .dma
        .unmap_single(&mut machine.mem, &dev, second)
        .unwrap();
    assert_eq!(stats(&machine).used_hiwater, 0);
    let third = map(&mut machine, &dev, 100);
    assert_eq!(stats(&machine).used_hiwater, 1);
    assert_eq!(third.bounced().unwrap().slots, 1);
}

#[test]
fn without_tracking_the_areas_are_summed_and_the_mark_stays_0() {
    let mut machine = Machine::new();
    let dev = Device::new("d");
    let mapping = map(&mut machine, &dev, 8192);
    let stats = stats(&machine);
    assert_eq!((stats.used_slots, stats.used_hiwater), (4, 0));
    assert_eq!(stats.debug_files().map(|(_, value)| value), [512, 4, 0]);
    assert_eq!(mapping.bounced().unwrap().slots, 4);
}
