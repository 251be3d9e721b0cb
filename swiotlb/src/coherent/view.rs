//! The CPU's view of coherent memory: one range of it, whatever pages lie behind.

use std::ops::Range;

use crate::addr::PhysAddr;
use crate::coherent::CoherentState;
use crate::coherent::handle::CpuAddr;
use crate::dma::{Dma, DmaError};
use crate::memory::{MemoryError, PhysMemory};

/// Physically contiguous pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PhysRun {
    /// First byte.
    pub phys: PhysAddr,
    /// Length in bytes.
    pub bytes: u64,
}

/// What a CPU address of coherent memory leads to. Behind an IOMMU that may be pages from anywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoherentView {
    runs: Vec<PhysRun>,
}

impl CoherentView {
    /// Returns the pages in the order of the view.
    #[must_use]
    pub fn runs(&self) -> &[PhysRun] {
        &self.runs
    }

    /// Returns the length in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.runs.iter().map(|run| run.bytes).sum()
    }

    /// Returns the physical address of the byte at `offset`, or `None` behind the end.
    #[must_use]
    pub fn phys_at(&self, offset: u64) -> Option<PhysAddr> {
        phys_at(&self.runs, offset)
    }

    /// Reads through the view.
    ///
    /// # Errors
    /// If the range leaves the memory, or the memory is gone.
    pub fn read<M: PhysMemory + ?Sized>(
        &self,
        mem: &M,
        offset: u64,
        buf: &mut [u8],
    ) -> Result<(), MemoryError> {
        let pieces = self.pieces(offset, buf.len())?;
        pieces
            .into_iter()
            .try_for_each(|(phys, range)| mem.read(phys, &mut buf[range]))
    }

    /// Writes through the view.
    ///
    /// # Errors
    /// As [`CoherentView::read`].
    pub fn write<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        offset: u64,
        buf: &[u8],
    ) -> Result<(), MemoryError> {
        let pieces = self.pieces(offset, buf.len())?;
        pieces
            .into_iter()
            .try_for_each(|(phys, range)| mem.write(phys, &buf[range]))
    }

    /// Splits a range at the borders of runs: physical address, and the part of the caller's buffer.
    fn pieces(
        &self,
        offset: u64,
        len: usize,
    ) -> Result<Vec<(PhysAddr, Range<usize>)>, MemoryError> {
        let mut pieces = Vec::new();
        let (mut skip, mut at) = (offset, 0);
        for run in &self.runs {
            if at == len {
                break;
            }
            let Some(room) = run.bytes.checked_sub(skip).filter(|&room| room > 0) else {
                skip -= run.bytes;
                continue;
            };
            let taken = usize::try_from(room).map_or(len - at, |room| room.min(len - at));
            pieces.push((run.phys.wrapping_add(skip), at..at + taken));
            (skip, at) = (0, at + taken);
        }
        if at == len {
            return Ok(pieces);
        }
        let end = self.runs.last();
        Err(MemoryError {
            addr: end.map_or(PhysAddr::INVALID, |run| run.phys.wrapping_add(run.bytes)),
            bytes: len as u64,
        })
    }
}

/// Returns the physical address of the byte at `offset` of runs, or `None` behind their end.
pub(crate) fn phys_at(runs: &[PhysRun], offset: u64) -> Option<PhysAddr> {
    let mut rest = offset;
    for run in runs {
        if rest < run.bytes {
            return Some(run.phys.wrapping_add(rest));
        }
        rest -= run.bytes;
    }
    None
}

impl CoherentState {
    /// Makes the CPU's view of pages, and remembers them if they do not lie in one piece.
    pub(crate) fn view_of(&mut self, runs: Vec<PhysRun>) -> CpuAddr {
        let first = runs.first().map_or(PhysAddr::INVALID, |run| run.phys);
        if runs.len() == 1 {
            return CpuAddr::Vmalloc(first);
        }
        self.scattered.insert(first, runs);
        CpuAddr::Scattered(first)
    }
}

impl Dma {
    /// Returns what a CPU address leads to, for the `bytes` bytes it was allocated with, in whole
    /// pages. `None` for a cookie, and for scattered memory that was freed.
    #[must_use]
    pub fn coherent_view(&self, cpu: CpuAddr, bytes: u64) -> Option<CoherentView> {
        if matches!(cpu, CpuAddr::Cookie(_)) {
            return None;
        }
        let runs = self.runs_of(cpu, bytes).ok()?;
        Some(CoherentView { runs })
    }

    /// Returns the pages behind a CPU address, a cookie's too.
    pub(crate) fn runs_of(&self, cpu: CpuAddr, bytes: u64) -> Result<Vec<PhysRun>, DmaError> {
        let bytes = self.whole_pages(bytes)?;
        let CpuAddr::Scattered(first) = cpu else {
            let phys = cpu.phys();
            return Ok(vec![PhysRun { phys, bytes }]);
        };
        let runs = self.coherent().scattered.get(&first).cloned();
        let what = "no scattered memory has this CPU address";
        runs.ok_or(DmaError::Invalid { what })
    }
}
