//! What is done in one go: steps at one pace.

/// Steps follow each other in one go while none takes more than twice as long as the fastest before it.
const SLOWEST: u64 = 2;
/// Steps within so many nanoseconds are in one go, whatever their pace.
const ALWAYS_NS: u64 = 2_000;

/// The pace of steps that may belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Pace {
    last_ns: Option<u64>,
    fastest_ns: Option<u64>,
}

impl Pace {
    /// Notes a step; returns whether it goes on in one go with those before.
    pub(crate) fn goes_on(&mut self, time_ns: u64) -> bool {
        let Some(last_ns) = self.last_ns.replace(time_ns) else {
            return false;
        };
        let step_ns = time_ns.saturating_sub(last_ns);
        let goes_on = step_ns <= ALWAYS_NS
            || self
                .fastest_ns
                .is_none_or(|fastest_ns| step_ns <= fastest_ns.saturating_mul(SLOWEST));
        self.fastest_ns = if goes_on {
            let shortest = self
                .fastest_ns
                .map_or(step_ns, |fastest| fastest.min(step_ns));
            Some(shortest.max(ALWAYS_NS / SLOWEST))
        } else {
            None
        };
        goes_on
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_takes_more_than_twice_as_long_begins_anew() {
        let mut pace = Pace::default();
        let times = [0, 8_000, 16_500, 26_000, 60_000, 68_000, 69_000];
        let found: Vec<bool> = times.iter().map(|&time| pace.goes_on(time)).collect();
        assert_eq!(found, [false, true, true, true, false, true, true]);
    }
}
