//! Physical memory for tests and replays: ranges of zeros, backed by chunks as they are written.

use crate::addr::PhysAddr;
use crate::memory::{MemoryError, PhysMemory};
use crate::platform::RamRange;

const CHUNK_SHIFT: u32 = 16;
const CHUNK_BYTES: u64 = 1 << CHUNK_SHIFT;
/// Most memory that is taken on: its table alone has 16 MiB.
const MAX_BYTES: u64 = 64 << 30;

/// A memory map that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SparseMemoryError {
    /// The ranges are more than 64 GiB.
    #[error("the ranges of memory have more than {MAX_BYTES} bytes")]
    TooLarge,
    /// A range ends above the 64-bit address space.
    #[error("the range at {start} ends above the 64-bit address space")]
    Wraps {
        /// First byte of the range.
        start: PhysAddr,
    },
    /// Two ranges overlap.
    #[error("the range at {start} overlaps another")]
    Overlaps {
        /// First byte of the higher range.
        start: PhysAddr,
    },
}

#[derive(Debug, Clone, Copy)]
struct Range {
    start: u64,
    end: u64,
    /// Index of the chunk that holds the first byte.
    first_chunk: usize,
}

/// Sparse physical memory.
#[derive(Debug, Clone, Default)]
pub struct SparseMemory {
    ranges: Vec<Range>,
    /// `None` reads as zeros.
    chunks: Vec<Option<Box<[u8]>>>,
    /// Chunks that can be used again; their contents are old.
    spare: Vec<Box<[u8]>>,
    /// Index of the range of the last access.
    last_range: usize,
}

/// A stretch of memory within one chunk.
#[derive(Debug, Clone, Copy)]
struct Piece {
    chunk: usize,
    offset: usize,
    len: usize,
}

impl SparseMemory {
    /// Makes zeroed memory.
    ///
    /// # Errors
    /// If the ranges overlap, wrap, or are too large.
    pub fn new(ranges: &[RamRange]) -> Result<Self, SparseMemoryError> {
        let mut memory = Self::default();
        memory.reset(ranges)?;
        Ok(memory)
    }

    /// Forgets everything and begins with other ranges, using the chunks again.
    ///
    /// # Errors
    /// As [`SparseMemory::new`]; the memory is empty then.
    pub fn reset(&mut self, ranges: &[RamRange]) -> Result<(), SparseMemoryError> {
        self.ranges.clear();
        self.last_range = 0;
        self.spare.extend(self.chunks.drain(..).flatten());
        let mut sorted: Vec<RamRange> = ranges.iter().copied().filter(|r| r.bytes > 0).collect();
        sorted.sort_by_key(|range| range.start);
        let mut total = 0_u64;
        for range in sorted {
            let start = range.start;
            let Some(end) = start.checked_add(range.bytes) else {
                return Err(SparseMemoryError::Wraps { start });
            };
            total = total.saturating_add(range.bytes);
            if total > MAX_BYTES {
                return Err(SparseMemoryError::TooLarge);
            }
            match self.ranges.last_mut() {
                Some(last) if start.raw() < last.end => {
                    return Err(SparseMemoryError::Overlaps { start });
                }
                Some(last) if start.raw() == last.end => last.end = end.raw(),
                _ => self.ranges.push(Range {
                    start: start.raw(),
                    end: end.raw(),
                    first_chunk: 0,
                }),
            }
        }
        let mut chunks = 0;
        for range in &mut self.ranges {
            range.first_chunk = chunks;
            let count = (range.end - range.start).div_ceil(CHUNK_BYTES);
            chunks += usize::try_from(count).unwrap_or(usize::MAX);
        }
        self.chunks.resize(chunks, None);
        Ok(())
    }

    /// Returns the range that holds all of an access.
    #[inline]
    fn range_of(&self, addr: PhysAddr, bytes: u64) -> Result<(usize, Range), MemoryError> {
        let holds = |range: &Range| {
            addr.raw() >= range.start && addr.raw() < range.end && bytes <= range.end - addr.raw()
        };
        if let Some(range) = self.ranges.get(self.last_range)
            && holds(range)
        {
            return Ok((self.last_range, *range));
        }
        if let Some(index) = self.ranges.iter().position(holds) {
            return Ok((index, self.ranges[index]));
        }
        // The first byte that is no memory.
        let first_missing = self
            .ranges
            .iter()
            .find(|range| addr.raw() >= range.start && addr.raw() < range.end)
            .map_or(addr, |range| PhysAddr::new(range.end));
        Err(MemoryError {
            addr: first_missing,
            bytes,
        })
    }

