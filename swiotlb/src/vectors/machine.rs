//! One scenario: the allocator, its devices and its memory, and what a row does to them.

use super::data;
use super::difference::{Cause, Difference};
use super::error::BadLine;
use super::outcome::Outcome;
use super::query::{list, pool_list};
use super::row::{Op, Row};
use super::script::{Expected, Script};
use super::setup::{Cc, DeviceLine, InitLine, RangeLine, ScenarioLine};
use crate::addr::{DmaAddr, PhysAddr};
use crate::area::CpuId;
use crate::bounce::BounceRequest;
use crate::cc::{AddressMarker, CcPlatform};
use crate::device::{Device, DmaRange, bit_mask};
use crate::error::{InitError, MapError, SyncError, UnmapError};
use crate::init::EarlyInit;
use crate::memory::MemoryError;
use crate::page_source::PageOrigin;
use crate::platform::{PageSize, Platform, RamRange};
use crate::policy::Policy;
use crate::pool::AllocatorId;
use crate::restricted::RestrictedRegion;
use crate::sizing::{BootConfig, BootOptions};
use crate::sparse_memory::SparseMemory;
use crate::swiotlb::{Mode, Swiotlb};

/// A running scenario.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) mem: SparseMemory,
    pub(super) swiotlb: Swiotlb,
    script: Script,
    devices: Vec<Option<Device>>,
    /// Allocators of the restricted pools, by number.
    restricted: Vec<Option<AllocatorId>>,
}

/// Returns the kernel parameter that a scenario was started with.
fn parameter(scenario: &ScenarioLine) -> String {
    let number = |value: u64| {
        if value == 0 {
            String::new()
        } else {
            value.to_string()
        }
    };
    format!(
        "{},{},{},{}",
        number(scenario.slots),
        number(u64::from(scenario.areas)),
        if scenario.is_forced { "force" } else { "" },
        if scenario.is_tracking {
            "track_hiwater"
        } else {
            ""
        },
    )
}

fn platform(scenario: &ScenarioLine) -> Platform {
    Platform {
        page_size: PageSize::Size4KiB,
        possible_cpus: scenario.cpus,
        ram: vec![RamRange {
            start: PhysAddr::new(0),
            bytes: scenario.mem_end,
        }],
        zone_dma_limit: Some(bit_mask(24)),
        cc: match scenario.cc {
            Cc::None => CcPlatform::None,
            Cc::Guest => CcPlatform::Guest(AddressMarker::None),
            Cc::Host => CcPlatform::Host { encryption_bit: 63 },
        },
        kmalloc: None,
    }
}

pub(super) fn outside(cause: &MemoryError) -> BadLine {
    BadLine::new("addr", "bytes within the ranges of @mem", cause.to_string())
}

impl Machine {
    /// Starts a scenario from its boot parameters. Also returns what came out otherwise than
    /// `@init` says.
    pub(super) fn start(
        mut mem: SparseMemory,
        scenario: &ScenarioLine,
        ranges: &[RangeLine],
        init: &InitLine,
    ) -> Result<(Self, Option<Difference>), BadLine> {
        let ranges: Vec<RamRange> = ranges
            .iter()
            .map(|range| RamRange {
                start: PhysAddr::new(range.base),
                bytes: range.bytes,
            })
            .collect();
        mem.reset(&ranges)
            .map_err(|cause| BadLine::new("@mem", "possible memory", cause.to_string()))?;
        let policy = if scenario.is_dynamic {
            Policy::DynamicPools
        } else {
            Policy::Static
        };
        let mut boot = BootConfig::new(BootOptions {
            policy,
            ..BootOptions::default()
        });
        boot.parse(&parameter(scenario));
        if scenario.adjust_bytes != 0 {
            boot.adjust_size(scenario.adjust_bytes);
        }
        let mut swiotlb = Swiotlb::new(platform(scenario), boot, Mode::Kernel);
        let mut script = Script::default();
        swiotlb.set_page_source(Box::new(script.clone()));
        let origin = match init.late {
            None => PageOrigin::Boot,
            Some(_) => PageOrigin::Pages,
        };
        script.expect(init.requests.iter().map(|&(bytes, answer)| Expected {
            origin,
            bytes,
            answer,
        }));
        let result = match init.late {
            None => {
                let how = EarlyInit {
                    has_addressing_limit: true,
                    is_anywhere: scenario.is_anywhere,
                    ..EarlyInit::default()
                };
                let result = swiotlb.init_early(&mut mem, &mut script, how);
                swiotlb.update_mem_attributes(&mut script);
                result
            }
            Some((bytes, zone)) => {
                swiotlb.update_mem_attributes(&mut script);
                swiotlb.init_late(&mut mem, &mut script, bytes, zone, None)
            }
        };
        if let Err(InitError::Memory(cause)) = &result {
            return Err(outside(cause));
        }
        let requests = script.difference();
        let machine = Self {
            mem,
            swiotlb,
            script,
            devices: Vec::new(),
            restricted: Vec::new(),
        };
        let difference = machine.start_difference(init, &result, requests);
        Ok((machine, difference))
    }

