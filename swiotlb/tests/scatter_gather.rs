//! Scatter/gather lists: what each entry becomes, and what an error leaves behind.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

use support::{HIGH, LOW, Machine, POOL};
use swiotlb::{
    AllocatorId, Attrs, DataDirection, Device, DmaAddr, DmaConfig, DmaError, DmaMessage, Event,
    MapError, MemoryError, Message, Mode, Peer, PhysAddr, PhysMemory, Platform, Sg, SgRequest,
    SgTable, SparseMemory, SyncError, bit_mask,
};

const TO: DataDirection = DataDirection::ToDevice;
const FROM: DataDirection = DataDirection::FromDevice;
const BOTH: DataDirection = DataDirection::Bidirectional;
/// No memory there.
const NOWHERE: u64 = 0x9_0000_0000;

fn sg(addr: u64, length: u32) -> Sg {
    Sg::new(PhysAddr::new(addr), length)
}

fn slots_used(machine: &Machine) -> u64 {
    let stats = machine.dma.swiotlb().stats(AllocatorId::DEFAULT);
    stats.unwrap().counted_slots
}

fn messages(machine: &mut Machine) -> Vec<Message> {
    let events = machine.dma.swiotlb_mut().drain_events();
    let message = |event| match event {
        Event::Message { message, .. } => Some(message),
        _ => None,
    };
    events.into_iter().filter_map(message).collect()
}

fn map(machine: &mut Machine, dev: &Device, list: &mut [Sg], dir: DataDirection) -> usize {
    let request = SgRequest::new(dir);
    machine.dma.map_sg(&mut machine.mem, dev, list, &request)
}

#[test]
fn each_entry_is_mapped_on_its_own_and_keeps_its_length() {
    let mut machine = Machine::new();
    let dev = Device::new("d");
    let mut list = [sg(LOW, 512), sg(HIGH, 3000), sg(HIGH + 3000, 100)];
    assert_eq!(map(&mut machine, &dev, &mut list, TO), 3);
    let addrs = list.map(|sg| (sg.dma_address.raw(), sg.dma_length));
    // 3000 bytes take two slots; the adjacent entry is not merged.
    assert_eq!(addrs, [(LOW, 512), (POOL, 3000), (POOL + 4096, 100)]);
    assert_eq!(slots_used(&machine), 3);
    let work = machine
        .dma
        .unmap_sg(&mut machine.mem, &dev, &mut list, TO, Attrs::NONE);
    let work = work.unwrap();
    assert_eq!((work.bounced_entries, work.copied_bytes), (2, 0));
    assert_eq!(slots_used(&machine), 0);
}

#[test]
fn an_entry_that_fails_leaves_nothing_mapped_and_originals_as_they_were() {
    let mut machine = Machine::new();
    let dev = Device::new("d");
    machine.fill(HIGH, 64, 0x11);
    let peer = Peer::BusAddress { offset: 0x1000 };
    let mut list = [
        sg(HIGH, 64),
        sg(LOW, 64).in_peer(peer),
        sg(NOWHERE, 64),
        sg(HIGH, 64),
    ];
    let mut table = SgTable::new(list.to_vec());
    table.nents = 77;
    let request = SgRequest::new(FROM);
    let result = machine
        .dma
        .map_sgtable(&mut machine.mem, &dev, &mut table, &request);
    let error = result.unwrap_err();
    assert!(matches!(
        error,
        DmaError::Entry {
            index: 2,
            cause: MapError::Memory(_)
        }
    ));
    assert_eq!(error.errno(), -5);
    assert_eq!(table.nents, 77);
    assert_eq!(slots_used(&machine), 0);
    // Nothing was copied back: the earlier entry was unmapped with SKIP_CPU_SYNC.
    assert_eq!(machine.read(HIGH, 64), [0x11; 64]);
    assert_eq!(table.entries[0].dma_address, DmaAddr::new(POOL));
    assert!(!table.entries[1].is_bus_address);
    assert_eq!(table.entries[2].dma_address, DmaAddr::MAPPING_ERROR);
    assert_eq!(table.entries[3], sg(HIGH, 64));
    assert_eq!(map(&mut machine, &dev, &mut list, FROM), 0);
}

/// Memory that remembers its copies.
struct Watched {
    mem: SparseMemory,
    copies: Vec<(u64, u64, u64)>,
}

impl PhysMemory for Watched {
    fn read(&self, addr: PhysAddr, buf: &mut [u8]) -> Result<(), MemoryError> {
        self.mem.read(addr, buf)
    }

