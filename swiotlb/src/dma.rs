//! The DMA-mapping layer: what a driver calls, and when its buffer is bounced.

mod config;
mod debug;
mod directed;
mod emit;
mod error;
mod limits;
mod map;
mod map_cpu;
mod map_sg;
mod mapping;
mod message;
mod parms;
mod sg;
mod sg_mapping;
mod sizes;
mod sync;
mod sync_sg;
mod trace;

pub use config::{DmaConfig, NonCoherentMemory};
pub use directed::{
    Bidirectional, DeviceReads, DeviceWrites, DirectedMapping, Direction, FromDevice, ToDevice,
};
pub use error::{DmaError, Refused};
pub(crate) use map::NEVER_BOUNCED;
pub use map::{CacheWork, MapRequest, Mapped, Unmapped};
pub use mapping::{FailedUnmap, Mapping};
pub use message::DmaMessage;
pub use sg::{Peer, Sg, SgRequest, SgTable, SgWork};
pub use sg_mapping::SgMapping;
pub use sync::Synced;
pub use trace::{AllocCall, DmaTrace, DmaTraceKind, FreeCall, SyncOwner, TRACED_ENTRIES};

pub(crate) use config::parse_size;

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::coherent::CoherentState;
use crate::debug::DmaDebug;
use crate::swiotlb::Swiotlb;

/// The DMA-mapping API over a bounce layer.
///
/// Two doors lead in. The calls on a bare [`crate::DmaAddr`] are shaped as in the kernel, and so
/// can be misused as in the kernel. The calls on a [`Mapping`] cannot: it is moved into the unmap.
#[derive(Debug)]
pub struct Dma {
    swiotlb: Swiotlb,
    config: DmaConfig,
    coherent: Mutex<CoherentState>,
    /// The debug layer, if one watches (`CONFIG_DMA_API_DEBUG`).
    debug: Option<Box<Mutex<DmaDebug>>>,
}

impl Dma {
    /// Puts the mapping layer on a bounce layer, with or without a pool.
    #[must_use]
    pub const fn new(swiotlb: Swiotlb) -> Self {
        Self::with_config(swiotlb, DmaConfig::PC)
    }

    /// As [`Dma::new`], with settings.
    #[must_use]
    pub const fn with_config(swiotlb: Swiotlb, config: DmaConfig) -> Self {
        Self {
            swiotlb,
            config,
            coherent: Mutex::new(CoherentState::new()),
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

    /// Takes the mapping layer off the bounce layer.
    #[must_use]
    pub fn into_swiotlb(self) -> Swiotlb {
        self.swiotlb
    }

    /// Returns the settings.
    #[must_use]
    pub const fn config(&self) -> &DmaConfig {
        &self.config
    }

    /// Returns the state of coherent memory. A panic of another thread left it whole: it changes
    /// only after what can fail.
    pub(crate) fn coherent(&self) -> MutexGuard<'_, CoherentState> {
        self.coherent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
