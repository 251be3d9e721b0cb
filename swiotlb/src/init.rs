//! Start and end of the default pool: at boot, late from the page allocator, and teardown.

use crate::addr::PhysAddr;
use crate::area::limit_areas;
use crate::block::Block;
use crate::cc::CcPlatform;
use crate::error::InitError;
use crate::memory::PhysMemory;
use crate::message::Message;
use crate::page_source::{PageOrigin, PageRequest, PageSource, Zone};
use crate::pool::{AllocatorId, PoolGeometry};
use crate::slot::{MIN_SLOTS, SLOT_BYTES, SLOT_SET_SLOTS, align_up};
use crate::swiotlb::Swiotlb;

/// A call that makes the memory of the default pool usable in some other way, or refuses it with
/// a negative code.
pub type Remap<'a> = &'a mut dyn FnMut(PhysAddr, u64) -> Result<(), i32>;

/// How the default pool is to be made at boot.
#[derive(Default)]
pub struct EarlyInit<'a> {
    /// Whether devices of this machine may be unable to address all memory.
    pub has_addressing_limit: bool,
    /// Whether the pool may lie above 4 GiB (`SWIOTLB_ANY`).
    pub is_anywhere: bool,
    /// Whether the pool's place is told (`SWIOTLB_VERBOSE`).
    pub is_verbose: bool,
    /// Remap call, if the platform has one.
    pub remap: Option<Remap<'a>>,
}

impl std::fmt::Debug for EarlyInit<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EarlyInit")
            .field("has_addressing_limit", &self.has_addressing_limit)
            .field("is_anywhere", &self.is_anywhere)
            .field("is_verbose", &self.is_verbose)
            .field("remap", &self.remap.is_some())
            .finish()
    }
}

/// What became of the default pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InitOutcome {
    /// There is a pool.
    Ready(PoolGeometry),
    /// No device needs one.
    NotNeeded,
    /// `noforce` forbids one.
    Disabled,
    /// There was one before.
    AlreadyActive,
}

/// What became of the pages of the default pool (`swiotlb_update_mem_attributes`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemAttributes {
    /// They are shared now.
    Shared,
    /// They stay as they are: no encryption, no pool, or a pool that was made late.
    Unchanged,
    /// They could not be shared; the pool is marked as used up.
    PoolDisabled,
}

impl Swiotlb {
    /// Makes the default pool at boot, smaller if memory is refused (`swiotlb_init`).
    ///
    /// # Errors
    /// If not even the smallest pool could be had, or the memory given is none; or if platform or
    /// options are impossible ([`crate::Platform::check`], [`crate::BootOptions::check`]).
    pub fn init_early<M: PhysMemory + ?Sized>(
        &mut self,
        mem: &mut M,
        source: &mut dyn PageSource,
        mut how: EarlyInit<'_>,
    ) -> Result<InitOutcome, InitError> {
        self.check_settings()?;
        if !how.has_addressing_limit && !self.boot.force {
            return Ok(InitOutcome::NotNeeded);
        }
        if self.boot.noforce {
            return Ok(InitOutcome::Disabled);
        }
        if self.is_allocated() {
            return Ok(InitOutcome::AlreadyActive);
        }
        self.allocators[0].is_forced = self.boot.force;
        self.set_areas_from_cpus();
        let growth_limit = if how.is_anywhere {
            self.shared.platform.last_ram().raw()
        } else {
            0xffff_ffff
        };
        self.allow_growth(how.remap.is_none(), growth_limit);
        let asked = self.boot.default_slots();
        let mut slots = asked;
        let mut areas = limit_areas(self.boot.default_areas(), slots);
        let base = loop {
            match self.alloc_early(source, &mut how, slots) {
                Ok(base) => break base,
                Err(cause) if slots <= MIN_SLOTS => return Err(cause),
                Err(_) => {}
            }
            slots = align_up(slots / 2, u64::from(SLOT_SET_SLOTS));
            areas = limit_areas(areas, slots);
        };
        if slots != asked {
            self.say(Message::SizeReduced {
                from: asked,
                to: slots,
            });
            self.boot.reduce_default_slots(slots);
        }
        let geometry = self.start_default(mem, source, (base, slots, areas), false)?;
        if how.is_verbose {
            self.print_info();
        }
        Ok(InitOutcome::Ready(geometry))
    }

    fn check_settings(&self) -> Result<(), InitError> {
        self.shared.platform.check()?;
        self.boot.options.check()
    }