    fn write(&mut self, addr: PhysAddr, buf: &[u8]) -> Result<(), MemoryError> {
        self.mem.write(addr, buf)
    }

    fn copy(&mut self, from: PhysAddr, to: PhysAddr, bytes: u64) -> Result<(), MemoryError> {
        self.copies.push((from.raw(), to.raw(), bytes));
        self.mem.copy(from, to, bytes)
    }

    fn zero(&mut self, addr: PhysAddr, bytes: u64) -> Result<(), MemoryError> {
        self.mem.zero(addr, bytes)
    }
}

#[test]
fn the_earlier_entries_are_given_up_without_copying_back() {
    let Machine { mem, dma } = Machine::new();
    let mut mem = Watched {
        mem,
        copies: Vec::new(),
    };
    let dev = Device::new("d");
    let mut list = [sg(HIGH, 64), sg(HIGH, 300_000)];
    let request = SgRequest::new(BOTH);
    assert_eq!(dma.map_sg(&mut mem, &dev, &mut list, &request), 0);
    assert_eq!(mem.copies, [(HIGH, POOL, 64)]);
    assert_eq!(dma.map_sg(&mut mem, &dev, &mut list[..1], &request), 1);
    dma.unmap_sg(&mut mem, &dev, &mut list[..1], BOTH, Attrs::NONE)
        .unwrap();
    assert_eq!(mem.copies.len(), 3);
}

#[test]
fn a_peer_is_addressed_on_the_bus_or_not_at_all() {
    let mut machine = Machine::new();
    let dev = Device::new("d");
    let peer = Peer::BusAddress {
        offset: 0x1000_0000_u64.wrapping_neg(),
    };
    let mut list = [sg(0x2_1000_0000, 4096).in_peer(peer), sg(LOW, 16)];
    assert_eq!(map(&mut machine, &dev, &mut list, FROM), 2);
    assert!(list[0].is_bus_address);
    // The mask is not asked: the address never reaches the host.
    assert_eq!(list[0].dma_address, DmaAddr::new(0x2_0000_0000));
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let synced = dma.sync_sg_for_cpu(mem, &dev, &list, FROM).unwrap();
    assert_eq!((synced.bounced_entries, synced.copied_bytes), (0, 0));
    dma.unmap_sg(mem, &dev, &mut list, FROM, Attrs::NONE)
        .unwrap();
    assert!(!list[0].is_bus_address);

    let mut table = SgTable::new(vec![sg(LOW, 16), sg(LOW, 16).in_peer(Peer::Unreachable)]);
    let error = dma.map_sgtable(mem, &dev, &mut table, &SgRequest::new(FROM));
    assert_eq!(error, Err(DmaError::RemoteIo { index: 1 }));
    assert_eq!(error.unwrap_err().errno(), -121);
}

#[test]
fn without_a_mask_a_table_succeeds_with_no_segment() {
    let mut machine = Machine::new();
    let dev = Device::new("d").without_dma_mask();
    let mut table = SgTable::new(vec![sg(LOW, 16)]);
    table.nents = 5;
    let request = SgRequest::new(TO);
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    assert_eq!(dma.map_sgtable(mem, &dev, &mut table, &request), Ok(()));
    assert_eq!((table.nents, table.segments()), (0, &[][..]));
    assert_eq!(dma.map_sg(mem, &dev, &mut table.entries, &request), 0);
    let refused = dma.map_list(mem, &dev, table, request).unwrap_err();
    assert_eq!(refused.error().errno(), -19);
    assert_eq!(refused.into_value().entries.len(), 1);
    assert_eq!(
        messages(&mut machine),
        [Message::Dma(DmaMessage::NoDmaMask)]
    );
}

#[test]
fn an_empty_list_is_an_unexpected_result_once_reported_and_traced() {
    let mut machine = Machine::new();
    machine.dma.swiotlb_mut().set_tracing(true);
    let dev = Device::new("d");
    let mut table = SgTable::default();
    for _ in 0..2 {
        let result =
            machine
                .dma
                .map_sgtable(&mut machine.mem, &dev, &mut table, &SgRequest::new(TO));
        assert_eq!(result.unwrap_err().errno(), -5);
    }
    let events = machine.dma.swiotlb_mut().drain_events();
    let texts: Vec<String> = events.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "d: unexpected result 0 of a scatter/gather map",
            "d dir=TO_DEVICE dma_addrs={} err=0 attrs=",
            "d dir=TO_DEVICE dma_addrs={} err=0 attrs=",
        ]
    );
}

