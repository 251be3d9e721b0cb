//! Several transfers in work at once, for cores that take the next one before the first is done.

use std::collections::VecDeque;

use rebound_sim::manifest::Direction;

use super::driver::{Driver, Stuck};
use super::job::{Chunk, End, Leases};
use super::layout::{Layout, Spot};
use super::profile::Profile;
use super::suite::Scenario;
use super::trial::{Fate, Trial};
use crate::program::Symbols;
use crate::seed::Seed;
use crate::violation::Check;

/// Rounds of as many transfers as the core takes at once.
const ROUNDS: u64 = 4;
/// Most transfers at once: beyond, nothing new is learnt.
const MOST_IN_FLIGHT: u64 = 32;

/// Latency of the bus, several times what a CPU needs to program a transfer.
const LATENCY_CYCLES: u32 = 600;

pub(super) const SCENARIOS: &[Scenario] = &[Scenario {
    name: "basic/overlapping",
    what: "as many transfers in work at once as the core declares (`max_transfers`)",
    applies: |profile| match profile.limits.max_transfers {
        0 | 1 => Err("the manifest declares one transfer at a time (max_transfers)".into()),
        _ => Ok(()),
    },
    trial,
    is_seeded: true,
}];

fn trial(profile: &Profile, seed: Seed) -> Trial {
    let mut random = seed.stream("overlapping");
    // Slow enough that the first is still in work when the last is started.
    let mut layout = Layout::new(profile, seed).with_bus(|bus| {
        bus.read_latency_cycles = LATENCY_CYCLES;
        bus.write_latency_cycles = LATENCY_CYCLES;
    });
    let at_once = profile.limits.max_transfers.min(MOST_IN_FLIGHT);
    layout.trial.in_flight = usize::try_from(at_once).unwrap_or(1);
    let longest = profile.limits.max_length.unwrap_or(u64::MAX);
    let most = (4 * profile.burst_bytes()).min(4096).min(longest);
    // A transfer that crosses the boundary is more than one.
    let room = |offset: u64, bytes: u64| match profile.limits.boundary {
        Some(boundary) if offset % boundary + bytes > boundary => 0,
        _ => offset,
    };
    for direction in profile.directions.clone() {
        for _ in 0..ROUNDS * at_once {
            let granule = profile.limits.length_alignment;
            let bytes = profile.length(random.between(1, most));
            let bytes = bytes.min(longest / granule * granule);
            let offsets = [random.below(2048), random.below(2048)].map(|one| room(one, bytes));
            layout.job(direction, [Spot::Low; 2], bytes, offsets, Fate::Done);
        }
    }
    layout.finish()
}

/// A transfer that was started.
#[derive(Debug)]
struct Started {
    number: usize,
    leases: Leases,
    data: Vec<u8>,
    symbols: Symbols,
}

impl Driver {
    /// Does all jobs, as many at once as the trial says, and sees to their ends in the order of their starts.
    pub(super) async fn overlapping(&self) -> Result<(), (Option<usize>, Stuck)> {
        let mut started: VecDeque<Started> = VecDeque::new();
        self.begin();
        for (number, job) in self.trial.jobs.iter().enumerate() {
            while let Some(oldest) = started.front() {
                let is_full = started.len() >= self.trial.in_flight;
                let turns = self.trial.jobs[oldest.number].direction() != job.direction();
                if !is_full && !turns {
                    break;
                }
                self.end_oldest(&mut started).await?;
            }
            let begun = self.launch(number).await;
            started.push_back(begun.map_err(|stuck| (Some(number), stuck))?);
        }
        while !started.is_empty() {
            self.end_oldest(&mut started).await?;
        }
        Ok(())
    }

    /// Maps and starts a transfer.
    async fn launch(&self, number: usize) -> Result<Started, Stuck> {
        let job = self.trial.jobs[number];
        let buffer = job.source().or(job.destination());
        let chunk = Chunk {
            offset: 0,
            bytes: buffer.map_or(0, |buffer| self.trial.world.buffers[buffer].bytes),
        };
        let data = self.data(job, chunk);
        let leases = self.map(number, job, chunk, &data).await?;
        for lease in leases.both() {
            self.board.borrow_mut().device_started(lease.id);
        }
        let mut symbols = self.symbols(&leases, 0, chunk.bytes);
        let errors = self
            .program
            .start(job.direction(), &data, &mut symbols)
            .await?;
        if !errors.is_empty() {
            let text = format!(
                "start with {} transfers in work at most: expected success, found the core to report {}",
                self.trial.in_flight,
                errors.join(", ")
            );
            self.report(Check::Status, Some(number), text);
        }
        Ok(Started {
            number,
            leases,
            data,
            symbols,
        })
    }

    /// Waits for the end of the transfer that was started first, and judges it.
    async fn end_oldest(
        &self,
        started: &mut VecDeque<Started>,
    ) -> Result<(), (Option<usize>, Stuck)> {
        let Some(oldest) = started.pop_front() else {
            return Ok(());
        };
        let number = oldest.number;
        let ended = self.end(oldest, started.is_empty()).await;
        ended.map_err(|stuck| (Some(number), stuck))
    }

    async fn end(&self, transfer: Started, is_alone: bool) -> Result<(), Stuck> {
        let Started {
            number,
            leases,
            data,
            mut symbols,
        } = transfer;
        let job = self.trial.jobs[number];
        let mut completion = self.program.done(job.direction(), &mut symbols).await?;
        if !is_alone {
            // They may well belong to a transfer that is still in work.
            completion.unanswered_writes = 0;
        }
        let end = self.judge_completion(number, job, &completion);
        if job.direction() == Direction::Mm2s {
            self.receive(number, &data).await?;
        }
        if let Some(lease) = &leases.destination {
            let (id, cycle) = (lease.id, self.host.cycle());
            let bytes = data.len() as u64;
            self.board.borrow_mut().device_done(id, 0, bytes, cycle);
        }
        for lease in leases.both() {
            self.board.borrow_mut().device_finished(lease.id);
        }
        let mapping = leases.destination.as_ref().map(|lease| lease.id);
        for lease in leases.source.into_iter().chain(leases.destination) {
            self.mapper.unmap(&self.cpu, lease).await?;
        }
        if let (Some(buffer), End::Done) = (job.destination(), end) {
            self.board.borrow_mut().buffer_mut(buffer).expect(0, &data);
        }
        for buffer in job.source().into_iter().chain(job.destination()) {
            let mapping = mapping.filter(|_| Some(buffer) == job.destination());
            self.judge(buffer, mapping);
        }
        Ok(())
    }
}
