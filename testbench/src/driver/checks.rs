//! What the driver alone can see, handed to the scoreboard: mappings, statuses, streams and buffers.

use swiotlb::PhysAddr;

use super::engine::{Completion, Failure};
use super::mapper::Lease;
use super::transfer::{Job, Piece};
use crate::scenario::plan::{Outcome, Plan};
use crate::scoreboard::{GUARD_BYTES, MappingId, index};
use crate::violation::Check;

/// Cycles from the end of a transfer to the end of its packet on the stream.
const PACKET_CYCLES: u64 = 5_000;

impl Job<'_> {
    /// Compares a mapping with what the device's limits ask for.
    pub(super) fn check_mapping(&self, buffer: usize, piece: Piece, lease: &Lease) {
        let Plan {
            machine, device, ..
        } = &*self.driver.plan;
        let phys = self.driver.board.borrow().buffers()[buffer].phys + piece.offset;
        let last = phys + (piece.bytes - 1);
        let is_forced = machine.pool.as_ref().is_some_and(|pool| pool.is_forced);
        let should_bounce = is_forced || last > device.dma_mask;
        let word = |is_bounced: bool| if is_bounced { "bounced" } else { "direct" };
        if lease.is_bounced != should_bounce {
            self.report(
                Check::Mapping,
                format!(
                    "mapping of {} bytes at phys {phys:#x} for mask {:#x}: expected a {} one, found a {} one",
                    piece.bytes,
                    device.dma_mask,
                    word(should_bounce),
                    word(lease.is_bounced)
                ),
            );
        }
        if !lease.is_bounced {
            return;
        }
        let dma = lease.dma.raw();
        let end = dma.wrapping_add(piece.bytes - 1);
        if (dma ^ phys) & u64::from(device.min_align_mask) != 0 {
            self.report(
                Check::Mapping,
                format!(
                    "bounce buffer at dma {dma:#x} for phys {phys:#x}: expected the same bits {:#x}, found \
                     others",
                    device.min_align_mask
                ),
            );
        }
        if (dma ^ end) & !device.segment_boundary_mask != 0 {
            self.report(
                Check::Mapping,
                format!(
                    "bounce buffer at dma {dma:#x} to {end:#x}: expected no multiple of {:#x} inside, found \
                     one",
                    device.segment_boundary_mask.wrapping_add(1)
                ),
            );
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

    /// Compares the packet that the engine sent with the buffer. A transfer that failed sends what it
    /// had read, so its packet is a beginning of the right one; one that was refused sends none.
    pub(super) async fn check_stream(&self, data: &[u8], is_done: bool) {
        if self.transfer.outcome == Outcome::AddrLimit && !is_done {
            return;
        }
        let name = self.buffer_name();
        match self.driver.sink.recv(PACKET_CYCLES).await {
            Ok(packet) => {
                let right = if is_done {
                    data
                } else {
                    &data[..packet.data.len().min(data.len())]
                };
                let cycle = self.driver.host.cycle();
                self.board_mut()
                    .judge_stream(self.number, &name, right, &packet.data, cycle);
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
