//! A process that runs probes: it reads them from its standard input, one a line, and answers each by a line.
//!
//! A core can end, kill or block it. Then the probe has an observation that says so, and the next one a new process.

use std::io::{BufRead, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::Lab;
use crate::characterize::probe::{Observation, Probe};
use crate::error::UsageError;
use crate::scenario::CHILD_MARK;

/// What an answer begins with: a core may print lines of its own.
const MARK: &str = "@rebound ";
/// Probes of a laboratory that may take too long; then it is closed, as each costs the whole of its time.
const MOST_STOPPED: u32 = 3;
/// Lines of a dead process's output that go into its observation.
const EVIDENCE_LINES: usize = 5;

/// The answer to a probe.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Observed(Observation),
    Refused {
        message: String,
        help: Option<String>,
    },
}

/// Answers probes until the standard input ends, for a process that was started so.
///
/// # Errors
/// If a line is no probe, or an answer cannot be written.
pub fn serve(
    mut observe: impl FnMut(&Probe) -> Result<Observation, UsageError>,
) -> Result<(), UsageError> {
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|error| UsageError::from_error("cannot read a probe", &error))?;
        let probe: Probe = serde_json::from_str(&line)
            .map_err(|error| UsageError::from_error("a line that is no probe", &error))?;
        let answer = match observe(&probe) {
            Ok(observation) => Answer::Observed(observation),
            Err(error) => {
                let (message, help) = error.into_parts();
                Answer::Refused { message, help }
            }
        };
        let json = serde_json::to_string(&answer)
            .map_err(|error| UsageError::from_error("cannot write an answer", &error))?;
        let mut out = std::io::stdout().lock();
        // The core may have begun a line.
        write!(out, "\n{MARK}{json}\n")
            .and_then(|()| out.flush())
            .map_err(|error| UsageError::from_error("cannot write an answer", &error))?;
    }
    Ok(())
}

/// A laboratory in a process of its own.
#[derive(Debug)]
pub struct ChildLab {
    program: PathBuf,
    arguments: Vec<String>,
    timeout: Duration,
    process: Option<Process>,
    /// Probes that took too long.
    stopped: u32,
}

impl ChildLab {
    /// A laboratory that starts `program` with `arguments` when it is first asked. A probe that takes longer than
    /// `timeout` is stopped.
    #[must_use]
    pub const fn new(program: PathBuf, arguments: Vec<String>, timeout: Duration) -> Self {
        Self {
            program,
            arguments,
            timeout,
            process: None,
            stopped: 0,
        }
    }
}

impl Lab for ChildLab {
    fn observe(&mut self, probe: &Probe) -> Result<Observation, UsageError> {
        if self.stopped >= MOST_STOPPED {
            let how = format!("not tried, since {MOST_STOPPED} probes before it never ended");
            return Ok(Observation::stopped(probe, &how));
        }
        let mut process = match self.process.take() {
            Some(process) => process,
            None => Process::start(&self.program, &self.arguments)?,
        };
        match process.ask(probe, self.timeout) {
            Ok(Answer::Observed(observation)) => {
                self.process = Some(process);
                Ok(observation)
            }
            Ok(Answer::Refused { message, help }) => {
                let error = UsageError::new(message);
                Err(match help {
                    Some(help) => error.help(help),
                    None => error,
                })
            }
            Err(death) => {
                self.stopped += u32::from(death.was_stopped);
                Ok(if death.was_stopped {
                    Observation::stopped(probe, &death.how)
                } else {
                    Observation::died(probe, &death.how)
                })
            }
        }
    }
}

/// How a process ended amid a probe.
#[derive(Debug)]
struct Death {
    how: String,
    /// It took too long.
    was_stopped: bool,
}

#[derive(Debug)]
struct Process {
    child: Child,
    /// Gone once the process is to end: it ends when this end of the pipe does.
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    said: Vec<String>,
}

impl Process {
    fn start(program: &PathBuf, arguments: &[String]) -> Result<Self, UsageError> {
        let mut child = Command::new(program)
            .args(arguments)
            .env(CHILD_MARK, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| {
                UsageError::from_error(&format!("cannot start {}", program.display()), &error)
            })?;
        let (sender, lines) = mpsc::channel();
        let output = child.stdout.take();
        let errors = child.stderr.take();
        if let Some(output) = output {
            pass_on(output, sender.clone());
        }
        if let Some(errors) = errors {
            pass_on(errors, sender);
        }
        Ok(Self {
            input: child.stdin.take(),
            child,
            lines,
            said: Vec::new(),
        })
    }

