//! One run of a validation: a trial on a device, and what was found.

use std::rc::Rc;

use rebound_sim::device_port::PinDevice;
use rebound_sim::host::Host;
use rebound_sim::manifest::Manifest;

use super::driver::Driver;
use super::profile::Profile;
use super::stage;
use super::trial::Trial;
use crate::driver::Mapper;
use crate::error::UsageError;
use crate::execute;
use crate::result::{Counts, RunResult};
use crate::violation::Violation;

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
    let mut kept = None;
    let start = |stage: &stage::Stage, progress| {
        let board = Rc::clone(&stage.board);
        kept = Some((stage.host.clone(), Rc::clone(&stage.mapper), board));
        let driver = Driver::new(
            Rc::clone(&trial),
            profile.clone(),
            Rc::new(manifest.clone()),
            &stage.host,
            Rc::clone(&stage.mapper),
            Rc::clone(&stage.board),
        );
        driver.run(progress)
    };
    let (mut result, device) = stage::play(device, &trial.world, start)?;
    if let Some((host, mapper, board)) = kept {
        let busy_cycles = board.borrow().traffic().busy_cycles(host.cycle());
        result.counts = counts(&trial, &host, &mapper, busy_cycles);
    }
    Ok((result, device))
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
