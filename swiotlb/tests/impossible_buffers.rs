//! Buffers that no memory can hold: strict mode refuses them, kernel mode calculates on.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

use support::Machine;
use swiotlb::{
    DataDirection, Device, DmaError, MapError, MapRequest, Mode, PhysAddr, Platform, Sg, SgRequest,
    SgTable, bit_mask,
};

const DIR: DataDirection = DataDirection::ToDevice;

fn machine(mode: Mode) -> (Machine, Device) {
    let machine = Machine::with(Platform::default(), "", mode);
    (machine, Device::new("d").with_masks(bit_mask(64)))
}

/// What strict mode says of a buffer.
fn fault(phys: u64, bytes: u64) -> MapError {
    match bytes {
        0 => MapError::ZeroSize,
        _ => MapError::AboveAddressSpace {
            phys: PhysAddr::new(phys),
            bytes,
        },
    }
}

#[test]
fn a_buffer_without_a_byte_or_over_the_end_of_addresses_is_refused_in_strict_mode_alone() {
    for (phys, bytes) in [(0x1000, u64::MAX), (0x1000, 0), (u64::MAX - 10, 0x2000)] {
        let request = MapRequest::new(PhysAddr::new(phys), bytes, DIR);
        let (mut strict, dev) = machine(Mode::Strict);
        let refused = strict.dma.map_phys(&mut strict.mem, &dev, &request);
        assert_eq!(refused, Err(fault(phys, bytes)));
        let refused = strict.dma.map_resource(&mut strict.mem, &dev, &request);
        assert_eq!(refused, Err(fault(phys, bytes)));
        let (mut kernel, dev) = machine(Mode::Kernel);
        let mapped = kernel.dma.map_phys(&mut kernel.mem, &dev, &request);
        assert_eq!(mapped.unwrap().dma_addr.raw(), phys);
    }
    let (mut strict, dev) = machine(Mode::Strict);
    let last_page = MapRequest::new(PhysAddr::new(u64::MAX - 0xfff), 0x1000, DIR);
    let mapped = strict.dma.map_phys(&mut strict.mem, &dev, &last_page);
    assert!(mapped.is_ok());
}

#[test]
fn such_an_entry_of_a_list_is_named_in_strict_mode() {
    for (phys, length) in [(0x1000, 0), (u64::MAX - 10, 0x2000)] {
        let entries = vec![
            Sg::new(PhysAddr::new(0x1000), 0x100),
            Sg::new(PhysAddr::new(phys), length),
        ];
        let (mut strict, dev) = machine(Mode::Strict);
        let mut table = SgTable::new(entries.clone());
        let request = SgRequest::new(DIR);
        let refused = strict
            .dma
            .map_sgtable(&mut strict.mem, &dev, &mut table, &request);
        let cause = fault(phys, u64::from(length));
        assert_eq!(refused, Err(DmaError::Entry { index: 1, cause }));
        let (mut kernel, dev) = machine(Mode::Kernel);
        let mut table = SgTable::new(entries);
        let mapped = kernel
            .dma
            .map_sgtable(&mut kernel.mem, &dev, &mut table, &request);
        assert_eq!((mapped, table.nents), (Ok(()), 2));
    }
}
