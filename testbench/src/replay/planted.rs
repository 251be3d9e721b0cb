//! Loads that tests plant.

use std::io::Cursor;
use std::path::Path;

use crate::replay::load::Load;
use crate::trace::{Lines, Reader};

/// A request: its buffers are mapped in one go and end in one go.
pub(crate) struct Planted {
    pid: u32,
    begin: u32,
    end: u32,
    first_buffer: u64,
    buffers: u64,
}

/// Writes requests of buffers of 64 KiB (32 slots), in the order of their times.
pub(crate) fn load(requests: &[Planted]) -> Load {
    let mut lines: Vec<(u32, String)> = Vec::new();
    for one in requests {
        for buffer in 0..one.buffers {
            let number = one.first_buffer + buffer;
            let (phys, dma) = (
                0x1_0000_0000 + (number << 20),
                0x700_0000 + number * 0x10000,
            );
            let line = |time: u32, pid: u32, text: String| {
                let time = time + u32::try_from(buffer).expect("few");
                let place = format!("io-{pid} [000] ..... 1.{time:06}: {text}\n");
                (time, place)
            };
            lines.push(line(
                one.begin,
                one.pid,
                format!("swiotlb_bounced: dev_name: disk dma_mask=ffffffff dev_addr={phys:x} size=65536 NORMAL"),
            ));
            lines.push(line(
                one.begin,
                one.pid,
                format!("dma_map_phys: disk dir=TO_DEVICE dma_addr={dma:x} size=65536 phys_addr={phys:x} attrs="),
            ));
            lines.push(line(
                one.end,
                0,
                format!("dma_unmap_phys: disk dir=TO_DEVICE dma_addr={dma:x} size=65536 attrs="),
            ));
        }
    }
    lines.sort_by_key(|line| line.0);
    let text: String = lines.into_iter().map(|line| line.1).collect();
    let lines = Lines::new(Cursor::new(text), Path::new("a.txt")).expect("text");
    Load::read(Reader::new(lines)).expect("a trace")
}

/// A request of a task: times in microseconds, then the first buffer and how many.
pub(crate) fn planted(
    pid: u32,
    begin: u32,
    end: u32,
    (first_buffer, buffers): (u64, u64),
) -> Planted {
    Planted {
        pid,
        begin,
        end,
        first_buffer,
        buffers,
    }
}
