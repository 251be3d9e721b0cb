//! Text lines of a trace: plain or gzipped, a file or the standard input, in constant memory.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use crate::trace::error::{ForeignFormat, TraceError};

/// Longest line that is taken for text. The longest line of the kernel's tracing is two pages.
const MAX_LINE_BYTES: usize = 1 << 20;
/// Bytes read at a time.
const BUFFER_BYTES: usize = 1 << 18;
/// Longest magic number that is looked at.
const MAGIC_BYTES: usize = 10;

/// The lines of a trace, with their numbers.
pub struct Lines {
    source: Box<dyn BufRead>,
    name: PathBuf,
    line: Vec<u8>,
    number: u64,
    is_cut: bool,
    is_packed: bool,
    damage: Option<String>,
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lines")
            .field("name", &self.name)
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

impl Lines {
    /// Opens a trace; `-` is the standard input.
    ///
    /// # Errors
    /// If it cannot be read, or is in a format that another program must turn into text first.
    pub fn open(path: &Path) -> Result<Self, TraceError> {
        if path == Path::new("-") {
            return Self::new(io::stdin().lock(), path);
        }
        let file = File::open(path).map_err(|cause| TraceError::Unreadable {
            name: path.to_owned(),
            line: 0,
            cause,
        })?;
        Self::new(file, path)
    }

    /// Reads from any source of bytes; `name` is what messages call it.
    ///
    /// # Errors
    /// If it cannot be read, or is in a format that another program must turn into text first.
    pub fn new(source: impl Read + 'static, name: &Path) -> Result<Self, TraceError> {
        let unreadable = |cause| TraceError::Unreadable {
            name: name.to_owned(),
            line: 0,
            cause,
        };
        let mut source = with_magic(source).map_err(unreadable)?;
        let is_packed = source.0.starts_with(&[0x1f, 0x8b]);
        if is_packed {
            let unpacked = MultiGzDecoder::new(BufReader::with_capacity(BUFFER_BYTES, source.1));
            source = with_magic(unpacked).map_err(unreadable)?;
        }
        if let Some(format) = ForeignFormat::of(&source.0) {
            return Err(TraceError::Foreign {
                name: name.to_owned(),
                format,
            });
        }
        Ok(Self {
            source: Box::new(BufReader::with_capacity(BUFFER_BYTES, source.1)),
            name: name.to_owned(),
            line: Vec::with_capacity(4096),
            number: 0,
            is_cut: false,
            is_packed,
            damage: None,
        })
    }

    /// Returns what messages call the trace.
    #[must_use]
    pub fn name(&self) -> &Path {
        &self.name
    }

    /// Returns whether the last line that was read has no end: the trace was cut there.
    #[must_use]
    pub const fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Returns what is wrong with the compressed file behind the last line, if something is: it was cut, or damaged.
    #[must_use]
    pub fn damage(&self) -> Option<&str> {
        self.damage.as_deref()
    }

