//! Clock, Verilated device, AXI bus and host memory: the hardware side of Rebound.

pub mod manifest;
pub mod parameters;
pub mod pins;