    /// Gives the memory back, to be used again.
    pub(super) fn into_memory(self) -> SparseMemory {
        self.mem
    }

    /// Makes a restricted pool known.
    pub(super) fn add_restricted(&mut self, id: u32, range: RangeLine) -> Result<(), BadLine> {
        let region = RestrictedRegion {
            name: format!("R{id}"),
            base: PhysAddr::new(range.base),
            bytes: range.bytes,
        };
        let allocator = self
            .swiotlb
            .add_restricted(region)
            .map_err(|cause| BadLine::new("@restricted", "a possible pool", cause.to_string()))?;
        put(&mut self.restricted, id, allocator);
        Ok(())
    }

    /// Attaches a device.
    pub(super) fn add_device(&mut self, line: &DeviceLine) -> Result<(), BadLine> {
        let ranges = if line.dma_offset == 0 {
            Vec::new()
        } else {
            vec![DmaRange {
                cpu_start: PhysAddr::new(0),
                dma_start: DmaAddr::new(line.dma_offset),
                bytes: u64::MAX,
            }]
        };
        let mut dev = Device::new(format!("dev{}", line.id))
            .with_masks(line.dma_mask)
            .with_bus_limit(line.bus_limit)
            .with_ranges(ranges)
            .with_min_align_mask(line.min_align_mask)
            .with_seg_boundary(line.seg_boundary_mask)
            .with_unencrypted(line.needs_unencrypted);
        dev.set_skips_sync(true);
        if let Some(number) = line.restricted {
            let id = self.restricted.get(number as usize).copied().flatten();
            let known = "the number of a @restricted line";
            let id = id.ok_or_else(|| BadLine::new("alloc", known, format!("R{number}")))?;
            self.swiotlb
                .attach_restricted(&mut self.mem, &mut self.script, &mut dev, id)
                .map_err(|cause| BadLine::new("alloc", "a possible pool", cause.to_string()))?;
        }
        put(&mut self.devices, line.id, dev);
        Ok(())
    }

    /// Carries out a row and compares. Returns the first cell that differs.
    pub(super) fn run(&mut self, row: &Row<'_>) -> Result<Option<Difference>, BadLine> {
        let id = match row.device() {
            None => AllocatorId::DEFAULT,
            Some(_) => device(&self.devices, row)?.allocator(),
        };
        self.fill(row)?;
        self.expect_pages(row)?;
        let (outcome, cause) = self.call(row, id)?;
        if !outcome.matches(row.result) {
            return Ok(Some(self.explain_result(row, id, &outcome, cause)));
        }
        if let Some(expected) = row.used {
            let got = self
                .swiotlb
                .stats(id)
                .map_or(0, |stats| stats.counted_slots);
            if got != expected {
                return Ok(Some(Difference {
                    cell: "used",
                    expected: expected.to_string(),
                    got: got.to_string(),
                    explanation: "slots in use in all pools of the allocator after the call"
                        .to_owned(),
                }));
            }
        }
        if let Some((expected, got)) = self.script.difference() {
            return Ok(Some(Difference {
                cell: "pages",
                expected,
                got,
                explanation: "requests to the page source, in order".to_owned(),
            }));
        }
        self.compare_sums(row, cause)
    }

    /// Writes what the row's seed asks for.
    fn fill(&mut self, row: &Row<'_>) -> Result<(), BadLine> {
        let Some(seed) = row.seed else {
            return Ok(());
        };
        let addr = match row.op {
            Op::SyncDevice => row.orig()?,
            _ => row.addr()?,
        };
        data::fill(&mut self.mem, addr, row.bytes()?, seed).map_err(|cause| outside(&cause))
    }

