//! Atomic pools: memory prepared beforehand, for callers that cannot wait until it is.

use crate::addr::{DmaAddr, PhysAddr};
use crate::attrs::Attrs;
use crate::coherent::handle::AllocRequest;
use crate::coherent::page_region::PageRegion;
use crate::device::Device;
use crate::dma::{Dma, DmaError, DmaMessage};
use crate::memory::PhysMemory;
use crate::message::Message;
use crate::page_source::{PageSource, Zone};

/// Memory for one pool of 128 KiB.
const RAM_PER_POOL: u64 = 1 << 30;
const MIN_POOL_BYTES: u64 = 128 << 10;

/// One pool.
#[derive(Debug)]
struct AtomicPool {
    zone: Zone,
    is_shared: bool,
    blocks: Vec<PageRegion>,
    wants_growth: bool,
}

impl AtomicPool {
    fn bytes(&self) -> u64 {
        self.blocks.iter().map(PageRegion::bytes).sum()
    }

    fn free_bytes(&self) -> u64 {
        self.blocks.iter().map(PageRegion::free_bytes).sum()
    }

    /// Takes the first fit, aligned to the power of two at or above the size.
    fn alloc(&mut self, pages: u64) -> Option<PhysAddr> {
        let align = pages.checked_next_power_of_two()?;
        self.blocks
            .iter_mut()
            .find_map(|block| block.alloc(pages, align))
    }

    fn free(&mut self, phys: PhysAddr, pages: u64) -> Option<bool> {
        let block = self.blocks.iter_mut().find(|block| block.contains(phys))?;
        Some(block.free(phys, pages))
    }
}

/// The pools, in order DMA, DMA32, kernel.
#[derive(Debug)]
pub(crate) struct AtomicPools {
    initial_bytes: u64,
    pools: Vec<AtomicPool>,
}

/// Returns the order in which zones are searched for a wish.
const fn search_order(wish: Zone) -> [Zone; 3] {
    match wish {
        Zone::Dma => [Zone::Dma, Zone::Dma32, Zone::Normal],
        Zone::Dma32 => [Zone::Dma32, Zone::Dma, Zone::Normal],
        Zone::Normal => [Zone::Normal, Zone::Dma32, Zone::Dma],
    }
}

impl Dma {
    /// Makes the atomic pools (`dma_atomic_pool_init`): one for each zone there is. Their size is
    /// that of `coherent_pool=`, or 128 KiB for each GiB of memory, at least 128 KiB and at most 4
    /// MiB. Returns the bytes made.
    ///
    /// # Errors
    /// If there are pools already ([`DmaError::Busy`]). A pool that got no memory is reported, and
    /// stays empty.
    pub fn init_atomic_pools(&self, pages: &mut dyn PageSource) -> Result<u64, DmaError> {
        if self.coherent().atomic.is_some() {
            let what = "there are atomic pools already";
            return Err(DmaError::Busy { what });
        }
        let platform = self.swiotlb().platform();
        let (has_dma, is_shared) = (platform.zone_dma_limit.is_some(), platform.cc.is_active());
        let has_dma32 = self.has_dma32_zone();
        let initial_bytes = self.initial_pool_bytes();
        let zones = [
            (has_dma, Zone::Dma),
            (has_dma32, Zone::Dma32),
            (true, Zone::Normal),
        ];
        let mut pools = Vec::new();
        for (_, zone) in zones.into_iter().filter(|(exists, _)| *exists) {
            let block = self.make_block(pages, zone, is_shared, initial_bytes);
            if block.is_none() {
                let message = Message::Dma(DmaMessage::AtomicPoolFailed { zone });
                self.log_message(message);
            }
            pools.push(AtomicPool {
                zone,
                is_shared,
                blocks: block.into_iter().collect(),
                wants_growth: false,
            });
        }
        let bytes = pools.iter().map(AtomicPool::bytes).sum();
        self.coherent().atomic = Some(AtomicPools {
            initial_bytes,
            pools,
        });
        Ok(bytes)
    }

