//! The manifest: how a core is described to Rebound, in TOML.
//!
//! One file names the sources, the top module, its parameters, its ports and the limits of its DMA.
//! `sim/MANIFEST.md` shows the same fields with an example. Paths are relative to the manifest.

mod axi;
mod bits;
mod check;
mod clocks;
mod control;
mod error;
mod file_list;
mod limits;
mod locate;
mod names;
mod open_place;
mod registers;
pub mod schema;
mod size;
mod sources;
mod step;
mod streams;
mod suggest;
mod value;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use axi::{Access, AxiProtocol, AxiSpec};
pub(crate) use bits::low_mask;
pub use bits::{BitRange, NotBits, PortPart};
pub use clocks::{ActiveLevel, ClockSpec, ResetKind, ResetSpec};
pub use control::{Control, Direction, ErrorRule, Program};
pub use error::ManifestError;
pub use limits::{CompletionOrder, Limits};
pub use names::{Naming, NamingCase};
pub use open_place::OPEN_PLACE;
pub use registers::{AddressUnit, ApbSpec, AxilSpec, WishboneSpec};
pub use size::Size;
pub use sources::SourceSet;
pub use step::Step;
pub use streams::{ChannelSpec, StreamDirection, StreamSpec, WireDirection, WireRole, WireSpec};
pub(crate) use suggest::closest;
pub use value::{NotAValue, Symbol, SymbolValue, Unit, UnitBytes, Value, ValueError};

use crate::parameters::ParameterSpec;

/// A core, as its manifest describes it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Name of the core in reports and file names: letters, digits, `_`, `-`.
    pub name: String,
    /// Module that is verilated: the core's own, or the one in `wrapper`.
    pub top: String,
    /// SystemVerilog and Verilog files, packages first.
    #[serde(default)]
    pub sources: Vec<PathBuf>,
    /// SystemVerilog file with a module of yours around the core, named by `top`, that gives ports of struct types
    /// plain vectors. It is read after all sources.
    pub wrapper: Option<PathBuf>,
    /// Standard by which files ending in `.v` are read. Set `verilog2005` for a core that uses words of SystemVerilog
    /// as names.
    #[serde(default)]
    pub language: Language,
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
    /// Testbench driver that programs the core, such as `dma_engine`. A core with a `[control]` program needs none.
    pub driver: Option<String>,
    /// Clock inputs: ports that all get the base clock, or `{ port = "clk2", period = 2, phase = 1 }`.
    #[serde(default)]
    pub clocks: Vec<ClockSpec>,
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
    /// APB completer ports: the control registers.
    #[serde(default, rename = "apb")]
    pub apbs: Vec<ApbSpec>,
    /// Wishbone subordinate ports: the control registers.
    #[serde(default, rename = "wishbone")]
    pub wishbones: Vec<WishboneSpec>,
    /// AXI-Stream ports: data.
    #[serde(default, rename = "stream")]
    pub streams: Vec<StreamSpec>,
    /// Valid/ready channels of named fields: descriptors and their status.
    #[serde(default, rename = "channel")]
    pub channels: Vec<ChannelSpec>,
    /// Plain wires: interrupts, enables, status.
    #[serde(default, rename = "wire")]
    pub wires: Vec<WireSpec>,
    /// Constant inputs, port to value.
    #[serde(default)]
    pub tie_off: BTreeMap<String, u64>,
    /// What the core's DMA can do.
    #[serde(default)]
    pub limits: Limits,
    /// How software runs the core's DMA.
    pub control: Option<Control>,
    /// The file this was read from, for messages and relative paths.
    #[serde(skip)]
    source: Arc<ManifestSource>,
}

/// Standard by which files ending in `.v` are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// IEEE 1800, as all other files.
    #[default]
    SystemVerilog,
    /// IEEE 1364-2005: `logic`, `bit` or `do` may be names.
    Verilog2005,
}

/// Where a manifest came from.
#[derive(Debug, Default)]
pub(crate) struct ManifestSource {
    /// Path as the user gave it.
    pub(crate) path: PathBuf,
    /// Whole text.
    pub(crate) text: String,
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
        open_place::none_left(&source)?;
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

    /// Line of the field `field`, written like `control.copy.done[1]`, or of the nearest table around it.
    pub fn line_of(&self, field: &str) -> Option<usize> {
        locate::span_of(self.text(), field).map(|span| locate::line_of(self.text(), span.start))
    }

    /// Names of the register ports, in the order of their indices: AXI4-Lite, APB, Wishbone.
    pub fn register_ports(&self) -> Vec<&str> {
        let lites = self.lites.iter().map(|spec| spec.name.as_str());
        let apbs = self.apbs.iter().map(|spec| spec.name.as_str());
        let wishbones = self.wishbones.iter().map(|spec| spec.name.as_str());
        lites.chain(apbs).chain(wishbones).collect()
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
mod control_tests;
#[cfg(test)]
mod tests;
