//! Linux's software IO TLB (bounce buffers) and DMA-mapping API, slot for slot.
#![forbid(unsafe_code)]

mod addr;
mod memory;

pub use addr::{DmaAddr, PhysAddr};
pub use memory::{MemoryError, PhysMemory};
