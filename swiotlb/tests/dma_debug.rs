//! dma-debug watching the mapping layer: what each call tells it, and what changes by its presence.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

use support::{HIGH, LOW, Machine, POOL};
use swiotlb::{
    Attrs, Caller, CpuId, DataDirection, Device, Dma, DmaAddr, DmaDebug, DmaDebugOptions, MapError,
    MapMisuse, MapRequest, PhysAddr, PhysMemory, RamRange, bit_mask,
};

const TO: DataDirection = DataDirection::ToDevice;
const FROM: DataDirection = DataDirection::FromDevice;

/// A machine with a debug layer, extra checks included.
fn machine() -> Machine {
    machine_with(DmaDebugOptions::default())
}

fn machine_with(options: DmaDebugOptions) -> Machine {
    let options = DmaDebugOptions {
        has_extra_checks: true,
        ..options
    };
    let Machine { mem, dma } = Machine::new();
    let dma = dma.with_debug(DmaDebug::new(options));
    Machine { mem, dma }
}

fn device() -> Device {
    Device::new("d").with_masks(bit_mask(32))
}

fn request(addr: u64, bytes: u64, dir: DataDirection) -> MapRequest {
    MapRequest::new(PhysAddr::new(addr), bytes, dir)
}

fn ids(dma: &Dma) -> Vec<&'static str> {
    let reports = dma.debug().unwrap().take_reports();
    reports.iter().map(|report| report.error.id()).collect()
}

fn misuses(dma: &Dma) -> Vec<MapMisuse> {
    let reports = dma.debug().unwrap().take_misuses();
    reports.into_iter().map(|report| report.misuse).collect()
}

fn live(dma: &Dma) -> usize {
    dma.debug().unwrap().live_entries()
}

#[test]
fn the_typed_door_makes_no_mistake_that_the_layer_would_name() {
    let Machine { mut mem, dma } = machine();
    let dev = device();
    for (addr, dir) in [
        (LOW, TO),
        (HIGH, FROM),
        (HIGH, DataDirection::Bidirectional),
    ] {
        let mapping = dma
            .map_single(&mut mem, &dev, request(addr, 5000, dir))
            .unwrap();
        assert_eq!(live(&dma), 1);
        dma.sync_for_cpu(&mut mem, &dev, &mapping).unwrap();
        dma.sync_for_device(&mut mem, &dev, &mapping).unwrap();
        dma.unmap_single(&mut mem, &dev, mapping).unwrap();
        assert_eq!(live(&dma), 0);
    }
    dma.driver_unbound(&dev);
    assert_eq!(ids(&dma), [""; 0]);
    assert_eq!(misuses(&dma), []);
}

#[test]
fn the_bare_door_shows_each_mistake_with_who_mapped() {
    let Machine { mut mem, dma } = machine();
    let dev = device();
    let ask = request(HIGH, 4096, FROM).on_cpu(CpuId(1));
    dma.set_caller(Caller::new(CpuId(1), 1842).with_label("rx0"));
    let addr = dma.map_phys_addr(&mut mem, &dev, &ask);
    dma.set_caller(Caller::new(CpuId(0), 3000).with_label("rx0"));
    let attrs = Attrs::NONE;
    dma.unmap_phys(&mut mem, &dev, addr, 2048, FROM, attrs)
        .unwrap();
    let reports = dma.debug().unwrap().take_reports();
    let found: Vec<_> = reports.iter().map(|report| report.error.id()).collect();
    assert_eq!(found, ["D13", "D18"]);
    let mapper = reports[0].mapper.as_ref().unwrap();
    assert_eq!(mapper.to_string(), "CPU 1 at cycle 1842 (rx0)");
    assert_eq!(reports[0].caller.cycle, 3000);

    dma.unmap_phys(&mut mem, &dev, addr, 4096, FROM, attrs)
        .unwrap();
    assert_eq!(ids(&dma), ["D12"]);
    dma.sync_single_for_cpu(&mut mem, &dev, addr, 16, FROM)
        .unwrap();
    dma.sync_single_for_device(&mut mem, &dev, addr, 16, FROM)
        .unwrap();
    assert_eq!(ids(&dma), ["D20", "D20"]);
}

