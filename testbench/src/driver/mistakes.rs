//! The mistakes that a plan asks a driver for: what goes wrong, kept apart from what is right.

use swiotlb::DataDirection;

use super::transfer::{DriverError, Job, Leases, Piece};
use crate::scenario::plan::Mistake;

/// Bytes that a driver programs too many.
const EXTRA_BYTES: u64 = 64;

impl Job<'_> {
    /// Returns whether the plan asks for this mistake.
    pub(super) fn has(&self, mistake: Mistake) -> bool {
        self.transfer.mistake == Some(mistake)
    }

    /// Returns how many bytes too many the driver programs.
    pub(super) fn extra_bytes(&self) -> u64 {
        if self.has(Mistake::ProgramsTooLong) {
            EXTRA_BYTES
        } else {
            0
        }
    }

    /// Returns the direction that the driver declares for a mapping.
    pub(super) fn declared(&self, direction: DataDirection) -> DataDirection {
        match direction {
            DataDirection::ToDevice if self.has(Mistake::SwapsDirection) => {
                DataDirection::FromDevice
            }
            DataDirection::FromDevice if self.has(Mistake::SwapsDirection) => {
                DataDirection::ToDevice
            }
            right => right,
        }
    }

    /// Unmaps as soon as the engine has begun.
    pub(super) async fn unmap_while_working(
        &self,
        piece: Piece,
        leases: Leases,
        data: &[u8],
    ) -> Result<(), DriverError> {
        let channels = self.channels();
        let claim = self.driver.engine.claim(self.cpu, channels).await;
        let works = self.start(piece, &leases, data).await?;
        let used = leases.ids();
        self.unmap(leases).await?;
        for work in works {
            self.driver.engine.finished(self.cpu, work).await?;
        }
        self.device_finished(&used);
        drop(claim);
        if let Some(buffer) = self.destination() {
            self.accept_partial(buffer, piece);
        }
        Ok(())
    }
}
