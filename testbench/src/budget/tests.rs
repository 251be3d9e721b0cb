//! What changes the budget, and what does not.

use super::*;
use crate::scenario::layout::{Layout, Placement};
use crate::scenario::plan::Plan;
use crate::seed::Seed;

/// A machine of two CPUs with these transfers: CPU, whether it sends, where, how many bytes.
fn plan(transfers: &[(usize, bool, Placement, u64)]) -> Plan {
    let mut layout = Layout::new(Seed::new(1), 32).cpus(2);
    for (cpu, sends, placement, bytes) in transfers {
        if *sends {
            layout.send(*cpu, *placement, *bytes, 0);
        } else {
            layout.receive(*cpu, *placement, *bytes, 0);
        }
    }
    layout.finish()
}

#[test]
fn work_of_two_cpus_on_two_channels_counts_once() {
    let one = cycles(&plan(&[(1, true, Placement::Below, 20_000)]));
    let both = cycles(&plan(&[
        (1, true, Placement::Below, 20_000),
        (0, false, Placement::Below, 20_000),
    ]));
    // Only the handler serves them one after the other.
    assert!(both < one + 400, "{both} {one}");
    let same = cycles(&plan(&[
        (1, true, Placement::Below, 20_000),
        (0, true, Placement::Below, 20_000),
    ]));
    assert!(same > both + 2000, "{same} {both}");
}

#[test]
fn only_what_bounces_is_copied() {
    let below = cycles(&plan(&[(0, true, Placement::Below, 16_000)]));
    let above = cycles(&plan(&[(0, true, Placement::Above, 16_000)]));
    let copy = 16_000_u64 / 16 + 10;
    let reserve = copy.div_ceil(RESERVE);
    assert!(
        (copy..=copy + reserve).contains(&(above - below)),
        "one copy and the reserve"
    );
    let back = cycles(&plan(&[(0, false, Placement::Above, 16_000)]));
    assert!(back - above >= copy, "from the device it is copied out too");
}

#[test]
fn long_transfers_pay_for_every_piece() {
    let one = cycles(&plan(&[(0, true, Placement::Above, 200 << 10)])) - START_CYCLES;
    let four = cycles(&plan(&[(0, true, Placement::Above, 800 << 10)])) - START_CYCLES;
    assert!(four > 39 * one / 10 && four < 41 * one / 10, "{four} {one}");
}

#[test]
fn a_pool_that_is_too_small_makes_cpus_wait() {
    let work = [
        (0, true, Placement::Above, 240 << 10),
        (1, false, Placement::Above, 240 << 10),
    ];
    let wide = plan(&work);
    let mut narrow = wide.clone();
    if let Some(pool) = &mut narrow.machine.pool {
        pool.slots = 128;
    }
    assert!(cycles(&narrow) > cycles(&wide) * 3 / 2);
}
