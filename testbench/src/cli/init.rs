//! `rebound init`: the first draft of a core's manifest.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use rebound_sim::manifest::Manifest;

use crate::cli::{Outcome, say};
use crate::error::UsageError;
use crate::init::elaborate::{Elaborator, Request};
use crate::init::model::{Protocol, Recognised};
use crate::init::render::Draft;
use crate::init::templates::{self, TEMPLATES, Template};
use crate::init::{parameters, recognise};

/// Write the first draft of a core's manifest from its ports
///
/// Elaborates the core, recognises its interfaces, clocks, resets, interrupts and parameters by their names, and
/// writes a manifest that says what was guessed and what is left to fill in.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Verilog and SystemVerilog files of the core, packages first
    #[arg(value_name = "FILE", required_unless_present_any = ["templates", "file_lists"])]
    files: Vec<PathBuf>,
    /// Top module of the core
    #[arg(long, value_name = "NAME", required_unless_present = "templates")]
    top: Option<String>,
    /// The manifest to write [default: the top's name with .toml]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace the manifest if it exists
    #[arg(long)]
    force: bool,
    /// Folder searched by `include`
    #[arg(short = 'I', value_name = "FOLDER")]
    include_dirs: Vec<PathBuf>,
    /// Folder searched for modules that no source defines
    #[arg(short = 'y', value_name = "FOLDER")]
    library_dirs: Vec<PathBuf>,
    /// Preprocessor definition
    #[arg(short = 'D', value_name = "NAME[=VALUE]")]
    defines: Vec<String>,
    /// File list
    #[arg(short = 'f', value_name = "LIST")]
    file_lists: Vec<PathBuf>,
    /// Value of a parameter, in place of the core's own default
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = parameter)]
    parameters: Vec<(String, i64)>,
    /// Control program to begin with [default: by the control interface]
    #[arg(long, value_name = "NAME", value_parser = template)]
    template: Option<&'static Template>,
    /// List the control programs to begin with
    #[arg(long)]
    templates: bool,
}

fn parameter(text: &str) -> Result<(String, i64), String> {
    let wrong = || format!("expected NAME=VALUE with a whole number, got `{text}`");
    let (name, value) = text.split_once('=').ok_or_else(wrong)?;
    let digits = value.replace('_', "");
    let number = match digits.strip_prefix("0x") {
        Some(hex) => i64::from_str_radix(hex, 16),
        None => digits.parse(),
    };
    match number {
        Ok(number) if !name.is_empty() => Ok((name.to_owned(), number)),
        _ => Err(wrong()),
    }
}

fn template(name: &str) -> Result<&'static Template, String> {
    templates::by_name(name).ok_or_else(|| {
        let names: Vec<&str> = TEMPLATES.iter().map(|template| template.name).collect();
        format!("expected one of {}", names.join(", "))
    })
}

/// Where the schema lies in the repository, for editors.
const SCHEMA: &str = "sim/manifest.schema.json";

impl Init {
    pub(super) fn run(self) -> Result<Outcome, UsageError> {
        if self.templates {
            for template in &TEMPLATES {
                say(&format!("{}\n    {}", template.name, template.about))?;
            }
            return Ok(Outcome::Pass);
        }
        let request = self.request();
        request.check()?;
        self.must_be_free(&request.output)?;
        let elaborator = Elaborator::new(&request)?;
        let outline = elaborator.outline()?;
        let found = recognise(&outline);
        let parameters =
            parameters::bind(&outline, &found, |name, value| elaborator.with(name, value));
        let draft = Draft {
            header: request.header()?,
            schema: schema(&request),
            found: &found,
            parameters: &parameters,
            template: self.template.unwrap_or_else(|| templates::fitting(&found)),
        };
        let text = draft.text();
        // A draft that its own reader refuses would be a defect of this program; only open places are no error.
        if !found.clocks.is_empty() {
            Manifest::parse(&request.output, text.clone()).map_err(UsageError::from_diagnostic)?;
        }
        self.write(&request.output, &text)?;
        say(&format!("wrote {}", request.output.display()))?;
        for line in summary(&found) {
            say(&format!("  {line}"))?;
        }
        for line in draft.open() {
            say(&format!("  open: {line}"))?;
        }
        Ok(Outcome::Pass)
    }

