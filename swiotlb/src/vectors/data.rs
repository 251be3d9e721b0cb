//! Pseudo-random fills, checksums and numbers, as the format defines them.

use crate::addr::PhysAddr;
use crate::memory::MemoryError;
use crate::sparse_memory::SparseMemory;

/// The byte generator: splitmix64, least significant byte first.
struct SplitMix {
    state: u64,
    /// Bytes of the last group that are not written yet, in the low bits.
    rest: u64,
    rest_bytes: usize,
}

impl SplitMix {
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

    const fn new(seed: u64) -> Self {
        Self {
            state: seed,
            rest: 0,
            rest_bytes: 0,
        }
    }

    #[inline(always)]
    const fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(Self::STEP);
        let z = self.state;
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Fills a stretch; the next one goes on where this ends.
    fn fill(&mut self, bytes: &mut [u8]) {
        let head = self.rest_bytes.min(bytes.len());
        let (begin, bytes) = bytes.split_at_mut(head);
        self.write_rest(begin);
        let (groups, tail) = bytes.as_chunks_mut::<8>();
        // Compiled once per instruction set and chosen at run time: fills are most of a replay.
        self.state = pulp::Arch::new().dispatch(FillGroups {
            groups,
            state: self.state,
        });
        if !tail.is_empty() {
            self.rest = self.next();
            self.rest_bytes = 8;
            self.write_rest(tail);
        }
    }

    fn write_rest(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = self.rest.to_le_bytes()[0];
            self.rest >>= 8;
            self.rest_bytes -= 1;
        }
    }
}

/// Fills whole groups and returns the state behind them.
struct FillGroups<'a> {
    groups: &'a mut [[u8; 8]],
    state: u64,
}

impl pulp::NullaryFnOnce for FillGroups<'_> {
    type Output = u64;

    // Must be inlined to be compiled for the instruction set that was chosen.
    #[inline(always)]
    fn call(self) -> u64 {
        let mut source = SplitMix::new(self.state);
        for group in self.groups {
            *group = source.next().to_le_bytes();
        }
        source.state
    }
}

/// Fills memory from a seed.
pub(super) fn fill(
    mem: &mut SparseMemory,
    addr: u64,
    bytes: u64,
    seed: u64,
) -> Result<(), MemoryError> {
    let mut source = SplitMix::new(seed);
    mem.visit_mut(PhysAddr::new(addr), bytes, |stretch| source.fill(stretch))
}

/// Returns the CRC-32 of memory.
pub(super) fn crc(mem: &SparseMemory, addr: u64, bytes: u64) -> Result<u32, MemoryError> {
    static ZEROS: [u8; 4096] = [0; 4096];
    let mut hasher = crc32fast::Hasher::new();
    mem.visit(PhysAddr::new(addr), bytes, |stretch, len| match stretch {
        Some(stretch) => hasher.update(stretch),
        None => {
            let mut left = len;
            while left > 0 {
                let part = left.min(ZEROS.len());
                hasher.update(&ZEROS[..part]);
                left -= part;
            }
        }
    })?;
    Ok(hasher.finalize())
}

/// Reads a number: hexadecimal with `0x` in front, else decimal.
pub(super) fn parse_number(text: &[u8]) -> Option<u64> {
    let (digits, radix) = match text {
        [b'0', b'x', digits @ ..] => (digits, 16),
        digits => (digits, 10),
    };
    parse_digits(digits, radix)
}

/// Reads a CRC: 8 lower-case hexadecimal digits.
pub(super) fn parse_crc(text: &[u8]) -> Option<u32> {
    if text.len() != 8 || text.iter().any(u8::is_ascii_uppercase) {
        return None;
    }
    u32::try_from(parse_digits(text, 16)?).ok()
}

#[inline]
fn parse_digits(digits: &[u8], radix: u32) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    let mut value = 0_u64;
    for &digit in digits {
        let digit = char::from(digit).to_digit(radix)?;
        value = value
            .checked_mul(u64::from(radix))?
            .checked_add(u64::from(digit))?;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::PhysMemory;
    use crate::platform::RamRange;

    fn memory() -> SparseMemory {
        SparseMemory::new(&[RamRange {
            start: PhysAddr::new(0),
            bytes: 1 << 20,
        }])
        .unwrap()
    }

    #[test]
    fn the_checksum_is_the_common_crc_32() {
        let mut mem = memory();
        mem.write(PhysAddr::new(100), b"123456789").unwrap();
        assert_eq!(crc(&mem, 100, 9), Ok(0xcbf4_3926));
        assert_eq!(crc(&mem, 0x2_0000, 5000), Ok(crc32fast::hash(&[0; 5000])));
        assert_eq!(crc(&mem, 0, 0), Ok(0));
    }

    #[test]
    fn fills_do_not_depend_on_how_memory_is_cut() {
        let mut mem = memory();
        fill(&mut mem, 0xfffb, 31, 0x1234).unwrap();
        fill(&mut mem, 0x8000, 31, 0x1234).unwrap();
        let mut pair = [[0; 31]; 2];
        mem.read(PhysAddr::new(0xfffb), &mut pair[0]).unwrap();
        mem.read(PhysAddr::new(0x8000), &mut pair[1]).unwrap();
        assert_eq!(pair[0], pair[1]);
    }

    #[test]
    fn the_generator_is_splitmix64() {
        let mut source = SplitMix::new(0);
        assert_eq!(source.next(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(source.next(), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn numbers_are_read_in_both_notations() {
        assert_eq!(parse_number(b"0xffffffffffffffff"), Some(u64::MAX));
        assert_eq!(parse_number(b"0x10000000000000000"), None);
        assert_eq!(parse_number(b"1234"), Some(1234));
        for bad in [&b""[..], b"0x", b"12a", b"-1", b"+1"] {
            assert_eq!(parse_number(bad), None);
        }
        assert_eq!(parse_crc(b"cbf43926"), Some(0xcbf4_3926));
        assert_eq!(parse_crc(b"CBF43926"), None);
        assert_eq!(parse_crc(b"cbf4392"), None);
    }
}
