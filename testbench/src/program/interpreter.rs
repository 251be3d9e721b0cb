//! Runs the parts of a control program: `init`, `start`, `done`, `recover`.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use rebound_sim::cpu::Cpu;
use rebound_sim::host::Host;
use rebound_sim::manifest::{Control, Direction, ErrorRule, Manifest, Program, Step, UnitBytes};
use rebound_sim::stream::Beat;

use super::error::{StepError, StepProblem};
use super::symbols::Symbols;

/// How a transfer ended, as far as the core tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Completion {
    /// Names of the error rules that hold.
    pub errors: Vec<String>,
    /// Writes that were on the bus without their response when the core said that it was done.
    pub unanswered_writes: usize,
}

/// A CPU that runs the control program of one core.
#[derive(Debug)]
pub struct Interpreter {
    pub(super) host: Host,
    pub(super) cpu: Cpu,
    manifest: Rc<Manifest>,
    units: UnitBytes,
    /// Beats that were popped and belong to another transfer.
    pub(super) kept: RefCell<BTreeMap<String, Vec<Beat>>>,
    /// Writes that were unanswered when `done` first saw what it waited for.
    pub(super) unanswered: Cell<Option<usize>>,
}

impl Interpreter {
    /// Puts a CPU to the program of a manifest.
    ///
    /// # Panics
    /// If the manifest has no program.
    #[must_use]
    pub fn new(host: &Host, cpu: Cpu, manifest: Rc<Manifest>, units: UnitBytes) -> Self {
        assert!(manifest.control.is_some(), "the manifest has a program");
        Self {
            host: host.clone(),
            cpu,
            manifest,
            units,
            kept: RefCell::default(),
            unanswered: Cell::default(),
        }
    }

    /// Does what follows a reset.
    ///
    /// # Errors
    /// The step that could not be done.
    pub async fn init(&self) -> Result<(), StepError> {
        self.kept.take();
        let mut symbols = Symbols::default();
        self.part("control.init", &self.control().init, &[], &mut symbols)
            .await
            .map(drop)
    }

    /// Starts a transfer; returns the errors that its steps have already read. `data` is what the core's stream
    /// brings for it: it waits there already, unless the core would lose it.
    ///
    /// # Errors
    /// The step that could not be done.
    pub async fn start(
        &self,
        direction: Direction,
        data: &[u8],
        symbols: &mut Symbols,
    ) -> Result<Vec<String>, StepError> {
        let program = self.program(direction);
        if !program.drops_idle_data {
            self.send(direction, data);
        }
        let place = format!("control.{}.start", direction.name());
        // A wire may still show how the transfer before ended.
        let mut rules = program.errors.clone();
        rules.retain(|rule| rule.wire.is_none());
        let errors = self.part(&place, &program.start, &rules, symbols).await?;
        if program.drops_idle_data {
            self.send(direction, data);
        }
        Ok(errors)
    }

    /// Waits for the end of a transfer and acknowledges it.
    ///
    /// # Errors
    /// The step that could not be done: which waited for what.
    pub async fn done(
        &self,
        direction: Direction,
        symbols: &mut Symbols,
    ) -> Result<Completion, StepError> {
        self.unanswered.set(None);
        let program = self.program(direction);
        let place = format!("control.{}.done", direction.name());
        let errors = self
            .part(&place, &program.done, &program.errors, symbols)
            .await?;
        Ok(Completion {
            errors,
            unanswered_writes: self.unanswered.get().unwrap_or(0),
        })
    }

    /// Does what follows a transfer that failed.
    ///
    /// # Errors
    /// The step that could not be done.
    pub async fn recover(
        &self,
        direction: Direction,
        symbols: &mut Symbols,
    ) -> Result<(), StepError> {
        let place = format!("control.{}.recover", direction.name());
        self.part(&place, &self.program(direction).recover, &[], symbols)
            .await
            .map(drop)
    }

    /// Returns the program of a direction.
    ///
    /// # Panics
    /// If the core has no such direction.
    #[must_use]
    pub fn program(&self, direction: Direction) -> &Program {
        let program = self.control().program(direction);
        program.expect("only directions of the manifest are planned")
    }

    pub(super) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    pub(super) fn control(&self) -> &Control {
        let control = self.manifest.control.as_ref();
        control.expect("it was there in the beginning")
    }

    pub(super) const fn units(&self) -> UnitBytes {
        self.units
    }

    /// Returns the writes on all manager ports that are still to be answered.
    pub(super) fn unanswered_writes(&self) -> usize {
        let ports = 0..self.host.ports().managers.len();
        ports.map(|port| self.host.bus_in_flight(port).1).sum()
    }

    /// Does the steps of a part, and returns the errors that hold at its end.
    async fn part(
        &self,
        place: &str,
        steps: &[Step],
        rules: &[ErrorRule],
        symbols: &mut Symbols,
    ) -> Result<Vec<String>, StepError> {
        for (index, step) in steps.iter().enumerate() {
            let done = self.step(step, rules, symbols).await;
            done.map_err(|problem| self.error(format!("{place}[{index}]"), problem))?;
        }
        let mut errors = Vec::new();
        for rule in rules {
            if self
                .value_of(rule, symbols)
                .is_some_and(|value| rule.holds(value))
            {
                errors.push(rule.name.clone());
            }
        }
        Ok(errors)
    }

    fn value_of(&self, rule: &ErrorRule, symbols: &Symbols) -> Option<u64> {
        match (&rule.from, &rule.wire) {
            (Some(name), _) => symbols.read(name),
            (None, Some(wire)) => self.host.wire_named(wire).map(|wire| wire.value()),
            (None, None) => None,
        }
    }

    fn error(&self, place: String, problem: StepProblem) -> StepError {
        StepError {
            line: self.manifest.line_of(&place),
            place,
            problem,
        }
    }
}
