//! Worked examples of placement: where a request goes, what stays free, what is counted.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use swiotlb::{
    Attrs, BootConfig, BounceInfo, BounceRequest, CpuId, DataDirection, Device, MapError, Mode,
    PhysAddr, PhysMemory, Platform, PoolGeometry, PoolId, RamRange, SparseMemory, Swiotlb,
};

const BASE: u64 = 0x7000_0000;

struct Bench {
    mem: SparseMemory,
    swiotlb: Swiotlb,
    pool: PoolId,
    cpu: u32,
}

impl Bench {
    fn new(slots: u32, areas: u32) -> Self {
        Self::at(BASE, slots, areas)
    }

    fn at(base: u64, slots: u32, areas: u32) -> Self {
        let range = |start: u64, bytes: u64| RamRange {
            start: PhysAddr::new(start),
            bytes,
        };
        let mut mem = SparseMemory::new(&[
            range(0, 0x10_0000),
            range(base, u64::from(slots) * 2048),
            range(0x1_0000_0000, 0x8000_0000),
        ])
        .unwrap();
        let geometry = PoolGeometry {
            base: PhysAddr::new(base),
            slots,
            areas,
        };
        let mode = Mode::Kernel;
        let boot = BootConfig::default();
        let swiotlb =
            Swiotlb::with_pool(&mut mem, Platform::default(), boot, mode, geometry).unwrap();
        let pool = swiotlb.pools(swiotlb::AllocatorId::DEFAULT).next().unwrap();
        Self {
            mem,
            swiotlb,
            pool,
            cpu: 0,
        }
    }

    fn try_map(
        &mut self,
        dev: &Device,
        orig: u64,
        bytes: u64,
        alloc_align_mask: u32,
    ) -> Result<BounceInfo, MapError> {
        let request = BounceRequest {
            orig: PhysAddr::new(orig),
            bytes,
            alloc_align_mask,
            dir: DataDirection::ToDevice,
            attrs: Attrs::NONE,
            cpu: CpuId(self.cpu),
        };
        let result = self.swiotlb.tbl_map_single(&mut self.mem, dev, &request);
        self.swiotlb.check_invariants(self.pool).unwrap();
        result
    }

    fn map(&mut self, dev: &Device, orig: u64, bytes: u64) -> BounceInfo {
        self.try_map(dev, orig, bytes, 0).unwrap()
    }

    fn unmap(&mut self, dev: &Device, bounce: &BounceInfo, bytes: u64) {
        let (dir, attrs) = (DataDirection::ToDevice, Attrs::NONE);
        self.swiotlb
            .tbl_unmap_single(&mut self.mem, dev, bounce.tlb_addr, bytes, dir, attrs)
            .unwrap()
            .unwrap();
        self.swiotlb.check_invariants(self.pool).unwrap();
    }

    fn lists(&self, from: usize, len: usize) -> Vec<u16> {
        let slots = self.swiotlb.snapshot(self.pool).unwrap().slots;
        slots[from..from + len]
            .iter()
            .map(|slot| slot.list)
            .collect()
    }

    fn area(&self, index: usize) -> (u64, u32) {
        let area = self.swiotlb.areas(self.pool)[index];
        (area.used, area.cursor)
    }
}

