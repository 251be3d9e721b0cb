//! The IOVA-based API: head, middle and tail of a link, and every refusal.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod iommu_support;
mod support;

use iommu_support::*;
use support::{HIGH, Machine, POOL};
use swiotlb::{
    Attrs, DataDirection, Device, DmaAddr, DomainConfig, FaultReason, IommuError, IovaError,
    IovaState, MapError, Message, PhysAddr, Platform,
};

fn alloc(machine: &mut Machine, dev: &Device, phys: u64, bytes: u64) -> IovaState {
    let mut state = IovaState::new();
    let phys = PhysAddr::new(phys);
    assert!(
        machine
            .dma
            .iova_try_alloc(dev, &mut state, phys, bytes, CPU)
    );
    state
}

#[test]
fn an_unaligned_buffer_is_linked_as_head_middle_and_tail() {
    let mut machine = Machine::new();
    let domain = domain();
    let dev = untrusted(&domain);
    machine.fill(POOL, 0x1_0000, 0xaa);
    machine.fill(HIGH + 0x5000, 0x4000, 0xbb);
    machine.fill(HIGH + 0x5c04, 10000, 0x11);
    let mut state = alloc(&mut machine, &dev, HIGH + 0x5c04, 10000);
    assert_eq!(state.addr().raw() & 0xfff, 0xc04);
    assert!(state.is_used() && !state.uses_swiotlb());

    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let linked = dma
        .iova_link(
            mem,
            &dev,
            &mut state,
            0,
            &request(HIGH + 0x5c04, 10000, BOTH),
        )
        .unwrap();
    assert_eq!(linked.head.unwrap().copied_bytes, 1020);
    assert_eq!(linked.direct_bytes, 8192);
    assert_eq!(linked.tail.unwrap().copied_bytes, 788);
    assert!(state.uses_swiotlb());
    assert_eq!(state.bytes(), 10000, "without bit 63");
    dma.iova_sync(&dev, &state, 0, 10000).unwrap();

    // The device sees the buffer, zeros around it, and nothing else.
    let start = DmaAddr::new(state.addr().raw() & !0xfff);
    let mut expected = vec![0; 0x4000];
    expected[0xc04..0xc04 + 10000].fill(0x11);
    assert_eq!(device_read(&machine, &domain, start, 0x4000), expected);
    let middle = domain
        .translate(state.addr().wrapping_add(1020), false)
        .unwrap();
    assert_eq!(middle, PhysAddr::new(HIGH + 0x6000));

    device_write(&mut machine, &domain, state.addr(), &[0x22; 10000]);
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let done = dma
        .iova_destroy(mem, &dev, &mut state, 10000, BOTH, Attrs::NONE)
        .unwrap();
    assert_eq!((done.released, done.copied_bytes), (2, 1020 + 788));
    assert!(done.was_linked && !state.is_used());
    let mut expected = vec![0xbb; 0x4000];
    expected[0xc04..0xc04 + 10000].fill(0x22);
    assert_eq!(machine.read(HIGH + 0x5000, 0x4000), expected);
    assert_eq!(
        (used_slots(&machine), domain.stats().granted_ranges),
        (0, 0)
    );
    assert_eq!(reason(&domain, start, false), Some(FaultReason::NotMapped));
}

#[test]
fn small_and_aligned_buffers_have_only_the_parts_they_need() {
    // Offset and size; bytes of head, middle, tail.
    let rows = [
        (0, 4096, 0, 4096, 0),
        (0, 100, 0, 0, 100),
        (0, 4196, 0, 4096, 100),
        (0xc04, 100, 100, 0, 0),
        (0xc04, 1020, 1020, 0, 0),
        (0xc04, 1021, 1020, 0, 1),
        (0xc04, 5116, 1020, 4096, 0),
    ];
    for (offset, bytes, head, middle, tail) in rows {
        let mut machine = Machine::new();
        let domain = domain();
        let dev = untrusted(&domain);
        let mut state = alloc(&mut machine, &dev, HIGH + offset, bytes);
        let (mem, dma) = (&mut machine.mem, &mut machine.dma);
        let whole = request(HIGH + offset, bytes, FROM);
        let linked = dma.iova_link(mem, &dev, &mut state, 0, &whole).unwrap();
        let copied =
            |bounce: Option<swiotlb::BounceInfo>| bounce.map_or(0, |info| info.copied_bytes);
        let parts = (
            copied(linked.head),
            linked.direct_bytes,
            copied(linked.tail),
        );
        assert_eq!(parts, (head, middle, tail), "{bytes} at {offset:#x}");
        assert_eq!(state.uses_swiotlb(), head + tail > 0);
        let done = dma
            .iova_unlink(mem, &dev, &state, 0, bytes, FROM, Attrs::NONE)
            .unwrap();
        assert_eq!(done.copied_bytes, head + tail);
        dma.iova_free(&dev, &mut state).unwrap();
        assert_eq!(used_slots(&machine), 0);
    }
}

