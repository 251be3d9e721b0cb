//! Memory of a probe: two buffers wherever the probe wants them, and a page that stands for all other addresses.
//!
//! Every address of the bus is answered, so that a core that goes astray is seen going there, and its data differs.

use std::cell::RefCell;
use std::rc::Rc;

use rebound_sim::axi::{Iommu, IommuAccess, Response};
use rebound_sim::events::Direction as Way;
use rebound_sim::memory::{HostMemory, MemoryMapError, PAGE_BYTES};
use swiotlb::{MemoryError, PhysAddr, PhysMemory as _};

use crate::characterize::probe::{Wrong, WrongBytes};
use crate::seed::mix;

/// Bytes around a buffer that belong to its memory: room for a core that rounds addresses or reads too far.
const MARGIN: u64 = 2 * PAGE_BYTES;
/// What reads of all other addresses find and what their writes change.
const ASTRAY_READS: PhysAddr = PhysAddr::new(0x1000);
const ASTRAY_WRITES: PhysAddr = PhysAddr::new(0x2000);
/// Where the memory of the buffers begins.
const SOURCE: PhysAddr = PhysAddr::new(1 << 40);
const DESTINATION: PhysAddr = PhysAddr::new(1 << 41);
/// Physical memory for each of them.
const ROOM: u64 = 1 << 36;
/// Tags of bytes, in their two highest bits.
const BACKGROUND: u8 = 0x40;
const CONTENT: u8 = 0x80;
const TAG: u8 = 0xc0;
/// Bytes that are compared to find out how far data is shifted.
const SHIFT_SAMPLE: usize = 64;
/// How far data is looked for.
const SHIFT_REACH: i64 = 128;

/// A range of DMA addresses with memory of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Region {
    dma: u64,
    bytes: u64,
    phys: u64,
}

impl Region {
    fn around(address: u64, bytes: u64, phys: PhysAddr) -> Self {
        let from = (address & !(PAGE_BYTES - 1)).saturating_sub(MARGIN);
        let end = address.saturating_add(bytes).saturating_add(MARGIN);
        // 0 is the end of the address space.
        let to = end.checked_next_multiple_of(PAGE_BYTES).unwrap_or(0);
        Self {
            dma: from,
            bytes: to.wrapping_sub(from),
            phys: phys.raw(),
        }
    }

    fn translate(&self, dma: u64) -> Option<PhysAddr> {
        let offset = dma.checked_sub(self.dma)?;
        (offset < self.bytes).then(|| PhysAddr::new(self.phys + offset))
    }
}

/// What the two buffers of a transfer are: their places and what their bytes should be.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Buffers {
    source: Region,
    destination: Region,
    pub(super) source_at: u64,
    pub(super) destination_at: u64,
    pub(super) bytes: u64,
    salt: u64,
}

impl Buffers {
    /// Places the buffers of a transfer; `salt` makes its data differ from that of others.
    pub(super) fn new(source_at: u64, destination_at: u64, bytes: u64, salt: u64) -> Self {
        Self {
            source: Region::around(source_at, bytes, SOURCE),
            destination: Region::around(destination_at, bytes, DESTINATION),
            source_at,
            destination_at,
            bytes,
            salt,
        }
    }

    /// Whether an address lies in the pages of the buffer that begins at `at`.
    const fn is_in_pages(&self, at: u64, dma: u64) -> bool {
        let first = at / PAGE_BYTES;
        let last = at.saturating_add(self.bytes.saturating_sub(1)) / PAGE_BYTES;
        first <= dma / PAGE_BYTES && dma / PAGE_BYTES <= last
    }

    /// The bytes that the source holds.
    pub(super) fn content(&self) -> Vec<u8> {
        pattern(CONTENT, self.salt, self.source_at, self.bytes)
    }

    /// Fills the memory around both.
    pub(super) fn fill(&self, memory: &mut HostMemory) -> Result<(), MemoryError> {
        for (region, tag) in [(self.source, CONTENT), (self.destination, BACKGROUND)] {
            let bytes = pattern(tag, self.salt, region.dma, region.bytes);
            memory.write(PhysAddr::new(region.phys), &bytes)?;
        }
        Ok(())
    }

    /// Compares the destination with what it should hold.
    pub(super) fn judge(&self, memory: &HostMemory) -> Result<Option<Wrong>, MemoryError> {
        let Some(phys) = self.destination.translate(self.destination_at) else {
            return Ok(None);
        };
        let len = usize::try_from(self.bytes).unwrap_or(usize::MAX);
        let found = memory.read_vec(phys, len)?;
        Ok(self.compare(&found))
    }

    /// Compares bytes that came with what should have come.
    pub(super) fn compare(&self, found: &[u8]) -> Option<Wrong> {
        let wanted = self.content();
        let at = found
            .iter()
            .zip(&wanted)
            .position(|(found, wanted)| found != wanted)?;
        let wrong = found.iter().zip(&wanted).filter(|(a, b)| a != b);
        let background = pattern(BACKGROUND, self.salt, self.destination_at, self.bytes);
        let is_unwritten = (0..found.len())
            .all(|place| found[place] == wanted[place] || found[place] == background[place]);
        let how = match self.shift(found) {
            Some(shift) => WrongBytes::Shifted(shift),
            None if is_unwritten => WrongBytes::Unwritten,
            None => WrongBytes::Other,
        };
        let what = match how {
            WrongBytes::Unwritten => format!("byte {at:#x} was never written"),
            WrongBytes::Shifted(shift) => {
                format!("byte {at:#x} is that of the source {shift} bytes before")
            }
            WrongBytes::Other => format!(
                "byte {at:#x}: expected {:#04x}, found {:#04x}",
                wanted[at], found[at]
            ),
        };
        Some(Wrong {
            offset: at as u64,
            bytes: wrong.count() as u64,
            how,
            what,
        })
    }

