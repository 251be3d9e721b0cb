//! Mapping as a driver does it: the DMA API called on a CPU, its cycles spent, the scoreboard told.

use std::cell::{RefCell, RefMut};
use std::rc::Rc;
use std::time::Duration;

use rebound_sim::cpu::Cpu;
use rebound_sim::host::Host;
use swiotlb::{
    BounceInfo, Caller, CpuId, DataDirection, Device, Dma, DmaAddr, MapError, MapRequest, PhysAddr,
    ShrinkPressure, Stats, SyncError, UnmapError,
};

use super::pages::Pages;
use super::spare::{SpareChange, SpareLog};
use crate::scoreboard::{self, HandOver, MappingId, Scoreboard};

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
    /// Number of the transfer in the plan.
    pub(super) transfer: usize,
    /// Index of the buffer in the plan.
    pub(super) buffer: usize,
    /// Length in bytes.
    pub(super) bytes: u64,
    /// Direction it was mapped with.
    pub(super) direction: DataDirection,
    /// How the driver holds it.
    pub(super) grip: Grip,
}

/// How the driver holds a mapping.
#[derive(Debug)]
pub(super) enum Grip {
    /// As a value that can only be unmapped once.
    Typed(swiotlb::Mapping),
    /// By its bare address: a mistake is planned.
    Bare,
    /// As an entry of a list that is unmapped as a whole.
    Listed,
    /// As coherent memory, which is freed.
    Coherent(swiotlb::Coherent),
    /// Not at all: the driver went past the DMA API.
    Past,
}

impl Lease {
    const fn mapping(&self) -> Option<&swiotlb::Mapping> {
        match &self.grip {
            Grip::Typed(mapping) => Some(mapping),
            Grip::Bare | Grip::Listed | Grip::Coherent(_) | Grip::Past => None,
        }
    }
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
    /// Most slots that there were at once, in all pools.
    pub most_slots: u64,
    /// Mappings that got a pool for themselves alone.
    pub transient_mappings: u64,
    /// Mappings that went through a pool that was added.
    pub grown_mappings: u64,
    /// Mappings that got a buffer of their own.
    pub own_mappings: u64,
    /// Bounced mappings made after a pool was given back.
    pub mappings_after_shrinking: u64,
    /// Allocations of coherent memory.
    pub coherent_allocations: u64,
}