#[test]
fn coherency_cannot_be_required_of_a_device_that_does_not_snoop() {
    let mut machine = Machine::new();
    let dev = Device::new("d").with_coherency(false);
    let mut table = SgTable::new(vec![sg(LOW, 16)]);
    let request = SgRequest::new(TO).with_attrs(Attrs::REQUIRE_COHERENT);
    let result = machine
        .dma
        .map_sgtable(&mut machine.mem, &dev, &mut table, &request);
    assert_eq!(result.unwrap_err().errno(), -95);
}

#[test]
fn no_direction_is_refused_by_every_call() {
    let mut machine = Machine::new();
    let dev = Device::new("d");
    let none = DataDirection::None;
    let mut list = [sg(LOW, 16)];
    assert_eq!(map(&mut machine, &dev, &mut list, none), 0);
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let mut table = SgTable::new(list.to_vec());
    let result = dma.map_sgtable(mem, &dev, &mut table, &SgRequest::new(none));
    assert_eq!(result, Err(DmaError::BadDirection(none)));
    assert!(
        dma.unmap_sg(mem, &dev, &mut list, none, Attrs::NONE)
            .is_err()
    );
    let synced = dma.sync_sgtable_for_cpu(mem, &dev, &table, none);
    assert_eq!(synced, Err(SyncError::BadDirection(none)));
    assert!(
        dma.sync_sgtable_for_device(mem, &dev, &table, none)
            .is_err()
    );
}

#[test]
fn syncs_and_unmaps_copy_by_the_table_of_directions() {
    // Direction; bytes copied at for_device, for_cpu and unmap; and at an unmap that skips.
    for (dir, expected) in [
        (TO, [150, 0, 0, 0]),
        (FROM, [0, 150, 150, 0]),
        (BOTH, [150, 150, 150, 0]),
    ] {
        let mut machine = Machine::new();
        let dev = Device::new("d");
        let mut list = [sg(HIGH, 100), sg(LOW, 4096), sg(HIGH + 0x1000, 50)];
        assert_eq!(map(&mut machine, &dev, &mut list, dir), 3);
        let (mem, dma) = (&mut machine.mem, &mut machine.dma);
        let to_device = dma.sync_sg_for_device(mem, &dev, &list, dir).unwrap();
        let to_cpu = dma.sync_sg_for_cpu(mem, &dev, &list, dir).unwrap();
        assert_eq!((to_cpu.bounced_entries, to_cpu.is_skipped), (2, false));
        let unmapped = dma.unmap_sg(mem, &dev, &mut list, dir, Attrs::NONE);
        assert_eq!(map(&mut machine, &dev, &mut list, dir), 3);
        let (mem, dma) = (&mut machine.mem, &mut machine.dma);
        let skipped = dma.unmap_sg(mem, &dev, &mut list, dir, Attrs::SKIP_CPU_SYNC);
        let copied = [
            to_device.copied_bytes,
            to_cpu.copied_bytes,
            unmapped.unwrap().copied_bytes,
            skipped.unwrap().copied_bytes,
        ];
        assert_eq!(copied, expected, "{dir}");
    }
}

#[test]
fn what_the_device_wrote_is_lost_when_an_unmap_skips() {
    let mut machine = Machine::new();
    let dev = Device::new("d");
    machine.fill(HIGH, 16, 0xaa);
    let mut list = [sg(HIGH, 16)];
    let request = SgRequest::new(FROM).with_attrs(Attrs::SKIP_CPU_SYNC);
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    assert_eq!(dma.map_sg(mem, &dev, &mut list, &request), 1);
    // The copy in is made all the same.
    assert_eq!(machine.read(POOL, 16), [0xaa; 16]);
    machine.fill(POOL, 16, 0xdd);
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    dma.unmap_sg(mem, &dev, &mut list, FROM, Attrs::SKIP_CPU_SYNC)
        .unwrap();
    assert_eq!(machine.read(HIGH, 16), [0xaa; 16]);
}

#[test]
fn caches_are_worked_for_a_device_that_does_not_snoop() {
    let mut machine = Machine::new();
    let dev = Device::new("d").with_coherency(false);
    let mut list = [sg(HIGH, 100), sg(LOW, 50)];
    assert_eq!(map(&mut machine, &dev, &mut list, BOTH), 2);
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let synced = dma.sync_sg_for_device(mem, &dev, &list, BOTH).unwrap();
    assert_eq!(synced.cache.cleaned_bytes, 150);
    let synced = dma.sync_sg_for_cpu(mem, &dev, &list, BOTH).unwrap();
    assert_eq!(synced.cache.invalidated_bytes, 150);
}

