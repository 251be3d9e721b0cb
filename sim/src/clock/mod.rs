//! Simulated time: cycle counter, timers, and the executor of the driver's tasks.
//!
//! Tasks run between cycles. A task that sees `cycle() == c` acts after cycle c − 1 was simulated and
//! before cycle c is driven. Tasks are polled only after something woke one of them: a timer, a finished
//! access, a wire. Who is woken first runs first, so a run is the same every time.

mod executor;
mod timers;

pub(crate) use self::executor::Executor;
pub use self::executor::{Task, TaskReport};
pub(crate) use self::executor::{TaskTable, spawn};
pub(crate) use self::timers::{TimerKey, Timers};

use std::fmt;

/// What a task waits for; shown when a run meets its cycle limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Something outside this crate that nobody has named: a channel, another task.
    Other,
    /// What a driver says that it waits for, with [`Host::limit`](crate::host::Host::limit).
    Named(&'static str),
    /// A cycle.
    Sleep {
        /// First cycle in which the task goes on.
        until: u64,
    },
    /// An AXI4-Lite access.
    Register {
        /// Control port.
        port: usize,
        /// Write or read.
        is_write: bool,
        /// Byte address.
        addr: u64,
    },
    /// A packet to be accepted by the core.
    StreamSend {
        /// Stream into the core.
        port: usize,
    },
    /// A packet from the core.
    StreamReceive {
        /// Stream out of the core.
        port: usize,
    },
    /// A level on a wire from the core.
    Wire {
        /// Wire.
        index: usize,
        /// Mask of the bits looked at.
        mask: u64,
        /// Value waited for.
        value: u64,
    },
    /// A CPU that is busy.
    Cpu {
        /// CPU.
        cpu: usize,
    },
    /// Another task's result.
    Join {
        /// The other task.
        task: usize,
    },
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other => write!(f, "something outside the simulation"),
            Self::Named(name) => f.write_str(name),
            Self::Sleep { until } => write!(f, "cycle {until}"),
            Self::Register {
                port,
                is_write,
                addr,
            } => {
                let access = if *is_write { "write" } else { "read" };
                write!(f, "register {access} at {addr:#x} on control port {port}")
            }
            Self::StreamSend { port } => write!(f, "input stream {port} to take a packet"),
            Self::StreamReceive { port } => write!(f, "a packet on output stream {port}"),
            Self::Wire { index, mask, value } => {
                write!(f, "wire {index} & {mask:#x} to become {value:#x}")
            }
            Self::Cpu { cpu } => write!(f, "CPU {cpu} to be free"),
            Self::Join { task } => write!(f, "task {task} to finish"),
        }
    }
}

/// A wait that met its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("waited {cycles} cycles, up to cycle {at}, for {wait}: nothing came")]
pub struct WaitTimeout {
    /// What was waited for.
    pub wait: Wait,
    /// The limit in cycles.
    pub cycles: u64,
    /// Cycle of giving up.
    pub at: u64,
}
