//! Mapping as a driver does it: the DMA API called on a CPU, its cycles spent, the scoreboard told.

use std::cell::RefCell;
use std::rc::Rc;

use rebound_sim::cpu::Cpu;
use rebound_sim::host::Host;
use swiotlb::{
    AllocatorId, CpuId, DataDirection, Device, Dma, DmaAddr, MapError, MapRequest, PhysAddr,
    SyncError, UnmapError,
};

use crate::scoreboard::{self, MappingId, Scoreboard};

/// Cycles that a driver lets pass before it maps again when the pool was full.
pub const RETRY_CYCLES: u64 = 200;

/// What is to be mapped.
#[derive(Debug, Clone)]
pub struct Request {
    /// Number of the transfer in the plan.
    pub transfer: usize,
    /// Index of the buffer in the plan.
    pub buffer: usize,
    /// First byte of the buffer.
    pub offset: u64,
    /// Who moves data.
    pub direction: DataDirection,
    /// What the device should read or write there; its length is that of the mapping.
    pub expected: Vec<u8>,
}

/// A live mapping in the driver's hands.
#[derive(Debug)]
pub struct Lease {
    /// Its number on the scoreboard.
    pub id: MappingId,
    /// Address for the device.
    pub dma: DmaAddr,
    /// Whether it went through the pool.
    pub is_bounced: bool,
    /// The mapping, unless the driver went past the DMA API.
    mapping: Option<swiotlb::Mapping>,
}

/// Counts of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MapperCounts {
    /// Mappings made.
    pub mappings: u64,
    /// Of these, bounced ones.
    pub bounced_mappings: u64,
    /// Bytes of the bounced ones.
    pub bounced_bytes: u64,
    /// Bytes copied into bounce buffers.
    pub copied_in_bytes: u64,
    /// Bytes copied out of bounce buffers.
    pub copied_out_bytes: u64,
    /// Maps tried again because the pool was full.
    pub retries: u64,
    /// Most slots in use at once.
    pub peak_slots: u64,
}

/// The DMA API with its surroundings.
#[derive(Debug)]
pub struct Mapper {
    host: Host,
    dma: RefCell<Dma>,
    device: Device,
    board: Rc<RefCell<Scoreboard>>,
    counts: RefCell<MapperCounts>,
}

impl Mapper {
    /// Puts the DMA API to use for one device.
    #[must_use]
    pub fn new(host: Host, dma: Dma, device: Device, board: Rc<RefCell<Scoreboard>>) -> Self {
        Self {
            host,
            dma: RefCell::new(dma),
            device,
            board,
            counts: RefCell::default(),
        }
    }

    /// Returns the longest mapping that the driver may ask for.
    #[must_use]
    pub fn max_bytes(&self) -> u64 {
        self.dma.borrow().max_mapping_size(&self.device)
    }

    /// Returns the counts so far.
    #[must_use]
    pub fn counts(&self) -> MapperCounts {
        *self.counts.borrow()
    }

    /// Returns the pool slots in use.
    #[must_use]
    pub fn slots_used(&self) -> u64 {
        let dma = self.dma.borrow();
        let stats = dma.swiotlb().stats(AllocatorId::DEFAULT);
        stats.map_or(0, |stats| stats.counted_slots)
    }

    /// Maps on a CPU; when the pool is full, waits and tries again.
    ///
    /// # Errors
    /// If the mapping is refused for another reason.
    pub async fn map(&self, cpu: &Cpu, request: Request) -> Result<Lease, MapError> {
        let phys = self.phys(&request);
        let ask = MapRequest::new(phys, request.expected.len() as u64, request.direction)
            .on_cpu(CpuId(u32::try_from(cpu.index()).unwrap_or(u32::MAX)));
        let mapping = loop {
            cpu.map().await;
            let mapped =
                self.dma
                    .borrow_mut()
                    .map_single(&mut *self.host.memory(), &self.device, ask);
            match mapped {
                Ok(mapping) => break mapping,
                Err(MapError::Full(_)) => {
                    self.counts.borrow_mut().retries += 1;
                    cpu.wait(self.host.sleep(RETRY_CYCLES)).await;
                }
                Err(error) => return Err(error),
            }
        };
        let bounce = mapping.bounced().copied();
        self.count(ask.bytes, bounce.is_some());
        self.show_slots();
        let view = self.host.view();
        view.set_mapping(phys, bounce.map(|info| info.tlb_addr), mapping.dma_addr());
        if let Some(info) = bounce {
            self.copy_in(cpu, info.copied_bytes).await;
        }
        let dma = mapping.dma_addr();
        let target = bounce.map_or(phys, |info| info.tlb_addr);
        let id = self.enter(request, dma, target, bounce.is_some());
        Ok(Lease {
            id,
            dma,
            is_bounced: bounce.is_some(),
            mapping: Some(mapping),
        })
    }

