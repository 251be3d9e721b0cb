//! The control program: how software starts a transfer of the core and sees that it is done.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Size, Step};

/// How software runs the core's DMA, step by step.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// Register port of the steps that name none; default: the first one.
    pub interface: Option<String>,
    /// Most cycles that a waiting step takes, unless it says otherwise.
    #[serde(default = "million")]
    #[schemars(range(min = 1))]
    pub timeout_cycles: u64,
    /// Bytes in a word, for `.words` in a value; a power of two.
    #[serde(default = "four")]
    pub word_bytes: Size,
    /// Steps after each reset, before the first transfer.
    #[serde(default)]
    pub init: Vec<Step>,
    /// From host memory to host memory: reads `src`, writes `dst`.
    pub copy: Option<Program>,
    /// From host memory to a stream: reads `src`.
    pub mm2s: Option<Program>,
    /// From a stream to host memory: writes `dst`.
    pub s2mm: Option<Program>,
}

const fn million() -> u64 {
    1_000_000
}

const fn four() -> Size {
    Size::Value(4)
}

/// How one kind of transfer is done.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// Steps that start a transfer.
    pub start: Vec<Step>,
    /// Steps that see that the transfer is done, and acknowledge it.
    pub done: Vec<Step>,
    /// What a failed transfer looks like. Looked at whenever a step has read what the rule is about, so that a
    /// `poll` ends, too, when the core has given up.
    #[serde(default)]
    pub errors: Vec<ErrorRule>,
    /// Steps after a transfer that failed, before the next one.
    #[serde(default)]
    pub recover: Vec<Step>,
    /// AXI-Stream that carries the data of `mm2s` and `s2mm`; default: the only one of this direction.
    pub stream: Option<String>,
    /// The core takes and drops what the stream of `s2mm` brings while no transfer is in work: data is sent only
    /// after the last step of `start`.
    #[serde(default)]
    pub drops_idle_data: bool,
}

/// A way in which a transfer fails.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ErrorRule {
    /// What went wrong, for reports.
    pub name: String,
    /// Name that a step has read `into`.
    pub from: Option<String>,
    /// Wire out of the core, in place of `from`.
    pub wire: Option<String>,
    /// Bits that are looked at; default: all.
    pub mask: Option<u64>,
    /// Value of these bits that means the error; default: any but 0.
    pub equals: Option<u64>,
}

impl ErrorRule {
    /// Whether the value of its register, field or wire means the error.
    pub fn holds(&self, value: u64) -> bool {
        let bits = value & self.mask.unwrap_or(u64::MAX);
        self.equals.map_or(bits != 0, |equals| bits == equals)
    }
}

/// One kind of transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Memory to memory.
    Copy,
    /// Memory to stream.
    Mm2s,
    /// Stream to memory.
    S2mm,
}

impl Direction {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Copy, Self::Mm2s, Self::S2mm];

    /// Name of its table in `[control]`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Copy => "copy",
            Self::Mm2s => "mm2s",
            Self::S2mm => "s2mm",
        }
    }
}

impl Control {
    /// The program of a direction, if the core has it.
    pub const fn program(&self, direction: Direction) -> Option<&Program> {
        match direction {
            Direction::Copy => self.copy.as_ref(),
            Direction::Mm2s => self.mm2s.as_ref(),
            Direction::S2mm => self.s2mm.as_ref(),
        }
    }

    /// The directions that the core has.
    pub fn directions(&self) -> impl Iterator<Item = Direction> + '_ {
        let all = Direction::ALL.into_iter();
        all.filter(|direction| self.program(*direction).is_some())
    }
}

impl Program {
    /// Its lists of steps with their names, for messages such as `control.copy.done[1]`.
    pub fn parts(&self) -> [(&'static str, &[Step]); 3] {
        [
            ("start", &self.start),
            ("done", &self.done),
            ("recover", &self.recover),
        ]
    }
}
