//! A confidential guest: devices see shared memory only, so every buffer of the private memory
//! bounces, through pages that were shared before; and the pool grows when it is full.
//! Run with `cargo run -p swiotlb --example confidential_guest`.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use swiotlb::{
    AddressMarker, AllocatorId, Attrs, BootConfig, BootOptions, CcPlatform, DataDirection, Device,
    Dma, EarlyInit, MapRequest, MemAttributes, Mode, PageRequest, PageSource, PhysAddr, PhysMemory,
    Platform, Policy, RamRange, RegionSource, SparseMemory, Swiotlb, bit_mask, coco_default_size,
};

/// The guest's page allocator. It notes which ranges the host may see.
#[derive(Debug, Clone)]
struct Pages {
    region: RegionSource,
    shared: Arc<Mutex<Vec<(PhysAddr, u64)>>>,
}

impl PageSource for Pages {
    fn alloc(&mut self, request: &PageRequest) -> Option<PhysAddr> {
        self.region.alloc(request)
    }

    fn free(&mut self, base: PhysAddr, bytes: u64) {
        self.region.free(base, bytes);
    }

    fn free_atomic(&mut self, base: PhysAddr, bytes: u64) {
        self.region.free_atomic(base, bytes);
    }

    fn make_shared(&mut self, base: PhysAddr, bytes: u64) -> Result<(), i32> {
        println!("pages {base} + {bytes:#x} become shared");
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.push((base, bytes));
        Ok(())
    }

    fn make_private(&mut self, base: PhysAddr, bytes: u64) -> Result<(), i32> {
        println!("pages {base} + {bytes:#x} become private");
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.retain(|&range| range != (base, bytes));
        Ok(())
    }
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let ram = RamRange {
        start: PhysAddr::new(0),
        bytes: 2 << 30,
    };
    let mut mem = SparseMemory::new(&[ram])?;
    let platform = Platform {
        ram: vec![ram],
        cc: CcPlatform::Guest(AddressMarker::Unencrypted(47)),
        ..Platform::default()
    };
    // The platform bounces everything, and asks for 6 % of memory.
    let mut boot = BootConfig::new(BootOptions {
        policy: Policy::DynamicPools,
        ..BootOptions::default()
    });
    boot.parse("force");
    boot.adjust_size(coco_default_size(ram.bytes, boot.size_or_default()));
    let shared = Arc::new(Mutex::new(Vec::new()));
    // Pages to be had without sleeping are shared beforehand.
    let ready = (PhysAddr::new(0x4800_0000), 4 << 20);
    let region = RegionSource::new(PhysAddr::new(0x400_0000), 1 << 30);
    let mut pages = Pages {
        region: region.with_shared(ready.0, ready.1),
        shared: Arc::clone(&shared),
    };
    pages
        .make_shared(ready.0, ready.1)
        .map_err(|code| format!("the pages could not be shared: {code}"))?;
    let mut swiotlb = Swiotlb::new(platform, boot, Mode::Strict);
    swiotlb.init_early(&mut mem, &mut pages, EarlyInit::default())?;
    let became = swiotlb.update_mem_attributes(&mut pages);
    assert_eq!(became, MemAttributes::Shared);
    swiotlb.set_page_source(Box::new(pages));
    let dma = Dma::new(swiotlb);

    let mut disk = Device::pci("0000:00:04.0");
    dma.set_mask_and_coherent(&mut disk, bit_mask(64))?;
    let secret = PhysAddr::new(0x5000_0000);
    mem.write(secret, b"ciphertext")?;
    let request = MapRequest::new(secret, 10, DataDirection::ToDevice);
    let mapping = dma.map_single(&mut mem, &disk, request)?;
    let addr = mapping.dma_addr();
    println!("private {secret} goes out at {addr}");
    assert_eq!(addr.raw() >> 47, 1, "the address says that it is shared");
    let bounce = disk.dma_to_phys(addr, dma.swiotlb().platform().cc);
    let is_shared = |addr: PhysAddr| {
        let shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
        let mut ranges = shared.iter();
        ranges.any(|&(base, bytes)| addr.raw().wrapping_sub(base.raw()) < bytes)
    };
    assert!(is_shared(bounce) && !is_shared(secret));
    dma.unmap_single(&mut mem, &disk, mapping)?;

    // A burst that takes the whole pool. What has to be had without sleeping comes from the pool of
    // shared pages; the worker then adds a pool, and shares it.
    let mut burst = Vec::new();
    let slots = |dma: &Dma| {
        dma.swiotlb()
            .stats(AllocatorId::DEFAULT)
            .unwrap_or_default()
    };
    let before = slots(&dma).total_slots;
    while !dma.swiotlb().has_pending_work() {
        let request = MapRequest::new(secret, 256 << 10, DataDirection::FromDevice);
        burst.push(dma.map_single(&mut mem, &disk, request)?);
    }
    let alone = dma.swiotlb().transient_pools(&disk);
    assert!(alone.iter().all(|pool| is_shared(pool.base)) && alone.len() == 1);
    let work = dma.swiotlb().run_pending_work(&mut mem);
    let grown = work.added.ok_or("no pool was added")?;
    println!(
        "{} mappings filled {before} slots; a pool at {}",
        burst.len(),
        grown.base
    );
    assert_eq!(slots(&dma).total_slots, before + u64::from(grown.slots));
    assert!(is_shared(grown.base), "what was added is shared too");

    // A driver's scratch data need not be copied back.
    for mapping in burst {
        let done = dma.unmap_single_attrs(&mut mem, &disk, mapping, Attrs::SKIP_CPU_SYNC)?;
        assert_eq!(done.copied_bytes, 0);
    }
    assert_eq!(slots(&dma).used_slots, 0);
    Ok(())
}
