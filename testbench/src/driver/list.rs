//! Scatter-gather: the pieces of a buffer as a list, mapped and unmapped as one, moved one after the other.

use rebound_sim::cpu::Cpu;
use swiotlb::{CcPlatform, DataDirection, DmaError, Sg, SgMapping, SgRequest, SgTable};

use super::mapper::{Grip, Lease, Mapper, Request, cpu_id};
use super::transfer::{DriverError, Job, Leases, Piece};

impl Mapper {
    /// Maps pieces of a buffer as a list (`dma_map_sgtable`). Without an IOMMU each is a segment of its own.
    async fn map_list(
        &self,
        cpu: &Cpu,
        direction: DataDirection,
        requests: Vec<Request>,
    ) -> Result<(SgMapping, Vec<Lease>), DmaError> {
        let entries = requests.iter().map(|request| {
            let bytes = u32::try_from(request.expected.len()).unwrap_or(u32::MAX);
            Sg::new(self.phys(request), bytes)
        });
        let table = SgTable::new(entries.collect());
        cpu.map().await;
        self.call_from(cpu, requests[0].buffer);
        let ask = SgRequest::new(direction).on_cpu(cpu_id(cpu));
        let mapped = self
            .dma()
            .map_list(&mut *self.host().memory(), self.device(), table, ask);
        self.drain(Some(requests[0].transfer));
        let list = mapped.map_err(|refused| refused.error())?;
        self.show_slots();
        let mut leases = Vec::new();
        for (segment, request) in list.segments().iter().zip(requests) {
            let (dma, bytes) = (segment.dma_address, u64::from(segment.dma_length));
            // Behind a window a direct entry has another DMA address, too.
            let place = self.device().dma_to_phys(dma, CcPlatform::None);
            let is_bounced = place != segment.phys;
            self.count(bytes, is_bounced);
            if is_bounced {
                self.copy_in(cpu, bytes).await;
            }
            let target = is_bounced.then_some(place);
            leases.push(self.lend(cpu, request, dma, target, Grip::Listed));
        }
        Ok((list, leases))
    }

    /// Unmaps a list; from the first of its cycles the device must leave all its entries alone.
    async fn unmap_list(
        &self,
        cpu: &Cpu,
        list: SgMapping,
        leases: Vec<Lease>,
    ) -> Result<(), DmaError> {
        for lease in &leases {
            let cycle = self.host().cycle();
            self.board().borrow_mut().unmapped(lease.id, cycle);
        }
        cpu.unmap().await;
        if list.direction().comes_from_device() {
            let bounced = leases.iter().filter(|lease| lease.is_bounced);
            for lease in bounced {
                self.copy_out(cpu, lease.bytes).await;
            }
        }
        let (buffer, transfer) = (leases[0].buffer, leases[0].transfer);
        self.call_from(cpu, buffer);
        let unmapped = self
            .dma()
            .unmap_list(&mut *self.host().memory(), self.device(), list);
        self.drain(Some(transfer));
        unmapped.map_err(|refused| refused.error())?;
        self.show_slots();
        Ok(())
    }
}

impl Job<'_> {
    /// Maps a buffer as a list, moves entry by entry, and unmaps the list.
    pub(super) async fn list(&self, bytes: u64, entries: u32) -> Result<(), DriverError> {
        let (buffer, direction) = match (self.source(), self.destination()) {
            (Some(source), _) => (source, DataDirection::ToDevice),
            (None, Some(destination)) => (destination, DataDirection::FromDevice),
            (None, None) => return Ok(()),
        };
        let pieces = pieces(bytes, entries);
        let requests = pieces.iter().map(|&piece| Request {
            transfer: self.number,
            buffer,
            offset: piece.offset,
            direction,
            expected: self.data(piece, 0),
        });
        let (list, leases) = self
            .mapper()
            .map_list(self.cpu, direction, requests.collect())
            .await?;
        let mut moved = Vec::new();
        for (piece, lease) in pieces.into_iter().zip(leases) {
            self.check_mapping(buffer, piece, &lease);
            let (source, destination) = match direction {
                DataDirection::ToDevice => (Some(lease), None),
                _ => (None, Some(lease)),
            };
            let leases = Leases {
                source,
                destination,
            };
            let data = self.data(piece, 0);
            let is_done = self.move_piece(piece, &leases, &data).await?;
            if is_done && direction.comes_from_device() {
                self.expect(buffer, piece.offset, &data);
            }
            moved.extend(leases.source.into_iter().chain(leases.destination));
        }
        self.mapper().unmap_list(self.cpu, list, moved).await?;
        self.judge(buffer, None);
        Ok(())
    }
}

/// Cuts a buffer into entries of the same length but for the last one.
fn pieces(bytes: u64, entries: u32) -> Vec<Piece> {
    let longest = bytes.div_ceil(entries.max(1).into()).max(1);
    let starts = (0..u64::from(entries)).map(|entry| entry * longest);
    starts
        .take_while(|&offset| offset < bytes)
        .map(|offset| Piece {
            offset,
            bytes: longest.min(bytes - offset),
            in_mapping: 0,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entries_of_a_list_are_the_buffer_without_gap() {
        for (bytes, entries) in [(1, 4), (10, 3), (4096, 8)] {
            let pieces = pieces(bytes, entries);
            let mut end = 0;
            for piece in &pieces {
                assert_eq!(piece.offset, end);
                end += piece.bytes;
            }
            assert_eq!(end, bytes);
            assert!(pieces.len() as u64 <= u64::from(entries));
        }
    }
}
