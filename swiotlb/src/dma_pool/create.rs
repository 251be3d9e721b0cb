//! Making a dma pool.

use std::sync::{Arc, Mutex};

use crate::coherent::Managed;
use crate::device::Device;
use crate::dma::{Dma, DmaError};
use crate::dma_pool::DmaPool;
use crate::dma_pool::state::{Layout, PoolState};

impl DmaPool {
    /// Makes a pool without memory (`dma_pool_create`). Blocks have `bytes` bytes, at least 16,
    /// rounded up to `align` (0 means 1), and cross no multiple of `boundary` (0 means that they may).
    /// Alignment and boundary count from the start of a chunk, which is page aligned.
    ///
    /// # Errors
    /// If the size is 0 or above 2^31 - 1, the alignment is no power of two, or the boundary is no
    /// power of two or below a block.
    #[doc(alias = "dma_pool_create")]
    pub fn create(
        dma: &Dma,
        dev: &Device,
        name: impl Into<String>,
        bytes: u64,
        align: u64,
        boundary: u64,
    ) -> Result<Self, DmaError> {
        let page_bytes = dma.swiotlb().platform().page_size.bytes();
        let layout = Layout::new(bytes, align, boundary, page_bytes)?;
        let state = Arc::new(Mutex::new(PoolState::new(name.into(), layout)));
        dma.coherent().pools.add(dev.id(), &state);
        Ok(Self {
            state,
            device: dev.id(),
        })
    }

    /// As [`DmaPool::create`]; destroyed when the driver leaves, see [`Dma::detach_driver`]
    /// (`dmam_pool_create`).
    ///
    /// # Errors
    /// As there.
    #[doc(alias = "dmam_pool_create")]
    pub fn create_managed(
        dma: &Dma,
        dev: &Device,
        name: impl Into<String>,
        bytes: u64,
        align: u64,
        boundary: u64,
    ) -> Result<Self, DmaError> {
        let pool = Self::create(dma, dev, name, bytes, align, boundary)?;
        let twin = Self {
            state: Arc::clone(&pool.state),
            device: pool.device,
        };
        dma.manage(dev, Managed::Pool(twin));
        Ok(pool)
    }
}
