//! One run: a plan is turned into a machine, a driver and a scoreboard, and into what they found.

mod environment;
mod iommu;
pub(crate) mod machine;
mod window;
mod worker;

pub use environment::{Core, Environment, WaveRequest, parameters, run};

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use rebound_sim::axi::Response;
use rebound_sim::cpu::CpuState;
use rebound_sim::device_port::PinDevice;
use rebound_sim::events::{BeatEvent, BusEvent, Direction};
use rebound_sim::host::Host;
use rebound_sim::simulation::{Options, Outcome, Simulation, StuckReport};
use swiotlb::{PhysAddr, PhysMemory as _};

use crate::budget;
use crate::driver::engine::Engine;
use crate::driver::{Driver, Mapper, MapperCounts, Pages, SpareLog};
use crate::error::UsageError;
use crate::result::{Counts, RunResult};
use crate::scenario::plan::{BufferUse, Demand, Mistake, Plan};
use crate::scoreboard::{Buffer, Role, Scoreboard, Traffic};
use crate::violation::{Check, Violation};
use iommu::BusIommu;
use window::BusWindow;

/// Cycles for which the core is held in reset.
const RESET_CYCLES: u64 = 8;
/// Cycles before the limit of a run at which it is looked for lost interrupts.
const LAST_LOOK_CYCLES: u64 = 1_000;
/// Cycles without anything on the bus after which an unfinished run hangs: more than the longest copy of a
/// CPU, or wait for an interrupt.
const QUIET_CYCLES: u64 = 50_000;
/// The engine's bus.
const PORT: usize = 0;

/// Carries a plan out on a device that fits the plan's engine, and gives the device back.
///
/// # Errors
/// If the plan or the core cannot be brought together: a wrong plan, a core without the ports.
pub fn run_on<D>(device: D, plan: &Plan) -> Result<(RunResult, D), UsageError>
where
    D: PinDevice,
    Violation: From<D::Violation>,
{
    let plan = Rc::new(plan.clone());
    let board = Rc::new(RefCell::new(Scoreboard::new(buffers(&plan))));
    let mut memory = machine::memory(&plan)?;
    for buffer in board.borrow().buffers() {
        if !buffer.has_memory {
            continue;
        }
        memory
            .write(PhysAddr::new(buffer.guarded_phys()), buffer.guarded())
            .map_err(|error| UsageError::from_error(&buffer.name, &error))?;
    }
    let spare = SpareLog::default();
    let (dma, dma_device) = machine::mapping_layer(&plan, &mut memory, &spare)?;
    let mut simulation = Simulation::new(device, memory, &options(&plan))
        .map_err(|error| UsageError::from_error("the plan's bus and costs", &error))?;
    if simulation.host().ports().managers.is_empty() {
        return Err(UsageError::new("the core has no AXI manager port"));
    }
    let host = simulation.host();
    if let Some(attachment) = dma_device.iommu() {
        let domain = Arc::clone(attachment.domain());
        let iommu = BusIommu::new(domain, Rc::clone(&board));
        host.set_iommu(PORT, Some(Box::new(iommu)));
    }
    if let Some(window) = plan.device.window {
        host.set_iommu(PORT, Some(Box::new(BusWindow(window))));
    }
    let mapper = Mapper::new(host.clone(), dma, dma_device, Rc::clone(&board));
    let mapper = mapper.with_pages(Pages::new(&plan.machine.pages));
    let mapper = Rc::new(mapper.with_spare(spare));
    let start = Start {
        plan: Rc::clone(&plan),
        mapper: Rc::clone(&mapper),
        board: Rc::clone(&board),
    };
    drop(simulation.spawn("driver", start.run(host.clone())));
    let observed = Rc::clone(&board);
    let outcome = simulation.run(budget::limit(&plan), |events, _| {
        let mut board = observed.borrow_mut();
        for event in events {
            observe(&mut board, event);
        }
    });
    let cycles = simulation.cycle();
    // A driver that was cut short leaves mappings behind, but never its device.
    if matches!(outcome, Outcome::Finished { .. }) {
        mapper.unbind();
    }
    let mut board = board.borrow_mut();
    let is_finished = matches!(outcome, Outcome::Finished { .. });
    let counts = counts(&plan, &host, &mapper, board.traffic());
    match outcome {
        Outcome::Finished { .. } => judge_budget(&mut board, &counts),
        Outcome::CycleLimit(report) => judge_limit(&mut board, &counts, &report),
        Outcome::DeviceError { cycle, error } => board.report(violation(
            Check::Assertion,
            cycle,
            format!(
                "core stopped the simulation: expected it to go on, {}",
                one_line(&error.to_string())
            ),
        )),
    }
    for broken in simulation.device_mut().take_violations() {
        board.report(broken.into());
    }
    judge_memory(&mut board, &host, cycles, is_finished);
    if is_finished {
        board.finish(mapper.slots_used(), cycles);
        judge_own_buffers(&mut board, mapper.own_buffers(), cycles);
        judge_demands(&mut board, &plan, &counts, &mapper.counts());
    }
    let result = RunResult {
        counts,
        violations: in_order(board.log().kept()),
        broken: board.log().counts().clone(),
        wave: None,
    };
    Ok((result, simulation.into_device()))
}

