//! Maps and unmaps in a loop without copying, to be counted by callgrind or perf:
//! `perf stat -e instructions:u target/release/examples/pairs BYTES PAIRS`.

use std::process::ExitCode;

use swiotlb::{
    Attrs, BootConfig, BounceRequest, CpuId, DataDirection, Device, MemoryError, Mode, PhysAddr,
    PhysMemory, Platform, PoolGeometry, Swiotlb,
};

/// Memory whose copies cost nothing.
struct NoBytes;

impl PhysMemory for NoBytes {
    fn read(&self, _: PhysAddr, _: &mut [u8]) -> Result<(), MemoryError> {
        Ok(())
    }

    fn write(&mut self, _: PhysAddr, _: &[u8]) -> Result<(), MemoryError> {
        Ok(())
    }

    fn copy(&mut self, _: PhysAddr, _: PhysAddr, _: u64) -> Result<(), MemoryError> {
        Ok(())
    }

    fn zero(&mut self, _: PhysAddr, _: u64) -> Result<(), MemoryError> {
        Ok(())
    }
}

fn run(bytes: u64, pairs: u64) -> Result<(), Box<dyn std::error::Error>> {
    let mut mem = NoBytes;
    let geometry = PoolGeometry {
        base: PhysAddr::new(0x400_0000),
        slots: 32768,
        areas: 1,
    };
    let (platform, boot) = (Platform::default(), BootConfig::default());
    let swiotlb = Swiotlb::with_pool(&mut mem, platform, boot, Mode::Kernel, geometry)?;
    let dev = Device::new("d");
    let dir = DataDirection::ToDevice;
    let request = BounceRequest {
        orig: PhysAddr::new(0x4000_0000),
        bytes,
        alloc_align_mask: 0,
        dir,
        attrs: Attrs::NONE,
        cpu: CpuId(0),
    };
    for _ in 0..pairs {
        let bounce = swiotlb.tbl_map_single(&mut mem, &dev, &request)?;
        swiotlb.tbl_unmap_single(&mut mem, &dev, bounce.tlb_addr, bytes, dir, Attrs::NONE)?;
    }
    Ok(())
}

fn main() -> ExitCode {
    let numbers: Vec<u64> = std::env::args()
        .skip(1)
        .filter_map(|text| text.parse().ok())
        .collect();
    let &[bytes, pairs] = &numbers[..] else {
        eprintln!("expected two numbers: BYTES PAIRS");
        return ExitCode::from(2);
    };
    match run(bytes, pairs) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}
