//! The order of the measurements: a transfer that works, then what needs only that, then what needs the limits.

use super::address_bits;
use super::baseline;
use super::boundaries::{self, first_broken};
use super::bursts::{self, Bursts};
use super::errors;
use super::granule::{self, Granules};
use super::length::{self, Lengths, Room};
use super::pressure;
use super::reset;
use super::session::{Base, Notes, Session, Shape};
use super::sheet::{
    BitFate, BoundaryFate, ErrorFacts, Fate, Finding, ResetFate, Role, SilenceFacts, Timing,
};
use super::timing;
use super::workers::{Task, Workers};
use crate::error::UsageError;

/// What was measured of one end of a direction.
#[derive(Debug, Clone)]
pub(super) struct SideFacts {
    pub(super) role: Role,
    pub(super) address_bits: Finding<u32>,
    pub(super) bits: Vec<BitFate>,
    pub(super) boundaries: Vec<BoundaryFate>,
}

/// A transfer that works and the granules, or why there is none.
type Foundation = Result<(Base, Granules), String>;

/// Measurements of a direction that can run side by side, from what is known of it.
type Wave = fn(&Draft) -> Vec<Task<Part>>;

/// The result of a measurement.
#[derive(Debug)]
enum Part {
    Base(Box<Foundation>),
    Side(SideFacts),
    Refusals(Vec<ErrorFacts>),
    Silence(SilenceFacts),
    Reset(ResetFate),
    Zero(Fate),
    Slow,
    Reordered(Fate),
    Lengths(Lengths),
    Bursts(Box<Bursts>),
    Timings(Vec<Timing>),
}

/// What was measured of a direction, as far as it was.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) shape: Shape,
    /// A transfer that works, or why there is none.
    pub(super) base: Foundation,
    pub(super) sides: Vec<SideFacts>,
    pub(super) errors: Vec<ErrorFacts>,
    pub(super) silence: Vec<SilenceFacts>,
    pub(super) reset: Option<ResetFate>,
    pub(super) zero: Option<Fate>,
    pub(super) reordered: Option<Fate>,
    pub(super) lengths: Option<Lengths>,
    pub(super) bursts: Option<Bursts>,
    pub(super) timings: Vec<Timing>,
}

impl Draft {
    fn new(shape: Shape) -> Self {
        Self {
            shape,
            base: Err("it was not tried".to_owned()),
            sides: Vec::new(),
            errors: Vec::new(),
            silence: Vec::new(),
            reset: None,
            zero: None,
            reordered: None,
            lengths: None,
            bursts: None,
            timings: Vec::new(),
        }
    }

    fn take(&mut self, part: Part) {
        match part {
            Part::Base(base) => self.base = *base,
            Part::Side(side) => self.sides.push(side),
            Part::Refusals(errors) => self.errors.extend(errors),
            Part::Silence(silence) => self.silence.push(silence),
            Part::Reset(reset) => self.reset = Some(reset),
            Part::Zero(fate) => self.zero = Some(fate),
            Part::Slow => {}
            Part::Reordered(fate) => self.reordered = Some(fate),
            Part::Lengths(lengths) => self.lengths = Some(lengths),
            Part::Bursts(bursts) => self.bursts = Some(*bursts),
            Part::Timings(timings) => self.timings = timings,
        }
    }

    /// What bounds long transfers.
    fn room(&self) -> Room {
        let bits = self.sides.iter().map(|side| match &side.address_bits {
            Finding::Measured { value, .. } | Finding::AtLeast { value, .. } => *value,
            Finding::Unknown { .. } => address_bits::LOWEST_BIT,
        });
        let broken = self
            .sides
            .iter()
            .filter_map(|side| first_broken(&side.boundaries));
        Room {
            address_bits: bits.min().unwrap_or(64),
            boundary: broken.map(|broken| broken.boundary).min(),
        }
    }

