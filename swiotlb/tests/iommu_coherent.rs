//! Coherent, non-coherent and non-contiguous memory behind an IOMMU, by the calls of every route.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod iommu_support;
mod support;

use iommu_support::*;
use support::{HIGH, LOW, Machine};
use swiotlb::{
    AllocRequest, Attrs, Coherent, CpuAddr, Device, Dma, DmaConfig, DmaError, DmaPool, FaultReason,
    Gfp, IommuError, Message, Mode, NonCoherentMemory, PhysAddr, Platform, RegionSource, Zone,
};

fn pages(count: u64) -> RegionSource {
    RegionSource::new(PhysAddr::new(HIGH), count * 4096)
}

fn alloc(
    machine: &mut Machine,
    pages: &mut RegionSource,
    dev: &Device,
    request: &AllocRequest,
) -> Result<Coherent, DmaError> {
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    dma.alloc_attrs(mem, pages, dev, request)
}

/// Eight pages of which every other one is taken.
fn holes(machine: &mut Machine, dev: &Device) -> RegionSource {
    let mut source = pages(8);
    let one = AllocRequest::new(1);
    let mut taken = Vec::new();
    for _ in 0..8 {
        taken.push(alloc(machine, &mut source, dev, &one).unwrap());
    }
    for (index, memory) in taken.into_iter().enumerate() {
        if index % 2 == 0 {
            machine.dma.free_coherent(&mut source, dev, memory).unwrap();
        }
    }
    source
}

#[test]
fn coherent_memory_is_zeroed_pages_from_anywhere_and_contiguous_for_the_device() {
    let mut machine = Machine::new();
    let domain = domain();
    let dev = trusted(&domain);
    machine.fill(HIGH, 0x10_0000, 0xaa);
    let mut source = holes(&mut machine, &dev);
    let wanted = AllocRequest::new(3 * 4096 - 5);
    let memory = alloc(&mut machine, &mut source, &dev, &wanted).unwrap();
    assert!(matches!(memory.cpu(), CpuAddr::Scattered(_)));
    assert_eq!(memory.cpu().accessible(), None);
    let (cpu, addr) = (memory.cpu(), memory.dma_addr());
    let view = machine.dma.coherent_view(cpu, memory.bytes()).unwrap();
    assert_eq!((view.bytes(), view.runs().len()), (3 * 4096, 3));
    let seen = device_read(&machine, &domain, addr, 3 * 4096);
    assert_eq!(seen, vec![0; 3 * 4096]);
    view.write(&mut machine.mem, 4090, &[7; 12]).unwrap();
    let seen = device_read(&machine, &domain, addr.wrapping_add(4090), 12);
    assert_eq!(seen, [7; 12], "one view for both");
    device_write(&mut machine, &domain, addr.wrapping_add(8190), &[9; 4]);
    let mut buf = [0; 4];
    view.read(&machine.mem, 8190, &mut buf).unwrap();
    assert_eq!(buf, [9; 4]);
    assert!(view.write(&mut machine.mem, 3 * 4096 - 1, &[0; 2]).is_err());
    assert_eq!(view.phys_at(3 * 4096), None);

    let granted = domain.stats().granted_ranges;
    for wanted in [
        AllocRequest::new(8192).with_attrs(Attrs::FORCE_CONTIGUOUS),
        AllocRequest::new(8192).with_gfp(Gfp::ATOMIC),
    ] {
        let result = alloc(&mut machine, &mut source, &dev, &wanted);
        assert!(matches!(result, Err(DmaError::NoMemory { .. })));
    }
    assert_eq!(domain.stats().granted_ranges, granted, "nothing is kept");

    // Seen by user space, and by another device, as it lies.
    let user = machine.dma.mmap_attrs(&memory, 1, 2).unwrap();
    assert_eq!(user.phys_at(0), view.phys_at(4096));
    assert!(machine.dma.can_mmap(&dev));
    let table = machine.dma.get_sgtable(&memory, 8192).unwrap();
    let listed: Vec<_> = table
        .entries
        .iter()
        .map(|sg| (sg.phys, sg.length))
        .collect();
    let expected = [(view.runs()[0].phys, 4096), (view.runs()[1].phys, 4096)];
    assert_eq!(listed, expected);

    machine
        .dma
        .free_coherent(&mut source, &dev, memory)
        .unwrap();
    assert_eq!(reason(&domain, addr, true), Some(FaultReason::NotMapped));
    assert_eq!(machine.dma.coherent_view(cpu, 3 * 4096), None);
    let wanted = AllocRequest::new(4 * 4096);
    assert!(alloc(&mut machine, &mut source, &dev, &wanted).is_ok());
}

