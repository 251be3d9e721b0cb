//! Random calls, compared with a naive model that keeps a descriptor per slot and walks them one
//! by one, as the specification words it.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use proptest::prelude::*;
use swiotlb::{
    AllocatorId, Attrs, BootConfig, BounceRequest, CpuId, DataDirection, Device, MapError, Mode,
    PhysAddr, PhysMemory, Platform, PoolGeometry, RamRange, SparseMemory, Swiotlb,
};

const INVALID: u64 = u64::MAX;
const ORIG_BASE: u64 = 0x1_0000_0000;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct ModelSlot {
    orig: u64,
    alloc_size: u64,
    list: u64,
    pad: u64,
}

/// Masks of a device.
#[derive(Clone, Copy, Debug)]
struct Masks {
    min_align: u32,
    boundary: u64,
}

struct Model {
    base: u64,
    area_slots: u64,
    slots: Vec<ModelSlot>,
    used: Vec<u64>,
    cursor: Vec<u64>,
}

fn slots_of(bytes: u64) -> u64 {
    bytes.wrapping_add(2047) / 2048
}

impl Model {
    fn new(base: u64, slots: u64, areas: u64) -> Self {
        let slot = |index: u64| ModelSlot {
            orig: INVALID,
            alloc_size: 0,
            list: (128 - index % 128).min(slots - index),
            pad: 0,
        };
        let zeros = vec![0; usize::try_from(areas).unwrap()];
        Self {
            base,
            area_slots: slots / areas,
            slots: (0..slots).map(slot).collect(),
            used: zeros.clone(),
            cursor: zeros,
        }
    }

    fn slot(&mut self, index: u64) -> &mut ModelSlot {
        &mut self.slots[usize::try_from(index).unwrap()]
    }

    fn merge_below(&mut self, first: u64, mut count: u64) {
        let mut index = first;
        while !index.is_multiple_of(128) && self.slot(index - 1).list != 0 {
            index -= 1;
            count += 1;
            self.slot(index).list = count;
        }
    }

    fn search(
        &mut self,
        masks: Masks,
        area: usize,
        orig: u64,
        alloc_size: u64,
        align: u32,
    ) -> Option<u64> {
        let count = slots_of(alloc_size);
        let boundary_slots = (masks.boundary >> 11) + 1;
        let offset = orig & u64::from(masks.min_align) & 2047;
        let base_dma = self.base & masks.boundary;
        let page = align == 0 && masks.min_align == 0 && alloc_size >= 4096;
        let zero = u64::from(if page { 4095 } else { align }) | 2047;
        let keep = u64::from(masks.min_align) & !zero;
        let stride = (zero.max(keep) >> 11) + 1;
        if count > self.area_slots.wrapping_sub(self.used[area]) {
            return None;
        }
        let wrap = |index: u64, limit: u64| if index >= limit { 0 } else { index };
        let first = area as u64 * self.area_slots;
        let mut index = self.cursor[area];
        let mut checked = 0;
        while checked < self.area_slots {
            let slot = first + index;
            let dma = base_dma + slot * 2048;
            if dma & zero != 0 || (orig != 0 && dma & keep != orig & keep) {
                index = wrap(index + 1, self.area_slots);
                checked += 1;
                continue;
            }
            let place = (slots_of(base_dma) + slot) & (boundary_slots - 1);
            if place + count <= boundary_slots && self.slot(slot).list >= count {
                for k in 0..count {
                    let slot = self.slot(slot + k);
                    slot.list = 0;
                    slot.alloc_size = alloc_size.wrapping_sub(offset + k * 2048);
                }
                self.merge_below(slot, 0);
                self.cursor[area] = wrap(index + count, self.area_slots);
                self.used[area] = self.used[area].wrapping_add(count);
                return Some(slot);
            }
            index = wrap(index + stride, self.area_slots);
            checked += stride;
        }
        None
    }

    /// Returns the bounce address.
    fn map(&mut self, masks: Masks, cpu: u32, orig: u64, bytes: u64, align: u32) -> Option<u64> {
        let offset = orig & u64::from(masks.min_align & (align | 2047));
        let granule = u64::from(align) + 1;
        let size = (bytes + offset).next_multiple_of(granule);
        let areas = self.used.len();
        let first = (0..areas)
            .map(|step| (cpu as usize + step) & (areas - 1))
            .find_map(|area| self.search(masks, area, orig, size, align))?;
        let pad = offset / 2048;
        let data = first + pad;
        self.slot(data).pad = pad;
        for k in 0..slots_of(size) - pad {
            self.slot(data + k).orig = orig + k * 2048;
        }
        Some(self.base + data * 2048 + offset % 2048)
    }

