//! The machine of a test with buffers of its own: RAM where they lie, a pool, a device with the core's address bits.

use rebound_sim::limits::ResolvedLimits;

use crate::error::UsageError;
use crate::harness::Buffer;
use crate::scenario::plan::{BufferPlan, BufferUse, Plan, Range};
use crate::scoreboard::GUARD_BYTES;
use crate::seed::Seed;

use super::layout;

const PAGE: u64 = 4096;

/// Makes the plan of a machine with these buffers.
///
/// # Errors
/// If buffers with their guards lie over each other, over the pool, or at address 0.
pub(crate) fn of_buffers(
    limits: &ResolvedLimits,
    buffers: &[Buffer],
    seed: Seed,
) -> Result<Plan, UsageError> {
    let mut plan = layout::machine(limits, seed);
    let pool = plan.machine.pool.as_ref().map(|pool| Range {
        base: pool.base,
        bytes: pool.slots * layout::SLOT,
    });
    let mut ram: Vec<Range> = pool.into_iter().collect();
    let mut taken = ram.clone();
    for (number, buffer) in buffers.iter().enumerate() {
        let what = |expected: &str| {
            UsageError::new(format!(
                "buffer {number} at {:#x}: expected {expected}",
                buffer.phys
            ))
        };
        if buffer.bytes == 0 {
            return Err(what("at least one byte, found none"));
        }
        let start = buffer.phys.checked_sub(GUARD_BYTES).ok_or_else(|| {
            what(&format!(
                "{GUARD_BYTES} bytes before it for a guard, found fewer"
            ))
        })?;
        let own = Range {
            base: start,
            bytes: buffer.bytes + 2 * GUARD_BYTES,
        };
        let meets = |other: &&Range| own.base < other.end() && other.base < own.end();
        if let Some(other) = taken.iter().find(meets) {
            return Err(what(&format!(
                "{GUARD_BYTES} free bytes around it, found the buffer or pool at {:#x}",
                other.base
            )));
        }
        taken.push(own);
        ram.push(own);
        plan.buffers.push(BufferPlan {
            name: format!("buffer {number}"),
            purpose: if buffer.is_source {
                BufferUse::Source
            } else {
                BufferUse::Destination
            },
            phys: buffer.phys,
            bytes: buffer.bytes,
        });
    }
    plan.machine.ram = whole_pages(ram);
    Ok(plan)
}

/// Rounds ranges to pages, and joins those that touch.
fn whole_pages(mut ranges: Vec<Range>) -> Vec<Range> {
    ranges.sort_unstable_by_key(|range| range.base);
    let mut joined: Vec<Range> = Vec::new();
    for range in ranges {
        let base = range.base / PAGE * PAGE;
        let end = range.end().next_multiple_of(PAGE);
        match joined.last_mut() {
            Some(last) if base <= last.end() => last.bytes = last.end().max(end) - last.base,
            _ => joined.push(Range {
                base,
                bytes: end - base,
            }),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::super::profile::Profile;
    use super::*;

    fn plan(buffers: &[Buffer]) -> Result<Plan, String> {
        let limits = Profile::of_copy(24).limits;
        of_buffers(&limits, buffers, Seed::new(1)).map_err(|error| error.into_parts().0)
    }

    #[test]
    fn ram_lies_under_the_pool_and_every_buffer() {
        let buffers = [
            Buffer::source(0x80_0010, 5000),
            Buffer::destination(0x4000_0000, 1),
        ];
        let plan = plan(&buffers).expect("apart");
        let ram: Vec<(u64, u64)> = plan
            .machine
            .ram
            .iter()
            .map(|one| (one.base, one.end()))
            .collect();
        assert_eq!(ram[0], (0x10_0000, 0x30_0000));
        assert_eq!(ram[1], (0x7f_f000, 0x80_2000));
        assert!(ram[2].0 < 0x4000_0000 && ram[2].1 > 0x4000_0000);
    }

    #[test]
    fn buffers_over_each_other_or_the_pool_or_empty_ones_are_refused() {
        for (buffers, words) in [
            (
                vec![Buffer::source(0x80_0000, 64), Buffer::source(0x80_0020, 64)],
                "buffer 1 at 0x800020: expected",
            ),
            (vec![Buffer::source(0x11_0000, 64)], "pool at 0x100000"),
            (vec![Buffer::source(0x80_0000, 0)], "at least one byte"),
            (vec![Buffer::source(0, 64)], "for a guard"),
        ] {
            let error = plan(&buffers).expect_err("refused");
            assert!(error.contains(words), "{error}");
        }
    }
}
