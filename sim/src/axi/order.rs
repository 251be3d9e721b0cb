//! Which burst is answered next.

use super::policy::ResponseOrder;
use crate::seed::RandomStream;

/// Bursts looked at when the next one is drawn. Later ones wait until earlier ones are gone, as in a
/// memory controller with a queue of this depth.
const DEPTH: usize = 64;

/// Chooses the next burst: the oldest, or one of the oldest of each ID.
#[derive(Debug)]
pub(super) struct Picker {
    random: RandomStream,
    seen: Vec<u32>,
    eligible: Vec<usize>,
}

impl Picker {
    pub(super) fn new(order: ResponseOrder, random: RandomStream) -> Self {
        let depth = if order == ResponseOrder::InOrder {
            0
        } else {
            DEPTH
        };
        Self {
            random,
            seen: Vec::with_capacity(depth),
            eligible: Vec::with_capacity(depth),
        }
    }

    /// Draws among the bursts, given oldest first by ID and by whether they may be answered now. Of
    /// each ID only the oldest is eligible, ready or not (IHI 0022, A5.3).
    pub(super) fn pick(&mut self, bursts: impl Iterator<Item = (u32, bool)>) -> Option<usize> {
        self.seen.clear();
        self.eligible.clear();
        for (place, (id, is_ready)) in bursts.take(DEPTH).enumerate() {
            if self.seen.contains(&id) {
                continue;
            }
            self.seen.push(id);
            if is_ready {
                self.eligible.push(place);
            }
        }
        if self.eligible.len() < 2 {
            return self.eligible.first().copied();
        }
        self.random.pick(&self.eligible).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    #[test]
    fn only_the_oldest_of_each_id_is_eligible() {
        let order = ResponseOrder::ReorderById {
            interleave_reads: false,
        };
        let mut picker = Picker::new(order, Seed::new(1).stream("order"));
        let bursts = [(4, false), (4, true), (5, true), (5, true), (6, true)];
        let mut drawn = [0; 5];
        for _ in 0..200 {
            drawn[picker.pick(bursts.into_iter()).unwrap()] += 1;
        }
        assert_eq!([drawn[0], drawn[1], drawn[3]], [0, 0, 0]);
        assert!(drawn[2] > 50 && drawn[4] > 50, "{drawn:?}");
        assert_eq!(picker.pick([(1, false)].into_iter()), None);
    }
}