    /// Splits an access, already known to lie in `range`, into chunks: the first piece.
    #[inline]
    fn piece(range: &Range, addr: u64, bytes: u64) -> Piece {
        let place = addr - range.start;
        let offset = place % CHUNK_BYTES;
        let len = bytes.min(CHUNK_BYTES - offset);
        // All three are below the size of memory, which was checked.
        let to_usize = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        Piece {
            chunk: range.first_chunk + to_usize(place >> CHUNK_SHIFT),
            offset: to_usize(offset),
            len: to_usize(len),
        }
    }

    /// Calls `see` with the bytes of a range, stretch by stretch; `None` stands for that many
    /// zeros.
    ///
    /// # Errors
    /// If any byte of the range is not memory.
    pub fn visit(
        &self,
        addr: PhysAddr,
        bytes: u64,
        mut see: impl FnMut(Option<&[u8]>, usize),
    ) -> Result<(), MemoryError> {
        if bytes == 0 {
            return Ok(());
        }
        let (_, range) = self.range_of(addr, bytes)?;
        let (mut at, mut left) = (addr.raw(), bytes);
        while left > 0 {
            let piece = Self::piece(&range, at, left);
            let chunk = self.chunks[piece.chunk].as_deref();
            see(
                chunk.map(|chunk| &chunk[piece.offset..piece.offset + piece.len]),
                piece.len,
            );
            at += piece.len as u64;
            left -= piece.len as u64;
        }
        Ok(())
    }

    /// Calls `change` with the bytes of a range, stretch by stretch.
    ///
    /// # Errors
    /// If any byte of the range is not memory; nothing has changed then.
    pub fn visit_mut(
        &mut self,
        addr: PhysAddr,
        bytes: u64,
        mut change: impl FnMut(&mut [u8]),
    ) -> Result<(), MemoryError> {
        if bytes == 0 {
            return Ok(());
        }
        let (index, range) = self.range_of(addr, bytes)?;
        self.last_range = index;
        let (mut at, mut left) = (addr.raw(), bytes);
        while left > 0 {
            let piece = Self::piece(&range, at, left);
            let chunk = back(&mut self.chunks[piece.chunk], &mut self.spare);
            change(&mut chunk[piece.offset..piece.offset + piece.len]);
            at += piece.len as u64;
            left -= piece.len as u64;
        }
        Ok(())
    }
}

/// Backs a chunk with zeros, if it has no bytes yet.
#[inline]
fn back<'a>(chunk: &'a mut Option<Box<[u8]>>, spare: &mut Vec<Box<[u8]>>) -> &'a mut [u8] {
    chunk.get_or_insert_with(|| match spare.pop() {
        Some(mut old) => {
            old.fill(0);
            old
        }
        None => vec![0; 1 << CHUNK_SHIFT].into_boxed_slice(),
    })
}

impl PhysMemory for SparseMemory {
    fn read(&self, addr: PhysAddr, buf: &mut [u8]) -> Result<(), MemoryError> {
        let mut at = 0;
        self.visit(addr, buf.len() as u64, |bytes, len| {
            let target = &mut buf[at..at + len];
            match bytes {
                Some(bytes) => target.copy_from_slice(bytes),
                None => target.fill(0),
            }
            at += len;
        })
    }

    fn write(&mut self, addr: PhysAddr, buf: &[u8]) -> Result<(), MemoryError> {
        let mut at = 0;
        self.visit_mut(addr, buf.len() as u64, |bytes| {
            bytes.copy_from_slice(&buf[at..at + bytes.len()]);
            at += bytes.len();
        })
    }

    fn copy(&mut self, from: PhysAddr, to: PhysAddr, bytes: u64) -> Result<(), MemoryError> {
        if bytes == 0 {
            return Ok(());
        }
        let (_, from_range) = self.range_of(from, bytes)?;
        let (_, to_range) = self.range_of(to, bytes)?;
        let (mut source_at, mut target_at, mut left) = (from.raw(), to.raw(), bytes);
        while left > 0 {
            let source = Self::piece(&from_range, source_at, left);
            let mut target = Self::piece(&to_range, target_at, left);
            target.len = target.len.min(source.len);
            self.copy_piece(source, target);
            let len = target.len as u64;
            source_at += len;
            target_at += len;
            left -= len;
        }
        Ok(())
    }

    fn zero(&mut self, addr: PhysAddr, bytes: u64) -> Result<(), MemoryError> {
        if bytes == 0 {
            return Ok(());
        }
        let (_, range) = self.range_of(addr, bytes)?;
        let (mut at, mut left) = (addr.raw(), bytes);
        while left > 0 {
            let piece = Self::piece(&range, at, left);
            let chunk = &mut self.chunks[piece.chunk];
            if piece.len == 1 << CHUNK_SHIFT {
                self.spare.extend(chunk.take());
            } else if let Some(chunk) = chunk {
                chunk[piece.offset..piece.offset + piece.len].fill(0);
            }
            at += piece.len as u64;
            left -= piece.len as u64;
        }
        Ok(())
    }
}

