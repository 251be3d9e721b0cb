//! What a device reaches, and how its driver splits what is too much for one transfer.

use crate::scenario::plan::{DeviceLimits, Movement, Plan, Transfer, Window};

impl Window {
    /// Returns the DMA address of `phys`, if it lies in the window.
    #[must_use]
    pub const fn dma_of(&self, phys: u64) -> Option<u64> {
        let offset = phys.wrapping_sub(self.cpu_base);
        if offset < self.bytes {
            Some(self.bus_base.wrapping_add(offset))
        } else {
            None
        }
    }

    /// Returns the physical address behind `dma`, if it lies in the window.
    #[must_use]
    pub const fn phys_of(&self, dma: u64) -> Option<u64> {
        let offset = dma.wrapping_sub(self.bus_base);
        if offset < self.bytes {
            Some(self.cpu_base.wrapping_add(offset))
        } else {
            None
        }
    }
}

impl DeviceLimits {
    /// Returns the highest DMA address that device and bus reach together.
    #[must_use]
    pub fn last_dma(&self) -> u64 {
        self.dma_mask.min(self.bus_dma_limit.unwrap_or(u64::MAX))
    }

    /// Returns the highest DMA address of coherent memory.
    #[must_use]
    pub fn last_coherent_dma(&self) -> u64 {
        let mask = self.coherent_dma_mask.unwrap_or(self.dma_mask);
        mask.min(self.bus_dma_limit.unwrap_or(u64::MAX))
    }

    /// Returns the DMA address at which the device sees `phys`, if it does at all.
    #[must_use]
    pub const fn dma_of(&self, phys: u64) -> Option<u64> {
        match &self.window {
            Some(window) => window.dma_of(phys),
            None => Some(phys),
        }
    }

    /// Returns whether the device reaches all of these bytes; there is at least one.
    #[must_use]
    pub fn reaches(&self, phys: u64, bytes: u64) -> bool {
        let last = self.dma_of(phys).and_then(|dma| dma.checked_add(bytes - 1));
        last.is_some_and(|last| last <= self.last_dma())
    }

    /// Returns the first physical address beyond a DMA address, as far as the window goes; none beyond 2^64.
    #[must_use]
    pub fn end_of(&self, last_dma: u64) -> Option<u64> {
        let Some(window) = self.window else {
            return last_dma.checked_add(1);
        };
        let last = last_dma.min(window.bus_base + (window.bytes - 1));
        window.phys_of(last).map(|phys| phys + 1)
    }

    /// Longest transfer that the device can be given, a multiple of its granule.
    #[must_use]
    pub fn longest_transfer(&self) -> u64 {
        let longest = self.max_segment_bytes.map_or(u64::MAX, u64::from);
        let granule = self.granule_bytes.map_or(1, u64::from).max(1);
        longest - longest % granule
    }

    /// Bytes from a physical address to the boundary that no transfer may cross.
    const fn bytes_before_boundary(&self, phys: u64) -> u64 {
        match self.dma_of(phys) {
            Some(dma) => {
                (self.segment_boundary_mask - (dma & self.segment_boundary_mask)).saturating_add(1)
            }
            None => u64::MAX,
        }
    }
}

impl Plan {
    /// Splits a transfer as its driver does: offset and length of what is mapped and moved at a time, of which none
    /// is longer than `longest`. What is bounced gets a place within the boundary, whatever its own place is.
    #[must_use]
    pub fn pieces(&self, transfer: &Transfer, longest: u64) -> Vec<(u64, u64)> {
        let bytes = self.buffer_of(transfer).bytes;
        let longest = longest.min(self.device.longest_transfer()).max(1);
        let mut pieces = Vec::new();
        let mut offset = 0;
        while offset < bytes {
            let piece = self.within_boundary(transfer, offset, longest.min(bytes - offset));
            pieces.push((offset, piece));
            offset += piece;
        }
        pieces
    }

    /// Shortens a piece until neither of its buffers crosses the boundary where it lies: a shorter one may be in reach
    /// where a longer one is bounced.
    fn within_boundary(&self, transfer: &Transfer, offset: u64, bytes: u64) -> u64 {
        let mut bytes = bytes;
        loop {
            let direct = transfer.movement.buffers().into_iter().flatten();
            let direct = direct
                .map(|buffer| self.buffers[buffer].phys + offset)
                .filter(|phys| !self.should_bounce(*phys, bytes));
            let most = direct
                .map(|phys| self.device.bytes_before_boundary(phys))
                .min();
            match most {
                Some(most) if most < bytes => bytes = most,
                _ => return bytes,
            }
        }
    }

