//! What the driver alone can see, handed to the scoreboard: mappings, statuses, streams and buffers.

use swiotlb::{PhysAddr, SLOT_BYTES};

use super::engine::{Completion, Failure};
use super::mapper::Lease;
use super::transfer::{Job, Piece};
use crate::scenario::plan::{IOMMU_PAGE_BYTES, Outcome, Plan, PoolKind};
use crate::scoreboard::{GUARD_BYTES, MappingId, index};
use crate::violation::Check;

/// Cycles from the end of a transfer to the end of its packet on the stream.
const PACKET_CYCLES: u64 = 5_000;

/// A mapping as it was made.
struct Made {
    phys: u64,
    bytes: u64,
    dma: u64,
    is_bounced: bool,
}

impl Made {
    /// Says in which ways the mapping breaks the device's limits.
    fn faults(&self, plan: &Plan) -> Vec<String> {
        let device = &plan.device;
        let mut faults = Vec::new();
        let word = |is_bounced: bool| if is_bounced { "bounced" } else { "direct" };
        let should_bounce = plan.should_bounce(self.phys, self.bytes);
        if self.is_bounced != should_bounce {
            faults.push(format!(
                "mapping of {} bytes at phys {:#x} for mask {:#x}: expected a {} one, found a {} one",
                self.bytes,
                self.phys,
                device.dma_mask,
                word(should_bounce),
                word(self.is_bounced)
            ));
        }
        if !self.is_bounced {
            return faults;
        }
        let end = self.dma.wrapping_add(self.bytes - 1);
        if let Some(pool) = &plan.machine.pool
            && pool.kind == PoolKind::Restricted
            && plan.machine.iommu.is_none()
            && !(pool.base..=pool.base + pool.slots * SLOT_BYTES - self.bytes).contains(&self.dma)
        {
            faults.push(format!(
                "bounce buffer at dma {:#x} to {end:#x}: expected it in the device's restricted pool at {:#x}, \
                 found it outside",
                self.dma, pool.base
            ));
        }
        if plan.machine.iommu.is_some()
            && device.min_align_mask == 0
            && !self.dma.is_multiple_of(IOMMU_PAGE_BYTES)
        {
            faults.push(format!(
                "bounce buffer at dma {:#x} behind an IOMMU: expected it at the start of a page, found it inside",
                self.dma
            ));
        }
        if (self.dma ^ self.phys) & u64::from(device.min_align_mask) != 0 {
            faults.push(format!(
                "bounce buffer at dma {:#x} for phys {:#x}: expected the same bits {:#x}, found others",
                self.dma, self.phys, device.min_align_mask
            ));
        }
        if (self.dma ^ end) & !device.segment_boundary_mask != 0 {
            faults.push(format!(
                "bounce buffer at dma {:#x} to {end:#x}: expected no multiple of {:#x} inside, found one",
                self.dma,
                device.segment_boundary_mask.wrapping_add(1)
            ));
        }
        faults
    }
}

