//! Traces that cannot be read at all. What is wrong with single lines is counted, not refused.

use std::path::{Path, PathBuf};

/// A format that another program turns into text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForeignFormat {
    /// `trace.dat` of trace-cmd.
    TraceCmd,
    /// `perf.data` of perf.
    Perf,
    /// Zstandard.
    Zstd,
    /// XZ.
    Xz,
    /// Bzip2.
    Bzip2,
}

impl ForeignFormat {
    /// Recognises a format by the first bytes of a file.
    pub(crate) fn of(magic: &[u8]) -> Option<Self> {
        const MAGICS: [(&[u8], ForeignFormat); 5] = [
            (b"\x17\x08\x44tracing", ForeignFormat::TraceCmd),
            (b"PERFILE", ForeignFormat::Perf),
            (b"\x28\xb5\x2f\xfd", ForeignFormat::Zstd),
            (b"\xfd7zXZ", ForeignFormat::Xz),
            (b"BZh", ForeignFormat::Bzip2),
        ];
        let found = MAGICS.iter().find(|(known, _)| magic.starts_with(known));
        found.map(|&(_, format)| format)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::TraceCmd => "a binary trace of trace-cmd",
            Self::Perf => "a binary trace of perf",
            Self::Zstd => "compressed with zstd",
            Self::Xz => "compressed with xz",
            Self::Bzip2 => "compressed with bzip2",
        }
    }

    fn command(self, name: &Path) -> String {
        let name = name.display();
        match self {
            Self::TraceCmd => format!("trace-cmd report -i {name}"),
            Self::Perf => format!("perf script -i {name} --show-lost-events"),
            Self::Zstd => format!("zstdcat {name}"),
            Self::Xz => format!("xzcat {name}"),
            Self::Bzip2 => format!("bzcat {name}"),
        }
    }
}

/// A trace that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TraceError {
    /// The file cannot be opened or read.
    #[error("{}: cannot read the trace: {cause}", place(name, *line))]
    Unreadable {
        /// The file.
        name: PathBuf,
        /// The line that was to be read; 0 before the first.
        line: u64,
        /// What the system says.
        cause: std::io::Error,
    },
    /// The file is no text, but something that can be turned into it.
    #[error("{}: expected the text of a trace, found a file that is {}", name.display(), format.name())]
    Foreign {
        /// The file.
        name: PathBuf,
        /// What it is.
        format: ForeignFormat,
    },
    /// The bytes are no text.
    #[error("{}:{line}: expected text, found zero bytes or a line without an end", name.display())]
    NotText {
        /// The file.
        name: PathBuf,
        /// The line.
        line: u64,
    },
    /// No line is of use.
    #[error("{}: expected events `swiotlb:swiotlb_bounced` and `dma:*`, found {found}", name.display())]
    NothingUsable {
        /// The file.
        name: PathBuf,
        /// What was found instead.
        found: String,
    },
    /// What was read could not be kept aside.
    #[error("cannot keep the mappings of the trace in a temporary file: {0}")]
    Spool(#[from] std::io::Error),
}

/// Names a line of a file; line 0 is the file.
fn place(name: &Path, line: u64) -> String {
    if line == 0 {
        name.display().to_string()
    } else {
        format!("{}:{line}", name.display())
    }
}

impl TraceError {
    /// Says what to do.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::Unreadable { .. } => {
                "name a readable file, or `-` for the standard input".to_owned()
            }
            Self::Foreign { name, format } => {
                format!("make text of it first: {} | rebound replay -", format.command(name))
            }
            Self::NotText { .. } | Self::NothingUsable { .. } => {
                "expected the text of /sys/kernel/tracing/trace, of `trace-cmd report` or of `perf script`, \
                 with the events swiotlb:swiotlb_bounced and dma:* enabled; testbench/SIZING.md says how to \
                 record one"
                    .to_owned()
            }
            Self::Spool(_) => "make room where temporary files lie, or set TMPDIR".to_owned(),
        }
    }
}
