//! What a driver of the core has to do beyond its settings: where a defect or a habit of the core asks for it.

use serde::Serialize;

use crate::characterize::envelope::Envelope;
use crate::characterize::sheet::{
    DirectionFacts, ErrorFacts, ErrorFate, Fate, Recovery, ResetFate, Role, Sheet, SilenceFacts,
    Strobes,
};
use crate::characterize::words;

/// What a driver has to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Duty {
    /// What, as an order.
    pub what: String,
    /// What the core did.
    pub why: String,
}

impl Duty {
    fn new(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            why: why.into(),
        }
    }
}

/// All duties, each once.
#[must_use]
pub fn duties(sheet: &Sheet, envelope: &Envelope) -> Vec<Duty> {
    let mut duties = Vec::new();
    duties.extend(alignment(envelope));
    for facts in &sheet.directions {
        duties.extend(lengths(facts));
        duties.extend(bursts(facts));
        duties.extend(strobes(sheet, facts));
        duties.extend(facts.errors.iter().filter_map(|one| refusal(facts, one)));
        duties.extend(facts.silence.iter().filter_map(|one| silence(facts, one)));
        duties.extend(reset(facts));
        duties.extend(early_done(facts));
    }
    let mut once: Vec<Duty> = Vec::new();
    for duty in duties {
        if !once.iter().any(|known| known.what == duty.what) {
            once.push(duty);
        }
    }
    once
}

fn alignment(envelope: &Envelope) -> Option<Duty> {
    let granule = envelope.address_granule();
    (granule > 1).then(|| {
        Duty::new(
            format!(
                "refuse buffers off multiples of {}; take your own at multiples of max({granule}, \
                 dma_get_cache_alignment())",
                words::size(granule)
            ),
            "mapping does not align a buffer: what is mapped off the granule stays off it",
        )
    })
}

fn lengths(facts: &DirectionFacts) -> Vec<Duty> {
    let name = facts.direction.name();
    let mut duties = Vec::new();
    if let Some(
        fate @ (Fate::Goes { .. } | Fate::Corrupts { .. } | Fate::Hangs { .. } | Fate::Dies { .. }),
    ) = &facts.past_longest
    {
        duties.push(Duty::new(
            format!(
                "never start a {name} longer than the longest transfer: the core does not refuse it"
            ),
            format!("past the longest: {}", words::fate(fate)),
        ));
    }
    if let fate @ (Fate::Goes { .. }
    | Fate::Corrupts { .. }
    | Fate::Hangs { .. }
    | Fate::Dies { .. }) = &facts.zero_length
    {
        duties.push(Duty::new(
            format!("never start a {name} of no bytes: complete it in software"),
            format!("no bytes: {}", words::fate(fate)),
        ));
    }
    duties
}

fn bursts(facts: &DirectionFacts) -> Vec<Duty> {
    let ways = [facts.reads.as_ref(), facts.writes.as_ref()];
    let crossing = ways
        .into_iter()
        .flatten()
        .find_map(|bursts| bursts.crosses_4k.as_ref());
    let mut duties: Vec<Duty> = crossing
        .map(|first| {
            Duty::new(
                "split every transfer at multiples of 4 KiB until the core is mended: AXI forbids bursts across them",
                format!("first such burst: {first}"),
            )
        })
        .into_iter()
        .collect();
    if !matches!(facts.reordered, Fate::Reaches | Fate::NotTried { .. }) {
        duties.push(Duty::new(
            "connect the core to an interconnect that answers in order, or have it use one id",
            format!("answers out of order: {}", words::fate(&facts.reordered)),
        ));
    }
    duties
}

fn strobes(sheet: &Sheet, facts: &DirectionFacts) -> Option<Duty> {
    let widest = sheet
        .core
        .managers
        .iter()
        .map(|port| port.data_bits / 8)
        .max();
    let beat = widest.unwrap_or(1);
    match facts.strobes? {
        Strobes::Exact => None,
        Strobes::WholeBeats => Some(Duty::new(
            format!(
                "give it buffers to write in whole beats of {beat} bytes, with nothing else in them"
            ),
            "write strobes are all set, always",
        )),
        Strobes::TooWide => Some(Duty::new(
            format!(
                "bounce every buffer to write through one of your own, in whole beats of {beat} bytes"
            ),
            "bytes beyond the buffer are written",
        )),
        Strobes::TooNarrow => Some(Duty::new(
            format!("start and end buffers to write on multiples of {beat} bytes"),
            "bytes at the ends of a buffer are not written",
        )),
    }
}

fn refusal(facts: &DirectionFacts, refusal: &ErrorFacts) -> Option<Duty> {
    let way = words::way_name(refusal.role);
    let why = format!(
        "{} to the {} burst of a {}: {}, then {}",
        refusal.response,
        words::phase(refusal.phase),
        facts.direction.name(),
        words::error_fate(&refusal.fate),
        words::recovery(refusal.after)
    );
    let what = match (&refusal.fate, refusal.after) {
        (_, Recovery::Never) => {
            "take the device out of use after an error: not even a reset helps".to_owned()
        }
        (ErrorFate::Ignored | ErrorFate::NoErrorRule, _) => format!(
            "do not trust done: a refused bus access of its {way} is not told; check the data where it matters"
        ),
        (ErrorFate::Hangs { .. } | ErrorFate::Dies { .. }, _) => timeout(),
        (_, Recovery::Reset) => {
            "reset the core after each error, before the next transfer".to_owned()
        }
        _ => return None,
    };
    Some(Duty::new(what, why))
}

