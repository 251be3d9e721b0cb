//! The machine of a plan: its memory, the bounce layer over it, and the device as the driver declares it.

use std::sync::Arc;
use std::time::Duration;

use rebound_sim::memory::{HostMemory, PageAttribute};
use swiotlb::{
    AddressMarker, BootConfig, BootOptions, CcPlatform, Device, Dma, DmaAddr, DmaDebug,
    DmaDebugOptions, DmaRange, DomainConfig, InitError, IommuDomain, Mode, PageRequest, PageSource,
    PhysAddr, Platform, Policy, PoolGeometry, RamRange, RestrictedRegion, SLOT_BYTES,
    ShrinkerConfig, Swiotlb,
};

use crate::driver::{SpareLog, SpareMemory};
use crate::error::UsageError;
use crate::scenario::plan::{IOMMU_PAGE_BYTES, Plan, PoolKind, PoolPlan, Window};

/// How the shrinker is set: times that a run of some hundred microseconds comes to see.
const SHRINKER: ShrinkerConfig = ShrinkerConfig {
    idle_time: Duration::from_micros(2),
    window: Duration::from_micros(2),
    cooldown: Duration::from_micros(2),
    min_free_slots: 0,
    reserve_percent: 25,
    batch: 1,
};

/// Makes the RAM of the machine; where the bus refuses private pages, all of it is private at first.
pub(crate) fn memory(plan: &Plan) -> Result<HostMemory, UsageError> {
    let mut memory = HostMemory::new();
    for ram in &plan.machine.ram {
        let base = PhysAddr::new(ram.base);
        let mut made = memory.add_range(base, ram.bytes);
        if plan.bus.refuse_private {
            made =
                made.and_then(|()| memory.set_attribute(base, ram.bytes, PageAttribute::Private));
        }
        made.map_err(|error| UsageError::from_error("the plan's RAM", &error))?;
    }
    Ok(memory)
}

/// Makes the bounce layer of the machine and the device as the driver declares it. Memory of pools that come and
/// go is noted in `spare`.
pub(crate) fn mapping_layer(
    plan: &Plan,
    memory: &mut HostMemory,
    spare: &SpareLog,
) -> Result<(Dma, Device), UsageError> {
    // The engine's length register has 32 bits: no segment is too long for it.
    let mut device = Device::new("dma_engine")
        .with_driver("rebound")
        .with_bus_limit(plan.device.bus_dma_limit.unwrap_or(0))
        .with_ranges(plan.device.window.iter().map(range).collect())
        .with_max_segment(plan.device.max_segment_bytes.unwrap_or(u32::MAX))
        .with_min_align_mask(plan.device.min_align_mask)
        .with_seg_boundary(plan.device.segment_boundary_mask);
    if let Some(iommu) = &plan.machine.iommu {
        let domain = IommuDomain::new(&DomainConfig::new(IOMMU_PAGE_BYTES))
            .map_err(|error| UsageError::from_error("the plan's IOMMU", &error))?;
        device = device
            .with_iommu(Arc::new(domain))
            .with_untrusted(iommu.is_untrusted);
    }
    let swiotlb = match &plan.machine.pool {
        None => Swiotlb::new(platform(plan), BootConfig::default(), Mode::Kernel),
        Some(pool) => {
            let swiotlb = bounce_layer(plan, pool, memory, &mut device, spare)
                .map_err(|error| UsageError::from_error("the plan's pool", &error))?;
            if plan.bus.refuse_private {
                let base = PhysAddr::new(pool.base);
                memory
                    .set_attribute(base, pool.slots * SLOT_BYTES, PageAttribute::Shared)
                    .map_err(|error| UsageError::from_error("the plan's pool", &error))?;
            }
            swiotlb
        }
    };
    let debug = DmaDebug::new(DmaDebugOptions {
        has_extra_checks: true,
        ..DmaDebugOptions::default()
    });
    let dma = Dma::new(swiotlb).with_debug(debug);
    dma.set_mask_and_coherent(&mut device, plan.device.dma_mask)
        .map_err(|error| UsageError::from_error("the plan's DMA mask", &error))?;
    if let Some(mask) = plan.device.coherent_dma_mask {
        dma.set_coherent_mask(&mut device, mask)
            .map_err(|error| UsageError::from_error("the plan's coherent DMA mask", &error))?;
    }
    Ok((dma, device))
}

