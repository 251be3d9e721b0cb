//! Rows: one call each, with what must come out.

use csv::ByteRecord;

use super::data::{parse_crc, parse_number};
use super::error::BadLine;
use crate::attrs::Attrs;
use crate::direction::DataDirection;

/// Names of the 16 columns.
const COLUMNS: [&str; 16] = [
    "n", "op", "cpu", "dev", "addr", "size", "align", "dir", "attrs", "ref", "seed", "pages",
    "result", "used", "crc_orig", "crc_tlb",
];

macro_rules! operations {
    ($($variant:ident = $text:literal),* $(,)?) => {
        /// What a row does.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Op {
            $($variant),*
        }

        impl Op {
            fn parse(text: &[u8]) -> Option<Self> {
                $(if text == $text.as_bytes() {
                    return Some(Self::$variant);
                })*
                None
            }

            pub(super) const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text),*
                }
            }
        }
    };
}

operations! {
    Map = "map",
    Unmap = "unmap",
    SyncCpu = "synccpu",
    SyncDevice = "syncdev",
    DmaMap = "dmamap",
    Find = "find",
    Alloc = "alloc",
    Free = "free",
    Worker = "worker",
    Reap = "reap",
    Fill = "fill",
    Crc = "crc",
    IoUsed = "q_io_used",
    Hiwater = "q_hiwater",
    HiwaterReset = "q_hiwater_reset",
    Transient = "q_transient",
    Slots = "q_nslabs",
    PoolCount = "q_npools",
    Pools = "q_pools",
    TransientPools = "q_tpools",
    FreeMap = "q_freemap",
    Areas = "q_areas",
    MaxMapping = "q_maxmap",
    IsActive = "q_active",
    IsForced = "q_force",
    IsForAlloc = "q_for_alloc",
    NeedsSync = "q_need_sync",
    IsAllocated = "q_allocated",
    DefaultSize = "q_default_size",
    Limit = "q_limit",
    Base = "q_base",
}

/// One row, read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) n: u64,
    pub(super) op: Op,
    cpu: Option<u32>,
    device: Option<u32>,
    addr: Option<u64>,
    bytes: Option<u64>,
    align_mask: Option<u32>,
    dir: Option<DataDirection>,
    pub(super) attrs: Attrs,
    orig: Option<u64>,
    pub(super) seed: Option<u64>,
    pub(super) pages: &'a [u8],
    pub(super) result: &'a [u8],
    pub(super) used: Option<u64>,
    pub(super) crc_orig: Option<u32>,
    pub(super) crc_tlb: Option<u32>,
}

fn text(cell: &[u8]) -> String {
    String::from_utf8_lossy(cell).into_owned()
}

fn bad(column: usize, expected: &str, cell: &[u8]) -> BadLine {
    BadLine::new(COLUMNS[column], expected, format!("`{}`", text(cell)))
}

#[inline]
fn optional<T>(
    cell: &[u8],
    column: usize,
    expected: &str,
    parse: impl FnOnce(&[u8]) -> Option<T>,
) -> Result<Option<T>, BadLine> {
    if cell.is_empty() {
        return Ok(None);
    }
    match parse(cell) {
        Some(value) => Ok(Some(value)),
        None => Err(bad(column, expected, cell)),
    }
}

fn parse_number32(cell: &[u8]) -> Option<u32> {
    u32::try_from(parse_number(cell)?).ok()
}

fn parse_direction(cell: &[u8]) -> Option<DataDirection> {
    match cell {
        b"TO" => Some(DataDirection::ToDevice),
        b"FROM" => Some(DataDirection::FromDevice),
        b"BIDI" => Some(DataDirection::Bidirectional),
        _ => None,
    }
}

fn parse_attrs(cell: &[u8]) -> Option<Attrs> {
    let mut attrs = Attrs::NONE;
    for name in cell.split(|&byte| byte == b'|') {
        attrs |= match name {
            b"SKIP" => Attrs::SKIP_CPU_SYNC,
            b"NOWARN" => Attrs::NO_WARN,
            b"ALLOC_SHARED" => Attrs::ALLOC_CC_SHARED,
            _ => return None,
        };
    }
    Some(attrs)
}