#[test]
fn set_mask_drops_the_syncs_of_live_bounces_until_the_next_one() {
    let mut machine = Machine::new();
    let mut dev = Device::new("d");
    let mut list = [sg(HIGH, 16)];
    assert_eq!(map(&mut machine, &dev, &mut list, FROM), 1);
    machine.dma.set_mask(&mut dev, bit_mask(32)).unwrap();
    machine.fill(POOL, 16, 0xdd);
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let synced = dma.sync_sg_for_cpu(mem, &dev, &list, FROM).unwrap();
    assert!(synced.is_skipped);
    assert!(!dma.needs_unmap(&dev) && !dma.needs_sync(&dev, list[0].dma_address));
    assert_eq!(machine.read(HIGH, 16), [0; 16]);

    let mut next = [sg(HIGH + 0x1000, 16)];
    assert_eq!(map(&mut machine, &dev, &mut next, FROM), 1);
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let synced = dma.sync_sg_for_cpu(mem, &dev, &list, FROM).unwrap();
    assert_eq!((synced.is_skipped, synced.copied_bytes), (false, 16));
    assert_eq!(machine.read(HIGH, 16), [0xdd; 16]);
}

#[test]
fn a_compiled_in_debug_layer_sees_every_sync() {
    let config = DmaConfig::PC.with_debug_layer(true);
    let mut machine = Machine::configured(Platform::default(), Mode::Kernel, config);
    let mut dev = Device::new("d");
    machine.dma.set_mask(&mut dev, bit_mask(32)).unwrap();
    let list = [sg(LOW, 16)];
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let synced = dma.sync_sg_for_cpu(mem, &dev, &list, FROM).unwrap();
    assert!(!synced.is_skipped);
    assert!(dma.needs_unmap(&dev));
    let single = dma.sync_single_for_cpu(mem, &dev, DmaAddr::new(LOW), 16, FROM);
    assert!(!single.unwrap().is_skipped);
}

#[test]
fn a_list_in_a_type_belongs_to_its_device_and_comes_back() {
    let mut machine = Machine::new();
    let (dev, other) = (Device::new("one"), Device::new("other"));
    let table = SgTable::new(vec![sg(HIGH, 16), sg(LOW, 16)]);
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let list = dma
        .map_list(mem, &dev, table.clone(), SgRequest::new(FROM))
        .unwrap();
    assert_eq!(list.segments().len(), 2);
    assert_eq!((list.direction(), list.attrs()), (FROM, Attrs::NONE));
    let wrong = dma.sync_list_for_cpu(mem, &other, &list);
    assert_eq!(wrong, Err(SyncError::WrongDevice));
    let wrong = dma.sync_list_for_device(mem, &other, &list);
    assert_eq!(wrong, Err(SyncError::WrongDevice));
    assert_eq!(
        dma.sync_list_for_cpu(mem, &dev, &list)
            .unwrap()
            .copied_bytes,
        16
    );
    assert_eq!(
        dma.sync_list_for_device(mem, &dev, &list)
            .unwrap()
            .copied_bytes,
        0
    );
    let refused = dma.unmap_list(mem, &other, list).unwrap_err();
    assert_eq!(refused.error(), DmaError::WrongDevice);
    let (back, work) = dma.unmap_list(mem, &dev, refused.into_value()).unwrap();
    assert_eq!((back.entries.len(), work.copied_bytes), (2, 16));

    let table = SgTable::new(vec![sg(NOWHERE, 16)]);
    let refused = dma
        .map_list(mem, &dev, table.clone(), SgRequest::new(FROM))
        .unwrap_err();
    assert!(matches!(refused.error(), DmaError::Entry { index: 0, .. }));
}

#[test]
fn an_unmap_that_is_refused_for_one_entry_undoes_the_others() {
    let mut machine = Machine::with(Platform::default(), "", Mode::Strict);
    let dev = Device::new("d");
    let mut list = [sg(HIGH, 16), sg(HIGH + 64, 16), sg(HIGH + 128, 16)];
    assert_eq!(map(&mut machine, &dev, &mut list, FROM), 3);
    list[0].dma_length = 15;
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let result = dma.unmap_sg(mem, &dev, &mut list, FROM, Attrs::NONE);
    assert!(result.is_err());
    assert_eq!(slots_used(&machine), 1);
}
