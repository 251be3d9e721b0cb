//! The memory of a virtual machine behind the memory trait: `vm-memory` with several regions.
#![cfg(feature = "vm-memory")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::sync::Arc;

use swiotlb::{
    AllocatorId, BootConfig, CpuId, DataDirection, Device, Dma, GuestRam, MapError, MapRequest,
    MemoryError, Mode, PhysAddr, PhysMemory, Platform, PoolGeometry, Swiotlb,
};
use vm_memory::bitmap::{AtomicBitmap, Bitmap};
use vm_memory::{
    Bytes, GuestAddress, GuestAddressSpace, GuestMemoryAtomic, GuestMemoryBackend, GuestMemoryMmap,
    GuestMemoryRegion,
};

type Mmap = GuestMemoryMmap<()>;

const POOL: u64 = 0x10_0000;
const HIGH: u64 = 0x1_0000_0000;

fn at(raw: u64) -> PhysAddr {
    PhysAddr::new(raw)
}

/// Two regions that touch, a hole of a page, and a third region.
fn guest() -> Mmap {
    let ranges = [(0x1000, 0x1000), (0x2000, 0x3000), (0x6000, 0x1000)];
    Mmap::from_ranges(&ranges.map(|(base, len)| (GuestAddress(base), len))).unwrap()
}

/// Bytes that differ from their neighbours.
fn pattern(len: usize) -> Vec<u8> {
    (0..251).cycle().take(len).collect()
}

fn read(mem: &impl PhysMemory, addr: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    mem.read(at(addr), &mut bytes).unwrap();
    bytes
}

#[test]
fn accesses_reach_over_regions_that_touch() {
    let guest = guest();
    let mut mem = GuestRam::new(&guest);
    let data = pattern(0x4000);
    mem.write(at(0x1000), &data).unwrap();
    assert_eq!(read(&mem, 0x1000, 0x4000), data);
    let mut seen = [0; 2];
    guest.read_slice(&mut seen, GuestAddress(0x1fff)).unwrap();
    assert_eq!(seen, data[0xfff..0x1001]);

    mem.zero(at(0x1ff0), 0x1820).unwrap();
    assert_eq!(read(&mem, 0x1000, 0xff0), data[..0xff0]);
    assert_eq!(read(&mem, 0x1ff0, 0x1820), vec![0; 0x1820]);
    assert_eq!(read(&mem, 0x3810, 0x10), data[0x2810..0x2820]);
}

#[test]
fn a_copy_is_cut_where_either_side_changes_its_region() {
    let guest = guest();
    let mut mem = GuestRam::new(&guest);
    let data = pattern(0x300);
    for (from, to) in [(0x1e80, 0x6100), (0x6100, 0x1e80), (0x1f00, 0x4000)] {
        mem.write(at(from), &data).unwrap();
        mem.write(at(to - 1), &[0xee]).unwrap();
        mem.copy(at(from), at(to), 0x300).unwrap();
        assert_eq!(read(&mem, to, 0x300), data);
        assert_eq!(read(&mem, to - 1, 1), [0xee]);
        mem.zero(at(to), 0x300).unwrap();
    }
}

#[test]
fn a_hole_is_named_by_its_first_byte_and_no_byte_has_changed() {
    let guest = guest();
    let mut mem = GuestRam::new(&guest);
    let data = pattern(0x1000);
    mem.write(at(0x4000), &data).unwrap();
    mem.write(at(0x6000), &data).unwrap();
    let missing = |addr, bytes| {
        let addr = at(addr);
        Err(MemoryError { addr, bytes })
    };
    // Into the hole behind 0x5000, over it, all of it in it, and below everything.
    assert_eq!(mem.write(at(0x4ff0), &[7; 0x20]), missing(0x5000, 0x20));
    assert_eq!(mem.write(at(0x4ff0), &[7; 0x1020]), missing(0x5000, 0x1020));
    assert_eq!(mem.zero(at(0x4000), 0x1001), missing(0x5000, 0x1001));
    assert_eq!(mem.zero(at(0x5010), 4), missing(0x5010, 4));
    assert_eq!(mem.write(at(0), &[7]), missing(0, 1));
    let mut buf = [9; 0x20];
    assert_eq!(mem.read(at(0x6ff0), &mut buf), missing(0x7000, 0x20));
    assert_eq!(buf, [9; 0x20]);
    // Either side of a copy.
    let source = mem.copy(at(0x4800), at(0x6000), 0x900);
    assert_eq!(source, missing(0x5000, 0x900));
    let target = mem.copy(at(0x4000), at(0x6800), 0x900);
    assert_eq!(target, missing(0x7000, 0x900));
    assert_eq!(read(&mem, 0x4000, 0x1000), data);
    assert_eq!(read(&mem, 0x6000, 0x1000), data);
}

