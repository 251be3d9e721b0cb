//! Foreign programs under supervision: each has a limit of wall time, and none outlives this process.
//!
//! A program runs as the leader of its own process group, beside a watcher, a shell that reads from a pipe
//! whose other end this process holds: the lifeline. When that end closes, the watcher kills the group:
//! after the limit, after a program that left others behind, and when this process itself is gone, however
//! it ended. `PR_SET_PDEATHSIG` would need unsafe code between `fork` and `exec`, and would spare the
//! programs that a compiler starts.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Output, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// The variable that limits each call of a tool, in seconds.
pub const LIMIT_VARIABLE: &str = "REBOUND_TOOL_SECONDS";
/// Wall time of a call of Verilator or the compiler, unless [`LIMIT_VARIABLE`] says otherwise.
pub const DEFAULT_LIMIT: Duration = Duration::from_secs(600);
/// Longest wall time of a question such as "which version are you".
pub const PROBE_LIMIT: Duration = Duration::from_secs(30);
/// How long a killed program may take to go.
const GRACE: Duration = Duration::from_secs(5);

/// The watcher, then the program in the shell's place. The watcher keeps no output open, and the program
/// knows nothing of the lifeline.
const SUPERVISED: &str = "exec 3<&0 0</dev/null
(read -r _ <&3; kill -KILL 0) >/dev/null 2>&1 &
exec \"$@\" 3<&-";

/// A program that did not run to its end.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// There is no such program, or it may not be run.
    #[error("{}: expected a program that can be run, got {error}", program.display())]
    DidNotStart {
        /// Program.
        program: PathBuf,
        /// Why it did not start.
        error: io::Error,
    },
    /// It did not end in time, and was killed with everything it had started.
    #[error(
        "expected an end within {} s, got none: it was killed with all that it had started; run the command by \
         hand to see where it hangs, or allow more time with {LIMIT_VARIABLE}=SECONDS (now {})\ncommand: {command}",
        limit.as_secs_f64(), limit.as_secs_f64()
    )]
    Hung {
        /// How long it was given.
        limit: Duration,
        /// What was called.
        command: String,
    },
}