#[test]
fn coherent_memory_that_cannot_be_is_refused() {
    let mut machine = Machine::new();
    let domain = domain();
    let dev = trusted(&domain);
    let mut source = pages(256);
    let huge = AllocRequest::new(u64::MAX);
    assert!(alloc(&mut machine, &mut source, &dev, &huge).is_err());
    let guest = trusted(&domain).with_unencrypted(true);
    let wanted = AllocRequest::new(4096);
    let result = alloc(&mut machine, &mut source, &guest, &wanted);
    assert_eq!(result, Err(IommuError::SharedMemory.into()));
    let large = AllocRequest::new(1 << 20);
    let memory = alloc(&mut machine, &mut source, &dev, &large).unwrap();
    assert!(
        matches!(memory.cpu(), CpuAddr::Vmalloc(_)),
        "one large block"
    );
    let result = alloc(&mut machine, &mut source, &dev, &wanted);
    let no_pages = IommuError::NoPages { bytes: 4096 };
    assert_eq!(result, Err(no_pages.into()));
    machine
        .dma
        .free_coherent(&mut source, &dev, memory)
        .unwrap();
    let singles = large.with_attrs(Attrs::ALLOC_SINGLE_PAGES);
    let memory = alloc(&mut machine, &mut source, &dev, &singles).unwrap();
    let view = machine.dma.coherent_view(memory.cpu(), 1 << 20).unwrap();
    assert_eq!(view.runs().len(), 256);
    let narrow = trusted(&domain).with_masks(0xfff);
    let result = alloc(&mut machine, &mut source, &narrow, &AllocRequest::new(1));
    let limit = 0xfff;
    assert!(
        matches!(result, Err(DmaError::Iommu(IommuError::NoSpace { limit: found, .. })) if found == limit)
    );
    assert!(
        !messages(&mut machine)
            .iter()
            .any(|message| matches!(message, Message::IommuNotMapped { .. }))
    );
}

#[test]
fn an_incoherent_device_that_cannot_wait_gets_memory_of_an_atomic_pool_wherever_it_lies() {
    let config = DmaConfig::PC
        .with_non_coherent_memory(NonCoherentMemory::Remap)
        .with_coherent_pool_bytes(8192);
    let mut machine = Machine::configured(Platform::default(), Mode::Strict, config);
    let domain = domain();
    // 20 bits reach the pool only through the IOMMU.
    let dev = trusted(&domain).with_coherency(false).with_masks(0xf_ffff);
    let mut source = RegionSource::new(PhysAddr::new(LOW), 1 << 20);
    machine.dma.init_atomic_pools(&mut source).unwrap();
    let free = |dma: &Dma| -> u64 {
        let zones = [Zone::Dma, Zone::Dma32, Zone::Normal];
        let pools = zones
            .into_iter()
            .filter_map(|zone| dma.atomic_pool_bytes(zone));
        pools.map(|(_, free)| free).sum()
    };
    let before = free(&machine.dma);
    let wanted = AllocRequest::new(100).with_gfp(Gfp::ATOMIC);
    let memory = alloc(&mut machine, &mut source, &dev, &wanted).unwrap();
    assert_eq!(free(&machine.dma), before - 4096);
    assert!(memory.dma_addr().raw() < 0x10_0000);
    let phys = domain.translate(memory.dma_addr(), true).unwrap();
    assert_eq!(memory.cpu(), CpuAddr::Vmalloc(phys));
    machine
        .dma
        .free_coherent(&mut source, &dev, memory)
        .unwrap();
    assert_eq!(free(&machine.dma), before);
    // One that can wait does not touch the pool, one that snoops does not need it.
    let waits = AllocRequest::new(100).with_attrs(Attrs::FORCE_CONTIGUOUS);
    let memory = alloc(&mut machine, &mut source, &dev, &waits).unwrap();
    assert_eq!(free(&machine.dma), before);
    machine
        .dma
        .free_coherent(&mut source, &dev, memory)
        .unwrap();
    let snooping = trusted(&domain);
    let memory = alloc(&mut machine, &mut source, &snooping, &wanted).unwrap();
    assert!(matches!(memory.cpu(), CpuAddr::Linear(_)));
    assert_eq!(free(&machine.dma), before);
}

