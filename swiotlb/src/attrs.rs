//! Attributes of a mapping (`DMA_ATTR_*`) as a bit set.

use std::fmt;
use std::ops::{BitOr, BitOrAssign};

/// A set of mapping attributes. The bits are those of the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Attrs(u64);

impl Attrs {
    /// No attribute.
    pub const NONE: Self = Self(0);
    /// Accesses of the device may be reordered (`DMA_ATTR_WEAK_ORDERING`).
    #[doc(alias = "DMA_ATTR_WEAK_ORDERING")]
    pub const WEAK_ORDERING: Self = Self(1 << 1);
    /// Writes may be buffered (`DMA_ATTR_WRITE_COMBINE`).
    #[doc(alias = "DMA_ATTR_WRITE_COMBINE")]
    pub const WRITE_COMBINE: Self = Self(1 << 2);
    /// An allocation returns a cookie instead of a CPU address (`DMA_ATTR_NO_KERNEL_MAPPING`).
    #[doc(alias = "DMA_ATTR_NO_KERNEL_MAPPING")]
    pub const NO_KERNEL_MAPPING: Self = Self(1 << 4);
    /// The caller has handed over the buffer itself (`DMA_ATTR_SKIP_CPU_SYNC`). At map the copy
    /// into a bounce buffer is made all the same; at unmap the copy back is dropped.
    #[doc(alias = "DMA_ATTR_SKIP_CPU_SYNC")]
    pub const SKIP_CPU_SYNC: Self = Self(1 << 5);
    /// Memory must be physically contiguous (`DMA_ATTR_FORCE_CONTIGUOUS`).
    #[doc(alias = "DMA_ATTR_FORCE_CONTIGUOUS")]
    pub const FORCE_CONTIGUOUS: Self = Self(1 << 6);
    /// Large pages are not worth the try (`DMA_ATTR_ALLOC_SINGLE_PAGES`).
    #[doc(alias = "DMA_ATTR_ALLOC_SINGLE_PAGES")]
    pub const ALLOC_SINGLE_PAGES: Self = Self(1 << 7);
    /// A failure shall not be reported (`DMA_ATTR_NO_WARN`).
    #[doc(alias = "DMA_ATTR_NO_WARN")]
    pub const NO_WARN: Self = Self(1 << 8);
    /// Only privileged accesses are allowed (`DMA_ATTR_PRIVILEGED`).
    #[doc(alias = "DMA_ATTR_PRIVILEGED")]
    pub const PRIVILEGED: Self = Self(1 << 9);
    /// The address is not RAM; it is never bounced (`DMA_ATTR_MMIO`).
    #[doc(alias = "DMA_ATTR_MMIO")]
    pub const MMIO: Self = Self(1 << 10);
    /// Overlapping mappings are intended (`DMA_ATTR_DEBUGGING_IGNORE_CACHELINES`).
    #[doc(alias = "DMA_ATTR_DEBUGGING_IGNORE_CACHELINES")]
    pub const DEBUGGING_IGNORE_CACHELINES: Self = Self(1 << 11);
    /// Neither bouncing nor cache work is allowed (`DMA_ATTR_REQUIRE_COHERENT`).
    #[doc(alias = "DMA_ATTR_REQUIRE_COHERENT")]
    pub const REQUIRE_COHERENT: Self = Self(1 << 12);
    /// The memory is already shared with the host (`DMA_ATTR_CC_SHARED`).
    #[doc(alias = "DMA_ATTR_CC_SHARED")]
    pub const CC_SHARED: Self = Self(1 << 13);
    /// The memory to be allocated shall be shared (internal `ALLOC_CC_SHARED`).
    pub const ALLOC_CC_SHARED: Self = Self(1 << 14);
    /// Those that must be the same at map and unmap.
    pub const MUST_MATCH: Self = Self::NO_KERNEL_MAPPING
        .with(Self::FORCE_CONTIGUOUS)
        .with(Self::MMIO)
        .with(Self::REQUIRE_COHERENT)
        .with(Self::PRIVILEGED)
        .with(Self::CC_SHARED);

