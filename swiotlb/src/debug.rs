//! dma-debug: keeps a book of all mappings, and objects to calls that do not fit it.
//!
//! As the kernel's `CONFIG_DMA_API_DEBUG`, the layer changes nothing: it only watches. The mapping
//! layer calls one method here for each call of a driver, see [`crate::Dma::with_debug`]; programs
//! that model a mapping layer of their own may call them too.

mod cachelines;
mod caller;
mod entry;
mod error;
mod error_text;
mod files;
mod layout;
mod map;
mod misuse;
mod options;
mod ownership;
mod report;
mod sync;
mod table;
mod unmap;

pub use caller::Caller;
pub use entry::{ErrorCheck, MappingKind};
pub use error::DmaDebugError;
pub use files::{DmaDebugFile, DmaDebugFileError};
pub use layout::{KernelLayout, StackRange};
pub use map::{MapContext, MappedRange, MappedSegment};
pub use misuse::{MapMisuse, MisuseReport};
pub use options::{DebugParamWarning, DmaDebugOptions};
pub use ownership::{Breach, Held, Ownership, OwnershipBreach, OwnershipId};
pub use report::DebugReport;

use std::collections::BTreeMap;

use crate::attrs::Attrs;
use crate::debug::cachelines::{CacheLines, MAX_OVERLAP, Tracked};
use crate::debug::entry::{Claim, Entry};
use crate::debug::report::ErrorLog;
use crate::debug::table::Table;
use crate::device::{Device, DeviceId};
use crate::direction::DataDirection;

/// Names of a device as messages show them.
#[derive(Debug, Clone)]
struct Names {
    driver: String,
    device: String,
}

/// The debug layer (`kernel/dma/debug`).
#[derive(Debug)]
pub struct DmaDebug {
    is_disabled: bool,
    initial_entries: u32,
    overlaps_matter: bool,
    has_extra_checks: bool,
    layout: KernelLayout,
    table: Table,
    lines: CacheLines,
    log: ErrorLog,
    names: BTreeMap<DeviceId, Names>,
    caller: Caller,
    misuses: Vec<MisuseReport>,
    has_told_overlaps: bool,
    has_told_device_memory: bool,
}

impl DmaDebug {
    /// Starts the layer (`dma_debug_init`). Without memory for a single entry it starts disabled.
    #[must_use]
    pub fn new(options: DmaDebugOptions) -> Self {
        let pages = if options.is_off {
            0
        } else {
            options.memory_pages
        };
        let mut debug = Self {
            is_disabled: options.is_off,
            initial_entries: options.entries,
            overlaps_matter: options.cache_alignment >= options.l1_line_bytes,
            has_extra_checks: options.has_extra_checks,
            layout: options.layout,
            table: Table::new(options.entries, pages),
            lines: CacheLines::new(options.l1_line_bytes, options.cacheline_capacity),
            log: ErrorLog::new(options.driver),
            names: BTreeMap::new(),
            caller: Caller::default(),
            misuses: Vec::new(),
            has_told_overlaps: false,
            has_told_device_memory: false,
        };
        if !debug.is_disabled && pages == 0 {
            debug.disable(DmaDebugError::OutOfMemory);
        }
        debug
    }

    /// Returns whether the layer is off; it cannot be turned on again.
    #[must_use]
    pub const fn is_disabled(&self) -> bool {
        self.is_disabled
    }

    /// Returns the number of all errors, shown or not (`error_count`).
    #[must_use]
    pub const fn error_count(&self) -> u32 {
        self.log.error_count
    }

    /// Returns how many mappings are live.
    #[must_use]
    pub fn live_entries(&self) -> usize {
        let counts = self.table.counts();
        (counts.total - counts.free) as usize
    }

    /// Returns the ranges by which addresses are judged.
    #[must_use]
    pub const fn layout(&self) -> &KernelLayout {
        &self.layout
    }

    /// Returns the ranges by which addresses are judged, for changing them.
    pub const fn layout_mut(&mut self) -> &mut KernelLayout {
        &mut self.layout
    }

