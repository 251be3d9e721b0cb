//! Device presets on the model engine: what a preset declares is what its hardware needs, no more and no less.

use swiotlb::Gfp;

use super::model_engine::ModelEngine;
use super::*;
use crate::scenario;
use crate::scenario::device::{Beyond, DevicePreset, PRESETS};
use crate::scenario::plan::low_bits;
use crate::seed::Seed;

fn plan_of(preset: &DevicePreset) -> Plan {
    let name = format!("device/{}", preset.name);
    let scenario = scenario::find(&name).expect("each preset has a scenario");
    (scenario.plan)(Seed::new(1))
}

/// The checks that a plan breaks on the model, which is slower than the engine.
fn broken(plan: &Plan) -> Vec<Check> {
    let run = run_on(ModelEngine::new(plan.engine), plan).expect("the model has all ports");
    let checks = run.0.broken.into_keys();
    checks.filter(|check| *check != Check::Budget).collect()
}

#[test]
fn a_preset_as_it_is_breaks_nothing() {
    for preset in PRESETS {
        assert_eq!(broken(&plan_of(&preset)), [], "{}", preset.name);
    }
}

#[test]
fn a_mask_of_one_bit_more_than_the_device_has_is_caught() {
    let unmapped = |preset: &DevicePreset| preset.window.is_none() && preset.streaming_bits < 64;
    for preset in PRESETS.iter().filter(|preset| unmapped(preset)) {
        let mut plan = plan_of(preset);
        plan.device.dma_mask = low_bits(preset.streaming_bits + 1);
        plan.device.coherent_dma_mask = Some(low_bits(preset.coherent_bits));
        plan.demands.clear();
        let found = broken(&plan);
        assert!(
            found.contains(&Check::Unmapped),
            "{}: {found:?}",
            preset.name
        );
    }
}

#[test]
fn a_boundary_that_the_driver_forgets_is_caught() {
    let wraps = |preset: &&DevicePreset| preset.beyond != Beyond::Truncates;
    let mut tried = 0;
    for preset in PRESETS.iter().filter(wraps) {
        let mut plan = plan_of(preset);
        plan.device.segment_boundary_mask = u64::MAX;
        plan.device.max_segment_bytes = None;
        let found = broken(&plan);
        assert!(
            found.contains(&Check::Unmapped),
            "{}: {found:?}",
            preset.name
        );
        tried += 1;
    }
    assert_eq!(tried, 3);
}

/// Where coherent memory of a plan's device comes to lie, as its last DMA address.
fn last_coherent(plan: &Plan) -> u64 {
    let mut memory = machine::memory(plan).expect("RAM");
    let (dma, device) =
        machine::mapping_layer(plan, &mut memory, &SpareLog::default()).expect("a machine");
    let mut pages = Pages::new(&plan.machine.pages);
    let ring = dma.alloc_coherent(&mut memory, &mut pages, &device, 4096, Gfp::KERNEL);
    let ring = ring.expect("there are pages in reach");
    let last = ring.dma_addr().raw() + 4095;
    let freed = dma.free_coherent(&mut pages, &device, ring);
    freed
        .map_err(|refused| refused.error())
        .expect("it was allocated");
    last
}

#[test]
fn coherent_memory_keeps_to_the_coherent_mask_though_other_pages_are_free() {
    let mut tried = 0;
    for preset in PRESETS {
        let mut plan = plan_of(&preset);
        let last = last_coherent(&plan);
        assert!(last <= low_bits(preset.coherent_bits), "{}", preset.name);
        // From 32 bits on, pages out of reach make Linux look below 4 GiB at once, whatever the coherent mask.
        if preset.coherent_bits < preset.streaming_bits.min(32) {
            plan.device.coherent_dma_mask = None;
            let beyond = last_coherent(&plan);
            assert!(beyond > low_bits(preset.coherent_bits), "{}", preset.name);
            tried += 1;
        }
    }
    assert_eq!(tried, 1);
}

#[test]
fn a_device_behind_a_window_is_given_bus_addresses() {
    for preset in PRESETS {
        let Some(window) = preset.window else {
            continue;
        };
        let plan = plan_of(&preset);
        let last = last_coherent(&plan);
        let in_window = window.bus_base..=window.bus_base + (window.bytes - 1);
        assert!(in_window.contains(&last), "{}: {last:#x}", preset.name);
    }
}

#[test]
fn an_engine_that_cannot_have_the_straps_is_told_apart_by_reading_them_back() {
    let preset = DevicePreset::find("b44").expect("a preset");
    let mut plan = plan_of(&preset);
    if let Some(straps) = &mut plan.straps {
        // The model keeps seven bits of it.
        straps.addr_bits = 200;
    }
    let found = run_on(ModelEngine::new(plan.engine), &plan).expect("the model has all ports");
    let texts: Vec<String> = found.0.violations.iter().map(ToString::to_string).collect();
    let refused = "strap ADDR_LIMIT of mm2s: expected 0x1ec8 to read back, found 0x1e48";
    assert!(texts.iter().any(|text| text.contains(refused)), "{texts:?}");
}
