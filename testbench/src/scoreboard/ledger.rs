//! The ledger: which DMA ranges are lent to the device, and what it should find or leave there.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};

use swiotlb::{DataDirection, DmaAddr, OwnershipId, PhysAddr};

use crate::scoreboard::bits::Bits;

/// Identifies a mapping in the ledger, dead or alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MappingId(u64);

/// A mapping as the driver reports it.
#[derive(Debug, Clone)]
pub struct Mapping {
    /// Number of the transfer that it serves.
    pub transfer: usize,
    /// Index of the buffer.
    pub buffer: usize,
    /// First byte of the buffer that is lent.
    pub offset: u64,
    /// DMA address given to the device.
    pub dma: DmaAddr,
    /// Physical address behind it: of the buffer itself, or of the bounce slots.
    pub target: PhysAddr,
    /// Whether `target` is a bounce buffer.
    pub is_bounced: bool,
    /// Who may move data.
    pub direction: DataDirection,
    /// What the device should read, or write, byte by byte; its length is that of the mapping. Empty once
    /// it is closed.
    pub expected: Vec<u8>,
    /// What the mapping held before the CPU's last change, to tell stale bytes from wrong ones.
    pub previous: Option<Vec<u8>>,
    /// Cycle at which it was mapped.
    pub mapped_at: u64,
    /// CPU on which it was mapped.
    pub cpu: u32,
}

/// A mapping with what has happened to it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The mapping itself.
    pub mapping: Mapping,
    /// Its length in bytes.
    pub bytes: u64,
    /// Bytes that the device wrote since the last hand-over.
    pub written: Bits,
    /// Cycle of the unmap, if that has happened.
    pub unmapped_at: Option<u64>,
    /// Its number in the book of owners; coherent memory belongs to CPU and device at once and has none.
    pub owner: Option<OwnershipId>,
    /// The bus has failed the data that the device writes here: any bytes will do.
    pub is_excused: bool,
}

impl Entry {
    /// First DMA address past the mapping.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.mapping.dma.raw().saturating_add(self.bytes)
    }

    /// Returns whether `addr` lies in the mapping.
    #[must_use]
    pub fn contains(&self, addr: u64) -> bool {
        (self.mapping.dma.raw()..self.end()).contains(&addr)
    }
}

/// All mappings of a run.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    entries: BTreeMap<MappingId, Entry>,
    /// Live mappings by DMA address; several may begin at the same one.
    live: BTreeMap<(u64, MappingId), u64>,
    longest: u64,
    closed: Closed,
}

/// Who held each DMA address last: ranges that do not overlap, by their first address.
#[derive(Debug, Clone, Default)]
struct Closed {
    ranges: BTreeMap<u64, (u64, MappingId)>,
}

impl Closed {
    /// Enters a half-open range, over whatever held it before.
    fn insert(&mut self, start: u64, end: u64, id: MappingId) {
        if let Some((first, (last, before))) = self.range_at(start) {
            self.ranges.insert(first, (start, before));
            if last > end {
                self.ranges.insert(end, (last, before));
            }
        }
        while let Some((&first, &(last, before))) = self.ranges.range(start..end).next() {
            self.ranges.remove(&first);
            if last > end {
                self.ranges.insert(end, (last, before));
            }
        }
        if start < end {
            self.ranges.insert(start, (end, id));
        }
    }

    /// Returns the range that holds `addr`.
    fn range_at(&self, addr: u64) -> Option<(u64, (u64, MappingId))> {
        let (start, range) = self.ranges.range(..=addr).next_back()?;
        (addr < range.0).then_some((*start, *range))
    }
}

impl Ledger {
    /// Enters a new live mapping, with its number in the book of owners if it is there.
    pub fn insert(&mut self, mapping: Mapping, owner: Option<OwnershipId>) -> MappingId {
        let id = MappingId(self.entries.len() as u64);
        let entry = Entry {
            written: Bits::new(mapping.expected.len()),
            bytes: mapping.expected.len() as u64,
            mapping,
            unmapped_at: None,
            owner,
            is_excused: false,
        };
        self.longest = self.longest.max(entry.bytes);
        self.live.insert((entry.mapping.dma.raw(), id), entry.end());
        self.entries.insert(id, entry);
        id
    }

    /// Closes a mapping. Where it was, how long, and which bytes were written stays known; the bytes that
    /// it should carry are forgotten.
    pub fn close(&mut self, id: MappingId, cycle: u64) {
        let entry = self.entry_mut(id);
        entry.unmapped_at = Some(cycle);
        entry.mapping.expected = Vec::new();
        entry.mapping.previous = None;
        let (start, end) = (entry.mapping.dma.raw(), entry.end());
        self.live.remove(&(start, id));
        self.closed.insert(start, end, id);
    }

    /// Returns a mapping, dead or alive.
    ///
    /// # Panics
    /// If `id` is from another ledger.
    #[must_use]
    pub fn entry(&self, id: MappingId) -> &Entry {
        self.entries.get(&id).expect("the id is from this ledger")
    }

    /// Returns a mapping for changing it.
    ///
    /// # Panics
    /// If `id` is from another ledger.
    pub fn entry_mut(&mut self, id: MappingId) -> &mut Entry {
        self.entries
            .get_mut(&id)
            .expect("the id is from this ledger")
    }

