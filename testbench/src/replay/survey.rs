//! What a trace tells of the machine, its devices and its phases, apart from the single mappings.

use rustc_hash::FxHashMap;

use crate::trace::{Marker, ReadCounts};

/// Bits of an address that are compared between buffer and bounce buffer.
const LOW_BITS: u64 = 0xffff;
/// Granule in which it is counted which CPU uses which part of the pool: a slot set.
pub(crate) const GRANULE_SHIFT: u32 = 18;

/// What the trace tells of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceSurvey {
    /// Its name.
    pub name: String,
    /// Its streaming mask, which only lines of bounced buffers tell.
    pub mask: Option<u64>,
    /// Buffers that were bounced.
    pub bounced: u64,
    /// Buffers that the device was given themselves.
    pub direct: u64,
    /// Mappings that failed.
    pub failed: u64,
    /// Largest buffer in bytes.
    pub largest_bytes: u64,
    /// Low address bits that each bounce buffer has from its original.
    kept_bits: u64,
}

impl DeviceSurvey {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            mask: None,
            bounced: 0,
            direct: 0,
            failed: 0,
            largest_bytes: 0,
            kept_bits: LOW_BITS,
        }
    }

    pub(crate) fn note_bounced(&mut self, phys: u64, dma: u64) {
        self.bounced += 1;
        self.kept_bits &= !(phys ^ dma);
    }

    /// Returns the largest `min_align_mask` that the addresses allow: low bits that each bounce buffer
    /// has in common with its original, up to a page. 0 if there are fewer than those of a block of 512
    /// bytes. They may be equal by chance if all buffers begin at a page.
    #[must_use]
    pub const fn possible_align_mask(&self) -> u32 {
        const BLOCK_BITS: u32 = 9;
        const PAGE_BITS: u32 = 12;
        match self.kept_bits.trailing_ones() {
            _ if self.bounced == 0 => 0,
            ..BLOCK_BITS => 0,
            PAGE_BITS.. => (1 << PAGE_BITS) - 1,
            kept => (1 << kept) - 1,
        }
    }
}

/// A phase of the trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phase {
    /// Its name.
    pub name: String,
    /// When it began, in nanoseconds.
    pub start_ns: u64,
    /// Slots in use when it began, as the kernel counted.
    pub used_at_start: Option<u64>,
    /// Its peak of slots in use, as the kernel counted: the marker behind it tells.
    pub hiwater: Option<u64>,
}

/// What could not be paired or contradicts itself, each with its first line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// How often.
    pub count: u64,
    /// First line.
    pub first_line: u64,
}

impl Count {
    pub(crate) fn note(&mut self, line: u64) {
        if self.count == 0 {
            self.first_line = line;
        }
        self.count += 1;
    }
}

/// What did not fit together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Misfits {
    /// Ends of mappings that began before the trace, or whose begin was lost.
    pub unmaps_without_map: Count,
    /// Slots that those held: so many more may have been in use.
    pub orphan_slots: u64,
    /// Buffers about to be bounced without a mapping behind.
    pub bounces_without_map: Count,
    /// Mappings elsewhere than at their buffer, without the line that says that they are bounced.
    pub maps_without_bounce: Count,
    /// Mappings whose slots were given away again without a line of their end.
    pub lost_unmaps: Count,
    /// Ends whose length or direction is not that of the mapping.
    pub changed_ends: Count,
    /// Scatterlists whose lists are of unequal length.
    pub uneven_lists: Count,
    /// Mappings of no byte, which no kernel makes.
    pub empty_maps: Count,
    /// Mappings that were live at the end.
    pub live_at_end: u64,
}

/// The whole survey.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Survey {
    /// What was read.
    pub read: ReadCounts,
    /// What did not fit.
    pub misfits: Misfits,
    /// Devices, by number.
    pub devices: Vec<DeviceSurvey>,
    /// Names of tasks, by number.
    pub tasks: Vec<String>,
    /// Phases; the first is what lies before the first marker.
    pub phases: Vec<Phase>,
    /// Slots of the pool, as a marker tells.
    pub slots: Option<u64>,
    /// Every bounced buffer's line says `FORCE`.
    pub is_forced: bool,
    /// Lowest first byte of a bounce buffer.
    pub lowest_dma: Option<u64>,
    /// Behind the last byte of the highest bounce buffer.
    pub highest_end: Option<u64>,
    /// Highest number of a CPU.
    pub highest_cpu: u16,
    /// Time of the first event in nanoseconds.
    pub first_ns: u64,
    /// Time of the last.
    pub last_ns: u64,
    /// First bounce buffer of each CPU.
    pub(crate) first_of_cpu: FxHashMap<u16, u64>,
    /// Bounce buffers by CPU and place.
    pub(crate) places: FxHashMap<(u16, u64), u64>,
}

