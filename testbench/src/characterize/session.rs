//! What a measurement works with: the laboratory, the direction, a transfer that is known to work, and a notebook.

use std::collections::BTreeMap;

use rebound_sim::manifest::Direction;

use super::fate::fate;
use super::lab::Lab;
use super::probe::{BrokenRule, Observation, Outcome, Probe, Transfer};
use super::sheet::{Defect, Fate, Role};
use crate::error::UsageError;

/// Evidence that is kept of a defect.
const EVIDENCE: usize = 6;

/// The ports of a core as far as a direction uses them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    /// The direction.
    pub(super) direction: Direction,
    /// Bytes of a beat; of several ports, the widest.
    pub(super) beat_bytes: u64,
    /// Bits of ARADDR.
    pub(super) read_bits: u32,
    /// Bits of AWADDR.
    pub(super) write_bits: u32,
    /// Whether the control program has a rule for errors.
    pub(super) has_error_rules: bool,
}

impl Shape {
    /// The ends of the direction that lie in memory.
    #[must_use]
    pub(super) const fn roles(&self) -> &'static [Role] {
        match self.direction {
            Direction::Copy => &[Role::Source, Role::Destination],
            Direction::Mm2s => &[Role::Source],
            Direction::S2mm => &[Role::Destination],
        }
    }

    /// Bits of the addresses that the port of a role has.
    #[must_use]
    pub(super) const fn port_bits(&self, role: Role) -> u32 {
        match role {
            Role::Source => self.read_bits,
            Role::Destination => self.write_bits,
        }
    }
}

/// A transfer that is known to work, and what is known of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Base {
    /// Where it reads.
    pub(super) source: u64,
    /// Where it writes.
    pub(super) destination: u64,
    /// Its length in bytes.
    pub(super) bytes: u64,
    /// A longer one that works too, of several bursts if possible.
    pub(super) long: u64,
    /// Granule of lengths.
    pub(super) length_granule: u64,
    /// Granule of source addresses.
    pub(super) source_granule: u64,
    /// Granule of destination addresses.
    pub(super) destination_granule: u64,
}

impl Base {
    /// Granule of the addresses of a role.
    #[must_use]
    pub(super) const fn granule(&self, role: Role) -> u64 {
        match role {
            Role::Source => self.source_granule,
            Role::Destination => self.destination_granule,
        }
    }

    /// The transfer that works.
    #[must_use]
    pub(super) const fn transfer(&self) -> Transfer {
        self.of(self.bytes)
    }

    /// The longer one.
    #[must_use]
    pub(super) const fn long_transfer(&self) -> Transfer {
        self.of(self.long)
    }

    /// The transfer with another length, which fits between the two places.
    #[must_use]
    pub(super) const fn of(&self, bytes: u64) -> Transfer {
        Transfer::new(self.source, self.destination, bytes)
    }

    /// The transfer that works, with one end elsewhere.
    #[must_use]
    pub(super) const fn with(&self, role: Role, address: u64) -> Transfer {
        let mut transfer = self.transfer();
        match role {
            Role::Source => transfer.source = address,
            Role::Destination => transfer.destination = address,
        }
        transfer
    }

    /// Where an end of the transfer lies.
    #[must_use]
    pub(super) const fn address(&self, role: Role) -> u64 {
        match role {
            Role::Source => self.source,
            Role::Destination => self.destination,
        }
    }
}

/// What measurements note beside their result.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Notes {
    /// Probes that were run.
    pub(super) probes: u32,
    /// Defects by name.
    pub(super) defects: BTreeMap<String, Defect>,
    /// What could not be measured.
    pub(super) unmeasured: Vec<String>,
    /// Rules that were broken, and the probe that showed it first.
    pub(super) broken: BTreeMap<String, (BrokenRule, String)>,
}

