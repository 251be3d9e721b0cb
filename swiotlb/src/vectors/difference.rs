//! Where an answer differs from the reference, and what that means.

use super::data;
use super::error::BadLine;
use super::machine::{Machine, outside};
use super::outcome::Outcome;
use super::row::{Op, Row};
use super::setup::InitLine;
use crate::bounce::BounceInfo;
use crate::error::{AllocError, InitError, MapError, SyncError, UnmapError};
use crate::init::InitOutcome;
use crate::pool::{AllocatorId, PoolGeometry};
use crate::slot::SLOT_BYTES;

/// A cell that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) cell: &'static str,
    pub(super) expected: String,
    pub(super) got: String,
    pub(super) explanation: String,
}

/// What a call said beside its result.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cause {
    None,
    Bounced(BounceInfo),
    Map(MapError),
    Unmap(UnmapError),
    Sync(SyncError),
    Alloc(AllocError),
}

impl Machine {
    /// Compares a start with `@init`.
    pub(super) fn start_difference(
        &self,
        init: &InitLine,
        result: &Result<InitOutcome, InitError>,
        requests: Option<(String, String)>,
    ) -> Option<Difference> {
        let explanation = match result {
            Ok(outcome) => format!("the start gave {outcome:?}"),
            Err(cause) => format!("the start failed: {cause}"),
        };
        let geometry = match result {
            Ok(InitOutcome::Ready(geometry)) => Some(*geometry),
            _ => None,
        };
        let word = match (init.late, result) {
            (None, Ok(InitOutcome::Ready(_))) => "OK".to_owned(),
            (None, _) => "NONE".to_owned(),
            (Some(_), Ok(_)) => "0".to_owned(),
            (Some(_), Err(cause)) => cause.errno().to_string(),
        };
        let base = |base: Option<u64>| base.map_or("-".to_owned(), |base| format!("{base:#x}"));
        let boot = self.swiotlb.boot();
        let (expected_requests, got_requests) = requests.unwrap_or_default();
        let pairs = [
            ("requests", expected_requests, got_requests),
            ("result", init.result.clone(), word),
            (
                "base",
                base(init.base),
                base(geometry.map(|geometry| geometry.base.raw())),
            ),
            (
                "nslabs",
                init.slots.to_string(),
                geometry.map_or(0, |geometry| geometry.slots).to_string(),
            ),
            (
                "nareas",
                init.areas.to_string(),
                geometry.map_or(0, |geometry| geometry.areas).to_string(),
            ),
            (
                "grow_nslabs",
                init.grow_slots.to_string(),
                boot.default_slots().to_string(),
            ),
            (
                "search_nareas",
                init.search_areas.to_string(),
                boot.default_areas().to_string(),
            ),
            (
                "can_grow",
                init.can_grow.to_string(),
                self.swiotlb.growth_limit().is_some().to_string(),
            ),
            (
                "phys_limit",
                format!("{:#x}", init.phys_limit),
                format!("{:#x}", self.swiotlb.default_growth().phys_limit),
            ),
        ];
        pairs
            .into_iter()
            .find(|(_, expected, got)| expected != got)
            .map(|(cell, expected, got)| Difference {
                cell,
                expected,
                got,
                explanation,
            })
    }

    /// Compares the checksums of both sides.
    pub(super) fn compare_sums(
        &self,
        row: &Row<'_>,
        cause: Cause,
    ) -> Result<Option<Difference>, BadLine> {
        if let Some(expected) = row.crc_orig {
            let addr = match row.op {
                Op::Map | Op::DmaMap => row.addr()?,
                _ => row.orig()?,
            };
            let found = self.compare_sum(row, "crc_orig", addr, expected)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        let Some(expected) = row.crc_tlb else {
            return Ok(None);
        };
        let addr = match (row.op, cause) {
            (Op::Map | Op::DmaMap, Cause::Bounced(bounce)) => bounce.tlb_addr.raw(),
            _ => row.addr()?,
        };
        self.compare_sum(row, "crc_tlb", addr, expected)
    }

    fn compare_sum(
        &self,
        row: &Row<'_>,
        cell: &'static str,
        addr: u64,
        expected: u32,
    ) -> Result<Option<Difference>, BadLine> {
        let bytes = row.bytes()?;
        let got = data::crc(&self.mem, addr, bytes).map_err(|cause| outside(&cause))?;
        Ok((got != expected).then(|| Difference {
            cell,
            expected: format!("{expected:08x}"),
            got: format!("{got:08x}"),
            explanation: format!("the {bytes} bytes at {addr:#x} are not those of the reference"),
        }))
    }

    pub(super) fn explain_result(
        &self,
        row: &Row<'_>,
        id: AllocatorId,
        outcome: &Outcome,
        cause: Cause,
    ) -> Difference {
        let expected = String::from_utf8_lossy(row.result).into_owned();
        let here = match cause {
            Cause::None => "the answer differs".to_owned(),
            Cause::Bounced(bounce) => format!(
                "{} slots from slot {} on were taken here",
                bounce.slots, bounce.first_slot
            ),
            Cause::Map(cause) => format!("the call was refused: {cause}"),
            Cause::Unmap(cause) => format!("the call was refused: {cause}"),
            Cause::Sync(cause) => format!("the call was refused: {cause}"),
            Cause::Alloc(cause) => format!("the call was refused: {cause}"),
        };
        let there = data::parse_number(row.result)
            .filter(|_| matches!(row.op, Op::Map | Op::Alloc))
            .and_then(|addr| self.describe(id, addr))
            .map_or(String::new(), |place| {
                format!("; the reference took {place}")
            });
        Difference {
            cell: "result",
            expected,
            got: outcome.to_string(),
            explanation: format!("{here}{there}"),
        }
    }

    /// Says which slot of which pool an address lies in.
    fn describe(&self, id: AllocatorId, addr: u64) -> Option<String> {
        self.swiotlb.pools(id).find_map(|pool| {
            let geometry = self.swiotlb.pool_geometry(pool)?;
            let offset = addr.checked_sub(geometry.base.raw())?;
            (offset < geometry.bytes()).then(|| name_slot(&geometry, offset / SLOT_BYTES))
        })
    }
}

/// Names a slot with its area. A pool that was added after a smaller start can have more areas than
/// slots; they have no slots of their own then.
fn name_slot(geometry: &PoolGeometry, slot: u64) -> String {
    let area_slots = u64::from(geometry.slots / geometry.areas);
    let area = slot
        .checked_div(area_slots)
        .map_or(String::new(), |area| format!(" (area {area})"));
    format!("slot {slot}{area} of the pool at {}", geometry.base)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::PhysAddr;

    #[test]
    fn a_slot_has_a_name_also_where_there_are_more_areas_than_slots() {
        let geometry = |areas| PoolGeometry {
            base: PhysAddr::new(0x10_0000),
            slots: 512,
            areas,
        };
        let names = [2, 1024].map(|areas| name_slot(&geometry(areas), 300));
        assert_eq!(
            names,
            [
                "slot 300 (area 1) of the pool at 0x100000",
                "slot 300 of the pool at 0x100000"
            ]
        );
    }
}
