//! Whole plans on the model engine: the suite's verdicts without Verilator.

use super::model_engine::{ModelEngine, Quirk};
use super::*;
use crate::result::{Verdict, decisive, judge};
use crate::scenario;
use crate::scenario::layout::{Layout, Placement};
use crate::scenario::plan::{Demand, Expect, Outcome, PlantedFault};
use crate::seed::Seed;

fn run(plan: &Plan) -> RunResult {
    let run = run_on(ModelEngine::new(plan.engine), plan);
    run.expect("the model has all ports").0
}

/// Runs a plan on a model with a quirk, and drops the budget's verdict: the model is slower than the engine.
fn run_with(quirk: Quirk, plan: &Plan) -> RunResult {
    let mut model = ModelEngine::new(plan.engine);
    model.quirk = Some(quirk);
    without_budget(run_on(model, plan).expect("the model has all ports").0)
}

fn without_budget(mut result: RunResult) -> RunResult {
    result.broken.remove(&Check::Budget);
    result
        .violations
        .retain(|violation| violation.check != Check::Budget);
    result
}

fn plan_of(scenario: &str) -> Plan {
    let scenario = scenario::find(scenario).expect("a scenario of the suite");
    (scenario.plan)(Seed::new(1))
}

/// Runs a scenario of the suite and tells how it went.
fn verdict(name: &str) -> (Verdict, String) {
    let scenario = scenario::find(name).expect("a scenario of the suite");
    let plan = (scenario.plan)(Seed::new(1));
    let result = without_budget(run(&plan));
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
        let is_of_budget = plan.expect
            == Expect::Caught {
                must: vec![Check::Budget.into()],
                may: Vec::new(),
            };
        if needs_rtl || is_of_budget {
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
    let result = without_budget(result);
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
    assert!(without_budget(run(&plan)).broken.is_empty());
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
        Demand::TransientPool,
        Demand::GrownPool,
        Demand::OwnBuffer,
        Demand::ShrunkPool,
    ] {
        let mut plan = plain();
        plan.demands = vec![demand];
        let result = without_budget(run(&plan));
        assert_eq!(only(&result).0, Check::Unreached, "{demand:?}");
    }
}

#[test]
fn channels_that_take_turns_do_not_overlap() {
    let plan = plan_of("bus/both-channels");
    let result = run_with(Quirk::OneChannelAtATime, &plan);
    let (check, text) = only(&result);
    assert_eq!(check, Check::Unreached);
    assert!(
        text.contains("while the other had a burst in flight"),
        "{text}"
    );
}

#[test]
fn a_wrong_failing_address_breaks_the_status_check() {
    for (scenario, failures, expected) in [
        ("bus/error-responses", 4, "expected dma 0x"),
        ("limit/refused-by-engine", 2, "expected dma 0x100000000"),
    ] {
        let result = run_with(Quirk::WrongFailAddr, &plan_of(scenario));
        assert_eq!(
            result.broken.get(&Check::Status),
            Some(&failures),
            "{scenario}"
        );
        assert_eq!(result.broken.len(), 1, "{scenario}: {:?}", result.broken);
        let found = |violation: &Violation| {
            violation.text.starts_with("failing address of") && violation.text.contains(expected)
        };
        assert!(
            result.violations.iter().any(found),
            "{:?}",
            result.violations
        );
    }
}

#[test]
fn a_failed_transfer_that_counts_its_bytes_wrong_breaks_the_status_check() {
    let result = run_with(Quirk::ShortBytesDone, &plan_of("bus/error-responses"));
    let found = |violation: &Violation| violation.text.starts_with("bytes done of S2mm before its");
    assert!(
        result.violations.iter().any(found),
        "{:?}",
        result.violations
    );
}

#[test]
fn a_transfer_that_counts_its_bytes_wrong_breaks_the_status_check() {
    let result = run_with(Quirk::ShortBytesDone, &plain());
    let (check, text) = only(&result);
    assert_eq!(check, Check::Status);
    assert_eq!(text, "engine status: expected 1000 bytes done, found 999");
}

#[test]
fn a_refused_transfer_that_uses_the_bus_breaks_the_status_check() {
    let mut plan = plan_of("limit/refused-by-engine");
    plan.transfers.truncate(2);
    let result = run_with(Quirk::ReadsWhenRefused, &plan);
    let (check, text) = only(&result);
    assert_eq!(check, Check::Status);
    assert_eq!(
        text,
        "refused transfer: expected no beat on the bus, found 1"
    );
}

