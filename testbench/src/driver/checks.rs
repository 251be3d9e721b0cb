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

/// A mapping as the mapping layer made it.
#[derive(Debug, Clone, Copy)]
struct Mapped {
    phys: u64,
    bytes: u64,
    dma: u64,
    is_bounced: bool,
}

impl Mapped {
    /// Returns how it breaks the limits of the plan's device.
    fn breaches(self, plan: &Plan) -> Vec<String> {
        let Self {
            phys,
            bytes,
            dma,
            is_bounced,
        } = self;
        let Plan {
            machine, device, ..
        } = plan;
        let mut breaches = Vec::new();
        let is_forced = machine.pool.as_ref().is_some_and(|pool| pool.is_forced);
        let should_bounce = is_forced || phys + (bytes - 1) > device.dma_mask;
        let word = |is_bounced: bool| if is_bounced { "bounced" } else { "direct" };
        if is_bounced != should_bounce {
            breaches.push(format!(
                "mapping of {bytes} bytes at phys {phys:#x} for mask {:#x}: expected a {} one, found a {} one",
                device.dma_mask,
                word(should_bounce),
                word(is_bounced)
            ));
        }
        if !is_bounced {
            return breaches;
        }
        let end = dma.wrapping_add(bytes - 1);
        if (dma ^ phys) & u64::from(device.min_align_mask) != 0 {
            breaches.push(format!(
                "bounce buffer at dma {dma:#x} for phys {phys:#x}: expected the same bits {:#x}, found \
                 others",
                device.min_align_mask
            ));
        }
        if (dma ^ end) & !device.segment_boundary_mask != 0 {
            breaches.push(format!(
                "bounce buffer at dma {dma:#x} to {end:#x}: expected no multiple of {:#x} inside, found \
                 one",
                device.segment_boundary_mask.wrapping_add(1)
            ));
        }
        breaches
    }
}

impl Job<'_> {
    /// Compares a mapping with what the device's limits ask for.
    pub(super) fn check_mapping(&self, buffer: usize, piece: Piece, lease: &Lease) {
        let phys = self.driver.board.borrow().buffers()[buffer].phys + piece.offset;
        let found = Mapped {
            phys,
            bytes: piece.bytes,
            dma: lease.dma.raw(),
            is_bounced: lease.is_bounced,
        };
        for text in found.breaches(&self.driver.plan) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::layout::{Layout, Placement};
    use crate::seed::Seed;

    /// A device of 32 bits that keeps the low 8 bits and does not cross 64 KiB.
    fn plan() -> Plan {
        let mut layout = Layout::new(Seed::new(1), 32).with(|plan| {
            plan.device.min_align_mask = 0xff;
            plan.device.segment_boundary_mask = 0xffff;
        });
        layout.send(0, Placement::Below, 1, 0);
        layout.finish()
    }

    /// A right mapping of a buffer that must be bounced.
    const RIGHT: Mapped = Mapped {
        phys: 0x1_0000_0010,
        bytes: 0x100,
        dma: 0x10_0010,
        is_bounced: true,
    };

    fn only(mapped: Mapped) -> String {
        let breaches = mapped.breaches(&plan());
        assert_eq!(breaches.len(), 1, "{breaches:?}");
        breaches[0].clone()
    }

    #[test]
    fn a_right_mapping_breaks_nothing() {
        assert!(RIGHT.breaches(&plan()).is_empty());
        let direct = Mapped {
            phys: 0x10_0000,
            dma: 0x10_0000,
            is_bounced: false,
            ..RIGHT
        };
        assert!(direct.breaches(&plan()).is_empty());
    }

    #[test]
    fn a_direct_mapping_out_of_reach_is_a_breach() {
        let text = only(Mapped {
            dma: RIGHT.phys,
            is_bounced: false,
            ..RIGHT
        });
        assert!(
            text.ends_with("expected a bounced one, found a direct one"),
            "{text}"
        );
    }

    #[test]
    fn a_bounced_mapping_within_reach_is_a_breach() {
        let text = only(Mapped {
            phys: 0x20_0010,
            ..RIGHT
        });
        assert!(
            text.ends_with("expected a direct one, found a bounced one"),
            "{text}"
        );
    }

    #[test]
    fn lost_low_bits_are_a_breach() {
        let text = only(Mapped {
            dma: 0x10_0000,
            ..RIGHT
        });
        assert!(text.contains("expected the same bits 0xff"), "{text}");
    }

    #[test]
    fn a_crossed_boundary_is_a_breach() {
        let text = only(Mapped {
            dma: 0x10_ff10,
            ..RIGHT
        });
        assert!(
            text.contains("expected no multiple of 0x10000 inside"),
            "{text}"
        );
    }
}
