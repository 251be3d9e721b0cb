//! Small coherent blocks of one size (`dma_pool`).

mod create;
mod debug;
mod list;
mod state;

pub use list::PoolInfo;

pub(crate) use list::PoolList;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::addr::{DmaAddr, PhysAddr};
use crate::attrs::Attrs;
use crate::coherent::{AllocRequest, CpuAddr, Gfp};
use crate::device::{Device, DeviceId};
use crate::dma::{Dma, DmaError, DmaMessage, Refused};
use crate::memory::PhysMemory;
use crate::page_source::PageSource;
use crate::swiotlb::Mode;

use state::{Block, PoolState};

/// A pool of small coherent blocks, for descriptors and the like.
///
/// ```compile_fail,E0382
/// # use swiotlb::{Device, Dma, DmaPool, PoolBlock, SparseMemory};
/// fn free_twice(pool: &DmaPool, dma: &Dma, mem: &mut SparseMemory, dev: &Device, block: PoolBlock) {
///     let _ = pool.free(dma, mem, dev, block);
///     let _ = pool.free(dma, mem, dev, block); // moved above
/// }
/// ```
#[must_use = "a pool that is dropped is never destroyed: its memory leaks"]
#[derive(Debug)]
pub struct DmaPool {
    state: Arc<Mutex<PoolState>>,
    device: DeviceId,
}

/// A block of a pool. Not `Clone`: it is moved into [`DmaPool::free`].
#[must_use = "a block that is dropped is never given back"]
#[derive(Debug, PartialEq, Eq)]
pub struct PoolBlock {
    block: Block,
    bytes: u64,
}

impl PoolBlock {
    /// Returns where the CPU reaches it.
    #[must_use]
    pub const fn cpu(&self) -> PhysAddr {
        self.block.phys
    }

    /// Returns where the device reaches it.
    #[must_use]
    pub const fn dma_addr(&self) -> DmaAddr {
        self.block.dma_addr
    }

