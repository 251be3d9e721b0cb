//! Arrays in cache lines of their own, so that the areas of a pool do not slow each other down.

use std::ops::{Index, IndexMut};

/// Bytes between what two threads write: hardware fetches lines of 64 bytes in pairs.
const APART: usize = 128;

/// An array of fixed length behind which no other one of the kind begins in the same cache lines: `N`
/// unused elements, which must be 128 bytes or more, lie there.
#[derive(Debug, Clone)]
pub(crate) struct Lines<T, const N: usize> {
    elements: Box<[T]>,
}

impl<T: Copy + Default, const N: usize> Lines<T, N> {
    pub(crate) fn new(len: usize) -> Self {
        const { assert!(N * size_of::<T>() >= APART && align_of::<T>() >= 64) };
        Self {
            elements: vec![T::default(); len + N].into_boxed_slice(),
        }
    }

    pub(crate) fn fill(&mut self, value: T) {
        let len = self.elements.len() - N;
        self.elements[..len].fill(value);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.elements[..self.elements.len() - N].iter()
    }
}

impl<T, const N: usize> Lines<T, N> {
    /// Returns an element, also of those behind the end that are as they were made.
    #[inline(always)]
    pub(crate) fn get(&self, index: usize) -> Option<&T> {
        self.elements.get(index)
    }
}

impl<T, const N: usize> Index<usize> for Lines<T, N> {
    type Output = T;

    #[inline(always)]
    fn index(&self, index: usize) -> &T {
        &self.elements[index]
    }
}

impl<T, const N: usize> IndexMut<usize> for Lines<T, N> {
    #[inline(always)]
    fn index_mut(&mut self, index: usize) -> &mut T {
        &mut self.elements[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, Copy, Default, PartialEq)]
    #[repr(align(64))]
    struct Line(u32);

    #[test]
    fn an_array_keeps_to_its_length_and_apart_from_others() {
        let mut lines: Lines<Line, 2> = Lines::new(40);
        lines[39] = Line(7);
        assert_eq!(lines.iter().count(), 40);
        assert_eq!(lines.iter().last(), Some(&Line(7)));
        assert_eq!(std::ptr::from_ref(&lines[0]).addr() % 64, 0);
        lines.fill(Line(3));
        assert_eq!((lines[0], lines[39]), (Line(3), Line(3)));
        assert_eq!((lines.elements[40], lines.elements[41]), (Line(0), Line(0)));
    }
}
