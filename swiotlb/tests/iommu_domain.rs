//! Domains: what can be made, what is given out where, and when the IOMMU forgets.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod iommu_support;
mod support;

use std::sync::Arc;
use std::time::Duration;

use iommu_support::*;
use support::{HIGH, LOW, Machine};
use swiotlb::{
    Aperture, Attrs, Device, DmaAddr, DomainConfig, DomainError, FaultReason, FlushMode,
    FlushQueues, IommuDomain, IommuError, PageSize, PhysAddr, Prot, ReservedRegion, bit_mask,
};

const READ: Prot = Prot {
    is_readable: true,
    is_writable: false,
    is_privileged: false,
    is_mmio: false,
};

fn aperture(first: u64, last: u64) -> Aperture {
    Aperture {
        first: DmaAddr::new(first),
        last: DmaAddr::new(last),
        is_forced: true,
    }
}

fn refused(config: &DomainConfig) -> DomainError {
    IommuDomain::new(config).unwrap_err()
}

#[test]
fn impossible_domains_are_refused() {
    assert_eq!(refused(&DomainConfig::new(0)), DomainError::NoPageSize);
    let bad = |bytes, limit| DomainError::BadGranule { bytes, limit };
    assert_eq!(refused(&DomainConfig::new(1)), bad(1, 4096));
    let large = DomainConfig::new(0x1_0000);
    assert_eq!(refused(&large), bad(0x1_0000, 4096));
    assert!(IommuDomain::new(&large.with_cpu_page(PageSize::Size64KiB)).is_ok());
    for (first, last) in [
        (0, 0x1ffe),
        (0x1001, 0x2ffe),
        (0x5000, 0x1000),
        (u64::MAX, u64::MAX),
    ] {
        let config = DomainConfig::default().with_aperture(aperture(first, last));
        assert!(
            matches!(refused(&config), DomainError::EmptyAperture { .. }),
            "{first:#x}"
        );
    }
    let region = |start, bytes| ReservedRegion {
        start: DmaAddr::new(start),
        bytes,
    };
    let config = DomainConfig::default().with_reserved(vec![region(u64::MAX, 2)]);
    assert!(matches!(
        refused(&config),
        DomainError::BadReserved { bytes: 2, .. }
    ));
    let flush = FlushMode::Lazy {
        queues: FlushQueues::PerCpu,
        entries: 0,
        timeout: Duration::ZERO,
    };
    let config = DomainConfig::default().with_flush(flush);
    assert_eq!(refused(&config), DomainError::NoQueueEntries);
}

#[test]
fn addresses_lie_in_the_aperture_below_the_limit_and_outside_reserved_regions() {
    let reserved = vec![
        ReservedRegion {
            start: DmaAddr::new(0xfee0_0000),
            bytes: 0x20_0000,
        },
        ReservedRegion {
            start: DmaAddr::new(0xf000),
            bytes: 1,
        },
    ];
    let config = DomainConfig::default().with_reserved(reserved);
    let domain = domain_of(&config.with_aperture(aperture(0x4000, 0xfeff_ffff)));
    let alloc = |bytes, limit| domain.alloc_iova(bytes, limit, CPU).map(DmaAddr::raw);
    assert_eq!(
        alloc(4096, u64::MAX),
        Ok(0xfedf_f000),
        "below the MSI window"
    );
    assert_eq!(alloc(4096, 0xffff), Ok(0xe000));
    assert_eq!(
        alloc(4096, 0xdffe),
        Ok(0xc000),
        "a page must end at or below the limit"
    );
    assert_eq!(alloc(1, 0x4fff), Ok(0x4000));
    let no_space = IommuError::NoSpace {
        bytes: 1,
        limit: 0x4fff,
    };
    assert_eq!(alloc(1, 0x4fff), Err(no_space));
    assert_eq!(alloc(0, u64::MAX), Err(IommuError::ZeroSize));
    assert!(alloc(u64::MAX, u64::MAX).is_err());
    assert_eq!(domain.granted_bytes(DmaAddr::new(0x4000)), Some(4096));
    assert_eq!(domain.free_iova(DmaAddr::new(0x4000)), Ok(()));
    let iova = DmaAddr::new(0x4000);
    assert_eq!(
        domain.free_iova(iova),
        Err(IommuError::NotAllocated { iova })
    );
    let iova = DmaAddr::new(0xc004);
    assert_eq!(
        domain.free_iova(iova),
        Err(IommuError::NotAllocated { iova })
    );
}

