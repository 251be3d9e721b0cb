//! The manifest: how a core is described to Rebound, in TOML.
//!
//! One file names the sources, the top module, its parameters, its ports and the limits of its DMA.
//! `sim/MANIFEST.md` shows the same fields with an example. Paths are relative to the manifest.

mod check;
mod error;
mod file_list;
mod locate;
mod names;
mod size;
mod sources;
mod suggest;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use error::ManifestError;
pub use names::{Naming, NamingCase};
pub use size::Size;
pub use sources::SourceSet;
pub(crate) use suggest::closest;

use crate::parameters::ParameterSpec;

/// A core, as its manifest describes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Name of the core in reports and file names: letters, digits, `_`, `-`.
    pub name: String,
    /// Module that is verilated. For struct ports, write a wrapper module and name it here.
    pub top: String,
    /// SystemVerilog and Verilog files, packages first.
    #[serde(default)]
    pub sources: Vec<PathBuf>,
    /// File lists (`-f` style: paths, `+incdir+`, `+define+`, `-y`, `-f`), read before `sources`.
    #[serde(default)]
    pub file_lists: Vec<PathBuf>,
    /// Folders searched by `` `include ``.
    #[serde(default)]
    pub include_dirs: Vec<PathBuf>,
    /// Folders searched for modules that no source defines (`-y`).
    #[serde(default)]
    pub library_dirs: Vec<PathBuf>,
    /// Preprocessor definitions, name to value; an empty value defines the bare name.
    #[serde(default)]
    pub defines: BTreeMap<String, String>,
    /// Testbench driver that programs the core, such as `dma_engine`.
    pub driver: Option<String>,
    /// Clock inputs; all get the same clock.
    #[serde(default)]
    pub clocks: Vec<String>,
    /// Reset inputs; all are held and released together.
    #[serde(default, rename = "reset")]
    pub resets: Vec<ResetSpec>,
    /// Parameters of the top module that may be changed, with their defaults.
    #[serde(default)]
    pub parameters: BTreeMap<String, ParameterSpec>,
    /// AXI manager ports: how the core reaches host memory.
    #[serde(default, rename = "axi")]
    pub managers: Vec<AxiSpec>,
    /// AXI4-Lite subordinate ports: the control registers.
    #[serde(default, rename = "axil")]
    pub lites: Vec<AxilSpec>,
    /// AXI-Stream ports.
    #[serde(default, rename = "stream")]
    pub streams: Vec<StreamSpec>,
    /// Plain wires: interrupts, enables, status.
    #[serde(default, rename = "wire")]
    pub wires: Vec<WireSpec>,
    /// Constant inputs, port to value.
    #[serde(default)]
    pub tie_off: BTreeMap<String, u64>,
    /// What the core's DMA can do.
    #[serde(default)]
    pub limits: Limits,
    /// The file this was read from, for messages and relative paths.
    #[serde(skip)]
    source: Arc<ManifestSource>,
}

/// Where a manifest came from.
#[derive(Debug, Default)]
pub(crate) struct ManifestSource {
    /// Path as the user gave it.
    pub(crate) path: PathBuf,
    /// Whole text.
    pub(crate) text: String,
}

/// A reset input.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResetSpec {
    /// Port of the core.
    pub port: String,
    /// Level that resets.
    pub active: ActiveLevel,
}

/// The level at which a signal acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActiveLevel {
    /// Acts when 0.
    Low,
    /// Acts when 1.
    High,
}

/// Protocol of a manager port.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AxiProtocol {
    /// AXI4: 8-bit lengths, no `WID`.
    #[default]
    Axi4,
    /// AXI3: 4-bit lengths, `WID`, two-bit locks.
    Axi3,
}

/// Which of its five channels a manager port has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// All five.
    #[default]
    ReadWrite,
    /// AR and R.
    Read,
    /// AW, W and B.
    Write,
}

impl Access {
    /// Has AR and R.
    pub fn reads(self) -> bool {
        self != Self::Write
    }

