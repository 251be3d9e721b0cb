//! Memory that CPU and device share without sync: where it comes from, and where it goes back to.

mod alloc;
mod atomic;
mod cma;
mod direct;
mod free;
mod gfp;
mod handle;
mod managed;
mod mmap;
mod noncoherent;
mod noncontiguous;
mod page_region;
mod private;

pub use cma::{CmaId, CmaParam};
pub use gfp::Gfp;
pub use handle::{AllocRequest, Coherent, CoherentParts, CpuAddr};
pub use managed::Detached;
pub(crate) use managed::Managed;
pub use mmap::UserView;
pub use noncoherent::DmaPages;
pub use noncontiguous::{CpuView, Noncontiguous};

use atomic::AtomicPools;
use cma::CmaAreas;
use page_region::PageRegion;
use private::PrivateRegion;

use crate::device::DeviceId;
use crate::dma_pool::PoolList;

/// What the mapping layer remembers of coherent memory.
#[derive(Debug)]
pub(crate) struct CoherentState {
    private: Vec<PrivateRegion>,
    global: Option<PageRegion>,
    cma: CmaAreas,
    atomic: Option<AtomicPools>,
    managed: Vec<(DeviceId, Managed)>,
    pub(crate) pools: PoolList,
}

impl CoherentState {
    pub(crate) const fn new() -> Self {
        Self {
            private: Vec::new(),
            global: None,
            cma: CmaAreas::NONE,
            atomic: None,
            managed: Vec::new(),
            pools: PoolList::new(),
        }
    }
}
