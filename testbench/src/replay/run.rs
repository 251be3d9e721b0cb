//! A replay with the recorded machine: figures and self-check.

use std::io;

use swiotlb::InitError;

use crate::replay::check::SelfCheck;
use crate::replay::engine::Engine;
use crate::replay::figures::Figures;
use crate::replay::load::Load;
use crate::replay::machine::Machine;
use crate::replay::op::{Op, OpKind, Seen};
use crate::replay::sequence::Sequencer;

/// A replay that cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// There can be no such pool.
    #[error("there can be no such pool: {0}")]
    Pool(#[from] InitError),
    /// The operations cannot be read back.
    #[error("cannot read the mappings back from a temporary file: {0}")]
    Spool(#[from] io::Error),
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// The machine.
    pub machine: Machine,
    /// What was counted.
    pub figures: Figures,
    /// What differs from the trace.
    pub check: SelfCheck,
    /// Calls whose order the recorded addresses decided.
    pub moved: u64,
    /// The lowest peaks of the phases that the lines allow, if any is not the kernel's: slots freed before
    /// others are taken wherever the order is open.
    pub least_hiwater: Vec<u64>,
}

/// Replays a trace on the machine that it was taken on.
///
/// # Errors
/// If there can be no such pool.
pub fn replay_recorded(load: &Load, machine: Machine) -> Result<Recording, ReplayError> {
    let mut recording = replay_first(load, machine.clone(), u64::MAX, false)?;
    let mut phases = load.survey.phases.iter().zip(&recording.figures.phases);
    let differs =
        phases.any(|(phase, here)| phase.hiwater.is_some_and(|truth| truth != here.hiwater));
    if differs {
        let lowest = replay_first(load, machine, u64::MAX, true)?;
        let phases = lowest.figures.phases.iter().map(|phase| phase.hiwater);
        recording.least_hiwater = phases.collect();
    }
    Ok(recording)
}

/// Operations by which [`fit_alignment`] judges.
const FIT_OPS: u64 = 20_000;

/// Gives each device the `min_align_mask` with which more bounce buffers lie where the trace says: the
/// one that the addresses allow, or none.
///
/// # Errors
/// If there can be no such pool.
pub fn fit_alignment(load: &Load, machine: &mut Machine) -> Result<(), ReplayError> {
    let same = |machine: &Machine| {
        let recording = replay_first(load, machine.clone(), FIT_OPS, false)?;
        Ok::<_, ReplayError>(recording.check.same_addresses)
    };
    for (number, device) in load.survey.devices.iter().enumerate() {
        let mask = device.possible_align_mask();
        if mask == 0 {
            continue;
        }
        let without = same(machine)?;
        machine.devices[number].min_align_mask = mask;
        if same(machine)? < without {
            machine.devices[number].min_align_mask = 0;
        }
    }
    Ok(())
}

fn replay_first(
    load: &Load,
    machine: Machine,
    ops: u64,
    releases_first: bool,
) -> Result<Recording, ReplayError> {
    let survey = &load.survey;
    let mut run = Run {
        engine: Engine::new(machine)?,
        figures: Figures::new(survey.devices.len(), survey.first_ns, survey.last_ns),
        check: SelfCheck::default(),
        has_orphans: survey.misfits.unmaps_without_map.count > 0,
    };
    let mut sequencer = Sequencer::new(releases_first);
    let mut cursor = load.ops.cursor(0);
    while cursor.position() < ops
        && let Some(op) = cursor.next_op()?
    {
        sequencer.push(op);
        while let Some(op) = sequencer.next(&run.engine, false) {
            run.step(&op, &sequencer);
        }
    }
    while let Some(op) = sequencer.next(&run.engine, true) {
        run.step(&op, &sequencer);
    }
    let hiwater = run.engine.take_hiwater();
    run.figures.end_phase(survey.last_ns, hiwater);
    Ok(Recording {
        machine: run.engine.machine().clone(),
        figures: run.figures,
        check: run.check,
        moved: sequencer.moved(),
        least_hiwater: Vec::new(),
    })
}

struct Run {
    engine: Engine,
    figures: Figures,
    check: SelfCheck,
    has_orphans: bool,
}

impl Run {
    fn step(&mut self, op: &Op, sequencer: &Sequencer) {
        let time_ns = op.time_ns;
        self.engine.set_time(time_ns);
        match &op.kind {
            OpKind::Map(map) => {
                let answer = self.engine.map(map, (op.cpu, op.task, time_ns));
                self.figures.map(map, &answer, time_ns);
                let check = &mut self.check;
                check.compare(&self.engine, op, map, &answer, self.has_orphans, sequencer);
                if map.seen == Seen::Failed
                    && let Some(held) = self.engine.unmap(map.id)
                {
                    // It failed there, so nobody will end it.
                    self.figures.unmap(&held, true, time_ns);
                }
            }
            OpKind::Unmap { id, skips_sync, .. } => {
                if let Some(held) = self.engine.unmap(*id) {
                    self.figures.unmap(&held, *skips_sync, time_ns);
                }
            }
            OpKind::Sync {
                id,
                bytes,
                dir,
                for_cpu,
            } => {
                if let Some(held) = self.engine.held(*id) {
                    self.figures.sync(held, *bytes, *dir, *for_cpu);
                }
            }
            OpKind::Phase { .. } => {
                let hiwater = self.engine.take_hiwater();
                self.figures
                    .next_phase(time_ns, hiwater, self.engine.used_slots());
                self.engine.drop_messages();
            }
            OpKind::Lost => self.check.lose(),
        }
        let total = u64::from(self.engine.machine().slots);
        self.figures
            .note_use(self.engine.used_slots(), total, time_ns);
    }
}
