//! Arrays in cache lines of their own, so that the areas of a pool do not slow each other down.

use std::ops::{Index, IndexMut};

/// `N` elements that begin on a boundary of two cache lines: hardware fetches lines in pairs.
#[derive(Debug, Clone)]
#[repr(align(128))]
struct Line<T, const N: usize>([T; N]);

/// An array of fixed length that shares no cache line with anything else. `N` is a power of two.
#[derive(Debug, Clone)]
pub(crate) struct Lines<T, const N: usize> {
    lines: Box<[Line<T, N>]>,
    len: usize,
}

impl<T: Copy + Default, const N: usize> Lines<T, N> {
    pub(crate) fn new(len: usize) -> Self {
        Self {
            lines: vec![Line([T::default(); N]); len.div_ceil(N)].into_boxed_slice(),
            len,
        }
    }

    pub(crate) fn fill(&mut self, value: T) {
        for line in &mut self.lines {
            line.0 = [value; N];
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.lines.iter().flat_map(|line| &line.0).take(self.len)
    }
}

impl<T, const N: usize> Index<usize> for Lines<T, N> {
    type Output = T;

    #[inline(always)]
    fn index(&self, index: usize) -> &T {
        &self.lines[index / N].0[index % N]
    }
}

impl<T, const N: usize> IndexMut<usize> for Lines<T, N> {
    #[inline(always)]
    fn index_mut(&mut self, index: usize) -> &mut T {
        &mut self.lines[index / N].0[index % N]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_keeps_to_its_length_and_begins_on_a_line() {
        let mut lines: Lines<u32, 32> = Lines::new(40);
        lines[39] = 7;
        assert_eq!(lines.iter().count(), 40);
        assert_eq!(lines.iter().last(), Some(&7));
        assert_eq!(std::ptr::from_ref(&lines[0]).addr() % 128, 0);
        lines.fill(3);
        assert_eq!((lines[0], lines[39]), (3, 3));
    }
}
