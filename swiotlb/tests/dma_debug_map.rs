//! dma-debug at map time: D01 to D10 and the bookkeeping of D27.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod debug_support;

use debug_support::{BOTH, Bench, CONTEXT, FROM, TO, device, pages, ram, range, with_attrs};
use swiotlb::{
    Attrs, DmaAddr, DmaDebugError, DmaDebugFile, DmaDebugOptions, MapContext, MappedSegment,
    PhysAddr, StackRange,
};

/// Layer of a machine without coherent caches: overlaps matter.
fn incoherent(options: &mut DmaDebugOptions) {
    options.cache_alignment = 64;
}

#[test]
fn d01_and_d02_an_address_outside_the_linear_map_is_named() {
    let mut bench = Bench::with(|options| {
        options.layout.linear = vec![ram(0x1000, 0x1000)];
        options.layout.vmalloc = vec![ram(0xffff_c900_0000_0000, 0x1000)];
    });
    let dev = device();
    bench.debug.map_single(&dev, PhysAddr::new(0x1fff), 1);
    assert_eq!(bench.ids(), [""; 0]);
    bench.debug.map_single(&dev, PhysAddr::new(0x2000), 16);
    assert_eq!(
        bench.texts(),
        ["device driver maps memory from invalid area [addr=0x2000] [len=16]"]
    );
    let vmalloc = PhysAddr::new(0xffff_c900_0000_0010);
    bench.debug.map_single(&dev, vmalloc, 8);
    assert_eq!(
        bench.texts(),
        ["device driver maps memory from vmalloc area [addr=0xffffc90000000010] [len=8]"]
    );
}

#[test]
fn d03_mmio_of_ram_is_named_unless_the_page_is_reserved() {
    let mut bench = Bench::with(|options| {
        options.layout.linear = vec![ram(0, 0x10_0000)];
        options.layout.reserved = vec![ram(0xa_0000, 0x1000)];
    });
    let mmio = |addr| with_attrs(range(addr, 64, BOTH), Attrs::MMIO);
    bench.map(mmio(0xfeb0_0000));
    bench.map(mmio(0xa_0fff));
    bench.map(range(0x2000, 64, BOTH));
    assert_eq!(bench.ids(), [""; 0]);
    bench.map(mmio(0xa_1000));
    assert_eq!(
        bench.texts(),
        ["mapping of MMIO called for RAM address [phys=0xa1000]"]
    );
}

#[test]
fn d04_a_buffer_on_the_stack_is_named() {
    let mut bench = Bench::with(|options| {
        let stack = |start, is_vmapped| StackRange {
            range: ram(start, 0x4000),
            is_vmapped,
        };
        options.layout.stacks = vec![stack(0x1_0000, false), stack(0x2_0000, true)];
    });
    bench.map(range(0x1_4000, 8, TO));
    bench.map(range(0xfff8, 8, TO));
    assert_eq!(bench.ids(), [""; 0]);
    bench.map(range(0x1_3ff8, 8, TO));
    bench.map_sg(&pages(&[0x2_1000]), TO);
    assert_eq!(
        bench.texts(),
        [
            "device driver maps memory from stack [addr=0x13ff8]",
            "device driver maps memory from stack [probable addr=0x21000]"
        ]
    );
}

#[test]
fn d05_a_buffer_that_touches_kernel_text_is_named() {
    let mut bench = Bench::with(|options| options.layout.text = vec![ram(0x100_0000, 0x1000)]);
    bench.map(range(0x100_1000, 8, TO));
    bench.map(range(0xff_fff8, 8, TO));
    assert_eq!(bench.ids(), [""; 0]);
    bench.map(range(0xff_fff8, 9, TO));
    bench.map_sg(&pages(&[0x100_0000]), TO);
    assert_eq!(
        bench.texts(),
        [
            "device driver maps memory from kernel text or rodata [addr=0xfffff8] [len=9]",
            "device driver maps memory from kernel text or rodata [addr=0x1000000] [len=4096]"
        ]
    );
}

#[test]
fn d06_a_second_mapping_of_a_written_line_is_named() {
    let mut bench = Bench::with(incoherent);
    bench.map_checked(range(0x1000, 64, FROM));
    bench.map_checked(range(0x1020, 64, BOTH));
    assert_eq!(bench.ids(), ["D06"]);
    // The overlap ends with either mapping.
    bench.unmap(range(0x1000, 64, FROM));
    bench.unmap(range(0x1020, 64, BOTH));
    bench.map_checked(range(0x1000, 64, FROM));
    assert_eq!(bench.ids(), [""; 0]);
}

#[test]
fn d06_only_the_first_line_of_a_mapping_is_tracked_and_not_what_the_device_only_reads() {
    let mut bench = Bench::with(incoherent);
    bench.map_checked(range(0x1000, 4096, FROM));
    bench.map_checked(range(0x1040, 64, FROM));
    bench.map_checked(range(0x1000, 64, TO));
    assert_eq!(bench.ids(), [""; 0]);
}

#[test]
fn d06_is_silent_where_an_overlap_does_no_harm() {
    let ignore = Attrs::DEBUGGING_IGNORE_CACHELINES;
    let kmalloc = MapContext {
        kmalloc_bounces: true,
        ..CONTEXT
    };
    let cases = [
        (64, Attrs::NONE, Attrs::SKIP_CPU_SYNC, CONTEXT),
        (64, ignore, Attrs::REQUIRE_COHERENT, CONTEXT),
        (64, Attrs::NONE, Attrs::NONE, kmalloc),
        (32, Attrs::NONE, Attrs::NONE, CONTEXT),
    ];
    for (alignment, old, new, context) in cases {
        let mut bench = Bench::with(|options| options.cache_alignment = alignment);
        bench.map(with_attrs(range(0x1000, 64, FROM), old));
        let second = with_attrs(range(0x1000, 64, FROM), new);
        bench.debug.map_phys(&device(), &second, context);
        assert_eq!(bench.ids(), [""; 0], "{alignment} {old:?} {new:?}");
    }
    // One of two mappings says that the overlap is meant: that is not enough.
    let mut bench = Bench::with(incoherent);
    bench.map(with_attrs(range(0x1000, 64, FROM), ignore));
    bench.map(range(0x1000, 64, FROM));
    assert_eq!(bench.ids(), ["D06"]);
}

