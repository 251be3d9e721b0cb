//! The symbols of a transfer: what `src`, `dst`, `len`, `tag` and the names read by steps stand for.

use std::collections::BTreeMap;

use rebound_sim::manifest::{Symbol, UnitBytes, Value, ValueError};

/// One transfer as the steps see it, with the values that they have read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Symbols {
    /// DMA address that the core reads.
    pub source: Option<u64>,
    /// DMA address that the core writes.
    pub destination: Option<u64>,
    /// Length in bytes.
    pub bytes: Option<u64>,
    /// Number of the transfer.
    pub tag: Option<u64>,
    read: BTreeMap<String, u64>,
}

impl Symbols {
    /// A transfer of which nothing is read yet.
    #[must_use]
    pub fn new(source: Option<u64>, destination: Option<u64>, bytes: u64, tag: u64) -> Self {
        Self {
            source,
            destination,
            bytes: Some(bytes),
            tag: Some(tag),
            read: BTreeMap::new(),
        }
    }

    /// Returns the value that a step has read into a name.
    #[must_use]
    pub fn read(&self, name: &str) -> Option<u64> {
        self.read.get(name).copied()
    }

    pub(super) fn set(&mut self, name: &str, value: u64) {
        self.read.insert(name.to_owned(), value);
    }

    pub(super) fn resolve(&self, value: &Value, units: UnitBytes) -> Result<u64, ValueError> {
        value.resolve(
            |symbol| match symbol {
                Symbol::Source => self.source,
                Symbol::Destination => self.destination,
                Symbol::Length => self.bytes,
                Symbol::Tag => self.tag,
                Symbol::Read(name) => self.read(name),
            },
            units,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_no_value_before_a_step_has_read_it() {
        let units = UnitBytes { word: 4, beat: 8 };
        let id: Value = "id".parse().expect("a value");
        let mut symbols = Symbols::default();
        assert!(symbols.resolve(&id, units).is_err());
        symbols.set("id", 7);
        assert_eq!(symbols.resolve(&id, units), Ok(7));
    }
}
