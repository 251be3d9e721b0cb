//! When a buffer is bounced: each row of the table, on each platform, with and without a pool.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

use support::{HIGH, LOW, Machine, Pages};
use swiotlb::{
    AddressMarker, Attrs, CcPlatform, DataDirection, Device, DmaAddr, KmallocBounce, MapError,
    MapRequest, Mode, PhysAddr, Platform, bit_mask,
};

const NONE: CcPlatform = CcPlatform::None;
const GUEST: CcPlatform = CcPlatform::Guest(AddressMarker::None);
const HOST: CcPlatform = CcPlatform::Host { encryption_bit: 47 };

const PLAIN: Attrs = Attrs::NONE;
const MMIO: Attrs = Attrs::MMIO;
const REQUIRE: Attrs = Attrs::REQUIRE_COHERENT;
const SHARED: Attrs = Attrs::CC_SHARED;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pool {
    Missing,
    There,
    Forced,
}

fn machine(cc: CcPlatform, pool: Pool) -> Machine {
    let platform = Platform {
        cc,
        kmalloc: Some(KmallocBounce {
            min_align: 128,
            cache_alignment: 64,
        }),
        ..Platform::default()
    };
    let parameter = if pool == Pool::Forced { "force" } else { "" };
    let mut machine = if pool == Pool::Missing {
        Machine::poolless(platform)
    } else {
        Machine::with(platform, parameter, Mode::Kernel)
    };
    let mut pages = Pages::new(0, 0);
    machine.dma.swiotlb_mut().update_mem_attributes(&mut pages);
    machine
}

fn outcome(
    machine: &mut Machine,
    dev: &Device,
    addr: u64,
    bytes: u64,
    attrs: Attrs,
) -> &'static str {
    let dir = DataDirection::FromDevice;
    let request = MapRequest::new(PhysAddr::new(addr), bytes, dir).with_attrs(attrs);
    match machine.dma.map_phys(&mut machine.mem, dev, &request) {
        Ok(mapped) if mapped.bounce.is_some() => "bounced",
        Ok(_) => "direct",
        Err(MapError::NotCapable { .. }) => "overflow",
        Err(MapError::BounceForbidden) => "forbidden",
        Err(_) => "other",
    }
}

/// A row: address, attributes, and what comes of it without pool, with one, and forced.
type Row = (u64, Attrs, [&'static str; 3]);

fn check(cc: CcPlatform, dev: &Device, bytes: u64, rows: &[Row]) {
    let pools = [Pool::Missing, Pool::There, Pool::Forced];
    for (addr, attrs, expected) in rows {
        for (pool, expected) in pools.into_iter().zip(expected) {
            let mut machine = machine(cc, pool);
            let seen = outcome(&mut machine, dev, *addr, bytes, *attrs);
            assert_eq!(seen, *expected, "{cc:?} {pool:?} {addr:#x} {attrs}");
        }
    }
}

#[test]
fn without_encryption_reach_and_force_decide() {
    let dev = Device::new("d");
    check(
        NONE,
        &dev,
        4096,
        &[
            (LOW, PLAIN, ["direct", "direct", "bounced"]),
            (LOW, SHARED, ["direct", "direct", "bounced"]),
            (LOW, MMIO, ["direct", "direct", "forbidden"]),
            (LOW, REQUIRE, ["direct", "direct", "forbidden"]),
            (HIGH, PLAIN, ["overflow", "bounced", "bounced"]),
            (HIGH, MMIO, ["overflow", "overflow", "forbidden"]),
            (HIGH, REQUIRE, ["overflow", "overflow", "forbidden"]),
        ],
    );
}

#[test]
fn in_a_guest_private_memory_bounces_and_shared_memory_does_not() {
    let dev = Device::new("d").with_masks(bit_mask(64));
    check(
        GUEST,
        &dev,
        4096,
        &[
            (LOW, PLAIN, ["overflow", "bounced", "bounced"]),
            (LOW, SHARED, ["direct", "direct", "bounced"]),
            (LOW, MMIO, ["overflow", "overflow", "forbidden"]),
            (LOW, MMIO | SHARED, ["direct", "direct", "forbidden"]),
            (LOW, REQUIRE, ["overflow", "overflow", "forbidden"]),
            (LOW, REQUIRE | SHARED, ["direct", "direct", "forbidden"]),
        ],
    );
}

#[test]
fn on_an_encrypting_host_the_mask_decides_and_mmio_counts_as_shared() {
    let narrow = Device::new("narrow");
    check(
        HOST,
        &narrow,
        4096,
        &[
            (LOW, PLAIN, ["overflow", "bounced", "bounced"]),
            (LOW, SHARED, ["direct", "direct", "bounced"]),
            (LOW, MMIO, ["direct", "direct", "forbidden"]),
            (HIGH, MMIO, ["overflow", "overflow", "forbidden"]),
        ],
    );
    let wide = Device::new("wide").with_masks(bit_mask(64));
    let direct = ["direct", "direct", "bounced"];
    check(
        HOST,
        &wide,
        4096,
        &[(LOW, PLAIN, direct), (HIGH, PLAIN, direct)],
    );
}

#[test]
fn a_small_buffer_of_a_device_that_does_not_snoop_needs_a_pool() {
    let dev = Device::new("d").with_coherency(false);
    let rows = [
        (LOW, PLAIN, ["overflow", "bounced", "bounced"]),
        (LOW, MMIO, ["direct", "direct", "forbidden"]),
    ];
    check(NONE, &dev, 32, &rows);
    check(
        NONE,
        &dev,
        33,
        &[(LOW, PLAIN, ["direct", "direct", "bounced"])],
    );
}

#[test]
fn the_end_is_compared_as_a_number_and_no_byte_ends_in_front_of_the_buffer() {
    let machine = machine(NONE, Pool::There);
    let capable =
        |dev: &Device, addr: u64, bytes| machine.dma.capable(dev, DmaAddr::new(addr), bytes, PLAIN);
    // A mask with holes is a number too.
    let holes = Device::new("d").with_masks(0xff00);
    assert!(capable(&holes, 0x00ff, 1));
    assert!(capable(&holes, 0xff00, 1) && !capable(&holes, 0xff01, 1));
    let dev = Device::new("d").with_masks(0xffff);
    assert!(capable(&dev, 0x1_0000, 0));
    assert!(!capable(&dev, 0x1_0000, 1));
    assert!(!capable(&dev, 0, 0));
}
