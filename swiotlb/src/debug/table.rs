//! The table of live mappings: a hash table with the kernel's buckets, and its store of entries.

use crate::addr::DmaAddr;
use crate::debug::caller::Caller;
use crate::debug::entry::{Claim, Entry};

/// Buckets of the table (`HASH_SIZE`).
const BUCKETS: u64 = 16384;
/// Address bits that do not choose a bucket: neighbours within 8 KiB share one (`HASH_FN_SHIFT`).
const BUCKET_SHIFT: u32 = 13;
/// Entries that are added at a time: those that fit into a page (`DMA_DEBUG_DYNAMIC_ENTRIES`).
pub(super) const PAGE_ENTRIES: u32 = 32;
/// Agreements that make a match perfect.
const PERFECT_SCORE: u32 = 4;
/// Stands for "no node".
const NIL: u32 = u32::MAX;

/// Returns the bucket of an address.
pub(super) fn bucket_of(dma: DmaAddr) -> usize {
    ((dma.raw() >> BUCKET_SHIFT) & (BUCKETS - 1)) as usize
}

/// Number of a node in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NodeId(u32);

#[derive(Debug)]
struct Node {
    entry: Entry,
    prev: u32,
    next: u32,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    head: u32,
    tail: u32,
}

/// No page is left for further entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OutOfMemory;

/// Entries of the store, as the debug files show them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StoreCounts {
    pub(super) free: u32,
    pub(super) min_free: u32,
    pub(super) total: u32,
}

/// All live mappings.
#[derive(Debug)]
pub(super) struct Table {
    buckets: Vec<Bucket>,
    nodes: Vec<Node>,
    /// Nodes that were given back, linked by `next`.
    given_back: u32,
    counts: StoreCounts,
    /// Entries asked for at boot.
    initial: u32,
    /// Pages that may still be had.
    pages_left: u32,
}

impl Table {
    /// Makes a table with room for `initial` entries, rounded up to whole pages; memory is
    /// limited to `pages`.
    pub(super) fn new(initial: u32, pages: u32) -> Self {
        let taken = initial.div_ceil(PAGE_ENTRIES).min(pages);
        let total = taken.saturating_mul(PAGE_ENTRIES);
        let empty = Bucket {
            head: NIL,
            tail: NIL,
        };
        Self {
            buckets: (0..BUCKETS).map(|_| empty).collect(),
            nodes: Vec::with_capacity(total as usize),
            given_back: NIL,
            counts: StoreCounts {
                free: total,
                min_free: total,
                total,
            },
            initial,
            pages_left: pages - taken,
        }
    }

    pub(super) const fn counts(&self) -> StoreCounts {
        self.counts
    }

    pub(super) fn entry(&self, id: NodeId) -> &Entry {
        &self.nodes[id.0 as usize].entry
    }

    pub(super) fn entry_mut(&mut self, id: NodeId) -> &mut Entry {
        &mut self.nodes[id.0 as usize].entry
    }

    /// Takes an entry out of the store, which grows by a page when it is empty. Returns the new
    /// number of entries if that is worth a notice.
    pub(super) fn reserve(&mut self) -> Result<Option<u32>, OutOfMemory> {
        let mut grown = None;
        if self.counts.free == 0 {
            let has_numbers = self.counts.total < NIL - PAGE_ENTRIES;
            if self.pages_left == 0 || !has_numbers {
                return Err(OutOfMemory);
            }
            self.pages_left -= 1;
            self.counts.free += PAGE_ENTRIES;
            self.counts.total += PAGE_ENTRIES;
            let past_multiple = self.counts.total.checked_rem(self.initial);
            grown = past_multiple
                .is_some_and(|past| past < PAGE_ENTRIES)
                .then_some(self.counts.total);
        }
        self.counts.free -= 1;
        self.counts.min_free = self.counts.min_free.min(self.counts.free);
        Ok(grown)
    }

