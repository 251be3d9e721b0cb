//! The two channels by what they have in common, for tests that hold for both.

use rebound::driver::dma_engine_descriptor::{DONE, PACKET_END};
use rebound::driver::dma_engine_regs as regs;

use super::bench::{Bench, Channel, End, SOURCE, TARGET};
use super::ring::Ring;

/// Bytes of each transfer, one burst.
pub(crate) const LENGTH: u32 = 64;
/// What lies between two buffers.
const PITCH: u64 = 0x1000;
/// Places of a ring.
const SIZE: u32 = 16;

/// A channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Mm2s,
    S2mm,
}

impl Side {
    pub(crate) const BOTH: [Self; 2] = [Self::Mm2s, Self::S2mm];

    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Mm2s => Self::S2mm,
            Self::S2mm => Self::Mm2s,
        }
    }

    pub(crate) fn channel(self, bench: &Bench) -> Channel {
        match self {
            Self::Mm2s => bench.mm2s(),
            Self::S2mm => bench.s2mm(),
        }
    }

    /// The bit of `INT_ENABLE` for its errors.
    pub(crate) const fn error_interrupt(self) -> u32 {
        match self {
            Self::Mm2s => regs::INT_ENABLE_MM2S_ERROR,
            Self::S2mm => regs::INT_ENABLE_S2MM_ERROR,
        }
    }

    /// Sets up its ring.
    pub(crate) async fn ring(self, bench: &Bench) -> Ring {
        let base = match self {
            Self::Mm2s => 0x30_0000,
            Self::S2mm => 0x31_0000,
        };
        Ring::enable(bench, self.channel(bench), base, SIZE).await
    }

    /// The buffer of transfer `at`.
    pub(crate) const fn buffer(self, at: u32) -> u64 {
        let base = match self {
            Self::Mm2s => SOURCE,
            Self::S2mm => TARGET,
        };
        base + PITCH * at as u64
    }

    /// Puts the data of transfer `at` where it takes them: into its buffer, or on the stream.
    pub(crate) fn provide(self, bench: &Bench, at: u32) -> Vec<u8> {
        match self {
            Self::Mm2s => bench.fill(self.buffer(at), LENGTH as usize),
            Self::S2mm => bench.push(LENGTH as usize),
        }
    }

    /// The first `bytes` bytes that transfer `at` has brought; of mm2s, the next packet, which must have so many.
    pub(crate) async fn brought(self, bench: &Bench, at: u32, bytes: u32) -> Vec<u8> {
        match self {
            Self::Mm2s => {
                let packet = bench.packet().await;
                assert_eq!(packet.len(), bytes as usize, "the packet of transfer {at}");
                packet
            }
            Self::S2mm => bench.memory(self.buffer(at), bytes as usize),
        }
    }

    /// How a transfer of all bytes ends.
    pub(crate) const fn well(self) -> End {
        match self {
            Self::Mm2s => End::well(LENGTH),
            Self::S2mm => End::well(LENGTH).with_packet_end(),
        }
    }

    /// What is written into the descriptor of a transfer of all bytes.
    pub(crate) const fn written_well(self) -> (u32, u32) {
        match self {
            Self::Mm2s => (LENGTH, DONE),
            Self::S2mm => (LENGTH, DONE | PACKET_END),
        }
    }

    /// Moves one buffer by the registers.
    pub(crate) async fn moves(self, bench: &Bench) {
        let at = 8;
        let data = self.provide(bench, at);
        let channel = self.channel(bench);
        channel.start(self.buffer(at), LENGTH).await;
        assert_eq!(channel.end().await, self.well(), "{self:?} goes on");
        assert_eq!(self.brought(bench, at, LENGTH).await, data, "{self:?}");
    }
}
