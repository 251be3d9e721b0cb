//! A set of byte positions: which bytes of a mapping the device has written.

/// A fixed number of bits, all clear at first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bits {
    words: Vec<u64>,
    len: usize,
}

impl Bits {
    /// Makes `len` clear bits.
    #[must_use]
    pub fn new(len: usize) -> Self {
        Self {
            words: vec![0; len.div_ceil(64)],
            len,
        }
    }

    /// Sets a bit and returns whether it was set before.
    pub fn set(&mut self, index: usize) -> bool {
        let (word, mask) = (index / 64, 1 << (index % 64));
        let was_set = self.words[word] & mask != 0;
        self.words[word] |= mask;
        was_set
    }

    /// Returns whether a bit is set.
    #[must_use]
    pub fn get(&self, index: usize) -> bool {
        self.words[index / 64] & (1 << (index % 64)) != 0
    }

    /// Clears all bits.
    pub fn clear(&mut self) {
        self.words.fill(0);
    }

    /// Returns the clear bits below `end`.
    pub fn clear_below(&self, end: usize) -> impl Iterator<Item = usize> {
        (0..end.min(self.len)).filter(|index| !self.get(*index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clear_bits_are_listed_across_words() {
        let mut bits = Bits::new(130);
        for index in (0..130).filter(|index| *index != 63 && *index != 128) {
            assert!(!bits.set(index));
        }
        assert!(bits.set(0));
        assert_eq!(bits.clear_below(130).collect::<Vec<_>>(), [63, 128]);
        assert_eq!(bits.clear_below(100).collect::<Vec<_>>(), [63]);
        bits.clear();
        assert_eq!(bits.clear_below(130).count(), 130);
    }
}
