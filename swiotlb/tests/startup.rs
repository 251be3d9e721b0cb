//! Start and end of the default pool: requests made, sizes that come out, messages.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use swiotlb::{
    AddressMarker, AllocatorId, BootConfig, BootOptions, CcPlatform, EarlyInit, InitError,
    InitOutcome, MemAttributes, Mode, PageRequest, PageSource, PhysAddr, Platform, PoolGeometry,
    RamRange, SparseMemory, Swiotlb, Zone,
};

const BASE: u64 = 0x100_0000;

/// Refuses requests above a size, and keeps a record.
struct Scarce {
    largest: u64,
    asked: Vec<u64>,
    freed: Vec<u64>,
    share: Result<(), i32>,
    unshare: Result<(), i32>,
}

impl Scarce {
    fn new(largest: u64) -> Self {
        Self {
            largest,
            asked: Vec::new(),
            freed: Vec::new(),
            share: Ok(()),
            unshare: Ok(()),
        }
    }
}

impl PageSource for Scarce {
    fn alloc(&mut self, request: &PageRequest) -> Option<PhysAddr> {
        self.asked.push(request.bytes);
        (request.bytes <= self.largest).then_some(PhysAddr::new(BASE))
    }

    fn free(&mut self, _base: PhysAddr, bytes: u64) {
        self.freed.push(bytes);
    }

    fn make_shared(&mut self, _base: PhysAddr, _bytes: u64) -> Result<(), i32> {
        self.share
    }

    fn make_private(&mut self, _base: PhysAddr, _bytes: u64) -> Result<(), i32> {
        self.unshare
    }
}

fn memory() -> SparseMemory {
    SparseMemory::new(&[RamRange {
        start: PhysAddr::new(0),
        bytes: 1 << 30,
    }])
    .unwrap()
}

fn swiotlb(parameter: &str, platform: Platform) -> Swiotlb {
    let mut boot = BootConfig::default();
    boot.parse(parameter);
    Swiotlb::new(platform, boot, Mode::Kernel)
}

fn early<'a>() -> EarlyInit<'a> {
    EarlyInit {
        has_addressing_limit: true,
        is_verbose: true,
        ..EarlyInit::default()
    }
}