impl SparseMemory {
    /// Copies `target.len` bytes between two stretches.
    fn copy_piece(&mut self, source: Piece, target: Piece) {
        let (from, to, len) = (source.offset, target.offset, target.len);
        if source.chunk == target.chunk {
            if let Some(chunk) = &mut self.chunks[source.chunk] {
                chunk.copy_within(from..from + len, to);
            }
            return;
        }
        let pair = self.chunks.get_disjoint_mut([source.chunk, target.chunk]);
        let Ok([source, target]) = pair else { return };
        match source {
            Some(source) => {
                let target = back(target, &mut self.spare);
                target[to..to + len].copy_from_slice(&source[from..from + len]);
            }
            None => {
                if let Some(target) = target {
                    target[to..to + len].fill(0);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start: u64, bytes: u64) -> RamRange {
        RamRange {
            start: PhysAddr::new(start),
            bytes,
        }
    }

    fn memory() -> SparseMemory {
        SparseMemory::new(&[range(0x1000, 0x4_0000), range(0x1_0000_0000, 0x2_0000)]).unwrap()
    }

    fn bytes_at(memory: &SparseMemory, addr: u64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0xee; len];
        memory.read(PhysAddr::new(addr), &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn memory_begins_with_zeros_and_keeps_what_is_written_across_chunks() {
        let mut memory = memory();
        assert_eq!(bytes_at(&memory, 0x1_0ff0, 40), [0; 40]);
        let data: Vec<u8> = (1..=40).collect();
        memory.write(PhysAddr::new(0x1_0ff0), &data).unwrap();
        assert_eq!(bytes_at(&memory, 0x1_0ff0, 40), data);
        memory
            .copy(PhysAddr::new(0x1_0ff0), PhysAddr::new(0x1_0000_fff8), 40)
            .unwrap();
        assert_eq!(bytes_at(&memory, 0x1_0000_fff8, 40), data);
        memory.zero(PhysAddr::new(0x1_0ff4), 32).unwrap();
        let expected: Vec<u8> = [&[1, 2, 3, 4][..], &[0; 32], &[37, 38, 39, 40]].concat();
        assert_eq!(bytes_at(&memory, 0x1_0ff0, 40), expected);
    }

    #[test]
    fn copying_untouched_memory_copies_zeros() {
        let mut memory = memory();
        memory.write(PhysAddr::new(0x2000), &[7; 16]).unwrap();
        memory
            .copy(PhysAddr::new(0x3_0000), PhysAddr::new(0x2004), 4)
            .unwrap();
        let expected = [7, 7, 7, 7, 0, 0, 0, 0, 7, 7, 7, 7, 7, 7, 7, 7];
        assert_eq!(bytes_at(&memory, 0x2000, 16), expected);
    }

    #[test]
    fn an_access_that_leaves_memory_changes_nothing() {
        let mut memory = memory();
        let error = memory.write(PhysAddr::new(0x4_0ffc), &[1; 8]);
        assert_eq!(
            error,
            Err(MemoryError {
                addr: PhysAddr::new(0x4_1000),
                bytes: 8
            })
        );
        assert_eq!(bytes_at(&memory, 0x4_0ffc, 4), [0; 4]);
        assert!(memory.zero(PhysAddr::new(0xfff), 2).is_err());
    }

    #[test]
    fn impossible_maps_are_refused_and_neighbours_join() {
        assert_eq!(
            SparseMemory::new(&[range(0, 0x2000), range(0x1000, 0x2000)]).unwrap_err(),
            SparseMemoryError::Overlaps {
                start: PhysAddr::new(0x1000)
            }
        );
        assert_eq!(
            SparseMemory::new(&[range(0, 1 << 52)]).unwrap_err(),
            SparseMemoryError::TooLarge
        );
        assert!(SparseMemory::new(&[range(u64::MAX, 2)]).is_err());
        let joined = SparseMemory::new(&[range(0x1000, 0x1000), range(0, 0x1000)]).unwrap();
        assert_eq!(bytes_at(&joined, 0xffc, 8), [0; 8]);
    }

    #[test]
    fn a_reset_forgets_old_bytes() {
        let mut memory = memory();
        memory.write(PhysAddr::new(0x2000), &[7; 16]).unwrap();
        memory.reset(&[range(0, 0x1_0000)]).unwrap();
        memory.write(PhysAddr::new(0x100), &[9]).unwrap();
        assert_eq!(
            bytes_at(&memory, 0, 0x1_0000)
                .iter()
                .map(|&b| u32::from(b))
                .sum::<u32>(),
            9
        );
    }
}
