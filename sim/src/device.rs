//! The device: a loaded model of a core, stepped one clock cycle at a time.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::device_port::{PinDevice, PortShape, PortShapes, RegisterShape};
use crate::ffi;
use crate::interfaces::{ChannelPort, Interfaces};
use crate::pins::{AxiLitePins, AxiManagerPins, AxiStreamPins, HostViewPins, RegisterPins};
use crate::trace::{TraceKind, TraceWindow};
use crate::verilate::CoreLibrary;

/// A core in simulation. It starts in reset; see [`reset`](Self::reset).
#[derive(Debug)]
pub struct Device {
    core: String,
    interfaces: Interfaces,
    trace: TraceKind,
    trace_file: Option<PathBuf>,
    flags: u32,
    model: ffi::Model,
}

/// A library that cannot be loaded.
#[derive(Debug, Error, miette::Diagnostic)]
#[error("{}: {problem}", path.display())]
pub struct LoadError {
    /// Library.
    pub path: PathBuf,
    /// What was expected and found.
    pub problem: String,
}

/// A core that went no further, or a waveform that could not be written.
#[derive(Debug, Clone, PartialEq, Eq, Error, miette::Diagnostic)]
pub enum DeviceError {
    /// `$finish`.
    #[error("core {core} ended the simulation with $finish in cycle {cycle} at {place}")]
    Finish {
        /// Core.
        core: String,
        /// Cycle it happened in.
        cycle: u64,
        /// File and line.
        place: String,
    },
    /// `$stop`.
    #[error("core {core} ended the simulation with $stop in cycle {cycle} at {place}")]
    Stop {
        /// Core.
        core: String,
        /// Cycle it happened in.
        cycle: u64,
        /// File and line.
        place: String,
    },
    /// `$fatal` (see [`tells_fatal_from_error`]), or an evaluation that cannot go on.
    ///
    /// [`tells_fatal_from_error`]: crate::toolchain::VerilatorVersion::tells_fatal_from_error
    #[error("core {core} ended the simulation with a fatal error in cycle {cycle}: {text}")]
    Fatal {
        /// Core.
        core: String,
        /// Cycle it happened in.
        cycle: u64,
        /// Its message.
        text: String,
    },
    /// The core was built without waveforms.
    #[error("core {core}: expected a build with waveforms, got one without")]
    NoTrace {
        /// Core.
        core: String,
    },
    /// A waveform file cannot be written.
    #[error("waveform {}: expected a file that can be written, got {problem}", path.display())]
    Trace {
        /// File.
        path: PathBuf,
        /// What went wrong.
        problem: String,
    },
}

/// A breach that the rule modules beside the core report, or a failed assertion of the core.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleViolation {
    /// Number of the port, see [`Interfaces::port_name`]; none for an assertion of the core.
    pub port: Option<u32>,
    /// Name of the rule, such as `AXI_AW_STABLE`; `assertion` for one of the core.
    pub rule: String,
    /// Section of the specification.
    pub section: String,
    /// What was expected.
    pub text: String,
    /// Value expected, limit or previous value.
    pub expected: u64,
    /// Value found.
    pub found: u64,
    /// Cycle.
    pub cycle: u64,
}

impl Device {
    /// Loads a built core and makes a model of it. `seed` fills what reset leaves open, in builds with
    /// random reset.
    ///
    /// # Errors
    /// If the library is broken, foreign, or was built by another version of Rebound.
    pub fn load(library: &CoreLibrary, seed: u64) -> Result<Self, LoadError> {
        let model = load_model(library.path(), seed)?;
        let interfaces = library.interfaces().clone();
        let counts = [
            (
                model.managers().len(),
                interfaces.managers.len(),
                "AXI managers",
            ),
            (model.lites().len(), interfaces.lites.len(), "control ports"),
            (
                model.registers().len(),
                interfaces.registers.len(),
                "register ports",
            ),
            (
                model.streams_out().len(),
                interfaces.streams_out.len(),
                "streams out",
            ),
            (
                model.streams_in().len(),
                interfaces.streams_in.len(),
                "streams in",
            ),
            (
                model.wires_out().len(),
                interfaces.wires_out.len(),
                "wires out",
            ),
            (
                model.wires_in().len(),
                interfaces.wires_in.len(),
                "wires in",
            ),
            (model.host_view().len(), 1, "host views"),
        ];
        if let Some((found, expected, what)) =
            counts.iter().find(|(found, expected, _)| found != expected)
        {
            return Err(LoadError {
                path: library.path().to_owned(),
                problem: format!("expected {expected} {what}, got {found}"),
            });
        }
        Ok(Self {
            core: library.name().to_owned(),
            interfaces,
            trace: library.trace(),
            trace_file: None,
            flags: 0,
            model,
        })
    }

