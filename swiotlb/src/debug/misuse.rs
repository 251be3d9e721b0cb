//! Checks at map time that the kernel does not have: requests that no driver should make.

use std::fmt;

use crate::addr::DmaAddr;
use crate::debug::DmaDebug;
use crate::debug::caller::Caller;
use crate::debug::map::{MappedRange, crosses, first_and_last};
use crate::device::Device;
use crate::direction::DataDirection;

/// A request that a driver should not make, though the kernel says nothing. Sizes are in bytes.
/// Checked only if [`crate::DmaDebugOptions::has_extra_checks`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MapMisuse {
    /// X8: longer than `dma_max_mapping_size`.
    AboveMaxMapping {
        /// Length asked for.
        bytes: u64,
        /// Longest mapping.
        max: u64,
    },
    /// X8: longer than the device's longest segment.
    AboveMaxSegment {
        /// Length asked for.
        bytes: u64,
        /// Longest segment.
        max: u32,
    },
    /// X8: the mapping crosses the device's segment boundary.
    AcrossBoundary {
        /// First address.
        start: DmaAddr,
        /// Last address.
        end: DmaAddr,
        /// The boundary as a mask.
        boundary: u64,
    },
    /// X11: nothing is mapped.
    ZeroLength,
    /// X11: the direction is none.
    NoDirection,
    /// X11: the driver never set a mask, and relies on the bus's default.
    MaskNeverSet,
}

impl MapMisuse {
    /// Returns the number of the check, `X8` or `X11`.
    #[must_use]
    pub const fn id(&self) -> &'static str {
        match self {
            Self::AboveMaxMapping { .. }
            | Self::AboveMaxSegment { .. }
            | Self::AcrossBoundary { .. } => "X8",
            Self::ZeroLength | Self::NoDirection | Self::MaskNeverSet => "X11",
        }
    }
}

impl fmt::Display for MapMisuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AboveMaxMapping { bytes, max } => write!(
                f,
                "mapping is too long: expected at most dma_max_mapping_size = {max}, found {bytes} bytes"
            ),
            Self::AboveMaxSegment { bytes, max } => write!(
                f,
                "mapping is too long: expected at most dma_get_max_seg_size = {max}, found {bytes} bytes"
            ),
            Self::AcrossBoundary {
                start,
                end,
                boundary,
            } => write!(
                f,
                "mapping crosses the device's boundary: expected no multiple of {:#x}, found \
                 dma {start} to {end}",
                boundary.wrapping_add(1)
            ),
            Self::ZeroLength => {
                f.write_str("mapping is empty: expected at least one byte, found 0")
            }
            Self::NoDirection => {
                f.write_str("mapping has no direction: expected one, found DMA_NONE")
            }
            Self::MaskNeverSet => {
                f.write_str("mapping without a mask: expected a dma_set_mask before, found none")
            }
        }
    }
}

/// A misuse with its circumstances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MisuseReport {
    /// What was found.
    pub misuse: MapMisuse,
    /// Name of the device.
    pub device: String,
    /// Who made the call.
    pub caller: Caller,
}

impl fmt::Display for MisuseReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}, by {}", self.device, self.misuse, self.caller)
    }
}

impl DmaDebug {
    /// Judges a request before it is mapped. `max_bytes` is the device's `dma_max_mapping_size`.
    pub fn map_requested(&mut self, dev: &Device, bytes: u64, dir: DataDirection, max_bytes: u64) {
        if self.is_disabled || !self.has_extra_checks {
            return;
        }
        let found = [
            (bytes == 0).then_some(MapMisuse::ZeroLength),
            (dir == DataDirection::None).then_some(MapMisuse::NoDirection),
            (!dev.has_set_mask()).then_some(MapMisuse::MaskNeverSet),
            (bytes > max_bytes).then_some(MapMisuse::AboveMaxMapping {
                bytes,
                max: max_bytes,
            }),
        ];
        for misuse in found.into_iter().flatten() {
            self.misused(dev, misuse);
        }
    }

    /// Returns whether the checks run that the kernel does not have.
    #[must_use]
    pub const fn has_extra_checks(&self) -> bool {
        self.has_extra_checks && !self.is_disabled
    }

    /// Takes the misuses found since the last call.
    pub fn take_misuses(&mut self) -> Vec<MisuseReport> {
        std::mem::take(&mut self.misuses)
    }

    /// Judges a single mapping by the limits that the kernel only applies to lists.
    pub(super) fn check_single_segment(&mut self, dev: &Device, range: &MappedRange) {
        if self.is_disabled || !self.has_extra_checks || range.bytes == 0 {
            return;
        }
        let (bytes, max) = (range.bytes, dev.max_segment_bytes());
        if bytes > u64::from(max) {
            self.misused(dev, MapMisuse::AboveMaxSegment { bytes, max });
        }
        let boundary = dev.seg_boundary_mask();
        let (start, end) = first_and_last(range.dma, bytes);
        if crosses(start, end, boundary) {
            let misuse = MapMisuse::AcrossBoundary {
                start,
                end,
                boundary,
            };
            self.misused(dev, misuse);
        }
    }

    fn misused(&mut self, dev: &Device, misuse: MapMisuse) {
        self.misuses.push(MisuseReport {
            misuse,
            device: dev.name().to_owned(),
            caller: self.caller.clone(),
        });
    }
}