fn silence(facts: &DirectionFacts, silence: &SilenceFacts) -> Option<Duty> {
    let way = match silence.role {
        Role::Source => "read",
        Role::Destination => "write",
    };
    let why = format!(
        "a {way} of a {} that is never answered: {}, then {}",
        facts.direction.name(),
        words::error_fate(&silence.fate),
        words::recovery(silence.after)
    );
    match (&silence.fate, silence.after) {
        (ErrorFate::NotTried { .. }, _) => None,
        (_, Recovery::Never) => Some(Duty::new(
            "take the device out of use after a time-out: not even a reset helps",
            why,
        )),
        (ErrorFate::Hangs { .. } | ErrorFate::Dies { .. }, _) => Some(Duty::new(timeout(), why)),
        _ => None,
    }
}

fn timeout() -> String {
    "wait with a time-out (wait_for_completion_timeout), then reset the core before its buffers are unmapped"
        .to_owned()
}

fn reset(facts: &DirectionFacts) -> Option<Duty> {
    let what = match &facts.reset {
        ResetFate::Clean | ResetFate::NotTried { .. } => return None,
        ResetFate::StaleBursts { .. } => {
            "let transfers end before a reset; if that cannot be, keep their buffers mapped until the bus is quiet"
        }
        ResetFate::Unusable { .. } => {
            "let transfers end before a reset: the next one is not sound otherwise"
        }
    };
    let why = format!(
        "a reset amid a {}: {}",
        facts.direction.name(),
        words::reset_fate(&facts.reset)
    );
    Some(Duty::new(what, why))
}

fn early_done(facts: &DirectionFacts) -> Option<Duty> {
    let evidence = facts.early_done.as_ref()?;
    Some(Duty::new(
        "read something back through the core's own path before the buffer is unmapped: done comes before the last \
         write has arrived",
        evidence.clone(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::characterize::fixtures;

    /// What the duties of the sound core with a change are, beside its time-out.
    fn of(change: impl FnOnce(&mut DirectionFacts)) -> Vec<String> {
        let mut sheet = fixtures::sound();
        change(&mut sheet.directions[0]);
        let duties = duties(&sheet, &Envelope::of(&sheet));
        let others = duties.into_iter().filter(|duty| duty.what != timeout());
        others.map(|duty| duty.what).collect()
    }

    fn hangs() -> Fate {
        Fate::Hangs {
            step: "control.copy.done[0]".into(),
        }
    }

    #[test]
    fn a_core_that_waits_for_ever_asks_for_a_time_out_alone() {
        let sheet = fixtures::sound();
        let duties = duties(&sheet, &Envelope::of(&sheet));
        assert_eq!(duties.len(), 1, "{duties:#?}");
        assert_eq!(duties[0].what, timeout());
        assert!(duties[0].why.contains("never answered"));
    }

    #[test]
    fn each_habit_has_its_duty() {
        type Change = fn(&mut DirectionFacts);
        let cases: [(&str, Change); 12] = [
            ("longer than the longest", |facts| {
                facts.past_longest = Some(hangs());
            }),
            ("of no bytes", |facts| {
                facts.zero_length = hangs();
            }),
            ("multiples of 4 KiB", |facts| {
                let reads = facts.reads.as_mut().expect("it reads");
                reads.crosses_4k = Some("AR at 0xff8".into());
            }),
            ("answers in order", |facts| {
                facts.reordered = hangs();
            }),
            ("whole beats of 8 bytes, with", |facts| {
                facts.strobes = Some(Strobes::WholeBeats);
            }),
            ("bounce every buffer", |facts| {
                facts.strobes = Some(Strobes::TooWide);
            }),
            ("start and end", |facts| {
                facts.strobes = Some(Strobes::TooNarrow);
            }),
            ("do not trust done", |facts| {
                facts.errors[0].fate = ErrorFate::Ignored;
            }),
            ("reset the core after each error", |facts| {
                facts.errors[0].after = Recovery::Reset;
            }),
            ("out of use after an error", |facts| {
                facts.errors[0].after = Recovery::Never;
            }),
            ("keep their buffers mapped", |facts| {
                facts.reset = ResetFate::StaleBursts {
                    first: "AR at 0x1000".into(),
                };
            }),
            ("before the last write", |facts| {
                facts.early_done = Some("done 12 cycles before the last B".into());
            }),
        ];
        for (words, change) in cases {
            let found = of(change);
            assert_eq!(found.len(), 1, "{words}: {found:#?}");
            assert!(found[0].contains(words), "{words}: {}", found[0]);
        }
    }

    #[test]
    fn a_granule_asks_for_aligned_buffers() {
        let mut sheet = fixtures::sound();
        fixtures::align(&mut sheet, Role::Source, 64);
        let duties = duties(&sheet, &Envelope::of(&sheet));
        assert!(
            duties[0]
                .what
                .contains("max(64, dma_get_cache_alignment())")
        );
    }
}