    /// Returns whether there is a zone below 4 GiB (`CONFIG_ZONE_DMA32`).
    pub(crate) const fn has_dma32_zone(&self) -> bool {
        self.swiotlb().boot().options.has_zone_dma32
    }

    /// Returns the largest order of pages that the page allocator gives (`MAX_PAGE_ORDER`), as far as
    /// the bytes of a block can be said in 64 bits.
    pub(crate) fn max_page_order(&self) -> u32 {
        let page_bytes = self.swiotlb().platform().page_size.bytes();
        let swiotlb = self.swiotlb();
        let largest = u64::BITS - 1 - page_bytes.ilog2();
        swiotlb.boot().options.max_page_order.min(largest)
    }

    fn initial_pool_bytes(&self) -> u64 {
        let platform = self.swiotlb().platform();
        let largest = platform.page_size.bytes() << self.max_page_order();
        let ram = platform
            .ram
            .iter()
            .fold(0_u64, |sum, range| sum.saturating_add(range.bytes));
        let by_ram = ram / (RAM_PER_POOL / MIN_POOL_BYTES);
        let bytes = self.config().coherent_pool_bytes;
        let bytes = bytes.unwrap_or(by_ram.clamp(MIN_POOL_BYTES, largest.max(MIN_POOL_BYTES)));
        bytes.max(1)
    }

    /// Takes a block for a pool: as large as `bytes` or the page allocator allow, halved as long as
    /// there is none.
    fn make_block(
        &self,
        pages: &mut dyn PageSource,
        zone: Zone,
        is_shared: bool,
        bytes: u64,
    ) -> Option<PageRegion> {
        let page_size = self.swiotlb().platform().page_size;
        let mut order = page_size.order_of(bytes).min(self.max_page_order());
        let (phys, bytes) = loop {
            let bytes = page_size.bytes() << order;
            let request = self.page_request(bytes, zone, true);
            if let Some(phys) = pages.alloc(&request) {
                break (phys, bytes);
            }
            order = order.checked_sub(1)?;
        };
        if is_shared && pages.make_shared(phys, bytes).is_err() {
            // Pages whose state is not known are never used again.
            if pages.make_private(phys, bytes).is_ok() {
                pages.free(phys, bytes);
            } else {
                self.log_message(Message::Dma(DmaMessage::Leaking { phys, bytes }));
            }
            return None;
        }
        PageRegion::new(phys, bytes, page_size.bytes())
    }

    /// Does what was left for a caller that may sleep: atomic pools that ran low grow by a block as
    /// large as they are, at most 4 MiB. They never shrink. Returns the number of blocks added.
    pub fn run_atomic_pool_work(&self, pages: &mut dyn PageSource) -> usize {
        let mut state = self.coherent();
        let pools = state.atomic.as_mut().map(|atomic| &mut atomic.pools);
        let wishes: Vec<(usize, Zone, bool, u64)> = pools
            .into_iter()
            .flatten()
            .enumerate()
            .filter(|(_, pool)| pool.wants_growth)
            .map(|(index, pool)| {
                pool.wants_growth = false;
                (index, pool.zone, pool.is_shared, pool.bytes().max(1))
            })
            .collect();
        drop(state);
        let mut added = 0;
        for (index, zone, is_shared, bytes) in wishes {
            let block = self.make_block(pages, zone, is_shared, bytes);
            let mut state = self.coherent();
            let pool = state
                .atomic
                .as_mut()
                .and_then(|atomic| atomic.pools.get_mut(index));
            if let (Some(pool), Some(block)) = (pool, block) {
                pool.blocks.push(block);
                added += 1;
            }
        }
        added
    }

