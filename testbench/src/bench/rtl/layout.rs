//! Where buffers and rings lie, and what memory has to hold before and after.

use rebound_sim::memory::HostMemory;
use swiotlb::{MemoryError, PhysAddr, PhysMemory as _};

use super::cell::Cell;
use crate::pattern::{Kind, filled};

/// Where the first source lies, a whole page but for the offset.
const SOURCES: u64 = 0x100_0000;
/// Where the first destination lies.
const DESTINATIONS: u64 = 0x200_0000;
/// Memory from address 0 on; what nobody writes takes no space.
pub(super) const MEMORY_BYTES: u64 = 0x300_0000;
/// Ring of mm2s.
pub(super) const READ_RING: u64 = 0x10_0000;
/// Ring of s2mm.
pub(super) const WRITE_RING: u64 = 0x20_0000;
/// Bytes before the first and behind the last buffer that are watched too.
const GUARD: u64 = 256;
/// Buffers begin at multiples of this, but for the offset.
const PITCH: u64 = 256;
/// Scatters buffers in an order that no prefetcher guesses; shares no factor with the number of transfers.
const STEP: u64 = 389;

/// The buffers of a cell.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    cell: Cell,
    pitch: u64,
}

impl Layout {
    pub(super) fn new(cell: Cell) -> Self {
        let offset = cell.src_offset.max(cell.dst_offset);
        Self {
            cell,
            pitch: u64::from(cell.bytes + offset).next_multiple_of(PITCH),
        }
    }

    /// Address of a transfer's source.
    pub(super) fn source(&self, transfer: u32) -> u64 {
        SOURCES + self.place(transfer) + u64::from(self.cell.src_offset)
    }

    /// Address of a transfer's destination.
    pub(super) fn destination(&self, transfer: u32) -> u64 {
        DESTINATIONS + self.place(transfer) + u64::from(self.cell.dst_offset)
    }

    fn place(&self, transfer: u32) -> u64 {
        u64::from(transfer) * STEP % u64::from(self.cell.count) * self.pitch
    }

    /// Bytes of an area of buffers, with its guards.
    fn area_bytes(&self) -> usize {
        let bytes = u64::from(self.cell.count) * self.pitch + 2 * GUARD;
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }

    fn sources(&self) -> Vec<u8> {
        filled(Kind::Source { round: 0 }, 1, 0, self.area_bytes())
    }

    fn background(&self) -> Vec<u8> {
        filled(Kind::Background, 2, 0, self.area_bytes())
    }

    /// The bytes of a transfer.
    pub(super) fn data(&self, transfer: u32) -> Vec<u8> {
        let start = self.source(transfer) - (SOURCES - GUARD);
        filled(
            Kind::Source { round: 0 },
            1,
            start,
            self.cell.bytes as usize,
        )
    }

    /// Fills both areas.
    pub(super) fn fill(&self, memory: &mut HostMemory) -> Result<(), MemoryError> {
        memory.write(PhysAddr::new(SOURCES - GUARD), &self.sources())?;
        memory.write(PhysAddr::new(DESTINATIONS - GUARD), &self.background())
    }

    /// Compares both areas, every byte of them, with what the transfers were to leave. `has_written` says whether
    /// they write memory.
    pub(super) fn check(&self, memory: &HostMemory, has_written: bool) -> Result<(), WrongByte> {
        let mut expected = self.background();
        if has_written {
            for transfer in 0..self.cell.count {
                let start = self.destination(transfer) - (DESTINATIONS - GUARD);
                let start = usize::try_from(start).unwrap_or(usize::MAX);
                let data = self.data(transfer);
                expected[start..start + data.len()].copy_from_slice(&data);
            }
        }
        compare(memory, DESTINATIONS - GUARD, &expected)?;
        compare(memory, SOURCES - GUARD, &self.sources())
    }
}

/// A byte that is not what the transfers were to leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("byte at {addr:#x}: expected {expected:#04x}, found {found:#04x}")]
pub(super) struct WrongByte {
    addr: u64,
    expected: u8,
    found: u8,
}

fn compare(memory: &HostMemory, start: u64, expected: &[u8]) -> Result<(), WrongByte> {
    let mut found = vec![0; expected.len()];
    // Both areas are memory, so this cannot fail; if it does, zeros differ from the pattern.
    let _ = memory.read(PhysAddr::new(start), &mut found);
    let mut pairs = (start..).zip(expected.iter().zip(&found));
    match pairs.find(|(_, (expected, found))| expected != found) {
        None => Ok(()),
        Some((addr, (&expected, &found))) => Err(WrongByte {
            addr,
            expected,
            found,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::rtl::cell::{Mode, cells};

    fn memory() -> HostMemory {
        HostMemory::with_range(PhysAddr::new(0), MEMORY_BYTES).expect("a range")
    }

    #[test]
    fn scattered_buffers_do_not_overlap() {
        for cell in cells(&[Mode::CopyRing], &[64], &[1]) {
            let layout = Layout::new(cell);
            let mut starts: Vec<u64> = (0..cell.count).map(|at| layout.destination(at)).collect();
            starts.sort_unstable();
            let least = u64::from(cell.bytes);
            assert!(starts.windows(2).all(|pair| pair[1] - pair[0] >= least));
            let end = DESTINATIONS - GUARD + layout.area_bytes() as u64;
            assert!(end <= MEMORY_BYTES && end - DESTINATIONS <= DESTINATIONS - SOURCES - GUARD);
        }
    }

    #[test]
    fn every_byte_that_is_missing_changed_or_too_much_is_found() {
        for cell in cells(&[Mode::CopyRing], &[64], &[1]) {
            let layout = Layout::new(cell);
            let mut memory = memory();
            layout.fill(&mut memory).expect("memory");
            assert!(layout.check(&memory, true).is_err(), "nothing was copied");
            layout
                .check(&memory, false)
                .expect("nothing was to be copied");
            for transfer in 0..cell.count {
                let to = PhysAddr::new(layout.destination(transfer));
                memory.write(to, &layout.data(transfer)).expect("memory");
            }
            layout.check(&memory, true).expect("all was copied");
            let last = layout.destination(cell.count - 1);
            let bytes = u64::from(cell.bytes);
            for addr in [
                last - 1,
                last,
                last + bytes - 1,
                last + bytes,
                layout.source(0),
            ] {
                let addr = PhysAddr::new(addr);
                let mut byte = [0];
                memory.read(addr, &mut byte).expect("memory");
                memory.write(addr, &[!byte[0]]).expect("memory");
                let wrong = layout.check(&memory, true).expect_err("a byte is wrong");
                assert_eq!((wrong.addr, wrong.expected), (addr.raw(), byte[0]));
                memory.write(addr, &byte).expect("memory");
            }
        }
    }
}