impl Job<'_> {
    /// Compares a mapping with what the device's limits ask for.
    pub(super) fn check_mapping(&self, buffer: usize, piece: Piece, lease: &Lease) {
        let phys = self.driver.board.borrow().buffers()[buffer].phys + piece.offset;
        let made = Made {
            phys,
            bytes: piece.bytes,
            dma: lease.dma.raw(),
            is_bounced: lease.is_bounced,
        };
        for text in made.faults(&self.driver.plan) {
            self.report(Check::Mapping, text);
        }
    }

    /// Compares how the engine ended with what the plan says, and returns whether all was moved.
    pub(super) fn check_status(&self, completions: &[Completion], piece: Piece) -> bool {
        let expected = match self.transfer.outcome {
            Outcome::Done => None,
            Outcome::Slverr => Some(Failure::Slverr),
            Outcome::Decerr => Some(Failure::Decerr),
            Outcome::AddrLimit => Some(Failure::AddrLimit),
        };
        let mut is_done = true;
        for completion in completions {
            is_done &= completion.failure.is_none();
            if completion.unanswered_writes > 0 {
                self.report(
                    Check::EarlyDone,
                    format!(
                        "engine done too early: expected every write answered before, found {} on the bus \
                         without a response",
                        completion.unanswered_writes
                    ),
                );
            }
            let is_short = u64::from(completion.bytes_done) < piece.bytes;
            if completion.failure != expected {
                let found = completion.failure.map_or_else(
                    || "none".to_owned(),
                    |failure| format!("{failure:?} at dma {}", completion.fail_addr),
                );
                let expected =
                    expected.map_or_else(|| "none".to_owned(), |failure| format!("{failure:?}"));
                self.report(
                    Check::Status,
                    format!("engine status: expected failure {expected}, found {found}"),
                );
            } else if expected.is_none() && is_short {
                self.report(
                    Check::Status,
                    format!(
                        "engine status: expected {} bytes done, found {}",
                        piece.bytes, completion.bytes_done
                    ),
                );
            }
        }
        is_done
    }

    /// Compares the packet that the engine sent with what it said that it sent. One that was refused sends
    /// none.
    pub(super) async fn check_stream(&self, data: &[u8], is_done: bool) {
        if self.transfer.outcome == Outcome::AddrLimit && !is_done {
            return;
        }
        let name = self.buffer_name();
        match self.driver.sink.recv(PACKET_CYCLES).await {
            Ok(packet) => {
                let cycle = self.driver.host.cycle();
                self.board_mut()
                    .judge_stream(self.number, &name, data, &packet.data, cycle);
            }
            Err(error) => self.report(
                Check::Stream,
                format!(
                    "stream of {name}: expected a packet of {} bytes, {error}",
                    data.len()
                ),
            ),
        }
    }

    /// Compares a buffer in memory, with its guards, with what it should hold.
    pub(super) fn judge(&self, buffer: usize, mapping: Option<MappingId>) {
        let found = self.read_guarded(buffer);
        let cycle = self.driver.host.cycle();
        self.board_mut()
            .judge_buffer(buffer, &found, mapping, cycle);
    }

    /// Takes what a failed transfer left in its part of the destination; the guards stay judged.
    pub(super) fn accept_partial(&self, buffer: usize, piece: Piece) {
        let found = self.read_guarded(buffer);
        let start = index(GUARD_BYTES + piece.offset);
        let left = &found[start..start + index(piece.bytes)];
        self.expect(buffer, piece.offset, left);
        self.judge(buffer, None);
    }

    pub(super) fn read_guarded(&self, buffer: usize) -> Vec<u8> {
        let (phys, len) = {
            let board = self.driver.board.borrow();
            let buffer = &board.buffers()[buffer];
            (buffer.guarded_phys(), buffer.guarded().len())
        };
        let memory = self.driver.host.memory();
        memory
            .read_vec(PhysAddr::new(phys), len)
            .expect("the plan places buffers in RAM")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::layout::{Layout, Placement};
    use crate::scenario::plan::DeviceLimits;
    use crate::seed::Seed;

    /// A machine whose device keeps the low 12 bits and must not cross 64 KiB.
    fn plan() -> Plan {
        let mut layout = Layout::new(Seed::new(1), 32).with(|plan| {
            plan.device = DeviceLimits {
                min_align_mask: 0xfff,
                segment_boundary_mask: 0xffff,
                ..DeviceLimits::bits(32)
            };
        });
        layout.send(0, Placement::Above, 1, 0);
        layout.finish()
    }

    fn made(phys: u64, dma: u64, is_bounced: bool) -> Made {
        Made {
            phys,
            bytes: 0x100,
            dma,
            is_bounced,
        }
    }

    #[test]
    fn a_mapping_within_the_limits_has_no_fault() {
        let right = [
            made(0x8000_0010, 0x8000_0010, false),
            made(0x1_0000_0010, 0x40_0010, true),
        ];
        for made in right {
            assert_eq!(made.faults(&plan()), Vec::<String>::new());
        }
    }

    #[test]
    fn each_broken_limit_is_named() {
        let cases = [
            (
                made(0x1_0000_0010, 0x1_0000_0010, false),
                "mapping of 256 bytes at phys 0x100000010 for mask 0xffffffff: expected a bounced one, \
                 found a direct one",
            ),
            (
                made(0x8000_0010, 0x40_0010, true),
                "mapping of 256 bytes at phys 0x80000010 for mask 0xffffffff: expected a direct one, \
                 found a bounced one",
            ),
            (
                made(0x1_0000_0010, 0x40_0018, true),
                "bounce buffer at dma 0x400018 for phys 0x100000010: expected the same bits 0xfff, found \
                 others",
            ),
            (
                made(0x1_0000_0f80, 0x40_ff80, true),
                "bounce buffer at dma 0x40ff80 to 0x41007f: expected no multiple of 0x10000 inside, \
                 found one",
            ),
        ];
        for (made, text) in cases {
            assert_eq!(made.faults(&plan()), [text]);
        }
    }

    #[test]
    fn a_restricted_pool_is_all_that_its_device_may_use() {
        let mut plan = plan();
        if let Some(pool) = &mut plan.machine.pool {
            pool.kind = PoolKind::Restricted;
        }
        let inside = made(0x8000_0010, 0x10_0010, true);
        assert_eq!(inside.faults(&plan), Vec::<String>::new());
        let direct = made(0x8000_0010, 0x8000_0010, false).faults(&plan);
        assert!(direct[0].contains("expected a bounced one"), "{direct:?}");
        let outside = made(0x8000_0010, 0x40_0010, true).faults(&plan);
        assert!(outside[0].ends_with("found it outside"), "{outside:?}");
    }

    #[test]
    fn a_forced_pool_wants_every_mapping_bounced() {
        let mut plan = plan();
        if let Some(pool) = &mut plan.machine.pool {
            pool.is_forced = true;
        }
        let faults = made(0x8000_0010, 0x8000_0010, false).faults(&plan);
        assert!(faults[0].contains("expected a bounced one"), "{faults:?}");
    }
}
