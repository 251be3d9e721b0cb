//! The load: what a trace asks of the bounce layer, as plain data in the order of the calls.

use crate::trace::{Dir, TraceAttrs};

/// A mapping of the trace.
pub type MappingId = u64;

/// What became of a mapping on the machine that was traced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// The device was given the buffer itself.
    Direct,
    /// The device was given a bounce buffer at this DMA address.
    Bounced(u64),
    /// It was bounced, but the trace does not tell where to.
    BouncedSomewhere,
    /// The mapping failed.
    Failed,
    /// A buffer was about to be bounced, and no mapping followed: a scatterlist that failed, or lost
    /// lines.
    Unpaired,
}

impl Seen {
    /// Returns whether the device was given something.
    #[must_use]
    pub const fn is_mapped(self) -> bool {
        matches!(
            self,
            Self::Direct | Self::Bounced(_) | Self::BouncedSomewhere
        )
    }
}

/// A buffer that is mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MapOp {
    /// Number of the mapping.
    pub id: MappingId,
    /// Number of the device.
    pub device: u32,
    /// Direction.
    pub dir: Dir,
    /// Attributes.
    pub attrs: TraceAttrs,
    /// Physical address of the buffer.
    pub phys: u64,
    /// Length in bytes.
    pub bytes: u64,
    /// What became of it.
    pub seen: Seen,
    /// Last line before which the slots were taken: the mapping's own, or in a scatterlist that of the
    /// next entry.
    pub closed_line: u64,
    /// The buffer is an entry of a scatterlist.
    pub is_sg: bool,
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpKind {
    /// A buffer is mapped.
    Map(MapOp),
    /// A mapping ends.
    Unmap {
        /// The mapping.
        id: MappingId,
        /// `SKIP_CPU_SYNC`.
        skips_sync: bool,
        /// The line stands before the slots are freed (`dma_unmap_sg`), not behind it.
        is_early: bool,
    },
    /// A part of a mapping is synced.
    Sync {
        /// The mapping.
        id: MappingId,
        /// Length in bytes.
        bytes: u64,
        /// Direction of the call.
        dir: Dir,
        /// For the CPU, not for the device.
        for_cpu: bool,
    },
    /// A phase begins.
    Phase {
        /// Its number, from 1 on; phase 0 is what lies before the first marker.
        number: u32,
    },
    /// Events were lost.
    Lost,
}

/// One step of a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Op {
    /// Time in nanoseconds.
    pub time_ns: u64,
    /// Line of the trace: the first that tells of it.
    pub line: u64,
    /// CPU of the call.
    pub cpu: u16,
    /// Number of the task's name.
    pub task: u32,
    /// The task's process number.
    pub pid: u32,
    /// What is asked.
    pub kind: OpKind,
}

/// An operation as words, as it is kept aside.
pub(crate) type Words = [u64; WORDS];
/// Words of an operation.
pub(crate) const WORDS: usize = 10;

impl Op {
    pub(crate) fn to_words(self) -> Words {
        let head = u64::from(self.task) << 32 | u64::from(self.cpu) << 8;
        let pid = u64::from(self.pid);
        let common = |tag: u64| [self.time_ns, self.line, head | tag, pid, 0, 0, 0, 0, 0, 0];
        match self.kind {
            OpKind::Map(map) => {
                let (seen, dma) = match map.seen {
                    Seen::Direct => (0, 0),
                    Seen::Bounced(dma) => (1, dma),
                    Seen::BouncedSomewhere => (2, 0),
                    Seen::Failed => (3, 0),
                    Seen::Unpaired => (4, 0),
                };
                let flags = dir_code(map.dir)
                    | u64::from(map.attrs.skips_sync) << 2
                    | u64::from(map.attrs.is_silent) << 3
                    | u64::from(map.attrs.is_mmio) << 4
                    | u64::from(map.is_sg) << 5
                    | seen << 8
                    | u64::from(map.device) << 32;
                let mut words = common(0);
                words[4..].copy_from_slice(&[
                    map.id,
                    flags,
                    map.phys,
                    map.bytes,
                    map.closed_line,
                    dma,
                ]);
                words
            }
            OpKind::Unmap {
                id,
                skips_sync,
                is_early,
            } => {
                let mut words = common(1);
                words[4] = id;
                words[5] = u64::from(skips_sync) | u64::from(is_early) << 1;
                words
            }
            OpKind::Sync {
                id,
                bytes,
                dir,
                for_cpu,
            } => {
                let mut words = common(2);
                words[4] = id;
                words[5] = dir_code(dir) | u64::from(for_cpu) << 2;
                words[6] = bytes;
                words
            }
            OpKind::Phase { number } => {
                let mut words = common(3);
                words[4] = u64::from(number);
                words
            }
            OpKind::Lost => common(4),
        }
    }

