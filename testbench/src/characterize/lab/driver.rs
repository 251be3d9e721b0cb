//! The driver of a probe: each transfer in turn, and what became of it.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;

use futures::future::{Either, select};
use rebound_sim::host::Host;
use rebound_sim::manifest::{Direction, Manifest, UnitBytes};

use super::memory::{Buffers, Everywhere};
use super::patient;
use super::traffic::Watch;
use crate::characterize::probe::{Before, End, Outcome, Transfer, Wrong, WrongBytes};
use crate::program::{Completion, Interpreter, StepError, StepProblem, Symbols};
use crate::seed::{Seed, mix};

/// How often the watchdog looks at the bus.
const WATCH_CYCLES: u64 = 1000;
/// Most cycles of a transfer, and more for each byte: for cores that never come to rest.
const BUSY_CYCLES: u64 = 4_000_000;
const BUSY_CYCLES_PER_BYTE: u64 = 64;
/// Cycles that a stream gets to deliver what is left of a packet once the core says that it is done.
const STREAM_CYCLES: u64 = 4000;

/// How a part of the program failed, and the cycles of silence before it was given up.
struct Failure {
    end: End,
    waited: u64,
}

/// The driver of a probe.
pub(super) struct Driver {
    pub(super) direction: Direction,
    pub(super) transfers: Vec<Transfer>,
    /// Number of the first of them in the probe.
    pub(super) first: usize,
    pub(super) seed: Seed,
    pub(super) units: UnitBytes,
    /// Cycles without anything on the bus after which a step is given up.
    pub(super) silence: u64,
    pub(super) program: Interpreter,
    pub(super) manifest: Rc<Manifest>,
    pub(super) host: Host,
    pub(super) everywhere: Everywhere,
    pub(super) watch: Rc<RefCell<Watch>>,
    pub(super) outcomes: Rc<RefCell<Vec<Outcome>>>,
    pub(super) tag: Cell<u64>,
}

impl Driver {
    pub(super) async fn run(self) {
        for (number, transfer) in self.transfers.iter().enumerate() {
            let mut outcome = Outcome::default();
            let salt = mix(self.seed.value() ^ mix((self.first + number) as u64 + 1));
            let buffers = Buffers::new(transfer.source, transfer.destination, transfer.bytes, salt);
            self.transfer(transfer, &buffers, &mut outcome).await;
            self.watch.borrow_mut().is_over = true;
            self.host.sleep(transfer.quiet_cycles).await;
            self.watch.borrow_mut().finish(&mut outcome);
            self.note_peaks(&mut outcome);
            self.outcomes.borrow_mut().push(outcome);
        }
    }

    async fn transfer(&self, transfer: &Transfer, buffers: &Buffers, outcome: &mut Outcome) {
        *self.everywhere.buffers.borrow_mut() = *buffers;
        buffers
            .fill(&mut self.host.memory())
            .expect("buffers lie in the memory of the machine");
        if let Err(failure) = self.attempt(transfer, buffers, outcome).await {
            outcome.end = failure.end;
            outcome.waited = failure.waited;
        }
    }

    async fn attempt(
        &self,
        transfer: &Transfer,
        buffers: &Buffers,
        outcome: &mut Outcome,
    ) -> Result<(), Failure> {
        let most = BUSY_CYCLES + BUSY_CYCLES_PER_BYTE * transfer.bytes;
        self.begin(buffers);
        self.prepare(transfer.before, most).await?;
        for port in 0..self.host.ports().managers.len() {
            self.host
                .set_faults(port, transfer.faults.clone())
                .expect("probes refuse whole ranges");
        }
        self.begin(buffers);
        if let Some(source) = self.program.source() {
            source.clear();
        }
        let data = match self.direction {
            Direction::S2mm => buffers.content(),
            Direction::Mm2s | Direction::Copy => Vec::new(),
        };
        let mut symbols = self.symbols(transfer);
        let start = self.program.start(self.direction, &data, &mut symbols);
        let errors = self.patiently("start", most, start).await?;
        let started = self.host.cycle();
        if let Some(cycles) = transfer.reset_after {
            self.host.sleep(cycles).await;
            self.watch.borrow_mut().is_over = true;
            self.program.reset().await;
            outcome.end = End::Reset;
            return Ok(());
        }
        let completion = if errors.is_empty() {
            let done = self.program.done(self.direction, &mut symbols);
            self.patiently("done", most, done).await?
        } else {
            Completion {
                errors,
                unanswered_writes: 0,
            }
        };
        outcome.cycles = self.host.cycle() - started;
        outcome.unanswered_writes = completion.unanswered_writes as u64;
        outcome.wrong = self.judge(buffers).await;
        outcome.end = End::Done {
            errors: completion.errors,
        };
        Ok(())
    }

