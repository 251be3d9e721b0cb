//! Errors as they are reported: counted, filtered by driver, and shown or not.

use std::fmt;

use crate::debug::caller::Caller;
use crate::debug::error::DmaDebugError;
use crate::debug::options::driver_name;

/// One error or notice of the debug layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DebugReport {
    /// What was found.
    pub error: DmaDebugError,
    /// Name of the device's driver; empty for notices of the layer itself.
    pub driver: String,
    /// Name of the device; empty for notices of the layer itself.
    pub device: String,
    /// Who made the call that was objected to.
    pub caller: Caller,
    /// Who made the mapping that the call concerns, if one was found.
    pub mapper: Option<Caller>,
    /// Whether the kernel would have shown it: the rest is only counted.
    pub is_shown: bool,
}

impl fmt::Display for DebugReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DMA-API: ")?;
        if !self.device.is_empty() {
            write!(f, "{} {}: ", self.driver, self.device)?;
        }
        write!(f, "{}", self.error)?;
        self.mapper
            .as_ref()
            .map_or(Ok(()), |mapper| write!(f, ", mapped by {mapper}"))
    }
}

/// The counters and the filter that decide what is shown.
#[derive(Debug)]
pub(super) struct ErrorLog {
    pub(super) error_count: u32,
    /// Shows every error if not 0.
    pub(super) all_errors: u32,
    /// How many more errors are shown.
    pub(super) num_errors: u32,
    filter: Option<String>,
    reports: Vec<DebugReport>,
}

impl ErrorLog {
    pub(super) const fn new(filter: Option<String>) -> Self {
        Self {
            error_count: 0,
            all_errors: 0,
            num_errors: 1,
            filter,
            reports: Vec::new(),
        }
    }

    pub(super) fn filter(&self) -> Option<&str> {
        self.filter.as_deref()
    }

    pub(super) fn set_filter(&mut self, text: &str) {
        self.filter = driver_name(text);
    }

    /// Keeps a report, and counts it if it is an error. An error that the filter hides uses up
    /// `num_errors` as well.
    pub(super) fn push(&mut self, mut report: DebugReport) {
        report.is_shown = report.error.is_notice() || self.counts_as_shown(&report.driver);
        self.reports.push(report);
    }

    fn counts_as_shown(&mut self, driver: &str) -> bool {
        self.error_count = self.error_count.wrapping_add(1);
        let passes = self
            .filter
            .as_ref()
            .is_none_or(|name| driver_name(driver).as_ref() == Some(name));
        let is_shown = passes && (self.all_errors != 0 || self.num_errors > 0);
        if self.all_errors == 0 {
            self.num_errors = self.num_errors.saturating_sub(1);
        }
        is_shown
    }

    pub(super) fn take(&mut self) -> Vec<DebugReport> {
        std::mem::take(&mut self.reports)
    }
}
