//! The reader: lines become events, and what cannot be read is counted and shown.

use std::path::Path;

use crate::trace::error::TraceError;
use crate::trace::event::{self, Event, Lists};
use crate::trace::fields::Malformed;
use crate::trace::lines::Lines;
use crate::trace::names::Names;
use crate::trace::prefix::{Prefix, decimal};

/// An event with the line it stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Number of the line, from 1 on.
    pub line: u64,
    /// Time in nanoseconds.
    pub time_ns: u64,
    /// CPU that wrote it.
    pub cpu: u16,
    /// Number of the task's name.
    pub task: u32,
    /// The task's process number.
    pub pid: u32,
    /// Number of the device's name.
    pub device: u32,
    /// What happened.
    pub event: Event,
}

/// What the reader hands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// An event.
    Record(Record),
    /// The kernel says that it lost events here.
    Lost {
        /// Number of the line.
        line: u64,
        /// How many; 0 if the text does not say.
        count: u64,
    },
}

/// A line that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// Its number.
    pub line: u64,
    /// What was expected, and what was found.
    pub cause: String,
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReadCounts {
    /// All lines.
    pub lines: u64,
    /// Events of the bounce layer and the DMA API.
    pub events: u64,
    /// Events of other kinds.
    pub other_events: u64,
    /// Lines that are no events, comments not counted.
    pub foreign_lines: u64,
    /// The first of these.
    pub first_foreign: Option<BadLine>,
    /// Lines of our events that could not be read.
    pub bad_lines: u64,
    /// The first of these.
    pub first_bad: Vec<BadLine>,
    /// Events that the kernel says it lost.
    pub lost_events: u64,
    /// Places at which it lost some.
    pub losses: u64,
    /// Events that were overwritten before the trace was read: the header counts more written
    /// than kept.
    pub overwritten: u64,
    /// CPUs, as the header says.
    pub cpus: Option<u32>,
    /// Events whose time lies before that of the line above.
    pub backwards: u64,
    /// The first of these lines.
    pub first_backwards: Option<u64>,
    /// The last line has no end.
    pub is_cut: bool,
    /// What is wrong with the compressed file behind the last line.
    pub damage: Option<String>,
}

/// How many bad lines are kept to be shown.
const SHOWN_BAD_LINES: usize = 5;

/// Reads events from lines.
#[derive(Debug)]
pub struct Reader {
    lines: Lines,
    /// Names of devices.
    pub devices: Names,
    /// Names of tasks.
    pub tasks: Names,
    /// Lists of the event read last.
    pub lists: Lists,
    /// What was read so far.
    pub counts: ReadCounts,
    last_time_ns: u64,
}

impl Reader {
    /// Opens a trace; `-` is the standard input.
    ///
    /// # Errors
    /// As [`Lines::open`].
    pub fn open(path: &Path) -> Result<Self, TraceError> {
        Ok(Self::new(Lines::open(path)?))
    }

    /// Reads from lines.
    #[must_use]
    pub fn new(lines: Lines) -> Self {
        Self {
            lines,
            devices: Names::default(),
            tasks: Names::default(),
            lists: Lists::default(),
            counts: ReadCounts::default(),
            last_time_ns: 0,
        }
    }

    /// Returns what messages call the trace.
    #[must_use]
    pub fn name(&self) -> &Path {
        self.lines.name()
    }

    /// Returns the next event of interest; `None` after the last.
    ///
    /// # Errors
    /// If the trace cannot be read on. A single bad line is counted and skipped.
    pub fn next_item(&mut self) -> Result<Option<Item>, TraceError> {
        loop {
            let Some((line, text)) = self.lines.next_line()? else {
                self.counts.is_cut = self.lines.is_cut();
                self.counts.damage = self.lines.damage().map(str::to_owned);
                return Ok(None);
            };
            let counts = &mut self.counts;
            counts.lines = line;
            let Some(prefix) = Prefix::parse(text) else {
                if let Some(count) = lost_events(text) {
                    counts.losses += 1;
                    counts.lost_events += count;
                    return Ok(Some(Item::Lost { line, count }));
                }
                counts.note_other_line(line, text);
                continue;
            };
            let (devices, lists) = (&mut self.devices, &mut self.lists);
            match event::parse(prefix.event, prefix.fields, devices, lists) {
                Ok(None) => counts.other_events += 1,
                Ok(Some((device, event))) => {
                    counts.note_time(line, prefix.time_ns, &mut self.last_time_ns);
                    counts.events += u64::from(!matches!(event, Event::Marker(_)));
                    return Ok(Some(Item::Record(Record {
                        line,
                        time_ns: prefix.time_ns,
                        cpu: prefix.cpu,
                        task: self.tasks.number(prefix.task),
                        pid: prefix.pid,
                        device,
                        event,
                    })));
                }
                Err(cause) => counts.note_bad(line, &cause),
            }
        }
    }
}

impl ReadCounts {
    fn note_bad(&mut self, line: u64, cause: &Malformed) {
        self.bad_lines += 1;
        if self.first_bad.len() < SHOWN_BAD_LINES {
            let cause = cause.to_string();
            self.first_bad.push(BadLine { line, cause });
        }
    }