impl<'a> Row<'a> {
    /// Reads a row.
    pub(super) fn parse(record: &'a ByteRecord) -> Result<Self, BadLine> {
        let mut cells = [&b""[..]; 16];
        if record.len() != cells.len() {
            let got = format!("{} in `{}`", record.len(), text(record.as_slice()));
            return Err(BadLine::new("row", "16 cells", got));
        }
        for (cell, field) in cells.iter_mut().zip(record) {
            *cell = field;
        }
        let number = "a 64-bit number";
        let number32 = "a 32-bit number";
        let crc = "8 lower-case hexadecimal digits";
        let n = parse_number(cells[0]).ok_or_else(|| bad(0, number, cells[0]))?;
        let op = Op::parse(cells[1]).ok_or_else(|| bad(1, "a known operation", cells[1]))?;
        Ok(Self {
            n,
            op,
            cpu: optional(cells[2], 2, number32, parse_number32)?,
            device: optional(cells[3], 3, number32, parse_number32)?,
            addr: optional(cells[4], 4, number, parse_number)?,
            bytes: optional(cells[5], 5, number, parse_number)?,
            align_mask: optional(cells[6], 6, number32, parse_number32)?,
            dir: optional(cells[7], 7, "TO, FROM or BIDI", parse_direction)?,
            attrs: optional(cells[8], 8, "SKIP, NOWARN, ALLOC_SHARED", parse_attrs)?
                .unwrap_or_default(),
            orig: optional(cells[9], 9, number, parse_number)?,
            seed: optional(cells[10], 10, number, parse_number)?,
            pages: cells[11],
            result: cells[12],
            used: optional(cells[13], 13, number, parse_number)?,
            crc_orig: optional(cells[14], 14, crc, parse_crc)?,
            crc_tlb: optional(cells[15], 15, crc, parse_crc)?,
        })
    }

    fn need<T>(&self, cell: Option<T>, column: usize) -> Result<T, BadLine> {
        cell.ok_or_else(|| {
            let expected = format!("a value for {}", self.op.name());
            BadLine::new(COLUMNS[column], expected, "an empty cell")
        })
    }

    pub(super) fn cpu(&self) -> Result<u32, BadLine> {
        self.need(self.cpu, 2)
    }

    pub(super) const fn device(&self) -> Option<u32> {
        self.device
    }

    pub(super) fn need_device(&self) -> Result<u32, BadLine> {
        self.need(self.device, 3)
    }

    pub(super) fn addr(&self) -> Result<u64, BadLine> {
        self.need(self.addr, 4)
    }

    pub(super) fn bytes(&self) -> Result<u64, BadLine> {
        self.need(self.bytes, 5)
    }

    pub(super) fn align_mask(&self) -> Result<u32, BadLine> {
        self.need(self.align_mask, 6)
    }

    pub(super) fn dir(&self) -> Result<DataDirection, BadLine> {
        self.need(self.dir, 7)
    }

    pub(super) fn orig(&self) -> Result<u64, BadLine> {
        self.need(self.orig, 9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(line: &str) -> ByteRecord {
        ByteRecord::from(line.split(',').collect::<Vec<_>>())
    }

    #[test]
    fn a_row_is_read() {
        let record =
            record("7,map,3,1,0x1000,16384,0xfff,BIDI,SKIP|NOWARN,,0x0,,FAIL,12,,602bcf22");
        let row = Row::parse(&record).unwrap();
        assert_eq!((row.n, row.op), (7, Op::Map));
        assert_eq!(row.cpu(), Ok(3));
        assert_eq!(row.attrs, Attrs::SKIP_CPU_SYNC | Attrs::NO_WARN);
        assert_eq!(row.seed, Some(0));
        assert_eq!(row.crc_orig, None);
        assert_eq!(row.crc_tlb, Some(0x602b_cf22));
        assert!(row.orig().is_err());
    }

    #[test]
    fn what_is_wrong_in_a_row_is_named() {
        let error = |line: &str| {
            let BadLine {
                column,
                expected,
                got,
            } = Row::parse(&record(line)).unwrap_err();
            format!("{column}: {expected}: {got}")
        };
        assert_eq!(error("1,map"), "row: 16 cells: 2 in `1map`");
        assert_eq!(
            error("1,jump,,,,,,,,,,,,,,"),
            "op: a known operation: `jump`"
        );
        assert_eq!(
            error("1,map,0,0,0x,1,,,,,,,,,,"),
            "addr: a 64-bit number: `0x`"
        );
        assert_eq!(
            error("1,map,0,0,0x1,1,,UP,,,,,,,,"),
            "dir: TO, FROM or BIDI: `UP`"
        );
    }
}
