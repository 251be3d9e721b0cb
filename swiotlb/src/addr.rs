//! Address types: where bytes are, and what a device puts on the bus.

use std::fmt;

macro_rules! address {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        #[repr(transparent)]
        pub struct $name(u64);

        impl $name {
            /// Wraps a raw 64-bit address.
            #[must_use]
            pub const fn new(raw: u64) -> Self {
                Self(raw)
            }

            /// Returns the raw 64-bit address.
            #[must_use]
            pub const fn raw(self) -> u64 {
                self.0
            }

            /// Adds `bytes`, or returns `None` past the end of the 64-bit space.
            #[must_use]
            pub const fn checked_add(self, bytes: u64) -> Option<Self> {
                match self.0.checked_add(bytes) {
                    Some(raw) => Some(Self(raw)),
                    None => None,
                }
            }

            /// Adds `bytes` modulo 2^64, as the kernel's unsigned arithmetic does.
            #[must_use]
            pub const fn wrapping_add(self, bytes: u64) -> Self {
                Self(self.0.wrapping_add(bytes))
            }

            /// Subtracts `bytes` modulo 2^64, as the kernel's unsigned arithmetic does.
            #[must_use]
            pub const fn wrapping_sub(self, bytes: u64) -> Self {
                Self(self.0.wrapping_sub(bytes))
            }

            /// Returns the distance from `base` in bytes, or `None` if `base` lies above.
            #[must_use]
            pub const fn checked_offset_from(self, base: Self) -> Option<u64> {
                self.0.checked_sub(base.0)
            }

            /// Clears the low bits below `align` (a power of two); 0 aligns to nothing, like 1.
            #[must_use]
            pub const fn align_down(self, align: u64) -> Self {
                Self(self.0 & !align.saturating_sub(1))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:#x})", stringify!($name), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:#x}", self.0)
            }
        }

        impl fmt::LowerHex for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::LowerHex::fmt(&self.0, f)
            }
        }
    };
}

address! {
    /// A physical address: where bytes are (`phys_addr_t`).
    PhysAddr
}

address! {
    /// A DMA address: what a device puts on the bus (`dma_addr_t`).
    DmaAddr
}

impl DmaAddr {
    /// The value that a failed mapping returns (`DMA_MAPPING_ERROR`).
    #[doc(alias = "DMA_MAPPING_ERROR")]
    pub const MAPPING_ERROR: Self = Self(u64::MAX);
}

impl PhysAddr {
    /// The value that stands for "no address" (`INVALID_PHYS_ADDR`).
    pub const INVALID: Self = Self(u64::MAX);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_is_checked_or_says_that_it_wraps() {
        let top = PhysAddr::new(u64::MAX);
        assert_eq!(top.checked_add(1), None);
        assert_eq!(top.wrapping_add(1), PhysAddr::new(0));
        assert_eq!(PhysAddr::new(5).checked_offset_from(PhysAddr::new(6)), None);
        assert_eq!(
            DmaAddr::new(0x1fff).align_down(0x1000),
            DmaAddr::new(0x1000)
        );
        assert_eq!(DmaAddr::new(0x1fff).align_down(0), DmaAddr::new(0x1fff));
    }

    #[test]
    fn addresses_print_as_hexadecimal() {
        assert_eq!(DmaAddr::new(0x4000).to_string(), "0x4000");
        assert_eq!(format!("{:?}", PhysAddr::new(16)), "PhysAddr(0x10)");
    }
}
