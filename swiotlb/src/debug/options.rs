//! Boot options of the debug layer, and the machine facts that its checks need.

use std::fmt;

use crate::debug::layout::KernelLayout;

/// Longest driver name that a filter keeps, in characters.
pub(super) const FILTER_CHARS: usize = 63;

/// How the debug layer starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DmaDebugOptions {
    /// Whether the layer is off for good (`dma_debug=off`).
    pub is_off: bool,
    /// Entries made in advance (`dma_debug_entries=`), rounded up to whole pages of 32.
    pub entries: u32,
    /// Name of the only driver whose errors are shown (`dma_debug_driver=`).
    pub driver: Option<String>,
    /// Pages of 32 entries that there is memory for; beyond them the layer turns itself off.
    pub memory_pages: u32,
    /// Cache lines that there is memory to track.
    pub cacheline_capacity: usize,
    /// Bytes of a line of the L1 cache, a power of two.
    pub l1_line_bytes: u32,
    /// Alignment that DMA needs (`dma_get_cache_alignment`): 1 where devices snoop, as on x86.
    /// Overlaps are errors only if it is a whole L1 line.
    pub cache_alignment: u32,
    /// Where the kernel's own memory lies.
    pub layout: KernelLayout,
    /// Whether the checks run that the kernel does not have; see [`crate::MapMisuse`].
    pub has_extra_checks: bool,
}

impl Default for DmaDebugOptions {
    fn default() -> Self {
        Self {
            is_off: false,
            entries: 65536,
            driver: None,
            memory_pages: u32::MAX,
            cacheline_capacity: usize::MAX,
            l1_line_bytes: 64,
            cache_alignment: 1,
            layout: KernelLayout::default(),
            has_extra_checks: false,
        }
    }
}

/// A boot parameter that was not understood, and so has no effect.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DebugParamWarning {
    /// No parameter of the debug layer has this name.
    Unknown {
        /// The parameter as written.
        text: String,
    },
    /// The value is not one that the parameter takes.
    Value {
        /// Name of the parameter.
        name: &'static str,
        /// Value as written.
        value: String,
        /// What would be taken.
        expected: &'static str,
    },
}

impl fmt::Display for DebugParamWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { text } => write!(
                f,
                "`{text}` is ignored: expected dma_debug=, dma_debug_entries= or dma_debug_driver="
            ),
            Self::Value {
                name,
                value,
                expected,
            } => write!(f, "{name}=: expected {expected}, `{value}` is ignored"),
        }
    }
}

impl DmaDebugOptions {
    /// Reads one boot parameter: `dma_debug=off` (anything that begins so),
    /// `dma_debug_entries=N` or `dma_debug_driver=NAME`.
    ///
    /// Never fails: what is not understood has no effect, and is reported.
    #[doc(alias("dma_debug", "dma_debug_entries", "dma_debug_driver"))]
    pub fn parse(&mut self, parameter: &str) -> Option<DebugParamWarning> {
        match parameter.split_once('=') {
            Some(("dma_debug", value)) if value.starts_with("off") => {
                self.is_off = true;
                None
            }
            Some(("dma_debug", value)) => warn("dma_debug", value, "`off`"),
            Some(("dma_debug_entries", value)) => {
                let Ok(entries) = value.parse() else {
                    return warn("dma_debug_entries", value, "a number below 2^32");
                };
                self.entries = entries;
                None
            }
            Some(("dma_debug_driver", value)) => {
                self.driver = driver_name(value);
                None
            }
            _ => Some(DebugParamWarning::Unknown {
                text: parameter.to_owned(),
            }),
        }
    }
}

fn warn(name: &'static str, value: &str, expected: &'static str) -> Option<DebugParamWarning> {
    Some(DebugParamWarning::Value {
        name,
        value: value.to_owned(),
        expected,
    })
}

/// Returns the driver name that a filter text means: its first word, at most 63 characters; none
/// if it does not begin with a letter or digit.
pub(super) fn driver_name(text: &str) -> Option<String> {
    let is_name = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    let word = text.split_whitespace().next()?;
    is_name.then(|| word.chars().take(FILTER_CHARS).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boot_parameters_are_read_as_the_kernel_reads_them() {
        let mut options = DmaDebugOptions::default();
        assert_eq!(options.parse("dma_debug_entries=100"), None);
        assert_eq!(options.parse("dma_debug_driver=e1000 rest"), None);
        assert_eq!(options.entries, 100);
        assert_eq!(options.driver.as_deref(), Some("e1000"));
        assert!(!options.is_off);
        assert_eq!(options.parse("dma_debug=offline"), None);
        assert!(options.is_off);
    }

    #[test]
    fn what_is_not_understood_is_reported_and_changes_nothing() {
        let mut options = DmaDebugOptions::default();
        let texts: Vec<String> = ["dma_debug=on", "dma_debug_entries=many", "swiotlb=force"]
            .iter()
            .filter_map(|parameter| options.parse(parameter))
            .map(|warning| warning.to_string())
            .collect();
        assert_eq!(
            texts,
            [
                "dma_debug=: expected `off`, `on` is ignored",
                "dma_debug_entries=: expected a number below 2^32, `many` is ignored",
                "`swiotlb=force` is ignored: expected dma_debug=, dma_debug_entries= or \
                 dma_debug_driver="
            ]
        );
        assert_eq!(options, DmaDebugOptions::default());
    }

    #[test]
    fn a_filter_is_the_first_word_and_nothing_else_clears_it() {
        assert_eq!(driver_name("nvme\n").as_deref(), Some("nvme"));
        assert_eq!(driver_name("8139too x").as_deref(), Some("8139too"));
        for cleared in ["", "\n", " nvme", "-", "_x"] {
            assert_eq!(driver_name(cleared), None, "{cleared:?}");
        }
        assert_eq!(
            driver_name(&"a".repeat(80)).map(|name| name.len()),
            Some(63)
        );
    }
}
