//! Writes the wrapper module and the C++ model from their templates.

use std::fmt::Write as _;

use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior, context};
use serde::Serialize;

use super::clocks::{clock_name, gated};
use super::connect::mask_of;
use super::{Link, SlowClock, Wiring};
use crate::manifest::{ActiveLevel, Manifest};
use crate::parameters::Parameters;
use crate::pins::{VIEW_CPUS, VIEW_TEXT};
use crate::trace::TraceKind;

const WRAPPER: &str = include_str!("../../templates/wrapper.sv.j2");
const MODEL: &str = include_str!("../../templates/model.cpp.j2");

/// Both templates, for cache keys.
pub(crate) fn template_texts() -> [&'static str; 2] {
    [WRAPPER, MODEL]
}

/// What a build has besides the core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Variant {
    /// Waveform format.
    pub(crate) trace: TraceKind,
    /// Rule modules and assertions.
    pub(crate) has_rules: bool,
}

/// Generated texts.
#[derive(Debug)]
pub(crate) struct Rendered {
    /// `rebound.sv`.
    pub(crate) wrapper: String,
    /// `rebound_model.cpp`.
    pub(crate) model: String,
}

#[derive(Serialize)]
struct CellView<'a> {
    module: &'a str,
    name: &'a str,
    clock: &'a str,
    parameters: &'a [(&'static str, u32)],
    ports: &'a [(String, String)],
}

#[derive(Serialize)]
struct ClockView {
    index: usize,
    period: u32,
    phase: u32,
    /// Half ticks by which its time is ahead: it is high for the first `period` of each `2 * period`.
    shift: u32,
    /// Level before the first cycle.
    before: u32,
}

impl ClockView {
    fn new(index: usize, SlowClock { period, phase }: SlowClock) -> Self {
        // It rises in the second half of tick `phase`.
        let shift = 2 * period - (2 * phase + 1);
        Self {
            index,
            period,
            phase,
            shift,
            before: u32::from((2 * period - 1 + shift) % (2 * period) < period),
        }
    }
}

#[derive(Serialize)]
struct LinkView<'a> {
    wrapper: &'a str,
    width: u32,
    from_core: bool,
}

/// Fills the templates in; an error is a mistake in a template.
pub(crate) fn render(
    manifest: &Manifest,
    parameters: &Parameters,
    wiring: &Wiring,
    variant: Variant,
) -> Result<Rendered, minijinja::Error> {
    let mut templates = Environment::new();
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    templates.add_template("wrapper", WRAPPER)?;
    templates.add_template("model", MODEL)?;

    let links: Vec<LinkView<'_>> = wiring
        .links
        .iter()
        .map(
            |Link {
                 wrapper,
                 width,
                 from_core,
                 ..
             }| LinkView {
                wrapper,
                width: *width,
                from_core: *from_core,
            },
        )
        .collect();
    let rules: Vec<CellView<'_>> = wiring
        .rules
        .iter()
        .filter(|_| variant.has_rules)
        .map(|cell| CellView {
            module: cell.module,
            name: &cell.name,
            clock: &cell.clock,
            parameters: &cell.parameters,
            ports: &cell.ports,
        })
        .collect();
    let slow_clocks: Vec<ClockView> = (0..)
        .zip(&wiring.slow_clocks)
        .map(|(index, slow)| ClockView::new(index, *slow))
        .collect();
    let has_trace = variant.trace != TraceKind::Off;
    let wrapper = templates.get_template("wrapper")?.render(context! {
        name => &manifest.name,
        top => &manifest.top,
        links => Serde(&links),
        rules => Serde(&rules),
        has_trace,
        view_cpus => VIEW_CPUS,
        view_text => VIEW_TEXT,
        parameters => Serde(parameters.iter().collect::<Vec<_>>()),
        core_pins => Serde(core_pins(wiring)),
        slow_clocks => Serde(&slow_clocks),
        lines => Serde(&wiring.lines),
    })?;
    let (trace_header, trace_class) = match variant.trace {
        TraceKind::Off => ("", ""),
        TraceKind::Fst => ("verilated_fst_c.h", "VerilatedFstC"),
        TraceKind::Vcd => ("verilated_vcd_c.h", "VerilatedVcdC"),
    };
    let interfaces = &wiring.interfaces;
    let copies = |from_core: bool| -> Vec<String> {
        wiring
            .links
            .iter()
            .filter(|link| link.from_core == from_core)
            .map(|link| {
                if from_core {
                    sample_line(link)
                } else {
                    drive_line(link)
                }
            })
            .collect()
    };
    let forced = wiring.forced.iter();
    let forced = forced.map(|(pin, value)| format!("{pin} = {value};"));
    let sample: Vec<String> = copies(true).into_iter().chain(forced).collect();
    let model = templates.get_template("model")?.render(context! {
        name => &manifest.name,
        has_trace,
        trace_header,
        trace_class,
        view_cpus => VIEW_CPUS,
        constants => Serde(&wiring.constants),
        drive => copies(false),
        sample => Serde(sample),
        slow_clocks => Serde(&slow_clocks),
        managers => interfaces.managers.len(),
        lites => interfaces.lites.len(),
        registers => interfaces.registers.len(),
        streams_out => interfaces.streams_out.len(),
        streams_in => interfaces.streams_in.len(),
        wires_out => interfaces.wires_out.len(),
        wires_in => interfaces.wires_in.len(),
    })?;
    Ok(Rendered { wrapper, model })
}

