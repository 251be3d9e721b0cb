//! Bursts: lengths, sizes, types, ids, how many at once, and those that cross 4 KiB; done before the last response.

use std::collections::BTreeSet;

use rebound_sim::axi::BusPolicy;

use super::probe::{Outcome, Traffic, Transfer};
use super::session::{Base, Session};
use super::sheet::{BurstFacts, Finding};
use crate::error::UsageError;

/// Latencies at which bursts pile up: as many at the longer one are all that the core has.
const PILE_LATENCIES: [u32; 2] = [200, 400];
/// Longest transfer that is looked at; no multiple of a page.
const LONGEST: u64 = 3 * 4096 + 2048;

/// Bursts of a direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bursts {
    /// Of reads; none in a direction that does not read.
    pub(super) reads: Option<BurstFacts>,
    /// Of writes; none in a direction that does not write.
    pub(super) writes: Option<BurstFacts>,
    /// Evidence that done was told before the last write response.
    pub(super) early_done: Option<String>,
}

/// Measures the bursts of a direction whose longest transfer is `longest`.
///
/// # Errors
/// If there is no laboratory.
pub(super) fn measure(
    session: &mut Session<'_>,
    base: &Base,
    longest: u64,
) -> Result<Bursts, UsageError> {
    let mut outcomes = Vec::new();
    for transfer in transfers(base, longest) {
        outcomes.push(session.single(transfer)?);
    }
    let mut peaks = Vec::new();
    let mut early_done = None;
    for latency in PILE_LATENCIES {
        let transfer = longest_transfer(base, longest);
        let evidence = format!(
            "{} at a latency of {latency} cycles is told done with writes unanswered",
            session.words(&transfer)
        );
        let probe = session.probe(transfer).on(BusPolicy::with_latency(latency));
        let outcome = session.observe(&probe)?.outcomes.swap_remove(0);
        peaks.push((outcome.reads.peak, outcome.writes.peak));
        if outcome.unanswered_writes > 0 && early_done.is_none() {
            early_done = Some(format!("{evidence}: {}", outcome.unanswered_writes));
        }
    }
    if let Some(evidence) = early_done.clone() {
        let what = "The core says that it is done before its last write response.";
        session.notes.defect("early-done", what, evidence);
    }
    let facts = |way: fn(&Outcome) -> &Traffic, peak: fn(&(u32, u32)) -> u32| {
        let traffic: Vec<&Traffic> = outcomes.iter().map(way).collect();
        let peaks: Vec<u32> = peaks.iter().map(peak).collect();
        gather(&traffic, &peaks)
    };
    let found = Bursts {
        reads: facts(|outcome| &outcome.reads, |peaks| peaks.0),
        writes: facts(|outcome| &outcome.writes, |peaks| peaks.1),
        early_done,
    };
    for (facts, name, way) in [
        (&found.reads, "reads-cross-4k", "Read"),
        (&found.writes, "writes-cross-4k", "Write"),
    ] {
        if let Some(crossing) = facts.as_ref().and_then(|facts| facts.crosses_4k.clone()) {
            let what = format!("{way} bursts cross 4 KiB (IHI 0022, A3.4.1).");
            session.notes.defect(name, &what, crossing);
        }
    }
    Ok(found)
}

/// Transfers whose bursts differ: short and long, at the begin of a page and across its end.
fn transfers(base: &Base, longest: u64) -> Vec<Transfer> {
    // One at a time: a core that cuts its reads at pages may cut its writes alike.
    let mut reading_across = base.long_transfer();
    reading_across.source += 0x1000 - 112_u64.next_multiple_of(base.source_granule);
    let mut writing_across = base.long_transfer();
    writing_across.destination += 0x1000 - 112_u64.next_multiple_of(base.destination_granule);
    let mut odd = base.long_transfer();
    odd.source += base.source_granule;
    odd.destination += base.destination_granule * 3;
    vec![
        base.transfer(),
        base.long_transfer(),
        reading_across,
        writing_across,
        odd,
        longest_transfer(base, longest),
    ]
}

fn longest_transfer(base: &Base, longest: u64) -> Transfer {
    let bytes = longest.min(LONGEST).max(base.long);
    if base.source + bytes < base.destination {
        base.of(bytes - bytes % base.length_granule)
    } else {
        base.long_transfer()
    }
}

/// Puts the traffic of several transfers together.
fn gather(traffic: &[&Traffic], peaks: &[u32]) -> Option<BurstFacts> {
    let mut facts = BurstFacts {
        longest_beats: 0,
        lengths: std::collections::BTreeMap::new(),
        sizes: Vec::new(),
        types: Vec::new(),
        ids: Vec::new(),
        outstanding: outstanding(peaks),
        crosses_4k: None,
    };
    let (mut sizes, mut types, mut ids) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for one in traffic {
        for (beats, count) in &one.lengths {
            *facts.lengths.entry(*beats).or_insert(0) += count;
        }
        sizes.extend(one.sizes.iter().copied());
        types.extend(one.types.iter().cloned());
        ids.extend(one.ids.iter().copied());
        if facts.crosses_4k.is_none() {
            facts.crosses_4k.clone_from(&one.crosses_4k);
        }
    }
    facts.longest_beats = facts.lengths.keys().copied().max()?;
    facts.sizes.extend(sizes);
    facts.types.extend(types);
    facts.ids.extend(ids);
    Some(facts)
}

fn outstanding(peaks: &[u32]) -> Finding<u32> {
    let [near, far] = PILE_LATENCIES;
    match peaks {
        [first, second] if first == second => Finding::Measured {
            value: *second,
            evidence: vec![format!(
                "{second} in flight at a latency of {near} cycles, and no more at {far}"
            )],
        },
        [first, second] => Finding::AtLeast {
            value: *second.max(first),
            evidence: vec![format!(
                "{first} in flight at a latency of {near} cycles, {second} at {far}"
            )],
        },
        _ => Finding::Unknown {
            reason: "no transfer was slow enough".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::characterize::fake::{Fake, Planted, defects};

    #[test]
    fn bursts_are_counted_and_done_before_the_response_is_a_defect() {
        let mut core = Fake::with(Planted::Early);
        let (mut session, base) = core.session();
        let found = measure(&mut session, &base, 1 << 20).expect("a laboratory");
        let writes = found.writes.expect("it writes");
        assert_eq!(writes.longest_beats, 16);
        assert!(matches!(
            writes.outstanding,
            Finding::Measured { value: 1, .. }
        ));
        assert!(found.early_done.is_some());
        assert_eq!(defects(&session), ["early-done"]);
    }

    #[test]
    fn more_bursts_at_a_longer_latency_are_not_all_of_them() {
        assert!(matches!(
            outstanding(&[4, 7]),
            Finding::AtLeast { value: 7, .. }
        ));
        assert!(matches!(
            outstanding(&[8, 8]),
            Finding::Measured { value: 8, .. }
        ));
    }
}