/// What the first task needs to bring the engine up and start the CPUs.
struct Start {
    plan: Rc<Plan>,
    mapper: Rc<Mapper>,
    board: Rc<RefCell<Scoreboard>>,
}

impl Start {
    async fn run(self, host: Host) {
        host.reset(RESET_CYCLES).await;
        let forgets = Some(Mistake::KeepsInterruptDisabled);
        let enables = !self.plan.transfers.iter().any(|job| job.mistake == forgets);
        let engine = match Engine::attach(&host, enables).await {
            Ok(engine) => engine,
            Err(error) => {
                let found = violation(Check::Status, host.cycle(), error.to_string());
                self.board.borrow_mut().report(found);
                return;
            }
        };
        if let Some(straps) = self.plan.straps
            && let Err(error) = engine.strap(straps).await
        {
            let found = violation(Check::Status, host.cycle(), error.to_string());
            self.board.borrow_mut().report(found);
            return;
        }
        if enables {
            let look = look_for_lost_interrupts(
                host.clone(),
                engine.clone(),
                Rc::clone(&self.board),
                budget::limit(&self.plan).saturating_sub(LAST_LOOK_CYCLES),
            );
            host.spawn_background("look for lost interrupts", look);
        }
        if let Some(pool) = &self.plan.machine.pool
            && pool.kind.has_worker()
        {
            let work = worker::run(host.clone(), Rc::clone(&self.mapper));
            drop(host.spawn_background("worker of the bounce layer", work));
        }
        for cpu in 0..self.plan.machine.cpus {
            let (mapper, board) = (Rc::clone(&self.mapper), Rc::clone(&self.board));
            let driver = Driver::new(Rc::clone(&self.plan), &host, engine.clone(), mapper, board);
            let work = async move { driver.run(cpu).await };
            drop(host.spawn(&format!("driver on CPU {cpu}"), work));
        }
    }
}

/// Shortly before a run is given up: asks the engine whether it was done all the time.
async fn look_for_lost_interrupts(
    host: Host,
    engine: Engine,
    board: Rc<RefCell<Scoreboard>>,
    cycle: u64,
) {
    host.sleep_until(cycle).await;
    // A register that does not answer is told by the driver's own accesses.
    for channel in engine.lost_interrupts().await.unwrap_or_default() {
        let text = format!(
            "interrupt of {channel} lost: expected it to rise when the engine was done, found STATUS.done set \
             and the interrupt low"
        );
        let found = violation(Check::LostInterrupt, host.cycle(), text);
        board.borrow_mut().report(found);
    }
}

/// Hands what happened on the bus to the scoreboard.
pub(crate) fn observe(board: &mut Scoreboard, event: &BusEvent) {
    board.traffic_mut().observe(event);
    if let BusEvent::Beat(beat) = event {
        observe_beat(board, beat);
    }
}

