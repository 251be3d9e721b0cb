//! Chooses the transfers of a trace that a core is to carry out.

use std::io;

use rustc_hash::FxHashMap;

use crate::replay::load::Load;
use crate::replay::op::{MapOp, MappingId, OpKind, Seen};
use crate::trace::Dir;

/// Bytes of a page: buffers keep their place in it.
const PAGE: u64 = 4096;

/// The part of a trace that is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// First time in nanoseconds of the trace's clock.
    pub from_ns: u64,
    /// Last time.
    pub to_ns: u64,
    /// Most transfers.
    pub transfers: usize,
}

impl Window {
    /// Returns the whole trace, up to so many transfers.
    #[must_use]
    pub const fn first(transfers: usize) -> Self {
        Self {
            from_ns: 0,
            to_ns: u64::MAX,
            transfers,
        }
    }
}

/// A bounced transfer of the trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// Line of the trace.
    pub line: u64,
    /// Number of the device.
    pub device: u32,
    /// Direction.
    pub dir: Dir,
    /// Place of the buffer in its page.
    pub offset: u64,
    /// Length in bytes.
    pub bytes: u64,
}

/// A window without work for a core.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WindowError {
    /// Nothing was bounced there.
    #[error(
        "no bounced transfer between {from} s and {to} s of the trace's clock: the trace goes from {first} s to {last} s and has {bounced} bounced mappings in all"
    )]
    Empty {
        /// Begin of the window in seconds.
        from: String,
        /// Its end.
        to: String,
        /// Time of the first event in seconds.
        first: String,
        /// Time of the last.
        last: String,
        /// Bounced mappings of the whole trace.
        bounced: u64,
    },
    /// The operations cannot be read back.
    #[error("cannot read the mappings back from a temporary file: {0}")]
    Spool(#[from] io::Error),
}

/// Returns the bounced transfers in a window, in the order of the trace.
///
/// # Errors
/// If there is none.
pub fn moved(load: &Load, window: Window) -> Result<Vec<Moved>, WindowError> {
    let mut found = Vec::new();
    let mut rings: FxHashMap<MappingId, MapOp> = FxHashMap::default();
    let mut cursor = load.ops.cursor(0);
    while found.len() < window.transfers
        && let Some(op) = cursor.next_op()?
    {
        let is_inside = (window.from_ns..=window.to_ns).contains(&op.time_ns);
        let (map, bytes) = match op.kind {
            OpKind::Map(map) if !is_bounced(&map) => continue,
            OpKind::Map(map) if map.attrs.skips_sync => {
                rings.insert(map.id, map);
                continue;
            }
            OpKind::Map(map) => (map, map.bytes),
            OpKind::Sync {
                id,
                bytes,
                for_cpu: true,
                ..
            } => match rings.get(&id) {
                Some(map) => (*map, bytes),
                None => continue,
            },
            OpKind::Unmap { id, .. } => {
                rings.remove(&id);
                continue;
            }
            _ => continue,
        };
        if is_inside && bytes > 0 {
            found.push(Moved {
                line: op.line,
                device: map.device,
                dir: map.dir,
                offset: map.phys % PAGE,
                bytes,
            });
        }
    }
    if found.is_empty() {
        return Err(empty(load, window));
    }
    Ok(found)
}

const fn is_bounced(map: &MapOp) -> bool {
    matches!(map.seen, Seen::Bounced(_) | Seen::BouncedSomewhere)
}

fn empty(load: &Load, window: Window) -> WindowError {
    let survey = &load.survey;
    let seconds = |ns: u64| format!("{:.6}", std::time::Duration::from_nanos(ns).as_secs_f64());
    WindowError::Empty {
        from: seconds(window.from_ns.max(survey.first_ns.min(window.from_ns))),
        to: seconds(window.to_ns.min(survey.last_ns.max(window.from_ns))),
        first: seconds(survey.first_ns),
        last: seconds(survey.last_ns),
        bounced: survey.bounced(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;
    use std::path::Path;

    use super::*;
    use crate::trace::{Lines, Reader};

    fn load(text: &str) -> Load {
        let lines = Lines::new(Cursor::new(text.to_owned()), Path::new("a.txt")).expect("text");
        Load::read(Reader::new(lines)).expect("a trace")
    }

    /// A disk's write, a direct mapping, and a ring's buffer of which a part is synced.
    const TRACE: &str = "\
a-1 [000] 1.0: swiotlb_bounced: dev_name: disk dma_mask=ffffffff dev_addr=100000200 size=512 NORMAL
a-1 [000] 1.1: dma_map_phys: disk dir=TO_DEVICE dma_addr=7000000 size=512 phys_addr=100000200 attrs=
a-1 [000] 1.2: dma_map_phys: disk dir=TO_DEVICE dma_addr=1000 size=512 phys_addr=1000 attrs=
a-1 [000] 2.0: swiotlb_bounced: dev_name: nic dma_mask=ffffffff dev_addr=100001040 size=2048 NORMAL
a-1 [000] 2.1: dma_map_phys: nic dir=FROM_DEVICE dma_addr=7001000 size=2048 phys_addr=100001040 attrs=SKIP_CPU_SYNC
a-1 [000] 3.0: dma_sync_single_for_cpu: nic dir=FROM_DEVICE dma_addr=7001000 size=76
a-1 [000] 3.1: dma_sync_single_for_device: nic dir=FROM_DEVICE dma_addr=7001000 size=2048
";

    #[test]
    fn mappings_and_syncs_of_rings_are_transfers_and_direct_mappings_are_not() {
        let found = moved(&load(TRACE), Window::first(10)).expect("transfers");
        let seen: Vec<_> = found
            .iter()
            .map(|one| (one.line, one.device, one.dir, one.offset, one.bytes))
            .collect();
        let expected = [
            (1, 0, Dir::ToDevice, 0x200, 512),
            (6, 1, Dir::FromDevice, 0x40, 76),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_window_bounds_time_and_number_and_an_empty_one_says_what_there_is() {
        let load = load(TRACE);
        let found = moved(&load, Window::first(1)).expect("transfers");
        assert_eq!(found.len(), 1);
        let late = Window {
            from_ns: 2_500_000_000,
            ..Window::first(10)
        };
        assert_eq!(moved(&load, late).expect("the sync")[0].bytes, 76);
        let never = Window {
            from_ns: 9_000_000_000,
            ..Window::first(10)
        };
        let error = moved(&load, never).expect_err("nothing").to_string();
        assert!(
            error.contains("no bounced transfer between 9.000000 s")
                && error.contains("2 bounced mappings"),
            "{error}"
        );
    }
}
