//! Host memory: sparse physical memory with several RAM ranges and page attributes.
//!
//! A page takes space when it is first written; untouched RAM reads as zero. The memory is passed to
//! whoever works on it, never stored by them.

mod attribute;
mod ranges;

use std::collections::HashMap;

use swiotlb::{MemoryError, PhysAddr, PhysMemory};

use self::attribute::Attributes;
use self::ranges::RamRanges;

pub use self::attribute::PageAttribute;
pub use self::ranges::{MemoryMapError, RamRange};

/// Bytes of a page: the unit of allocation, of RAM ranges and of attributes.
pub const PAGE_BYTES: u64 = 4096;
/// First physical address that no memory can have: the space has 52 bits.
pub const PHYS_LIMIT: u64 = 1 << 52;

const PAGE: usize = 4096;
const PAGE_SHIFT: u32 = 12;
/// Entries of a lookaside table: one for each value of a byte.
const LOOKASIDE: usize = 256;
/// A page number that no page has.
const NO_PAGE: u64 = u64::MAX;

type Frame = Box<[u8; PAGE]>;

/// The bytes behind physical addresses.
///
/// ```
/// use rebound_sim::memory::HostMemory;
/// use swiotlb::{PhysAddr, PhysMemory};
///
/// let mut memory = HostMemory::new();
/// memory.add_range(PhysAddr::new(0x8000_0000), 1 << 40)?;
/// memory.write(PhysAddr::new(0x90_0000_0123), b"bytes")?;
/// let mut read = [0xff; 7];
/// memory.read(PhysAddr::new(0x90_0000_0123), &mut read)?;
/// assert_eq!(&read, b"bytes\0\0");
/// assert_eq!(memory.resident_bytes(), 4096);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct HostMemory {
    ranges: RamRanges,
    attributes: Attributes,
    frames: Vec<Frame>,
    /// Page number to index in `frames`. Never iterated, so its order cannot leak into a run.
    table: HashMap<u64, usize>,
    /// Recently used entries of `table`, for reads and for writes of the bus: a copy between two
    /// buffers must not make them push each other out.
    read_lookaside: Lookaside,
    write_lookaside: Lookaside,
}

impl HostMemory {
    /// Creates a physical address space without any RAM.
    #[must_use]
    pub fn new() -> Self {
        Self {
            ranges: RamRanges::default(),
            attributes: Attributes::default(),
            frames: Vec::new(),
            table: HashMap::new(),
            read_lookaside: Lookaside::new(),
            write_lookaside: Lookaside::new(),
        }
    }

    /// Creates an address space with one range of RAM.
    ///
    /// # Errors
    /// As [`HostMemory::add_range`].
    pub fn with_range(start: PhysAddr, bytes: u64) -> Result<Self, MemoryMapError> {
        let mut memory = Self::new();
        memory.add_range(start, bytes)?;
        Ok(memory)
    }

    /// Adds `bytes` bytes of RAM from `start` on. Ranges that touch become one.
    ///
    /// # Errors
    /// If the range is empty, is not made of whole pages, overlaps RAM that is there, or ends above
    /// 2^52.
    pub fn add_range(&mut self, start: PhysAddr, bytes: u64) -> Result<(), MemoryMapError> {
        self.ranges.add(start, bytes)
    }

    /// Returns the ranges of RAM in ascending order, adjacent ones joined.
    #[must_use]
    pub fn ranges(&self) -> &[RamRange] {
        self.ranges.all()
    }

    /// Returns whether `bytes` bytes from `addr` on are all RAM.
    #[must_use]
    pub fn contains(&self, addr: PhysAddr, bytes: u64) -> bool {
        self.ranges.first_gap(addr, bytes).is_none()
    }

    /// Gives the pages of a range an attribute.
    ///
    /// # Errors
    /// If the range is not made of whole pages of RAM.
    pub fn set_attribute(
        &mut self,
        start: PhysAddr,
        bytes: u64,
        attribute: PageAttribute,
    ) -> Result<(), MemoryMapError> {
        ranges::check_shape(start, bytes)?;
        if let Some(gap) = self.ranges.first_gap(start, bytes) {
            return Err(MemoryMapError::NotRam { start, bytes, gap });
        }
        self.attributes
            .set(start.raw(), start.raw() + bytes, attribute);
        Ok(())
    }

    /// Returns the attribute of the page at `addr`, or `None` if there is no RAM.
    #[must_use]
    pub fn attribute(&self, addr: PhysAddr) -> Option<PageAttribute> {
        self.contains(addr, 1)
            .then(|| self.attributes.get(addr.raw()))
    }

