//! The seam between the simulation and what is simulated: pins and a step.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::interfaces::ChannelPort;
use crate::manifest::AddressUnit;
use crate::pins::{AxiLitePins, AxiManagerPins, AxiStreamPins, HostViewPins, RegisterPins};

/// A port with a data bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortShape {
    /// Name, as in the manifest.
    pub name: String,
    /// Width of the data bus in bytes.
    pub data_bytes: u32,
}

impl PortShape {
    /// Names a port and its width.
    #[must_use]
    pub fn new(name: &str, data_bytes: u32) -> Self {
        Self {
            name: name.to_owned(),
            data_bytes,
        }
    }
}

/// Protocol of a register port that is not AXI4-Lite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegisterProtocol {
    /// APB: setup, then access until PREADY (IHI 0024, 3).
    Apb,
    /// Wishbone, classic cycles: CYC and STB until ACK (Wishbone B4, 3.2).
    Wishbone,
}

/// A register port that is not AXI4-Lite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterShape {
    /// Name, as in the manifest.
    pub name: String,
    /// Protocol.
    pub protocol: RegisterProtocol,
    /// Width of the data bus in bytes.
    pub data_bytes: u32,
    /// What an address on the pins counts.
    pub address_unit: AddressUnit,
    /// Wishbone with STALL: STB is taken in the first cycle without it, the answer comes later.
    pub is_pipelined: bool,
}

/// All ports of a device, in the order of its pins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PortShapes {
    /// AXI manager ports.
    pub managers: Vec<PortShape>,
    /// AXI4-Lite control ports.
    pub lites: Vec<PortShape>,
    /// Streams that the core sends.
    pub streams_out: Vec<PortShape>,
    /// Streams that the core receives.
    pub streams_in: Vec<PortShape>,
    /// Wires that the core drives.
    pub wires_out: Vec<String>,
    /// Wires into the core.
    pub wires_in: Vec<String>,
}

/// A device as the simulation sees it: the Verilated core, or a model of one in a test.
///
/// In each cycle the simulation writes the fields "to the core", calls [`PinDevice::step`], and reads
/// the fields "from the core", which then hold the values before the rising edge.
pub trait PinDevice {
    /// Why a step can fail: a fatal error of the core, a failed assertion.
    type Error: std::error::Error + 'static;
    /// A broken rule, as the rule modules beside the core report it.
    type Violation: fmt::Debug;

    /// Returns the ports; they do not change.
    fn ports(&self) -> PortShapes;

    /// Simulates one clock cycle.
    ///
    /// # Errors
    /// If the core has stopped the simulation.
    fn step(&mut self) -> Result<(), Self::Error>;

    /// Holds the core in reset, or releases it, from the next step on.
    fn set_reset(&mut self, is_active: bool);

    /// Returns the AXI manager ports.
    fn managers(&self) -> &[AxiManagerPins];
    /// Returns the AXI manager ports, to drive them.
    fn managers_mut(&mut self) -> &mut [AxiManagerPins];
    /// Returns the AXI4-Lite ports.
    fn lites(&self) -> &[AxiLitePins];
    /// Returns the AXI4-Lite ports, to drive them.
    fn lites_mut(&mut self) -> &mut [AxiLitePins];
    /// Returns the APB and Wishbone ports with their shapes; they do not change.
    fn register_ports(&self) -> Vec<RegisterShape> {
        Vec::new()
    }
    /// Returns the channels of named fields among the streams; they do not change.
    fn channel_ports(&self) -> Vec<ChannelPort> {
        Vec::new()
    }
    /// Returns the fewest cycles that a reset of the core lasts.
    fn least_reset_cycles(&self) -> u64 {
        1
    }
    /// Returns the pins of the APB and Wishbone ports.
    fn registers(&self) -> &[RegisterPins] {
        &[]
    }
    /// Returns the pins of the APB and Wishbone ports, to drive them.
    fn registers_mut(&mut self) -> &mut [RegisterPins] {
        &mut []
    }
    /// Returns the streams that the core sends.
    fn streams_out(&self) -> &[AxiStreamPins];
    /// Returns the streams that the core sends, to drive ready.
    fn streams_out_mut(&mut self) -> &mut [AxiStreamPins];
    /// Returns the streams that the core receives.
    fn streams_in(&self) -> &[AxiStreamPins];
    /// Returns the streams that the core receives, to drive them.
    fn streams_in_mut(&mut self) -> &mut [AxiStreamPins];
    /// Returns the wires that the core drives.
    fn wires_out(&self) -> &[u64];
    /// Returns the wires into the core, to drive them.
    fn wires_in_mut(&mut self) -> &mut [u64];
    /// Returns the driver's side in the waveform, to drive it.
    fn host_view_mut(&mut self) -> &mut HostViewPins;

    /// Takes the rule violations since the last call.
    fn take_violations(&mut self) -> Vec<Self::Violation>;
}
