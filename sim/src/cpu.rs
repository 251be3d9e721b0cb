//! Simulated CPUs: software costs cycles, and what runs on one CPU does not overlap.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use serde::{Deserialize, Serialize};

use crate::clock::Wait;
use crate::host::{Host, Shared};
use crate::pins::VIEW_TEXT;

/// What a CPU does. The text in the waveform is [`CpuState::text`].
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum CpuState {
    /// Nothing to do.
    #[default]
    Idle,
    /// Nothing to do until the device is done; other work may run.
    Waiting,
    /// Mapping a buffer.
    Mapping,
    /// Taking a mapping back.
    Unmapping,
    /// Handing a buffer over without unmapping it; cache maintenance.
    Syncing,
    /// Copying into a bounce buffer.
    CopyingIn,
    /// Copying out of a bounce buffer.
    CopyingOut,
    /// Entering an interrupt handler.
    Interrupt,
    /// Accessing registers of the device.
    Registers,
    /// Other work of the driver.
    Working,
}

impl CpuState {
    /// All states, in the order of [`CpuCycles`].
    pub const ALL: [Self; 10] = [
        Self::Idle,
        Self::Waiting,
        Self::Mapping,
        Self::Unmapping,
        Self::Syncing,
        Self::CopyingIn,
        Self::CopyingOut,
        Self::Interrupt,
        Self::Registers,
        Self::Working,
    ];

    /// Returns the state as text of at most 16 characters.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Waiting => "waiting",
            Self::Mapping => "mapping",
            Self::Unmapping => "unmapping",
            Self::Syncing => "syncing",
            Self::CopyingIn => "copying in",
            Self::CopyingOut => "copying out",
            Self::Interrupt => "interrupt",
            Self::Registers => "registers",
            Self::Working => "working",
        }
    }

    /// Returns the text as it stands in the pin block.
    pub(crate) fn pin_text(self) -> [u8; VIEW_TEXT] {
        let mut pins = [0; VIEW_TEXT];
        for (pin, byte) in pins.iter_mut().zip(self.text().bytes()) {
            *pin = byte;
        }
        pins
    }
}

/// What software costs, in cycles of the simulated clock.
///
/// The defaults describe an embedded CPU beside a DMA clock of 250 MHz (4 ns a cycle): it copies cold
/// data at 4 GB/s, an interrupt takes 1 µs to reach the handler, a mapping call costs some 200 ns.
/// They are plausible, not measured: measure your own system and say so here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CostModel {
    /// Bytes that a CPU copies in a cycle; at least 1.
    pub copy_bytes_per_cycle: u32,
    /// Cycles to start a copy, whatever its length.
    pub copy_setup_cycles: u32,
    /// Cycles of a map call, without its copy.
    pub map_cycles: u32,
    /// Cycles of an unmap call, without its copy.
    pub unmap_cycles: u32,
    /// Cycles of a sync call, without its copy.
    pub sync_cycles: u32,
    /// Cycles from the interrupt wire to the first instruction of the handler.
    pub interrupt_entry_cycles: u32,
    /// Cycles that a register read occupies the CPU beyond the access on the control port.
    pub register_read_cycles: u32,
    /// Cycles that a register write occupies the CPU beyond the access on the control port.
    pub register_write_cycles: u32,
}

impl Default for CostModel {
    fn default() -> Self {
        Self {
            copy_bytes_per_cycle: 16,
            copy_setup_cycles: 10,
            map_cycles: 50,
            unmap_cycles: 40,
            sync_cycles: 25,
            interrupt_entry_cycles: 250,
            register_read_cycles: 0,
            register_write_cycles: 0,
        }
    }
}

/// A cost model that means nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cost model copy_bytes_per_cycle: expected at least 1, found 0")]
pub struct CostError;

impl CostModel {
    /// Returns software that costs nothing, to see the hardware alone.
    #[must_use]
    pub const fn free() -> Self {
        Self {
            copy_bytes_per_cycle: u32::MAX,
            copy_setup_cycles: 0,
            map_cycles: 0,
            unmap_cycles: 0,
            sync_cycles: 0,
            interrupt_entry_cycles: 0,
            register_read_cycles: 0,
            register_write_cycles: 0,
        }
    }

