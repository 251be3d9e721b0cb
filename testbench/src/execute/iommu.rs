//! The IOMMU of a run: the bus asks its domain where each beat goes, and the scoreboard learns what it stops.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use rebound_sim::axi::{Iommu, IommuAccess, Response};
use rebound_sim::events::Direction;
use swiotlb::{Access, IommuDomain, PhysAddr};

use crate::scoreboard::Scoreboard;

/// A domain as the bus sees it. What it stops is answered with SLVERR, as an Arm SMMU does (Arm 100310, 2.3.10).
#[derive(Debug)]
pub(super) struct BusIommu {
    domain: Arc<IommuDomain>,
    board: Rc<RefCell<Scoreboard>>,
    /// The burst that was stopped last, for each direction: one report a burst is enough.
    stopped: [Cell<Option<u64>>; 2],
}

impl BusIommu {
    pub(super) fn new(domain: Arc<IommuDomain>, board: Rc<RefCell<Scoreboard>>) -> Self {
        Self {
            domain,
            board,
            stopped: Default::default(),
        }
    }
}

impl Iommu for BusIommu {
    fn translate(&self, access: &IommuAccess) -> Result<PhysAddr, Response> {
        let result = self.domain.translate_access(Access {
            iova: access.dma,
            is_write: access.direction == Direction::Write,
            is_privileged: access.is_privileged,
        });
        result.map(|translation| translation.phys).map_err(|fault| {
            let stopped = &self.stopped[access.direction as usize];
            if stopped.replace(Some(access.burst)) != Some(access.burst) {
                self.board.borrow_mut().iommu_fault(&fault, access.cycle);
            }
            Response::Slverr
        })
    }
}
