//! The debug build of dma pools: free memory has a pattern, and must keep it.

use crate::addr::PhysAddr;
use crate::device::Device;
use crate::dma::{Dma, DmaMessage};
use crate::dma_pool::state::Block;
use crate::memory::PhysMemory;

/// What free blocks are filled with.
const POISON: u8 = 0xa7;
/// Bytes looked at in one access.
const WINDOW: usize = 256;

/// Cuts `bytes` bytes into windows: offset and length.
fn windows(bytes: u64) -> impl Iterator<Item = (u64, usize)> {
    let step = WINDOW as u64;
    (0..bytes.div_ceil(step)).map(move |index| {
        let offset = index * step;
        let len = usize::try_from(bytes - offset).map_or(WINDOW, |rest| rest.min(WINDOW));
        (offset, len)
    })
}

/// Fills free memory. It was allocated as memory; should it be none any more, a later check says so.
pub(crate) fn poison<M: PhysMemory + ?Sized>(mem: &mut M, phys: PhysAddr, bytes: u64) {
    for (offset, len) in windows(bytes) {
        let pattern = &[POISON; WINDOW][..len];
        if mem.write(phys.wrapping_add(offset), pattern).is_err() {
            return;
        }
    }
}

/// Reports a block that was written to while it was free.
pub(crate) fn check_poison<M: PhysMemory + ?Sized>(
    dma: &Dma,
    mem: &M,
    dev: &Device,
    pool: &str,
    block: Block,
    bytes: u64,
) {
    let mut buffer = [0; WINDOW];
    for (offset, len) in windows(bytes) {
        let buffer = &mut buffer[..len];
        if mem.read(block.phys.wrapping_add(offset), buffer).is_err() {
            buffer.fill(0);
        }
        if let Some(place) = buffer.iter().position(|&byte| byte != POISON) {
            let message = DmaMessage::PoolCorrupted {
                pool: pool.to_owned(),
                addr: block.dma_addr,
                offset: offset + place as u64,
            };
            dma.warn(dev, message);
            return;
        }
    }
}
