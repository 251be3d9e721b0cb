//! What was recognised of a core.

use std::collections::BTreeMap;

use rebound_sim::manifest::{Access, ActiveLevel, NamingCase, ResetKind, StreamDirection};
use rebound_sim::verilate::ports::CorePort;

/// A core's ports with what they were taken for.
#[derive(Debug, Clone, Default)]
pub struct Recognised {
    /// Clock inputs, the base clock first.
    pub clocks: Vec<Clock>,
    /// Reset inputs.
    pub resets: Vec<Reset>,
    /// Interfaces of a bus protocol.
    pub interfaces: Vec<Interface>,
    /// Valid/ready channels of fields.
    pub channels: Vec<Channel>,
    /// Plain wires.
    pub wires: Vec<Wire>,
    /// Inputs that get a constant.
    pub ties: Vec<Tie>,
    /// Outputs that nothing looks at.
    pub unused: Vec<String>,
    /// What a person must see to: no such port is left out without a word.
    pub open: Vec<String>,
}

/// A clock input.
#[derive(Debug, Clone)]
pub struct Clock {
    /// Port.
    pub port: String,
    /// Why it was taken for one.
    pub why: String,
}

/// A reset input.
#[derive(Debug, Clone)]
pub struct Reset {
    /// Port.
    pub port: String,
    /// Level that resets.
    pub active: ActiveLevel,
    /// When it acts.
    pub kind: ResetKind,
    /// Clock that it belongs to, if not the first.
    pub clock: Option<String>,
    /// Why it was taken for one.
    pub why: String,
}

/// Protocol of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// AXI4 manager.
    Axi4,
    /// AXI3 manager.
    Axi3,
    /// AXI4-Lite subordinate.
    Lite,
    /// AXI-Stream.
    Stream(StreamDirection),
    /// APB completer.
    Apb,
    /// Wishbone subordinate.
    Wishbone,
}

impl Protocol {
    /// Whether software reaches registers through it.
    pub fn has_registers(self) -> bool {
        matches!(self, Self::Lite | Self::Apb | Self::Wishbone)
    }

    /// Whether it reaches host memory.
    pub fn is_manager(self) -> bool {
        matches!(self, Self::Axi4 | Self::Axi3)
    }
}

/// An interface of a bus protocol.
#[derive(Debug, Clone)]
pub struct Interface {
    /// Name in the manifest.
    pub name: String,
    /// What it speaks.
    pub protocol: Protocol,
    /// Channels that are used, for managers.
    pub access: Access,
    /// Ports by signal: (channel, signal) to port.
    pub signals: BTreeMap<(&'static str, &'static str), CorePort>,
    /// Pattern of the ports' names.
    pub pattern: String,
    /// Case of the signals in it.
    pub case: NamingCase,
    /// Ports that do not follow it, signal to port.
    pub ports: BTreeMap<String, String>,
    /// Clock that it belongs to, if not the first.
    pub clock: Option<String>,
    /// Remarks on what was guessed.
    pub notes: Vec<String>,
}

impl Interface {
    /// Bits of a signal, if the interface has it.
    pub fn width(&self, channel: &str, signal: &str) -> Option<u32> {
        self.port(channel, signal)?.width
    }

    /// Port of a signal.
    pub fn port(&self, channel: &str, signal: &str) -> Option<&CorePort> {
        let mut signals = self.signals.iter();
        signals
            .find(|((c, s), _)| (*c, *s) == (channel, signal))
            .map(|(_, port)| port)
    }

    /// Port of the addresses, whichever it has.
    pub fn address(&self) -> Option<&CorePort> {
        let places = [("aw", "addr"), ("ar", "addr"), ("", "paddr"), ("", "adr")];
        places.iter().find_map(|(c, s)| self.port(c, s))
    }

    /// Port of the data, whichever it has.
    pub fn data(&self) -> Option<&CorePort> {
        let places = [
            ("w", "data"),
            ("r", "data"),
            ("", "tdata"),
            ("", "pwdata"),
            ("", "prdata"),
            ("", "dat_w"),
            ("", "dat_r"),
        ];
        places.iter().find_map(|(c, s)| self.port(c, s))
    }

    /// Port of the ids.
    pub fn id(&self) -> Option<&CorePort> {
        self.port("aw", "id").or_else(|| self.port("ar", "id"))
    }
}

/// A valid/ready channel.
#[derive(Debug, Clone)]
pub struct Channel {
    /// Name in the manifest.
    pub name: String,
    /// Which way it flows.
    pub direction: StreamDirection,
    /// What stands before each port.
    pub prefix: String,
    /// Valid, behind the prefix.
    pub valid: String,
    /// Ready, behind the prefix, if there is one.
    pub ready: Option<String>,
    /// Fields: name, port behind the prefix, bits.
    pub fields: Vec<(String, String, u32)>,
    /// Clock that it belongs to, if not the first.
    pub clock: Option<String>,
}

/// A plain wire.
#[derive(Debug, Clone)]
pub struct Wire {
    /// Name in the manifest.
    pub name: String,
    /// Port.
    pub port: String,
    /// The core drives it.
    pub is_output: bool,
    /// Interrupt.
    pub is_interrupt: bool,
    /// Acts when 0.
    pub is_low: bool,
    /// Value of an input until software changes it.
    pub initial: u64,
    /// Bits.
    pub width: u32,
    /// Remark.
    pub note: Option<String>,
}

/// An input with a constant value.
#[derive(Debug, Clone)]
pub struct Tie {
    /// Port.
    pub port: String,
    /// Value.
    pub value: u64,
    /// What it is, or what is to be done.
    pub note: String,
}
