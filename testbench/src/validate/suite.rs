//! The scenarios of a validation: what each does, to which cores it applies, and its trials.

use super::profile::Profile;
use super::trial::Trial;
use super::{address, basic, bus, errors, overlap, random, reset};
use crate::seed::Seed;

/// A scenario for any core.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// `group/name`.
    pub name: &'static str,
    /// What is done and judged, in one sentence.
    pub what: &'static str,
    /// Whether it applies to a core; the reason, if not.
    pub applies: fn(&Profile) -> Result<(), String>,
    /// Makes the trial of a seed; only for cores to which it applies.
    pub trial: fn(&Profile, Seed) -> Trial,
    /// Whether more seeds mean more runs.
    pub is_seeded: bool,
}

impl Scenario {
    /// The trial of a seed, for a core that it applies to and that reaches enough memory; the reason, if not.
    ///
    /// # Errors
    /// If there is no such trial: the scenario is skipped.
    pub fn trial_for(&self, profile: &Profile, seed: Seed) -> Result<Trial, String> {
        (self.applies)(profile)?;
        let trial = (self.trial)(profile, seed);
        if trial.lacks_room {
            let bits = profile.limits.address_bits;
            return Err(format!(
                "{bits} address bits: the buffers find no room within reach"
            ));
        }
        Ok(trial)
    }

    /// Whether it needs a build in which registers begin with random values.
    #[must_use]
    pub fn has_random_reset(&self) -> bool {
        self.name == random::RESET_VALUES
    }
}

/// Applies to every core.
pub(super) const fn always(_: &Profile) -> Result<(), String> {
    Ok(())
}

/// Returns all scenarios in the order of reports.
#[must_use]
pub fn all() -> Vec<Scenario> {
    [
        basic::SCENARIOS,
        overlap::SCENARIOS,
        address::SCENARIOS,
        bus::SCENARIOS,
        errors::SCENARIOS,
        reset::SCENARIOS,
        random::SCENARIOS,
    ]
    .concat()
}

/// Returns the scenario of a name.
#[must_use]
pub fn find(name: &str) -> Option<Scenario> {
    all().into_iter().find(|scenario| scenario.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_have_a_group() {
        let mut names: Vec<&str> = all().iter().map(|scenario| scenario.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(names.iter().all(|name| name.split('/').count() == 2));
    }

    #[test]
    fn trials_repeat_and_can_be_laid_out_for_many_limits() {
        for bits in [16, 19, 20, 23, 24, 26, 32, 36, 64] {
            for (granule, beat_bytes) in [(1, 4), (4, 4), (8, 8), (1, 64)] {
                let mut profile = Profile::of_copy(bits);
                let limits = &mut profile.limits;
                limits.source_alignment = granule;
                limits.destination_alignment = granule;
                limits.length_alignment = granule;
                limits.max_length = Some((1 << 20) / granule * granule - granule);
                profile.beat_bytes = beat_bytes;
                for scenario in all() {
                    let trial = || scenario.trial_for(&profile, Seed::new(7));
                    assert_eq!(trial(), trial(), "{}", scenario.name);
                    if let Ok(trial) = trial() {
                        assert!(!trial.jobs.is_empty(), "{}", scenario.name);
                    }
                }
            }
        }
    }

    #[test]
    fn what_does_not_apply_says_why() {
        let mut profile = Profile::of_copy(64);
        profile.interrupts.clear();
        profile.id_bits = 0;
        let reason = |name| {
            let scenario = find(name).expect("it exists");
            (scenario.applies)(&profile).expect_err("it does not apply")
        };
        assert!(reason("address/above").contains("64 address bits"));
        assert!(reason("basic/interrupt").contains("no interrupt"));
        assert!(reason("bus/reorder").contains("ids"));
        assert!(reason("basic/zero-length").contains("min_length"));
    }
}
