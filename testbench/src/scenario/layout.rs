//! Places buffers in a machine's memory, above, below and across what the device reaches.

use crate::scenario::plan::{
    BufferPlan, BufferUse, DeviceLimits, IOMMU_PAGE_BYTES, Movement, Outcome, Plan, PoolKind,
    PoolPlan, Range, Transfer, Usage, low_bits,
};
use crate::scoreboard::GUARD_BYTES;
use crate::seed::Seed;

const MIB: u64 = 1 << 20;
/// Low RAM, which a device of 24 address bits reaches: first the pool, then room for buffers.
const LOW: Range = Range {
    base: MIB,
    bytes: 10 * MIB,
};
/// Largest pool that leaves room for reachable buffers in low RAM.
const POOL_BYTES_MAX: u64 = 4 * MIB;
/// Low RAM that further pools and buffers are made of: its last part.
const SPARE: Range = Range {
    base: 7 * MIB,
    bytes: 4 * MIB,
};
/// RAM below the limit, so that buffers can lie across it.
const BELOW_BYTES: u64 = 2 * MIB;
/// RAM above the limit.
const ABOVE_BYTES: u64 = 64 * MIB;
/// RAM of a machine without a limit lies here: far beyond what 36 bits reach.
const FAR_BASE: u64 = 1 << 40;

/// Where a buffer lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// Within the device's reach.
    Below,
    /// Beyond the device's reach.
    Above,
    /// Begins within and ends beyond the device's reach.
    Across,
}

/// Builds a plan on a standard machine, buffer by buffer and transfer by transfer.
#[derive(Debug, Clone)]
pub struct Layout {
    plan: Plan,
    limit: u64,
    below: u64,
    above: u64,
}

impl Layout {
    /// A machine whose device and engine reach `bits` address bits, with a pool of 1024 slots.
    #[must_use]
    pub fn new(seed: Seed, bits: u32) -> Self {
        let limit = if bits < 64 { 1 << bits } else { FAR_BASE };
        Self::around(seed, bits, limit)
    }

    /// A machine whose device has limits of its own, and whose RAM lies around the end of its reach; the engine
    /// has all address bits.
    #[must_use]
    pub fn of_device(seed: Seed, device: DeviceLimits) -> Self {
        let limit = device.end_of(device.last_dma()).unwrap_or(FAR_BASE);
        Self::around(seed, 64, limit).with(|plan| plan.device = device)
    }

    /// A machine with RAM around `limit`.
    fn around(seed: Seed, bits: u32, limit: u64) -> Self {
        let high_base = limit - BELOW_BYTES;
        let pool = PoolPlan::fixed(LOW.base, 1024);
        let mut plan = Plan::idle(seed, bits, Some(pool), 20);
        plan.machine.ram = vec![
            LOW,
            Range {
                base: high_base,
                bytes: BELOW_BYTES + ABOVE_BYTES,
            },
        ];
        Self {
            plan,
            limit,
            below: LOW.base + POOL_BYTES_MAX + 4096,
            above: limit + MIB + 4096,
        }
    }

    /// Sets the size of the pool.
    #[must_use]
    pub fn pool(mut self, slots: u64, areas: u32) -> Self {
        assert!(
            slots * 2048 <= POOL_BYTES_MAX,
            "a pool of {slots} slots leaves no room for buffers in low RAM"
        );
        if let Some(pool) = &mut self.plan.machine.pool {
            pool.slots = slots;
            pool.areas = areas;
        }
        self
    }

    /// Says whose the pool is and what happens when it is full, with memory for that.
    #[must_use]
    pub fn kind(mut self, kind: PoolKind) -> Self {
        if let Some(pool) = &mut self.plan.machine.pool {
            pool.kind = kind;
            pool.spare = Some(SPARE);
        }
        self
    }

    /// Sets the number of CPUs.
    #[must_use]
    pub fn cpus(mut self, cpus: usize) -> Self {
        self.plan.machine.cpus = cpus;
        self
    }