    /// Returns whether any byte of a range lies in a private page.
    #[must_use]
    pub fn has_private(&self, addr: PhysAddr, bytes: u64) -> bool {
        self.attributes
            .any(addr.raw(), addr.raw().saturating_add(bytes), |attribute| {
                attribute == PageAttribute::Private
            })
    }

    /// Sets `bytes` bytes from `addr` on to `value`.
    ///
    /// # Errors
    /// If any byte of the range is not memory.
    pub fn fill(&mut self, addr: PhysAddr, bytes: u64, value: u8) -> Result<(), MemoryError> {
        self.check(addr, bytes)?;
        for chunk in Chunks::new(addr, bytes) {
            if value == 0 && self.find(chunk.page).is_none() {
                continue; // An absent frame reads as zero already.
            }
            let frame = self.find_or_allocate(chunk.page);
            self.frames[frame][chunk.offset..chunk.offset + chunk.len].fill(value);
        }
        Ok(())
    }

    /// Returns `bytes` bytes from `addr` on as a vector.
    ///
    /// # Errors
    /// If any byte of the range is not memory.
    pub fn read_vec(&self, addr: PhysAddr, bytes: usize) -> Result<Vec<u8>, MemoryError> {
        self.check(addr, bytes as u64)?;
        let mut buf = vec![0; bytes];
        self.read(addr, &mut buf)?;
        Ok(buf)
    }

    /// Returns one byte, or `None` if there is no RAM.
    #[must_use]
    pub fn byte(&self, addr: PhysAddr) -> Option<u8> {
        let mut byte = [0];
        self.read(addr, &mut byte).ok().map(|()| byte[0])
    }

    /// Returns the bytes of the pages written so far.
    #[must_use]
    pub fn resident_bytes(&self) -> u64 {
        self.frames.len() as u64 * PAGE_BYTES
    }

    /// Reads a naturally aligned word, the usual beat of a 64-bit bus.
    #[inline]
    pub(crate) fn read_word(&mut self, addr: u64) -> Option<u64> {
        let (page, offset) = split(addr & !7);
        if let Some(frame) = self.read_lookaside.get(page) {
            let bytes = self.frames[frame][offset..].first_chunk::<8>()?;
            return Some(u64::from_le_bytes(*bytes));
        }
        let mut word = [0; 8];
        self.read_within_page(addr, &mut word)
            .then(|| u64::from_le_bytes(word))
    }

    /// Writes a naturally aligned word; says whether there is memory.
    #[inline]
    pub(crate) fn write_word(&mut self, addr: u64, word: u64) -> bool {
        let (page, offset) = split(addr & !7);
        if let Some(frame) = self.write_lookaside.get(page)
            && let Some(bytes) = self.frames[frame][offset..].first_chunk_mut::<8>()
        {
            *bytes = word.to_le_bytes();
            return true;
        }
        self.write_within_page(addr, &word.to_le_bytes())
    }

    /// Reads naturally aligned words that do not leave a page, a beat of a wide bus.
    #[inline]
    pub(crate) fn read_words(&mut self, addr: u64, words: &mut [u64]) -> bool {
        let (page, offset) = split(addr);
        let Some(frame) = self.frame_to_read(page) else {
            let is_ram = self.contains(PhysAddr::new(addr), words.len() as u64 * 8);
            if is_ram {
                words.fill(0);
            }
            return is_ram;
        };
        let bytes = self.frames[frame][offset..].chunks_exact(8);
        for (word, bytes) in words.iter_mut().zip(bytes) {
            *word = bytes.try_into().map_or(0, u64::from_le_bytes);
        }
        true
    }

    /// Writes naturally aligned words that do not leave a page; says whether there is memory.
    #[inline]
    pub(crate) fn write_words(&mut self, addr: u64, words: &[u64]) -> bool {
        let (page, offset) = split(addr);
        let Some(frame) = self.frame_to_write(page, addr, words.len() as u64 * 8) else {
            return false;
        };
        let bytes = self.frames[frame][offset..].chunks_exact_mut(8);
        for (word, bytes) in words.iter().zip(bytes) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        true
    }

    /// Reads bytes that do not leave a page, by way of the lookaside table; says whether there is memory.
    #[inline]
    pub(crate) fn read_within_page(&mut self, addr: u64, buf: &mut [u8]) -> bool {
        let (page, offset) = split(addr);
        debug_assert!(offset + buf.len() <= PAGE, "a beat crosses a page");
        if let Some(frame) = self.frame_to_read(page) {
            buf.copy_from_slice(&self.frames[frame][offset..offset + buf.len()]);
            return true;
        }
        if self.contains(PhysAddr::new(addr), buf.len() as u64) {
            buf.fill(0);
            return true;
        }
        false
    }

