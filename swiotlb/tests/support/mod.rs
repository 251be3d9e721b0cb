//! A small machine for tests: memory above and below 4 GiB, and a pool of 1 MiB at 16 MiB.
#![allow(dead_code, unused_imports, reason = "each test file uses its part")]

mod pages;

pub(crate) use pages::Pages;

use swiotlb::{
    BootConfig, Dma, DmaConfig, Mode, PhysAddr, PhysMemory, Platform, PoolGeometry, RamRange,
    SparseMemory, Swiotlb,
};

/// First byte of the pool.
pub(crate) const POOL: u64 = 0x100_0000;
/// A buffer that 32 bits do not reach.
pub(crate) const HIGH: u64 = 0x1_0000_0000;
/// A buffer that 32 bits reach.
pub(crate) const LOW: u64 = 0x20_0000;

/// Memory with an allocator over it.
pub(crate) struct Machine {
    pub(crate) mem: SparseMemory,
    pub(crate) dma: Dma,
}

impl Machine {
    pub(crate) fn new() -> Self {
        Self::with(Platform::default(), "", Mode::Kernel)
    }

    pub(crate) fn with(mut platform: Platform, parameter: &str, mode: Mode) -> Self {
        let range = |start: u64, bytes: u64| RamRange {
            start: PhysAddr::new(start),
            bytes,
        };
        let mut mem = SparseMemory::new(&[range(0, 0x200_0000), range(HIGH, 0x100_0000)]).unwrap();
        let geometry = PoolGeometry {
            base: PhysAddr::new(POOL),
            slots: 512,
            areas: 1,
        };
        let mut boot = BootConfig::default();
        boot.parse(parameter);
        platform.ram = vec![range(0, 0x200_0000), range(HIGH, 0x100_0000)];
        let swiotlb = Swiotlb::with_pool(&mut mem, platform, boot, mode, geometry).unwrap();
        Self {
            mem,
            dma: Dma::new(swiotlb),
        }
    }

    /// As [`Machine::with`], with settings of the mapping layer.
    pub(crate) fn configured(platform: Platform, mode: Mode, config: DmaConfig) -> Self {
        let Self { mem, dma } = Self::with(platform, "", mode);
        let dma = Dma::with_config(dma.into_swiotlb(), config);
        Self { mem, dma }
    }

    /// As [`Machine::new`], but without a pool.
    pub(crate) fn poolless(platform: Platform) -> Self {
        let mut machine = Self::new();
        let swiotlb = Swiotlb::new(platform, BootConfig::default(), Mode::Kernel);
        machine.dma = Dma::new(swiotlb);
        machine
    }

    pub(crate) fn read(&self, addr: u64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.mem.read(PhysAddr::new(addr), &mut bytes).unwrap();
        bytes
    }

    pub(crate) fn fill(&mut self, addr: u64, len: usize, byte: u8) {
        self.mem
            .write(PhysAddr::new(addr), &vec![byte; len])
            .unwrap();
    }
}