    fn begin(&self, buffers: &Buffers) {
        let (cycle, beat) = (self.host.cycle(), self.units.beat);
        self.watch.borrow_mut().begin(buffers, beat, cycle);
    }

    async fn prepare(&self, before: Before, most: u64) -> Result<(), Failure> {
        match before {
            Before::Nothing => Ok(()),
            Before::Recover => {
                let mut symbols = Symbols::default();
                let recover = self.program.recover(self.direction, &mut symbols);
                self.patiently("recover", most, recover).await?;
                self.program.drop_packets();
                Ok(())
            }
            Before::Reset => {
                self.program.set_wires();
                self.program.reset().await;
                self.patiently("init", most, self.program.init()).await
            }
            Before::Init => self.patiently("init", most, self.program.init()).await,
        }
    }

    /// Gives a part of the program time as long as something happens on the bus.
    async fn patiently<T>(
        &self,
        part: &str,
        most: u64,
        work: impl Future<Output = Result<T, StepError>>,
    ) -> Result<T, Failure> {
        let begun = self.host.cycle();
        let watchdog = async {
            loop {
                self.host.sleep(WATCH_CYCLES).await;
                let now = self.host.cycle();
                let quiet = now.saturating_sub(self.watch.borrow().last_event.max(begun));
                if quiet >= self.silence || now - begun >= most {
                    return quiet;
                }
            }
        };
        match select(pin!(work), pin!(watchdog)).await {
            Either::Left((done, _)) => done.map_err(|error| failed(&error)),
            Either::Right((waited, _)) => Err(Failure {
                end: End::Stuck {
                    step: self.stuck(part, waited),
                },
                waited,
            }),
        }
    }

    /// The step of a part that never ended, in words.
    fn stuck(&self, part: &str, waited: u64) -> String {
        let control = self.manifest.control.as_ref();
        let program = self.program.program(self.direction);
        let name = self.direction.name();
        let (place, steps) = match part {
            "init" => (
                "control.init".to_owned(),
                control.map_or(&[][..], |control| &control.init),
            ),
            "start" => (format!("control.{name}.start"), &program.start[..]),
            "done" => (format!("control.{name}.done"), &program.done[..]),
            _ => (format!("control.{name}.recover"), &program.recover[..]),
        };
        let step = patient::waiting_step(steps).map_or(place.clone(), |(index, step)| {
            format!("{place}[{index}]: {step}")
        });
        if waited >= self.silence {
            format!("{step} within {waited} cycles of silence on the bus")
        } else {
            format!("{step}, while the core kept the bus busy")
        }
    }

    fn symbols(&self, transfer: &Transfer) -> Symbols {
        let tag = self.tag.get();
        self.tag.set(tag + 1);
        let source = (self.direction != Direction::S2mm).then_some(transfer.source);
        let destination = (self.direction != Direction::Mm2s).then_some(transfer.destination);
        Symbols::new(source, destination, transfer.bytes, tag)
    }

    /// Compares what came with what should have come.
    async fn judge(&self, buffers: &Buffers) -> Option<Wrong> {
        if self.direction != Direction::Mm2s {
            let found = buffers.judge(&self.host.memory());
            return found.expect("buffers lie in the memory of the machine");
        }
        let sink = self.program.sink()?;
        let wanted = usize::try_from(buffers.bytes).unwrap_or(usize::MAX);
        let mut found = Vec::new();
        while found.len() < wanted {
            match sink.recv(STREAM_CYCLES).await {
                Ok(packet) => found.extend(packet.data),
                Err(_) => break,
            }
        }
        if found.len() == wanted {
            return buffers.compare(&found);
        }
        let came = found.len() + sink.partial_bytes();
        Some(Wrong {
            offset: came.min(wanted) as u64,
            bytes: wanted.abs_diff(came) as u64,
            how: WrongBytes::Other,
            what: format!("expected {wanted} bytes on the stream, found {came}"),
        })
    }

    fn note_peaks(&self, outcome: &mut Outcome) {
        for port in 0..self.host.ports().managers.len() {
            let counters = self.host.bus_counters(port);
            let (reads, writes) = (&mut outcome.reads, &mut outcome.writes);
            reads.peak = reads.peak.max(counters.read.peak_in_flight);
            writes.peak = writes.peak.max(counters.write.peak_in_flight);
        }
    }
}

/// A step that could not be done: the core does not answer, or the transfer cannot be asked for.
fn failed(error: &StepError) -> Failure {
    let end = match error.problem {
        StepProblem::Timeout { .. } | StepProblem::Access(_) => End::Stuck {
            step: error.to_string(),
        },
        StepProblem::Value(_) | StepProblem::NoRoom { .. } | StepProblem::Missing(_) => {
            End::Impossible {
                why: error.to_string(),
            }
        }
    };
    Failure { end, waited: 0 }
}