    /// Writes bytes that do not leave a page, by way of the lookaside table; says whether there is memory.
    #[inline]
    pub(crate) fn write_within_page(&mut self, addr: u64, buf: &[u8]) -> bool {
        let (page, offset) = split(addr);
        debug_assert!(offset + buf.len() <= PAGE, "a beat crosses a page");
        let Some(frame) = self.frame_to_write(page, addr, buf.len() as u64) else {
            return false;
        };
        self.frames[frame][offset..offset + buf.len()].copy_from_slice(buf);
        true
    }

    /// Returns the frame of a page that is to be read, or `None` if nothing was written there.
    #[inline]
    fn frame_to_read(&mut self, page: u64) -> Option<usize> {
        if let Some(frame) = self.read_lookaside.get(page) {
            return Some(frame);
        }
        let frame = self.find(page)?;
        self.read_lookaside.set(page, frame);
        Some(frame)
    }

    /// Returns the frame of a page that is to be written, or `None` if there is no memory.
    #[inline]
    fn frame_to_write(&mut self, page: u64, addr: u64, bytes: u64) -> Option<usize> {
        if let Some(frame) = self.write_lookaside.get(page) {
            return Some(frame);
        }
        if !self.contains(PhysAddr::new(addr), bytes) {
            return None;
        }
        let frame = self.find_or_allocate(page);
        self.write_lookaside.set(page, frame);
        Some(frame)
    }

    #[inline(never)]
    fn find(&self, page: u64) -> Option<usize> {
        self.table.get(&page).copied()
    }

    fn find_or_allocate(&mut self, page: u64) -> usize {
        if let Some(frame) = self.find(page) {
            return frame;
        }
        let frame = self.frames.len();
        self.frames.push(Box::new([0; PAGE]));
        self.table.insert(page, frame);
        frame
    }

    fn check(&self, addr: PhysAddr, bytes: u64) -> Result<(), MemoryError> {
        match self.ranges.first_gap(addr, bytes) {
            None => Ok(()),
            Some(addr) => Err(MemoryError { addr, bytes }),
        }
    }
}

impl Default for HostMemory {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for HostMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostMemory")
            .field("ranges", &self.ranges.all())
            .field("resident_bytes", &self.resident_bytes())
            .finish_non_exhaustive()
    }
}

impl PhysMemory for HostMemory {
    fn read(&self, addr: PhysAddr, buf: &mut [u8]) -> Result<(), MemoryError> {
        self.check(addr, buf.len() as u64)?;
        let mut rest = buf;
        for chunk in Chunks::new(addr, rest.len() as u64) {
            let (now, later) = rest.split_at_mut(chunk.len);
            match self.find(chunk.page) {
                Some(frame) => {
                    now.copy_from_slice(
                        &self.frames[frame][chunk.offset..chunk.offset + chunk.len],
                    );
                }
                None => now.fill(0),
            }
            rest = later;
        }
        Ok(())
    }

    fn write(&mut self, addr: PhysAddr, buf: &[u8]) -> Result<(), MemoryError> {
        self.check(addr, buf.len() as u64)?;
        let mut rest = buf;
        for chunk in Chunks::new(addr, buf.len() as u64) {
            let (now, later) = rest.split_at(chunk.len);
            let frame = self.find_or_allocate(chunk.page);
            self.frames[frame][chunk.offset..chunk.offset + chunk.len].copy_from_slice(now);
            rest = later;
        }
        Ok(())
    }

    fn copy(&mut self, from: PhysAddr, to: PhysAddr, bytes: u64) -> Result<(), MemoryError> {
        self.check(from, bytes)?;
        self.check(to, bytes)?;
        let mut done = 0;
        while done < bytes {
            let (from_page, from_offset) = split(from.raw() + done);
            let (to_page, to_offset) = split(to.raw() + done);
            let rest = usize::try_from(bytes - done).unwrap_or(usize::MAX);
            let len = rest.min(PAGE - from_offset).min(PAGE - to_offset);
            self.copy_chunk((from_page, from_offset), (to_page, to_offset), len);
            done += len as u64;
        }
        Ok(())
    }

    fn zero(&mut self, addr: PhysAddr, bytes: u64) -> Result<(), MemoryError> {
        self.fill(addr, bytes, 0)
    }
}

