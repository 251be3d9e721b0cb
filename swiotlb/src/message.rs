//! What the kernel would log or trace, as values that the caller drains.
//!
//! Three of the kernel's messages cannot arise here. That the slot array or the areas of a pool could
//! not be allocated: they lie in the host's memory, and a host without memory ends the program. That a
//! restricted pool must be accessible within the linear mapping: all physical memory is.

use std::fmt;
use std::time::Duration;

use crate::addr::{DmaAddr, PhysAddr};
use crate::device::Device;
use crate::dma::{DmaMessage, DmaTrace};
use crate::sync_primitives::{AtomicBool, AtomicU32, AtomicU64, Lock, Ordering};

/// Severity of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// For the record.
    Info,
    /// Something failed or is misused.
    Warning,
    /// A device cannot be served.
    Error,
}

/// A message of the allocator or of the mapping layer, with its fields.
#[doc(alias("pr_warn", "dev_warn"))]
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message {
    /// The number of areas was set.
    AreaNum {
        /// Areas after rounding.
        areas: u32,
    },
    /// The default size was rounded up to a power of two.
    SizeRoundup {
        /// Size in MiB.
        mib: u64,
    },
    /// The platform asked for another default size.
    SizeAdjusted {
        /// Size in MiB.
        mib: u64,
    },
    /// Boot memory was refused and the pool is smaller than asked.
    SizeReduced {
        /// Slots asked for.
        from: u64,
        /// Slots there are.
        to: u64,
    },
    /// Where the default pool lies; the end is exclusive although the kernel prints it as a range.
    Mapped {
        /// First byte.
        start: PhysAddr,
        /// One past the last byte.
        end: PhysAddr,
        /// Size in MiB.
        mib: u64,
    },
    /// There is no default pool to tell about.
    NoLowMem,
    /// Boot memory for the pool was refused.
    PoolAllocFailed {
        /// Bytes asked for.
        bytes: u64,
    },
    /// The remap call refused the pool.
    RemapFailed {
        /// Bytes to be remapped.
        bytes: u64,
    },
    /// A further pool could not be made.
    GrowFailed,
    /// A late start got less than it asked for.
    OnlyAbleToAllocate {
        /// Size in MiB.
        mib: u64,
    },
    /// The default pool's pages could not be shared; it stays unused.
    DecryptDefaultFailed,
    /// The default pool is given back.
    TearingDown,
    /// A mapping came before there was a pool.
    TooEarly,
    /// Bounce buffers are used with memory encryption.
    EncryptionActive,
    /// `alloc_align_mask` is above a page.
    AlignMayPrevent,
    /// No suitable run of slots is free.
    BufferFull {
        /// Bytes, offset and rounding included.
        bytes: u64,
        /// Slots of the allocator.
        total_slots: u64,
        /// Slots in use.
        used_slots: u64,
    },
    /// A copy was longer than what was allocated.
    BufferOverflow {
        /// Bytes allocated from here on.
        alloc_bytes: u64,
        /// Bytes to be copied.
        bytes: u64,
    },
    /// The device cannot address its bounce buffer.
    BounceOverflow {
        /// DMA address of the bounce buffer.
        addr: DmaAddr,
        /// Length in bytes.
        bytes: u64,
        /// Streaming mask.
        mask: u64,
        /// Bus limit.
        bus_limit: u64,
    },
    /// Pages were found that are not page aligned.
    UnalignedPages {
        /// First byte.
        addr: PhysAddr,
    },
    /// A restricted pool's pages could not be shared.
    DecryptRestrictedFailed,
    /// A restricted pool was made.
    RestrictedCreated {
        /// First byte.
        base: PhysAddr,
        /// Size in MiB.
        mib: u64,
    },
    /// The device cannot address a buffer that is not bounced.
    DmaOverflow {
        /// DMA address of the buffer.
        addr: DmaAddr,
        /// Length in bytes.
        bytes: u64,
        /// Streaming mask.
        mask: u64,
        /// Bus limit.
        bus_limit: u64,
    },
    /// A message of the mapping layer.
    Dma(DmaMessage),
    /// A buffer behind an IOMMU must bounce, but there is no pool.
    IommuBounceInactive,
    /// The device's `min_align_mask` asks for more than a granule of the IOMMU keeps.
    UnsupportedAlignment,
    /// A PCI device has run out of I/O virtual addresses below 4 GiB.
    UsingDmaBits {
        /// Address bits used from now on.
        bits: u32,
    },
    /// An unmap of what the IOMMU does not map.
    IommuNotMapped {
        /// I/O virtual address.
        iova: DmaAddr,
    },
    /// A range of the IOVA-based API with a size of 0, or with bit 63 set.
    IovaBadSize {
        /// Size asked for.
        bytes: u64,
    },
    /// A link other than the first begins inside a granule.
    IovaOffsetInGranule {
        /// Offset in the range.
        offset: u64,
    },
    /// `REQUIRE_COHERENT` in a range of which a part is bounced.
    IovaCoherentAfterBounce,
    /// Messages of one kind that were held back by the rate limit.
    Suppressed {
        /// How many.
        count: u64,
    },
}

