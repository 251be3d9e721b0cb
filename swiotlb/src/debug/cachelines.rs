//! Cache lines that a device may write: which are mapped, and how often at once.

use std::collections::HashMap;

use crate::addr::PhysAddr;
use crate::attrs::Attrs;

/// Overlaps that the counter of a line can hold (`ACTIVE_CACHELINE_MAX_OVERLAP`).
pub(super) const MAX_OVERLAP: u8 = 7;

/// Attributes with which an overlap is harmless, if both mappings have one of them.
const HARMLESS: Attrs = Attrs::DEBUGGING_IGNORE_CACHELINES.with(Attrs::REQUIRE_COHERENT);

#[derive(Debug)]
struct Line {
    overlaps: u8,
    is_harmless: bool,
}

/// What came of tracking a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tracked {
    /// Nobody else has it mapped.
    New,
    /// It is mapped already.
    Overlaps {
        /// Whether both mappings say that this is intended.
        is_harmless: bool,
        /// Whether the counter could not be raised.
        is_saturated: bool,
    },
    /// No memory for a further line.
    NoMemory,
}

/// The first cache line of each mapping that a device may write.
#[derive(Debug)]
pub(super) struct CacheLines {
    lines: HashMap<u64, Line>,
    shift: u32,
    capacity: usize,
}

impl CacheLines {
    pub(super) fn new(line_bytes: u32, capacity: usize) -> Self {
        Self {
            lines: HashMap::new(),
            shift: line_bytes.max(1).ilog2(),
            capacity,
        }
    }

    /// Returns the number of the line that holds an address.
    pub(super) const fn line_of(&self, phys: PhysAddr) -> u64 {
        phys.raw() >> self.shift
    }

    pub(super) fn insert(&mut self, phys: PhysAddr, attrs: Attrs) -> Tracked {
        let number = self.line_of(phys);
        let is_full = self.lines.len() >= self.capacity;
        let is_harmless = attrs.intersects(HARMLESS);
        match self.lines.get_mut(&number) {
            Some(line) => {
                let is_saturated = line.overlaps == MAX_OVERLAP;
                line.overlaps = (line.overlaps + 1).min(MAX_OVERLAP);
                Tracked::Overlaps {
                    is_harmless: is_harmless && line.is_harmless,
                    is_saturated,
                }
            }
            None if is_full => Tracked::NoMemory,
            None => {
                let line = Line {
                    overlaps: 0,
                    is_harmless,
                };
                self.lines.insert(number, line);
                Tracked::New
            }
        }
    }

    pub(super) fn remove(&mut self, phys: PhysAddr) {
        let number = self.line_of(phys);
        match self.lines.get_mut(&number) {
            Some(line) if line.overlaps > 0 => line.overlaps -= 1,
            Some(_) => drop(self.lines.remove(&number)),
            // Forgotten while the counter was saturated.
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDR: PhysAddr = PhysAddr::new(0x1040);

    #[test]
    fn the_counter_saturates_and_then_forgets_too_early() {
        let mut lines = CacheLines::new(64, 10);
        assert_eq!(lines.insert(ADDR, Attrs::NONE), Tracked::New);
        for count in 1..=9 {
            let expected = Tracked::Overlaps {
                is_harmless: false,
                is_saturated: count > 7,
            };
            assert_eq!(lines.insert(ADDR, Attrs::NONE), expected, "{count}");
        }
        for _ in 0..8 {
            lines.remove(ADDR);
        }
        // Two mappings are left, but the line is not known any more.
        assert_eq!(lines.insert(ADDR, Attrs::NONE), Tracked::New);
    }

    #[test]
    fn an_overlap_is_harmless_only_if_both_say_so() {
        let ignore = Attrs::DEBUGGING_IGNORE_CACHELINES;
        let cases = [
            (ignore, Attrs::REQUIRE_COHERENT, true),
            (ignore, Attrs::NONE, false),
            (Attrs::NONE, ignore, false),
        ];
        for (old, new, is_harmless) in cases {
            let mut lines = CacheLines::new(64, 10);
            lines.insert(ADDR, old);
            let expected = Tracked::Overlaps {
                is_harmless,
                is_saturated: false,
            };
            assert_eq!(lines.insert(ADDR, new), expected);
        }
    }

    #[test]
    fn neighbouring_lines_do_not_overlap() {
        let mut lines = CacheLines::new(64, 2);
        assert_eq!(lines.insert(ADDR, Attrs::NONE), Tracked::New);
        let next = PhysAddr::new(0x1080);
        assert_eq!(lines.insert(next, Attrs::NONE), Tracked::New);
        let third = PhysAddr::new(0x10c0);
        assert_eq!(lines.insert(third, Attrs::NONE), Tracked::NoMemory);
    }
}