    /// Checks that a copy ends.
    ///
    /// # Errors
    /// If no bytes are copied in a cycle.
    pub const fn check(&self) -> Result<(), CostError> {
        if self.copy_bytes_per_cycle == 0 {
            return Err(CostError);
        }
        Ok(())
    }

    /// Returns the cycles of a copy; 0 for no bytes, and 0 with [`CostModel::free`].
    #[must_use]
    pub fn copy_cycles(&self, bytes: u64) -> u64 {
        if bytes == 0 || self.copy_bytes_per_cycle == u32::MAX {
            return 0;
        }
        u64::from(self.copy_setup_cycles)
            + bytes.div_ceil(u64::from(self.copy_bytes_per_cycle.max(1)))
    }
}

/// Cycles of a CPU by state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct CpuCycles {
    by_state: [u64; CpuState::ALL.len()],
}

impl CpuCycles {
    /// Returns the cycles spent in a state.
    #[must_use]
    pub const fn of(&self, state: CpuState) -> u64 {
        self.by_state[state as usize]
    }

    /// Returns the cycles in which the CPU was occupied.
    #[must_use]
    pub fn busy(&self) -> u64 {
        CpuState::ALL
            .into_iter()
            .filter(|state| !matches!(state, CpuState::Idle | CpuState::Waiting))
            .map(|state| self.of(state))
            .sum()
    }

    /// Returns all cycles.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.by_state.iter().sum()
    }
}

/// One CPU: who has it, who comes next, and where its cycles went.
#[derive(Debug, Default)]
pub(crate) struct CpuCore {
    is_taken: bool,
    queue: VecDeque<(u64, Waker)>,
    next_ticket: u64,
    state: CpuState,
    since: u64,
    waiting: usize,
    cycles: CpuCycles,
}

impl CpuCore {
    fn enter(&mut self, state: CpuState, now: u64) {
        self.cycles.by_state[self.state as usize] += now - self.since;
        self.state = state;
        self.since = now;
    }

    const fn rest_state(&self) -> CpuState {
        if self.waiting > 0 {
            CpuState::Waiting
        } else {
            CpuState::Idle
        }
    }

    fn cycles_at(&self, now: u64) -> CpuCycles {
        let mut cycles = self.cycles;
        cycles.by_state[self.state as usize] += now - self.since;
        cycles
    }
}

/// A CPU, as a task holds it. Work of several tasks on one CPU is done one after the other, in the
/// order in which it was asked for.
#[derive(Debug, Clone)]
pub struct Cpu {
    host: Host,
    index: usize,
}

impl Cpu {
    pub(crate) const fn new(host: Host, index: usize) -> Self {
        Self { host, index }
    }

    /// Returns the number of the CPU.
    #[must_use]
    pub const fn index(&self) -> usize {
        self.index
    }

    /// Occupies the CPU for some cycles, once it is free. No cycles cost nothing and wait for nobody.
    pub async fn run(&self, cycles: u64, state: CpuState) {
        if cycles > 0 {
            self.occupy(state, self.host.sleep(cycles)).await;
        }
    }

    /// Occupies the CPU, once it is free, until `work` is done.
    pub async fn occupy<F: Future>(&self, state: CpuState, work: F) -> F::Output {
        Acquire {
            cpu: self,
            ticket: None,
        }
        .await;
        let _held = Held { cpu: self };
        self.enter(state);
        work.await
    }

    /// Waits for the device without occupying the CPU: while nothing else runs on it, it is shown and
    /// counted as [`CpuState::Waiting`].
    pub async fn wait<F: Future>(&self, event: F) -> F::Output {
        let _waiting = Waiting::new(self);
        event.await
    }

    /// Copies: occupies the CPU for the time that the cost model gives `bytes` bytes. The bytes
    /// themselves are the caller's to move.
    pub async fn copy(&self, bytes: u64, state: CpuState) {
        self.run(self.costs().copy_cycles(bytes), state).await;
    }

    /// Copies into a bounce buffer.
    pub async fn copy_in(&self, bytes: u64) {
        self.copy(bytes, CpuState::CopyingIn).await;
    }

    /// Copies out of a bounce buffer.
    pub async fn copy_out(&self, bytes: u64) {
        self.copy(bytes, CpuState::CopyingOut).await;
    }