    /// Returns the live mapping that holds `addr`; of several, the one that begins last.
    #[must_use]
    pub fn live_at(&self, addr: u64) -> Option<MappingId> {
        let lowest = addr.saturating_sub(self.longest);
        self.live
            .range((lowest, MappingId(0))..=(addr, MappingId(u64::MAX)))
            .rev()
            .find(|(_, end)| **end > addr)
            .map(|((_, id), _)| *id)
    }

    /// Returns where the next live mapping above `addr` begins.
    #[must_use]
    pub fn next_start(&self, addr: u64) -> Option<u64> {
        self.live
            .range((Excluded((addr, MappingId(u64::MAX))), Unbounded))
            .next()
            .map(|((start, _), _)| *start)
    }

    /// Returns the mapping that held `addr` and was unmapped last.
    #[must_use]
    pub fn dead_at(&self, addr: u64) -> Option<&Entry> {
        let (_, (_, id)) = self.closed.range_at(addr)?;
        Some(self.entry(id))
    }

    /// Returns the live mapping that ends at or shortly below `addr`, within `reach` bytes.
    #[must_use]
    pub fn ending_below(&self, addr: u64, reach: u64) -> Option<&Entry> {
        self.live()
            .filter(|entry| entry.end() <= addr && addr - entry.end() < reach)
            .max_by_key(|entry| entry.end())
    }

    /// Returns the live mappings in the order of their DMA addresses.
    pub fn live(&self) -> impl Iterator<Item = &Entry> {
        self.live.keys().map(|(_, id)| self.entry(*id))
    }
}

#[cfg(test)]
mod tests {
    use swiotlb::{Caller, Held, Ownership};

    use super::*;

    fn mapping(dma: u64, bytes: usize) -> Mapping {
        Mapping {
            transfer: 0,
            buffer: 0,
            offset: 0,
            dma: DmaAddr::new(dma),
            target: PhysAddr::new(dma),
            is_bounced: false,
            direction: DataDirection::ToDevice,
            expected: vec![0; bytes],
            previous: None,
            mapped_at: 0,
            cpu: 0,
        }
    }

    fn insert(ledger: &mut Ledger, mapping: Mapping) -> MappingId {
        let owner = Ownership::new().mapped(Held {
            dma: mapping.dma,
            orig: mapping.target,
            bytes: mapping.expected.len() as u64,
            dir: mapping.direction,
            has_two_views: false,
            mapper: Caller::default(),
            handed_over_at: 0,
        });
        ledger.insert(mapping, Some(owner))
    }

    #[test]
    fn a_short_mapping_inside_a_long_one_does_not_hide_it() {
        let mut ledger = Ledger::default();
        let long = insert(&mut ledger, mapping(0x1000, 0x1000));
        let short = insert(&mut ledger, mapping(0x1100, 0x10));
        assert_eq!(ledger.live_at(0x1104), Some(short));
        assert_eq!(ledger.live_at(0x1110), Some(long));
        assert_eq!(ledger.live_at(0x2000), None);
        assert_eq!(ledger.next_start(0x1000), Some(0x1100));
    }

    #[test]
    fn closed_mappings_are_found_by_age() {
        let mut ledger = Ledger::default();
        let first = insert(&mut ledger, mapping(0x1000, 0x100));
        ledger.close(first, 10);
        let second = insert(&mut ledger, mapping(0x1000, 0x100));
        ledger.close(second, 20);
        assert_eq!(ledger.live_at(0x1000), None);
        let dead = ledger.dead_at(0x10ff).expect("it was mapped");
        assert_eq!(dead.unmapped_at, Some(20));
        assert!(ledger.dead_at(0x1100).is_none());
    }

    #[test]
    fn a_mapping_at_the_last_address_has_nothing_above_it() {
        let mut ledger = Ledger::default();
        let last = insert(&mut ledger, mapping(u64::MAX, 1));
        assert_eq!(ledger.next_start(u64::MAX), None);
        assert_eq!(ledger.next_start(u64::MAX - 1), Some(u64::MAX));
        ledger.close(last, 10);
        assert_eq!(ledger.next_start(u64::MAX - 1), None);
    }

    #[test]
    fn a_closed_mapping_keeps_its_place_and_forgets_its_data() {
        let mut ledger = Ledger::default();
        let id = insert(&mut ledger, mapping(0x1000, 0x100));
        ledger.entry_mut(id).written.set(7);
        ledger.close(id, 10);
        let entry = ledger.entry(id);
        assert_eq!((entry.bytes, entry.end()), (0x100, 0x1100));
        assert!(entry.written.get(7));
        assert!(entry.mapping.expected.is_empty());
    }

    proptest::proptest! {
        /// The index agrees with a search of every mapping that was closed.
        #[test]
        fn the_last_holder_of_an_address_is_found(
            spans in proptest::collection::vec((0_u64..64, 1_usize..32), 1..24),
        ) {
            let mut ledger = Ledger::default();
            let mut holder = [None; 96];
            for (cycle, (start, bytes)) in spans.into_iter().enumerate() {
                let id = insert(&mut ledger, mapping(start, bytes));
                ledger.close(id, cycle as u64);
                let at = usize::try_from(start).expect("it is small");
                holder[at..at + bytes].fill(Some(cycle as u64));
            }
            for (addr, expected) in holder.into_iter().enumerate() {
                let found = ledger.dead_at(addr as u64).and_then(|entry| entry.unmapped_at);
                proptest::prop_assert_eq!(found, expected, "address {}", addr);
            }
        }
    }
}
