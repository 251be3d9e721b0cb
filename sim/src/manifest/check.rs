//! Rules of a manifest that its types cannot express.

use std::collections::BTreeSet;

use super::names::PLACES;
use super::{Manifest, ManifestError, Naming, Size, StreamDirection, closest};
use crate::parameters::ParameterSpec;

/// Signals of a manager port, for the names in `ports`.
pub(crate) const AXI_SIGNALS: [&str; 45] = [
    "awid", "awaddr", "awlen", "awsize", "awburst", "awlock", "awcache", "awprot", "awqos",
    "awregion", "awuser", "awvalid", "awready", "wid", "wdata", "wstrb", "wlast", "wuser",
    "wvalid", "wready", "bid", "bresp", "buser", "bvalid", "bready", "arid", "araddr", "arlen",
    "arsize", "arburst", "arlock", "arcache", "arprot", "arqos", "arregion", "aruser", "arvalid",
    "arready", "rid", "rdata", "rresp", "rlast", "ruser", "rvalid", "rready",
];
/// Signals of an AXI4-Lite port.
pub(crate) const AXIL_SIGNALS: [&str; 19] = [
    "awaddr", "awprot", "awvalid", "awready", "wdata", "wstrb", "wvalid", "wready", "bresp",
    "bvalid", "bready", "araddr", "arprot", "arvalid", "arready", "rdata", "rresp", "rvalid",
    "rready",
];
/// Signals of a stream.
pub(crate) const STREAM_SIGNALS: [&str; 9] = [
    "tdata", "tkeep", "tstrb", "tuser", "tid", "tdest", "tlast", "tvalid", "tready",
];

pub(super) fn check(manifest: &Manifest) -> Result<(), ManifestError> {
    identifier(manifest, "name", &manifest.name, true)?;
    identifier(manifest, "top", &manifest.top, false)?;
    if manifest.clocks.is_empty() {
        return Err(manifest.error_at("clocks", "at least one clock port", "none"));
    }
    for (name, spec) in &manifest.parameters {
        parameter(manifest, name, spec)?;
    }
    names(manifest)?;
    for (index, axi) in manifest.managers.iter().enumerate() {
        let at = format!("axi[{index}]");
        naming(manifest, &at, axi.naming(), AXI_SIGNALS.into_iter(), true)?;
        for (field, size) in [
            ("address_width", &axi.address_width),
            ("data_width", &axi.data_width),
            ("id_width", &axi.id_width),
            ("max_reads", &axi.max_reads),
            ("max_writes", &axi.max_writes),
        ] {
            reference(manifest, format!("{at}.{field}"), size.as_ref())?;
        }
    }
    for (index, axil) in manifest.lites.iter().enumerate() {
        let at = format!("axil[{index}]");
        naming(manifest, &at, axil.naming(), AXIL_SIGNALS.into_iter(), true)?;
        reference(
            manifest,
            format!("{at}.address_width"),
            axil.address_width.as_ref(),
        )?;
        reference(
            manifest,
            format!("{at}.data_width"),
            axil.data_width.as_ref(),
        )?;
    }
    for (index, stream) in manifest.streams.iter().enumerate() {
        let at = format!("stream[{index}]");
        naming(
            manifest,
            &at,
            stream.naming(),
            STREAM_SIGNALS.into_iter(),
            false,
        )?;
        reference(
            manifest,
            format!("{at}.data_width"),
            stream.data_width.as_ref(),
        )?;
    }
    let limits = &manifest.limits;
    for (field, size) in [
        ("address_bits", &limits.address_bits),
        ("boundary", &limits.boundary),
        ("max_length", &limits.max_length),
        ("alignment", &limits.alignment),
        ("max_burst_beats", &limits.max_burst_beats),
    ] {
        reference(manifest, format!("limits.{field}"), size.as_ref())?;
    }
    Ok(())
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
    let streams = manifest.streams.iter().map(|spec| ("stream", &spec.name));
    let wires = manifest.wires.iter().map(|spec| ("wire", &spec.name));
    let mut previous = "";
    let mut index = 0;
    for (kind, name) in managers.chain(lites).chain(streams).chain(wires) {
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

fn naming<'a>(
    manifest: &Manifest,
    at: &str,
    naming: Naming<'_>,
    known: impl Iterator<Item = &'a str> + Clone,
    has_channels: bool,
) -> Result<(), ManifestError> {
    if let Some(signal) = naming
        .ports
        .keys()
        .find(|signal| !known.clone().any(|name| name == **signal))
    {
        let all: Vec<&str> = known.clone().collect();
        return Err(manifest
            .error_at(
                format!("{at}.ports.{signal}"),
                format!("one of {}", all.join(", ")),
                format!("`{signal}`"),
            )
            .with_suggestion(signal, known));
    }
    let mut bare = naming.pattern.to_owned();
    for place in PLACES {
        bare = bare.replace(place, "");
    }
    if bare.contains(['{', '}']) || !naming.pattern.contains("{signal}") {
        return Err(manifest.error_at(
            format!("{at}.pattern"),
            "a pattern with {signal}, and if wanted {prefix}, {channel}, {direction}",
            format!("\"{}\"", naming.pattern),
        ));
    }
    if has_channels && !naming.pattern.contains("{channel}") {
        return Err(manifest.error_at(
            format!("{at}.pattern"),
            "a pattern with {channel}",
            format!("\"{}\"", naming.pattern),
        ));
    }
    Ok(())
}

/// A size that names a parameter names one that exists.
fn reference(manifest: &Manifest, at: String, size: Option<&Size>) -> Result<(), ManifestError> {
    let Some(Size::Parameter(name)) = size else {
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

impl StreamDirection {
    /// The core sends on this stream.
    pub fn is_source(self) -> bool {
        self == Self::Source
    }
}
