//! Scatter/gather lists behind an IOMMU.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod iommu_support;
mod support;

use iommu_support::*;
use support::{HIGH, LOW, Machine};
use swiotlb::{
    Attrs, DataDirection, Device, DmaAddr, DmaError, FaultReason, IommuError, KmallocBounce,
    MapError, Mode, Peer, PhysAddr, Platform, Sg, SgRequest, SgTable, SyncError, UnmapError,
};

fn list(entries: &[(u64, u32)]) -> Vec<Sg> {
    let to_sg = |&(phys, length): &(u64, u32)| Sg::new(PhysAddr::new(phys), length);
    entries.iter().map(to_sg).collect()
}

fn map_list(
    machine: &mut Machine,
    dev: &Device,
    sgl: &mut [Sg],
    dir: DataDirection,
) -> Result<usize, DmaError> {
    map_list_as(machine, dev, sgl, &SgRequest::new(dir))
}

fn map_list_as(
    machine: &mut Machine,
    dev: &Device,
    sgl: &mut [Sg],
    request: &SgRequest,
) -> Result<usize, DmaError> {
    let mut table = SgTable::new(sgl.to_vec());
    let result = machine
        .dma
        .map_sgtable(&mut machine.mem, dev, &mut table, request);
    sgl.copy_from_slice(&table.entries);
    result.map(|()| table.nents)
}

#[test]
fn the_worked_example_gives_two_segments_in_one_range() {
    let mut machine = Machine::new();
    let domain = domain();
    let dev = trusted(&domain);
    let mut sgl = list(&[(0x1000_0000, 4096), (0x2000_0000, 8192), (0x3000_0100, 100)]);
    assert_eq!(map_list(&mut machine, &dev, &mut sgl, BOTH), Ok(2));
    let start = sgl[0].dma_address;
    assert_eq!(domain.granted_ranges(), [(start, 16384)]);
    assert_eq!(sgl[0].dma_length, 12288);
    assert_eq!(
        (sgl[1].dma_address, sgl[1].dma_length),
        (start.wrapping_add(0x3100), 100)
    );
    assert_eq!(sgl[2].dma_length, 0);
    for (offset, phys) in [
        (0, 0x1000_0000),
        (4095, 0x1000_0fff),
        (4096, 0x2000_0000),
        (12287, 0x2000_1fff),
        (0x3100, 0x3000_0100),
    ] {
        let found = domain.translate(start.wrapping_add(offset), true);
        assert_eq!(found, Ok(PhysAddr::new(phys)));
    }
    // Unmapped by the original list, with one call.
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    dma.unmap_sg(mem, &dev, &mut sgl, BOTH, Attrs::NONE)
        .unwrap();
    assert_eq!(domain.stats().granted_ranges, 0);
    assert_eq!(domain.stats().mapped_bytes, 0);
    assert!(messages(&mut machine).is_empty());
}

#[test]
fn a_segment_boundary_moves_an_entry_and_the_entry_before_is_padded() {
    let mut machine = Machine::new();
    let domain = domain();
    let dev = trusted(&domain).with_seg_boundary(0x3fff);
    let mut sgl = list(&[(LOW, 12288), (HIGH, 8192)]);
    assert_eq!(map_list(&mut machine, &dev, &mut sgl, BOTH), Ok(2));
    let start = sgl[0].dma_address.raw();
    assert_eq!(sgl[1].dma_address.raw(), start + 16384);
    for sg in &sgl {
        let (first, last) = (
            sg.dma_address.raw(),
            sg.dma_address.raw() + u64::from(sg.dma_length) - 1,
        );
        assert_eq!((first ^ last) & !0x3fff, 0);
    }
    // The padding is mapped to what follows the first entry.
    let padding = domain.translate(DmaAddr::new(start + 12288), false);
    assert_eq!(padding, Ok(PhysAddr::new(LOW + 12288)));
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    dma.unmap_sg(mem, &dev, &mut sgl, BOTH, Attrs::NONE)
        .unwrap();
    assert_eq!(domain.stats().mapped_bytes, 0);
}