#[test]
fn raw_maps_are_refused_with_the_reason() {
    let domain = domain();
    let map = |iova, phys, bytes, prot| {
        domain
            .map(DmaAddr::new(iova), PhysAddr::new(phys), bytes, prot)
            .map_err(|e| e.errno())
    };
    assert_eq!(map(0x1000, 0x9000, 0x2000, READ), Ok(()));
    assert_eq!(map(0x2000, 0x9000, 0x1000, READ), Err(-17));
    assert_eq!(map(0x5001, 0x9000, 0x1000, READ), Err(-22));
    assert_eq!(map(0x5000, 0x9001, 0x1000, READ), Err(-22));
    assert_eq!(map(0x5000, 0x9000, 0x1001, READ), Err(-22));
    assert_eq!(map(0x5000, 0x9000, 0, READ), Err(-22));
    assert_eq!(map(0x5000, 0x9000, 0x1000, Prot::default()), Err(-22));
    assert_eq!(map(0x5000, u64::MAX - 0xfff, 0x2000, READ), Err(-22));
    assert_eq!(map(1 << 48, 0x9000, 0x1000, READ), Err(-34));
    assert_eq!(domain.unmap(DmaAddr::new(0), u64::MAX), 0x2000);
    assert_eq!(map(0x5000, u64::MAX - 0xfff, 0x1000, READ), Ok(()));
    let top = domain.translate(DmaAddr::new(0x5fff), false);
    assert_eq!(top, Ok(PhysAddr::new(u64::MAX)));
}

#[test]
fn a_translation_says_how_far_it_holds() {
    let domain = domain();
    let (iova, phys) = (DmaAddr::new(0x1000), PhysAddr::new(0x9000));
    domain.map(iova, phys, 0x2000, READ).unwrap();
    let found = domain
        .translate_access(privileged(iova.wrapping_add(4), false))
        .unwrap();
    assert_eq!((found.contiguous_bytes, found.is_stale), (0x1ffc, false));
}

#[test]
fn a_pci_device_leaves_the_low_addresses_when_they_run_out_and_never_returns() {
    let mut machine = Machine::new();
    // Two pages below 4 GiB.
    let config = DomainConfig::default().with_aperture(aperture(0xffff_e000, bit_mask(40)));
    let domain = domain_of(&config);
    let dev = Device::pci("0000:01:00.0")
        .with_masks(bit_mask(64))
        .with_iommu(Arc::clone(&domain));
    let mut addr = |bytes| map(&mut machine, &dev, request(HIGH, bytes, TO)).dma_addr;
    let first = addr(4096);
    assert_eq!(first.raw(), 0xffff_f000);
    assert_eq!(addr(4096).raw(), 0xffff_e000);
    assert!(addr(4096).raw() > bit_mask(32));
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    dma.unmap_phys(mem, &dev, first, 4096, TO, Attrs::NONE)
        .unwrap();
    assert!(!dev.iommu().unwrap().prefers_low());
    let texts: Vec<String> = messages(&mut machine)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(texts, ["Using 40-bit DMA addresses"]);
    assert!(
        map(&mut machine, &dev, request(HIGH, 8192, TO))
            .dma_addr
            .raw()
            > bit_mask(32)
    );
    assert!(messages(&mut machine).is_empty());
}

#[test]
fn only_pci_devices_without_forced_dac_prefer_low_addresses() {
    let mut machine = Machine::new();
    let forced = domain_of(&DomainConfig::default().with_forced_dac());
    let wide = bit_mask(64);
    let plain = trusted(&domain()).with_masks(wide);
    let dac = Device::pci("p")
        .with_masks(wide)
        .with_iommu(Arc::clone(&forced));
    for dev in [&plain, &dac] {
        let addr = map(&mut machine, dev, request(LOW, 4096, TO)).dma_addr;
        assert_eq!(addr.raw(), bit_mask(48) - 4095, "top of the aperture");
    }
    let limited = trusted(&domain())
        .with_masks(wide)
        .with_bus_limit(0x10_ffff);
    let addr = map(&mut machine, &limited, request(LOW, 4096, TO)).dma_addr;
    assert_eq!(addr.raw(), 0x10_f000);
}

