//! Mistakes with the DMA API. They go through its bare door: the typed one does not let them happen.

use rebound_sim::cpu::Cpu;
use swiotlb::{Attrs, DataDirection, MapError, SyncError, UnmapError};

use super::mapper::{Grip, Lease, Mapper, Request};
use crate::scenario::plan::Mistake;

/// Bytes past the end of a mapping that are synced.
const OUTSIDE_BYTES: u64 = 64;

impl Mapper {
    /// Maps without asking whether that has failed.
    ///
    /// # Errors
    /// If the mapping is refused.
    pub async fn map_unchecked(&self, cpu: &Cpu, request: Request) -> Result<Lease, MapError> {
        let ask = self.ask(cpu, &request);
        cpu.map().await;
        self.call_from(cpu, request.buffer);
        let mapped = self
            .dma()
            .map_phys(&mut *self.host().memory(), self.device(), &ask)?;
        self.drain(Some(request.transfer));
        self.show(&request, mapped.dma_addr, mapped.bounce.as_ref());
        if let Some(info) = mapped.bounce {
            self.copy_in(cpu, info.copied_bytes).await;
        }
        let target = mapped.bounce.map(|info| info.tlb_addr);
        Ok(self.lend(cpu, request, mapped.dma_addr, target, Grip::Bare))
    }

    /// Unmaps in the way of a mistake, or properly if it is none of unmapping.
    ///
    /// # Errors
    /// If the bounce layer refuses.
    pub async fn unmap_with(
        &self,
        cpu: &Cpu,
        lease: Lease,
        mistake: Option<Mistake>,
    ) -> Result<(), UnmapError> {
        let (bytes, dir) = (lease.bytes, lease.direction);
        let swapped = match dir {
            DataDirection::ToDevice => DataDirection::FromDevice,
            _ => DataDirection::ToDevice,
        };
        let (bytes, dir, attrs, times) = match mistake {
            Some(Mistake::UnmapsTwice) => (bytes, dir, Attrs::NONE, 2),
            Some(Mistake::UnmapsHalf) => (bytes / 2, dir, Attrs::NONE, 1),
            Some(Mistake::UnmapsSwapped) => (bytes, swapped, Attrs::NONE, 1),
            Some(Mistake::UnmapsSkippingSync) => (bytes, dir, Attrs::SKIP_CPU_SYNC, 1),
            _ if matches!(lease.grip, Grip::Bare) => (bytes, dir, Attrs::NONE, 1),
            _ => return self.unmap(cpu, lease).await,
        };
        {
            let mut board = self.board().borrow_mut();
            let cycle = self.host().cycle();
            board.unmapping_with(lease.id, cycle, attrs);
            board.unmapped(lease.id, cycle);
        }
        for _ in 0..times {
            cpu.unmap().await;
            self.call_from(cpu, lease.buffer);
            let memory = &mut *self.host().memory();
            let unmapped =
                self.dma()
                    .unmap_phys(memory, self.device(), lease.dma, bytes, dir, attrs);
            self.drain(Some(lease.transfer));
            unmapped?;
        }
        self.show_slots();
        Ok(())
    }

    /// Syncs for the device from `offset` to past the end of the mapping.
    ///
    /// # Errors
    /// If the bounce layer refuses.
    pub async fn sync_outside(
        &self,
        cpu: &Cpu,
        lease: &Lease,
        offset: u64,
    ) -> Result<(), SyncError> {
        cpu.sync().await;
        self.call_from(cpu, lease.buffer);
        let addr = lease.dma.wrapping_add(offset);
        let bytes = lease.bytes - offset + OUTSIDE_BYTES;
        let synced = self.dma().sync_single_for_device(
            &mut *self.host().memory(),
            self.device(),
            addr,
            bytes,
            lease.direction,
        );
        self.drain(Some(lease.transfer));
        synced.map(|_| ())
    }
}
