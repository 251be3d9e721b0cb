//! From the DMA address of a beat to memory: IOMMU, windows, faults, pages that devices may not reach.

use swiotlb::{DmaAddr, PhysAddr};

use super::burst::Response;
use super::iommu::{Iommu, IommuAccess};
use super::policy::{AddressWindow, BusPolicy, FaultWindow};
use crate::events::Direction;
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
    iommu: Option<Box<dyn Iommu>>,
    /// No IOMMU, windows, faults or refusals: a DMA address is the physical address.
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
            iommu: None,
            is_plain: false,
        };
        access.is_plain = access.judge_plain();
        access
    }

    fn judge_plain(&self) -> bool {
        self.iommu.is_none()
            && self.windows.is_empty()
            && self.faults.is_empty()
            && !self.refuse_private
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

    pub(super) fn set_iommu(&mut self, iommu: Option<Box<dyn Iommu>>) {
        self.iommu = iommu;
        self.is_plain = self.judge_plain();
    }

    /// Finds the target of a beat on a bus of `bus_bytes` bytes.
    ///
    /// IOMMU and windows work in whole pages and a beat does not leave one, so the beat has one answer.
    pub(super) fn target(&self, memory: &HostMemory, beat: &IommuAccess, bus_bytes: u32) -> Target {
        let dma = beat.dma.raw();
        let is_write = beat.direction == Direction::Write;
        let mut faults = self.faults.iter();
        if let Some(fault) = faults.find(|fault| fault.hits(dma, beat.bytes, is_write)) {
            // Refused before the IOMMU, so that nobody knows where it would have gone.
            let lane0_phys = match self.iommu {
                None => self.memory_at(memory, lane0(dma, bus_bytes), bus_bytes),
                Some(_) => None,
            };
            return Target {
                lane0_phys,
                response: fault.response.into(),
            };
        }
        let bus_addr = match &self.iommu {
            None => lane0(dma, bus_bytes),
            Some(iommu) => match iommu.translate(beat) {
                Ok(phys) => lane0(phys.raw(), bus_bytes),
                Err(response) => {
                    return Target {
                        lane0_phys: None,
                        response,
                    };
                }
            },
        };
        let lane0_phys = self.memory_at(memory, bus_addr, bus_bytes);
        let response = match lane0_phys {
            None => Response::Decerr,
            Some(phys) if self.refuse_private && memory.has_private(phys, u64::from(bus_bytes)) => {
                Response::Decerr
            }
            Some(_) => Response::Okay,
        };
        Target {
            lane0_phys,
            response,
        }
    }

    /// Returns the physical address behind a word of the bus. Only what is memory has one; the rest is an
    /// address that leads nowhere.
    fn memory_at(&self, memory: &HostMemory, word: DmaAddr, bus_bytes: u32) -> Option<PhysAddr> {
        let phys = if self.windows.is_empty() {
            Some(PhysAddr::new(word.raw()))
        } else {
            let mut windows = self.windows.iter();
            windows.find_map(|window| window.translate(word))
        };
        phys.filter(|phys| memory.contains(*phys, u64::from(bus_bytes)))
    }
}

/// Returns the address of byte lane 0 of the beat at `addr`.
const fn lane0(addr: u64, bus_bytes: u32) -> DmaAddr {
    DmaAddr::new(addr & !(bus_bytes as u64 - 1))
}
