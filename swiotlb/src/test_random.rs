//! Numbers for tests that walk through random states; the same ones in each run.

/// A generator of the kind splitmix64.
#[derive(Debug)]
pub(crate) struct TestRandom(pub(crate) u64);

impl TestRandom {
    /// Returns the next number below `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % limit
    }

    /// Returns one of the values.
    pub(crate) fn one_of<T: Copy>(&mut self, values: &[T]) -> T {
        let index = usize::try_from(self.below(values.len() as u64)).unwrap();
        values[index]
    }
}
