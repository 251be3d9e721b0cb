//! The rules that only show when CPU and device are both seen: X4 to X7, X9 and X10.

use swiotlb::{
    Attrs, Caller, CpuId, DataDirection, DmaAddr, Held, Ownership, OwnershipId, PhysAddr,
};

const TO: DataDirection = DataDirection::ToDevice;
const FROM: DataDirection = DataDirection::FromDevice;
const BOTH: DataDirection = DataDirection::Bidirectional;
const ORIG: u64 = 0x1_8000_1000;
const DMA: u64 = 0x400_2000;

fn held(dir: DataDirection, has_two_views: bool) -> Held {
    Held {
        dma: DmaAddr::new(DMA),
        orig: PhysAddr::new(ORIG),
        bytes: 100,
        dir,
        has_two_views,
        mapper: Caller::new(CpuId(1), 10).with_label("rx0"),
        handed_over_at: 10,
    }
}

/// A bounced mapping of 100 bytes.
fn bounced(dir: DataDirection) -> (Ownership, OwnershipId) {
    let mut owners = Ownership::new();
    let id = owners.mapped(held(dir, true));
    (owners, id)
}

fn orig(offset: u64) -> PhysAddr {
    PhysAddr::new(ORIG + offset)
}

fn ids(owners: &mut Ownership) -> Vec<&'static str> {
    let breaches = owners.take_breaches();
    breaches.iter().map(|found| found.breach.id()).collect()
}

#[test]
fn a_driver_that_hands_over_properly_breaks_nothing() {
    for dir in [TO, FROM, BOTH] {
        for has_two_views in [true, false] {
            let mut owners = Ownership::new();
            let id = owners.mapped(held(dir, has_two_views));
            for cycle in [100, 200] {
                owners.device_started(id);
                if dir.reaches_device() {
                    owners.on_device_read(id, cycle, 0, 100);
                }
                if dir.comes_from_device() {
                    owners.on_device_write(id, cycle, 0, 100);
                }
                owners.device_finished(id);
                owners.synced_for_cpu(id, 0, 100, dir);
                owners.on_cpu_read(cycle + 10, orig(0), 100);
                owners.on_cpu_write(cycle + 20, orig(0), 100);
                owners.synced_for_device(id, cycle + 30, 0, 100, dir);
            }
            owners.unmapped(id, 300, Attrs::NONE);
            owners.on_cpu_write(310, orig(0), 100);
            assert_eq!(ids(&mut owners), [""; 0], "{dir} {has_two_views}");
        }
    }
}

#[test]
fn x4_a_cpu_write_to_a_lent_buffer_is_named_with_its_history() {
    let (mut owners, id) = bounced(BOTH);
    owners.synced_for_cpu(id, 0, 100, BOTH);
    owners.synced_for_device(id, 50, 0, 100, BOTH);
    owners.on_cpu_write(60, orig(99), 4);
    let breaches = owners.take_breaches();
    assert_eq!(breaches.len(), 1);
    assert_eq!(
        breaches[0].to_string(),
        "CPU write to a lent buffer: expected a sync for the CPU before, found none, 4 bytes at \
         phys 0x180001063, mapped BIDIRECTIONAL by CPU 1 at cycle 10 (rx0), handed over at cycle 50"
    );
}

#[test]
fn x4_a_sync_frees_its_own_part_only() {
    let (mut owners, id) = bounced(FROM);
    owners.synced_for_cpu(id, 10, 20, FROM);
    owners.on_cpu_read(20, orig(10), 20);
    owners.on_cpu_read(20, orig(100), 8);
    assert_eq!(ids(&mut owners), [""; 0]);
    owners.on_cpu_read(21, orig(10), 21);
    assert_eq!(ids(&mut owners), ["X4"]);
}

#[test]
fn x4_what_the_device_only_reads_may_be_read_at_any_time() {
    let (mut owners, _) = bounced(TO);
    owners.on_cpu_read(20, orig(0), 100);
    assert_eq!(ids(&mut owners), [""; 0]);
    owners.on_cpu_write(21, orig(0), 1);
    assert_eq!(ids(&mut owners), ["X4"]);
}

#[test]
fn x5_a_cpu_read_of_what_the_device_has_written_is_stale_without_a_sync() {
    let (mut owners, id) = bounced(FROM);
    owners.synced_for_cpu(id, 0, 100, FROM);
    owners.on_device_write(id, 30, 40, 8);
    owners.on_cpu_read(40, orig(0), 40);
    assert_eq!(ids(&mut owners), [""; 0]);
    owners.on_cpu_read(41, orig(0), 41);
    assert_eq!(ids(&mut owners), ["X5"]);
    // The direction of the sync decides: this one copies nothing back.
    owners.synced_for_cpu(id, 0, 100, TO);
    owners.on_cpu_read(42, orig(0), 41);
    assert_eq!(ids(&mut owners), ["X5"]);
    owners.synced_for_cpu(id, 0, 100, FROM);
    owners.on_cpu_read(43, orig(0), 41);
    assert_eq!(ids(&mut owners), [""; 0]);
}

