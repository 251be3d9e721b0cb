//! How a list lies in one range of I/O virtual addresses, and which entries join.

use crate::addr::DmaAddr;
use crate::device::Device;
use crate::dma::{Peer, Sg};
use crate::iommu::granule::Granule;

/// Place of an entry in the range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// First granule of the entry, as distance from the start of the range.
    pub(crate) at: u64,
    /// Whole granules taken, padding included, in bytes.
    pub(crate) bytes: u64,
    /// Offset of the entry in its first granule.
    pub(crate) offset: u64,
}

/// Limits of the segments that a device takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) granule: Granule,
    pub(crate) boundary_mask: u64,
    pub(crate) max_segment_bytes: u64,
}

impl Limits {
    pub(crate) const fn of(dev: &Device, granule: Granule) -> Self {
        Self {
            granule,
            boundary_mask: dev.seg_boundary_mask(),
            max_segment_bytes: dev.max_segment_bytes() as u64,
        }
    }

    /// Lays entries one after the other, each in granules of its own, and returns their places and
    /// the length of the range. An entry that would cross a segment boundary begins at the boundary
    /// instead; the entry before it is padded up to there. Entries of peers take no place.
    pub(crate) fn lay_out(self, sgl: &[Sg]) -> (Vec<Place>, u64) {
        let mut places: Vec<Place> = Vec::with_capacity(sgl.len());
        let mut end = 0_u64;
        let mut previous: Option<usize> = None;
        for (index, sg) in sgl.iter().enumerate() {
            let offset = self.granule.offset(sg.phys.raw());
            let is_placed = sg.peer == Peer::None;
            // Lengths have 32 bits, so that no sum here leaves 64.
            let span = self.granule.span(offset, u64::from(sg.length));
            let bytes = if is_placed { span.unwrap_or(0) } else { 0 };
            if is_placed {
                let room = end.wrapping_neg() & self.boundary_mask;
                if room != 0
                    && room < bytes.saturating_sub(1)
                    && let Some(previous) = previous
                {
                    places[previous].bytes += room;
                    end = end.saturating_add(room);
                }
                previous = Some(index);
            }
            places.push(Place {
                at: end,
                bytes,
                offset,
            });
            end = end.saturating_add(bytes);
        }
        (places, end)
    }

    /// Writes the segments of a list that was mapped at `iova` into its first entries and returns
    /// how many there are (`__finalise_sg`). The rest get length 0.
    pub(crate) fn join(self, sgl: &mut [Sg], places: &[Place], iova: DmaAddr) -> usize {
        let mut segments: Vec<Segment> = Vec::with_capacity(sgl.len());
        let mut is_open = false;
        for (sg, place) in sgl.iter().zip(places) {
            if let Peer::BusAddress { offset } = sg.peer {
                segments.push(Segment {
                    addr: DmaAddr::new(sg.phys.raw().wrapping_add(offset)),
                    bytes: sg.length,
                    is_bus_address: true,
                });
                is_open = false;
                continue;
            }
            let granules = iova.wrapping_add(place.at);
            let joins = is_open && place.offset == 0 && granules.raw() & self.boundary_mask != 0;
            let joined = segments.last().filter(|_| joins).and_then(|segment| {
                let sum = segment.bytes.checked_add(sg.length)?;
                (u64::from(sum) <= self.max_segment_bytes).then_some(sum)
            });
            match (joined, segments.last_mut()) {
                (Some(sum), Some(segment)) => segment.bytes = sum,
                _ => segments.push(Segment {
                    addr: granules.wrapping_add(place.offset),
                    bytes: sg.length,
                    is_bus_address: false,
                }),
            }
            is_open = place.offset + u64::from(sg.length) == place.bytes;
        }
        store(sgl, &segments);
        segments.len()
    }
}

/// A segment for the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Segment {
    addr: DmaAddr,
    bytes: u32,
    is_bus_address: bool,
}

