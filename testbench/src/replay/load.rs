//! The load: everything that a trace asks of the bounce layer.

use crate::replay::pairing::Pairing;
use crate::replay::spool::Spool;
use crate::replay::survey::Survey;
use crate::trace::{Item, Reader, TraceError};

/// A load with what else the trace tells.
#[derive(Debug)]
pub struct Load {
    /// The operations.
    pub ops: Spool,
    /// The machine, the devices, the phases, and what did not fit.
    pub survey: Survey,
}

impl Load {
    /// Reads a trace to its end.
    ///
    /// # Errors
    /// If it cannot be read, or holds nothing of use.
    pub fn read(mut reader: Reader) -> Result<Self, TraceError> {
        let mut pairing = Pairing::new();
        while let Some(item) = reader.next_item()? {
            match item {
                Item::Record(record) => pairing.take(&record, &reader.lists, &reader.devices)?,
                Item::Lost { line, .. } => pairing.lose(line)?,
            }
        }
        let load = pairing.finish(&reader)?;
        load.refuse_if_empty(&reader)?;
        Ok(load)
    }

    fn refuse_if_empty(&self, reader: &Reader) -> Result<(), TraceError> {
        let counts = &self.survey.read;
        let devices = &self.survey.devices;
        let maps: u64 = devices
            .iter()
            .map(|device| device.bounced + device.direct)
            .sum();
        let nothing = |found| {
            Err(TraceError::NothingUsable {
                name: reader.name().to_owned(),
                found,
            })
        };
        if maps + self.survey.failed() == 0 {
            let first = counts.first_bad.first().or(counts.first_foreign.as_ref());
            let first = first.map_or_else(String::new, |bad| {
                format!("; line {}: {}", bad.line, bad.cause)
            });
            return nothing(format!(
                "no mapping in {} lines ({} events of ours, {} others, {} that could not be read, {} that \
                 are no events){first}",
                counts.lines,
                counts.events,
                counts.other_events,
                counts.bad_lines,
                counts.foreign_lines
            ));
        }
        let elsewhere = self.survey.misfits.maps_without_bounce.count;
        if elsewhere * 2 > maps {
            return nothing(format!(
                "{elsewhere} of {maps} mappings elsewhere than at their buffer without a line of \
                 swiotlb_bounced: an IOMMU translates, or that event was not enabled"
            ));
        }
        Ok(())
    }
}
