//! The ports of a core in one build: names, widths and roles, in the order of the pin blocks.

use serde::{Deserialize, Serialize};

use crate::device_port::RegisterProtocol;
use crate::manifest::{Access, AddressUnit, AxiProtocol, BitRange, WireRole};

/// All interfaces of a core, each list in the order of the manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interfaces {
    /// AXI manager ports.
    pub managers: Vec<ManagerPort>,
    /// AXI4-Lite subordinate ports.
    pub lites: Vec<LitePort>,
    /// APB and Wishbone ports.
    pub registers: Vec<RegisterPort>,
    /// Streams that the core sends.
    pub streams_out: Vec<StreamPort>,
    /// Streams that the core receives.
    pub streams_in: Vec<StreamPort>,
    /// Channels of named fields, each over one of the streams.
    pub channels: Vec<ChannelPort>,
    /// Wires that the core drives.
    pub wires_out: Vec<WirePort>,
    /// Wires that the testbench drives.
    pub wires_in: Vec<WirePort>,
    /// Fewest cycles that the core wants to be held in reset.
    pub reset_cycles: u64,
}

/// An AXI manager port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManagerPort {
    /// Name in the manifest.
    pub name: String,
    /// Number of the port in violations.
    pub number: u32,
    /// AXI4 or AXI3.
    pub protocol: AxiProtocol,
    /// Channels it has.
    pub access: Access,
    /// Bits of `AxADDR`.
    pub address_width: u32,
    /// Bits of `WDATA` and `RDATA`.
    pub data_width: u32,
    /// Bits of the ids, 0 if it has none.
    pub id_width: u32,
    /// Most read bursts outstanding the core promises.
    pub max_reads: Option<u32>,
    /// Most write bursts outstanding the core promises.
    pub max_writes: Option<u32>,
}

/// An AXI4-Lite subordinate port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LitePort {
    /// Name in the manifest.
    pub name: String,
    /// Number of the port in violations.
    pub number: u32,
    /// Bits of `AxADDR`.
    pub address_width: u32,
    /// Bits of `WDATA` and `RDATA`.
    pub data_width: u32,
}

/// An APB or Wishbone port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisterPort {
    /// Name in the manifest.
    pub name: String,
    /// Number of the port in violations.
    pub number: u32,
    /// APB or Wishbone.
    pub protocol: RegisterProtocol,
    /// Bits of the address.
    pub address_width: u32,
    /// Bits of the data.
    pub data_width: u32,
    /// What an address on the pins counts.
    pub address_unit: AddressUnit,
    /// Wishbone with STALL.
    pub is_pipelined: bool,
}

/// A valid/ready channel of named fields, packed into the data of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelPort {
    /// Name in the manifest.
    pub name: String,
    /// The core sends.
    pub from_core: bool,
    /// Index among the streams of that direction.
    pub stream: usize,
    /// Bits of all fields together.
    pub data_width: u32,
    /// Fields by name, with their bits in the stream's data.
    pub fields: Vec<(String, BitRange)>,
}

/// An AXI-Stream port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamPort {
    /// Name in the manifest.
    pub name: String,
    /// Number of the port in violations.
    pub number: u32,
    /// Bits of `TDATA`.
    pub data_width: u32,
    /// Has `TKEEP`; without it, all bytes count.
    pub has_keep: bool,
    /// Has `TLAST`; without it, each beat is a packet.
    pub has_last: bool,
    /// Has `TREADY`; without it, the receiver takes every beat.
    pub has_ready: bool,
}

/// A plain wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WirePort {
    /// Name in the manifest.
    pub name: String,
    /// Bits.
    pub width: u32,
    /// What it is for.
    pub role: WireRole,
}

impl Interfaces {
    /// Name of the port that a violation's number means.
    pub fn port_name(&self, number: u32) -> Option<&str> {
        let managers = self.managers.iter().map(|port| (port.number, &port.name));
        let lites = self.lites.iter().map(|port| (port.number, &port.name));
        let registers = self.registers.iter().map(|port| (port.number, &port.name));
        let streams = self.streams_out.iter().chain(&self.streams_in);
        managers
            .chain(lites)
            .chain(registers)
            .chain(streams.map(|port| (port.number, &port.name)))
            .find(|(each, _)| *each == number)
            .map(|(_, name)| name.as_str())
    }

    /// Position of the wire `name` among [`wires_out`](Self::wires_out).
    pub fn wire_out(&self, name: &str) -> Option<usize> {
        self.wires_out.iter().position(|wire| wire.name == name)
    }

    /// Position of the wire `name` among [`wires_in`](Self::wires_in).
    pub fn wire_in(&self, name: &str) -> Option<usize> {
        self.wires_in.iter().position(|wire| wire.name == name)
    }

    /// Position of the first interrupt among [`wires_out`](Self::wires_out).
    pub fn interrupt(&self) -> Option<usize> {
        self.wires_out
            .iter()
            .position(|wire| wire.role == WireRole::Interrupt)
    }
}
