//! Counts over time: how high, how long, how often.

/// Lifetimes by their binary logarithm in nanoseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lifetimes {
    buckets: [u64; 64],
    count: u64,
    longest_ns: u64,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            buckets: [0; 64],
            count: 0,
            longest_ns: 0,
        }
    }
}

impl Lifetimes {
    pub(crate) fn note(&mut self, ns: u64) {
        self.buckets[ns.checked_ilog2().unwrap_or(0) as usize] += 1;
        self.count += 1;
        self.longest_ns = self.longest_ns.max(ns);
    }

    /// Returns the time in nanoseconds that `percent` % of the mappings do not outlive, rounded up to
    /// a power of two less one, and not above the longest.
    #[must_use]
    pub fn percentile_ns(&self, percent: u64) -> u64 {
        let wanted = (self.count * percent).div_ceil(100);
        let mut seen = 0;
        for (exponent, &count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= wanted && count > 0 {
                return (u64::MAX >> (63 - exponent)).min(self.longest_ns);
            }
        }
        0
    }

    /// Returns the longest in nanoseconds.
    #[must_use]
    pub const fn longest_ns(&self) -> u64 {
        self.longest_ns
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (bucket, count) in self.buckets.iter_mut().zip(other.buckets) {
            *bucket += count;
        }
        self.count += other.count;
        self.longest_ns = self.longest_ns.max(other.longest_ns);
    }
}

/// A count that rises and falls, with its peak and how long it stood there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Level {
    now: u64,
    peak: u64,
    at_peak_ns: u64,
    since_ns: u64,
}

impl Level {
    /// Begins with a level at a time.
    #[must_use]
    pub const fn at(now: u64, time_ns: u64) -> Self {
        Self {
            now,
            peak: now,
            at_peak_ns: 0,
            since_ns: time_ns,
        }
    }

    /// Sets the level at a time.
    pub fn set(&mut self, now: u64, time_ns: u64) {
        if self.now == self.peak {
            // Saturating: a clock that jumps there and back adds up to more than there is.
            self.at_peak_ns = self
                .at_peak_ns
                .saturating_add(time_ns.saturating_sub(self.since_ns));
        }
        if now > self.peak {
            (self.peak, self.at_peak_ns) = (now, 0);
        }
        (self.now, self.since_ns) = (now, time_ns);
    }

    /// Returns the level.
    #[must_use]
    pub const fn now(&self) -> u64 {
        self.now
    }

    /// Returns the peak.
    #[must_use]
    pub const fn peak(&self) -> u64 {
        self.peak
    }

    /// Returns how long the level stood at its peak, in nanoseconds.
    #[must_use]
    pub const fn at_peak_ns(&self) -> u64 {
        self.at_peak_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_knows_how_long_it_stood_at_its_peak() {
        let mut level = Level::default();
        for (now, time) in [(3, 10), (5, 20), (2, 25), (5, 40), (0, 41)] {
            level.set(now, time);
        }
        assert_eq!((level.peak(), level.at_peak_ns(), level.now()), (5, 6, 0));
        let mut level = Level::at(1, 60);
        level.set(0, 70);
        assert_eq!((level.peak(), level.at_peak_ns()), (1, 10));
    }

    #[test]
    fn percentiles_are_powers_of_two_up_to_the_longest() {
        let mut lifetimes = Lifetimes::default();
        for ns in [3, 3, 3, 900, 1000] {
            lifetimes.note(ns);
        }
        assert_eq!(
            (lifetimes.percentile_ns(50), lifetimes.percentile_ns(100)),
            (3, 1000)
        );
        assert_eq!(Lifetimes::default().percentile_ns(50), 0);
    }
}
