//! The dma pools of a device, as sysfs lists them.

use std::fmt;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::device::{Device, DeviceId};
use crate::dma::Dma;
use crate::dma_pool::DmaPool;
use crate::dma_pool::state::PoolState;

/// All pools, in order of creation.
#[derive(Debug)]
pub(crate) struct PoolList(Vec<(DeviceId, Weak<Mutex<PoolState>>)>);

impl PoolList {
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn add(&mut self, device: DeviceId, pool: &Arc<Mutex<PoolState>>) {
        self.0.retain(|(_, pool)| pool.strong_count() > 0);
        self.0.push((device, Arc::downgrade(pool)));
    }

    fn of(&self, dev: &Device) -> Vec<Arc<Mutex<PoolState>>> {
        let own = self.0.iter().filter(|(id, _)| *id == dev.id());
        own.filter_map(|(_, pool)| pool.upgrade()).collect()
    }
}

/// A line of the sysfs file `pools`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolInfo {
    /// Name of the pool.
    pub name: String,
    /// Blocks that are out.
    pub active_blocks: u64,
    /// Blocks there are.
    pub total_blocks: u64,
    /// Length of a block in bytes.
    pub block_bytes: u64,
    /// Chunks there are.
    pub chunks: usize,
}

impl PoolInfo {
    fn of(state: &PoolState) -> Self {
        Self {
            name: state.name.clone(),
            active_blocks: state.active,
            total_blocks: state.total,
            block_bytes: state.layout.block_bytes,
            chunks: state.chunks.len(),
        }
    }
}

impl fmt::Display for PoolInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<16} {:>4} {:>4} {:>4} {:>2}",
            self.name, self.active_blocks, self.total_blocks, self.block_bytes, self.chunks
        )
    }
}

impl DmaPool {
    /// Returns what sysfs shows of the pool.
    #[must_use]
    pub fn info(&self) -> PoolInfo {
        PoolInfo::of(&self.lock())
    }
}

impl Dma {
    /// Returns the text of the device's sysfs file `pools`: its dma pools in order of creation.
    #[must_use]
    pub fn pools_text(&self, dev: &Device) -> String {
        let pools = self.coherent().pools.of(dev);
        let mut text = String::from("poolinfo - 0.1\n");
        for pool in pools {
            let state = pool.lock().unwrap_or_else(PoisonError::into_inner);
            if !state.is_destroyed {
                // Writing to a string does not fail.
                let _ = writeln!(text, "{}", PoolInfo::of(&state));
            }
        }
        text
    }
}
