//! What the CPUs do for a plan, as steps of a schedule.

use rebound_sim::cpu::CostModel;

use super::bus;
use super::schedule::{Channel, Resource, Step};
use crate::driver::POLL_CYCLES;
use crate::scenario::plan::{IOMMU_PAGE_BYTES, Movement, Outcome, Plan, Transfer, Usage};

/// Cycles of one register access on the control port, from the driver's call to its return.
const REGISTER_ACCESS_CYCLES: u64 = 4;
/// Register writes that start a channel: two for the address, the length, the start bit.
const START_WRITES: usize = 4;
/// Register accesses for each channel in the interrupt handler: status, bytes done, acknowledgement.
const END_ACCESSES: usize = 3;
/// The failing address, two more.
const FAIL_ACCESSES: usize = 2;
/// Cycles for which the handler looks away after an interrupt.
const SETTLE_CYCLES: u64 = 2;
/// CPU that takes the engine's interrupts.
const INTERRUPT_CPU: usize = 0;
/// Slots in a row that a mapping must fit into (`IO_TLB_SEGSIZE`), and their size in bytes (`IO_TLB_SIZE`).
const SEGMENT_SLOTS: u64 = 128;
const SLOT_BYTES: u64 = 2048;

/// Returns the slots of the pool.
pub(super) fn slots(plan: &Plan) -> u64 {
    plan.machine.pool.as_ref().map_or(0, |pool| pool.slots)
}

/// Returns the steps of each CPU.
pub(super) fn programs(plan: &Plan) -> Vec<Vec<Step>> {
    (0..plan.machine.cpus)
        .map(|cpu| {
            let mut program = Program {
                plan,
                cpu,
                steps: Vec::new(),
            };
            let own = plan.transfers.iter().filter(|job| job.cpu == cpu);
            own.for_each(|transfer| program.transfer(transfer));
            program.steps
        })
        .collect()
}

/// One mapping of a transfer.
#[derive(Debug, Clone, Copy)]
struct Side {
    is_source: bool,
    phys: u64,
    bytes: u64,
    is_bounced: bool,
}

impl Side {
    /// Slots that nobody else can use meanwhile. A pool is searched in segments: of long mappings only so many
    /// fit into each, and what is left of it is lost to others of that length.
    fn slots(&self, plan: &Plan) -> u64 {
        if !self.is_bounced {
            return 0;
        }
        let offset = self.phys & u64::from(plan.device.min_align_mask);
        let slots = (self.bytes + offset)
            .div_ceil(SLOT_BYTES)
            .min(SEGMENT_SLOTS);
        let share = SEGMENT_SLOTS / (SEGMENT_SLOTS / slots);
        share.min(self::slots(plan))
    }
}

struct Program<'a> {
    plan: &'a Plan,
    cpu: usize,
    steps: Vec<Step>,
}

