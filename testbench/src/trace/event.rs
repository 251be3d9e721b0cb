//! Events of the bounce layer and the DMA API, read from the fields behind an event's name.

use crate::trace::fields::{Fields, Malformed, check_end, hex_list, size_list};
use crate::trace::marker::Marker;
use crate::trace::names::Names;

/// Direction of a mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dir {
    /// The device reads and writes.
    Bidirectional,
    /// The device reads.
    ToDevice,
    /// The device writes.
    FromDevice,
}

impl Dir {
    fn parse(word: &[u8]) -> Option<Self> {
        match word {
            b"BIDIRECTIONAL" => Some(Self::Bidirectional),
            b"TO_DEVICE" => Some(Self::ToDevice),
            b"FROM_DEVICE" => Some(Self::FromDevice),
            _ => None,
        }
    }
}

/// The attributes that the bounce layer looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TraceAttrs {
    /// `SKIP_CPU_SYNC`: no copy at unmap.
    pub skips_sync: bool,
    /// `NO_WARN`: a full pool is not logged.
    pub is_silent: bool,
    /// `MMIO`: not memory, never bounced.
    pub is_mmio: bool,
}

impl TraceAttrs {
    fn parse(text: &[u8]) -> Self {
        let mut attrs = Self::default();
        for word in text.split(|&byte| byte == b'|') {
            match word {
                b"SKIP_CPU_SYNC" => attrs.skips_sync = true,
                b"NO_WARN" => attrs.is_silent = true,
                b"MMIO" => attrs.is_mmio = true,
                _ => {}
            }
        }
        attrs
    }
}

/// What happened. Lists are left in [`Lists`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// `swiotlb_bounced`: a buffer is about to be bounced.
    Bounced {
        /// The device's streaming mask.
        mask: u64,
        /// The buffer's own bus address.
        addr: u64,
        /// Length in bytes.
        bytes: u64,
        /// `swiotlb=force`.
        is_forced: bool,
    },
    /// `dma_map_phys`, `dma_map_page` or `dma_map_resource`.
    Map {
        /// Direction.
        dir: Dir,
        /// DMA address; all ones if the mapping failed.
        dma: u64,
        /// Length in bytes.
        bytes: u64,
        /// Physical address of the buffer.
        phys: u64,
        /// Attributes.
        attrs: TraceAttrs,
    },
    /// `dma_unmap_phys`, `dma_unmap_page` or `dma_unmap_resource`.
    Unmap {
        /// Direction.
        dir: Dir,
        /// DMA address.
        dma: u64,
        /// Length in bytes.
        bytes: u64,
        /// Attributes.
        attrs: TraceAttrs,
    },
    /// `dma_map_sg`.
    MapSg {
        /// Direction.
        dir: Dir,
        /// Entries of the list; the lines may show fewer.
        entries: u64,
        /// Attributes.
        attrs: TraceAttrs,
    },
    /// `dma_map_sg_err`.
    MapSgError,
    /// `dma_unmap_sg`.
    UnmapSg {
        /// Attributes.
        attrs: TraceAttrs,
    },
    /// `dma_sync_single_for_cpu` or `_for_device`.
    Sync {
        /// Direction of the call.
        dir: Dir,
        /// First byte of what is synced.
        dma: u64,
        /// Length in bytes.
        bytes: u64,
        /// `_for_cpu`.
        for_cpu: bool,
    },
    /// `dma_sync_sg_for_cpu` or `_for_device`.
    SyncSg {
        /// Direction of the call.
        dir: Dir,
        /// `_for_cpu`.
        for_cpu: bool,
    },
    /// Coherent memory, which takes no slots of the default pool.
    Coherent,
    /// A text that someone wrote to `trace_marker`.
    Marker(Marker),
}

/// The lists of a scatterlist event, kept from line to line so that nothing is allocated for each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lists {
    /// DMA addresses.
    pub dma: Vec<u64>,
    /// Lengths in bytes.
    pub bytes: Vec<u64>,
    /// Physical addresses.
    pub phys: Vec<u64>,
}