    /// Reads the next line and its number, from 1 on, without its end; `None` after the last.
    ///
    /// # Errors
    /// If reading fails, or the bytes are no text. A compressed file that breaks off ends there.
    pub fn next_line(&mut self) -> Result<Option<(u64, &[u8])>, TraceError> {
        self.line.clear();
        let limit = MAX_LINE_BYTES as u64;
        let mut limited = self.source.by_ref().take(limit);
        let read = limited.read_until(b'\n', &mut self.line);
        let bytes = match read {
            Ok(bytes) => bytes,
            // What was unpacked is as good as a trace that was stopped here.
            Err(cause) if self.is_packed && self.number > 0 => {
                self.damage = Some(cause.to_string());
                return Ok(None);
            }
            Err(cause) => {
                return Err(TraceError::Unreadable {
                    name: self.name.clone(),
                    line: self.number + 1,
                    cause,
                });
            }
        };
        if bytes == 0 {
            return Ok(None);
        }
        self.number += 1;
        self.is_cut = self.line.pop_if(|last| *last == b'\n').is_none();
        if bytes == MAX_LINE_BYTES || memchr::memchr(0, &self.line).is_some() {
            return Err(TraceError::NotText {
                name: self.name.clone(),
                line: self.number,
            });
        }
        self.line.pop_if(|last| *last == b'\r');
        Ok(Some((self.number, &self.line)))
    }
}

/// Reads the first bytes, and puts them in front again.
fn with_magic(mut source: impl Read + 'static) -> io::Result<(Vec<u8>, Box<dyn Read>)> {
    let mut magic = Vec::with_capacity(MAGIC_BYTES);
    source
        .by_ref()
        .take(MAGIC_BYTES as u64)
        .read_to_end(&mut magic)?;
    let whole = io::Cursor::new(magic.clone()).chain(source);
    Ok((magic, Box::new(whole)))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn lines(bytes: &[u8]) -> Result<Lines, TraceError> {
        Lines::new(io::Cursor::new(bytes.to_vec()), Path::new("a.txt"))
    }

    fn all(mut lines: Lines) -> Vec<(u64, Vec<u8>)> {
        let mut found = Vec::new();
        while let Some((number, line)) = lines.next_line().expect("text") {
            found.push((number, line.to_vec()));
        }
        found
    }

    #[test]
    fn plain_and_gzipped_text_give_the_same_lines() {
        let text = b"one\r\ntwo\n\nfour";
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(text).expect("memory");
        let packed = packed.finish().expect("memory");
        let plain = all(lines(text).expect("text"));
        assert_eq!(plain, all(lines(&packed).expect("text")));
        let texts: Vec<&[u8]> = plain.iter().map(|(_, line)| line.as_slice()).collect();
        assert_eq!(texts, [b"one".as_slice(), b"two", b"", b"four"]);
        assert_eq!(plain[3].0, 4);
    }

    #[test]
    fn a_last_line_without_an_end_is_cut() {
        let mut cut = lines(b"a\nb").expect("text");
        assert_eq!(cut.next_line().expect("text"), Some((1, b"a".as_slice())));
        assert!(!cut.is_cut());
        assert_eq!(cut.next_line().expect("text"), Some((2, b"b".as_slice())));
        assert!(cut.is_cut());
        assert_eq!(cut.next_line().expect("text"), None);
    }

    #[test]
    fn binary_traces_name_the_command_that_makes_text_of_them() {
        let help = |bytes: &[u8]| lines(bytes).expect_err("no text").help();
        assert!(help(b"\x17\x08\x44tracing6\0").contains("trace-cmd report -i a.txt"));
        assert!(help(b"PERFILE2\0\0").contains("perf script -i a.txt"));
        assert!(help(b"\x28\xb5\x2f\xfd").contains("zstdcat a.txt"));
        let error = lines(b"abc\n\0\0\0").expect("a line").next_line().err();
        assert!(error.is_none());
        let mut zeros = lines(b"abc\n\0\0\0").expect("a line");
        zeros.next_line().expect("a line");
        let error = zeros.next_line().expect_err("zeros").to_string();
        assert!(error.starts_with("a.txt:2: expected text"), "{error}");
    }

    #[test]
    fn a_gzip_file_that_breaks_off_ends_with_its_last_whole_line() {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        for number in 0..100_000_u32 {
            writeln!(packed, "{number}").expect("memory");
        }
        let packed = packed.finish().expect("memory");
        let mut cut = lines(&packed[..packed.len() / 2]).expect("a gzip file");
        let mut count = 0_u64;
        while let Some((number, line)) = cut.next_line().expect("lines") {
            assert_eq!(line, (number - 1).to_string().as_bytes());
            count = number;
        }
        assert!((1000..100_000).contains(&count), "{count}");
        assert!(cut.damage().is_some());
        let error = lines(&packed[..14]).expect_err("no line").to_string();
        assert!(error.starts_with("a.txt: cannot read"), "{error}");
    }
}