/// Hands over a beat: every byte that it carried, with its DMA address.
fn observe_beat(board: &mut Scoreboard, beat: &BeatEvent) {
    let Some(first) = (beat.lanes != 0).then(|| beat.lanes.trailing_zeros()) else {
        return;
    };
    let last = 127 - beat.lanes.leading_zeros();
    let addr = beat.lane0.wrapping_add(first.into()).raw();
    let lanes = first as usize..last as usize + 1;
    let mut bytes = [0; 128];
    for (byte, lane) in bytes.iter_mut().zip(lanes.clone()) {
        *byte = beat.lane(lane);
    }
    let data = &bytes[..lanes.len()];
    if let (Response::Okay, Some(phys)) = (beat.response, beat.lane0_phys) {
        let phys = phys.wrapping_add(first.into());
        board.judge_target(beat.cycle, addr, phys);
        board.device_reached(beat.cycle, phys, data.len() as u64);
    }
    let strobe = |position: usize| beat.lanes >> (first as usize + position) & 1 != 0;
    match (beat.direction, beat.response) {
        (Direction::Read, Response::Okay) => board.observe_read(beat.cycle, addr, data),
        (Direction::Write, Response::Okay) => board.observe_write(beat.cycle, addr, data, strobe),
        (Direction::Read, _) => board.observe_refused(false, beat.cycle, addr, data.len()),
        (Direction::Write, _) => board.observe_refused(true, beat.cycle, addr, data.len()),
    }
}

pub(crate) fn buffers(plan: &Plan) -> Vec<Buffer> {
    let buffers = plan.buffers.iter().enumerate();
    buffers
        .map(|(number, buffer)| {
            let role = match buffer.purpose {
                BufferUse::Source => Role::Source,
                BufferUse::Destination => Role::Destination,
                BufferUse::Bystander => Role::Bystander,
            };
            let salt = plan.seed.derive(&format!("buffer.{number}")).value();
            let name = buffer.name.clone();
            let buffer = Buffer::new(name, buffer.phys, buffer.bytes, role, salt);
            if plan.is_coherent(number) {
                buffer.without_memory()
            } else {
                buffer
            }
        })
        .collect()
}

pub(crate) fn options(plan: &Plan) -> Options {
    let mut bus = plan.bus.clone();
    bus.read_latency_cycles += plan.unplanned_latency_cycles;
    bus.write_latency_cycles += plan.unplanned_latency_cycles;
    Options {
        seed: plan.seed,
        bus,
        cpus: plan.machine.cpus,
        costs: plan.costs.clone(),
        stream: plan.stream,
        ..Options::default()
    }
}

/// Compares all buffers and guards with what they should hold at the end. In a run that was cut short,
/// destinations may be half written: only their guards are judged.
pub(crate) fn judge_memory(board: &mut Scoreboard, host: &Host, cycle: u64, is_finished: bool) {
    let memory = host.memory();
    for number in 0..board.buffers().len() {
        let buffer = &board.buffers()[number];
        if !buffer.has_memory {
            continue;
        }
        let found = memory
            .read_vec(PhysAddr::new(buffer.guarded_phys()), buffer.guarded().len())
            .expect("the plan's buffers were written, so they are RAM");
        if is_finished || buffer.role != Role::Destination {
            board.judge_buffer(number, &found, None, cycle);
        } else {
            board.judge_guards(number, &found, cycle);
        }
    }
}

/// Looks whether the run came into the situations that its scenario is for.
fn judge_demands(board: &mut Scoreboard, plan: &Plan, counts: &Counts, mapped: &MapperCounts) {
    for demand in &plan.demands {
        let (is_met, what) = match demand {
            Demand::PoolRunsFull => (counts.pool_full_retries > 0, "a full pool"),
            Demand::ChannelsOverlap => (
                board.traffic().overlap_beats() > 0,
                "a beat of one channel while the other had a burst in flight",
            ),
            Demand::MixedMappings => (
                (1..counts.mappings).contains(&counts.bounced_mappings),
                "bounced and direct mappings",
            ),
            Demand::TransientPool => (mapped.transient_mappings > 0, "a pool for a single mapping"),
            Demand::GrownPool => (
                mapped.grown_mappings > 0,
                "a mapping in a pool that was added",
            ),
            Demand::OwnBuffer => (
                mapped.own_mappings > 0,
                "a mapping with a buffer of its own",
            ),
            Demand::ShrunkPool => (
                mapped.mappings_after_shrinking > 0,
                "a bounced mapping after a pool was given back",
            ),
            Demand::CoherentOnly => (
                mapped.coherent_allocations > 0
                    && mapped.copied_in_bytes + mapped.copied_out_bytes == 0,
                "coherent memory and no byte copied",
            ),
        };
        if !is_met {
            let text =
                format!("the scenario's situation was not reached: expected {what}, found none");
            board.report(violation(Check::Unreached, counts.cycles, text));
        }
    }
}