    fn longest(&self, base: &Base) -> u64 {
        match self.lengths.as_ref().map(|lengths| &lengths.longest) {
            Some(Finding::Measured { value, .. } | Finding::AtLeast { value, .. }) => *value,
            Some(Finding::Unknown { .. }) | None => base.long,
        }
    }
}

/// Measurements of a direction with these ports.
pub(super) fn count(shape: &Shape) -> usize {
    // The base; of each role its addresses, refusals and silence; reset, zero, slow, reordered; three that follow.
    1 + 3 * shape.roles().len() + 4 + 3
}

/// Measures every direction.
///
/// # Errors
/// The first error of the environment.
pub(super) fn measure(
    shapes: &[Shape],
    workers: &Workers<'_>,
) -> Result<(Vec<Draft>, Notes), UsageError> {
    let mut drafts: Vec<Draft> = shapes.iter().map(|shape| Draft::new(*shape)).collect();
    let mut notes = Notes::default();
    let waves: [Wave; 4] = [foundation, independent, lengths, dependent];
    for wave in waves {
        let mut owners = Vec::new();
        let mut tasks = Vec::new();
        for (number, draft) in drafts.iter().enumerate() {
            let of_draft = wave(draft);
            owners.extend(vec![number; of_draft.len()]);
            tasks.extend(of_draft);
        }
        for (owner, (part, noted)) in owners.into_iter().zip(workers.run(tasks)?) {
            drafts[owner].take(part);
            notes.add(noted);
        }
    }
    for draft in &drafts {
        if let Err(reason) = &draft.base {
            let what = "No transfer works.";
            notes.defect("fails-every-transfer", what, reason.clone());
        }
    }
    Ok((drafts, notes))
}

