//! Fits a manifest to the elaborated ports of its core, and writes the wrapper module and the C++ model.

mod connect;
mod interface;
mod protocols;
mod render;
mod rules;
mod signals;

use crate::interfaces::Interfaces;
use crate::manifest::{ActiveLevel, Manifest, ManifestError};
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
    /// Clock ports of the core.
    pub(crate) clocks: Vec<String>,
    /// Reset ports of the core with their levels.
    pub(crate) resets: Vec<(String, ActiveLevel)>,
    /// Inputs with a constant: port, width, value.
    pub(crate) ties: Vec<(String, u32, u64)>,
    /// Rule modules to instantiate.
    pub(crate) rules: Vec<RuleCell>,
}

/// A port of the core that is copied to or from the pins each cycle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    /// Port of the wrapper, such as `m0_awaddr`.
    pub(crate) wrapper: String,
    /// Port of the core.
    pub(crate) core: String,
    /// Bits.
    pub(crate) width: u32,
    /// The core drives it.
    pub(crate) from_core: bool,
    /// C++ lvalue of the pin, such as `m_managers[0].aw.addr`.
    pub(crate) pin: String,
    /// The pin is an array of 64-bit words.
    pub(crate) is_words: bool,
}

/// An instance of a rule module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RuleCell {
    /// Module.
    pub(crate) module: &'static str,
    /// Instance name.
    pub(crate) name: String,
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