impl Notes {
    /// Notes a defect; of a known one, the evidence.
    pub(super) fn defect(&mut self, name: &str, what: &str, evidence: String) {
        let defect = self
            .defects
            .entry(name.to_owned())
            .or_insert_with(|| Defect {
                name: name.to_owned(),
                what: what.to_owned(),
                evidence: Vec::new(),
            });
        if defect.evidence.len() < EVIDENCE {
            defect.evidence.push(evidence);
        }
    }

    /// Adds the notes of another measurement.
    pub(super) fn add(&mut self, other: Self) {
        self.probes += other.probes;
        self.unmeasured.extend(other.unmeasured);
        for (rule, first) in other.broken {
            self.broken.entry(rule).or_insert(first);
        }
        for defect in other.defects.into_values() {
            for evidence in defect.evidence {
                self.defect(&defect.name, &defect.what, evidence);
            }
        }
    }
}

/// What a measurement works with.
pub(super) struct Session<'a> {
    lab: &'a mut dyn Lab,
    /// The ports.
    pub(super) shape: Shape,
    /// What it notes.
    pub(super) notes: Notes,
}

impl std::fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("shape", &self.shape)
            .field("notes", &self.notes)
            .finish_non_exhaustive()
    }
}

impl<'a> Session<'a> {
    /// Begins with an empty notebook.
    pub(super) fn new(lab: &'a mut dyn Lab, shape: Shape) -> Self {
        Self {
            lab,
            shape,
            notes: Notes::default(),
        }
    }

    /// Runs a probe, and notes the rules that it broke.
    ///
    /// # Errors
    /// As [`Lab::observe`].
    pub(super) fn observe(&mut self, probe: &Probe) -> Result<Observation, UsageError> {
        self.notes.probes += 1;
        let observation = self.lab.observe(probe)?;
        for broken in &observation.broken {
            self.notes
                .broken
                .entry(broken.rule.clone())
                .or_insert_with(|| (broken.clone(), self.shape.words(&probe.transfers[0])));
        }
        Ok(observation)
    }

    /// Runs a probe of one direction and transfers on the ideal bus.
    ///
    /// # Errors
    /// As [`Lab::observe`].
    pub(super) fn transfers(
        &mut self,
        transfers: Vec<Transfer>,
    ) -> Result<Observation, UsageError> {
        let probe = Probe {
            transfers,
            ..self.probe(Transfer::new(0, 0, 0))
        };
        self.observe(&probe)
    }

    /// Runs one transfer on the ideal bus.
    ///
    /// # Errors
    /// As [`Lab::observe`].
    pub(super) fn single(&mut self, transfer: Transfer) -> Result<Outcome, UsageError> {
        let mut observation = self.transfers(vec![transfer])?;
        Ok(observation.outcomes.swap_remove(0))
    }

    /// Runs one transfer on the ideal bus and says what became of it.
    ///
    /// # Errors
    /// As [`Lab::observe`].
    pub(super) fn fate(&mut self, transfer: &Transfer) -> Result<Fate, UsageError> {
        let outcome = self.single(transfer.clone())?;
        Ok(fate(&outcome, transfer))
    }

    /// A probe of one transfer.
    #[must_use]
    pub(super) fn probe(&self, transfer: Transfer) -> Probe {
        Probe::single(self.shape.direction, transfer)
    }

    /// A transfer in words.
    #[must_use]
    pub(super) fn words(&self, transfer: &Transfer) -> String {
        self.shape.words(transfer)
    }
}

impl Shape {
    /// A transfer in words: `copy of 256 bytes from 0x4000 to 0x8000`.
    #[must_use]
    pub(super) fn words(&self, transfer: &Transfer) -> String {
        let Transfer {
            source,
            destination,
            bytes,
            ..
        } = transfer;
        match self.direction {
            Direction::Copy => {
                format!("copy of {bytes} bytes from {source:#x} to {destination:#x}")
            }
            Direction::Mm2s => format!("mm2s of {bytes} bytes from {source:#x}"),
            Direction::S2mm => format!("s2mm of {bytes} bytes to {destination:#x}"),
        }
    }
}