/// The function that the two failures of boot memory name: the start at boot is their only site.
const INIT_FUNCTION: &str = "swiotlb_init_remap";

/// Number of rate-limited sites.
const RATE_LIMITED_SITES: usize = 3;

/// How often a message may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Always,
    /// Once in the life of the system, by number.
    Once(u8),
    /// At most 10 in 5 seconds, by number.
    RateLimited(u8),
}

/// Number of the first once-message of the mapping layer.
const FIRST_DMA_SITE: u8 = 16;

impl Message {
    /// Returns the severity.
    #[must_use]
    pub const fn level(&self) -> Level {
        match self {
            Self::AreaNum { .. }
            | Self::SizeRoundup { .. }
            | Self::SizeAdjusted { .. }
            | Self::SizeReduced { .. }
            | Self::Mapped { .. }
            | Self::TearingDown
            | Self::UsingDmaBits { .. }
            | Self::RestrictedCreated { .. } => Level::Info,
            Self::DecryptRestrictedFailed => Level::Error,
            Self::Dma(message) => message.level(),
            _ => Level::Warning,
        }
    }

    const fn class(&self) -> Class {
        match self {
            Self::EncryptionActive => Class::Once(0),
            Self::AlignMayPrevent => Class::Once(1),
            Self::BufferOverflow { .. } => Class::Once(2),
            Self::BounceOverflow { .. } => Class::Once(3),
            Self::UnalignedPages { .. } => Class::Once(4),
            Self::DmaOverflow { .. } => Class::Once(5),
            Self::IommuBounceInactive => Class::Once(6),
            Self::UnsupportedAlignment => Class::Once(7),
            Self::IovaBadSize { bytes: 0 } => Class::Once(8),
            Self::IovaBadSize { .. } => Class::Once(9),
            Self::IovaOffsetInGranule { .. } => Class::Once(10),
            Self::IovaCoherentAfterBounce => Class::Once(11),
            Self::TooEarly => Class::RateLimited(0),
            Self::BufferFull { .. } => Class::RateLimited(1),
            Self::GrowFailed => Class::RateLimited(2),
            Self::Dma(message) => match message.once_site() {
                Some(site) => Class::Once(FIRST_DMA_SITE + site),
                None => Class::Always,
            },
            _ => Class::Always,
        }
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AreaNum { areas } => write!(f, "area num {areas}."),
            Self::SizeRoundup { mib } => write!(f, "bounce buffer size roundup to {mib} MB"),
            Self::SizeAdjusted { mib } => write!(f, "bounce buffer size adjusted to {mib} MB"),
            Self::SizeReduced { from, to } => {
                write!(f, "bounce buffer size adjusted {from} -> {to} slabs")
            }
            Self::Mapped { start, end, mib } => write!(
                f,
                "mapped [mem {:#018x}-{:#018x}] ({mib} MB)",
                start.raw(),
                end.raw()
            ),
            Self::NoLowMem => f.write_str("No low mem"),
            Self::PoolAllocFailed { bytes } => {
                write!(
                    f,
                    "{INIT_FUNCTION}: Failed to allocate {bytes} bytes tlb structure"
                )
            }
            Self::RemapFailed { bytes } => {
                write!(f, "{INIT_FUNCTION}: Failed to remap {bytes} bytes")
            }
            Self::GrowFailed => f.write_str("Failed to allocate new pool"),
            Self::OnlyAbleToAllocate { mib } => write!(f, "only able to allocate {mib} MB"),
            Self::DecryptDefaultFailed => f.write_str("Failed to decrypt default memory pool"),
            Self::TearingDown => f.write_str("tearing down default memory pool"),
            Self::TooEarly => f.write_str("Can not allocate SWIOTLB buffer earlier"),
            Self::EncryptionActive => {
                f.write_str("Memory encryption is active: bounce buffers are in use")
            }
            Self::AlignMayPrevent => f.write_str("Alloc alignment may prevent fulfilling requests"),
            Self::BufferFull {
                bytes,
                total_slots,
                used_slots,
            } => write!(
                f,
                "swiotlb buffer is full (sz: {bytes} bytes), total {total_slots} (slots), used \
                 {used_slots} (slots)"
            ),
            Self::BufferOverflow { alloc_bytes, bytes } => write!(
                f,
                "Buffer overflow detected. Allocation size: {alloc_bytes}. Mapping size: {bytes}."
            ),
            Self::BounceOverflow {
                addr,
                bytes,
                mask,
                bus_limit,
            } => write!(
                f,
                "swiotlb addr {addr}+{bytes} overflow (mask {mask:x}, bus limit {bus_limit:x})."
            ),
            Self::UnalignedPages { addr } => {
                write!(f, "Cannot allocate pages from non page-aligned {addr}")
            }
            Self::DecryptRestrictedFailed => f.write_str("Failed to decrypt restricted DMA pool"),
            Self::RestrictedCreated { base, mib } => {
                write!(f, "created restricted DMA pool at {base}, size {mib} MiB")
            }
            Self::DmaOverflow {
                addr,
                bytes,
                mask,
                bus_limit,
            } => write!(
                f,
                "DMA addr {addr}+{bytes} overflow (mask {mask:x}, bus limit {bus_limit:x})."
            ),
            Self::Dma(message) => message.fmt(f),
            Self::IommuBounceInactive => f.write_str("DMA bounce buffers are inactive"),
            Self::UnsupportedAlignment => f.write_str("Unsupported alignment constraint"),
            Self::UsingDmaBits { bits } => write!(f, "Using {bits}-bit DMA addresses"),
            Self::IommuNotMapped { iova } => {
                write!(f, "unmap of I/O virtual {iova}, where nothing is mapped")
            }
            Self::IovaBadSize { bytes } => {
                write!(
                    f,
                    "cannot allocate I/O virtual addresses for {bytes:#x} bytes"
                )
            }
            Self::IovaOffsetInGranule { offset } => write!(
                f,
                "buffer linked at offset {offset} begins inside a granule, only the first may"
            ),
            Self::IovaCoherentAfterBounce => {
                f.write_str("REQUIRE_COHERENT link in a range that is partly bounced")
            }
            Self::Suppressed { count } => write!(f, "{count} callbacks suppressed"),
        }
    }
}

