//! Reads a file line by line and drives the scenarios.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use csv::ByteRecord;
use flate2::read::MultiGzDecoder;

use super::difference::Difference;
use super::error::{BadLine, VectorError};
use super::machine::Machine;
use super::row::Row;
use super::setup::{RangeLine, ScenarioLine, Setup};
use super::{Failure, Summary};
use crate::sparse_memory::SparseMemory;

/// Replays a file in memory that may have been used before.
pub(super) fn replay(path: &Path, memory: &mut SparseMemory) -> Result<Summary, VectorError> {
    let unreadable = |cause: io::Error| VectorError::Unreadable {
        file: path.to_owned(),
        cause,
    };
    let file = File::open(path).map_err(unreadable)?;
    let is_packed = path.extension().is_some_and(|ending| ending == "gz");
    let input: Box<dyn Read> = if is_packed {
        Box::new(MultiGzDecoder::new(io::BufReader::with_capacity(
            1 << 16,
            file,
        )))
    } else {
        Box::new(file)
    };
    let mut lines = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .quoting(false)
        .comment(Some(b'#'))
        .buffer_capacity(1 << 17)
        .from_reader(input);
    let mut replay = Replay {
        path,
        summary: Summary::default(),
        state: State::Outside,
        spare: std::mem::take(memory),
    };
    let mut record = ByteRecord::new();
    let mut line = 0;
    loop {
        let has_line = lines
            .read_byte_record(&mut record)
            .map_err(|cause| unreadable(io::Error::other(cause)))?;
        if !has_line {
            break;
        }
        line = record.position().map_or(0, csv::Position::line);
        replay
            .take(&record, line)
            .map_err(|bad| bad.at(path, line))?;
    }
    replay
        .leave(State::Outside)
        .map_err(|bad| bad.at(path, line))?;
    *memory = replay.spare;
    Ok(replay.summary)
}

/// Where in a scenario the file is.
#[derive(Debug)]
enum State {
    /// Before the first scenario.
    Outside,
    /// Between `@scenario` and `@init`.
    Starting {
        scenario: ScenarioLine,
        ranges: Vec<RangeLine>,
    },
    Running(Box<Machine>),
}

struct Replay<'a> {
    path: &'a Path,
    summary: Summary,
    state: State,
    /// Memory of the last scenario, to be used again.
    spare: SparseMemory,
}

impl Replay<'_> {
    fn take(&mut self, record: &ByteRecord, line: u64) -> Result<(), BadLine> {
        match record.get(0) {
            Some(b"n") => Ok(()),
            Some([b'@', ..]) => {
                let text = std::str::from_utf8(record.as_slice())
                    .map_err(|_| BadLine::new("set-up line", "ASCII", "other bytes"))?;
                self.set_up(Setup::parse(text)?, line)
            }
            _ => self.run(record, line),
        }
    }

    fn set_up(&mut self, setup: Setup, line: u64) -> Result<(), BadLine> {
        match setup {
            Setup::Scenario(scenario) => self.begin(scenario)?,
            Setup::Memory(range) => match &mut self.state {
                State::Starting { ranges, .. } => ranges.push(range),
                _ => return Err(order("@mem", "between @scenario and @init")),
            },
            Setup::Init(init) => match &self.state {
                State::Starting { scenario, ranges } => {
                    let mem = std::mem::take(&mut self.spare);
                    let (machine, difference) = Machine::start(mem, scenario, ranges, &init)?;
                    self.state = State::Running(Box::new(machine));
                    self.summary.scenarios_run += 1;
                    if let Some(difference) = difference {
                        self.summary.starts_failed += 1;
                        self.fail(line, None, "@init", difference);
                    }
                }
                _ => return Err(order("@init", "once, after @scenario")),
            },
            Setup::Restricted(id, range) => match &mut self.state {
                State::Running(machine) => machine.add_restricted(id, range)?,
                _ => return Err(order("@restricted", "after @init")),
            },
            Setup::Device(device) => match &mut self.state {
                State::Running(machine) => machine.add_device(&device)?,
                _ => return Err(order("@dev", "after @init")),
            },
        }
        Ok(())
    }

    fn begin(&mut self, scenario: ScenarioLine) -> Result<(), BadLine> {
        self.leave(State::Starting {
            scenario,
            ranges: Vec::new(),
        })
    }

    /// Ends the scenario, which must have been started, and keeps its memory for the next one.
    fn leave(&mut self, next: State) -> Result<(), BadLine> {
        match std::mem::replace(&mut self.state, next) {
            State::Running(machine) => self.spare = machine.into_memory(),
            State::Starting { .. } => return Err(order("end of scenario", "after its @init")),
            State::Outside => {}
        }
        Ok(())
    }

    fn run(&mut self, record: &ByteRecord, line: u64) -> Result<(), BadLine> {
        let row = Row::parse(record)?;
        match &mut self.state {
            State::Running(machine) => {
                let difference = machine.run(&row)?;
                self.summary.rows_checked += 1;
                if let Some(difference) = difference {
                    self.summary.rows_failed += 1;
                    self.fail(line, Some(row.n), row.op.name(), difference);
                }
            }
            State::Outside | State::Starting { .. } => {
                return Err(order("row", "after @scenario and @init"));
            }
        }
        Ok(())
    }

    fn fail(&mut self, line: u64, row: Option<u64>, op: &str, difference: Difference) {
        if self.summary.first_failure.is_some() {
            return;
        }
        self.summary.first_failure = Some(Failure {
            file: self.path.to_owned(),
            line,
            row,
            op: op.to_owned(),
            cell: difference.cell.to_owned(),
            expected: difference.expected,
            got: difference.got,
            explanation: difference.explanation,
        });
    }
}

fn order(what: &str, place: &str) -> BadLine {
    BadLine::new(what, place, "elsewhere")
}
