//! Messages of the bounce layer: what provokes each, and the line that the log then shows.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

use std::time::Duration;

use swiotlb::{
    AddressMarker, AllocError, Attrs, BootConfig, BounceRequest, CcPlatform, CpuId, DataDirection,
    Device, DmaAddr, DmaRange, EarlyInit, Event, InitError, MapError, Mode, PhysAddr, Platform,
    RestrictedRegion, SparseMemory, Swiotlb,
};

use support::{HIGH, Machine, POOL, Pages};

/// Memory encryption inside a guest.
const GUEST: CcPlatform = CcPlatform::Guest(AddressMarker::None);

fn nic() -> Device {
    Device::new("0000:01:00.0").with_driver("nvme")
}

fn platform(cc: CcPlatform) -> Platform {
    Platform {
        cc,
        ..Platform::default()
    }
}

fn memory() -> SparseMemory {
    Machine::new().mem
}

fn layer(cc: CcPlatform, parameter: &str) -> Swiotlb {
    let mut boot = BootConfig::default();
    boot.parse(parameter);
    let swiotlb = Swiotlb::new(platform(cc), boot, Mode::Strict);
    // What the parameter alone has said is not the matter of these tests.
    swiotlb.drain_events();
    swiotlb
}

fn map(swiotlb: &Swiotlb, dev: &Device, align_mask: u32) -> Result<(), MapError> {
    let request = BounceRequest {
        orig: PhysAddr::new(HIGH),
        bytes: 100,
        alloc_align_mask: align_mask,
        dir: DataDirection::ToDevice,
        attrs: Attrs::NONE,
        cpu: CpuId(0),
    };
    swiotlb
        .tbl_map_single(&mut memory(), dev, &request)
        .map(|_| ())
}

fn region(base: u64) -> RestrictedRegion {
    RestrictedRegion {
        name: "region".to_owned(),
        base: PhysAddr::new(base),
        bytes: 0x10_0000,
    }
}

/// Boots with pages from `pages`, and a remap call that answers `remap`.
fn boot(swiotlb: &mut Swiotlb, pages: &mut Pages, remap: Result<(), i32>) -> Result<(), InitError> {
    let mut remap = move |_: PhysAddr, _: u64| remap;
    let how = EarlyInit {
        has_addressing_limit: true,
        remap: Some(&mut remap),
        ..EarlyInit::default()
    };
    swiotlb.init_early(&mut memory(), pages, how).map(|_| ())
}

fn too_early() -> Swiotlb {
    let swiotlb = layer(CcPlatform::None, "");
    assert_eq!(map(&swiotlb, &nic(), 0), Err(MapError::Inactive));
    swiotlb
}

fn encryption_active() -> Swiotlb {
    let machine = Machine::with(platform(GUEST), "", Mode::Strict);
    let swiotlb = machine.dma.into_swiotlb();
    let refused = map(&swiotlb, &nic(), 0);
    let pool_is_shared = false;
    assert_eq!(refused, Err(MapError::CcMismatch { pool_is_shared }));
    swiotlb
}

fn align_may_prevent() -> Swiotlb {
    let swiotlb = Machine::new().dma.into_swiotlb();
    map(&swiotlb, &nic(), 0x3fff).unwrap();
    swiotlb
}

/// The device sees an odd slot of its pool at bus address 0: what is aligned for it is not for the CPU.
fn unaligned_pages() -> Swiotlb {
    let mut swiotlb = layer(CcPlatform::None, "");
    let mut dev = nic().with_ranges(vec![DmaRange {
        cpu_start: PhysAddr::new(POOL + 0x800),
        dma_start: DmaAddr::new(0),
        bytes: 0x10_0000,
    }]);
    let id = swiotlb.add_restricted(region(POOL + 0x800)).unwrap();
    let mut none = Pages::new(0, 0);
    swiotlb
        .attach_restricted(&mut memory(), &mut none, &mut dev, id)
        .unwrap();
    swiotlb.drain_events();
    let refused = swiotlb.alloc(&dev, 4096, Attrs::NONE, CpuId(0));
    let addr = PhysAddr::new(POOL + 0x800);
    assert_eq!(refused, Err(AllocError::Unaligned { addr }));
    assert_eq!(swiotlb.stats(id).unwrap().used_slots, 0);
    swiotlb
}

