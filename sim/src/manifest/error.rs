//! What is wrong with a manifest, and where.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};

use super::{ManifestSource, closest, locate};

/// A manifest that cannot be used: file, line, field, what was expected and what is there.
#[derive(Debug, Clone)]
pub struct ManifestError(Box<Detail>);

#[derive(Debug, Clone)]
struct Detail {
    path: PathBuf,
    line: Option<usize>,
    field: String,
    expected: String,
    got: String,
    help: Option<String>,
    source: NamedSource<String>,
    span: Option<Range<usize>>,
}

impl ManifestError {
    /// An error at `field`, placed by looking the field up in the text.
    pub(crate) fn at(
        source: &ManifestSource,
        field: String,
        expected: String,
        got: String,
    ) -> Self {
        let span = locate::span_of(&source.text, &field);
        Self::placed(source, span, field, expected, got)
    }

    fn placed(
        source: &ManifestSource,
        span: Option<Range<usize>>,
        field: String,
        expected: String,
        got: String,
    ) -> Self {
        Self(Box::new(Detail {
            path: source.path.clone(),
            line: span
                .as_ref()
                .map(|span| locate::line_of(&source.text, span.start)),
            field,
            expected,
            got,
            help: None,
            source: NamedSource::new(source.path.display().to_string(), source.text.clone()),
            span,
        }))
    }

    /// An error at byte `offset` of a file list.
    pub(crate) fn in_list(
        source: &ManifestSource,
        offset: usize,
        expected: &str,
        got: &str,
    ) -> Self {
        let end = source.text[offset..]
            .find(char::is_whitespace)
            .map_or(source.text.len(), |end| offset + end);
        Self::placed(
            source,
            Some(offset..end),
            "file list".to_owned(),
            expected.to_owned(),
            got.to_owned(),
        )
    }

    /// A file that cannot be read, where the manifest itself is not at fault.
    pub(crate) fn unreadable(path: &Path, what: &str, error: &std::io::Error) -> Self {
        Self(Box::new(Detail {
            path: path.to_owned(),
            line: None,
            field: what.to_owned(),
            expected: "a readable text file".to_owned(),
            got: error.to_string(),
            help: Some(what_to_do(path, error)),
            source: NamedSource::new(path.display().to_string(), String::new()),
            span: None,
        }))
    }

    /// An error of the TOML reader, in our words where it is a known kind.
    pub(crate) fn from_toml(source: &ManifestSource, error: &toml::de::Error) -> Self {
        let span = error.span();
        let field = span
            .as_ref()
            .map(|span| locate::field_at(&source.text, span))
            .filter(|field| !field.is_empty())
            .unwrap_or_else(|| "manifest".to_owned());
        let written = span.as_ref().and_then(|span| source.text.get(span.clone()));
        if let Some(number) = written.filter(|text| is_too_long(text)) {
            let expected = format!("a whole number from {} to {}", i64::MIN, i64::MAX);
            let got = number.trim().to_owned();
            return Self::placed(source, span, field, expected, got);
        }
        let message = error.message().trim();
        let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
        if message.starts_with("unknown field") || message.starts_with("unknown variant") {
            let found = quoted.first().copied().unwrap_or_default();
            let known = quoted.get(1..).unwrap_or_default();
            let what = if message.starts_with("unknown field") {
                "one of the fields"
            } else {
                "one of"
            };
            let expected = format!("{what} {}", known.join(", "));
            let got = if message.starts_with("unknown field") {
                format!("unknown field `{found}`")
            } else {
                format!("`{found}`")
            };
            return Self::placed(source, span, field, expected, got)
                .with_suggestion(found, known.iter().copied());
        }
        if message.starts_with("missing field") {
            let missing = quoted.first().copied().unwrap_or_default();
            let in_table = span
                .as_ref()
                .is_some_and(|span| source.text[span.clone()].starts_with(['[', '{']));
            let field = if in_table {
                format!("{field}.{missing}")
            } else {
                missing.to_owned()
            };
            return Self::placed(
                source,
                span,
                field,
                "a value".to_owned(),
                "nothing".to_owned(),
            );
        }
        match message.split_once(", expected ") {
            Some((got, expected)) if got.starts_with("invalid ") => {
                let got = got
                    .trim_start_matches("invalid type: ")
                    .trim_start_matches("invalid value: ")
                    .to_owned();
                let expected = match expected {
                    "u64" | "u32" => "a whole number of at least 0",
                    expected => expected,
                };
                Self::placed(source, span, field, expected.to_owned(), got)
            }
            // What a value of several kinds expects is all that is said of it.
            _ if message.starts_with("a ") => {
                let got = written.unwrap_or("something else").to_owned();
                Self::placed(source, span, field, message.to_owned(), got)
            }
            _ => Self::placed(
                source,
                span,
                field,
                "valid TOML".to_owned(),
                message.replace('\n', "; "),
            ),
        }
    }

    /// Adds advice below the message.
    #[must_use]
    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// Adds "did you mean" if one of the candidates is near.
    #[must_use]
    pub(crate) fn with_suggestion<'a>(
        self,
        found: &str,
        candidates: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        match closest(found, candidates) {
            Some(near) => self.with_help(format!("did you mean `{near}`?")),
            None => self,
        }
    }

    /// File at fault.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Line from 1, if a line is at fault.
    pub fn line(&self) -> Option<usize> {
        self.0.line
    }

    /// Field at fault, written like `axi[0].data_width`.
    pub fn field(&self) -> &str {
        &self.0.field
    }

    /// What should be there.
    pub fn expected(&self) -> &str {
        &self.0.expected
    }

    /// What is there.
    pub fn got(&self) -> &str {
        &self.0.got
    }
}

impl fmt::Display for ManifestError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Detail {
            path,
            line,
            field,
            expected,
            got,
            help,
            ..
        } = &*self.0;
        write!(formatter, "{}", path.display())?;
        if let Some(line) = line {
            write!(formatter, ":{line}")?;
        }
        write!(formatter, ": {field}: expected {expected}, got {got}")?;
        match help {
            Some(help) => write!(formatter, " ({help})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ManifestError {}

impl Diagnostic for ManifestError {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.0
            .span
            .as_ref()
            .map(|_| &self.0.source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = self.0.span.clone()?;
        let label = LabeledSpan::new(
            Some(format!("expected {}", self.0.expected)),
            span.start,
            span.len(),
        );
        Some(Box::new(std::iter::once(label)))
    }
}

/// Whether this is a whole number that TOML's 64 bits do not hold.
fn is_too_long(text: &str) -> bool {
    let digits = text.trim().replace('_', "");
    let (digits, radix) = match digits.strip_prefix("0x") {
        Some(hex) => (hex.to_owned(), 16),
        None => (digits, 10),
    };
    let unsigned = digits.trim_start_matches(['+', '-']);
    !unsigned.is_empty()
        && unsigned.chars().all(|digit| digit.is_digit(radix))
        && i64::from_str_radix(&digits, radix).is_err()
}

/// What to do about a file that cannot be read.
fn what_to_do(path: &Path, error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound if path.is_relative() => {
            let here = std::env::current_dir().unwrap_or_default();
            format!(
                "looked for in {}: run in the project's folder, or give the file's whole path",
                here.display()
            )
        }
        std::io::ErrorKind::NotFound => "check the path".to_owned(),
        std::io::ErrorKind::PermissionDenied => "make it readable".to_owned(),
        _ => "give the path of the file that was meant".to_owned(),
    }
}
