//! Behind an IOMMU, too, any argument whatever gives an answer or an error, never a panic.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod iommu_support;
mod support;

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use support::{HIGH, LOW, Machine, POOL};
use swiotlb::{
    AllocRequest, Aperture, Attrs, CpuId, DataDirection, Device, DmaAddr, DomainConfig, FlushMode,
    Gfp, IommuDomain, IovaState, KmallocBounce, MapRequest, Mode, PhysAddr, Platform, Prot,
    RegionSource, ReservedRegion, Sg, SgRequest,
};

fn any_number() -> impl Strategy<Value = u64> {
    let edges = vec![
        0,
        4096,
        8192,
        POOL,
        LOW,
        HIGH,
        0xffff_f000,
        1 << 48,
        1 << 63,
        u64::MAX,
    ];
    let near = (prop::sample::select(edges), 0..5000_u64, any::<bool>());
    let near = near.prop_map(|(edge, distance, is_above)| {
        if is_above {
            edge.wrapping_add(distance)
        } else {
            edge.wrapping_sub(distance)
        }
    });
    prop_oneof![3 => near, 1 => any::<u64>(), 2 => 0..20_000_u64]
}

fn any_dir() -> impl Strategy<Value = DataDirection> {
    prop::sample::select(vec![
        DataDirection::ToDevice,
        DataDirection::FromDevice,
        DataDirection::Bidirectional,
        DataDirection::None,
    ])
}

fn any_attrs() -> impl Strategy<Value = Attrs> {
    prop::sample::select(vec![
        Attrs::NONE,
        Attrs::NONE,
        Attrs::SKIP_CPU_SYNC,
        Attrs::MMIO,
        Attrs::REQUIRE_COHERENT,
        Attrs::CC_SHARED,
        Attrs::PRIVILEGED,
        Attrs::FORCE_CONTIGUOUS,
        Attrs::ALLOC_SINGLE_PAGES,
    ])
}

type Step = (u8, [u64; 3], u32, DataDirection, Attrs);

fn any_step() -> impl Strategy<Value = Step> {
    let numbers = [any_number(), any_number(), any_number()];
    (0..15_u8, numbers, 0..4_u32, any_dir(), any_attrs())
}

struct World {
    machine: Machine,
    domain: Arc<IommuDomain>,
    dev: Device,
    state: IovaState,
    last: DmaAddr,
    sgl: Vec<Sg>,
    pages: RegionSource,
}

impl World {
    fn new(numbers: [u64; 4], is_strict: bool, is_lazy: bool) -> Self {
        let kmalloc = Some(KmallocBounce {
            min_align: 128,
            cache_alignment: 64,
        });
        let platform = Platform {
            kmalloc,
            ..Platform::default()
        };
        let mode = if is_strict {
            Mode::Strict
        } else {
            Mode::Kernel
        };
        let flush = if is_lazy {
            FlushMode::lazy()
        } else {
            FlushMode::Strict
        };
        let [mask, boundary, flags, align] = numbers;
        let config = DomainConfig::default().with_flush(flush);
        let config = if flags & 4 == 0 {
            config
        } else {
            config.with_cached_absence()
        };
        let domain = Arc::new(IommuDomain::new(&config).unwrap());
        let aligns = [0, 0xfff, 0x1ff, 0x1fff];
        let dev = Device::pci("d")
            .with_masks(mask)
            .with_seg_boundary(boundary)
            .with_max_segment(u32::try_from(boundary & 0xffff).unwrap())
            .with_min_align_mask(aligns[usize::try_from(align % 4).unwrap()])
            .with_coherency(flags & 1 == 0)
            .with_untrusted(flags & 2 == 0)
            .with_iommu(Arc::clone(&domain));
        Self {
            machine: Machine::with(platform, "", mode),
            domain,
            dev,
            state: IovaState::new(),
            last: DmaAddr::new(0),
            sgl: Vec::new(),
            pages: RegionSource::new(PhysAddr::new(LOW), 0x10_0000),
        }
    }

