//! Rings of coherent memory: CPU and device use them at the same time, and nobody maps, syncs or copies.

use rebound_sim::cpu::Cpu;
use swiotlb::{DataDirection, DmaAddr, DmaError, Gfp, PhysAddr, PhysMemory as _};

use super::mapper::{Grip, Lease, Mapper, cpu_id};
use super::transfer::{DriverError, Job, Leases, Piece};
use crate::scenario::plan::{Mistake, Plan, PoolKind};
use crate::scoreboard;
use crate::scoreboard::{GUARD_BYTES, MappingId, index};
use crate::violation::Check;

/// Cycles between two looks at the last word of a record.
pub const POLL_CYCLES: u64 = 20;
/// Looks after which a record is given up.
const POLLS: u32 = 2_000;
/// The word of a record that is written last.
const WORD_BYTES: u64 = 8;

impl Mapper {
    /// Allocates a ring for a buffer of the plan, with guards at both ends.
    async fn alloc_ring(
        &self,
        cpu: &Cpu,
        transfer: usize,
        buffer: usize,
    ) -> Result<(Lease, Vec<u8>), DmaError> {
        let bytes = self.board().borrow().buffers()[buffer].bytes;
        cpu.map().await;
        self.call_from(cpu, buffer);
        let allocated = self.dma().alloc_coherent(
            &mut *self.host().memory(),
            &mut *self.pages(),
            self.device(),
            bytes + 2 * GUARD_BYTES,
            Gfp::KERNEL,
        );
        self.drain(Some(transfer));
        let ring = allocated?;
        self.count_coherent();
        self.show_slots();
        let what = "memory in one piece";
        let start = ring
            .cpu()
            .accessible()
            .ok_or(DmaError::NotSupported { what })?;
        let found = self.read(start, ring.bytes());
        let phys = start.wrapping_add(GUARD_BYTES);
        let dma = ring.dma_addr().wrapping_add(GUARD_BYTES);
        self.host().view().set_mapping(phys, None, dma);
        let id = self.place_ring(cpu, transfer, buffer, phys, dma);
        let lease = Lease {
            id,
            dma,
            is_bounced: false,
            transfer,
            buffer,
            bytes,
            direction: DataDirection::Bidirectional,
            grip: Grip::Coherent(ring),
        };
        Ok((lease, found))
    }

    /// Tells the scoreboard where a buffer of the plan lies now, and draws its guards.
    fn place_ring(
        &self,
        cpu: &Cpu,
        transfer: usize,
        buffer: usize,
        phys: PhysAddr,
        dma: DmaAddr,
    ) -> MappingId {
        let mut board = self.board().borrow_mut();
        let ring = board.buffer_mut(buffer);
        ring.phys = phys.raw();
        ring.has_memory = true;
        let zeros = vec![0; index(ring.bytes)];
        ring.expect(0, &zeros);
        self.host()
            .memory()
            .write(PhysAddr::new(ring.guarded_phys()), ring.guarded())
            .expect("memory that was allocated is RAM");
        board.allocated(scoreboard::Mapping {
            transfer,
            buffer,
            offset: 0,
            dma,
            target: phys,
            is_bounced: false,
            direction: DataDirection::Bidirectional,
            expected: zeros,
            previous: None,
            mapped_at: self.host().cycle(),
            cpu: cpu_id(cpu).0,
        })
    }

    /// Frees a ring, so many times: once is right.
    async fn free_ring(&self, cpu: &Cpu, lease: Lease, times: u32) -> Result<(), DmaError> {
        let Grip::Coherent(ring) = lease.grip else {
            return Ok(());
        };
        {
            let mut board = self.board().borrow_mut();
            board.unmapped(lease.id, self.host().cycle());
            // What becomes of the memory is no longer the ring's.
            board.buffer_mut(lease.buffer).has_memory = false;
        }
        let parts = ring.into_parts();
        for _ in 0..times {
            cpu.unmap().await;
            self.call_from(cpu, lease.buffer);
            let freed = self.dma().free_attrs(
                &mut *self.pages(),
                self.device(),
                parts.bytes,
                Some(parts.cpu),
                parts.dma_addr,
                parts.attrs,
            );
            self.drain(Some(lease.transfer));
            freed?;
        }
        self.show_slots();
        Ok(())
    }

    fn read(&self, phys: PhysAddr, bytes: u64) -> Vec<u8> {
        self.host()
            .memory()
            .read_vec(phys, index(bytes))
            .expect("memory that was allocated is RAM")
    }
}

