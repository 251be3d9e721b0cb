//! A layer under one policy, its devices, and a ledger of what is lent to whom.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use swiotlb::{
    AllocatorId, Attrs, BootConfig, BootOptions, BounceInfo, BounceRequest, CpuId, DataDirection,
    Device, MapError, Mode, PageRequest, PageSource, PhysAddr, PhysMemory, Platform, Policy,
    PoolGeometry, RamRange, RegionSource, RestrictedRegion, ShrinkerConfig, SparseMemory, Swiotlb,
};

pub(crate) const POOL: u64 = 0x100_0000;
pub(crate) const PAGES: u64 = 0x200_0000;
pub(crate) const PAGES_BYTES: u64 = 0x14_0000;
pub(crate) const REGION: u64 = 0x300_0000;
pub(crate) const HIGH: u64 = 0x1_0000_0000;
/// Original buffers have this distance, so that guards lie between them.
pub(crate) const ORIG_BYTES: u64 = 0x2_0000;

/// How the layer of a test is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setting {
    Static,
    PerBuffer,
    DynamicPools,
    Shrinker,
    /// Every device has a restricted pool, beside a default pool.
    Restricted,
}

pub(crate) const SHRINKER: ShrinkerConfig = ShrinkerConfig {
    idle_time: Duration::from_secs(2),
    window: Duration::from_secs(8),
    cooldown: Duration::from_secs(3),
    min_free_slots: 190,
    reserve_percent: 25,
    batch: 1,
};

impl Setting {
    fn policy(self) -> Policy {
        match self {
            Self::Static | Self::Restricted => Policy::Static,
            Self::PerBuffer => Policy::PerBuffer,
            Self::DynamicPools => Policy::DynamicPools,
            Self::Shrinker => Policy::Shrinker(SHRINKER),
        }
    }
}

/// Pages that are given out and not back yet.
#[derive(Debug)]
pub(crate) struct CountedPages {
    region: RegionSource,
    out: Arc<Mutex<Vec<(u64, u64)>>>,
}

impl PageSource for CountedPages {
    fn alloc(&mut self, request: &PageRequest) -> Option<PhysAddr> {
        let base = self.region.alloc(request)?;
        let entry = (base.raw(), request.bytes);
        self.out.lock().unwrap().push(entry);
        Some(base)
    }

    fn free(&mut self, base: PhysAddr, bytes: u64) {
        let mut out = self.out.lock().unwrap();
        let index = out.iter().position(|&entry| entry == (base.raw(), bytes));
        out.swap_remove(index.expect("only what was given out comes back"));
        self.region.free(base, bytes);
    }
}

/// Masks of a device.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Masks {
    pub(crate) min_align: u32,
    pub(crate) boundary: u64,
}

/// A live mapping.
#[derive(Clone, Debug)]
pub(crate) struct Lent {
    pub(crate) device: usize,
    pub(crate) request: BounceRequest,
    pub(crate) bounce: BounceInfo,
    /// First byte of the allocation, padding included, and one past the last.
    pub(crate) extent: (u64, u64),
    pub(crate) has_own_buffer: bool,
    pub(crate) is_transient: bool,
    /// What the device sees.
    pub(crate) seen: Vec<u8>,
    /// What the original holds.
    pub(crate) orig: Vec<u8>,
}

pub(crate) struct World {
    pub(crate) setting: Setting,
    pub(crate) mem: SparseMemory,
    pub(crate) swiotlb: Swiotlb,
    pub(crate) devices: Vec<(Device, Masks)>,
    pub(crate) live: Vec<Lent>,
    /// Pages of [`Swiotlb::alloc`]: first byte and slots.
    pub(crate) pages: Vec<(u64, u64)>,
    pub(crate) out: Arc<Mutex<Vec<(u64, u64)>>>,
    pub(crate) peak_used: u64,
    pub(crate) now: Duration,
    /// What has happened, so that a test can tell that it did.
    pub(crate) events: BTreeSet<&'static str>,
    next_orig: u64,
}

impl World {
    pub(crate) fn new(setting: Setting, areas: u32, masks: &[Masks]) -> Self {
        Self::sized(setting, 256, areas, masks)
    }