    /// Has AW, W and B.
    pub fn writes(self) -> bool {
        self != Self::Read
    }
}

/// An AXI manager port. Signals the core does not have get the protocol's default.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AxiSpec {
    /// Name in reports and waveforms.
    pub name: String,
    /// `axi4` (default) or `axi3`.
    #[serde(default)]
    pub protocol: AxiProtocol,
    /// `read_write` (default), `read` or `write`.
    #[serde(default)]
    pub access: Access,
    /// What stands before the signal in a port's name, such as `m_axi_`.
    #[serde(default)]
    pub prefix: String,
    /// How a port's name is made; default `{prefix}{channel}{signal}`. `{direction}` is `i` or `o`.
    pub pattern: Option<String>,
    /// Case of channel and signal in a port's name: `lower` (default) or `upper`.
    #[serde(default)]
    pub case: NamingCase,
    /// Ports that do not follow the pattern: signal (such as `awaddr`) to port.
    #[serde(default)]
    pub ports: BTreeMap<String, String>,
    /// Bits of `AxADDR`; checked against the core if given.
    pub address_width: Option<Size>,
    /// Bits of WDATA and RDATA; checked against the core if given.
    pub data_width: Option<Size>,
    /// Bits of the ids; checked against the core if given.
    pub id_width: Option<Size>,
    /// Most read bursts outstanding the core promises; more is a violation. Absent: not checked.
    pub max_reads: Option<Size>,
    /// Most write bursts outstanding the core promises; more is a violation. Absent: not checked.
    pub max_writes: Option<Size>,
}

/// An AXI4-Lite subordinate port.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AxilSpec {
    /// Name in reports and waveforms.
    pub name: String,
    /// What stands before the signal in a port's name, such as `s_axil_`.
    #[serde(default)]
    pub prefix: String,
    /// How a port's name is made; default `{prefix}{channel}{signal}`. `{direction}` is `i` or `o`.
    pub pattern: Option<String>,
    /// Case of channel and signal in a port's name: `lower` (default) or `upper`.
    #[serde(default)]
    pub case: NamingCase,
    /// Ports that do not follow the pattern: signal (such as `awaddr`) to port.
    #[serde(default)]
    pub ports: BTreeMap<String, String>,
    /// Bits of `AxADDR`; checked against the core if given.
    pub address_width: Option<Size>,
    /// Bits of WDATA and RDATA, 32 or 64; checked against the core if given.
    pub data_width: Option<Size>,
}

/// Which way a stream flows, seen from the core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StreamDirection {
    /// The core sends.
    Source,
    /// The core receives.
    Sink,
}

/// An AXI-Stream port.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamSpec {
    /// Name in reports and waveforms.
    pub name: String,
    /// `source` if the core sends, `sink` if it receives.
    pub direction: StreamDirection,
    /// What stands before the signal in a port's name, such as `m_axis_`.
    #[serde(default)]
    pub prefix: String,
    /// How a port's name is made; default `{prefix}{signal}`. `{direction}` is `i` or `o`.
    pub pattern: Option<String>,
    /// Case of the signal in a port's name: `lower` (default) or `upper`.
    #[serde(default)]
    pub case: NamingCase,
    /// Ports that do not follow the pattern: signal (such as `tdata`) to port.
    #[serde(default)]
    pub ports: BTreeMap<String, String>,
    /// Bits of TDATA; checked against the core if given.
    pub data_width: Option<Size>,
}

/// Which way a wire points, seen from the core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WireDirection {
    /// The testbench drives it.
    Input,
    /// The core drives it.
    Output,
}

/// What a wire is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WireRole {
    /// Nothing that Rebound knows about; a driver reads or sets it by name.
    #[default]
    Plain,
    /// Interrupt, level, active high.
    Interrupt,
}