#[test]
fn unlinking_with_skip_cpu_sync_releases_without_a_copy() {
    let mut machine = Machine::new();
    let domain = domain();
    let dev = untrusted(&domain);
    machine.fill(HIGH, 100, 0x11);
    let mut state = alloc(&mut machine, &dev, HIGH, 100);
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    dma.iova_link(mem, &dev, &mut state, 0, &request(HIGH, 100, FROM))
        .unwrap();
    device_write(&mut machine, &domain, state.addr(), &[0x22; 100]);
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let done = dma
        .iova_unlink(mem, &dev, &state, 0, 100, FROM, Attrs::SKIP_CPU_SYNC)
        .unwrap();
    assert_eq!((done.released, done.copied_bytes), (1, 0));
    assert_eq!(machine.read(HIGH, 100), [0x11; 100]);
}

#[test]
fn a_trusted_device_links_buffers_side_by_side_without_bouncing() {
    let mut machine = Machine::new();
    let domain = domain();
    let dev = trusted(&domain).with_coherency(false);
    let mut state = alloc(&mut machine, &dev, HIGH, 12388);
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let mut link = |offset, phys, bytes| {
        dma.iova_link(mem, &dev, &mut state, offset, &request(phys, bytes, BOTH))
            .unwrap()
    };
    assert_eq!(link(0, HIGH, 4096).cache.cleaned_bytes, 4096);
    assert_eq!(link(4096, HIGH + 0x8000, 8192).direct_bytes, 8192);
    assert_eq!(link(12288, HIGH + 0x2_0000, 100).cache.cleaned_bytes, 100);
    assert!(!state.uses_swiotlb());
    for (offset, phys) in [(0, 0), (4096, 0x8000), (12287, 0x9fff), (12288, 0x2_0000)] {
        let found = domain.translate(state.addr().wrapping_add(offset), true);
        assert_eq!(found, Ok(PhysAddr::new(HIGH + phys)));
    }
    // One middle part away: the others stay.
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let done = dma
        .iova_unlink(mem, &dev, &state, 4096, 8192, BOTH, Attrs::NONE)
        .unwrap();
    assert_eq!(done.cache.invalidated_bytes, 8192);
    assert_eq!(
        reason(&domain, state.addr().wrapping_add(4096), true),
        Some(FaultReason::NotMapped)
    );
    assert!(
        domain
            .translate(state.addr().wrapping_add(12288), true)
            .is_ok()
    );
    let skipped = dma
        .iova_unlink(mem, &dev, &state, 0, 4096, BOTH, Attrs::SKIP_CPU_SYNC)
        .unwrap();
    assert_eq!(skipped.cache.invalidated_bytes, 0);
}

#[test]
fn a_range_is_refused_without_an_iommu_a_size_or_room() {
    let mut machine = Machine::new();
    let mut state = IovaState::new();
    let phys = PhysAddr::new(HIGH);
    assert!(
        !machine
            .dma
            .iova_try_alloc(&Device::new("d"), &mut state, phys, 4096, CPU)
    );
    let domain = domain();
    let ops = trusted(&domain).with_ops_bypass();
    assert!(
        !machine
            .dma
            .iova_try_alloc(&ops, &mut state, phys, 4096, CPU)
    );
    let dev = trusted(&domain);
    let mut old = alloc(&mut machine, &dev, HIGH, 4096);
    for bytes in [0, 1 << 63, 0] {
        assert!(!machine.dma.iova_try_alloc(&dev, &mut old, phys, bytes, CPU));
        assert_eq!(old, IovaState::new(), "the state is cleared");
    }
    let expected = [0, 1 << 63].map(|bytes| Message::IovaBadSize { bytes });
    assert_eq!(messages(&mut machine), expected, "once for each reason");
    assert!(
        !machine
            .dma
            .iova_try_alloc(&dev, &mut state, phys, 1 << 33, CPU)
    );
    assert!(
        !machine
            .dma
            .iova_try_alloc(&dev, &mut state, phys, (1 << 63) - 1, CPU)
    );
    assert!(!state.is_used() && state.bytes() == 0);
}

