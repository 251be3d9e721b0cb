//! The machine around a core: memory, bounce pool, bus and scoreboard, with a driver of whatever kind at work in it.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;

use rebound_sim::device_port::PinDevice;
use rebound_sim::host::Host;
use rebound_sim::simulation::{Options, Outcome, Simulation};
use swiotlb::{PhysAddr, PhysMemory as _};

use super::evidence;
use crate::driver::{Mapper, SpareLog};
use crate::error::UsageError;
use crate::execute::{self, machine};
use crate::result::{Counts, RunResult};
use crate::scenario::plan::Plan;
use crate::scoreboard::Scoreboard;
use crate::violation::{Check, Violation};

/// Most cycles of a run. Every wait of a driver has a limit of its own; this one is for cores that keep it busy.
const LIMIT_CYCLES: u64 = 200_000_000;

/// What a driver acts on.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) host: Host,
    pub(crate) mapper: Rc<Mapper>,
    pub(crate) board: Rc<RefCell<Scoreboard>>,
}

/// How far a driver came, for whoever looks after the run.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    is_complete: Cell<bool>,
}

impl Progress {
    /// It did all that it was to do.
    pub(crate) fn complete(&self) {
        self.is_complete.set(true);
    }
}

/// Runs a driver on a device to its end, and gives the device back with what was found; counts are left at 0.
pub(crate) fn play<D, F>(
    device: D,
    world: &Plan,
    start: impl FnOnce(&Stage, Rc<Progress>) -> F,
) -> Result<(RunResult, D), UsageError>
where
    D: PinDevice,
    F: Future<Output = ()> + 'static,
    Violation: From<D::Violation>,
{
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
    let progress = Rc::new(Progress::default());
    let stage = Stage {
        host: host.clone(),
        mapper: Rc::clone(&mapper),
        board: Rc::clone(&board),
    };
    let driver = start(&stage, Rc::clone(&progress));
    drop(simulation.spawn("driver", driver));
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
        counts: Counts::default(),
        violations,
        broken: board.log().counts().clone(),
        wave: None,
    };
    drop(board);
    Ok((result, simulation.into_device()))
}
