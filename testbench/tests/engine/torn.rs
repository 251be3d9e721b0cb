//! A stream into the core with TKEEP as no well-behaved source sends it.

use rebound_sim::device::{Device, DeviceError, RuleViolation};
use rebound_sim::device_port::{PinDevice, PortShapes};
use rebound_sim::pins::{AxiLitePins, AxiManagerPins, AxiStreamPins, HostViewPins};

/// A device whose first stream gets another TKEEP in some of its first beats.
#[derive(Debug)]
pub(crate) struct TornStream {
    device: Device,
    keeps: Vec<Option<u64>>,
    beats: usize,
}

impl TornStream {
    pub(crate) fn new(device: Device, keeps: Vec<Option<u64>>) -> Self {
        Self {
            device,
            keeps,
            beats: 0,
        }
    }
}

impl PinDevice for TornStream {
    type Error = DeviceError;
    type Violation = RuleViolation;

    fn step(&mut self) -> Result<(), DeviceError> {
        let keep = self.keeps.get(self.beats).copied().flatten();
        if let Some(keep) = keep {
            self.device.streams_in_mut()[0].keep[0] = keep;
        }
        let result = self.device.step();
        let pins = &self.device.streams_in()[0];
        self.beats += usize::from(pins.valid & pins.ready != 0);
        result
    }

    fn ports(&self) -> PortShapes {
        PinDevice::ports(&self.device)
    }
    fn set_reset(&mut self, is_active: bool) {
        self.device.set_reset(is_active);
    }
    fn managers(&self) -> &[AxiManagerPins] {
        self.device.managers()
    }
    fn managers_mut(&mut self) -> &mut [AxiManagerPins] {
        self.device.managers_mut()
    }
    fn lites(&self) -> &[AxiLitePins] {
        self.device.lites()
    }
    fn lites_mut(&mut self) -> &mut [AxiLitePins] {
        self.device.lites_mut()
    }
    fn streams_out(&self) -> &[AxiStreamPins] {
        self.device.streams_out()
    }
    fn streams_out_mut(&mut self) -> &mut [AxiStreamPins] {
        self.device.streams_out_mut()
    }
    fn streams_in(&self) -> &[AxiStreamPins] {
        self.device.streams_in()
    }
    fn streams_in_mut(&mut self) -> &mut [AxiStreamPins] {
        self.device.streams_in_mut()
    }
    fn wires_out(&self) -> &[u64] {
        self.device.wires_out()
    }
    fn wires_in_mut(&mut self) -> &mut [u64] {
        self.device.wires_in_mut()
    }
    fn host_view_mut(&mut self) -> &mut HostViewPins {
        self.device.host_view_mut()
    }
    fn take_violations(&mut self) -> Vec<RuleViolation> {
        self.device.take_violations()
    }
}