    /// Goes past the DMA API: gives the device the physical address. A mistake.
    pub fn lend_without_mapping(&self, request: Request) -> Lease {
        let phys = self.phys(&request);
        let dma = DmaAddr::new(phys.raw());
        self.count(request.expected.len() as u64, false);
        self.host.view().set_mapping(phys, None, dma);
        let id = self.enter(request, dma, phys, false);
        Lease {
            id,
            dma,
            is_bounced: false,
            mapping: None,
        }
    }

    /// Unmaps on a CPU; from the first of its cycles the device must leave the buffer alone.
    ///
    /// # Errors
    /// If the bounce layer refuses.
    pub async fn unmap(&self, cpu: &Cpu, lease: Lease) -> Result<(), UnmapError> {
        self.board
            .borrow_mut()
            .unmapped(lease.id, self.host.cycle());
        let Some(mapping) = lease.mapping else {
            return Ok(());
        };
        cpu.unmap().await;
        if mapping.bounced().is_some() && mapping.direction().comes_from_device() {
            self.copy_out(cpu, mapping.bytes()).await;
        }
        self.dma
            .borrow_mut()
            .unmap_single(&mut *self.host.memory(), &self.device, mapping)?;
        self.show_slots();
        Ok(())
    }

    /// Hands a part of a mapping to the device.
    ///
    /// # Errors
    /// If the bounce layer refuses.
    pub async fn sync_for_device(
        &self,
        cpu: &Cpu,
        lease: &Lease,
        offset: u64,
        bytes: u64,
    ) -> Result<(), SyncError> {
        let Some(mapping) = &lease.mapping else {
            return Ok(());
        };
        cpu.sync().await;
        let synced = self.dma.borrow_mut().sync_range_for_device(
            &mut *self.host.memory(),
            &self.device,
            mapping,
            offset,
            bytes,
        )?;
        self.copy_in(cpu, synced.copied_bytes).await;
        Ok(())
    }

    /// Hands a part of a mapping to the CPU.
    ///
    /// # Errors
    /// If the bounce layer refuses.
    pub async fn sync_for_cpu(
        &self,
        cpu: &Cpu,
        lease: &Lease,
        offset: u64,
        bytes: u64,
    ) -> Result<(), SyncError> {
        let Some(mapping) = &lease.mapping else {
            return Ok(());
        };
        cpu.sync().await;
        let synced = self.dma.borrow_mut().sync_range_for_cpu(
            &mut *self.host.memory(),
            &self.device,
            mapping,
            offset,
            bytes,
        )?;
        self.copy_out(cpu, synced.copied_bytes).await;
        Ok(())
    }

    async fn copy_in(&self, cpu: &Cpu, bytes: u64) {
        self.counts.borrow_mut().copied_in_bytes += bytes;
        cpu.copy_in(bytes).await;
    }

    async fn copy_out(&self, cpu: &Cpu, bytes: u64) {
        self.counts.borrow_mut().copied_out_bytes += bytes;
        cpu.copy_out(bytes).await;
    }

    fn phys(&self, request: &Request) -> PhysAddr {
        let board = self.board.borrow();
        PhysAddr::new(board.buffers()[request.buffer].phys + request.offset)
    }

    fn enter(
        &self,
        request: Request,
        dma: DmaAddr,
        target: PhysAddr,
        is_bounced: bool,
    ) -> MappingId {
        self.board.borrow_mut().mapped(scoreboard::Mapping {
            transfer: request.transfer,
            buffer: request.buffer,
            offset: request.offset,
            dma,
            target,
            is_bounced,
            direction: request.direction,
            expected: request.expected,
            previous: None,
            mapped_at: self.host.cycle(),
        })
    }

    fn count(&self, bytes: u64, is_bounced: bool) {
        let mut counts = self.counts.borrow_mut();
        counts.mappings += 1;
        counts.bounced_mappings += u64::from(is_bounced);
        counts.bounced_bytes += if is_bounced { bytes } else { 0 };
    }

    fn show_slots(&self) {
        let used = self.slots_used();
        let mut counts = self.counts.borrow_mut();
        counts.peak_slots = counts.peak_slots.max(used);
        self.host.view().set_slots_used(used);
    }
}