    /// Makes the page source ready for the row.
    fn expect_pages(&self, row: &Row<'_>) -> Result<(), BadLine> {
        let mut expected = Vec::new();
        for request in row.pages.split(|&byte| byte == b';') {
            if request.is_empty() {
                continue;
            }
            expected.push(Expected::parse(request).ok_or_else(|| {
                let got = String::from_utf8_lossy(request).into_owned();
                BadLine::new("pages", "P:bytes=answer or A:bytes=answer", got)
            })?);
        }
        self.script.expect(expected.into_iter());
        Ok(())
    }

    /// Makes the row's call.
    fn call(&mut self, row: &Row<'_>, id: AllocatorId) -> Result<(Outcome, Cause), BadLine> {
        let plain = |outcome: Outcome| Ok((outcome, Cause::None));
        match row.op {
            Op::Map => self.map(row, row.align_mask()?),
            Op::DmaMap => self.map(row, 0),
            Op::Unmap => self.unmap(row),
            Op::SyncCpu | Op::SyncDevice => self.sync(row),
            Op::Find => {
                let dev = device(&self.devices, row)?;
                let geometry = self.swiotlb.pool_at(dev, PhysAddr::new(row.addr()?));
                plain(geometry.map_or(Outcome::Word("NONE"), |geometry| {
                    Outcome::Address(geometry.base.raw())
                }))
            }
            Op::Alloc => {
                let dev = device(&self.devices, row)?;
                let cpu = CpuId(row.cpu()?);
                match self.swiotlb.alloc(dev, row.bytes()?, row.attrs, cpu) {
                    Ok(addr) => plain(Outcome::Address(addr.raw())),
                    Err(cause) => Ok((Outcome::Word("FAIL"), Cause::Alloc(cause))),
                }
            }
            Op::Free => {
                let dev = device(&self.devices, row)?;
                let released = self.swiotlb.free(dev, PhysAddr::new(row.addr()?));
                plain(Outcome::Word(if released.is_some() {
                    "OK"
                } else {
                    "NOPOOL"
                }))
            }
            Op::Worker => plain(match self.swiotlb.grow_if_asked(&mut self.mem) {
                None => Outcome::Word("NONE"),
                Some(Ok(geometry)) => pool_list([geometry].into_iter()),
                Some(Err(InitError::Memory(cause))) => return Err(outside(&cause)),
                Some(Err(_)) => Outcome::Word("FAIL"),
            }),
            Op::Reap => {
                self.swiotlb.free_dropped_pools();
                plain(list(self.script.take_freed()))
            }
            // The fill was made with the seed.
            Op::Fill => row.seed.map_or_else(
                || Err(BadLine::new("seed", "a value for fill", "an empty cell")),
                |_| plain(Outcome::Nothing),
            ),
            Op::Crc => {
                let crc = data::crc(&self.mem, row.addr()?, row.bytes()?);
                plain(Outcome::Crc(crc.map_err(|cause| outside(&cause))?))
            }
            _ => plain(self.query(row, id)?),
        }
    }

    fn query(&mut self, row: &Row<'_>, id: AllocatorId) -> Result<Outcome, BadLine> {
        let stats = self.swiotlb.stats(id).unwrap_or_default();
        Ok(match row.op {
            Op::IoUsed => Outcome::Number(stats.used_slots),
            Op::Hiwater => Outcome::Number(stats.used_hiwater),
            Op::HiwaterReset => {
                // Zero is the value that may be written.
                let _ = self.swiotlb.reset_hiwater(id, 0);
                Outcome::Number(0)
            }
            Op::Transient => Outcome::Number(stats.transient_slots),
            Op::TransientPools => {
                let pools = self.swiotlb.transient_pools(device(&self.devices, row)?);
                pool_list(pools.into_iter())
            }
            Op::Slots => Outcome::Number(stats.total_slots),
            Op::PoolCount => Outcome::Number(self.swiotlb.pools(id).count() as u64),
            Op::Pools => self.pools_text(id),
            Op::FreeMap => self.free_map(id),
            Op::Areas => self.areas_text(id),
            Op::MaxMapping => self.max_mapping(device(&self.devices, row)?),
            Op::IsActive => self.swiotlb.is_active(device(&self.devices, row)?).into(),
            Op::IsForced => self
                .swiotlb
                .is_force_bounce(device(&self.devices, row)?)
                .into(),
            Op::IsForAlloc => self
                .swiotlb
                .is_for_alloc(device(&self.devices, row)?)
                .into(),
            Op::NeedsSync => (!device(&self.devices, row)?.skips_sync()).into(),
            Op::IsAllocated => self.swiotlb.is_allocated().into(),
            Op::DefaultSize => self.default_size(),
            Op::Limit => self.default_limit(),
            Op::Base => self.default_base(),
            _ => Outcome::Nothing,
        })
    }