    /// Returns first slot and number of slots that a release of `addr` frees, if all of them lie
    /// in one slot set: beyond that the library is defined otherwise.
    fn extent(&mut self, masks: Masks, addr: u64) -> Option<(u64, u64)> {
        let offset = addr & u64::from(masks.min_align) & 2047;
        let data = (addr - offset).checked_sub(self.base)? / 2048;
        let first = data - self.slot(data).pad;
        let count = slots_of(self.slot(first).alloc_size.wrapping_add(offset));
        let fits = count <= 128 - first % 128 && first + count <= self.slots.len() as u64;
        fits.then_some((first, count))
    }

    fn release(&mut self, first: u64, count: u64) {
        let end = first + count;
        let set_end = (first + 1).next_multiple_of(128);
        let mut run = if end < set_end && end < self.slots.len() as u64 {
            self.slot(end).list
        } else {
            0
        };
        for index in (first..end).rev() {
            run += 1;
            *self.slot(index) = ModelSlot {
                orig: INVALID,
                alloc_size: 0,
                list: run,
                pad: 0,
            };
        }
        self.merge_below(first, run);
        let area = usize::try_from(first / self.area_slots).unwrap();
        self.used[area] = self.used[area].wrapping_sub(count);
    }
}

/// A random call.
#[derive(Clone, Debug)]
enum Call {
    Map {
        device: usize,
        cpu: u32,
        orig: u64,
        bytes: u64,
        align: u32,
    },
    /// Undoes a live mapping.
    Unmap(usize),
    /// Releases what lies at some address, with some device: a driver's mistake.
    Stray { device: usize, place: u64 },
}

fn any_masks() -> impl Strategy<Value = Masks> {
    let min_aligns = vec![
        0, 0, 0x1ff, 0x7ff, 0x800, 0xfff, 0x1000, 0x1800, 0x3fff, 0xffff,
    ];
    let boundaries = vec![
        u64::MAX,
        u64::MAX,
        0xfff,
        0x3fff,
        0xffff,
        0x3_ffff,
        0xf_ffff,
    ];
    (
        prop::sample::select(min_aligns),
        prop::sample::select(boundaries),
    )
        .prop_map(|(min_align, boundary)| Masks {
            min_align,
            boundary,
        })
}

fn any_bytes() -> impl Strategy<Value = u64> {
    prop_oneof![
        1..200_u64,
        1500..2600_u64,
        4000..9000_u64,
        1..70_000_u64,
        1..300_000_u64,
    ]
}

fn any_call(has_strays: bool) -> impl Strategy<Value = Call> {
    let aligns = vec![0, 0, 0, 0x7ff, 0xfff, 0x1fff, 0xffff];
    let map = (
        0..4_usize,
        0..9_u32,
        0..0x8_0000_u64,
        any_bytes(),
        prop::sample::select(aligns),
    );
    let map = map.prop_map(|(device, cpu, orig, bytes, align)| Call::Map {
        device,
        cpu,
        orig: ORIG_BASE + orig,
        bytes,
        align,
    });
    let stray = (0..4_usize, any::<u64>());
    let stray = stray.prop_map(|(device, place)| Call::Stray { device, place });
    prop_oneof![
        5 => map,
        4 => any::<usize>().prop_map(Call::Unmap),
        u32::from(has_strays) => stray,
    ]
}

/// Base, slots and areas of a pool.
fn any_pool() -> impl Strategy<Value = (u64, u32, u32)> {
    let shapes = vec![
        (128, 1),
        (200, 1),
        (256, 2),
        (512, 1),
        (512, 4),
        (1024, 4),
        (1024, 16),
        (1000, 1),
    ];
    let bases = vec![0x100_0000, 0x100_1000, 0x100_3800, 0x104_5000, 0x3fff_f000];
    (prop::sample::select(bases), prop::sample::select(shapes))
        .prop_map(|(base, (slots, areas))| (base, slots, areas))
}