    /// Spends the cost of a map call.
    pub async fn map(&self) {
        self.run(self.costs().map_cycles.into(), CpuState::Mapping)
            .await;
    }

    /// Spends the cost of an unmap call.
    pub async fn unmap(&self) {
        self.run(self.costs().unmap_cycles.into(), CpuState::Unmapping)
            .await;
    }

    /// Spends the cost of a sync call.
    pub async fn sync(&self) {
        self.run(self.costs().sync_cycles.into(), CpuState::Syncing)
            .await;
    }

    /// Spends the cost of entering an interrupt handler.
    pub async fn interrupt_entry(&self) {
        self.run(
            self.costs().interrupt_entry_cycles.into(),
            CpuState::Interrupt,
        )
        .await;
    }

    /// Returns the state of the CPU.
    #[must_use]
    pub fn state(&self) -> CpuState {
        self.core().borrow().state
    }

    /// Returns where the cycles went, up to now.
    #[must_use]
    pub fn cycles(&self) -> CpuCycles {
        self.core().borrow().cycles_at(self.host.cycle())
    }

    fn costs(&self) -> Rc<CostModel> {
        self.host.costs()
    }

    fn core(&self) -> &RefCell<CpuCore> {
        &self.shared().cpus[self.index]
    }

    fn shared(&self) -> &Shared {
        self.host.shared()
    }

    fn enter(&self, state: CpuState) {
        self.core().borrow_mut().enter(state, self.host.cycle());
        self.shared().view.set_cpu(self.index, state);
    }
}

/// Waits for the CPU, in order of asking.
struct Acquire<'a> {
    cpu: &'a Cpu,
    ticket: Option<u64>,
}

impl Future for Acquire<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut core = self.cpu.core().borrow_mut();
        let is_next = match self.ticket {
            None => core.queue.is_empty(),
            Some(ticket) => core
                .queue
                .front()
                .is_some_and(|(front, _)| *front == ticket),
        };
        if !core.is_taken && is_next {
            core.is_taken = true;
            if self.ticket.is_some() {
                core.queue.pop_front();
            }
            drop(core);
            self.ticket = None;
            return Poll::Ready(());
        }
        let waker = cx.waker().clone();
        if let Some(ticket) = self.ticket {
            if let Some((_, old)) = core.queue.iter_mut().find(|(place, _)| *place == ticket) {
                *old = waker;
            }
        } else {
            let ticket = core.next_ticket;
            core.next_ticket += 1;
            core.queue.push_back((ticket, waker));
            drop(core);
            self.ticket = Some(ticket);
        }
        self.cpu.shared().tasks.note(Wait::Cpu {
            cpu: self.cpu.index,
        });
        Poll::Pending
    }
}

impl Drop for Acquire<'_> {
    fn drop(&mut self) {
        // Given up while queueing: leave the queue, and let the next one have what was offered to us.
        if let Some(ticket) = self.ticket {
            let mut core = self.cpu.core().borrow_mut();
            core.queue.retain(|(place, _)| *place != ticket);
            if !core.is_taken
                && let Some((_, waker)) = core.queue.front()
            {
                waker.wake_by_ref();
            }
        }
    }
}

/// The CPU while it is occupied.
struct Held<'a> {
    cpu: &'a Cpu,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let rest = {
            let mut core = self.cpu.core().borrow_mut();
            core.is_taken = false;
            if let Some((_, waker)) = core.queue.front() {
                waker.wake_by_ref();
            }
            core.rest_state()
        };
        self.cpu.enter(rest);
    }
}

/// A task that waits on this CPU.
struct Waiting<'a> {
    cpu: &'a Cpu,
}

impl<'a> Waiting<'a> {
    fn new(cpu: &'a Cpu) -> Self {
        let waiting = Self { cpu };
        waiting.change(1);
        waiting
    }

    fn change(&self, by: isize) {
        let rest = {
            let mut core = self.cpu.core().borrow_mut();
            core.waiting = core.waiting.saturating_add_signed(by);
            (!core.is_taken).then(|| core.rest_state())
        };
        if let Some(state) = rest
            && state != self.cpu.state()
        {
            self.cpu.enter(state);
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.change(-1);
    }
}
