//! Traces that tests write.

/// A pool of 128 slots that is full: seventeen buffers of eight slots, two CPUs.
pub(crate) fn full_pool() -> String {
    let mut text = String::from("# entries-in-buffer/entries-written: 1/1   #P:1\n");
    let bounced = |time: u32, buffer: u32| {
        format!(
            "io-7 [000] ..... 1.{time:06}: swiotlb_bounced: dev_name: disk dma_mask=ffffffff dev_addr={:x} \
             size=16384 FORCE\n",
            0x1000_0000 + buffer * 0x8000
        )
    };
    let event = |time: u32, name: &str, buffer: u32, dma: u64| {
        let phys = if name == "dma_map_phys" {
            format!(" phys_addr={:x}", 0x1000_0000 + buffer * 0x8000)
        } else {
            String::new()
        };
        format!(
            "io-7 [000] ..... 1.{time:06}: {name}: disk dir=TO_DEVICE dma_addr={dma:x} size=16384{phys} attrs=\n"
        )
    };
    let slot = |buffer: u32| 0x700_0000 + u64::from(buffer) * 0x4000;
    for buffer in 0..16 {
        text.push_str(&bounced(buffer * 10, buffer));
        text.push_str(&event(
            buffer * 10 + 1,
            "dma_map_phys",
            buffer,
            slot(buffer),
        ));
    }
    text.push_str(&bounced(200, 16));
    text.push_str(&event(201, "dma_map_phys", 16, u64::MAX));
    text.push_str(&event(300, "dma_unmap_phys", 0, slot(0)));
    text.push_str(&bounced(400, 16));
    text.push_str(&event(401, "dma_map_phys", 16, slot(0)));
    text.push_str(&event(500, "dma_unmap_phys", 16, slot(0)));
    for buffer in 1..16 {
        text.push_str(&event(600 + buffer, "dma_unmap_phys", buffer, slot(buffer)));
    }
    text.push_str("init-1 [000] 2.0: tracing_mark_write: phase=end io_tlb_nslabs=128 io_tlb_used=0 io_tlb_used_hiwater=128\n");
    text
}

/// A trace that is written call by call; each call takes a microsecond.
pub(crate) struct Trace {
    text: String,
    microseconds: u64,
}

/// First byte of the pool of such a trace.
const POOL: u64 = 0x700_0000;
/// First byte of its buffers.
const BUFFERS: u64 = 0x1_0000_0000;

impl Trace {
    pub(crate) fn new() -> Self {
        Self {
            text: String::from("# entries-in-buffer/entries-written: 1/1   #P:2\n"),
            microseconds: 1_000_000,
        }
    }

    fn event(&mut self, cpu: u32, text: &str) {
        self.microseconds += 1;
        let (seconds, fraction) = (self.microseconds / 1_000_000, self.microseconds % 1_000_000);
        let line = format!(
            "io-{} [00{cpu}] ..... {seconds}.{fraction:06}: {text}\n",
            7 + cpu
        );
        self.text.push_str(&line);
    }

    /// Maps buffer `buffer` (they lie a MiB apart, `offset` bytes behind its begin) at a slot of the pool.
    pub(crate) fn map(&mut self, cpu: u32, (buffer, offset): (u64, u64), bytes: u64, slot: u64) {
        let (phys, dma) = (BUFFERS + (buffer << 20) + offset, POOL + slot * 2048);
        self.event(
            cpu,
            &format!("swiotlb_bounced: dev_name: disk dma_mask=ffffffff dev_addr={phys:x} size={bytes} NORMAL"),
        );
        self.event(
            cpu,
            &format!(
                "dma_map_phys: disk dir=TO_DEVICE dma_addr={dma:x} size={bytes} phys_addr={phys:x} attrs="
            ),
        );
    }

    /// Ends the mapping at a slot.
    pub(crate) fn unmap(&mut self, cpu: u32, bytes: u64, slot: u64) {
        let dma = POOL + slot * 2048;
        self.event(
            cpu,
            &format!("dma_unmap_phys: disk dir=TO_DEVICE dma_addr={dma:x} size={bytes} attrs="),
        );
    }

    /// Lets time pass.
    pub(crate) fn wait(&mut self, microseconds: u64) {
        self.microseconds += microseconds;
    }

    pub(crate) fn text(self) -> String {
        self.text
    }
}
