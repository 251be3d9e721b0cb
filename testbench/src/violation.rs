//! A violation: one breach of one check, with the facts that locate it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The rules that a run is judged by. Each has a name that reports, plans and command lines share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// A beat outside every mapping that was ever made.
    Unmapped,
    /// A beat in a mapping that has been unmapped.
    UseAfterUnmap,
    /// A beat that runs past the end of a live mapping.
    PastEnd,
    /// A device write to a `ToDevice` mapping, or a device read of a `FromDevice` one.
    Direction,
    /// A byte with another value than the one that belongs there.
    Data,
    /// The device or the CPU saw bytes from before the last hand-over: a sync is missing.
    Stale,
    /// A byte that should have been written and was not.
    NotWritten,
    /// A byte written twice in one transfer.
    WrittenTwice,
    /// A byte outside the buffers' lent part changed: guard bytes or a foreign buffer.
    Guard,
    /// A byte of a source buffer changed.
    SourceOverwritten,
    /// The core's stream carried other bytes than the buffer holds, or another number of them.
    Stream,
    /// A mapping or a pool slot was still held at the end.
    Leak,
    /// A protocol rule of AXI or AXI-Stream was broken.
    Protocol,
    /// An assertion inside the core failed, or the core ended the simulation.
    Assertion,
    /// The engine reported another status than the plan expects.
    Status,
    /// The engine said that it was done before its last write was answered.
    EarlyDone,
    /// The engine was done, yet its interrupt never came.
    LostInterrupt,
    /// The mapping layer refused a request, or mapped it in a way that the device's limits forbid.
    Mapping,
    /// The driver misused the DMA API: the debug layer of the mapping layer objected.
    DmaApi,
    /// CPU or device touched a buffer that was the other's.
    Ownership,
    /// The IOMMU stopped an access, or let it through to another address than that of its mapping.
    Iommu,
    /// The device could read memory beside its buffer.
    Exposed,
    /// The run did not come into the situation that its scenario is for.
    Unreached,
    /// The run took more cycles than its parameters justify, or was given up while the bus still moved.
    Budget,
    /// The run was given up at its cycle limit, and nothing had happened on the bus for long.
    Hang,
    /// The process of the run died.
    Crash,
    /// The process of the run did not end in time and was stopped.
    Watchdog,
}

impl Check {
    /// Every check, in report order.
    pub const ALL: [Self; 27] = [
        Self::Unmapped,
        Self::UseAfterUnmap,
        Self::PastEnd,
        Self::Direction,
        Self::Data,
        Self::Stale,
        Self::NotWritten,
        Self::WrittenTwice,
        Self::Guard,
        Self::SourceOverwritten,
        Self::Stream,
        Self::Leak,
        Self::Protocol,
        Self::Assertion,
        Self::Status,
        Self::EarlyDone,
        Self::LostInterrupt,
        Self::Mapping,
        Self::DmaApi,
        Self::Ownership,
        Self::Iommu,
        Self::Exposed,
        Self::Unreached,
        Self::Budget,
        Self::Hang,
        Self::Crash,
        Self::Watchdog,
    ];

    /// Returns the name used in reports, `use-after-unmap` for instance.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unmapped => "unmapped",
            Self::UseAfterUnmap => "use-after-unmap",
            Self::PastEnd => "past-end",
            Self::Direction => "direction",
            Self::Data => "data",
            Self::Stale => "stale",
            Self::NotWritten => "not-written",
            Self::WrittenTwice => "written-twice",
            Self::Guard => "guard",
            Self::SourceOverwritten => "source-overwritten",
            Self::Stream => "stream",
            Self::Leak => "leak",
            Self::Protocol => "protocol",
            Self::Assertion => "assertion",
            Self::Status => "status",
            Self::EarlyDone => "early-done",
            Self::LostInterrupt => "lost-interrupt",
            Self::Mapping => "mapping",
            Self::DmaApi => "dma-api",
            Self::Ownership => "ownership",
            Self::Iommu => "iommu",
            Self::Exposed => "exposed",
            Self::Unreached => "unreached",
            Self::Budget => "budget",
            Self::Hang => "hang",
            Self::Crash => "crash",
            Self::Watchdog => "watchdog",
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Where a violation happened: the buffer's name with offset, and the addresses behind it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Place {
    /// Name of the buffer, if the place belongs to one.
    pub buffer: Option<String>,
    /// Offset of the place in the buffer in bytes; negative in the guard before it.
    pub offset: i64,
    /// Physical address of the byte in the buffer itself.
    pub phys: Option<u64>,
    /// DMA address that the device used or was given.
    pub dma: Option<u64>,
    /// Whether the buffer went through a bounce slot.
    pub is_bounced: bool,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        if let Some(buffer) = &self.buffer {
            write!(f, "{}", offset_text(buffer, self.offset))?;
            separator = ", ";
        }
        if let Some(phys) = self.phys {
            write!(f, "{separator}phys {phys:#x}")?;
            separator = ", ";
        }
        if let Some(dma) = self.dma {
            let how = if self.is_bounced { "bounced at " } else { "" };
            write!(f, "{separator}{how}dma {dma:#x}")?;
        }
        Ok(())
    }
}

