//! The machine around the devices: page size, CPUs, memory, encryption.

use crate::addr::PhysAddr;
use crate::cc::{AddressMarker, CcPlatform};
use crate::device::bit_mask;
use crate::error::InitError;
use crate::slot::SLOT_BYTES;

/// Size of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PageSize {
    /// 4 KiB.
    #[default]
    Size4KiB,
    /// 16 KiB.
    Size16KiB,
    /// 64 KiB.
    Size64KiB,
}

impl PageSize {
    /// Returns the size in bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        match self {
            Self::Size4KiB => 4 << 10,
            Self::Size16KiB => 16 << 10,
            Self::Size64KiB => 64 << 10,
        }
    }

    /// Returns how many slots a page holds (`SLABS_PER_PAGE`).
    pub(crate) const fn slots(self) -> u64 {
        self.bytes() / SLOT_BYTES
    }

    /// Returns the smallest order of pages that holds `bytes` (`get_order`); 0 for no bytes.
    pub(crate) const fn order_of(self, bytes: u64) -> u32 {
        let pages = bytes.div_ceil(self.bytes());
        u64::BITS - pages.saturating_sub(1).leading_zeros()
    }
}

/// A range of physical memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RamRange {
    /// First byte.
    pub start: PhysAddr,
    /// Length in bytes.
    pub bytes: u64,
}

/// The kmalloc rule of platforms that bounce small buffers which share cache lines.
#[doc(alias = "dma_kmalloc_needs_bounce")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KmallocBounce {
    /// `ARCH_DMA_MINALIGN`: buffers of twice this size are always safe.
    pub min_align: u32,
    /// Cache alignment for DMA; a bucket that is a multiple of it is safe.
    pub cache_alignment: u32,
}

impl KmallocBounce {
    /// Returns whether a buffer of `bytes` bytes shares no cache line, judged by its size alone.
    #[must_use]
    pub const fn is_size_safe(self, bytes: u64) -> bool {
        if bytes == 0 || bytes >= 2 * self.min_align as u64 {
            return true;
        }
        self.cache_alignment <= 1 || Self::bucket(bytes).is_multiple_of(self.cache_alignment as u64)
    }

    /// Returns the size of the kmalloc bucket that holds `bytes`.
    const fn bucket(bytes: u64) -> u64 {
        match bytes {
            0..=8 => 8,
            65..=96 => 96,
            129..=192 => 192,
            _ => bytes.next_power_of_two(),
        }
    }
}

/// What the kernel knows of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Platform {
    /// Size of a page.
    pub page_size: PageSize,
    /// Number of possible CPUs; at least 1.
    pub possible_cpus: u32,
    /// Ranges of RAM.
    pub ram: Vec<RamRange>,
    /// Highest address of the DMA zone, if there is such a zone.
    pub zone_dma_limit: Option<u64>,
    /// Memory encryption.
    pub cc: CcPlatform,
    /// The rule for small buffers, if the platform bounces them.
    pub kmalloc: Option<KmallocBounce>,
}

impl Default for Platform {
    /// A PC: 4 KiB pages, 1 CPU, a DMA zone of 16 MiB, 4 GiB of RAM, no encryption.
    fn default() -> Self {
        Self {
            page_size: PageSize::default(),
            possible_cpus: 1,
            ram: vec![RamRange {
                start: PhysAddr::new(0),
                bytes: 4 << 30,
            }],
            zone_dma_limit: Some(bit_mask(24)),
            cc: CcPlatform::None,
            kmalloc: None,
        }
    }
}

