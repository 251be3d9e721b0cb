//! How large the first pool is to be: boot parameters, rounding, and the wishes of the platform.

use crate::error::InitError;
use crate::message::Message;
use crate::policy::Policy;
use crate::slot::{SLOT_BYTES, SLOT_SET_SLOTS, align_up};

/// Options of the kernel's build that the layer depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "switches of a build, each on its own"
)]
pub struct BootOptions {
    /// `CONFIG_SWIOTLB_DEFAULT_SIZE_MB`, 1 to 64.
    pub default_mib: u32,
    /// `CONFIG_DEBUG_FS`: `track_hiwater` is known and statistics files exist.
    pub has_statistics: bool,
    /// What happens when the first pool is full (`CONFIG_SWIOTLB_DYNAMIC`, and policies of our own).
    pub policy: Policy,
    /// `MAX_PAGE_ORDER`: the largest block of the page allocator, as a power of two of pages.
    pub max_page_order: u32,
    /// `CONFIG_ZONE_DMA32`: there is a zone below 4 GiB.
    pub has_zone_dma32: bool,
    /// `CONFIG_DMA_COHERENT_POOL`: there is a pool of shared pages for calls that must not sleep.
    pub has_atomic_pool: bool,
    /// `CONFIG_DMA_RESTRICTED_POOL`: regions of the device tree can become pools.
    pub has_restricted_pools: bool,
}

impl BootOptions {
    /// Refuses what no kernel can be built with.
    ///
    /// # Errors
    /// If the default size is not one of 1 to 64 MiB.
    pub const fn check(&self) -> Result<(), InitError> {
        if self.default_mib == 0 || self.default_mib > 64 {
            let what = "the compiled-in default size must be 1 to 64 MiB";
            return Err(InitError::Invalid { what });
        }
        Ok(())
    }
}

impl Default for BootOptions {
    fn default() -> Self {
        Self {
            default_mib: 64,
            has_statistics: true,
            policy: Policy::Static,
            max_page_order: 10,
            has_zone_dma32: true,
            has_atomic_pool: true,
            has_restricted_pools: true,
        }
    }
}

/// Boot parameters and the sizes that follow from them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootConfig {
    pub(crate) options: BootOptions,
    default_slots: u64,
    default_areas: u32,
    /// `force`: every streaming mapping bounces.
    pub force: bool,
    /// `noforce`: no pool is made.
    pub noforce: bool,
    /// `track_hiwater`: used slots are counted with a high-water mark.
    pub track_hiwater: bool,
    /// `dynamic`: larger mappings get a buffer of their own first ([`Policy::PerBuffer`] alone).
    pub dynamic: bool,
    pub(crate) messages: Vec<Message>,
}

impl Default for BootConfig {
    fn default() -> Self {
        Self::new(BootOptions::default())
    }
}

impl BootConfig {
    /// Begins with the compiled-in default size and no parameter.
    #[must_use]
    pub fn new(options: BootOptions) -> Self {
        Self {
            options,
            default_slots: Self::compiled_slots(options),
            default_areas: 0,
            force: false,
            noforce: false,
            track_hiwater: false,
            dynamic: false,
            messages: Vec::new(),
        }
    }

    fn compiled_slots(options: BootOptions) -> u64 {
        (u64::from(options.default_mib) << 20) / SLOT_BYTES
    }

    /// Returns the slots of the first pool, as far as known now (`default_nslabs`).
    #[must_use]
    pub const fn default_slots(&self) -> u64 {
        self.default_slots
    }

    /// Returns the areas, or 0 if not set yet (`default_nareas`).
    #[must_use]
    pub const fn default_areas(&self) -> u32 {
        self.default_areas
    }

    /// Returns the default size in bytes (`swiotlb_size_or_default`).
    #[doc(alias = "swiotlb_size_or_default")]
    #[must_use]
    pub const fn size_or_default(&self) -> u64 {
        self.default_slots.wrapping_mul(SLOT_BYTES)
    }

    pub(crate) const fn set_default_slots(&mut self, slots: u64) {
        self.default_slots = align_up(slots, SLOT_SET_SLOTS as u64);
    }

    /// Takes the size of a pool that was made without a start, and forgets what was said of others.
    pub(crate) fn set_geometry(&mut self, slots: u64, areas: u32) {
        self.default_slots = slots;
        self.default_areas = areas;
        self.messages.clear();
    }

    /// Boot memory was short: later pools are asked for in this size.
    pub(crate) const fn reduce_default_slots(&mut self, slots: u64) {
        self.default_slots = slots;
    }

    /// Rounds the default size up to a power of two that holds a slot set per area. Does nothing
    /// while the areas are not set. Returns whether "rounded up" is to be reported.
    fn round_default_slots(&mut self) -> bool {
        if self.default_areas == 0 {
            return false;
        }
        let needed = u64::from(SLOT_SET_SLOTS) * u64::from(self.default_areas);
        let is_raised = self.default_slots < needed;
        if is_raised {
            self.default_slots = needed;
        } else if self.default_slots.is_power_of_two() {
            return false;
        }
        // Above 2^63 there is no power of two left; such a pool cannot be had anyway.
        self.default_slots = self
            .default_slots
            .checked_next_power_of_two()
            .unwrap_or(1 << 63);
        true
    }

    /// Applies the area rule: a power of two, and the size rounded to fit.
    pub(crate) fn set_areas(&mut self, requested: u32) {
        self.default_areas = requested
            .max(1)
            .checked_next_power_of_two()
            .unwrap_or(1 << 31);
        self.messages.push(Message::AreaNum {
            areas: self.default_areas,
        });
        if self.round_default_slots() {
            self.messages.push(Message::SizeRoundup {
                mib: self.size_or_default() >> 20,
            });
        }
    }