    /// Returns the address bits that the engine has for data.
    #[must_use]
    pub fn data_bits(&self) -> u32 {
        self.straps
            .map_or(self.engine.addr_bits, |straps| straps.addr_bits)
    }
}

impl Movement {
    /// Returns source and destination.
    #[must_use]
    pub const fn buffers(&self) -> [Option<usize>; 2] {
        match *self {
            Self::ToDevice { source } => [Some(source), None],
            Self::FromDevice { destination } => [None, Some(destination)],
            Self::Copy {
                source,
                destination,
            } => [Some(source), Some(destination)],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::layout::{Layout, Placement};
    use crate::seed::Seed;

    /// A 32-bit device that sees the first GiB of memory at 3 GiB.
    fn windowed() -> DeviceLimits {
        DeviceLimits {
            window: Some(Window {
                bus_base: 0xc000_0000,
                cpu_base: 0,
                bytes: 1 << 30,
            }),
            ..DeviceLimits::bits(32)
        }
    }

    #[test]
    fn a_device_reaches_what_mask_bus_and_window_all_allow() {
        let device = DeviceLimits::bits(30);
        assert!(device.reaches(0x3fff_ffff, 1) && !device.reaches(0x3fff_ffff, 2));
        assert_eq!(device.end_of(device.last_dma()), Some(1 << 30));

        let windowed = windowed();
        assert_eq!(windowed.dma_of(0x1000), Some(0xc000_1000));
        assert!(windowed.reaches(0x3fff_ff00, 0x100) && !windowed.reaches(0x3fff_ff00, 0x101));
        assert!(!windowed.reaches(0x4000_0000, 1));
        assert_eq!(windowed.end_of(windowed.last_dma()), Some(1 << 30));
        let narrow = DeviceLimits {
            dma_mask: 0xdfff_ffff,
            ..windowed
        };
        assert_eq!(narrow.end_of(narrow.last_dma()), Some(0x2000_0000));

        let limited = DeviceLimits {
            bus_dma_limit: Some(0xbfff_ffff),
            ..DeviceLimits::bits(36)
        };
        assert!(limited.reaches(0xbfff_ffff, 1) && !limited.reaches(0xc000_0000, 1));
        assert_eq!(DeviceLimits::bits(64).end_of(u64::MAX), None);
    }

    #[test]
    fn windows_translate_there_and_back() {
        let window = windowed().window.expect("it has one");
        for phys in [0, 1, 0x3fff_ffff] {
            let dma = window.dma_of(phys).expect("inside");
            assert_eq!(window.phys_of(dma), Some(phys));
        }
        assert_eq!(window.dma_of(1 << 30), None);
        assert_eq!(window.phys_of(0xbfff_ffff), None);
    }

    #[test]
    fn a_driver_splits_at_the_longest_transfer_and_direct_buffers_at_the_boundary() {
        let mut layout = Layout::new(Seed::new(1), 24).with(|plan| {
            plan.device.segment_boundary_mask = 0xffff;
            plan.device.max_segment_bytes = Some(0x8007);
            plan.device.granule_bytes = Some(8);
        });
        layout.send(0, Placement::Above, 0x1_0008, 16);
        layout.send(0, Placement::Below, 0x1_0000, 16);
        let plan = layout.finish();
        let pieces = |number: usize, longest| plan.pieces(&plan.transfers[number], longest);
        assert_eq!(
            pieces(0, u64::MAX),
            [(0, 0x8000), (0x8000, 0x8000), (0x1_0000, 8)]
        );
        assert_eq!(pieces(0, 0x1_0000).len(), 3);
        let start = plan.buffers[1].phys;
        let direct = pieces(1, u64::MAX);
        assert_eq!(direct.iter().map(|(_, bytes)| bytes).sum::<u64>(), 0x1_0000);
        for (offset, bytes) in direct {
            let (first, last) = (start + offset, start + offset + bytes - 1);
            assert_eq!(first >> 16, last >> 16, "{first:#x} to {last:#x}");
            assert!(bytes <= 0x8000);
        }
    }
}
