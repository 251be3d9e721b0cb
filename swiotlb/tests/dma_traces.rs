//! Tracepoints of the mapping layer: which calls emit which line, and when.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

use support::{HIGH, LOW, Machine, POOL, Pages};
use swiotlb::{
    AddressMarker, AllocRequest, Attrs, CcPlatform, DataDirection, Device, DmaAddr, Event, Gfp,
    MapRequest, Mode, PhysAddr, Platform, Sg, SgRequest, TRACED_ENTRIES, bit_mask,
};

const TO: DataDirection = DataDirection::ToDevice;
const FROM: DataDirection = DataDirection::FromDevice;
const PAGES: u64 = 0x40_0000;

fn tracing() -> Machine {
    let mut machine = Machine::new();
    machine.dma.swiotlb_mut().set_tracing(true);
    machine
}

/// Names and lines of the mapping layer's trace events since the last call.
fn lines(machine: &mut Machine) -> Vec<(&'static str, String)> {
    let events = machine.dma.swiotlb_mut().drain_events();
    let line = |event: &Event| match event {
        Event::Dma(trace) => Some((trace.kind.name(), event.to_string())),
        _ => None,
    };
    events.iter().filter_map(line).collect()
}

fn expect(machine: &mut Machine, expected: &[(&'static str, &str)]) {
    let seen = lines(machine);
    let seen: Vec<(&str, &str)> = seen.iter().map(|(name, text)| (*name, &text[..])).collect();
    assert_eq!(seen, expected);
}

#[test]
fn nothing_is_traced_while_tracing_is_off() {
    let mut machine = Machine::new();
    let dev = Device::new("nic");
    let request = MapRequest::new(PhysAddr::new(LOW), 64, TO);
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    dma.map_phys(mem, &dev, &request).unwrap();
    assert_eq!(dma.swiotlb_mut().drain_events(), []);
}

#[test]
fn single_mappings_are_traced_from_map_to_unmap() {
    let mut machine = tracing();
    let dev = Device::new("nic");
    let request = MapRequest::new(PhysAddr::new(HIGH), 64, FROM).with_attrs(Attrs::SKIP_CPU_SYNC);
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let addr = dma.map_phys(mem, &dev, &request).unwrap().dma_addr;
    dma.sync_single_range_for_cpu(mem, &dev, addr, 16, 8, FROM)
        .unwrap();
    dma.sync_single_for_device(mem, &dev, addr, 64, FROM)
        .unwrap();
    dma.unmap_phys(mem, &dev, addr, 64, FROM, Attrs::NONE)
        .unwrap();
    expect(
        &mut machine,
        &[
            (
                "dma_map_phys",
                "nic dir=FROM_DEVICE dma_addr=1000000 size=64 phys_addr=100000000 \
                 attrs=SKIP_CPU_SYNC",
            ),
            (
                "dma_sync_single_for_cpu",
                "nic dir=FROM_DEVICE dma_addr=1000010 size=8",
            ),
            (
                "dma_sync_single_for_device",
                "nic dir=FROM_DEVICE dma_addr=1000000 size=64",
            ),
            (
                "dma_unmap_phys",
                "nic dir=FROM_DEVICE dma_addr=1000000 size=64 attrs=",
            ),
        ],
    );
    assert_eq!(POOL, 0x100_0000);
}

#[test]
fn a_failed_map_is_traced_unless_it_fails_early() {
    let mut machine = tracing();
    let dev = Device::new("nic");
    let maskless = Device::new("maskless").without_dma_mask();
    let incoherent = Device::new("incoherent").with_coherency(false);
    let request = MapRequest::new(PhysAddr::new(HIGH), 300_000, TO);
    let low = MapRequest::new(PhysAddr::new(LOW), 16, TO);
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    assert!(dma.map_phys(mem, &maskless, &low).is_err());
    let required = low.with_attrs(Attrs::REQUIRE_COHERENT);
    assert!(dma.map_phys(mem, &incoherent, &required).is_err());
    let undirected = MapRequest::new(PhysAddr::new(LOW), 16, DataDirection::None);
    assert!(dma.map_phys(mem, &dev, &undirected).is_err());
    expect(&mut machine, &[]);
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    assert!(dma.map_phys(mem, &dev, &request).is_err());
    expect(
        &mut machine,
        &[(
            "dma_map_phys",
            "nic dir=TO_DEVICE dma_addr=ffffffffffffffff size=300000 phys_addr=100000000 attrs=",
        )],
    );
}

#[test]
fn a_dropped_sync_leaves_no_trace() {
    let mut machine = tracing();
    let mut dev = Device::new("nic");
    machine.dma.set_mask(&mut dev, bit_mask(32)).unwrap();
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let addr = DmaAddr::new(LOW);
    dma.sync_single_for_cpu(mem, &dev, addr, 16, FROM).unwrap();
    let list = [Sg::new(PhysAddr::new(LOW), 16)];
    dma.sync_sg_for_cpu(mem, &dev, &list, FROM).unwrap();
    expect(&mut machine, &[]);
}

#[test]
fn lists_are_traced_with_their_segments_and_not_entry_by_entry() {
    let mut machine = tracing();
    let dev = Device::new("nic");
    let mut list = [
        Sg::new(PhysAddr::new(LOW), 512),
        Sg::new(PhysAddr::new(HIGH), 16),
    ];
    let request = SgRequest::new(FROM).with_attrs(Attrs::NO_WARN);
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    assert_eq!(dma.map_sg(mem, &dev, &mut list, &request), 2);
    dma.sync_sg_for_cpu(mem, &dev, &list, FROM).unwrap();
    dma.sync_sg_for_device(mem, &dev, &list, FROM).unwrap();
    dma.unmap_sg(mem, &dev, &mut list, FROM, Attrs::NONE)
        .unwrap();
    expect(
        &mut machine,
        &[
            (
                "dma_map_sg",
                "nic dir=FROM_DEVICE nents=2/2 ents=2/2 dma_addrs={200000,1000000} \
                 sizes={512,16} phys_addrs={200000,100000000} attrs=NO_WARN",
            ),
            (
                "dma_sync_sg_for_cpu",
                "nic dir=FROM_DEVICE dma_addrs={200000,1000000} sizes={512,16}",
            ),
            (
                "dma_sync_sg_for_device",
                "nic dir=FROM_DEVICE dma_addrs={200000,1000000} sizes={512,16}",
            ),
            (
                "dma_unmap_sg",
                "nic dir=FROM_DEVICE phys_addrs={200000,100000000} attrs=",
            ),
        ],
    );
}

#[test]
fn an_ordinary_failure_of_a_list_leaves_no_trace() {
    let mut machine = tracing();
    let dev = Device::new("nic");
    let mut list = [
        Sg::new(PhysAddr::new(HIGH), 16),
        Sg::new(PhysAddr::new(HIGH), 300_000),
    ];
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    assert_eq!(dma.map_sg(mem, &dev, &mut list, &SgRequest::new(TO)), 0);
    expect(&mut machine, &[]);
}

#[test]
fn a_long_list_is_cut_and_says_so() {
    let mut machine = tracing();
    let dev = Device::new("nic");
    let mut list = vec![Sg::new(PhysAddr::new(LOW), 16); TRACED_ENTRIES + 2];
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    dma.map_sg(mem, &dev, &mut list, &SgRequest::new(TO));
    let (name, text) = lines(&mut machine).pop().unwrap();
    assert_eq!(name, "dma_map_sg");
    assert!(text.starts_with(
        "nic dir=TO_DEVICE nents=128/130 ents=128/130 [TRUNCATED] dma_addrs={200000,"
    ));
    assert_eq!(text.matches("200000").count(), 256);
}

#[test]
fn coherent_memory_is_traced_with_flags_and_a_failure_with_address_0() {
    let mut machine = tracing();
    let mut pages = Pages::new(PAGES, 0x2000);
    let dev = Device::new("nic");
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let memory = dma.alloc_coherent(mem, &mut pages, &dev, 100, Gfp::KERNEL);
    dma.free_coherent(&mut pages, &dev, memory.unwrap())
        .unwrap();
    let silent = Gfp::ATOMIC.with_no_warn();
    let refused = dma.alloc_coherent(mem, &mut pages, &dev, 0x10_0000, silent);
    assert!(refused.is_err());
    expect(
        &mut machine,
        &[
            (
                "dma_alloc",
                "nic dir=BIDIRECTIONAL dma_addr=400000 size=100 virt_addr=400000 \
                 flags=GFP_KERNEL attrs=",
            ),
            (
                "dma_free",
                "nic dir=BIDIRECTIONAL dma_addr=400000 size=100 virt_addr=400000 attrs=",
            ),
            (
                "dma_alloc",
                "nic dir=BIDIRECTIONAL dma_addr=0 size=1048576 virt_addr=0 \
                 flags=GFP_ATOMIC|__GFP_NOWARN attrs=NO_WARN",
            ),
        ],
    );
}

#[test]
fn pages_and_tables_have_events_of_their_own() {
    let mut machine = tracing();
    let mut pages = Pages::new(PAGES, 0x2000);
    let dev = Device::new("nic");
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let block = dma.alloc_noncoherent(mem, &mut pages, &dev, 100, FROM, Gfp::KERNEL);
    dma.free_pages(&mut pages, &dev, block.unwrap()).unwrap();
    let request = AllocRequest::new(4096).with_attrs(Attrs::ALLOC_SINGLE_PAGES);
    let frame = dma.alloc_noncontiguous(mem, &mut pages, &dev, TO, &request);
    dma.free_noncontiguous(&mut pages, &dev, frame.unwrap())
        .unwrap();
    let refused = dma.alloc_noncontiguous(mem, &mut pages, &dev, TO, &request);
    assert!(refused.is_err());
    expect(
        &mut machine,
        &[
            (
                "dma_alloc_pages",
                "nic dir=FROM_DEVICE dma_addr=400000 size=100 virt_addr=400000 \
                 flags=GFP_KERNEL attrs=",
            ),
            (
                "dma_free_pages",
                "nic dir=FROM_DEVICE dma_addr=400000 size=100 virt_addr=400000 attrs=",
            ),
            (
                "dma_alloc_sgt",
                "nic dir=TO_DEVICE dma_addr=401000 size=4096 phys_addrs={401000} \
                 flags=GFP_KERNEL attrs=ALLOC_SINGLE_PAGES",
            ),
            (
                "dma_free_sgt",
                "nic dir=TO_DEVICE dma_addr=401000 size=4096 phys_addrs={401000}",
            ),
            (
                "dma_alloc_sgt_err",
                "nic dir=TO_DEVICE dma_addr=0 size=4096 virt_addr=0 flags=GFP_KERNEL \
                 attrs=ALLOC_SINGLE_PAGES",
            ),
        ],
    );
}

#[test]
fn a_sync_is_traced_after_it_acts() {
    let mut machine = tracing();
    let dev = Device::new("nic");
    let mut list = [Sg::new(PhysAddr::new(HIGH), 16)];
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    assert_eq!(dma.map_sg(mem, &dev, &mut list, &SgRequest::new(TO)), 1);
    // The sync below overflows its allocation, which is reported while it acts.
    let addr = list[0].dma_address;
    dma.sync_single_for_device(mem, &dev, addr, 99, TO).unwrap();
    let events = dma.swiotlb_mut().drain_events();
    let is_trace = |event: &Event, name: &str| match event {
        Event::Dma(trace) => trace.kind.name() == name,
        _ => false,
    };
    let sync = events
        .iter()
        .position(|event| is_trace(event, "dma_sync_single_for_device"));
    let report = events
        .iter()
        .position(|event| event.to_string().contains("Buffer overflow detected"));
    assert!(report.unwrap() < sync.unwrap());
}

#[test]
fn a_release_is_traced_before_it_acts() {
    let platform = Platform {
        cc: CcPlatform::Guest(AddressMarker::None),
        ..Platform::default()
    };
    let mut machine = Machine::with(platform, "", Mode::Kernel);
    let mut pages = Pages::new(PAGES, 0x2000);
    let dev = Device::new("nic");
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let memory = dma.alloc_coherent(mem, &mut pages, &dev, 1, Gfp::KERNEL);
    dma.swiotlb_mut().set_tracing(true);
    pages.refuses_privacy = true;
    let result = dma.free_coherent(&mut pages, &dev, memory.unwrap());
    assert!(result.is_err());
    let events = dma.swiotlb_mut().drain_events();
    let texts: Vec<String> = events.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "nic dir=BIDIRECTIONAL dma_addr=400000 size=1 virt_addr=400000 attrs=",
            "nic: leaking DMA memory at 0x400000, 4096 bytes",
        ]
    );
}