impl HostMemory {
    /// Copies within one source and one target page.
    fn copy_chunk(&mut self, from: (u64, usize), to: (u64, usize), len: usize) {
        let Some(source) = self.find(from.0) else {
            if let Some(target) = self.find(to.0) {
                self.frames[target][to.1..to.1 + len].fill(0);
            }
            return;
        };
        let target = self.find_or_allocate(to.0);
        if source == target {
            self.frames[source].copy_within(from.1..from.1 + len, to.1);
        } else if let Ok([source, target]) = self.frames.get_disjoint_mut([source, target]) {
            target[to.1..to.1 + len].copy_from_slice(&source[from.1..from.1 + len]);
        }
    }
}

/// The part of an access that lies in one page.
struct Chunk {
    page: u64,
    offset: usize,
    len: usize,
}

/// Cuts an access, already known to lie in RAM, at page boundaries.
struct Chunks {
    next: u64,
    rest: u64,
}

impl Chunks {
    const fn new(addr: PhysAddr, bytes: u64) -> Self {
        Self {
            next: addr.raw(),
            rest: bytes,
        }
    }
}

impl Iterator for Chunks {
    type Item = Chunk;

    fn next(&mut self) -> Option<Chunk> {
        if self.rest == 0 {
            return None;
        }
        let (page, offset) = split(self.next);
        let len = (PAGE - offset).min(usize::try_from(self.rest).unwrap_or(usize::MAX));
        self.next += len as u64;
        self.rest -= len as u64;
        Some(Chunk { page, offset, len })
    }
}

/// Cuts an address into page number and offset.
#[inline]
fn split(addr: u64) -> (u64, usize) {
    let offset = (addr & (PAGE_BYTES - 1)) as usize;
    (addr >> PAGE_SHIFT, offset)
}

/// A direct-mapped table of recently used pages.
struct Lookaside(Box<[(u64, usize); LOOKASIDE]>);

impl Lookaside {
    fn new() -> Self {
        Self(Box::new([(NO_PAGE, 0); LOOKASIDE]))
    }

    #[inline]
    fn get(&self, page: u64) -> Option<usize> {
        let (tag, frame) = self.0[Self::slot(page)];
        (tag == page).then_some(frame)
    }

    #[inline]
    fn set(&mut self, page: u64, frame: usize) {
        self.0[Self::slot(page)] = (page, frame);
    }

