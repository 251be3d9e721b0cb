//! A network driver with a receive ring: probe, mapped buffers, packets that arrive, and what goes
//! wrong on the way. Run with `cargo run -p swiotlb --example ring_driver`.

use std::error::Error;

use swiotlb::{
    AllocatorId, BootConfig, DataDirection, Device, Dma, FullReason, MapError, MapRequest, Mapping,
    MaskError, Mode, PhysAddr, PhysMemory, Platform, PoolGeometry, RamRange, SparseMemory, Swiotlb,
    bit_mask,
};

/// Buffers of the ring, and bytes of each.
const RING: u64 = 8;
const BUFFER_BYTES: u64 = 2048;
/// Packets are received above 4 GiB, where this device does not reach.
const BUFFERS: u64 = 0x1_4000_0000;

/// What the device would do: write a packet at a DMA address.
fn receive(
    mem: &mut SparseMemory,
    dma: &Dma,
    nic: &Device,
    mapping: &Mapping,
    packet: &[u8],
) -> Result<(), Box<dyn Error>> {
    let place = nic.dma_to_phys(mapping.dma_addr(), dma.swiotlb().platform().cc);
    Ok(mem.write(place, packet)?)
}

/// Lends a buffer of the ring to the device.
fn refill(
    mem: &mut SparseMemory,
    dma: &Dma,
    nic: &Device,
    index: u64,
) -> Result<Mapping, MapError> {
    let buffer = PhysAddr::new(BUFFERS + index * BUFFER_BYTES);
    let request = MapRequest::new(buffer, BUFFER_BYTES, DataDirection::FromDevice);
    dma.map_single(mem, nic, request)
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let ram = RamRange {
        start: PhysAddr::new(0),
        bytes: 6 << 30,
    };
    let mut mem = SparseMemory::new(&[ram])?;
    let platform = Platform {
        ram: vec![ram],
        ..Platform::default()
    };
    // A pool as small as this holds no more than one ring.
    let pool = PoolGeometry {
        base: PhysAddr::new(0x400_0000),
        slots: 8,
        areas: 1,
    };
    let boot = BootConfig::default();
    let dma = Dma::new(Swiotlb::with_pool(
        &mut mem,
        platform,
        boot,
        Mode::Strict,
        pool,
    )?);

    // Probe. 20 bits are refused here, so the driver falls back to what the data sheet promises.
    let mut nic = Device::pci("0000:03:00.0");
    let narrow = dma.set_mask_and_coherent(&mut nic, bit_mask(20));
    assert!(matches!(narrow, Err(MaskError::TooNarrow { .. })));
    dma.set_mask_and_coherent(&mut nic, bit_mask(32))?;
    assert!(dma.is_addressing_limited(&nic));
    assert!(BUFFER_BYTES <= dma.max_mapping_size(&nic));
    println!("{}: mask {:#x}, buffers bounce", nic.name(), nic.mask());

    // The ring: all buffers are lent at once.
    let mut ring = Vec::new();
    for index in 0..RING {
        ring.push(refill(&mut mem, &dma, &nic, index)?);
    }

    // The pool is full: one more is refused, and the driver drops the packet it wanted to send.
    let packet = PhysAddr::new(BUFFERS + 0x10_0000);
    let request = MapRequest::new(packet, 60, DataDirection::ToDevice);
    let refused = dma.map_single(&mut mem, &nic, request);
    let Err(MapError::Full(full)) = refused else {
        return Err("the pool should be full".into());
    };
    println!("transmit refused: {full}; what helps: {}", full.help());
    assert_eq!(full.why, FullReason::FewFree { free: 0 });

    // Packets arrive. The driver looks at the header first: a sync of 14 bytes is enough for that.
    for (index, mapping) in ring.iter().enumerate() {
        let text = format!("header {index:6} payload");
        receive(&mut mem, &dma, &nic, mapping, text.as_bytes())?;
        let synced = dma.sync_range_for_cpu(&mut mem, &nic, mapping, 0, 14)?;
        assert_eq!(synced.copied_bytes, 14);
        let mut seen = [0; 22];
        mem.read(mapping.orig_addr(), &mut seen)?;
        let (header, payload) = seen.split_at(14);
        assert_eq!(header, format!("header {index:6} ").as_bytes());
        assert_eq!(payload, [0; 8], "the payload is still in the bounce buffer");
    }
    // The second one is taken: unmapped, all of it is there, and the buffer is lent again.
    let taken = ring.remove(1);
    let buffer = taken.orig_addr();
    let done = dma.unmap_single(&mut mem, &nic, taken)?;
    let mut seen = [0; 22];
    mem.read(buffer, &mut seen)?;
    println!(
        "{} bytes copied back: {:?}",
        done.copied_bytes,
        String::from_utf8_lossy(&seen)
    );
    assert_eq!(&seen[14..], b"payload\0");
    ring.push(refill(&mut mem, &dma, &nic, 1)?);

    // Remove: a driver that gives a mapping to the wrong device gets it back with the error.
    let other = Device::pci("0000:04:00.0");
    let mapping = ring.remove(0);
    let Err(failed) = dma.unmap_single(&mut mem, &other, mapping) else {
        return Err("another device's mapping should be refused".into());
    };
    println!("unmap refused: {failed}");
    ring.extend(failed.mapping);
    for mapping in ring {
        dma.unmap_single(&mut mem, &nic, mapping)?;
    }
    let stats = dma.swiotlb().stats(AllocatorId::DEFAULT);
    assert_eq!(stats.map(|stats| stats.used_slots), Some(0));
    Ok(())
}
