//! What bouncing will cost the core on a machine: how much of its RAM lies out of reach, and what a copy then adds.

use rebound_sim::cpu::CostModel;
use rebound_sim::manifest::Direction;
use serde::Serialize;

use crate::characterize::envelope::Envelope;
use crate::characterize::settings::swiotlb_limit;
use crate::characterize::sheet::{Sheet, Timing};
use crate::scenario::plan::Range;

const GIB: u64 = 1 << 30;
/// RAM below 4 GiB of a PC; the rest of that space is for devices.
const LOW_RAM: u64 = 3 * GIB;
/// Lengths of the table.
const LENGTHS: [u64; 8] = [64, 256, 1024, 4096, 16 << 10, 64 << 10, 256 << 10, 1 << 20];
/// Latency in cycles whose timings are used, or the nearest to it that was measured: that of `rebound validate`.
const USUAL_LATENCY: u32 = 10;

/// A machine to count for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// Bytes of RAM, as a PC lays them out.
    pub ram_bytes: u64,
    /// Bytes of the bounce pool (`swiotlb=`).
    pub pool_bytes: u64,
}

impl Default for Machine {
    /// 16 GiB of RAM and Linux's pool of 64 MiB.
    fn default() -> Self {
        Self {
            ram_bytes: 16 * GIB,
            pool_bytes: 64 << 20,
        }
    }
}

impl Machine {
    /// Ranges of RAM, ascending: 3 GiB from 0, the rest from 4 GiB.
    #[must_use]
    pub fn ram(&self) -> Vec<Range> {
        let low = self.ram_bytes.min(LOW_RAM);
        let ranges = [(0, low), (4 * GIB, self.ram_bytes - low)];
        ranges
            .into_iter()
            .filter(|(_, bytes)| *bytes > 0)
            .map(|(base, bytes)| Range { base, bytes })
            .collect()
    }

    /// Bytes of RAM above the highest address of a mask.
    #[must_use]
    pub fn bytes_beyond(&self, mask: u64) -> u64 {
        let beyond = |range: Range| {
            let first = mask.saturating_add(1).max(range.base);
            if mask == u64::MAX {
                0
            } else {
                range.end().saturating_sub(first)
            }
        };
        self.ram().into_iter().map(beyond).sum()
    }
}

/// What bouncing costs the core on a machine.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cost {
    /// The machine.
    pub machine: Machine,
    /// Highest DMA address of the core.
    pub dma_mask: u64,
    /// Bytes of RAM that the core does not reach.
    pub beyond_bytes: u64,
    /// Share of RAM that the core does not reach: how likely a page, taken at random, is bounced.
    pub beyond_share: f64,
    /// Longest mapping: that of a bounce, where there can be one, and of the core's longest transfer.
    pub longest_mapping: u64,
    /// Cycles from an address to its first answer, of the timings that were used.
    pub latency: u32,
    /// The model of what the CPU's work costs.
    pub model: CostModel,
    /// A row for each direction and length.
    pub rows: Vec<CostRow>,
}

/// What one transfer costs, with its buffers within reach and without.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CostRow {
    /// The direction.
    pub direction: Direction,
    /// Bytes of the transfer.
    pub bytes: u64,
    /// Pieces that it is split into, each mapped and transferred on its own.
    pub pieces: u64,
    /// Cycles of the core, as measured.
    pub core_cycles: u64,
    /// Whether those are drawn between or beyond lengths that were measured.
    pub is_estimated: bool,
    /// CPU cycles of map and unmap calls, bounced or not.
    pub call_cycles: u64,
    /// CPU cycles of copying if all its buffers are bounced.
    pub copy_cycles: u64,
    /// All of it without a bounce.
    pub direct_cycles: u64,
    /// All of it with every buffer bounced.
    pub bounced_cycles: u64,
    /// The mean over buffers at random places in RAM.
    pub mean_cycles: f64,
    /// By how much the mean is above `direct_cycles`, in percent.
    pub mean_overhead_percent: f64,
    /// Such transfers that the pool holds at once, all bounced.
    pub pool_holds: u64,
}

