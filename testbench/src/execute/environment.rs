//! The tools around a run: the core's manifest, Verilator and compiler, and the cache of built cores.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rebound_sim::cache::Cache;
use rebound_sim::device::{Device, RuleViolation};
use rebound_sim::manifest::{Manifest, SourceSet};
use rebound_sim::parameters::ParameterValue;
use rebound_sim::toolchain::Toolchain;
use rebound_sim::trace::{TraceKind, TraceWindow};
use rebound_sim::verilate::{CoreBuilder, CoreLibrary};

use crate::error::UsageError;
use crate::parallel::in_parallel;
use crate::result::RunResult;
use crate::scenario::plan::{AddrMode, EnginePlan, Plan, PlantedFault};
use crate::seed::Seed;
use crate::violation::{Check, Violation};

/// A core to build: the engine's parameters, and what is compiled in beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Core {
    /// The parameters.
    pub engine: EnginePlan,
    /// The waveform that it can write.
    pub trace: TraceKind,
    /// Whether the protocol rules are bound to its ports.
    pub has_rules: bool,
}

/// A waveform to write.
#[derive(Debug, Clone)]
pub struct WaveRequest {
    /// The file.
    pub path: PathBuf,
    /// First cycle.
    pub from: u64,
    /// Last cycle; the whole run if absent.
    pub to: Option<u64>,
}

impl WaveRequest {
    /// Returns the format, which the ending of the file's name says: `.vcd`, or FST.
    #[must_use]
    pub fn kind(&self) -> TraceKind {
        match self.path.extension() {
            Some(extension) if extension == TraceKind::Vcd.extension() => TraceKind::Vcd,
            _ => TraceKind::Fst,
        }
    }
}

/// Drivers that a manifest can name.
const DRIVERS: [&str; 1] = ["dma_engine"];

/// The tools around a run.
#[derive(Debug)]
pub struct Environment {
    manifest: Manifest,
    toolchain: Toolchain,
    cache: Cache,
}

impl Environment {
    /// Reads the manifest and finds the tools.
    ///
    /// # Errors
    /// If the manifest is wrong, or a tool is missing.
    pub fn load(manifest: &Path) -> Result<Self, UsageError> {
        let manifest = Manifest::load(manifest).map_err(UsageError::from_diagnostic)?;
        manifest
            .check_driver(&DRIVERS)
            .map_err(UsageError::from_diagnostic)?;
        Ok(Self {
            manifest,
            toolchain: Toolchain::discover().map_err(UsageError::from_diagnostic)?,
            cache: Cache::discover().map_err(UsageError::from_diagnostic)?,
        })
    }

    /// Returns the manifest.
    #[must_use]
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Returns the tools.
    #[must_use]
    pub const fn toolchain(&self) -> &Toolchain {
        &self.toolchain
    }

    /// Returns the core's sources.
    ///
    /// # Errors
    /// If a file list or a source is missing.
    pub fn sources(&self) -> Result<SourceSet, UsageError> {
        self.manifest
            .source_set()
            .map_err(UsageError::from_diagnostic)
    }

    /// Builds cores, `jobs` at a time; `done` is called after each.
    ///
    /// # Errors
    /// The first failure; cores that have not begun are then not built.
    pub fn build_all(
        &self,
        cores: &[Core],
        jobs: usize,
        done: impl Fn() + Sync,
    ) -> Result<(), UsageError> {
        let build = |core: &Core| {
            self.library(core)?;
            done();
            Ok(())
        };
        in_parallel(cores, jobs, build, |_, ()| ())
    }

    /// Builds a core, or finds it in the cache, and loads it.
    ///
    /// # Errors
    /// If the core does not build or load.
    pub fn device(&self, core: &Core, seed: Seed) -> Result<Device, UsageError> {
        Device::load(&self.library(core)?, seed.value()).map_err(UsageError::from_diagnostic)
    }

    fn library(&self, core: &Core) -> Result<CoreLibrary, UsageError> {
        let builder = CoreBuilder {
            parameters: parameters(&core.engine)
                .into_iter()
                .map(|(name, value)| (name, ParameterValue::from(value)))
                .collect(),
            trace: core.trace,
            rules: core.has_rules,
            ..CoreBuilder::new(self.manifest.clone())
        };
        builder
            .build(&self.toolchain, &self.cache)
            .map_err(UsageError::from_diagnostic)
    }
}

