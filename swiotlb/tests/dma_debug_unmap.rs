//! dma-debug at unmap, sync and unbind: D11 to D26, and the scenarios that surprise.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod debug_support;

use debug_support::{BOTH, Bench, CONTEXT, FROM, TO, device, pages, range, with_attrs};
use swiotlb::{Attrs, DmaAddr, PhysAddr};

/// Attributes that must agree at map and unmap.
const MUST_AGREE: [Attrs; 6] = [
    Attrs::NO_KERNEL_MAPPING,
    Attrs::FORCE_CONTIGUOUS,
    Attrs::MMIO,
    Attrs::REQUIRE_COHERENT,
    Attrs::PRIVILEGED,
    Attrs::CC_SHARED,
];

#[test]
fn a_faultless_driver_hears_nothing() {
    let mut bench = Bench::new();
    for dir in [TO, FROM, BOTH] {
        let mapping = range(0x1000, 4096, dir);
        bench.map_checked(mapping);
        bench.sync_for_cpu(0x1000, 4096, dir);
        bench.unmap(mapping);
    }
    let list = pages(&[0x1000, 0x3000, 0x8000]);
    bench.map_sg(&list, BOTH);
    bench.debug.sync_sg_for_cpu(&device(), &list, BOTH);
    bench.unmap_sg(&list, BOTH);
    let memory = range(0x9000, 8192, BOTH);
    bench.debug.alloc_coherent(&bench.dev, &memory, CONTEXT);
    bench.debug.free_coherent(&bench.dev, &memory);
    bench.debug.alloc_pages(&bench.dev, &memory, CONTEXT);
    bench.debug.free_pages(&bench.dev, &memory);
    bench.debug.driver_unbound(&bench.dev);
    assert_eq!(bench.texts(), [""; 0]);
    assert_eq!(bench.debug.live_entries(), 0);
}

#[test]
fn d11_the_error_value_is_named_as_such() {
    let mut bench = Bench::new();
    let mut failed = range(0, 64, TO);
    failed.dma = DmaAddr::MAPPING_ERROR;
    bench.unmap(failed);
    assert_eq!(
        bench.texts(),
        ["device driver tries to free an invalid DMA memory address"]
    );
}

#[test]
fn d12_a_second_unmap_is_named() {
    let mut bench = Bench::new();
    bench.map_checked(range(0x1000, 64, TO));
    bench.unmap(range(0x1000, 64, TO));
    assert_eq!(bench.ids(), [""; 0]);
    bench.unmap(range(0x1000, 64, TO));
    assert_eq!(
        bench.texts(),
        [
            "device driver tries to free DMA memory it has not allocated \
          [device address=0x0000000000001000] [size=64 bytes]"
        ]
    );
}

#[test]
fn d12_another_device_does_not_own_the_mapping() {
    let mut bench = Bench::new();
    let other = device();
    bench.map_checked(range(0x1000, 64, TO));
    bench.debug.unmap_phys(&other, &range(0x1000, 64, TO));
    assert_eq!(bench.ids(), ["D12"]);
    bench.unmap(range(0x1000, 64, TO));
    assert_eq!(bench.ids(), [""; 0]);
}

#[test]
fn d13_d17_scenario_e_size_and_direction_are_both_named_and_the_entry_is_gone() {
    let mut bench = Bench::new();
    bench.map_checked(range(0x1000, 4096, FROM));
    bench.unmap(range(0x1000, 2048, BOTH));
    assert_eq!(
        bench.texts(),
        [
            "device driver frees DMA memory with different size \
             [device address=0x0000000000001000] [map size=4096 bytes] [unmap size=2048 bytes]",
            "device driver frees DMA memory with different direction \
             [device address=0x0000000000001000] [size=2048 bytes] [mapped with FROM_DEVICE] \
             [unmapped with BIDIRECTIONAL]"
        ]
    );
    assert_eq!(bench.debug.live_entries(), 0);
}

