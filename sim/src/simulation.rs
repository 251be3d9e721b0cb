//! The simulation: a device, the endpoints around it, and the driver's tasks, on one clock.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::axi::{BusCounters, BusPolicy, PolicyError, Subordinate};
use crate::axil::{AxilPolicy, AxilPort};
use crate::clock::{Executor, Task, TaskReport, TaskTable, Timers};
use crate::cpu::{CostError, CostModel, CpuCycles};
use crate::device_port::PinDevice;
use crate::events::{BusEvent, EventLog};
use crate::host::{Host, Shared};
use crate::memory::HostMemory;
use crate::seed::Seed;
use crate::simple_bus::SimpleBusPort;
use crate::stall::StallError;
use crate::stream::{SinkPort, SourcePort, StreamPolicy};
use crate::view::HostView;
use crate::wire::WiresOut;

/// Everything around the device, as plain data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Seed of the run.
    pub seed: Seed,
    /// Behaviour of the memory behind each manager port that has no entry in `bus_by_port`.
    pub bus: BusPolicy,
    /// Behaviour of single manager ports, by index.
    pub bus_by_port: Vec<BusPolicy>,
    /// How control ports are driven.
    pub axil: AxilPolicy,
    /// How streams are driven.
    pub stream: StreamPolicy,
    /// Simulated CPUs; at least 1.
    pub cpus: usize,
    /// What software costs.
    pub costs: CostModel,
    /// Records bus events and shows them to the observer. Without, a run is faster.
    pub events: bool,
    /// Bus events kept for diagnostics, while events are recorded.
    pub recent_events: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: Seed::default(),
            bus: BusPolicy::default(),
            bus_by_port: Vec::new(),
            axil: AxilPolicy::default(),
            stream: StreamPolicy::default(),
            cpus: 1,
            costs: CostModel::default(),
            events: true,
            recent_events: 20,
        }
    }
}

/// Options that mean nothing.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum OptionsError {
    /// The behaviour of a bus.
    #[error("manager port {port}: {source}")]
    Bus {
        /// Manager port.
        port: usize,
        /// What is wrong.
        source: PolicyError,
    },
    /// A stall of a control port or stream.
    #[error("{place}: {source}")]
    Stall {
        /// Field.
        place: &'static str,
        /// What is wrong.
        source: StallError,
    },
    /// The cost model.
    #[error(transparent)]
    Costs(#[from] CostError),
    /// No CPU to run the driver.
    #[error("cpus: expected at least 1, found 0")]
    NoCpu,
    /// A register access that could never be answered in time.
    #[error("axil timeout_cycles: expected at least 1, found 0")]
    NoTime,
    /// More bus policies than manager ports.
    #[error(
        "bus_by_port: expected at most {ports} entries, one for each manager port, found {found}"
    )]
    TooManyPolicies {
        /// Manager ports of the device.
        ports: usize,
        /// Entries found.
        found: usize,
    },
}

/// How a run ended.
#[derive(Debug)]
pub enum Outcome<E> {
    /// All tasks have finished.
    Finished {
        /// Cycles simulated so far.
        cycle: u64,
    },
    /// The limit came first.
    CycleLimit(StuckReport),
    /// The device stopped the simulation.
    DeviceError {
        /// Cycle in which it did.
        cycle: u64,
        /// Why.
        error: E,
    },
}

impl<E> Outcome<E> {
    /// Returns whether all tasks have finished.
    #[must_use]
    pub const fn is_finished(&self) -> bool {
        matches!(self, Self::Finished { .. })
    }
}

/// Who waited for what when a run met its limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StuckReport {
    /// Cycles simulated so far.
    pub cycle: u64,
    /// Unfinished tasks.
    pub tasks: Vec<TaskReport>,
    /// Bursts accepted and not finished, reads and writes, by manager port.
    pub in_flight: Vec<(usize, usize)>,
}

impl fmt::Display for StuckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not finished at the limit of {} cycles", self.cycle)?;
        for task in &self.tasks {
            write!(f, "\n{task}")?;
        }
        for (port, (reads, writes)) in self.in_flight.iter().enumerate() {
            write!(
                f,
                "\nmanager port {port} has {reads} reads and {writes} writes in flight"
            )?;
        }
        Ok(())
    }
}