    fn map(&mut self, row: &Row<'_>, align_mask: u32) -> Result<(Outcome, Cause), BadLine> {
        let dev = device(&self.devices, row)?;
        let request = BounceRequest {
            orig: PhysAddr::new(row.addr()?),
            bytes: row.bytes()?,
            alloc_align_mask: align_mask,
            dir: row.dir()?,
            attrs: row.attrs,
            cpu: CpuId(row.cpu()?),
        };
        let result = if row.op == Op::Map {
            self.swiotlb
                .tbl_map_single(&mut self.mem, dev, &request)
                .map(|bounce| (bounce.tlb_addr.raw(), bounce))
        } else {
            self.swiotlb
                .map(&mut self.mem, dev, &request)
                .map(|(addr, bounce)| (addr.raw(), bounce))
        };
        match result {
            Ok((addr, bounce)) => Ok((Outcome::Address(addr), Cause::Bounced(bounce))),
            Err(MapError::Memory(cause)) => Err(outside(&cause)),
            Err(cause) => Ok((Outcome::Word("FAIL"), Cause::Map(cause))),
        }
    }

    fn unmap(&mut self, row: &Row<'_>) -> Result<(Outcome, Cause), BadLine> {
        let dev = device(&self.devices, row)?;
        let (addr, bytes) = (PhysAddr::new(row.addr()?), row.bytes()?);
        let (dir, attrs) = (row.dir()?, row.attrs);
        let result = self
            .swiotlb
            .tbl_unmap_single(&mut self.mem, dev, addr, bytes, dir, attrs);
        match result {
            Ok(Some(_)) => Ok((Outcome::Word("OK"), Cause::None)),
            Ok(None) => Ok((Outcome::Word("NOPOOL"), Cause::None)),
            Err(UnmapError::Memory(cause)) => Err(outside(&cause)),
            Err(cause) => Ok((Outcome::Word("FAIL"), Cause::Unmap(cause))),
        }
    }

    fn sync(&mut self, row: &Row<'_>) -> Result<(Outcome, Cause), BadLine> {
        let dev = device(&self.devices, row)?;
        let (addr, bytes, dir) = (PhysAddr::new(row.addr()?), row.bytes()?, row.dir()?);
        let result = if row.op == Op::SyncCpu {
            self.swiotlb
                .sync_single_for_cpu(&mut self.mem, dev, addr, bytes, dir)
        } else {
            self.swiotlb
                .sync_single_for_device(&mut self.mem, dev, addr, bytes, dir)
        };
        match result {
            Ok(Some(_)) => Ok((Outcome::Word("OK"), Cause::None)),
            Ok(None) => Ok((Outcome::Word("NOPOOL"), Cause::None)),
            Err(SyncError::Memory(cause)) => Err(outside(&cause)),
            Err(cause) => Ok((Outcome::Word("FAIL"), Cause::Sync(cause))),
        }
    }
}

/// Stores a value at a number.
fn put<T>(list: &mut Vec<Option<T>>, index: u32, value: T) {
    let index = index as usize;
    if list.len() <= index {
        list.resize_with(index + 1, || None);
    }
    list[index] = Some(value);
}

/// Returns the device of a row.
fn device<'a>(devices: &'a [Option<Device>], row: &Row<'_>) -> Result<&'a Device, BadLine> {
    let number = row.need_device()?;
    let device = devices.get(number as usize).and_then(Option::as_ref);
    device.ok_or_else(|| BadLine::new("dev", "the number of a @dev line", number.to_string()))
}
