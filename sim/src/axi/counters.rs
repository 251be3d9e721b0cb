//! What a manager port did, counted at all times: the ground for utilisation and cycle budgets.

use serde::Serialize;

/// Activity of one channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct ChannelCounters {
    /// Handshakes.
    pub handshakes: u64,
    /// Cycles with valid high and ready low.
    pub waiting_cycles: u64,
}

/// Activity of one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct DirectionCounters {
    /// Bursts finished: last R beat, or B, taken.
    pub bursts: u64,
    /// Data beats.
    pub beats: u64,
    /// Bytes moved: active lanes of reads, strobed lanes of writes.
    pub bytes: u64,
    /// Beats answered SLVERR or DECERR.
    pub error_beats: u64,
    /// Cycles with at least one burst accepted and not finished.
    pub busy_cycles: u64,
    /// Most bursts in flight at once.
    pub peak_in_flight: u32,
    /// Cycle of the first address handshake.
    pub first_address_cycle: Option<u64>,
    /// Cycle of the first data beat.
    pub first_beat_cycle: Option<u64>,
    /// Cycle of the last data beat.
    pub last_beat_cycle: Option<u64>,
    /// Cycle of the last finished burst.
    pub last_finish_cycle: Option<u64>,
}

impl DirectionCounters {
    /// Returns data beats per cycle from the first beat to the last, 0.0 without beats.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "a ratio for people; 2^53 cycles are years of simulation"
    )]
    pub fn beats_per_cycle(&self) -> f64 {
        match (self.first_beat_cycle, self.last_beat_cycle) {
            (Some(first), Some(last)) => self.beats as f64 / (last - first + 1) as f64,
            _ => 0.0,
        }
    }
}

/// Activity of a manager port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct BusCounters {
    /// Reads by the core (Linux: `DMA_TO_DEVICE`).
    pub read: DirectionCounters,
    /// Writes by the core (Linux: `DMA_FROM_DEVICE`).
    pub write: DirectionCounters,
    /// Read address channel.
    pub ar: ChannelCounters,
    /// Read data channel; waiting means that the core was not ready.
    pub r: ChannelCounters,
    /// Write address channel.
    pub aw: ChannelCounters,
    /// Write data channel.
    pub w: ChannelCounters,
    /// Write response channel; waiting means that the core was not ready.
    pub b: ChannelCounters,
}

/// The running count of one channel and direction, as small as a cycle allows.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) address: ChannelCounters,
    pub(super) data: ChannelCounters,
    pub(super) response: ChannelCounters,
    pub(super) beats: u64,
    pub(super) bytes: u64,
    pub(super) error_beats: u64,
    bursts: u64,
    peak_in_flight: usize,
    busy_cycles: u64,
    /// First cycle with a burst in flight, while there is one.
    busy_since: Option<u64>,
    first_address_cycle: Option<u64>,
    first_beat_cycle: u64,
    last_beat_cycle: u64,
    last_finish_cycle: Option<u64>,
}

impl ChannelCounters {
    /// Counts one cycle with valid high.
    #[inline]
    pub(super) fn count(&mut self, handshake: bool) {
        if handshake {
            self.handshakes += 1;
        } else {
            self.waiting_cycles += 1;
        }
    }
}

impl Tally {
    #[inline]
    pub(super) fn count_beat(&mut self, cycle: u64, bytes: u32) {
        if self.beats == 0 {
            self.first_beat_cycle = cycle;
        }
        self.beats += 1;
        self.bytes += u64::from(bytes);
        self.last_beat_cycle = cycle;
    }

    /// Counts an address handshake, after which `in_flight` bursts are in flight.
    pub(super) fn count_address(&mut self, cycle: u64, in_flight: usize) {
        self.first_address_cycle.get_or_insert(cycle);
        self.busy_since.get_or_insert(cycle + 1);
        self.peak_in_flight = self.peak_in_flight.max(in_flight);
    }

    /// Counts the end of a burst, after which `in_flight` bursts are in flight.
    pub(super) fn count_finish(&mut self, cycle: u64, in_flight: usize) {
        self.bursts += 1;
        self.last_finish_cycle = Some(cycle);
        if in_flight == 0 {
            self.end_busy(cycle + 1);
        }
    }

    /// Ends the time with bursts in flight before `cycle`.
    pub(super) fn end_busy(&mut self, cycle: u64) {
        if let Some(since) = self.busy_since.take() {
            self.busy_cycles += cycle.saturating_sub(since);
        }
    }

    /// Returns the counts as of the end of the cycle before `now`.
    pub(super) fn direction(&self, now: u64) -> DirectionCounters {
        let open = self.busy_since.map_or(0, |since| now.saturating_sub(since));
        let has_beats = self.beats > 0;
        DirectionCounters {
            bursts: self.bursts,
            beats: self.beats,
            bytes: self.bytes,
            error_beats: self.error_beats,
            busy_cycles: self.busy_cycles + open,
            peak_in_flight: u32::try_from(self.peak_in_flight).unwrap_or(u32::MAX),
            first_address_cycle: self.first_address_cycle,
            first_beat_cycle: has_beats.then_some(self.first_beat_cycle),
            last_beat_cycle: has_beats.then_some(self.last_beat_cycle),
            last_finish_cycle: self.last_finish_cycle,
        }
    }
}