#[test]
fn a_packet_that_never_comes_breaks_the_stream_check() {
    let result = run_with(Quirk::SendsNoPacket, &plain());
    let (check, text) = only(&result);
    assert_eq!(check, Check::Stream);
    assert!(
        text.starts_with("stream of tx0: expected a packet of 1000 bytes, "),
        "{text}"
    );
}

#[test]
fn a_hang_has_no_false_followers() {
    let mut layout = Layout::new(Seed::new(1), 32);
    layout.receive(0, Placement::Above, 1000, 0);
    let result = run_with(Quirk::StopsHalfway, &layout.finish());
    let (check, text) = only(&result);
    assert_eq!(check, Check::Hang);
    assert!(text.contains("; the bus is quiet since cycle "), "{text}");
}

#[test]
fn a_run_that_is_slow_beyond_its_limit_breaks_the_budget_and_does_not_hang() {
    let mut plan = plain();
    plan.unplanned_latency_cycles = 30_000;
    let result = run(&plan);
    let (check, text) = only(&result);
    assert_eq!(check, Check::Budget);
    assert!(text.contains("found the work unfinished after"), "{text}");
}

#[test]
fn an_untrusted_device_behind_an_iommu_sees_zeros_where_a_trusted_one_sees_secrets() {
    let untrusted = run(&plan_of("swiotlb/untrusted-iommu"));
    assert_eq!(without_budget(untrusted).broken, [].into());
    let trusted = run(&plan_of("control/trusted-iommu"));
    let seen: Vec<_> = trusted
        .violations
        .iter()
        .filter(|violation| violation.check == Check::Exposed)
        .collect();
    assert!(!seen.is_empty());
    for violation in seen {
        assert!(
            violation.text.contains("visible to the device"),
            "{violation}"
        );
        let place = violation.place.as_ref().expect("it is located");
        assert!(place.buffer.is_some(), "{violation}");
    }
}

#[test]
fn the_iommu_names_the_mapping_that_a_device_still_uses() {
    let result = run(&plan_of("control/iommu-use-after-unmap"));
    let mut found = result.violations.iter();
    let fault = found.find(|violation| violation.check == Check::Iommu);
    let text = &fault.expect("the IOMMU stops the device").text;
    assert!(
        text.contains("rx0+0x0 was mapped by CPU 0 at cycle"),
        "{text}"
    );
    assert!(text.contains("and is unmapped at cycle"), "{text}");
}

#[test]
fn without_an_iommu_nothing_stops_a_device_after_the_unmap() {
    let mut plan = plan_of("swiotlb/untrusted-iommu");
    plan.machine.iommu = None;
    let broken = run(&plan).broken;
    assert!(broken.contains_key(&Check::Status), "{broken:?}");
    assert!(broken.contains_key(&Check::UseAfterUnmap), "{broken:?}");
}

#[test]
fn a_record_that_comes_wrong_into_a_ring_is_noticed() {
    let mut layout = Layout::new(Seed::new(1), 30);
    let pages = layout.last_pages();
    layout.ring(0, 256, 64, 1);
    let plan = layout.with(|plan| plan.machine.pages = pages).finish();
    assert_eq!(without_budget(run(&plan)).broken, [].into());
    let result = run_with(Quirk::FlipsABit, &plan);
    assert!(
        result.broken.contains_key(&Check::Data),
        "{:?}",
        result.broken
    );
}

#[test]
fn rings_without_free_pages_are_refused_in_words() {
    let mut layout = Layout::new(Seed::new(1), 30);
    layout.ring(0, 256, 64, 1);
    let result = run(&layout.finish());
    let (check, text) = only(&result);
    assert_eq!(check, Check::Mapping);
    assert!(text.starts_with("coherent memory refused: "), "{text}");
}

#[test]
fn copies_in_a_run_of_coherent_memory_alone_are_not_what_it_is_for() {
    let mut plan = plain();
    plan.demands.push(Demand::CoherentOnly);
    let result = without_budget(run(&plan));
    assert_eq!(only(&result).0, Check::Unreached);
}