    /// Name of the core.
    pub fn core(&self) -> &str {
        &self.core
    }

    /// Ports with names, widths and roles, in the order of the pins.
    pub fn interfaces(&self) -> &Interfaces {
        &self.interfaces
    }

    /// Simulates one clock cycle.
    ///
    /// # Errors
    /// If the core stopped the simulation; the pins then hold what they held before.
    #[inline]
    pub fn step(&mut self) -> Result<(), DeviceError> {
        self.flags = self.model.step();
        if self.flags & ffi::STOPPED == 0 {
            Ok(())
        } else {
            Err(self.stopped())
        }
    }

    #[cold]
    fn stopped(&self) -> DeviceError {
        let (core, text) = (self.core.clone(), self.model.stop_text());
        let cycle = self.model.cycle().saturating_sub(1);
        match self.model.stop_kind() {
            ffi::STOP_FINISH => DeviceError::Finish {
                core,
                cycle,
                place: text,
            },
            ffi::STOP_STOP => DeviceError::Stop {
                core,
                cycle,
                place: text,
            },
            _ => DeviceError::Fatal { core, cycle, text },
        }
    }

    /// Cycles simulated; also the number of the next one.
    pub fn cycle(&self) -> u64 {
        self.model.cycle()
    }

    /// Holds the core in reset, or releases it, from the next step on.
    pub fn set_reset(&mut self, is_active: bool) {
        self.model.set_reset(is_active);
    }

    /// Holds the core in reset for `cycles` cycles, or as many as its manifest wants, then releases it.
    ///
    /// # Errors
    /// If the core stopped the simulation.
    pub fn reset(&mut self, cycles: u64) -> Result<(), DeviceError> {
        self.set_reset(true);
        for _ in 0..cycles.max(self.interfaces.reset_cycles) {
            self.step()?;
        }
        self.set_reset(false);
        Ok(())
    }

    /// AXI manager ports.
    #[inline]
    pub fn managers(&self) -> &[AxiManagerPins] {
        self.model.managers()
    }

    /// AXI manager ports, to drive them.
    #[inline]
    pub fn managers_mut(&mut self) -> &mut [AxiManagerPins] {
        self.model.managers_mut()
    }

    /// AXI4-Lite ports.
    #[inline]
    pub fn lites(&self) -> &[AxiLitePins] {
        self.model.lites()
    }

    /// AXI4-Lite ports, to drive them.
    #[inline]
    pub fn lites_mut(&mut self) -> &mut [AxiLitePins] {
        self.model.lites_mut()
    }

    /// APB and Wishbone ports.
    #[inline]
    pub fn registers(&self) -> &[RegisterPins] {
        self.model.registers()
    }

    /// APB and Wishbone ports, to drive them.
    #[inline]
    pub fn registers_mut(&mut self) -> &mut [RegisterPins] {
        self.model.registers_mut()
    }

    /// Streams that the core sends.
    #[inline]
    pub fn streams_out(&self) -> &[AxiStreamPins] {
        self.model.streams_out()
    }

    /// Streams that the core sends, to drive ready.
    #[inline]
    pub fn streams_out_mut(&mut self) -> &mut [AxiStreamPins] {
        self.model.streams_out_mut()
    }

    /// Streams that the core receives.
    #[inline]
    pub fn streams_in(&self) -> &[AxiStreamPins] {
        self.model.streams_in()
    }

    /// Streams that the core receives, to drive them.
    #[inline]
    pub fn streams_in_mut(&mut self) -> &mut [AxiStreamPins] {
        self.model.streams_in_mut()
    }

    /// Wires that the core drives.
    #[inline]
    pub fn wires_out(&self) -> &[u64] {
        self.model.wires_out()
    }

    /// Wires that the testbench drives.
    #[inline]
    pub fn wires_in(&self) -> &[u64] {
        self.model.wires_in()
    }

