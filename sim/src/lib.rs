//! Clock, Verilated device, AXI bus and host memory: the hardware side of Rebound.

pub mod axi;
pub mod axil;
pub mod cache;
pub mod clock;
pub mod cpu;
pub mod device;
pub mod device_port;
pub mod events;
mod ffi;
pub mod host;
pub mod interfaces;
pub mod manifest;
pub mod memory;
pub mod parameters;
pub mod pins;
pub mod process;
pub mod seed;
pub mod simulation;
pub mod stall;
pub mod stream;
pub mod toolchain;
pub mod trace;
pub mod verilate;
pub mod view;
pub mod wire;
mod wrapper;
