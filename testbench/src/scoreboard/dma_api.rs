//! What the debug layer of the mapping layer objected to, with the history of the mapping.

use swiotlb::{DebugReport, DmaAddr, MisuseReport};

use super::explain::{mapped_place, place_text};
use super::{Entry, Scoreboard};
use crate::violation::{Check, Violation};

impl Scoreboard {
    /// Reports an error of the debug layer; its notices are no violations.
    pub fn dma_debug(&mut self, report: &DebugReport, transfer: Option<usize>, cycle: u64) {
        if report.error.is_notice() {
            return;
        }
        let entry = report
            .error
            .dma_addr()
            .and_then(|addr| self.last_mapping_at(addr));
        // The layer forgets a mapping with its unmap; the ledger does not.
        let history = match (&report.mapper, entry) {
            (Some(mapper), _) => format!(", mapped by {mapper}"),
            (None, Some(entry)) => self.history(entry),
            (None, None) => String::new(),
        };
        let place = entry.map(|entry| mapped_place(&self.buffers, entry, 0));
        let violation = Violation {
            check: Check::DmaApi,
            cycle: Some(cycle),
            transfer: transfer.or_else(|| entry.map(|entry| entry.mapping.transfer)),
            text: format!("{} {}{history}", report.error.id(), report.error),
            place,
        };
        self.log.push(violation);
    }

    /// Reports a request that no driver should make.
    pub fn map_misuse(&mut self, report: &MisuseReport, transfer: Option<usize>, cycle: u64) {
        self.log.push(Violation {
            check: Check::DmaApi,
            cycle: Some(cycle),
            transfer,
            text: format!(
                "{} {}, by {}",
                report.misuse.id(),
                report.misuse,
                report.caller
            ),
            place: None,
        });
    }

    /// Returns the mapping that holds an address, or held it last.
    pub(super) fn last_mapping_at(&self, addr: DmaAddr) -> Option<&Entry> {
        let live = self.ledger.live_at(addr.raw());
        live.map(|id| self.ledger.entry(id))
            .or_else(|| self.ledger.dead_at(addr.raw()))
    }

    /// Tells when a mapping was made and when it ended.
    pub(super) fn history(&self, entry: &Entry) -> String {
        let mapping = &entry.mapping;
        let end = entry.unmapped_at.map_or_else(
            || "still mapped".to_owned(),
            |cycle| format!("unmapped at cycle {cycle}"),
        );
        format!(
            ", {} was mapped by CPU {} at cycle {} and is {end}",
            place_text(&mapped_place(&self.buffers, entry, 0)),
            mapping.cpu,
            mapping.mapped_at,
        )
    }
}