    /// Wires that the testbench drives, to change them.
    #[inline]
    pub fn wires_in_mut(&mut self) -> &mut [u64] {
        self.model.wires_in_mut()
    }

    /// The driver's side as the waveform shows it.
    #[inline]
    pub fn host_view_mut(&mut self) -> &mut HostViewPins {
        &mut self.model.host_view_mut()[0]
    }

    /// Violations wait to be taken. Costs nothing, so it can be asked every cycle.
    #[inline]
    pub fn has_violations(&self) -> bool {
        self.flags & ffi::HAS_VIOLATIONS != 0
    }

    /// Takes the violations since the last call, the first 256 of them; all are counted.
    pub fn take_violations(&mut self) -> Vec<RuleViolation> {
        if !self.has_violations() {
            return Vec::new();
        }
        self.flags &= !ffi::HAS_VIOLATIONS;
        let records = self.model.take_violations();
        records
            .into_iter()
            .map(|record| RuleViolation {
                port: u32::try_from(record.port).ok(),
                rule: record.rule,
                section: record.section,
                text: record.text,
                expected: record.expected,
                found: record.found,
                cycle: record.cycle,
            })
            .collect()
    }

    /// Violations since the start.
    pub fn violation_total(&self) -> u64 {
        self.model.violation_total()
    }

    /// Takes the lines that the core printed since the last call, the last 1000 of them.
    pub fn take_messages(&mut self) -> Vec<String> {
        self.model.take_messages()
    }

    /// Lines that the core printed since the start.
    pub fn message_total(&self) -> u64 {
        self.model.message_total()
    }

    /// Format of the waveforms that this device can record.
    pub fn trace_kind(&self) -> TraceKind {
        self.trace
    }

    /// Records the cycles of `window` into the file `path`. A waveform that is open is closed first.
    ///
    /// # Errors
    /// If the core was built without waveforms, or the file cannot be written.
    pub fn open_trace(&mut self, path: &Path, window: TraceWindow) -> Result<(), DeviceError> {
        if self.trace == TraceKind::Off {
            return Err(DeviceError::NoTrace {
                core: self.core.clone(),
            });
        }
        let problem = |problem: String| DeviceError::Trace {
            path: path.to_owned(),
            problem,
        };
        let text = path
            .to_str()
            .ok_or_else(|| problem("a path that is not UTF-8".to_owned()))?;
        self.close_trace()?;
        // The model opens the file when the window begins; a path that cannot be written is told now.
        File::create(path).map_err(|error| problem(error.to_string()))?;
        self.trace_file = Some(path.to_owned());
        let is_built_in = self
            .model
            .open_trace(text, window.from, window.to)
            .map_err(problem)?;
        if is_built_in {
            Ok(())
        } else {
            Err(DeviceError::NoTrace {
                core: self.core.clone(),
            })
        }
    }

    /// Writes to disk what was recorded so far.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn flush_trace(&mut self) -> Result<(), DeviceError> {
        self.model
            .flush_trace()
            .map_err(|problem| self.trace_error(problem))
    }

    /// Ends the waveform. A file whose window was never reached is removed.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn close_trace(&mut self) -> Result<(), DeviceError> {
        let closed = self
            .model
            .close_trace()
            .map_err(|problem| self.trace_error(problem));
        if let Some(path) = self.trace_file.take()
            && std::fs::metadata(&path).is_ok_and(|file| file.len() == 0)
        {
            // Nothing is lost if the empty file stays.
            let _ = std::fs::remove_file(&path);
        }
        closed
    }

    fn trace_error(&self, problem: String) -> DeviceError {
        DeviceError::Trace {
            path: self.trace_file.clone().unwrap_or_default(),
            problem,
        }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        // An error here has no one to go to; whoever cares calls close_trace.
        let _ = self.close_trace();
    }
}

fn load_model(path: &Path, seed: u64) -> Result<ffi::Model, LoadError> {
    let error = |problem: String| LoadError {
        path: path.to_owned(),
        problem,
    };
    let text = path
        .to_str()
        .ok_or_else(|| error("expected a UTF-8 path".to_owned()))?;
    let (whole, found) = elf_bytes(path)
        .map_err(|problem| error(format!("expected a shared library, got {problem}")))?;
    if found < whole {
        // The loader would map what is not there and die of it.
        return Err(error(format!(
            "expected a shared library of {whole} bytes, got {found}"
        )));
    }
    ffi::Model::load(text, seed).map_err(error)
}

