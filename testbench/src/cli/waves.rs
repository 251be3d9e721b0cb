//! `rebound waves`: lists the waveforms, and opens one in the viewer that is there.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use clap::Args;

use crate::cli::{Outcome, say};
use crate::error::UsageError;

/// List the waveforms and open the newest one (or FILE) with our layout
///
/// Opens GTKWave or Surfer, whichever is installed, if there is a display; otherwise it prints the
/// command that opens it elsewhere.
#[derive(Debug, Args)]
pub(crate) struct Waves {
    /// The waveform to open [default: the newest]
    file: Option<PathBuf>,
    /// Folder of the waveforms and of the layouts
    #[arg(long, default_value = "waves", value_name = "FOLDER")]
    folder: PathBuf,
    /// Only list and print, open nothing
    #[arg(long)]
    print: bool,
}

/// A program that shows waveforms.
struct Viewer {
    name: &'static str,
    layout: &'static str,
    /// The option before the layout's file; none if it just follows the dump.
    layout_option: Option<&'static str>,
}

const VIEWERS: [Viewer; 2] = [
    Viewer {
        name: "gtkwave",
        layout: "rebound.gtkw",
        layout_option: None,
    },
    Viewer {
        name: "surfer",
        layout: "rebound.sucl",
        layout_option: Some("--command-file"),
    },
];

impl Waves {
    pub(super) fn run(&self) -> Result<Outcome, UsageError> {
        let dumps = self.dumps()?;
        if let Some(file) = &self.file
            && !file.is_file()
        {
            return Err(
                UsageError::new(format!("no waveform at {}", file.display())).help(hint(&dumps)),
            );
        }
        if let Some(file) = &self.file
            && !is_dump(file)
        {
            return Err(UsageError::new(format!(
                "{} is no waveform: expected a name that ends with .fst or .vcd",
                file.display()
            ))
            .help(hint(&dumps)));
        }
        for (dump, _) in &dumps {
            say(&dump.display().to_string())?;
        }
        let newest = dumps
            .iter()
            .max_by_key(|(_, written)| *written)
            .map(|(dump, _)| dump);
        let Some(dump) = self.file.as_ref().or(newest) else {
            return Err(
                UsageError::new(format!("no waveform in {}", self.folder.display()))
                    .help("`make sim` writes one, `make sim WAVES=1` one for every scenario"),
            );
        };
        let installed = VIEWERS
            .iter()
            .find(|viewer| which::which(viewer.name).is_ok());
        match installed {
            Some(viewer) if has_display() && !self.print => {
                let arguments = viewer.arguments(dump, &self.folder);
                say(&format!("opening {} {}", viewer.name, arguments.join(" ")))?;
                Command::new(viewer.name)
                    .args(&arguments)
                    .stdin(Stdio::null())
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .spawn()
                    .map_err(|error| {
                        UsageError::from_error(&format!("cannot start {}", viewer.name), &error)
                    })?;
            }
            _ => {
                say("open one of them with")?;
                for viewer in &VIEWERS {
                    let arguments = viewer.arguments(dump, &self.folder).join(" ");
                    say(&format!("  {} {arguments}", viewer.name))?;
                }
            }
        }
        Ok(Outcome::Pass)
    }

    /// Finds the dumps with the time of their writing, sorted by name.
    fn dumps(&self) -> Result<Vec<(PathBuf, SystemTime)>, UsageError> {
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => {
                let context = format!("cannot read the folder {}", self.folder.display());
                return Err(UsageError::from_error(&context, &error));
            }
        };
        let mut dumps: Vec<(PathBuf, SystemTime)> = entries
            .filter_map(Result::ok)
            .map(|entry| entry.path())
            .filter(|path| is_dump(path))
            .map(|path| {
                let written = path.metadata().and_then(|data| data.modified());
                (path, written.unwrap_or(SystemTime::UNIX_EPOCH))
            })
            .collect();
        dumps.sort();
        Ok(dumps)
    }
}

impl Viewer {
    fn arguments(&self, dump: &Path, folder: &Path) -> Vec<String> {
        let layout = folder.join(self.layout);
        let mut arguments = vec![dump.display().to_string()];
        if layout.is_file() {
            arguments.extend(self.layout_option.map(str::to_owned));
            arguments.push(layout.display().to_string());
        }
        arguments
    }
}

fn hint(dumps: &[(PathBuf, SystemTime)]) -> String {
    let names: Vec<String> = dumps
        .iter()
        .map(|(dump, _)| dump.display().to_string())
        .collect();
    if names.is_empty() {
        "`make sim` writes one".into()
    } else {
        format!("there is {}", names.join(", "))
    }
}

fn is_dump(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "fst" || extension == "vcd")
}

fn has_display() -> bool {
    ["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_is_named_only_if_it_is_there() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let dump = Path::new("waves/a.fst");
        assert_eq!(VIEWERS[1].arguments(dump, folder.path()), ["waves/a.fst"]);
        let layout = folder.path().join("rebound.sucl");
        std::fs::write(&layout, "").expect("written");
        let arguments = VIEWERS[1].arguments(dump, folder.path());
        assert_eq!(arguments[1], "--command-file");
        assert_eq!(arguments[2], layout.display().to_string());
    }

    #[test]
    fn dumps_are_told_by_their_ending() {
        assert!(is_dump(Path::new("a-0x1.fst")) && is_dump(Path::new("a.vcd")));
        assert!(!is_dump(Path::new("rebound.gtkw")));
    }
}
