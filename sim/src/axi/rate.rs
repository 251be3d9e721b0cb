//! Bandwidth: at most so many beats in so many cycles, evenly spread.

use super::policy::Bandwidth;

/// A credit account: each cycle earns `beats`, each beat costs `cycles`, and no more than one beat is
/// saved up. So the beats are spread evenly, and never more than the rate over any span (plus one).
#[derive(Debug, Clone)]
pub(super) struct RateLimiter {
    limit: Option<Limit>,
}

#[derive(Debug, Clone)]
struct Limit {
    earn: u64,
    cost: u64,
    credit: u64,
    /// Cycle up to which credit was earned.
    cycle: u64,
}

impl RateLimiter {
    pub(super) fn new(bandwidth: Option<Bandwidth>) -> Self {
        Self {
            limit: bandwidth.map(|Bandwidth { beats, cycles }| Limit {
                earn: u64::from(beats),
                cost: u64::from(cycles),
                credit: u64::from(cycles),
                cycle: 0,
            }),
        }
    }

    pub(super) const fn is_active(&self) -> bool {
        self.limit.is_some()
    }

    /// Returns whether a beat may move in `cycle`.
    #[inline]
    pub(super) fn allows(&mut self, cycle: u64) -> bool {
        let Some(limit) = &mut self.limit else {
            return true;
        };
        let earned = cycle.saturating_sub(limit.cycle).saturating_mul(limit.earn);
        // What is above one beat's cost is kept while it is spent in the same step, else an uneven
        // rate (3 in 4) would lose its remainder; the cap is one beat and the remainder.
        limit.credit = limit
            .credit
            .saturating_add(earned)
            .min(limit.cost + limit.earn - 1);
        limit.cycle = cycle;
        limit.credit >= limit.cost
    }

    /// Pays for the beat that moved.
    #[inline]
    pub(super) fn spend(&mut self) {
        if let Some(limit) = &mut self.limit {
            limit.credit = limit.credit.saturating_sub(limit.cost);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn moved(beats: u32, cycles: u32, span: u64) -> Vec<u64> {
        let mut limiter = RateLimiter::new(Some(Bandwidth { beats, cycles }));
        (0..span)
            .filter(|cycle| {
                let allowed = limiter.allows(*cycle);
                if allowed {
                    limiter.spend();
                }
                allowed
            })
            .collect()
    }

    #[test]
    fn no_limit_allows_every_cycle() {
        let mut limiter = RateLimiter::new(None);
        assert!((0..10).all(|cycle| limiter.allows(cycle)));
        assert!(!limiter.is_active());
    }

    #[test]
    fn one_beat_in_four_cycles_moves_every_fourth_cycle() {
        assert_eq!(moved(1, 4, 16), [0, 4, 8, 12]);
    }

    proptest! {
        #[test]
        fn the_rate_is_reached_and_never_exceeded(beats in 1u32..20, extra in 0u32..20) {
            let cycles = beats + extra;
            let span = u64::from(cycles) * 50;
            let all = moved(beats, cycles, span);
            prop_assert!(all.len() as u64 >= u64::from(beats) * 50);
            for window in 0..span - u64::from(cycles) {
                let inside = all
                    .iter()
                    .filter(|at| (window..window + u64::from(cycles)).contains(*at))
                    .count();
                prop_assert!(inside <= beats as usize + 1, "{} beats from cycle {}", inside, window);
            }
        }
    }
}
