//! The report of a replay: as text, and as data for CSV and JSON.

use std::fmt::Write as _;

use serde::Serialize;

use crate::replay::check::SelfCheck;
use crate::replay::doubts::doubts;
use crate::replay::figures::{Cell, Figures, Point};
use crate::replay::machine::Machine;
use crate::replay::plot::sparkline;
use crate::replay::run::Recording;
use crate::replay::survey::Survey;
use crate::replay::units::{bytes_text, percent, time_text};

/// A row: a device in a phase, or the sum over devices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Name of the phase.
    pub phase: String,
    /// Name of the device; `all` is the pool.
    pub device: String,
    /// Length of the phase in nanoseconds.
    pub phase_ns: u64,
    /// Mappings asked for.
    pub maps: u64,
    /// Bounced ones.
    pub bounced: u64,
    /// Failed ones.
    pub failures: u64,
    /// Bytes of bounced buffers.
    pub bounced_bytes: u64,
    /// Bytes that the CPU copied.
    pub copied_bytes: u64,
    /// Most slots in use, those of earlier phases included.
    pub peak_slots: u64,
    /// How long so many were in use.
    pub at_peak_ns: u64,
    /// `io_tlb_used_hiwater` of the replay; only for `all`.
    pub hiwater: Option<u64>,
    /// `io_tlb_used_hiwater` of the trace.
    pub recorded_hiwater: Option<u64>,
    /// The lowest peak that the lines allow, where the order of overlapping calls is open.
    pub least_hiwater: Option<u64>,
    /// Half of the bounced mappings that ended here lived no longer.
    pub lifetime_p50_ns: u64,
    /// 99 % lived no longer.
    pub lifetime_p99_ns: u64,
    /// The longest.
    pub lifetime_max_ns: u64,
}

impl Row {
    /// Returns whether the kernel's peak is this one or, where the order is open, between this and the
    /// lowest that the lines allow.
    #[must_use]
    pub fn peak_agrees(&self) -> bool {
        let (Some(recorded), Some(here)) = (self.recorded_hiwater, self.hiwater) else {
            return true;
        };
        (self.least_hiwater.unwrap_or(here)..=here).contains(&recorded)
    }
}

/// A replay as data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Slots of the pool.
    pub pool_slots: u64,
    /// Areas.
    pub pool_areas: u32,
    /// First byte of the pool.
    pub pool_base: u64,
    /// Every mapping bounces.
    pub is_forced: bool,
    /// Rows.
    pub rows: Vec<Row>,
    /// Bounced mappings whose address the trace tells; absent in a replay of another machine.
    pub addresses: Option<u64>,
    /// Of these, placed where the kernel did.
    pub same_addresses: Option<u64>,
    /// Mappings that failed on the machine.
    pub recorded_failures: u64,
    /// Of these, predicted.
    pub predicted_failures: Option<u64>,
    /// Slots over time, in equal parts of the trace.
    pub curve: Vec<Point>,
}

impl Report {
    /// Puts a replay of the traced machine together.
    #[must_use]
    pub fn of_recording(survey: &Survey, recording: &Recording) -> Self {
        let (machine, figures) = (&recording.machine, &recording.figures);
        let mut report = Self::new(survey, machine, figures, Some(&recording.check));
        let pools = report.rows.iter_mut().filter(|row| row.hiwater.is_some());
        for (row, least) in pools.zip(&recording.least_hiwater) {
            row.least_hiwater = Some(*least);
        }
        report
    }

    /// Puts the figures of another machine together.
    #[must_use]
    pub fn of_what_if(survey: &Survey, machine: &Machine, figures: &Figures) -> Self {
        Self::new(survey, machine, figures, None)
    }

    fn new(
        survey: &Survey,
        machine: &Machine,
        figures: &Figures,
        check: Option<&SelfCheck>,
    ) -> Self {
        let mut rows = Vec::new();
        for (number, phase) in figures.phases.iter().enumerate() {
            let known = survey.phases.get(number);
            let name = known.map_or("", |phase| phase.name.as_str());
            let length = phase.end_ns.saturating_sub(phase.start_ns);
            let devices = phase
                .devices
                .iter()
                .enumerate()
                .filter(|(_, cell)| cell.maps > 0);
            for (device, cell) in devices {
                let device = survey
                    .devices
                    .get(device)
                    .map_or("", |device| device.name.as_str());
                rows.push(row(name, device, length, cell));
            }
            let mut all = row(name, "all", length, &phase.total());
            all.hiwater = Some(phase.hiwater);
            all.recorded_hiwater = known
                .and_then(|phase| phase.hiwater)
                .filter(|_| check.is_some());
            rows.push(all);
        }
        Self {
            pool_slots: u64::from(machine.slots),
            pool_areas: machine.areas,
            pool_base: machine.base,
            is_forced: machine.is_forced,
            rows,
            addresses: check.map(|check| check.addresses),
            same_addresses: check.map(|check| check.same_addresses),
            recorded_failures: survey.failed(),
            predicted_failures: check.map(|check| check.predicted_failures),
            curve: figures.curve.clone(),
        }
    }

    /// Returns whether each phase has the peak that the kernel counted, or one that the lines allow.
    #[must_use]
    pub fn peaks_agree(&self) -> bool {
        self.rows.iter().all(Row::peak_agrees)
    }
}