#[test]
fn d14_a_function_of_another_kind_is_named() {
    let mut bench = Bench::new();
    let memory = range(0x1000, 4096, BOTH);
    bench.debug.alloc_coherent(&bench.dev, &memory, CONTEXT);
    bench.unmap(memory);
    assert_eq!(
        bench.texts(),
        ["device driver frees DMA memory with wrong function \
          [device address=0x0000000000001000] [size=4096 bytes] [mapped as coherent] \
          [unmapped as phy]"]
    );
}

#[test]
fn d15_another_cpu_address_is_named_if_the_kinds_agree() {
    let mut bench = Bench::new();
    let memory = range(0x1000, 4096, BOTH);
    let mut moved = memory;
    moved.phys = PhysAddr::new(0x2000);
    bench.debug.alloc_coherent(&bench.dev, &memory, CONTEXT);
    bench.debug.free_coherent(&bench.dev, &moved);
    assert_eq!(
        bench.texts(),
        ["device driver frees DMA memory with different CPU address \
          [device address=0x0000000000001000] [size=4096 bytes] [cpu alloc address=0x1000] \
          [cpu free address=0x2000]"]
    );
    bench.debug.alloc_pages(&bench.dev, &memory, CONTEXT);
    bench.debug.free_pages(&bench.dev, &moved);
    assert_eq!(bench.ids(), ["D15"]);
    bench.debug.alloc_pages(&bench.dev, &memory, CONTEXT);
    bench.debug.free_coherent(&bench.dev, &moved);
    assert_eq!(bench.ids(), ["D14"]);
}

#[test]
fn d16_another_number_of_entries_is_named_for_each_segment() {
    let mut bench = Bench::new();
    let list = pages(&[0x1000, 0x3000, 0x8000]);
    bench.map_sg(&list, TO);
    bench.unmap_sg(&list[..2], TO);
    assert_eq!(
        bench.texts(),
        ["device driver frees DMA sg list with different entry count [map count=3] \
          [unmap count=2]"; 2]
    );
    assert_eq!(bench.debug.live_entries(), 1);
}

#[test]
fn a_list_that_was_merged_is_unmapped_with_its_own_count() {
    let mut bench = Bench::new();
    let mut list = pages(&[0x1000, 0x2000, 0x8000]);
    list[0].dma_bytes = 8192;
    list[1].dma = DmaAddr::new(0x8000);
    let dev = device();
    bench.debug.map_sg(&dev, &list, 2, TO, Attrs::NONE, CONTEXT);
    assert_eq!(bench.debug.live_entries(), 2);
    bench.debug.unmap_sg(&dev, &list, TO, Attrs::NONE);
    assert_eq!(bench.ids(), [""; 0]);
    assert_eq!(bench.debug.live_entries(), 0);
}

#[test]
fn d18_scenario_a_a_mapping_never_asked_about_is_named_at_its_unmap() {
    let mut bench = Bench::new();
    bench.call_from(1, 1842, "rx0");
    bench.map(range(0x1000, 64, TO));
    bench.call_from(0, 2000, "rx0");
    bench.unmap(range(0x1000, 64, TO));
    let reports = bench.debug.take_reports();
    assert_eq!(reports.len(), 1);
    // The CPU is that of the map's context.
    assert_eq!(
        reports[0].to_string(),
        "DMA-API: e1000 0000:01:00.0: device driver failed to check map error \
         [device address=0x0000000000001000] [size=64 bytes] [mapped as phy], mapped by CPU 0 at \
         cycle 1842 (rx0)"
    );
    assert_eq!(reports[0].caller.cycle, 2000);
}

#[test]
fn d18_scenario_b_a_double_map_without_checks_is_one_error_and_not_two() {
    let mut bench = Bench::new();
    let mapping = range(0x1000, 64, TO);
    bench.map(mapping);
    bench.map(mapping);
    bench.unmap(mapping);
    assert_eq!(bench.ids(), [""; 0]);
    bench.unmap(mapping);
    assert_eq!(bench.ids(), ["D18"]);
}

#[test]
fn d18_does_not_concern_lists_and_allocations() {
    let mut bench = Bench::new();
    bench.map_sg(&pages(&[0x1000]), TO);
    bench.unmap_sg(&pages(&[0x1000]), TO);
    assert_eq!(bench.ids(), [""; 0]);
}