#[test]
fn a_sequence_of_requests_takes_slots_from_the_cursor_on() {
    let mut bench = Bench::new(1024, 4);
    let dev = Device::new("d");
    let first = bench.map(&dev, 0x1_2345_6789, 1);
    assert_eq!((first.first_slot, first.tlb_addr.raw()), (0, 0x7000_0000));
    assert_eq!(bench.lists(0, 4), [0, 127, 126, 125]);
    assert_eq!(bench.area(0), (1, 1));

    let second = bench.map(&dev, 0x1_4000_0123, 4096);
    assert_eq!((second.first_slot, second.slots), (2, 2));
    assert_eq!(second.tlb_addr, PhysAddr::new(0x7000_1000));
    assert_eq!(bench.lists(0, 6), [0, 1, 0, 0, 124, 123]);
    let slots = bench.swiotlb.snapshot(bench.pool).unwrap().slots;
    assert_eq!((slots[2].alloc_size, slots[3].alloc_size), (4096, 2048));
    assert_eq!(slots[2].orig_addr, Some(PhysAddr::new(0x1_4000_0123)));
    assert_eq!(slots[3].orig_addr, Some(PhysAddr::new(0x1_4000_0923)));
    assert_eq!(bench.area(0), (3, 4));

    let third = bench.map(&dev, 0x1_4000_0123, 100);
    assert_eq!((third.first_slot, bench.area(0).1), (4, 5));
    let fourth = bench.map(&dev, 0x1_4000_0123, 5000);
    assert_eq!((fourth.first_slot, fourth.slots), (6, 3));
    let slots = bench.swiotlb.snapshot(bench.pool).unwrap().slots;
    let sizes: Vec<u64> = slots[6..9].iter().map(|slot| slot.alloc_size).collect();
    assert_eq!(sizes, [5000, 2952, 904]);
    assert_eq!(bench.area(0), (7, 9));
    assert_eq!(
        bench.lists(0, 12),
        [0, 1, 0, 0, 0, 1, 0, 0, 0, 119, 118, 117]
    );

    bench.unmap(&dev, &second, 4096);
    assert_eq!(bench.lists(0, 6), [0, 3, 2, 1, 0, 1]);
    bench.unmap(&dev, &third, 100);
    assert_eq!(bench.lists(0, 6), [0, 5, 4, 3, 2, 1]);
    bench.unmap(&dev, &first, 1);
    assert_eq!(bench.lists(0, 6), [6, 5, 4, 3, 2, 1]);
    bench.unmap(&dev, &fourth, 5000);
    assert_eq!(bench.lists(0, 3), [128, 127, 126]);
    assert_eq!(bench.area(0), (0, 9));
}

#[test]
fn min_align_keeps_the_low_bits_of_the_original() {
    let mut bench = Bench::new(1024, 4);
    let dev = Device::new("nvme").with_min_align_mask(0xfff);
    let bounce = bench.map(&dev, 0x1_2345_6a10, 1000);
    assert_eq!(bounce.tlb_addr, PhysAddr::new(0x7000_0a10));
    assert_eq!((bounce.first_slot, bounce.slots), (1, 1));
    assert_eq!(bench.lists(0, 3), [1, 0, 126]);
    assert_eq!(bench.area(0).1, 2);
    let slots = bench.swiotlb.snapshot(bench.pool).unwrap().slots;
    assert_eq!(slots[1].alloc_size, 1000);
}

#[test]
fn an_offset_can_leave_a_negative_size_in_the_last_slot() {
    let mut bench = Bench::new(1024, 4);
    let dev = Device::new("nvme").with_min_align_mask(0xfff);
    let bounce = bench.map(&dev, 0x1_0000_03e8, 1148);
    assert_eq!((bounce.first_slot, bounce.slots), (0, 2));
    assert_eq!(bounce.tlb_addr, PhysAddr::new(0x7000_03e8));
    let slots = bench.swiotlb.snapshot(bench.pool).unwrap().slots;
    assert_eq!(slots[0].alloc_size, 1148);
    assert_eq!(slots[1].alloc_size, 0xffff_ffff_ffff_fc7c);
    assert_eq!(slots[1].orig_addr, Some(PhysAddr::new(0x1_0000_0be8)));

    // Where a sync of part of the mapping begins in the original, how much it copies, and whether
    // it is called an overflow.
    let base = bounce.tlb_addr.raw();
    let rows: &[(i64, u64, u64, u64, bool)] = &[
        (100, 200, 0x1_0000_044c, 200, false),
        (1048, 1, 0x1_0000_0800, 1, false),
        (1098, 50, 0x1_0000_0832, 50, false),
        (1098, 51, 0x1_0000_0832, 50, true),
        (0, 1149, 0x1_0000_03e8, 1148, true),
        (-8, 8, 0x1_0000_03e0, 8, false),
    ];
    for &(offset, bytes, orig, copied, overflows) in rows {
        let mut bench = Bench::new(1024, 4);
        bench.map(&dev, 0x1_0000_03e8, 1148);
        let addr = PhysAddr::new(base.wrapping_add_signed(offset));
        bench.mem.write(addr, &[0xa5; 1200]).unwrap();
        bench.swiotlb.drain_events();
        let dir = DataDirection::FromDevice;
        let done = bench
            .swiotlb
            .sync_single_for_cpu(&mut bench.mem, &dev, addr, bytes, dir)
            .unwrap();
        assert_eq!(done, Some(copied));
        assert_eq!(!bench.swiotlb.drain_events().is_empty(), overflows);
        let mut around = vec![0; usize::try_from(copied).unwrap() + 2];
        bench
            .mem
            .read(PhysAddr::new(orig - 1), &mut around)
            .unwrap();
        let mut expected = vec![0xa5; around.len()];
        expected[0] = 0;
        expected[around.len() - 1] = 0;
        assert_eq!(around, expected, "offset {offset}, {bytes} bytes");
    }
}

