//! One run: a plan is turned into a machine, a driver and a scoreboard, and into what they found.

mod environment;

pub use environment::{Core, Environment, WaveRequest, parameters, run};

use std::cell::RefCell;
use std::rc::Rc;

use rebound_sim::axi::Response;
use rebound_sim::device_port::PinDevice;
use rebound_sim::events::{BeatEvent, BusEvent, Direction};
use rebound_sim::host::Host;
use rebound_sim::memory::HostMemory;
use rebound_sim::simulation::{Options, Outcome, Simulation};
use swiotlb::{
    BootConfig, Device, Dma, DmaDebug, DmaDebugOptions, Mode, PhysAddr, PhysMemory as _, Platform,
    PoolGeometry, RamRange, Swiotlb,
};

use crate::budget;
use crate::driver::engine::Engine;
use crate::driver::{Driver, Mapper};
use crate::error::UsageError;
use crate::result::{Counts, RunResult};
use crate::scenario::plan::{BufferUse, Demand, Mistake, Plan};
use crate::scoreboard::{Buffer, Role, Scoreboard};
use crate::violation::{Check, Violation};

/// Cycles for which the core is held in reset.
const RESET_CYCLES: u64 = 8;
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
    let mut memory = memory(&plan)?;
    for buffer in board.borrow().buffers() {
        memory
            .write(PhysAddr::new(buffer.guarded_phys()), buffer.guarded())
            .map_err(|error| UsageError::from_error(&buffer.name, &error))?;
    }
    let (dma, dma_device) = mapping_layer(&plan, &mut memory)?;
    let mut simulation = Simulation::new(device, memory, &options(&plan))
        .map_err(|error| UsageError::from_error("the plan's bus and costs", &error))?;
    if simulation.host().ports().managers.is_empty() {
        return Err(UsageError::new("the core has no AXI manager port"));
    }
    let host = simulation.host();
    let mapper = Rc::new(Mapper::new(
        host.clone(),
        dma,
        dma_device,
        Rc::clone(&board),
    ));
    let engine: Rc<RefCell<Option<Engine>>> = Rc::default();
    let start = Start {
        plan: Rc::clone(&plan),
        mapper: Rc::clone(&mapper),
        board: Rc::clone(&board),
        engine: Rc::clone(&engine),
    };
    drop(simulation.spawn("driver", start.run(host.clone())));
    let observed = Rc::clone(&board);
    let outcome = simulation.run(budget::limit(&plan), |events, _| {
        let mut board = observed.borrow_mut();
        for event in events {
            if let BusEvent::Beat(beat) = event {
                observe(&mut board, beat);
            }
        }
    });
    let cycles = simulation.cycle();
    // A driver that was cut short leaves mappings behind, but never its device.
    if matches!(outcome, Outcome::Finished { .. }) {
        mapper.unbind();
    }
    let mut board = board.borrow_mut();
    match outcome {
        Outcome::Finished { .. } => {}
        Outcome::CycleLimit(report) => board.report(violation(
            Check::Hang,
            cycles,
            format!(
                "expected the end of all transfers, {}",
                one_line(&report.to_string())
            ),
        )),
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
    judge_memory(&mut board, &host, cycles);
    board.finish(mapper.slots_used(), cycles);
    let counts = counts(&plan, &host, &mapper, engine.borrow().as_ref());
    judge_demands(&mut board, &plan, &counts, engine.borrow().as_ref());
    judge_budget(&mut board, &counts);
    let result = RunResult {
        counts,
        violations: board.log().kept().to_vec(),
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
    engine: Rc<RefCell<Option<Engine>>>,
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
        *self.engine.borrow_mut() = Some(engine.clone());
        for cpu in 0..self.plan.machine.cpus {
            let (mapper, board) = (Rc::clone(&self.mapper), Rc::clone(&self.board));
            let driver = Driver::new(Rc::clone(&self.plan), &host, engine.clone(), mapper, board);
            let work = async move { driver.run(cpu).await };
            drop(host.spawn(&format!("driver on CPU {cpu}"), work));
        }
    }
}