    /// Hands a probe over and waits for its answer; otherwise says how the process ended.
    fn ask(&mut self, probe: &Probe, timeout: Duration) -> Result<Answer, Death> {
        let json = serde_json::to_string(probe).map_err(|error| self.death(error.to_string()))?;
        if let Some(input) = &mut self.input {
            // A process that is gone shows in its output.
            drop(writeln!(input, "{json}").and_then(|()| input.flush()));
        }
        let end = Instant::now() + timeout;
        loop {
            match self
                .lines
                .recv_timeout(end.saturating_duration_since(Instant::now()))
            {
                Ok(line) => match line.strip_prefix(MARK).map(serde_json::from_str) {
                    Some(Ok(answer)) => return Ok(answer),
                    Some(Err(error)) => {
                        return Err(self.death(format!("an answer that is none: {error}")));
                    }
                    None => self.note(&line),
                },
                Err(RecvTimeoutError::Timeout) => {
                    let _ = self.child.kill();
                    let seconds = timeout.as_secs_f64();
                    return Err(Death {
                        was_stopped: true,
                        ..self.death(format!(
                            "no answer, and the process was stopped after {seconds} s"
                        ))
                    });
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let how = match self.child.wait() {
                        Ok(status) => format!("the process died: {status}"),
                        Err(error) => format!("the process is lost: {error}"),
                    };
                    return Err(self.death(how));
                }
            }
        }
    }

    fn note(&mut self, line: &str) {
        let line = line.trim();
        if !line.is_empty() {
            if self.said.len() == EVIDENCE_LINES {
                self.said.remove(0);
            }
            self.said.push(line.to_owned());
        }
    }

    fn death(&self, how: String) -> Death {
        let how = if self.said.is_empty() {
            how
        } else {
            format!("{how}; its last output: {}", self.said.join(" | "))
        };
        Death {
            how,
            was_stopped: false,
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Passes lines on in a thread of its own, which ends with the process.
fn pass_on(output: impl std::io::Read + Send + 'static, sender: mpsc::Sender<String>) {
    std::thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        while output
            .read_until(b'\n', &mut line)
            .is_ok_and(|bytes| bytes > 0)
        {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            if sender.send(text).is_err() {
                return;
            }
            line.clear();
        }
    });
}

#[cfg(test)]
mod tests {
    use rebound_sim::manifest::Direction;

    use super::*;
    use crate::characterize::probe::{End, Transfer};

    fn ask(script: &str, timeout: Duration) -> Observation {
        let arguments = vec!["-c".into(), script.into()];
        let mut lab = ChildLab::new("/bin/sh".into(), arguments, timeout);
        let probe = Probe::single(Direction::Copy, Transfer::new(0, 0x1000, 64));
        lab.observe(&probe).expect("the shell starts")
    }

    #[test]
    fn an_answer_comes_through_between_the_words_of_a_core() {
        let observation = Observation::default();
        let json = serde_json::to_string(&Answer::Observed(observation)).expect("plain data");
        let script = format!("read probe; printf 'a core says'; printf '\\n{MARK}{json}\\n'; cat");
        assert_eq!(
            ask(&script, Duration::from_secs(20)),
            Observation::default()
        );
    }

    #[test]
    fn a_process_that_dies_is_an_observation_with_its_last_words() {
        let found = ask(
            "read probe; echo assertion failed >&2; kill -ABRT $$",
            Duration::from_secs(20),
        );
        let End::Died { how } = &found.first().end else {
            panic!("expected a death, found {found:?}");
        };
        assert!(
            how.contains("signal: 6") && how.contains("assertion failed"),
            "{how}"
        );
    }

    #[test]
    fn a_process_that_never_answers_is_stopped() {
        let found = ask("exec sleep 60", Duration::from_millis(200));
        let End::Stopped { how } = &found.first().end else {
            panic!("expected a stop, found {found:?}");
        };
        assert!(how.contains("after 0.2 s"), "{how}");
    }

    #[test]
    fn a_laboratory_whose_probes_never_end_is_closed() {
        let arguments = vec!["-c".into(), "exec sleep 60".into()];
        let mut lab = ChildLab::new("/bin/sh".into(), arguments, Duration::from_millis(50));
        let probe = Probe::single(Direction::Copy, Transfer::new(0, 0x1000, 64));
        let mut observe = || lab.observe(&probe).expect("the shell starts");
        for _ in 0..MOST_STOPPED {
            observe();
        }
        let last = observe();
        assert!(
            matches!(&last.first().end, End::Stopped { how } if how.starts_with("not tried")),
            "{last:?}"
        );
    }

    #[test]
    fn a_missing_program_is_an_error_of_the_environment() {
        let mut lab = ChildLab::new(
            "/nowhere/rebound".into(),
            Vec::new(),
            Duration::from_secs(1),
        );
        let probe = Probe::single(Direction::Copy, Transfer::new(0, 0x1000, 64));
        let error = lab.observe(&probe).expect_err("there is no such program");
        assert!(error.to_string().contains("/nowhere/rebound"), "{error}");
    }
}
