//! The common case beside the general way, through the same random states.

use super::*;
use crate::area::CpuId;
use crate::attrs::Attrs;
use crate::direction::DataDirection;
use crate::platform::{Platform, RamRange};
use crate::pool::{AllocatorId, PoolGeometry};
use crate::sizing::BootConfig;
use crate::snapshot::{InvariantBreach, PoolSnapshot};
use crate::sparse_memory::SparseMemory;
use crate::test_random::TestRandom;

const POOL: u64 = 0x100_0800;
const ORIGINAL: u64 = 0x4000_0000;
const TO_DEVICE: DataDirection = DataDirection::ToDevice;

/// A layer with one device.
struct Machine {
    swiotlb: Swiotlb,
    dev: Device,
}

impl Machine {
    fn new(mem: &mut SparseMemory, areas: u32, mode: Mode, dev: Device) -> Self {
        let geometry = PoolGeometry {
            base: PhysAddr::new(POOL),
            slots: 1024,
            areas,
        };
        let (platform, boot) = (Platform::default(), BootConfig::default());
        let swiotlb = Swiotlb::with_pool(mem, platform, boot, mode, geometry).unwrap();
        Self { swiotlb, dev }
    }

    /// Returns all that can be seen of the pool. Its table must not contradict itself, though stray
    /// releases may upset the counts of its areas, as in the kernel.
    fn look(&self) -> Option<PoolSnapshot> {
        let id = self.swiotlb.pools(AllocatorId::DEFAULT).next().unwrap();
        let breach = self.swiotlb.check_invariants(id).err();
        assert!(!matches!(breach, Some(InvariantBreach::Table { .. })));
        self.swiotlb.snapshot(id)
    }
}

fn memory() -> SparseMemory {
    let range = |start, bytes| RamRange {
        start: PhysAddr::new(start),
        bytes,
    };
    SparseMemory::new(&[range(0x100_0000, 0x40_0000), range(ORIGINAL, 0x10_0000)]).unwrap()
}

fn some_request(random: &mut TestRandom) -> BounceRequest {
    let any = 1 + random.below(0x4_0000);
    BounceRequest {
        orig: PhysAddr::new(ORIGINAL + random.below(0x1_0000)),
        bytes: random.one_of(&[64, 2048, 4096, 4096, 0x1_0000, 0x2_0000, 0x4_0000, any]),
        alloc_align_mask: 0,
        dir: TO_DEVICE,
        attrs: Attrs::NO_WARN,
        cpu: CpuId(u32::try_from(random.below(4)).unwrap()),
    }
}

/// Does the same with a device that is the common case and with `other`. Returns the step at which
/// the answers differ.
fn first_difference(areas: u32, mode: Mode, other: Device) -> Option<u32> {
    let mut random = TestRandom(u64::from(areas));
    let mem = &mut memory();
    let common = Machine::new(mem, areas, mode, Device::new("common"));
    let other = Machine::new(mem, areas, mode, other);
    let mut live: Vec<(PhysAddr, u64)> = Vec::new();
    for step in 0..1500 {
        let takes = if step % 300 < 150 { 7 } else { 3 };
        let is_same = if random.below(10) < takes || live.is_empty() {
            let request = some_request(&mut random);
            let ours = common.swiotlb.tbl_map_single(mem, &common.dev, &request);
            let theirs = other.swiotlb.tbl_map_single(mem, &other.dev, &request);
            live.extend(ours.iter().map(|bounce| (bounce.tlb_addr, request.bytes)));
            ours == theirs
        } else {
            let index = usize::try_from(random.below(live.len() as u64)).unwrap();
            let (addr, bytes) = live.swap_remove(index);
            // Now and then a slot too far on, as a driver that is wrong has it.
            let addr = addr.wrapping_add(random.one_of(&[0, 0, 0, 0, 0, 0, 0, 2048]));
            let mut unmap = |Machine { swiotlb, dev }: &Machine| {
                swiotlb.tbl_unmap_single(mem, dev, addr, bytes, TO_DEVICE, Attrs::NONE)
            };
            unmap(&common) == unmap(&other)
        };
        if !is_same || common.look() != other.look() {
            return Some(step);
        }
    }
    None
}

/// A boundary that no pool reaches: nothing to do with the common case, and no other answers.
fn far_boundary() -> Device {
    Device::new("general").with_seg_boundary(u64::MAX >> 1)
}

#[test]
fn the_common_case_answers_as_the_general_way() {
    assert!(!far_boundary().is_unconstrained());
    for mode in [Mode::Kernel, Mode::Strict] {
        for areas in [1, 4] {
            let difference = first_difference(areas, mode, far_boundary());
            assert_eq!(difference, None, "{mode:?}, {areas} areas");
        }
    }
}

#[test]
fn a_device_that_is_placed_otherwise_is_told_from_the_common_case() {
    let aligned = Device::new("aligned").with_min_align_mask(0xfff);
    assert!(first_difference(1, Mode::Kernel, aligned).is_some());
}
