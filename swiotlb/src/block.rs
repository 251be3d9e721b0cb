//! Blocks of memory that pools are made of: asked of the page source, zone by zone, shared if need
//! be, and given back.

use crate::addr::PhysAddr;
use crate::error::InitError;
use crate::page_source::{PageOrigin, PageRequest, PageSource, Zone};
use crate::slot::SLOT_BYTES;
use crate::swiotlb::Swiotlb;

/// Memory that came from a page source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) base: PhysAddr,
    /// Bytes as asked for.
    pub(crate) bytes: u64,
    pub(crate) origin: PageOrigin,
    /// The pages were converted to shared memory.
    pub(crate) is_shared: bool,
}

/// What a block is wanted for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BlockWanted {
    /// Bytes that are needed.
    pub(crate) bytes: u64,
    /// Highest address allowed for the last of them.
    pub(crate) limit: u64,
    pub(crate) is_blocking: bool,
    /// The pages are to be shared with the host.
    pub(crate) is_shared: bool,
}

impl Swiotlb {
    /// Asks for pages: from the pool of shared pages if they must be shared at once, else from the
    /// page allocator.
    pub(crate) fn alloc_block(
        &self,
        source: &mut dyn PageSource,
        wanted: &BlockWanted,
        atomic_limit: u64,
    ) -> Result<Block, InitError> {
        if wanted.is_shared && !wanted.is_blocking {
            return self.alloc_atomic(source, wanted.bytes, atomic_limit);
        }
        let mut block = self.alloc_pages(source, wanted)?;
        if wanted.is_shared {
            if let Err(code) = source.make_shared(block.base, block.bytes) {
                self.give_back(
                    source,
                    &Block {
                        is_shared: true,
                        ..block
                    },
                );
                return Err(InitError::ShareFailed { code });
            }
            block.is_shared = true;
        }
        Ok(block)
    }

    /// Takes pages that are shared already.
    fn alloc_atomic(
        &self,
        source: &mut dyn PageSource,
        bytes: u64,
        limit: u64,
    ) -> Result<Block, InitError> {
        let refused = InitError::NoMemory { bytes };
        if !self.boot.options.has_atomic_pool {
            return Err(refused);
        }
        let base = source
            .alloc(&PageRequest {
                origin: PageOrigin::Atomic,
                bytes,
                align: self.shared.platform.page_size.bytes(),
                zone: Zone::Normal,
                limit: PhysAddr::new(limit),
                is_blocking: false,
            })
            .ok_or(refused)?;
        let block = Block {
            base,
            bytes,
            origin: PageOrigin::Atomic,
            is_shared: false,
        };
        if is_below(base, bytes, limit) {
            return Ok(block);
        }
        self.give_back(source, &block);
        Err(refused)
    }

    /// Asks the page allocator for a power of two of pages. A block above the limit goes back, and
    /// the next lower zone is asked; where there is no block at all, no other zone is.
    fn alloc_pages(
        &self,
        source: &mut dyn PageSource,
        wanted: &BlockWanted,
    ) -> Result<Block, InitError> {
        let page = self.shared.platform.page_size;
        let refused = InitError::NoMemory {
            bytes: wanted.bytes,
        };
        if wanted.bytes == 0 {
            return Err(refused);
        }
        // Next to the end of the address space there is no power of two of pages any more.
        let pages = 1_u64 << page.order_of(wanted.bytes);
        let bytes = page.bytes().checked_mul(pages).ok_or(refused)?;
        let mut zone = Some(self.zone_below(wanted.limit));
        while let Some(asked) = zone {
            let base = source.alloc(&PageRequest {
                origin: PageOrigin::Pages,
                bytes,
                align: bytes,
                zone: asked,
                limit: PhysAddr::new(wanted.limit),
                is_blocking: wanted.is_blocking,
            });
            let Some(base) = base else { break };
            let block = Block {
                base,
                bytes,
                origin: PageOrigin::Pages,
                is_shared: false,
            };
            if is_below(base, wanted.bytes, wanted.limit) {
                return Ok(block);
            }
            self.give_back(source, &block);
            zone = self.next_zone(asked);
        }
        Err(InitError::NoMemory { bytes })
    }

    /// Returns the zone to begin with.
    fn zone_below(&self, limit: u64) -> Zone {
        match self.shared.platform.zone_dma_limit {
            Some(zone_limit) if limit <= zone_limit => Zone::Dma,
            _ if limit <= 0xffff_ffff && self.boot.options.has_zone_dma32 => Zone::Dma32,
            _ => Zone::Normal,
        }
    }

    fn next_zone(&self, zone: Zone) -> Option<Zone> {
        let dma = self.shared.platform.zone_dma_limit.map(|_| Zone::Dma);
        match zone {
            Zone::Normal if self.boot.options.has_zone_dma32 => Some(Zone::Dma32),
            Zone::Normal | Zone::Dma32 => dma,
            Zone::Dma => None,
        }
    }

    /// Gives a block back; shared pages that cannot be made private again are lost, and counted.
    /// Returns the bytes given back.
    pub(crate) fn give_back(&self, source: &mut dyn PageSource, block: &Block) -> u64 {
        if block.is_shared && source.make_private(block.base, block.bytes).is_err() {
            self.count_leaked(block.bytes);
            return 0;
        }
        match block.origin {
            PageOrigin::Atomic => source.free_atomic(block.base, block.bytes),
            _ => source.free(block.base, block.bytes),
        }
        block.bytes
    }
}

/// Returns whether `bytes` bytes at `base` end at or below `limit`, on the grid of slots.
fn is_below(base: PhysAddr, bytes: u64, limit: u64) -> bool {
    let end = base.checked_add(bytes.saturating_sub(1));
    end.is_some_and(|end| end.raw() <= limit) && base.raw().is_multiple_of(SLOT_BYTES)
}
