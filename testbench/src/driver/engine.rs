//! The reference engine at register level: start a channel, take its interrupt, learn how it ended.
//!
//! The driver runs on simulated CPUs: every register access and interrupt occupies one.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

use futures::channel::oneshot;
use rebound_sim::axil::{AxilError, Registers};
use rebound_sim::cpu::{Cpu, CpuState};
use rebound_sim::host::Host;
use rebound_sim::wire::Wire;
use swiotlb::DmaAddr;

use super::dma_engine_regs as regs;
use super::dma_engine_regs::channel;
use super::turn::{Turn, Turns};

/// Cycles between the acknowledgement of an interrupt and the next look at its wire.
const SETTLE_CYCLES: u64 = 2;
/// The engine's manager port.
const PORT: usize = 0;
/// CPU that takes the engine's interrupts.
const INTERRUPT_CPU: usize = 0;

/// A direction of the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// Memory to stream (Linux: `DMA_TO_DEVICE`).
    Mm2s,
    /// Stream to memory (Linux: `DMA_FROM_DEVICE`).
    S2mm,
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mm2s => "mm2s",
            Self::S2mm => "s2mm",
        })
    }
}

impl Channel {
    pub(super) const ALL: [Self; 2] = [Self::Mm2s, Self::S2mm];

    pub(super) const fn base(self) -> u64 {
        match self {
            Self::Mm2s => regs::MM2S_BASE as u64,
            Self::S2mm => regs::S2MM_BASE as u64,
        }
    }

    /// What a driver waits for, as a hang report says it.
    const fn end_name(self) -> &'static str {
        match self {
            Self::Mm2s => "mm2s to be done",
            Self::S2mm => "s2mm to be done",
        }
    }

    const fn interrupt_bits(self) -> u32 {
        match self {
            Self::Mm2s => regs::INT_STATUS_MM2S_DONE | regs::INT_STATUS_MM2S_ERROR,
            Self::S2mm => regs::INT_STATUS_S2MM_DONE | regs::INT_STATUS_S2MM_ERROR,
        }
    }
}

/// Why a transfer of the engine failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// SLVERR from the bus.
    Slverr,
    /// DECERR from the bus.
    Decerr,
    /// Beyond the engine's address limit.
    AddrLimit,
    /// Another kind, by its number in the status register.
    Other(u32),
}

/// How a transfer of the engine ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Completion {
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
    /// The register `BYTES_DONE`.
    pub bytes_done: u32,
    /// The failing address, if it failed.
    pub fail_addr: DmaAddr,
    /// Writes that were on the bus without their response when the engine said that it was done.
    pub unanswered_writes: usize,
}

/// The engine could not be driven.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// A register access failed.
    #[error(transparent)]
    Register(#[from] AxilError),
    /// The core is something else.
    #[error(
        "the core's ID register is not that of a dma_engine: expected {expected:#010x}, found {found:#010x}"
    )]
    ForeignCore {
        /// What an engine says.
        expected: u32,
        /// What the core says.
        found: u32,
    },
    /// The core has no port or wire that the driver needs.
    #[error("the core lacks what the driver of dma_engine needs: expected {0}, found none")]
    MissingPort(&'static str),
    /// The engine cannot be strapped as asked.
    #[error(
        "strap {register} of {channel}: expected {expected:#x} to read back, found {found:#x}: the engine was not \
         built for it"
    )]
    Strap {
        /// The channel.
        channel: Channel,
        /// The register.
        register: &'static str,
        /// What was written.
        expected: u32,
        /// What reads back.
        found: u32,
    },
    /// The interrupt handler ended because a register access failed.
    #[error("the interrupt handler ended before the transfer did")]
    HandlerEnded,
}

/// Who waits for a channel, and who has it.
#[derive(Debug, Default)]
struct ChannelState {
    waiter: RefCell<Option<oneshot::Sender<Completion>>>,
    turns: Turns,
}

#[derive(Debug)]
struct Shared {
    channels: [ChannelState; 2],
    is_loopback: Cell<bool>,
    handler_error: RefCell<Option<EngineError>>,
}

/// The driver's hold on the engine; clones share it.
#[derive(Debug, Clone)]
pub struct Engine {
    host: Host,
    pub(super) registers: Registers,
    irq: Wire,
    shared: Rc<Shared>,
}

/// The sole use of one or both channels.
#[derive(Debug)]
pub struct Claim {
    _turns: Vec<Turn>,
}

