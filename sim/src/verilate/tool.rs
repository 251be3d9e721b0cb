//! Calls of Verilator and the compiler.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::BuildError;

/// A call of a tool, kept as data so that it can be shown.
#[derive(Debug, Clone)]
pub(super) struct ToolCall {
    /// What it is for, as in "compile rebound.cpp".
    pub(super) purpose: String,
    program: PathBuf,
    arguments: Vec<OsString>,
    folder: PathBuf,
    environment: Vec<(&'static str, PathBuf)>,
}

impl ToolCall {
    pub(super) fn new(purpose: impl Into<String>, program: &Path, folder: &Path) -> Self {
        Self {
            purpose: purpose.into(),
            program: program.to_owned(),
            arguments: Vec::new(),
            folder: folder.to_owned(),
            environment: Vec::new(),
        }
    }

    pub(super) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    pub(super) fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(
            arguments
                .into_iter()
                .map(|argument| argument.as_ref().to_owned()),
        );
        self
    }

    pub(super) fn env(mut self, name: &'static str, value: &Path) -> Self {
        self.environment.push((name, value.to_owned()));
        self
    }

    /// The call as a line for a shell.
    fn line(&self) -> String {
        let words = self
            .environment
            .iter()
            .map(|(name, value)| format!("{name}={}", quoted(value.as_os_str())));
        let words = words.chain(std::iter::once(quoted(self.program.as_os_str())));
        let words: Vec<String> = words
            .chain(self.arguments.iter().map(|word| quoted(word)))
            .collect();
        format!(
            "cd {} && {}",
            quoted(self.folder.as_os_str()),
            words.join(" ")
        )
    }

    /// Runs to the end and returns what was printed.
    pub(super) fn run(&self) -> Result<String, BuildError> {
        let output = Command::new(&self.program)
            .args(&self.arguments)
            .current_dir(&self.folder)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .output()
            .map_err(|error| BuildError::ToolDidNotStart {
                program: self.program.clone(),
                error,
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
            command: self.line(),
        })
    }
}

/// A word as a shell reads it.
fn quoted(word: &OsStr) -> String {
    let text = word.to_string_lossy();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=+:,%@".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_shown_as_it_can_be_pasted() {
        let call = ToolCall::new("try", Path::new("/bin/g++"), Path::new("/a b"))
            .env("VERILATOR_ROOT", Path::new("/v"))
            .args(["-DX=it's", "y.cpp"]);
        assert_eq!(
            call.line(),
            r"cd '/a b' && VERILATOR_ROOT=/v /bin/g++ '-DX=it'\''s' y.cpp"
        );
    }

    #[test]
    fn a_failing_tool_is_reported_with_output_and_command() {
        let call = ToolCall::new("fail", Path::new("/bin/sh"), Path::new("/"))
            .args(["-c", "echo to out; echo to err >&2; exit 3"]);
        let text = call.run().expect_err("exit 3").to_string();
        for part in ["fail", "exit status: 3", "to out", "to err", "/bin/sh -c"] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn a_tool_that_is_not_there_is_named() {
        let call = ToolCall::new("try", Path::new("/nowhere/tool"), Path::new("/"));
        assert!(
            call.run()
                .expect_err("absent")
                .to_string()
                .contains("/nowhere/tool")
        );
    }
}
