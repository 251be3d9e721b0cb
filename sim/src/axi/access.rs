//! From the DMA address of a beat to memory: windows, faults, pages that devices may not reach.

use swiotlb::{DmaAddr, PhysAddr};

use super::burst::Response;
use super::policy::{AddressWindow, BusPolicy, FaultWindow};
use crate::memory::HostMemory;

/// What the byte lanes of a read carry that hold no data of the beat: inactive lanes, failed beats.
/// A core that uses them is found out.
pub const FILLER: u8 = 0xee;
/// [`FILLER`] on eight lanes.
pub(super) const FILLER_WORD: u64 = 0xeeee_eeee_eeee_eeee;

/// The way of a port to memory.
#[derive(Debug)]
pub(super) struct Access {
    windows: Vec<AddressWindow>,
    faults: Vec<FaultWindow>,
    refuse_private: bool,
    /// No windows, faults or refusals: a DMA address is the physical address.
    is_plain: bool,
}

/// Where a beat goes and what it is answered before memory is asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target {
    /// Physical address of byte lane 0, if any.
    pub(super) lane0_phys: Option<PhysAddr>,
    pub(super) response: Response,
}

impl Access {
    pub(super) fn new(policy: &BusPolicy) -> Self {
        let mut access = Self {
            windows: policy.windows.clone(),
            faults: policy.faults.clone(),
            refuse_private: policy.refuse_private,
            is_plain: false,
        };
        access.is_plain = access.judge_plain();
        access
    }

    fn judge_plain(&self) -> bool {
        self.windows.is_empty() && self.faults.is_empty() && !self.refuse_private
    }

    #[inline]
    pub(super) const fn is_plain(&self) -> bool {
        self.is_plain
    }

    pub(super) fn set_faults(&mut self, faults: Vec<FaultWindow>) {
        self.faults = faults;
        self.is_plain = self.judge_plain();
    }

    pub(super) fn faults(&self) -> &[FaultWindow] {
        &self.faults
    }

    /// Finds the target of the beat of `bytes` bytes at `dma` on a bus of `bus_bytes`.
    ///
    /// Windows consist of whole pages and a beat does not leave one, so the beat has one answer.
    pub(super) fn target(
        &self,
        memory: &HostMemory,
        dma: u64,
        bytes: u32,
        bus_bytes: u32,
        is_write: bool,
    ) -> Target {
        let lane0 = DmaAddr::new(dma & !(u64::from(bus_bytes) - 1));
        let lane0_phys = if self.windows.is_empty() {
            Some(PhysAddr::new(lane0.raw()))
        } else {
            self.windows
                .iter()
                .find_map(|window| window.translate(lane0))
        };
        // Only what is memory has a physical address; the rest is a DMA address that leads nowhere.
        let lane0_phys = lane0_phys.filter(|phys| memory.contains(*phys, u64::from(bus_bytes)));
        let fault = self
            .faults
            .iter()
            .find(|fault| fault.hits(dma, bytes, is_write));
        let response = match (fault, lane0_phys) {
            (Some(fault), _) => fault.response.into(),
            (None, None) => Response::Decerr,
            (None, Some(phys))
                if self.refuse_private && memory.has_private(phys, u64::from(bus_bytes)) =>
            {
                Response::Decerr
            }
            (None, Some(_)) => Response::Okay,
        };
        Target {
            lane0_phys,
            response,
        }
    }
}