fn store(sgl: &mut [Sg], segments: &[Segment]) {
    for (index, sg) in sgl.iter_mut().enumerate() {
        let segment = segments.get(index);
        sg.dma_address = segment.map_or(DmaAddr::MAPPING_ERROR, |segment| segment.addr);
        sg.dma_length = segment.map_or(0, |segment| segment.bytes);
        sg.is_bus_address = segment.is_some_and(|segment| segment.is_bus_address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::PhysAddr;

    fn list(entries: &[(u64, u32)]) -> Vec<Sg> {
        let to_sg = |&(phys, length): &(u64, u32)| Sg::new(PhysAddr::new(phys), length);
        entries.iter().map(to_sg).collect()
    }

    fn limits(boundary_mask: u64, max_segment_bytes: u64) -> Limits {
        Limits {
            granule: Granule::from_shift(12),
            boundary_mask,
            max_segment_bytes,
        }
    }

    const IOVA: u64 = 0x10_0000;

    /// Returns the segments as distance from the start of the range and length.
    fn segments(limits: Limits, entries: &[(u64, u32)]) -> Vec<(u64, u32)> {
        let mut sgl = list(entries);
        let (places, _) = limits.lay_out(&sgl);
        let count = limits.join(&mut sgl, &places, DmaAddr::new(IOVA));
        assert!(sgl[count..].iter().all(|sg| sg.dma_length == 0));
        let segment = |sg: &Sg| (sg.dma_address.raw() - IOVA, sg.dma_length);
        sgl[..count].iter().map(segment).collect()
    }

    #[test]
    fn whole_granules_join_and_an_offset_begins_a_new_segment() {
        let entries = [(0x1000_0000, 4096), (0x2000_0000, 8192), (0x3000_0100, 100)];
        let limits = limits(u64::MAX, 65536);
        assert_eq!(limits.lay_out(&list(&entries)).1, 16384);
        assert_eq!(segments(limits, &entries), [(0, 12288), (0x3100, 100)]);
    }

    #[test]
    fn an_entry_that_ends_inside_a_granule_closes_its_segment() {
        let entries = [(0x1000, 4096), (0x5000, 100), (0x9000, 4096)];
        let expected = [(0, 4196), (0x2000, 4096)];
        assert_eq!(segments(limits(u64::MAX, 65536), &entries), expected);
    }

    #[test]
    fn the_longest_segment_is_kept_exactly() {
        let entries = [(0x1000, 4096), (0x5000, 4096), (0x9000, 4096)];
        let joined = segments(limits(u64::MAX, 8192), &entries);
        assert_eq!(joined, [(0, 8192), (0x2000, 4096)]);
        let joined = segments(limits(u64::MAX, 8191), &entries);
        assert_eq!(joined, [(0, 4096), (0x1000, 4096), (0x2000, 4096)]);
    }

    #[test]
    fn no_entry_crosses_a_boundary_and_none_joins_at_one() {
        let entries = [(0x1000, 12288), (0x9000, 8192), (0x2_0000, 8192)];
        let limits = limits(0x3fff, 65536);
        let (places, bytes) = limits.lay_out(&list(&entries));
        // The first is padded to the boundary at 16384.
        assert_eq!((places[0].bytes, places[1].at), (16384, 16384));
        assert_eq!((places[2].at, bytes), (24576, 32768));
        // Padding closes the first segment; the third joins the second inside the next 16 KiB.
        assert_eq!(segments(limits, &entries), [(0, 12288), (16384, 16384)]);
        // An entry that fits exactly is not moved, but what begins at the boundary does not join.
        let exact = [(0x1000, 16384), (0x9000, 4096)];
        assert_eq!(segments(limits, &exact), [(0, 16384), (16384, 4096)]);
    }

    #[test]
    fn a_peers_entry_takes_no_place_and_parts_segments() {
        let mut sgl = list(&[(0x1000, 4096), (0x8000_0000, 4096), (0x9000, 4096)]);
        sgl[1] = sgl[1].in_peer(Peer::BusAddress { offset: 0x100 });
        let limits = limits(u64::MAX, 65536);
        let (places, bytes) = limits.lay_out(&sgl);
        assert_eq!(bytes, 8192);
        assert_eq!(limits.join(&mut sgl, &places, DmaAddr::new(IOVA)), 3);
        assert_eq!(sgl[1].dma_address, DmaAddr::new(0x8000_0100));
        assert!(sgl[1].is_bus_address && !sgl[2].is_bus_address);
        assert_eq!(sgl[2].dma_address, DmaAddr::new(IOVA + 0x1000));
    }
}