/// Reads the fields of an event by its name: the number of its device and the event. `Ok(None)` for an
/// event that is of no interest.
pub(crate) fn parse(
    event: &[u8],
    text: &[u8],
    devices: &mut Names,
    lists: &mut Lists,
) -> Result<Option<(u32, Event)>, Malformed> {
    let mut fields = Fields::new(text);
    let event = match event {
        b"swiotlb_bounced" => {
            fields.word("dev_name:")?;
            let name = fields.before(" dma_mask=")?;
            let mask = fields.hex("dma_mask=")?;
            let addr = fields.hex("dev_addr=")?;
            let bytes = fields.length("size=")?;
            check_end(addr, bytes)?;
            let event = Event::Bounced {
                mask,
                addr,
                bytes,
                is_forced: fields.force_word()?,
            };
            return Ok(Some((devices.number(name), event)));
        }
        b"tracing_mark_write" | b"print" => {
            let text = text.strip_prefix(b"tracing_mark_write: ").unwrap_or(text);
            return Ok(Some((0, Event::Marker(Marker::parse(text)))));
        }
        name if name.starts_with(b"dma_") => dma_event(name, &mut fields, lists)?,
        _ => None,
    };
    let Some(event) = event else {
        return Ok(None);
    };
    check_ends(&event, lists)?;
    Ok(Some((devices.number(fields.device), event)))
}

/// Refuses buffers that would end beyond the last address.
fn check_ends(event: &Event, lists: &Lists) -> Result<(), Malformed> {
    match event {
        Event::Map {
            dma, bytes, phys, ..
        } => {
            check_end(*phys, *bytes)?;
            check_end(*dma, *bytes)
        }
        Event::Unmap { dma, bytes, .. } | Event::Sync { dma, bytes, .. } => check_end(*dma, *bytes),
        Event::MapSg { .. } | Event::SyncSg { .. } => {
            // Lists of unequal length are left out later.
            let dma = lists.dma.iter().zip(&lists.bytes);
            let mut all = dma.chain(lists.phys.iter().zip(&lists.bytes));
            all.try_for_each(|(addr, bytes)| check_end(*addr, *bytes))
        }
        _ => Ok(()),
    }
}

fn dma_event<'a>(
    event: &[u8],
    fields: &mut Fields<'a>,
    lists: &mut Lists,
) -> Result<Option<Event>, Malformed> {
    let event = match event {
        b"dma_map_phys" | b"dma_map_page" | b"dma_map_resource" => Event::Map {
            dir: direction(fields)?,
            dma: fields.hex("dma_addr=")?,
            bytes: fields.length("size=")?,
            phys: fields.hex("phys_addr=")?,
            attrs: attributes(fields)?,
        },
        b"dma_unmap_phys" | b"dma_unmap_page" | b"dma_unmap_resource" => Event::Unmap {
            dir: direction(fields)?,
            dma: fields.hex("dma_addr=")?,
            bytes: fields.length("size=")?,
            attrs: attributes(fields)?,
        },
        b"dma_map_sg" => {
            let dir = direction(fields)?;
            let entries = fields.total("nents=")?;
            fields.total("ents=")?;
            fields.skip("[TRUNCATED]");
            hex_list(fields.value("dma_addrs=")?, &mut lists.dma)?;
            size_list(fields.value("sizes=")?, &mut lists.bytes)?;
            hex_list(fields.value("phys_addrs=")?, &mut lists.phys)?;
            Event::MapSg {
                dir,
                entries,
                attrs: attributes(fields)?,
            }
        }
        b"dma_map_sg_err" => {
            direction(fields)?;
            hex_list(fields.value("dma_addrs=")?, &mut lists.phys)?;
            Event::MapSgError
        }
        b"dma_unmap_sg" => {
            direction(fields)?;
            hex_list(fields.value("phys_addrs=")?, &mut lists.phys)?;
            Event::UnmapSg {
                attrs: attributes(fields)?,
            }
        }
        b"dma_sync_single_for_cpu" | b"dma_sync_single_for_device" => Event::Sync {
            dir: direction(fields)?,
            dma: fields.hex("dma_addr=")?,
            bytes: fields.length("size=")?,
            for_cpu: event.ends_with(b"cpu"),
        },
        b"dma_sync_sg_for_cpu" | b"dma_sync_sg_for_device" => {
            let dir = direction(fields)?;
            hex_list(fields.value("dma_addrs=")?, &mut lists.dma)?;
            size_list(fields.value("sizes=")?, &mut lists.bytes)?;
            Event::SyncSg {
                dir,
                for_cpu: event.ends_with(b"cpu"),
            }
        }
        name if name.starts_with(b"dma_alloc") || name.starts_with(b"dma_free") => {
            direction(fields)?;
            Event::Coherent
        }
        _ => return Ok(None),
    };
    Ok(Some(event))
}

