//! The report for programs: `sim.csv` and `sim.json`, each written whole or not at all.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::error::UsageError;
use crate::report::{Row, names};
use crate::result::Counts;
use crate::scenario::plan::Expect;

/// The columns of `sim.csv`, with what they mean.
pub const CSV_COLUMNS: [(&str, &str); 32] = [
    ("scenario", "name of the scenario"),
    ("seed", "seed of the run, hexadecimal"),
    (
        "verdict",
        "PASS, CAUGHT (a planted fault, as expected), FAIL or MISSED (a planted fault went unnoticed)",
    ),
    (
        "expected",
        "`pass`, or the checks that have to catch the planted fault, separated by spaces",
    ),
    (
        "first_check",
        "check of the violation that decided the verdict, or empty",
    ),
    ("violations", "number of violations"),
    ("transfers", "transfers in the plan"),
    ("bytes", "bytes that the transfers move"),
    ("cycles", "cycles from the first driver action to the last"),
    (
        "unbounced_cycles",
        "cycles of the same work with a 64-bit engine and mask, or empty",
    ),
    ("unbounced_read_beats", "R beats of that run, or empty"),
    ("unbounced_write_beats", "W beats of that run, or empty"),
    (
        "unbounced_cpu_copy_cycles",
        "CPU cycles spent copying in that run, or empty",
    ),
    (
        "unbounced_cpu_wait_cycles",
        "CPU cycles spent waiting in that run, or empty",
    ),
    (
        "cost_permille",
        "cycles over unbounced_cycles, in thousandths, or empty",
    ),
    (
        "budget_cycles",
        "cycles that the parameters of the plan justify",
    ),
    (
        "bus_busy_cycles",
        "cycles in which the engine had a burst in flight on its bus",
    ),
    ("read_beats", "R beats"),
    ("write_beats", "W beats"),
    (
        "utilisation_permille",
        "beats of both data channels over cycles, in thousandths (at most 2000)",
    ),
    ("cpu_copy_cycles", "CPU cycles spent copying, over all CPUs"),
    (
        "cpu_map_cycles",
        "CPU cycles of map, sync and unmap calls without copying, over all CPUs",
    ),
    (
        "cpu_wait_cycles",
        "CPU cycles spent waiting for the engine, a channel or a slot, over all CPUs",
    ),
    ("mappings", "mappings made"),
    ("bounced_mappings", "mappings that went through the pool"),
    ("bounced_bytes", "bytes of the bounced mappings"),
    (
        "copied_in_bytes",
        "bytes that the CPUs copied into bounce buffers",
    ),
    (
        "copied_out_bytes",
        "bytes that the CPUs copied out of bounce buffers",
    ),
    (
        "pool_full_retries",
        "mappings tried again because the pool was full",
    ),
    ("pool_peak_slots", "most slots in use at once"),
    (
        "pool_slots",
        "most slots that there were at once, in all pools, 0 without one",
    ),
    (
        "replay",
        "the command that runs just this again, with a waveform",
    ),
];

/// Finds out whether the files can be written into `folder`, so that no run is made for a report that has no
/// place. Leaves nothing behind: of a folder that is missing, the nearest one above it is tried.
///
/// # Errors
/// If the folder cannot be made, or a file in it cannot be written.
pub fn check_folder(folder: &Path) -> Result<(), UsageError> {
    if let Some(path) = paths(folder).into_iter().find(|path| path.is_dir()) {
        return Err(unwritable(&path, "a folder has its name"));
    }
    check_writable(folder, "--results")
}

/// Finds out whether files can be written into `folder`, which may be missing; `option` names another one.
///
/// # Errors
/// If the folder cannot be made, or no file in it.
pub fn check_writable(folder: &Path, option: &str) -> Result<(), UsageError> {
    let existing = folder
        .ancestors()
        .find(|folder| folder.symlink_metadata().is_ok())
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    tempfile::NamedTempFile::new_in(existing)
        .map(drop)
        .map_err(|error| {
            UsageError::new(format!("cannot write into {}: {error}", folder.display()))
                .help(format!("name another folder with `{option}`"))
        })
}

pub(crate) fn make_folder(folder: &Path) -> Result<(), UsageError> {
    std::fs::create_dir_all(folder).map_err(|error| {
        let context = format!("cannot make the folder {}", folder.display());
        UsageError::from_error(&context, &error).help("name another one with `--results`")
    })
}

fn unwritable(path: &Path, reason: impl std::fmt::Display) -> UsageError {
    UsageError::new(format!("cannot write {}: {reason}", path.display()))
        .help("name another folder with `--results`")
}

fn paths(folder: &Path) -> [PathBuf; 2] {
    ["sim.csv", "sim.json"].map(|name| folder.join(name))
}

/// Writes both files into `folder`, which is made if need be, and returns their paths.
///
/// # Errors
/// If the folder or a file cannot be written; a file that exists is then as it was.
pub fn write_files(folder: &Path, rows: &[Row]) -> Result<[PathBuf; 2], UsageError> {
    let csv = csv_text(rows)?;
    let json = json_text(rows)?;
    make_folder(folder)?;
    let paths = paths(folder);
    replace(&paths[0], &csv)?;
    replace(&paths[1], &json)?;
    Ok(paths)
}

/// Replaces a file by way of a temporary one beside it, so that no reader sees half of it.
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<(), UsageError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let write = || -> std::io::Result<()> {
        let mut builder = tempfile::Builder::new();
        // As other programs create files: for all whom the umask lets.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut file = builder.tempfile_in(folder)?;
        file.write_all(content)?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(|error| {
        let context = format!("cannot write {}", path.display());
        UsageError::from_error(&context, &error).help("name another folder with `--results`")
    })
}

