//! One run of a validation: a trial on a device, and what was found.

use std::cell::RefCell;
use std::rc::Rc;

use rebound_sim::device_port::PinDevice;
use rebound_sim::events::{BusEvent, Direction};
use rebound_sim::host::Host;
use rebound_sim::manifest::Manifest;
use rebound_sim::simulation::{Outcome, Simulation};
use swiotlb::{PhysAddr, PhysMemory as _};

use super::driver::{Driver, Progress};
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
    let mut simulation = Simulation::new(device, memory, &execute::options(world))
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
        let recent = simulation.recent_events().copied();
        show_events(&mut violations, &recent.collect::<Vec<_>>());
    }
    let result = RunResult {
        counts: counts(&trial, &host, &mapper, board.traffic().busy_cycles(cycle)),
        violations,
        broken: board.log().counts().clone(),
        wave: None,
    };
    drop(board);
    Ok((result, simulation.into_device()))
}

fn counts(trial: &Trial, host: &Host, mapper: &Mapper, busy_cycles: u64) -> Counts {
    use rebound_sim::cpu::CpuState::{CopyingIn, CopyingOut, Mapping, Syncing, Unmapping, Waiting};
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
        bus_busy_cycles: busy_cycles,
        read_beats: beats.iter().map(|port| port.0).sum(),
        write_beats: beats.iter().map(|port| port.1).sum(),
        cpu_copy_cycles: execute::cpu_cycles(host, &[CopyingIn, CopyingOut]),
        cpu_map_cycles: execute::cpu_cycles(host, &[Mapping, Unmapping, Syncing]),
        cpu_wait_cycles: execute::cpu_cycles(host, &[Waiting]),
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

/// Puts the last events of the bus behind the violation that ended the run, a line each.
fn show_events(violations: &mut [Violation], events: &[BusEvent]) {
    let ends = [Check::Hang, Check::Status, Check::Assertion];
    let Some(last) = violations
        .iter_mut()
        .rev()
        .find(|violation| ends.contains(&violation.check))
    else {
        return;
    };
    if events.is_empty() {
        last.text.push_str("\nnothing happened on the bus");
        return;
    }
    last.text
        .push_str(&format!("\nlast {} bus events:", events.len()));
    for event in events {
        last.text.push('\n');
        last.text.push_str(&event_text(event));
    }
}

/// An event in one line: `cycle 120 port 0: AR burst 3 at dma 0x1000, 16 beats of 8 bytes`.
fn event_text(event: &BusEvent) -> String {
    let what = match event {
        BusEvent::Address(address) => {
            let channel = match address.direction {
                Direction::Read => "AR",
                Direction::Write => "AW",
            };
            format!(
                "{channel} burst {} id {} at dma {}, {} beats of {} bytes",
                address.burst,
                address.id,
                address.dma,
                address.beats,
                1_u32 << address.size
            )
        }
        BusEvent::Beat(beat) => {
            let channel = match beat.direction {
                Direction::Read => "R ",
                Direction::Write => "W ",
            };
            format!(
                "{channel} burst {} beat {} at dma {}: {}{}",
                beat.burst,
                beat.beat,
                beat.dma,
                beat.response,
                if beat.is_last { ", last" } else { "" }
            )
        }
        BusEvent::Response(response) => {
            format!("B  burst {}: {}", response.burst, response.response)
        }
    };
    format!("cycle {} port {}: {what}", event.cycle(), event.port())
}
