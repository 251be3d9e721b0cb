//! What happens when a driver releases what it does not own: as in the kernel, and strictly.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

use support::{HIGH, Machine, POOL};
use swiotlb::{
    AllocatorId, Attrs, DataDirection, Device, MapRequest, Mode, PhysAddr, Platform, UnmapError,
    Unmapped,
};

const FROM: DataDirection = DataDirection::FromDevice;

fn machine(mode: Mode) -> Machine {
    Machine::with(Platform::default(), "", mode)
}

fn map(machine: &mut Machine, dev: &Device, bytes: u64) -> swiotlb::DmaAddr {
    let request = MapRequest::new(PhysAddr::new(HIGH), bytes, FROM);
    machine.dma.map_phys_addr(&mut machine.mem, dev, &request)
}

fn unmap(
    machine: &mut Machine,
    dev: &Device,
    addr: u64,
    bytes: u64,
) -> Result<Unmapped, UnmapError> {
    let addr = swiotlb::DmaAddr::new(addr);
    let attrs = Attrs::NONE;
    machine
        .dma
        .unmap_phys(&mut machine.mem, dev, addr, bytes, FROM, attrs)
}

fn used(machine: &Machine) -> u64 {
    let stats = machine.dma.swiotlb().stats(AllocatorId::DEFAULT).unwrap();
    stats.used_slots
}

#[test]
fn unmapping_inside_a_buffer_frees_the_tail_and_leaks_the_head() {
    let mut machine = machine(Mode::Kernel);
    let dev = Device::new("d");
    map(&mut machine, &dev, 8192);
    let done = unmap(&mut machine, &dev, POOL + 4096, 8192).unwrap();
    assert_eq!(done.bounce.unwrap().first_slot, 2);
    assert_eq!(used(&machine), 2);
}

#[test]
fn a_second_unmap_with_an_offset_makes_the_use_count_underflow() {
    let mut machine = machine(Mode::Kernel);
    let dev = Device::new("nvme").with_min_align_mask(0xfff);
    let request = MapRequest::new(PhysAddr::new(HIGH + 0x10), 100, FROM);
    let addr = machine
        .dma
        .map_phys_addr(&mut machine.mem, &dev, &request)
        .raw();
    unmap(&mut machine, &dev, addr, 100).unwrap();
    assert_eq!(used(&machine), 0);
    unmap(&mut machine, &dev, addr, 100).unwrap();
    assert_eq!(used(&machine), u64::MAX);
    let pool = machine.dma.swiotlb().pools(AllocatorId::DEFAULT).next();
    let breach = machine.dma.swiotlb().check_invariants(pool.unwrap());
    assert!(breach.unwrap_err().to_string().contains("the areas count"));
}

#[test]
fn a_smaller_size_copies_less_and_frees_everything() {
    let mut machine = machine(Mode::Kernel);
    let dev = Device::new("d");
    map(&mut machine, &dev, 8192);
    machine.fill(POOL, 8192, 0x99);
    let done = unmap(&mut machine, &dev, POOL, 100).unwrap();
    assert_eq!((done.copied_bytes, done.bounce.unwrap().slots), (100, 4));
    assert_eq!(machine.read(HIGH, 101)[99..], [0x99, 0]);
    assert_eq!(used(&machine), 0);
}

#[test]
fn strict_mode_names_each_mistake_and_changes_nothing() {
    let mut machine = machine(Mode::Strict);
    let dev = Device::new("d");
    map(&mut machine, &dev, 5000);
    assert_eq!(
        unmap(&mut machine, &dev, POOL + 2048, 5000),
        Err(UnmapError::NotBufferStart {
            addr: PhysAddr::new(POOL + 2048),
            start: PhysAddr::new(POOL)
        })
    );
    assert_eq!(
        unmap(&mut machine, &dev, POOL, 4999),
        Err(UnmapError::SizeMismatch {
            addr: PhysAddr::new(POOL),
            bytes: 4999,
            mapped_bytes: 5000
        })
    );
    let free = POOL + 0x4_0000;
    assert_eq!(
        unmap(&mut machine, &dev, free, 5000),
        Err(UnmapError::NotMapped {
            addr: PhysAddr::new(free)
        })
    );
    assert_eq!(used(&machine), 3);
    unmap(&mut machine, &dev, POOL, 5000).unwrap();
    let again = unmap(&mut machine, &dev, POOL, 5000).unwrap_err();
    assert_eq!(
        again.to_string(),
        "0x1000000 lies in the bounce pool, but no mapping holds it"
    );
    assert_eq!(used(&machine), 0);
}

#[test]
fn an_address_outside_the_pool_is_not_ours_in_either_mode() {
    for mode in [Mode::Kernel, Mode::Strict] {
        let mut machine = machine(mode);
        let dev = Device::new("d");
        let done = unmap(&mut machine, &dev, 0x5000, 100).unwrap();
        assert_eq!(done.bounce, None);
    }
}

#[test]
fn strict_mode_refuses_a_device_that_would_free_other_slots() {
    let mut machine = machine(Mode::Strict);
    let dev = Device::new("nvme").with_min_align_mask(0xfff);
    let request = MapRequest::new(PhysAddr::new(HIGH + 1000), 1148, FROM);
    let addr = machine
        .dma
        .map_phys_addr(&mut machine.mem, &dev, &request)
        .raw();
    assert_eq!(used(&machine), 2);
    let other = Device::new("other");
    assert_eq!(
        unmap(&mut machine, &other, addr, 1148),
        Err(UnmapError::WrongDevice)
    );
    unmap(&mut machine, &dev, addr, 1148).unwrap();
    assert_eq!(used(&machine), 0);
}

#[test]
fn strict_mode_frees_pages_only_where_pages_begin() {
    let mut machine = machine(Mode::Strict);
    let dev = Device::new("d");
    let mapped = map(&mut machine, &dev, 8192);
    let swiotlb = machine.dma.swiotlb_mut();
    let pages = swiotlb
        .alloc(&dev, 8192, Attrs::NONE, swiotlb::CpuId(0))
        .unwrap();
    assert_eq!(swiotlb.free(&dev, PhysAddr::new(mapped.raw())), None);
    assert_eq!(swiotlb.free(&dev, pages.wrapping_add(4096)), None);
    assert_eq!(swiotlb.free(&dev, PhysAddr::new(HIGH)), None);
    assert_eq!(swiotlb.free(&dev, pages).unwrap().slots, 4);
    assert_eq!(swiotlb.free(&dev, pages), None);
    assert_eq!(used(&machine), 4);
}
