//! Rules of a manifest that its types cannot express.

mod control;
mod ports;

use std::collections::BTreeSet;

use super::{Manifest, ManifestError, Size, closest};
use crate::parameters::ParameterSpec;

pub(super) fn check(manifest: &Manifest) -> Result<(), ManifestError> {
    identifier(manifest, "name", &manifest.name, true)?;
    identifier(manifest, "top", &manifest.top, false)?;
    for (name, spec) in &manifest.parameters {
        parameter(manifest, name, spec)?;
    }
    names(manifest)?;
    ports::check(manifest)?;
    let limits = &manifest.limits;
    for (field, size) in [
        ("address_bits", &limits.address_bits),
        ("boundary", &limits.boundary),
        ("max_length", &limits.max_length),
        ("length_bits", &limits.length_bits),
        ("min_length", &limits.min_length),
        ("alignment", &limits.alignment),
        ("source_alignment", &limits.source_alignment),
        ("destination_alignment", &limits.destination_alignment),
        ("length_alignment", &limits.length_alignment),
        ("max_burst_beats", &limits.max_burst_beats),
        ("max_transfers", &limits.max_transfers),
    ] {
        reference(manifest, format!("limits.{field}"), size.as_ref())?;
    }
    match &manifest.control {
        Some(control) => control::check(manifest, control),
        None => Ok(()),
    }
}

fn identifier(
    manifest: &Manifest,
    field: impl Into<String>,
    text: &str,
    dashes: bool,
) -> Result<(), ManifestError> {
    let first = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let rest = text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '_' || (dashes && c == '-'));
    if first && rest {
        return Ok(());
    }
    let also = if dashes { ", `_` and `-`" } else { " and `_`" };
    Err(manifest.error_at(
        field,
        format!("a name of letters, digits{also}, not starting with a digit"),
        format!("\"{text}\""),
    ))
}

fn parameter(manifest: &Manifest, name: &str, spec: &ParameterSpec) -> Result<(), ManifestError> {
    let at = format!("parameters.{name}");
    identifier(manifest, at.clone(), name, false)?;
    if let (Some(min), Some(max)) = (spec.min, spec.max)
        && min > max
    {
        return Err(manifest.error_at(
            format!("{at}.min"),
            format!("at most max, {max}"),
            min.to_string(),
        ));
    }
    spec.accept(&spec.default).map(|_| ()).map_err(|problem| {
        manifest.error_at(
            format!("{at}.default"),
            problem.allowed,
            spec.default.to_string(),
        )
    })
}

/// Names of interfaces and wires: each once, since reports and drivers go by them.
fn names(manifest: &Manifest) -> Result<(), ManifestError> {
    let mut seen = BTreeSet::new();
    let managers = manifest.managers.iter().map(|spec| ("axi", &spec.name));
    let lites = manifest.lites.iter().map(|spec| ("axil", &spec.name));
    let apbs = manifest.apbs.iter().map(|spec| ("apb", &spec.name));
    let wishbones = manifest.wishbones.iter();
    let wishbones = wishbones.map(|spec| ("wishbone", &spec.name));
    let streams = manifest.streams.iter().map(|spec| ("stream", &spec.name));
    let channels = manifest.channels.iter().map(|spec| ("channel", &spec.name));
    let wires = manifest.wires.iter().map(|spec| ("wire", &spec.name));
    let registers = lites.chain(apbs).chain(wishbones);
    let flows = streams.chain(channels).chain(wires);
    let mut previous = "";
    let mut index = 0;
    for (kind, name) in managers.chain(registers).chain(flows) {
        index = if kind == previous { index + 1 } else { 0 };
        previous = kind;
        let at = format!("{kind}[{index}].name");
        identifier(manifest, at.clone(), name, false)?;
        if !seen.insert(name) {
            return Err(manifest.error_at(at, "a name used once", format!("\"{name}\" again")));
        }
    }
    Ok(())
}

/// A size that names a parameter names one that exists.
fn reference(manifest: &Manifest, at: String, size: Option<&Size>) -> Result<(), ManifestError> {
    let Some(name) = size.and_then(Size::parameter) else {
        return Ok(());
    };
    if manifest.parameters.contains_key(name) {
        return Ok(());
    }
    let all: Vec<&str> = manifest.parameters.keys().map(String::as_str).collect();
    let near = closest(name, all.iter().copied());
    if let Some(declared) = near
        && is_in_sources(manifest, name)
        && !is_in_sources(manifest, declared)
    {
        return Err(manifest
            .error_at(
                format!("parameters.{declared}"),
                format!("a parameter of module {}", manifest.top),
                format!("`{declared}`, which no source names"),
            )
            .with_help(format!("did you mean `{name}`, as {at} says?")));
    }
    let expected = if all.is_empty() {
        "a number (the manifest has no parameters)".to_owned()
    } else {
        format!("a number or a parameter: {}", all.join(", "))
    };
    Err(manifest
        .error_at(at, expected, format!("\"{name}\""))
        .with_suggestion(name, near))
}

/// Whether a source has `word`, as far as the sources can be read.
fn is_in_sources(manifest: &Manifest, word: &str) -> bool {
    let files = manifest.source_set().map(|sources| sources.files);
    files.unwrap_or_default().iter().any(|file| {
        std::fs::read_to_string(file).is_ok_and(|text| {
            text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '$'))
                .any(|found| found == word)
        })
    })
}
