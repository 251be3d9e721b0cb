//! The files by which an administrator sees and sets the debug layer.

use std::fmt::Write as _;

use crate::debug::DmaDebug;
use crate::debug::table::bucket_of;

/// A file in the directory [`DmaDebugFile::DIRECTORY`] of debugfs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DmaDebugFile {
    /// `disabled`: whether the layer is off, `Y` or `N`.
    Disabled,
    /// `error_count`: errors so far, shown or not.
    ErrorCount,
    /// `all_errors`: shows every error if not 0.
    AllErrors,
    /// `num_errors`: how many more errors are shown.
    NumErrors,
    /// `num_free_entries`: entries that are free.
    NumFreeEntries,
    /// `min_free_entries`: fewest entries that were ever free.
    MinFreeEntries,
    /// `nr_total_entries`: entries, free or not.
    NrTotalEntries,
    /// `driver_filter`: the only driver whose errors are shown.
    DriverFilter,
    /// `dump`: one line for each live mapping.
    Dump,
}

/// A write that was refused (`-EACCES` and `-EINVAL`).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DmaDebugFileError {
    /// The file can only be read.
    #[error("{name} can only be read")]
    ReadOnly {
        /// Name of the file.
        name: &'static str,
    },
    /// The file takes a number.
    #[error("{name}: expected a number below 2^32, found `{text}`")]
    NotANumber {
        /// Name of the file.
        name: &'static str,
        /// What was written.
        text: String,
    },
}

impl DmaDebugFile {
    /// Directory of the files.
    pub const DIRECTORY: &'static str = "dma-api";

    /// All files.
    pub const ALL: [Self; 9] = [
        Self::Disabled,
        Self::ErrorCount,
        Self::AllErrors,
        Self::NumErrors,
        Self::NumFreeEntries,
        Self::MinFreeEntries,
        Self::NrTotalEntries,
        Self::DriverFilter,
        Self::Dump,
    ];

    /// Returns the name of the file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::ErrorCount => "error_count",
            Self::AllErrors => "all_errors",
            Self::NumErrors => "num_errors",
            Self::NumFreeEntries => "num_free_entries",
            Self::MinFreeEntries => "min_free_entries",
            Self::NrTotalEntries => "nr_total_entries",
            Self::DriverFilter => "driver_filter",
            Self::Dump => "dump",
        }
    }

    /// Returns whether the file can be written.
    #[must_use]
    pub const fn is_writable(self) -> bool {
        matches!(self, Self::AllErrors | Self::NumErrors | Self::DriverFilter)
    }
}

impl DmaDebug {
    /// Reads a file.
    #[must_use]
    pub fn read_file(&self, file: DmaDebugFile) -> String {
        let counts = self.table.counts();
        match file {
            DmaDebugFile::Disabled => if self.is_disabled { "Y\n" } else { "N\n" }.to_owned(),
            DmaDebugFile::ErrorCount => format!("{}\n", self.log.error_count),
            DmaDebugFile::AllErrors => format!("{}\n", self.log.all_errors),
            DmaDebugFile::NumErrors => format!("{}\n", self.log.num_errors),
            DmaDebugFile::NumFreeEntries => format!("{}\n", counts.free),
            DmaDebugFile::MinFreeEntries => format!("{}\n", counts.min_free),
            DmaDebugFile::NrTotalEntries => format!("{}\n", counts.total),
            DmaDebugFile::DriverFilter => self
                .log
                .filter()
                .map_or_else(String::new, |name| format!("{name}\n")),
            DmaDebugFile::Dump => self.dump(),
        }
    }

    /// Writes a file. Numbers are decimal, or hexadecimal after `0x`.
    ///
    /// # Errors
    /// If the file can only be read, or takes a number and the text is none.
    pub fn write_file(&mut self, file: DmaDebugFile, text: &str) -> Result<(), DmaDebugFileError> {
        let name = file.name();
        match file {
            DmaDebugFile::AllErrors => self.log.all_errors = number(name, text)?,
            DmaDebugFile::NumErrors => self.log.num_errors = number(name, text)?,
            DmaDebugFile::DriverFilter => self.log.set_filter(text),
            _ => return Err(DmaDebugFileError::ReadOnly { name }),
        }
        Ok(())
    }

    /// Lists the live mappings, in the order of the table: driver, device, kind, bucket, physical
    /// address, DMA address, length, cache line, direction, state of the error check, attributes.
    #[must_use]
    pub fn dump(&self) -> String {
        let mut text = String::new();
        for (_, entry) in self.table.all() {
            let claim = &entry.claim;
            let names = self.names.get(&claim.device);
            let (driver, device) = names.map_or(("", ""), |names| (&names.driver, &names.device));
            let line = writeln!(
                text,
                "{driver} {device} {} idx {} P={} D={:x} L={:x} cln={:#x} {} {} attrs={:#x}",
                claim.kind,
                bucket_of(claim.dma),
                claim.phys,
                claim.dma,
                claim.bytes,
                self.lines.line_of(claim.phys),
                claim.dir,
                entry.check,
                claim.attrs.bits(),
            );
            line.expect("a string can always be written");
        }
        text
    }
}

fn number(name: &'static str, text: &str) -> Result<u32, DmaDebugFileError> {
    let trimmed = text.trim();
    let value = trimmed
        .strip_prefix("0x")
        .map_or_else(|| trimmed.parse(), |digits| u32::from_str_radix(digits, 16));
    value.map_err(|_| DmaDebugFileError::NotANumber {
        name,
        text: trimmed.to_owned(),
    })
}