#[test]
fn asking_for_an_error_marks_the_mapping() {
    let Machine { mut mem, dma } = machine();
    let dev = device();
    let addr = dma.map_phys_addr(&mut mem, &dev, &request(LOW, 64, TO));
    assert!(!dma.mapping_error(&dev, addr));
    dma.unmap_phys(&mut mem, &dev, addr, 64, TO, Attrs::NONE)
        .unwrap();
    assert_eq!(ids(&dma), [""; 0]);
    assert!(dma.mapping_error(&dev, DmaAddr::MAPPING_ERROR));
}

#[test]
fn the_original_buffer_is_tracked_and_not_its_bounce_buffer() {
    let Machine { mut mem, dma } = machine_with(DmaDebugOptions {
        cache_alignment: 64,
        ..DmaDebugOptions::default()
    });
    let dev = device();
    let first = dma.map_phys_addr(&mut mem, &dev, &request(HIGH, 64, FROM));
    let second = dma.map_phys_addr(&mut mem, &dev, &request(HIGH, 64, FROM));
    assert_ne!(first, second);
    assert_eq!(ids(&dma), ["D06"]);
}

#[test]
fn an_unmap_that_does_nothing_is_seen_all_the_same() {
    let Machine { mut mem, mut dma } = machine();
    let dev = device();
    let ask = request(0x200_0000, 64, TO);
    let mapped = dma.map_resource(&mut mem, &dev, &ask).unwrap();
    assert!(!dma.mapping_error(&dev, mapped.dma_addr));
    let unmap = |dma: &mut Dma, mem: &mut _, attrs| {
        dma.unmap_phys(mem, &dev, mapped.dma_addr, 64, TO, attrs)
            .unwrap()
    };
    unmap(&mut dma, &mut mem, Attrs::MMIO);
    assert_eq!((ids(&dma), live(&dma)), (vec![], 0));
    unmap(&mut dma, &mut mem, Attrs::MMIO);
    assert_eq!(ids(&dma), ["D12"]);
}

#[test]
fn the_platforms_ram_is_the_linear_map() {
    let Machine { mut mem, dma } = machine();
    let dev = device();
    let mapping = dma
        .map_single(&mut mem, &dev, request(0x200_0000, 64, TO))
        .unwrap();
    assert_eq!(ids(&dma), ["D01"]);
    dma.unmap_single(&mut mem, &dev, mapping).unwrap();
    let ram = dma
        .map_resource(&mut mem, &dev, &request(LOW, 64, TO))
        .unwrap();
    assert_eq!(ids(&dma), ["D03"]);
    assert_eq!(ram.dma_addr, DmaAddr::new(LOW));
}

#[test]
fn device_memory_is_refused_only_where_a_layer_watches() {
    let device_memory = RamRange {
        start: PhysAddr::new(LOW),
        bytes: 4096,
    };
    let Machine { mut mem, dma } = machine();
    let dev = device();
    let layout_of = |dma: &Dma| dma.debug().unwrap().layout().clone();
    assert!(layout_of(&dma).device_memory.is_empty());
    dma.debug().unwrap().layout_mut().device_memory = vec![device_memory];
    let refused = dma.map_single(&mut mem, &dev, request(LOW, 64, TO));
    assert_eq!(refused, Err(MapError::DeviceMemory(PhysAddr::new(LOW))));
    assert_eq!(ids(&dma), ["D10"]);
}

