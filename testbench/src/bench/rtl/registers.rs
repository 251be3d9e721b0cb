//! The engine's registers, as the driver of a measurement uses them.

use rebound_sim::axil::{AxilError, Registers};
use rebound_sim::clock::WaitTimeout;
use rebound_sim::host::Host;

use super::layout::WrongByte;
use crate::driver::dma_engine_regs as regs;
use crate::driver::dma_engine_regs::channel as reg;

/// The port of the data.
pub(super) const DATA_PORT: usize = 0;
/// The port of the rings.
pub(super) const RING_PORT: usize = 1;

/// Why a cell has no figure.
#[derive(Debug, thiserror::Error)]
pub(super) enum DriveError {
    #[error(transparent)]
    Register(#[from] AxilError),
    #[error(transparent)]
    Wait(#[from] WaitTimeout),
    #[error("{0}: expected an end without error, found STATUS {1:#x}")]
    Status(&'static str, u32),
    #[error("expected an end within {0} cycles, found the engine still at work")]
    Late(u64),
    #[error("{0}: expected {1}, found none")]
    Missing(&'static str, &'static str),
    #[error("{0}, descriptor {1}: expected {2:#x} written back, found {3:#x}")]
    WriteBack(&'static str, u32, u64, u64),
    #[error("the packet of mm2s differs from its source")]
    Packet,
    #[error(transparent)]
    Byte(#[from] WrongByte),
}

/// A direction of the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Channel {
    pub(super) name: &'static str,
    pub(super) base: u32,
    /// Its bits in `INT_STATUS` and `INT_ENABLE`.
    pub(super) done: u32,
    pub(super) error: u32,
    pub(super) ring: u32,
}

pub(super) const MM2S: Channel = Channel {
    name: "mm2s",
    base: regs::MM2S_BASE,
    done: regs::INT_STATUS_MM2S_DONE,
    error: regs::INT_STATUS_MM2S_ERROR,
    ring: regs::INT_STATUS_MM2S_RING,
};

pub(super) const S2MM: Channel = Channel {
    name: "s2mm",
    base: regs::S2MM_BASE,
    done: regs::INT_STATUS_S2MM_DONE,
    error: regs::INT_STATUS_S2MM_ERROR,
    ring: regs::INT_STATUS_S2MM_RING,
};

/// The register port. Only one access is under way at a time, each costs its cycles on the bus and nothing else.
#[derive(Debug, Clone)]
pub(super) struct Port {
    host: Host,
    registers: Registers,
}

impl Port {
    pub(super) fn new(host: &Host) -> Self {
        Self {
            host: host.clone(),
            registers: host.registers(0),
        }
    }

    pub(super) async fn read(&self, addr: u32) -> Result<u32, AxilError> {
        self.registers.read(addr.into()).await
    }

    /// Writes a register, and returns the cycle in which the write is on W: that of its handshake, as the engine is
    /// always ready for one.
    pub(super) async fn write(&self, addr: u32, value: u32) -> Result<u64, AxilError> {
        let cycle = self.host.cycle();
        self.registers.write(addr.into(), value).await?;
        Ok(cycle)
    }

    /// Writes address and length of a channel's transfer.
    pub(super) async fn program(
        &self,
        channel: Channel,
        addr: u64,
        bytes: u32,
    ) -> Result<(), AxilError> {
        self.write(channel.base + reg::ADDR_HI, high(addr)).await?;
        self.write(channel.base + reg::LENGTH, bytes).await?;
        self.move_on(channel, addr).await
    }

    /// Writes the low half of a channel's address, all that differs from its transfer before.
    pub(super) async fn move_on(&self, channel: Channel, addr: u64) -> Result<(), AxilError> {
        let addr_lo = channel.base + reg::ADDR_LO;
        self.write(addr_lo, low(addr)).await.map(drop)
    }

    /// Starts a channel, and returns the cycle of the write.
    pub(super) async fn start(&self, channel: Channel) -> Result<u64, AxilError> {
        self.write(channel.base + reg::CONTROL, reg::CONTROL_START)
            .await
    }

    /// Sees that a channel has met no error.
    pub(super) async fn expect_well(&self, channel: Channel) -> Result<(), DriveError> {
        let status = self.read(channel.base + reg::STATUS).await?;
        if status & (reg::STATUS_ERROR | reg::STATUS_START_IGNORED) == 0 {
            Ok(())
        } else {
            Err(DriveError::Status(channel.name, status))
        }
    }
}

/// The low half of an address.
#[expect(clippy::cast_possible_truncation, reason = "the low half")]
pub(super) const fn low(addr: u64) -> u32 {
    addr as u32
}

/// The high half of an address.
pub(super) const fn high(addr: u64) -> u32 {
    low(addr >> 32)
}
