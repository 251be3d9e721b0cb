//! Clock, Verilated device, AXI bus and host memory: the hardware side of Rebound.

pub mod pins;
