//! RAM ranges: which physical addresses are memory at all.

use swiotlb::PhysAddr;

use super::{PAGE_BYTES, PHYS_LIMIT};

/// A range of RAM, half-open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RamRange {
    /// First address.
    pub start: PhysAddr,
    /// First address behind the range.
    pub end: PhysAddr,
}

impl RamRange {
    /// Returns the length in bytes.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.end.raw() - self.start.raw()
    }
}

/// A RAM range or page attribute that cannot be set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MemoryMapError {
    /// The range has no bytes.
    #[error("memory range at {start}: expected at least one page, found 0 bytes")]
    Empty {
        /// Start asked for.
        start: PhysAddr,
    },
    /// The range does not begin and end at page boundaries.
    #[error("memory range at {start} of {bytes:#x} bytes: expected whole pages of 0x1000 bytes")]
    Misaligned {
        /// Start asked for.
        start: PhysAddr,
        /// Length asked for.
        bytes: u64,
    },
    /// The range ends above the 52-bit physical address space.
    #[error(
        "memory range at {start} of {bytes:#x} bytes: expected to end at or below 0x10000000000000 (2^52)"
    )]
    BeyondAddressSpace {
        /// Start asked for.
        start: PhysAddr,
        /// Length asked for.
        bytes: u64,
    },
    /// The range overlaps RAM that is there already.
    #[error(
        "memory range at {start} of {bytes:#x} bytes: overlaps RAM at {} to {}", .other.start, .other.end
    )]
    Overlap {
        /// Start asked for.
        start: PhysAddr,
        /// Length asked for.
        bytes: u64,
        /// The range that is in the way.
        other: RamRange,
    },
    /// An attribute was to be set where there is no RAM.
    #[error("page attribute for {start} of {bytes:#x} bytes: no RAM at {gap}")]
    NotRam {
        /// Start asked for.
        start: PhysAddr,
        /// Length asked for.
        bytes: u64,
        /// First address without RAM.
        gap: PhysAddr,
    },
}

/// Checks that a range is made of whole pages within the address space.
pub(super) fn check_shape(start: PhysAddr, bytes: u64) -> Result<(), MemoryMapError> {
    if bytes == 0 {
        return Err(MemoryMapError::Empty { start });
    }
    if !start.raw().is_multiple_of(PAGE_BYTES) || !bytes.is_multiple_of(PAGE_BYTES) {
        return Err(MemoryMapError::Misaligned { start, bytes });
    }
    match start.checked_add(bytes) {
        Some(end) if end.raw() <= PHYS_LIMIT => Ok(()),
        _ => Err(MemoryMapError::BeyondAddressSpace { start, bytes }),
    }
}

/// The RAM of the machine: ascending, disjoint ranges, adjacent ones joined.
#[derive(Debug, Default)]
pub(super) struct RamRanges {
    all: Vec<RamRange>,
}

impl RamRanges {
    pub(super) fn all(&self) -> &[RamRange] {
        &self.all
    }

    pub(super) fn add(&mut self, start: PhysAddr, bytes: u64) -> Result<(), MemoryMapError> {
        check_shape(start, bytes)?;
        let mut new = RamRange {
            start,
            end: start.wrapping_add(bytes),
        };
        if let Some(other) = self
            .all
            .iter()
            .find(|other| other.start < new.end && new.start < other.end)
        {
            return Err(MemoryMapError::Overlap {
                start,
                bytes,
                other: *other,
            });
        }
        self.all.retain(|other| {
            let touches = other.end == new.start || new.end == other.start;
            if touches {
                new.start = new.start.min(other.start);
                new.end = new.end.max(other.end);
            }
            !touches
        });
        let place = self.all.partition_point(|other| other.start < new.start);
        self.all.insert(place, new);
        Ok(())
    }

    /// Returns the first byte of an access that is not RAM.
    pub(super) fn first_gap(&self, addr: PhysAddr, bytes: u64) -> Option<PhysAddr> {
        if bytes == 0 {
            return None;
        }
        let place = self.all.partition_point(|range| range.end <= addr);
        match self.all.get(place) {
            Some(range) if range.start <= addr => {
                (range.end.raw() - addr.raw() < bytes).then_some(range.end)
            }
            _ => Some(addr),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(raw: u64) -> PhysAddr {
        PhysAddr::new(raw)
    }

    #[test]
    fn adjacent_ranges_become_one_so_that_an_access_may_span_them() {
        let mut ranges = RamRanges::default();
        ranges.add(at(0x3000), 0x1000).unwrap();
        ranges.add(at(0x1000), 0x1000).unwrap();
        assert_eq!(ranges.first_gap(at(0x1800), 0x1000), Some(at(0x2000)));
        ranges.add(at(0x2000), 0x1000).unwrap();
        assert_eq!(
            ranges.all(),
            [RamRange {
                start: at(0x1000),
                end: at(0x4000)
            }]
        );
        assert_eq!(ranges.first_gap(at(0x1000), 0x3000), None);
        assert_eq!(ranges.all()[0].bytes(), 0x3000);
    }

    #[test]
    fn impossible_ranges_are_refused_with_their_reason() {
        let mut ranges = RamRanges::default();
        ranges.add(at(0x1000), 0x2000).unwrap();
        assert_eq!(
            ranges.add(at(0x2000), 0x1000).unwrap_err().to_string(),
            "memory range at 0x2000 of 0x1000 bytes: overlaps RAM at 0x1000 to 0x3000"
        );
        assert_eq!(
            ranges.add(at(0x5000), 0),
            Err(MemoryMapError::Empty { start: at(0x5000) })
        );
        assert!(matches!(
            ranges.add(at(0x5800), 0x1000),
            Err(MemoryMapError::Misaligned { .. })
        ));
        assert!(matches!(
            ranges.add(at(PHYS_LIMIT - 0x1000), 0x2000),
            Err(MemoryMapError::BeyondAddressSpace { .. })
        ));
        assert!(matches!(
            ranges.add(at(u64::MAX - 0xfff), 0x1000),
            Err(MemoryMapError::BeyondAddressSpace { .. })
        ));
        ranges.add(at(PHYS_LIMIT - 0x1000), 0x1000).unwrap();
    }
}