    /// Returns the length in bytes.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl DmaPool {
    fn lock(&self) -> MutexGuard<'_, PoolState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_device(&self, dev: &Device) -> Result<(), DmaError> {
        if dev.id() == self.device {
            Ok(())
        } else {
            Err(DmaError::WrongDevice)
        }
    }

    /// Takes a block (`dma_pool_alloc`): the one freed last, or the first of a new chunk.
    ///
    /// # Errors
    /// If a new chunk was needed and there is no memory for it, see [`Dma::alloc_attrs`]; if the pool
    /// is destroyed, or belongs to another device.
    #[doc(alias = "dma_pool_alloc")]
    pub fn alloc<M: PhysMemory + ?Sized>(
        &self,
        dma: &Dma,
        mem: &mut M,
        pages: &mut dyn PageSource,
        dev: &Device,
        gfp: Gfp,
    ) -> Result<PoolBlock, DmaError> {
        self.check_device(dev)?;
        if self.lock().free.is_empty() {
            self.grow(dma, mem, pages, dev, gfp)?;
        }
        let mut state = self.lock();
        let Some(block) = state.free.pop() else {
            let why = "the pool has no free block";
            let bytes = state.layout.block_bytes;
            return Err(DmaError::NoMemory { bytes, why });
        };
        state.active += 1;
        let bytes = state.layout.block_bytes;
        if dma.config().has_pool_debug {
            debug::check_poison(dma, mem, dev, &state.name, block, bytes);
        }
        Ok(PoolBlock { block, bytes })
    }

    /// As [`DmaPool::alloc`], with zeros in the block (`dma_pool_zalloc`).
    ///
    /// # Errors
    /// As there.
    #[doc(alias = "dma_pool_zalloc")]
    pub fn zalloc<M: PhysMemory + ?Sized>(
        &self,
        dma: &Dma,
        mem: &mut M,
        pages: &mut dyn PageSource,
        dev: &Device,
        gfp: Gfp,
    ) -> Result<PoolBlock, DmaError> {
        let block = self.alloc(dma, mem, pages, dev, gfp)?;
        if let Err(error) = mem.zero(block.block.phys, block.bytes) {
            let mut state = self.lock();
            state.active -= 1;
            state.free.push(block.block);
            return Err(error.into());
        }
        Ok(block)
    }

    fn grow<M: PhysMemory + ?Sized>(
        &self,
        dma: &Dma,
        mem: &mut M,
        pages: &mut dyn PageSource,
        dev: &Device,
        gfp: Gfp,
    ) -> Result<(), DmaError> {
        let layout = self.lock().layout()?;
        // A block must lie in one piece for the CPU too, which has no virtual addresses here.
        let page_bytes = dma.swiotlb().platform().page_size.bytes();
        let attrs = if layout.chunk_bytes > page_bytes {
            Attrs::FORCE_CONTIGUOUS
        } else {
            Attrs::NONE
        };
        let request = AllocRequest::new(layout.chunk_bytes)
            .with_gfp(gfp)
            .with_attrs(attrs);
        let chunk = dma.alloc_attrs(mem, pages, dev, &request)?.into_parts();
        if dma.config().has_pool_debug {
            debug::poison(mem, chunk.cpu.phys(), chunk.bytes);
        }
        self.lock().add_chunk(chunk);
        Ok(())
    }

    /// Gives a block back (`dma_pool_free`).
    ///
    /// # Errors
    /// If it belongs to another pool or device; the block comes back.
    #[doc(alias = "dma_pool_free")]
    pub fn free<M: PhysMemory + ?Sized>(
        &self,
        dma: &Dma,
        mem: &mut M,
        dev: &Device,
        block: PoolBlock,
    ) -> Result<(), Refused<PoolBlock>> {
        if !self.lock().holds(block.block) {
            let what = "the block belongs to another pool";
            return Err(Refused::new(block, DmaError::Invalid { what }));
        }
        let (cpu, addr) = (CpuAddr::Linear(block.cpu()), block.dma_addr());
        self.free_at(dma, mem, dev, cpu, addr)
            .map_err(|error| Refused::new(block, error))
    }

    /// Gives a block back, named by its addresses (`dma_pool_free`). Outside strict mode and the
    /// debug build nothing is checked, as in the kernel: a foreign block becomes one of the pool's,
    /// a block freed twice is given out twice.
    ///
    /// # Errors
    /// In strict mode and in the debug build, if no block of the pool begins there or it is free
    /// already; nothing has changed then. In any mode, if the pool belongs to another device.
    pub fn free_at<M: PhysMemory + ?Sized>(
        &self,
        dma: &Dma,
        mem: &mut M,
        dev: &Device,
        cpu: CpuAddr,
        addr: DmaAddr,
    ) -> Result<(), DmaError> {
        self.check_device(dev)?;
        let block = Block {
            phys: cpu.phys(),
            dma_addr: addr,
        };
        let mut state = self.lock();
        let is_debug = dma.config().has_pool_debug;
        if is_debug || dma.swiotlb().mode() == Mode::Strict {
            let pool = || state.name.clone();
            let finding = if !state.holds(block) {
                let message = DmaMessage::PoolBadDma { pool: pool(), addr };
                Some((message, "no block of the pool begins there"))
            } else if state.free.contains(&block) {
                let message = DmaMessage::PoolAlreadyFree { pool: pool(), addr };
                Some((message, "the block is free already"))
            } else {
                None
            };
            if let Some((message, what)) = finding {
                if is_debug {
                    dma.warn(dev, message);
                }
                return Err(DmaError::Invalid { what });
            }
        }
        if is_debug {
            debug::poison(mem, block.phys, state.layout.block_bytes);
        }
        state.free.push(block);
        state.active = state.active.saturating_sub(1);
        Ok(())
    }

    /// Gives all memory of the pool back (`dma_pool_destroy`).
    ///
    /// # Errors
    /// If blocks are still out ([`DmaError::Busy`]): the pool's memory leaks. If a chunk could not be
    /// given back, see [`Dma::free_attrs`]; the others are.
    #[doc(alias("dma_pool_destroy", "dmam_pool_destroy"))]
    pub fn destroy<M: PhysMemory + ?Sized>(
        self,
        dma: &Dma,
        mem: &mut M,
        pages: &mut dyn PageSource,
        dev: &Device,
    ) -> Result<(), DmaError> {
        let _ = mem;
        self.check_device(dev)?;
        let mut state = self.lock();
        state.is_destroyed = true;
        let chunks = std::mem::take(&mut state.chunks);
        state.free.clear();
        if state.active > 0 {
            let message = DmaMessage::PoolBusy {
                pool: state.name.clone(),
                active_blocks: state.active,
            };
            dma.warn(dev, message);
            let what = "blocks of the dma pool are still out, its memory leaks";
            return Err(DmaError::Busy { what });
        }
        drop(state);
        let mut result = Ok(());
        for chunk in chunks {
            let cpu = Some(chunk.cpu);
            let freed = dma.free_attrs(pages, dev, chunk.bytes, cpu, chunk.dma_addr, chunk.attrs);
            result = result.and(freed);
        }
        result
    }
}