/// The tracepoint `swiotlb_bounced`: a mapping is about to bounce, or to fail trying.
#[doc(alias = "trace_swiotlb_bounced")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BouncedTrace {
    /// Name of the device.
    pub dev_name: String,
    /// Streaming mask; 0 if the device has none.
    pub dma_mask: u64,
    /// DMA address of the **original** buffer.
    pub dev_addr: DmaAddr,
    /// Length in bytes.
    pub bytes: u64,
    /// Whether the allocator bounces everything.
    pub is_forced: bool,
}

impl fmt::Display for BouncedTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "dev_name: {} dma_mask={:x} dev_addr={:x} size={} {}",
            self.dev_name,
            self.dma_mask,
            self.dev_addr.raw(),
            self.bytes,
            if self.is_forced { "FORCE" } else { "NORMAL" }
        )
    }
}

/// Something that was logged or traced.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A line of the log.
    Message {
        /// Name of the device's driver, or `None` for a message of the allocator or of a device that
        /// is bound to no driver.
        driver: Option<String>,
        /// Name of the device, or `None` for a message of the allocator.
        device: Option<String>,
        /// What it says.
        message: Message,
    },
    /// A hit of the tracepoint `swiotlb_bounced`.
    Bounced(BouncedTrace),
    /// A hit of one of the `dma_*` tracepoints.
    Dma(DmaTrace),
}