    /// Changes the plan in a way that needs no method of its own.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Plan)) -> Self {
        change(&mut self.plan);
        self
    }

    /// Places a buffer whose address is `misalign` bytes past a multiple of 4 KiB.
    pub fn buffer(
        &mut self,
        purpose: BufferUse,
        placement: Placement,
        bytes: u64,
        misalign: u64,
    ) -> usize {
        let phys = match placement {
            Placement::Below => claim(&mut self.below, bytes, misalign),
            Placement::Above => claim(&mut self.above, bytes, misalign),
            Placement::Across => {
                let before = (bytes / 2).max(1);
                self.limit - before - misalign.min(bytes - before - 1)
            }
        };
        self.buffer_at(purpose, phys, bytes)
    }

    /// Puts a buffer at an address.
    pub fn buffer_at(&mut self, purpose: BufferUse, phys: u64, bytes: u64) -> usize {
        let index = self.plan.buffers.len();
        let prefix = match purpose {
            BufferUse::Source => "tx",
            BufferUse::Destination => "rx",
            BufferUse::Bystander => "other",
        };
        self.plan.buffers.push(BufferPlan {
            name: format!("{prefix}{index}"),
            purpose,
            phys,
            bytes,
        });
        index
    }

    /// Puts other people's memory at an address, with a name of its own.
    pub fn bystander(&mut self, phys: u64, bytes: u64) -> usize {
        self.buffer_at(BufferUse::Bystander, phys, bytes)
    }

    /// Adds a transfer to the stream.
    pub fn send(
        &mut self,
        cpu: usize,
        placement: Placement,
        bytes: u64,
        misalign: u64,
    ) -> &mut Transfer {
        let source = self.buffer(BufferUse::Source, placement, bytes, misalign);
        self.transfer(cpu, Movement::ToDevice { source })
    }

    /// Adds a transfer from the stream.
    pub fn receive(
        &mut self,
        cpu: usize,
        placement: Placement,
        bytes: u64,
        misalign: u64,
    ) -> &mut Transfer {
        let destination = self.buffer(BufferUse::Destination, placement, bytes, misalign);
        self.transfer(cpu, Movement::FromDevice { destination })
    }

    /// Adds a copy; `misalign` is that of source and destination.
    pub fn copy(
        &mut self,
        cpu: usize,
        placement: [Placement; 2],
        bytes: u64,
        misalign: [u64; 2],
    ) -> &mut Transfer {
        let source = self.buffer(BufferUse::Source, placement[0], bytes, misalign[0]);
        let destination = self.buffer(BufferUse::Destination, placement[1], bytes, misalign[1]);
        self.transfer(
            cpu,
            Movement::Copy {
                source,
                destination,
            },
        )
    }

    /// Fills the rest of the pages that a buffer touches with other people's memory.
    ///
    /// # Panics
    /// If the buffer leaves no room for it: the scenario is broken.
    pub fn neighbours(&mut self, buffer: usize) {
        let BufferPlan { phys, bytes, .. } = self.plan.buffers[buffer];
        let end = phys + bytes;
        let page_start = phys / IOMMU_PAGE_BYTES * IOMMU_PAGE_BYTES;
        let page_end = end.next_multiple_of(IOMMU_PAGE_BYTES);
        // Each has guards of its own.
        for (from, to) in [
            (page_start, phys - GUARD_BYTES),
            (end + GUARD_BYTES, page_end),
        ] {
            let (start, stop) = (from + GUARD_BYTES, to - GUARD_BYTES);
            assert!(start < stop, "no room beside the buffer at {phys:#x}");
            self.bystander(start, stop - start);
        }
    }

    /// Adds a copy from one ring of coherent memory to another, each of `bytes` bytes.
    pub fn ring(&mut self, cpu: usize, bytes: u64, batch_bytes: u64, laps: u32) -> &mut Transfer {
        let mut ring = |purpose, prefix| {
            let index = self.plan.buffers.len();
            self.plan.buffers.push(BufferPlan {
                name: format!("{prefix}-ring{index}"),
                purpose,
                // The allocation says where.
                phys: 0,
                bytes,
            });
            index
        };
        let source = ring(BufferUse::Source, "tx");
        let destination = ring(BufferUse::Destination, "rx");
        let transfer = self.transfer(
            cpu,
            Movement::Copy {
                source,
                destination,
            },
        );
        transfer.usage = Usage::Ring { batch_bytes, laps };
        transfer
    }

    /// Adds free pages on both sides of what coherent memory may reach, and in low RAM, where it is found at last.
    #[must_use]
    pub fn coherent_pages(mut self) -> Self {
        let device = self.plan.device;
        let mut pages = self.last_pages();
        if let Some(end) = device.end_of(device.last_coherent_dma())
            && end < self.limit - BELOW_BYTES
        {
            let around = Range {
                base: end - MIB,
                bytes: 2 * MIB,
            };
            self.plan.machine.ram.insert(1, around);
            for base in [end, end - MIB] {
                pages.insert(1, Range { base, bytes: MIB });
            }
        }
        self.with(|plan| plan.machine.pages = pages)
    }

    /// Returns the last MiB of each range of RAM: pages that the allocator may give out.
    #[must_use]
    pub fn last_pages(&self) -> Vec<Range> {
        let ram = self.plan.machine.ram.iter();
        let last = ram.map(|ram| Range {
            base: ram.end() - MIB,
            bytes: MIB,
        });
        last.collect()
    }

    /// Adds a transfer of buffers that are already placed.
    pub fn transfer(&mut self, cpu: usize, movement: Movement) -> &mut Transfer {
        self.plan.transfers.push(Transfer {
            cpu,
            movement,
            usage: Usage::Once,
            outcome: Outcome::Done,
            mistake: None,
        });
        self.plan.transfers.last_mut().expect("one was just added")
    }

    /// Returns the plan.
    ///
    /// # Panics
    /// If the scenario placed buffers where no RAM is or over each other: the scenario is broken.
    #[must_use]
    pub fn finish(self) -> Plan {
        let plan = self.plan;
        let mut spans: Vec<(u64, u64, &str)> = plan
            .buffers
            .iter()
            .enumerate()
            .filter(|(number, _)| !plan.is_coherent(*number))
            .map(|(_, buffer)| {
                let (start, end) = (
                    buffer.phys - GUARD_BYTES,
                    buffer.phys + buffer.bytes + GUARD_BYTES,
                );
                (start, end, buffer.name.as_str())
            })
            .collect();
        if let Some(pool) = &plan.machine.pool {
            spans.push((pool.base, pool.base + pool.slots * 2048, "the pool"));
            let spare = pool.spare.iter();
            spans.extend(spare.map(|spare| (spare.base, spare.end(), "the spare memory")));
        }
        let pages = plan.machine.pages.iter();
        spans.extend(pages.map(|pages| (pages.base, pages.end(), "the page allocator's memory")));
        spans.sort_unstable();
        for (start, end, name) in &spans {
            assert!(
                plan.machine
                    .ram
                    .iter()
                    .any(|ram| ram.base <= *start && *end <= ram.end()),
                "{name} at {start:#x} to {end:#x} is not in RAM"
            );
        }
        for pair in spans.windows(2) {
            assert!(
                pair[0].1 <= pair[1].0,
                "{} ends at {:#x} where {} has begun",
                pair[0].2,
                pair[0].1,
                pair[1].2
            );
        }
        plan
    }

    /// Number of buffers so far.
    #[must_use]
    pub const fn buffers(&self) -> usize {
        self.plan.buffers.len()
    }

    /// Seed of the plan.
    #[must_use]
    pub const fn seed(&self) -> Seed {
        self.plan.seed
    }

    /// First DMA address beyond the device's reach.
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.limit
    }
}

