//! The host: what a driver task holds to act on the machine.
//!
//! Tasks and the simulation take turns on one thread: tasks run between cycles, the simulation between
//! tasks. Many tasks and the simulation need the same memory, queues and CPUs, and which of them comes
//! next is decided at run time; so the state is shared by `Rc`, each part in a cell of its own, borrowed
//! for the length of one call and never across an `await`.

use std::cell::{Cell, RefCell, RefMut};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

use futures::future::{Either, select};

use crate::axi::{BusCounters, FaultWindow, PolicyError, Subordinate};
use crate::axil::{AxilPort, Registers};
use crate::clock::{Task, TaskTable, TimerKey, Timers, Wait, WaitTimeout, spawn};
use crate::cpu::{CostModel, Cpu, CpuCore};
use crate::device_port::PortShapes;
use crate::interfaces::ChannelPort;
use crate::memory::HostMemory;
use crate::seed::Seed;
use crate::simple_bus::SimpleBusPort;
use crate::stream::{Channel, SinkPort, SourcePort, StreamSink, StreamSource};
use crate::view::HostView;
use crate::wire::{Wire, WireIn, WiresOut};

/// The state that tasks and simulation share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) ports: PortShapes,
    pub(crate) seed: Seed,
    pub(crate) cycle: Cell<u64>,
    /// Earliest timer, or earlier.
    pub(crate) next_timer: Cell<u64>,
    pub(crate) timers: RefCell<Timers>,
    pub(crate) tasks: Rc<TaskTable>,
    pub(crate) memory: RefCell<HostMemory>,
    pub(crate) buses: RefCell<Vec<Subordinate>>,
    pub(crate) lites: RefCell<Vec<AxilPort>>,
    pub(crate) simple_buses: RefCell<Vec<SimpleBusPort>>,
    /// Names of the register ports, in the order of their indices.
    pub(crate) register_names: Vec<String>,
    pub(crate) channels: Vec<ChannelPort>,
    /// Fewest cycles of a reset.
    pub(crate) least_reset_cycles: u64,
    pub(crate) sources: RefCell<Vec<SourcePort>>,
    pub(crate) sinks: RefCell<Vec<SinkPort>>,
    pub(crate) wires_out: RefCell<WiresOut>,
    pub(crate) wires_in: RefCell<Vec<u64>>,
    /// A wire into the core was set.
    pub(crate) inputs_changed: Cell<bool>,
    /// Cycles of reset asked for.
    pub(crate) reset_cycles: Cell<u64>,
    pub(crate) cpus: Vec<RefCell<CpuCore>>,
    pub(crate) costs: Rc<CostModel>,
    pub(crate) view: HostView,
}

/// A driver task's hold on the machine: clock, memory, registers, wires, streams, CPUs. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Host {
    shared: Rc<Shared>,
}

