//! The benchmark's work through Rebound: driver, bus and memory, with the judges on or off.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Instant;

use rebound_sim::axi::BusPolicy;
use rebound_sim::cpu::CostModel;
use rebound_sim::device_port::PinDevice;
use rebound_sim::host::Host;
use rebound_sim::memory::HostMemory;
use rebound_sim::simulation::{Options, Outcome, Simulation};
use swiotlb::{DataDirection, DmaAddr, PhysAddr, PhysMemory as _};

use crate::bench::{Round, Work};
use crate::driver::engine::{Channel, Engine, EngineError};
use crate::error::UsageError;
use crate::execute::observe;
use crate::pattern::{self, Kind};
use crate::scoreboard::{Buffer, Mapping, Role, Scoreboard};

const SOURCE: u64 = 0x100_0000;
const PAGE: u64 = 4096;
/// Cycles for which the core is held in reset, as in the bare loop.
const RESET_CYCLES: u64 = 8;

/// Does the work on a device and returns what it took.
///
/// With `judges`, every beat is an event that the scoreboard judges; the property module is part of the
/// device or not.
///
/// # Errors
/// If the core does not do the work: an error status, a violation, bytes that differ.
pub fn run<D>(device: D, work: Work, judges: bool) -> Result<Round, UsageError>
where
    D: PinDevice,
{
    let bytes = u64::from(work.bytes);
    let destination = (SOURCE + bytes).next_multiple_of(PAGE) + PAGE;
    let board = Rc::new(RefCell::new(Scoreboard::new(vec![
        Buffer::new("source".into(), SOURCE, bytes, Role::Source, 1),
        Buffer::new(
            "destination".into(),
            destination,
            bytes,
            Role::Destination,
            2,
        ),
    ])));
    let data = pattern::filled(Kind::Source { round: 0 }, 1, 0, work.bytes as usize);
    let failed = |error: &dyn std::error::Error| UsageError::from_error("the benchmark", error);
    let mut memory = HostMemory::new();
    let room = (destination + bytes).next_multiple_of(PAGE) + PAGE - (SOURCE - PAGE);
    memory
        .add_range(PhysAddr::new(SOURCE - PAGE), room)
        .map_err(|error| failed(&error))?;
    for buffer in board.borrow().buffers() {
        memory
            .write(PhysAddr::new(buffer.guarded_phys()), buffer.guarded())
            .map_err(|error| failed(&error))?;
    }
    let options = Options {
        bus: BusPolicy::with_latency(work.latency),
        costs: CostModel::free(),
        events: judges,
        recent_events: 0,
        ..Options::default()
    };
    let mut simulation =
        Simulation::new(device, memory, &options).map_err(|error| failed(&error))?;
    let job = Job {
        work,
        destination: DmaAddr::new(destination),
        data: data.clone(),
        board: Rc::clone(&board),
        judges,
        first_error: Rc::default(),
        is_done: Rc::default(),
    };
    let (first_error, is_done) = (Rc::clone(&job.first_error), Rc::clone(&job.is_done));
    let host = simulation.host();
    drop(simulation.spawn("copies", job.run(host.clone())));
    let limit =
        10_000 + u64::from(work.copies) * (1_000 + bytes * 4 + 40 * u64::from(work.latency));
    let observed = Rc::clone(&board);
    let start = Instant::now();
    let outcome = simulation.run(limit, |events, _| {
        let mut board = observed.borrow_mut();
        for event in events {
            observe(&mut board, event);
        }
    });
    let time = start.elapsed();
    if let Some(error) = first_error.borrow_mut().take() {
        return Err(error);
    }
    match outcome {
        Outcome::Finished { .. } if is_done.get() => {}
        Outcome::DeviceError { error, .. } => return Err(failed(&error)),
        Outcome::Finished { cycle } => {
            return Err(UsageError::new(format!(
                "the benchmark ended early, at cycle {cycle}"
            )));
        }
        Outcome::CycleLimit(report) => {
            return Err(UsageError::new(format!("the benchmark hangs: {report}")));
        }
    }
    let found = host
        .memory()
        .read_vec(PhysAddr::new(destination), data.len())
        .map_err(|error| failed(&error))?;
    if found != data {
        return Err(UsageError::new(
            "the benchmark's copy differs from its source",
        ));
    }
    let board = board.borrow();
    let broken = simulation.device_mut().take_violations();
    if let Some(violation) = board.log().kept().first() {
        return Err(UsageError::new(format!(
            "the benchmark broke a check: {violation}"
        )));
    }
    if let Some(violation) = broken.first() {
        return Err(UsageError::new(format!(
            "the benchmark broke a rule: {violation:?}"
        )));
    }
    Ok(Round {
        cycles: simulation.cycle(),
        time,
    })
}