    #[inline]
    fn slot(page: u64) -> usize {
        // Buffers lie at round addresses: fold the higher bits in, so that they do not meet.
        usize::from((page ^ (page >> 8) ^ (page >> 16)).to_le_bytes()[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BASE: PhysAddr = PhysAddr::new(0x10_0000);

    fn memory() -> HostMemory {
        HostMemory::with_range(BASE, 16 * PAGE_BYTES).unwrap()
    }

    #[test]
    fn untouched_memory_reads_as_zero_and_takes_no_space() {
        let memory = HostMemory::with_range(PhysAddr::new(0), PHYS_LIMIT).unwrap();
        let mut bytes = [0xaa; 16];
        memory
            .read(PhysAddr::new(PHYS_LIMIT - 16), &mut bytes)
            .unwrap();
        assert_eq!(bytes, [0; 16]);
        assert_eq!(memory.resident_bytes(), 0);
    }

    #[test]
    fn a_sparse_space_of_52_bits_takes_only_what_is_written() {
        let mut memory = HostMemory::with_range(PhysAddr::new(0), PHYS_LIMIT).unwrap();
        let pattern: Vec<u8> = (0..=255).collect();
        for shift in 12..52 {
            let addr = PhysAddr::new((1 << shift) - 128);
            memory.write(addr, &pattern).unwrap();
        }
        for shift in 12..52 {
            let addr = PhysAddr::new((1 << shift) - 128);
            assert_eq!(memory.read_vec(addr, 256).unwrap(), pattern, "2^{shift}");
        }
        // Each write touches the pages on both sides of its power of two; 2^12 and 2^13 share one.
        assert_eq!(memory.resident_bytes(), (2 * 40 - 1) * PAGE_BYTES);
    }

    #[test]
    fn an_access_that_leaves_ram_names_the_first_bad_byte_and_changes_nothing() {
        let mut memory = memory();
        let end = BASE.wrapping_add(16 * PAGE_BYTES);
        let error = memory.write(end.wrapping_sub(2), &[1, 2, 3]).unwrap_err();
        assert_eq!(
            error,
            MemoryError {
                addr: end,
                bytes: 3
            }
        );
        assert_eq!(memory.byte(end.wrapping_sub(2)), Some(0));
        assert_eq!(memory.resident_bytes(), 0);
        let below = BASE.wrapping_sub(1);
        assert_eq!(
            memory.read(below, &mut [0; 2]),
            Err(MemoryError {
                addr: below,
                bytes: 2
            })
        );
        assert_eq!(
            memory.copy(BASE, end, 1),
            Err(MemoryError {
                addr: end,
                bytes: 1
            })
        );
        assert!(memory.zero(PhysAddr::new(u64::MAX), 1).is_err());
        assert!(memory.read_vec(PhysAddr::new(u64::MAX), 3).is_err());
    }

    #[test]
    fn words_of_the_bus_and_bytes_of_the_cpu_are_the_same_memory() {
        let mut memory = memory();
        let addr = BASE.raw() + 8;
        assert_eq!(memory.read_word(addr), Some(0));
        assert!(memory.write_word(addr, 0x0807_0605_0403_0201));
        assert_eq!(
            memory.read_vec(PhysAddr::new(addr), 8).unwrap(),
            [1, 2, 3, 4, 5, 6, 7, 8]
        );
        memory.write(PhysAddr::new(addr), &[9]).unwrap();
        assert_eq!(memory.read_word(addr), Some(0x0807_0605_0403_0209));
        assert_eq!(memory.read_word(0), None);
        assert!(!memory.write_word(0, 1));
    }

    #[test]
    fn attributes_default_to_normal_and_follow_the_last_setting() {
        let mut memory = memory();
        assert_eq!(memory.attribute(BASE), Some(PageAttribute::Normal));
        assert_eq!(memory.attribute(PhysAddr::new(0)), None);
        memory
            .set_attribute(BASE, 16 * PAGE_BYTES, PageAttribute::Private)
            .unwrap();
        let shared = BASE.wrapping_add(4 * PAGE_BYTES);
        memory
            .set_attribute(shared, PAGE_BYTES, PageAttribute::Shared)
            .unwrap();
        assert_eq!(memory.attribute(shared), Some(PageAttribute::Shared));
        assert!(!memory.has_private(shared, PAGE_BYTES));
        assert!(memory.has_private(shared, PAGE_BYTES + 1));
        assert!(memory.has_private(shared.wrapping_sub(1), 2));
        let outside = memory.set_attribute(PhysAddr::new(0), PAGE_BYTES, PageAttribute::Shared);
        assert!(matches!(outside, Err(MemoryMapError::NotRam { .. })));
    }

    proptest! {
        #[test]
        fn any_sequence_of_accesses_agrees_with_a_plain_array(
            ops in prop::collection::vec((0u8..5, 0usize..65_000, 0usize..65_000, 0usize..9000, any::<u8>()), 1..40)
        ) {
            let mut memory = memory();
            let mut naive = vec![0u8; 65_536];
            for (kind, a, b, len, value) in ops {
                let len = len.min(naive.len() - a).min(naive.len() - b);
                let at = BASE.wrapping_add(a as u64);
                match kind {
                    0 => {
                        let bytes: Vec<u8> =
                            (0..len).map(|i| value.wrapping_add(u8::try_from(i % 251).unwrap())).collect();
                        memory.write(at, &bytes).unwrap();
                        naive[a..a + len].copy_from_slice(&bytes);
                    }
                    1 => {
                        memory.zero(at, len as u64).unwrap();
                        naive[a..a + len].fill(0);
                    }
                    2 if a.abs_diff(b) >= len => {
                        memory.copy(at, BASE.wrapping_add(b as u64), len as u64).unwrap();
                        naive.copy_within(a..a + len, b);
                    }
                    3 => {
                        memory.fill(at, len as u64, value).unwrap();
                        naive[a..a + len].fill(value);
                    }
                    _ => {
                        let aligned = a & !7;
                        let word = memory.read_word(BASE.raw() + aligned as u64).unwrap();
                        prop_assert_eq!(&word.to_le_bytes()[..], &naive[aligned..aligned + 8]);
                        prop_assert!(memory.write_word(BASE.raw() + aligned as u64, !word));
                        naive[aligned..aligned + 8].copy_from_slice(&(!word).to_le_bytes());
                    }
                }
                prop_assert_eq!(memory.read_vec(at, len).unwrap(), &naive[a..a + len]);
            }
            prop_assert_eq!(memory.read_vec(BASE, naive.len()).unwrap(), naive);
        }
    }
}
