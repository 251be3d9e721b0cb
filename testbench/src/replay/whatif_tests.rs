//! Tests of the driver's model.

use super::*;
use crate::replay::planted::{load, planted};
use crate::replay::{Known, Recorded};

fn replayed(load: &Load, slots: u32) -> WhatIf {
    let mut machine = Recorded::of(&load.survey, Known::default()).machine;
    machine.resize(slots, 1);
    let change = Change {
        scale: 1,
        cpus: None,
        seed: Seed::new(1),
        stops_at_failure: false,
    };
    what_if(load, machine, change).expect("a pool")
}

#[test]
fn a_request_that_fails_is_tried_again_as_a_whole_when_another_is_done() {
    // 128 slots hold four buffers: of the second request one fits, and it is given back.
    let load = load(&[planted(1, 100, 300, (0, 3)), planted(2, 200, 900, (3, 3))]);
    let result = replayed(&load, 128);
    assert_eq!((result.failed_tries, result.never_made), (2, 0));
    assert!(
        (90_000..200_000).contains(&result.longest_wait_ns),
        "{}",
        result.longest_wait_ns
    );
    assert_eq!(result.figures.peak(), 128);
    assert_eq!(replayed(&load, 256).failed_tries, 0);
}

#[test]
fn a_further_request_is_tried_and_then_the_queue_is_run_from_its_head() {
    let load = load(&[
        planted(1, 100, 900, (0, 4)),
        planted(2, 200, 1200, (4, 2)),
        planted(3, 300, 1300, (6, 2)),
    ]);
    // Each fails for itself, and with the run of the queue behind it; at 900 both are made.
    let result = replayed(&load, 128);
    assert_eq!((result.failed_tries, result.never_made), (4, 0));
}

#[test]
fn a_queue_is_not_run_again_while_nothing_ends() {
    let load = load(&[
        planted(1, 100, 9000, (0, 4)),
        planted(2, 200, 20_000, (4, 1)),
        planted(3, 5000, 30_000, (5, 1)),
    ]);
    // Two tries at once, and two at 5 ms; both are made when the first is done.
    let result = replayed(&load, 128);
    assert_eq!((result.failed_tries, result.never_made), (4, 0));
}

#[test]
fn a_request_that_waits_for_long_is_made_in_the_end() {
    // Three buffers of 32 slots beside two that end late.
    let requests = [
        planted(1, 100, 900_000, (0, 2)),
        planted(2, 200, 900, (2, 3)),
    ];
    let result = replayed(&load(&requests), 128);
    assert_eq!((result.never_made, result.failed_tries), (0, 2));
}