struct Pair {
    mem: SparseMemory,
    swiotlb: Swiotlb,
    model: Model,
    devices: Vec<(Device, Masks)>,
    /// Device, address and size of live mappings.
    live: Vec<(usize, u64, u64)>,
}

impl Pair {
    fn new((base, slots, areas): (u64, u32, u32), masks: &[Masks]) -> Self {
        let range = |start: u64, bytes: u64| RamRange {
            start: PhysAddr::new(start),
            bytes,
        };
        let mut mem = SparseMemory::new(&[
            range(base, u64::from(slots) * 2048),
            range(ORIG_BASE, 0x10_0000),
        ])
        .unwrap();
        let geometry = PoolGeometry {
            base: PhysAddr::new(base),
            slots,
            areas,
        };
        let swiotlb = Swiotlb::with_pool(
            &mut mem,
            Platform::default(),
            BootConfig::default(),
            Mode::Kernel,
            geometry,
        )
        .unwrap();
        let device = |masks: &Masks| {
            let device = Device::new("d")
                .with_min_align_mask(masks.min_align)
                .with_seg_boundary(masks.boundary);
            (device, *masks)
        };
        Self {
            mem,
            swiotlb,
            model: Model::new(base, u64::from(slots), u64::from(areas)),
            devices: masks.iter().map(device).collect(),
            live: Vec::new(),
        }
    }

    fn release(&mut self, device: usize, addr: u64, bytes: u64) {
        let (dev, masks) = &self.devices[device];
        let Some((first, count)) = self.model.extent(*masks, addr) else {
            return;
        };
        self.model.release(first, count);
        let (dir, attrs) = (DataDirection::ToDevice, Attrs::NONE);
        let addr = PhysAddr::new(addr);
        let released = self
            .swiotlb
            .tbl_unmap_single(&mut self.mem, dev, addr, bytes, dir, attrs)
            .unwrap()
            .unwrap();
        assert_eq!(u64::from(released.first_slot), first);
        assert_eq!(u64::from(released.slots), count);
    }

    fn call(&mut self, call: &Call) {
        match *call {
            Call::Map {
                device,
                cpu,
                orig,
                bytes,
                align,
            } => {
                let (dev, masks) = &self.devices[device];
                let expected = self.model.map(*masks, cpu, orig, bytes, align);
                let request = BounceRequest {
                    orig: PhysAddr::new(orig),
                    bytes,
                    alloc_align_mask: align,
                    dir: DataDirection::ToDevice,
                    attrs: Attrs::NONE,
                    cpu: CpuId(cpu),
                };
                let got = self.swiotlb.tbl_map_single(&mut self.mem, dev, &request);
                match got {
                    Ok(bounce) => {
                        assert_eq!(Some(bounce.tlb_addr.raw()), expected);
                        self.live.push((device, bounce.tlb_addr.raw(), bytes));
                    }
                    Err(MapError::Full(_)) => assert_eq!(None, expected),
                    Err(cause) => panic!("{cause}"),
                }
            }
            Call::Unmap(choice) => {
                if !self.live.is_empty() {
                    let index = choice % self.live.len();
                    let (device, addr, bytes) = self.live.swap_remove(index);
                    self.release(device, addr, bytes);
                }
            }
            Call::Stray { device, place } => {
                let addr = self.model.base + place % (self.model.slots.len() as u64 * 2048);
                self.release(device, addr, 1);
            }
        }
    }

