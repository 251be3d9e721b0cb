//! The signals of each protocol: direction, width, default, and the field of the pin block.

use crate::manifest::{AxiProtocol, StreamDirection};

/// A signal of a protocol.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signal {
    /// Channel, empty for streams.
    pub(super) channel: &'static str,
    /// Name within the channel.
    pub(super) name: &'static str,
    /// The core drives it.
    pub(super) from_core: bool,
    /// Bits.
    pub(super) width: Width,
    /// What holds if the core lacks it.
    pub(super) absent: Absent,
    /// Field of the pin struct, in C++; empty if Rebound does not look at it.
    pub(super) pin: &'static str,
}

/// Width of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    /// Exactly so many bits.
    Fixed(u32),
    /// One to so many bits.
    AtMost(u32),
    /// The interface's address width.
    Address,
    /// The interface's data width.
    Data,
    /// A bit for each data byte.
    Strobe,
    /// The id width of writes.
    WriteId,
    /// The id width of reads.
    ReadId,
}

/// What a signal is if the core does not have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Absent {
    /// The core must have it.
    Required,
    /// 0, or simply not connected.
    Zero,
    /// 1.
    One,
    /// All ones: each byte counts.
    Ones,
    /// log2 of the bus width in bytes.
    FullSize,
}

impl Signal {
    /// `awaddr`, `tdata`.
    pub(super) fn full_name(&self) -> String {
        format!("{}{}", self.channel, self.name)
    }

    /// A beat moves when it is high: valid or ready.
    pub(super) fn is_handshake(&self) -> bool {
        self.name.ends_with("valid") || self.name.ends_with("ready")
    }
}

const fn signal(
    channel: &'static str,
    name: &'static str,
    from_core: bool,
    width: Width,
    absent: Absent,
    pin: &'static str,
) -> Signal {
    Signal {
        channel,
        name,
        from_core,
        width,
        absent,
        pin,
    }
}

/// Signals of a manager port, in the order of IHI 0022 A2.
pub(super) fn axi(protocol: AxiProtocol) -> Vec<Signal> {
    use Absent::{FullSize, One, Ones, Required, Zero};
    use Width::{Address, AtMost, Data, Fixed, ReadId, Strobe, WriteId};
    let len = match protocol {
        AxiProtocol::Axi4 => Fixed(8),
        AxiProtocol::Axi3 => AtMost(8),
    };
    let mut signals = vec![
        signal("aw", "id", true, WriteId, Zero, "aw.id"),
        signal("aw", "addr", true, Address, Required, "aw.addr"),
        signal("aw", "len", true, len, Zero, "aw.len"),
        signal("aw", "size", true, Fixed(3), FullSize, "aw.size"),
        signal("aw", "burst", true, Fixed(2), One, "aw.burst"),
        signal("aw", "lock", true, AtMost(2), Zero, "aw.lock"),
        signal("aw", "cache", true, Fixed(4), Zero, "aw.cache"),
        signal("aw", "prot", true, Fixed(3), Zero, "aw.prot"),
        signal("aw", "qos", true, Fixed(4), Zero, "aw.qos"),
        signal("aw", "valid", true, Fixed(1), Required, "aw.valid"),
        signal("aw", "ready", false, Fixed(1), Required, "awready"),
        signal("w", "data", true, Data, Required, "wdata"),
        signal("w", "strb", true, Strobe, Ones, "wstrb"),
        signal("w", "last", true, Fixed(1), One, "wlast"),
        signal("w", "valid", true, Fixed(1), Required, "wvalid"),
        signal("w", "ready", false, Fixed(1), Required, "wready"),
        signal("b", "id", false, WriteId, Zero, "bid"),
        signal("b", "resp", false, Fixed(2), Zero, "bresp"),
        signal("b", "user", false, AtMost(1024), Zero, ""),
        signal("b", "valid", false, Fixed(1), Required, "bvalid"),
        signal("b", "ready", true, Fixed(1), One, "bready"),
        signal("ar", "id", true, ReadId, Zero, "ar.id"),
        signal("ar", "addr", true, Address, Required, "ar.addr"),
        signal("ar", "len", true, len, Zero, "ar.len"),
        signal("ar", "size", true, Fixed(3), FullSize, "ar.size"),
        signal("ar", "burst", true, Fixed(2), One, "ar.burst"),
        signal("ar", "lock", true, AtMost(2), Zero, "ar.lock"),
        signal("ar", "cache", true, Fixed(4), Zero, "ar.cache"),
        signal("ar", "prot", true, Fixed(3), Zero, "ar.prot"),
        signal("ar", "qos", true, Fixed(4), Zero, "ar.qos"),
        signal("ar", "valid", true, Fixed(1), Required, "ar.valid"),
        signal("ar", "ready", false, Fixed(1), Required, "arready"),
        signal("r", "id", false, ReadId, Zero, "rid"),
        signal("r", "data", false, Data, Required, "rdata"),
        signal("r", "resp", false, Fixed(2), Zero, "rresp"),
        signal("r", "last", false, Fixed(1), Zero, "rlast"),
        signal("r", "user", false, AtMost(1024), Zero, ""),
        signal("r", "valid", false, Fixed(1), Required, "rvalid"),
        signal("r", "ready", true, Fixed(1), One, "rready"),
    ];
    if protocol == AxiProtocol::Axi3 {
        signals.push(signal("w", "id", true, WriteId, Zero, "wid"));
    }
    signals
}