    fn take(&mut self, step: Step) {
        let (call, [first, second, third], number, dir, attrs) = step;
        let (mem, dma) = (&mut self.machine.mem, &mut self.machine.dma);
        let (dev, state) = (&self.dev, &mut self.state);
        let (phys, cpu) = (PhysAddr::new(first), CpuId(number));
        let iova = if number == 0 {
            DmaAddr::new(first)
        } else {
            self.last
        };
        let request = MapRequest::new(phys, second, dir)
            .with_attrs(attrs)
            .on_cpu(cpu);
        match call {
            0 | 1 => {
                if let Ok(mapped) = dma.map_phys(mem, dev, &request) {
                    self.last = mapped.dma_addr;
                }
            }
            2 => drop(dma.unmap_phys(mem, dev, iova, second, dir, attrs)),
            3 => drop(dma.sync_single_range_for_cpu(mem, dev, iova, third, second, dir)),
            4 => drop(dma.sync_single_range_for_device(mem, dev, iova, third, second, dir)),
            5 => drop(dma.iova_try_alloc(dev, state, phys, second, cpu)),
            6 | 7 => drop(dma.iova_link(mem, dev, state, third, &request)),
            8 => drop(dma.iova_sync(dev, state, third, second)),
            9 => drop(dma.iova_unlink(mem, dev, state, third, second, dir, attrs)),
            10 => drop(dma.iova_destroy(mem, dev, state, second, dir, attrs)),
            11 => {
                let length = |number: u64| u32::try_from(number & 0xffff_ffff).unwrap();
                self.sgl = vec![
                    Sg::new(phys, length(second)),
                    Sg::new(PhysAddr::new(third), length(first)),
                ];
                let request = SgRequest::new(dir).with_attrs(attrs).on_cpu(cpu);
                let _ = dma.map_sg(mem, dev, &mut self.sgl, &request);
                let _ = dma.sync_sg_for_cpu(mem, dev, &self.sgl, dir);
                let _ = dma.sync_sg_for_device(mem, dev, &self.sgl, dir);
            }
            12 => drop(dma.unmap_sg(mem, dev, &mut self.sgl, dir, attrs)),
            13 => {
                let gfp = if number > 0 { Gfp::KERNEL } else { Gfp::ATOMIC };
                let wanted = AllocRequest::new(second)
                    .with_gfp(gfp)
                    .with_attrs(attrs)
                    .on_cpu(cpu);
                if let Ok(memory) = dma.alloc_attrs(mem, &mut self.pages, dev, &wanted) {
                    if let Some(view) = dma.coherent_view(memory.cpu(), second) {
                        let _ = view.write(mem, third, &[1; 10]);
                    }
                    let _ = dma.free_coherent(&mut self.pages, dev, memory);
                }
            }
            _ => self.use_domain([first, second, third], cpu, dir, attrs),
        }
    }

    fn use_domain(&self, numbers: [u64; 3], cpu: CpuId, dir: DataDirection, attrs: Attrs) {
        let [first, second, third] = numbers;
        let (domain, iova, phys) = (&self.domain, DmaAddr::new(first), PhysAddr::new(third));
        let prot = Prot::new(dir, attrs);
        let _ = domain.map(iova, phys, second, prot);
        let _ = domain.map_nosync(iova, phys, second & !0xfff, prot);
        domain.sync_map(iova, second);
        let _ = domain.translate(iova, dir.comes_from_device());
        let _ = domain.iova_to_phys(iova);
        let _ = domain.alloc_iova(second, third, cpu);
        let _ = domain.granted_bytes(iova);
        let _ = domain.free_iova(iova);
        domain.unmap(iova, second);
        domain.set_time(Duration::from_nanos(third));
        let _ = (domain.stats(), domain.granted_ranges());
    }
}

proptest! {
    #[test]
    fn no_sequence_of_calls_panics_and_no_two_ranges_overlap(
        numbers in [any_number(), any_number(), any_number(), any_number()],
        is_strict: bool,
        is_lazy: bool,
        steps in prop::collection::vec(any_step(), 1..40),
    ) {
        let mut world = World::new(numbers, is_strict, is_lazy);
        for step in steps {
            world.take(step);
            let ranges = world.domain.granted_ranges();
            for pair in ranges.windows(2) {
                prop_assert!(pair[0].0.raw() + pair[0].1 <= pair[1].0.raw());
            }
        }
    }

    #[test]
    fn no_configuration_of_a_domain_panics(
        page_sizes in any_number(),
        numbers in [any_number(), any_number(), any_number(), any_number()],
        is_forced: bool,
    ) {
        let [first, last, start, bytes] = numbers;
        let config = DomainConfig::new(page_sizes)
            .with_aperture(Aperture {
                first: DmaAddr::new(first),
                last: DmaAddr::new(last),
                is_forced,
            })
            .with_reserved(vec![ReservedRegion { start: DmaAddr::new(start), bytes }]);
        if let Ok(domain) = IommuDomain::new(&config) {
            let granted = domain.alloc_iova(1, u64::MAX, CpuId(0));
            if let Ok(iova) = granted {
                prop_assert!(iova.raw() >= first && iova.raw() <= last && iova.raw() != 0);
                let inside = bytes > 0 && iova.raw() >= start && iova.raw() - start < bytes;
                prop_assert!(!inside);
            }
        }
    }
}