/// The window of a bus as the mapping layer takes it.
const fn range(window: &Window) -> DmaRange {
    DmaRange {
        cpu_start: PhysAddr::new(window.cpu_base),
        dma_start: DmaAddr::new(window.bus_base),
        bytes: window.bytes,
    }
}

/// Makes the bounce layer with its pool, of which a device gets a restricted one.
fn bounce_layer(
    plan: &Plan,
    pool: &PoolPlan,
    memory: &mut HostMemory,
    device: &mut Device,
    spare: &SpareLog,
) -> Result<Swiotlb, InitError> {
    let boot = boot(pool);
    if pool.kind == PoolKind::Restricted {
        let mut swiotlb = Swiotlb::new(platform(plan), boot, Mode::Kernel);
        let id = swiotlb.add_restricted(RestrictedRegion {
            name: "restricted".to_owned(),
            base: PhysAddr::new(pool.base),
            bytes: pool.slots * SLOT_BYTES,
        })?;
        swiotlb.attach_restricted(memory, &mut NoPages, device, id)?;
        return Ok(swiotlb);
    }
    let geometry = PoolGeometry {
        base: PhysAddr::new(pool.base),
        slots: u32::try_from(pool.slots).unwrap_or(u32::MAX),
        areas: pool.areas,
    };
    let mut swiotlb = Swiotlb::with_pool(memory, platform(plan), boot, Mode::Kernel, geometry)?;
    if let Some(range) = pool.spare {
        let source = SpareMemory::new(range, spare.clone());
        swiotlb.set_page_source(Box::new(source));
    }
    swiotlb.update_mem_attributes(&mut NoPages);
    Ok(swiotlb)
}

fn platform(plan: &Plan) -> Platform {
    let ram = plan.machine.ram.iter().map(|ram| RamRange {
        start: PhysAddr::new(ram.base),
        bytes: ram.bytes,
    });
    // Where a device reaches less than the 16 MiB of a PC's DMA zone, the kernel has a zone of its reach: it refuses
    // a mask that does not cover its lowest zone.
    let usual = Platform::default();
    let zone = usual.zone_dma_limit;
    let end = plan.device.end_of(plan.device.last_dma());
    let reach = end.map_or(u64::MAX, |end| end - 1);
    Platform {
        zone_dma_limit: zone.map(|limit| limit.min(reach)),
        possible_cpus: u32::try_from(plan.machine.cpus).unwrap_or(u32::MAX),
        ram: ram.collect(),
        cc: if plan.machine.is_confidential {
            CcPlatform::Guest(AddressMarker::None)
        } else {
            CcPlatform::None
        },
        ..usual
    }
}

fn boot(pool: &PoolPlan) -> BootConfig {
    let policy = match pool.kind {
        PoolKind::Fixed | PoolKind::Restricted => Policy::Static,
        PoolKind::PerBuffer => Policy::PerBuffer,
        PoolKind::Growing => Policy::DynamicPools,
        PoolKind::Shrinking => Policy::Shrinker(SHRINKER),
    };
    let mut boot = BootConfig::new(BootOptions {
        policy,
        ..BootOptions::default()
    });
    boot.force = pool.is_forced;
    boot.dynamic = policy == Policy::PerBuffer;
    boot
}

/// No further memory; pages are converted by whoever makes the pool.
#[derive(Debug)]
struct NoPages;

impl PageSource for NoPages {
    fn alloc(&mut self, _: &PageRequest) -> Option<PhysAddr> {
        None
    }

    fn free(&mut self, _: PhysAddr, _: u64) {}
}