impl Program<'_> {
    fn transfer(&mut self, transfer: &Transfer) {
        let bytes = self.plan.buffer_of(transfer).bytes;
        match transfer.usage {
            Usage::Once => {
                for (offset, piece) in self.plan.pieces(transfer, self.longest_mapping()) {
                    let sides = self.sides(transfer, offset, piece);
                    sides.iter().for_each(|side| self.map(side));
                    self.movement(transfer, piece);
                    sides.iter().for_each(|side| self.unmap(side));
                }
            }
            Usage::List { entries } => {
                let longest = bytes.div_ceil(entries.max(1).into());
                let pieces = (0..bytes).step_by(usize::try_from(longest).unwrap_or(usize::MAX));
                let sides: Vec<(u64, Side)> = pieces
                    .flat_map(|offset| {
                        let piece = longest.min(bytes - offset);
                        let sides = self.sides(transfer, offset, piece);
                        sides.into_iter().map(move |side| (piece, side))
                    })
                    .collect();
                sides.iter().for_each(|(_, side)| self.map(side));
                for (piece, _) in &sides {
                    self.movement(transfer, *piece);
                }
                sides.iter().for_each(|(_, side)| self.unmap(side));
            }
            Usage::Reuse {
                rounds,
                bytes: part,
                ..
            } => {
                let sides = self.sides(transfer, 0, bytes);
                sides.iter().for_each(|side| self.map(side));
                self.movement(transfer, bytes);
                sides.iter().for_each(|side| self.take_back(side, bytes));
                for _ in 0..rounds {
                    sides.iter().for_each(|side| self.hand_over(side, part));
                    self.movement(transfer, part);
                    sides.iter().for_each(|side| self.take_back(side, part));
                }
                sides.iter().for_each(|side| self.unmap(side));
            }
            Usage::Overreach => self.overreach(transfer, bytes),
            Usage::Ring { batch_bytes, laps } => {
                let sides = self.rings(transfer);
                sides.iter().for_each(|side| self.map(side));
                let batch = usize::try_from(batch_bytes).unwrap_or(usize::MAX);
                for _ in 0..laps {
                    for offset in (0..bytes).step_by(batch) {
                        self.movement(transfer, batch_bytes.min(bytes - offset));
                        // A look that comes too early lasts to the next one.
                        self.steps.push(Step::Wait(POLL_CYCLES));
                    }
                }
                sides.iter().for_each(|side| self.unmap(side));
            }
        }
    }

    /// The transfer itself, and two reads of the pages around it: the second one is refused.
    fn overreach(&mut self, transfer: &Transfer, bytes: u64) {
        let sides = self.sides(transfer, 0, bytes);
        let refused = Transfer {
            outcome: Outcome::Slverr,
            ..*transfer
        };
        let pages = bytes.next_multiple_of(IOMMU_PAGE_BYTES) + IOMMU_PAGE_BYTES;
        sides.iter().for_each(|side| self.map(side));
        self.movement(transfer, bytes);
        self.movement(transfer, pages);
        sides.iter().for_each(|side| self.unmap(side));
        self.movement(&refused, pages);
    }

    /// Rings of coherent memory: never bounced, wherever they come to lie.
    fn rings(&self, transfer: &Transfer) -> Vec<Side> {
        let mut sides = self.sides(transfer, 0, 1);
        for side in &mut sides {
            side.is_bounced = false;
        }
        sides
    }

    /// Longest mapping that the driver asks for (`dma_max_mapping_size`).
    fn longest_mapping(&self) -> u64 {
        let align = u64::from(self.plan.device.min_align_mask).next_multiple_of(SLOT_BYTES);
        let may_bounce = self.plan.machine.ram.iter().any(|ram| {
            let end = ram.end() - 1;
            self.plan.should_bounce(end, 1)
        });
        if may_bounce && self.plan.machine.pool.is_some() {
            SEGMENT_SLOTS * SLOT_BYTES - align
        } else {
            u64::MAX
        }
    }

    fn sides(&self, transfer: &Transfer, offset: u64, bytes: u64) -> Vec<Side> {
        let side = |buffer: usize, is_source| {
            let phys = self.plan.buffers[buffer].phys + offset;
            Side {
                is_source,
                phys,
                bytes,
                is_bounced: self.plan.should_bounce(phys, bytes),
            }
        };
        match transfer.movement {
            Movement::ToDevice { source } => vec![side(source, true)],
            Movement::FromDevice { destination } => vec![side(destination, false)],
            Movement::Copy {
                source,
                destination,
            } => vec![side(source, true), side(destination, false)],
        }
    }

    fn map(&mut self, side: &Side) {
        let before = self.steps.len();
        self.work(self.costs().map_cycles.into());
        let repeats = self.steps.len() - before;
        if side.is_bounced {
            let slots = side.slots(self.plan);
            self.steps.push(Step::Take { slots, repeats });
            // Into the bounce buffer in either direction: what the device leaves out must not leak.
            self.copy(side.bytes);
        }
    }

    fn unmap(&mut self, side: &Side) {
        self.work(self.costs().unmap_cycles.into());
        if side.is_bounced {
            if !side.is_source {
                self.copy(side.bytes);
            }
            self.steps.push(Step::Give(side.slots(self.plan)));
        }
    }

    /// Hands a part to the device.
    fn hand_over(&mut self, side: &Side, part: u64) {
        self.work(self.costs().sync_cycles.into());
        if side.is_bounced && side.is_source {
            self.copy(part);
        }
    }

    /// Hands a part of a destination to the CPU.
    fn take_back(&mut self, side: &Side, part: u64) {
        if !side.is_source {
            self.work(self.costs().sync_cycles.into());
            if side.is_bounced {
                self.copy(part);
            }
        }
    }

    /// Starts the engine, waits for it, and handles its interrupt.
    fn movement(&mut self, transfer: &Transfer, bytes: u64) {
        let channels: &[Channel] = match transfer.movement {
            Movement::ToDevice { .. } => &[Channel::Mm2s],
            Movement::FromDevice { .. } => &[Channel::S2mm],
            Movement::Copy { .. } => &[Channel::Mm2s, Channel::S2mm],
        };
        let channels: Vec<Resource> = channels.iter().copied().map(Resource::Channel).collect();
        self.steps.extend(channels.iter().copied().map(Step::Lock));
        // One more write joins the channels or parts them.
        for _ in 0..=START_WRITES * channels.len() {
            self.work(self.register_cycles());
        }
        self.steps
            .push(Step::Wait(bus::cycles(self.plan, transfer, bytes)));
        self.interrupt(transfer, channels.len());
        self.steps
            .extend(channels.iter().copied().map(Step::Unlock));
    }

    /// The handler takes all causes at once: a copy's channels end within the handler's entry of each other, or
    /// the second one waits for a handler of its own.
    fn interrupt(&mut self, transfer: &Transfer, channels: usize) {
        let bus = &self.plan.bus;
        let apart = u64::from(bus.write_latency_cycles) + u64::from(bus.write_jitter_cycles);
        let entry = u64::from(self.costs().interrupt_entry_cycles);
        let interrupts = if channels > 1 && apart >= entry { 2 } else { 1 };
        let fails = match transfer.outcome {
            Outcome::Done => 0,
            Outcome::Slverr | Outcome::Decerr | Outcome::AddrLimit => FAIL_ACCESSES,
        };
        self.steps.push(Step::Lock(Resource::Handler));
        for _ in 0..interrupts {
            self.work_on(INTERRUPT_CPU, entry);
        }
        for _ in 0..interrupts + channels * (END_ACCESSES + fails) {
            self.work_on(INTERRUPT_CPU, self.register_cycles());
        }
        self.steps.push(Step::Wait(SETTLE_CYCLES));
        self.steps.push(Step::Unlock(Resource::Handler));
    }

    fn copy(&mut self, bytes: u64) {
        self.work(self.costs().copy_cycles(bytes));
    }

    fn work(&mut self, cycles: u64) {
        self.work_on(self.cpu, cycles);
    }

    fn work_on(&mut self, cpu: usize, cycles: u64) {
        let cpu = Resource::Cpu(cpu);
        self.steps
            .extend([Step::Lock(cpu), Step::Wait(cycles), Step::Unlock(cpu)]);
    }

    fn register_cycles(&self) -> u64 {
        let costs = self.costs();
        let extra = costs.register_read_cycles.max(costs.register_write_cycles);
        REGISTER_ACCESS_CYCLES + u64::from(extra)
    }

    const fn costs(&self) -> &CostModel {
        &self.plan.costs
    }
}
