//! Straps the engine to the address bits and the boundary of a device.

use super::dma_engine_regs::channel;
use super::engine::{Channel, Engine, EngineError};
use crate::scenario::plan::Straps;

impl Engine {
    /// Straps both channels, before the first transfer.
    ///
    /// # Errors
    /// If a register access fails, or if the engine was built with fewer address bits or in another mode: it
    /// refuses a strap that it cannot have, and what was there reads back.
    pub async fn strap(&self, straps: Straps) -> Result<(), EngineError> {
        let limit = straps.addr_bits | straps.ring_bits << channel::ADDR_LIMIT_RING_BITS_SHIFT;
        for channel in Channel::ALL {
            for (register, offset, expected) in [
                ("ADDR_LIMIT", channel::ADDR_LIMIT, limit),
                ("BOUNDARY", channel::BOUNDARY, straps.boundary_bits),
            ] {
                let addr = channel.base() + u64::from(offset);
                self.registers.write(addr, expected).await?;
                let found = self.registers.read(addr).await?;
                if found != expected {
                    return Err(EngineError::Strap {
                        channel,
                        register,
                        expected,
                        found,
                    });
                }
            }
        }
        Ok(())
    }
}
