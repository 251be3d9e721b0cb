//! Signals that are parts of a port: packed structs and other bundles.

use std::fmt::Write as _;

use super::Part;
use super::connect::{Fitter, bits_text};
use crate::manifest::{BitRange, ManifestError};

impl Fitter<'_> {
    /// Checks that bits lie within a port.
    pub(super) fn within(
        &self,
        field: &str,
        port: &str,
        width: u32,
        bits: BitRange,
    ) -> Result<u32, ManifestError> {
        if bits.high < width {
            return Ok(bits.width());
        }
        Err(self.manifest.error_at(
            field,
            format!("bits within port `{port}` of {}", bits_text(width)),
            format!("[{bits}]"),
        ))
    }

    /// Gives each port that is used in parts a vector of the wrapper.
    pub(super) fn join_parts(&mut self) -> Result<(), ManifestError> {
        let mut parts = std::mem::take(&mut self.wiring.parts);
        parts.sort_by_key(|part| (part.core.clone(), part.bits.low));
        for group in parts.chunk_by(|a, b| a.core == b.core) {
            self.join_port(group)?;
        }
        Ok(())
    }

    fn join_port(&mut self, parts: &[Part]) -> Result<(), ManifestError> {
        let Some(first) = parts.first() else {
            return Ok(());
        };
        let (port, from_core) = (&first.core, first.from_core);
        let width = self.find(port).and_then(|port| port.width).unwrap_or(0);
        let vector = format!("parts_{port}");
        let lines = &mut self.wiring.lines;
        lines.push(format!("logic [{}:0] {vector};", width - 1));
        let mut next = 0;
        // Highest bits first, as a concatenation has them.
        let mut pieces: Vec<String> = Vec::new();
        for part in parts {
            if !from_core && part.bits.low < next {
                return Err(self.manifest.error_at(
                    part.field.clone(),
                    format!("bits of port `{port}` that nothing else drives"),
                    format!("[{}]", part.bits),
                ));
            }
            if from_core {
                lines.push(format!(
                    "assign {} = {vector}[{}:{}];",
                    part.wrapper, part.bits.high, part.bits.low
                ));
                continue;
            }
            if part.bits.low > next {
                pieces.push(format!("{}'d0", part.bits.low - next));
            }
            pieces.push(part.wrapper.clone());
            next = part.bits.high + 1;
        }
        if !from_core {
            if next < width {
                pieces.push(format!("{}'d0", width - next));
            }
            let mut line = format!("assign {vector} = {{");
            for (index, piece) in pieces.iter().rev().enumerate() {
                let comma = if index == 0 { "" } else { ", " };
                let _ = write!(line, "{comma}{piece}");
            }
            lines.push(line + "};");
        }
        self.wiring.joins.push((port.clone(), vector));
        Ok(())
    }
}
