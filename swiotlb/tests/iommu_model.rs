//! The allocator of I/O virtual addresses and the page table against naive models.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod iommu_support;
mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use iommu_support::*;
use proptest::prelude::*;
use swiotlb::{
    Aperture, CpuId, DmaAddr, DomainConfig, FaultReason, FlushMode, FlushQueues, IommuDomain,
    PhysAddr, Prot, ReservedRegion,
};

const FIRST: u64 = 0x8000;
const LAST: u64 = 0xf_ffff;
const MSI: std::ops::Range<u64> = 0xe_0000..0xe_8000;
const ALL: Prot = Prot {
    is_readable: true,
    is_writable: true,
    is_privileged: false,
    is_mmio: false,
};

fn small_domain(is_lazy: bool) -> IommuDomain {
    let flush = if is_lazy {
        FlushMode::Lazy {
            queues: FlushQueues::PerCpu,
            entries: 3,
            timeout: Duration::from_millis(10),
        }
    } else {
        FlushMode::Strict
    };
    let config = DomainConfig::default()
        .with_flush(flush)
        .with_aperture(Aperture {
            first: DmaAddr::new(FIRST),
            last: DmaAddr::new(LAST),
            is_forced: true,
        })
        .with_reserved(vec![ReservedRegion {
            start: DmaAddr::new(MSI.start),
            bytes: MSI.end - MSI.start,
        }]);
    IommuDomain::new(&config).unwrap()
}

#[derive(Debug, Clone)]
enum Step {
    Alloc { pages: u64, limit: u64, cpu: u32 },
    Free { pick: usize },
    Flush,
}

fn any_step() -> impl Strategy<Value = Step> {
    let pages = prop_oneof![4 => 1..=4_u64, 2 => 5..=40_u64, 1 => 60..=200_u64];
    let alloc = (pages, FIRST..=2 * LAST, 0..3_u32);
    prop_oneof![
        5 => alloc.prop_map(|(pages, limit, cpu)| Step::Alloc { pages, limit, cpu }),
        4 => any::<usize>().prop_map(|pick| Step::Free { pick }),
        1 => Just(Step::Flush),
    ]
}

/// Bytes that a request for `pages` pages takes.
fn taken(pages: u64) -> u64 {
    let taken = if pages < 32 {
        pages.next_power_of_two()
    } else {
        pages
    };
    taken * GRANULE
}

proptest! {
    #[test]
    fn ranges_given_out_are_aligned_below_their_limit_and_never_overlap(
        steps in prop::collection::vec(any_step(), 1..200),
        is_lazy: bool,
    ) {
        let domain = small_domain(is_lazy);
        let mut live: BTreeMap<u64, u64> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Alloc { pages, limit, cpu } => {
                    let result = domain.alloc_iova(pages * GRANULE, limit, CpuId(cpu));
                    let Ok(iova) = result else {
                        continue;
                    };
                    let (start, bytes) = (iova.raw(), taken(pages));
                    let end = start + bytes;
                    prop_assert_eq!(start % (pages.next_power_of_two() * GRANULE), 0);
                    prop_assert!(start >= FIRST && end - 1 <= limit.min(LAST));
                    prop_assert!(end <= MSI.start || start >= MSI.end);
                    let mut others = live.iter();
                    let overlap = others.find(|&(&other, &len)| start < other + len && other < end);
                    prop_assert_eq!(overlap, None, "{:#x}", start);
                    live.insert(start, bytes);
                }
                Step::Free { pick } => {
                    let Some(&start) = live.keys().nth(pick % live.len().max(1)) else {
                        continue;
                    };
                    live.remove(&start);
                    domain.free_iova(DmaAddr::new(start)).unwrap();
                }
                Step::Flush => domain.flush(),
            }
            let granted: BTreeMap<u64, u64> = domain
                .granted_ranges()
                .into_iter()
                .map(|(iova, bytes)| (iova.raw(), bytes))
                .collect();
            prop_assert_eq!(&granted, &live);
        }
        // All of it comes back, also from the caches of other CPUs.
        for start in live.into_keys() {
            domain.free_iova(DmaAddr::new(start)).unwrap();
        }
        domain.flush();
        let pages = std::iter::from_fn(|| domain.alloc_iova(1, LAST, CpuId(7)).ok()).count();
        let usable = (LAST + 1 - FIRST - (MSI.end - MSI.start)) / GRANULE;
        prop_assert_eq!(pages as u64, usable);
    }

    #[test]
    fn every_page_translates_as_a_table_with_one_entry_a_page_says(
        steps in prop::collection::vec((any::<bool>(), 8..40_u64, 1..6_u64, 0..64_u64), 1..80),
    ) {
        let domain = small_domain(false);
        let mut table: BTreeMap<u64, u64> = BTreeMap::new();
        for (is_map, page, pages, phys) in steps {
            let (iova, bytes) = (DmaAddr::new(page * GRANULE), pages * GRANULE);
            let range = page..page + pages;
            let mapped = table.range(range.clone()).count() as u64;
            if is_map {
                let result = domain.map(iova, PhysAddr::new(phys * GRANULE), bytes, ALL);
                prop_assert_eq!(result.is_ok(), mapped == 0);
                if mapped == 0 {
                    table.extend(range.clone().map(|at| (at, phys + at - page)));
                }
            } else {
                prop_assert_eq!(domain.unmap(iova, bytes), mapped * GRANULE);
                table.retain(|at, _| !range.contains(at));
            }
            for page in 7..48 {
                let addr = DmaAddr::new(page * GRANULE + 5);
                let expected = table.get(&page).map(|phys| PhysAddr::new(phys * GRANULE + 5));
                let found = domain.translate(addr, true);
                prop_assert_eq!(found.as_ref().ok().copied(), expected);
                if let Err(fault) = found {
                    prop_assert_eq!(fault.reason, FaultReason::NotMapped);
                }
            }
            prop_assert_eq!(domain.stats().mapped_bytes, table.len() as u64 * GRANULE);
        }
    }
}
