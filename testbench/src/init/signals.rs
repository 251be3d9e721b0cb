//! The signals of the protocols, as names are read.

/// Protocols whose ports are told by the same names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Family {
    /// AXI4, AXI3, AXI4-Lite.
    Axi,
    /// AXI-Stream.
    Stream,
    /// APB.
    Apb,
    /// Wishbone.
    Wishbone,
}

/// A spelling of a signal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) family: Family,
    pub(super) channel: &'static str,
    pub(super) spelling: &'static str,
    /// As the manifest calls it.
    signal: &'static str,
    /// The side that asks drives it: an AXI manager, the sender of a stream, an APB or Wishbone manager.
    pub(super) by_asker: bool,
}

impl Entry {
    /// The signal's name in a manifest; a Wishbone's two data buses are told apart by their direction.
    pub(super) fn meaning(&self, is_output: bool) -> &'static str {
        match (self.family, self.signal, is_output) {
            (Family::Wishbone, "dat", true) => "dat_r",
            (Family::Wishbone, "dat", false) => "dat_w",
            _ => self.signal,
        }
    }
}

const fn axi(channel: &'static str, signal: &'static str, by_asker: bool) -> Entry {
    Entry {
        family: Family::Axi,
        channel,
        spelling: signal,
        signal,
        by_asker,
    }
}

const fn flat(
    family: Family,
    spelling: &'static str,
    signal: &'static str,
    by_asker: bool,
) -> Entry {
    Entry {
        family,
        channel: "",
        spelling,
        signal,
        by_asker,
    }
}

const fn stream(signal: &'static str, by_asker: bool) -> Entry {
    flat(Family::Stream, signal, signal, by_asker)
}

const fn apb(signal: &'static str, by_asker: bool) -> Entry {
    flat(Family::Apb, signal, signal, by_asker)
}

const fn wishbone(spelling: &'static str, signal: &'static str, by_asker: bool) -> Entry {
    flat(Family::Wishbone, spelling, signal, by_asker)
}

/// Every spelling that is understood.
pub(super) const SIGNALS: [Entry; 79] = [
    axi("aw", "id", true),
    axi("aw", "addr", true),
    axi("aw", "len", true),
    axi("aw", "size", true),
    axi("aw", "burst", true),
    axi("aw", "lock", true),
    axi("aw", "cache", true),
    axi("aw", "prot", true),
    axi("aw", "qos", true),
    axi("aw", "region", true),
    axi("aw", "user", true),
    axi("aw", "valid", true),
    axi("aw", "ready", false),
    axi("w", "id", true),
    axi("w", "data", true),
    axi("w", "strb", true),
    axi("w", "last", true),
    axi("w", "user", true),
    axi("w", "valid", true),
    axi("w", "ready", false),
    axi("b", "id", false),
    axi("b", "resp", false),
    axi("b", "user", false),
    axi("b", "valid", false),
    axi("b", "ready", true),
    axi("ar", "id", true),
    axi("ar", "addr", true),
    axi("ar", "len", true),
    axi("ar", "size", true),
    axi("ar", "burst", true),
    axi("ar", "lock", true),
    axi("ar", "cache", true),
    axi("ar", "prot", true),
    axi("ar", "qos", true),
    axi("ar", "region", true),
    axi("ar", "user", true),
    axi("ar", "valid", true),
    axi("ar", "ready", false),
    axi("r", "id", false),
    axi("r", "data", false),
    axi("r", "resp", false),
    axi("r", "last", false),
    axi("r", "user", false),
    axi("r", "valid", false),
    axi("r", "ready", true),
    stream("tdata", true),
    stream("tkeep", true),
    stream("tstrb", true),
    stream("tuser", true),
    stream("tid", true),
    stream("tdest", true),
    stream("tlast", true),
    stream("tvalid", true),
    stream("tready", false),
    apb("paddr", true),
    apb("pprot", true),
    apb("psel", true),
    flat(Family::Apb, "pselx", "psel", true),
    apb("penable", true),
    apb("pwrite", true),
    apb("pwdata", true),
    apb("pstrb", true),
    apb("pready", false),
    apb("prdata", false),
    apb("pslverr", false),
    wishbone("adr", "adr", true),
    wishbone("addr", "adr", true),
    // Both data buses: the direction decides.
    wishbone("dat", "dat", true),
    wishbone("data", "dat", true),
    wishbone("wdata", "dat_w", true),
    wishbone("rdata", "dat_r", false),
    wishbone("we", "we", true),
    wishbone("sel", "sel", true),
    wishbone("cyc", "cyc", true),
    wishbone("stb", "stb", true),
    wishbone("ack", "ack", false),
    wishbone("err", "err", false),
    wishbone("rty", "rty", false),
    wishbone("stall", "stall", false),
];

/// Whether the side that asks drives the signal that a manifest calls `channel` and `signal`.
pub(super) fn is_by_asker(family: Family, channel: &str, signal: &str) -> bool {
    match (family, signal) {
        (Family::Wishbone, "dat_w") => true,
        (Family::Wishbone, "dat_r") => false,
        _ => SIGNALS.iter().any(|entry| {
            (entry.family, entry.channel, entry.signal) == (family, channel, signal)
                && entry.by_asker
        }),
    }
}