    /// Takes the number of possible CPUs as the number of areas, unless that was set.
    pub(crate) fn set_areas_from_cpus(&mut self, possible_cpus: u32) {
        if self.default_areas == 0 {
            self.set_areas(possible_cpus);
        }
    }

    /// Asks for another default size on behalf of the platform (`swiotlb_adjust_size`). Ignored,
    /// with `false`, unless the size still is the compiled-in default, whoever wrote it.
    #[doc(alias = "swiotlb_adjust_size")]
    pub fn adjust_size(&mut self, bytes: u64) -> bool {
        if self.default_slots != Self::compiled_slots(self.options) {
            return false;
        }
        let mut bytes = align_up(bytes, SLOT_BYTES);
        self.set_default_slots(bytes / SLOT_BYTES);
        if self.round_default_slots() {
            bytes = self.size_or_default();
        }
        self.messages
            .push(Message::SizeAdjusted { mib: bytes >> 20 });
        true
    }
}

/// Returns the size that an x86 confidential guest asks for: 6 % of its memory, but at least
/// `default_bytes` and at most 1 GiB.
#[must_use]
pub const fn coco_default_size(ram_bytes: u64, default_bytes: u64) -> u64 {
    const MAX: u64 = 1 << 30;
    // Multiplication first, as the kernel does; saturating where 64 bits would not hold it.
    let wanted = ram_bytes.saturating_mul(6) / 100;
    if wanted < default_bytes {
        default_bytes
    } else if wanted > MAX {
        MAX
    } else {
        wanted
    }
}

/// Returns the size that arm64 and riscv ask for when bouncing is only needed for small buffers:
/// a thousandth of memory, but at most the present default.
#[must_use]
pub const fn small_buffer_size(ram_bytes: u64, default_bytes: u64) -> u64 {
    let wanted = ram_bytes.div_ceil(1024);
    if wanted < default_bytes {
        wanted
    } else {
        default_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn confidential_guests_get_six_percent_rounded_up_to_a_power_of_two() {
        const GIB: u64 = 1 << 30;
        let rows = [
            (GIB / 2, 67_108_864, 32768, 32768),
            (GIB, 67_108_864, 32768, 32768),
            (2 * GIB, 128_849_018, 62976, 65536),
            (4 * GIB, 257_698_037, 125_952, 131_072),
            (8 * GIB, 515_396_075, 251_776, 262_144),
            (10 * GIB, 644_245_094, 314_624, 524_288),
            (16 * GIB, 1_030_792_151, 503_424, 524_288),
            (17 * GIB, 1_073_741_824, 524_288, 524_288),
            (100 * GIB, 1_073_741_824, 524_288, 524_288),
        ];
        for (ram, bytes, adjusted, rounded) in rows {
            let mut boot = BootConfig::default();
            let wanted = coco_default_size(ram, boot.size_or_default());
            assert_eq!(wanted, bytes);
            assert!(boot.adjust_size(wanted));
            assert_eq!(boot.default_slots(), adjusted);
            boot.set_areas_from_cpus(4);
            assert_eq!(boot.default_slots(), rounded);
        }
    }

    #[test]
    fn an_explicit_default_is_adjusted_all_the_same_and_many_areas_prevent_it() {
        let mut explicit = BootConfig::default();
        explicit.parse("32768");
        assert!(explicit.adjust_size(128 << 20));
        assert_eq!(explicit.default_slots(), 65536);

        let mut many = BootConfig::default();
        many.parse(",512");
        assert_eq!(many.default_slots(), 65536);
        assert!(!many.adjust_size(128 << 20));
    }

    #[test]
    fn an_adjusted_size_is_rounded_if_the_areas_are_known() {
        let mut boot = BootConfig::default();
        boot.parse(",4");
        boot.messages.clear();
        assert!(boot.adjust_size(100 << 20));
        assert_eq!(boot.size_or_default(), 128 << 20);
        assert_eq!(boot.messages, [Message::SizeAdjusted { mib: 128 }]);
    }

    #[test]
    fn raising_the_size_for_areas_counts_as_rounding_even_to_a_power_of_two() {
        let mut boot = BootConfig::default();
        boot.parse("1024,16");
        assert_eq!(boot.default_slots(), 2048);
        assert_eq!(
            boot.messages,
            [
                Message::AreaNum { areas: 16 },
                Message::SizeRoundup { mib: 4 }
            ]
        );
    }

    #[test]
    fn a_default_size_that_no_kernel_is_built_with_is_refused() {
        let of = |default_mib| BootOptions {
            default_mib,
            ..BootOptions::default()
        };
        assert!([1, 64].iter().all(|&mib| of(mib).check().is_ok()));
        for mib in [0, 65, u32::MAX] {
            let refused = of(mib).check().unwrap_err();
            assert!(refused.to_string().contains("1 to 64 MiB"), "{mib}");
        }
    }

    #[test]
    fn small_systems_take_a_thousandth_of_their_memory() {
        assert_eq!(small_buffer_size(1 << 30, 64 << 20), 1 << 20);
        assert_eq!(small_buffer_size(1025, 64 << 20), 2);
        assert_eq!(small_buffer_size(1 << 40, 64 << 20), 64 << 20);
    }

    #[test]
    fn absurd_sizes_wrap_or_saturate_without_a_panic() {
        let mut boot = BootConfig::default();
        boot.parse("18446744073709551615");
        assert_eq!(boot.default_slots(), 0);
        boot.parse("18446744073709551488,1");
        assert_eq!(boot.default_slots(), 1 << 63);
        assert_eq!(boot.default_areas(), 1);
    }
}
