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
mod view;

pub use cma::{CmaId, CmaParam};
pub use gfp::Gfp;
pub use handle::{AllocRequest, Coherent, CoherentParts, CpuAddr};
pub use managed::Detached;
pub(crate) use managed::Managed;
pub use mmap::UserView;
pub use noncoherent::DmaPages;
pub use noncontiguous::{CpuView, Noncontiguous};
pub use view::{CoherentView, PhysRun};

use std::collections::BTreeMap;

use atomic::AtomicPools;
use cma::CmaAreas;
use page_region::PageRegion;
use private::PrivateRegion;

use crate::addr::PhysAddr;
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
    /// Pages of memory that does not lie in one piece, by the first of them.
    pub(crate) scattered: BTreeMap<PhysAddr, Vec<PhysRun>>,
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
            scattered: BTreeMap::new(),
            pools: PoolList::new(),
        }
    }
}
