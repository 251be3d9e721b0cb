//! A page source that gives the answers of a trace, and notices other questions.

use crate::addr::PhysAddr;
use crate::page_source::{PageRequest, PageSource};

/// Requests that are expected, in order, with their answers.
#[derive(Debug)]
pub(super) struct Script<'a> {
    expected: &'a [(u64, Option<u64>)],
    /// Bytes of the requests made.
    made: Vec<u64>,
}

impl<'a> Script<'a> {
    pub(super) const fn new(expected: &'a [(u64, Option<u64>)]) -> Self {
        Self {
            expected,
            made: Vec::new(),
        }
    }

    /// Returns expected and made requests, if they differ.
    pub(super) fn difference(&self) -> Option<(String, String)> {
        let expected: Vec<u64> = self.expected.iter().map(|request| request.0).collect();
        (expected != self.made).then(|| (list(&expected), list(&self.made)))
    }
}

fn list(requests: &[u64]) -> String {
    if requests.is_empty() {
        return "none".to_owned();
    }
    let texts: Vec<String> = requests.iter().map(u64::to_string).collect();
    texts.join(";")
}

impl PageSource for Script<'_> {
    fn alloc(&mut self, request: &PageRequest) -> Option<PhysAddr> {
        let expected = self.expected.get(self.made.len());
        self.made.push(request.bytes);
        match expected {
            Some(&(bytes, answer)) if bytes == request.bytes => answer.map(PhysAddr::new),
            _ => None,
        }
    }

    fn free(&mut self, _base: PhysAddr, _bytes: u64) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page_source::{PageOrigin, Zone};

    fn ask(script: &mut Script<'_>, bytes: u64) -> Option<PhysAddr> {
        script.alloc(&PageRequest {
            origin: PageOrigin::Boot,
            bytes,
            align: 4096,
            zone: Zone::Normal,
            limit: PhysAddr::INVALID,
        })
    }

    #[test]
    fn other_questions_are_refused_and_noticed() {
        let answers = [(8192, None), (4096, Some(0x1000))];
        let mut script = Script::new(&answers);
        assert_eq!(ask(&mut script, 8192), None);
        assert_eq!(ask(&mut script, 4096), Some(PhysAddr::new(0x1000)));
        assert_eq!(script.difference(), None);

        let mut script = Script::new(&answers);
        assert_eq!(ask(&mut script, 4096), None);
        let difference = ("8192;4096".to_owned(), "4096".to_owned());
        assert_eq!(script.difference(), Some(difference));
    }
}
