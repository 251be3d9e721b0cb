//! A core in a machine, for a driver that is written by hand: what a crate of one's own tests its core with.
//!
//! [`Harness::build`] turns a manifest into a core, [`Harness::run`] runs an `async` driver on it, beside memory, a
//! bounce pool and the scoreboard that judges every beat. The driver holds a [`Machine`]: registers and wires by
//! [`Machine::host`], Linux's DMA API by [`Machine::map_source`] and [`Machine::unmap`].
//!
//! The folder `examples/own-core` has a core, its driver and tests in a hundred lines.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::path::Path;
use std::rc::Rc;

use rebound_sim::cache::Cache;
use rebound_sim::cpu::Cpu;
use rebound_sim::device::Device;
use rebound_sim::host::Host;
use rebound_sim::manifest::Manifest;
use rebound_sim::toolchain::Toolchain;
use rebound_sim::verilate::{CoreBuilder, CoreLibrary};
use swiotlb::{DataDirection, MapError, UnmapError};

use crate::driver::{Lease, Mapper, Request};
use crate::error::UsageError;
use crate::program::RESET_CYCLES;
use crate::result::RunResult;
use crate::scoreboard::Scoreboard;
use crate::seed::Seed;
use crate::validate::stage::{self, Progress, Stage};
use crate::validate::world;

/// A buffer of a test: how many bytes it has, and where it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buffer {
    /// Physical address.
    pub phys: u64,
    /// Length in bytes.
    pub bytes: u64,
    /// The device reads it; otherwise it writes it.
    pub is_source: bool,
}

impl Buffer {
    /// A buffer that the device reads; the testbench fills it with a pattern.
    #[must_use]
    pub const fn source(phys: u64, bytes: u64) -> Self {
        Self {
            phys,
            bytes,
            is_source: true,
        }
    }

    /// A buffer that the device writes.
    #[must_use]
    pub const fn destination(phys: u64, bytes: u64) -> Self {
        Self {
            phys,
            bytes,
            is_source: false,
        }
    }
}

/// A core that was built from its manifest, ready for any number of runs.
#[derive(Debug)]
pub struct Harness {
    library: CoreLibrary,
}

impl Harness {
    /// Builds the core of a manifest, or takes it from the cache.
    ///
    /// # Errors
    /// If the manifest is wrong, a tool is missing, or the core cannot be built: with what to do.
    pub fn build(manifest: &Path) -> Result<Self, UsageError> {
        let manifest = Manifest::load(manifest).map_err(UsageError::from_diagnostic)?;
        let tools = Toolchain::discover().map_err(UsageError::from_diagnostic)?;
        let cache = Cache::discover().map_err(UsageError::from_diagnostic)?;
        let library = CoreBuilder::new(manifest).build(&tools, &cache);
        Ok(Self {
            library: library.map_err(UsageError::from_diagnostic)?,
        })
    }

    /// Resets the core and runs a driver to its end, in a machine whose device has the manifest's address bits as its DMA mask and
    /// whose bounce pool of 2 MiB lies at 1 MiB. Returns what the scoreboard found, and what the driver returned;
    /// `None` if it never came to its end.
    ///
    /// # Errors
    /// If buffers lie over each other or over the pool, or the core cannot be loaded.
    pub fn run<F>(
        &self,
        buffers: &[Buffer],
        driver: impl FnOnce(Machine) -> F,
    ) -> Result<(RunResult, Option<F::Output>), UsageError>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let seed = Seed::new(1);
        let world = world::of_buffers(self.library.limits(), buffers, seed)?;
        let device = Device::load(&self.library, seed.value());
        let device = device.map_err(UsageError::from_diagnostic)?;
        let answer = Rc::new(Cell::new(None));
        let kept = Rc::clone(&answer);
        let start = |stage: &Stage, progress: Rc<Progress>| {
            let host = stage.host.clone();
            let work = driver(Machine::new(stage));
            async move {
                host.reset(RESET_CYCLES).await;
                kept.set(Some(work.await));
                progress.complete();
            }
        };
        let (result, _) = stage::play(device, &world, start)?;
        Ok((result, answer.take()))
    }
}

/// What a driver acts on.
#[derive(Debug)]
pub struct Machine {
    host: Host,
    cpu: Cpu,
    mapper: Rc<Mapper>,
    board: Rc<RefCell<Scoreboard>>,
    mapped: Cell<usize>,
}

impl Machine {
    fn new(stage: &Stage) -> Self {
        Self {
            host: stage.host.clone(),
            cpu: stage.host.cpu(0),
            mapper: Rc::clone(&stage.mapper),
            board: Rc::clone(&stage.board),
            mapped: Cell::new(0),
        }
    }

    /// The machine's clock, memory, and the core's registers, wires, channels and streams.
    #[must_use]
    pub const fn host(&self) -> &Host {
        &self.host
    }

    /// The CPU that the driver runs on.
    #[must_use]
    pub const fn cpu(&self) -> &Cpu {
        &self.cpu
    }

    /// What a buffer, by its place in the list of [`Harness::run`], should hold now.
    ///
    /// # Panics
    /// If there is no such buffer.
    #[must_use]
    pub fn content(&self, buffer: usize) -> Vec<u8> {
        let board = self.board.borrow();
        let buffer = &board.buffers()[buffer];
        buffer.content(0, buffer.bytes).to_vec()
    }

    /// Maps a whole buffer for the device, as `dma_map_single` does: a source `DMA_TO_DEVICE`.
    ///
    /// # Errors
    /// As [`swiotlb::Dma::map_single`].
    pub async fn map_source(&self, buffer: usize) -> Result<Lease, MapError> {
        let expected = self.content(buffer);
        self.map(buffer, DataDirection::ToDevice, expected).await
    }

    /// Maps a whole buffer `DMA_FROM_DEVICE`; the device should write `expected`, which has the buffer's length.
    ///
    /// # Errors
    /// As [`swiotlb::Dma::map_single`].
    pub async fn map_destination(
        &self,
        buffer: usize,
        expected: Vec<u8>,
    ) -> Result<Lease, MapError> {
        self.map(buffer, DataDirection::FromDevice, expected).await
    }

    async fn map(
        &self,
        buffer: usize,
        direction: DataDirection,
        expected: Vec<u8>,
    ) -> Result<Lease, MapError> {
        if direction == DataDirection::FromDevice {
            let mut board = self.board.borrow_mut();
            board.buffer_mut(buffer).expect(0, &expected);
        }
        let transfer = self.mapped.replace(self.mapped.get() + 1);
        let request = Request {
            transfer,
            buffer,
            offset: 0,
            direction,
            expected,
        };
        self.mapper.map(&self.cpu, request).await
    }

    /// Gives a mapping back, as `dma_unmap_single` does: a bounced destination is copied to its buffer.
    ///
    /// # Errors
    /// As [`swiotlb::Dma::unmap_single`].
    pub async fn unmap(&self, lease: Lease) -> Result<(), UnmapError> {
        self.mapper.unmap(&self.cpu, lease).await
    }
}