    pub(crate) fn sized(setting: Setting, slots: u32, areas: u32, masks: &[Masks]) -> Self {
        let range = |start: u64, bytes: u64| RamRange {
            start: PhysAddr::new(start),
            bytes,
        };
        let ram = vec![range(0, 0x400_0000), range(HIGH, 512 * ORIG_BYTES)];
        let mut mem = SparseMemory::new(&ram).unwrap();
        let mut boot = BootConfig::new(BootOptions {
            policy: setting.policy(),
            ..BootOptions::default()
        });
        let is_per_buffer = setting == Setting::PerBuffer;
        boot.parse(if is_per_buffer {
            ",,dynamic"
        } else {
            ",,track_hiwater"
        });
        boot.track_hiwater = true;
        let geometry = PoolGeometry {
            base: PhysAddr::new(POOL),
            slots,
            areas,
        };
        let platform = Platform {
            ram,
            ..Platform::default()
        };
        let mut swiotlb =
            Swiotlb::with_pool(&mut mem, platform, boot, Mode::Strict, geometry).unwrap();
        let out = Arc::default();
        swiotlb.set_page_source(Box::new(CountedPages {
            region: RegionSource::new(PhysAddr::new(PAGES), PAGES_BYTES),
            out: Arc::clone(&out),
        }));
        let device = |masks: &Masks| {
            let device = Device::new("d")
                .with_min_align_mask(masks.min_align)
                .with_seg_boundary(masks.boundary);
            (device, *masks)
        };
        let mut devices: Vec<_> = masks.iter().map(device).collect();
        if setting == Setting::Restricted {
            let region = RestrictedRegion {
                name: "region".to_owned(),
                base: PhysAddr::new(REGION),
                bytes: u64::from(slots) * 2048,
            };
            let id = swiotlb.add_restricted(region).unwrap();
            let mut none = RegionSource::new(PhysAddr::new(0), 0);
            for (device, _) in &mut devices {
                let attached = swiotlb.attach_restricted(&mut mem, &mut none, device, id);
                attached.unwrap();
            }
        }
        Self {
            setting,
            mem,
            swiotlb,
            devices,
            live: Vec::new(),
            pages: Vec::new(),
            out,
            peak_used: 0,
            now: Duration::ZERO,
            events: BTreeSet::new(),
            next_orig: HIGH,
        }
    }

    /// The allocator that the devices use.
    pub(crate) fn allocator(&self) -> AllocatorId {
        self.devices[0].0.allocator()
    }

    /// Reserves an original buffer that nothing else touches, filled with `fill`.
    pub(crate) fn orig_at(&mut self, place: u64, bytes: u64, fill: u8) -> PhysAddr {
        let orig = PhysAddr::new(self.next_orig + 64 + place % 0x1_0000);
        self.next_orig += ORIG_BYTES;
        let len = usize::try_from(bytes).unwrap();
        self.mem.write(orig, &vec![fill; len]).unwrap();
        orig
    }

    pub(crate) fn map(
        &mut self,
        device: usize,
        request: &BounceRequest,
        fill: u8,
    ) -> Result<(), MapError> {
        let (dev, masks) = &self.devices[device];
        let own = self.swiotlb.own_buffers(dev).len();
        let transient = self.swiotlb.transient_pools(dev).len();
        let bounce = self.swiotlb.tbl_map_single(&mut self.mem, dev, request)?;
        let align = request.alloc_align_mask | 2047;
        let offset = request.orig.raw() & u64::from(masks.min_align & align);
        let start = bounce.tlb_addr.raw() - offset;
        let data = vec![fill; usize::try_from(request.bytes).unwrap()];
        self.live.push(Lent {
            device,
            request: *request,
            bounce,
            extent: (start, start + u64::from(bounce.slots) * 2048),
            has_own_buffer: self.swiotlb.own_buffers(dev).len() > own,
            is_transient: self.swiotlb.transient_pools(dev).len() > transient,
            seen: data.clone(),
            orig: data,
        });
        Ok(())
    }

    pub(crate) fn bytes_at(&self, addr: PhysAddr, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.mem.read(addr, &mut bytes).unwrap();
        bytes
    }

    /// Unmaps; the original must then hold what the device left.
    pub(crate) fn unmap(&mut self, index: usize) {
        let lent = self.live.swap_remove(index);
        let BounceRequest {
            orig, bytes, dir, ..
        } = lent.request;
        let dev = &self.devices[lent.device].0;
        let addr = lent.bounce.tlb_addr;
        assert_eq!(self.swiotlb.find_pool(dev, addr), Some(lent.bounce.pool));
        let released =
            self.swiotlb
                .tbl_unmap_single(&mut self.mem, dev, addr, bytes, dir, Attrs::NONE);
        assert_eq!(released.unwrap().unwrap().slots, lent.bounce.slots);
        let expected = if dir.comes_from_device() {
            &lent.seen
        } else {
            &lent.orig
        };
        assert!(
            self.bytes_at(orig, lent.orig.len()) == *expected,
            "bytes were lost"
        );
        let len = lent.orig.len() as u64;
        for guard in [orig.wrapping_sub(64), orig.wrapping_add(len)] {
            assert!(
                self.bytes_at(guard, 64) == [0; 64],
                "written around the original"
            );
        }
    }

    pub(crate) fn request(
        &mut self,
        (place, bytes, align): (u64, u64, u32),
        dir: DataDirection,
        cpu: u32,
        fill: u8,
    ) -> BounceRequest {
        BounceRequest {
            orig: self.orig_at(place, bytes, fill),
            bytes,
            alloc_align_mask: align,
            dir,
            attrs: Attrs::NONE,
            cpu: CpuId(cpu),
        }
    }
}
