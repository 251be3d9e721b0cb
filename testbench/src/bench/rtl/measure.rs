//! One cell on one device: memory, bus and driver around it, and what came out.

use std::fmt::Display;

use rebound_sim::axi::BusPolicy;
use rebound_sim::cpu::CostModel;
use rebound_sim::device_port::PinDevice;
use rebound_sim::memory::HostMemory;
use rebound_sim::simulation::{Options, Outcome, Simulation};
use serde::{Deserialize, Serialize};
use swiotlb::PhysAddr;

use super::cell::{Cell, Mode};
use super::drive::Drive;
use super::layout::{Layout, MEMORY_BYTES};
use crate::error::UsageError;

/// Cycles for which the core is held in reset.
const RESET_CYCLES: u64 = 8;
/// Cycles for setting up registers.
const SETUP_CYCLES: u64 = 20_000;

/// What a cell took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    /// The cell.
    pub cell: Cell,
    /// Cycles from the write that starts to the last response: B; for mm2s the last beat of the stream; for rings the
    /// B of the last write-back.
    pub to_response: u64,
    /// Cycles from the write that starts to the interrupt.
    pub to_interrupt: u64,
}

/// Measures a cell on a device out of reset, with the ideal memory of the cell's latency behind each port.
///
/// # Errors
/// If the device does not do the work: an error status, no end, a broken rule, a byte that is wrong. So there is no
/// figure of a transfer that went wrong.
pub fn measure<D>(device: D, cell: Cell) -> Result<Measured, UsageError>
where
    D: PinDevice,
{
    let failed = |what: &dyn Display| UsageError::new(format!("{cell}: {what}"));
    let layout = Layout::new(cell);
    let mut memory =
        HostMemory::with_range(PhysAddr::new(0), MEMORY_BYTES).map_err(|error| failed(&error))?;
    layout.fill(&mut memory).map_err(|error| failed(&error))?;
    let options = Options {
        bus: BusPolicy::with_latency(cell.latency),
        costs: CostModel::free(),
        events: false,
        ..Options::default()
    };
    let mut simulation =
        Simulation::new(device, memory, &options).map_err(|error| failed(&error))?;
    check_ports(&simulation, cell.mode).map_err(|what| failed(&what))?;
    let limit = cycle_limit(&cell);
    let host = simulation.host();
    let drive = Drive::new(&host, cell, layout, limit);
    let task = simulation.spawn("driver", async move {
        host.reset(RESET_CYCLES).await;
        // Streams may not be valid at the edge that ends the reset (IHI 0051, 2.7.2).
        host.sleep(1).await;
        drive.run().await
    });
    match simulation.run(limit + SETUP_CYCLES, |_, _| {}) {
        Outcome::Finished { .. } => {}
        Outcome::CycleLimit(report) => return Err(failed(&report)),
        Outcome::DeviceError { error, .. } => return Err(failed(&error)),
    }
    let times = task
        .take()
        .ok_or_else(|| failed(&"the driver did not finish"))?
        .map_err(|error| failed(&error))?;
    let has_written = cell.mode != Mode::Mm2s;
    layout
        .check(&simulation.host().memory(), has_written)
        .map_err(|error| failed(&error))?;
    if let Some(broken) = simulation.device_mut().take_violations().first() {
        return Err(failed(&format!("a rule was broken: {broken:?}")));
    }
    Ok(Measured {
        cell,
        to_response: times.response.saturating_sub(times.start),
        to_interrupt: times.interrupt.saturating_sub(times.start),
    })
}

/// Says what port of the engine is missing.
fn check_ports<D: PinDevice>(simulation: &Simulation<D>, mode: Mode) -> Result<(), String> {
    let host = simulation.host();
    let ports = host.ports();
    let managers = if mode == Mode::CopyRing { 2 } else { 1 };
    for (what, expected, found) in [
        ("AXI manager ports", managers, ports.managers.len()),
        ("control ports", 1, ports.lites.len()),
        ("streams in", 1, ports.streams_in.len()),
        ("streams out", 1, ports.streams_out.len()),
    ] {
        if found < expected {
            return Err(format!("{what}: expected {expected}, found {found}"));
        }
    }
    Ok(())
}

/// Cycles after which a cell is given up: enough for one burst at a time of any core that moves at all.
fn cycle_limit(cell: &Cell) -> u64 {
    let latency = u64::from(cell.latency);
    let each = 10 * latency + 1_000 + cell.beats() / u64::from(cell.count) * 4;
    let bursts = u64::from(cell.bytes) / 64 + 1;
    u64::from(cell.count) * (each + bursts * (2 * latency + 50))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::rtl::cell::cells;
    use crate::execute::ModelEngine;
    use crate::scenario::plan::{EnginePlan, PlantedFault};

    /// Modes that the model of the engine knows: it has no rings.
    const MODES: [Mode; 3] = [Mode::Copy, Mode::Mm2s, Mode::S2mm];

    #[test]
    fn a_copy_that_loses_bytes_has_no_figure() {
        let cell = cells(&[Mode::Copy], &[64], &[5])[0];
        let mut engine = EnginePlan::bits(32);
        let sound = measure(ModelEngine::new(engine), cell).expect("the model copies");
        assert!(sound.to_response > cell.beats() + 10, "{sound:?}");
        engine.planted_fault = Some(PlantedFault::LostTail);
        let error = measure(ModelEngine::new(engine), cell).expect_err("bytes are lost");
        let message = error.to_string();
        assert!(
            message.contains("64 bits, copy") && message.contains("expected 0x"),
            "{message}"
        );
    }

    #[test]
    fn the_interrupt_never_comes_before_the_last_response() {
        for cell in cells(&MODES, &[64], &[3]) {
            if cell.bytes > 4096 {
                continue;
            }
            let model = ModelEngine::new(EnginePlan::bits(32));
            let taken = measure(model, cell).expect("the model works");
            assert!(taken.to_interrupt >= taken.to_response, "{taken:?}");
        }
    }
}
