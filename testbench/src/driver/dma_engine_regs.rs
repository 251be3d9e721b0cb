//! Registers of the reference engine: offsets, field masks and values.
//!
//! Generated from `rtl/dma_engine.rdl` by `rtl/generate.py`: do not edit. The meaning in prose is in
//! `rtl/REGISTERS.md`. A constant named like a register is its byte offset, one named like a field is
//! its mask; fields wider than a bit have a `_MASK` and a `_SHIFT`.

/// Says that this is the engine.
pub const ID: u32 = 0x0;
/// What `ID.magic` always reads.
pub const ID_MAGIC_VALUE: u32 = 0x5242_4445;
/// Version of the register map.
pub const VERSION: u32 = 0x4;
/// Compatible additions. (r)
pub const VERSION_MINOR_MASK: u32 = 0xffff;
/// Lowest bit of `VERSION_MINOR_MASK`.
pub const VERSION_MINOR_SHIFT: u32 = 0;
/// What `VERSION.minor` always reads.
pub const VERSION_MINOR_VALUE: u32 = 0x2;
/// Incompatible changes. (r)
pub const VERSION_MAJOR_MASK: u32 = 0xffff_0000;
/// Lowest bit of `VERSION_MAJOR_MASK`.
pub const VERSION_MAJOR_SHIFT: u32 = 16;
/// What `VERSION.major` always reads.
pub const VERSION_MAJOR_VALUE: u32 = 0x1;
/// What was built in.
pub const CAPS0: u32 = 0x8;
/// Bytes in a bus beat, as a power of two. (r)
pub const CAPS0_BEAT_BYTES_LOG2_MASK: u32 = 0xf;
/// Lowest bit of `CAPS0_BEAT_BYTES_LOG2_MASK`.
pub const CAPS0_BEAT_BYTES_LOG2_SHIFT: u32 = 0;
/// Implemented DMA address bits. (r)
pub const CAPS0_ADDR_BITS_MASK: u32 = 0x7f00;
/// Lowest bit of `CAPS0_ADDR_BITS_MASK`.
pub const CAPS0_ADDR_BITS_SHIFT: u32 = 8;
/// What happens beyond them. (r)
pub const CAPS0_ADDR_MODE_MASK: u32 = 0x0003_0000;
/// Lowest bit of `CAPS0_ADDR_MODE_MASK`.
pub const CAPS0_ADDR_MODE_SHIFT: u32 = 16;
/// Channels. (r)
pub const CAPS0_CHANNELS_MASK: u32 = 0x00f0_0000;
/// Lowest bit of `CAPS0_CHANNELS_MASK`.
pub const CAPS0_CHANNELS_SHIFT: u32 = 20;
/// What `CAPS0.channels` always reads.
pub const CAPS0_CHANNELS_VALUE: u32 = 0x2;
/// `CONTROL.loopback` exists. (r)
pub const CAPS0_HAS_LOOPBACK: u32 = 0x0100_0000;
/// Descriptor rings exist; without them, what belongs to them reads 0. (r)
pub const CAPS0_HAS_RINGS: u32 = 0x0200_0000;
/// Performance counters exist. (r)
pub const CAPS0_HAS_COUNTERS: u32 = 0x0400_0000;
/// `ADDR_LIMIT` and BOUNDARY exist. (r)
pub const CAPS0_HAS_ADDR_LIMIT: u32 = 0x0800_0000;
/// Built with a planted fault, to test a testbench. (r)
pub const CAPS0_HAS_PLANTED_FAULT: u32 = 0x8000_0000;
/// Limits on the bus.
pub const CAPS1: u32 = 0xc;
/// Longest burst in beats. (r)
pub const CAPS1_MAX_BURST_BEATS_MASK: u32 = 0x1ff;
/// Lowest bit of `CAPS1_MAX_BURST_BEATS_MASK`.
pub const CAPS1_MAX_BURST_BEATS_SHIFT: u32 = 0;
/// Most read bursts outstanding. (r)
pub const CAPS1_MAX_READS_MASK: u32 = 0x00ff_0000;
/// Lowest bit of `CAPS1_MAX_READS_MASK`.
pub const CAPS1_MAX_READS_SHIFT: u32 = 16;
/// Most write bursts outstanding. (r)
pub const CAPS1_MAX_WRITES_MASK: u32 = 0xff00_0000;
/// Lowest bit of `CAPS1_MAX_WRITES_MASK`.
pub const CAPS1_MAX_WRITES_SHIFT: u32 = 24;
/// Buffers.
pub const CAPS2: u32 = 0x10;
/// Depth of the read FIFO in beats. (r)
pub const CAPS2_FIFO_BEATS_MASK: u32 = 0xffff;
/// Lowest bit of `CAPS2_FIFO_BEATS_MASK`.
pub const CAPS2_FIFO_BEATS_SHIFT: u32 = 0;
/// Descriptors that a ring fetches ahead; 0: no rings. (r)
pub const CAPS2_RING_DESCRIPTORS_MASK: u32 = 0x00ff_0000;
/// Lowest bit of `CAPS2_RING_DESCRIPTORS_MASK`.
pub const CAPS2_RING_DESCRIPTORS_SHIFT: u32 = 16;
/// Settings of the whole engine.
pub const CONTROL: u32 = 0x20;
/// Joins mm2s to s2mm inside the engine: a memory copy. Writes are ignored while a channel is busy.
/// (rw)
pub const CONTROL_LOOPBACK: u32 = 0x1;
/// Write 1 to stop both channels in good order. Reads 1 until nothing is outstanding; then busy
/// channels have ended with error kind aborted. Other registers keep their values. (w1s)
pub const CONTROL_SOFT_RESET: u32 = 0x2;
/// The channels' `STATUS.done`, `STATUS.error` and `RING_STATUS.irq` at a glance; cleared there.
/// The interrupt is high while `INT_STATUS` and `INT_ENABLE` have a bit in common.
pub const INT_STATUS: u32 = 0x30;
/// mm2s `STATUS.done`. (r)
pub const INT_STATUS_MM2S_DONE: u32 = 0x1;
/// mm2s `STATUS.error`. (r)
pub const INT_STATUS_MM2S_ERROR: u32 = 0x2;
/// mm2s `RING_STATUS.irq`. (r)
pub const INT_STATUS_MM2S_RING: u32 = 0x4;
/// s2mm `STATUS.done`. (r)
pub const INT_STATUS_S2MM_DONE: u32 = 0x100;
/// s2mm `STATUS.error`. (r)
pub const INT_STATUS_S2MM_ERROR: u32 = 0x200;
/// s2mm `RING_STATUS.irq`. (r)
pub const INT_STATUS_S2MM_RING: u32 = 0x400;
/// Which bits of `INT_STATUS` raise the interrupt.
pub const INT_ENABLE: u32 = 0x34;
/// mm2s `STATUS.done`. (rw)
pub const INT_ENABLE_MM2S_DONE: u32 = 0x1;
/// mm2s `STATUS.error`. (rw)
pub const INT_ENABLE_MM2S_ERROR: u32 = 0x2;
/// mm2s `RING_STATUS.irq`. (rw)
pub const INT_ENABLE_MM2S_RING: u32 = 0x4;
/// s2mm `STATUS.done`. (rw)
pub const INT_ENABLE_S2MM_DONE: u32 = 0x100;
/// s2mm `STATUS.error`. (rw)
pub const INT_ENABLE_S2MM_ERROR: u32 = 0x200;
/// s2mm `RING_STATUS.irq`. (rw)
pub const INT_ENABLE_S2MM_RING: u32 = 0x400;
/// Where the registers of channel mm2s begin.
pub const MM2S_BASE: u32 = 0x100;
/// Where the registers of channel s2mm begin.
pub const S2MM_BASE: u32 = 0x200;
/// Higher address bits are dropped silently.
pub const ADDR_MODE_TRUNCATE: u32 = 0;
/// A transfer that reaches beyond the limit is refused with a status.
pub const ADDR_MODE_LIMIT_ERROR: u32 = 1;
/// As truncate, and the low 16 bits do not carry into the higher ones, as in the 8237.
pub const ADDR_MODE_WRAP_64K: u32 = 2;
/// As truncate, and the low `BOUNDARY.bits` bits do not carry into the higher ones.
pub const ADDR_MODE_BOUNDARY: u32 = 3;
/// No error.
pub const ERROR_KIND_NONE: u32 = 0;
/// The bus answered SLVERR.
pub const ERROR_KIND_SLVERR: u32 = 1;
/// The bus answered DECERR.
pub const ERROR_KIND_DECERR: u32 = 2;
/// The transfer reaches beyond the implemented address bits (mode `limit_error`): refused, no bus
/// access. From fetch: the ring does (mode `limit_error`), or `RING_TAIL` is not below `RING_SIZE`.
pub const ERROR_KIND_ADDR_LIMIT: u32 = 3;
/// s2mm: the packet was longer than LENGTH; what was too much is lost.
pub const ERROR_KIND_OVERRUN: u32 = 4;
/// s2mm: TKEEP was not a run of ones from lane 0; the beat counted up to its first zero.
pub const ERROR_KIND_BAD_KEEP: u32 = 5;
/// Stopped by `CONTROL.stop` or by the global soft reset.
pub const ERROR_KIND_ABORTED: u32 = 6;
/// The bus or the stream did not move for TIMEOUT cycles.
pub const ERROR_KIND_TIMEOUT: u32 = 7;
/// Moving the data.
pub const ERROR_SOURCE_DATA: u32 = 0;
/// Reading a descriptor.
pub const ERROR_SOURCE_FETCH: u32 = 1;
/// Writing a completion into a descriptor.
pub const ERROR_SOURCE_WRITEBACK: u32 = 2;