#[test]
fn any_min_align_mask_suppresses_page_alignment() {
    let mut bench = Bench::new(1024, 4);
    let dev = Device::new("d").with_min_align_mask(0x1ff);
    bench.map(&dev, 0x1_0000_0000, 10);
    let bounce = bench.map(&dev, 0x1_0000_0010, 4096);
    assert_eq!((bounce.first_slot, bounce.slots), (1, 3));
    assert_eq!(bounce.tlb_addr, PhysAddr::new(0x7000_0810));
    let slots = bench.swiotlb.snapshot(bench.pool).unwrap().slots;
    let sizes: Vec<u64> = slots[1..4].iter().map(|slot| slot.alloc_size).collect();
    assert_eq!(sizes, [4096, 2048, 0]);
}

#[test]
fn page_alignment_begins_at_a_whole_page() {
    let mut bench = Bench::new(1024, 4);
    let dev = Device::new("d");
    bench.map(&dev, 0x1_0000_0000, 10);
    assert_eq!(bench.map(&dev, 0x1_0000_0000, 4095).first_slot, 1);
    assert_eq!(bench.map(&dev, 0x1_0000_0000, 4096).first_slot, 4);
}

#[test]
fn an_iommu_granule_pads_in_front_and_behind() {
    let dev = Device::new("d").with_min_align_mask(0xfff);
    let mut bench = Bench::new(1024, 4);
    let bounce = bench.try_map(&dev, 0x1_2345_6c04, 100, 0xfff).unwrap();
    assert_eq!(
        (bounce.first_slot, bounce.slots, bounce.pad_slots),
        (0, 2, 1)
    );
    assert_eq!(bounce.tlb_addr, PhysAddr::new(0x7000_0c04));
    let slots = bench.swiotlb.snapshot(bench.pool).unwrap().slots;
    assert_eq!(slots[0].orig_addr, None);
    assert_eq!(slots[1].orig_addr, Some(PhysAddr::new(0x1_2345_6c04)));
    assert_eq!((slots[1].pad_slots, slots[1].alloc_size), (1, 1020));
    let (in_padding, dir) = (PhysAddr::new(0x7000_0400), DataDirection::FromDevice);
    let copied = bench
        .swiotlb
        .sync_single_for_cpu(&mut bench.mem, &dev, in_padding, 100, dir);
    assert_eq!(copied, Ok(Some(0)));
    bench.unmap(&dev, &bounce, 100);
    assert_eq!(bench.area(0).0, 0);

    let bounce = bench.try_map(&dev, 0x1_2345_6c04, 5000, 0xfff).unwrap();
    assert_eq!((bounce.slots, bounce.pad_slots), (4, 1));
    let slots = bench.swiotlb.snapshot(bench.pool).unwrap().slots;
    let first = bounce.first_slot as usize;
    let sizes: Vec<u64> = slots[first..first + 4]
        .iter()
        .map(|s| s.alloc_size)
        .collect();
    assert_eq!(sizes, [7164, 5116, 3068, 1020]);

    let plain = Device::new("d");
    let mut bench = Bench::new(1024, 4);
    let bounce = bench.try_map(&plain, 0x1_2345_6c04, 100, 0xfff).unwrap();
    assert_eq!((bounce.tlb_addr.raw(), bounce.pad_slots), (BASE, 0));
    let slots = bench.swiotlb.snapshot(bench.pool).unwrap().slots;
    assert_eq!((slots[0].alloc_size, slots[1].alloc_size), (4096, 2048));
}

