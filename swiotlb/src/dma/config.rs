//! What the mapping layer is told of the machine beyond [`crate::Platform`].

use crate::dma::error::DmaError;

/// How a platform makes coherent memory for devices that do not snoop caches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum NonCoherentMemory {
    /// Not at all.
    #[default]
    Unsupported,
    /// From one region of memory that nobody caches, see [`crate::Dma::declare_global_region`].
    GlobalRegion,
    /// Through an uncached alias of the pages.
    UncachedAlias,
    /// Through an uncached second mapping of the pages, which takes a call that may block.
    Remap,
}

/// Settings of the mapping layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DmaConfig {
    pub(crate) has_debug_layer: bool,
    pub(crate) has_pool_debug: bool,
    pub(crate) can_mmap_non_coherent: bool,
    pub(crate) non_coherent: NonCoherentMemory,
    pub(crate) cache_alignment: u32,
    pub(crate) coherent_pool_bytes: Option<u64>,
}

impl DmaConfig {
    /// A PC: caches are always coherent, and neither debug build is on.
    pub const PC: Self = Self {
        has_debug_layer: false,
        has_pool_debug: false,
        can_mmap_non_coherent: false,
        non_coherent: NonCoherentMemory::Unsupported,
        cache_alignment: 1,
        coherent_pool_bytes: None,
    };

    /// Says whether the debug layer is compiled in (`CONFIG_DMA_API_DEBUG`): sync calls are then
    /// never dropped.
    #[must_use]
    pub const fn with_debug_layer(mut self, has_debug_layer: bool) -> Self {
        self.has_debug_layer = has_debug_layer;
        self
    }

    /// Says whether dma pools check their blocks (`DMAPOOL_DEBUG`).
    #[must_use]
    pub const fn with_pool_debug(mut self, has_pool_debug: bool) -> Self {
        self.has_pool_debug = has_pool_debug;
        self
    }

    /// Says whether user space may map the coherent memory of a device that does not snoop.
    #[must_use]
    pub const fn with_non_coherent_mmap(mut self, can_mmap: bool) -> Self {
        self.can_mmap_non_coherent = can_mmap;
        self
    }

    /// Says how coherent memory is made for devices that do not snoop.
    #[must_use]
    pub const fn with_non_coherent_memory(mut self, kind: NonCoherentMemory) -> Self {
        self.non_coherent = kind;
        self
    }

    /// Sets the alignment at which buffers share no cache line: 1 on x86, a cache line on arm64.
    ///
    /// # Errors
    /// If it is no power of two.
    pub const fn with_cache_alignment(mut self, bytes: u32) -> Result<Self, DmaError> {
        if !bytes.is_power_of_two() {
            let what = "the cache alignment must be a power of two";
            return Err(DmaError::Invalid { what });
        }
        self.cache_alignment = bytes;
        Ok(self)
    }

    /// Sets the size of each atomic pool (`coherent_pool=`) in bytes.
    #[must_use]
    pub const fn with_coherent_pool_bytes(mut self, bytes: u64) -> Self {
        self.coherent_pool_bytes = Some(bytes);
        self
    }

    /// Takes the parameter `coherent_pool=`: a number with an optional suffix K, M or G.
    ///
    /// # Errors
    /// If the text is none.
    pub fn parse_coherent_pool(self, text: &str) -> Result<Self, DmaError> {
        match parse_size(text) {
            Some((bytes, "")) => Ok(self.with_coherent_pool_bytes(bytes)),
            _ => Err(DmaError::Invalid {
                what: "coherent_pool= takes a size such as 512K",
            }),
        }
    }
}

impl Default for DmaConfig {
    fn default() -> Self {
        Self::PC
    }
}

/// Reads a number (decimal, octal after `0`, hexadecimal after `0x`) with an optional suffix K, M
/// or G, and returns it with the rest of the text.
pub(crate) fn parse_size(text: &str) -> Option<(u64, &str)> {
    let (digits, radix) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&text[2..], 16),
        [b'0', b'0'..=b'7', ..] => (&text[1..], 8),
        _ => (text, 10),
    };
    let end = digits
        .find(|c: char| !c.is_digit(radix))
        .unwrap_or(digits.len());
    let number = u64::from_str_radix(&digits[..end], radix).ok()?;
    let rest = &digits[end..];
    let shift = match rest.chars().next().map(|c| c.to_ascii_uppercase()) {
        Some('K') => 10,
        Some('M') => 20,
        Some('G') => 30,
        _ => return Some((number, rest)),
    };
    let bytes = number.checked_mul(1 << shift)?;
    Some((bytes, &rest[1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_suffixes_and_leave_the_rest() {
        assert_eq!(parse_size("512K"), Some((512 << 10, "")));
        assert_eq!(parse_size("0x10m@4G"), Some((16 << 20, "@4G")));
        assert_eq!(parse_size("010"), Some((8, "")));
        assert_eq!(parse_size("0"), Some((0, "")));
        assert_eq!(parse_size("K"), None);
        assert_eq!(parse_size(""), None);
        assert_eq!(parse_size("0x"), None);
        assert_eq!(parse_size("99999999999G"), None);
        assert_eq!(parse_size("µ"), None);
    }

    #[test]
    fn a_wrong_setting_is_refused() {
        let config = DmaConfig::PC;
        assert!(config.with_cache_alignment(48).is_err());
        assert!(config.with_cache_alignment(0).is_err());
        assert!(config.parse_coherent_pool("1M,2M").is_err());
        let config = config.parse_coherent_pool("1M").unwrap();
        assert_eq!(config.coherent_pool_bytes, Some(1 << 20));
    }
}