/// Takes `bytes` bytes, `misalign` past a page boundary, and leaves room for guards.
fn claim(cursor: &mut u64, bytes: u64, misalign: u64) -> u64 {
    let phys = (*cursor + GUARD_BYTES).next_multiple_of(4096) + misalign;
    *cursor = phys + bytes + GUARD_BYTES;
    phys
}

/// Returns whether the device of a plan reaches a whole buffer.
#[must_use]
pub fn is_reachable(plan: &Plan, buffer: usize) -> bool {
    let buffer = &plan.buffers[buffer];
    let is_built = buffer.phys + buffer.bytes - 1 <= low_bits(plan.data_bits());
    plan.device.reaches(buffer.phys, buffer.bytes) && is_built
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placements_lie_where_they_say() {
        for bits in [24, 30, 32, 36] {
            let mut layout = Layout::new(Seed::new(1), bits);
            let limit = layout.limit();
            layout.send(0, Placement::Below, 5000, 3);
            layout.send(0, Placement::Above, 5000, 3);
            layout.receive(0, Placement::Across, 5000, 3);
            let plan = layout.finish();
            let buffer = |index: usize| (plan.buffers[index].phys, plan.buffers[index].bytes);
            assert!(is_reachable(&plan, 0));
            assert!(buffer(1).0 >= limit && buffer(1).0 % 4096 == 3);
            let (phys, bytes) = buffer(2);
            assert!(phys < limit && phys + bytes > limit);
        }
    }

    #[test]
    fn neighbours_share_the_pages_of_a_buffer_up_to_its_guards() {
        let mut layout = Layout::new(Seed::new(1), 32);
        layout.send(0, Placement::Below, 1500, 3500);
        layout.neighbours(0);
        let plan = layout.finish();
        let [buffer, before, after] = &plan.buffers[..] else {
            panic!("expected three buffers, found {:?}", plan.buffers);
        };
        let page = buffer.phys - 3500;
        assert_eq!(before.phys - GUARD_BYTES, page);
        assert_eq!(before.phys + before.bytes + 2 * GUARD_BYTES, buffer.phys);
        assert_eq!(after.phys, buffer.phys + 1500 + 2 * GUARD_BYTES);
        assert_eq!(after.phys + after.bytes + GUARD_BYTES, page + 8192);
    }

    #[test]
    #[should_panic(expected = "no room beside the buffer")]
    fn a_buffer_that_fills_its_page_has_no_neighbours() {
        let mut layout = Layout::new(Seed::new(1), 32);
        layout.send(0, Placement::Below, 4096, 0);
        layout.neighbours(0);
    }

    #[test]
    fn rings_have_no_place_before_they_are_allocated() {
        let mut layout = Layout::new(Seed::new(1), 30);
        let pages = layout.last_pages();
        layout.send(0, Placement::Below, 100, 0);
        layout.ring(0, 1024, 64, 2);
        let plan = layout.with(|plan| plan.machine.pages = pages).finish();
        let coherent: Vec<bool> = (0..3).map(|buffer| plan.is_coherent(buffer)).collect();
        assert_eq!(coherent, [false, true, true]);
        assert_eq!(plan.bytes_of(&plan.transfers[1]), 2048);
    }

    #[test]
    fn a_two_byte_buffer_can_lie_across_the_limit() {
        let mut layout = Layout::new(Seed::new(1), 32);
        layout.receive(0, Placement::Across, 2, 0);
        let plan = layout.finish();
        let buffer = &plan.buffers[0];
        assert!(buffer.phys < 1 << 32 && buffer.phys + buffer.bytes > 1 << 32);
    }

    #[test]
    #[should_panic(expected = "has begun")]
    fn buffers_over_each_other_are_a_broken_scenario() {
        let mut layout = Layout::new(Seed::new(1), 32);
        layout.send(0, Placement::Across, 5000, 0);
        layout.receive(0, Placement::Across, 5000, 0);
        let _ = layout.finish();
    }
}
