//! Where the kernel's own memory lies: what a driver must not lend to a device.

use crate::addr::PhysAddr;
use crate::platform::RamRange;

/// A stack that a driver may run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StackRange {
    /// Its memory.
    pub range: RamRange,
    /// Whether it is mapped page by page (`CONFIG_VMAP_STACK`), so that an address on it can only
    /// be guessed from the page.
    pub is_vmapped: bool,
}

/// Memory with a meaning of its own. What is left empty is not checked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KernelLayout {
    /// RAM in the linear map; [`crate::Dma::with_debug`] fills it in from the platform.
    pub linear: Vec<RamRange>,
    /// RAM that is reserved, and so may be mapped as MMIO.
    pub reserved: Vec<RamRange>,
    /// Text and read-only data.
    pub text: Vec<RamRange>,
    /// The current stack.
    pub stacks: Vec<StackRange>,
    /// Addresses of vmalloc.
    pub vmalloc: Vec<RamRange>,
    /// Pages of device memory (`ZONE_DEVICE`).
    pub device_memory: Vec<RamRange>,
}

/// Returns whether a range holds an address.
pub(super) fn holds(range: &RamRange, addr: PhysAddr) -> bool {
    addr.raw().wrapping_sub(range.start.raw()) < range.bytes
}

/// Returns whether any range holds an address.
pub(super) fn any_holds(ranges: &[RamRange], addr: PhysAddr) -> bool {
    ranges.iter().any(|range| holds(range, addr))
}

/// Returns whether any range has a byte in common with `bytes` bytes at `addr`.
pub(super) fn any_meets(ranges: &[RamRange], addr: PhysAddr, bytes: u64) -> bool {
    let buffer = RamRange { start: addr, bytes };
    ranges
        .iter()
        .any(|range| holds(range, addr) || (range.bytes > 0 && holds(&buffer, range.start)))
}

impl KernelLayout {
    /// Returns the stack that holds an address.
    pub(super) fn stack_at(&self, addr: PhysAddr) -> Option<&StackRange> {
        self.stacks.iter().find(|stack| holds(&stack.range, addr))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_meet_at_their_first_and_last_bytes() {
        let text = [RamRange {
            start: PhysAddr::new(0x1000),
            bytes: 0x100,
        }];
        let meets = |addr, bytes| any_meets(&text, PhysAddr::new(addr), bytes);
        assert!(meets(0xfff, 2) && meets(0x10ff, 1) && meets(0, 0x10000));
        assert!(!meets(0xfff, 1) && !meets(0x1100, 8));
        assert!(any_holds(&text, PhysAddr::new(0x10ff)));
        assert!(!any_holds(&text, PhysAddr::new(0x1100)));
    }
}
