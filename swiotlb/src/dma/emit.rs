//! The way of messages and trace events into the log.

use crate::device::Device;
use crate::direction::DataDirection;
use crate::dma::Dma;
use crate::dma::message::DmaMessage;
use crate::dma::trace::{DmaTrace, DmaTraceKind};
use crate::message::Message;

impl Dma {
    pub(crate) fn warn(&self, dev: &Device, message: DmaMessage) {
        self.swiotlb().warn(dev, Message::Dma(message));
    }

    /// Logs a message that concerns no device.
    pub(crate) fn log_message(&self, message: Message) {
        self.swiotlb().shared.log.push(None, message);
    }

    /// Emits a trace event; it is made only if tracing is on.
    pub(crate) fn trace(
        &self,
        dev: &Device,
        dir: DataDirection,
        kind: impl FnOnce() -> DmaTraceKind,
    ) {
        let log = &self.swiotlb().shared.log;
        if log.is_tracing() {
            log.trace_dma(DmaTrace {
                device: dev.name().to_owned(),
                dir,
                kind: kind(),
            });
        }
    }
}
