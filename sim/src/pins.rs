//! The pin block: what Rust and the Verilated model see of each other, once per clock cycle.
//!
//! Each struct is one interface of the core in its widest form; a narrower core uses the low bits and
//! leaves the rest zero. Words are little-endian in significance: `data[0]` holds byte lanes 0 to 7.
//! The C++ twin is `cxx/rebound_abi.h`; the two are compared when the crate is built.
//! "From the core" fields hold the values before the rising edge of the last step, so a handshake
//! happened in that cycle iff valid and ready are both set.

/// Widest data bus in 64-bit words (1024 bits).
pub const DATA_WORDS: usize = 16;
/// Byte strobes of the widest data bus in 64-bit words.
pub const STROBE_WORDS: usize = 2;
/// CPUs shown in the waveform beside the core.
pub const VIEW_CPUS: usize = 4;
/// Characters of a CPU state shown in the waveform.
pub const VIEW_TEXT: usize = 16;

/// An address channel, AW or AR (IHI 0022, A2.2 and A2.5). All fields are driven by the core.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct AddressPins {
    /// `AxADDR`, a DMA address.
    pub addr: u64,
    /// `AxID`.
    pub id: u32,
    /// `AxLEN`: beats − 1.
    pub len: u8,
    /// `AxSIZE`: log2 of the bytes in a beat.
    pub size: u8,
    /// `AxBURST`: 0 FIXED, 1 INCR, 2 WRAP.
    pub burst: u8,
    /// `AxLOCK`.
    pub lock: u8,
    /// `AxCACHE`.
    pub cache: u8,
    /// `AxPROT`.
    pub prot: u8,
    /// `AxQOS`.
    pub qos: u8,
    /// `AxVALID`.
    pub valid: u8,
}

/// One AXI manager port of the core (IHI 0022, A2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct AxiManagerPins {
    /// AW channel, from the core.
    pub aw: AddressPins,
    /// AR channel, from the core.
    pub ar: AddressPins,
    /// `WDATA`, from the core.
    pub wdata: [u64; DATA_WORDS],
    /// `WSTRB`, from the core.
    pub wstrb: [u64; STROBE_WORDS],
    /// `WID` (AXI3 only), from the core.
    pub wid: u32,
    /// `WLAST`, from the core.
    pub wlast: u8,
    /// `WVALID`, from the core.
    pub wvalid: u8,
    /// `BREADY`, from the core.
    pub bready: u8,
    /// `RREADY`, from the core.
    pub rready: u8,
    /// `RDATA`, to the core.
    pub rdata: [u64; DATA_WORDS],
    /// `RID`, to the core.
    pub rid: u32,
    /// `BID`, to the core.
    pub bid: u32,
    /// `RRESP`, to the core.
    pub rresp: u8,
    /// `RLAST`, to the core.
    pub rlast: u8,
    /// `RVALID`, to the core.
    pub rvalid: u8,
    /// `BRESP`, to the core.
    pub bresp: u8,
    /// `BVALID`, to the core.
    pub bvalid: u8,
    /// `AWREADY`, to the core.
    pub awready: u8,
    /// `WREADY`, to the core.
    pub wready: u8,
    /// `ARREADY`, to the core.
    pub arready: u8,
}

/// One AXI4-Lite subordinate port of the core: its control registers (IHI 0022, B1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct AxiLitePins {
    /// `AWADDR`, to the core.
    pub awaddr: u64,
    /// `ARADDR`, to the core.
    pub araddr: u64,
    /// `WDATA`, to the core.
    pub wdata: u64,
    /// `RDATA`, from the core.
    pub rdata: u64,
    /// `WSTRB`, to the core.
    pub wstrb: u8,
    /// `AWPROT`, to the core.
    pub awprot: u8,
    /// `ARPROT`, to the core.
    pub arprot: u8,
    /// `AWVALID`, to the core.
    pub awvalid: u8,
    /// `WVALID`, to the core.
    pub wvalid: u8,
    /// `ARVALID`, to the core.
    pub arvalid: u8,
    /// `BREADY`, to the core.
    pub bready: u8,
    /// `RREADY`, to the core.
    pub rready: u8,
    /// `AWREADY`, from the core.
    pub awready: u8,
    /// `WREADY`, from the core.
    pub wready: u8,
    /// `ARREADY`, from the core.
    pub arready: u8,
    /// `BRESP`, from the core.
    pub bresp: u8,
    /// `BVALID`, from the core.
    pub bvalid: u8,
    /// `RRESP`, from the core.
    pub rresp: u8,
    /// `RVALID`, from the core.
    pub rvalid: u8,
}

/// One APB or Wishbone port of the core: its control registers (IHI 0024, 2; Wishbone B4, 2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct RegisterPins {
    /// `PADDR` or `ADR`, to the core.
    pub addr: u64,
    /// `PWDATA` or `DAT` into the core, to the core.
    pub wdata: u64,
    /// `PRDATA` or `DAT` out of the core, from the core.
    pub rdata: u64,
    /// `PSTRB` or `SEL`, to the core.
    pub strobe: u8,
    /// `PPROT`, to the core.
    pub prot: u8,
    /// `PSEL` or `CYC`, to the core.
    pub select: u8,
    /// `PENABLE` or `STB`, to the core.
    pub enable: u8,
    /// `PWRITE` or `WE`, to the core.
    pub write: u8,
    /// `PREADY` or `ACK`, from the core.
    pub ready: u8,
    /// `PSLVERR` or `ERR`, from the core.
    pub error: u8,
    /// `RTY`, from the core.
    pub retry: u8,
    /// `STALL`, from the core.
    pub stall: u8,
    /// The port's clock rises in this cycle, from the wrapper.
    pub tick: u8,
}

/// One AXI-Stream port of the core (IHI 0051, 2). For a stream that the core sends, only `ready` goes
/// to the core; for one that it receives, only `ready` comes from it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct AxiStreamPins {
    /// `TDATA`.
    pub data: [u64; DATA_WORDS],
    /// `TKEEP`.
    pub keep: [u64; STROBE_WORDS],
    /// `TUSER`.
    pub user: u64,
    /// `TID`.
    pub id: u32,
    /// `TDEST`.
    pub dest: u32,
    /// `TLAST`.
    pub last: u8,
    /// `TVALID`.
    pub valid: u8,
    /// `TREADY`.
    pub ready: u8,
}

/// The driver's side as signals beside the core, so that one waveform explains a bounced transfer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct HostViewPins {
    /// What each CPU does, as ASCII text padded with NUL (first character first).
    pub cpu_state: [[u8; VIEW_TEXT]; VIEW_CPUS],
    /// Slots of the pool in use.
    pub slots_used: u64,
    /// Physical address of the bounce buffer last mapped, 0 if it was not bounced.
    pub bounce_addr: u64,
    /// Physical address of the original buffer last mapped.
    pub orig_addr: u64,
    /// DMA address last handed to the device.
    pub dma_addr: u64,
}