    /// Returns bytes and free bytes of the atomic pool of a zone, or `None` if there is none.
    #[must_use]
    pub fn atomic_pool_bytes(&self, zone: Zone) -> Option<(u64, u64)> {
        let state = self.coherent();
        let pools = &state.atomic.as_ref()?.pools;
        let pool = pools.iter().find(|pool| pool.zone == zone)?;
        Some((pool.bytes(), pool.free_bytes()))
    }

    /// Takes zeroed memory of an atomic pool (`dma_alloc_from_pool`).
    pub(crate) fn alloc_atomic<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        bytes: u64,
        request: &AllocRequest,
    ) -> Result<(PhysAddr, DmaAddr), DmaError> {
        let is_shared = request.attrs.contains(Attrs::ALLOC_CC_SHARED);
        let addr_of = |phys| self.coherent_addr(dev, phys, is_shared);
        let reaches = |phys| Self::is_coherent_ok(dev, addr_of(phys), bytes);
        let phys = self.alloc_atomic_where(mem, dev, bytes, request, reaches)?;
        Ok((phys, addr_of(phys)))
    }

    /// As [`Dma::alloc_atomic`] behind an IOMMU, where any memory is in reach.
    pub(crate) fn alloc_atomic_anywhere<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        bytes: u64,
        request: &AllocRequest,
    ) -> Result<PhysAddr, DmaError> {
        self.alloc_atomic_where(mem, dev, bytes, request, |_| true)
    }

    fn alloc_atomic_where<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        bytes: u64,
        request: &AllocRequest,
        reaches: impl Fn(PhysAddr) -> bool,
    ) -> Result<PhysAddr, DmaError> {
        let is_shared = request.attrs.contains(Attrs::ALLOC_CC_SHARED);
        let Some(phys) = self.take_atomic(dev, bytes, is_shared, reaches) else {
            if !request.gfp.is_silent() && !request.attrs.contains(Attrs::NO_WARN) {
                self.warn(dev, DmaMessage::AtomicPoolExhausted { bytes });
            }
            let why = "no atomic pool has memory that the device reaches";
            return Err(DmaError::NoMemory { bytes, why });
        };
        if let Err(error) = mem.zero(phys, bytes) {
            self.free_atomic(phys, bytes);
            return Err(error.into());
        }
        Ok(phys)
    }

    fn take_atomic(
        &self,
        dev: &Device,
        bytes: u64,
        is_shared: bool,
        reaches: impl Fn(PhysAddr) -> bool,
    ) -> Option<PhysAddr> {
        let count = bytes / self.swiotlb().platform().page_size.bytes();
        let wish = self.best_zone(dev);
        let mut state = self.coherent();
        let atomic = state.atomic.as_mut()?;
        for zone in search_order(wish) {
            let pool = atomic
                .pools
                .iter_mut()
                .find(|pool| pool.zone == zone && pool.is_shared == is_shared);
            let Some(pool) = pool else {
                continue;
            };
            let taken = pool.alloc(count);
            if pool.free_bytes() < atomic.initial_bytes {
                pool.wants_growth = true;
            }
            let Some(phys) = taken else {
                continue;
            };
            if reaches(phys) {
                return Some(phys);
            }
            pool.free(phys, count);
        }
        None
    }

    /// Gives back to the atomic pool that holds the address: `None` if none does, false if it did
    /// not give this memory.
    pub(crate) fn free_atomic(&self, phys: PhysAddr, bytes: u64) -> Option<bool> {
        let count = bytes / self.swiotlb().platform().page_size.bytes();
        let mut state = self.coherent();
        let atomic = state.atomic.as_mut()?;
        let pools = &mut atomic.pools;
        pools.iter_mut().find_map(|pool| pool.free(phys, count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wish_comes_first_and_then_the_other_zones() {
        use Zone::{Dma, Dma32, Normal};
        assert_eq!(search_order(Dma), [Dma, Dma32, Normal]);
        assert_eq!(search_order(Dma32), [Dma32, Dma, Normal]);
        assert_eq!(search_order(Normal), [Normal, Dma32, Dma]);
    }
}
