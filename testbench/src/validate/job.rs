//! One job: map, let the core move piece by piece, judge, unmap.

use rebound_sim::events::Direction as Way;
use rebound_sim::manifest::Direction;
use swiotlb::{DataDirection, PhysAddr};

use super::driver::{Driver, Stuck};
use super::trial::{Fate, Job};
use crate::driver::{Lease, Request};
use crate::pattern::{self, Kind};
use crate::program::{Completion, Symbols};
use crate::scoreboard::index;
use crate::violation::Check;

/// Cycles that a stream gets to deliver what is left of a packet once the core says that it is done.
const STREAM_CYCLES: u64 = 100_000;

/// A part of a job that is mapped at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chunk {
    pub(super) offset: u64,
    pub(super) bytes: u64,
}

/// The mappings of a chunk.
#[derive(Debug)]
pub(super) struct Leases {
    pub(super) source: Option<Lease>,
    pub(super) destination: Option<Lease>,
}

impl Leases {
    pub(super) fn both(&self) -> impl Iterator<Item = &Lease> {
        self.source.iter().chain(&self.destination)
    }
}

/// How a chunk ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Done,
    Failed,
}

impl Driver {
    /// Does a job.
    pub(super) async fn job(&self, number: usize) -> Result<(), Stuck> {
        let job = self.trial.jobs[number];
        let buffer = job.source().or(job.destination());
        let bytes = buffer.map_or(0, |buffer| self.trial.world.buffers[buffer].bytes);
        let granule = self.profile.granule();
        let longest = self.mapper.max_bytes().min(bytes);
        let longest = if longest < bytes {
            (longest - longest % granule).max(granule)
        } else {
            longest
        };
        let mut offset = 0;
        while offset < bytes {
            let chunk = Chunk {
                offset,
                bytes: longest.min(bytes - offset),
            };
            if self.chunk(number, job, chunk).await? == End::Failed {
                break;
            }
            offset += chunk.bytes;
        }
        Ok(())
    }

    /// Maps, moves and unmaps a part of a job.
    async fn chunk(&self, number: usize, job: Job, chunk: Chunk) -> Result<End, Stuck> {
        let data = self.data(job, chunk);
        let leases = self.map(number, job, chunk, &data).await?;
        if let (Fate::Refused { is_read: true }, Some(lease)) = (job.fate, &leases.destination) {
            self.board.borrow_mut().excuse_data(lease.id);
        }
        for lease in leases.both() {
            self.board.borrow_mut().device_started(lease.id);
        }
        let end = match job.fate {
            Fate::Reset { after_cycles } => {
                self.reset_in_flight(job, &leases, chunk, &data, after_cycles)
                    .await?
            }
            Fate::Empty => self.nothing(number, job, &leases).await?,
            Fate::Done | Fate::Refused { .. } => {
                self.pieces(number, job, &leases, chunk, &data).await?
            }
        };
        for lease in leases.both() {
            self.board.borrow_mut().device_finished(lease.id);
        }
        let id = leases.destination.as_ref().map(|lease| lease.id);
        for lease in leases.source.into_iter().chain(leases.destination) {
            self.mapper.unmap(&self.cpu, lease).await?;
        }
        if let Fate::Reset { .. } = job.fate {
            self.stay_quiet(Some(number)).await;
            self.program.init().await?;
            self.expect_low_interrupts(Some(number), "after a reset in flight")
                .await;
        }
        let mut board = self.board.borrow_mut();
        if let (Some(buffer), End::Done, false) = (job.destination(), end, job.fate == Fate::Empty)
        {
            board.buffer_mut(buffer).expect(chunk.offset, &data);
        }
        drop(board);
        if let (Some(buffer), End::Failed) = (job.destination(), end) {
            self.accept_part(number, job, buffer, chunk, &data);
        }
        for buffer in job.source().into_iter().chain(job.destination()) {
            let mapping = id.filter(|_| Some(buffer) == job.destination());
            self.judge(buffer, mapping);
        }
        Ok(end)
    }