#[test]
fn d19_only_some_attributes_must_agree() {
    for attr in MUST_AGREE {
        let mut bench = Bench::new();
        bench.map_checked(with_attrs(range(0x1000, 64, TO), attr));
        bench.unmap(range(0x1000, 64, TO));
        assert_eq!(bench.ids(), ["D19"], "{attr:?}");
        bench.map_checked(with_attrs(range(0x1000, 64, TO), attr));
        bench.unmap(with_attrs(range(0x1000, 64, TO), attr));
        assert_eq!(bench.ids(), [""; 0], "{attr:?}");
    }
    let mut bench = Bench::new();
    bench.map_checked(range(0x1000, 64, TO));
    let free = Attrs::SKIP_CPU_SYNC | Attrs::NO_WARN | Attrs::WEAK_ORDERING;
    bench.unmap(with_attrs(range(0x1000, 64, TO), free));
    assert_eq!(bench.ids(), [""; 0]);
    bench.map_checked(range(0x1000, 64, TO));
    bench.unmap(with_attrs(range(0x1000, 64, TO), Attrs::PRIVILEGED));
    assert_eq!(
        bench.texts(),
        ["device driver frees DMA memory with different attributes \
          [device address=0x0000000000001000] [size=64 bytes] [mapped with 0x0] \
          [unmapped with 0x200]"]
    );
}

#[test]
fn d13_to_d19_all_fire_in_order_for_one_call() {
    let mut bench = Bench::new();
    bench.map(range(0x1000, 4096, FROM));
    let list = pages(&[0x1000]);
    let mut short = list;
    short[0].dma_bytes = 1;
    bench
        .debug
        .unmap_sg(&bench.dev, &short, TO, Attrs::PRIVILEGED);
    assert_eq!(bench.ids(), ["D13", "D14", "D16", "D17", "D18", "D19"]);
    assert_eq!(bench.debug.live_entries(), 0);
}

#[test]
fn an_unknown_list_is_named_at_each_entry_of_an_unmap_and_not_at_all_of_a_sync() {
    let mut bench = Bench::new();
    let list = pages(&[0x1000, 0x3000, 0x8000]);
    bench.debug.sync_sg_for_cpu(&bench.dev, &list, FROM);
    bench.debug.sync_sg_for_device(&bench.dev, &list, FROM);
    assert_eq!(bench.ids(), [""; 0]);
    bench.unmap_sg(&list, FROM);
    assert_eq!(bench.ids(), ["D12"; 3]);
}

#[test]
fn d20_scenario_c_after_a_double_map_no_sync_finds_its_mapping() {
    let mut bench = Bench::new();
    let mapping = range(0x1000, 64, FROM);
    bench.map_checked(mapping);
    bench.sync_for_cpu(0x1000, 64, FROM);
    assert_eq!(bench.ids(), [""; 0]);
    bench.map_checked(mapping);
    bench.sync_for_cpu(0x1000, 64, FROM);
    assert_eq!(bench.ids(), ["D20"]);
}

#[test]
fn d20_scenario_d_a_sync_past_the_end_finds_nothing() {
    let mut bench = Bench::new();
    bench.map_checked(range(0x10_0000, 4096, TO));
    bench.sync_for_device(0x10_0000 + 3996, 100, TO);
    assert_eq!(bench.ids(), [""; 0]);
    bench.sync_for_device(0x10_0000 + 4050, 100, TO);
    assert_eq!(
        bench.texts(),
        [
            "device driver tries to sync DMA memory it has not allocated \
          [device address=0x0000000000100fd2] [size=100 bytes]"
        ]
    );
}

#[test]
fn d20_scenario_f_a_mapping_is_found_from_the_next_bucket() {
    let mut bench = Bench::new();
    bench.map_checked(range(0x1f00, 0x400, FROM));
    bench.sync_for_cpu(0x2100, 0x10, FROM);
    assert_eq!(bench.ids(), [""; 0]);
}

