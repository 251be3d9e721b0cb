//! Calls of Verilator and the compiler.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use super::BuildError;
use crate::process::{Call, ProcessError};

/// A call of a tool.
#[derive(Debug, Clone)]
pub(super) struct ToolCall {
    /// What it is for, as in "compile rebound.cpp".
    purpose: String,
    call: Call,
}

impl ToolCall {
    pub(super) fn new(purpose: impl Into<String>, program: &Path, folder: &Path) -> Self {
        Self {
            purpose: purpose.into(),
            call: Call::new(program).folder(folder),
        }
    }

    pub(super) fn arg(self, argument: impl AsRef<OsStr>) -> Self {
        self.args([argument])
    }

    pub(super) fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.call = self.call.args(arguments);
        self
    }

    pub(super) fn env(mut self, name: &'static str, value: &Path) -> Self {
        self.call = self.call.env(name, value);
        self
    }

    /// Runs to the end, within `limit`, and returns what was printed.
    pub(super) fn run(&self, limit: Duration) -> Result<String, BuildError> {
        let output = self.call.run(limit).map_err(|error| match error {
            ProcessError::DidNotStart { program, error } => {
                BuildError::ToolDidNotStart { program, error }
            }
            hung @ ProcessError::Hung { .. } => BuildError::ToolHung {
                purpose: self.purpose.clone(),
                error: hung,
            },
        })?;
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.push_str(&String::from_utf8_lossy(&output.stderr));
        if output.status.success() {
            return Ok(text);
        }
        Err(BuildError::Tool {
            purpose: self.purpose.clone(),
            status: output.status.to_string(),
            output: text.trim_end().to_owned(),
            command: self.call.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(program: &str, script: &str, limit: Duration) -> String {
        ToolCall::new("try it", Path::new(program), Path::new("/"))
            .args(["-c", script])
            .run(limit)
            .expect_err("it fails")
            .to_string()
    }

    #[test]
    fn a_failing_tool_is_reported_with_output_and_command() {
        let script = "echo to out; echo to err >&2; exit 3";
        let text = error("/bin/sh", script, Duration::from_secs(60));
        for part in [
            "try it failed",
            "exit status: 3",
            "to out",
            "to err",
            "/bin/sh -c",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn a_hanging_tool_is_reported_with_its_purpose_and_command() {
        let text = error("/bin/sh", "sleep 600", Duration::from_millis(100));
        assert!(
            text.starts_with("try it: expected an end within 0.1 s")
                && text.ends_with("command: cd / && /bin/sh -c 'sleep 600'"),
            "{text}"
        );
    }

    #[test]
    fn a_tool_that_is_not_there_is_named() {
        let text = error("/nowhere/tool", "", Duration::from_secs(60));
        assert!(text.contains("/nowhere/tool"), "{text}");
    }
}
