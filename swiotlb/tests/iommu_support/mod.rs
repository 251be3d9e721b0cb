//! Devices behind an IOMMU, on the machine of `support`.
#![allow(dead_code, reason = "each test file uses its part")]

use std::sync::Arc;

use swiotlb::{
    Access, CpuId, DataDirection, Device, DmaAddr, DomainConfig, Event, Fault, FaultReason,
    IommuDomain, MapRequest, Mapped, Message, PhysAddr, PhysMemory,
};

use crate::support::Machine;

pub(crate) const TO: DataDirection = DataDirection::ToDevice;
pub(crate) const FROM: DataDirection = DataDirection::FromDevice;
pub(crate) const BOTH: DataDirection = DataDirection::Bidirectional;
pub(crate) const GRANULE: u64 = 4096;
pub(crate) const CPU: CpuId = CpuId(0);

pub(crate) fn domain() -> Arc<IommuDomain> {
    domain_of(&DomainConfig::default())
}

pub(crate) fn domain_of(config: &DomainConfig) -> Arc<IommuDomain> {
    Arc::new(IommuDomain::new(config).unwrap())
}

/// A device that nobody trusts and that keeps its offset in the granule.
pub(crate) fn untrusted(domain: &Arc<IommuDomain>) -> Device {
    Device::new("dock")
        .with_iommu(Arc::clone(domain))
        .with_untrusted(true)
        .with_min_align_mask(0xfff)
}

pub(crate) fn trusted(domain: &Arc<IommuDomain>) -> Device {
    Device::new("disk").with_iommu(Arc::clone(domain))
}

pub(crate) fn request(phys: u64, bytes: u64, dir: DataDirection) -> MapRequest {
    MapRequest::new(PhysAddr::new(phys), bytes, dir)
}

pub(crate) fn map(machine: &mut Machine, dev: &Device, request: MapRequest) -> Mapped {
    machine
        .dma
        .map_phys(&mut machine.mem, dev, &request)
        .unwrap()
}

/// Why an access at `iova` is stopped.
pub(crate) fn reason(domain: &IommuDomain, iova: DmaAddr, is_write: bool) -> Option<FaultReason> {
    let fault: Option<Fault> = domain.translate(iova, is_write).err();
    fault.map(|fault| fault.reason)
}

pub(crate) fn privileged(iova: DmaAddr, is_write: bool) -> Access {
    Access {
        iova,
        is_write,
        is_privileged: true,
    }
}

/// Reads as the device does: each byte through the IOMMU.
pub(crate) fn device_read(
    machine: &Machine,
    domain: &IommuDomain,
    iova: DmaAddr,
    len: u64,
) -> Vec<u8> {
    let byte = |offset| {
        let phys = domain.translate(iova.wrapping_add(offset), false).unwrap();
        machine.read(phys.raw(), 1)[0]
    };
    (0..len).map(byte).collect()
}

/// Writes as the device does.
pub(crate) fn device_write(
    machine: &mut Machine,
    domain: &IommuDomain,
    iova: DmaAddr,
    bytes: &[u8],
) {
    for (offset, byte) in (0..).zip(bytes) {
        let phys = domain.translate(iova.wrapping_add(offset), true).unwrap();
        machine.mem.write(phys, &[*byte]).unwrap();
    }
}

/// Takes the messages since the last call.
pub(crate) fn messages(machine: &mut Machine) -> Vec<Message> {
    let events = machine.dma.swiotlb_mut().drain_events();
    let message = |event| match event {
        Event::Message { message, .. } => Some(message),
        _ => None,
    };
    events.into_iter().filter_map(message).collect()
}

/// Slots in use.
pub(crate) fn used_slots(machine: &Machine) -> u64 {
    let stats = machine.dma.swiotlb().stats(swiotlb::AllocatorId::DEFAULT);
    stats.unwrap().counted_slots
}