    /// Puts a pool of base, slots and areas on the memory that was given, which a late start has
    /// shared by now. If that fails, the memory goes back to where it came from.
    fn start_default<M: PhysMemory + ?Sized>(
        &mut self,
        mem: &mut M,
        source: &mut dyn PageSource,
        (base, slots, areas): (PhysAddr, u64, u32),
        is_late: bool,
    ) -> Result<PoolGeometry, InitError> {
        let page_bytes = self.shared.platform.page_size.bytes();
        let bytes = align_up(slots.wrapping_mul(SLOT_BYTES), page_bytes);
        let result = PoolGeometry::checked(base, slots, areas).and_then(|geometry| {
            self.add_pool(mem, AllocatorId::DEFAULT, geometry, is_late)?;
            Ok(geometry)
        });
        if result.is_err() {
            let block = Block {
                base,
                bytes,
                origin: PageOrigin::Boot,
                is_shared: is_late && self.allocators[0].is_shared,
            };
            self.give_back(source, &block);
        }
        result
    }

    /// Asks for boot memory once.
    fn alloc_early(
        &mut self,
        source: &mut dyn PageSource,
        how: &mut EarlyInit<'_>,
        slots: u64,
    ) -> Result<PhysAddr, InitError> {
        let page_bytes = self.shared.platform.page_size.bytes();
        let bytes = align_up(slots.wrapping_mul(SLOT_BYTES), page_bytes);
        let limit = if how.is_anywhere {
            PhysAddr::INVALID
        } else {
            PhysAddr::new(0xffff_ffff)
        };
        // What no 64-bit address space holds is not asked for.
        let base = u32::try_from(slots).ok().filter(|&slots| slots > 0);
        let base = base.and_then(|_| {
            source.alloc(&PageRequest {
                origin: PageOrigin::Boot,
                bytes,
                align: page_bytes,
                zone: Zone::Normal,
                limit,
                is_blocking: true,
            })
        });
        let Some(base) = base else {
            self.say(Message::PoolAllocFailed { bytes });
            return Err(InitError::NoMemory { bytes });
        };
        if let Some(remap) = &mut how.remap
            && let Err(code) = remap(base, bytes)
        {
            source.free(base, bytes);
            self.say(Message::RemapFailed { bytes });
            return Err(InitError::RemapFailed { bytes, code });
        }
        Ok(base)
    }

    /// Makes the default pool from the page allocator, after boot (`swiotlb_init_late`).
    ///
    /// # Errors
    /// If no block above 1 MiB could be had: a size of 1 MiB or less always fails. Or if the pages
    /// could not be shared; they are lost then, and counted. Or if platform or options are
    /// impossible, as at boot.
    pub fn init_late<M: PhysMemory + ?Sized>(
        &mut self,
        mem: &mut M,
        source: &mut dyn PageSource,
        bytes: u64,
        zone: Zone,
        mut remap: Option<Remap<'_>>,
    ) -> Result<InitOutcome, InitError> {
        self.check_settings()?;
        if self.is_allocated() {
            return Ok(InitOutcome::AlreadyActive);
        }
        if self.boot.noforce {
            return Ok(InitOutcome::Disabled);
        }
        self.allocators[0].is_forced = self.boot.force;
        self.set_areas_from_cpus();
        self.allow_growth(remap.is_none(), self.late_limit(zone));
        let mut slots = align_up(bytes / SLOT_BYTES, u64::from(SLOT_SET_SLOTS));
        let mut is_reduced = false;
        let base = loop {
            let (base, found, tries) = self.alloc_late(source, slots, zone)?;
            is_reduced |= tries > 1;
            slots = found;
            let bytes = slots * SLOT_BYTES;
            let Some(remap) = &mut remap else { break base };
            let Err(code) = remap(base, bytes) else {
                break base;
            };
            source.free(base, bytes);
            slots = align_up(slots / 2, u64::from(SLOT_SET_SLOTS));
            if slots < MIN_SLOTS {
                return Err(InitError::RemapFailed { bytes, code });
            }
            is_reduced = true;
        };
        let bytes = slots * SLOT_BYTES;
        if is_reduced {
            self.say(Message::OnlyAbleToAllocate { mib: bytes >> 20 });
        }
        let areas = limit_areas(self.boot.default_areas(), slots);
        if self.allocators[0].is_shared {
            source.make_shared(base, bytes).map_err(|code| {
                self.count_leaked(bytes);
                InitError::ShareFailed { code }
            })?;
        }
        let geometry = self.start_default(mem, source, (base, slots, areas), true)?;
        self.print_info();
        Ok(InitOutcome::Ready(geometry))
    }