impl fmt::Display for Event {
    /// Prints the line as the kernel's log or trace would show it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message {
                driver: Some(driver),
                device: Some(device),
                message,
            } => write!(f, "{driver} {device}: {message}"),
            Self::Message {
                driver: None,
                device: Some(device),
                message,
            } => write!(f, "{device}: {message}"),
            Self::Message {
                device: None,
                message,
                ..
            } => write!(f, "software IO TLB: {message}"),
            Self::Bounced(trace) => trace.fmt(f),
            Self::Dma(trace) => trace.fmt(f),
        }
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct RateLimit {
    window_start: Duration,
    printed: u32,
    suppressed: u64,
}

impl RateLimit {
    const WINDOW: Duration = Duration::from_secs(5);
    const BURST: u32 = 10;

    /// Returns whether a message may pass at `now`, and how many were held back before it.
    fn pass(&mut self, now: Duration) -> Option<u64> {
        let mut held_back = 0;
        if self.printed == 0 || now.saturating_sub(self.window_start) > Self::WINDOW {
            held_back = self.suppressed;
            *self = Self {
                window_start: now,
                ..Self::default()
            };
        }
        if self.printed >= Self::BURST {
            self.suppressed += 1;
            return None;
        }
        self.printed += 1;
        Some(held_back)
    }
}

/// Collects events until they are drained. Bounded, as long as tracing is off or drained: messages
/// of the hot paths come once or are rate limited.
#[derive(Debug, Default)]
pub(crate) struct EventLog {
    is_tracing: AtomicBool,
    /// Bits of the once messages that were seen.
    once_seen: AtomicU32,
    now_nanos: AtomicU64,
    lines: Lock<Lines>,
}

#[derive(Debug, Default)]
struct Lines {
    events: Vec<Event>,
    limits: [RateLimit; RATE_LIMITED_SITES],
}

impl EventLog {
    pub(crate) fn set_time(&self, now: Duration) {
        let nanos = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        self.now_nanos.store(nanos, Ordering::Relaxed);
    }

    /// Returns the time as told, in nanoseconds.
    #[inline]
    pub(crate) fn now_nanos(&self) -> u64 {
        self.now_nanos.load(Ordering::Relaxed)
    }

