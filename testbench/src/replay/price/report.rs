//! The price as a table, and as data for CSV and JSON.

use std::fmt::Write as _;

use serde::Serialize;

use crate::replay::units::bytes_text;
use crate::result::{Counts, ratio_permille};

/// What the transfers of a device cost, one way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PriceRow {
    /// Name of the device; `all` is the sum.
    pub device: String,
    /// `bounced` or `direct`.
    pub run: &'static str,
    /// Transfers.
    pub transfers: u64,
    /// Bytes that they move.
    pub bytes: u64,
    /// Cycles from the first driver action to the last, idle time of the trace left out.
    pub cycles: u64,
    /// Cycles with a burst in flight on the bus.
    pub bus_cycles: u64,
    /// CPU cycles of map and unmap calls, without copying.
    pub cpu_map_cycles: u64,
    /// CPU cycles spent copying.
    pub cpu_copy_cycles: u64,
    /// Share of the cycles that the CPU maps, unmaps or copies, in thousandths.
    pub cpu_share_permille: u64,
    /// Cycles of the bounced run by those of the direct one, in thousandths; only for `bounced`.
    pub ratio_permille: Option<u64>,
}

impl PriceRow {
    fn new(device: &str, run: &'static str, counts: &Counts) -> Self {
        Self {
            device: device.to_owned(),
            run,
            transfers: counts.transfers,
            bytes: counts.bytes,
            cycles: counts.cycles,
            bus_cycles: counts.bus_busy_cycles,
            cpu_map_cycles: counts.cpu_map_cycles,
            cpu_copy_cycles: counts.cpu_copy_cycles,
            cpu_share_permille: ratio_permille(
                counts.cpu_map_cycles + counts.cpu_copy_cycles,
                counts.cycles,
            ),
            ratio_permille: None,
        }
    }
}

/// The price of bouncing a part of a trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PriceReport {
    /// Name of the core.
    pub core: String,
    /// Address bits that its driver declares.
    pub mask_bits: u32,
    /// First line of the trace with a transfer.
    pub first_line: u64,
    /// Last line.
    pub last_line: u64,
    /// Each device bounced and direct, then the sums.
    pub rows: Vec<PriceRow>,
}

impl PriceReport {
    /// Begins a report.
    #[must_use]
    pub fn new(core: &str, mask_bits: u32, (first_line, last_line): (u64, u64)) -> Self {
        Self {
            core: core.to_owned(),
            mask_bits,
            first_line,
            last_line,
            rows: Vec::new(),
        }
    }

    /// Adds a device.
    pub fn add(&mut self, device: &str, bounced: &Counts, direct: &Counts) {
        let mut row = PriceRow::new(device, "bounced", bounced);
        row.ratio_permille = Some(ratio_permille(bounced.cycles, direct.cycles));
        self.rows.push(row);
        self.rows.push(PriceRow::new(device, "direct", direct));
    }

    /// Adds the sums of all devices.
    pub fn add_sums(&mut self) {
        let (bounced, direct) = (self.sum("bounced"), self.sum("direct"));
        self.add("all", &bounced, &direct);
    }

    fn sum(&self, run: &str) -> Counts {
        let mut sum = Counts::default();
        for row in self.rows.iter().filter(|row| row.run == run) {
            sum.transfers += row.transfers;
            sum.bytes += row.bytes;
            sum.cycles += row.cycles;
            sum.bus_busy_cycles += row.bus_cycles;
            sum.cpu_map_cycles += row.cpu_map_cycles;
            sum.cpu_copy_cycles += row.cpu_copy_cycles;
        }
        sum
    }

    /// Writes the table for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = format!(
            "{} carries out bounced transfers of lines {} to {}, one after the other; the driver declares {} address bits\n\n",
            self.core, self.first_line, self.last_line, self.mask_bits
        );
        let _ = writeln!(
            out,
            "{:<14} {:<8} {:>9} {:>10} {:>11} {:>11} {:>10} {:>10} {:>9} {:>7}",
            "device",
            "run",
            "transfers",
            "bytes",
            "cycles",
            "bus busy",
            "mapping",
            "copying",
            "CPU share",
            "ratio"
        );
        for row in &self.rows {
            let device = if row.run == "bounced" {
                row.device.as_str()
            } else {
                ""
            };
            let ratio = row.ratio_permille.map_or_else(String::new, |ratio| {
                format!("{}.{:02}", ratio / 1000, ratio % 1000 / 10)
            });
            let line = format!(
                "{device:<14} {:<8} {:>9} {:>10} {:>11} {:>11} {:>10} {:>10} {:>7}.{} % {ratio:>5}",
                row.run,
                row.transfers,
                bytes_text(row.bytes),
                row.cycles,
                row.bus_cycles,
                row.cpu_map_cycles,
                row.cpu_copy_cycles,
                row.cpu_share_permille / 10,
                row.cpu_share_permille % 10,
            );
            let _ = writeln!(out, "{}", line.trim_end());
        }
        out.push_str(
            "\nCPU share: mapping and copying, of the cycles; ratio: cycles bounced by direct\n",
        );
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_ratios_follow_from_the_devices() {
        let counts = |cycles, copying| Counts {
            transfers: 2,
            bytes: 4096,
            cycles,
            cpu_map_cycles: 100,
            cpu_copy_cycles: copying,
            ..Counts::default()
        };
        let mut report = PriceReport::new("core", 32, (3, 9));
        report.add("disk", &counts(3000, 500), &counts(2000, 0));
        report.add("nic", &counts(1000, 100), &counts(500, 0));
        report.add_sums();
        let all = &report.rows[4];
        assert_eq!(
            (all.device.as_str(), all.transfers, all.cycles),
            ("all", 4, 4000)
        );
        assert_eq!(
            (all.ratio_permille, all.cpu_share_permille),
            (Some(1600), 200)
        );
        let text = report.text();
        assert!(text.contains("1.50") && text.contains("20.0 %"), "{text}");
    }
}
