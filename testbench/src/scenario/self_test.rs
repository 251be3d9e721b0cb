//! Scenarios that test the runner: their process dies or never ends. They run only when named.

use std::time::Duration;

use crate::scenario::plan::Plan;
use crate::scenario::{CHILD_MARK, Scenario};
use crate::seed::Seed;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "self-test/child-aborts",
        stimulus: "The process of the run aborts, as with a foreign core that corrupts its own memory.",
        checking: "It costs one verdict, which tells the signal and the last lines of the process.",
        plan: aborts,
    },
    Scenario {
        name: "self-test/child-hangs",
        stimulus: "The process of the run never ends, as with a core that loops in one evaluation.",
        checking: "The watchdog stops it, and it costs one verdict.",
        plan: hangs,
    },
];

fn aborts(seed: Seed) -> Plan {
    if std::env::var_os(CHILD_MARK).is_some() {
        eprintln!("self-test: aborting on purpose");
        std::process::abort();
    }
    super::transfers::SCENARIOS[0].plan_for(seed)
}

fn hangs(seed: Seed) -> Plan {
    if std::env::var_os(CHILD_MARK).is_some() {
        eprintln!("self-test: hanging on purpose");
        loop {
            std::thread::sleep(Duration::from_secs(1));
        }
    }
    super::transfers::SCENARIOS[0].plan_for(seed)
}

impl Scenario {
    fn plan_for(&self, seed: Seed) -> Plan {
        (self.plan)(seed)
    }
}