    pub(crate) fn set_tracing(&self, is_on: bool) {
        self.is_tracing.store(is_on, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn is_tracing(&self) -> bool {
        self.is_tracing.load(Ordering::Relaxed)
    }

    #[cold]
    pub(crate) fn push(&self, device: Option<&Device>, message: Message) {
        match message.class() {
            Class::Always => self.lines.lock().store(device, message),
            Class::Once(site) => {
                // Looked at first: a message seen long ago needs no write to a shared line.
                let bit = 1 << site;
                let is_seen = self.once_seen.load(Ordering::Relaxed) & bit != 0;
                if !is_seen && self.once_seen.fetch_or(bit, Ordering::Relaxed) & bit == 0 {
                    self.lines.lock().store(device, message);
                }
            }
            Class::RateLimited(site) => {
                let now = Duration::from_nanos(self.now_nanos());
                let mut lines = self.lines.lock();
                match lines.limits[usize::from(site)].pass(now) {
                    None => return,
                    Some(0) => {}
                    Some(count) => lines.store(None, Message::Suppressed { count }),
                }
                lines.store(device, message);
            }
        }
    }

    pub(crate) fn trace(&self, trace: BouncedTrace) {
        self.lines.lock().events.push(Event::Bounced(trace));
    }

    pub(crate) fn trace_dma(&self, trace: DmaTrace) {
        self.lines.lock().events.push(Event::Dma(trace));
    }

    pub(crate) fn drain(&self) -> Vec<Event> {
        std::mem::take(&mut self.lines.lock().events)
    }
}

impl Lines {
    fn store(&mut self, device: Option<&Device>, message: Message) {
        let driver = device.map(Device::driver);
        self.events.push(Event::Message {
            driver: driver.filter(|name| !name.is_empty()).map(str::to_owned),
            device: device.map(|device| device.name().to_owned()),
            message,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Message {
        Message::BufferFull {
            bytes: 5000,
            total_slots: 512,
            used_slots: 510,
        }
    }

    #[test]
    fn a_rate_limited_site_prints_ten_in_five_seconds_and_then_counts() {
        let log = EventLog::default();
        let nic = Device::new("nic").with_driver("virtio");
        for _ in 0..13 {
            log.push(Some(&nic), full());
        }
        assert_eq!(log.drain().len(), 10);
        log.set_time(Duration::from_secs(6));
        log.push(Some(&nic), full());
        let texts: Vec<String> = log.drain().iter().map(Event::to_string).collect();
        assert_eq!(
            texts,
            [
                "software IO TLB: 3 callbacks suppressed",
                "virtio nic: swiotlb buffer is full (sz: 5000 bytes), total 512 (slots), used 510 (slots)",
            ]
        );
    }

    #[test]
    fn a_once_message_comes_once_for_all_devices() {
        let log = EventLog::default();
        log.push(Some(&Device::new("a")), Message::AlignMayPrevent);
        log.push(Some(&Device::new("b")), Message::AlignMayPrevent);
        assert_eq!(log.drain().len(), 1);
    }

    #[test]
    fn no_two_once_messages_share_a_site_and_all_fit_the_bits() {
        let (addr, bytes, mask, bus_limit) = (DmaAddr::new(0), 0, 0, 0);
        let phys = PhysAddr::new(0);
        let messages = [
            Message::EncryptionActive,
            Message::AlignMayPrevent,
            Message::BufferOverflow {
                alloc_bytes: 0,
                bytes,
            },
            Message::BounceOverflow {
                addr,
                bytes,
                mask,
                bus_limit,
            },
            Message::UnalignedPages { addr: phys },
            Message::DmaOverflow {
                addr,
                bytes,
                mask,
                bus_limit,
            },
            Message::IommuBounceInactive,
            Message::UnsupportedAlignment,
            Message::IovaBadSize { bytes: 0 },
            Message::IovaBadSize { bytes: 1 << 63 },
            Message::IovaOffsetInGranule { offset: 1 },
            Message::IovaCoherentAfterBounce,
            Message::Dma(DmaMessage::NoDmaMask),
            Message::Dma(DmaMessage::NoDmaParms),
            Message::Dma(DmaMessage::RejectVmalloc { phys }),
            Message::Dma(DmaMessage::UnexpectedSgError { code: 0 }),
            Message::Dma(DmaMessage::NoCoherentMask),
            Message::Dma(DmaMessage::CompoundRefused),
            Message::Dma(DmaMessage::FlagsRefused),
            Message::Dma(DmaMessage::NonCoherentUnsupported),
        ];
        let mut seen = 0_u32;
        for message in messages {
            let Class::Once(site) = message.class() else {
                panic!("{message:?} is not once");
            };
            let bit = 1_u32.checked_shl(u32::from(site)).unwrap();
            assert_eq!(seen & bit, 0, "{message:?}");
            seen |= bit;
        }
    }

    #[test]
    fn the_tracepoint_has_the_kernels_text() {
        let trace = BouncedTrace {
            dev_name: "0000:01:00.0".to_owned(),
            dma_mask: 0xffff_ffff,
            dev_addr: DmaAddr::new(0x1_2345_6789),
            bytes: 4096,
            is_forced: false,
        };
        assert_eq!(
            trace.to_string(),
            "dev_name: 0000:01:00.0 dma_mask=ffffffff dev_addr=123456789 size=4096 NORMAL"
        );
    }

    #[test]
    fn severities_follow_the_table_of_messages() {
        assert_eq!(Message::AreaNum { areas: 8 }.level(), Level::Info);
        assert_eq!(full().level(), Level::Warning);
        assert_eq!(Message::DecryptRestrictedFailed.level(), Level::Error);
    }
}
