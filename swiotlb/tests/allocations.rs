//! Maps, syncs and unmaps take nothing from the program's heap, whatever the way that they go.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
#![cfg(not(shuttle))]

use std::hint::black_box;

use allocation_counter::measure;
use swiotlb::{
    Attrs, BootConfig, BootOptions, BounceInfo, BounceRequest, CpuId, DataDirection, Device, Dma,
    MapError, MapRequest, Mode, NoBytes, PhysAddr, Platform, Policy, PoolGeometry, RegionSource,
    ShrinkerConfig, Swiotlb,
};

const ORIG: u64 = 0x1_0000_0a10;
/// From common ones of one slot and of a page to one that no half of a slot set holds.
const LENGTHS: [u64; 5] = [100, 2048, 4096, 20_000, 200 << 10];

fn layer(policy: Policy, parameters: &str, mode: Mode) -> Swiotlb {
    let mut boot = BootConfig::new(BootOptions {
        policy,
        ..BootOptions::default()
    });
    boot.parse(parameters);
    let geometry = PoolGeometry {
        base: PhysAddr::new(0x100_0000),
        slots: 512,
        areas: 2,
    };
    let platform = Platform::default();
    let mut swiotlb = Swiotlb::with_pool(&mut NoBytes, platform, boot, mode, geometry).unwrap();
    let pages = RegionSource::new(PhysAddr::new(0x200_0000), 0x100_0000);
    swiotlb.set_page_source(Box::new(pages));
    swiotlb
}

fn request(bytes: u64, dir: DataDirection) -> BounceRequest {
    BounceRequest {
        orig: PhysAddr::new(ORIG),
        bytes,
        alloc_align_mask: 0,
        dir,
        attrs: Attrs::NO_WARN,
        cpu: CpuId(1),
    }
}

fn map(swiotlb: &Swiotlb, dev: &Device, request: &BounceRequest) -> Result<BounceInfo, MapError> {
    swiotlb.tbl_map_single(&mut NoBytes, dev, black_box(request))
}

fn unmap(swiotlb: &Swiotlb, dev: &Device, bounce: &BounceInfo, request: &BounceRequest) {
    let BounceRequest { bytes, dir, .. } = *request;
    let addr = bounce.tlb_addr;
    let unmapped = swiotlb.tbl_unmap_single(&mut NoBytes, dev, addr, bytes, dir, Attrs::NONE);
    assert!(unmapped.unwrap().is_some());
}

fn round(swiotlb: &Swiotlb, dev: &Device, align_mask: u32) {
    for bytes in LENGTHS {
        for dir in [DataDirection::ToDevice, DataDirection::Bidirectional] {
            let request = BounceRequest {
                alloc_align_mask: align_mask,
                ..request(bytes, dir)
            };
            let bounce = map(swiotlb, dev, &request).unwrap();
            let addr = bounce.tlb_addr;
            let synced = swiotlb.sync_single_for_cpu(&mut NoBytes, dev, addr, bytes, dir);
            assert!(synced.unwrap().is_some());
            let synced = swiotlb.sync_single_for_device(&mut NoBytes, dev, addr, bytes, dir);
            assert!(synced.unwrap().is_some());
            unmap(swiotlb, dev, &bounce, &request);
        }
    }
}

/// Counts the allocations of some rounds. The first one may allocate: a thread that has never read
/// the list of pools gets a place among its readers.
fn count(swiotlb: &Swiotlb, dev: &Device, align_mask: u32) -> u64 {
    round(swiotlb, dev, align_mask);
    let rounds = || (0..20).for_each(|_| round(swiotlb, dev, align_mask));
    measure(rounds).count_total
}

fn shrinker() -> Policy {
    Policy::Shrinker(ShrinkerConfig::default())
}

