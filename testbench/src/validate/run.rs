//! One run of a validation: a trial on a device, and what was found.

use std::cell::RefCell;
use std::rc::Rc;

use rebound_sim::device_port::PinDevice;
use rebound_sim::host::Host;
use rebound_sim::manifest::Manifest;
use rebound_sim::simulation::{Options, Outcome, Simulation};
use swiotlb::{PhysAddr, PhysMemory as _};

use super::driver::{Driver, Progress};
use super::evidence;
use super::profile::Profile;
use super::trial::Trial;
use crate::driver::{Mapper, SpareLog};
use crate::error::UsageError;
use crate::execute::{self, machine};
use crate::result::{Counts, RunResult};
use crate::scoreboard::Scoreboard;
use crate::violation::{Check, Violation};

/// Most cycles of a run. Every wait of the driver has a limit of its own; this one is for cores that keep it busy.
const LIMIT_CYCLES: u64 = 200_000_000;

/// Carries a trial out on a device, and gives the device back.
///
/// # Errors
/// If trial and device cannot be brought together.
pub fn run_on<D>(
    device: D,
    manifest: &Manifest,
    profile: &Profile,
    trial: &Trial,
) -> Result<(RunResult, D), UsageError>
where
    D: PinDevice,
    Violation: From<D::Violation>,
{
    let trial = Rc::new(trial.clone());
    let world = &trial.world;
    let board = Rc::new(RefCell::new(Scoreboard::new(execute::buffers(world))));
    let mut memory = machine::memory(world)?;
    for buffer in board.borrow().buffers() {
        memory
            .write(PhysAddr::new(buffer.guarded_phys()), buffer.guarded())
            .map_err(|error| UsageError::from_error(&buffer.name, &error))?;
    }
    let (dma, dma_device) = machine::mapping_layer(world, &mut memory, &SpareLog::default())?;
    let options = Options {
        recent_events: evidence::RECENT_EVENTS,
        ..execute::options(world)
    };
    let mut simulation = Simulation::new(device, memory, &options)
        .map_err(|error| UsageError::from_error("the trial's bus and costs", &error))?;
    let host = simulation.host();
    let mapper = Mapper::new(host.clone(), dma, dma_device, Rc::clone(&board));
    let mapper = Rc::new(mapper);
    let driver = Driver::new(
        Rc::clone(&trial),
        profile.clone(),
        Rc::new(manifest.clone()),
        &host,
        Rc::clone(&mapper),
        Rc::clone(&board),
    );
    let progress = Rc::new(Progress::default());
    drop(simulation.spawn("driver", driver.run(Rc::clone(&progress))));
    let observed = Rc::clone(&board);
    let outcome = simulation.run(LIMIT_CYCLES, |events, _| {
        let mut board = observed.borrow_mut();
        for event in events {
            execute::observe(&mut board, event);
        }
    });
    let cycle = simulation.cycle();
    let is_complete = progress.is_complete.get() && outcome.is_finished();
    if is_complete {
        mapper.unbind();
    }
    let mut board = board.borrow_mut();
    match outcome {
        Outcome::Finished { .. } => {}
        Outcome::CycleLimit(report) => {
            let text = execute::one_line(&report.to_string());
            board.report(execute::violation(Check::Hang, cycle, text));
        }
        Outcome::DeviceError { cycle, error } => {
            let text = format!(
                "core stopped the simulation: expected it to go on, {}",
                execute::one_line(&error.to_string())
            );
            board.report(execute::violation(Check::Assertion, cycle, text));
        }
    }
    for broken in simulation.device_mut().take_violations() {
        board.report(broken.into());
    }
    execute::judge_memory(&mut board, &host, cycle, is_complete);
    if is_complete {
        board.finish(mapper.slots_used(), cycle);
    }
    let mut violations = execute::in_order(board.log().kept());
    if !is_complete {
        let recent: Vec<_> = simulation.recent_events().copied().collect();
        evidence::show_events(&mut violations, &recent, cycle);
    }
    let result = RunResult {
        counts: counts(&trial, &host, &mapper),
        violations,
        broken: board.log().counts().clone(),
        wave: None,
    };
    drop(board);
    Ok((result, simulation.into_device()))
}

fn counts(trial: &Trial, host: &Host, mapper: &Mapper) -> Counts {
    let world = &trial.world;
    let mapped = mapper.counts();
    let ports = 0..host.ports().managers.len();
    let beats: Vec<(u64, u64)> = ports
        .map(|port| host.bus_counters(port))
        .map(|port| (port.read.beats, port.write.beats))
        .collect();
    Counts {
        transfers: trial.jobs.len() as u64,
        bytes: world.transfers.iter().map(|job| world.bytes_of(job)).sum(),
        cycles: host.cycle(),
        read_beats: beats.iter().map(|port| port.0).sum(),
        write_beats: beats.iter().map(|port| port.1).sum(),
        mappings: mapped.mappings,
        bounced_mappings: mapped.bounced_mappings,
        bounced_bytes: mapped.bounced_bytes,
        copied_in_bytes: mapped.copied_in_bytes,
        copied_out_bytes: mapped.copied_out_bytes,
        pool_full_retries: mapped.retries,
        pool_peak_slots: mapped.peak_slots,
        ..Counts::default()
    }
}