/// Registers of one channel: offsets from `MM2S_BASE` or `S2MM_BASE`.
pub mod channel {
    /// Starts and stops transfers.
    pub const CONTROL: u32 = 0x0;
    /// Write 1 to start a transfer with ADDR and LENGTH as they are now; clears STATUS. Reads 0.
    /// While busy, or with `ring_enable`, it is ignored and sets `STATUS.start_ignored`. (w1)
    pub const CONTROL_START: u32 = 0x1;
    /// Write 1 to stop the transfer in work: no further burst starts, what is outstanding is
    /// collected, then the channel ends with error kind aborted (or well, if all its data had
    /// moved). A ring halts after the descriptor in work. Reads 0. (w1)
    pub const CONTROL_STOP: u32 = 0x2;
    /// Write 1 to put `RING_HEAD` and `RING_TAIL` to 0 and to clear `RING_STATUS`. Only while
    /// `ring_enable` is 0. Reads 0. (w1)
    pub const CONTROL_RING_RESET: u32 = 0x4;
    /// Write 1 to set the channel's performance counters to 0. Reads 0. (w1)
    pub const CONTROL_COUNTERS_RESET: u32 = 0x8;
    /// mm2s: the packet goes on after this transfer (no TLAST). s2mm: the transfer ends at LENGTH
    /// and what follows in the packet is left to the next transfer. (rw)
    pub const CONTROL_KEEP_OPEN: u32 = 0x100;
    /// Takes transfers from the descriptor ring; start is ignored. May be cleared at any time: what
    /// is in work is finished and written back. (rw)
    pub const CONTROL_RING_ENABLE: u32 = 0x200;
    /// Performance counters count. (rw)
    pub const CONTROL_COUNTERS_ENABLE: u32 = 0x400;
    /// State and result of the transfer. All fields but busy are cleared by the next start. With a
    /// ring: done stays 0, and error and what belongs to it tell of the first failure since error
    /// was cleared.
    pub const STATUS: u32 = 0x4;
    /// A transfer is in work. (r)
    pub const STATUS_BUSY: u32 = 0x1;
    /// The transfer has ended, well or not. Write 1 to clear. (w1c)
    pub const STATUS_DONE: u32 = 0x2;
    /// The transfer failed, see `error_kind`. Write 1 to clear. (w1c)
    pub const STATUS_ERROR: u32 = 0x4;
    /// LENGTH was 0: ended at once, neither bus nor stream were touched. (r)
    pub const STATUS_ZERO_LENGTH: u32 = 0x8;
    /// s2mm: the transfer took the packet's TLAST. (r)
    pub const STATUS_PACKET_END: u32 = 0x10;
    /// start was written while busy, and ignored. Write 1 to clear. (w1c)
    pub const STATUS_START_IGNORED: u32 = 0x20;
    /// Why the transfer failed (the first cause). (r)
    pub const STATUS_ERROR_KIND_MASK: u32 = 0xf00;
    /// Lowest bit of `STATUS_ERROR_KIND_MASK`.
    pub const STATUS_ERROR_KIND_SHIFT: u32 = 8;
    /// DMA address of the first byte, bits 31:0. Any byte address. Read at start, may be written
    /// while busy.
    pub const ADDR_LO: u32 = 0x8;
    /// DMA address of the first byte, bits 63:32.
    pub const ADDR_HI: u32 = 0xc;
    /// Bytes to move (s2mm: room in the buffer). Read at start, may be written while busy.
    pub const LENGTH: u32 = 0x10;
    /// mm2s: bytes handed to the stream. s2mm: bytes in memory, answered OKAY, before the first
    /// failing burst. Grows while busy.
    pub const BYTES_DONE: u32 = 0x14;
    /// Bits 31:0 of the failing address: first byte of the failing burst (slverr, decerr), or first
    /// byte beyond the limit (`addr_limit`). With error source fetch or writeback: the descriptor.
    /// 0 for aborted and timeout.
    pub const FAIL_ADDR_LO: u32 = 0x18;
    /// Bits 63:32 of the failing address.
    pub const FAIL_ADDR_HI: u32 = 0x1c;
    /// Cycles without any handshake on the channel's side of the bus or on its stream after which a
    /// transfer in work is stopped with error kind timeout; 0: never. `STATUS.error` and the
    /// interrupt come at once; busy falls when the bus has answered what is outstanding. With a
    /// ring: also cycles in which something is outstanding on its port, and nothing moves there.
    pub const TIMEOUT: u32 = 0x20;
    /// Strap of the address limit: how many of `CAPS0.addr_bits` the channel has, in
    /// `CAPS0.addr_mode`. Byte 0 and byte 1 are written apart: a value outside of 16 to
    /// `CAPS0.addr_bits` is refused, and what was there reads back. May be written while busy.
    pub const ADDR_LIMIT: u32 = 0x24;
    /// DMA address bits of the data. Read at start, or when a descriptor begins. Resets to
    /// `CAPS0.addr_bits`. (rw)
    pub const ADDR_LIMIT_BITS_MASK: u32 = 0x7f;
    /// Lowest bit of `ADDR_LIMIT_BITS_MASK`.
    pub const ADDR_LIMIT_BITS_SHIFT: u32 = 0;
    /// DMA address bits of the descriptors. Read when `ring_enable` is set. Resets to
    /// `CAPS0.addr_bits`. (rw)
    pub const ADDR_LIMIT_RING_BITS_MASK: u32 = 0x7f00;
    /// Lowest bit of `ADDR_LIMIT_RING_BITS_MASK`.
    pub const ADDR_LIMIT_RING_BITS_SHIFT: u32 = 8;
    /// Where the address counter does not carry: `seg_boundary` is 2^bits - 1. Data and descriptors
    /// wrap at the multiple of 2^bits in which they began. Read like `ADDR_LIMIT`, may be written
    /// while busy.
    pub const BOUNDARY: u32 = 0x28;
    /// 12 to 64 in mode boundary, which resets to what was built in; another value is refused, and
    /// what was there reads back. Always 16 in mode `wrap_64k`, and 64, no boundary, in the others.
    /// (rw)
    pub const BOUNDARY_BITS_MASK: u32 = 0x7f;
    /// Lowest bit of `BOUNDARY_BITS_MASK`.
    pub const BOUNDARY_BITS_SHIFT: u32 = 0;
    /// DMA address of descriptor 0, bits 31:0, a multiple of 16.
    pub const RING_BASE_LO: u32 = 0x40;
    /// Address bits 31:4. (rw)
    pub const RING_BASE_LO_VALUE_MASK: u32 = 0xffff_fff0;
    /// Lowest bit of `RING_BASE_LO_VALUE_MASK`.
    pub const RING_BASE_LO_VALUE_SHIFT: u32 = 4;
    /// DMA address of descriptor 0, bits 63:32.
    pub const RING_BASE_HI: u32 = 0x44;
    /// Descriptors in the ring, at least 2. One of them is always free: `RING_HEAD` = `RING_TAIL`
    /// is the empty ring.
    pub const RING_SIZE: u32 = 0x48;
    /// Descriptors. (rw)
    pub const RING_SIZE_COUNT_MASK: u32 = 0xffff;
    /// Lowest bit of `RING_SIZE_COUNT_MASK`.
    pub const RING_SIZE_COUNT_SHIFT: u32 = 0;
    /// The first descriptor that is not written back: those before it belong to the driver.
    pub const RING_HEAD: u32 = 0x4c;
    /// Index. (r)
    pub const RING_HEAD_INDEX_MASK: u32 = 0xffff;
    /// Lowest bit of `RING_HEAD_INDEX_MASK`.
    pub const RING_HEAD_INDEX_SHIFT: u32 = 0;
    /// Doorbell: the first descriptor that the engine may not take yet. Below `RING_SIZE`;
    /// otherwise the ring halts with error kind `addr_limit` from fetch.
    pub const RING_TAIL: u32 = 0x50;
    /// Index. (rw)
    pub const RING_TAIL_INDEX_MASK: u32 = 0xffff;
    /// Lowest bit of `RING_TAIL_INDEX_MASK`.
    pub const RING_TAIL_INDEX_SHIFT: u32 = 0;
    /// When `RING_STATUS.irq` rises for descriptors written back: whichever is first.
    pub const RING_COALESCE: u32 = 0x54;
    /// After so many descriptors; 0: not by count. (rw)
    pub const RING_COALESCE_COUNT_MASK: u32 = 0xff;
    /// Lowest bit of `RING_COALESCE_COUNT_MASK`.
    pub const RING_COALESCE_COUNT_SHIFT: u32 = 0;
    /// So many times 16 cycles after the first of them; 0: not by time. (rw)
    pub const RING_COALESCE_DELAY_MASK: u32 = 0xffff_0000;
    /// Lowest bit of `RING_COALESCE_DELAY_MASK`.
    pub const RING_COALESCE_DELAY_SHIFT: u32 = 16;
    /// State of the ring.
    pub const RING_STATUS: u32 = 0x58;
    /// Descriptors are being fetched, are in work, or are being written back. (r)
    pub const RING_STATUS_BUSY: u32 = 0x1;
    /// The ring has stopped, by a failure or by `CONTROL.stop`, and nothing of it is outstanding.
    /// Write 1 to go on at `RING_HEAD`. (w1c)
    pub const RING_STATUS_HALTED: u32 = 0x2;
    /// Descriptors were written back, see `RING_COALESCE`. Write 1 to clear. (w1c)
    pub const RING_STATUS_IRQ: u32 = 0x4;
    /// What failed, together with `STATUS.error_kind`. (r)
    pub const RING_STATUS_ERROR_SOURCE_MASK: u32 = 0x30;
    /// Lowest bit of `RING_STATUS_ERROR_SOURCE_MASK`.
    pub const RING_STATUS_ERROR_SOURCE_SHIFT: u32 = 4;
    /// The descriptor at which the first failure since `STATUS.error` was cleared took place.
    pub const RING_FAIL: u32 = 0x60;
    /// Index. (r)
    pub const RING_FAIL_INDEX_MASK: u32 = 0xffff;
    /// Lowest bit of `RING_FAIL_INDEX_MASK`.
    pub const RING_FAIL_INDEX_SHIFT: u32 = 0;
    /// Cycles in which a transfer was in work.
    pub const COUNT_BUSY: u32 = 0x80;
    /// mm2s: R beats. s2mm: W beats.
    pub const COUNT_BEATS: u32 = 0x84;
    /// Cycles in which ARVALID (mm2s) or AWVALID (s2mm) waited.
    pub const COUNT_STALL_ADDRESS: u32 = 0x88;
    /// mm2s: cycles in which reads were outstanding and no R beat came. s2mm: cycles in which
    /// WVALID waited.
    pub const COUNT_STALL_DATA: u32 = 0x8c;
    /// mm2s: cycles in which a beat waited for whoever takes it. s2mm: cycles in which a transfer
    /// waited for a beat.
    pub const COUNT_STALL_STREAM: u32 = 0x90;
    /// Most bursts that were outstanding at a time.
    pub const COUNT_OUTSTANDING: u32 = 0x94;
    /// Bursts. (r)
    pub const COUNT_OUTSTANDING_BURSTS_MASK: u32 = 0x1ff;
    /// Lowest bit of `COUNT_OUTSTANDING_BURSTS_MASK`.
    pub const COUNT_OUTSTANDING_BURSTS_SHIFT: u32 = 0;
}
