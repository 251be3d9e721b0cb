//! One transfer from buffer to engine and back.

use std::cell::RefCell;
use std::rc::Rc;

use rebound_sim::cpu::Cpu;
use rebound_sim::events::Direction;
use rebound_sim::host::Host;
use rebound_sim::stream::{Packet, StreamSink, StreamSource};
use swiotlb::{DataDirection, DmaError, MapError, SyncError, UnmapError};

use super::engine::{Channel, Engine, EngineError, Work};
use super::mapper::{Lease, Mapper, Request};
use crate::scenario::plan::{Mistake, Movement, Outcome, Plan, Transfer, Usage};
use crate::scoreboard::{MappingId, Scoreboard, index};
use crate::violation::{Check, Violation};

/// What keeps a driver from going on.
#[derive(Debug, thiserror::Error)]
pub(super) enum DriverError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("map refused: {0}")]
    Map(#[from] MapError),
    #[error("unmap refused: {0}")]
    Unmap(#[from] UnmapError),
    #[error("sync refused: {0}")]
    Sync(#[from] SyncError),
    #[error("scatter-gather list refused: {0}")]
    List(#[from] DmaError),
    #[error("coherent memory refused: {0}")]
    Coherent(DmaError),
}

/// The driver of one engine on all CPUs.
#[derive(Debug)]
pub struct Driver {
    pub(super) plan: Rc<Plan>,
    pub(super) host: Host,
    pub(super) engine: Engine,
    mapper: Rc<Mapper>,
    pub(super) board: Rc<RefCell<Scoreboard>>,
    source: StreamSource,
    pub(super) sink: StreamSink,
}

/// A part of a transfer: what one start of the engine moves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    /// Offset in the buffers.
    pub(super) offset: u64,
    pub(super) bytes: u64,
    /// Offset in the mappings.
    pub(super) in_mapping: u64,
}

/// The mappings of a transfer.
pub(super) struct Leases {
    pub(super) source: Option<Lease>,
    pub(super) destination: Option<Lease>,
}

impl Leases {
    pub(super) fn ids(&self) -> Vec<MappingId> {
        let both = self.source.iter().chain(&self.destination);
        both.map(|lease| lease.id).collect()
    }
}

impl Driver {
    /// Makes the driver of an engine that is attached.
    #[must_use]
    pub fn new(
        plan: Rc<Plan>,
        host: &Host,
        engine: Engine,
        mapper: Rc<Mapper>,
        board: Rc<RefCell<Scoreboard>>,
    ) -> Self {
        Self {
            plan,
            host: host.clone(),
            engine,
            mapper,
            board,
            source: host.stream_source(0),
            sink: host.stream_sink(0),
        }
    }

    /// Does the transfers of one CPU, in their order.
    pub async fn run(&self, cpu: usize) {
        let cpu = self.host.cpu(cpu);
        for (number, transfer) in self.plan.transfers.iter().enumerate() {
            if transfer.cpu != cpu.index() {
                continue;
            }
            let job = Job {
                driver: self,
                cpu: &cpu,
                number,
                transfer: *transfer,
            };
            if let Err(error) = job.run().await {
                let check = match error {
                    DriverError::Engine(_) => Check::Status,
                    _ => Check::Mapping,
                };
                job.report(check, error.to_string());
            }
        }
    }
}

/// A transfer in work on a CPU.
pub(super) struct Job<'a> {
    pub(super) driver: &'a Driver,
    pub(super) cpu: &'a Cpu,
    pub(super) number: usize,
    pub(super) transfer: Transfer,
}

impl Job<'_> {
    async fn run(&self) -> Result<(), DriverError> {
        let bytes = self.driver.plan.buffer_of(&self.transfer).bytes;
        match self.transfer.usage {
            Usage::Once => {
                let longest = self.driver.mapper.max_bytes();
                for (offset, bytes) in self.driver.plan.pieces(&self.transfer, longest) {
                    let piece = Piece {
                        offset,
                        bytes,
                        in_mapping: 0,
                    };
                    self.once(piece).await?;
                }
                Ok(())
            }
            Usage::List { entries } => self.list(bytes, entries).await,
            Usage::Overreach => self.overreach(bytes).await,
            Usage::Ring { batch_bytes, laps } => self.ring(batch_bytes, laps).await,
            Usage::Reuse {
                rounds,
                offset,
                bytes: part,
            } => {
                let part = Piece {
                    offset,
                    bytes: part,
                    in_mapping: offset,
                };
                self.reuse(bytes, rounds, part).await
            }
        }
    }

    /// Maps, moves and unmaps one piece.
    async fn once(&self, piece: Piece) -> Result<(), DriverError> {
        let data = self.data(piece, 0);
        let leases = self.map(piece, &data).await?;
        if self.has(Mistake::UnmapsEarly) {
            return self.unmap_while_working(piece, leases, &data).await;
        }
        let is_done = self.move_piece(piece, &leases, &data).await?;
        let source = leases.source.as_ref().map(|lease| lease.id);
        let destination = leases.destination.as_ref().map(|lease| lease.id);
        if !self.has(Mistake::NeverUnmaps) {
            self.unmap(leases).await?;
        }
        if let Some(buffer) = self.source() {
            self.judge(buffer, source);
        }
        if let (Some(buffer), true) = (self.destination(), is_done) {
            self.expect(buffer, piece.offset, &data);
            self.judge(buffer, destination);
        } else if let Some(buffer) = self.destination() {
            self.accept_partial(buffer, piece);
        }
        Ok(())
    }

    /// Maps all, moves all, then moves a part again and again with syncs between.
    async fn reuse(&self, bytes: u64, rounds: u32, part: Piece) -> Result<(), DriverError> {
        let whole = Piece {
            offset: 0,
            bytes,
            in_mapping: 0,
        };
        let data = self.data(whole, 0);
        let leases = self.map(whole, &data).await?;
        self.move_piece(whole, &leases, &data).await?;
        self.take_back(whole, &leases, &data, true).await?;
        for round in 1..=rounds {
            let data = self.data(part, round);
            self.hand_over(part, &leases, &data).await?;
            self.move_piece(part, &leases, &data).await?;
            let syncs = !self.has(Mistake::SkipsSyncForCpu);
            self.take_back(part, &leases, &data, syncs).await?;
        }
        self.unmap(leases).await?;
        for buffer in self.source().into_iter().chain(self.destination()) {
            self.judge(buffer, None);
        }
        Ok(())
    }

    /// Writes a source anew and hands it to the device, or hands a destination over again.
    async fn hand_over(
        &self,
        part: Piece,
        leases: &Leases,
        data: &[u8],
    ) -> Result<(), DriverError> {
        let Piece {
            in_mapping, bytes, ..
        } = part;
        if let (Some(lease), Some(buffer)) = (&leases.source, self.source()) {
            // Nothing is copied for a source, but only after this is it the CPU's to write.
            if !self.has(Mistake::WritesLent) {
                self.mapper()
                    .sync_for_cpu(self.cpu, lease, in_mapping, bytes)
                    .await?;
            }
            self.write_buffer(buffer, part.offset, data);
            self.expect(buffer, part.offset, data);
            if self.has(Mistake::SyncsOutside) {
                self.mapper()
                    .sync_outside(self.cpu, lease, in_mapping)
                    .await?;
            }
            if !self.has(Mistake::SkipsSyncForDevice) {
                self.mapper()
                    .sync_for_device(self.cpu, lease, in_mapping, bytes)
                    .await?;
            }
            self.board_mut().handed_over(lease.id, in_mapping, data);
        }
        if let Some(lease) = &leases.destination {
            self.mapper()
                .sync_for_device(self.cpu, lease, in_mapping, bytes)
                .await?;
            self.board_mut().handed_over(lease.id, in_mapping, data);
        }
        Ok(())
    }

    /// Hands a destination to the CPU, and reads it.
    async fn take_back(
        &self,
        part: Piece,
        leases: &Leases,
        data: &[u8],
        syncs: bool,
    ) -> Result<(), DriverError> {
        let (Some(lease), Some(buffer)) = (&leases.destination, self.destination()) else {
            return Ok(());
        };
        if syncs {
            self.mapper()
                .sync_for_cpu(self.cpu, lease, part.in_mapping, part.bytes)
                .await?;
        }
        self.expect(buffer, part.offset, data);
        let cycle = self.driver.host.cycle();
        self.board_mut()
            .cpu_read(cycle, buffer, part.offset, part.bytes);
        self.judge(buffer, Some(lease.id));
        Ok(())
    }

    /// Lets the engine move a piece, and returns whether it says that it did.
    pub(super) async fn move_piece(
        &self,
        piece: Piece,
        leases: &Leases,
        data: &[u8],
    ) -> Result<bool, DriverError> {
        let channels = self.channels();
        let claim = self.driver.engine.claim(self.cpu, channels).await;
        let beats_before = self.beats();
        let works = self.start(piece, leases, data).await?;
        let mut completions = Vec::new();
        for work in works {
            let (channel, dma) = (work.channel, work.dma);
            let completion = self.driver.engine.finished(self.cpu, work).await?;
            self.check_account(channel, dma, &completion);
            completions.push(completion);
        }
        self.device_finished(&leases.ids());
        let is_done = self.check_status(&completions, piece);
        if self.transfer.outcome == Outcome::AddrLimit && self.beats() != beats_before {
            let beats = self.beats() - beats_before;
            let text = format!("refused transfer: expected no beat on the bus, found {beats}");
            self.report(Check::Status, text);
        }
        if matches!(self.transfer.movement, Movement::ToDevice { .. }) {
            let sent = if is_done {
                data
            } else {
                let bytes_done = completions
                    .first()
                    .map_or(0, |end| u64::from(end.bytes_done));
                &data[..index(bytes_done).min(data.len())]
            };
            self.check_stream(sent, is_done).await;
        }
        drop(claim);
        if let (Some(lease), true) = (&leases.destination, is_done) {
            let cycle = self.driver.host.cycle();
            self.board_mut()
                .device_done(lease.id, piece.in_mapping, piece.bytes, cycle);
        }
        Ok(is_done)
    }

    /// Starts the channels; the caller has claimed them.
    pub(super) async fn start(
        &self,
        piece: Piece,
        leases: &Leases,
        data: &[u8],
    ) -> Result<Vec<Work>, DriverError> {
        let engine = &self.driver.engine;
        let is_copy = leases.source.is_some() && leases.destination.is_some();
        engine.set_loopback(self.cpu, is_copy).await?;
        let extra = self.extra_bytes();
        let bytes = u32::try_from(piece.bytes + extra).expect("a mapping is shorter than 4 GiB");
        let mut works = Vec::new();
        for id in leases.ids() {
            self.board_mut().device_started(id);
        }
        if let Some(lease) = &leases.destination {
            if !is_copy && self.transfer.outcome != Outcome::AddrLimit {
                let mut packet = data.to_vec();
                packet.resize(data.len() + index(extra), 0);
                // The engine takes it when it is started; nobody waits for that.
                drop(self.driver.source.push(Packet::new(packet)));
            }
            let dma = lease.dma.wrapping_add(piece.in_mapping);
            self.board_mut().traffic_mut().begin(Direction::Write);
            works.push(engine.start(self.cpu, Channel::S2mm, dma, bytes).await?);
        }
        if let Some(lease) = &leases.source {
            let dma = lease.dma.wrapping_add(piece.in_mapping);
            self.board_mut().traffic_mut().begin(Direction::Read);
            works.push(engine.start(self.cpu, Channel::Mm2s, dma, bytes).await?);
        }
        Ok(works)
    }

    pub(super) async fn map(&self, piece: Piece, data: &[u8]) -> Result<Leases, DriverError> {
        let mut leases = Leases {
            source: None,
            destination: None,
        };
        if let Some(buffer) = self.source() {
            let lease = self
                .map_one(buffer, piece, DataDirection::ToDevice, data)
                .await?;
            leases.source = Some(lease);
        }
        if let Some(buffer) = self.destination() {
            let lease = self
                .map_one(buffer, piece, DataDirection::FromDevice, data)
                .await?;
            leases.destination = Some(lease);
        }
        Ok(leases)
    }

    async fn map_one(
        &self,
        buffer: usize,
        piece: Piece,
        direction: DataDirection,
        data: &[u8],
    ) -> Result<Lease, DriverError> {
        let request = Request {
            transfer: self.number,
            buffer,
            offset: piece.offset,
            direction: self.declared(direction),
            expected: data.to_vec(),
        };
        if self.has(Mistake::SkipsBouncing) {
            return Ok(self.mapper().lend_without_mapping(self.cpu, request));
        }
        let lease = if self.has(Mistake::SkipsMappingError) {
            self.mapper().map_unchecked(self.cpu, request).await?
        } else {
            self.mapper().map(self.cpu, request).await?
        };
        self.check_mapping(buffer, piece, &lease);
        Ok(lease)
    }

    pub(super) async fn unmap(&self, leases: Leases) -> Result<(), DriverError> {
        for lease in leases.source.into_iter().chain(leases.destination) {
            self.mapper()
                .unmap_with(self.cpu, lease, self.transfer.mistake)
                .await?;
        }
        Ok(())
    }

    pub(super) fn device_finished(&self, used: &[MappingId]) {
        for id in used {
            self.board_mut().device_finished(*id);
        }
    }

    pub(super) fn report(&self, check: Check, text: String) {
        let violation = Violation {
            check,
            cycle: Some(self.driver.host.cycle()),
            transfer: Some(self.number),
            text,
            place: None,
        };
        self.board_mut().report(violation);
    }

    /// Beats of the engine's bus so far, both directions.
    fn beats(&self) -> u64 {
        let counters = self.driver.host.bus_counters(0);
        counters.read.beats + counters.write.beats
    }

    pub(super) fn mapper(&self) -> &Mapper {
        &self.driver.mapper
    }

    pub(super) fn board_mut(&self) -> std::cell::RefMut<'_, Scoreboard> {
        self.driver.board.borrow_mut()
    }
}