/// The driver's side of the work.
struct Job {
    work: Work,
    destination: DmaAddr,
    data: Vec<u8>,
    board: Rc<RefCell<Scoreboard>>,
    judges: bool,
    first_error: Rc<RefCell<Option<UsageError>>>,
    is_done: Rc<Cell<bool>>,
}

impl Job {
    async fn run(self, host: Host) {
        let first_error = Rc::clone(&self.first_error);
        match self.copies(host).await {
            Ok(()) => {}
            Err(error) => {
                let error = UsageError::from_error("the benchmark's driver", &error);
                *first_error.borrow_mut() = Some(error);
            }
        }
    }

    async fn copies(self, host: Host) -> Result<(), EngineError> {
        host.reset(RESET_CYCLES).await;
        let cpu = host.cpu(0);
        let engine = Engine::attach(&host, true).await?;
        let claim = engine.claim(&cpu, &[Channel::Mm2s, Channel::S2mm]).await;
        engine.set_loopback(&cpu, true).await?;
        let source = DmaAddr::new(SOURCE);
        for copy in 0..self.work.copies as usize {
            let leases = self.judges.then(|| {
                let cycle = host.cycle();
                let mut board = self.board.borrow_mut();
                [
                    board.mapped(self.mapping(copy, 0, source, DataDirection::ToDevice, cycle)),
                    board.mapped(self.mapping(
                        copy,
                        1,
                        self.destination,
                        DataDirection::FromDevice,
                        cycle,
                    )),
                ]
            });
            let bytes = self.work.bytes;
            let writes = engine
                .start(&cpu, Channel::S2mm, self.destination, bytes)
                .await?;
            let reads = engine.start(&cpu, Channel::Mm2s, source, bytes).await?;
            engine.finished(&cpu, reads).await?;
            engine.finished(&cpu, writes).await?;
            if let Some([source, destination]) = leases {
                let cycle = host.cycle();
                let mut board = self.board.borrow_mut();
                board.device_done(destination, 0, bytes.into(), cycle);
                board.unmapped(source, cycle);
                board.unmapped(destination, cycle);
            }
        }
        drop(claim);
        self.is_done.set(true);
        Ok(())
    }

    fn mapping(
        &self,
        transfer: usize,
        buffer: usize,
        dma: DmaAddr,
        direction: DataDirection,
        mapped_at: u64,
    ) -> Mapping {
        Mapping {
            transfer,
            buffer,
            offset: 0,
            dma,
            target: PhysAddr::new(dma.raw()),
            is_bounced: false,
            direction,
            expected: self.data.clone(),
            previous: None,
            mapped_at,
            cpu: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::execute::ModelEngine;
    use crate::scenario::plan::EnginePlan;

    const WORK: Work = Work {
        copies: 3,
        bytes: 1000,
        latency: 5,
    };

    #[test]
    fn judges_change_nothing_but_the_time() {
        let model = || ModelEngine::new(EnginePlan::bits(64));
        let judged = run(model(), WORK, true).expect("the model copies");
        let unjudged = run(model(), WORK, false).expect("the model copies");
        assert_eq!(judged.cycles, unjudged.cycles);
        assert!(judged.cycles > 3 * 125);
    }

    #[test]
    fn a_core_that_loses_bytes_is_not_measured() {
        let mut engine = EnginePlan::bits(64);
        engine.planted_fault = Some(crate::scenario::plan::PlantedFault::LostTail);
        let error = run(ModelEngine::new(engine), WORK, false).expect_err("bytes are lost");
        assert!(
            error.to_string().contains("differs from its source"),
            "{error}"
        );
    }
}