impl Cost {
    /// What bouncing costs; none if no transfer was timed, or the core's reach is not known.
    #[must_use]
    pub fn of(sheet: &Sheet, envelope: &Envelope, machine: Machine) -> Option<Self> {
        let mask = super::settings::dma_mask(envelope)?;
        let beyond_bytes = machine.bytes_beyond(mask);
        let granule = envelope.address_granule();
        let limit = if beyond_bytes > 0 {
            swiotlb_limit(granule - 1)
        } else {
            u64::MAX
        };
        let longest = super::settings::longest_segment(envelope).unwrap_or(u64::MAX);
        let longest_mapping = limit.min(longest).max(1);
        let latency = sheet
            .timings
            .iter()
            .map(|timing| timing.latency)
            .min_by_key(|latency| (latency.abs_diff(USUAL_LATENCY), *latency))?;
        let mut cost = Self {
            machine,
            dma_mask: mask,
            beyond_bytes,
            beyond_share: ratio(beyond_bytes, machine.ram_bytes),
            longest_mapping,
            latency,
            model: CostModel::default(),
            rows: Vec::new(),
        };
        for facts in &sheet.directions {
            let curve = Curve::of(&sheet.timings, facts.direction, latency);
            for bytes in LENGTHS {
                cost.rows.extend(cost.row(facts.direction, bytes, &curve));
            }
        }
        Some(cost)
    }

    fn row(&self, direction: Direction, bytes: u64, curve: &Curve) -> Option<CostRow> {
        let model = &self.model;
        let full = bytes / self.longest_mapping;
        let rest = bytes % self.longest_mapping;
        let pieces = full + u64::from(rest > 0);
        let over_pieces = |cycles: &dyn Fn(u64) -> Option<u64>| {
            let of_rest = if rest > 0 { cycles(rest)? } else { 0 };
            let of_full = if full > 0 {
                cycles(self.longest_mapping)?
            } else {
                0
            };
            Some(full * of_full + of_rest)
        };
        let core_cycles = over_pieces(&|piece| curve.cycles(piece))?;
        // Linux copies in for FromDevice too, because the device may write only a part: such a buffer is copied twice.
        let (buffers, copies) = match direction {
            Direction::Copy => (2, 3),
            Direction::Mm2s => (1, 1),
            Direction::S2mm => (1, 2),
        };
        let call_cycles = pieces * buffers * u64::from(model.map_cycles + model.unmap_cycles);
        let copy_cycles = over_pieces(&|piece| Some(copies * model.copy_cycles(piece)))?;
        let direct_cycles = core_cycles + call_cycles;
        let mean_copy = self.beyond_share * as_float(copy_cycles);
        let slots = |piece: u64| piece.div_ceil(swiotlb::SLOT_BYTES);
        let all_slots = buffers * (full * slots(self.longest_mapping) + slots(rest));
        Some(CostRow {
            direction,
            bytes,
            pieces,
            core_cycles,
            is_estimated: !curve.has(rest) || full > 0 && !curve.has(self.longest_mapping),
            call_cycles,
            copy_cycles,
            direct_cycles,
            bounced_cycles: direct_cycles + copy_cycles,
            mean_cycles: as_float(direct_cycles) + mean_copy,
            mean_overhead_percent: 100.0 * mean_copy / as_float(direct_cycles.max(1)),
            pool_holds: self.machine.pool_bytes / swiotlb::SLOT_BYTES / all_slots.max(1),
        })
    }
}

/// The measured cycles of one direction at one latency, ascending by length.
#[derive(Debug)]
struct Curve(Vec<(u64, u64)>);

impl Curve {
    fn of(timings: &[Timing], direction: Direction, latency: u32) -> Self {
        let mut points: Vec<(u64, u64)> = timings
            .iter()
            .filter(|timing| (timing.direction, timing.latency) == (direction, latency))
            .map(|timing| (timing.bytes, timing.cycles))
            .collect();
        points.sort_unstable();
        points.dedup_by_key(|point| point.0);
        Self(points)
    }

    /// Whether just this length was measured; no bytes need not be.
    fn has(&self, bytes: u64) -> bool {
        bytes == 0 || self.0.iter().any(|point| point.0 == bytes)
    }

    /// Cycles of a length: as measured, or on the line through the two nearest points; below the first, as the first.
    fn cycles(&self, bytes: u64) -> Option<u64> {
        let (first, last) = (*self.0.first()?, *self.0.last()?);
        if bytes <= first.0 {
            return Some(first.1);
        }
        let above = self.0.iter().position(|point| point.0 >= bytes);
        let (low, high) = match above {
            Some(index) => (self.0[index - 1], self.0[index]),
            None if self.0.len() > 1 => (self.0[self.0.len() - 2], last),
            None => return Some(last.1),
        };
        let rise = high.1.saturating_sub(low.1);
        let part = u128::from(rise) * u128::from(bytes - low.0) / u128::from(high.0 - low.0);
        Some(low.1 + u64::try_from(part).ok()?)
    }
}

/// A share without a division by nothing.
fn ratio(part: u64, whole: u64) -> f64 {
    as_float(part) / as_float(whole.max(1))
}