/// Looks for buffers that mappings had for themselves and that were not given back.
fn judge_own_buffers(board: &mut Scoreboard, left: usize, cycle: u64) {
    if left > 0 {
        let text = format!("buffers of single mappings: expected none at the end, found {left}");
        board.report(violation(Check::Leak, cycle, text));
    }
}

fn judge_budget(board: &mut Scoreboard, counts: &Counts) {
    if counts.cycles > counts.budget_cycles {
        let text = format!(
            "cycle budget exceeded: expected at most {} cycles, found {}",
            counts.budget_cycles, counts.cycles
        );
        board.report(violation(Check::Budget, counts.cycles, text));
    }
}

/// Judges a run that was given up at its limit: it hangs if the bus has long been quiet, and is slow if not.
fn judge_limit(board: &mut Scoreboard, counts: &Counts, report: &StuckReport) {
    let quiet_since = board.traffic().last_cycle();
    let quiet = report.cycle - quiet_since.unwrap_or(0);
    let (check, text) = if quiet >= QUIET_CYCLES {
        let since = quiet_since.map_or_else(
            || "from the start".to_owned(),
            |cycle| format!("since cycle {cycle}"),
        );
        let stuck = one_line(&report.to_string());
        let text = format!("expected the end of all transfers, {stuck}; the bus is quiet {since}");
        (Check::Hang, text)
    } else {
        let text = format!(
            "cycle budget exceeded: expected at most {} cycles, found the work unfinished after {}",
            counts.budget_cycles, counts.cycles
        );
        (Check::Budget, text)
    };
    board.report(violation(check, report.cycle, text));
}

fn counts(plan: &Plan, host: &Host, mapper: &Mapper, traffic: &Traffic) -> Counts {
    use rebound_sim::cpu::CpuState::{CopyingIn, CopyingOut, Mapping, Syncing, Unmapping, Waiting};
    let bus = host.bus_counters(PORT);
    let mapped = mapper.counts();
    Counts {
        transfers: plan.transfers.len() as u64,
        bytes: plan.transfers.iter().map(|job| plan.bytes_of(job)).sum(),
        cycles: host.cycle().saturating_sub(RESET_CYCLES),
        bus_busy_cycles: traffic.busy_cycles(host.cycle()),
        read_beats: bus.read.beats,
        write_beats: bus.write.beats,
        cpu_copy_cycles: cpu_cycles(host, &[CopyingIn, CopyingOut]),
        cpu_map_cycles: cpu_cycles(host, &[Mapping, Unmapping, Syncing]),
        cpu_wait_cycles: cpu_cycles(host, &[Waiting]),
        mappings: mapped.mappings,
        bounced_mappings: mapped.bounced_mappings,
        bounced_bytes: mapped.bounced_bytes,
        copied_in_bytes: mapped.copied_in_bytes,
        copied_out_bytes: mapped.copied_out_bytes,
        pool_full_retries: mapped.retries,
        pool_peak_slots: mapped.peak_slots,
        pool_slots: plan
            .machine
            .pool
            .as_ref()
            .map_or(0, |pool| pool.slots.max(mapped.most_slots)),
        budget_cycles: budget::cycles(plan),
    }
}

/// Returns the cycles that all CPUs spent in some states.
pub(crate) fn cpu_cycles(host: &Host, states: &[CpuState]) -> u64 {
    (0..host.cpus())
        .map(|cpu| host.cpu(cpu).cycles())
        .map(|cycles| states.iter().map(|state| cycles.of(*state)).sum::<u64>())
        .sum()
}

/// Puts violations in the order of their cycles: those of the core's own checks are collected last.
pub(crate) fn in_order(violations: &[Violation]) -> Vec<Violation> {
    let mut violations = violations.to_vec();
    violations.sort_by_key(|violation| violation.cycle.unwrap_or(u64::MAX));
    violations
}

pub(crate) fn violation(check: Check, cycle: u64, text: String) -> Violation {
    Violation {
        check,
        cycle: Some(cycle),
        transfer: None,
        text,
        place: None,
    }
}

/// Joins the lines of a message, so that a violation stays one line.
pub(crate) fn one_line(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.join("; ")
}

#[cfg(test)]
mod device_tests;
#[cfg(test)]
mod model_engine;
#[cfg(test)]
pub(crate) use model_engine::{ModelEngine, Quirk};
#[cfg(test)]
mod tests;