/// Hands a beat to the scoreboard: every byte that it carried, with its DMA address.
pub(crate) fn observe(board: &mut Scoreboard, beat: &BeatEvent) {
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
    let strobe = |position: usize| beat.lanes >> (first as usize + position) & 1 != 0;
    match (beat.direction, beat.response) {
        (Direction::Read, Response::Okay) => board.observe_read(beat.cycle, addr, data),
        (Direction::Write, Response::Okay) => board.observe_write(beat.cycle, addr, data, strobe),
        (Direction::Read, _) => board.observe_refused(false, beat.cycle, addr, data.len()),
        (Direction::Write, _) => board.observe_refused(true, beat.cycle, addr, data.len()),
    }
}

fn buffers(plan: &Plan) -> Vec<Buffer> {
    let buffers = plan.buffers.iter().enumerate();
    buffers
        .map(|(number, buffer)| {
            let role = match buffer.purpose {
                BufferUse::Source => Role::Source,
                BufferUse::Destination => Role::Destination,
                BufferUse::Bystander => Role::Bystander,
            };
            let salt = plan.seed.derive(&format!("buffer.{number}")).value();
            Buffer::new(buffer.name.clone(), buffer.phys, buffer.bytes, role, salt)
        })
        .collect()
}

fn memory(plan: &Plan) -> Result<HostMemory, UsageError> {
    let mut memory = HostMemory::new();
    for ram in &plan.machine.ram {
        memory
            .add_range(PhysAddr::new(ram.base), ram.bytes)
            .map_err(|error| UsageError::from_error("the plan's RAM", &error))?;
    }
    Ok(memory)
}

/// Makes the bounce layer of the machine and the device as the driver declares it.
fn mapping_layer(plan: &Plan, memory: &mut HostMemory) -> Result<(Dma, Device), UsageError> {
    let platform = Platform {
        possible_cpus: u32::try_from(plan.machine.cpus).unwrap_or(u32::MAX),
        ram: plan
            .machine
            .ram
            .iter()
            .map(|ram| RamRange {
                start: PhysAddr::new(ram.base),
                bytes: ram.bytes,
            })
            .collect(),
        ..Platform::default()
    };
    let mut boot = BootConfig::default();
    let swiotlb = match &plan.machine.pool {
        None => Swiotlb::new(platform, boot, Mode::Kernel),
        Some(pool) => {
            boot.force = pool.is_forced;
            let geometry = PoolGeometry {
                base: PhysAddr::new(pool.base),
                slots: u32::try_from(pool.slots).unwrap_or(u32::MAX),
                areas: pool.areas,
            };
            Swiotlb::with_pool(memory, platform, boot, Mode::Kernel, geometry)
                .map_err(|error| UsageError::from_error("the plan's pool", &error))?
        }
    };
    let debug = DmaDebug::new(DmaDebugOptions {
        has_extra_checks: true,
        ..DmaDebugOptions::default()
    });
    let dma = Dma::new(swiotlb).with_debug(debug);
    // The engine's length register has 32 bits: no segment is too long for it.
    let mut device = Device::new("dma_engine")
        .with_driver("rebound")
        .with_max_segment(u32::MAX)
        .with_min_align_mask(plan.device.min_align_mask)
        .with_seg_boundary(plan.device.segment_boundary_mask);
    dma.set_mask_and_coherent(&mut device, plan.device.dma_mask)
        .map_err(|error| UsageError::from_error("the plan's DMA mask", &error))?;
    Ok((dma, device))
}

fn options(plan: &Plan) -> Options {
    let mut bus = plan.bus.clone();
    bus.read_latency_cycles += plan.unplanned_latency_cycles;
    bus.write_latency_cycles += plan.unplanned_latency_cycles;
    Options {
        seed: plan.seed,
        bus,
        cpus: plan.machine.cpus,
        costs: plan.costs.clone(),
        ..Options::default()
    }
}

