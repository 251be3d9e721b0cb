//! Arrays in cache lines of their own, so that the areas of a pool do not slow each other down.

use std::ops::{Index, IndexMut};

/// Bytes between what two threads write: hardware fetches lines of 64 bytes in pairs.
const APART: usize = 128;

/// An array of fixed length that shares no cache line with anything else: `N` unused elements, which
/// must be 128 bytes or more, lie in front of it and behind it.
#[derive(Debug, Clone)]
pub(crate) struct Lines<T, const N: usize> {
    elements: Box<[T]>,
}

impl<T: Copy + Default, const N: usize> Lines<T, N> {
    pub(crate) fn new(len: usize) -> Self {
        const { assert!(N * size_of::<T>() >= APART) };
        Self {
            elements: vec![T::default(); N + len + N].into_boxed_slice(),
        }
    }

    pub(crate) fn fill(&mut self, value: T) {
        let end = self.elements.len() - N;
        self.elements[N..end].fill(value);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.elements[N..self.elements.len() - N].iter()
    }
}

impl<T, const N: usize> Index<usize> for Lines<T, N> {
    type Output = T;

    #[inline(always)]
    fn index(&self, index: usize) -> &T {
        &self.elements[N + index]
    }
}

impl<T, const N: usize> IndexMut<usize> for Lines<T, N> {
    #[inline(always)]
    fn index_mut(&mut self, index: usize) -> &mut T {
        &mut self.elements[N + index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_keeps_to_its_length_and_apart_from_others() {
        let mut lines: Lines<u32, 32> = Lines::new(40);
        lines[39] = 7;
        assert_eq!(lines.iter().count(), 40);
        assert_eq!(lines.iter().last(), Some(&7));
        let start = std::ptr::from_ref(&lines.elements[0]).addr();
        assert_eq!(std::ptr::from_ref(&lines[0]).addr() - start, APART);
        lines.fill(3);
        assert_eq!((lines[0], lines[39]), (3, 3));
        assert_eq!((lines.elements[31], lines.elements[32 + 40]), (0, 0));
    }
}