/// Pins of the core's instance: port and what is connected.
fn core_pins(wiring: &Wiring) -> Vec<(&str, String)> {
    let clocks = wiring
        .clocks
        .iter()
        .map(|(port, slow)| (port.as_str(), clock_name(*slow)));
    let resets = wiring.resets.iter().map(|(port, active)| {
        let level = match active {
            ActiveLevel::Low => "~reset",
            ActiveLevel::High => "reset",
        };
        (port.as_str(), level.to_owned())
    });
    let ties = wiring
        .ties
        .iter()
        .map(|(port, width, value)| (port.as_str(), format!("{width}'d{value}")));
    let links = wiring
        .links
        .iter()
        .filter_map(|link| Some((link.core.as_deref()?, link.wrapper.clone())));
    let joins = wiring.joins.iter();
    let joins = joins.map(|(port, expression)| (port.as_str(), expression.clone()));
    clocks
        .chain(resets)
        .chain(ties)
        .chain(links)
        .chain(joins)
        .collect()
}

/// Bytes of a Verilator vector wider than 64 bits: whole 32-bit words.
fn vector_bytes(width: u32) -> u32 {
    width.div_ceil(32) * 4
}

/// Port from pin. Verilator wants unused high bits zero.
fn drive_line(link: &Link) -> String {
    let Link {
        wrapper,
        pin,
        width,
        is_words,
        ..
    } = link;
    if *width > 64 {
        let mut line = format!(
            "std::memcpy(&top.next_{wrapper}[0], {pin}, {});",
            vector_bytes(*width)
        );
        if width % 32 != 0 {
            let _ = write!(
                line,
                " top.next_{wrapper}[{}] &= {:#x}u;",
                width / 32,
                mask_of(width % 32)
            );
        }
        return line;
    }
    let word = if *is_words {
        format!("{pin}[0]")
    } else {
        pin.clone()
    };
    let word = if link.is_inverted {
        format!("~{word}")
    } else {
        word
    };
    if *width == 64 {
        format!("top.next_{wrapper} = {word};")
    } else {
        format!("top.next_{wrapper} = {word} & {:#x}ull;", mask_of(*width))
    }
}

/// Pin from port.
fn sample_line(link: &Link) -> String {
    let Link {
        wrapper,
        pin,
        width,
        is_words,
        ..
    } = link;
    if *width > 64 {
        format!(
            "std::memcpy({pin}, &top.{wrapper}[0], {});",
            vector_bytes(*width)
        )
    } else if *is_words {
        format!("{pin}[0] = top.{wrapper};")
    } else if link.is_inverted {
        format!(
            "{pin} = ~std::uint64_t{{top.{wrapper}}} & {:#x}ull;",
            mask_of(*width)
        )
    } else {
        let value = format!("top.{wrapper}");
        format!("{pin} = {};", gated(&value, link.gate))
    }
}
