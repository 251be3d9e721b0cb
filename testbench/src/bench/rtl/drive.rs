//! Puts the engine to work by its registers, as a driver would, and takes the times.

use rebound_sim::host::Host;
use rebound_sim::stream::Packet;

use super::cell::{Cell, Mode};
use super::layout::Layout;
use super::registers::{Channel, DATA_PORT, DriveError, MM2S, Port, RING_PORT, S2MM};
use super::ring::Ring;
use crate::driver::dma_engine_regs as regs;

/// The cycles that count.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// Of the write that starts: the start bit of the channel that is started last, or its doorbell.
    pub(super) start: u64,
    /// Of the last response: B, for mm2s the last beat of the stream, for rings the B of the last write-back.
    pub(super) response: u64,
    /// In which the interrupt is high for the last transfer.
    pub(super) interrupt: u64,
}

/// The driver of one cell.
#[derive(Debug)]
pub(super) struct Drive {
    host: Host,
    port: Port,
    cell: Cell,
    layout: Layout,
    /// Cycles that the transfers may take.
    limit: u64,
}

impl Drive {
    pub(super) fn new(host: &Host, cell: Cell, layout: Layout, limit: u64) -> Self {
        Self {
            host: host.clone(),
            port: Port::new(host),
            cell,
            layout,
            limit,
        }
    }

    /// Does the work of the cell.
    pub(super) async fn run(&self) -> Result<Times, DriveError> {
        let times = match self.cell.mode {
            Mode::Copy => self.copy().await?,
            Mode::Mm2s => self.mm2s().await?,
            Mode::S2mm => self.s2mm().await?,
            Mode::CopyQueue => self.queue().await?,
            Mode::CopyRing => self.rings().await?,
        };
        for channel in [MM2S, S2MM] {
            self.port.expect_well(channel).await?;
        }
        Ok(times)
    }

    async fn copy(&self) -> Result<Times, DriveError> {
        self.loopback().await?;
        self.enable_interrupt(S2MM.done).await?;
        self.program(S2MM, 0).await?;
        self.program(MM2S, 0).await?;
        self.port.start(S2MM).await?;
        let start = self.port.start(MM2S).await?;
        self.written(start).await
    }

    async fn mm2s(&self) -> Result<Times, DriveError> {
        self.enable_interrupt(MM2S.done).await?;
        self.program(MM2S, 0).await?;
        let start = self.port.start(MM2S).await?;
        let interrupt = self.interrupt().await?;
        let sink = self.host.stream_sink(0);
        let packet = sink.recv(self.limit).await?;
        let response = sink.counters().last_beat_cycle;
        let response = response.ok_or(DriveError::Missing("mm2s", "a beat"))?;
        if packet.data == self.layout.data(0) {
            Ok(Times {
                start,
                response,
                interrupt,
            })
        } else {
            Err(DriveError::Packet)
        }
    }

    async fn s2mm(&self) -> Result<Times, DriveError> {
        self.enable_interrupt(S2MM.done).await?;
        // The stream waits before the start: what is measured is the engine.
        let packet = Packet::new(self.layout.data(0));
        drop(self.host.stream_source(0).push(packet));
        self.program(S2MM, 0).await?;
        let start = self.port.start(S2MM).await?;
        self.written(start).await
    }

    /// Copies one after the other: registers are written for the next transfer while the present one is in work, and
    /// each channel is started again as soon as it is seen done, whatever the other one does.
    async fn queue(&self) -> Result<Times, DriveError> {
        self.loopback().await?;
        self.enable_interrupt(S2MM.done).await?;
        let channels = [S2MM, MM2S];
        for channel in channels {
            self.program(channel, 0).await?;
        }
        self.port.start(S2MM).await?;
        let start = self.port.start(MM2S).await?;
        let mut started = [1; 2];
        for channel in channels {
            self.prepare(channel, 1).await?;
        }
        while started.iter().any(|&count| count < self.cell.count) {
            let causes = self.port.read(regs::INT_STATUS).await?;
            for (channel, started) in channels.into_iter().zip(&mut started) {
                if causes & channel.error != 0 {
                    self.port.expect_well(channel).await?;
                }
                if causes & channel.done != 0 && *started < self.cell.count {
                    self.port.start(channel).await?;
                    *started += 1;
                    self.prepare(channel, *started).await?;
                }
            }
            if self.host.cycle() > start + self.limit {
                return Err(DriveError::Late(self.limit));
            }
        }
        self.written(start).await
    }

    async fn rings(&self) -> Result<Times, DriveError> {
        self.loopback().await?;
        self.enable_interrupt(S2MM.ring).await?;
        let reads = Ring::new(&self.host, &self.port, MM2S);
        let writes = Ring::new(&self.host, &self.port, S2MM);
        let Cell { count, bytes, .. } = self.cell;
        reads.enable(count).await?;
        writes.enable(count).await?;
        for transfer in 0..count {
            let is_last = transfer + 1 == count;
            reads.describe(transfer, self.layout.source(transfer), bytes, is_last);
            writes.describe(transfer, self.layout.destination(transfer), bytes, is_last);
        }
        writes.doorbell(count).await?;
        let start = reads.doorbell(count).await?;
        let interrupt = self.interrupt().await?;
        writes.settle(self.limit).await?;
        reads.settle(self.limit).await?;
        for transfer in 0..count {
            reads.expect_written(transfer, bytes)?;
            writes.expect_written(transfer, bytes)?;
        }
        Ok(Times {
            start,
            response: self.last_response(RING_PORT)?,
            interrupt,
        })
    }

    async fn loopback(&self) -> Result<(), DriveError> {
        let bits = regs::CONTROL_LOOPBACK;
        self.port.write(regs::CONTROL, bits).await?;
        Ok(())
    }

    async fn enable_interrupt(&self, causes: u32) -> Result<(), DriveError> {
        self.port.write(regs::INT_ENABLE, causes).await?;
        Ok(())
    }

    async fn program(&self, channel: Channel, transfer: u32) -> Result<(), DriveError> {
        let addr = self.addr(channel, transfer);
        Ok(self.port.program(channel, addr, self.cell.bytes).await?)
    }

    /// Writes what differs in the next transfer, if there is one.
    async fn prepare(&self, channel: Channel, transfer: u32) -> Result<(), DriveError> {
        if transfer < self.cell.count {
            let addr = self.addr(channel, transfer);
            self.port.move_on(channel, addr).await?;
        }
        Ok(())
    }

    fn addr(&self, channel: Channel, transfer: u32) -> u64 {
        if channel == MM2S {
            self.layout.source(transfer)
        } else {
            self.layout.destination(transfer)
        }
    }

    /// Waits for the interrupt, and returns its cycle.
    async fn interrupt(&self) -> Result<u64, DriveError> {
        let irq = self.host.wire_named("irq");
        let irq = irq.ok_or(DriveError::Missing("the core", "a wire `irq`"))?;
        irq.wait_high(self.limit).await?;
        // The wire was high in the cycle that has just ended.
        Ok(self.host.cycle() - 1)
    }

    /// Waits for the interrupt of the last write.
    async fn written(&self, start: u64) -> Result<Times, DriveError> {
        let interrupt = self.interrupt().await?;
        Ok(Times {
            start,
            response: self.last_response(DATA_PORT)?,
            interrupt,
        })
    }

    fn last_response(&self, port: usize) -> Result<u64, DriveError> {
        let counters = self.host.bus_counters(port);
        let last = counters.write.last_finish_cycle;
        last.ok_or(DriveError::Missing("the bus", "a write response"))
    }
}