/// A device in its surroundings.
///
/// ```no_run
/// # use rebound_sim::device_port::PinDevice;
/// # use rebound_sim::memory::HostMemory;
/// use rebound_sim::simulation::{Options, Outcome, Simulation};
///
/// # fn demo(device: impl PinDevice, memory: HostMemory) -> Result<(), Box<dyn std::error::Error>> {
/// let mut simulation = Simulation::new(device, memory, &Options::default())?;
/// let host = simulation.host();
/// let driver = simulation.spawn("driver", async move {
///     host.registers(0).write(0x00, 1).await?;
///     host.wire(0).wait_high(1000).await?;
///     Ok::<_, Box<dyn std::error::Error>>(host.cycle())
/// });
/// let outcome = simulation.run(100_000, |events, _memory| println!("{} events", events.len()));
/// assert!(matches!(outcome, Outcome::Finished { .. }));
/// println!("{:?}", driver.take());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Simulation<D: PinDevice> {
    device: D,
    shared: Rc<Shared>,
    executor: Executor,
    log: EventLog,
    /// Cycles of reset still to come.
    reset_left: u64,
}

impl<D: PinDevice> Simulation<D> {
    /// Puts a device, out of reset, into its surroundings.
    ///
    /// # Errors
    /// If the options mean nothing, or do not fit the device.
    pub fn new(device: D, memory: HostMemory, options: &Options) -> Result<Self, OptionsError> {
        let ports = device.ports();
        check(options, ports.managers.len())?;
        let seed = options.seed;
        let in_stall = |place| move |source| OptionsError::Stall { place, source };
        let buses = ports
            .managers
            .iter()
            .enumerate()
            .map(|(port, shape)| {
                let policy = options.bus_by_port.get(port).unwrap_or(&options.bus);
                Subordinate::new(port, shape.data_bytes, policy, seed)
                    .map_err(|source| OptionsError::Bus { port, source })
            })
            .collect::<Result<_, _>>()?;
        let lites = (0..)
            .zip(&ports.lites)
            .map(|(port, shape)| AxilPort::new(port, shape.data_bytes, &options.axil, seed))
            .collect::<Result<_, _>>()
            .map_err(in_stall("axil"))?;
        let shapes = device.register_ports();
        let names = ports.lites.iter().map(|shape| &shape.name);
        let others = shapes.iter().map(|shape| &shape.name);
        let register_names = names.chain(others).cloned().collect();
        let simple_buses = (ports.lites.len()..)
            .zip(shapes)
            .map(|(port, shape)| SimpleBusPort::new(port, shape, &options.axil, seed))
            .collect::<Result<_, _>>()
            .map_err(in_stall("axil"))?;
        let stream = options.stream;
        let sources = (0..)
            .zip(&ports.streams_in)
            .map(|(port, shape)| SourcePort::new(port, shape.data_bytes, stream.source_stall, seed))
            .collect::<Result<_, _>>()
            .map_err(in_stall("stream source_stall"))?;
        let sinks = (0..)
            .zip(&ports.streams_out)
            .map(|(port, shape)| SinkPort::new(port, shape.data_bytes, stream.sink_stall, seed))
            .collect::<Result<_, _>>()
            .map_err(in_stall("stream sink_stall"))?;
        let shared = Shared {
            seed,
            cycle: Cell::new(0),
            next_timer: Cell::new(u64::MAX),
            timers: RefCell::new(Timers::default()),
            tasks: Rc::new(TaskTable::default()),
            memory: RefCell::new(memory),
            buses: RefCell::new(buses),
            lites: RefCell::new(lites),
            simple_buses: RefCell::new(simple_buses),
            register_names,
            channels: device.channel_ports(),
            least_reset_cycles: device.least_reset_cycles(),
            sources: RefCell::new(sources),
            sinks: RefCell::new(sinks),
            wires_out: RefCell::new(WiresOut::new(ports.wires_out.len())),
            wires_in: RefCell::new(vec![0; ports.wires_in.len()]),
            inputs_changed: Cell::new(true),
            reset_cycles: Cell::new(0),
            cpus: (0..options.cpus).map(|_| RefCell::default()).collect(),
            costs: Rc::new(options.costs.clone()),
            view: HostView::new(options.cpus),
            ports,
        };
        Ok(Self {
            device,
            executor: Executor::new(Rc::clone(&shared.tasks)),
            shared: Rc::new(shared),
            log: EventLog::new(options.events, options.recent_events),
            reset_left: 0,
        })
    }

    /// Returns a handle for driver tasks.
    #[must_use]
    pub fn host(&self) -> Host {
        Host::new(Rc::clone(&self.shared))
    }

