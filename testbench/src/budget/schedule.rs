//! Lays programs side by side and says how long they take: the critical path.
//!
//! Each program does its steps in order. What it locks, nobody else has meanwhile; who waits gets it in the order
//! of asking, as with the simulated CPUs and the channels of the driver.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use crate::driver::RETRY_CYCLES;

/// Something that only one program has at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Resource {
    /// A CPU, by its number.
    Cpu(usize),
    /// A channel of the engine.
    Channel(Channel),
    /// The interrupt handler.
    Handler,
}

/// A channel of the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Channel {
    /// Memory to stream.
    Mm2s,
    /// Stream to memory.
    S2mm,
}

/// A step of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Waits for a resource and takes it.
    Lock(Resource),
    /// Gives it back.
    Unlock(Resource),
    /// Lets cycles pass.
    Wait(u64),
    /// Takes slots of the pool; if there are too few, waits and repeats the steps before it, so many.
    Take {
        /// Slots.
        slots: u64,
        /// Steps to repeat: those of the map call.
        repeats: usize,
    },
    /// Gives slots back.
    Give(u64),
}

/// Returns the cycles until all programs have ended, with so many slots in the pool.
pub(super) fn length(programs: Vec<Vec<Step>>, slots: u64) -> u64 {
    Schedule::new(programs, slots).run()
}

struct Schedule {
    programs: Vec<Vec<Step>>,
    /// The next step of each program.
    next: Vec<usize>,
    /// Who waits for what is locked.
    locked: BTreeMap<Resource, VecDeque<usize>>,
    free_slots: u64,
    /// Programs that go on, by cycle and order.
    due: BinaryHeap<Reverse<(u64, u64, usize)>>,
    tickets: u64,
}

impl Schedule {
    fn new(programs: Vec<Vec<Step>>, slots: u64) -> Self {
        let mut schedule = Self {
            next: vec![0; programs.len()],
            programs,
            locked: BTreeMap::new(),
            free_slots: slots,
            due: BinaryHeap::new(),
            tickets: 0,
        };
        for program in 0..schedule.programs.len() {
            schedule.wake(program, 0);
        }
        schedule
    }

    fn run(mut self) -> u64 {
        // Programs that hold slots and wait for each other's would try for ever.
        let patience = 4 * self.total();
        let mut end = 0;
        while let Some(Reverse((cycle, _, program))) = self.due.pop() {
            end = cycle;
            if cycle > patience {
                break;
            }
            self.go_on(program, cycle);
        }
        end
    }

    /// The cycles of all steps, one after the other.
    fn total(&self) -> u64 {
        let steps = self.programs.iter().flatten();
        steps
            .map(|step| match step {
                Step::Wait(cycles) => *cycles,
                _ => 0,
            })
            .sum()
    }

    fn wake(&mut self, program: usize, cycle: u64) {
        self.due.push(Reverse((cycle, self.tickets, program)));
        self.tickets += 1;
    }

    /// Does the steps of a program until it has to wait.
    fn go_on(&mut self, program: usize, now: u64) {
        while let Some(step) = self.programs[program].get(self.next[program]).copied() {
            self.next[program] += 1;
            match step {
                Step::Wait(cycles) => return self.wake(program, now + cycles),
                Step::Lock(resource) => {
                    if let Some(queue) = self.locked.get_mut(&resource) {
                        return queue.push_back(program);
                    }
                    self.locked.insert(resource, VecDeque::new());
                }
                Step::Unlock(resource) => {
                    let queue = self.locked.get_mut(&resource);
                    match queue.and_then(VecDeque::pop_front) {
                        Some(heir) => self.wake(heir, now),
                        None => drop(self.locked.remove(&resource)),
                    }
                }
                Step::Take { slots, repeats } => {
                    let Some(rest) = self.free_slots.checked_sub(slots) else {
                        self.next[program] -= repeats + 1;
                        return self.wake(program, now + RETRY_CYCLES);
                    };
                    self.free_slots = rest;
                }
                Step::Give(slots) => self.free_slots += slots,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CPU: Resource = Resource::Cpu(0);

    fn held(resource: Resource, cycles: u64) -> Vec<Step> {
        vec![
            Step::Lock(resource),
            Step::Wait(cycles),
            Step::Unlock(resource),
        ]
    }

    #[test]
    fn programs_overlap_unless_they_need_the_same() {
        let other = Resource::Channel(Channel::Mm2s);
        assert_eq!(length(vec![held(CPU, 10), held(other, 7)], 0), 10);
        assert_eq!(length(vec![held(CPU, 10), held(CPU, 7)], 0), 17);
    }

    #[test]
    fn who_asks_first_is_served_first() {
        let late = |steps: Vec<Step>| [vec![Step::Wait(1)], steps].concat();
        let first = [held(CPU, 10), held(CPU, 10)].concat();
        // The second request of the first program comes after that of the second program.
        assert_eq!(length(vec![first, late(held(CPU, 100))], 0), 120);
    }

    #[test]
    fn a_full_pool_costs_tries() {
        let user = |cycles| {
            let mut steps = held(CPU, 5);
            steps.push(Step::Take {
                slots: 3,
                repeats: 3,
            });
            steps.extend([Step::Wait(cycles), Step::Give(3)]);
            steps
        };
        assert_eq!(length(vec![user(100), user(100)], 6), 110);
        // The second one asks at 10 and at 215, after the first one has given its slots back at 105.
        assert_eq!(length(vec![user(100), user(100)], 5), 315);
    }

    #[test]
    fn programs_that_wait_for_each_others_slots_end_somewhere() {
        let greedy = vec![
            Step::Take {
                slots: 1,
                repeats: 0,
            },
            Step::Wait(10),
            Step::Take {
                slots: 1,
                repeats: 0,
            },
        ];
        assert!(length(vec![greedy.clone(), greedy], 2) >= 80);
    }
}
