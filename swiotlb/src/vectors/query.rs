//! Query rows: state as text and numbers.

use std::fmt::Write;

use super::machine::Machine;
use super::outcome::Outcome;
use crate::device::Device;
use crate::pool::{AllocatorId, PoolGeometry, PoolId};
use crate::slot::SLOT_BYTES;

impl Machine {
    /// Lists pools as `base/nslabs/nareas`, newest first.
    pub(super) fn pools_text(&self, id: AllocatorId) -> Outcome {
        let pools = self.swiotlb.pools(id);
        pool_list(pools.filter_map(|pool| self.swiotlb.pool_geometry(pool)))
    }

    /// Lists `base:used@cursor|...` of all pools, newest first.
    pub(super) fn areas_text(&self, id: AllocatorId) -> Outcome {
        let mut text = String::new();
        for pool in self.swiotlb.pools(id) {
            let Some(geometry) = self.swiotlb.pool_geometry(pool) else {
                continue;
            };
            if !text.is_empty() {
                text.push(';');
            }
            let _ = write!(text, "{:#x}:", geometry.base);
            for (index, area) in self.swiotlb.areas(pool).iter().enumerate() {
                let separator = if index == 0 { "" } else { "|" };
                let _ = write!(text, "{separator}{}@{}", area.used, area.cursor);
            }
        }
        list(text)
    }

    /// Returns the CRC-32 over one byte per slot.
    pub(super) fn free_map(&self, id: AllocatorId) -> Outcome {
        let mut hasher = crc32fast::Hasher::new();
        let occupancies = self
            .swiotlb
            .pools(id)
            .filter_map(|pool: PoolId| self.swiotlb.occupancy(pool));
        for occupancy in occupancies {
            let bytes: Vec<u8> = occupancy.iter().map(|bit| u8::from(*bit)).collect();
            hasher.update(&bytes);
        }
        Outcome::Crc(hasher.finalize())
    }

    pub(super) fn max_mapping(&self, dev: &Device) -> Outcome {
        Outcome::Number(self.swiotlb.max_mapping_size(dev))
    }

    pub(super) fn default_size(&self) -> Outcome {
        Outcome::Number(self.swiotlb.boot().default_slots().wrapping_mul(SLOT_BYTES))
    }

    pub(super) fn default_base(&self) -> Outcome {
        let base = self.swiotlb.default_base();
        Outcome::Address(base.map_or(0, crate::PhysAddr::raw))
    }

    pub(super) fn default_limit(&self) -> Outcome {
        let limit = self.swiotlb.default_limit();
        Outcome::Address(limit.map_or(u64::MAX, crate::PhysAddr::raw))
    }
}

/// Lists pools as `base/nslabs/nareas`.
pub(super) fn pool_list(pools: impl Iterator<Item = PoolGeometry>) -> Outcome {
    let mut text = String::new();
    for PoolGeometry { base, slots, areas } in pools {
        if !text.is_empty() {
            text.push(';');
        }
        // Writing to a string cannot fail.
        let _ = write!(text, "{base:#x}/{slots}/{areas}");
    }
    list(text)
}

/// A list as a result; empty lists have a word.
pub(super) fn list(text: String) -> Outcome {
    if text.is_empty() {
        Outcome::Word("NONE")
    } else {
        Outcome::Text(text)
    }
}
