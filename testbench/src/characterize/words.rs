//! What was measured, in words: for the terminal, the page and the comments of the driver's lines alike.

use rebound_sim::manifest::Direction;

use crate::characterize::sheet::{
    ErrorFate, Fate, Finding, Phase, Recovery, ResetFate, Role, Strobes,
};

/// Writes a size exactly: in the largest unit that divides it.
#[must_use]
pub fn size(bytes: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    units
        .into_iter()
        .find(|(shift, _)| bytes > 0 && bytes.trailing_zeros() >= *shift)
        .map_or_else(
            || format!("{bytes} B"),
            |(shift, unit)| format!("{} {unit}", bytes >> shift),
        )
}

/// Writes a whole number in groups of three digits.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('_');
        }
        text.push(digit);
    }
    text
}

/// Counts things: `1 defect`, `2 defects`.
#[must_use]
pub fn count(number: usize, one: &str) -> String {
    let many = if number == 1 { "" } else { "s" };
    format!("{number} {one}{many}")
}

/// Says what a finding found.
#[must_use]
pub fn finding<T: Copy>(finding: &Finding<T>, text: impl Fn(T) -> String) -> String {
    match finding {
        Finding::Measured { value, .. } => text(*value),
        Finding::AtLeast { value, .. } => format!("at least {}", text(*value)),
        Finding::Unknown { .. } => "unknown".to_owned(),
    }
}

/// Names an end of a direction: `copy source`.
#[must_use]
pub fn place(direction: Direction, role: Role) -> String {
    format!("{} {}", direction.name(), role_name(role))
}

/// Names an end.
#[must_use]
pub const fn role_name(role: Role) -> &'static str {
    match role {
        Role::Source => "source",
        Role::Destination => "destination",
    }
}

/// Names the way on the bus by which an end is reached.
#[must_use]
pub const fn way_name(role: Role) -> &'static str {
    match role {
        Role::Source => "reads",
        Role::Destination => "writes",
    }
}

/// Says what became of a probe.
#[must_use]
pub fn fate(fate: &Fate) -> String {
    match fate {
        Fate::Reaches => "reaches".to_owned(),
        Fate::Goes { to, instead_of } => {
            format!("goes to {to:#x} instead of {instead_of:#x}, and the core says done")
        }
        Fate::Refuses { errors } => format!("refused: {}", errors.join(", ")),
        Fate::Corrupts { what } => format!("corrupts, and the core says done: {what}"),
        Fate::Hangs { step } => format!("hangs in {step}"),
        Fate::Dies { how } => format!("ends the simulation: {how}"),
        Fate::NotTried { reason } => format!("not tried: {reason}"),
    }
}

/// Names what became of a probe in a word.
#[must_use]
pub const fn fate_word(fate: &Fate) -> &'static str {
    match fate {
        Fate::Reaches => "reaches",
        Fate::Goes { .. } => "elsewhere",
        Fate::Refuses { .. } => "refused",
        Fate::Corrupts { .. } => "corrupts",
        Fate::Hangs { .. } => "hangs",
        Fate::Dies { .. } => "dies",
        Fate::NotTried { .. } => "not tried",
    }
}

/// Says what the core made of a refusal.
#[must_use]
pub fn error_fate(fate: &ErrorFate) -> String {
    match fate {
        ErrorFate::Reported { errors } => format!("reported: {}", errors.join(", ")),
        ErrorFate::Ignored => "ignored: the core says done".to_owned(),
        ErrorFate::Hangs { step } => format!("hangs in {step}"),
        ErrorFate::Dies { how } => format!("ends the simulation: {how}"),
        ErrorFate::NoErrorRule => "done, and the manifest has no rule for errors".to_owned(),
        ErrorFate::NotTried { reason } => format!("not tried: {reason}"),
    }
}

/// Says what it takes until a core works again.
#[must_use]
pub const fn recovery(recovery: Recovery) -> &'static str {
    match recovery {
        Recovery::Usable => "usable",
        Recovery::Reset => "needs a reset",
        Recovery::Never => "never again",
        Recovery::NotTried => "not tried",
    }
}

/// Says what became of a reset amid a transfer.
#[must_use]
pub fn reset_fate(fate: &ResetFate) -> String {
    match fate {
        ResetFate::Clean => "clean: quiet after it, and the next transfer sound".to_owned(),
        ResetFate::StaleBursts { first } => format!("bursts come after it: {first}"),
        ResetFate::Unusable { what } => format!("the next transfer is not sound: {what}"),
        ResetFate::NotTried { reason } => format!("not tried: {reason}"),
    }
}

/// Names a burst of a transfer.
#[must_use]
pub const fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::First => "first",
        Phase::Middle => "middle",
        Phase::Last => "last",
    }
}

/// Says how strobes are used.
#[must_use]
pub const fn strobes(strobes: Strobes) -> &'static str {
    match strobes {
        Strobes::Exact => "exact",
        Strobes::WholeBeats => "whole beats only",
        Strobes::TooWide => "write beyond the buffer",
        Strobes::TooNarrow => "leave bytes out",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_exact_in_the_largest_unit() {
        assert_eq!(
            [0, 1016, 65_535, 65_536, 3 << 20, 1 << 32].map(size),
            ["0 B", "1016 B", "65535 B", "64 KiB", "3 MiB", "4 GiB"]
        );
    }

    #[test]
    fn long_numbers_are_grouped() {
        assert_eq!(
            [7, 1000, 1_234_567].map(grouped),
            ["7", "1_000", "1_234_567"]
        );
    }

    #[test]
    fn things_are_counted_in_their_number() {
        assert_eq!(
            [0, 1, 2].map(|n| count(n, "defect")),
            ["0 defects", "1 defect", "2 defects"]
        );
    }

    #[test]
    fn a_fate_tells_both_addresses() {
        let goes = Fate::Goes {
            to: 0x1000,
            instead_of: 0x1_0000_1000,
        };
        assert_eq!(
            fate(&goes),
            "goes to 0x1000 instead of 0x100001000, and the core says done"
        );
    }
}