#[test]
fn the_search_is_not_exhaustive() {
    let dev = Device::new("d").with_min_align_mask(0xfff);
    for cursor in [0, 1, 2, 3, 4, 5_u32] {
        let mut bench = Bench::new(128, 1);
        let plain = Device::new("p");
        let all: Vec<BounceInfo> = (0..128)
            .map(|_| bench.map(&plain, 0x1_0000_0000, 1))
            .collect();
        // Moves the cursor to the slot behind the one taken last.
        let before = (cursor + 127) % 128;
        bench.unmap(&plain, &all[before as usize], 1);
        bench.map(&plain, 0x1_0000_0000, 1);
        assert_eq!(bench.area(0).1, cursor);
        bench.unmap(&plain, &all[1], 1);
        let found = bench.try_map(&dev, 0x1_0000_0800, 100, 0);
        if cursor == 2 {
            let text = found.unwrap_err().to_string();
            assert!(
                text.contains("the search steps over it by 2 slots"),
                "{text}"
            );
        } else {
            assert_eq!(found.unwrap().first_slot, 1, "cursor {cursor}");
        }
    }
}

#[test]
fn a_64_kib_boundary_is_never_crossed() {
    let mut bench = Bench::at(0x70_8000, 1024, 4);
    let dev = Device::new("8237").with_seg_boundary(0xffff);
    let firsts: Vec<u32> = (0..4)
        .map(|_| bench.map(&dev, 0x1_0000_0000, 20480).first_slot)
        .collect();
    assert_eq!(firsts, [0, 16, 26, 36]);
    assert_eq!(bench.area(0).1, 46);
    assert_eq!(bench.lists(8, 12), [0, 0, 6, 5, 4, 3, 2, 1, 0, 0, 0, 0]);
    let text = bench.try_map(&dev, 0x1_0000_0000, 65537, 0).unwrap_err();
    assert!(text.to_string().contains("segment boundary"), "{text}");
    bench.cpu = 1;
    assert_eq!(bench.map(&dev, 0x1_0000_0000, 65536).first_slot, 272);
}

#[test]
fn the_cpu_chooses_the_first_area_and_the_others_follow() {
    let mut bench = Bench::new(512, 4);
    let dev = Device::new("d");
    bench.cpu = 5;
    assert_eq!(bench.map(&dev, 0x1_0000_0000, 262_144).first_slot, 128);
    assert_eq!(bench.area(1), (128, 0));
    assert_eq!(bench.map(&dev, 0x1_0000_0000, 2048).first_slot, 256);
    assert_eq!(bench.map(&dev, 0x1_0000_0000, 262_144).first_slot, 384);
}

#[test]
fn a_64_kib_min_align_chooses_every_32nd_slot() {
    let mut bench = Bench::at(0x7000_3000, 1024, 4);
    let dev = Device::new("d").with_min_align_mask(0xffff);
    let bounce = bench.map(&dev, 0x1_0001_5a10, 3000);
    assert_eq!((bounce.first_slot, bounce.slots), (5, 2));
    assert_eq!(bounce.tlb_addr, PhysAddr::new(0x7000_5a10));
    assert_eq!(bench.lists(0, 8), [5, 4, 3, 2, 1, 0, 0, 121]);
}

#[test]
fn the_largest_mapping_depends_on_the_offset() {
    let dev = Device::new("nvme").with_min_align_mask(0xfff);
    let fits = |orig: u64, bytes: u64| Bench::new(1024, 4).try_map(&dev, orig, bytes, 0).is_ok();
    assert!(fits(0x1_0000_0fff, 258_048));
    assert!(fits(0x1_0000_0fff, 258_049));
    assert!(!fits(0x1_0000_0fff, 258_050));
    assert!(fits(0x1_0000_0800, 260_096));
    assert!(!fits(0x1_0000_0800, 260_097));
    assert!(fits(0x1_0000_0000, 262_144));
    let bench = Bench::new(128, 1);
    let maxima: Vec<u64> = [0, 0x1ff, 0x7ff, 0xfff, 0x1fff, 0xffff]
        .map(|mask| {
            let dev = Device::new("d").with_min_align_mask(mask);
            bench.swiotlb.max_mapping_size(&dev)
        })
        .to_vec();
    assert_eq!(
        maxima,
        [262_144, 260_096, 260_096, 258_048, 253_952, 196_608]
    );
}

#[test]
fn a_run_never_leaves_its_slot_set() {
    let mut bench = Bench::new(256, 1);
    let dev = Device::new("d");
    for _ in 0..126 {
        bench.map(&dev, 0x1_0000_0000, 1);
    }
    assert_eq!(bench.map(&dev, 0x1_0000_0000, 4097).first_slot, 128);
    assert_eq!(bench.lists(126, 2), [2, 1]);
    assert_eq!(bench.area(0).1, 131);
}

