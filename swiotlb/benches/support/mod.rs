//! The workloads of the reference measurement, step by step as they were run there.
#![allow(dead_code, reason = "each bench uses a part")]

use swiotlb::{
    Attrs, BootConfig, BootOptions, BounceRequest, CpuId, DataDirection, Device, MemoryError, Mode,
    NoBytes, PhysAddr, PhysMemory, Platform, Policy, PoolGeometry, Swiotlb,
};

/// Slots of the pool: 64 MiB.
pub(crate) const POOL_SLOTS: u32 = 32768;
/// Where the pool lies.
pub(crate) const POOL_BASE: u64 = 0x400_0000;
/// Where the original buffer of the first thread lies; the next ones are 16 MiB apart.
pub(crate) const ORIGINAL: u64 = 0x4000_0000;

/// The original and the pool, each one piece of memory.
#[derive(Debug)]
pub(crate) struct TwoPieces {
    original: Vec<u8>,
    pool: Vec<u8>,
}

impl TwoPieces {
    pub(crate) fn new() -> Self {
        Self {
            original: vec![1; 262_144],
            pool: vec![2; POOL_SLOTS as usize * 2048],
        }
    }

    /// Copies the beginning of the original into the pool.
    pub(crate) fn bounce(&mut self, at: usize, bytes: usize) {
        self.pool[at..at + bytes].copy_from_slice(&self.original[..bytes]);
    }
}

impl PhysMemory for TwoPieces {
    fn read(&self, addr: PhysAddr, buf: &mut [u8]) -> Result<(), MemoryError> {
        let bytes = buf.len() as u64;
        Err(MemoryError { addr, bytes })
    }

    fn write(&mut self, addr: PhysAddr, buf: &[u8]) -> Result<(), MemoryError> {
        let bytes = buf.len() as u64;
        Err(MemoryError { addr, bytes })
    }

    fn copy(&mut self, from: PhysAddr, to: PhysAddr, bytes: u64) -> Result<(), MemoryError> {
        let error = MemoryError { addr: from, bytes };
        if from.raw() != ORIGINAL {
            return Err(error);
        }
        let at = usize::try_from(to.raw() - POOL_BASE).map_err(|_| error)?;
        self.bounce(at, usize::try_from(bytes).map_err(|_| error)?);
        Ok(())
    }

    fn zero(&mut self, _: PhysAddr, _: u64) -> Result<(), MemoryError> {
        self.pool.fill(0);
        Ok(())
    }
}

/// The generator of the reference's shuffles.
#[derive(Debug, Clone)]
pub(crate) struct SplitMix64(pub(crate) u64);

impl SplitMix64 {
    /// Returns the next number below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        let limit = u64::try_from(limit).expect("64 bits");
        usize::try_from((mixed ^ mixed >> 31) % limit).expect("below a usize")
    }
}

/// A pool filled to a certain degree.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) swiotlb: Swiotlb,
    pub(crate) dev: Device,
    /// Bytes of each request that is measured.
    pub(crate) bytes: u64,
    /// Buffers that are mapped.
    pub(crate) live: Vec<PhysAddr>,
    /// Buffers that were released again.
    pub(crate) holes: usize,
    fill_bytes: u64,
}

/// Returns a request of thread `cpu`.
pub(crate) fn request(bytes: u64, cpu: u32) -> BounceRequest {
    BounceRequest {
        orig: PhysAddr::new(ORIGINAL + u64::from(cpu) * 0x100_0000),
        bytes,
        alloc_align_mask: 0,
        dir: DataDirection::ToDevice,
        attrs: Attrs::NONE,
        cpu: CpuId(cpu),
    }
}

impl Bench {
    /// Makes a pool, fills it with blocks of `block` slots, and releases a random part of them so
    /// that `occupancy` per cent stay. As the reference was: able to hold several pools, with one,
    /// and growth switched off.
    pub(crate) fn new(bytes: u64, occupancy: u32, block: u32, areas: u32) -> Self {
        Self::with_policy(Policy::DynamicPools, bytes, occupancy, block, areas)
    }