fn direction(fields: &mut Fields<'_>) -> Result<Dir, Malformed> {
    fields.device = fields.before(" dir=")?;
    let word = fields.value("dir=")?;
    Dir::parse(word).ok_or_else(|| Malformed::new("a direction such as TO_DEVICE", word))
}

fn attributes(fields: &mut Fields<'_>) -> Result<TraceAttrs, Malformed> {
    Ok(TraceAttrs::parse(fields.value("attrs=")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(event: &str, text: &str) -> Result<Option<Event>, Malformed> {
        let (mut devices, mut lists) = (Names::default(), Lists::default());
        let found = parse(event.as_bytes(), text.as_bytes(), &mut devices, &mut lists)?;
        Ok(found.map(|(_, event)| event))
    }

    #[test]
    fn single_mappings_of_both_kernels_are_read_alike() {
        let text =
            "0000:00:02.0 dir=FROM_DEVICE dma_addr=3b600000 size=4096 phys_addr=2e3b000 attrs=";
        let expected = Event::Map {
            dir: Dir::FromDevice,
            dma: 0x3b60_0000,
            bytes: 4096,
            phys: 0x2e3_b000,
            attrs: TraceAttrs::default(),
        };
        assert_eq!(read("dma_map_phys", text), Ok(Some(expected.clone())));
        assert_eq!(read("dma_map_page", text), Ok(Some(expected)));
        let text =
            "a b dir=TO_DEVICE dma_addr=ffffffffffffffff size=1 attrs=WEAK_ORDERING|SKIP_CPU_SYNC";
        let expected = Event::Unmap {
            dir: Dir::ToDevice,
            dma: u64::MAX,
            bytes: 1,
            attrs: TraceAttrs {
                skips_sync: true,
                ..TraceAttrs::default()
            },
        };
        assert_eq!(read("dma_unmap_phys", text), Ok(Some(expected)));
    }

    #[test]
    fn a_bounced_buffer_names_its_device_and_why() {
        let (mut devices, mut lists) = (Names::default(), Lists::default());
        let text = b"dev_name: 0000:00:02.0 dma_mask=ffffffff dev_addr=102648040 size=1522 NORMAL";
        let found = parse(b"swiotlb_bounced", text, &mut devices, &mut lists);
        let expected = Event::Bounced {
            mask: 0xffff_ffff,
            addr: 0x1_0264_8040,
            bytes: 1522,
            is_forced: false,
        };
        assert_eq!(found, Ok(Some((0, expected))));
        assert_eq!(devices.text(0), "0000:00:02.0");
    }

    #[test]
    fn scatterlists_are_read_with_their_three_lists() {
        let (mut devices, mut lists) = (Names::default(), Lists::default());
        let text = b"nic dir=FROM_DEVICE nents=2/3 ents=2/3 [TRUNCATED] dma_addrs={0x1000,0x2000} \
                     sizes={0x200,512} phys_addrs={0x8000,9000} attrs=NO_WARN";
        let found = parse(b"dma_map_sg", text, &mut devices, &mut lists);
        let expected = Event::MapSg {
            dir: Dir::FromDevice,
            entries: 3,
            attrs: TraceAttrs {
                is_silent: true,
                ..TraceAttrs::default()
            },
        };
        assert_eq!(found, Ok(Some((0, expected))));
        assert_eq!(lists.dma, [0x1000, 0x2000]);
        assert_eq!(lists.bytes, [512, 512]);
        assert_eq!(lists.phys, [0x8000, 0x9000]);
    }

    #[test]
    fn cut_fields_say_what_was_expected() {
        let cut = read("dma_map_phys", "nic dir=FROM_DEVICE dma_addr=3b600000 si");
        let error = cut.expect_err("cut").to_string();
        assert_eq!(error, "expected `size=`, found `si`");
        let wrong = read("dma_unmap_phys", "nic dir=SIDEWAYS dma_addr=1");
        let error = wrong.expect_err("no direction").to_string();
        assert_eq!(
            error,
            "expected a direction such as TO_DEVICE, found `SIDEWAYS`"
        );
        assert_eq!(read("dma_fence_init", "driver=x"), Ok(None));
        assert_eq!(read("sched_switch", "prev_comm=x"), Ok(None));
    }
}