impl Engine {
    /// Finds the engine, enables its interrupt unless told otherwise, and starts the handler.
    ///
    /// # Errors
    /// If the core does not answer, or is something else.
    pub async fn attach(host: &Host, enables_interrupt: bool) -> Result<Self, EngineError> {
        if host.ports().lites.is_empty() {
            return Err(EngineError::MissingPort("an AXI4-Lite control port"));
        }
        if host.ports().streams_out.is_empty() || host.ports().streams_in.is_empty() {
            return Err(EngineError::MissingPort("an AXI-Stream in each direction"));
        }
        let irq = host
            .wire_named("irq")
            .ok_or(EngineError::MissingPort("a wire `irq`"))?;
        let engine = Self {
            host: host.clone(),
            registers: host.registers(0),
            irq: irq.clone(),
            shared: Rc::new(Shared {
                channels: Default::default(),
                is_loopback: Cell::new(false),
                handler_error: RefCell::default(),
            }),
        };
        let found = engine.registers.read(regs::ID.into()).await?;
        if found != regs::ID_MAGIC_VALUE {
            return Err(EngineError::ForeignCore {
                expected: regs::ID_MAGIC_VALUE,
                found,
            });
        }
        if enables_interrupt {
            let all = Channel::ALL
                .iter()
                .fold(0, |bits, channel| bits | channel.interrupt_bits());
            engine.registers.write(regs::INT_ENABLE.into(), all).await?;
        }
        let handler = engine.clone();
        host.spawn_background("interrupt handler", async move {
            loop {
                if irq.wait_high(u64::MAX).await.is_err() {
                    return;
                }
                let unanswered_writes = handler.unanswered_writes();
                if let Err(error) = handler.handle_interrupt(unanswered_writes).await {
                    *handler.shared.handler_error.borrow_mut() = Some(error);
                    // Waiters learn of it by their senders going away.
                    for channel in &handler.shared.channels {
                        channel.waiter.take();
                    }
                    return;
                }
                handler.host.sleep(SETTLE_CYCLES).await;
            }
        });
        Ok(engine)
    }

    /// Waits until the channels are free and takes them; who asks first has them first.
    pub async fn claim(&self, cpu: &Cpu, channels: &[Channel]) -> Claim {
        let mut turns = Vec::new();
        for channel in channels {
            let channel = &self.shared.channels[*channel as usize];
            turns.push(cpu.wait(channel.turns.take()).await);
        }
        Claim { _turns: turns }
    }

    /// Joins the channels for a memory copy, or parts them; the caller has claimed both.
    ///
    /// # Errors
    /// If a register access fails.
    pub async fn set_loopback(&self, cpu: &Cpu, is_on: bool) -> Result<(), EngineError> {
        if self.shared.is_loopback.get() != is_on {
            let bits = if is_on { regs::CONTROL_LOOPBACK } else { 0 };
            self.write(cpu, regs::CONTROL.into(), bits).await?;
            self.shared.is_loopback.set(is_on);
        }
        Ok(())
    }

    /// Starts a channel that the caller has claimed.
    ///
    /// # Errors
    /// If a register access fails.
    pub async fn start(
        &self,
        cpu: &Cpu,
        channel: Channel,
        dma: DmaAddr,
        bytes: u32,
    ) -> Result<Work, EngineError> {
        let (sender, receiver) = oneshot::channel();
        let state = &self.shared.channels[channel as usize];
        *state.waiter.borrow_mut() = Some(sender);
        let base = channel.base();
        let [low, high] = halves(dma.raw());
        self.write(cpu, base + u64::from(channel::ADDR_LO), low)
            .await?;
        self.write(cpu, base + u64::from(channel::ADDR_HI), high)
            .await?;
        self.write(cpu, base + u64::from(channel::LENGTH), bytes)
            .await?;
        self.write(
            cpu,
            base + u64::from(channel::CONTROL),
            channel::CONTROL_START,
        )
        .await?;
        Ok(Work {
            channel,
            dma,
            receiver,
        })
    }

    /// Waits for the end of a transfer.
    ///
    /// # Errors
    /// If the interrupt handler met an error.
    pub async fn finished(&self, cpu: &Cpu, work: Work) -> Result<Completion, EngineError> {
        let end = self.host.named(work.channel.end_name(), work.receiver);
        cpu.wait(end).await.map_err(|_| {
            let error = self.shared.handler_error.borrow();
            error.clone().unwrap_or(EngineError::HandlerEnded)
        })
    }

    async fn write(&self, cpu: &Cpu, addr: u64, value: u32) -> Result<(), EngineError> {
        let access = self.registers.write(addr, value);
        cpu.occupy(CpuState::Registers, access).await?;
        cpu.run(
            self.host.costs().register_write_cycles.into(),
            CpuState::Registers,
        )
        .await;
        Ok(())
    }