/// Compares all buffers and guards with what they should hold at the end.
fn judge_memory(board: &mut Scoreboard, host: &Host, cycle: u64) {
    let memory = host.memory();
    for number in 0..board.buffers().len() {
        let buffer = &board.buffers()[number];
        let found = memory
            .read_vec(PhysAddr::new(buffer.guarded_phys()), buffer.guarded().len())
            .expect("the plan's buffers were written, so they are RAM");
        board.judge_buffer(number, &found, None, cycle);
    }
}

/// Looks whether the run came into the situations that its scenario is for.
fn judge_demands(board: &mut Scoreboard, plan: &Plan, counts: &Counts, engine: Option<&Engine>) {
    for demand in &plan.demands {
        let (is_met, what) = match demand {
            Demand::PoolRunsFull => (counts.pool_full_retries > 0, "a full pool"),
            Demand::ChannelsOverlap => (
                engine.is_some_and(Engine::has_overlapped),
                "both channels at work at the same time",
            ),
            Demand::MixedMappings => (
                (1..counts.mappings).contains(&counts.bounced_mappings),
                "bounced and direct mappings",
            ),
        };
        if !is_met {
            let text =
                format!("the scenario's situation was not reached: expected {what}, found none");
            board.report(violation(Check::Unreached, counts.cycles, text));
        }
    }
}

fn judge_budget(board: &mut Scoreboard, counts: &Counts) {
    let has_hung = board.log().counts().contains_key(&Check::Hang);
    if counts.cycles > counts.budget_cycles && !has_hung {
        let text = format!(
            "cycle budget exceeded: expected at most {} cycles, found {}",
            counts.budget_cycles, counts.cycles
        );
        board.report(violation(Check::Budget, counts.cycles, text));
    }
}

fn counts(plan: &Plan, host: &Host, mapper: &Mapper, engine: Option<&Engine>) -> Counts {
    use rebound_sim::cpu::CpuState::{CopyingIn, CopyingOut, Mapping, Syncing, Unmapping, Waiting};
    let of = |states: &[rebound_sim::cpu::CpuState]| -> u64 {
        (0..host.cpus())
            .map(|cpu| host.cpu(cpu).cycles())
            .map(|cycles| states.iter().map(|state| cycles.of(*state)).sum::<u64>())
            .sum()
    };
    let bus = host.bus_counters(PORT);
    let mapped = mapper.counts();
    Counts {
        transfers: plan.transfers.len() as u64,
        bytes: plan.transfers.iter().map(|job| plan.bytes_of(job)).sum(),
        cycles: host.cycle().saturating_sub(RESET_CYCLES),
        engine_busy_cycles: engine.map_or(0, Engine::busy_cycles),
        read_beats: bus.read.beats,
        write_beats: bus.write.beats,
        cpu_copy_cycles: of(&[CopyingIn, CopyingOut]),
        cpu_map_cycles: of(&[Mapping, Unmapping, Syncing]),
        cpu_wait_cycles: of(&[Waiting]),
        mappings: mapped.mappings,
        bounced_mappings: mapped.bounced_mappings,
        bounced_bytes: mapped.bounced_bytes,
        pool_full_retries: mapped.retries,
        pool_peak_slots: mapped.peak_slots,
        pool_slots: plan.machine.pool.as_ref().map_or(0, |pool| pool.slots),
        budget_cycles: budget::cycles(plan),
    }
}

fn violation(check: Check, cycle: u64, text: String) -> Violation {
    Violation {
        check,
        cycle: Some(cycle),
        transfer: None,
        text,
        place: None,
    }
}

/// Joins the lines of a message, so that a violation stays one line.
fn one_line(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.join("; ")
}

#[cfg(test)]
mod model_engine;
#[cfg(test)]
pub(crate) use model_engine::ModelEngine;
#[cfg(test)]
mod tests;