#[test]
fn only_the_first_link_may_begin_inside_a_granule() {
    let mut machine = Machine::new();
    let domain = domain();
    let dev = trusted(&domain);
    let mut state = alloc(&mut machine, &dev, HIGH, 8192);
    for _ in 0..2 {
        let (mem, dma) = (&mut machine.mem, &mut machine.dma);
        let inside = request(HIGH + 4, 100, TO);
        let error = dma
            .iova_link(mem, &dev, &mut state, 4096, &inside)
            .unwrap_err();
        assert_eq!(error.errno(), -5);
        assert!(matches!(
            error,
            IovaError::OffsetInGranule { offset: 4096, .. }
        ));
    }
    let warning = Message::IovaOffsetInGranule { offset: 4096 };
    assert_eq!(messages(&mut machine), [warning], "once");
}

#[test]
fn coherency_that_is_required_is_refused_with_its_codes() {
    let mut machine = Machine::new();
    let domain = domain();
    let attrs = Attrs::REQUIRE_COHERENT;
    let whole = request(HIGH, 4096, TO).with_attrs(attrs);

    let incoherent = trusted(&domain).with_coherency(false);
    let mut state = alloc(&mut machine, &incoherent, HIGH, 4096);
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let error = dma
        .iova_link(mem, &incoherent, &mut state, 0, &whole)
        .unwrap_err();
    assert_eq!((error, error.errno()), (IovaError::NotCoherent, -95));

    let dev = untrusted(&domain);
    let mut state = alloc(&mut machine, &dev, HIGH, 8192);
    for attrs in [Attrs::REQUIRE_COHERENT, Attrs::MMIO] {
        let (mem, dma) = (&mut machine.mem, &mut machine.dma);
        let part = request(HIGH, 100, TO).with_attrs(attrs);
        let error = dma.iova_link(mem, &dev, &mut state, 0, &part).unwrap_err();
        assert_eq!((error, error.errno()), (IovaError::BounceForbidden, -1));
    }
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    dma.iova_link(mem, &dev, &mut state, 4096, &request(HIGH, 100, TO))
        .unwrap();
    let error = dma.iova_link(mem, &dev, &mut state, 0, &whole).unwrap_err();
    assert_eq!((error, error.errno()), (IovaError::AlreadyBounced, -95));
    assert_eq!(messages(&mut machine), [Message::IovaCoherentAfterBounce]);
    let mmio = request(HIGH, 4096, TO).with_attrs(Attrs::MMIO);
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    assert!(dma.iova_link(mem, &dev, &mut state, 0, &mmio).is_ok());
}

#[test]
fn a_head_without_its_offset_is_refused_by_the_iommu_as_unaligned() {
    let mut machine = Machine::new();
    let domain = domain();
    let dev = untrusted(&domain).with_min_align_mask(0);
    let mut state = alloc(&mut machine, &dev, HIGH + 0xc04, 10000);
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let whole = request(HIGH + 0xc04, 10000, TO);
    let error = dma.iova_link(mem, &dev, &mut state, 0, &whole).unwrap_err();
    let IovaError::Iommu(IommuError::Unaligned { phys, granule, .. }) = error else {
        panic!("unaligned expected, got {error}");
    };
    assert_eq!(
        (phys, granule, error.errno()),
        (PhysAddr::new(POOL - 0xc04), 4096, -22)
    );
    assert_eq!(used_slots(&machine), 0, "the bounce buffer is given back");
    assert_eq!(domain.stats().mapped_bytes, 0);
}

#[test]
fn a_link_that_fails_half_way_leaves_nothing_behind() {
    let mut machine = Machine::new();
    let domain = domain();
    let dev = untrusted(&domain);
    // Leave two slots for the head and none for the tail.
    for _ in 0..3 {
        map(&mut machine, &dev, request(HIGH + 1, 0x3_e000, TO));
    }
    while used_slots(&machine) < 510 {
        map(&mut machine, &dev, request(HIGH + 1, 100, TO));
    }
    let mapped = domain.stats().mapped_bytes;
    machine.fill(HIGH + 0x5c04, 10000, 0x11);
    let mut state = alloc(&mut machine, &dev, HIGH + 0x5c04, 10000);
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let whole = request(HIGH + 0x5c04, 10000, BOTH);
    let error = dma.iova_link(mem, &dev, &mut state, 0, &whole).unwrap_err();
    assert!(
        matches!(error, IovaError::NoBounce(MapError::Full(_))),
        "{error}"
    );
    assert_eq!(error.errno(), -12);
    assert_eq!(used_slots(&machine), 510);
    assert_eq!(domain.stats().mapped_bytes, mapped);
    assert_eq!(machine.read(HIGH + 0x5c04, 10000), [0x11; 10000]);
    assert!(state.uses_swiotlb(), "the mark stays");
    machine.dma.iova_free(&dev, &mut state).unwrap();
}

