//! Rules of clocks, resets and interfaces.

use std::collections::BTreeSet;

use super::super::names::PLACES;
use super::super::{Manifest, ManifestError, Naming, PortPart, Size, closest};
use super::{identifier, reference};

/// Signals of a manager port, for the names in `ports`.
const AXI_SIGNALS: [&str; 45] = [
    "awid", "awaddr", "awlen", "awsize", "awburst", "awlock", "awcache", "awprot", "awqos",
    "awregion", "awuser", "awvalid", "awready", "wid", "wdata", "wstrb", "wlast", "wuser",
    "wvalid", "wready", "bid", "bresp", "buser", "bvalid", "bready", "arid", "araddr", "arlen",
    "arsize", "arburst", "arlock", "arcache", "arprot", "arqos", "arregion", "aruser", "arvalid",
    "arready", "rid", "rdata", "rresp", "rlast", "ruser", "rvalid", "rready",
];
/// Signals of an AXI4-Lite port.
const AXIL_SIGNALS: [&str; 19] = [
    "awaddr", "awprot", "awvalid", "awready", "wdata", "wstrb", "wvalid", "wready", "bresp",
    "bvalid", "bready", "araddr", "arprot", "arvalid", "arready", "rdata", "rresp", "rvalid",
    "rready",
];
/// Signals of a stream.
const STREAM_SIGNALS: [&str; 9] = [
    "tdata", "tkeep", "tstrb", "tuser", "tid", "tdest", "tlast", "tvalid", "tready",
];

/// Signals of an APB port.
const APB_SIGNALS: [&str; 10] = [
    "paddr", "pprot", "psel", "penable", "pwrite", "pwdata", "pstrb", "pready", "prdata", "pslverr",
];
/// Signals of a Wishbone port.
const WISHBONE_SIGNALS: [&str; 11] = [
    "adr", "dat_w", "dat_r", "we", "sel", "cyc", "stb", "ack", "err", "rty", "stall",
];
/// Longest period of a clock in ticks.
const LONGEST_PERIOD: u32 = 1024;

pub(super) fn check(manifest: &Manifest) -> Result<(), ManifestError> {
    clocks(manifest)?;
    for (index, axi) in manifest.managers.iter().enumerate() {
        let at = format!("axi[{index}]");
        naming(manifest, &at, axi.naming(), &AXI_SIGNALS, true)?;
        clock(manifest, &at, axi.clock.as_deref())?;
        for signal in axi.defaults.keys() {
            known_signal(manifest, &format!("{at}.defaults"), signal, &AXI_SIGNALS)?;
        }
        let widths = [
            ("address_width", &axi.address_width),
            ("data_width", &axi.data_width),
            ("id_width", &axi.id_width),
            ("max_reads", &axi.max_reads),
            ("max_writes", &axi.max_writes),
        ];
        references(manifest, &at, &widths)?;
    }
    registers(manifest)?;
    for (index, stream) in manifest.streams.iter().enumerate() {
        let at = format!("stream[{index}]");
        naming(manifest, &at, stream.naming(), &STREAM_SIGNALS, false)?;
        clock(manifest, &at, stream.clock.as_deref())?;
        references(manifest, &at, &[("data_width", &stream.data_width)])?;
    }
    for (index, channel) in manifest.channels.iter().enumerate() {
        let at = format!("channel[{index}]");
        clock(manifest, &at, channel.clock.as_deref())?;
        if channel.fields.is_empty() {
            return Err(manifest.error_at(format!("{at}.fields"), "at least one field", "none"));
        }
        for field in channel.fields.keys() {
            identifier(manifest, format!("{at}.fields.{field}"), field, false)?;
        }
    }
    Ok(())
}