#[test]
fn the_cursor_wraps_to_slot_0() {
    let mut bench = Bench::new(256, 1);
    let dev = Device::new("d");
    for _ in 0..254 {
        bench.map(&dev, 0x1_0000_0000, 1);
    }
    assert_eq!(bench.map(&dev, 0x1_0000_0000, 4000).first_slot, 254);
    assert_eq!(bench.area(0), (256, 0));
    let text = bench
        .try_map(&dev, 0x1_0000_0000, 1, 0)
        .unwrap_err()
        .to_string();
    assert_eq!(
        text,
        "swiotlb full: need 1 slots for 1 bytes, 256 of 256 used, only 0 free"
    );
}

#[test]
fn physical_address_0_is_exempt_from_min_align() {
    let mut bench = Bench::new(256, 1);
    let dev = Device::new("nvme").with_min_align_mask(0xfff);
    assert_eq!(bench.map(&dev, 0, 100).first_slot, 0);
    assert_eq!(bench.map(&dev, 0, 100).first_slot, 1);
}

#[test]
fn alignment_is_judged_in_dma_addresses() {
    let mut bench = Bench::at(0x7000_1000, 1024, 4);
    let dev = Device::new("d")
        .with_seg_boundary(0xffff)
        .with_ranges(vec![swiotlb::DmaRange {
            cpu_start: PhysAddr::new(0x7000_1000),
            dma_start: swiotlb::DmaAddr::new(0),
            bytes: 0x1000_0000,
        }]);
    assert_eq!(
        bench.map(&dev, 0x1_0000_0000, 65536).tlb_addr.raw(),
        0x7000_1000
    );
    let second = bench.map(&dev, 0x1_0000_0000, 65536);
    assert_eq!(
        (second.first_slot, second.tlb_addr.raw()),
        (32, 0x7001_1000)
    );
}

#[test]
fn nothing_behind_an_offset_takes_the_slot_of_the_offset() {
    let mut bench = Bench::new(256, 1);
    let dev = Device::new("nvme").with_min_align_mask(0xfff);
    let bounce = bench.map(&dev, 0x1_0000_0210, 0);
    assert_eq!((bounce.slots, bounce.copied_bytes), (1, 0));
    assert_eq!(bounce.tlb_addr.raw(), BASE + 0x210);
    bench.unmap(&dev, &bounce, 0);
    assert_eq!(bench.area(0).0, 0);
    let result = bench.try_map(&dev, 0x1_0000_0000, 0, 0);
    assert_eq!(result, Err(MapError::ZeroSize));
}

#[test]
fn sizes_near_2_to_the_64_are_too_large_and_not_zero() {
    let mut bench = Bench::new(256, 1);
    let dev = Device::new("d");
    for (bytes, align) in [
        (u64::MAX, 0),
        (u64::MAX - 2046, 0),
        (u64::MAX - 4094, 0xfff),
    ] {
        let error = bench
            .try_map(&dev, 0x1_0000_0000, bytes, align)
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "swiotlb full: need 9007199254740992 slots for {} bytes, 0 of 256 used, more than \
                 a slot set of 262144 bytes",
                if align == 0 { bytes } else { u64::MAX }
            )
        );
    }
}

#[test]
fn impossible_requests_are_refused_without_a_panic() {
    let mut bench = Bench::new(256, 1);
    let dev = Device::new("d");
    assert_eq!(bench.try_map(&dev, 0, 0, 0), Err(MapError::ZeroSize));
    assert!(bench.try_map(&dev, 0x1_0000_0000, u64::MAX, 0).is_err());
    assert!(bench.try_map(&dev, u64::MAX, 1, 0).is_err());
    assert_eq!(
        bench.try_map(&dev, 0x1_0000_0000, 1, 0x1000),
        Err(MapError::BadAlignMask { mask: 0x1000 })
    );
    let odd = Device::new("d").with_seg_boundary(0x17ff);
    assert_eq!(
        bench.try_map(&odd, 0x1_0000_0000, 1, 0),
        Err(MapError::BadBoundary { mask: 0x17ff })
    );
    assert_eq!(bench.area(0).0, 0);
}
