//! The page allocator of the machine: what coherent memory is made of.

use swiotlb::{PageRequest, PageSource, PhysAddr, RegionSource};

use crate::scenario::plan::Range;

/// Free memory in several places. As Linux's, it gives the highest that the zone of a request allows.
#[derive(Debug, Default)]
pub struct Pages {
    /// Descending.
    regions: Vec<(Range, RegionSource)>,
}

impl Pages {
    /// Gives out these ranges.
    #[must_use]
    pub fn new(ranges: &[Range]) -> Self {
        let mut ranges = ranges.to_vec();
        ranges.sort_unstable_by_key(|range| std::cmp::Reverse(range.base));
        let regions = ranges.into_iter().map(|range| {
            let source = RegionSource::new(PhysAddr::new(range.base), range.bytes);
            (range, source)
        });
        Self {
            regions: regions.collect(),
        }
    }
}

impl PageSource for Pages {
    fn alloc(&mut self, request: &PageRequest) -> Option<PhysAddr> {
        let mut sources = self.regions.iter_mut();
        sources.find_map(|(_, source)| source.alloc(request))
    }

    fn free(&mut self, base: PhysAddr, bytes: u64) {
        let mut regions = self.regions.iter_mut();
        let home = regions.find(|(range, _)| (range.base..range.end()).contains(&base.raw()));
        if let Some((_, source)) = home {
            source.free(base, bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use rebound_sim::memory::HostMemory;
    use swiotlb::{BootConfig, Device, Dma, DmaError, Gfp, Mode, Platform, Swiotlb};

    use super::*;

    #[test]
    fn the_highest_pages_in_reach_are_given_and_taken_back() {
        let range = |base| Range {
            base,
            bytes: 0x10_0000,
        };
        let mut pages = Pages::new(&[range(0x10_0000), range(0x4000_0000)]);
        let dma = Dma::new(Swiotlb::new(
            Platform::default(),
            BootConfig::default(),
            Mode::Kernel,
        ));
        let mut memory = HostMemory::new();
        for base in [0x10_0000, 0x4000_0000] {
            let added = memory.add_range(PhysAddr::new(base), 0x10_0000);
            added.expect("the ranges lie apart");
        }
        let mut device = Device::new("engine");
        let mut alloc = |pages: &mut Pages, bits: u32| -> Result<u64, DmaError> {
            dma.set_mask_and_coherent(&mut device, (1 << bits) - 1)
                .expect("a mask that the platform can serve");
            let ring = dma.alloc_coherent(&mut memory, pages, &device, 4096, Gfp::KERNEL)?;
            let addr = ring.dma_addr().raw();
            dma.free_coherent(pages, &device, ring)
                .map_err(|refused| refused.error())?;
            Ok(addr)
        };
        assert_eq!(alloc(&mut pages, 32), Ok(0x4000_0000));
        // The zone that is tried first lies beyond the device's reach.
        assert_eq!(alloc(&mut pages, 30), Ok(0x10_0000));
        assert_eq!(alloc(&mut pages, 30), Ok(0x10_0000), "it was given back");
        let mut high = Pages::new(&[range(0x4000_0000)]);
        assert!(alloc(&mut high, 30).is_err());
    }
}
