//! Runs one probe on a device: a driver without pool and mapping, which asks for exactly what the probe says.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use rebound_sim::axi::BusPolicy;
use rebound_sim::cpu::CostModel;
use rebound_sim::device::{Device, RuleViolation};
use rebound_sim::manifest::{Manifest, UnitBytes};
use rebound_sim::simulation::{Options, Outcome as RunOutcome, Simulation};

use super::driver::Driver;
use super::memory::{self, Everywhere};
use super::patient;
use super::traffic::Watch;
use crate::characterize::probe::{BrokenRule, End, Observation, Outcome, Probe, Transfer};
use crate::error::UsageError;
use crate::execute;
use crate::program::Interpreter;
use crate::seed::Seed;

/// Most cycles of a probe. Every wait has a limit of its own; this one is for cores that keep the bus busy.
const LIMIT_CYCLES: u64 = 400_000_000;

/// Carries a probe out on a device fresh from its build.
///
/// # Errors
/// If probe and device cannot be brought together.
pub fn run_on(
    mut device: Device,
    manifest: &Manifest,
    units: UnitBytes,
    seed: Seed,
    probe: &Probe,
) -> Result<Observation, UsageError> {
    let manifest = Rc::new(patient::without_limits(manifest));
    let mut observation = Observation::default();
    let mut bus = probe.bus.clone();
    let mut from = 0;
    while from < probe.transfers.len() {
        let same_bus = |transfer: &&Transfer| transfer.bus.is_none();
        let rest = &probe.transfers[from + 1..];
        let to = from + 1 + rest.iter().take_while(same_bus).count();
        if let Some(other) = &probe.transfers[from].bus {
            bus.clone_from(other);
        }
        let act = Act {
            manifest: &manifest,
            units,
            seed,
            probe,
            bus: &bus,
            transfers: from..to,
        };
        let outcomes;
        (outcomes, device) = act.run(device)?;
        let has_died = outcomes
            .iter()
            .any(|outcome| matches!(outcome.end, End::Died { .. }));
        observation.outcomes.extend(outcomes);
        // The next bus knows nothing of what was in flight: what is broken then is no fault of the core.
        let broken = device.take_violations();
        if from == 0 {
            observation.broken = broken.into_iter().map(rule).collect();
        }
        if has_died {
            break;
        }
        from = to;
    }
    let missing = probe.transfers.len() - observation.outcomes.len();
    observation
        .outcomes
        .extend(vec![Outcome::default(); missing]);
    Ok(observation)
}

/// The transfers of a probe that share a bus.
struct Act<'a> {
    manifest: &'a Rc<Manifest>,
    units: UnitBytes,
    seed: Seed,
    probe: &'a Probe,
    bus: &'a BusPolicy,
    transfers: std::ops::Range<usize>,
}

impl Act<'_> {
    fn run(&self, device: Device) -> Result<(Vec<Outcome>, Device), UsageError> {
        let memory = memory::machine();
        let memory = memory.map_err(|error| UsageError::from_error("a probe's memory", &error))?;
        let options = Options {
            seed: self.seed,
            bus: self.bus.clone(),
            costs: CostModel::free(),
            ..Options::default()
        };
        let mut simulation = Simulation::new(device, memory, &options)
            .map_err(|error| UsageError::from_error("a probe's bus", &error))?;
        let host = simulation.host();
        let everywhere = Everywhere::default();
        for port in 0..host.ports().managers.len() {
            host.set_iommu(port, Some(Box::new(everywhere.clone())));
        }
        let watch = Rc::new(RefCell::new(Watch::default()));
        let outcomes = Rc::new(RefCell::new(Vec::new()));
        let driver = Driver {
            direction: self.probe.direction,
            transfers: self.probe.transfers[self.transfers.clone()].to_vec(),
            first: self.transfers.start,
            seed: self.seed,
            units: self.units,
            program: Interpreter::new(&host, host.cpu(0), Rc::clone(self.manifest), self.units),
            silence: patient::SILENCE + slowest(self.bus),
            manifest: Rc::clone(self.manifest),
            host,
            everywhere,
            watch: Rc::clone(&watch),
            outcomes: Rc::clone(&outcomes),
            tag: Cell::new(self.transfers.start as u64 + 1),
        };
        drop(simulation.spawn("driver", driver.run()));
        let ended = simulation.run(LIMIT_CYCLES, |events, _| {
            let mut watch = watch.borrow_mut();
            for event in events {
                watch.observe(event);
            }
        });
        let how = match ended {
            RunOutcome::Finished { .. } => None,
            RunOutcome::CycleLimit(_) => Some(End::Stuck {
                step: format!("the core kept busy for {LIMIT_CYCLES} cycles"),
            }),
            RunOutcome::DeviceError { error, .. } => Some(End::Died {
                how: execute::one_line(&error.to_string()),
            }),
        };
        let mut outcomes = outcomes.take();
        if let Some(end) = how {
            let mut outcome = Outcome {
                end,
                ..Outcome::default()
            };
            watch.borrow_mut().finish(&mut outcome);
            outcomes.push(outcome);
        }
        Ok((outcomes, simulation.into_device()))
    }
}

/// Cycles that a slow bus takes for some bursts; one that never answers is not waited for.
fn slowest(bus: &BusPolicy) -> u64 {
    let slowest = bus.read_latency_cycles.max(bus.write_latency_cycles);
    8 * u64::from(slowest.min(1000))
}

/// A broken rule in words.
fn rule(broken: RuleViolation) -> BrokenRule {
    let text = if broken.port.is_some() {
        format!(
            "{}: expected {:#x}, found {:#x} (cycle {})",
            broken.text, broken.expected, broken.found, broken.cycle
        )
    } else {
        broken.text
    };
    BrokenRule {
        rule: broken.rule,
        text,
    }
}