    /// Says who makes the calls that follow.
    pub fn set_caller(&mut self, caller: Caller) {
        self.caller = caller;
    }

    /// Shows only errors of one driver (`driver_filter`): the first word counts, and a text that
    /// does not begin with a letter or digit shows those of all.
    pub fn set_filter(&mut self, text: &str) {
        self.log.set_filter(text);
    }

    /// Takes what was found since the last call, errors that are not shown included.
    pub fn take_reports(&mut self) -> Vec<DebugReport> {
        self.log.take()
    }

    /// Judges what a driver leaves behind when it leaves its device.
    pub fn driver_unbound(&mut self, dev: &Device) {
        if self.is_disabled {
            return;
        }
        let mut count = 0;
        let mut one = None;
        for (_, entry) in self.table.all() {
            if entry.claim.device == dev.id() {
                count += 1;
                one.get_or_insert_with(|| (entry.claim, entry.mapper.clone()));
            }
        }
        if let Some((claim, mapper)) = one {
            let error = DmaDebugError::PendingAllocations {
                count,
                addr: claim.dma,
                bytes: claim.bytes,
                dir: claim.dir,
                kind: claim.kind,
            };
            self.report(dev, error, Some(mapper));
        }
    }

    /// Enters a mapping, and objects to a cache line that is mapped already.
    fn add(&mut self, dev: &Device, entry: Entry, kmalloc_bounces: bool) {
        self.names.entry(dev.id()).or_insert_with(|| Names {
            driver: dev.driver().to_owned(),
            device: dev.name().to_owned(),
        });
        match self.table.reserve() {
            Ok(None) => {}
            Ok(Some(entries)) => {
                let percent = (entries / self.initial_entries.max(1)).saturating_mul(100);
                self.notice(DmaDebugError::PoolGrown { entries, percent });
            }
            Err(table::OutOfMemory) => return self.disable(DmaDebugError::OutOfMemory),
        }
        let claim = entry.claim;
        self.table.insert(entry);
        self.track_line(dev, &claim, kmalloc_bounces);
    }

    fn disable(&mut self, why: DmaDebugError) {
        self.is_disabled = true;
        self.notice(why);
    }

    fn notice(&mut self, error: DmaDebugError) {
        let report = DebugReport {
            error,
            driver: String::new(),
            device: String::new(),
            caller: self.caller.clone(),
            mapper: None,
            is_shown: true,
        };
        self.log.push(report);
    }

    fn report(&mut self, dev: &Device, error: DmaDebugError, mapper: Option<Caller>) {
        self.log.push(DebugReport {
            error,
            driver: dev.driver().to_owned(),
            device: dev.name().to_owned(),
            caller: self.caller.clone(),
            mapper,
            is_shown: false,
        });
    }

    /// Tracks the first cache line of a mapping that the device may write.
    fn track_line(&mut self, dev: &Device, claim: &Claim, kmalloc_bounces: bool) {
        if claim.dir == DataDirection::ToDevice {
            return;
        }
        match self.lines.insert(claim.phys, claim.attrs) {
            Tracked::New => {}
            Tracked::NoMemory => self.disable(DmaDebugError::CachelineNoMemory),
            Tracked::Overlaps {
                is_harmless,
                is_saturated,
            } => {
                if is_saturated && !self.has_told_overlaps {
                    self.has_told_overlaps = true;
                    let line = self.lines.line_of(claim.phys);
                    let max = MAX_OVERLAP;
                    self.notice(DmaDebugError::TooManyOverlaps { max, line });
                }
                let is_meant = claim.attrs.contains(Attrs::SKIP_CPU_SYNC) || is_harmless;
                if !is_meant && self.overlaps_matter && !kmalloc_bounces {
                    let mapper = self.caller.clone();
                    self.report(dev, DmaDebugError::CachelineExists, Some(mapper));
                }
            }
        }
    }

    fn untrack_line(&mut self, claim: &Claim) {
        if claim.dir != DataDirection::ToDevice {
            self.lines.remove(claim.phys);
        }
    }
}
