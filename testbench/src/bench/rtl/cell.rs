//! A cell of the table: what is moved, and on which bus.

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// Widths of the data bus in bits that are measured.
pub const WIDTHS: [u32; 4] = [64, 128, 256, 512];
/// Latencies of the memory in cycles that are measured.
pub const LATENCIES: [u32; 5] = [1, 10, 50, 100, 200];
/// Bytes of a lone transfer.
const SIZES: [u32; 6] = [64, 256, 1 << 10, 4 << 10, 64 << 10, 1 << 20];
/// Bytes of each transfer of many.
const SMALL_SIZES: [u32; 3] = [64, 256, 1 << 10];
/// Transfers of a cell with many.
pub const MANY: u32 = 1000;
/// Offsets of source and destination from a page: aligned, and neither to a beat nor to each other.
const OFFSETS: [(u32, u32); 2] = [(0, 0), (1, 3)];

/// How the engine is put to work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// One copy, memory to memory, started by registers
    Copy,
    /// One transfer from memory to the stream, started by registers
    Mm2s,
    /// One transfer from the stream to memory, started by registers
    S2mm,
    /// Many copies, each started by registers as soon as the engine takes it
    CopyQueue,
    /// Copies from the descriptor rings, buffers scattered
    CopyRing,
}

impl Mode {
    /// Its name, as in the column `mode`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Copy => "copy",
            Self::Mm2s => "mm2s",
            Self::S2mm => "s2mm",
            Self::CopyQueue => "copy-queue",
            Self::CopyRing => "copy-ring",
        }
    }

    /// Numbers of transfers with their sizes.
    fn loads(self) -> impl Iterator<Item = (u32, u32)> {
        let lone: &[u32] = if self == Self::CopyQueue { &[] } else { &SIZES };
        let has_many = matches!(self, Self::CopyQueue | Self::CopyRing);
        let many: &[u32] = if has_many { &SMALL_SIZES } else { &[] };
        let count = |count| move |bytes: &u32| (count, *bytes);
        lone.iter()
            .map(count(1))
            .chain(many.iter().map(count(MANY)))
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is moved, and on which bus: all that decides over the cycles, but for the core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cell {
    /// Width of the data bus in bits.
    pub data_width: u32,
    /// How the engine is put to work.
    pub mode: Mode,
    /// Transfers.
    pub count: u32,
    /// Bytes that the source lies behind a page; 0 if the stream is the source.
    pub src_offset: u32,
    /// Bytes that the destination lies behind a page; 0 if the stream is the destination.
    pub dst_offset: u32,
    /// Bytes of each transfer.
    pub bytes: u32,
    /// Cycles from an AR handshake to its first beat, and from a burst's last W handshake to its B.
    pub latency: u32,
}

impl Cell {
    /// Bytes in a beat.
    #[must_use]
    pub const fn beat_bytes(&self) -> u32 {
        self.data_width / 8
    }

    /// Data beats that the transfers need: of writes, or of reads where nothing is written.
    #[must_use]
    pub const fn beats(&self) -> u64 {
        let offset = match self.mode {
            Mode::Mm2s => self.src_offset,
            _ => self.dst_offset,
        };
        let first_lane = offset % self.beat_bytes();
        let each = (first_lane + self.bytes).div_ceil(self.beat_bytes());
        each as u64 * self.count as u64
    }

    /// Cycles of one transfer in hundredths, rounded, of the cycles of all.
    #[must_use]
    pub const fn hundredths_each(&self, cycles: u64) -> u64 {
        let count = self.count as u64;
        (cycles * 100 + count / 2) / count
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            data_width,
            mode,
            count,
            src_offset,
            dst_offset,
            bytes,
            latency,
        } = self;
        write!(
            f,
            "{data_width} bits, {mode}, {count} of {bytes} bytes, source +{src_offset}, destination \
             +{dst_offset}, L = {latency}"
        )
    }
}

/// Returns the cells of some modes, widths and latencies, in the order of the table; what is named twice comes once.
#[must_use]
pub fn cells(modes: &[Mode], widths: &[u32], latencies: &[u32]) -> Vec<Cell> {
    let mut cells = Vec::new();
    for (&data_width, &mode) in widths
        .iter()
        .flat_map(|width| modes.iter().map(move |mode| (width, mode)))
    {
        for ((count, bytes), (source, destination)) in mode
            .loads()
            .flat_map(|load| OFFSETS.map(|offsets| (load, offsets)))
        {
            cells.extend(latencies.iter().map(|&latency| Cell {
                data_width,
                mode,
                count,
                src_offset: if mode == Mode::S2mm { 0 } else { source },
                dst_offset: if mode == Mode::Mm2s { 0 } else { destination },
                bytes,
                latency,
            }));
        }
    }
    cells.sort_unstable();
    cells.dedup();
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_table_has_every_mode_size_offset_and_latency() {
        let all = cells(Mode::value_variants(), &WIDTHS, &LATENCIES);
        let a_width = (6 + 6 + 6 + 3 + 6 + 3) * 2 * 5;
        assert_eq!(all.len(), 4 * a_width);
        assert!(all.is_sorted());
        let twice = cells(&[Mode::Copy, Mode::Copy], &[64, 64], &[1]);
        assert_eq!(twice.len(), 12);
    }

    #[test]
    fn a_misaligned_destination_takes_one_beat_more() {
        let mut cell = cells(&[Mode::Copy], &[64], &[1])[0];
        assert_eq!((cell.bytes, cell.beats()), (64, 8));
        cell.dst_offset = 3;
        assert_eq!(cell.beats(), 9);
        cell.count = MANY;
        assert_eq!(cell.beats(), 9000);
        cell.mode = Mode::Mm2s;
        assert_eq!(cell.beats(), 8000, "mm2s has no destination");
    }

    #[test]
    fn cycles_each_are_rounded_to_hundredths() {
        let mut cell = cells(&[Mode::CopyQueue], &[64], &[1])[0];
        assert_eq!(cell.hundredths_each(8_404), 840);
        assert_eq!(cell.hundredths_each(8_405), 841);
        cell.count = 1;
        assert_eq!(cell.hundredths_each(11), 1100);
    }
}