#[test]
fn pages_are_mapped_in_their_direction_and_given_back() {
    let mut machine = Machine::new();
    let domain = domain();
    let dev = trusted(&domain);
    let mut source = pages(4);
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let block = dma
        .alloc_pages(mem, &mut source, &dev, FROM, &AllocRequest::new(5000))
        .unwrap();
    let addr = block.dma_addr();
    let phys = domain.translate(addr, true).unwrap();
    assert_eq!(block.cpu(), CpuAddr::Linear(phys));
    assert_eq!(reason(&domain, addr, false), Some(FaultReason::NotReadable));
    assert_eq!(domain.stats().mapped_bytes, 8192);
    dma.free_pages(&mut source, &dev, block).unwrap();
    assert_eq!(domain.stats().mapped_bytes, 0);
    assert_eq!(domain.stats().granted_ranges, 0);
}

#[test]
fn noncontiguous_memory_has_one_segment_for_the_device_and_several_for_the_cpu() {
    let mut machine = Machine::new();
    let domain = domain();
    let dev = trusted(&domain);
    let mut source = holes(&mut machine, &dev);
    let mapped = domain.stats().mapped_bytes;
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let request = AllocRequest::new(10_000);
    let frame = dma
        .alloc_noncontiguous(mem, &mut source, &dev, BOTH, &request)
        .unwrap();
    assert_eq!((frame.table().entries.len(), frame.table().nents), (3, 1));
    assert_eq!(frame.table().entries[0].dma_length, 12288);
    let view = Dma::vmap_noncontiguous(&frame);
    for offset in [0, 4095, 4096, 12287] {
        let seen = domain.translate(frame.dma_addr().wrapping_add(offset), true);
        assert_eq!(seen.ok(), view.phys_at(offset));
    }
    dma.free_noncontiguous(&mut source, &dev, frame).unwrap();
    assert_eq!(domain.stats().mapped_bytes, mapped);
}

#[test]
fn blocks_above_a_page_lie_in_one_piece() {
    let mut machine = Machine::new();
    let domain = domain();
    let dev = trusted(&domain);
    let mut source = holes(&mut machine, &dev);
    let pool = DmaPool::create(&machine.dma, &dev, "large", 8192, 64, 0).unwrap();
    let (mem, dma) = (&mut machine.mem, &mut machine.dma);
    let refused = pool.alloc(dma, mem, &mut source, &dev, Gfp::KERNEL);
    assert!(matches!(refused, Err(DmaError::NoMemory { .. })));
    let block = pool
        .alloc(dma, mem, &mut pages(2), &dev, Gfp::KERNEL)
        .unwrap();
    let last = domain.translate(block.dma_addr().wrapping_add(8191), true);
    assert_eq!(last, Ok(block.cpu().wrapping_add(8191)));
}