    pub(super) async fn map(
        &self,
        number: usize,
        job: Job,
        chunk: Chunk,
        data: &[u8],
    ) -> Result<Leases, Stuck> {
        let request = |buffer, direction| Request {
            transfer: number,
            buffer,
            offset: chunk.offset,
            direction,
            expected: data.to_vec(),
        };
        let mut leases = Leases {
            source: None,
            destination: None,
        };
        if let Some(buffer) = job.source() {
            let request = request(buffer, DataDirection::ToDevice);
            leases.source = Some(self.mapper.map(&self.cpu, request).await?);
        }
        if let Some(buffer) = job.destination() {
            let request = request(buffer, DataDirection::FromDevice);
            leases.destination = Some(self.mapper.map(&self.cpu, request).await?);
        }
        Ok(leases)
    }

    /// Lets the core move a chunk in pieces that it takes at once.
    async fn pieces(
        &self,
        number: usize,
        job: Job,
        leases: &Leases,
        chunk: Chunk,
        data: &[u8],
    ) -> Result<End, Stuck> {
        let addresses: Vec<u64> = leases.both().map(|lease| lease.dma.raw()).collect();
        let mut at = 0;
        while at < chunk.bytes {
            let now: Vec<u64> = addresses.iter().map(|address| address + at).collect();
            let left = chunk.bytes - at;
            let bytes = self.profile.limits.first_piece(&now, left);
            let bytes = bytes.ok_or(Stuck::Split {
                address: now.first().copied().unwrap_or(0),
                bytes: left,
            })?;
            let piece = Chunk { offset: at, bytes };
            let part = &data[index(at)..index(at + bytes)];
            if self.piece(number, job, leases, piece, part).await? == End::Failed {
                return Ok(End::Failed);
            }
            at += bytes;
        }
        // All pieces went well, though an access was to fail: the fault was never met.
        if let Fate::Refused { .. } = job.fate {
            let text = "the scenario's situation was not reached: expected an access to the buffer that the bus \
                        refuses, found none";
            self.report(Check::Unreached, Some(number), text.into());
        }
        Ok(End::Done)
    }

    /// Lets the core move one piece; `piece` counts from the beginning of the mappings.
    async fn piece(
        &self,
        number: usize,
        job: Job,
        leases: &Leases,
        piece: Chunk,
        data: &[u8],
    ) -> Result<End, Stuck> {
        let direction = job.direction();
        let mut symbols = self.symbols(leases, piece.offset, piece.bytes);
        self.begin();
        let early = self.program.start(direction, data, &mut symbols).await?;
        let completion = if early.is_empty() {
            self.program.done(direction, &mut symbols).await?
        } else {
            Completion {
                errors: early,
                unanswered_writes: 0,
            }
        };
        let end = self.judge_completion(number, job, &completion);
        if end == End::Failed {
            if !completion.errors.is_empty() {
                self.program.recover(direction, &mut symbols).await?;
            }
            self.clear_streams(direction).await?;
            return Ok(end);
        }
        if direction == Direction::Mm2s {
            self.receive(number, data).await?;
        }
        if let Some(lease) = &leases.destination {
            let cycle = self.host.cycle();
            self.board
                .borrow_mut()
                .device_done(lease.id, piece.offset, piece.bytes, cycle);
        }
        self.expect_low_interrupts(Some(number), "after its acknowledgement")
            .await;
        Ok(End::Done)
    }