fn texts(swiotlb: &mut Swiotlb) -> Vec<String> {
    swiotlb
        .drain_events()
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn an_early_start_takes_the_default_size_and_an_area_per_cpu() {
    let platform = Platform {
        possible_cpus: 6,
        ..Platform::default()
    };
    let mut swiotlb = swiotlb("", platform);
    let mut source = Scarce::new(u64::MAX);
    let outcome = swiotlb.init_early(&mut memory(), &mut source, early());
    let geometry = PoolGeometry {
        base: PhysAddr::new(BASE),
        slots: 32768,
        areas: 8,
    };
    assert_eq!(outcome, Ok(InitOutcome::Ready(geometry)));
    assert_eq!(source.asked, [64 << 20]);
    assert_eq!(
        texts(&mut swiotlb),
        [
            "software IO TLB: area num 8.",
            "software IO TLB: mapped [mem 0x0000000001000000-0x0000000005000000] (64 MB)"
        ]
    );
    assert_eq!(swiotlb.default_base(), Some(PhysAddr::new(BASE)));
    assert_eq!(swiotlb.default_limit(), Some(PhysAddr::new(0x4ff_ffff)));
    let again = swiotlb.init_early(&mut memory(), &mut source, early());
    assert_eq!(again, Ok(InitOutcome::AlreadyActive));
}

#[test]
fn refused_boot_memory_halves_the_pool_but_not_the_areas() {
    let mut swiotlb = swiotlb("4096,16", Platform::default());
    let mut source = Scarce::new(2 << 20);
    let outcome = swiotlb.init_early(&mut memory(), &mut source, early());
    assert_eq!(source.asked, [8 << 20, 4 << 20, 2 << 20]);
    let Ok(InitOutcome::Ready(geometry)) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!((geometry.slots, geometry.areas), (1024, 8));
    assert_eq!(swiotlb.boot().default_slots(), 1024);
    assert_eq!(swiotlb.boot().default_areas(), 16);
    let texts = texts(&mut swiotlb);
    let reduced = "software IO TLB: bounce buffer size adjusted 4096 -> 1024 slabs";
    assert!(texts.iter().any(|text| text == reduced), "{texts:?}");
}

#[test]
fn a_start_gives_up_below_1_mib() {
    let mut swiotlb = swiotlb("1024,1", Platform::default());
    let mut source = Scarce::new(0);
    let outcome = swiotlb.init_early(&mut memory(), &mut source, early());
    assert_eq!(outcome, Err(InitError::NoMemory { bytes: 1 << 20 }));
    assert_eq!(source.asked, [2 << 20, 1 << 20]);
    assert!(!swiotlb.is_allocated());
    assert_eq!(swiotlb.boot().default_slots(), 1024);
}

#[test]
fn no_need_and_noforce_leave_no_pool() {
    let mut source = Scarce::new(u64::MAX);
    let mut unneeded = swiotlb("", Platform::default());
    let outcome = unneeded.init_early(&mut memory(), &mut source, EarlyInit::default());
    assert_eq!(outcome, Ok(InitOutcome::NotNeeded));
    assert_eq!(unneeded.boot().default_areas(), 0);

    let mut forced = swiotlb("1024,1,force", Platform::default());
    let outcome = forced.init_early(&mut memory(), &mut source, EarlyInit::default());
    assert!(matches!(outcome, Ok(InitOutcome::Ready(_))));

    let mut both = swiotlb("force", Platform::default());
    let mut boot = both.boot().clone();
    boot.parse("noforce");
    both = Swiotlb::new(Platform::default(), boot, Mode::Kernel);
    let outcome = both.init_early(&mut memory(), &mut source, early());
    assert_eq!(outcome, Ok(InitOutcome::Disabled));
    both.print_info();
    assert_eq!(
        texts(&mut both).last().unwrap(),
        "software IO TLB: No low mem"
    );
}

#[test]
fn a_refused_remap_counts_as_refused_memory() {
    let mut swiotlb = swiotlb("2048,1", Platform::default());
    let mut source = Scarce::new(u64::MAX);
    let mut remap = |_: PhysAddr, bytes: u64| if bytes > 2 << 20 { Err(-5) } else { Ok(()) };
    let how = EarlyInit {
        remap: Some(&mut remap),
        ..early()
    };
    let outcome = swiotlb.init_early(&mut memory(), &mut source, how);
    let Ok(InitOutcome::Ready(geometry)) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(geometry.slots, 1024);
    assert_eq!(source.freed, [4 << 20]);
}

#[test]
fn a_late_start_asks_for_whole_orders_and_fails_at_1_mib() {
    let late = |bytes: u64, largest: u64| {
        let mut swiotlb = swiotlb(",2", Platform::default());
        let mut source = Scarce::new(largest);
        let zone = Zone::Normal;
        let outcome = swiotlb.init_late(&mut memory(), &mut source, bytes, zone, None);
        (outcome, source.asked, texts(&mut swiotlb))
    };
    let (outcome, asked, _) = late(3 << 20, u64::MAX);
    let Ok(InitOutcome::Ready(geometry)) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!((geometry.slots, geometry.areas), (2048, 2));
    assert_eq!(asked, [4 << 20]);

    let (outcome, asked, texts) = late(8 << 20, 2 << 20);
    assert!(outcome.is_ok());
    assert_eq!(asked, [8 << 20, 4 << 20, 2 << 20]);
    let short = "software IO TLB: only able to allocate 2 MB";
    assert!(texts.iter().any(|text| text == short), "{texts:?}");

    for bytes in [0, 5000, 1 << 20] {
        let (outcome, asked, _) = late(bytes, u64::MAX);
        assert_eq!(outcome.unwrap_err().errno(), -12);
        assert!(asked.is_empty());
    }
    assert_eq!(late(u64::MAX, 0).0.unwrap_err().errno(), -12);
}

#[test]
fn a_late_remap_is_tried_again_with_half_the_size() {
    let mut swiotlb = swiotlb(",1", Platform::default());
    let mut source = Scarce::new(u64::MAX);
    let mut remap = |_: PhysAddr, _: u64| Err(-5);
    let zone = Zone::Dma32;
    let outcome = swiotlb.init_late(&mut memory(), &mut source, 4 << 20, zone, Some(&mut remap));
    assert_eq!(outcome.unwrap_err().errno(), -12);
    assert_eq!(source.freed, [4 << 20, 2 << 20]);
}

fn guest() -> Platform {
    Platform {
        cc: CcPlatform::Guest(AddressMarker::None),
        ..Platform::default()
    }
}

#[test]
fn a_guest_that_cannot_share_its_pool_loses_it() {
    let mut swiotlb = swiotlb("1024,2", guest());
    let mut source = Scarce::new(u64::MAX);
    swiotlb
        .init_early(&mut memory(), &mut source, early())
        .unwrap();
    source.share = Err(-5);
    let result = swiotlb.update_mem_attributes(&mut source);
    assert_eq!(result, MemAttributes::PoolDisabled);
    let stats = swiotlb.stats(AllocatorId::DEFAULT).unwrap();
    assert_eq!((stats.total_slots, stats.used_slots), (1024, 1024));
    let pool = swiotlb.pools(AllocatorId::DEFAULT).next().unwrap();
    assert_eq!(swiotlb.check_invariants(pool), Ok(()));
    let last = texts(&mut swiotlb).pop().unwrap();
    assert_eq!(
        last,
        "software IO TLB: Failed to decrypt default memory pool"
    );
}

#[test]
fn teardown_frees_the_pool_and_ends_its_activity() {
    let mut swiotlb = swiotlb("1024,2", guest());
    let mut source = Scarce::new(u64::MAX);
    swiotlb
        .init_early(&mut memory(), &mut source, early())
        .unwrap();
    let result = swiotlb.update_mem_attributes(&mut source);
    assert_eq!(result, MemAttributes::Shared);
    assert_eq!(swiotlb.exit(&mut source), 2 << 20);
    assert_eq!(source.freed, [2 << 20]);
    assert!(!swiotlb.is_allocated());
    assert_eq!(swiotlb.exit(&mut source), 0);

    // Pages whose state is unknown are never freed.
    swiotlb
        .init_early(&mut memory(), &mut source, early())
        .unwrap();
    source.unshare = Err(-5);
    assert_eq!(leaked(&swiotlb), 0);
    assert_eq!(swiotlb.exit(&mut source), 0);
    assert_eq!(source.freed.len(), 1);
    assert_eq!(leaked(&swiotlb), 2 << 20);
}

/// Bytes that were lost because nobody knows whether they are shared.
fn leaked(swiotlb: &Swiotlb) -> u64 {
    let stats = swiotlb.stats(AllocatorId::DEFAULT).unwrap();
    stats.shrinker.leaked_bytes
}

#[test]
fn pages_of_a_late_start_that_cannot_be_shared_are_lost_and_counted() {
    let mut swiotlb = swiotlb("", guest());
    let mut source = Scarce::new(u64::MAX);
    let result = swiotlb.update_mem_attributes(&mut source);
    assert_eq!(result, MemAttributes::Unchanged);
    source.share = Err(-5);
    let late = swiotlb.init_late(&mut memory(), &mut source, 8 << 20, Zone::Dma32, None);
    assert_eq!(late, Err(InitError::ShareFailed { code: -5 }));
    assert!(source.freed.is_empty());
    assert_eq!(leaked(&swiotlb), 8 << 20);
}

#[test]
fn shared_pages_of_a_late_start_that_are_no_memory_become_private_and_go_back() {
    for unshare in [Ok(()), Err(-5)] {
        let mut swiotlb = swiotlb("", guest());
        let mut source = Scarce::new(u64::MAX);
        source.unshare = unshare;
        swiotlb.update_mem_attributes(&mut source);
        let mut nowhere = SparseMemory::new(&[]).unwrap();
        let late = swiotlb.init_late(&mut nowhere, &mut source, 8 << 20, Zone::Dma32, None);
        assert!(matches!(late, Err(InitError::Memory(_))));
        let lost = if unshare.is_ok() { 0 } else { 8 << 20 };
        assert_eq!(source.freed.iter().sum::<u64>(), (8 << 20) - lost);
        assert_eq!(leaked(&swiotlb), lost);
    }
}

#[test]
fn a_forced_pool_is_never_torn_down() {
    let mut swiotlb = swiotlb("1024,2,force", Platform::default());
    let mut source = Scarce::new(u64::MAX);
    swiotlb
        .init_early(&mut memory(), &mut source, early())
        .unwrap();
    assert_eq!(swiotlb.exit(&mut source), 0);
    assert!(swiotlb.is_allocated());
}

#[test]
fn absurd_sizes_are_refused_memory_not_a_panic() {
    for parameter in [
        "18446744073709551488,1",
        "0xffffffffffffff80",
        ",0x80000000",
    ] {
        let mut swiotlb = swiotlb(parameter, Platform::default());
        let mut source = Scarce::new(0);
        let outcome = swiotlb.init_early(&mut memory(), &mut source, early());
        assert!(outcome.is_err(), "{parameter}: {outcome:?}");
    }
}

#[test]
fn memory_that_cannot_become_a_pool_goes_back_to_its_source() {
    let nowhere = || SparseMemory::new(&[]).unwrap();
    let mut source = Scarce::new(u64::MAX);
    let mut at_boot = swiotlb("", Platform::default());
    let result = at_boot.init_early(&mut nowhere(), &mut source, early());
    assert!(matches!(result, Err(InitError::Memory(_))));
    let mut late = swiotlb("", Platform::default());
    let result = late.init_late(&mut nowhere(), &mut source, 8 << 20, Zone::Dma32, None);
    assert!(matches!(result, Err(InitError::Memory(_))));
    assert_eq!(source.asked, [64 << 20, 8 << 20]);
    assert_eq!(source.freed, source.asked);
}

#[test]
fn a_count_of_slots_after_that_of_areas_leaves_a_power_of_two_of_areas() {
    let mut source = Scarce::new(u64::MAX);
    // Three slot sets for four areas.
    let mut boot = BootConfig::default();
    boot.parse(",4");
    boot.parse("300");
    let mut odd = Swiotlb::new(Platform::default(), boot, Mode::Kernel);
    let result = odd.init_early(&mut memory(), &mut source, early());
    let Ok(InitOutcome::Ready(geometry)) = result else {
        panic!("two areas can share three slot sets: {result:?}");
    };
    assert_eq!((geometry.slots, geometry.areas), (384, 2));
}

#[test]
fn settings_that_no_machine_has_are_refused_before_anything_is_asked_for() {
    let host = Platform {
        cc: CcPlatform::Host { encryption_bit: 64 },
        ..Platform::default()
    };
    let large = BootConfig::new(BootOptions {
        default_mib: 65,
        ..BootOptions::default()
    });
    for (platform, boot, fault) in [
        (host, BootConfig::default(), "0 to 63"),
        (Platform::default(), large, "1 to 64 MiB"),
    ] {
        let mut source = Scarce::new(u64::MAX);
        let mut swiotlb = Swiotlb::new(platform, boot, Mode::Kernel);
        let refused = swiotlb.init_early(&mut memory(), &mut source, early());
        let refused = refused.unwrap_err();
        assert!(refused.to_string().contains(fault), "{refused}");
        let late = swiotlb.init_late(&mut memory(), &mut source, 8 << 20, Zone::Dma32, None);
        assert_eq!(late, Err(refused));
        assert!(source.asked.is_empty());
    }
}
