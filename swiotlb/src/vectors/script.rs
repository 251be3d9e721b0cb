//! A page source that gives the answers of a trace, and notices other questions.

use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::data::parse_number;
use crate::addr::PhysAddr;
use crate::page_source::{PageOrigin, PageRequest, PageSource};

/// A request that is expected, with its answer; no address stands for `FAIL`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) origin: PageOrigin,
    pub(super) bytes: u64,
    pub(super) answer: Option<u64>,
}

impl Expected {
    /// Reads `P:bytes=answer` or `A:bytes=answer`.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let (origin, text) = match text {
            [b'P', b':', text @ ..] => (PageOrigin::Pages, text),
            [b'A', b':', text @ ..] => (PageOrigin::Atomic, text),
            _ => return None,
        };
        let (bytes, answer) = parse_request(text)?;
        Some(Self {
            origin,
            bytes,
            answer,
        })
    }
}

/// Reads `bytes=answer`; no address stands for `FAIL`.
pub(super) fn parse_request(text: &[u8]) -> Option<(u64, Option<u64>)> {
    let split = text.iter().position(|&byte| byte == b'=')?;
    let bytes = parse_number(&text[..split])?;
    match &text[split + 1..] {
        b"FAIL" => Some((bytes, None)),
        answer => Some((bytes, Some(parse_number(answer)?))),
    }
}

#[derive(Debug, Default)]
struct State {
    expected: Vec<Expected>,
    made: Vec<(PageOrigin, u64)>,
    /// Blocks given back.
    freed: Vec<(u64, u64)>,
}

/// The page source of a scenario. Clones are handles of the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Script(Arc<Mutex<State>>);

impl Script {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a row with the requests it is to make, in order.
    pub(super) fn expect(&self, expected: impl Iterator<Item = Expected>) {
        let mut state = self.state();
        state.made.clear();
        state.expected.clear();
        state.expected.extend(expected);
    }

    /// Returns expected and made requests, if they differ.
    pub(super) fn difference(&self) -> Option<(String, String)> {
        let state = self.state();
        let expected = || {
            let requests = state.expected.iter();
            requests.map(|request| (request.origin, request.bytes))
        };
        let is_equal = expected().eq(state.made.iter().copied());
        (!is_equal).then(|| (list(expected()), list(state.made.iter().copied())))
    }

    /// Lists the blocks given back since the last call as `base/bytes`, ascending.
    pub(super) fn take_freed(&self) -> String {
        let mut freed = std::mem::take(&mut self.state().freed);
        freed.sort_unstable();
        let mut text = String::new();
        for (base, bytes) in freed {
            let separator = if text.is_empty() { "" } else { ";" };
            // Writing to a string cannot fail.
            let _ = write!(text, "{separator}{base:#x}/{bytes}");
        }
        text
    }
}

fn list(requests: impl Iterator<Item = (PageOrigin, u64)>) -> String {
    let texts: Vec<String> = requests
        .map(|(origin, bytes)| match origin {
            PageOrigin::Pages => format!("P:{bytes}"),
            PageOrigin::Atomic => format!("A:{bytes}"),
            PageOrigin::Boot => bytes.to_string(),
        })
        .collect();
    if texts.is_empty() {
        "no request".to_owned()
    } else {
        texts.join(";")
    }
}

impl PageSource for Script {
    fn alloc(&mut self, request: &PageRequest) -> Option<PhysAddr> {
        let mut state = self.state();
        let expected = state.expected.get(state.made.len()).copied();
        state.made.push((request.origin, request.bytes));
        match expected {
            Some(expected)
                if (expected.origin, expected.bytes) == (request.origin, request.bytes) =>
            {
                expected.answer.map(PhysAddr::new)
            }
            _ => None,
        }
    }

    fn free(&mut self, base: PhysAddr, bytes: u64) {
        self.state().freed.push((base.raw(), bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page_source::Zone;

    fn ask(script: &Script, origin: PageOrigin, bytes: u64) -> Option<PhysAddr> {
        script.clone().alloc(&PageRequest {
            origin,
            bytes,
            align: 4096,
            zone: Zone::Normal,
            limit: PhysAddr::INVALID,
            is_blocking: true,
        })
    }

    #[test]
    fn other_questions_are_refused_and_noticed() {
        let answers =
            ["P:8192=FAIL", "A:4096=0x1000"].map(|text| Expected::parse(text.as_bytes()).unwrap());
        let script = Script::default();
        script.expect(answers.into_iter());
        assert_eq!(ask(&script, PageOrigin::Pages, 8192), None);
        let found = ask(&script, PageOrigin::Atomic, 4096);
        assert_eq!(found, Some(PhysAddr::new(0x1000)));
        assert_eq!(script.difference(), None);

        script.expect(answers.into_iter());
        assert_eq!(ask(&script, PageOrigin::Atomic, 4096), None);
        let difference = ("P:8192;A:4096".to_owned(), "A:4096".to_owned());
        assert_eq!(script.difference(), Some(difference));
    }

    #[test]
    fn blocks_given_back_are_listed_once_in_ascending_order() {
        let mut script = Script::default();
        script.free(PhysAddr::new(0x3000), 8192);
        script.free(PhysAddr::new(0x1000), 4096);
        assert_eq!(script.take_freed(), "0x1000/4096;0x3000/8192");
        assert_eq!(script.take_freed(), "");
    }
}
