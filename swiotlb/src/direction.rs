//! The direction of a transfer, seen from the device.

use std::fmt;

/// Who writes and who reads a mapped buffer (`enum dma_data_direction`).
#[doc(alias = "dma_data_direction")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DataDirection {
    /// The device reads and writes (`DMA_BIDIRECTIONAL`).
    Bidirectional,
    /// The device reads (`DMA_TO_DEVICE`).
    ToDevice,
    /// The device writes (`DMA_FROM_DEVICE`).
    FromDevice,
    /// No direction (`DMA_NONE`): a driver's mistake, refused by every call.
    None,
}

impl DataDirection {
    /// Returns whether the device may read the buffer.
    #[must_use]
    pub const fn reaches_device(self) -> bool {
        matches!(self, Self::ToDevice | Self::Bidirectional)
    }

    /// Returns whether the device may write the buffer.
    #[must_use]
    pub const fn comes_from_device(self) -> bool {
        matches!(self, Self::FromDevice | Self::Bidirectional)
    }
}

impl fmt::Display for DataDirection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bidirectional => "BIDIRECTIONAL",
            Self::ToDevice => "TO_DEVICE",
            Self::FromDevice => "FROM_DEVICE",
            Self::None => "NONE",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_direction_says_who_reads_and_who_writes() {
        let facts = |dir: DataDirection| (dir.reaches_device(), dir.comes_from_device());
        assert_eq!(facts(DataDirection::ToDevice), (true, false));
        assert_eq!(facts(DataDirection::FromDevice), (false, true));
        assert_eq!(facts(DataDirection::Bidirectional), (true, true));
        assert_eq!(facts(DataDirection::None), (false, false));
        assert_eq!(DataDirection::ToDevice.to_string(), "TO_DEVICE");
    }
}