    /// Starts a transfer and resets the core in the midst of it.
    async fn reset_in_flight(
        &self,
        job: Job,
        leases: &Leases,
        chunk: Chunk,
        data: &[u8],
        after_cycles: u64,
    ) -> Result<End, Stuck> {
        let direction = job.direction();
        let addresses: Vec<u64> = leases.both().map(|lease| lease.dma.raw()).collect();
        let bytes = self.profile.limits.first_piece(&addresses, chunk.bytes);
        let bytes = bytes.unwrap_or(chunk.bytes);
        let mut symbols = self.symbols(leases, 0, bytes);
        self.begin();
        self.program
            .start(direction, &data[..index(bytes)], &mut symbols)
            .await?;
        self.host.sleep(after_cycles).await;
        self.program.reset().await;
        Ok(End::Failed)
    }

    /// Does a transfer of no bytes.
    async fn nothing(&self, number: usize, job: Job, leases: &Leases) -> Result<End, Stuck> {
        let direction = job.direction();
        let before = self.address_beats();
        let mut symbols = self.symbols(leases, 0, 0);
        self.program.start(direction, &[], &mut symbols).await?;
        let completion = self.program.done(direction, &mut symbols).await?;
        if !completion.errors.is_empty() {
            let text = format!(
                "transfer of 0 bytes: expected success, found {}",
                completion.errors.join(", ")
            );
            self.report(Check::Status, Some(number), text);
        }
        let beats = self.address_beats() - before;
        if beats > 0 {
            let text = format!("transfer of 0 bytes: expected no beat on the bus, found {beats}");
            self.report(Check::Status, Some(number), text);
        }
        Ok(End::Done)
    }

    /// Compares what the core says about a piece with what the bus did.
    pub(super) fn judge_completion(&self, number: usize, job: Job, completion: &Completion) -> End {
        let unanswered = completion.unanswered_writes;
        if unanswered > 0 {
            let text = format!(
                "done before the last write response: expected every write answered, found {unanswered} in \
                 flight"
            );
            self.report(Check::EarlyDone, Some(number), text);
        }
        let refusal = {
            let board = self.board.borrow();
            let ways = [Way::Read, Way::Write];
            let mut refusals = ways
                .into_iter()
                .map(|way| (way, board.traffic().first_refusal(way)));
            refusals.find_map(|(way, refusal)| refusal.map(|refusal| (way, refusal)))
        };
        let is_planned = matches!(job.fate, Fate::Refused { .. });
        let errors = &completion.errors;
        match (refusal, errors.is_empty()) {
            (None, true) => End::Done,
            (None, false) => {
                let text = format!(
                    "expected success, found the core to report {}",
                    errors.join(", ")
                );
                self.report(Check::Status, Some(number), text);
                End::Failed
            }
            (Some((way, refusal)), true) => {
                let rules = &self.program.program(job.direction()).errors;
                if !rules.is_empty() {
                    let names: Vec<&str> = rules.iter().map(|rule| rule.name.as_str()).collect();
                    let text = format!(
                        "the bus refused a {way:?} burst at dma {}: expected one of the core's errors ({}), found \
                         success",
                        refusal.burst,
                        names.join(", ")
                    );
                    self.report(Check::Status, Some(number), text);
                }
                End::Failed
            }
            (Some((way, refusal)), false) => {
                if !is_planned {
                    let text = format!(
                        "expected success, found the core to report {}, since the bus refused a {way:?} burst at \
                         dma {}",
                        errors.join(", "),
                        refusal.burst
                    );
                    self.report(Check::Status, Some(number), text);
                }
                End::Failed
            }
        }
    }

    pub(super) fn symbols(&self, leases: &Leases, offset: u64, bytes: u64) -> Symbols {
        let tag = self.tag.get();
        self.tag.set(tag + 1);
        let address = |lease: &Option<Lease>| {
            let lease = lease.as_ref();
            lease.map(|lease| lease.dma.raw() + offset)
        };
        let (source, destination) = (address(&leases.source), address(&leases.destination));
        Symbols::new(source, destination, bytes, tag)
    }

    /// Forgets what the bus refused before.
    pub(super) fn begin(&self) {
        let mut board = self.board.borrow_mut();
        for way in [Way::Read, Way::Write] {
            board.traffic_mut().begin(way);
        }
    }

