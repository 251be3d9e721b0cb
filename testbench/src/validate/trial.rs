//! A trial: everything that one run of a validation does, as plain data that a seed decides.

use rebound_sim::manifest::Direction;

use crate::scenario::plan::{Movement, Plan};

/// How a job of a trial should go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// All bytes moved.
    Done,
    /// The bus fails an access: the core has to say so, and to work again afterwards.
    Refused {
        /// A read fails; otherwise a write.
        is_read: bool,
    },
    /// The core is reset so many cycles after the start.
    Reset {
        /// Cycles from the last step of `start` to the reset.
        after_cycles: u64,
    },
    /// A length of 0: done, and nothing moved.
    Empty,
}

/// One transfer of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Job {
    /// What moves.
    pub movement: Movement,
    /// How it should go.
    pub fate: Fate,
}

impl Job {
    /// The program that does it.
    #[must_use]
    pub const fn direction(&self) -> Direction {
        match self.movement {
            Movement::ToDevice { .. } => Direction::Mm2s,
            Movement::FromDevice { .. } => Direction::S2mm,
            Movement::Copy { .. } => Direction::Copy,
        }
    }

    /// The buffer that the core reads.
    #[must_use]
    pub const fn source(&self) -> Option<usize> {
        match self.movement {
            Movement::ToDevice { source } | Movement::Copy { source, .. } => Some(source),
            Movement::FromDevice { .. } => None,
        }
    }

    /// The buffer that the core writes.
    #[must_use]
    pub const fn destination(&self) -> Option<usize> {
        match self.movement {
            Movement::FromDevice { destination } | Movement::Copy { destination, .. } => {
                Some(destination)
            }
            Movement::ToDevice { .. } => None,
        }
    }
}

/// Everything that a run does.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// Machine, device as the driver declares it, bus, costs and buffers; its transfers are those of `jobs`.
    pub world: Plan,
    /// The transfers, in this order.
    pub jobs: Vec<Job>,
    /// Registers that no reset reaches begin with random values.
    pub has_random_reset: bool,
    /// Interrupts are judged: low before, low again after the acknowledgement.
    pub judges_interrupts: bool,
    /// Transfers that are started before the first is done; those of one direction.
    pub in_flight: usize,
    /// The core does not reach enough memory for the buffers: the trial cannot be run.
    pub lacks_room: bool,
}
