//! Chunks, and the blocks they are cut into.

use crate::addr::{DmaAddr, PhysAddr};
use crate::coherent::CoherentParts;
use crate::dma::DmaError;

/// Addresses of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) phys: PhysAddr,
    pub(crate) dma_addr: DmaAddr,
}

/// How chunks are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) block_bytes: u64,
    pub(crate) chunk_bytes: u64,
    pub(crate) boundary: u64,
}

/// Smallest block: room for what links it while it is free.
const MIN_BLOCK_BYTES: u64 = 16;
/// Largest block asked for.
const MAX_BLOCK_BYTES: u64 = (1 << 31) - 1;

impl Layout {
    pub(crate) fn new(
        bytes: u64,
        align: u64,
        boundary: u64,
        page_bytes: u64,
    ) -> Result<Self, DmaError> {
        let invalid = |what| DmaError::Invalid { what };
        let align = align.max(1);
        if !align.is_power_of_two() {
            return Err(invalid(
                "the alignment of a dma pool must be a power of two",
            ));
        }
        if bytes == 0 || bytes > MAX_BLOCK_BYTES {
            return Err(invalid("a block of a dma pool has 1 to 2^31 - 1 bytes"));
        }
        let block_bytes = bytes.max(MIN_BLOCK_BYTES).checked_next_multiple_of(align);
        let block_bytes = block_bytes.ok_or(invalid("the alignment is too large"))?;
        let chunk_bytes = block_bytes.max(page_bytes);
        let boundary = match boundary {
            0 => chunk_bytes,
            _ if boundary < block_bytes || !boundary.is_power_of_two() => {
                let what = "the boundary of a dma pool must be a power of two not below its blocks";
                return Err(invalid(what));
            }
            _ => boundary.min(chunk_bytes),
        };
        Ok(Self {
            block_bytes,
            chunk_bytes,
            boundary,
        })
    }

    /// Returns where the blocks of a chunk begin: no block crosses a multiple of the boundary.
    pub(crate) fn offsets(&self) -> Vec<u64> {
        let mut offsets = Vec::new();
        let mut offset = 0;
        let mut next_boundary = self.boundary;
        while self.chunk_bytes - offset >= self.block_bytes {
            if offset + self.block_bytes > next_boundary {
                offset = next_boundary;
                next_boundary = next_boundary.saturating_add(self.boundary);
                continue;
            }
            offsets.push(offset);
            offset += self.block_bytes;
        }
        offsets
    }
}

/// What changes in a pool.
#[derive(Debug)]
pub(crate) struct PoolState {
    pub(crate) name: String,
    pub(crate) layout: Layout,
    pub(crate) chunks: Vec<CoherentParts>,
    /// Free blocks; the last one is given out next.
    pub(crate) free: Vec<Block>,
    /// Blocks that are out.
    pub(crate) active: u64,
    /// Blocks there are.
    pub(crate) total: u64,
    pub(crate) is_destroyed: bool,
}

impl PoolState {
    pub(crate) const fn new(name: String, layout: Layout) -> Self {
        Self {
            name,
            layout,
            chunks: Vec::new(),
            free: Vec::new(),
            active: 0,
            total: 0,
            is_destroyed: false,
        }
    }

    pub(crate) const fn layout(&self) -> Result<Layout, DmaError> {
        if self.is_destroyed {
            let what = "the dma pool is destroyed";
            return Err(DmaError::Invalid { what });
        }
        Ok(self.layout)
    }

    /// Puts the blocks of a new chunk in front of the free ones, in ascending order.
    pub(crate) fn add_chunk(&mut self, chunk: CoherentParts) {
        let offsets = self.layout.offsets();
        self.total += offsets.len() as u64;
        let block = |offset: u64| Block {
            phys: chunk.cpu.phys().wrapping_add(offset),
            dma_addr: chunk.dma_addr.wrapping_add(offset),
        };
        self.free.extend(offsets.into_iter().rev().map(block));
        self.chunks.push(chunk);
    }

    /// Returns whether one of the pool's blocks begins there.
    pub(crate) fn holds(&self, block: Block) -> bool {
        self.chunks.iter().any(|chunk| {
            let offset = block.dma_addr.raw().wrapping_sub(chunk.dma_addr.raw());
            let is_same = block.phys == chunk.cpu.phys().wrapping_add(offset);
            offset < chunk.bytes && is_same && self.layout.offsets().contains(&offset)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(bytes: u64, align: u64, boundary: u64) -> Result<Layout, DmaError> {
        Layout::new(bytes, align, boundary, 4096)
    }

    #[test]
    fn blocks_lie_as_in_the_examples() {
        let even = layout(100, 64, 256).unwrap();
        assert_eq!((even.block_bytes, even.chunk_bytes), (128, 4096));
        assert_eq!(even.offsets().len(), 32);
        let gaps = layout(96, 32, 256).unwrap();
        assert_eq!(gaps.offsets()[..5], [0, 96, 256, 352, 512]);
        assert_eq!(gaps.offsets().len(), 32);
    }

    #[test]
    fn sizes_are_rounded_and_impossible_ones_refused() {
        let small = layout(1, 0, 0).unwrap();
        assert_eq!((small.block_bytes, small.boundary), (16, 4096));
        let large = layout(5000, 1, 0).unwrap();
        assert_eq!((large.chunk_bytes, large.boundary), (5000, 5000));
        assert_eq!(large.offsets(), [0]);
        assert_eq!(layout(16, 1, 8192).unwrap().boundary, 4096);
        for (bytes, align, boundary) in [
            (0, 1, 0),
            (1 << 31, 1, 0),
            (u64::MAX, 1, 0),
            (16, 3, 0),
            (100, 1, 64),
            (100, 1, 300),
        ] {
            assert!(layout(bytes, align, boundary).is_err(), "{bytes} {align}");
        }
        let huge = layout(16, 1 << 63, 0).unwrap();
        assert_eq!(huge.offsets(), [0]);
    }
}