fn task(
    draft: &Draft,
    what: &str,
    run: impl FnOnce(&mut Session<'_>) -> Result<Part, UsageError> + Send + 'static,
) -> Task<Part> {
    Task {
        what: format!("{}: {what}", draft.shape.direction.name()),
        shape: draft.shape,
        run: Box::new(run),
    }
}

fn foundation(draft: &Draft) -> Vec<Task<Part>> {
    vec![task(draft, "granules", |session| {
        let found = match baseline::find(session)? {
            Ok(mut base) => {
                let granules = granule::measure(session, &mut base)?;
                Ok((base, granules))
            }
            Err(reason) => Err(reason),
        };
        Ok(Part::Base(Box::new(found)))
    })]
}

fn independent(draft: &Draft) -> Vec<Task<Part>> {
    let Ok((base, _)) = draft.base else {
        return Vec::new();
    };
    let mut tasks = Vec::new();
    for role in draft.shape.roles().iter().copied() {
        let (end, way) = match role {
            Role::Source => ("source", "reads"),
            Role::Destination => ("destination", "writes"),
        };
        tasks.push(task(
            draft,
            &format!("addresses of the {end}"),
            move |session| side(session, &base, role).map(Part::Side),
        ));
        tasks.push(task(draft, &format!("refused {way}"), move |session| {
            errors::refusals(session, &base, role).map(Part::Refusals)
        }));
        tasks.push(task(
            draft,
            &format!("{way} without an answer"),
            move |session| errors::silence(session, &base, role).map(Part::Silence),
        ));
    }
    tasks.push(task(draft, "slow buses", move |session| {
        pressure::slow(session, &base).map(|()| Part::Slow)
    }));
    tasks.push(task(draft, "order of answers", move |session| {
        pressure::reordered(session, &base).map(Part::Reordered)
    }));
    tasks.push(task(draft, "reset", move |session| {
        reset::measure(session, &base).map(Part::Reset)
    }));
    tasks.push(task(draft, "length 0", move |session| {
        length::zero(session, &base).map(Part::Zero)
    }));
    tasks
}

fn side(session: &mut Session<'_>, base: &Base, role: Role) -> Result<SideFacts, UsageError> {
    let (address_bits, bits) = address_bits::measure(session, base, role)?;
    let reach = match &address_bits {
        Finding::Measured { value, .. } | Finding::AtLeast { value, .. } => *value,
        Finding::Unknown { .. } => address_bits::LOWEST_BIT,
    };
    let boundaries = boundaries::measure(session, base, role, reach)?;
    Ok(SideFacts {
        role,
        address_bits,
        bits,
        boundaries,
    })
}

fn lengths(draft: &Draft) -> Vec<Task<Part>> {
    let Ok((base, _)) = draft.base else {
        return Vec::new();
    };
    let room = draft.room();
    vec![task(draft, "lengths", move |session| {
        length::measure(session, &base, room).map(Part::Lengths)
    })]
}

fn dependent(draft: &Draft) -> Vec<Task<Part>> {
    let Ok((base, _)) = draft.base else {
        return Vec::new();
    };
    let (longest, room) = (draft.longest(&base), draft.room());
    vec![
        task(draft, "cycles", move |session| {
            timing::measure(session, &base, longest, room).map(Part::Timings)
        }),
        task(draft, "bursts", move |session| {
            bursts::measure(session, &base, longest).map(|bursts| Part::Bursts(Box::new(bursts)))
        }),
    ]
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::characterize::assemble;
    use crate::characterize::fake::{Fake, Planted, value};
    use crate::characterize::lab::Lab;

    fn measured(planted: &[Planted], jobs: usize) -> (Draft, Notes, Vec<usize>) {
        let core = Fake {
            planted: planted.to_vec(),
        };
        let make = || -> Box<dyn Lab + Send> { Box::new(core.clone()) };
        let shape = core.clone().session().0.shape;
        let told = Mutex::new(Vec::new());
        let progress = |step: super::super::Step| {
            if let Ok(mut told) = told.lock() {
                told.push(step.all);
            }
        };
        let workers = Workers::new(&make, jobs, count(&shape), &progress);
        let (mut drafts, notes) = measure(&[shape], &workers).expect("a laboratory");
        let draft = drafts.remove(0);
        drop(workers);
        (draft, notes, told.into_inner().expect("nobody panicked"))
    }

    #[test]
    fn every_measurement_is_run_once_and_told() {
        let (draft, notes, told) = measured(&[Planted::Counts(1 << 16)], 2);
        assert_eq!(told.len(), count(&draft.shape));
        assert!(told.iter().all(|all| *all == told.len()));
        assert_eq!(notes.defects.len(), 0, "{:?}", notes.defects);
        let direction = assemble::direction(&draft);
        assert_eq!(value(&direction.max_length), (1 << 16) - 1);
        assert_eq!(direction.errors.len(), 12);
        assert_eq!(assemble::sides(&draft).len(), 2);
        assert_eq!(draft.timings.len(), 20);
    }

    #[test]
    fn the_order_of_the_workers_does_not_show() {
        let planted = [Planted::Truncates(34), Planted::IgnoresErrors];
        let (one, one_notes, _) = measured(&planted, 1);
        let (many, many_notes, _) = measured(&planted, 4);
        assert_eq!(assemble::direction(&one), assemble::direction(&many));
        assert_eq!(assemble::sides(&one), assemble::sides(&many));
        assert_eq!(one_notes, many_notes);
    }

    #[test]
    fn a_core_that_moves_nothing_is_told_with_the_reason() {
        let (draft, notes, _) = measured(&[Planted::HangsOn(1)], 2);
        let defects: Vec<&String> = notes.defects.keys().collect();
        assert_eq!(defects, ["fails-every-transfer"]);
        let side = &assemble::sides(&draft)[0];
        assert!(matches!(&side.granule, Finding::Unknown { reason } if reason.contains("hangs")));
        let direction = assemble::direction(&draft);
        assert!(matches!(direction.zero_length, Fate::NotTried { .. }));
    }
}
