//! Fields of an event in their fixed order: `NAME=VALUE`, separated by blanks.

use crate::trace::prefix::{decimal, hexadecimal};

/// A field that is not there or not readable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found {found}")]
pub struct Malformed {
    expected: String,
    found: String,
}

impl Malformed {
    /// Longest text that a message repeats.
    const SHOWN: usize = 40;

    pub(crate) fn new(expected: impl Into<String>, found: &[u8]) -> Self {
        let shown = String::from_utf8_lossy(&found[..found.len().min(Self::SHOWN)]);
        Self {
            expected: expected.into(),
            found: if found.is_empty() {
                "the end of the line".to_owned()
            } else {
                format!("`{}`", shown.trim())
            },
        }
    }
}

/// Longest buffer that is taken for one: no mapping comes near it, and sums of it stay far from overflowing.
const MOST_BYTES: u64 = 1 << 40;

/// Refuses a buffer that would end beyond the last address. All ones are no address: the mapping failed.
pub(crate) fn check_end(addr: u64, bytes: u64) -> Result<(), Malformed> {
    match addr.checked_add(bytes) {
        Some(_) => Ok(()),
        None if addr == u64::MAX => Ok(()),
        None => Err(Malformed::new(
            "a buffer that ends below 2^64",
            format!("{addr:x} and {bytes} bytes").as_bytes(),
        )),
    }
}

/// A cursor over the fields.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    text: &'a [u8],
    /// Name of the device, once it is read.
    pub(crate) device: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(crate) const fn new(text: &'a [u8]) -> Self {
        Self { text, device: b"" }
    }

    /// Takes all in front of `mark`, which stays.
    pub(crate) fn before(&mut self, mark: &str) -> Result<&'a [u8], Malformed> {
        let missing = || Malformed::new(format!("`{}`", mark.trim()), self.text);
        let mark = mark.as_bytes();
        let mut from = 0;
        loop {
            let at = from + memchr::memchr(mark[0], &self.text[from..]).ok_or_else(missing)?;
            if self.text[at..].starts_with(mark) {
                let (front, rest) = self.text.split_at(at);
                self.text = rest;
                return Ok(front.trim_ascii());
            }
            from = at + 1;
        }
    }

    /// Takes `word`.
    pub(crate) fn word(&mut self, word: &str) -> Result<(), Malformed> {
        self.text = self.text.trim_ascii_start();
        let missing = || Malformed::new(format!("`{word}`"), self.text);
        self.text = self
            .text
            .strip_prefix(word.as_bytes())
            .ok_or_else(missing)?;
        Ok(())
    }

    /// Takes `word` if it is there.
    pub(crate) fn skip(&mut self, word: &str) {
        let text = self.text.trim_ascii_start();
        self.text = text.strip_prefix(word.as_bytes()).unwrap_or(text);
    }

    /// Takes `name` and what stands behind it up to the next blank.
    pub(crate) fn value(&mut self, name: &str) -> Result<&'a [u8], Malformed> {
        self.word(name)?;
        let end = memchr::memchr(b' ', self.text).unwrap_or(self.text.len());
        let (value, rest) = self.text.split_at(end);
        self.text = rest;
        Ok(value)
    }

    pub(crate) fn hex(&mut self, name: &str) -> Result<u64, Malformed> {
        let value = self.value(name)?;
        hexadecimal(value)
            .ok_or_else(|| Malformed::new(format!("a hexadecimal number behind `{name}`"), value))
    }

    pub(crate) fn decimal(&mut self, name: &str) -> Result<u64, Malformed> {
        let value = self.value(name)?;
        decimal(value).ok_or_else(|| Malformed::new(format!("a number behind `{name}`"), value))
    }

    /// Takes a length in bytes.
    pub(crate) fn length(&mut self, name: &str) -> Result<u64, Malformed> {
        let mut ahead = Fields::new(self.text);
        let value = ahead.value(name)?;
        let bytes = self.decimal(name)?;
        if bytes > MOST_BYTES {
            return Err(Malformed::new("a length of at most 1 TiB", value));
        }
        Ok(bytes)
    }

    /// Takes `NAME=SHOWN/TOTAL` and returns the total.
    pub(crate) fn total(&mut self, name: &str) -> Result<u64, Malformed> {
        let value = self.value(name)?;
        let total = memchr::memchr(b'/', value).and_then(|slash| decimal(&value[slash + 1..]));
        total.ok_or_else(|| Malformed::new(format!("two numbers behind `{name}`"), value))
    }

    pub(crate) fn force_word(&mut self) -> Result<bool, Malformed> {
        match self.text.trim_ascii() {
            b"FORCE" => Ok(true),
            b"NORMAL" => Ok(false),
            other => Err(Malformed::new("`FORCE` or `NORMAL`", other)),
        }
    }
}