/// The DMA API with its surroundings.
#[derive(Debug)]
pub struct Mapper {
    host: Host,
    dma: RefCell<Dma>,
    device: Device,
    pages: RefCell<Pages>,
    spare: SpareLog,
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
            pages: RefCell::default(),
            spare: SpareLog::default(),
            board,
            counts: RefCell::default(),
        }
    }

    /// Sets what coherent memory is made of; without, there is none.
    #[must_use]
    pub fn with_pages(self, pages: Pages) -> Self {
        Self {
            pages: RefCell::new(pages),
            ..self
        }
    }

    /// Sets where the memory of pools that come and go is noted.
    #[must_use]
    pub fn with_spare(self, spare: SpareLog) -> Self {
        Self { spare, ..self }
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

    /// Returns the pool slots in use, those of single mappings included.
    #[must_use]
    pub fn slots_used(&self) -> u64 {
        let stats = self.stats();
        stats.counted_slots + stats.transient_slots
    }

    /// Returns the buffers that mappings have for themselves alone.
    #[must_use]
    pub fn own_buffers(&self) -> usize {
        let dma = self.dma.borrow();
        dma.swiotlb().own_buffers(&self.device).len()
    }

    /// Does what the kernel leaves to its workers: adds the pool that was asked for, and gives back what nobody
    /// uses any more. A cycle counts as a nanosecond.
    pub fn run_pending_work(&self) {
        let dma = self.dma.borrow();
        let swiotlb = dma.swiotlb();
        swiotlb.set_time(Duration::from_nanos(self.host.cycle()));
        swiotlb.shrinker_scan(u64::MAX, ShrinkPressure::Normal);
        swiotlb.run_pending_work(&mut *self.host.memory());
        self.tell_of_spare();
    }

    /// Tells the scoreboard what memory the bounce layer has got and given back.
    fn tell_of_spare(&self) {
        for change in self.spare.take() {
            let mut board = self.board.borrow_mut();
            match change {
                SpareChange::Given(range) => board.pool_memory_given(range),
                SpareChange::Returned(range) => board.pool_memory_returned(range),
            }
        }
    }

    fn stats(&self) -> Stats {
        let dma = self.dma.borrow();
        let stats = dma.swiotlb().stats(self.device.allocator());
        stats.unwrap_or_default()
    }

    /// Maps on a CPU; when the pool is full, waits and tries again.
    ///
    /// # Errors
    /// If the mapping is refused for another reason.
    pub async fn map(&self, cpu: &Cpu, request: Request) -> Result<Lease, MapError> {
        let ask = self.ask(cpu, &request);
        let mapping = loop {
            cpu.map().await;
            self.call_from(cpu, request.buffer);
            let mapped = self
                .dma()
                .map_single(&mut *self.host.memory(), &self.device, ask);
            self.drain(Some(request.transfer));
            match mapped {
                Ok(mapping) => break mapping,
                Err(MapError::Full(_)) => {
                    self.counts.borrow_mut().retries += 1;
                    cpu.wait(self.host.sleep(RETRY_CYCLES)).await;
                }
                Err(error) => return Err(error),
            }
        };
        let (dma, bounce) = (mapping.dma_addr(), mapping.bounced().copied());
        self.show(&request, dma, bounce.as_ref());
        if let Some(info) = bounce {
            self.copy_in(cpu, info.copied_bytes).await;
        }
        let target = bounce.map(|info| info.tlb_addr);
        Ok(self.lend(cpu, request, dma, target, Grip::Typed(mapping)))
    }

    /// Goes past the DMA API: gives the device the physical address. A mistake.
    pub fn lend_without_mapping(&self, cpu: &Cpu, request: Request) -> Lease {
        let dma = DmaAddr::new(self.phys(&request).raw());
        self.show(&request, dma, None);
        self.lend(cpu, request, dma, None, Grip::Past)
    }

    /// Unmaps on a CPU; from the first of its cycles the device must leave the buffer alone.
    ///
    /// # Errors
    /// If the bounce layer refuses.
    pub async fn unmap(&self, cpu: &Cpu, lease: Lease) -> Result<(), UnmapError> {
        self.board
            .borrow_mut()
            .unmapped(lease.id, self.host.cycle());
        let Grip::Typed(mapping) = lease.grip else {
            return Ok(());
        };
        cpu.unmap().await;
        if mapping.bounced().is_some() && mapping.direction().comes_from_device() {
            self.copy_out(cpu, mapping.bytes()).await;
        }
        self.call_from(cpu, lease.buffer);
        let unmapped = self
            .dma()
            .unmap_single(&mut *self.host.memory(), &self.device, mapping);
        self.drain(Some(lease.transfer));
        unmapped?;
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
        let Some(mapping) = lease.mapping() else {
            return Ok(());
        };
        cpu.sync().await;
        self.call_from(cpu, lease.buffer);
        let synced = self.dma().sync_range_for_device(
            &mut *self.host.memory(),
            &self.device,
            mapping,
            offset,
            bytes,
        );
        self.drain(Some(lease.transfer));
        self.copy_in(cpu, synced?.copied_bytes).await;
        self.board.borrow_mut().synced(
            lease.id,
            HandOver::ForDevice,
            self.host.cycle(),
            offset,
            bytes,
        );
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
        let Some(mapping) = lease.mapping() else {
            return Ok(());
        };
        cpu.sync().await;
        self.call_from(cpu, lease.buffer);
        let synced = self.dma().sync_range_for_cpu(
            &mut *self.host.memory(),
            &self.device,
            mapping,
            offset,
            bytes,
        );
        self.drain(Some(lease.transfer));
        self.copy_out(cpu, synced?.copied_bytes).await;
        self.board.borrow_mut().synced(
            lease.id,
            HandOver::ForCpu,
            self.host.cycle(),
            offset,
            bytes,
        );
        Ok(())
    }

    pub(super) async fn copy_in(&self, cpu: &Cpu, bytes: u64) {
        self.counts.borrow_mut().copied_in_bytes += bytes;
        cpu.copy_in(bytes).await;
    }

    pub(super) async fn copy_out(&self, cpu: &Cpu, bytes: u64) {
        self.counts.borrow_mut().copied_out_bytes += bytes;
        cpu.copy_out(bytes).await;
    }

    pub(super) fn phys(&self, request: &Request) -> PhysAddr {
        let board = self.board.borrow();
        PhysAddr::new(board.buffers()[request.buffer].phys + request.offset)
    }

    /// Describes a mapping to the mapping layer.
    pub(super) fn ask(&self, cpu: &Cpu, request: &Request) -> MapRequest {
        let bytes = request.expected.len() as u64;
        MapRequest::new(self.phys(request), bytes, request.direction).on_cpu(cpu_id(cpu))
    }

    /// Counts a mapping and shows it in the waveform.
    pub(super) fn show(&self, request: &Request, dma: DmaAddr, bounce: Option<&BounceInfo>) {
        self.count(request.expected.len() as u64, bounce.is_some());
        if let Some(info) = bounce {
            self.count_home(info);
        }
        self.show_slots();
        let view = self.host.view();
        view.set_mapping(self.phys(request), bounce.map(|info| info.tlb_addr), dma);
    }

    /// Enters a mapping, and its bounce buffer if it has one, on the scoreboard: from now on it belongs to the
    /// device.
    pub(super) fn lend(
        &self,
        cpu: &Cpu,
        request: Request,
        dma: DmaAddr,
        bounce: Option<PhysAddr>,
        grip: Grip,
    ) -> Lease {
        let phys = self.phys(&request);
        let bytes = request.expected.len() as u64;
        let (transfer, buffer) = (request.transfer, request.buffer);
        let direction = request.direction;
        let id = self.board.borrow_mut().mapped(scoreboard::Mapping {
            transfer,
            buffer,
            offset: request.offset,
            dma,
            target: bounce.unwrap_or(phys),
            is_bounced: bounce.is_some(),
            direction,
            expected: request.expected,
            previous: None,
            mapped_at: self.host.cycle(),
            cpu: cpu_id(cpu).0,
        });
        Lease {
            id,
            dma,
            is_bounced: bounce.is_some(),
            transfer,
            buffer,
            bytes,
            direction,
            grip,
        }
    }

    /// Tells the debug layer who makes the next call, and for which buffer.
    pub(super) fn call_from(&self, cpu: &Cpu, buffer: usize) {
        let name = self.board.borrow().buffers()[buffer].name.clone();
        let caller = Caller::new(cpu_id(cpu), self.host.cycle()).with_label(name);
        self.dma.borrow().set_caller(caller);
    }

    /// Hands what the debug layer has found to the scoreboard.
    pub(super) fn drain(&self, transfer: Option<usize>) {
        self.tell_of_spare();
        let dma = self.dma.borrow();
        let Some(mut debug) = dma.debug() else {
            return;
        };
        let cycle = self.host.cycle();
        let mut board = self.board.borrow_mut();
        for report in debug.take_reports() {
            board.dma_debug(&report, transfer, cycle);
        }
        for report in debug.take_misuses() {
            board.map_misuse(&report, transfer, cycle);
        }
    }

    /// Leaves the device: what is still mapped is reported by the debug layer.
    pub fn unbind(&self) {
        self.dma.borrow().driver_unbound(&self.device);
        self.drain(None);
    }

    pub(super) fn dma(&self) -> RefMut<'_, Dma> {
        self.dma.borrow_mut()
    }

    pub(super) fn pages(&self) -> RefMut<'_, Pages> {
        self.pages.borrow_mut()
    }

    pub(super) fn count_coherent(&self) {
        self.counts.borrow_mut().coherent_allocations += 1;
    }

    pub(super) const fn device(&self) -> &Device {
        &self.device
    }

    pub(super) const fn host(&self) -> &Host {
        &self.host
    }

    pub(super) const fn board(&self) -> &Rc<RefCell<Scoreboard>> {
        &self.board
    }

    pub(super) fn count(&self, bytes: u64, is_bounced: bool) {
        let mut counts = self.counts.borrow_mut();
        counts.mappings += 1;
        counts.bounced_mappings += u64::from(is_bounced);
        counts.bounced_bytes += if is_bounced { bytes } else { 0 };
    }

    /// Counts where a bounce buffer lies. Pools are told newest first: the last one was there from the start.
    fn count_home(&self, info: &BounceInfo) {
        let dma = self.dma.borrow();
        let swiotlb = dma.swiotlb();
        let mut counts = self.counts.borrow_mut();
        if self.stats().shrinker.pools_removed > 0 {
            counts.mappings_after_shrinking += 1;
        }
        let pools: Vec<_> = swiotlb.pools(self.device.allocator()).collect();
        if pools.contains(&info.pool) {
            counts.grown_mappings += u64::from(pools.last() != Some(&info.pool));
        } else if swiotlb.own_buffers(&self.device).contains(&info.tlb_addr) {
            counts.own_mappings += 1;
        } else {
            counts.transient_mappings += 1;
        }
    }

    pub(super) fn show_slots(&self) {
        let (used, stats) = (self.slots_used(), self.stats());
        let mut counts = self.counts.borrow_mut();
        let there = stats.total_slots + stats.transient_slots;
        counts.most_slots = counts.most_slots.max(there);
        counts.peak_slots = counts.peak_slots.max(used);
        self.host.view().set_slots_used(used);
    }
}

pub(super) fn cpu_id(cpu: &Cpu) -> CpuId {
    CpuId(u32::try_from(cpu.index()).unwrap_or(u32::MAX))
}