#[test]
fn what_is_linked_already_or_leaves_the_range_is_refused() {
    let mut machine = Machine::new();
    let domain = domain();
    let dev = trusted(&domain);
    let mut state = alloc(&mut machine, &dev, HIGH, 8192);
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let mut link = |offset, bytes, dir| {
        dma.iova_link(mem, &dev, &mut state, offset, &request(HIGH, bytes, dir))
            .map(|_| ())
    };
    link(0, 4096, TO).unwrap();
    let error = link(0, 8192, TO).unwrap_err();
    assert_eq!(error.errno(), -17);
    let error = link(4096, 4097, TO).unwrap_err();
    let expected = IovaError::OutOfRange {
        offset: 4096,
        bytes: 4097,
        range_bytes: 8192,
    };
    assert_eq!((error, error.errno()), (expected, -22));
    assert_eq!(link(u64::MAX - 4095, 4096, TO).unwrap_err().errno(), -22);
    assert_eq!(link(4096, 0, TO), Err(IommuError::ZeroSize.into()));
    assert_eq!(
        link(4096, 4096, DataDirection::None),
        Err(IommuError::NoPermission.into())
    );
    assert!(
        dma.iova_unlink(mem, &dev, &state, 4096, 4097, TO, Attrs::NONE)
            .is_err()
    );
    assert!(dma.iova_sync(&dev, &state, 0, 8193).is_err());
    let shared = request(HIGH, 4096, TO).with_attrs(Attrs::CC_SHARED);
    let error = dma.iova_link(mem, &dev, &mut state, 4096, &shared);
    assert_eq!(error.unwrap_err().errno(), -5);
    // Without an IOMMU there is no state to work on.
    let direct = Device::new("d");
    assert_eq!(
        dma.iova_free(&direct, &mut state),
        Err(IommuError::NoIommu.into())
    );
    dma.iova_free(&dev, &mut state).unwrap();
    assert!(dma.iova_free(&dev, &mut state).is_err(), "freed twice");
}

#[test]
fn an_iommu_that_remembers_absence_faults_until_the_sync() {
    let mut machine = Machine::new();
    for (config, before) in [
        (DomainConfig::default(), None),
        (
            DomainConfig::default().with_cached_absence(),
            Some(FaultReason::NotSynced),
        ),
    ] {
        let domain = domain_of(&config);
        let dev = trusted(&domain);
        let mut state = alloc(&mut machine, &dev, HIGH, 4096);
        let (mem, dma) = (&mut machine.mem, &mut machine.dma);
        dma.iova_link(mem, &dev, &mut state, 0, &request(HIGH, 4096, TO))
            .unwrap();
        assert_eq!(reason(&domain, state.addr(), false), before);
        dma.iova_sync(&dev, &state, 0, 4096).unwrap();
        assert_eq!(reason(&domain, state.addr(), false), None);
    }
}

#[test]
fn unlinking_what_was_never_linked_is_told() {
    let mut machine = Machine::new();
    let domain = domain();
    let dev = trusted(&domain);
    let mut state = alloc(&mut machine, &dev, HIGH, 8192);
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let done = dma
        .iova_destroy(mem, &dev, &mut state, 8192, TO, Attrs::NONE)
        .unwrap();
    assert!(!done.was_linked);
    assert_eq!(messages(&mut machine).len(), 1);
    let mut state = alloc(&mut machine, &dev, HIGH, 8192);
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    dma.iova_destroy(mem, &dev, &mut state, 0, TO, Attrs::NONE)
        .unwrap();
    assert_eq!(domain.stats().granted_ranges, 0);
    assert!(
        messages(&mut machine).is_empty(),
        "nothing to unlink, nothing to tell"
    );
}

#[test]
fn without_a_pool_a_bouncing_link_has_no_buffer() {
    let mut machine = Machine::poolless(Platform::default());
    let domain = domain();
    let dev = untrusted(&domain);
    let mut state = alloc(&mut machine, &dev, HIGH, 100);
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let error = dma
        .iova_link(mem, &dev, &mut state, 0, &request(HIGH, 100, TO))
        .unwrap_err();
    assert_eq!(
        (error, error.errno()),
        (IovaError::NoBounce(MapError::Inactive), -12)
    );
}
