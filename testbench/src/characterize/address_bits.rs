//! Address bits: walks a buffer up through every bit of the port and sees where the core goes.

use super::fate::{fate, words};
use super::probe::{Before, Transfer};
use super::session::{Base, Session};
use super::sheet::{BitFate, Fate, Finding, Role};
use crate::error::UsageError;

/// The lowest bit that is walked: the places of the first transfers have all bits below it.
pub(super) const LOWEST_BIT: u32 = 16;

/// Measures the address bits of a role.
///
/// # Errors
/// If there is no laboratory.
pub(super) fn measure(
    session: &mut Session<'_>,
    base: &Base,
    role: Role,
) -> Result<(Finding<u32>, Vec<BitFate>), UsageError> {
    let port_bits = session.shape.port_bits(role);
    let mut bits = Vec::new();
    let mut is_late = false;
    let mut first_bad = None;
    for bit in LOWEST_BIT..port_bits.min(64) {
        let transfer = base.with(role, 1 << bit | base.address(role));
        let mut fate = walk(session, &transfer, is_late)?;
        if let (Fate::Goes { .. }, false) = (&fate, is_late) {
            is_late = arrives_again(session, &transfer, &fate)?;
            if is_late {
                fate = Fate::Reaches;
            }
        }
        if fate != Fate::Reaches && first_bad.is_none() {
            first_bad = Some((bit, transfer, fate.clone()));
        }
        bits.push(BitFate { bit, fate });
    }
    let Some((bit, transfer, fate)) = first_bad else {
        let finding = if port_bits > LOWEST_BIT {
            whole(port_bits)
        } else {
            unwalked(session, base, role, port_bits)
        };
        return Ok((finding, bits));
    };
    let mut evidence = Vec::new();
    if bit > LOWEST_BIT {
        let below = base.with(role, 1 << (bit - 1) | base.address(role));
        evidence.push(format!("{} arrives", session.words(&below)));
    }
    evidence.push(format!("{} {}", session.words(&transfer), words(&fate)));
    note(session, &transfer, role, bit, &fate);
    let value = bit;
    Ok((Finding::Measured { value, evidence }, bits))
}

/// What becomes of a transfer; where addresses come late, of its repetition.
fn walk(session: &mut Session<'_>, transfer: &Transfer, is_late: bool) -> Result<Fate, UsageError> {
    let mut transfers = vec![transfer.clone()];
    if is_late {
        transfers.push(transfer.clone().after(Before::Nothing));
    }
    let observation = session.transfers(transfers)?;
    Ok(fate(observation.last(), transfer))
}

/// Whether a transfer that went astray arrives when it is asked for again: its address came too late.
fn arrives_again(
    session: &mut Session<'_>,
    transfer: &Transfer,
    first: &Fate,
) -> Result<bool, UsageError> {
    let is_late = walk(session, transfer, true)? == Fate::Reaches;
    if is_late {
        let evidence = format!(
            "{} {}; the same transfer again arrives",
            session.words(transfer),
            words(first)
        );
        let what = "A transfer uses address bits of the transfer before it.";
        session.notes.defect("late-address", what, evidence);
    }
    Ok(is_late)
}

fn whole(port_bits: u32) -> Finding<u32> {
    Finding::Measured {
        value: port_bits,
        evidence: vec![format!(
            "a buffer at each bit from {LOWEST_BIT} to {} arrives, and the port has no more",
            port_bits.saturating_sub(1)
        )],
    }
}

/// What is known of a port that has no bit to walk: the first transfer arrived.
fn unwalked(session: &Session<'_>, base: &Base, role: Role, port_bits: u32) -> Finding<u32> {
    let highest = base.address(role).max(1).ilog2() + 1;
    Finding::AtLeast {
        value: highest.min(port_bits),
        evidence: vec![
            format!("{} arrives", session.words(&base.of(base.bytes))),
            format!("the port has {port_bits} bits, and bits below {LOWEST_BIT} are not walked"),
        ],
    }
}

fn note(session: &mut Session<'_>, transfer: &Transfer, role: Role, bit: u32, fate: &Fate) {
    let asked = match role {
        Role::Source => transfer.source,
        Role::Destination => transfer.destination,
    };
    match fate {
        Fate::Goes { to, .. } if to & !(asked ^ to) == *to && *to < 1 << bit => {
            let evidence = format!("{} {}", session.words(transfer), words(fate));
            let what = "Address bits that the port has are dropped without an error.";
            session.notes.defect("truncates-address", what, evidence);
        }
        Fate::Goes { .. } | Fate::Corrupts { .. } => {
            let evidence = format!("{} {}", session.words(transfer), words(fate));
            let what =
                "A transfer at an address that the port has goes elsewhere, without an error.";
            session.notes.defect("misses-address", what, evidence);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::characterize::fake::{Fake, Planted, defects, value};

    fn bits(planted: Option<Planted>) -> (u32, Fate, Vec<String>) {
        let mut core = Fake {
            planted: planted.into_iter().collect(),
        };
        let (mut session, base) = core.session();
        let found = measure(&mut session, &base, Role::Destination).expect("a laboratory");
        let last = found.1.last().expect("bits").fate.clone();
        (value(&found.0), last, defects(&session))
    }

    #[test]
    fn a_port_without_a_bit_to_walk_is_measured_no_further_than_its_first_transfer() {
        let mut core = Fake::default();
        let (mut session, base) = core.session();
        session.shape.read_bits = LOWEST_BIT;
        let (found, bits) = measure(&mut session, &base, Role::Source).expect("a laboratory");
        let Finding::AtLeast { value, evidence } = found else {
            panic!("expected a bound, found {found:?}");
        };
        assert_eq!((value, bits), (15, vec![]), "the source lies at 0x4000");
        assert!(evidence[1].contains("the port has 16 bits"), "{evidence:?}");
    }

    #[test]
    fn a_sound_core_has_the_bits_of_its_port() {
        assert_eq!(bits(None), (40, Fate::Reaches, vec![]));
    }

    #[test]
    fn dropped_bits_are_a_defect_and_refused_ones_a_limit() {
        let (dropped, fate, names) = bits(Some(Planted::Truncates(32)));
        let low = Fate::Goes {
            to: 0x8000,
            instead_of: 1 << 39 | 0x8000,
        };
        assert_eq!((dropped, fate), (32, low));
        assert_eq!(names, ["truncates-address"]);
        let (refused, fate, names) = bits(Some(Planted::Refuses(36)));
        assert_eq!(refused, 36);
        assert!(matches!(fate, Fate::Refuses { .. }) && names.is_empty());
    }

    #[test]
    fn bits_that_come_a_transfer_late_are_told_from_dropped_ones() {
        let late = bits(Some(Planted::Late(32)));
        assert_eq!(late, (40, Fate::Reaches, vec!["late-address".to_owned()]));
    }
}
