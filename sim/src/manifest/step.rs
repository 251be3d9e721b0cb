//! A step of the control program.

mod read;

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;

use super::{BitRange, Value};

/// A step of the control program. Its first word says what it does; addresses are byte addresses.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(untagged, deny_unknown_fields)]
pub enum Step {
    /// Writes a register.
    Write {
        /// Byte address of the register to write.
        #[schemars(rename = "write")]
        address: u64,
        /// The whole value; or `fields`.
        value: Option<Value>,
        /// The value by its bits, `"22:0" = "len"`; bits not named are 0. In place of `value`.
        #[schemars(default)]
        fields: BTreeMap<BitRange, Value>,
        /// The register is read first, and bits that `fields` does not name stay.
        #[schemars(default)]
        modify: bool,
        /// Bytes written: 1, 2, 4 or 8; default 4, or the width of a narrower bus. Other bytes are not enabled.
        bytes: Option<u32>,
        /// Register port; default: that of `[control]`.
        interface: Option<String>,
    },
    /// Reads a register: an id that the read makes, a status.
    Read {
        /// Byte address of the register to read.
        #[schemars(rename = "read")]
        address: u64,
        /// Name that later steps and errors use for the value. Without it, the read itself is what matters.
        into: Option<String>,
        /// Bits that are taken; default: all.
        bits: Option<BitRange>,
        /// Bytes read: 1, 2, 4 or 8; default 4, or the width of a narrower bus.
        bytes: Option<u32>,
        /// Register port; default: that of `[control]`.
        interface: Option<String>,
    },
    /// Reads a register again and again until it has a value.
    Poll {
        /// Byte address of the register to poll.
        #[schemars(rename = "poll")]
        address: u64,
        /// Bits that are looked at; default: all.
        mask: Option<u64>,
        /// Value of these bits that ends it; or `at_least`.
        equals: Option<Value>,
        /// Ends when the register has reached this count, which may wrap: it is reached while it lies less than half
        /// the mask's range behind.
        at_least: Option<Value>,
        /// Name that errors use for the value read last.
        into: Option<String>,
        /// Cycles between two reads.
        #[schemars(default = "one", range(min = 1))]
        every_cycles: u64,
        /// Most cycles before it is given up; default: that of `[control]`.
        timeout_cycles: Option<u64>,
        /// Bytes read: 1, 2, 4 or 8; default 4, or the width of a narrower bus.
        bytes: Option<u32>,
        /// Register port; default: that of `[control]`.
        interface: Option<String>,
    },
    /// Sends a beat on a channel into the core.
    Push {
        /// Channel to push to.
        #[schemars(rename = "push")]
        channel: String,
        /// Values by field; fields not named are 0.
        fields: BTreeMap<String, Value>,
        /// Most cycles before it is given up; default: that of `[control]`.
        timeout_cycles: Option<u64>,
    },
    /// Takes a beat from a channel out of the core.
    Pop {
        /// Channel to pop from.
        #[schemars(rename = "pop")]
        channel: String,
        /// Fields that say whether the beat belongs to this transfer: `{ tag = "tag" }`. Others are kept for theirs.
        #[schemars(default)]
        r#match: BTreeMap<String, Value>,
        /// Names for fields of the beat, name to field: `{ status = "error" }`.
        #[schemars(default)]
        into: BTreeMap<String, String>,
        /// Most cycles before it is given up; default: that of `[control]`.
        timeout_cycles: Option<u64>,
    },
    /// Drives a wire into the core from now on.
    Set {
        /// Wire to set.
        #[schemars(rename = "set")]
        wire: String,
        /// What is driven.
        value: Value,
    },
    /// Drives a wire for some cycles, then what it was before.
    Pulse {
        /// Wire to pulse.
        #[schemars(rename = "pulse")]
        wire: String,
        /// What is driven; default 1.
        value: Option<Value>,
        /// Cycles that it lasts, of the base clock.
        #[schemars(default = "one", range(min = 1))]
        cycles: u64,
    },
    /// Waits for a level on a wire out of the core.
    Wait {
        /// Wire to wait for.
        #[schemars(rename = "wait")]
        wire: String,
        /// Bits that are looked at; default: all.
        mask: Option<u64>,
        /// Value waited for; default 1.
        equals: Option<Value>,
        /// Most cycles before it is given up; default: that of `[control]`.
        timeout_cycles: Option<u64>,
    },
    /// Waits for an interrupt and enters its handler.
    WaitIrq {
        /// Interrupt wire to wait for.
        #[schemars(rename = "wait_irq")]
        wire: String,
        /// Most cycles before it is given up; default: that of `[control]`.
        timeout_cycles: Option<u64>,
    },
    /// Does nothing for some cycles.
    Delay {
        /// Cycles to let pass, of the base clock.
        #[schemars(rename = "delay")]
        cycles: u64,
    },
}

const fn one() -> u64 {
    1
}

impl Step {
    /// What the step begins with in the manifest.
    pub const fn verb(&self) -> &'static str {
        match self {
            Self::Write { .. } => "write",
            Self::Read { .. } => "read",
            Self::Poll { .. } => "poll",
            Self::Push { .. } => "push",
            Self::Pop { .. } => "pop",
            Self::Set { .. } => "set",
            Self::Pulse { .. } => "pulse",
            Self::Wait { .. } => "wait",
            Self::WaitIrq { .. } => "wait_irq",
            Self::Delay { .. } => "delay",
        }
    }

    /// The limit that the step itself has.
    pub const fn timeout_cycles(&self) -> Option<u64> {
        match self {
            Self::Poll { timeout_cycles, .. }
            | Self::Push { timeout_cycles, .. }
            | Self::Pop { timeout_cycles, .. }
            | Self::Wait { timeout_cycles, .. }
            | Self::WaitIrq { timeout_cycles, .. } => *timeout_cycles,
            _ => None,
        }
    }
}

/// What the step does or waits for, for messages.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write { address, .. } => write!(f, "write of register {address:#x}"),
            Self::Read { address, .. } => write!(f, "read of register {address:#x}"),
            Self::Poll {
                address,
                mask,
                equals,
                at_least,
                ..
            } => {
                write!(f, "register {address:#x}")?;
                if let Some(mask) = mask {
                    write!(f, " & {mask:#x}")?;
                }
                match (equals, at_least) {
                    (Some(value), _) => write!(f, " to be {value}"),
                    (None, Some(value)) => write!(f, " to reach {value}"),
                    (None, None) => Ok(()),
                }
            }
            Self::Push { channel, .. } => write!(f, "channel {channel} to take a beat"),
            Self::Pop {
                channel, r#match, ..
            } => {
                write!(f, "a beat of channel {channel}")?;
                for (index, (field, value)) in r#match.iter().enumerate() {
                    let join = if index == 0 { "with" } else { "and" };
                    write!(f, " {join} {field} = {value}")?;
                }
                Ok(())
            }
            Self::Set { wire, value } => write!(f, "wire {wire} set to {value}"),
            Self::Pulse { wire, .. } => write!(f, "pulse of wire {wire}"),
            Self::Wait {
                wire, mask, equals, ..
            } => {
                write!(f, "wire {wire}")?;
                if let Some(mask) = mask {
                    write!(f, " & {mask:#x}")?;
                }
                match equals {
                    Some(value) => write!(f, " to be {value}"),
                    None => f.write_str(" to be 0x1"),
                }
            }
            Self::WaitIrq { wire, .. } => write!(f, "interrupt {wire}"),
            Self::Delay { cycles } => write!(f, "{cycles} cycles"),
        }
    }
}
