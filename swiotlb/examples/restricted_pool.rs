//! A restricted pool: two devices may use one region of memory and nothing else, for pages of their
//! own (rings) and for their bounced buffers.
//! Run with `cargo run -p swiotlb --example restricted_pool`.

use std::error::Error;

use swiotlb::{
    AllocError, AllocatorId, Attrs, BootConfig, CpuId, DataDirection, Device, Dma, FullReason,
    MapError, MapRequest, Mode, PhysAddr, PhysMemory, Platform, PoolGeometry, RamRange,
    RegionSource, RestrictedRegion, SparseMemory, Swiotlb,
};

const REGION: u64 = 0x5000_0000;
const REGION_BYTES: u64 = 1 << 20;

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let ram = RamRange {
        start: PhysAddr::new(0),
        bytes: 2 << 30,
    };
    let mut mem = SparseMemory::new(&[ram])?;
    let platform = Platform {
        ram: vec![ram],
        ..Platform::default()
    };
    let default_pool = PoolGeometry {
        base: PhysAddr::new(0x400_0000),
        slots: 512,
        areas: 1,
    };
    let boot = BootConfig::default();
    let mut swiotlb = Swiotlb::with_pool(&mut mem, platform, boot, Mode::Strict, default_pool)?;

    // The device tree: a region, and two devices that refer to it.
    let pool = swiotlb.add_restricted(RestrictedRegion {
        name: "wifi".to_owned(),
        base: PhysAddr::new(REGION),
        bytes: REGION_BYTES,
    })?;
    let (mut wifi, mut bluetooth) = (Device::pci("wifi"), Device::new("bluetooth"));
    let mut pages = RegionSource::new(PhysAddr::new(0), 0);
    for dev in [&mut wifi, &mut bluetooth] {
        swiotlb.attach_restricted(&mut mem, &mut pages, dev, pool)?;
        assert!(swiotlb.is_force_bounce(dev) && swiotlb.is_for_alloc(dev));
        println!("{} uses the region at {REGION:#x} alone", dev.name());
    }
    let dma = Dma::new(swiotlb);
    let is_inside = |addr: u64| (REGION..REGION + REGION_BYTES).contains(&addr);

    // A ring from the pool, and a buffer that both reach without it, but must not.
    let ring = dma.swiotlb().alloc(&wifi, 8192, Attrs::NONE, CpuId(0))?;
    assert!(is_inside(ring.raw()) && ring.raw() % 8192 == 0);
    let packet = PhysAddr::new(0x1000_0000);
    mem.write(packet, b"beacon")?;
    let request = MapRequest::new(packet, 6, DataDirection::ToDevice);
    let mapping = dma.map_single(&mut mem, &bluetooth, request)?;
    println!(
        "ring at {ring}, packet {packet} goes out at {}",
        mapping.dma_addr()
    );
    assert!(is_inside(mapping.dma_addr().raw()));
    dma.unmap_single(&mut mem, &bluetooth, mapping)?;

    // A device without the region keeps the default pool.
    let camera = Device::new("camera");
    assert_eq!(camera.allocator(), AllocatorId::DEFAULT);
    assert_eq!(dma.swiotlb().find_pool(&camera, ring), None);

    // The region is full: both devices are refused, and told why; the default pool is not touched.
    let mut taken = Vec::new();
    let full = loop {
        match dma.swiotlb().alloc(&wifi, 128 << 10, Attrs::NONE, CpuId(0)) {
            Ok(addr) => taken.push(addr),
            Err(AllocError::Full(full)) => break full,
            Err(cause) => return Err(cause.into()),
        }
    };
    println!(
        "after {} blocks of 128 KiB: {full}; {}",
        taken.len(),
        full.help()
    );
    assert_eq!(taken.len(), 7);
    assert!(matches!(full.why, FullReason::FewFree { free: 60 }));
    let request = MapRequest::new(packet, 128 << 10, DataDirection::ToDevice);
    let refused = dma.map_single(&mut mem, &bluetooth, request);
    assert!(matches!(refused, Err(MapError::Full(_))));
    let used = |id| dma.swiotlb().stats(id).unwrap_or_default().used_slots;
    assert_eq!((used(pool), used(AllocatorId::DEFAULT)), (7 * 64 + 4, 0));

    // One block back is enough for one mapping.
    let block = taken.pop().ok_or("nothing was taken")?;
    let freed = dma.swiotlb().free(&wifi, block);
    assert_eq!(freed.map(|released| released.slots), Some(64));
    let mapping = dma.map_single(&mut mem, &bluetooth, request)?;
    println!("one block back: the mapping lies at {}", mapping.dma_addr());
    assert_eq!(mapping.dma_addr().raw(), block.raw());
    dma.unmap_single(&mut mem, &bluetooth, mapping)?;

    // A stray free is refused, and nothing changes.
    let stray = dma.swiotlb().free(&wifi, block);
    assert_eq!(stray, None);
    for addr in taken.into_iter().chain([ring]) {
        assert!(dma.swiotlb().free(&wifi, addr).is_some());
    }
    assert_eq!(used(pool), 0);
    Ok(())
}
