//! `rebound validate --watch`: once more whenever the core or its manifest changes, until Ctrl-C.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, SystemTime};

use notify_debouncer_mini::notify::RecursiveMode;
use notify_debouncer_mini::{DebounceEventResult, new_debouncer};

use crate::cli::{Outcome, say};
use crate::error::UsageError;

/// Time without a change after which those before are taken as one: an editor writes in several steps.
const QUIET: Duration = Duration::from_millis(200);

/// What ends the wait for a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signal {
    /// Something in a watched folder has changed.
    Changed,
    /// Ctrl-C.
    Stop,
}

/// Size and time of each file; none for one that is missing.
type Stamps = BTreeMap<PathBuf, Option<(u64, SystemTime)>>;

/// Calls `once` now, and again after each change of the manifest or of what `files` says.
///
/// Returns how the last run went, when Ctrl-C ends it. An error of `once` is shown, and mended by the next change.
pub(super) fn watch(
    manifest: &Path,
    files: impl Fn() -> Result<Vec<PathBuf>, UsageError>,
    once: impl Fn() -> Result<Outcome, UsageError>,
) -> Result<Outcome, UsageError> {
    if !manifest.is_file() {
        return once();
    }
    let (sender, signals) = mpsc::channel();
    let stop = sender.clone();
    ctrlc::set_handler(move || _ = stop.send(Signal::Stop))
        .map_err(|error| UsageError::from_error("cannot wait for Ctrl-C", &error))?;
    let on_change = move |events: DebounceEventResult| {
        if events.is_ok() {
            _ = sender.send(Signal::Changed);
        }
    };
    let cannot_watch = |error| UsageError::from_error("cannot watch for changes", &error);
    let mut watcher = new_debouncer(QUIET, on_change).map_err(cannot_watch)?;
    let mut folders = BTreeSet::new();
    // A manifest that cannot be read names no files; the message about it comes from the run.
    let all = || {
        let files = files().unwrap_or_default();
        files.into_iter().chain([manifest.to_owned()])
    };
    loop {
        let before = stamps(all());
        let outcome = once().unwrap_or_else(|error| {
            eprintln!("{:?}", error.into_report());
            Outcome::Told
        });
        // Now files that are included are known, too.
        let mut seen = stamps(all());
        seen.extend(before);
        for folder in seen.keys().filter_map(|file| folder_of(file)) {
            if folders.insert(folder.clone()) {
                let watched = watcher
                    .watcher()
                    .watch(&folder, RecursiveMode::NonRecursive);
                watched.map_err(cannot_watch)?;
            }
        }
        say(&format!(
            "---- watching {} files, Ctrl-C ends ----",
            seen.len()
        ))?;
        loop {
            // What has changed while the core ran was told by nobody, if its folder was new.
            if let Some(changed) = first_change(&seen) {
                say(&format!("---- {} has changed ----", changed.display()))?;
                // It may be half written: the last event of it comes later.
                std::thread::sleep(QUIET);
                break;
            }
            if signals.recv() != Ok(Signal::Changed) {
                return Ok(outcome);
            }
        }
        if signals.try_iter().any(|signal| signal == Signal::Stop) {
            return Ok(outcome);
        }
    }
}

fn stamps(files: impl Iterator<Item = PathBuf>) -> Stamps {
    files.map(|file| (file.clone(), stamp(&file))).collect()
}

fn stamp(file: &Path) -> Option<(u64, SystemTime)> {
    let facts = std::fs::metadata(file).ok()?;
    Some((facts.len(), facts.modified().ok()?))
}

/// The first file that is not as it was.
fn first_change(seen: &Stamps) -> Option<&Path> {
    let mut files = seen.iter();
    files
        .find(|(file, was)| stamp(file) != **was)
        .map(|(file, _)| file.as_path())
}

/// The folder that holds a file: editors replace files, so that a watch on the file itself would go with it.
fn folder_of(file: &Path) -> Option<PathBuf> {
    let folder = file.parent()?;
    let is_here = folder.as_os_str().is_empty();
    Some(if is_here { Path::new(".") } else { folder }.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_written_replaced_or_removed_has_changed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("core.sv");
        std::fs::write(&file, "one").expect("written");
        let seen = stamps([file.clone()].into_iter());
        assert_eq!(first_change(&seen), None);
        std::fs::write(&file, "three").expect("written");
        assert_eq!(first_change(&seen), Some(file.as_path()));
        std::fs::remove_file(&file).expect("removed");
        assert_eq!(first_change(&seen), Some(file.as_path()));
        assert_eq!(first_change(&stamps([file].into_iter())), None);
    }

    #[test]
    fn a_file_without_a_folder_lies_in_the_working_folder() {
        assert_eq!(folder_of(Path::new("core.toml")), Some(".".into()));
        assert_eq!(folder_of(Path::new("a/core.toml")), Some("a".into()));
    }
}