impl Survey {
    /// Returns the most slots in use at once that the kernel counted in any phase; 0 if no marker tells.
    #[must_use]
    pub fn counted_slots(&self) -> u64 {
        let phases = self.phases.iter();
        let counted = phases.filter_map(|phase| phase.hiwater.max(phase.used_at_start));
        counted.max().unwrap_or(0)
    }

    /// Begins with the time before the first marker.
    #[must_use]
    pub fn new() -> Self {
        Self {
            phases: vec![Phase {
                name: "start".to_owned(),
                start_ns: 0,
                used_at_start: None,
                hiwater: None,
            }],
            ..Self::default()
        }
    }

    pub(crate) fn note_time(&mut self, time_ns: u64) {
        if self.last_ns == 0 {
            self.first_ns = time_ns;
            self.phases[0].start_ns = time_ns;
        }
        self.last_ns = self.last_ns.max(time_ns);
    }

    /// Notes a marker and returns the number of the phase that begins.
    pub(crate) fn note_marker(&mut self, marker: &Marker, time_ns: u64) -> u32 {
        if let Some(ended) = self.phases.last_mut() {
            ended.hiwater = marker.hiwater;
        }
        self.slots = marker.slots.or(self.slots);
        self.phases.push(Phase {
            name: marker.name.clone(),
            start_ns: time_ns,
            used_at_start: marker.used,
            hiwater: None,
        });
        u32::try_from(self.phases.len() - 1).unwrap_or(u32::MAX)
    }

    pub(crate) fn note_place(&mut self, cpu: u16, dma: u64, bytes: u64) {
        let end = dma.saturating_add(bytes);
        self.lowest_dma = Some(self.lowest_dma.map_or(dma, |lowest| lowest.min(dma)));
        self.highest_end = Some(self.highest_end.map_or(end, |highest| highest.max(end)));
        self.first_of_cpu.entry(cpu).or_insert(dma);
        *self.places.entry((cpu, dma >> GRANULE_SHIFT)).or_default() += 1;
    }

    /// Returns the CPUs of the traced machine, as far as the trace tells.
    #[must_use]
    pub fn cpus(&self) -> u32 {
        let told = self.read.cpus.unwrap_or(1);
        told.max(u32::from(self.highest_cpu) + 1)
    }

    /// Returns how many buffers were bounced.
    #[must_use]
    pub fn bounced(&self) -> u64 {
        self.devices.iter().map(|device| device.bounced).sum()
    }

    /// Returns how many mappings failed.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.devices.iter().map(|device| device.failed).sum()
    }

    /// Returns whether nothing is missing, so that every answer can be exact.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        let (read, misfits) = (&self.read, &self.misfits);
        let lost =
            read.losses + read.overwritten + read.bad_lines + misfits.unmaps_without_map.count;
        let odd = misfits.bounces_without_map.count
            + misfits.maps_without_bounce.count
            + misfits.lost_unmaps.count
            + misfits.uneven_lists.count
            + misfits.empty_maps.count;
        lost + odd == 0 && read.damage.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_possible_alignment_mask_follows_from_the_addresses() {
        let mut nvme = DeviceSurvey::new("nvme");
        assert_eq!(nvme.possible_align_mask(), 0);
        nvme.note_bounced(0x1e3_6200, 0x3b60_3200);
        nvme.note_bounced(0x1ea_0800, 0x3b60_3800);
        assert_eq!(nvme.possible_align_mask(), 0xfff);
        nvme.note_bounced(0x1ea_0800, 0x3b60_3000);
        assert_eq!(nvme.possible_align_mask(), 0x7ff);
        nvme.note_bounced(0x1_0264_8040, 0x7abf_4000);
        assert_eq!(nvme.possible_align_mask(), 0);
    }

    #[test]
    fn the_marker_behind_a_phase_tells_its_peak() {
        let mut survey = Survey::new();
        let marker = |name: &str, hiwater| Marker {
            name: name.to_owned(),
            slots: Some(1024),
            used: Some(3),
            hiwater: Some(hiwater),
        };
        assert_eq!(survey.note_marker(&marker("a", 7), 100), 1);
        assert_eq!(survey.note_marker(&marker("b", 9), 200), 2);
        let peaks: Vec<_> = survey.phases.iter().map(|phase| phase.hiwater).collect();
        assert_eq!(peaks, [Some(7), Some(9), None]);
        assert_eq!(
            (survey.slots, survey.phases[1].used_at_start),
            (Some(1024), Some(3))
        );
    }
}