/// A number for a mean; what is lost above 2^53 is no cycle that matters.
#[expect(
    clippy::cast_precision_loss,
    reason = "a mean has no last digit to lose"
)]
pub(super) const fn as_float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::characterize::fixtures;

    fn of(sheet: &Sheet, ram_bytes: u64) -> Cost {
        let machine = Machine {
            ram_bytes,
            ..Machine::default()
        };
        Cost::of(sheet, &Envelope::of(sheet), machine).expect("it was timed")
    }

    fn row(cost: &Cost, bytes: u64) -> &CostRow {
        let found = cost.rows.iter().find(|row| row.bytes == bytes);
        found.expect("a row of that length")
    }

    #[test]
    fn a_pc_has_three_gib_below_four_and_the_rest_above() {
        let machine = Machine {
            ram_bytes: 16 * GIB,
            ..Machine::default()
        };
        assert_eq!(machine.bytes_beyond(0xffff_ffff), 13 * GIB);
        assert_eq!(machine.bytes_beyond((1 << 30) - 1), 15 * GIB);
        assert_eq!(machine.bytes_beyond((1 << 33) - 1), 9 * GIB);
        assert_eq!(machine.bytes_beyond(u64::MAX), 0);
        let small = Machine {
            ram_bytes: 2 * GIB,
            ..Machine::default()
        };
        assert_eq!(small.bytes_beyond(0xffff_ffff), 0);
        assert_eq!(small.ram().len(), 1);
    }

    #[test]
    fn a_core_of_32_bits_bounces_thirteen_of_sixteen_pages() {
        let cost = of(&fixtures::truncating(), 16 * GIB);
        assert!((cost.beyond_share - 13.0 / 16.0).abs() < 1e-12);
        let row = row(&cost, 4096);
        // 512 beats, twice a latency of 10, and 10.
        assert_eq!((row.core_cycles, row.is_estimated), (542, false));
        let model = CostModel::default();
        assert_eq!(row.call_cycles, 2 * 90);
        assert_eq!(row.copy_cycles, 3 * model.copy_cycles(4096));
        assert_eq!(row.bounced_cycles, row.direct_cycles + row.copy_cycles);
        let mean = 722.0 + 13.0 / 16.0 * 798.0;
        assert!((row.mean_cycles - mean).abs() < 1e-9, "{row:?}");
        assert_eq!(row.pool_holds, 32_768 / 4);
    }

    #[test]
    fn a_core_that_reaches_all_ram_costs_no_copy_in_the_mean() {
        let cost = of(&fixtures::sound(), 16 * GIB);
        assert_eq!(cost.beyond_bytes, 0);
        assert!(cost.rows.iter().all(|row| row.mean_overhead_percent == 0.0));
    }

    #[test]
    fn a_long_transfer_is_split_at_the_longest_bounced_mapping() {
        let mut sheet = fixtures::truncating();
        sheet.directions[0].max_length = fixtures::at_least(1 << 30);
        let cost = of(&sheet, 16 * GIB);
        assert_eq!(cost.longest_mapping, 256 << 10);
        assert_eq!(row(&cost, 1 << 20).pieces, 4);
        assert!(row(&cost, 1 << 20).is_estimated);
        fixtures::align(&mut sheet, crate::characterize::sheet::Role::Source, 8);
        let aligned = of(&sheet, 16 * GIB);
        assert_eq!(aligned.longest_mapping, 254 << 10);
        assert_eq!(row(&aligned, 1 << 20).pieces, 5);
        let all_reached = of(&sheet, 2 * GIB);
        assert_eq!(row(&all_reached, 1 << 20).pieces, 1, "nothing bounces");
    }

    #[test]
    fn a_short_longest_transfer_splits_too() {
        let mut sheet = fixtures::truncating();
        sheet.directions[0].max_length = fixtures::measured(1000);
        let cost = of(&sheet, 16 * GIB);
        let row = row(&cost, 4096);
        assert_eq!(row.pieces, 5);
        let model = CostModel::default();
        let copies = 4 * model.copy_cycles(1000) + model.copy_cycles(96);
        assert_eq!(row.copy_cycles, 3 * copies);
    }

    #[test]
    fn lengths_between_and_beyond_those_measured_lie_on_lines() {
        let curve = Curve(vec![(64, 100), (128, 200), (256, 300)]);
        let read = [1, 64, 96, 192, 512].map(|bytes| curve.cycles(bytes).expect("points"));
        assert_eq!(read, [100, 100, 150, 250, 500]);
        assert_eq!(Curve(vec![(64, 100)]).cycles(128), Some(100));
        assert_eq!(Curve(Vec::new()).cycles(64), None);
    }

    #[test]
    fn nothing_is_counted_without_timings() {
        let mut sheet = fixtures::truncating();
        sheet.timings.clear();
        assert_eq!(
            Cost::of(&sheet, &Envelope::of(&sheet), Machine::default()),
            None
        );
    }
}