    /// Takes what the core has sent, and compares it.
    pub(super) async fn receive(&self, number: usize, data: &[u8]) -> Result<(), Stuck> {
        let Some(sink) = self.program.sink() else {
            return Ok(());
        };
        let mut found = Vec::new();
        while found.len() < data.len() {
            match self.cpu.wait(sink.recv(STREAM_CYCLES)).await {
                Ok(packet) => found.extend(packet.data),
                Err(_) => {
                    return Err(Stuck::Stream {
                        expected: data.len(),
                        found: found.len() + sink.partial_bytes(),
                    });
                }
            }
        }
        let cycle = self.host.cycle();
        self.board
            .borrow_mut()
            .judge_stream(number, "the core", data, &found, cycle);
        Ok(())
    }

    /// Takes what a failed transfer has left on its streams; a core that stopped amid a packet is reset, as its
    /// next one could not be told from the rest.
    async fn clear_streams(&self, direction: Direction) -> Result<(), Stuck> {
        let is_clear = match direction {
            Direction::Copy => return Ok(()),
            Direction::Mm2s => {
                self.host.sleep(STREAM_CYCLES / 100).await;
                self.program.drop_packets();
                self.program
                    .sink()
                    .is_none_or(|sink| sink.partial_bytes() == 0)
            }
            Direction::S2mm => {
                self.host.sleep(STREAM_CYCLES / 100).await;
                self.program
                    .source()
                    .is_none_or(|source| source.queued() == 0)
            }
        };
        if is_clear {
            Ok(())
        } else {
            self.bring_up().await
        }
    }

    /// What a chunk should carry: the source's bytes, or those that the stream brings.
    pub(super) fn data(&self, job: Job, chunk: Chunk) -> Vec<u8> {
        let board = self.board.borrow();
        let Chunk { offset, bytes } = chunk;
        match (job.source(), job.destination()) {
            (Some(source), _) => board.buffers()[source].content(offset, bytes).to_vec(),
            (None, Some(destination)) => {
                let salt = board.buffers()[destination].salt;
                pattern::filled(Kind::Source { round: 0 }, salt, offset, index(bytes))
            }
            (None, None) => Vec::new(),
        }
    }

    /// Takes a destination as a broken transfer left it: every byte is the old or the right one.
    fn accept_part(&self, number: usize, job: Job, buffer: usize, chunk: Chunk, data: &[u8]) {
        let phys = PhysAddr::new(self.trial.world.buffers[buffer].phys + chunk.offset);
        let found = self.host.memory().read_vec(phys, data.len());
        let found = found.expect("the trial places buffers in RAM");
        let mut board = self.board.borrow_mut();
        let is_excused = matches!(job.fate, Fate::Refused { is_read: true });
        let old = board.buffers()[buffer].content(chunk.offset, chunk.bytes);
        let wrong = (0..found.len()).find(|at| found[*at] != old[*at] && found[*at] != data[*at]);
        board.buffer_mut(buffer).expect(chunk.offset, &found);
        drop(board);
        if let (Some(at), false) = (wrong, is_excused) {
            let text = format!(
                "byte {:#x} of a broken transfer: expected {:#04x} or what was there, found {:#04x}",
                chunk.offset + at as u64,
                data[at],
                found[at]
            );
            self.report(Check::Data, Some(number), text);
        }
    }

    /// Compares a buffer with what it should hold.
    pub(super) fn judge(&self, buffer: usize, mapping: Option<crate::scoreboard::MappingId>) {
        let mut board = self.board.borrow_mut();
        let (phys, bytes) = {
            let buffer = &board.buffers()[buffer];
            (buffer.guarded_phys(), buffer.guarded().len())
        };
        let found = self.host.memory().read_vec(PhysAddr::new(phys), bytes);
        let found = found.expect("the trial places buffers in RAM");
        board.judge_buffer(buffer, &found, mapping, self.host.cycle());
    }
}