#[test]
fn an_access_up_to_or_over_the_end_of_the_address_space_is_no_memory() {
    let top = GuestAddress(0xffff_ffff_ffff_f000);
    // The last byte of the address space belongs to no region: its end could not be told.
    let guest = Mmap::from_ranges(&[(GuestAddress(0), 0x1000), (top, 0xfff)]).unwrap();
    let mut mem = GuestRam::new(&guest);
    let end = mem.zero(at(top.0), u64::MAX).unwrap_err();
    assert_eq!((end.addr, end.bytes), (at(top.0), u64::MAX));
    assert_eq!(mem.zero(at(top.0), 0xfff), Ok(()));
    let last = mem.zero(at(top.0), 0x1000).unwrap_err();
    assert_eq!(last.addr, at(u64::MAX));
    assert!(mem.copy(at(0), at(top.0), 0x1001).is_err());
    assert!(mem.read(at(u64::MAX), &mut [0; 2]).is_err());
}

#[test]
fn an_empty_access_is_memory_anywhere() {
    let guest = guest();
    let mut mem = GuestRam::new(&guest);
    for addr in [0, 0x1000, 0x5000, u64::MAX] {
        assert_eq!(mem.read(at(addr), &mut []), Ok(()));
        assert_eq!(mem.write(at(addr), &[]), Ok(()));
        assert_eq!(mem.copy(at(addr), at(0x5000), 0), Ok(()));
        assert_eq!(mem.zero(at(addr), 0), Ok(()));
    }
}

#[test]
fn overlapping_copies_move_within_a_region_and_keep_to_their_target_elsewhere() {
    let guest = guest();
    let mut mem = GuestRam::new(&guest);
    let data = pattern(0x900);
    for (from, to) in [(0x2100, 0x2300), (0x2300, 0x2100), (0x2100, 0x2100)] {
        mem.write(at(from), &data).unwrap();
        mem.copy(at(from), at(to), 0x900).unwrap();
        assert_eq!(read(&mem, to, 0x900), data);
    }
    // Over the border of two regions the overlap is not defined, but what lies around is.
    mem.write(at(0x1000), &[0xee; 0x4000]).unwrap();
    mem.write(at(0x1c00), &data).unwrap();
    mem.copy(at(0x1c00), at(0x1d00), 0x900).unwrap();
    assert_eq!(read(&mem, 0x1000, 0xc00), [0xee; 0xc00]);
    assert_eq!(read(&mem, 0x1c00, 0x100), data[..0x100]);
    assert_eq!(read(&mem, 0x2600, 0x100), [0xee; 0x100]);
}

#[test]
fn written_pages_are_marked_in_the_bitmap_of_the_region() {
    let ranges = [(GuestAddress(0), 0x8000)];
    let guest = GuestMemoryMmap::<AtomicBitmap>::from_ranges(&ranges).unwrap();
    let mut mem = GuestRam::new(&guest);
    mem.read(at(0), &mut [0; 0x1000]).unwrap();
    mem.write(at(0x1ffe), &[1]).unwrap();
    mem.copy(at(0), at(0x3000), 4).unwrap();
    mem.zero(at(0x5000), 0x1001).unwrap();
    assert!(mem.zero(at(0x7000), 0x1001).is_err());
    let region = guest.find_region(GuestAddress(0)).unwrap();
    let dirty = |page: &usize| region.bitmap().dirty_at(page * 0x1000);
    assert_eq!((0..8).filter(dirty).collect::<Vec<_>>(), [1, 3, 5, 6]);
}