    /// How many bytes before its place the data begins in the source, if it is the source's at all.
    fn shift(&self, found: &[u8]) -> Option<i64> {
        let sample = found.get(..SHIFT_SAMPLE.min(found.len()))?;
        if sample.len() < 8 {
            return None;
        }
        (1..=SHIFT_REACH)
            .flat_map(|shift| [shift, -shift])
            .find(|shift| {
                let from = self.source_at.wrapping_add_signed(-shift);
                pattern(CONTENT, self.salt, from, sample.len() as u64) == sample
            })
    }
}

/// The bytes of a tag from a DMA address on: a hash of where they are.
fn pattern(tag: u8, salt: u64, from: u64, bytes: u64) -> Vec<u8> {
    let mut made = Vec::with_capacity(usize::try_from(bytes).unwrap_or(0));
    let mut word = u64::MAX;
    let mut lanes = [0; 8];
    for offset in 0..bytes {
        let address = from.wrapping_add(offset);
        if address / 8 != word {
            word = address / 8;
            lanes =
                mix(salt ^ u64::from(tag) ^ word.wrapping_mul(0x9e37_79b9_7f4a_7c15)).to_le_bytes();
        }
        made.push(tag | (lanes[(address % 8) as usize] & !TAG));
    }
    made
}

/// Makes the memory of a machine.
pub(super) fn machine() -> Result<HostMemory, MemoryMapError> {
    let mut memory = HostMemory::new();
    memory.add_range(ASTRAY_READS, 2 * PAGE_BYTES)?;
    memory.add_range(SOURCE, ROOM)?;
    memory.add_range(DESTINATION, ROOM)?;
    Ok(memory)
}

/// Leads every address of the bus to memory: those of the buffers to theirs, all others to one page.
#[derive(Debug, Clone, Default)]
pub(super) struct Everywhere {
    pub(super) buffers: Rc<RefCell<Buffers>>,
}

impl Iommu for Everywhere {
    fn translate(&self, access: &IommuAccess) -> Result<PhysAddr, Response> {
        let buffers = self.buffers.borrow();
        let dma = access.dma.raw();
        let (source, destination) = (&buffers.source, &buffers.destination);
        // Margins may overlap the other buffer, whose own pages come first.
        let found = if buffers.is_in_pages(buffers.destination_at, dma) {
            destination.translate(dma)
        } else {
            source.translate(dma).or_else(|| destination.translate(dma))
        };
        let astray = match access.direction {
            Way::Read => ASTRAY_READS,
            Way::Write => ASTRAY_WRITES,
        };
        Ok(found.unwrap_or_else(|| astray.wrapping_add(dma % PAGE_BYTES)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(buffers: &Buffers, change: impl FnOnce(&mut Vec<u8>)) -> Option<Wrong> {
        let mut bytes = buffers.content();
        change(&mut bytes);
        buffers.compare(&bytes)
    }

    #[test]
    fn data_is_right_unwritten_shifted_or_wrong() {
        let buffers = Buffers::new(0x4003, 0x8000, 256, 7);
        assert_eq!(found(&buffers, |_| ()), None);
        let background = pattern(BACKGROUND, 7, 0x8000, 256);
        let unwritten = found(&buffers, |bytes| {
            bytes[..3].copy_from_slice(&background[..3]);
        });
        let unwritten = unwritten.expect("three bytes");
        assert_eq!(
            (unwritten.how, unwritten.offset, unwritten.bytes),
            (WrongBytes::Unwritten, 0, 3)
        );
        let rounded = found(&buffers, |bytes| *bytes = pattern(CONTENT, 7, 0x4000, 256));
        assert_eq!(rounded.map(|wrong| wrong.how), Some(WrongBytes::Shifted(3)));
        let flipped = found(&buffers, |bytes| bytes[200] ^= 1).expect("one byte");
        assert_eq!((flipped.how, flipped.bytes), (WrongBytes::Other, 1));
        assert!(
            flipped.what.starts_with("byte 0xc8: expected"),
            "{flipped:?}"
        );
    }

    #[test]
    fn a_buffer_at_either_end_of_the_address_space_has_memory() {
        for address in [0, u64::MAX - 255] {
            let buffers = Buffers::new(address, 0x8000, 128, 1);
            let mut memory = machine().expect("room");
            buffers.fill(&mut memory).expect("it fits");
            assert!(buffers.source.translate(address).is_some());
        }
    }

    #[test]
    fn each_buffer_has_its_pages_where_margins_overlap() {
        let everywhere = Everywhere::default();
        *everywhere.buffers.borrow_mut() = Buffers::new(0x4000, 0x8000, 0x2001, 1);
        let at = |dma, direction| {
            let access = IommuAccess {
                cycle: 0,
                port: 0,
                direction,
                burst: 0,
                dma: swiotlb::DmaAddr::new(dma),
                bytes: 8,
                is_privileged: false,
            };
            everywhere.translate(&access).expect("all is answered")
        };
        assert_eq!(at(0x8000, Way::Write), DESTINATION.wrapping_add(0x2000));
        assert_eq!(at(0x6000, Way::Read), SOURCE.wrapping_add(0x4000));
        assert_eq!(at(0x12_3456, Way::Read), ASTRAY_READS.wrapping_add(0x456));
        assert_eq!(at(0x12_3456, Way::Write), ASTRAY_WRITES.wrapping_add(0x456));
    }
}