impl Job<'_> {
    /// Allocates both rings, copies records round and round, and frees the rings.
    pub(super) async fn ring(&self, batch_bytes: u64, laps: u32) -> Result<(), DriverError> {
        let (Some(source), Some(destination)) = (self.source(), self.destination()) else {
            return Ok(());
        };
        let leases = Leases {
            source: Some(self.alloc(source).await?),
            destination: Some(self.alloc(destination).await?),
        };
        let bytes = self.driver.plan.buffer_of(&self.transfer).bytes;
        for lap in 1..=laps {
            let mut offset = 0;
            while offset < bytes {
                let piece = Piece {
                    offset,
                    bytes: batch_bytes.min(bytes - offset),
                    in_mapping: offset,
                };
                self.exchange(piece, &leases, lap).await?;
                offset += piece.bytes;
            }
        }
        let times = match self.transfer.mistake {
            Some(Mistake::NeverUnmaps) => 0,
            Some(Mistake::UnmapsTwice) => 2,
            _ => 1,
        };
        for lease in leases.source.into_iter().chain(leases.destination) {
            self.judge(lease.buffer, Some(lease.id));
            if times > 0 {
                let freed = self.mapper().free_ring(self.cpu, lease, times).await;
                freed.map_err(DriverError::Coherent)?;
            }
        }
        Ok(())
    }

    async fn alloc(&self, buffer: usize) -> Result<Lease, DriverError> {
        let mapper = self.mapper();
        let allocated = mapper.alloc_ring(self.cpu, self.number, buffer).await;
        let (lease, found) = allocated.map_err(DriverError::Coherent)?;
        let made = Allocated {
            found: &found,
            first: lease.dma.wrapping_sub(GUARD_BYTES).raw(),
        };
        for text in made.faults(&self.driver.plan) {
            self.report(Check::Mapping, text);
        }
        Ok(lease)
    }

    /// Writes records into one ring, lets the engine copy them, and waits until they are in the other one. The
    /// interrupt comes too, but only for the next start.
    async fn exchange(&self, piece: Piece, leases: &Leases, lap: u32) -> Result<(), DriverError> {
        let (Some(source), Some(destination)) = (&leases.source, &leases.destination) else {
            return Ok(());
        };
        let data = self.data(piece, lap);
        self.write_buffer(source.buffer, piece.offset, &data);
        self.expect(source.buffer, piece.offset, &data);
        for lease in [source, destination] {
            self.board_mut()
                .handed_over(lease.id, piece.in_mapping, &data);
        }
        let claim = self.driver.engine.claim(self.cpu, self.channels()).await;
        let works = self.start(piece, leases, &data).await?;
        self.expect(destination.buffer, piece.offset, &data);
        self.poll(destination, piece, &data).await;
        self.judge(destination.buffer, Some(destination.id));
        let mut completions = Vec::new();
        for work in works {
            let (channel, dma) = (work.channel, work.dma);
            let completion = self.driver.engine.finished(self.cpu, work).await?;
            self.check_account(channel, dma, &completion);
            completions.push(completion);
        }
        drop(claim);
        if self.check_status(&completions, piece) {
            let cycle = self.driver.host.cycle();
            self.board_mut()
                .device_done(destination.id, piece.in_mapping, piece.bytes, cycle);
        }
        Ok(())
    }

    /// Looks at the last word of the records until it is the new one; what is found then is judged by the
    /// caller.
    async fn poll(&self, ring: &Lease, piece: Piece, data: &[u8]) {
        let word_bytes = WORD_BYTES.min(piece.bytes);
        let offset = piece.offset + piece.bytes - word_bytes;
        let word = &data[data.len() - index(word_bytes)..];
        let phys = self.driver.board.borrow().buffers()[ring.buffer].phys + offset;
        for _ in 0..POLLS {
            if self.mapper().read(PhysAddr::new(phys), word_bytes) == word {
                return;
            }
            let pause = self.driver.host.sleep(POLL_CYCLES);
            self.cpu.wait(pause).await;
        }
    }
}

/// Coherent memory as it was allocated.
struct Allocated<'a> {
    found: &'a [u8],
    /// DMA address of its first byte.
    first: u64,
}

impl Allocated<'_> {
    /// Says in which ways it is not what was asked for.
    fn faults(&self, plan: &Plan) -> Vec<String> {
        let mut faults = Vec::new();
        let bytes = self.found.len() as u64;
        let last = self.first.saturating_add(bytes - 1);
        let mask = plan.device.last_coherent_dma();
        if last > mask {
            faults.push(format!(
                "coherent memory at dma {:#x} to {last:#x}: expected it below the coherent mask {mask:#x}, \
                 found it beyond",
                self.first
            ));
        }
        if let Some(pool) = &plan.machine.pool
            && pool.kind == PoolKind::Restricted
            && !(pool.base..=pool.end() - bytes).contains(&self.first)
        {
            faults.push(format!(
                "coherent memory at dma {:#x} to {last:#x}: expected it in the device's restricted pool at \
                 {:#x}, found it outside",
                self.first, pool.base
            ));
        }
        if let Some(at) = self.found.iter().position(|byte| *byte != 0) {
            faults.push(format!(
                "coherent memory at dma {:#x}: expected zeros, found {:#04x} at byte {at:#x}",
                self.first, self.found[at]
            ));
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::layout::Layout;
    use crate::seed::Seed;

    fn faults(layout: Layout, first: u64, found: &[u8]) -> Vec<String> {
        Allocated { found, first }.faults(&layout.finish())
    }

    #[test]
    fn coherent_memory_lies_in_reach_and_is_zeroed() {
        let layout = || Layout::new(Seed::new(1), 30);
        let none = faults(layout(), 0x3fff_f000, &[0; 4096]);
        assert_eq!(none, Vec::<String>::new());
        let beyond = faults(layout(), 0x3fff_f001, &[0; 4096]);
        assert_eq!(
            beyond,
            [
                "coherent memory at dma 0x3ffff001 to 0x40000000: expected it below the coherent mask \
              0x3fffffff, found it beyond"
            ]
        );
        let old = faults(layout(), 0x10_0000, &[0, 0, 7]);
        assert_eq!(
            old,
            ["coherent memory at dma 0x100000: expected zeros, found 0x07 at byte 0x2"]
        );
    }

    #[test]
    fn that_of_a_restricted_pool_lies_in_the_pool() {
        let layout = || Layout::new(Seed::new(1), 32).kind(PoolKind::Restricted);
        assert!(faults(layout(), 0x10_0000, &[0; 4096]).is_empty());
        let outside = faults(layout(), 0x70_0000, &[0; 4096]);
        assert!(outside[0].ends_with("found it outside"), "{outside:?}");
    }
}