fn row(phase: &str, device: &str, phase_ns: u64, cell: &Cell) -> Row {
    Row {
        phase: phase.to_owned(),
        device: device.to_owned(),
        phase_ns,
        maps: cell.maps,
        bounced: cell.bounced,
        failures: cell.failures,
        bounced_bytes: cell.bounced_bytes,
        copied_bytes: cell.copied_bytes,
        peak_slots: cell.slots.peak(),
        at_peak_ns: cell.slots.at_peak_ns(),
        hiwater: None,
        recorded_hiwater: None,
        least_hiwater: None,
        lifetime_p50_ns: cell.lifetimes.percentile_ns(50),
        lifetime_p99_ns: cell.lifetimes.percentile_ns(99),
        lifetime_max_ns: cell.lifetimes.longest_ns(),
    }
}

/// Writes the report for people.
#[must_use]
pub fn text(survey: &Survey, report: &Report, check: Option<&SelfCheck>, moved: u64) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{:<26} {:<14} {:>8} {:>7} {:>10} {:>7} {:>7} {:>9} {:>9} {:>9} {:>9} {:>6}",
        "phase",
        "device",
        "maps",
        "bounced",
        "copied",
        "peak",
        "kernel",
        "at peak",
        "life p50",
        "p99",
        "max",
        "failed"
    );
    let mut last_phase = None;
    for row in &report.rows {
        let is_only = report
            .rows
            .iter()
            .filter(|other| other.phase == row.phase)
            .count()
            <= 2;
        if is_only && row.device != "all" {
            continue;
        }
        let phase = if last_phase == Some(&row.phase) {
            ""
        } else {
            row.phase.as_str()
        };
        last_phase = Some(&row.phase);
        let (peak, kernel) = match (row.hiwater, row.recorded_hiwater) {
            (Some(peak), Some(recorded)) if peak == recorded => {
                (peak.to_string(), "same".to_owned())
            }
            (Some(peak), Some(recorded)) => (peak.to_string(), recorded.to_string()),
            (Some(_), None) => (row.peak_slots.to_string(), "-".to_owned()),
            (None, _) => (row.peak_slots.to_string(), String::new()),
        };
        let line = format!(
            "{phase:<26} {:<14} {:>8} {:>7} {:>10} {peak:>7} {kernel:>7} {:>9} {:>9} {:>9} {:>9} {:>6}",
            row.device,
            row.maps,
            percent(row.bounced, row.maps),
            bytes_text(row.copied_bytes),
            time_text(row.at_peak_ns),
            time_text(row.lifetime_p50_ns),
            time_text(row.lifetime_p99_ns),
            time_text(row.lifetime_max_ns),
            row.failures
        );
        let _ = writeln!(out, "{}", line.trim_end());
    }
    let peak = report
        .curve
        .iter()
        .map(|point| point.used_slots)
        .max()
        .unwrap_or(0);
    let _ = writeln!(
        out,
        "\nslots in use over time, peak {peak} of {}:",
        report.pool_slots
    );
    let _ = writeln!(out, "|{}|", sparkline(&report.curve, 100));
    if let Some(check) = check {
        out.push_str(&check_text(check, report, moved));
    }
    out.push_str(&doubts(survey));
    out
}

fn check_text(check: &SelfCheck, report: &Report, moved: u64) -> String {
    let mut out = String::from("\nself-check against the kernel:\n");
    let truths = report
        .rows
        .iter()
        .filter(|row| row.recorded_hiwater.is_some());
    let (all, same) = truths.fold((0, 0), |(all, same), row| {
        (
            all + 1,
            same + u32::from(row.hiwater == row.recorded_hiwater),
        )
    });
    let _ = writeln!(
        out,
        "  peaks      {same} of {all} phases as io_tlb_used_hiwater counted"
    );
    for row in report
        .rows
        .iter()
        .filter(|row| row.recorded_hiwater.is_some() && row.hiwater != row.recorded_hiwater)
    {
        let (here, kernel) = (row.hiwater.unwrap_or(0), row.recorded_hiwater.unwrap_or(0));
        let why = if row.peak_agrees() {
            format!(
                "the lines allow {} to {here}: slots were freed and taken on two CPUs within microseconds",
                row.least_hiwater.unwrap_or(here)
            )
        } else {
            "more than the lines explain: events are missing, or the pool is not as given"
                .to_owned()
        };
        let _ = writeln!(
            out,
            "             {}: kernel {kernel}, here {here}; {why}",
            row.phase
        );
    }
    let _ = writeln!(
        out,
        "  addresses  {} of {} bounce buffers where the kernel put them ({})",
        check.same_addresses,
        check.addresses,
        percent(check.same_addresses, check.addresses)
    );
    let _ = writeln!(
        out,
        "  failures   {} of {} predicted, {} more here",
        check.predicted_failures, check.failed, check.extra_failures
    );
    if moved > 0 {
        let _ = writeln!(
            out,
            "  order      {moved} calls of several CPUs overlapped in time; the recorded addresses told their order"
        );
    }
    if check.decisions > 0 {
        let _ = writeln!(
            out,
            "  bouncing   {} mappings bounced there or here alone",
            check.decisions
        );
    }
    for difference in &check.shown {
        let _ = writeln!(
            out,
            "  line {}: kernel {}, here {}: {}",
            difference.line, difference.recorded, difference.predicted, difference.cause
        );
    }
    let more = check.differences - check.shown.len() as u64;
    if more > 0 {
        let _ = writeln!(out, "  and {more} more differences");
    }
    out
}
