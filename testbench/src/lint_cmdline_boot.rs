//! Boots a machine with a command line, to see what pool it makes.

use swiotlb::{
    BootConfig, EarlyInit, InitOutcome, Mode, NoBytes, PhysAddr, Platform, RamRange, RegionSource,
    Swiotlb, bit_mask,
};

use super::{PoolFate, Target};

/// Memory below 4 GiB that a PC leaves for RAM.
const LOW_RAM_BYTES: u64 = 3 << 30;
/// Memory that the kernel itself has taken when the pool is made.
const LOWEST: u64 = 16 << 20;

fn platform(target: Target) -> Platform {
    let low = target.ram_bytes.min(LOW_RAM_BYTES);
    let mut ram = vec![RamRange {
        start: PhysAddr::new(0),
        bytes: low,
    }];
    if target.ram_bytes > low {
        ram.push(RamRange {
            start: PhysAddr::new(bit_mask(32) + 1),
            bytes: target.ram_bytes - low,
        });
    }
    Platform {
        possible_cpus: target.cpus,
        ram,
        ..Platform::default()
    }
}

pub(super) fn start(boot: BootConfig, target: Target) -> PoolFate {
    let low = target.ram_bytes.min(LOW_RAM_BYTES).saturating_sub(LOWEST);
    let mut source = RegionSource::new(PhysAddr::new(LOWEST), low);
    let mut swiotlb = Swiotlb::new(platform(target), boot, Mode::Kernel);
    let how = EarlyInit {
        has_addressing_limit: target.is_confidential || target.ram_bytes > LOW_RAM_BYTES,
        ..EarlyInit::default()
    };
    match swiotlb.init_early(&mut NoBytes, &mut source, how) {
        Ok(InitOutcome::Ready(geometry)) => PoolFate::Made {
            slots: u64::from(geometry.slots),
            areas: geometry.areas,
            bytes: geometry.bytes(),
        },
        Ok(InitOutcome::Disabled) => PoolFate::Off,
        Ok(_) => PoolFate::NotNeeded,
        Err(_) => PoolFate::NoMemory,
    }
}
