//! One run in a process of its own: started, watched, and turned into one result whatever happens.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::error::UsageError;
use crate::result::{ChildReport, RunResult};
use crate::scenario::CHILD_MARK;
use crate::violation::{Check, Violation};

/// How often a child is looked at.
const POLL: Duration = Duration::from_millis(2);
/// Lines of a dead child's output that go into its verdict.
const EVIDENCE_LINES: usize = 5;
/// Bytes of a dead child's output that are searched for these lines.
const EVIDENCE_BYTES: u64 = 8192;

/// A process to start for one run.
#[derive(Debug, Clone)]
pub struct ChildCommand {
    /// The program: `rebound` itself.
    pub program: PathBuf,
    /// Its arguments; the path of the result is added.
    pub arguments: Vec<String>,
    /// Wall time after which it is stopped.
    pub timeout: Duration,
}

/// Runs the process and returns its result; a crash or a hang is a result too.
///
/// # Errors
/// If the process cannot be started, or says that its environment lacks something.
pub fn run(command: &ChildCommand) -> Result<RunResult, UsageError> {
    let folder = tempfile::tempdir()
        .map_err(|error| UsageError::from_error("cannot make a temporary folder", &error))?;
    let report_path = folder.path().join("report.json");
    let output_path = folder.path().join("output.txt");
    let output = File::create(&output_path)
        .and_then(|file| Ok((file.try_clone()?, file)))
        .map_err(|error| UsageError::from_error("cannot write to the temporary folder", &error))?;
    let mut child = Command::new(&command.program)
        .args(&command.arguments)
        .arg("--report")
        .arg(&report_path)
        .env(CHILD_MARK, "1")
        // The process ends when this end of the pipe goes away: nobody would read its result.
        .stdin(Stdio::piped())
        .stdout(output.0)
        .stderr(output.1)
        .spawn()
        .map_err(|error| {
            let context = format!("cannot start {}", command.program.display());
            UsageError::from_error(&context, &error)
        })?;
    let ended = wait(&mut child, command.timeout);
    let report = std::fs::read(&report_path)
        .ok()
        .and_then(|json| serde_json::from_slice(&json).ok());
    match (ended, report) {
        (Some(status), Some(ChildReport::Ran(result))) if status.success() => Ok(*result),
        (Some(_), Some(ChildReport::Refused { message, help })) => {
            let error = UsageError::new(message);
            Err(match help {
                Some(help) => error.help(help),
                None => error,
            })
        }
        (ended, _) => Ok(RunResult::of_violation(death(
            ended,
            command.timeout,
            &evidence(&output_path),
        ))),
    }
}

/// Waits for the process, or stops it; returns how it ended by itself.
fn wait(child: &mut Child, timeout: Duration) -> Option<ExitStatus> {
    let start = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if start.elapsed() < timeout => std::thread::sleep(POLL),
            // Past its time, or beyond our knowledge: it must not outlive its verdict.
            Ok(None) | Err(_) => {
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
        }
    }
}

fn death(ended: Option<ExitStatus>, timeout: Duration, evidence: &str) -> Violation {
    let (check, what) = match ended {
        Some(status) => (
            Check::Crash,
            format!("process of the run died: expected a result, found {status}"),
        ),
        None => (
            Check::Watchdog,
            format!(
                "process of the run stopped by the watchdog: expected an end within {} s, found it \
                 still running",
                timeout.as_secs_f64()
            ),
        ),
    };
    let text = if evidence.is_empty() {
        what
    } else {
        format!("{what}; its last output: {evidence}")
    };
    Violation {
        check,
        cycle: None,
        transfer: None,
        text,
        place: None,
    }
}

/// Returns the last lines that the process wrote.
fn evidence(path: &std::path::Path) -> String {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(EVIDENCE_BYTES)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    lines[lines.len().saturating_sub(EVIDENCE_LINES)..].join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, timeout: Duration) -> RunResult {
        // `$2` is the path of the report: the arguments are `--report PATH`.
        run(&ChildCommand {
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.into(), "sh".into()],
            timeout,
        })
        .expect("the shell starts")
    }

    #[test]
    fn a_result_comes_through() {
        let json = serde_json::to_string(&ChildReport::Ran(Box::default())).expect("plain data");
        let result = shell(&format!("echo '{json}' > $2"), Duration::from_secs(20));
        assert_eq!(result, RunResult::default());
    }

    #[test]
    fn a_crash_is_a_violation_with_signal_and_last_output() {
        let result = shell(
            "echo one; echo two >&2; kill -ABRT $$",
            Duration::from_secs(20),
        );
        let violation = &result.violations[0];
        assert_eq!(violation.check, Check::Crash);
        assert!(violation.text.contains("signal: 6"), "{violation}");
        assert!(violation.text.contains("one | two"), "{violation}");
    }

    #[test]
    fn an_end_without_a_result_is_a_crash() {
        let result = shell("exit 3", Duration::from_secs(20));
        assert_eq!(result.violations[0].check, Check::Crash);
        assert!(result.violations[0].text.contains("exit status: 3"));
    }

    #[test]
    fn a_hang_is_stopped_and_is_a_violation() {
        let result = shell("exec sleep 60", Duration::from_millis(200));
        assert_eq!(result.violations[0].check, Check::Watchdog);
        assert!(result.violations[0].text.contains("within 0.2 s"));
    }

    #[test]
    fn a_missing_program_is_an_error_of_the_environment() {
        let error = run(&ChildCommand {
            program: "/nowhere/rebound".into(),
            arguments: Vec::new(),
            timeout: Duration::from_secs(1),
        })
        .expect_err("there is no such program");
        assert!(error.to_string().contains("/nowhere/rebound"), "{error}");
    }
}