/// Carries a plan out on the core that it asks for.
///
/// # Errors
/// If the core cannot be built, loaded or traced, or does not fit the plan.
pub fn run(
    environment: &Environment,
    plan: &Plan,
    wave: Option<&WaveRequest>,
) -> Result<RunResult, UsageError> {
    let core = Core {
        engine: plan.engine,
        trace: wave.map_or(TraceKind::Off, WaveRequest::kind),
        has_rules: true,
    };
    let mut device = environment.device(&core, plan.seed)?;
    if let Some(wave) = wave {
        let window = TraceWindow {
            from: wave.from,
            to: wave.to.map_or(u64::MAX, |last| last.saturating_add(1)),
        };
        device
            .open_trace(&wave.path, window)
            .map_err(UsageError::from_diagnostic)?;
    }
    let (mut result, mut device) = super::run_on(device, plan)?;
    if let Some(wave) = wave {
        device.close_trace().map_err(UsageError::from_diagnostic)?;
        // A window that the run did not reach leaves no file.
        let is_written = wave.path.is_file();
        result.wave = is_written.then(|| wave.path.display().to_string());
    }
    Ok(result)
}

/// Returns the engine's parameters by the names of its manifest.
#[must_use]
pub fn parameters(engine: &EnginePlan) -> BTreeMap<String, i64> {
    let mode = match engine.addr_mode {
        AddrMode::Truncate => 0,
        AddrMode::Error => 1,
        AddrMode::Wrap64K => 2,
        AddrMode::Boundary => 3,
    };
    let fault = engine.planted_fault.map_or(0, PlantedFault::number);
    let mut parameters = vec![
        ("DataWidth", engine.data_width.into()),
        ("AddrBits", engine.addr_bits.into()),
        ("AddrMode", mode),
        ("MaxBurstBeats", engine.max_burst_beats.into()),
        ("MaxReads", engine.max_reads.into()),
        ("MaxWrites", engine.max_writes.into()),
        ("FifoDepth", engine.fifo_depth.into()),
        ("RingDepth", engine.ring_depth.into()),
        ("PlantedFault", fault.into()),
    ];
    // A core that is driven like the engine need not have it.
    if engine.addr_mode == AddrMode::Boundary {
        parameters.push(("BoundaryBits", engine.boundary_bits.into()));
    }
    let named = parameters.into_iter();
    named
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

impl From<RuleViolation> for Violation {
    fn from(broken: RuleViolation) -> Self {
        let text = if broken.port.is_some() {
            format!(
                "{} ({}): {}, expected {:#x}, found {:#x}",
                broken.rule, broken.section, broken.text, broken.expected, broken.found
            )
        } else {
            broken.text
        };
        Self {
            check: if broken.port.is_some() {
                Check::Protocol
            } else {
                Check::Assertion
            },
            cycle: Some(broken.cycle),
            transfer: None,
            text,
            place: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(port: Option<u32>) -> RuleViolation {
        RuleViolation {
            port,
            rule: "AXI_AR_BOUNDARY".into(),
            section: "IHI 0022 A3.4.1".into(),
            text: "a burst must not cross 4 KiB".into(),
            expected: 0x1000,
            found: 0x1040,
            cycle: 77,
        }
    }

    #[test]
    fn a_broken_rule_becomes_a_protocol_violation_with_section_and_values() {
        let violation = Violation::from(broken(Some(0)));
        assert_eq!(violation.check, Check::Protocol);
        assert_eq!(
            violation.to_string(),
            "AXI_AR_BOUNDARY (IHI 0022 A3.4.1): a burst must not cross 4 KiB, expected 0x1000, found \
             0x1040 (cycle 77)"
        );
    }

    #[test]
    fn a_failed_assertion_of_the_core_is_told_in_its_own_words() {
        let violation = Violation::from(broken(None));
        assert_eq!(violation.check, Check::Assertion);
        assert_eq!(violation.text, "a burst must not cross 4 KiB");
    }

    #[test]
    fn planted_faults_are_numbered_as_in_the_rtl() {
        let package = include_str!("../../../rtl/dma_pkg.sv");
        for fault in PlantedFault::ALL {
            let start = format!("localparam int unsigned Fault{fault:?} ");
            let line = package.lines().find(|line| line.contains(&start));
            let line = line.unwrap_or_else(|| panic!("dma_pkg.sv lacks: {start}"));
            let number = format!("= {};", fault.number());
            assert!(line.contains(&number), "{fault:?}: {line}");
        }
        let last = package.lines().find(|line| line.contains(" FaultLast "));
        let number = format!("= {};", PlantedFault::ALL.len());
        assert!(last.is_some_and(|line| line.contains(&number)), "{last:?}");
    }

    #[test]
    fn parameters_have_the_names_of_the_manifest() {
        let engine = EnginePlan {
            addr_mode: AddrMode::Boundary,
            boundary_bits: 27,
            ..EnginePlan::bits(24)
        };
        let parameters = parameters(&engine);
        assert_eq!(parameters["AddrBits"], 24);
        assert_eq!(parameters["AddrMode"], 3);
        assert_eq!(parameters["BoundaryBits"], 27);
        let manifest = include_str!("../../../rtl/dma_engine.toml");
        for name in parameters.keys() {
            assert!(manifest.contains(&format!("\n{name} = ")), "{name}");
        }
    }
}