#[test]
fn syncs_are_never_skipped_where_a_layer_watches() {
    let mut plain = Machine::new();
    let mut watched = machine();
    for (machine, is_skipped) in [(&mut plain, true), (&mut watched, false)] {
        let mut dev = Device::new("d");
        let (mem, dma) = (&mut machine.mem, &mut machine.dma);
        let mapping = dma.map_single(mem, &dev, request(HIGH, 64, TO)).unwrap();
        // Setting the mask while a bounced mapping is live drops its syncs.
        dma.set_mask(&mut dev, bit_mask(32)).unwrap();
        mem.write(PhysAddr::new(HIGH), &[7; 64]).unwrap();
        let synced = dma.sync_for_device(mem, &dev, &mapping).unwrap();
        assert_eq!(synced.is_skipped, is_skipped);
        assert_eq!(dma.needs_sync(&dev, mapping.dma_addr()), !is_skipped);
        assert_eq!(dma.needs_unmap(&dev), !is_skipped);
        let bytes = machine.read(POOL, 64);
        assert_eq!(bytes, vec![if is_skipped { 0 } else { 7 }; 64]);
        machine
            .dma
            .unmap_single(&mut machine.mem, &dev, mapping)
            .unwrap();
    }
    assert_eq!(ids(&watched.dma), [""; 0]);
}

#[test]
fn x8_a_mapping_above_what_the_device_takes_is_named() {
    let Machine { mut mem, mut dma } = machine();
    let limited = device().with_max_segment(8192).with_seg_boundary(0xffff);
    let unmapped = |dma: &mut Dma, mem: &mut _, addr, bytes| {
        let mapping = dma
            .map_single(mem, &limited, request(addr, bytes, TO))
            .unwrap();
        dma.unmap_single(mem, &limited, mapping).unwrap();
        misuses(dma)
    };
    assert_eq!(unmapped(&mut dma, &mut mem, LOW, 8192), []);
    let max = 8192;
    assert_eq!(
        unmapped(&mut dma, &mut mem, LOW, 8193),
        [MapMisuse::AboveMaxSegment { bytes: 8193, max }]
    );
    let across = unmapped(&mut dma, &mut mem, LOW + 0xffff, 2);
    assert_eq!(
        across,
        [MapMisuse::AcrossBoundary {
            start: DmaAddr::new(LOW + 0xffff),
            end: DmaAddr::new(LOW + 0x1_0000),
            boundary: 0xffff
        }]
    );
    assert_eq!(
        across[0].to_string(),
        "mapping crosses the device's boundary: expected no multiple of 0x10000, found dma \
         0x20ffff to 0x210000"
    );
}

#[test]
fn x8_a_mapping_above_the_largest_one_is_named() {
    let Machine { mut mem, dma } = machine();
    let dev = device().with_max_segment(u32::MAX);
    let max = dma.max_mapping_size(&dev);
    let mapping = dma
        .map_single(&mut mem, &dev, request(HIGH, max, TO))
        .unwrap();
    dma.unmap_single(&mut mem, &dev, mapping).unwrap();
    assert_eq!(misuses(&dma), []);
    let refused = dma.map_single(&mut mem, &dev, request(HIGH, max + 1, TO));
    assert!(matches!(refused, Err(MapError::Full(_))));
    assert_eq!(
        misuses(&dma),
        [MapMisuse::AboveMaxMapping {
            bytes: max + 1,
            max
        }]
    );
}

#[test]
fn x11_an_empty_request_a_missing_direction_and_a_missing_mask_are_named() {
    let Machine { mut mem, dma } = machine();
    let mapping = dma
        .map_single(&mut mem, &device(), request(LOW, 1, TO))
        .unwrap();
    assert_eq!(mapping.bytes(), 1);
    assert_eq!(misuses(&dma), []);
    let mut misuse = |dev: &Device, bytes, dir| {
        let _ = dma.map_phys(&mut mem, dev, &request(LOW, bytes, dir));
        misuses(&dma)
    };
    assert_eq!(misuse(&device(), 0, TO), [MapMisuse::ZeroLength]);
    let none = DataDirection::None;
    assert_eq!(misuse(&device(), 1, none), [MapMisuse::NoDirection]);
    let maskless = Device::new("d");
    assert_eq!(misuse(&maskless, 1, TO), [MapMisuse::MaskNeverSet]);
}
