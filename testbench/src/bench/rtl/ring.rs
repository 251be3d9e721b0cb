//! A descriptor ring of the engine, filled once.

use rebound_sim::axil::AxilError;
use rebound_sim::host::Host;
use swiotlb::{PhysAddr, PhysMemory as _};

use super::layout::{READ_RING, WRITE_RING};
use super::registers::{Channel, DriveError, MM2S, Port, high, low};
use crate::driver::dma_engine_descriptor::{self as descriptor, DONE, ERROR, IRQ};
use crate::driver::dma_engine_regs::channel as reg;

/// One channel's ring.
#[derive(Debug)]
pub(super) struct Ring {
    host: Host,
    port: Port,
    channel: Channel,
    base: u64,
}

impl Ring {
    pub(super) fn new(host: &Host, port: &Port, channel: Channel) -> Self {
        Self {
            host: host.clone(),
            port: port.clone(),
            channel,
            base: if channel == MM2S {
                READ_RING
            } else {
                WRITE_RING
            },
        }
    }

    /// Sets up a ring for so many descriptors. Only those that ask for an interrupt raise one.
    pub(super) async fn enable(&self, count: u32) -> Result<(), AxilError> {
        for (register, value) in [
            (reg::CONTROL, reg::CONTROL_RING_RESET),
            (reg::RING_BASE_LO, low(self.base)),
            (reg::RING_BASE_HI, high(self.base)),
            (reg::RING_SIZE, count + 1),
            (reg::RING_COALESCE, 0),
            (reg::CONTROL, reg::CONTROL_RING_ENABLE),
        ] {
            self.write(register, value).await?;
        }
        Ok(())
    }

    /// Writes a descriptor into memory.
    pub(super) fn describe(&self, index: u32, addr: u64, bytes: u32, is_last: bool) {
        let flags = if is_last { IRQ } else { 0 };
        let descriptor = descriptor::encode(addr, bytes, flags);
        // The rings are memory. If they were not, the fetch would fail.
        let _ = self
            .host
            .memory()
            .write(PhysAddr::new(self.addr(index)), &descriptor);
    }

    /// Gives the descriptors before `end` to the engine, and returns the cycle of the write.
    pub(super) async fn doorbell(&self, end: u32) -> Result<u64, AxilError> {
        self.write(reg::RING_TAIL, end).await
    }

    /// Waits until the ring is idle.
    pub(super) async fn settle(&self, limit: u64) -> Result<(), DriveError> {
        let deadline = self.host.cycle() + limit;
        let status = self.channel.base + reg::RING_STATUS;
        while self.port.read(status).await? & reg::RING_STATUS_BUSY != 0 {
            if self.host.cycle() > deadline {
                return Err(DriveError::Late(limit));
            }
        }
        Ok(())
    }

    /// Sees that a descriptor was written back, with all its bytes and no error.
    pub(super) fn expect_written(&self, index: u32, bytes: u32) -> Result<(), DriveError> {
        let mut found = [0; 8];
        let written = PhysAddr::new(self.addr(index) + descriptor::WRITE_BACK);
        let _ = self.host.memory().read(written, &mut found);
        // Flags that tell of packets and interrupts do not matter.
        let judged = u64::from(DONE | ERROR) << 32 | u64::from(u32::MAX);
        let found = u64::from_le_bytes(found) & judged;
        let expected = u64::from(DONE) << 32 | u64::from(bytes);
        if found == expected {
            Ok(())
        } else {
            let name = self.channel.name;
            Err(DriveError::WriteBack(name, index, expected, found))
        }
    }

    fn addr(&self, index: u32) -> u64 {
        self.base + descriptor::BYTES * u64::from(index)
    }

    async fn write(&self, register: u32, value: u32) -> Result<u64, AxilError> {
        self.port.write(self.channel.base + register, value).await
    }
}