fn registers(manifest: &Manifest) -> Result<(), ManifestError> {
    for (index, port) in manifest.lites.iter().enumerate() {
        let at = format!("axil[{index}]");
        naming(manifest, &at, port.naming(), &AXIL_SIGNALS, true)?;
        clock(manifest, &at, port.clock.as_deref())?;
        register_widths(manifest, &at, &port.address_width, &port.data_width)?;
    }
    for (index, port) in manifest.apbs.iter().enumerate() {
        let at = format!("apb[{index}]");
        naming(manifest, &at, port.naming(), &APB_SIGNALS, false)?;
        clock(manifest, &at, port.clock.as_deref())?;
        register_widths(manifest, &at, &port.address_width, &port.data_width)?;
    }
    for (index, port) in manifest.wishbones.iter().enumerate() {
        let at = format!("wishbone[{index}]");
        naming(manifest, &at, port.naming(), &WISHBONE_SIGNALS, false)?;
        clock(manifest, &at, port.clock.as_deref())?;
        register_widths(manifest, &at, &port.address_width, &port.data_width)?;
    }
    Ok(())
}

fn register_widths(
    manifest: &Manifest,
    at: &str,
    address: &Option<Size>,
    data: &Option<Size>,
) -> Result<(), ManifestError> {
    references(
        manifest,
        at,
        &[("address_width", address), ("data_width", data)],
    )
}

fn references(
    manifest: &Manifest,
    at: &str,
    sizes: &[(&str, &Option<Size>)],
) -> Result<(), ManifestError> {
    for (field, size) in sizes {
        reference(manifest, format!("{at}.{field}"), size.as_ref())?;
    }
    Ok(())
}

fn clocks(manifest: &Manifest) -> Result<(), ManifestError> {
    if manifest.clocks.is_empty() {
        return Err(manifest.error_at("clocks", "at least one clock port", "none"));
    }
    let mut seen = BTreeSet::new();
    for (index, spec) in manifest.clocks.iter().enumerate() {
        let at = format!("clocks[{index}]");
        if !(1..=LONGEST_PERIOD).contains(&spec.period) {
            return Err(manifest.error_at(
                format!("{at}.period"),
                format!("1 to {LONGEST_PERIOD} ticks of the base clock"),
                spec.period.to_string(),
            ));
        }
        if spec.phase >= spec.period {
            return Err(manifest.error_at(
                format!("{at}.phase"),
                format!("less than the period, {}", spec.period),
                spec.phase.to_string(),
            ));
        }
        if !seen.insert(&spec.port) {
            let got = format!("\"{}\" again", spec.port);
            return Err(manifest.error_at(at, "a port named once", got));
        }
    }
    for (index, spec) in manifest.resets.iter().enumerate() {
        let at = format!("reset[{index}]");
        clock(manifest, &at, spec.clock.as_deref())?;
        if spec.cycles == 0 {
            return Err(manifest.error_at(format!("{at}.cycles"), "at least 1", "0"));
        }
    }
    Ok(())
}

/// The clock of an interface is one of the core's.
fn clock(manifest: &Manifest, at: &str, name: Option<&str>) -> Result<(), ManifestError> {
    let known = || manifest.clocks.iter().map(|spec| spec.port.as_str());
    match name {
        Some(name) if known().all(|known| known != name) => {
            let all: Vec<&str> = known().collect();
            Err(manifest
                .error_at(
                    format!("{at}.clock"),
                    format!("one of the clocks: {}", all.join(", ")),
                    format!("\"{name}\""),
                )
                .with_suggestion(name, known()))
        }
        _ => Ok(()),
    }
}

fn known_signal(
    manifest: &Manifest,
    at: &str,
    signal: &str,
    known: &[&str],
) -> Result<(), ManifestError> {
    if known.contains(&signal) {
        return Ok(());
    }
    Err(manifest
        .error_at(
            format!("{at}.{signal}"),
            format!("one of {}", known.join(", ")),
            format!("`{signal}`"),
        )
        .with_suggestion(signal, closest(signal, known.iter().copied())))
}

fn naming(
    manifest: &Manifest,
    at: &str,
    naming: Naming<'_>,
    known: &[&str],
    has_channels: bool,
) -> Result<(), ManifestError> {
    for (signal, port) in naming.ports {
        known_signal(manifest, &format!("{at}.ports"), signal, known)?;
        if let Err(expected) = port.parse::<PortPart>() {
            return Err(manifest.error_at(
                format!("{at}.ports.{signal}"),
                format!("a port, or a part of one with {expected}"),
                format!("\"{port}\""),
            ));
        }
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