#[test]
fn an_untrusted_device_gets_each_entry_on_its_own_and_the_list_is_marked() {
    let mut machine = Machine::new();
    let domain = domain();
    let dev = untrusted(&domain);
    machine.fill(HIGH + 0x8010, 100, 0x11);
    let mut sgl = list(&[(HIGH, 4096), (HIGH + 0x8010, 100)]);
    assert_eq!(map_list(&mut machine, &dev, &mut sgl, BOTH), Ok(2));
    assert!(sgl[0].is_swiotlb && !sgl[1].is_swiotlb);
    assert_eq!([sgl[0].dma_length, sgl[1].dma_length], [4096, 100]);
    assert_eq!(
        domain.translate(sgl[0].dma_address, true),
        Ok(PhysAddr::new(HIGH))
    );
    device_write(&mut machine, &domain, sgl[1].dma_address, &[0x22; 100]);
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let work = dma.sync_sg_for_cpu(mem, &dev, &sgl, BOTH).unwrap();
    assert_eq!((work.bounced_entries, work.copied_bytes), (1, 100));
    assert_eq!(machine.read(HIGH + 0x8010, 100), [0x22; 100]);
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let work = dma.sync_sg_for_device(mem, &dev, &sgl, BOTH).unwrap();
    assert_eq!(work.copied_bytes, 100);
    let work = dma
        .unmap_sg(mem, &dev, &mut sgl, BOTH, Attrs::NONE)
        .unwrap();
    assert_eq!((work.bounced_entries, work.copied_bytes), (1, 100));
    assert!(sgl[0].is_swiotlb, "nothing clears the mark");
    assert_eq!(
        (used_slots(&machine), domain.stats().granted_ranges),
        (0, 0)
    );
}

#[test]
fn a_list_that_keeps_its_mark_is_unmapped_wrongly_for_a_trusted_device() {
    let mut machine = Machine::new();
    let domain = domain();
    let dev = trusted(&domain);
    let entries = [(HIGH, 4096), (HIGH + 0x8000, 4096)];
    let mut sgl = list(&entries);
    sgl[0].is_swiotlb = true;
    assert_eq!(map_list(&mut machine, &dev, &mut sgl, BOTH), Ok(1));
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    dma.unmap_sg(mem, &dev, &mut sgl, BOTH, Attrs::NONE)
        .unwrap();
    assert!(
        !messages(&mut machine).is_empty(),
        "the second entry has no mapping of its own"
    );
    // Made anew, the list is fine.
    let mut sgl = list(&entries);
    assert_eq!(map_list(&mut machine, &dev, &mut sgl, BOTH), Ok(1));
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    dma.unmap_sg(mem, &dev, &mut sgl, BOTH, Attrs::NONE)
        .unwrap();
    assert!(messages(&mut machine).is_empty());
}

#[test]
fn one_small_entry_sends_the_whole_list_the_slow_way() {
    let kmalloc = Some(KmallocBounce {
        min_align: 128,
        cache_alignment: 64,
    });
    let platform = Platform {
        kmalloc,
        ..Platform::default()
    };
    let mut machine = Machine::with(platform, "", Mode::Kernel);
    let domain = domain();
    let dev = trusted(&domain).with_coherency(false);
    let mut sgl = list(&[(LOW, 4096), (LOW + 0x8000, 32)]);
    assert_eq!(map_list(&mut machine, &dev, &mut sgl, FROM), Ok(2));
    assert!(sgl[0].is_swiotlb);
    assert_eq!(used_slots(&machine), 2);
    let mut sgl = list(&[(LOW, 4096), (LOW + 0x8000, 33)]);
    assert_eq!(map_list(&mut machine, &dev, &mut sgl, FROM), Ok(1));
    assert!(!sgl[0].is_swiotlb);
}

#[test]
fn an_entry_that_fails_takes_the_earlier_ones_with_it_without_a_copy() {
    let mut machine = Machine::new();
    let domain = domain();
    let dev = untrusted(&domain);
    machine.fill(HIGH, 100, 0x11);
    let mut sgl = list(&[(HIGH, 100), (HIGH + 0x8001, 300_000)]);
    let error = map_list(&mut machine, &dev, &mut sgl, BOTH).unwrap_err();
    assert!(
        matches!(
            error,
            DmaError::Entry {
                index: 1,
                cause: MapError::Full(_)
            }
        ),
        "{error}"
    );
    assert_eq!(error.errno(), -5);
    assert_eq!(
        (used_slots(&machine), domain.stats().granted_ranges),
        (0, 0)
    );
    assert_eq!(machine.read(HIGH, 100), [0x11; 100]);
}

