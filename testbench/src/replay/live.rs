//! The mappings that are live while a trace is read, found by what later lines tell of them.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use crate::replay::op::MappingId;
use crate::trace::Dir;

/// A live mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Live {
    pub(crate) id: MappingId,
    pub(crate) device: u32,
    pub(crate) dma: u64,
    pub(crate) phys: u64,
    pub(crate) bytes: u64,
    pub(crate) dir: Dir,
    pub(crate) is_bounced: bool,
    pub(crate) is_sg: bool,
}

/// Mappings with one key: nearly always one, oldest first.
#[derive(Debug)]
enum Ids {
    One(MappingId),
    Many(Vec<MappingId>),
}

impl Ids {
    fn push(&mut self, id: MappingId) {
        match self {
            Self::One(first) => *self = Self::Many(vec![*first, id]),
            Self::Many(ids) => ids.push(id),
        }
    }

    fn first(&self) -> Option<MappingId> {
        match self {
            Self::One(id) => Some(*id),
            Self::Many(ids) => ids.first().copied(),
        }
    }

    /// Removes one; returns whether none is left.
    fn remove(&mut self, id: MappingId) -> bool {
        match self {
            Self::One(_) => true,
            Self::Many(ids) => {
                ids.retain(|other| *other != id);
                ids.is_empty()
            }
        }
    }
}

/// All live mappings.
#[derive(Debug, Default)]
pub(crate) struct LiveTable {
    mappings: FxHashMap<MappingId, Live>,
    /// Bounced ones by DMA address: all devices share the pool.
    bounced: BTreeMap<u64, MappingId>,
    /// Others by device and DMA address: a page can be mapped more than once.
    direct: BTreeMap<(u32, u64), Ids>,
    /// Entries of scatterlists by device and physical address.
    sg: FxHashMap<(u32, u64), Ids>,
    /// Entries that a shortened list does not show, by the first that it shows.
    hidden: FxHashMap<MappingId, Vec<MappingId>>,
}

impl LiveTable {
    pub(crate) fn insert(&mut self, live: Live) {
        self.mappings.insert(live.id, live);
        if live.is_bounced {
            self.bounced.insert(live.dma, live.id);
        } else {
            let entry = self.direct.entry((live.device, live.dma));
            entry
                .and_modify(|ids| ids.push(live.id))
                .or_insert(Ids::One(live.id));
        }
        if live.is_sg {
            let entry = self.sg.entry((live.device, live.phys));
            entry
                .and_modify(|ids| ids.push(live.id))
                .or_insert(Ids::One(live.id));
        }
    }

    pub(crate) fn hide(&mut self, head: MappingId, id: MappingId) {
        self.hidden.entry(head).or_default().push(id);
    }

    /// Takes the hidden entries behind `head`.
    pub(crate) fn unhide(&mut self, head: MappingId) -> Vec<MappingId> {
        if self.hidden.is_empty() {
            return Vec::new();
        }
        self.hidden.remove(&head).unwrap_or_default()
    }

    pub(crate) fn remove(&mut self, id: MappingId) -> Option<Live> {
        let live = self.mappings.remove(&id)?;
        if live.is_bounced {
            self.bounced.remove(&live.dma);
        } else if let Some(ids) = self.direct.get_mut(&(live.device, live.dma))
            && ids.remove(id)
        {
            self.direct.remove(&(live.device, live.dma));
        }
        if live.is_sg
            && let Some(ids) = self.sg.get_mut(&(live.device, live.phys))
            && ids.remove(id)
        {
            self.sg.remove(&(live.device, live.phys));
        }
        Some(live)
    }

    /// Finds the mapping that begins at a DMA address.
    pub(crate) fn at(&self, device: u32, dma: u64) -> Option<Live> {
        let bounced = self.bounced.get(&dma).and_then(|id| self.mappings.get(id));
        if let Some(live) = bounced.filter(|live| live.device == device) {
            return Some(*live);
        }
        let id = self.direct.get(&(device, dma))?.first()?;
        self.mappings.get(&id).copied()
    }

    /// Finds the entry of a scatterlist.
    pub(crate) fn sg_entry(&self, device: u32, phys: u64) -> Option<Live> {
        let id = self.sg.get(&(device, phys))?.first()?;
        self.mappings.get(&id).copied()
    }

    /// Finds the mapping that holds a DMA address.
    pub(crate) fn holding(&self, device: u32, dma: u64) -> Option<Live> {
        let holds =
            |live: &Live| live.device == device && dma.wrapping_sub(live.dma) < live.bytes.max(1);
        let bounced = self.bounced.range(..=dma).next_back();
        let bounced = bounced
            .and_then(|(_, id)| self.mappings.get(id))
            .filter(|live| holds(live));
        if bounced.is_some() {
            return bounced.copied();
        }
        let (_, ids) = self.direct.range((device, 0)..=(device, dma)).next_back()?;
        let live = self.mappings.get(&ids.first()?)?;
        holds(live).then_some(*live)
    }

    /// Finds a bounced mapping that overlaps the slots of `bytes` bytes at `dma`.
    pub(crate) fn overlapping(&self, dma: u64, bytes: u64) -> Option<Live> {
        let end = dma.checked_add(bytes)?;
        let (_, id) = self.bounced.range(..end).next_back()?;
        let live = self.mappings.get(id)?;
        (live.dma.saturating_add(live.bytes) > dma).then_some(*live)
    }

    /// Returns all live mappings in the order in which they were made.
    pub(crate) fn all(&self) -> Vec<Live> {
        let mut all: Vec<Live> = self.mappings.values().copied().collect();
        all.sort_unstable_by_key(|live| live.id);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn live(id: MappingId, dma: u64, is_bounced: bool) -> Live {
        Live {
            id,
            device: 0,
            dma,
            phys: 0x9000 + dma,
            bytes: 4096,
            dir: Dir::ToDevice,
            is_bounced,
            is_sg: true,
        }
    }

    #[test]
    fn a_page_mapped_twice_ends_twice() {
        let mut table = LiveTable::default();
        table.insert(live(1, 0x1000, false));
        table.insert(live(2, 0x1000, false));
        assert_eq!(table.at(0, 0x1000).map(|live| live.id), Some(1));
        table.remove(1);
        assert_eq!(table.at(0, 0x1000).map(|live| live.id), Some(2));
        assert_eq!(table.sg_entry(0, 0xa000).map(|live| live.id), Some(2));
        table.remove(2);
        assert_eq!((table.at(0, 0x1000), table.all()), (None, Vec::new()));
    }

    #[test]
    fn addresses_inside_and_overlaps_are_found() {
        let mut table = LiveTable::default();
        table.insert(live(1, 0x1000, true));
        assert_eq!(table.holding(0, 0x1fff).map(|live| live.id), Some(1));
        assert_eq!(
            (table.holding(0, 0x2000), table.holding(1, 0x1000)),
            (None, None)
        );
        assert_eq!(table.overlapping(0x800, 0x801).map(|live| live.id), Some(1));
        assert_eq!(table.overlapping(0x800, 0x800), None);
        assert_eq!(table.overlapping(0x2000, 1), None);
    }
}