#[test]
fn x5_a_device_read_of_what_the_cpu_has_written_is_stale_without_a_sync() {
    for has_two_views in [true, false] {
        let mut owners = Ownership::new();
        let id = owners.mapped(held(TO, has_two_views));
        owners.synced_for_cpu(id, 0, 100, TO);
        owners.on_cpu_write(20, orig(64), 4);
        owners.on_device_read(id, 30, 0, 64);
        assert_eq!(ids(&mut owners), [""; 0]);
        owners.on_device_read(id, 31, 64, 8);
        let found: &[&str] = if has_two_views { &["X5"] } else { &[] };
        assert_eq!(ids(&mut owners), found);
        owners.synced_for_device(id, 40, 64, 4, TO);
        owners.on_device_read(id, 41, 64, 8);
        assert_eq!(ids(&mut owners), [""; 0]);
    }
}

#[test]
fn x6_a_write_to_memory_that_is_mapped_twice_is_named() {
    let (mut owners, id) = bounced(FROM);
    let alias = owners.mapped(Held {
        dma: DmaAddr::new(DMA + 0x1000),
        orig: orig(90),
        ..held(TO, true)
    });
    owners.on_device_write(id, 20, 0, 90);
    owners.on_device_read(alias, 20, 0, 10);
    assert_eq!(ids(&mut owners), [""; 0]);
    owners.on_device_write(id, 21, 88, 8);
    let breaches = owners.take_breaches();
    assert_eq!(breaches.len(), 1);
    assert_eq!(breaches[0].breach.id(), "X6");
    assert_eq!(breaches[0].phys, orig(90));
    // With the second mapping gone, the memory is mapped once.
    owners.unmapped(alias, 30, Attrs::NONE);
    owners.on_device_write(id, 31, 88, 8);
    assert_eq!(ids(&mut owners), [""; 0]);
}

#[test]
fn x7_addresses_given_out_again_in_flight_are_named() {
    for is_finished in [true, false] {
        let (mut owners, id) = bounced(FROM);
        owners.device_started(id);
        owners.unmapped(id, 20, Attrs::NONE);
        if is_finished {
            owners.device_finished(id);
        }
        owners.mapped(Held {
            dma: DmaAddr::new(DMA + 0x1000),
            ..held(TO, true)
        });
        assert_eq!(ids(&mut owners), [""; 0]);
        owners.mapped(held(TO, true));
        let found: &[&str] = if is_finished { &[] } else { &["X7"] };
        assert_eq!(ids(&mut owners), found);
    }
}

#[test]
fn x9_memory_that_is_forbidden_is_forbidden_until_it_is_permitted() {
    let mut owners = Ownership::new();
    let page = PhysAddr::new(0x5000);
    owners.forbid(page, 4096, "a private page");
    assert!(!owners.on_memory_access(10, PhysAddr::new(0x6000), 8));
    assert_eq!(ids(&mut owners), [""; 0]);
    assert!(owners.on_memory_access(11, PhysAddr::new(0x4ffc), 8));
    let breaches = owners.take_breaches();
    assert_eq!(
        breaches[0].to_string(),
        "device access: expected memory for it, found a private page, 8 bytes at phys 0x4ffc"
    );
    owners.permit(page, 4096);
    assert!(!owners.on_memory_access(12, page, 8));
}

#[test]
fn x9_what_lies_beside_permitted_memory_stays_forbidden() {
    let mut owners = Ownership::new();
    let at = |offset: u64| PhysAddr::new(0x5000 + offset);
    owners.forbid(at(0), 4096, "a private page");
    owners.permit(at(1024), 2048);
    let mut forbids = |offset| owners.on_memory_access(10, at(offset), 8);
    assert!(forbids(0) && forbids(1016) && forbids(3072) && forbids(4088));
    assert!(!forbids(1024) && !forbids(3064) && !forbids(4096));
}

#[test]
fn x10_an_unmap_that_drops_device_data_is_named() {
    let cases = [
        (true, Attrs::SKIP_CPU_SYNC, false, &["X10"][..]),
        (true, Attrs::SKIP_CPU_SYNC, true, &[]),
        (true, Attrs::NONE, false, &[]),
        (false, Attrs::SKIP_CPU_SYNC, false, &[]),
    ];
    for (has_two_views, attrs, is_synced, expected) in cases {
        let mut owners = Ownership::new();
        let id = owners.mapped(held(FROM, has_two_views));
        owners.on_device_write(id, 20, 16, 8);
        if is_synced {
            owners.synced_for_cpu(id, 0, 100, FROM);
        }
        owners.unmapped(id, 30, attrs);
        assert_eq!(
            ids(&mut owners),
            expected,
            "{has_two_views} {attrs:?} {is_synced}"
        );
    }
}