#[test]
fn a_joined_list_that_fails_leaves_nothing_behind() {
    let mut machine = Machine::new();
    let domain = domain();
    let dev = trusted(&domain);
    let mut sgl = list(&[(HIGH, 4096), (u64::MAX - 4095, 8192)]);
    let error = map_list(&mut machine, &dev, &mut sgl, BOTH).unwrap_err();
    assert!(
        matches!(
            error,
            DmaError::List {
                cause: IommuError::TooLong { .. }
            }
        ),
        "{error}"
    );
    assert_eq!(error.errno(), -22);
    let mut sgl = list(&[(HIGH, u32::MAX), (HIGH, u32::MAX)]);
    let error = map_list(&mut machine, &dev, &mut sgl, BOTH).unwrap_err();
    assert_eq!(error.errno(), -12);
    let error = map_list(&mut machine, &dev, &mut [], BOTH).unwrap_err();
    assert_eq!(error.errno(), -22);
    let mut sgl = list(&[(HIGH, 4096)]);
    let shared = SgRequest::new(BOTH).with_attrs(Attrs::CC_SHARED);
    let result = map_list_as(&mut machine, &dev, &mut sgl, &shared);
    assert_eq!(result.unwrap_err().errno(), -22);
    assert_eq!(domain.stats().granted_ranges, 0);
    assert_eq!(domain.stats().mapped_bytes, 0);
}

#[test]
fn peers_are_reached_past_the_iommu_or_not_at_all() {
    let mut machine = Machine::new();
    let domain = domain();
    let dev = trusted(&domain);
    let mut sgl = list(&[(LOW, 4096), (0x8000_0000, 4096)]);
    sgl[1] = sgl[1].in_peer(Peer::BusAddress { offset: 0x1000 });
    assert_eq!(map_list(&mut machine, &dev, &mut sgl, BOTH), Ok(2));
    assert_eq!(sgl[1].dma_address, DmaAddr::new(0x8000_1000));
    assert!(sgl[1].is_bus_address);
    assert_eq!(domain.stats().mapped_bytes, 4096);
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    dma.unmap_sg(mem, &dev, &mut sgl, BOTH, Attrs::NONE)
        .unwrap();
    assert_eq!(domain.stats().mapped_bytes, 0);
    sgl[1] = sgl[1].in_peer(Peer::Unreachable);
    let error = map_list(&mut machine, &dev, &mut sgl, BOTH).unwrap_err();
    assert_eq!(
        (error, error.errno()),
        (DmaError::RemoteIo { index: 1 }, -121)
    );
}

#[test]
fn an_unmarked_list_is_synced_with_cache_work_only() {
    let mut machine = Machine::new();
    let domain = domain();
    let dev = trusted(&domain).with_coherency(false);
    let mut sgl = list(&[(LOW, 4096), (LOW + 0x8000, 100)]);
    map_list(&mut machine, &dev, &mut sgl, BOTH).unwrap();
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let work = dma.sync_sg_for_cpu(mem, &dev, &sgl, BOTH).unwrap();
    assert_eq!((work.cache.invalidated_bytes, work.copied_bytes), (4196, 0));
    let work = dma.sync_sg_for_cpu(mem, &dev, &sgl, TO).unwrap();
    assert_eq!(work.cache.invalidated_bytes, 0);
    let work = dma.sync_sg_for_device(mem, &dev, &sgl, TO).unwrap();
    assert_eq!(work.cache.cleaned_bytes, 4196);
    let none = DataDirection::None;
    let refused = dma.sync_sg_for_cpu(mem, &dev, &sgl, none);
    assert_eq!(refused, Err(SyncError::BadDirection(none)));
    let refused = dma.unmap_sg(mem, &dev, &mut sgl, none, Attrs::NONE);
    assert_eq!(refused, Err(UnmapError::BadDirection(none)));
    let work = dma
        .unmap_sg(mem, &dev, &mut sgl, BOTH, Attrs::NONE)
        .unwrap();
    assert_eq!(work.cache.invalidated_bytes, 4196);
    assert_eq!(
        reason(&domain, sgl[0].dma_address, true),
        Some(FaultReason::NotMapped)
    );
}
