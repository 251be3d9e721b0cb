//! Clocks and resets of a core, and the clock that an interface belongs to.

use super::SlowClock;
use super::connect::Fitter;
use crate::manifest::{ManifestError, ResetKind};

impl Fitter<'_> {
    pub(super) fn clocks_and_resets(&mut self) -> Result<(), ManifestError> {
        let manifest = self.manifest;
        for (index, clock) in manifest.clocks.iter().enumerate() {
            self.one_bit(&format!("clocks[{index}]"), &clock.port)?;
            let slow = SlowClock {
                period: clock.period,
                phase: clock.phase,
            };
            let place = (slow.period > 1).then(|| self.place_of(slow));
            self.wiring.clocks.push((clock.port.clone(), place));
        }
        self.wiring.interfaces.reset_cycles = 1;
        for (index, reset) in manifest.resets.iter().enumerate() {
            self.one_bit(&format!("reset[{index}].port"), &reset.port)?;
            self.wiring.resets.push((reset.port.clone(), reset.active));
            let period = match reset.kind {
                ResetKind::Sync => self.period_of(reset.clock.as_deref()),
                ResetKind::Async => 1,
            };
            let cycles = u64::from(reset.cycles) * u64::from(period);
            let longest = &mut self.wiring.interfaces.reset_cycles;
            *longest = cycles.max(*longest);
        }
        Ok(())
    }

    /// Index of a slow clock; ports with the same edges share one.
    fn place_of(&mut self, slow: SlowClock) -> usize {
        let all = &mut self.wiring.slow_clocks;
        all.iter()
            .position(|known| *known == slow)
            .unwrap_or_else(|| {
                all.push(slow);
                all.len() - 1
            })
    }

    /// The slow clock of an interface, or none if it belongs to the base clock.
    pub(super) fn slow_clock(&self, name: Option<&str>) -> Option<usize> {
        let clocks = &self.wiring.clocks;
        let clock = match name {
            Some(name) => clocks.iter().find(|(port, _)| port == name),
            None => clocks.first(),
        };
        clock.and_then(|(_, slow)| *slow)
    }

    fn period_of(&self, name: Option<&str>) -> u32 {
        self.slow_clock(name)
            .map_or(1, |slow| self.wiring.slow_clocks[slow].period)
    }
}

/// The wrapper's name of a clock.
pub(super) fn clock_name(slow: Option<usize>) -> String {
    slow.map_or_else(|| "clock".to_owned(), |slow| format!("clock_{slow}"))
}

/// A pin's value that is there only where a slow clock rises.
pub(super) fn gated(value: &str, gate: Option<usize>) -> String {
    match gate {
        Some(slow) => format!("rises_{slow} ? {value} : 0"),
        None => value.to_owned(),
    }
}