/// A plain wire of up to 64 bits.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WireSpec {
    /// Name in reports and waveforms.
    pub name: String,
    /// Port of the core; default: the name.
    pub port: Option<String>,
    /// `input` if the testbench drives it, `output` if the core does.
    pub direction: WireDirection,
    /// `plain` (default) or `interrupt`.
    #[serde(default)]
    pub role: WireRole,
    /// Value of an input until a driver changes it.
    #[serde(default)]
    pub initial: u64,
}

/// What the core's DMA can do. The testbench keeps within these limits, as a driver would.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// DMA address bits that the core implements, 1 to 64.
    pub address_bits: Option<Size>,
    /// Boundary in bytes that one transfer must not cross, a power of two.
    pub boundary: Option<Size>,
    /// Longest transfer in bytes.
    pub max_length: Option<Size>,
    /// Granule in bytes of addresses and lengths, a power of two; 1 if absent.
    pub alignment: Option<Size>,
    /// Longest burst in beats.
    pub max_burst_beats: Option<Size>,
}

/// The longest manifest or file list that is read, in bytes: whatever is longer is something else.
const LONGEST_TEXT: u64 = 1 << 20;

/// Reads a text of bounded length, so that a device or a dump taken for a manifest does no harm.
fn read_text(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let file = std::fs::File::open(path)?;
    if file.take(LONGEST_TEXT + 1).read_to_string(&mut text)? as u64 > LONGEST_TEXT {
        return Err(std::io::Error::other(
            "more than 1 MiB: not a text of this kind",
        ));
    }
    Ok(text)
}

impl Manifest {
    /// Reads and checks a manifest. Its sources must exist; the core itself is not looked at yet.
    pub fn load(path: &Path) -> Result<Self, ManifestError> {
        let text =
            read_text(path).map_err(|error| ManifestError::unreadable(path, "manifest", &error))?;
        let manifest = Self::parse(path, text)?;
        manifest.source_set()?;
        Ok(manifest)
    }

    /// Checks the text of a manifest as if read from `path`, without looking for the sources.
    pub fn parse(path: &Path, text: String) -> Result<Self, ManifestError> {
        let source = Arc::new(ManifestSource {
            path: path.to_owned(),
            text,
        });
        let mut manifest: Self = toml::from_str(&source.text)
            .map_err(|error| ManifestError::from_toml(&source, &error))?;
        manifest.source = source;
        check::check(&manifest)?;
        Ok(manifest)
    }

    /// Path as given to [`Manifest::load`].
    pub fn path(&self) -> &Path {
        &self.source.path
    }

    /// Folder of the manifest, to which its paths are relative.
    pub fn folder(&self) -> &Path {
        match self.source.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        }
    }

    /// Whole text of the manifest.
    pub fn text(&self) -> &str {
        &self.source.text
    }

    /// Every source, include folder and definition, with file lists read in.
    pub fn source_set(&self) -> Result<SourceSet, ManifestError> {
        SourceSet::of(self)
    }

    /// Checks that the manifest names one of the drivers that a testbench has, or none.
    ///
    /// # Errors
    /// If it names another: the known ones, and the one that was probably meant.
    pub fn check_driver(&self, known: &[&str]) -> Result<(), ManifestError> {
        match &self.driver {
            Some(driver) if !known.contains(&driver.as_str()) => Err(self
                .error_at(
                    "driver",
                    format!("one of the drivers of the testbench: {}", known.join(", ")),
                    format!("\"{driver}\""),
                )
                .with_suggestion(driver, known.iter().copied())),
            _ => Ok(()),
        }
    }

    /// An error at the field `field`, written like `axi[0].data_width`.
    pub fn error_at(
        &self,
        field: impl Into<String>,
        expected: impl Into<String>,
        got: impl Into<String>,
    ) -> ManifestError {
        ManifestError::at(&self.source, field.into(), expected.into(), got.into())
    }
}

/// Whether the text of the manifest has the field `field`.
pub(crate) fn has_field(manifest: &Manifest, field: &str) -> bool {
    locate::span_of(manifest.text(), field)
        .is_some_and(|span| locate::field_at(manifest.text(), &span) == field)
}

#[cfg(test)]
mod tests;