fn attach(cc: CcPlatform, refuses_sharing: bool) -> (Swiotlb, Result<(), InitError>) {
    let mut swiotlb = layer(cc, "");
    let id = swiotlb.add_restricted(region(POOL)).unwrap();
    let mut pages = Pages::new(0, 0);
    pages.refuses_sharing = refuses_sharing;
    let attached = swiotlb.attach_restricted(&mut memory(), &mut pages, &mut nic(), id);
    (swiotlb, attached)
}

fn decrypt_restricted_failed() -> Swiotlb {
    let (swiotlb, attached) = attach(GUEST, true);
    assert_eq!(attached, Err(InitError::ShareFailed { code: -5 }));
    swiotlb
}

fn restricted_created() -> Swiotlb {
    let (swiotlb, attached) = attach(CcPlatform::None, false);
    assert_eq!(attached, Ok(()));
    swiotlb
}

fn tearing_down() -> Swiotlb {
    let mut swiotlb = Machine::new().dma.into_swiotlb();
    swiotlb.drain_events();
    let freed = swiotlb.exit(&mut Pages::new(0, 0));
    assert_eq!(freed, 0x10_0000);
    swiotlb
}

fn pool_alloc_failed() -> Swiotlb {
    let mut swiotlb = layer(CcPlatform::None, "512,1");
    let refused = boot(&mut swiotlb, &mut Pages::new(0, 0), Ok(()));
    assert_eq!(refused, Err(InitError::NoMemory { bytes: 0x10_0000 }));
    swiotlb
}

fn remap_failed() -> Swiotlb {
    let mut swiotlb = layer(CcPlatform::None, "512,1");
    let mut pages = Pages::new(POOL, 0x20_0000);
    let refused = boot(&mut swiotlb, &mut pages, Err(-12));
    let (bytes, code) = (0x10_0000, -12);
    assert_eq!(refused, Err(InitError::RemapFailed { bytes, code }));
    assert_eq!(pages.freed, [(POOL, bytes)]);
    swiotlb
}

/// What provokes a message, and the line.
type Provocation = (fn() -> Swiotlb, &'static str);

const TABLE: [Provocation; 9] = [
    (
        too_early,
        "nvme 0000:01:00.0: Can not allocate SWIOTLB buffer earlier",
    ),
    (
        encryption_active,
        "software IO TLB: Memory encryption is active: bounce buffers are in use",
    ),
    (
        align_may_prevent,
        "nvme 0000:01:00.0: Alloc alignment may prevent fulfilling requests",
    ),
    (
        unaligned_pages,
        "nvme 0000:01:00.0: Cannot allocate pages from non page-aligned 0x1000800",
    ),
    (
        decrypt_restricted_failed,
        "nvme 0000:01:00.0: Failed to decrypt restricted DMA pool",
    ),
    (
        restricted_created,
        "software IO TLB: created restricted DMA pool at 0x1000000, size 1 MiB",
    ),
    (
        tearing_down,
        "software IO TLB: tearing down default memory pool",
    ),
    (
        pool_alloc_failed,
        "software IO TLB: swiotlb_init_remap: Failed to allocate 1048576 bytes tlb structure",
    ),
    (
        remap_failed,
        "software IO TLB: swiotlb_init_remap: Failed to remap 1048576 bytes",
    ),
];

#[test]
fn each_provocation_logs_its_line_and_nothing_else() {
    for (provoke, line) in TABLE {
        let events = provoke().drain_events();
        let lines: Vec<String> = events.iter().map(Event::to_string).collect();
        assert_eq!(lines, [line]);
    }
}

#[test]
fn mappings_before_there_is_a_pool_are_told_ten_times_in_five_seconds() {
    let swiotlb = layer(CcPlatform::None, "");
    for _ in 0..12 {
        assert!(map(&swiotlb, &nic(), 0).is_err());
    }
    assert_eq!(swiotlb.drain_events().len(), 10);
    swiotlb.set_time(Duration::from_secs(6));
    assert!(map(&swiotlb, &nic(), 0).is_err());
    let lines: Vec<String> = swiotlb
        .drain_events()
        .iter()
        .map(Event::to_string)
        .collect();
    let expected = [
        "software IO TLB: 2 callbacks suppressed",
        "nvme 0000:01:00.0: Can not allocate SWIOTLB buffer earlier",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn a_device_without_a_driver_is_named_alone() {
    let swiotlb = layer(CcPlatform::None, "");
    assert!(map(&swiotlb, &Device::new("platform0"), 0).is_err());
    let events = swiotlb.drain_events();
    assert_eq!(
        events[0].to_string(),
        "platform0: Can not allocate SWIOTLB buffer earlier"
    );
}