#[test]
fn d22_to_d24_the_direction_of_a_sync_is_judged_by_that_of_the_map() {
    let cases: [(_, _, &[&str], &[&str]); 6] = [
        (TO, TO, &[], &[]),
        (TO, FROM, &["D22", "D23"], &["D22"]),
        (TO, BOTH, &["D22", "D23"], &["D22"]),
        (FROM, FROM, &[], &[]),
        (FROM, TO, &["D22"], &["D22", "D24"]),
        (FROM, BOTH, &["D22"], &["D22", "D24"]),
    ];
    for (mapped, synced, for_cpu, for_device) in cases {
        let mut bench = Bench::new();
        bench.map_checked(range(0x1000, 64, mapped));
        bench.sync_for_cpu(0x1000, 64, synced);
        assert_eq!(bench.ids(), for_cpu, "{mapped} {synced} for cpu");
        bench.sync_for_device(0x1000, 64, synced);
        assert_eq!(bench.ids(), for_device, "{mapped} {synced} for device");
    }
}

#[test]
fn d22_to_d24_say_what_was_mapped_and_what_synced() {
    let mut bench = Bench::new();
    bench.map_checked(range(0x1000, 64, TO));
    bench.map_checked(range(0x2000, 64, FROM));
    bench.sync_for_cpu(0x1000, 64, FROM);
    bench.sync_for_device(0x2000, 64, TO);
    let facts = "[device address=0x0000000000001000] [size=64 bytes] [mapped with TO_DEVICE] \
                 [synced with FROM_DEVICE]";
    let others = "[device address=0x0000000000002000] [size=64 bytes] [mapped with FROM_DEVICE] \
                  [synced with TO_DEVICE]";
    let direction = "device driver syncs DMA memory with different direction";
    assert_eq!(
        bench.texts(),
        [
            format!("{direction} {facts}"),
            format!("device driver syncs device read-only DMA memory for cpu {facts}"),
            format!("{direction} {others}"),
            format!("device driver syncs device write-only DMA memory to device {others}"),
        ]
    );
}

#[test]
fn d25_a_list_synced_with_another_count_is_named_unless_it_is_bidirectional() {
    for (dir, found) in [(TO, &["D25", "D25"][..]), (BOTH, &[])] {
        let mut bench = Bench::new();
        let list = pages(&[0x1000, 0x3000, 0x8000]);
        bench.map_sg(&list, dir);
        bench.debug.sync_sg_for_device(&bench.dev, &list, dir);
        assert_eq!(bench.ids(), [""; 0]);
        bench.debug.sync_sg_for_device(&bench.dev, &list[..2], dir);
        assert_eq!(bench.ids(), found, "{dir}");
    }
    let mut bench = Bench::new();
    let list = pages(&[0x1000, 0x3000]);
    bench.map_sg(&list, TO);
    bench.debug.sync_sg_for_device(&bench.dev, &list[..1], TO);
    assert_eq!(
        bench.texts(),
        [
            "device driver syncs DMA sg list with different entry count [map count=2] \
          [sync count=1]"
        ]
    );
}

#[test]
fn bidirectional_mappings_may_be_synced_in_any_direction() {
    let mut bench = Bench::new();
    bench.map_checked(range(0x1000, 64, BOTH));
    for dir in [TO, FROM, BOTH] {
        bench.sync_for_cpu(0x1000, 64, dir);
        bench.sync_for_device(0x1000, 64, dir);
    }
    assert_eq!(bench.ids(), [""; 0]);
}

#[test]
fn d26_what_a_driver_leaves_behind_is_counted_and_one_is_shown() {
    let mut bench = Bench::new();
    bench.map_checked(range(0x1000, 64, FROM));
    bench.map_checked(range(0x8000, 128, TO));
    bench.debug.driver_unbound(&device());
    assert_eq!(bench.ids(), [""; 0], "another device has none");
    bench.debug.driver_unbound(&bench.dev);
    assert_eq!(
        bench.texts(),
        [
            "device driver has pending DMA allocations while released from device [count=2] one of \
          them [device address=0x0000000000001000] [size=64 bytes] [mapped with FROM_DEVICE] \
          [mapped as phy]"
        ]
    );
}
