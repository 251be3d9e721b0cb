//! The driver of any core: brings it up, does the jobs of a trial one after the other, and stops at the first
//! step that never ends.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use rebound_sim::cpu::Cpu;
use rebound_sim::host::Host;
use rebound_sim::manifest::Manifest;
use swiotlb::{MapError, UnmapError};

use super::profile::Profile;
use super::stage::Progress;
use super::trial::Trial;
use crate::driver::Mapper;
use crate::program::{Interpreter, StepError};
use crate::scoreboard::Scoreboard;
use crate::violation::{Check, Violation};

/// Cycles in which a core that has nothing to do must leave the bus alone.
const QUIET_CYCLES: u64 = 400;
/// Cycles after an acknowledgement in which an interrupt has to fall; enough for one that crosses clocks.
const SETTLE_CYCLES: u64 = 64;

/// What keeps the driver from going on.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stuck {
    #[error(transparent)]
    Step(#[from] StepError),
    #[error("map refused: {0}")]
    Map(#[from] MapError),
    #[error("unmap refused: {0}")]
    Unmap(#[from] UnmapError),
    #[error("expected the stream of the core to carry {expected} bytes, found {found}{}", if found < expected { "" } else { ", and no TLAST behind them" })]
    Stream { expected: usize, found: usize },
    #[error(
        "expected limits by which {bytes} bytes from dma {address:#x} on can be split, found none"
    )]
    Split { address: u64, bytes: u64 },
}

impl Stuck {
    pub(super) const fn check(&self) -> Check {
        match self {
            Self::Step(error) if error.problem.is_timeout() => Check::Hang,
            Self::Step(_) => Check::Status,
            Self::Map(_) | Self::Unmap(_) | Self::Split { .. } => Check::Mapping,
            Self::Stream { .. } => Check::Hang,
        }
    }
}

/// The driver of one core.
#[derive(Debug)]
pub(super) struct Driver {
    pub(super) trial: Rc<Trial>,
    pub(super) profile: Profile,
    pub(super) host: Host,
    pub(super) cpu: Cpu,
    pub(super) program: Interpreter,
    pub(super) mapper: Rc<Mapper>,
    pub(super) board: Rc<RefCell<Scoreboard>>,
    pub(super) tag: Cell<u64>,
}

impl Driver {
    pub(super) fn new(
        trial: Rc<Trial>,
        profile: Profile,
        manifest: Rc<Manifest>,
        host: &Host,
        mapper: Rc<Mapper>,
        board: Rc<RefCell<Scoreboard>>,
    ) -> Self {
        let cpu = host.cpu(0);
        Self {
            program: Interpreter::new(host, cpu.clone(), manifest, profile.units()),
            trial,
            profile,
            host: host.clone(),
            cpu,
            mapper,
            board,
            tag: Cell::new(1),
        }
    }

    /// Does everything; a step that never ends is a violation.
    pub(super) async fn run(self, progress: Rc<Progress>) {
        match self.all().await {
            Ok(()) => progress.complete(),
            Err((job, stuck)) => self.report(stuck.check(), job, stuck.to_string()),
        }
    }

    async fn all(&self) -> Result<(), (Option<usize>, Stuck)> {
        self.bring_up().await.map_err(|error| (None, error))?;
        if self.trial.in_flight > 1 {
            self.overlapping().await?;
            self.stay_quiet(None).await;
            return Ok(());
        }
        for number in 0..self.trial.jobs.len() {
            let done = self.job(number).await;
            done.map_err(|error| (Some(number), error))?;
        }
        self.stay_quiet(None).await;
        Ok(())
    }

    /// Resets the core and does `init`.
    pub(super) async fn bring_up(&self) -> Result<(), Stuck> {
        self.program.set_wires();
        self.program.reset().await;
        self.program.init().await?;
        self.expect_low_interrupts(None, "after reset").await;
        Ok(())
    }

    /// Lets some time pass in which nothing may happen: whatever the core does now, nobody has asked for.
    pub(super) async fn stay_quiet(&self, job: Option<usize>) {
        let before = self.address_beats();
        self.host.sleep(QUIET_CYCLES).await;
        let bursts = self.address_beats() - before;
        if bursts > 0 {
            let text = format!(
                "core without a transfer to do: expected a quiet bus, found {bursts} beats in {QUIET_CYCLES} cycles"
            );
            self.report(Check::Unmapped, job, text);
        }
    }

    /// Data beats on all manager ports so far.
    pub(super) fn address_beats(&self) -> u64 {
        let ports = 0..self.host.ports().managers.len();
        let counters = ports.map(|port| self.host.bus_counters(port));
        counters
            .map(|port| port.read.beats + port.write.beats)
            .sum()
    }

    /// Looks whether the interrupts that are acknowledged are low, where the trial judges it.
    pub(super) async fn expect_low_interrupts(&self, job: Option<usize>, when: &str) {
        if !self.trial.judges_interrupts {
            return;
        }
        self.host.sleep(SETTLE_CYCLES).await;
        for (_, name, is_acknowledged) in &self.profile.interrupts {
            let wire = self.host.wire_named(name);
            if *is_acknowledged && wire.is_some_and(|wire| wire.is_high()) {
                let text = format!(
                    "interrupt {name} {when}: expected it low within {SETTLE_CYCLES} cycles, found it high"
                );
                self.report(Check::Status, job, text);
            }
        }
    }

    pub(super) fn report(&self, check: Check, job: Option<usize>, text: String) {
        self.board.borrow_mut().report(Violation {
            check,
            cycle: Some(self.host.cycle()),
            transfer: job,
            text,
            place: None,
        });
    }
}