    pub(crate) fn from_words(words: &Words) -> Self {
        let bit = |word: usize, bit: u32| words[word] >> bit & 1 == 1;
        let kind = match words[2] & 0xff {
            0 => OpKind::Map(MapOp {
                id: words[4],
                device: high(words[5]),
                dir: dir_of(words[5] & 3),
                attrs: TraceAttrs {
                    skips_sync: bit(5, 2),
                    is_silent: bit(5, 3),
                    is_mmio: bit(5, 4),
                },
                is_sg: bit(5, 5),
                phys: words[6],
                bytes: words[7],
                closed_line: words[8],
                seen: match words[5] >> 8 & 0xff {
                    0 => Seen::Direct,
                    1 => Seen::Bounced(words[9]),
                    2 => Seen::BouncedSomewhere,
                    3 => Seen::Failed,
                    _ => Seen::Unpaired,
                },
            }),
            1 => OpKind::Unmap {
                id: words[4],
                skips_sync: bit(5, 0),
                is_early: bit(5, 1),
            },
            2 => OpKind::Sync {
                id: words[4],
                bytes: words[6],
                dir: dir_of(words[5] & 3),
                for_cpu: bit(5, 2),
            },
            3 => OpKind::Phase {
                number: low(words[4]),
            },
            _ => OpKind::Lost,
        };
        Self {
            time_ns: words[0],
            line: words[1],
            cpu: u16::try_from(words[2] >> 8 & 0xffff).unwrap_or(u16::MAX),
            task: high(words[2]),
            pid: low(words[3]),
            kind,
        }
    }
}

const fn dir_code(dir: Dir) -> u64 {
    match dir {
        Dir::Bidirectional => 0,
        Dir::ToDevice => 1,
        Dir::FromDevice => 2,
    }
}

const fn dir_of(code: u64) -> Dir {
    match code {
        0 => Dir::Bidirectional,
        1 => Dir::ToDevice,
        _ => Dir::FromDevice,
    }
}

fn high(word: u64) -> u32 {
    u32::try_from(word >> 32).unwrap_or(u32::MAX)
}

fn low(word: u64) -> u32 {
    u32::try_from(word & 0xffff_ffff).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_survive_being_kept_aside() {
        let attrs = TraceAttrs {
            skips_sync: true,
            is_silent: false,
            is_mmio: true,
        };
        let map = |seen| {
            OpKind::Map(MapOp {
                id: 9,
                device: 3,
                dir: Dir::FromDevice,
                attrs,
                phys: 0x1_2345_6000,
                bytes: 4096,
                seen,
                closed_line: 77,
                is_sg: true,
            })
        };
        let kinds = [
            map(Seen::Direct),
            map(Seen::Bounced(0x3b60_0000)),
            map(Seen::BouncedSomewhere),
            map(Seen::Failed),
            map(Seen::Unpaired),
            OpKind::Unmap {
                id: u64::MAX,
                skips_sync: true,
                is_early: false,
            },
            OpKind::Sync {
                id: 1,
                bytes: 64,
                dir: Dir::ToDevice,
                for_cpu: true,
            },
            OpKind::Phase { number: 4 },
            OpKind::Lost,
        ];
        for kind in kinds {
            let op = Op {
                time_ns: 1_000_000_007,
                line: 12,
                cpu: 65535,
                task: u32::MAX,
                pid: 4321,
                kind,
            };
            assert_eq!(Op::from_words(&op.to_words()), op);
        }
    }
}
