//! How an allocation may be made (`gfp_t`).

use std::fmt;

use crate::page_source::Zone;

/// Flags of an allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Gfp {
    can_block: bool,
    is_silent: bool,
    is_compound: bool,
    zone: Zone,
}

impl Gfp {
    /// The caller may sleep (`GFP_KERNEL`).
    pub const KERNEL: Self = Self {
        can_block: true,
        is_silent: false,
        is_compound: false,
        zone: Zone::Normal,
    };

    /// The caller cannot sleep (`GFP_ATOMIC`).
    pub const ATOMIC: Self = Self {
        can_block: false,
        ..Self::KERNEL
    };

    /// Asks that a failure is not reported (`__GFP_NOWARN`).
    #[must_use]
    pub const fn with_no_warn(mut self) -> Self {
        self.is_silent = true;
        self
    }

    /// Asks for a compound page (`__GFP_COMP`), which no DMA allocation gives.
    #[must_use]
    pub const fn with_compound(mut self) -> Self {
        self.is_compound = true;
        self
    }

    /// Names a zone (`__GFP_DMA`, `__GFP_DMA32`); coherent allocations choose it themselves.
    #[must_use]
    pub const fn with_zone(mut self, zone: Zone) -> Self {
        self.zone = zone;
        self
    }

    /// Returns whether the caller may sleep.
    #[must_use]
    pub const fn can_block(self) -> bool {
        self.can_block
    }

    /// Returns whether a failure shall not be reported.
    #[must_use]
    pub const fn is_silent(self) -> bool {
        self.is_silent
    }

    /// Returns whether a compound page is asked for.
    #[must_use]
    pub const fn is_compound(self) -> bool {
        self.is_compound
    }

    /// Returns the zone named.
    #[must_use]
    pub const fn zone(self) -> Zone {
        self.zone
    }
}

impl fmt::Display for Gfp {
    /// Prints the names joined by `|`, as trace lines do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.can_block {
            "GFP_KERNEL"
        } else {
            "GFP_ATOMIC"
        })?;
        let names = [
            (self.zone == Zone::Dma, "__GFP_DMA"),
            (self.zone == Zone::Dma32, "__GFP_DMA32"),
            (self.is_silent, "__GFP_NOWARN"),
            (self.is_compound, "__GFP_COMP"),
        ];
        for (_, name) in names.into_iter().filter(|(is_set, _)| *is_set) {
            write!(f, "|{name}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_print_as_in_trace_lines() {
        assert_eq!(Gfp::KERNEL.to_string(), "GFP_KERNEL");
        let all = Gfp::ATOMIC
            .with_zone(Zone::Dma32)
            .with_no_warn()
            .with_compound();
        assert_eq!(
            all.to_string(),
            "GFP_ATOMIC|__GFP_DMA32|__GFP_NOWARN|__GFP_COMP"
        );
    }
}
