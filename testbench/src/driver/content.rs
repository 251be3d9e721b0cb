//! The buffers of a transfer: which they are, what they carry, and what they should hold.

use swiotlb::{PhysAddr, PhysMemory as _};

use super::engine::Channel;
use super::transfer::{Job, Piece};
use crate::pattern::{self, Kind};
use crate::scenario::plan::Movement;
use crate::scoreboard::index;

impl Job<'_> {
    pub(super) fn write_buffer(&self, buffer: usize, offset: u64, data: &[u8]) {
        let phys = self.driver.board.borrow().buffers()[buffer].phys + offset;
        self.driver
            .host
            .memory()
            .write(PhysAddr::new(phys), data)
            .expect("the plan places buffers in RAM");
        let cycle = self.driver.host.cycle();
        self.board_mut()
            .cpu_wrote(cycle, buffer, offset, data.len() as u64);
    }

    pub(super) fn expect(&self, buffer: usize, offset: u64, data: &[u8]) {
        self.board_mut().buffer_mut(buffer).expect(offset, data);
    }

    /// What a piece should carry in a round: the source's bytes, or those that the stream brings.
    pub(super) fn data(&self, piece: Piece, round: u32) -> Vec<u8> {
        let board = self.driver.board.borrow();
        match self.transfer.movement {
            Movement::ToDevice { source } | Movement::Copy { source, .. } if round == 0 => board
                .buffers()[source]
                .content(piece.offset, piece.bytes)
                .to_vec(),
            Movement::ToDevice { source: buffer }
            | Movement::Copy { source: buffer, .. }
            | Movement::FromDevice {
                destination: buffer,
            } => {
                let salt = board.buffers()[buffer].salt;
                pattern::filled(
                    Kind::Source { round },
                    salt,
                    piece.offset,
                    index(piece.bytes),
                )
            }
        }
    }

    pub(super) fn channels(&self) -> &'static [Channel] {
        match self.transfer.movement {
            Movement::ToDevice { .. } => &[Channel::Mm2s],
            Movement::FromDevice { .. } => &[Channel::S2mm],
            Movement::Copy { .. } => &[Channel::Mm2s, Channel::S2mm],
        }
    }

    pub(super) const fn source(&self) -> Option<usize> {
        match self.transfer.movement {
            Movement::ToDevice { source } | Movement::Copy { source, .. } => Some(source),
            Movement::FromDevice { .. } => None,
        }
    }

    pub(super) const fn destination(&self) -> Option<usize> {
        match self.transfer.movement {
            Movement::FromDevice { destination } | Movement::Copy { destination, .. } => {
                Some(destination)
            }
            Movement::ToDevice { .. } => None,
        }
    }

    pub(super) fn buffer_name(&self) -> String {
        self.driver.plan.buffer_of(&self.transfer).name.clone()
    }
}
