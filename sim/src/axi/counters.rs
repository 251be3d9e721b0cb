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

impl ChannelCounters {
    /// Counts one cycle with valid high.
    #[inline]
    pub(super) fn count(&mut self, handshake: bool) {
        self.handshakes += u64::from(handshake);
        self.waiting_cycles += u64::from(!handshake);
    }
}

impl DirectionCounters {
    #[inline]
    pub(super) fn count_beat(&mut self, cycle: u64, bytes: u32, failed: bool) {
        self.beats += 1;
        self.bytes += u64::from(bytes);
        self.error_beats += u64::from(failed);
        if self.first_beat_cycle.is_none() {
            self.first_beat_cycle = Some(cycle);
        }
        self.last_beat_cycle = Some(cycle);
    }

    #[inline]
    pub(super) fn count_address(&mut self, cycle: u64, in_flight: usize) {
        if self.first_address_cycle.is_none() {
            self.first_address_cycle = Some(cycle);
        }
        let in_flight = u32::try_from(in_flight).unwrap_or(u32::MAX);
        self.peak_in_flight = self.peak_in_flight.max(in_flight);
    }

    #[inline]
    pub(super) fn count_finish(&mut self, cycle: u64) {
        self.bursts += 1;
        self.last_finish_cycle = Some(cycle);
    }
}
