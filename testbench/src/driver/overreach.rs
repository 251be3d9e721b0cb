//! A device that reads beyond its buffer, as one that is not trusted might: what it finds in the pages of the
//! IOMMU around a live mapping, and where the mapping was.

use rebound_sim::events::Direction;
use swiotlb::DmaAddr;

use super::engine::Channel;
use super::mapper::{Lease, Mapper};
use super::transfer::{DriverError, Job, Piece};
use crate::scenario::plan::{Outcome, Transfer};
use crate::scoreboard::{MappingId, Overreach, Right, index};

/// Whole pages of the IOMMU.
#[derive(Debug, Clone, Copy)]
struct Pages {
    first: DmaAddr,
    bytes: u64,
}

impl Mapper {
    /// Returns the pages of the IOMMU that a mapping touches; the mapping alone, if there is no IOMMU.
    fn pages_of(&self, lease: &Lease) -> Pages {
        let attachment = self.device().iommu();
        let page = attachment.map_or(1, |attachment| attachment.domain().granule().bytes());
        let before = lease.dma.raw() % page;
        Pages {
            first: lease.dma.wrapping_sub(before),
            bytes: (before + lease.bytes).next_multiple_of(page),
        }
    }
}

impl Job<'_> {
    /// Maps and moves a source, lets the device read the pages around it, unmaps, and lets it try again.
    pub(super) async fn overreach(&self, bytes: u64) -> Result<(), DriverError> {
        let whole = Piece {
            offset: 0,
            bytes,
            in_mapping: 0,
        };
        let data = self.data(whole, 0);
        let leases = self.map(whole, &data).await?;
        self.move_piece(whole, &leases, &data).await?;
        let lease = leases.source.as_ref();
        let lease = lease.expect("the plan lets the device read around a source");
        let (id, pages) = (lease.id, self.mapper().pages_of(lease));
        let before = index(lease.dma.raw() - pages.first.raw());
        let mut shown = vec![0; index(pages.bytes)];
        shown[before..before + data.len()].copy_from_slice(&data);
        self.board_mut().device_started(id);
        self.read_pages(pages, id, Right::Zeros, &shown).await?;
        self.device_finished(&[id]);
        self.unmap(leases).await?;
        let refused = Job {
            transfer: Transfer {
                outcome: Outcome::Slverr,
                ..self.transfer
            },
            ..*self
        };
        refused.read_pages(pages, id, Right::Fault, &[]).await?;
        if let Some(buffer) = self.source() {
            self.judge(buffer, Some(id));
        }
        Ok(())
    }

    /// Lets the engine read pages, and judges what it says and sends.
    async fn read_pages(
        &self,
        pages: Pages,
        id: MappingId,
        right: Right,
        shown: &[u8],
    ) -> Result<(), DriverError> {
        let engine = &self.driver.engine;
        let claim = engine.claim(self.cpu, &[Channel::Mm2s]).await;
        engine.set_loopback(self.cpu, false).await?;
        self.board_mut().announce(Some(Overreach {
            id,
            start: pages.first.raw(),
            bytes: pages.bytes,
            right,
        }));
        self.board_mut().traffic_mut().begin(Direction::Read);
        let bytes = u32::try_from(pages.bytes).expect("a mapping is shorter than 4 GiB");
        let work = engine
            .start(self.cpu, Channel::Mm2s, pages.first, bytes)
            .await?;
        let completion = engine.finished(self.cpu, work).await?;
        self.board_mut().announce(None);
        self.check_account(Channel::Mm2s, pages.first, &completion);
        let piece = Piece {
            offset: 0,
            bytes: pages.bytes,
            in_mapping: 0,
        };
        let is_done = self.check_status(&[completion], piece);
        self.check_stream(shown, is_done).await;
        drop(claim);
        Ok(())
    }
}
