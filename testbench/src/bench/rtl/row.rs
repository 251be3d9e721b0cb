//! A row of the table, as CSV has it.

use serde::{Deserialize, Serialize};

use super::cell::{Cell, Mode};

/// The measured cycles of a cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The core and its configuration.
    pub core: String,
    /// How it was put to work.
    pub mode: Mode,
    /// Width of the data bus in bits.
    pub data_width: u32,
    /// Latency of the memory in cycles.
    pub latency: u32,
    /// Bytes of each transfer.
    pub bytes: u32,
    /// Bytes that the source lies behind a page.
    pub src_offset: u32,
    /// Bytes that the destination lies behind a page.
    pub dst_offset: u32,
    /// Transfers.
    pub count: u32,
    /// Cycles of all transfers together.
    pub cycles: u64,
    /// Data beats that they need.
    pub beats: u64,
    /// Beats per cycle, rounded to four digits.
    pub utilisation: f64,
}

impl Row {
    /// A core's cycles of a cell.
    #[must_use]
    pub fn new(core: String, cell: &Cell, cycles: u64) -> Self {
        let beats = cell.beats();
        Self {
            core,
            mode: cell.mode,
            data_width: cell.data_width,
            latency: cell.latency,
            bytes: cell.bytes,
            src_offset: cell.src_offset,
            dst_offset: cell.dst_offset,
            count: cell.count,
            cycles,
            beats,
            utilisation: f64::from(per_myriad(beats, cycles)) / 10_000.0,
        }
    }

    /// The cell that the cycles belong to.
    #[must_use]
    pub const fn cell(&self) -> Cell {
        Cell {
            data_width: self.data_width,
            mode: self.mode,
            count: self.count,
            src_offset: self.src_offset,
            dst_offset: self.dst_offset,
            bytes: self.bytes,
            latency: self.latency,
        }
    }

    /// Cycles of one transfer in hundredths.
    #[must_use]
    pub const fn hundredths_each(&self) -> u64 {
        self.cell().hundredths_each(self.cycles)
    }
}

/// Beats per cycle in ten-thousandths, rounded.
fn per_myriad(beats: u64, cycles: u64) -> u32 {
    let rounded = (beats * 10_000 + cycles / 2)
        .checked_div(cycles)
        .unwrap_or(0);
    u32::try_from(rounded).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::rtl::cell::cells;

    #[test]
    fn a_row_survives_its_csv_and_has_the_columns_that_are_promised() {
        let cell = cells(&[Mode::CopyRing], &[512], &[200])[0];
        let row = Row::new("a core".to_owned(), &cell, 807);
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.serialize(&row).expect("a row");
        let text = String::from_utf8(writer.into_inner().expect("no file")).expect("ASCII");
        assert_eq!(
            text,
            "core,mode,data_width,latency,bytes,src_offset,dst_offset,count,cycles,beats,utilisation\n\
             a core,copy-ring,512,200,64,0,0,1,807,1,0.0012\n"
        );
        let read: Row = csv::Reader::from_reader(text.as_bytes())
            .deserialize()
            .next()
            .expect("a row")
            .expect("well-formed");
        assert_eq!(read, row);
        assert_eq!(read.cell(), cell);
    }
}