#[test]
fn d07_more_overlaps_than_the_counter_holds_are_told_once_and_not_counted() {
    let mut bench = Bench::new();
    for _ in 0..8 {
        bench.map(range(0x1040, 64, FROM));
    }
    assert_eq!(bench.ids(), [""; 0]);
    bench.map(range(0x1040, 64, FROM));
    bench.map(range(0x1040, 64, FROM));
    assert_eq!(
        bench.texts(),
        ["exceeded 7 overlapping mappings of cacheline 0x41"]
    );
    assert_eq!(bench.debug.error_count(), 0);
}

#[test]
fn d08_a_segment_longer_than_the_device_takes_is_named() {
    let mut bench = Bench::new();
    bench.dev = device().with_max_segment(8192);
    let segment = |dma_bytes| MappedSegment {
        dma_bytes,
        ..pages(&[0x4000])[0]
    };
    bench.map_sg(&[segment(8192)], TO);
    assert_eq!(bench.ids(), [""; 0]);
    bench.map_sg(&[segment(8193)], TO);
    assert_eq!(
        bench.texts(),
        ["mapping sg segment longer than device claims to support [len=8193] [max=8192]"]
    );
}

#[test]
fn d09_a_segment_across_the_boundary_is_named() {
    let mut bench = Bench::new();
    bench.dev = device().with_seg_boundary(0xffff);
    bench.map_sg(&pages(&[0xf000, 0x1_0000]), TO);
    assert_eq!(bench.ids(), [""; 0]);
    bench.map_sg(&pages(&[0xf001]), TO);
    assert_eq!(
        bench.texts(),
        [
            "mapping sg segment across boundary [start=0x000000000000f001] \
          [end=0x0000000000010000] [boundary=0x000000000000ffff]"
        ]
    );
}

#[test]
fn d10_device_memory_is_refused_each_time_and_told_once() {
    let mut bench = Bench::with(|options| options.layout.device_memory = vec![ram(0x8000, 0x1000)]);
    assert!(!bench.debug.map_page(PhysAddr::new(0x9000)));
    assert_eq!(bench.ids(), [""; 0]);
    assert!(bench.debug.map_page(PhysAddr::new(0x8000)));
    assert!(bench.debug.map_page(PhysAddr::new(0x8000)));
    assert_eq!(
        bench.texts(),
        ["device driver maps a device-memory page [phys=0x8000]"]
    );
}

#[test]
fn d27_the_store_tells_when_it_has_doubled() {
    let mut bench = Bench::with(|options| options.entries = 64);
    for page in 0..64 {
        bench.map(range(page << 12, 64, TO));
    }
    assert_eq!(bench.file(DmaDebugFile::NumFreeEntries), "0");
    assert_eq!(bench.ids(), [""; 0]);
    for page in 64..97 {
        bench.map(range(page << 12, 64, TO));
    }
    assert_eq!(bench.texts(), ["dma_debug_entry pool grown to 128 (200%)"]);
    assert_eq!(bench.file(DmaDebugFile::NrTotalEntries), "128");
    assert_eq!(bench.file(DmaDebugFile::NumFreeEntries), "31");
    assert_eq!(bench.file(DmaDebugFile::MinFreeEntries), "0");
}

#[test]
fn d27_without_memory_the_layer_turns_itself_off_for_good() {
    let mut bench = Bench::with(|options| {
        options.entries = 32;
        options.memory_pages = 1;
    });
    for page in 0..32 {
        bench.map(range(page << 12, 64, TO));
    }
    assert_eq!(bench.ids(), [""; 0]);
    bench.map(range(0x9_0000, 64, TO));
    assert_eq!(bench.errors(), [DmaDebugError::OutOfMemory]);
    assert_eq!(bench.file(DmaDebugFile::Disabled), "Y");
    bench.unmap(range(0xdead_0000, 64, TO));
    assert_eq!(bench.ids(), [""; 0]);
}

#[test]
fn d27_without_memory_for_a_cache_line_the_layer_turns_itself_off() {
    let mut bench = Bench::with(|options| options.cacheline_capacity = 1);
    bench.map(range(0x1000, 64, FROM));
    bench.map(range(0x2000, 64, TO));
    assert_eq!(bench.ids(), [""; 0]);
    bench.map(range(0x2000, 64, FROM));
    assert_eq!(bench.errors(), [DmaDebugError::CachelineNoMemory]);
    assert!(bench.debug.is_disabled());
}

#[test]
fn without_any_memory_the_layer_starts_disabled() {
    let mut bench = Bench::with(|options| options.memory_pages = 0);
    assert_eq!(bench.errors(), [DmaDebugError::OutOfMemory]);
    assert!(bench.debug.is_disabled());
}

#[test]
fn a_failed_mapping_is_not_entered() {
    let mut bench = Bench::new();
    let mut failed = range(0x1000, 64, TO);
    failed.dma = DmaAddr::MAPPING_ERROR;
    bench.map(failed);
    assert_eq!(bench.debug.live_entries(), 0);
}
