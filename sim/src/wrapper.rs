//! Fits a manifest to the elaborated ports of its core, and writes the wrapper module and the C++ model.

mod channel;
mod clocks;
mod connect;
mod control;
mod interface;
mod parts;
mod protocols;
mod registers;
mod render;
mod rules;
mod signals;

use crate::interfaces::Interfaces;
use crate::manifest::{ActiveLevel, BitRange, Manifest, ManifestError};
use crate::parameters::Parameters;
use crate::verilate::ports::CorePort;

pub(crate) use render::{Variant, render, template_texts};

/// How the core's ports meet the pin block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wiring {
    /// What Rust is told about the ports.
    pub(crate) interfaces: Interfaces,
    /// Ports copied in each cycle.
    pub(crate) links: Vec<Link>,
    /// Pins that have a constant value because the core lacks the signal: C++ lvalue and value.
    pub(crate) constants: Vec<(String, String)>,
    /// Clock ports of the core, each with the slow clock that it gets, if it is not the base clock.
    pub(crate) clocks: Vec<(String, Option<usize>)>,
    /// Clocks that are not the base clock.
    pub(crate) slow_clocks: Vec<SlowClock>,
    /// Reset ports of the core with their levels.
    pub(crate) resets: Vec<(String, ActiveLevel)>,
    /// Inputs with a constant: port, width, value.
    pub(crate) ties: Vec<(String, u32, u64)>,
    /// Pins that have a value in each cycle because the core lacks the signal: C++ lvalue and value.
    pub(crate) forced: Vec<(String, String)>,
    /// Ports of the core with an expression of the wrapper: parts of a stream's data, or of a vector for parts.
    pub(crate) joins: Vec<(String, String)>,
    /// Parts of ports that signals are connected to.
    pub(crate) parts: Vec<Part>,
    /// Lines of the wrapper that put parts together.
    pub(crate) lines: Vec<String>,
    /// Rule modules to instantiate.
    pub(crate) rules: Vec<RuleCell>,
}

/// A port of the core that is copied to or from the pins each cycle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    /// Port of the wrapper, such as `m0_awaddr`.
    pub(crate) wrapper: String,
    /// Port of the core, if the wrapper's port is connected to the whole of one.
    pub(crate) core: Option<String>,
    /// Bits.
    pub(crate) width: u32,
    /// The core drives it.
    pub(crate) from_core: bool,
    /// C++ lvalue of the pin, such as `m_managers[0].aw.addr`.
    pub(crate) pin: String,
    /// The pin is an array of 64-bit words.
    pub(crate) is_words: bool,
    /// The pin has the opposite level.
    pub(crate) is_inverted: bool,
    /// Slow clock that a handshake signal belongs to: between its rising edges the pin is 0.
    pub(crate) gate: Option<usize>,
}

/// A clock that is not the base clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SlowClock {
    /// Ticks of the base clock.
    pub(crate) period: u32,
    /// Tick of the first rising edge.
    pub(crate) phase: u32,
}

/// A part of a port of the core, and the wrapper's port that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// Port of the core.
    pub(crate) core: String,
    /// Bits of it.
    pub(crate) bits: BitRange,
    /// Port of the wrapper.
    pub(crate) wrapper: String,
    /// The core drives it.
    pub(crate) from_core: bool,
    /// Field of the manifest.
    pub(crate) field: String,
}

/// An instance of a rule module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RuleCell {
    /// Module.
    pub(crate) module: &'static str,
    /// Instance name.
    pub(crate) name: String,
    /// Clock, as the wrapper names it.
    pub(crate) clock: String,
    /// Parameters, name and value.
    pub(crate) parameters: Vec<(&'static str, u32)>,
    /// Ports, name and expression.
    pub(crate) ports: Vec<(String, String)>,
}

/// Fits `manifest` to `ports`; the error says which line does not fit.
pub(crate) fn connect(
    manifest: &Manifest,
    parameters: &Parameters,
    ports: &[CorePort],
) -> Result<Wiring, ManifestError> {
    connect::connect(manifest, parameters, ports)
}