/// Maps and unmaps one page, and returns its address.
fn pulse(machine: &mut Machine, dev: &Device) -> DmaAddr {
    let addr = map(machine, dev, request(LOW, 4096, BOTH)).dma_addr;
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    dma.unmap_phys(mem, dev, addr, 4096, BOTH, Attrs::NONE)
        .unwrap();
    addr
}

#[test]
fn in_strict_mode_use_after_unmap_faults_at_once() {
    let mut machine = Machine::new();
    let domain = domain();
    let dev = trusted(&domain);
    let addr = pulse(&mut machine, &dev);
    assert_eq!(reason(&domain, addr, true), Some(FaultReason::NotMapped));
    assert_eq!(domain.stats().cached_ranges, 1);
    assert_eq!(pulse(&mut machine, &dev), addr, "freed last, reused first");
}

#[test]
fn in_lazy_mode_use_after_unmap_works_until_the_timer_flushes() {
    let mut machine = Machine::new();
    let domain = domain_of(&DomainConfig::default().with_flush(FlushMode::lazy()));
    let dev = trusted(&domain);
    let addr = pulse(&mut machine, &dev);
    assert_eq!(domain.translate(addr, true), Ok(PhysAddr::new(LOW)));
    let found = domain.translate_access(privileged(addr, false)).unwrap();
    assert!(found.is_stale);
    let stats = domain.stats();
    assert_eq!(
        (
            stats.stale_accesses,
            stats.waiting_ranges,
            stats.mapped_bytes
        ),
        (2, 1, 0)
    );
    assert_ne!(
        pulse(&mut machine, &dev),
        addr,
        "not given out before the flush"
    );
    domain.set_time(Duration::from_micros(9_999));
    assert!(domain.translate(addr, true).is_ok());
    domain.set_time(Duration::from_millis(10));
    assert_eq!(reason(&domain, addr, true), Some(FaultReason::NotMapped));
    let stats = domain.stats();
    assert_eq!(
        (stats.waiting_ranges, stats.cached_ranges, stats.flushes),
        (0, 2, 1)
    );
}

#[test]
fn a_full_queue_flushes_before_it_takes_one_more() {
    let mut machine = Machine::new();
    let domain = domain_of(&DomainConfig::default().with_flush(FlushMode::lazy()));
    let dev = trusted(&domain);
    let first = pulse(&mut machine, &dev);
    for _ in 1..256 {
        pulse(&mut machine, &dev);
    }
    assert!(domain.translate(first, true).is_ok());
    assert_eq!(domain.stats().waiting_ranges, 256);
    let last = pulse(&mut machine, &dev);
    assert_eq!(reason(&domain, first, true), Some(FaultReason::NotMapped));
    assert_eq!(domain.stats().flushes, 1);
    assert_eq!(domain.stats().waiting_ranges, 1);
    domain.flush();
    assert_eq!(reason(&domain, last, true), Some(FaultReason::NotMapped));
}

#[test]
fn in_lazy_mode_a_bounced_buffer_is_copied_back_and_released_at_the_unmap() {
    let mut machine = Machine::new();
    let domain = domain_of(&DomainConfig::default().with_flush(FlushMode::lazy_single()));
    let dev = untrusted(&domain);
    let addr = map(&mut machine, &dev, request(HIGH, 100, FROM)).dma_addr;
    device_write(&mut machine, &domain, addr, &[0x22; 100]);
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    dma.unmap_phys(mem, &dev, addr, 100, FROM, Attrs::NONE)
        .unwrap();
    assert_eq!(used_slots(&machine), 0);
    // A late write of the device goes into slots that are someone else's by now: and is lost here.
    device_write(&mut machine, &domain, addr, &[0x33; 100]);
    assert_eq!(machine.read(HIGH, 100), [0x22; 100]);
    assert_eq!(domain.stats().stale_accesses, 100);
}