    async fn read(&self, cpu: &Cpu, addr: u64) -> Result<u32, EngineError> {
        let access = self.registers.read(addr);
        let value = cpu.occupy(CpuState::Registers, access).await?;
        cpu.run(
            self.host.costs().register_read_cycles.into(),
            CpuState::Registers,
        )
        .await;
        Ok(value)
    }

    /// Returns the channels that have ended a transfer for which somebody still waits, while the interrupt
    /// is low: a driver's timeout handler would find them so.
    ///
    /// # Errors
    /// If a register access fails.
    pub async fn lost_interrupts(&self) -> Result<Vec<Channel>, EngineError> {
        let mut lost = Vec::new();
        for channel in Channel::ALL {
            let addr = channel.base() + u64::from(channel::STATUS);
            let is_done = self.registers.read(addr).await? & channel::STATUS_DONE != 0;
            self.host.sleep(SETTLE_CYCLES).await;
            let is_awaited = self.shared.channels[channel as usize]
                .waiter
                .borrow()
                .is_some();
            if is_done && is_awaited && self.irq.value() == 0 {
                lost.push(channel);
            }
        }
        Ok(lost)
    }

    /// Returns the writes on the bus that are still to be answered.
    fn unanswered_writes(&self) -> usize {
        self.host.bus_in_flight(PORT).1
    }

    /// `unanswered_writes` are those on the bus when the interrupt rose.
    async fn handle_interrupt(&self, unanswered_writes: usize) -> Result<(), EngineError> {
        let cpu = self.host.cpu(INTERRUPT_CPU);
        cpu.interrupt_entry().await;
        let causes = self.read(&cpu, regs::INT_STATUS.into()).await?;
        for channel in Channel::ALL {
            if causes & channel.interrupt_bits() != 0 {
                let unanswered = self.unanswered_at_end(channel, causes, unanswered_writes);
                self.complete(&cpu, channel, unanswered).await?;
            }
        }
        Ok(())
    }

    /// Returns the writes that a channel had not had answered when it said that it was done.
    ///
    /// Only s2mm writes. If it is the only cause, the interrupt rose for it; otherwise it was done when
    /// the causes were read, at the latest.
    fn unanswered_at_end(&self, channel: Channel, causes: u32, at_rise: usize) -> usize {
        if channel == Channel::Mm2s {
            return 0;
        }
        let now = self.unanswered_writes();
        if causes & Channel::Mm2s.interrupt_bits() == 0 {
            now.max(at_rise)
        } else {
            now
        }
    }

    async fn complete(
        &self,
        cpu: &Cpu,
        channel: Channel,
        unanswered_writes: usize,
    ) -> Result<(), EngineError> {
        let base = channel.base();
        let status = self.read(cpu, base + u64::from(channel::STATUS)).await?;
        let bytes_done = self
            .read(cpu, base + u64::from(channel::BYTES_DONE))
            .await?;
        let mut completion = Completion {
            failure: None,
            bytes_done,
            fail_addr: DmaAddr::new(0),
            unanswered_writes,
        };
        if status & channel::STATUS_ERROR != 0 {
            let kind =
                (status & channel::STATUS_ERROR_KIND_MASK) >> channel::STATUS_ERROR_KIND_SHIFT;
            completion.failure = Some(match kind {
                regs::ERROR_KIND_SLVERR => Failure::Slverr,
                regs::ERROR_KIND_DECERR => Failure::Decerr,
                regs::ERROR_KIND_ADDR_LIMIT => Failure::AddrLimit,
                other => Failure::Other(other),
            });
            let low = self
                .read(cpu, base + u64::from(channel::FAIL_ADDR_LO))
                .await?;
            let high = self
                .read(cpu, base + u64::from(channel::FAIL_ADDR_HI))
                .await?;
            completion.fail_addr = DmaAddr::new(u64::from(low) | u64::from(high) << 32);
        }
        let handled = status & (channel::STATUS_DONE | channel::STATUS_ERROR);
        self.write(cpu, base + u64::from(channel::STATUS), handled)
            .await?;
        let state = &self.shared.channels[channel as usize];
        if let Some(waiter) = state.waiter.take() {
            // A driver that no longer waits has made a mistake of its own, which others judge.
            let _ = waiter.send(completion);
        }
        Ok(())
    }
}

/// A transfer that the engine works on.
#[derive(Debug)]
pub struct Work {
    /// The channel that does it.
    pub(super) channel: Channel,
    /// The DMA address that it was given.
    pub(super) dma: DmaAddr,
    receiver: oneshot::Receiver<Completion>,
}

fn halves(word: u64) -> [u32; 2] {
    let bytes = word.to_le_bytes();
    let half =
        |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    [half(0), half(4)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_split_into_low_and_high_words() {
        assert_eq!(halves(0x1234_5678_9abc_def0), [0x9abc_def0, 0x1234_5678]);
    }
}
