//! Who made a call: what stands here for the stack trace that the kernel keeps.

use std::fmt;
use std::sync::Arc;

use crate::area::CpuId;

/// A note about who called, and when. The mapping layer never looks into it: it is kept with each
/// mapping and shown with each error, as the kernel shows the mapper's stack.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Caller {
    /// CPU of the call.
    pub cpu: CpuId,
    /// Cycle of the call, in the clock of whoever drives the mapping layer.
    pub cycle: u64,
    /// What the call was for: the name of a buffer or of a driver's function.
    pub label: Option<Arc<str>>,
}

impl Caller {
    /// Notes a CPU and a cycle.
    #[must_use]
    pub const fn new(cpu: CpuId, cycle: u64) -> Self {
        Self {
            cpu,
            cycle,
            label: None,
        }
    }

    /// Adds what the call is for.
    #[must_use]
    pub fn with_label(mut self, label: impl Into<Arc<str>>) -> Self {
        self.label = Some(label.into());
        self
    }
}

impl fmt::Display for Caller {
    /// Writes `CPU 1 at cycle 1842 (rx0)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CPU {} at cycle {}", self.cpu.0, self.cycle)?;
        self.label
            .as_ref()
            .map_or(Ok(()), |label| write!(f, " ({label})"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_reads_as_place_time_and_purpose() {
        let caller = Caller::new(CpuId(1), 1842);
        assert_eq!(caller.to_string(), "CPU 1 at cycle 1842");
        assert_eq!(
            caller.with_label("rx0").to_string(),
            "CPU 1 at cycle 1842 (rx0)"
        );
    }
}
