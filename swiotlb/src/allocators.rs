//! The allocators of a layer: the default one, which nearly every device uses, and the restricted ones.

use std::ops::{Index, IndexMut};

use crate::allocator::Allocator;
use crate::pool::AllocatorId;

/// All allocators, by their numbers.
#[derive(Debug)]
pub(crate) struct Allocators {
    /// Number 0, in place.
    default: Allocator,
    restricted: Vec<Allocator>,
}

impl Allocators {
    /// Begins with the default allocator alone.
    pub(crate) const fn new(default: Allocator) -> Self {
        Self {
            default,
            restricted: Vec::new(),
        }
    }

    /// Adds an allocator with the next number.
    pub(crate) fn push(&mut self, allocator: Allocator) {
        self.restricted.push(allocator);
    }

    /// Returns how many there are.
    pub(crate) const fn len(&self) -> usize {
        1 + self.restricted.len()
    }

    /// Returns an allocator, if there is one of the number.
    #[inline(always)]
    pub(crate) fn get(&self, id: AllocatorId) -> Option<&Allocator> {
        match id.0 {
            0 => Some(&self.default),
            number => self.restricted.get(number as usize - 1),
        }
    }

    /// Returns all allocators in order of their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Allocator> {
        std::iter::once(&self.default).chain(&self.restricted)
    }
}

impl Index<usize> for Allocators {
    type Output = Allocator;

    fn index(&self, number: usize) -> &Allocator {
        match number {
            0 => &self.default,
            number => &self.restricted[number - 1],
        }
    }
}

impl IndexMut<usize> for Allocators {
    fn index_mut(&mut self, number: usize) -> &mut Allocator {
        match number {
            0 => &mut self.default,
            number => &mut self.restricted[number - 1],
        }
    }
}