    /// The call may sleep (`DMA_ATTR_MAY_SLEEP`, a proposal that Linux did not take): a buffer of its
    /// own ([`crate::Policy::PerBuffer`]) may then be waited for.
    #[doc(alias = "DMA_ATTR_MAY_SLEEP")]
    pub const MAY_SLEEP: Self = Self(1 << 32);

    /// The attributes and the names by which trace lines call them.
    const NAMES: [(Self, &'static str); 14] = [
        (Self::WEAK_ORDERING, "WEAK_ORDERING"),
        (Self::WRITE_COMBINE, "WRITE_COMBINE"),
        (Self::NO_KERNEL_MAPPING, "NO_KERNEL_MAPPING"),
        (Self::SKIP_CPU_SYNC, "SKIP_CPU_SYNC"),
        (Self::FORCE_CONTIGUOUS, "FORCE_CONTIGUOUS"),
        (Self::ALLOC_SINGLE_PAGES, "ALLOC_SINGLE_PAGES"),
        (Self::NO_WARN, "NO_WARN"),
        (Self::PRIVILEGED, "PRIVILEGED"),
        (Self::MMIO, "MMIO"),
        (Self::DEBUGGING_IGNORE_CACHELINES, "CACHELINES_OVERLAP"),
        (Self::REQUIRE_COHERENT, "REQUIRE_COHERENT"),
        (Self::CC_SHARED, "CC_SHARED"),
        (Self::ALLOC_CC_SHARED, "ALLOC_CC_SHARED"),
        (Self::MAY_SLEEP, "MAY_SLEEP"),
    ];

    /// Returns whether every attribute of `other` is set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns whether any attribute of `other` is set.
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Returns the set with the attributes of `other` added.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns the set without the attributes of `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Returns the raw bits, as the kernel passes them.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }
}

impl BitOr for Attrs {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.with(other)
    }
}

impl BitOrAssign for Attrs {
    fn bitor_assign(&mut self, other: Self) {
        *self = self.with(other);
    }
}

impl fmt::Display for Attrs {
    /// Prints the names joined by `|`, as trace lines do; nothing for the empty set.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (attr, name) in Self::NAMES {
            if self.intersects(attr) {
                write!(f, "{separator}{name}")?;
                separator = "|";
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Attrs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Attrs({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_join_and_part() {
        let both = Attrs::SKIP_CPU_SYNC | Attrs::NO_WARN;
        assert!(both.contains(Attrs::NO_WARN));
        assert!(!Attrs::NO_WARN.contains(both));
        assert!(Attrs::NO_WARN.intersects(both));
        assert_eq!(both.without(Attrs::NO_WARN), Attrs::SKIP_CPU_SYNC);
        assert_eq!(both.bits(), 0x120);
    }

    #[test]
    fn the_bits_are_those_of_the_kernel() {
        let bits: Vec<u32> = Attrs::NAMES
            .iter()
            .map(|(attr, _)| attr.bits().trailing_zeros())
            .collect();
        assert_eq!(bits, [1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 32]);
        assert_eq!(
            Attrs::MUST_MATCH.to_string(),
            "NO_KERNEL_MAPPING|FORCE_CONTIGUOUS|PRIVILEGED|MMIO|REQUIRE_COHERENT|CC_SHARED"
        );
    }

    #[test]
    fn names_are_joined_as_in_trace_lines() {
        let attrs = Attrs::SKIP_CPU_SYNC | Attrs::DEBUGGING_IGNORE_CACHELINES;
        assert_eq!(attrs.to_string(), "SKIP_CPU_SYNC|CACHELINES_OVERLAP");
        assert_eq!(Attrs::NONE.to_string(), "");
    }
}
