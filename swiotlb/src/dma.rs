//! The DMA-mapping layer: what a driver calls, and when its buffer is bounced.

mod debug;
mod limits;
mod map;
mod mapping;
mod sync;

pub use map::{CacheWork, MapRequest, Mapped, Unmapped};
pub use mapping::Mapping;
pub use sync::Synced;

use std::sync::Mutex;

use crate::debug::DmaDebug;
use crate::swiotlb::Swiotlb;

/// The DMA-mapping API over a bounce layer.
///
/// Two doors lead in. The calls on a bare [`crate::DmaAddr`] are shaped as in the kernel, and so
/// can be misused as in the kernel. The calls on a [`Mapping`] cannot: it is moved into the unmap.
#[derive(Debug)]
pub struct Dma {
    swiotlb: Swiotlb,
    /// The debug layer, if one watches (`CONFIG_DMA_API_DEBUG`).
    debug: Option<Box<Mutex<DmaDebug>>>,
}

impl Dma {
    /// Puts the mapping layer on a bounce layer, with or without a pool.
    #[must_use]
    pub const fn new(swiotlb: Swiotlb) -> Self {
        Self {
            swiotlb,
            debug: None,
        }
    }

    /// Returns the bounce layer.
    #[must_use]
    pub const fn swiotlb(&self) -> &Swiotlb {
        &self.swiotlb
    }

    /// Returns the bounce layer for changes.
    pub const fn swiotlb_mut(&mut self) -> &mut Swiotlb {
        &mut self.swiotlb
    }
}
