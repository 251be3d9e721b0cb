//! Names of devices and tasks as small numbers.

use rustc_hash::FxHashMap;

/// A set of names, numbered in the order of their first appearance.
#[derive(Debug, Clone, Default)]
pub struct Names {
    numbers: FxHashMap<Box<[u8]>, u32>,
    texts: Vec<String>,
}

impl Names {
    /// Returns the number of a name. Nothing is allocated for a known one.
    pub fn number(&mut self, name: &[u8]) -> u32 {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        let number = u32::try_from(self.texts.len()).expect("fewer names than lines");
        self.numbers.insert(name.into(), number);
        self.texts.push(String::from_utf8_lossy(name).into_owned());
        number
    }

    /// Returns a name; empty for an unknown number.
    #[must_use]
    pub fn text(&self, number: u32) -> &str {
        self.texts.get(number as usize).map_or("", String::as_str)
    }

    /// Returns how many names there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Returns whether there is no name.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// Returns the names in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_number() {
        let mut names = Names::default();
        assert_eq!((names.number(b"nvme"), names.number(b"e1000")), (0, 1));
        assert_eq!(names.number(b"nvme"), 0);
        assert_eq!((names.text(1), names.len()), ("e1000", 2));
        assert_eq!(names.text(7), "");
    }
}