    /// Starts a task; see [`Host::spawn`].
    pub fn spawn<T: 'static>(
        &self,
        name: &str,
        future: impl Future<Output = T> + 'static,
    ) -> Task<T> {
        self.host().spawn(name, future)
    }

    /// Returns the cycles simulated so far.
    #[must_use]
    pub fn cycle(&self) -> u64 {
        self.shared.cycle.get()
    }

    /// Returns the device.
    #[must_use]
    pub const fn device(&self) -> &D {
        &self.device
    }

    /// Returns the device, to trace it or to take its violations.
    pub const fn device_mut(&mut self) -> &mut D {
        &mut self.device
    }

    /// Gives the device back.
    #[must_use]
    pub fn into_device(self) -> D {
        self.device
    }

    /// Returns what a manager port did so far, or `None` if there is no such port.
    #[must_use]
    pub fn bus_counters(&self, port: usize) -> Option<BusCounters> {
        let buses = self.shared.buses.borrow();
        Some(buses.get(port)?.counters(self.cycle()))
    }

    /// Returns where the cycles of each CPU went.
    #[must_use]
    pub fn cpu_cycles(&self) -> Vec<CpuCycles> {
        let host = self.host();
        (0..host.cpus()).map(|cpu| host.cpu(cpu).cycles()).collect()
    }

    /// Returns the last bus events, oldest first.
    pub fn recent_events(&self) -> impl Iterator<Item = &BusEvent> {
        self.log.recent()
    }

    /// Says who waits for what.
    #[must_use]
    pub fn stuck_report(&self) -> StuckReport {
        StuckReport {
            cycle: self.cycle(),
            tasks: self.shared.tasks.report(),
            in_flight: self
                .shared
                .buses
                .borrow()
                .iter()
                .map(Subordinate::in_flight)
                .collect(),
        }
    }

    /// Runs until all tasks have finished, but not beyond `limit_cycles` cycles from the start of the
    /// simulation. The observer sees each cycle's bus events, with memory as they left it, before the
    /// tasks go on; it must not use a [`Host`] but to ask for the cycle.
    pub fn run(
        &mut self,
        limit_cycles: u64,
        mut observer: impl FnMut(&[BusEvent], &HostMemory),
    ) -> Outcome<D::Error> {
        self.run_tasks();
        while self.shared.tasks.unfinished() > 0 {
            if self.cycle() >= limit_cycles {
                return Outcome::CycleLimit(self.stuck_report());
            }
            if let Err(error) = self.advance(limit_cycles, &mut observer) {
                let cycle = self.cycle();
                return Outcome::DeviceError { cycle, error };
            }
        }
        Outcome::Finished {
            cycle: self.cycle(),
        }
    }

    /// Simulates one cycle, then lets the tasks run that something woke.
    ///
    /// # Errors
    /// If the device stopped the simulation.
    pub fn tick(
        &mut self,
        observer: &mut impl FnMut(&[BusEvent], &HostMemory),
    ) -> Result<(), D::Error> {
        self.advance(self.cycle() + 1, observer)
    }

    /// Simulates at least one cycle and up to `limit`, until something wakes a task; then lets the tasks
    /// run.
    fn advance(
        &mut self,
        limit: u64,
        observer: &mut impl FnMut(&[BusEvent], &HostMemory),
    ) -> Result<(), D::Error> {
        self.apply_inputs();
        if self.reset_left > 0 {
            self.step_in_reset()?;
        } else {
            self.cycles(limit.min(self.shared.next_timer.get()), observer)?;
        }
        let now = self.cycle();
        if self.shared.next_timer.get() <= now {
            self.fire_timers(now);
        }
        if self.executor.is_woken() {
            self.run_tasks();
        }
        Ok(())
    }

    /// Puts on the pins what tasks have changed.
    fn apply_inputs(&mut self) {
        let shared = &*self.shared;
        if shared.inputs_changed.replace(false) {
            let wires = shared.wires_in.borrow();
            self.device.wires_in_mut().copy_from_slice(&wires);
        }
        if let Some(view) = shared.view.take_change() {
            *self.device.host_view_mut() = view;
        }
        if shared.reset_cycles.get() > 0 {
            self.begin_reset();
        }
    }

    /// Simulates at least one cycle and up to `stop`, until something wakes a task. No task runs
    /// meanwhile, so the endpoints are borrowed once for all these cycles.
    fn cycles(
        &mut self,
        stop: u64,
        observer: &mut impl FnMut(&[BusEvent], &HostMemory),
    ) -> Result<(), D::Error> {
        let Self {
            device,
            shared,
            executor,
            log,
            ..
        } = self;
        let memory = &mut *shared.memory.borrow_mut();
        let mut buses = shared.buses.borrow_mut();
        let mut lites = shared.lites.borrow_mut();
        let mut simple_buses = shared.simple_buses.borrow_mut();
        let mut sources = shared.sources.borrow_mut();
        let mut sinks = shared.sinks.borrow_mut();
        let mut wires = shared.wires_out.borrow_mut();
        let mut cycle = shared.cycle.get();
        loop {
            for (bus, pins) in buses.iter_mut().zip(device.managers_mut()) {
                bus.drive(cycle, pins, memory);
            }
            for (port, lite) in lites.iter_mut().enumerate() {
                if lite.is_busy() {
                    lite.drive(&mut device.lites_mut()[port]);
                }
            }
            for (port, bus) in simple_buses.iter_mut().enumerate() {
                if bus.is_busy() {
                    bus.drive(&mut device.registers_mut()[port]);
                }
            }
            for (source, pins) in sources.iter_mut().zip(device.streams_in_mut()) {
                source.drive(pins);
            }
            for (sink, pins) in sinks.iter_mut().zip(device.streams_out_mut()) {
                sink.drive(pins);
            }

            device.step()?;

            for (bus, pins) in buses.iter_mut().zip(device.managers()) {
                bus.sample(cycle, pins, memory, log);
            }
            if !log.events().is_empty() {
                observer(log.events(), memory);
                log.clear();
            }
            for (port, lite) in lites.iter_mut().enumerate() {
                if lite.is_busy() {
                    lite.sample(cycle, &device.lites()[port]);
                }
            }
            for (port, bus) in simple_buses.iter_mut().enumerate() {
                if bus.is_busy() {
                    bus.sample(cycle, &device.registers()[port]);
                }
            }
            for (source, pins) in sources.iter_mut().zip(device.streams_in()) {
                source.sample(cycle, pins);
            }
            for (sink, pins) in sinks.iter_mut().zip(device.streams_out()) {
                sink.sample(cycle, pins);
            }
            if wires.is_awaited() {
                wires.wake(device.wires_out());
            }

            cycle += 1;
            shared.cycle.set(cycle);
            if cycle >= stop || executor.is_woken() {
                return Ok(());
            }
        }
    }

    #[cold]
    fn fire_timers(&mut self, now: u64) {
        let mut timers = self.shared.timers.borrow_mut();
        while let Some(waker) = timers.pop_due(now) {
            waker.wake();
        }
        self.shared.next_timer.set(timers.next_due());
    }

    /// Lets the tasks run until all of them wait.
    #[inline(never)]
    fn run_tasks(&mut self) {
        self.shared
            .wires_out
            .borrow_mut()
            .update(self.device.wires_out());
        self.executor.run();
    }

    #[cold]
    fn begin_reset(&mut self) {
        let asked = self.shared.reset_cycles.replace(0);
        self.reset_left = self.reset_left.max(asked);
        let Self { device, shared, .. } = self;
        device.set_reset(true);
        let cycle = shared.cycle.get();
        for (bus, pins) in shared
            .buses
            .borrow_mut()
            .iter_mut()
            .zip(device.managers_mut())
        {
            bus.reset(cycle, pins);
        }
        for (lite, pins) in shared.lites.borrow_mut().iter_mut().zip(device.lites_mut()) {
            lite.reset(pins);
        }
        for (bus, pins) in shared
            .simple_buses
            .borrow_mut()
            .iter_mut()
            .zip(device.registers_mut())
        {
            bus.reset(pins);
        }
        for (source, pins) in shared
            .sources
            .borrow_mut()
            .iter_mut()
            .zip(device.streams_in_mut())
        {
            source.reset(pins);
        }
        for (sink, pins) in shared
            .sinks
            .borrow_mut()
            .iter_mut()
            .zip(device.streams_out_mut())
        {
            sink.reset(pins);
        }
    }

    /// Simulates a cycle in which the core is held in reset and the endpoints do nothing.
    #[cold]
    fn step_in_reset(&mut self) -> Result<(), D::Error> {
        self.device.step()?;
        self.reset_left -= 1;
        if self.reset_left == 0 {
            self.device.set_reset(false);
        }
        self.shared.cycle.set(self.cycle() + 1);
        Ok(())
    }
}

fn check(options: &Options, ports: usize) -> Result<(), OptionsError> {
    options.costs.check()?;
    if options.cpus == 0 {
        return Err(OptionsError::NoCpu);
    }
    if options.axil.timeout_cycles == 0 {
        return Err(OptionsError::NoTime);
    }
    let found = options.bus_by_port.len();
    if found > ports {
        return Err(OptionsError::TooManyPolicies { ports, found });
    }
    Ok(())
}