/// Writes `rx0+0x11`, or `rx0-0x4` in the guard before the buffer.
#[must_use]
pub fn offset_text(buffer: &str, offset: i64) -> String {
    let sign = if offset < 0 { '-' } else { '+' };
    format!("{buffer}{sign}{:#x}", offset.unsigned_abs())
}

/// One breach of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// The check that was broken.
    pub check: Check,
    /// Clock cycle of the breach, if it belongs to one.
    pub cycle: Option<u64>,
    /// Number of the transfer in the plan, if it belongs to one.
    pub transfer: Option<usize>,
    /// What was expected, then what was found: lower case, no full stop.
    pub text: String,
    /// Where it happened.
    pub place: Option<Place>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        let place = self.place.as_ref().map(ToString::to_string);
        let cycle = self.cycle.map(|cycle| format!("cycle {cycle}"));
        let facts: Vec<String> = place
            .into_iter()
            .filter(|text| !text.is_empty())
            .chain(cycle)
            .collect();
        if !facts.is_empty() {
            write!(f, " ({})", facts.join(", "))?;
        }
        Ok(())
    }
}

/// Violations of a run: the first ones of each check in full, all of them counted.
#[derive(Debug, Clone, Default)]
pub struct ViolationLog {
    kept: Vec<Violation>,
    counts: std::collections::BTreeMap<Check, u64>,
}

impl ViolationLog {
    /// Violations of one check that are kept with their facts; the rest only counts.
    pub const KEPT_PER_CHECK: u64 = 16;

    /// Adds a violation.
    pub fn push(&mut self, violation: Violation) {
        self.push_with(violation.check, || violation);
    }

    /// Adds a violation of `check` whose facts are only worked out if they are going to be kept:
    /// a broken core can break a rule at every beat.
    pub fn push_with(&mut self, check: Check, facts: impl FnOnce() -> Violation) {
        let count = self.counts.entry(check).or_insert(0);
        *count += 1;
        if *count <= Self::KEPT_PER_CHECK {
            self.kept.push(facts());
        }
    }

    /// Returns the violations that were kept, in the order in which they were found.
    #[must_use]
    pub fn kept(&self) -> &[Violation] {
        &self.kept
    }

    /// Returns how often each check was broken.
    #[must_use]
    pub fn counts(&self) -> &std::collections::BTreeMap<Check, u64> {
        &self.counts
    }

    /// Returns the number of all violations.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_tells_place_and_cycle_after_expected_and_found() {
        let violation = Violation {
            check: Check::NotWritten,
            cycle: Some(18442),
            transfer: Some(7),
            text: "dst+0x11 not written: expected 0x5b, found guard 0x1b".into(),
            place: Some(Place {
                buffer: Some("rx0".into()),
                offset: 0x11,
                phys: Some(0x1_8000_1000),
                dma: Some(0x400_2000),
                is_bounced: true,
            }),
        };
        assert_eq!(
            violation.to_string(),
            "dst+0x11 not written: expected 0x5b, found guard 0x1b \
             (rx0+0x11, phys 0x180001000, bounced at dma 0x4002000, cycle 18442)"
        );
    }

    #[test]
    fn log_keeps_the_first_and_counts_the_rest() {
        let mut log = ViolationLog::default();
        for cycle in 0..100 {
            log.push(Violation {
                check: Check::Data,
                cycle: Some(cycle),
                transfer: None,
                text: "wrong".into(),
                place: None,
            });
        }
        assert_eq!(log.total(), 100);
        assert_eq!(log.kept().len(), 16);
        assert_eq!(log.counts()[&Check::Data], 100);
    }

    #[test]
    fn every_check_has_its_own_name_and_serialises_to_it() {
        let mut names: Vec<_> = Check::ALL.iter().map(|check| check.name()).collect();
        for check in Check::ALL {
            let json = serde_json::to_string(&check).expect("a unit variant serialises");
            assert_eq!(json, format!("\"{}\"", check.name()));
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Check::ALL.len());
    }

    #[test]
    fn guard_before_a_buffer_reads_as_a_negative_offset() {
        assert_eq!(offset_text("rx0", -4), "rx0-0x4");
        assert_eq!(offset_text("rx0", 17), "rx0+0x11");
    }
}