#[test]
fn memory_that_is_plugged_in_later_is_seen_by_the_next_access() {
    let hotplug = GuestMemoryAtomic::new(Mmap::new());
    let mut mem = GuestRam::new(hotplug.clone());
    assert!(mem.write(at(0x1000), b"x").is_err());
    hotplug.lock().unwrap().replace(guest());
    assert_eq!(mem.write(at(0x1000), b"x"), Ok(()));
    assert_eq!(read(&GuestRam::new(Arc::new(guest())), 0x1000, 1), [0]);
    let byte: u8 = hotplug.memory().read_obj(GuestAddress(0x1000)).unwrap();
    assert_eq!(byte, b'x');
}

fn bouncing(mem: &mut impl PhysMemory, areas: u32) -> Dma {
    let geometry = PoolGeometry {
        base: at(POOL),
        slots: 1024,
        areas,
    };
    let (platform, boot) = (Platform::default(), BootConfig::default());
    Dma::new(Swiotlb::with_pool(mem, platform, boot, Mode::Strict, geometry).unwrap())
}

#[test]
fn a_pool_or_a_buffer_that_is_not_guest_memory_is_refused() {
    let guest = Mmap::from_ranges(&[(GuestAddress(POOL), 0x20_0000)]).unwrap();
    let mut mem = GuestRam::new(&guest);
    let dma = bouncing(&mut mem, 1);
    let dev = Device::new("virtio-blk");
    let request = MapRequest::new(at(HIGH), 100, DataDirection::ToDevice);
    let refused = dma.map_single(&mut mem, &dev, request).unwrap_err();
    assert!(matches!(refused, MapError::Memory(cause) if cause.addr == at(HIGH)));
    let stats = dma.swiotlb().stats(AllocatorId::DEFAULT).unwrap();
    assert_eq!(stats.counted_slots, 0);
}

#[test]
fn threads_bounce_through_one_guest_and_every_byte_arrives() {
    const THREADS: u32 = 4;
    const ROUNDS: u32 = 400;
    let high = (GuestAddress(HIGH), 0x10_0000);
    let guest = Mmap::from_ranges(&[(GuestAddress(POOL), 0x20_0000), high]).unwrap();
    let mem = GuestRam::new(&guest);
    let dma = bouncing(&mut &mem, 4);
    let dev = Device::new("virtio-net");
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (mem, dma, dev) = (&mem, &dma, &dev);
            scope.spawn(move || {
                let mut mem = mem;
                for round in 0..ROUNDS {
                    let len = 1 + (round as usize * 4099 + thread as usize * 977) % 20_000;
                    let orig = HIGH + u64::from(thread) * 0x2_0000 + u64::from(round % 256);
                    let sent: Vec<u8> = (0..251)
                        .cycle()
                        .skip((round + thread) as usize % 251)
                        .take(len)
                        .collect();
                    let answer: Vec<u8> = sent.iter().map(|byte| !byte).collect();
                    mem.write(at(orig), &sent).unwrap();
                    let dir = DataDirection::Bidirectional;
                    let request = MapRequest::new(at(orig), len as u64, dir).on_cpu(CpuId(thread));
                    let mapping = dma.map_single(&mut mem, dev, request).unwrap();
                    let bounce = mapping.bounced().unwrap().tlb_addr.raw();
                    assert_eq!(read(&mem, bounce, len), sent);
                    mem.write(at(bounce), &answer).unwrap();
                    dma.unmap_single(&mut mem, dev, mapping).unwrap();
                    assert_eq!(read(&mem, orig, len), answer);
                }
            });
        }
    });
    let stats = dma.swiotlb().stats(AllocatorId::DEFAULT).unwrap();
    assert_eq!((stats.used_slots, stats.counted_slots), (0, 0));
}