/// Reads `{0x1000,0x2000}`; addresses without `0x` are hexadecimal too.
pub(crate) fn hex_list(text: &[u8], into: &mut Vec<u64>) -> Result<(), Malformed> {
    list(text, into, hexadecimal)
}

/// Reads `{0x1000,512}`; lengths without `0x` are decimal.
pub(crate) fn size_list(text: &[u8], into: &mut Vec<u64>) -> Result<(), Malformed> {
    list(text, into, |item| {
        let bytes = if item.starts_with(b"0x") {
            hexadecimal(item)
        } else {
            decimal(item)
        };
        bytes.filter(|&bytes| bytes <= MOST_BYTES)
    })
}

fn list(
    text: &[u8],
    into: &mut Vec<u64>,
    number: impl Fn(&[u8]) -> Option<u64>,
) -> Result<(), Malformed> {
    into.clear();
    let inner = text
        .strip_prefix(b"{")
        .and_then(|text| text.strip_suffix(b"}"));
    let inner = inner.ok_or_else(|| Malformed::new("a list in braces", text))?;
    if inner.is_empty() {
        return Ok(());
    }
    for item in inner.split(|&byte| byte == b',') {
        into.push(number(item).ok_or_else(|| Malformed::new("a number in a list", item))?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_taken_in_order() {
        let mut fields = Fields::new(b"a dev dir=X n=3/7 [T] h=ff d=12 l={} FORCE");
        assert_eq!(fields.before(" dir="), Ok(b"a dev".as_slice()));
        assert_eq!(fields.value("dir="), Ok(b"X".as_slice()));
        assert_eq!(fields.total("n="), Ok(7));
        fields.skip("[T]");
        assert_eq!((fields.hex("h="), fields.decimal("d=")), (Ok(255), Ok(12)));
        let mut empty = vec![1];
        assert_eq!(
            hex_list(fields.value("l=").expect("a list"), &mut empty),
            Ok(())
        );
        assert!(empty.is_empty());
        assert_eq!(fields.force_word(), Ok(true));
    }

    #[test]
    fn lengths_and_ends_beyond_all_memory_are_refused() {
        let mut fields = Fields::new(b"size=4096 size=18446744073709551615");
        assert_eq!(fields.length("size="), Ok(4096));
        let error = fields.length("size=").expect_err("too long").to_string();
        assert!(
            error.starts_with("expected a length of at most 1 TiB"),
            "{error}"
        );
        assert!(size_list(b"{0xffffffffffff}", &mut Vec::new()).is_err());
        assert!(check_end(u64::MAX - 1, 2).is_err());
        assert_eq!(check_end(u64::MAX, 1), Ok(()));
    }

    #[test]
    fn messages_show_no_more_than_a_few_words() {
        let mut fields = Fields::new(b"");
        assert_eq!(
            fields.hex("dma_addr=").expect_err("nothing").to_string(),
            "expected `dma_addr=`, found the end of the line"
        );
        let long = [b'x'; 500];
        assert!(Malformed::new("a list", &long).to_string().len() < 80);
        let cut = hex_list(b"{0x1,0x", &mut Vec::new()).expect_err("cut");
        assert_eq!(
            cut.to_string(),
            "expected a list in braces, found `{0x1,0x`"
        );
    }
}
