//! The engine's account of a failure, compared with what was seen on the bus and with its documentation.

use rebound_sim::events::Direction;
use swiotlb::DmaAddr;

use super::engine::{Channel, Completion, Failure};
use super::transfer::Job;
use crate::scoreboard::Refusal;
use crate::violation::Check;

/// What the registers of a channel should say after a failure.
#[derive(Debug, PartialEq, Eq)]
struct Account {
    fail_addr: DmaAddr,
    bytes_done: u64,
}

impl Account {
    /// A transfer that was refused as a whole: the first byte beyond the limit, and nothing moved.
    fn of_limit(dma: DmaAddr, addr_bits: u32) -> Self {
        let limit = 1_u64.checked_shl(addr_bits).unwrap_or(u64::MAX);
        Self {
            fail_addr: DmaAddr::new(dma.raw().max(limit)),
            bytes_done: 0,
        }
    }

    /// A transfer that broke off: the first byte of the failing burst. The stream got what came before the
    /// failing beat; memory has what was written by the bursts before the failing one.
    fn of_refusal(channel: Channel, dma: DmaAddr, refusal: Refusal) -> Self {
        let first_missing = match channel {
            Channel::Mm2s => refusal.beat,
            Channel::S2mm => refusal.burst,
        };
        Self {
            fail_addr: refusal.burst,
            bytes_done: first_missing.raw().wrapping_sub(dma.raw()),
        }
    }

    /// Says in which ways a completion differs.
    fn differences(&self, channel: Channel, found: &Completion) -> Vec<String> {
        let mut differences = Vec::new();
        if found.fail_addr != self.fail_addr {
            differences.push(format!(
                "failing address of {channel:?}: expected dma {}, found {}",
                self.fail_addr, found.fail_addr
            ));
        }
        if u64::from(found.bytes_done) != self.bytes_done {
            differences.push(format!(
                "bytes done of {channel:?} before its failure: expected {}, found {}",
                self.bytes_done, found.bytes_done
            ));
        }
        differences
    }
}

impl Job<'_> {
    /// Compares where the engine says that it failed, and how far it says that it came, with the bus. That it
    /// failed at all, and why, is judged with the status.
    pub(super) fn check_account(&self, channel: Channel, dma: DmaAddr, found: &Completion) {
        let direction = match channel {
            Channel::Mm2s => Direction::Read,
            Channel::S2mm => Direction::Write,
        };
        let refusal = self
            .driver
            .board
            .borrow()
            .traffic()
            .first_refusal(direction);
        let account = match (found.failure, refusal) {
            (Some(Failure::AddrLimit), _) => Account::of_limit(dma, self.driver.plan.data_bits()),
            (Some(Failure::Slverr | Failure::Decerr), Some(refusal)) => {
                Account::of_refusal(channel, dma, refusal)
            }
            (Some(failure @ (Failure::Slverr | Failure::Decerr)), None) => {
                let text = format!(
                    "failure of {channel:?}: expected an error response on the bus before {failure:?}, \
                     found none"
                );
                return self.report(Check::Status, text);
            }
            (Some(Failure::Other(_)) | None, _) => return,
        };
        for text in account.differences(channel, found) {
            self.report(Check::Status, text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_transfer_fails_at_the_first_byte_beyond_the_limit() {
        let account = |dma| Account::of_limit(DmaAddr::new(dma), 32).fail_addr.raw();
        assert_eq!(account(0xffff_ff00), 0x1_0000_0000, "across");
        assert_eq!(account(0x1_2345_6789), 0x1_2345_6789, "beyond");
    }

    #[test]
    fn a_broken_transfer_came_as_far_as_its_direction_says() {
        let refusal = Refusal {
            burst: DmaAddr::new(0x1080),
            beat: DmaAddr::new(0x10a8),
        };
        let account = |channel| Account::of_refusal(channel, DmaAddr::new(0x1003), refusal);
        assert_eq!(account(Channel::Mm2s).bytes_done, 0xa5);
        assert_eq!(account(Channel::S2mm).bytes_done, 0x7d);
        assert_eq!(account(Channel::S2mm).fail_addr, refusal.burst);
    }
}
