//! The streams that carry a core's data, and the reset that clears them.

use rebound_sim::manifest::Direction;
use rebound_sim::stream::{Packet, StreamSink, StreamSource};

use super::interpreter::Interpreter;

/// Cycles for which a core is held in reset; more, if its manifest wants it.
pub(crate) const RESET_CYCLES: u64 = 16;

impl Interpreter {
    /// The end of the stream that takes what the core sends; `None` if it sends nothing.
    #[must_use]
    pub fn sink(&self) -> Option<StreamSink> {
        let name = self.stream_name(Direction::Mm2s)?;
        let mut streams = self.host.ports().streams_out.iter();
        let port = streams.position(|stream| stream.name == name)?;
        Some(self.host.stream_sink(port))
    }

    /// The end of the stream that sends to the core; `None` if it takes nothing.
    #[must_use]
    pub fn source(&self) -> Option<StreamSource> {
        let name = self.stream_name(Direction::S2mm)?;
        let mut streams = self.host.ports().streams_in.iter();
        let port = streams.position(|stream| stream.name == name)?;
        Some(self.host.stream_source(port))
    }

    /// Drops what the core has sent so far.
    pub fn drop_packets(&self) {
        if let Some(sink) = self.sink() {
            while sink.try_recv().is_some() {}
        }
    }

    /// Gives the input wires what they have in the beginning.
    pub fn set_wires(&self) {
        for wire in &self.manifest().wires {
            if let Some(pin) = self.host.wire_in_named(&wire.name) {
                pin.set(wire.initial);
            }
        }
    }

    /// Resets the core, and forgets what was on its way on the streams.
    pub async fn reset(&self) {
        if let Some(source) = self.source() {
            source.clear();
        }
        self.host.reset(RESET_CYCLES).await;
        self.drop_packets();
    }

    /// Queues what the stream brings for a transfer to memory.
    pub(super) fn send(&self, direction: Direction, data: &[u8]) {
        if direction != Direction::S2mm || data.is_empty() {
            return;
        }
        if let Some(source) = self.source() {
            drop(source.push(Packet::new(data.to_vec())));
        }
    }

    fn stream_name(&self, direction: Direction) -> Option<&str> {
        let named = self.control().program(direction)?.stream.as_deref();
        let wants_source = direction == Direction::Mm2s;
        let mut streams = self.manifest().streams.iter();
        named.or_else(|| {
            streams
                .find(|stream| stream.direction.is_source() == wants_source)
                .map(|stream| stream.name.as_str())
        })
    }
}