    /// As [`Bench::new`], with a policy other than the reference's.
    pub(crate) fn with_policy(
        policy: Policy,
        bytes: u64,
        occupancy: u32,
        block: u32,
        areas: u32,
    ) -> Self {
        let geometry = PoolGeometry {
            base: PhysAddr::new(POOL_BASE),
            slots: POOL_SLOTS,
            areas,
        };
        let boot = BootConfig::new(BootOptions {
            policy,
            ..BootOptions::default()
        });
        let platform = Platform::default();
        let swiotlb = Swiotlb::with_pool(&mut NoBytes, platform, boot, Mode::Kernel, geometry)
            .expect("a pool of 64 MiB");
        let base = swiotlb.default_base();
        assert_eq!(
            base,
            Some(geometry.base),
            "asking where the pool is ends growth"
        );
        let mut bench = Self {
            swiotlb,
            dev: Device::new("bench"),
            bytes,
            live: Vec::new(),
            holes: 0,
            fill_bytes: u64::from(block) * 2048,
        };
        if occupancy > 0 {
            bench.fill(occupancy, block, areas);
        }
        bench
    }

    fn fill(&mut self, occupancy: u32, block: u32, areas: u32) {
        let mut random = SplitMix64(42);
        let blocks = (POOL_SLOTS / areas / block) as usize;
        let released = blocks * areas as usize * (100 - occupancy) as usize / 100;
        let released = (released / areas as usize).max(1);
        for area in 0..areas {
            let request = request(self.fill_bytes, area);
            let mut buffers: Vec<PhysAddr> = (0..blocks).map(|_| self.take(&request)).collect();
            for last in (1..blocks).rev() {
                buffers.swap(last, random.below(last + 1));
            }
            for &buffer in &buffers[..released] {
                self.give_back(buffer, self.fill_bytes);
            }
            self.live.extend_from_slice(&buffers[released..]);
            self.holes += released;
        }
    }

    /// Maps.
    #[inline]
    pub(crate) fn take(&self, request: &BounceRequest) -> PhysAddr {
        self.take_for(&self.dev, request)
    }

    /// As [`Bench::take`], for another device.
    #[inline]
    pub(crate) fn take_for(&self, dev: &Device, request: &BounceRequest) -> PhysAddr {
        let bounce = self.swiotlb.tbl_map_single(&mut NoBytes, dev, request);
        bounce.expect("slots are free").tlb_addr
    }

    /// Maps in vain.
    #[inline]
    pub(crate) fn fail(&self, request: &BounceRequest) -> bool {
        let bounce = self
            .swiotlb
            .tbl_map_single(&mut NoBytes, &self.dev, request);
        bounce.is_err()
    }

    /// Unmaps.
    #[inline]
    pub(crate) fn give_back(&self, addr: PhysAddr, bytes: u64) {
        self.give_back_for(&self.dev, addr, bytes);
    }

    /// As [`Bench::give_back`], for another device.
    #[inline]
    pub(crate) fn give_back_for(&self, dev: &Device, addr: PhysAddr, bytes: u64) {
        let (dir, attrs) = (DataDirection::ToDevice, Attrs::NONE);
        let released = self
            .swiotlb
            .tbl_unmap_single(&mut NoBytes, dev, addr, bytes, dir, attrs);
        released.expect("the buffer is mapped");
    }

    /// Returns how many pairs make whole rounds over the holes.
    pub(crate) fn pairs(&self) -> usize {
        match (self.holes, self.bytes) {
            (0, 65536..) => 2048,
            (0, bytes) => {
                POOL_SLOTS as usize / usize::try_from(bytes.div_ceil(2048)).expect("small")
            }
            (holes, _) => holes * (2000 / holes).max(1),
        }
    }

    /// Bytes of the buffers in `live`.
    pub(crate) const fn live_bytes(&self) -> u64 {
        self.fill_bytes
    }
}
