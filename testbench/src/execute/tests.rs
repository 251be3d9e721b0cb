//! Whole plans on the model engine: the suite's verdicts without Verilator.

use super::model_engine::ModelEngine;
use super::*;
use crate::result::{Verdict, decisive, judge};
use crate::scenario;
use crate::scenario::layout::{Layout, Placement};
use crate::scenario::plan::{Demand, Outcome, PlantedFault};
use crate::seed::Seed;

fn run(plan: &Plan) -> RunResult {
    let run = run_on(ModelEngine::new(plan.engine), plan);
    run.expect("the model has all ports").0
}

/// Runs a scenario of the suite and tells how it went.
fn verdict(name: &str) -> (Verdict, String) {
    let scenario = scenario::find(name).expect("a scenario of the suite");
    let plan = (scenario.plan)(Seed::new(1));
    let mut result = run(&plan);
    // The model is slower than the engine: its cycles are not judged.
    result.broken.remove(&Check::Budget);
    result
        .violations
        .retain(|violation| violation.check != Check::Budget);
    let verdict = judge(&plan.expect, &result);
    let first = decisive(&plan.expect, &result);
    let text = first.map_or_else(String::new, |violation| {
        format!("{}: {violation} (of {:?})", violation.check, result.broken)
    });
    (verdict, text)
}

#[test]
fn scenarios_of_64_bits_pass_on_the_model() {
    let mut wrong = Vec::new();
    for scenario in scenario::suite() {
        let plan = (scenario.plan)(Seed::new(1));
        let needs_rtl = plan.engine.planted_fault.is_some() || plan.engine.data_width != 64;
        if needs_rtl || scenario.name == "control/slow-bus" {
            continue;
        }
        let (verdict, text) = verdict(scenario.name);
        if !verdict.is_good() {
            wrong.push(format!("{} {verdict:?} {text}", scenario.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_same_plan_gives_the_same_result() {
    let plan = (scenario::find("pool/areas-and-cpus")
        .expect("in the suite")
        .plan)(Seed::new(3));
    assert_eq!(run(&plan), run(&plan));
}

#[test]
fn a_lost_tail_is_named_by_its_bytes() {
    let mut layout = Layout::new(Seed::new(1), 32);
    layout.receive(0, Placement::Above, 1000, 0);
    let mut plan = layout.finish();
    plan.engine.planted_fault = Some(PlantedFault::LostTail);
    let result = run(&plan);
    let first = &result.violations[0];
    assert_eq!(first.check, Check::NotWritten, "{first}");
    assert!(first.text.starts_with("rx0+0x3e0 not written"), "{first}");
}

#[test]
fn bouncing_costs_cycles_and_moves_the_same_beats() {
    let plan = (scenario::find("transfer/copy").expect("in the suite").plan)(Seed::new(1));
    let (bounced, direct) = (run(&plan), run(&plan.unbounced()));
    assert!(
        bounced
            .broken
            .keys()
            .chain(direct.broken.keys())
            .all(|check| *check == Check::Budget)
    );
    assert!(bounced.counts.cycles > direct.counts.cycles);
    assert!(bounced.counts.bounced_mappings > 0 && direct.counts.bounced_mappings == 0);
    assert_eq!(direct.counts.cpu_copy_cycles, 0);
}

/// One bounced transfer to the device.
fn plain() -> Plan {
    let mut layout = Layout::new(Seed::new(1), 32);
    layout.send(0, Placement::Above, 1000, 0);
    layout.finish()
}

/// Returns the only check that a run broke, with its first violation.
fn only(result: &RunResult) -> (Check, &str) {
    assert_eq!(result.broken.len(), 1, "{:?}", result.violations);
    (result.violations[0].check, &result.violations[0].text)
}

#[test]
fn an_error_that_does_not_come_breaks_the_status_check() {
    let mut plan = plain();
    plan.transfers[0].outcome = Outcome::Slverr;
    let result = run(&plan);
    let (check, text) = only(&result);
    assert_eq!(check, Check::Status);
    assert_eq!(text, "engine status: expected failure Slverr, found none");
}

#[test]
fn an_error_that_nobody_expects_breaks_the_status_check() {
    let plan = (scenario::find("bus/error-responses")
        .expect("in the suite")
        .plan)(Seed::new(1));
    let mut surprised = plan.clone();
    for transfer in &mut surprised.transfers {
        transfer.outcome = Outcome::Done;
    }
    let result = run(&surprised);
    assert!(
        result.broken.contains_key(&Check::Status),
        "{:?}",
        result.broken
    );
    let first = &result.violations[0];
    assert!(first.text.contains("found Slverr at dma 0x"), "{first}");
    assert!(run(&plan).broken.is_empty());
}

#[test]
fn a_buffer_out_of_reach_without_a_pool_breaks_the_mapping_check() {
    let mut plan = plain();
    plan.machine.pool = None;
    let result = run(&plan);
    let (check, text) = only(&result);
    assert_eq!(check, Check::Mapping);
    assert!(
        text.starts_with("map refused: device cannot address 0x100102000"),
        "{text}"
    );
}

#[test]
fn a_core_that_ends_the_simulation_breaks_the_assertion_check() {
    let plan = plain();
    let mut model = ModelEngine::new(plan.engine);
    model.steps_left = 300;
    let (result, _) = run_on(model, &plan).expect("the model has all ports");
    assert!(
        result.broken.contains_key(&Check::Assertion),
        "{:?}",
        result.broken
    );
    assert!(
        result.violations[0]
            .text
            .contains("the model was told to end here")
    );
    assert_eq!(result.violations[0].cycle, Some(300));
}

#[test]
fn a_situation_that_is_not_reached_is_a_violation() {
    for demand in [
        Demand::PoolRunsFull,
        Demand::ChannelsOverlap,
        Demand::MixedMappings,
    ] {
        let mut plan = plain();
        plan.demands = vec![demand];
        assert_eq!(only(&run(&plan)).0, Check::Unreached, "{demand:?}");
    }
}