impl Platform {
    /// Refuses what no machine is. Whatever makes the default pool asks this first.
    ///
    /// # Errors
    /// If a bit that marks addresses is none of their 64, or one of the rule for small buffers is
    /// no power of two: such a value would count as "none".
    pub const fn check(&self) -> Result<(), InitError> {
        if let CcPlatform::Host {
            encryption_bit: 64..,
        }
        | CcPlatform::Guest(
            AddressMarker::Encrypted(64..) | AddressMarker::Unencrypted(64..),
        ) = self.cc
        {
            let what = "the encryption bit of an address must be one of 0 to 63";
            return Err(InitError::Invalid { what });
        }
        if let Some(rule) = self.kmalloc
            && !(rule.cache_alignment.is_power_of_two() && rule.min_align.is_power_of_two())
        {
            let what = "the alignments of the rule for small buffers must be powers of two";
            return Err(InitError::Invalid { what });
        }
        Ok(())
    }

    /// Returns the address of the last byte of RAM; 0 if there is none.
    #[must_use]
    pub fn last_ram(&self) -> PhysAddr {
        let last = self
            .ram
            .iter()
            .filter(|range| range.bytes > 0)
            .map(|range| range.start.raw().saturating_add(range.bytes - 1))
            .max();
        PhysAddr::new(last.unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_and_alignments_that_no_machine_has_are_refused() {
        use CcPlatform::{Guest, Host};
        let of = |cc, alignments: Option<(u32, u32)>| Platform {
            cc,
            kmalloc: alignments.map(|(min_align, cache_alignment)| KmallocBounce {
                min_align,
                cache_alignment,
            }),
            ..Platform::default()
        };
        let [encrypted, unencrypted] = [AddressMarker::Encrypted, AddressMarker::Unencrypted];
        for cc in [
            Host { encryption_bit: 64 },
            Guest(encrypted(64)),
            Guest(unencrypted(255)),
        ] {
            let refused = of(cc, None).check().unwrap_err();
            assert!(refused.to_string().contains("0 to 63"), "{cc:?}");
        }
        for alignments in [(128, 0), (128, 48), (0, 64), (3, 64)] {
            let refused = of(CcPlatform::None, Some(alignments)).check();
            assert!(matches!(refused, Err(InitError::Invalid { .. })));
        }
        let host = Host { encryption_bit: 63 };
        assert_eq!(of(host, Some((128, 1))).check(), Ok(()));
        assert_eq!(of(Guest(unencrypted(47)), None).check(), Ok(()));
    }

    #[test]
    fn orders_round_up() {
        let page = PageSize::Size4KiB;
        assert_eq!(page.order_of(0), 0);
        assert_eq!(page.order_of(1), 0);
        assert_eq!(page.order_of(4096), 0);
        assert_eq!(page.order_of(4097), 1);
        assert_eq!(page.order_of(3 << 20), 10);
        assert_eq!(page.slots(), 2);
        assert_eq!(PageSize::Size64KiB.slots(), 32);
    }

    #[test]
    fn the_size_of_a_kmalloc_buffer_decides_whether_it_bounces() {
        let bouncing = |cache_alignment: u32| -> Vec<u64> {
            let rule = KmallocBounce {
                min_align: 128,
                cache_alignment,
            };
            (0..=256)
                .filter(|&bytes| !rule.is_size_safe(bytes))
                .collect()
        };
        let expected = |ranges: &[std::ops::RangeInclusive<u64>]| -> Vec<u64> {
            ranges.iter().cloned().flatten().collect()
        };
        assert_eq!(bouncing(64), expected(&[1..=32, 65..=96]));
        assert_eq!(bouncing(128), expected(&[1..=96, 129..=192]));
        assert!(bouncing(1).is_empty());
    }

    #[test]
    fn the_last_byte_of_ram_is_that_of_the_highest_range() {
        let mut platform = Platform::default();
        assert_eq!(platform.last_ram(), PhysAddr::new(0xffff_ffff));
        platform.ram.push(RamRange {
            start: PhysAddr::new(0x1_0000_0000),
            bytes: 0x1000,
        });
        assert_eq!(platform.last_ram(), PhysAddr::new(0x1_0000_0fff));
        platform.ram.clear();
        assert_eq!(platform.last_ram(), PhysAddr::new(0));
    }
}