    fn request(&self) -> Request {
        let top = self.top.clone().unwrap_or_default();
        let define = |text: &String| {
            let (name, value) = text.split_once('=').unwrap_or((text, ""));
            (name.to_owned(), value.to_owned())
        };
        let parameters: BTreeMap<String, i64> = self.parameters.iter().cloned().collect();
        Request {
            files: self.files.clone(),
            output: self
                .output
                .clone()
                .unwrap_or_else(|| PathBuf::from(format!("{top}.toml"))),
            top,
            file_lists: self.file_lists.clone(),
            include_dirs: self.include_dirs.clone(),
            library_dirs: self.library_dirs.clone(),
            defines: self.defines.iter().map(define).collect(),
            parameters,
        }
    }

    fn must_be_free(&self, output: &Path) -> Result<(), UsageError> {
        if output.is_dir() {
            return Err(UsageError::new(format!(
                "expected a file name for the manifest, got the folder {}",
                output.display()
            )));
        }
        if output.exists() && !self.force {
            return Err(exists(output));
        }
        Ok(())
    }

    /// Writes beside the manifest, then renames, so that nobody sees half of it.
    fn write(&self, output: &Path, text: &str) -> Result<(), UsageError> {
        let folder = match output.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let context = format!("cannot write {}", output.display());
        let failed = |error: std::io::Error| UsageError::from_error(&context, &error);
        let mut file = tempfile::Builder::new()
            .prefix(".rebound-init-")
            .permissions(readable())
            .tempfile_in(folder)
            .map_err(failed)?;
        file.write_all(text.as_bytes()).map_err(failed)?;
        let written = if self.force {
            file.persist(output)
        } else {
            file.persist_noclobber(output)
        };
        match written {
            Ok(_) => Ok(()),
            Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => {
                Err(exists(output))
            }
            Err(error) => Err(failed(error.error)),
        }
    }
}

/// As other new files: the user's mask takes away what it wants.
fn readable() -> std::fs::Permissions {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::Permissions::from_mode(0o666)
}

fn exists(output: &Path) -> UsageError {
    UsageError::new(format!("{} exists already", output.display()))
        .help("write elsewhere with --output, or replace it with --force")
}

/// The schema as seen from the manifest, if the manifest lies within the repository; else by its name alone.
fn schema(request: &Request) -> String {
    let folder = request.folder().canonicalize().unwrap_or_default();
    let mut up = String::new();
    for above in folder.ancestors() {
        if above.join(SCHEMA).is_file() {
            return format!("{up}{SCHEMA}");
        }
        up.push_str("../");
    }
    "manifest.schema.json".to_owned()
}

/// What was recognised, a line each.
fn summary(found: &Recognised) -> Vec<String> {
    let mut lines = Vec::new();
    for clock in &found.clocks {
        lines.push(format!("clock {}", clock.port));
    }
    for reset in &found.resets {
        let how = format!("{:?}, {:?}", reset.active, reset.kind).to_lowercase();
        lines.push(format!("reset {}: {how}", reset.port));
    }
    for each in &found.interfaces {
        let protocol = match each.protocol {
            Protocol::Axi4 => "AXI4 manager",
            Protocol::Axi3 => "AXI3 manager",
            Protocol::Lite => "AXI4-Lite registers",
            Protocol::Stream(_) => "AXI-Stream",
            Protocol::Apb => "APB registers",
            Protocol::Wishbone => "Wishbone registers",
        };
        lines.push(format!(
            "{protocol} {}: {} ports",
            each.name,
            each.signals.len()
        ));
    }
    for each in &found.channels {
        lines.push(format!(
            "channel {}: {} fields",
            each.name,
            each.fields.len()
        ));
    }
    for wire in &found.wires {
        let what = if wire.is_interrupt {
            "interrupt"
        } else {
            "wire"
        };
        lines.push(format!("{what} {}", wire.port));
    }
    for tie in &found.ties {
        lines.push(format!("tied off {} = {}", tie.port, tie.value));
    }
    if !found.unused.is_empty() {
        lines.push(format!("not looked at: {}", found.unused.join(", ")));
    }
    lines
}