    /// Compares every descriptor.
    fn compare(&self) {
        let pool = self.swiotlb.pools(AllocatorId::DEFAULT).next().unwrap();
        let snapshot = self.swiotlb.snapshot(pool).unwrap();
        for (index, (slot, expected)) in snapshot.slots.iter().zip(&self.model.slots).enumerate() {
            let got = ModelSlot {
                orig: slot.orig_addr.map_or(INVALID, PhysAddr::raw),
                alloc_size: slot.alloc_size,
                list: u64::from(slot.list),
                pad: u64::from(slot.pad_slots),
            };
            assert_eq!(got, *expected, "slot {index}");
            assert_eq!(snapshot.occupancy[index], expected.list == 0);
        }
        for (index, area) in snapshot.areas.iter().enumerate() {
            assert_eq!(area.used, self.model.used[index], "used of area {index}");
            assert_eq!(u64::from(area.cursor), self.model.cursor[index]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn placement_and_every_descriptor_equal_those_of_the_model(
        pool in any_pool(),
        masks in prop::collection::vec(any_masks(), 4),
        calls in prop::collection::vec(any_call(false), 1..250),
    ) {
        let mut pair = Pair::new(pool, &masks);
        for call in &calls {
            pair.call(call);
        }
        pair.compare();
        let pool = pair.swiotlb.pools(AllocatorId::DEFAULT).next().unwrap();
        prop_assert_eq!(pair.swiotlb.check_invariants(pool), Ok(()));
        for (device, addr, bytes) in std::mem::take(&mut pair.live) {
            pair.release(device, addr, bytes);
        }
        pair.compare();
        prop_assert_eq!(pair.swiotlb.stats(AllocatorId::DEFAULT).unwrap().used_slots, 0);
    }

    #[test]
    fn a_drivers_mistakes_do_the_damage_they_do_in_the_kernel(
        pool in any_pool(),
        masks in prop::collection::vec(any_masks(), 4),
        calls in prop::collection::vec(any_call(true), 1..120),
    ) {
        let mut pair = Pair::new(pool, &masks);
        for call in &calls {
            pair.call(call);
        }
        pair.compare();
    }
}

/// A mapping, and the bytes that its original must have in the end.
struct Lent {
    device: usize,
    addr: PhysAddr,
    orig: u64,
    dir: DataDirection,
    bytes: Vec<u8>,
    /// What the device would read.
    bounce: Vec<u8>,
}

#[derive(Clone, Debug)]
enum DataCall {
    Map {
        device: usize,
        place: u64,
        bytes: usize,
        dir: DataDirection,
        fill: u8,
    },
    /// The device writes a part, and it is synced.
    DeviceWrites {
        choice: usize,
        part: (usize, usize),
        fill: u8,
    },
    /// The CPU writes a part, and it is synced.
    CpuWrites {
        choice: usize,
        part: (usize, usize),
        fill: u8,
    },
    Unmap {
        choice: usize,
        fill: u8,
    },
}

fn any_data_call() -> impl Strategy<Value = DataCall> {
    let dirs = vec![
        DataDirection::ToDevice,
        DataDirection::FromDevice,
        DataDirection::Bidirectional,
    ];
    let choice = any::<usize>();
    let part = (0..9000_usize, 1..9000_usize);
    prop_oneof![
        4 => (0..4_usize, 0..4096_u64, 1..9000_usize, prop::sample::select(dirs), any::<u8>())
            .prop_map(|(device, place, bytes, dir, fill)| DataCall::Map {
                device, place, bytes, dir, fill
            }),
        3 => (choice, part.clone(), any::<u8>())
            .prop_map(|(choice, part, fill)| DataCall::DeviceWrites { choice, part, fill }),
        3 => (any::<usize>(), part, any::<u8>())
            .prop_map(|(choice, part, fill)| DataCall::CpuWrites { choice, part, fill }),
        3 => (any::<usize>(), any::<u8>())
            .prop_map(|(choice, fill)| DataCall::Unmap { choice, fill }),
    ]
}

/// Cuts a part to the length of a mapping.
fn cut(part: (usize, usize), bytes: usize) -> std::ops::Range<usize> {
    let start = part.0 % bytes;
    start..(start + part.1).min(bytes)
}

impl Pair {
    fn bytes_at(&self, addr: u64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.mem.read(PhysAddr::new(addr), &mut bytes).unwrap();
        bytes
    }

    fn data_call(&mut self, lent: &mut Vec<Lent>, serial: u64, call: &DataCall) {
        match *call {
            DataCall::Map {
                device,
                place,
                bytes,
                dir,
                fill,
            } => {
                // Each mapping has 16 KiB of its own; the guard around must stay as it is.
                let orig = ORIG_BASE + serial * 0x4000 + place % 4096 + 64;
                let data = vec![fill; bytes];
                self.mem.write(PhysAddr::new(orig), &data).unwrap();
                let request = BounceRequest {
                    orig: PhysAddr::new(orig),
                    bytes: bytes as u64,
                    alloc_align_mask: 0,
                    dir,
                    attrs: Attrs::NONE,
                    cpu: CpuId(0),
                };
                let (dev, _) = &self.devices[device];
                let Ok(bounce) = self.swiotlb.tbl_map_single(&mut self.mem, dev, &request) else {
                    return;
                };
                lent.push(Lent {
                    device,
                    addr: bounce.tlb_addr,
                    orig,
                    dir,
                    bytes: data.clone(),
                    bounce: data,
                });
            }
            DataCall::DeviceWrites { choice, part, fill } => {
                let Some(index) = choice.checked_rem(lent.len()) else {
                    return;
                };
                let one = &mut lent[index];
                if !one.dir.comes_from_device() {
                    return;
                }
                let range = cut(part, one.bytes.len());
                let addr = one.addr.wrapping_add(range.start as u64);
                self.mem.write(addr, &vec![fill; range.len()]).unwrap();
                one.bounce[range.clone()].fill(fill);
                let dev = &self.devices[one.device].0;
                let copied = self.swiotlb.sync_single_for_cpu(
                    &mut self.mem,
                    dev,
                    addr,
                    range.len() as u64,
                    one.dir,
                );
                assert_eq!(copied, Ok(Some(range.len() as u64)));
                one.bytes[range].fill(fill);
            }
            DataCall::CpuWrites { choice, part, fill } => {
                let Some(index) = choice.checked_rem(lent.len()) else {
                    return;
                };
                let one = &mut lent[index];
                let range = cut(part, one.bytes.len());
                let orig = PhysAddr::new(one.orig + range.start as u64);
                self.mem.write(orig, &vec![fill; range.len()]).unwrap();
                one.bytes[range.clone()].fill(fill);
                let dev = &self.devices[one.device].0;
                let addr = one.addr.wrapping_add(range.start as u64);
                let copied = self.swiotlb.sync_single_for_device(
                    &mut self.mem,
                    dev,
                    addr,
                    range.len() as u64,
                    one.dir,
                );
                if one.dir.reaches_device() {
                    assert_eq!(copied, Ok(Some(range.len() as u64)));
                    one.bounce[range].fill(fill);
                } else {
                    assert_eq!(copied, Ok(Some(0)));
                }
            }
            DataCall::Unmap { choice, fill } => {
                let Some(index) = choice.checked_rem(lent.len()) else {
                    return;
                };
                let mut one = lent.swap_remove(index);
                if one.dir.comes_from_device() {
                    self.mem.write(one.addr, &[fill]).unwrap();
                    one.bounce[0] = fill;
                    one.bytes.clone_from(&one.bounce);
                }
                self.give_back(&one);
            }
        }
    }

    fn give_back(&mut self, one: &Lent) {
        let dev = &self.devices[one.device].0;
        let bytes = one.bytes.len() as u64;
        self.swiotlb
            .tbl_unmap_single(&mut self.mem, dev, one.addr, bytes, one.dir, Attrs::NONE)
            .unwrap()
            .unwrap();
        assert_eq!(self.bytes_at(one.orig, one.bytes.len()), one.bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn data_stays_intact_under_random_map_sync_and_unmap(
        masks in prop::collection::vec(any_masks(), 4),
        calls in prop::collection::vec(any_data_call(), 1..60),
    ) {
        let mut pair = Pair::new((0x100_1000, 256, 2), &masks);
        let mut lent = Vec::new();
        for (serial, call) in (0..).zip(&calls) {
            pair.data_call(&mut lent, serial, call);
            for one in &lent {
                let here = pair.bytes_at(one.addr.raw(), one.bounce.len());
                prop_assert!(here == one.bounce, "a bounce buffer was changed by another call");
            }
        }
        // No two live mappings overlap.
        let mut places: Vec<(u64, u64)> = lent
            .iter()
            .map(|one| (one.addr.raw(), one.addr.raw() + one.bytes.len() as u64))
            .collect();
        places.sort_unstable();
        prop_assert!(places.windows(2).all(|pair| pair[0].1 <= pair[1].0));
        for mut one in lent {
            if one.dir.comes_from_device() {
                one.bytes.clone_from(&one.bounce);
            }
            pair.give_back(&one);
        }
        // What lies between the buffers was never written.
        for serial in 0..60 {
            let guard = pair.bytes_at(ORIG_BASE + serial * 0x4000, 64);
            prop_assert!(guard.iter().all(|&byte| byte == 0));
        }
    }
}
