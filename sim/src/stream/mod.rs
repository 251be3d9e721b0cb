//! AXI-Stream endpoints: a source for the core's input, a sink for its output.

mod channel;
mod sink;
mod source;

pub use self::channel::{Beat, Channel, ChannelError};
pub(crate) use self::sink::SinkPort;
pub use self::sink::StreamSink;
pub(crate) use self::source::SourcePort;
pub use self::source::StreamSource;

use serde::{Deserialize, Serialize};

use crate::stall::Stall;

/// How streams are driven, as plain data.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StreamPolicy {
    /// Gaps between the beats that a source sends.
    pub source_stall: Stall,
    /// Backpressure of a sink: ready held low.
    pub sink_stall: Stall,
}

/// A packet: the bytes up to and with the beat that has TLAST.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Packet {
    /// Bytes with TKEEP set, in order.
    pub data: Vec<u8>,
    /// `TID` of the last beat.
    pub id: u32,
    /// `TDEST` of the last beat.
    pub dest: u32,
    /// `TUSER` of the last beat.
    pub user: u64,
}

impl Packet {
    /// Wraps bytes, the sideband signals being 0.
    #[must_use]
    pub fn new(data: Vec<u8>) -> Self {
        Self {
            data,
            ..Self::default()
        }
    }
}

/// What went over a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct StreamCounters {
    /// Packets finished.
    pub packets: u64,
    /// Beats.
    pub beats: u64,
    /// Bytes with TKEEP set.
    pub bytes: u64,
    /// Cycles with valid high and ready low.
    pub waiting_cycles: u64,
    /// Cycle of the first beat.
    pub first_beat_cycle: Option<u64>,
    /// Cycle of the last beat.
    pub last_beat_cycle: Option<u64>,
}

impl StreamCounters {
    #[inline]
    fn count(&mut self, cycle: u64, bytes: u32, is_last: bool) {
        self.beats += 1;
        self.bytes += u64::from(bytes);
        self.packets += u64::from(is_last);
        if self.first_beat_cycle.is_none() {
            self.first_beat_cycle = Some(cycle);
        }
        self.last_beat_cycle = Some(cycle);
    }
}