/// A layer of two pools, of which the newer is full and the older has one area free.
fn two_pools(policy: Policy, parameters: &str) -> Swiotlb {
    let swiotlb = layer(policy, parameters, Mode::Strict);
    let dev = Device::new("holder");
    let whole_set = request(256 << 10, DataDirection::ToDevice);
    let fill = || -> Vec<_> {
        (0..4)
            .map(|_| map(&swiotlb, &dev, &whole_set).unwrap())
            .collect()
    };
    let older = fill();
    // Finds nothing, gets a pool of its own, and asks for another for all.
    let alone = map(&swiotlb, &dev, &whole_set).unwrap();
    assert!(swiotlb.run_pending_work(&mut NoBytes).added.is_some());
    unmap(&swiotlb, &dev, &alone, &whole_set);
    fill();
    for bounce in &older[..2] {
        unmap(&swiotlb, &dev, bounce, &whole_set);
    }
    swiotlb.run_pending_work(&mut NoBytes);
    swiotlb
}

#[test]
fn the_counter_sees_an_allocation() {
    assert_eq!(measure(|| drop(black_box(Box::new(1)))).count_total, 1);
}

#[test]
fn a_common_mapping_allocates_nothing() {
    for mode in [Mode::Kernel, Mode::Strict] {
        for policy in [Policy::Static, Policy::DynamicPools] {
            let swiotlb = layer(policy, "", mode);
            assert_eq!(count(&swiotlb, &Device::new("d"), 0), 0, "{policy:?}");
        }
    }
}

#[test]
fn a_counted_mapping_allocates_nothing() {
    for policy in [Policy::Static, Policy::DynamicPools, shrinker()] {
        let swiotlb = layer(policy, ",,track_hiwater", Mode::Strict);
        assert_eq!(count(&swiotlb, &Device::new("d"), 0), 0, "{policy:?}");
    }
}

#[test]
fn a_mapping_with_constraints_allocates_nothing() {
    let aligned = || Device::new("d").with_min_align_mask(0xfff);
    let bounded = || aligned().with_seg_boundary(0x3_ffff);
    for parameters in ["", ",,track_hiwater"] {
        let swiotlb = layer(Policy::Static, parameters, Mode::Strict);
        assert_eq!(count(&swiotlb, &aligned(), 0), 0);
        assert_eq!(count(&swiotlb, &bounded(), 0), 0);
        assert_eq!(count(&swiotlb, &aligned(), 0xfff), 0);
    }
}

#[test]
fn a_mapping_that_passes_a_full_pool_allocates_nothing() {
    for policy in [Policy::DynamicPools, shrinker()] {
        for parameters in ["", ",,track_hiwater"] {
            let swiotlb = two_pools(policy, parameters);
            assert_eq!(count(&swiotlb, &Device::new("d"), 0), 0, "{policy:?}");
        }
    }
}

#[test]
fn a_search_in_vain_allocates_nothing() {
    let swiotlb = layer(Policy::Static, "", Mode::Strict);
    let dev = Device::new("d");
    let request = request(256 << 10, DataDirection::ToDevice);
    while map(&swiotlb, &dev, &request).is_ok() {}
    let failures = measure(|| {
        for _ in 0..20 {
            assert!(map(&swiotlb, &dev, &request).is_err());
        }
    });
    assert_eq!(failures.count_total, 0);
}

#[test]
fn the_mapping_layer_allocates_nothing_for_a_bounced_buffer() {
    let dma = Dma::new(layer(Policy::Static, "", Mode::Strict));
    let dev = Device::new("d");
    let pairs = measure(|| {
        for bytes in LENGTHS {
            let request = MapRequest::new(PhysAddr::new(ORIG), bytes, DataDirection::Bidirectional);
            let mapping = dma.map_single(&mut NoBytes, &dev, request).unwrap();
            assert!(mapping.bounced().is_some());
            dma.sync_for_cpu(&mut NoBytes, &dev, &mapping).unwrap();
            dma.sync_for_device(&mut NoBytes, &dev, &mapping).unwrap();
            dma.unmap_single(&mut NoBytes, &dev, mapping).unwrap();
        }
    });
    assert_eq!(pairs.count_total, 0);
}
