//! dma-debug watching lists, memory and I/O virtual ranges, by every route.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod iommu_support;
mod support;

use iommu_support::*;
use support::{HIGH, LOW, Machine, Pages};
use swiotlb::{
    AllocRequest, Attrs, Device, Dma, DmaDebug, DmaDebugOptions, Gfp, IovaState, PhysAddr, Sg,
    SgRequest, SgTable, bit_mask,
};

fn machine() -> Machine {
    let Machine { mem, dma } = Machine::new();
    let dma = dma.with_debug(DmaDebug::new(DmaDebugOptions::default()));
    Machine { mem, dma }
}

/// A device of each route, each with a domain of its own.
fn devices() -> [Device; 3] {
    [
        Device::new("direct").with_masks(bit_mask(32)),
        trusted(&domain()),
        untrusted(&domain()),
    ]
}

fn ids(dma: &Dma) -> Vec<&'static str> {
    let reports = dma.debug().unwrap().take_reports();
    reports.iter().map(|report| report.error.id()).collect()
}

fn live(dma: &Dma) -> usize {
    dma.debug().unwrap().live_entries()
}

fn table() -> SgTable {
    SgTable::new(vec![
        Sg::new(PhysAddr::new(LOW), 4096),
        Sg::new(PhysAddr::new(HIGH), 4096),
        Sg::new(PhysAddr::new(HIGH + 0x8100), 100),
    ])
}

#[test]
fn a_list_is_entered_by_segments_and_leaves_without_a_word() {
    for dev in devices() {
        let Machine { mut mem, dma } = machine();
        let (mem, mut table) = (&mut mem, table());
        dma.map_sgtable(mem, &dev, &mut table, &SgRequest::new(BOTH))
            .unwrap();
        assert_eq!(live(&dma), table.nents, "{}", dev.name());
        dma.sync_sgtable_for_cpu(mem, &dev, &table, BOTH).unwrap();
        dma.sync_sgtable_for_device(mem, &dev, &table, BOTH)
            .unwrap();
        dma.unmap_sgtable(mem, &dev, &mut table, BOTH, Attrs::NONE)
            .unwrap();
        assert_eq!(live(&dma), 0);
        assert_eq!(ids(&dma), [""; 0], "{}", dev.name());
    }
}

#[test]
fn a_list_handled_by_its_segments_instead_of_its_entries_is_objected_to() {
    let Machine { mut mem, dma } = machine();
    let (mem, mut table) = (&mut mem, table());
    let [_, dev, _] = devices();
    dma.map_sgtable(mem, &dev, &mut table, &SgRequest::new(TO))
        .unwrap();
    assert_eq!(table.nents, 2);
    let segments = &mut table.entries[..2];
    dma.sync_sg_for_device(mem, &dev, segments, TO).unwrap();
    assert_eq!(ids(&dma), ["D25", "D25"]);
    dma.sync_sg_for_device(mem, &dev, segments, FROM).unwrap();
    assert!(ids(&dma).contains(&"D22"));
    dma.unmap_sg(mem, &dev, segments, TO, Attrs::NONE).unwrap();
    assert_eq!(ids(&dma), ["D16", "D16"]);
}

#[test]
fn memory_is_entered_and_its_free_is_judged() {
    for dev in devices() {
        let Machine { mut mem, dma } = machine();
        let (mem, mut pages) = (&mut mem, Pages::new(LOW, 1 << 20));
        let ring = dma
            .alloc_coherent(mem, &mut pages, &dev, 8192, Gfp::KERNEL)
            .unwrap();
        let block = dma
            .alloc_pages(mem, &mut pages, &dev, FROM, &AllocRequest::new(100))
            .unwrap();
        let frame = dma
            .alloc_noncontiguous(mem, &mut pages, &dev, FROM, &AllocRequest::new(100))
            .unwrap();
        assert_eq!(live(&dma), 3);
        dma.free_noncontiguous(&mut pages, &dev, frame).unwrap();
        dma.free_pages(&mut pages, &dev, block).unwrap();
        assert_eq!(ids(&dma), [""; 0], "{}", dev.name());
        dma.driver_unbound(&dev);
        assert_eq!(ids(&dma), ["D26"]);
        let ring = ring.into_parts();
        dma.free_attrs(
            &mut pages,
            &dev,
            4096,
            Some(ring.cpu),
            ring.dma_addr,
            OTHER_ATTRS,
        )
        .unwrap();
        assert_eq!(ids(&dma), ["D13", "D19"]);
        assert_eq!(live(&dma), 0);
    }
}

const OTHER_ATTRS: Attrs = Attrs::FORCE_CONTIGUOUS;

#[test]
fn a_private_region_is_none_of_the_layers_business() {
    let Machine { mut mem, dma } = machine();
    let dev = Device::new("own").with_masks(bit_mask(32));
    let base = PhysAddr::new(LOW);
    dma.declare_coherent_memory(&dev, base, swiotlb::DmaAddr::new(LOW), 0x1_0000)
        .unwrap();
    let mut pages = Pages::new(HIGH, 1 << 20);
    let ring = dma
        .alloc_coherent(&mut mem, &mut pages, &dev, 4096, Gfp::KERNEL)
        .unwrap();
    assert_eq!(live(&dma), 0);
    dma.free_coherent(&mut pages, &dev, ring).unwrap();
    assert_eq!(ids(&dma), [""; 0]);
}

#[test]
fn links_of_an_io_virtual_range_are_entered_and_must_be_unlinked_whole() {
    let Machine { mut mem, dma } = machine();
    let (mem, [_, dev, _]) = (&mut mem, devices());
    let mut state = IovaState::new();
    let linked = |at: u64| request(HIGH + 2 * at, 4096, TO);
    assert!(dma.iova_try_alloc(&dev, &mut state, PhysAddr::new(HIGH), 8192, CPU));
    for offset in [0, 4096] {
        dma.iova_link(mem, &dev, &mut state, offset, &linked(offset))
            .unwrap();
    }
    dma.iova_sync(&dev, &state, 0, 8192).unwrap();
    assert_eq!(live(&dma), 2);
    dma.sync_single_for_device(mem, &dev, state.addr(), 4096, TO)
        .unwrap();
    assert_eq!(ids(&dma), [""; 0]);
    dma.iova_unlink(mem, &dev, &state, 0, 4096, FROM, Attrs::NONE)
        .unwrap();
    assert_eq!(ids(&dma), ["D17"]);
    dma.iova_unlink(mem, &dev, &state, 0, 4096, TO, Attrs::NONE)
        .unwrap();
    assert_eq!(ids(&dma), ["D12"], "nothing is linked there any more");
    dma.iova_destroy(mem, &dev, &mut state, 8192, TO, Attrs::NONE)
        .unwrap();
    assert_eq!((ids(&dma), live(&dma)), (vec![], 0));
}
