//! A debug layer on its own, and shorthand for what it is told.
#![allow(dead_code, reason = "each test file uses its part")]

use swiotlb::{
    Attrs, Caller, CpuId, DataDirection, Device, DmaAddr, DmaDebug, DmaDebugError, DmaDebugFile,
    DmaDebugOptions, MapContext, MappedRange, MappedSegment, PhysAddr, RamRange,
};

pub(crate) const TO: DataDirection = DataDirection::ToDevice;
pub(crate) const FROM: DataDirection = DataDirection::FromDevice;
pub(crate) const BOTH: DataDirection = DataDirection::Bidirectional;
pub(crate) const CONTEXT: MapContext = MapContext {
    cpu: CpuId(0),
    kmalloc_bounces: false,
};

pub(crate) fn device() -> Device {
    Device::new("0000:01:00.0").with_driver("e1000")
}

pub(crate) fn ram(start: u64, bytes: u64) -> RamRange {
    RamRange {
        start: PhysAddr::new(start),
        bytes,
    }
}

/// A mapping whose DMA address is its physical one.
pub(crate) fn range(addr: u64, bytes: u64, dir: DataDirection) -> MappedRange {
    MappedRange {
        phys: PhysAddr::new(addr),
        dma: DmaAddr::new(addr),
        bytes,
        dir,
        attrs: Attrs::NONE,
    }
}

pub(crate) fn with_attrs(range: MappedRange, attrs: Attrs) -> MappedRange {
    MappedRange { attrs, ..range }
}

/// Segments of one page each.
pub(crate) fn pages(addrs: &[u64]) -> Vec<MappedSegment> {
    let segment = |addr: &u64| MappedSegment {
        phys: PhysAddr::new(*addr),
        bytes: 4096,
        dma: DmaAddr::new(*addr),
        dma_bytes: 4096,
    };
    addrs.iter().map(segment).collect()
}

/// A debug layer with the device that it watches.
pub(crate) struct Bench {
    pub(crate) dev: Device,
    pub(crate) debug: DmaDebug,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(|_| ())
    }

    pub(crate) fn with(change: impl FnOnce(&mut DmaDebugOptions)) -> Self {
        let mut options = DmaDebugOptions::default();
        change(&mut options);
        Self {
            dev: device(),
            debug: DmaDebug::new(options),
        }
    }

    /// Maps without asking for an error.
    pub(crate) fn map(&mut self, range: MappedRange) {
        self.debug.map_phys(&self.dev, &range, CONTEXT);
    }

    /// Maps and asks for an error, as a driver should.
    pub(crate) fn map_checked(&mut self, range: MappedRange) {
        self.map(range);
        self.debug.mapping_error(&self.dev, range.dma);
    }

    pub(crate) fn unmap(&mut self, range: MappedRange) {
        self.debug.unmap_phys(&self.dev, &range);
    }

    pub(crate) fn map_sg(&mut self, segments: &[MappedSegment], dir: DataDirection) {
        let mapped = segments.len();
        self.debug
            .map_sg(&self.dev, segments, mapped, dir, Attrs::NONE, CONTEXT);
    }

    pub(crate) fn unmap_sg(&mut self, segments: &[MappedSegment], dir: DataDirection) {
        self.debug.unmap_sg(&self.dev, segments, dir, Attrs::NONE);
    }

    pub(crate) fn sync_for_cpu(&mut self, addr: u64, bytes: u64, dir: DataDirection) {
        self.debug
            .sync_single_for_cpu(&self.dev, DmaAddr::new(addr), bytes, dir);
    }

    pub(crate) fn sync_for_device(&mut self, addr: u64, bytes: u64, dir: DataDirection) {
        self.debug
            .sync_single_for_device(&self.dev, DmaAddr::new(addr), bytes, dir);
    }

    pub(crate) fn call_from(&mut self, cpu: u32, cycle: u64, label: &str) {
        let caller = Caller::new(CpuId(cpu), cycle).with_label(label);
        self.debug.set_caller(caller);
    }

    pub(crate) fn errors(&mut self) -> Vec<DmaDebugError> {
        let reports = self.debug.take_reports();
        reports.into_iter().map(|report| report.error).collect()
    }

    /// Numbers of the checks that have fired since the last call.
    pub(crate) fn ids(&mut self) -> Vec<&'static str> {
        self.errors().iter().map(DmaDebugError::id).collect()
    }

    /// Texts of what was found since the last call.
    pub(crate) fn texts(&mut self) -> Vec<String> {
        self.errors().iter().map(ToString::to_string).collect()
    }

    pub(crate) fn file(&self, file: DmaDebugFile) -> String {
        self.debug.read_file(file).trim_end().to_owned()
    }
}
