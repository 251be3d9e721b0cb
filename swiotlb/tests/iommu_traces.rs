//! Tracepoints of calls that go through an IOMMU.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod iommu_support;
mod support;

use iommu_support::*;
use support::{HIGH, LOW, Machine, Pages};
use swiotlb::{
    AllocRequest, Attrs, DmaTrace, DmaTraceKind, Event, Gfp, PhysAddr, Sg, SgRequest, SgTable,
};

/// Takes the trace events of the mapping layer since the last call.
fn traces(machine: &Machine) -> Vec<DmaTrace> {
    let events = machine.dma.swiotlb().drain_events();
    let trace = |event| match event {
        Event::Dma(trace) => Some(trace),
        _ => None,
    };
    events.into_iter().filter_map(trace).collect()
}

fn names(machine: &Machine) -> Vec<&'static str> {
    let traces = traces(machine);
    traces.iter().map(|trace| trace.kind.name()).collect()
}

fn tracing() -> Machine {
    let machine = Machine::new();
    machine.dma.swiotlb().set_tracing(true);
    machine
}

#[test]
fn a_single_mapping_is_traced_with_its_io_virtual_address() {
    let mut machine = tracing();
    let dev = trusted(&domain());
    let mapped = map(&mut machine, &dev, request(HIGH, 100, BOTH));
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let addr = mapped.dma_addr;
    dma.sync_single_for_cpu(mem, &dev, addr, 100, BOTH).unwrap();
    dma.sync_single_for_device(mem, &dev, addr, 100, BOTH)
        .unwrap();
    dma.unmap_phys(mem, &dev, addr, 100, BOTH, Attrs::NONE)
        .unwrap();
    let seen = traces(&machine);
    let DmaTraceKind::MapPhys { dma_addr, phys, .. } = seen[0].kind else {
        panic!("a map expected, got {seen:?}");
    };
    assert_eq!((dma_addr, phys), (addr, PhysAddr::new(HIGH)));
    let names: Vec<&str> = seen.iter().map(|trace| trace.kind.name()).collect();
    assert_eq!(
        names,
        [
            "dma_map_phys",
            "dma_sync_single_for_cpu",
            "dma_sync_single_for_device",
            "dma_unmap_phys"
        ]
    );
}

#[test]
fn shared_memory_is_refused_before_the_trace_and_a_full_domain_after_it() {
    let mut machine = tracing();
    let dev = trusted(&domain());
    let mut failed = |request| {
        let (mem, dma) = (&mut machine.mem, &mut machine.dma);
        assert!(dma.map_phys(mem, &dev, &request).is_err());
        names(&machine)
    };
    let shared = request(LOW, 100, BOTH).with_attrs(Attrs::CC_SHARED);
    assert_eq!(failed(shared), [""; 0]);
    assert_eq!(failed(request(LOW, 1 << 40, BOTH)), ["dma_map_phys"]);
}

#[test]
fn a_joined_list_is_traced_by_its_segments() {
    let mut machine = tracing();
    let dev = trusted(&domain());
    let entries = vec![
        Sg::new(PhysAddr::new(LOW), 4096),
        Sg::new(PhysAddr::new(HIGH), 4096),
    ];
    let mut table = SgTable::new(entries);
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    dma.map_sgtable(mem, &dev, &mut table, &SgRequest::new(BOTH))
        .unwrap();
    let seen = traces(&machine);
    let DmaTraceKind::MapSg {
        nents, ents, sizes, ..
    } = &seen[0].kind
    else {
        panic!("a list expected, got {seen:?}");
    };
    assert_eq!((*nents, *ents, &sizes[..]), (2, 1, &[8192][..]));
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    dma.sync_sgtable_for_cpu(mem, &dev, &table, BOTH).unwrap();
    dma.unmap_sgtable(mem, &dev, &mut table, BOTH, Attrs::NONE)
        .unwrap();
    assert_eq!(names(&machine), ["dma_sync_sg_for_cpu", "dma_unmap_sg"]);
}

#[test]
fn memory_is_traced_from_allocation_to_free() {
    let mut machine = tracing();
    let dev = trusted(&domain());
    let mut pages = Pages::new(HIGH, 16 * 4096);
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let ring = dma
        .alloc_coherent(mem, &mut pages, &dev, 100, Gfp::KERNEL)
        .unwrap();
    let block = dma
        .alloc_pages(mem, &mut pages, &dev, BOTH, &AllocRequest::new(100))
        .unwrap();
    let frame = dma
        .alloc_noncontiguous(mem, &mut pages, &dev, BOTH, &AllocRequest::new(100))
        .unwrap();
    let addr = ring.dma_addr();
    let seen = traces(&machine);
    let DmaTraceKind::Alloc { dma_addr, .. } = seen[0].kind else {
        panic!("an allocation expected, got {seen:?}");
    };
    assert_eq!(dma_addr, addr);
    machine.dma.free_coherent(&mut pages, &dev, ring).unwrap();
    machine.dma.free_pages(&mut pages, &dev, block).unwrap();
    machine
        .dma
        .free_noncontiguous(&mut pages, &dev, frame)
        .unwrap();
    let seen = names(&machine);
    assert_eq!(seen, ["dma_free", "dma_free_pages", "dma_free_sgt"]);
}
