//! Clock, Verilated device, AXI bus and host memory: the hardware side of Rebound.

mod ffi;
pub mod interfaces;
pub mod manifest;
pub mod parameters;
pub mod pins;
pub mod toolchain;