fn json_text(rows: &[Row]) -> Result<Vec<u8>, UsageError> {
    let mut text = serde_json::to_vec_pretty(&serde_json::json!({ "scenarios": rows }))
        .map_err(|error| UsageError::from_error("cannot write the report as JSON", &error))?;
    text.push(b'\n');
    Ok(text)
}

fn csv_text(rows: &[Row]) -> Result<Vec<u8>, UsageError> {
    let failed = |error: &dyn std::error::Error| {
        UsageError::from_error("cannot write the report as CSV", error)
    };
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer
        .write_record(CSV_COLUMNS.map(|(name, _)| name))
        .map_err(|error| failed(&error))?;
    for row in rows {
        writer
            .write_record(record(row))
            .map_err(|error| failed(&error))?;
    }
    writer.into_inner().map_err(|error| failed(&error))
}

fn record(row: &Row) -> [String; CSV_COLUMNS.len()] {
    let counts = &row.counts;
    let expected = match &row.expect {
        Expect::Pass => "pass".to_owned(),
        Expect::Caught { must, .. } => names(must.iter().map(|wanted| &wanted.check), " "),
    };
    let optional = |value: Option<u64>| value.map_or_else(String::new, |value| value.to_string());
    let unbounced = |count: fn(&Counts) -> u64| optional(row.unbounced.as_ref().map(count));
    let cost = row
        .unbounced_cycles()
        .and_then(|cycles| (counts.cycles * 1000).checked_div(cycles));
    [
        row.scenario.clone(),
        row.seed.to_string(),
        row.verdict.name().into(),
        expected,
        row.decisive()
            .map_or_else(String::new, |violation| violation.check.name().into()),
        row.violation_count().to_string(),
        counts.transfers.to_string(),
        counts.bytes.to_string(),
        counts.cycles.to_string(),
        unbounced(|counts| counts.cycles),
        unbounced(|counts| counts.read_beats),
        unbounced(|counts| counts.write_beats),
        unbounced(|counts| counts.cpu_copy_cycles),
        unbounced(|counts| counts.cpu_wait_cycles),
        optional(cost),
        counts.budget_cycles.to_string(),
        counts.bus_busy_cycles.to_string(),
        counts.read_beats.to_string(),
        counts.write_beats.to_string(),
        row.utilisation_permille.to_string(),
        counts.cpu_copy_cycles.to_string(),
        counts.cpu_map_cycles.to_string(),
        counts.cpu_wait_cycles.to_string(),
        counts.mappings.to_string(),
        counts.bounced_mappings.to_string(),
        counts.bounced_bytes.to_string(),
        counts.copied_in_bytes.to_string(),
        counts.copied_out_bytes.to_string(),
        counts.pool_full_retries.to_string(),
        counts.pool_peak_slots.to_string(),
        counts.pool_slots.to_string(),
        row.replay.clone(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::RunResult;
    use crate::scenario;
    use crate::seed::Seed;

    fn rows() -> Vec<Row> {
        scenario::suite()
            .iter()
            .map(|scenario| {
                let plan = (scenario.plan)(Seed::new(1));
                Row::new(scenario.name, &plan, RunResult::default(), None, None)
            })
            .collect()
    }

    #[test]
    fn files_are_complete_and_the_same_each_time() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let inner = folder.path().join("made/on/demand");
        let paths = write_files(&inner, &rows()).expect("it can be written");
        let first = paths
            .clone()
            .map(|path| std::fs::read(path).expect("written"));
        write_files(&inner, &rows()).expect("it can be replaced");
        let second = paths.map(|path| std::fs::read(path).expect("written"));
        assert_eq!(first, second);
        let text = String::from_utf8(first[0].clone()).expect("text");
        assert_eq!(text.lines().count(), scenario::suite().len() + 1);
        let names: Vec<_> = CSV_COLUMNS.iter().map(|(name, _)| *name).collect();
        assert_eq!(text.lines().next(), Some(names.join(",").as_str()));
        let json: serde_json::Value = serde_json::from_slice(&first[1]).expect("JSON");
        assert_eq!(json["scenarios"][0]["verdict"], "pass");
        let left = std::fs::read_dir(&inner).expect("a folder").count();
        assert_eq!(left, 2, "temporary files are gone");
    }

    #[test]
    fn every_column_and_check_is_documented() {
        let document = include_str!("../../REPORT.md");
        for (name, meaning) in CSV_COLUMNS {
            let line = format!("| `{name}` | {meaning} |");
            assert!(document.contains(&line), "REPORT.md lacks: {line}");
        }
        for check in crate::violation::Check::ALL {
            let start = format!("| `{check}` | ");
            assert!(document.contains(&start), "REPORT.md lacks: {start}");
        }
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_an_error_with_help() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("file");
        std::fs::write(&file, "in the way").expect("written");
        let error = write_files(&file.join("results"), &rows()).expect_err("a file is in the way");
        assert!(error.to_string().contains("results"), "{error}");
        assert_eq!(std::fs::read(&file).expect("still there"), b"in the way");
    }

    #[test]
    fn a_folder_that_can_be_written_is_left_as_it_is() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let inner = folder.path().join("not/there");
        check_folder(&inner).expect("it can be made");
        assert!(!folder.path().join("not").exists());
    }

    #[test]
    fn a_folder_in_the_way_of_a_file_is_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(folder.path().join("sim.json")).expect("made");
        let error = check_folder(folder.path()).expect_err("a folder is in the way");
        assert!(
            error
                .to_string()
                .contains("sim.json: a folder has its name"),
            "{error}"
        );
    }
}
