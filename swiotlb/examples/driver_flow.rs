//! A small driver: start the machine, set the mask, send and receive a buffer, look at the counters.
//! Run with `cargo run -p swiotlb --example driver_flow`.

use std::error::Error;

use swiotlb::{
    AllocatorId, BootConfig, DataDirection, Device, Dma, DmaAddr, EarlyInit, MapRequest, Mode,
    PhysAddr, PhysMemory, Platform, RamRange, RegionSource, SparseMemory, Swiotlb, bit_mask,
};

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    // A machine with 6 GiB of RAM whose kernel was started with `swiotlb=1024,2`.
    let ram = RamRange {
        start: PhysAddr::new(0),
        bytes: 6 << 30,
    };
    let mut mem = SparseMemory::new(&[ram])?;
    let mut boot = BootConfig::default();
    for warning in boot.parse("1024,2") {
        eprintln!("{warning}");
    }
    let platform = Platform {
        ram: vec![ram],
        possible_cpus: 2,
        ..Platform::default()
    };
    let mut swiotlb = Swiotlb::new(platform, boot, Mode::Strict);
    let mut boot_memory = RegionSource::new(PhysAddr::new(0x400_0000), 256 << 20);
    let how = EarlyInit {
        has_addressing_limit: true,
        is_verbose: true,
        ..EarlyInit::default()
    };
    swiotlb.init_early(&mut mem, &mut boot_memory, how)?;
    swiotlb.set_tracing(true);
    let mut dma = Dma::new(swiotlb);

    // Probe: a PCI device that drives 32 address bits.
    let mut dev = Device::pci("0000:01:00.0");
    dma.set_mask_and_coherent(&mut dev, bit_mask(32))?;
    println!("largest mapping: {} bytes", dma.max_mapping_size(&dev));

    // Send: the buffer lies above 4 GiB, so it is copied into slots.
    let tx = PhysAddr::new(0x1_4000_0123);
    mem.write(tx, b"hello, device")?;
    let request = MapRequest::new(tx, 13, DataDirection::ToDevice);
    let mapping = dma.map_single(&mut mem, &dev, request)?;
    println!("{tx} is seen by the device at {}", mapping.dma_addr());
    let mut seen = [0; 13];
    mem.read(at(&dev, &dma, mapping.dma_addr()), &mut seen)?;
    println!("the device reads {:?}", String::from_utf8_lossy(&seen));
    dma.unmap_single(&mut mem, &dev, mapping)?;

    // Receive: what the device writes comes back with the sync, and finally with the unmap.
    let rx = PhysAddr::new(0x1_5000_0000);
    let request = MapRequest::new(rx, 4096, DataDirection::FromDevice);
    let mapping = dma.map_single(&mut mem, &dev, request)?;
    mem.write(at(&dev, &dma, mapping.dma_addr()), b"hello, driver")?;
    let synced = dma.sync_range_for_cpu(&mut mem, &dev, &mapping, 0, 13)?;
    mem.read(rx, &mut seen)?;
    println!(
        "{} bytes copied back: {:?}",
        synced.copied_bytes,
        String::from_utf8_lossy(&seen)
    );
    let done = dma.unmap_single(&mut mem, &dev, mapping)?;
    println!("unmap copied {} bytes", done.copied_bytes);

    for event in dma.swiotlb_mut().drain_events() {
        println!("{event}");
    }
    if let Some(stats) = dma.swiotlb().stats(AllocatorId::DEFAULT) {
        for (file, value) in stats.debug_files() {
            println!("{file}: {value}");
        }
    }
    Ok(())
}

/// Where the bus finds a DMA address.
fn at(dev: &Device, dma: &Dma, addr: DmaAddr) -> PhysAddr {
    dev.dma_to_phys(addr, dma.swiotlb().platform().cc)
}