/// A call of a program, kept as data so that it can be shown.
#[derive(Debug, Clone)]
pub struct Call {
    program: PathBuf,
    arguments: Vec<std::ffi::OsString>,
    folder: Option<PathBuf>,
    shown: Vec<(&'static str, PathBuf)>,
    hidden: Vec<(&'static str, PathBuf)>,
}

impl Call {
    /// A call of `program`, a path or a name to be searched for, in the working folder.
    pub fn new(program: &Path) -> Self {
        Self {
            program: program.to_owned(),
            arguments: Vec::new(),
            folder: None,
            shown: Vec::new(),
            hidden: Vec::new(),
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<std::ffi::OsStr>>(
        mut self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        let arguments = arguments.into_iter();
        self.arguments
            .extend(arguments.map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// Runs it in `folder`, and keeps its temporary files there.
    #[must_use]
    pub fn folder(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.to_owned());
        self.hidden.push(("TMPDIR", folder.to_owned()));
        self
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn env(mut self, name: &'static str, value: &Path) -> Self {
        self.shown.push((name, value.to_owned()));
        self
    }

    /// Runs it to its end, at most for `limit`, and returns what it printed and how it ended.
    ///
    /// # Errors
    /// If it does not start, or does not end in time.
    pub fn run(&self, limit: Duration) -> Result<Output, ProcessError> {
        let did_not_start = |error| ProcessError::DidNotStart {
            program: self.program.clone(),
            error,
        };
        // The shell would only say so in words.
        if which::which(&self.program).is_err() {
            return Err(did_not_start(why_not(&self.program)));
        }
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", SUPERVISED, "sh"])
            .arg(&self.program)
            .args(&self.arguments)
            .envs(
                self.shown
                    .iter()
                    .chain(&self.hidden)
                    .map(|(name, value)| (name, value)),
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        let mut child = command.spawn().map_err(did_not_start)?;
        let lifeline: Option<ChildStdin> = child.stdin.take();
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || sender.send(child.wait_with_output()));
        let result = receiver.recv_timeout(limit);
        drop(lifeline);
        match result {
            Ok(output) => output.map_err(did_not_start),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                // Its end is awaited, so that it writes no more to what is removed next.
                let _ = receiver.recv_timeout(GRACE);
                Err(ProcessError::Hung {
                    limit,
                    command: self.to_string(),
                })
            }
        }
    }
}

/// The reason why a program cannot be run, as the system would give it.
fn why_not(program: &Path) -> io::Error {
    match program.metadata() {
        Ok(found) if found.is_dir() => io::Error::other("a folder"),
        Ok(_) => io::Error::other("a file that is not executable"),
        Err(error) => error,
    }
}

/// The call as a line for a shell.
impl fmt::Display for Call {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(folder) = &self.folder {
            write!(formatter, "cd {} && ", quoted(folder.as_os_str()))?;
        }
        for (name, value) in &self.shown {
            write!(formatter, "{name}={} ", quoted(value.as_os_str()))?;
        }
        write!(formatter, "{}", quoted(self.program.as_os_str()))?;
        for argument in &self.arguments {
            write!(formatter, " {}", quoted(argument))?;
        }
        Ok(())
    }
}

/// A word as a shell reads it.
fn quoted(word: &std::ffi::OsStr) -> String {
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

    const AMPLE: Duration = Duration::from_secs(60);

    fn shell(script: &str) -> Call {
        Call::new(Path::new("/bin/sh")).args(["-c", script])
    }

    fn is_alive(pid: &str) -> bool {
        // A zombie has ended: only its number is left, for whoever collects it.
        std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
            !stat
                .rsplit(") ")
                .next()
                .unwrap_or_default()
                .starts_with(['Z', 'X'])
        })
    }

    /// Waits until the process of the number in `file` is gone; the test's own limit ends a failure.
    fn is_gone(file: &Path) -> bool {
        let pid = std::fs::read_to_string(file).expect("the program wrote its number");
        (0..1000).any(|_| {
            thread::sleep(Duration::from_millis(10));
            !is_alive(pid.trim())
        })
    }

    #[test]
    fn a_call_is_shown_as_it_can_be_pasted() {
        let call = Call::new(Path::new("/bin/g++"))
            .folder(Path::new("/a b"))
            .env("VERILATOR_ROOT", Path::new("/v"))
            .args(["-DX=it's", "y.cpp"]);
        assert_eq!(
            call.to_string(),
            r"cd '/a b' && VERILATOR_ROOT=/v /bin/g++ '-DX=it'\''s' y.cpp"
        );
    }

    #[test]
    fn what_a_program_prints_and_how_it_ends_is_returned() {
        let output = shell("echo out; echo err >&2; exit 3")
            .run(AMPLE)
            .expect("runs");
        assert_eq!(output.stdout, b"out\n");
        assert_eq!(output.stderr, b"err\n");
        assert_eq!(output.status.code(), Some(3));
        let output = shell("kill -SEGV $$").run(AMPLE).expect("runs");
        let signal = std::os::unix::process::ExitStatusExt::signal(&output.status);
        assert_eq!(signal, Some(11));
    }

    #[test]
    fn a_program_reads_nothing_and_does_not_see_the_lifeline() {
        let output = shell("cat; readlink /proc/self/fd/3 || echo none")
            .run(AMPLE)
            .expect("runs");
        assert_eq!(output.stdout, b"none\n");
    }

    #[test]
    fn a_program_that_hangs_is_killed_with_what_it_started_and_named() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let call = shell("sleep 600 & echo $! >inner; echo $$ >outer; wait").folder(folder.path());
        let error = call
            .run(Duration::from_secs(5))
            .expect_err("it sleeps")
            .to_string();
        for part in [
            "expected an end within 5 s",
            "sleep 600",
            "REBOUND_TOOL_SECONDS=",
        ] {
            assert!(error.contains(part), "{error}");
        }
        assert!(is_gone(&folder.path().join("inner")) && is_gone(&folder.path().join("outer")));
    }

    #[test]
    fn what_a_program_leaves_behind_ends_with_it() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let script = "sleep 600 >/dev/null 2>&1 & echo $! >inner";
        shell(script)
            .folder(folder.path())
            .run(AMPLE)
            .expect("runs");
        assert!(is_gone(&folder.path().join("inner")));
    }

    #[test]
    fn a_program_that_is_not_there_or_not_executable_is_named() {
        let refused = |path: &Path| {
            let error = Call::new(path).run(AMPLE).expect_err("cannot run");
            error.to_string()
        };
        let text = refused(Path::new("/nowhere/tool"));
        assert!(
            text.contains("/nowhere/tool") && text.contains("No such file"),
            "{text}"
        );
        let file = tempfile::NamedTempFile::new().expect("temporary file");
        let text = refused(file.path());
        assert!(text.contains("a file that is not executable"), "{text}");
    }
}