    /// Appends an entry to its bucket; [`Table::reserve`] has made room for it.
    pub(super) fn insert(&mut self, entry: Entry) -> NodeId {
        let bucket = bucket_of(entry.claim.dma);
        let tail = self.buckets[bucket].tail;
        let node = Node {
            entry,
            prev: tail,
            next: NIL,
        };
        let id = if self.given_back == NIL {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "`reserve` limits the number"
            )]
            let id = self.nodes.len() as u32;
            self.nodes.push(node);
            id
        } else {
            let id = self.given_back;
            self.given_back = self.nodes[id as usize].next;
            self.nodes[id as usize] = node;
            id
        };
        match tail {
            NIL => self.buckets[bucket].head = id,
            tail => self.nodes[tail as usize].next = id,
        }
        self.buckets[bucket].tail = id;
        NodeId(id)
    }

    /// Removes an entry and gives its place back to the store.
    pub(super) fn remove(&mut self, id: NodeId) {
        let node = &mut self.nodes[id.0 as usize];
        let (prev, next) = (node.prev, node.next);
        let bucket = bucket_of(node.entry.claim.dma);
        node.entry.mapper = Caller::default();
        node.next = self.given_back;
        self.given_back = id.0;
        match prev {
            NIL => self.buckets[bucket].head = next,
            prev => self.nodes[prev as usize].next = next,
        }
        match next {
            NIL => self.buckets[bucket].tail = prev,
            next => self.nodes[next as usize].prev = prev,
        }
        self.counts.free += 1;
    }

    /// Finds the mapping at the claim's address (`bucket_find_exact`).
    pub(super) fn find_exact(&self, claim: &Claim) -> Option<NodeId> {
        self.find_in(bucket_of(claim.dma), claim, Claim::has_address_of)
    }

    /// Finds a mapping that covers the claim's range (`bucket_find_contain`): in the bucket of its
    /// address, then in those of the 8 KiB below, down to address 0 or once around the table.
    pub(super) fn find_containing(&self, claim: &Claim) -> Option<NodeId> {
        let block = claim.dma.raw() >> BUCKET_SHIFT;
        let steps = BUCKETS.min(block + 1);
        (0..steps).find_map(|step| {
            let below = DmaAddr::new((block - step) << BUCKET_SHIFT);
            self.find_in(bucket_of(below), claim, Claim::contains)
        })
    }

    /// Finds the one match in a bucket; of several, the first perfect one, and none if there is none.
    fn find_in(
        &self,
        bucket: usize,
        claim: &Claim,
        is_match: impl Fn(&Claim, &Claim) -> bool,
    ) -> Option<NodeId> {
        let mut only = None;
        let mut matches = 0;
        for id in self.bucket(bucket) {
            let found = &self.entry(id).claim;
            if !is_match(found, claim) {
                continue;
            }
            if found.score(claim) == PERFECT_SCORE {
                return Some(id);
            }
            matches += 1;
            only = Some(id);
        }
        only.filter(|_| matches == 1)
    }

    /// Returns the mappings at the claim's address, oldest first.
    pub(super) fn at_address(&self, claim: Claim) -> impl Iterator<Item = NodeId> {
        self.bucket(bucket_of(claim.dma))
            .filter(move |id| self.entry(*id).claim.has_address_of(&claim))
    }

    /// Returns all mappings in the order of buckets.
    pub(super) fn all(&self) -> impl Iterator<Item = (usize, &Entry)> {
        (0..self.buckets.len())
            .flat_map(move |bucket| self.bucket(bucket).map(move |id| (bucket, self.entry(id))))
    }

    fn bucket(&self, bucket: usize) -> impl Iterator<Item = NodeId> {
        let head = self.buckets[bucket].head;
        let step = |id: &u32| Some(self.nodes[*id as usize].next).filter(|next| *next != NIL);
        std::iter::successors(Some(head).filter(|head| *head != NIL), step).map(NodeId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::PhysAddr;
    use crate::attrs::Attrs;
    use crate::debug::entry::{ErrorCheck, MappingKind};
    use crate::device::Device;
    use crate::direction::DataDirection;

    fn claim(dev: &Device, dma: u64, bytes: u64) -> Claim {
        Claim {
            device: dev.id(),
            kind: MappingKind::Phys,
            dma: DmaAddr::new(dma),
            phys: PhysAddr::new(dma),
            bytes,
            dir: DataDirection::ToDevice,
            attrs: Attrs::NONE,
            sg_call_entries: 0,
        }
    }

    fn add(table: &mut Table, claim: Claim) -> NodeId {
        table.reserve().unwrap();
        table.insert(Entry {
            claim,
            sg_mapped_entries: 0,
            check: ErrorCheck::NotChecked,
            mapper: Caller::default(),
        })
    }

    #[test]
    fn addresses_are_hashed_by_blocks_of_8_kib_that_repeat_after_128_mib() {
        assert_eq!(bucket_of(DmaAddr::new(0x1fff)), 0);
        assert_eq!(bucket_of(DmaAddr::new(0x2000)), 1);
        assert_eq!(bucket_of(DmaAddr::new(0x7ff_ffff)), 16383);
        assert_eq!(bucket_of(DmaAddr::new(0x800_0000)), 0);
    }

    #[test]
    fn a_range_is_found_in_the_bucket_below() {
        let dev = Device::new("d");
        let mut table = Table::new(32, 1);
        let id = add(&mut table, claim(&dev, 0x1f00, 0x400));
        assert_eq!(table.find_containing(&claim(&dev, 0x2100, 0x10)), Some(id));
        assert_eq!(table.find_containing(&claim(&dev, 0x2300, 0x10)), None);
        assert_eq!(table.find_exact(&claim(&dev, 0x2100, 0x10)), None);
    }

    #[test]
    fn the_search_below_reaches_every_bucket_around_the_end_of_the_table_too() {
        let dev = Device::new("d");
        for (start, within) in [(0, 0x7ff_e000), (0, 0x800_2000), (0x1234, 0xfff_0000)] {
            let mut table = Table::new(32, 1);
            let id = add(&mut table, claim(&dev, start, 0x1000_0000));
            assert_eq!(table.find_containing(&claim(&dev, within, 1)), Some(id));
            assert_eq!(
                table.find_containing(&claim(&dev, start - start.min(1), 0x1000_0002)),
                None
            );
        }
    }

    #[test]
    fn of_several_matches_only_a_perfect_one_counts() {
        let dev = Device::new("d");
        let mut table = Table::new(32, 1);
        let first = add(&mut table, claim(&dev, 0x1000, 64));
        let second = add(&mut table, claim(&dev, 0x1000, 128));
        assert_eq!(table.find_exact(&claim(&dev, 0x1000, 128)), Some(second));
        assert_eq!(table.find_exact(&claim(&dev, 0x1000, 32)), None);
        table.remove(second);
        assert_eq!(table.find_exact(&claim(&dev, 0x1000, 32)), Some(first));
    }

    #[test]
    fn removal_keeps_the_order_of_the_others_and_places_are_used_again() {
        let dev = Device::new("d");
        let mut table = Table::new(32, 1);
        let ids: Vec<_> = (0..4_u64)
            .map(|step| add(&mut table, claim(&dev, 0x1000 + step, 1)))
            .collect();
        table.remove(ids[1]);
        table.remove(ids[3]);
        let again = add(&mut table, claim(&dev, 0x1100, 1));
        assert_eq!(again, ids[3]);
        let order: Vec<_> = table
            .all()
            .map(|(_, entry)| entry.claim.dma.raw())
            .collect();
        assert_eq!(order, [0x1000, 0x1002, 0x1100]);
        for id in [ids[0], ids[2], again] {
            table.remove(id);
        }
        assert_eq!(table.all().count(), 0);
        assert_eq!((table.counts().free, table.counts().min_free), (32, 28));
    }

    #[test]
    fn the_store_grows_by_pages_and_tells_each_multiple_of_what_was_asked_for() {
        let dev = Device::new("d");
        let mut table = Table::new(100, 10);
        assert_eq!(table.counts().total, 128);
        let mut told = Vec::new();
        for step in 0..320 {
            let grown = table.reserve().unwrap();
            table.insert(Entry {
                claim: claim(&dev, step << 13, 1),
                sg_mapped_entries: 0,
                check: ErrorCheck::NotApplicable,
                mapper: Caller::default(),
            });
            told.extend(grown);
        }
        // 224 mod 100 and 320 mod 100 are below a page; 160, 192, 256 and 288 are not.
        assert_eq!(told, [224, 320]);
        assert_eq!(table.reserve(), Err(OutOfMemory));
    }
}