/// Bytes that a 64-bit ELF file says it has, up to its section table at the end, and bytes it has. A file
/// of another kind says nothing; the loader refuses it by itself.
fn elf_bytes(path: &Path) -> std::io::Result<(u64, u64)> {
    let mut header = [0; 64];
    let mut file = File::open(path)?;
    let found = file.metadata()?.len();
    if file.read_exact(&mut header).is_err() || header[..6] != *b"\x7fELF\x02\x01" {
        return Ok((0, found));
    }
    let number = |at: usize, bytes: usize| {
        header[at..at + bytes]
            .iter()
            .rev()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    };
    let (table, entry_bytes, entries) = (number(40, 8), number(58, 2), number(60, 2));
    Ok((table.saturating_add(entry_bytes * entries), found))
}

impl PinDevice for Device {
    type Error = DeviceError;
    type Violation = RuleViolation;

    fn ports(&self) -> PortShapes {
        let bytes = |bits: u32| bits.div_ceil(8);
        let stream = |port: &crate::interfaces::StreamPort| {
            PortShape::new(&port.name, bytes(port.data_width))
        };
        let interfaces = &self.interfaces;
        PortShapes {
            managers: interfaces
                .managers
                .iter()
                .map(|port| PortShape::new(&port.name, bytes(port.data_width)))
                .collect(),
            lites: interfaces
                .lites
                .iter()
                .map(|port| PortShape::new(&port.name, bytes(port.data_width)))
                .collect(),
            streams_out: interfaces.streams_out.iter().map(stream).collect(),
            streams_in: interfaces.streams_in.iter().map(stream).collect(),
            wires_out: interfaces
                .wires_out
                .iter()
                .map(|wire| wire.name.clone())
                .collect(),
            wires_in: interfaces
                .wires_in
                .iter()
                .map(|wire| wire.name.clone())
                .collect(),
        }
    }

    fn step(&mut self) -> Result<(), DeviceError> {
        Self::step(self)
    }

    fn set_reset(&mut self, is_active: bool) {
        Self::set_reset(self, is_active);
    }

    fn managers(&self) -> &[AxiManagerPins] {
        Self::managers(self)
    }

    fn managers_mut(&mut self) -> &mut [AxiManagerPins] {
        Self::managers_mut(self)
    }

    fn lites(&self) -> &[AxiLitePins] {
        Self::lites(self)
    }

    fn lites_mut(&mut self) -> &mut [AxiLitePins] {
        Self::lites_mut(self)
    }

    fn register_ports(&self) -> Vec<RegisterShape> {
        let ports = self.interfaces.registers.iter();
        ports
            .map(|port| RegisterShape {
                name: port.name.clone(),
                protocol: port.protocol,
                data_bytes: port.data_width.div_ceil(8),
                address_unit: port.address_unit,
                is_pipelined: port.is_pipelined,
            })
            .collect()
    }

    fn channel_ports(&self) -> Vec<ChannelPort> {
        self.interfaces.channels.clone()
    }

    fn least_reset_cycles(&self) -> u64 {
        self.interfaces.reset_cycles
    }

    fn registers(&self) -> &[RegisterPins] {
        Self::registers(self)
    }

    fn registers_mut(&mut self) -> &mut [RegisterPins] {
        Self::registers_mut(self)
    }

    fn streams_out(&self) -> &[AxiStreamPins] {
        Self::streams_out(self)
    }

    fn streams_out_mut(&mut self) -> &mut [AxiStreamPins] {
        Self::streams_out_mut(self)
    }

    fn streams_in(&self) -> &[AxiStreamPins] {
        Self::streams_in(self)
    }

    fn streams_in_mut(&mut self) -> &mut [AxiStreamPins] {
        Self::streams_in_mut(self)
    }

    fn wires_out(&self) -> &[u64] {
        Self::wires_out(self)
    }

    fn wires_in_mut(&mut self) -> &mut [u64] {
        Self::wires_in_mut(self)
    }

    fn host_view_mut(&mut self) -> &mut HostViewPins {
        Self::host_view_mut(self)
    }

    fn take_violations(&mut self) -> Vec<RuleViolation> {
        Self::take_violations(self)
    }
}
