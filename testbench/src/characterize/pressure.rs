//! Slow and unordered buses: a core must be right on all of them.

use rebound_sim::axi::{Bandwidth, BusPolicy, ChannelStalls, ResponseOrder};
use rebound_sim::stall::Stall;

use super::fate::{fate, words};
use super::probe::Transfer;
use super::session::{Base, Session};
use super::sheet::Fate;
use crate::error::UsageError;

/// Write latencies that are swept: a response then meets every state of the core.
const RESPONSE_LATENCIES: std::ops::RangeInclusive<u32> = 1..=24;
/// Jitters that let answers overtake each other, of cores that ask often and of cores that ask seldom.
const REORDER_JITTERS: [u32; 2] = [60, 240];

/// A bus and its name.
struct Pressure {
    name: String,
    bus: BusPolicy,
}

fn pressure(name: &str, change: impl FnOnce(&mut BusPolicy)) -> Pressure {
    let mut bus = BusPolicy::default();
    change(&mut bus);
    Pressure {
        name: name.to_owned(),
        bus,
    }
}

fn pressures() -> Vec<Pressure> {
    let often = Stall::Random { probability: 0.75 };
    let long = Stall::LongHold { run: 3, hold: 61 };
    let one_in = |cycles| Some(Bandwidth { beats: 1, cycles });
    let mut all = vec![
        pressure("slow write data", |bus| bus.write_bandwidth = one_in(16)),
        pressure("write data that stops", |bus| bus.stalls.w = long),
        pressure("write data at random", |bus| bus.stalls.w = often),
        pressure("slow read data", |bus| bus.read_bandwidth = one_in(16)),
        pressure("read data at random", |bus| bus.stalls.r = often),
        pressure("write addresses at random", |bus| bus.stalls.aw = often),
        pressure("write addresses that stop", |bus| bus.stalls.aw = long),
        pressure("read addresses at random", |bus| bus.stalls.ar = often),
        pressure("responses at random", |bus| {
            bus.stalls.b = often;
            bus.write_jitter_cycles = 40;
        }),
        pressure("everything at random", |bus| {
            bus.stalls = ChannelStalls::uniform(Stall::Random { probability: 0.4 });
            bus.read_jitter_cycles = 20;
            bus.write_jitter_cycles = 20;
        }),
        pressure("reads after 100 cycles", |bus| {
            bus.read_latency_cycles = 100;
        }),
    ];
    all.extend(RESPONSE_LATENCIES.chain([100]).map(|latency| {
        pressure(&format!("responses after {latency} cycles"), |bus| {
            bus.write_latency_cycles = latency;
        })
    }));
    all
}

/// Runs transfers on slow buses and notes those that fail.
///
/// # Errors
/// If there is no laboratory.
pub(super) fn slow(session: &mut Session<'_>, base: &Base) -> Result<(), UsageError> {
    for pressure in pressures() {
        let transfer = base.long_transfer();
        let found = on(session, &transfer, &pressure.bus)?;
        let verb = match found {
            Fate::Reaches | Fate::NotTried { .. } => continue,
            Fate::Hangs { .. } => "hangs",
            Fate::Dies { .. } => "dies",
            Fate::Refuses { .. } => "fails",
            Fate::Goes { .. } => "goes-astray",
            Fate::Corrupts { .. } => "corrupts",
        };
        let evidence = format!(
            "{}: {} {}",
            pressure.name,
            session.words(&transfer),
            words(&found)
        );
        let name = format!("{verb}-under-backpressure");
        let what = "A transfer that is right on a fast bus is not on a slow one.";
        session.notes.defect(&name, what, evidence);
    }
    Ok(())
}

/// Says what becomes of a transfer whose answers overtake each other across ids.
///
/// # Errors
/// If there is no laboratory.
pub(super) fn reordered(session: &mut Session<'_>, base: &Base) -> Result<Fate, UsageError> {
    for jitter in REORDER_JITTERS {
        let jittered = BusPolicy {
            read_jitter_cycles: jitter,
            write_jitter_cycles: jitter,
            ..BusPolicy::default()
        };
        for interleave_reads in [false, true] {
            let bus = BusPolicy {
                order: ResponseOrder::ReorderById { interleave_reads },
                ..jittered.clone()
            };
            let transfer = base.long_transfer();
            let found = on(session, &transfer, &bus)?;
            if found == Fate::Reaches {
                continue;
            }
            if on(session, &transfer, &jittered)? == Fate::Reaches {
                let evidence = format!("{} {}", session.words(&transfer), words(&found));
                let what =
                    "Answers that overtake each other across ids are mixed up (IHI 0022, A5.3).";
                session.notes.defect("mixes-ids", what, evidence);
            }
            return Ok(found);
        }
    }
    Ok(Fate::Reaches)
}

fn on(session: &mut Session<'_>, transfer: &Transfer, bus: &BusPolicy) -> Result<Fate, UsageError> {
    let probe = session.probe(transfer.clone()).on(bus.clone());
    let observation = session.observe(&probe)?;
    Ok(fate(observation.first(), transfer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::characterize::fake::{Fake, Planted, defects};

    #[test]
    fn a_core_that_a_slow_bus_hangs_is_told_with_the_bus() {
        let mut core = Fake::with(Planted::HangsWhenSlow);
        let (mut session, base) = core.session();
        slow(&mut session, &base).expect("a laboratory");
        assert_eq!(defects(&session), ["hangs-under-backpressure"]);
        let evidence = &session.notes.defects["hangs-under-backpressure"].evidence;
        assert!(
            evidence[0].starts_with("slow write data: copy"),
            "{evidence:?}"
        );
        assert_eq!(
            reordered(&mut session, &base).expect("a laboratory"),
            Fate::Reaches
        );
    }

    #[test]
    fn every_slow_bus_is_one() {
        for pressure in pressures() {
            let checked = pressure.bus.check();
            assert_eq!(checked, Ok(()), "{}", pressure.name);
        }
    }
}
