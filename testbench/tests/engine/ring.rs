//! A descriptor ring in memory, as a driver keeps it.

use std::cell::Cell;

use rebound::driver::dma_engine_descriptor as descriptor;
use rebound::driver::dma_engine_regs::channel as reg;
use rebound_sim::axi::{FaultAccess, FaultResponse, FaultWindow};
use swiotlb::{DmaAddr, PhysAddr, PhysMemory as _};

use super::bench::{Bench, Channel};

/// Index of the rings' port.
pub(crate) const PORT: usize = 1;
/// Cycles that any of these rings may take.
const LIMIT: u64 = 50_000;

/// One channel's ring.
#[derive(Debug)]
pub(crate) struct Ring {
    pub(crate) channel: Channel,
    bench: Bench,
    base: u64,
    size: u32,
    tail: Cell<u32>,
}

impl Ring {
    /// Sets a ring up and switches it on.
    pub(crate) async fn enable(bench: &Bench, channel: Channel, base: u64, size: u32) -> Self {
        let low = u32::try_from(base).expect("below 4 GiB");
        channel.write(reg::CONTROL, 0).await;
        channel.write(reg::CONTROL, reg::CONTROL_RING_RESET).await;
        channel.write(reg::RING_BASE_LO, low).await;
        channel.write(reg::RING_BASE_HI, 0).await;
        channel.write(reg::RING_SIZE, size).await;
        channel.write(reg::CONTROL, reg::CONTROL_RING_ENABLE).await;
        Self {
            channel,
            bench: bench.clone(),
            base,
            size,
            tail: Cell::new(0),
        }
    }

    /// Where a descriptor lies.
    pub(crate) fn addr(&self, index: u32) -> u64 {
        self.base + descriptor::BYTES * u64::from(index)
    }

    /// Writes the next descriptor; the engine may take it after the doorbell.
    pub(crate) fn post(&self, addr: u64, length: u32, flags: u32) -> u32 {
        let index = self.tail.get();
        let bytes = descriptor::encode(addr, length, flags);
        self.bench
            .host
            .memory()
            .write(PhysAddr::new(self.addr(index)), &bytes)
            .expect("RAM");
        self.tail.set((index + 1) % self.size);
        index
    }

    /// Lets one descriptor answer with an error, and nothing else on the rings' port.
    pub(crate) fn fault(&self, index: u32, access: FaultAccess, response: FaultResponse) {
        let window = FaultWindow {
            dma_base: DmaAddr::new(self.addr(index)),
            bytes: descriptor::BYTES,
            access,
            response,
        };
        self.bench
            .host
            .set_faults(PORT, vec![window])
            .expect("a valid window");
    }

    pub(crate) fn no_faults(&self) {
        self.bench
            .host
            .set_faults(PORT, Vec::new())
            .expect("no window");
    }

    pub(crate) async fn doorbell(&self) {
        self.channel.write(reg::RING_TAIL, self.tail.get()).await;
    }

    pub(crate) async fn head(&self) -> u32 {
        self.channel.read(reg::RING_HEAD).await
    }

    pub(crate) async fn state(&self) -> u32 {
        self.channel.read(reg::RING_STATUS).await
    }

    /// Bytes and status that were written back.
    pub(crate) fn written(&self, index: u32) -> (u32, u32) {
        let bytes = self
            .bench
            .memory(self.addr(index) + descriptor::WRITE_BACK, 8);
        let word = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        (word(0), word(4))
    }

    /// Waits until nothing of what was posted is left.
    pub(crate) async fn settle(&self) {
        let limit = self.bench.host.cycle() + LIMIT;
        while self.state().await & reg::RING_STATUS_BUSY != 0 {
            assert!(self.bench.host.cycle() < limit, "the ring is busy for ever");
        }
        assert_eq!(self.head().await, self.tail.get(), "all is written back");
    }

    pub(crate) async fn stop(&self) {
        let stop = reg::CONTROL_STOP | reg::CONTROL_RING_ENABLE;
        self.channel.write(reg::CONTROL, stop).await;
    }

    /// Waits until the ring has halted, and returns its head.
    pub(crate) async fn halt(&self) -> u32 {
        let limit = self.bench.host.cycle() + LIMIT;
        while self.state().await & reg::RING_STATUS_HALTED == 0 {
            assert!(self.bench.host.cycle() < limit, "the ring never halts");
        }
        self.head().await
    }

    /// Takes the failure, and lets the ring go on at its head.
    pub(crate) async fn resume(&self) {
        self.channel.write(reg::STATUS, reg::STATUS_ERROR).await;
        let halted = reg::RING_STATUS_HALTED;
        self.channel.write(reg::RING_STATUS, halted).await;
        assert_eq!(self.state().await & halted, 0, "it goes on");
    }

    /// What the registers say of the first failure: kind, source, address, descriptor.
    pub(crate) async fn failure(&self) -> (u32, u32, u64, u32) {
        let status = self.channel.status().await;
        assert_ne!(status & reg::STATUS_ERROR, 0, "{status:#x}");
        let source = self.state().await & reg::RING_STATUS_ERROR_SOURCE_MASK;
        let low = self.channel.read(reg::FAIL_ADDR_LO).await;
        let high = self.channel.read(reg::FAIL_ADDR_HI).await;
        (
            (status & reg::STATUS_ERROR_KIND_MASK) >> reg::STATUS_ERROR_KIND_SHIFT,
            source >> reg::RING_STATUS_ERROR_SOURCE_SHIFT,
            u64::from(high) << 32 | u64::from(low),
            self.channel.read(reg::RING_FAIL).await,
        )
    }
}
