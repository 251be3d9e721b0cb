//! What the scenarios have to know about a core: its declared limits, widths and directions.

use rebound_sim::limits::ResolvedLimits;
use rebound_sim::manifest::{Direction, Manifest, Step, UnitBytes};
use rebound_sim::verilate::CoreLibrary;

use crate::error::UsageError;
use crate::program::units;

/// Address bits that a machine with a few buffers needs at least.
const FEWEST_ADDRESS_BITS: u32 = 16;
/// Address bits that a machine with a bounce pool needs at least: the smallest pool has 256 KiB.
const FEWEST_POOL_BITS: u32 = 19;

/// A core in one build, as scenarios see it.
#[derive(Debug, Clone)]
pub struct Profile {
    /// The declared limits.
    pub limits: ResolvedLimits,
    /// Bytes of a bus beat; of several manager ports, the widest.
    pub beat_bytes: u64,
    /// Bytes of a word in the control program.
    pub word_bytes: u64,
    /// Bits of the ids on the bus; 0 if it has none.
    pub id_bits: u32,
    /// Directions that the control program has.
    pub directions: Vec<Direction>,
    /// Interrupts that the control program waits for, and whether steps behind it acknowledge them.
    pub interrupts: Vec<(Direction, String, bool)>,
}

impl Profile {
    /// Reads the profile of a built core.
    ///
    /// # Errors
    /// If the manifest lacks what a validation needs.
    pub fn new(manifest: &Manifest, library: &CoreLibrary) -> Result<Self, UsageError> {
        let Some(control) = &manifest.control else {
            return Err(UsageError::from_diagnostic(manifest.error_at(
                "control",
                "a control program, which says how software runs the core",
                "none",
            )));
        };
        let managers = &library.interfaces().managers;
        if managers.is_empty() {
            return Err(UsageError::from_diagnostic(manifest.error_at(
                "axi",
                "an AXI manager port, by which the core reaches memory",
                "none",
            )));
        }
        let units = units(manifest, library);
        let mut limits = *library.limits();
        let ports = managers.iter().map(|port| port.address_width);
        let port_bits = ports.max().unwrap_or(64);
        if manifest.limits.address_bits.is_none() {
            limits.address_bits = port_bits;
        }
        if limits.address_bits > port_bits {
            return Err(UsageError::from_diagnostic(manifest.error_at(
                "limits.address_bits",
                format!("at most {port_bits}, the bits of AxADDR in this build"),
                limits.address_bits.to_string(),
            )));
        }
        if limits.address_bits < FEWEST_ADDRESS_BITS {
            return Err(UsageError::from_diagnostic(manifest.error_at(
                "limits.address_bits",
                format!("at least {FEWEST_ADDRESS_BITS}, room for buffers"),
                limits.address_bits.to_string(),
            )));
        }
        let directions: Vec<Direction> = control.directions().collect();
        let mut interrupts = Vec::new();
        for direction in &directions {
            let done = control.program(*direction).map(|program| &program.done);
            for (index, step) in done.into_iter().flatten().enumerate() {
                if let Step::WaitIrq { wire, .. } = step {
                    let is_acknowledged = done.is_some_and(|steps| index + 1 < steps.len());
                    interrupts.push((*direction, wire.clone(), is_acknowledged));
                }
            }
        }
        Ok(Self {
            limits,
            beat_bytes: units.beat,
            word_bytes: units.word,
            id_bits: managers.iter().map(|port| port.id_width).max().unwrap_or(0),
            directions,
            interrupts,
        })
    }

    /// Bytes of words and beats.
    #[must_use]
    pub const fn units(&self) -> UnitBytes {
        UnitBytes {
            word: self.word_bytes,
            beat: self.beat_bytes,
        }
    }

    /// Whether a bounce pool finds room within the core's reach; the reason, if not.
    ///
    /// # Errors
    /// If the core has too few address bits.
    pub fn pool(&self) -> Result<(), String> {
        match self.limits.address_bits {
            bits @ ..FEWEST_POOL_BITS => Err(format!(
                "{bits} address bits: no room for a bounce pool, which has 256 KiB at least"
            )),
            _ => Ok(()),
        }
    }

    /// Bytes of the longest burst: as declared, or as long as is usual.
    #[must_use]
    pub fn burst_bytes(&self) -> u64 {
        let beats = self.limits.max_burst_beats.unwrap_or(16).clamp(1, 256);
        beats * self.beat_bytes
    }

    /// Granule of everything: the largest of source, destination and length.
    #[must_use]
    pub fn granule(&self) -> u64 {
        let limits = &self.limits;
        let addresses = limits.source_alignment.max(limits.destination_alignment);
        addresses.max(limits.length_alignment)
    }

    /// A length that the core takes: `bytes` rounded to the granule of lengths, and not below the shortest.
    #[must_use]
    pub fn length(&self, bytes: u64) -> u64 {
        let granule = self.limits.length_alignment;
        bytes
            .max(self.limits.min_length)
            .max(1)
            .next_multiple_of(granule)
    }

    /// Whether a direction of the core reads memory.
    #[must_use]
    pub fn reads(&self) -> bool {
        self.directions.iter().any(|one| *one != Direction::S2mm)
    }

    /// Whether a direction of the core writes memory.
    #[must_use]
    pub fn writes(&self) -> bool {
        self.directions.iter().any(|one| *one != Direction::Mm2s)
    }

    /// Whether data of the core comes or goes by a stream.
    #[must_use]
    pub fn streams(&self) -> bool {
        self.directions.iter().any(|one| *one != Direction::Copy)
    }
}

#[cfg(test)]
impl Profile {
    /// A copy core of any byte with this many address bits, on a bus of 8 bytes.
    pub(crate) fn of_copy(address_bits: u32) -> Self {
        use rebound_sim::manifest::CompletionOrder;
        Self {
            limits: ResolvedLimits {
                address_bits,
                boundary: None,
                max_length: Some((1 << 20) - 1),
                min_length: 1,
                alignment: 1,
                source_alignment: 1,
                destination_alignment: 1,
                length_alignment: 1,
                max_burst_beats: Some(16),
                max_transfers: 1,
                completion: CompletionOrder::InOrder,
            },
            beat_bytes: 8,
            word_bytes: 4,
            id_bits: 2,
            directions: vec![Direction::Copy],
            interrupts: vec![(Direction::Copy, "irq".into(), true)],
        }
    }
}