/// Signals of an AXI4-Lite subordinate port (IHI 0022 B1).
pub(super) fn axil() -> Vec<Signal> {
    use Absent::{Required, Zero};
    use Width::{Address, Data, Fixed, Strobe};
    vec![
        signal("aw", "addr", false, Address, Required, "awaddr"),
        signal("aw", "prot", false, Fixed(3), Zero, "awprot"),
        signal("aw", "valid", false, Fixed(1), Required, "awvalid"),
        signal("aw", "ready", true, Fixed(1), Required, "awready"),
        signal("w", "data", false, Data, Required, "wdata"),
        signal("w", "strb", false, Strobe, Zero, "wstrb"),
        signal("w", "valid", false, Fixed(1), Required, "wvalid"),
        signal("w", "ready", true, Fixed(1), Required, "wready"),
        signal("b", "resp", true, Fixed(2), Zero, "bresp"),
        signal("b", "valid", true, Fixed(1), Required, "bvalid"),
        signal("b", "ready", false, Fixed(1), Zero, "bready"),
        signal("ar", "addr", false, Address, Required, "araddr"),
        signal("ar", "prot", false, Fixed(3), Zero, "arprot"),
        signal("ar", "valid", false, Fixed(1), Required, "arvalid"),
        signal("ar", "ready", true, Fixed(1), Required, "arready"),
        signal("r", "data", true, Data, Required, "rdata"),
        signal("r", "resp", true, Fixed(2), Zero, "rresp"),
        signal("r", "valid", true, Fixed(1), Required, "rvalid"),
        signal("r", "ready", false, Fixed(1), Zero, "rready"),
    ]
}

/// Signals of an APB port (IHI 0024, 2).
pub(super) fn apb() -> Vec<Signal> {
    use Absent::{One, Required, Zero};
    use Width::{Address, Data, Fixed, Strobe};
    vec![
        signal("", "paddr", false, Address, Required, "addr"),
        signal("", "pprot", false, Fixed(3), Zero, "prot"),
        signal("", "psel", false, Fixed(1), Required, "select"),
        signal("", "penable", false, Fixed(1), Required, "enable"),
        signal("", "pwrite", false, Fixed(1), Required, "write"),
        signal("", "pwdata", false, Data, Required, "wdata"),
        signal("", "pstrb", false, Strobe, Zero, "strobe"),
        signal("", "pready", true, Fixed(1), One, "ready"),
        signal("", "prdata", true, Data, Required, "rdata"),
        signal("", "pslverr", true, Fixed(1), Zero, "error"),
    ]
}

/// Signals of a Wishbone port (Wishbone B4, 2.2).
pub(super) fn wishbone() -> Vec<Signal> {
    use Absent::{Required, Zero};
    use Width::{Address, Data, Fixed, Strobe};
    vec![
        signal("", "adr", false, Address, Required, "addr"),
        signal("", "dat_w", false, Data, Required, "wdata"),
        signal("", "dat_r", true, Data, Required, "rdata"),
        signal("", "we", false, Fixed(1), Required, "write"),
        signal("", "sel", false, Strobe, Zero, "strobe"),
        signal("", "cyc", false, Fixed(1), Zero, "select"),
        signal("", "stb", false, Fixed(1), Required, "enable"),
        signal("", "ack", true, Fixed(1), Required, "ready"),
        signal("", "err", true, Fixed(1), Zero, "error"),
        signal("", "rty", true, Fixed(1), Zero, "retry"),
        signal("", "stall", true, Fixed(1), Zero, "stall"),
    ]
}

/// Signals of a stream (IHI 0051, 2.1).
pub(super) fn stream(direction: StreamDirection) -> Vec<Signal> {
    use Absent::{One, Ones, Required, Zero};
    use Width::{AtMost, Data, Fixed, Strobe};
    let sends = direction.is_source();
    vec![
        signal("", "tdata", sends, Data, Required, "data"),
        signal("", "tkeep", sends, Strobe, Ones, "keep"),
        signal(
            "",
            "tstrb",
            sends,
            Strobe,
            Ones,
            if sends { "" } else { "keep" },
        ),
        signal("", "tuser", sends, AtMost(64), Zero, "user"),
        signal("", "tid", sends, AtMost(32), Zero, "id"),
        signal("", "tdest", sends, AtMost(32), Zero, "dest"),
        signal("", "tlast", sends, Fixed(1), One, "last"),
        signal("", "tvalid", sends, Fixed(1), Required, "valid"),
        signal("", "tready", !sends, Fixed(1), One, "ready"),
    ]
}
