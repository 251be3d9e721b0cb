//! Scenarios: named functions from a seed to a [`Plan`].

pub mod device;
pub mod layout;
pub mod plan;

mod bus;
mod controls;
mod devices;
mod faults;
mod limits;
mod parameters;
mod pool;
mod reach;
mod self_test;
mod swiotlb;
mod sync;
mod transfers;

use crate::seed::Seed;
use plan::Plan;

/// A named function from a seed to a plan, with its intent in words.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// Group and name, `bounce/partial-write` for instance.
    pub name: &'static str,
    /// What is done.
    pub stimulus: &'static str,
    /// What is judged.
    pub checking: &'static str,
    /// Makes the plan.
    pub plan: fn(Seed) -> Plan,
}

/// Returns the suite, in report order.
#[must_use]
pub fn suite() -> Vec<Scenario> {
    [
        transfers::SCENARIOS,
        limits::SCENARIOS,
        devices::SCENARIOS,
        parameters::SCENARIOS,
        pool::SCENARIOS,
        sync::SCENARIOS,
        swiotlb::SCENARIOS,
        bus::SCENARIOS,
        controls::SCENARIOS,
    ]
    .concat()
}

/// Returns the family of planted faults of the engine; it runs only when it is named, for each fault is a core
/// of its own.
#[must_use]
pub fn faults() -> Vec<Scenario> {
    faults::SCENARIOS.to_vec()
}

/// Returns every scenario that a user may ask for, in report order.
#[must_use]
pub fn all() -> Vec<Scenario> {
    [suite(), faults()].concat()
}

/// Returns the scenarios that test the runner itself; they run only when they are named.
#[must_use]
pub fn self_tests() -> Vec<Scenario> {
    self_test::SCENARIOS.to_vec()
}

/// Finds a scenario by name, self-tests included.
#[must_use]
pub fn find(name: &str) -> Option<Scenario> {
    all()
        .into_iter()
        .chain(self_tests())
        .find(|scenario| scenario.name == name)
}

/// The environment variable that marks the process of a run: only there do self-tests misbehave.
pub const CHILD_MARK: &str = "REBOUND_RUN_CHILD";

/// The scenario whose waveform `rebound sim` writes without being asked.
pub const WAVE_SCENARIO: &str = "bounce/waveform";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_every_scenario_says_what_it_does() {
        let mut names = BTreeSet::new();
        for scenario in all().into_iter().chain(self_tests()) {
            assert!(names.insert(scenario.name), "{} twice", scenario.name);
            assert!(scenario.name.contains('/'), "{}", scenario.name);
            for text in [scenario.stimulus, scenario.checking] {
                assert!(text.len() > 12 && text.ends_with('.'), "{}", scenario.name);
            }
        }
        assert!(suite().len() >= 20);
        assert!(names.contains(WAVE_SCENARIO));
    }

    #[test]
    fn plans_can_be_made_from_any_seed_and_repeat() {
        for scenario in all() {
            for seed in [0, 1, 42, u64::MAX] {
                let plan = (scenario.plan)(Seed::new(seed));
                assert_eq!(plan, (scenario.plan)(Seed::new(seed)), "{}", scenario.name);
                let json = serde_json::to_string(&plan).expect("a plan is plain data");
                let back: Plan = serde_json::from_str(&json).expect("it is read back");
                assert_eq!(plan, back, "{}", scenario.name);
            }
        }
    }

    #[test]
    fn transfers_refer_to_buffers_and_cpus_that_exist() {
        for scenario in suite() {
            let plan = (scenario.plan)(Seed::new(7));
            assert!(!plan.transfers.is_empty(), "{}", scenario.name);
            for transfer in &plan.transfers {
                assert!(transfer.cpu < plan.machine.cpus, "{}", scenario.name);
                assert!(plan.buffer_of(transfer).bytes > 0, "{}", scenario.name);
                if let plan::Usage::Reuse { offset, bytes, .. } = transfer.usage {
                    assert!(offset + bytes <= plan.buffer_of(transfer).bytes);
                }
            }
        }
    }

    #[test]
    fn every_planted_fault_has_its_scenario() {
        let planted: Vec<_> = faults()
            .iter()
            .filter_map(|scenario| (scenario.plan)(Seed::new(1)).engine.planted_fault)
            .collect();
        assert_eq!(planted, plan::PlantedFault::ALL);
    }

    #[test]
    fn the_suite_needs_few_different_cores() {
        let cores: BTreeSet<_> = suite()
            .iter()
            .flat_map(|scenario| {
                let plan = (scenario.plan)(Seed::new(1));
                [plan.engine, plan.unbounced().engine]
            })
            .collect();
        assert!(cores.len() <= 22, "{} cores: {cores:#?}", cores.len());
    }
}