    fn note_time(&mut self, line: u64, time_ns: u64, last_ns: &mut u64) {
        if time_ns < *last_ns {
            self.backwards += 1;
            self.first_backwards.get_or_insert(line);
        }
        *last_ns = time_ns;
    }

    fn note_other_line(&mut self, line: u64, text: &[u8]) {
        let text = text.trim_ascii();
        if text.starts_with(b"#") {
            self.note_header(text);
        } else if text.starts_with(b"cpus=") {
            self.cpus = decimal(&text[5..]).and_then(|count| u32::try_from(count).ok());
        } else if !text.is_empty() {
            self.foreign_lines += 1;
            if self.first_foreign.is_none() {
                let cause = Malformed::new("`TASK-PID [CPU] SECONDS: EVENT:`", text).to_string();
                self.first_foreign = Some(BadLine { line, cause });
            }
        }
    }

    /// Reads `# entries-in-buffer/entries-written: 47390/47390   #P:2`.
    fn note_header(&mut self, text: &[u8]) {
        let Some(numbers) = text.strip_prefix(b"# entries-in-buffer/entries-written:") else {
            return;
        };
        for word in numbers.split(u8::is_ascii_whitespace) {
            if let Some(cpus) = word.strip_prefix(b"#P:") {
                self.cpus = decimal(cpus).and_then(|count| u32::try_from(count).ok());
            } else if let Some(slash) = memchr::memchr(b'/', word)
                && let (Some(kept), Some(written)) =
                    (decimal(&word[..slash]), decimal(&word[slash + 1..]))
            {
                self.overwritten = written.saturating_sub(kept);
            }
        }
    }
}

/// Reads `CPU:1 [LOST 12 EVENTS]` (tracefs), `CPU:1 [12 EVENTS DROPPED]` (trace-cmd) and the lines of
/// `perf script --show-lost-events`.
fn lost_events(text: &[u8]) -> Option<u64> {
    let is_kernel = text.starts_with(b"CPU:");
    let is_perf = contains(text, b"PERF_RECORD_LOST");
    if !is_kernel && !is_perf {
        return None;
    }
    let marks: [&[u8]; 3] = [b"LOST", b"DROPPED", b"lost"];
    if !marks.iter().any(|mark| contains(text, mark)) {
        return None;
    }
    let words = text.split(|byte| !byte.is_ascii_alphanumeric());
    let numbers = words.skip(usize::from(is_kernel) * 2).filter_map(decimal);
    Some(numbers.last().unwrap_or(0))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    memchr::memmem::find(text, part).is_some()
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn read(text: &str) -> (Vec<Item>, ReadCounts) {
        let lines = Lines::new(Cursor::new(text.to_owned()), Path::new("a.txt")).expect("text");
        let mut reader = Reader::new(lines);
        let mut items = Vec::new();
        while let Some(item) = reader.next_item().expect("text") {
            items.push(item);
        }
        (items, reader.counts)
    }

    #[test]
    fn lines_that_are_no_events_are_counted_and_the_first_is_kept() {
        let (items, counts) = read(
            "# tracer: nop\n# entries-in-buffer/entries-written: 10/12   #P:4\nhello\nworld\n\
             a-1 [000] 1.0: dma_map_phys: nic dir=FROM_DEVICE dma_addr=1 si",
        );
        assert!(items.is_empty());
        assert_eq!((counts.lines, counts.events), (5, 0));
        assert_eq!((counts.foreign_lines, counts.bad_lines), (2, 1));
        let foreign = counts.first_foreign.expect("a line");
        assert_eq!(foreign.line, 3);
        assert!(
            foreign.cause.ends_with("found `hello`"),
            "{}",
            foreign.cause
        );
        assert_eq!(counts.first_bad[0].line, 5);
        assert_eq!((counts.overwritten, counts.cpus), (2, Some(4)));
        assert!(counts.is_cut);
    }

    #[test]
    fn losses_are_handed_on_where_they_happened() {
        let (items, counts) = read(
            "CPU:1 [LOST 123 EVENTS]\nCPU:0 [7 EVENTS DROPPED]\n\
             swapper 0 [000] 1.0: PERF_RECORD_LOST lost 5\nCPU:2 [LOST EVENTS]\n",
        );
        let counts_of = |item: &Item| match item {
            Item::Lost { count, .. } => Some(*count),
            Item::Record(_) => None,
        };
        let found: Vec<_> = items.iter().filter_map(counts_of).collect();
        assert_eq!(found, [123, 7, 5, 0]);
        assert_eq!((counts.losses, counts.lost_events), (4, 135));
    }

    #[test]
    fn time_that_runs_backwards_is_noticed() {
        let unmap = "dma_unmap_phys: nic dir=TO_DEVICE dma_addr=1 size=1 attrs=";
        let (items, counts) = read(&format!(
            "a-1 [000] 2.0: {unmap}\na-1 [001] 1.0: {unmap}\na-1 [000] 3.0: {unmap}\n"
        ));
        assert_eq!(items.len(), 3);
        assert_eq!((counts.backwards, counts.first_backwards), (1, Some(2)));
    }
}