    /// Returns the highest address of a zone.
    fn late_limit(&self, zone: Zone) -> u64 {
        let platform = &self.shared.platform;
        match zone {
            Zone::Normal => platform.last_ram().raw(),
            Zone::Dma32 => platform.zone_dma_limit.unwrap_or(0).max(0xffff_ffff),
            Zone::Dma => platform.zone_dma_limit.unwrap_or(0xffff_ffff),
        }
    }

    /// Asks the page allocator for smaller and smaller blocks. Returns the block, its slots, and
    /// how often it asked.
    fn alloc_late(
        &self,
        source: &mut dyn PageSource,
        slots: u64,
        zone: Zone,
    ) -> Result<(PhysAddr, u64, u32), InitError> {
        let platform = &self.shared.platform;
        let page = platform.page_size;
        let limit = self.late_limit(zone);
        let mut last_bytes = 0;
        let mut tries = 0;
        if slots > 0 {
            let mut order = page.order_of(slots.saturating_mul(SLOT_BYTES));
            while page.slots() << order > MIN_SLOTS {
                tries += 1;
                last_bytes = page.bytes().checked_shl(order).unwrap_or(u64::MAX);
                let request = PageRequest {
                    origin: PageOrigin::Pages,
                    bytes: last_bytes,
                    align: page.bytes(),
                    zone,
                    limit: PhysAddr::new(limit),
                    is_blocking: true,
                };
                let is_possible = page.slots() << order <= u64::from(u32::MAX);
                if is_possible && let Some(base) = source.alloc(&request) {
                    return Ok((base, page.slots() << order, tries));
                }
                order -= 1;
            }
        }
        Err(InitError::NoMemory { bytes: last_bytes })
    }

    /// Shares the pages of the default pool if memory is encrypted. To be called once, after boot
    /// and before the first mapping.
    pub fn update_mem_attributes(&mut self, source: &mut dyn PageSource) -> MemAttributes {
        let is_shared = self.shared.platform.cc != CcPlatform::None;
        let page_bytes = self.shared.platform.page_size.bytes();
        let allocator = &mut self.allocators[0];
        allocator.is_shared = is_shared;
        let Some(pool) = allocator.pools.first() else {
            return MemAttributes::Unchanged;
        };
        if !is_shared || pool.is_late {
            return MemAttributes::Unchanged;
        }
        let bytes = align_up(pool.geometry.bytes(), page_bytes);
        if source.make_shared(pool.base(), bytes).is_ok() {
            return MemAttributes::Shared;
        }
        pool.disable();
        self.say(Message::DecryptDefaultFailed);
        MemAttributes::PoolDisabled
    }

    /// Gives the default pool back (`swiotlb_exit`). Returns the bytes freed: 0 if bouncing is
    /// forced, there is no pool, or its pages could not be made private again: those are
    /// lost, and counted.
    pub fn exit(&mut self, source: &mut dyn PageSource) -> u64 {
        if self.boot.force || self.allocators[0].pools.first().is_none() {
            return 0;
        }
        self.say(Message::TearingDown);
        let page_bytes = self.shared.platform.page_size.bytes();
        let allocator = &mut self.allocators[0];
        let is_shared = allocator.is_shared;
        let pools = allocator.clear();
        let mut freed = 0;
        for pool in pools {
            let block = pool.block.unwrap_or(Block {
                base: pool.base(),
                bytes: align_up(pool.geometry.bytes(), page_bytes),
                origin: PageOrigin::Boot,
                is_shared,
            });
            freed += self.give_back(source, &block);
        }
        freed
    }

    /// Tells where the default pool lies, or that there is none (`swiotlb_print_info`).
    pub fn print_info(&self) {
        let message = match self.allocators[0].pools.first() {
            None => Message::NoLowMem,
            Some(pool) => Message::Mapped {
                start: pool.base(),
                end: pool.end(),
                mib: pool.geometry.bytes() >> 20,
            },
        };
        self.say(message);
    }

    fn set_areas_from_cpus(&mut self) {
        self.boot
            .set_areas_from_cpus(self.shared.platform.possible_cpus);
        for message in std::mem::take(&mut self.boot.messages) {
            self.say(message);
        }
    }

    pub(crate) fn say(&self, message: Message) {
        self.shared.log.push(None, message);
    }
}
