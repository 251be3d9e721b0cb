//! Devices made of Rust, so that the simulation is tested without a simulator of hardware.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file uses what it needs of the support"
)]

pub mod fake_dma;
pub mod stream_echo;

use std::convert::Infallible;

use rebound_sim::device_port::PortShapes;
use rebound_sim::pins::{AxiLitePins, AxiManagerPins, AxiStreamPins, HostViewPins};

/// The pins of a fake device.
#[derive(Debug, Default)]
pub struct Block {
    pub managers: Vec<AxiManagerPins>,
    pub lites: Vec<AxiLitePins>,
    pub streams_out: Vec<AxiStreamPins>,
    pub streams_in: Vec<AxiStreamPins>,
    pub wires_out: Vec<u64>,
    pub wires_in: Vec<u64>,
    pub view: HostViewPins,
    pub in_reset: bool,
}

impl Block {
    pub fn new(ports: &PortShapes) -> Self {
        Self {
            managers: vec![AxiManagerPins::default(); ports.managers.len()],
            lites: vec![AxiLitePins::default(); ports.lites.len()],
            streams_out: vec![AxiStreamPins::default(); ports.streams_out.len()],
            streams_in: vec![AxiStreamPins::default(); ports.streams_in.len()],
            wires_out: vec![0; ports.wires_out.len()],
            wires_in: vec![0; ports.wires_in.len()],
            view: HostViewPins::default(),
            in_reset: false,
        }
    }
}

/// A fake device: its pins and what it does in a cycle.
pub trait FakeDevice {
    fn shapes(&self) -> PortShapes;
    fn block(&self) -> &Block;
    fn block_mut(&mut self) -> &mut Block;
    fn cycle(&mut self) -> Result<(), Stopped>;
}

/// A fake device has stopped the simulation.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Stopped(pub String);

impl From<Infallible> for Stopped {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// Makes a fake device a device.
#[macro_export]
macro_rules! pin_device {
    ($name:ty) => {
        impl rebound_sim::device_port::PinDevice for $name {
            type Error = $crate::support::Stopped;
            type Violation = String;

            fn ports(&self) -> rebound_sim::device_port::PortShapes {
                self.shapes()
            }
            fn step(&mut self) -> Result<(), Self::Error> {
                self.cycle()
            }
            fn set_reset(&mut self, is_active: bool) {
                self.block_mut().in_reset = is_active;
            }
            fn managers(&self) -> &[rebound_sim::pins::AxiManagerPins] {
                &self.block().managers
            }
            fn managers_mut(&mut self) -> &mut [rebound_sim::pins::AxiManagerPins] {
                &mut self.block_mut().managers
            }
            fn lites(&self) -> &[rebound_sim::pins::AxiLitePins] {
                &self.block().lites
            }
            fn lites_mut(&mut self) -> &mut [rebound_sim::pins::AxiLitePins] {
                &mut self.block_mut().lites
            }
            fn streams_out(&self) -> &[rebound_sim::pins::AxiStreamPins] {
                &self.block().streams_out
            }
            fn streams_out_mut(&mut self) -> &mut [rebound_sim::pins::AxiStreamPins] {
                &mut self.block_mut().streams_out
            }
            fn streams_in(&self) -> &[rebound_sim::pins::AxiStreamPins] {
                &self.block().streams_in
            }
            fn streams_in_mut(&mut self) -> &mut [rebound_sim::pins::AxiStreamPins] {
                &mut self.block_mut().streams_in
            }
            fn wires_out(&self) -> &[u64] {
                &self.block().wires_out
            }
            fn wires_in_mut(&mut self) -> &mut [u64] {
                &mut self.block_mut().wires_in
            }
            fn host_view_mut(&mut self) -> &mut rebound_sim::pins::HostViewPins {
                &mut self.block_mut().view
            }
            fn take_violations(&mut self) -> Vec<String> {
                Vec::new()
            }
        }
    };
}