impl Host {
    pub(crate) const fn new(shared: Rc<Shared>) -> Self {
        Self { shared }
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Returns the number of cycles simulated so far, which is the number of the next one.
    #[inline]
    #[must_use]
    pub fn cycle(&self) -> u64 {
        self.shared.cycle.get()
    }

    /// Returns the seed of the run.
    #[must_use]
    pub fn seed(&self) -> Seed {
        self.shared.seed
    }

    /// Returns the ports of the device.
    #[must_use]
    pub fn ports(&self) -> &PortShapes {
        &self.shared.ports
    }

    /// Waits for some cycles, counted from when it is first awaited; 0 is ready at once.
    pub fn sleep(&self, cycles: u64) -> impl Future<Output = ()> + use<> {
        let host = self.clone();
        async move { host.sleep_until(host.cycle().saturating_add(cycles)).await }
    }

    /// Waits until `cycle()` is `cycle`; ready at once if that is past.
    pub fn sleep_until(&self, cycle: u64) -> impl Future<Output = ()> + use<> {
        Sleep {
            host: self.clone(),
            until: cycle,
            key: None,
            is_limit: false,
        }
    }

    /// Gives a future `cycles` cycles to be ready. [`Host::limit`] tells a reader more.
    ///
    /// # Errors
    /// If it is not ready by then; it is dropped.
    pub async fn timeout<F: Future>(
        &self,
        cycles: u64,
        future: F,
    ) -> Result<F::Output, WaitTimeout> {
        self.limit_of(cycles, Wait::Other, future).await
    }

    /// Gives a future `cycles` cycles to be ready, and a name to what is waited for, such as "channel 0 to be
    /// done". A run that meets its cycle limit meanwhile reports the name, and what the future waits for; so
    /// does the error.
    ///
    /// # Errors
    /// If it is not ready by then; it is dropped.
    pub async fn limit<F: Future>(
        &self,
        name: &'static str,
        cycles: u64,
        future: F,
    ) -> Result<F::Output, WaitTimeout> {
        self.limit_of(cycles, Wait::Named(name), self.named(name, future))
            .await
    }

    /// Gives a name to what a future waits for, as [`Host::limit`] does, without a limit of its own.
    pub async fn named<F: Future>(&self, name: &'static str, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|cx| {
            let tasks = &self.shared.tasks;
            tasks.poll_named(name, || future.as_mut().poll(cx))
        })
        .await
    }

    /// As [`Host::timeout`], with what is waited for.
    pub(crate) async fn limit_of<F: Future>(
        &self,
        cycles: u64,
        wait: Wait,
        future: F,
    ) -> Result<F::Output, WaitTimeout> {
        let limit = Sleep {
            host: self.clone(),
            until: self.cycle().saturating_add(cycles),
            key: None,
            is_limit: true,
        };
        // The future is polled first: what is ready in the last cycle of the limit is in time.
        match select(pin!(future), pin!(limit)).await {
            Either::Left((output, _)) => Ok(output),
            Either::Right(_) => Err(WaitTimeout {
                wait,
                cycles,
                at: self.cycle(),
            }),
        }
    }

    /// Starts another task. The run ends when all tasks started so have finished.
    pub fn spawn<T: 'static>(
        &self,
        name: &str,
        future: impl Future<Output = T> + 'static,
    ) -> Task<T> {
        spawn(&self.shared.tasks, name, false, future)
    }

    /// Starts a task without which the run may end, such as a worker that runs for ever.
    pub fn spawn_background<T: 'static>(
        &self,
        name: &str,
        future: impl Future<Output = T> + 'static,
    ) -> Task<T> {
        spawn(&self.shared.tasks, name, true, future)
    }

    /// Borrows host memory for reading and writing, until the result is dropped.
    ///
    /// # Panics
    /// If it is borrowed already: never hold it across an `await`.
    #[must_use]
    pub fn memory(&self) -> RefMut<'_, HostMemory> {
        self.shared.memory.borrow_mut()
    }

    /// Returns the registers behind a control port: AXI4-Lite ports come first, then APB, then Wishbone.
    ///
    /// # Panics
    /// If the device has no such port.
    #[must_use]
    pub fn registers(&self, port: usize) -> Registers {
        self.expect_port("control port", port, self.shared.register_names.len());
        Registers::new(self.clone(), port)
    }

    /// Returns the registers behind the port of this name in the manifest, whichever its protocol.
    #[must_use]
    pub fn registers_named(&self, name: &str) -> Option<Registers> {
        let mut names = self.shared.register_names.iter();
        let port = names.position(|port| port == name)?;
        Some(Registers::new(self.clone(), port))
    }

    /// Returns the names of the register ports, in the order of their indices.
    #[must_use]
    pub fn register_names(&self) -> &[String] {
        &self.shared.register_names
    }

    /// Returns the channel of this name in the manifest.
    #[must_use]
    pub fn channel_named(&self, name: &str) -> Option<Channel> {
        let mut channels = self.shared.channels.iter();
        let index = channels.position(|channel| channel.name == name)?;
        Some(Channel::new(self.clone(), index))
    }

    /// Returns a wire that the core drives, such as its interrupt.
    ///
    /// # Panics
    /// If the device has no such wire.
    #[must_use]
    pub fn wire(&self, index: usize) -> Wire {
        self.expect_port("wire out", index, self.shared.ports.wires_out.len());
        Wire::new(self.clone(), index)
    }

    /// Returns a wire that the core drives by its name in the manifest.
    #[must_use]
    pub fn wire_named(&self, name: &str) -> Option<Wire> {
        let mut wires = self.shared.ports.wires_out.iter();
        wires
            .position(|wire| wire == name)
            .map(|index| self.wire(index))
    }

    /// Returns a wire into the core.
    ///
    /// # Panics
    /// If the device has no such wire.
    #[must_use]
    pub fn wire_in(&self, index: usize) -> WireIn {
        self.expect_port("wire in", index, self.shared.ports.wires_in.len());
        WireIn::new(self.clone(), index)
    }

    /// Returns a wire into the core by its name in the manifest.
    #[must_use]
    pub fn wire_in_named(&self, name: &str) -> Option<WireIn> {
        let mut wires = self.shared.ports.wires_in.iter();
        wires
            .position(|wire| wire == name)
            .map(|index| self.wire_in(index))
    }

    /// Returns the stream into the core with this index.
    ///
    /// # Panics
    /// If the device has no such stream.
    #[must_use]
    pub fn stream_source(&self, port: usize) -> StreamSource {
        self.expect_port("stream in", port, self.shared.ports.streams_in.len());
        StreamSource::new(self.clone(), port)
    }

    /// Returns the stream out of the core with this index.
    ///
    /// # Panics
    /// If the device has no such stream.
    #[must_use]
    pub fn stream_sink(&self, port: usize) -> StreamSink {
        self.expect_port("stream out", port, self.shared.ports.streams_out.len());
        StreamSink::new(self.clone(), port)
    }

    /// Returns a CPU.
    ///
    /// # Panics
    /// If the machine has no such CPU.
    #[must_use]
    pub fn cpu(&self, index: usize) -> Cpu {
        self.expect_port("CPU", index, self.shared.cpus.len());
        Cpu::new(self.clone(), index)
    }

    /// Returns the number of CPUs.
    #[must_use]
    pub fn cpus(&self) -> usize {
        self.shared.cpus.len()
    }

    /// Returns what software costs.
    #[must_use]
    pub fn costs(&self) -> Rc<CostModel> {
        Rc::clone(&self.shared.costs)
    }

    /// Returns the driver's side in the waveform.
    #[must_use]
    pub fn view(&self) -> &HostView {
        &self.shared.view
    }

    /// Returns what a manager port did so far.
    ///
    /// # Panics
    /// If the device has no such port.
    #[must_use]
    pub fn bus_counters(&self, port: usize) -> BusCounters {
        self.expect_port("manager port", port, self.shared.ports.managers.len());
        self.shared.buses.borrow()[port].counters(self.cycle())
    }

    /// Returns the bursts of a manager port that are accepted and not yet finished, reads and writes.
    ///
    /// # Panics
    /// If the device has no such port.
    #[must_use]
    pub fn bus_in_flight(&self, port: usize) -> (usize, usize) {
        self.expect_port("manager port", port, self.shared.ports.managers.len());
        self.shared.buses.borrow()[port].in_flight()
    }

    /// Replaces the fault windows of a manager port, for the beats from now on.
    ///
    /// # Errors
    /// If a window is empty or leaves the address space.
    ///
    /// # Panics
    /// If the device has no such port.
    pub fn set_faults(&self, port: usize, faults: Vec<FaultWindow>) -> Result<(), PolicyError> {
        self.expect_port("manager port", port, self.shared.ports.managers.len());
        self.shared.buses.borrow_mut()[port].set_faults(faults)
    }

    /// Holds the core in reset for some cycles from the next one on, or as many as its manifest wants, and waits
    /// for the end. All endpoints forget what was under way.
    pub async fn reset(&self, cycles: u64) {
        let least = self.shared.least_reset_cycles;
        let cycles = if cycles == 0 { 0 } else { cycles.max(least) };
        let asked = self.shared.reset_cycles.get().max(cycles);
        self.shared.reset_cycles.set(asked);
        self.sleep(asked).await;
    }

    fn expect_port(&self, what: &str, index: usize, count: usize) {
        assert!(
            index < count,
            "{what} {index} was asked for, but there are {count}"
        );
    }
}

/// Waits for a cycle.
struct Sleep {
    host: Host,
    until: u64,
    key: Option<TimerKey>,
    /// The limit of another wait, which is what the task really waits for.
    is_limit: bool,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let until = self.until;
        if self.host.cycle() >= until {
            return Poll::Ready(());
        }
        let key = {
            let shared = self.host.shared();
            if !self.is_limit {
                shared.tasks.note(Wait::Sleep { until });
            }
            let mut timers = shared.timers.borrow_mut();
            if let Some(key) = self.key {
                timers.renew(key, cx.waker());
                key
            } else {
                let key = timers.set(until, cx.waker().clone());
                shared.next_timer.set(timers.next_due());
                key
            }
        };
        self.key = Some(key);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.host.shared().timers.borrow_mut().cancel(key);
        }
    }
}
