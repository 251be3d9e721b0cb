//! Page attributes: who may reach a page, kept as intervals.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Who may reach a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PageAttribute {
    /// Ordinary RAM of a machine without memory encryption: CPU and devices.
    #[default]
    Normal,
    /// A decrypted page of a confidential guest: CPU and devices.
    Shared,
    /// An encrypted page of a confidential guest: only the CPU; see
    /// [`BusPolicy::refuse_private`](crate::axi::BusPolicy::refuse_private).
    Private,
}

/// Attributes by address; what is not listed is normal.
#[derive(Debug, Default)]
pub(super) struct Attributes {
    /// Start of an interval to its end and attribute; intervals do not overlap.
    intervals: BTreeMap<u64, (u64, PageAttribute)>,
}

impl Attributes {
    pub(super) fn get(&self, addr: u64) -> PageAttribute {
        match self.intervals.range(..=addr).next_back() {
            Some((_, (end, attribute))) if addr < *end => *attribute,
            _ => PageAttribute::Normal,
        }
    }

    /// Returns whether `wanted` holds for any part of `start..end`.
    pub(super) fn any(
        &self,
        start: u64,
        end: u64,
        mut wanted: impl FnMut(PageAttribute) -> bool,
    ) -> bool {
        if start >= end {
            return false;
        }
        let mut at = start;
        let first = self.intervals.range(..=start).next_back();
        let inside = self.intervals.range(start..end);
        for (from, (to, attribute)) in first.into_iter().chain(inside) {
            if *to <= at {
                continue;
            }
            if *from > at && wanted(PageAttribute::Normal) {
                return true;
            }
            if wanted(*attribute) {
                return true;
            }
            at = *to;
        }
        at < end && wanted(PageAttribute::Normal)
    }

    pub(super) fn set(&mut self, start: u64, end: u64, attribute: PageAttribute) {
        self.cut(start);
        self.cut(end);
        while let Some((from, _)) = self.intervals.range(start..end).next() {
            let from = *from;
            self.intervals.remove(&from);
        }
        if attribute != PageAttribute::Normal {
            self.intervals.insert(start, (end, attribute));
        }
    }

    /// Splits the interval that holds `addr` in two.
    fn cut(&mut self, addr: u64) {
        if let Some((from, (end, attribute))) = self.intervals.range_mut(..addr).next_back()
            && addr < *end
        {
            let (_, tail) = (*from, (*end, *attribute));
            *end = addr;
            self.intervals.insert(addr, tail);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KINDS: [PageAttribute; 3] = [
        PageAttribute::Normal,
        PageAttribute::Shared,
        PageAttribute::Private,
    ];

    proptest! {
        #[test]
        fn intervals_agree_with_one_attribute_per_address(
            sets in prop::collection::vec((0u64..64, 1u64..32, 0usize..3), 0..24),
            probe in (0u64..96, 0u64..32),
        ) {
            let mut attributes = Attributes::default();
            let mut naive = [PageAttribute::Normal; 160];
            for (start, len, kind) in sets {
                attributes.set(start, start + len, KINDS[kind]);
                for addr in start..start + len {
                    naive[usize::try_from(addr).unwrap()] = KINDS[kind];
                }
            }
            for (addr, expected) in (0u64..).zip(naive) {
                prop_assert_eq!(attributes.get(addr), expected);
            }
            let (start, len) = probe;
            for kind in KINDS {
                let expected = (start..start + len).any(|addr| naive[usize::try_from(addr).unwrap()] == kind);
                prop_assert_eq!(attributes.any(start, start + len, |found| found == kind), expected);
            }
        }
    }
}
