//! Control programs to begin with: the ways in which software starts the DMA cores that are met in practice.

use rebound_sim::manifest::{OPEN_PLACE, StreamDirection};

use super::model::{Channel, Protocol, Recognised};

/// A control program to begin with.
#[derive(Debug, Clone, Copy)]
pub struct Template {
    /// Name on the command line.
    pub name: &'static str,
    /// What such a core is like.
    pub about: &'static str,
    write: fn(&Facts<'_>) -> String,
}

/// All of them.
pub const TEMPLATES: [Template; 6] = [
    Template {
        name: "descriptor-stream",
        about: "a beat on a descriptor channel starts, a beat on a status channel ends",
        write: descriptor_stream,
    },
    Template {
        name: "length-starts",
        about: "AXI4-Lite simple mode: address low and high, then the length, whose write starts",
        write: length_starts,
    },
    Template {
        name: "start-bit",
        about: "registers for source, destination, length; a start bit; a status that is written with one to clear",
        write: start_bit,
    },
    Template {
        name: "read-launches",
        about: "reading a register launches and returns an id; done when another register has reached it",
        write: read_launches,
    },
    Template {
        name: "apb",
        about: "APB or Wishbone registers of 32 bits: addresses, length, command, state, interrupt",
        write: apb,
    },
    Template {
        name: "wires",
        about: "no registers: addresses and length on wires, a start pulse, busy and done wires",
        write: wires,
    },
];

/// The template called `name`.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Template> {
    TEMPLATES.iter().find(|template| template.name == name)
}

/// The template for the control interface that was recognised.
#[must_use]
pub fn fitting(found: &Recognised) -> &'static Template {
    let has = |protocol| {
        found
            .interfaces
            .iter()
            .any(|each| each.protocol == protocol)
    };
    let has_sink = found
        .channels
        .iter()
        .any(|each| each.direction == StreamDirection::Sink);
    let index = if has_sink {
        0
    } else if has(Protocol::Lite) {
        // The naming of cores in whose simple mode the length starts.
        let is_simple = found
            .wires
            .iter()
            .any(|wire| wire.name.ends_with("introut"));
        if is_simple { 1 } else { 2 }
    } else if has(Protocol::Apb) || has(Protocol::Wishbone) {
        4
    } else {
        5
    };
    &TEMPLATES[index]
}

impl Template {
    /// The program for a core, as TOML; values that are still to be filled in begin with `TODO`.
    #[must_use]
    pub fn program(&self, found: &Recognised) -> String {
        (self.write)(&Facts::of(found))
    }
}

/// Whether a program has values to be filled in.
#[must_use]
pub fn is_open(program: &str) -> bool {
    program.contains(OPEN_PLACE)
}

/// What a template needs to know of a core.
struct Facts<'a> {
    found: &'a Recognised,
    is_wide: bool,
}

/// A kind of transfer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Copy,
    Mm2s,
    S2mm,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::Copy => "copy",
            Self::Mm2s => "mm2s",
            Self::S2mm => "s2mm",
        }
    }

    /// Symbols with what they are called in words.
    fn addresses(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Copy => &[("src", "source address"), ("dst", "destination address")],
            Self::Mm2s => &[("src", "source address")],
            Self::S2mm => &[("dst", "destination address")],
        }
    }
}

impl<'a> Facts<'a> {
    fn of(found: &'a Recognised) -> Self {
        let mut managers = found
            .interfaces
            .iter()
            .filter(|each| each.protocol.is_manager());
        let is_wide = managers.any(|each| each.address().and_then(|port| port.width) > Some(32));
        Self { found, is_wide }
    }

    /// The kinds of transfer: by the data streams, or by the names of a lone descriptor channel.
    fn ways(&self) -> Vec<Way> {
        let has = |direction| {
            let mut all = self.found.interfaces.iter();
            all.any(|each| each.protocol == Protocol::Stream(direction))
        };
        match (has(StreamDirection::Source), has(StreamDirection::Sink)) {
            (true, true) => vec![Way::Mm2s, Way::S2mm],
            (true, false) => vec![Way::Mm2s],
            (false, true) => vec![Way::S2mm],
            (false, false) => vec![Way::Copy],
        }
    }

    /// `{ wait_irq = … }`, if the core has an interrupt for this kind of transfer; else a poll.
    fn waits(&self, way: Way, otherwise: &str) -> String {
        let interrupts = self.found.wires.iter().filter(|wire| wire.is_interrupt);
        let mut best: Vec<_> = interrupts.collect();
        best.sort_by_key(|wire| !wire.name.contains(way.name()));
        match best.first() {
            Some(wire) => format!("    {{ wait_irq = \"{}\" }},\n", wire.name),
            None => otherwise.to_owned(),
        }
    }

    /// Writes of the addresses, in halves if they are wide.
    fn address_writes(&self, way: Way) -> String {
        let write = |what: &str, value: &str| {
            format!("    {{ write = \"TODO offset of the {what}\", value = \"{value}\" }},\n")
        };
        way.addresses()
            .iter()
            .map(|(symbol, what)| {
                if self.is_wide {
                    write(&format!("{what}, low half"), &format!("{symbol}.lo"))
                        + &write(&format!("{what}, high half"), &format!("{symbol}.hi"))
                } else {
                    write(what, symbol)
                }
            })
            .collect()
    }
}

const POLL_DONE: &str = "    { poll = \"TODO offset of the status register\", mask = \"TODO done bit\", equals = \"TODO done bit\", every_cycles = 16 },\n";
const STATUS: &str = "    { read = \"TODO offset of the status register\", into = \"status\" },\n    { write = \"TODO offset of the status register\", value = \"TODO bits that clear it\" },\n]\n";
const ERRORS: &str =
    "errors = [{ name = \"transfer failed\", from = \"status\", mask = \"TODO error bits\" }]\n";

fn length_starts(facts: &Facts<'_>) -> String {
    let mut text = "[control]\ninit = [{ write = \"TODO offset of the control register\", value = \"TODO run bit and interrupt enable\" }]\n".to_owned();
    for way in facts.ways() {
        text += &format!("\n[control.{}]\nstart = [\n", way.name());
        text += &facts.address_writes(way);
        text += "    # The length goes last: it starts.\n    { write = \"TODO offset of the length\", value = \"len\" },\n]\n";
        text += &format!("done = [\n{}{STATUS}{ERRORS}", facts.waits(way, POLL_DONE));
    }
    text
}

fn start_bit(facts: &Facts<'_>) -> String {
    let mut text = "[control]\ninit = [{ write = \"TODO offset of the control register\", value = \"TODO interrupt enable bit, or take the line out\" }]\n".to_owned();
    for way in facts.ways() {
        text += &format!("\n[control.{}]\nstart = [\n", way.name());
        text += &facts.address_writes(way);
        text += "    { write = \"TODO offset of the length\", value = \"len\" },\n    { write = \"TODO offset of the control register\", value = \"TODO start bit and interrupt enable\" },\n]\n";
        text += &format!("done = [\n{}{STATUS}{ERRORS}", facts.waits(way, POLL_DONE));
    }
    text
}

fn read_launches(facts: &Facts<'_>) -> String {
    let mut text = "[control]\n".to_owned();
    for way in facts.ways() {
        text += &format!("\n[control.{}]\nstart = [\n", way.name());
        text += &facts.address_writes(way);
        text += "    { write = \"TODO offset of the length\", value = \"len\" },\n    # The read launches.\n    { read = \"TODO offset of the register that launches\", into = \"id\" },\n]\n";
        text += "done = [{ poll = \"TODO offset of the register with the last id that is done\", at_least = \"id\", every_cycles = 8 }]\n";
    }
    text
}

fn apb(facts: &Facts<'_>) -> String {
    let mut text = "[control]\n# Bytes of a word, if the length counts words: then write \"len.words\" or \"len.words - 1\".\n# word_bytes = 4\ninit = [{ write = \"TODO offset of the interrupt mask\", value = \"TODO mask bits, or take the line out\" }]\n".to_owned();
    for way in facts.ways() {
        text += &format!("\n[control.{}]\nstart = [\n", way.name());
        text += &facts.address_writes(way);
        text += "    { write = \"TODO offset of the length\", value = \"len\" },\n    { write = \"TODO offset of the command register\", value = \"TODO start bit\" },\n]\n";
        text += &format!("done = [\n{}{STATUS}{ERRORS}", facts.waits(way, POLL_DONE));
    }
    text
}

fn wires(facts: &Facts<'_>) -> String {
    let inputs = || facts.found.wires.iter().filter(|wire| !wire.is_output);
    let outputs = || facts.found.wires.iter().filter(|wire| wire.is_output);
    let named = |name: &str, parts: &[&str]| parts.iter().any(|part| name.contains(part));
    let pick = |parts: &[&str], what: &str| {
        let wire = inputs().find(|wire| named(&wire.name, parts));
        wire.map_or_else(
            || format!("TODO wire of the {what}"),
            |wire| wire.name.clone(),
        )
    };
    let watch = |parts: &[&str]| outputs().find(|wire| named(&wire.name, parts));
    let mut text = "[control]\n".to_owned();
    for way in facts.ways() {
        text += &format!("\n[control.{}]\nstart = [\n", way.name());
        for (symbol, what) in way.addresses() {
            let parts: &[&str] = if *symbol == "src" {
                &["src", "source", "read_addr", "raddr", "from"]
            } else {
                &["dst", "dest", "write_addr", "waddr", "to_addr"]
            };
            text += &format!(
                "    {{ set = \"{}\", value = \"{symbol}\" }},\n",
                pick(parts, what)
            );
        }
        let length = pick(
            &["len", "size", "bytes", "count", "words", "beats"],
            "length",
        );
        let unit =
            "TODO \\\"len\\\" for bytes, \\\"len.beats\\\" or \\\"len.beats - 1\\\" for beats";
        text += &format!("    {{ set = \"{length}\", value = \"{unit}\" }},\n");
        let start = pick(
            &["start", "go", "launch", "req", "trigger", "kick"],
            "start",
        );
        text += &format!("    {{ pulse = \"{start}\" }},\n]\n");
        text += &match (
            watch(&["busy", "active"]),
            watch(&["done", "idle", "finish"]),
        ) {
            (Some(busy), _) => format!("done = [{{ wait = \"{}\", equals = 0 }}]\n", busy.name),
            (None, Some(done)) => format!("done = [{{ wait = \"{}\" }}]\n", done.name),
            (None, None) => "done = [{ wait = \"TODO wire that says done\" }]\n".to_owned(),
        };
        if let Some(error) = watch(&["err", "fault", "fail"]) {
            text += &format!(
                "errors = [{{ name = \"transfer failed\", wire = \"{}\" }}]\n",
                error.name
            );
        }
    }
    text
}

fn descriptor_stream(facts: &Facts<'_>) -> String {
    let mut text = String::new();
    let enables = facts
        .found
        .wires
        .iter()
        .filter(|wire| !wire.is_output && wire.initial == 1);
    let enables: Vec<String> = enables
        .map(|wire| format!("{{ set = \"{}\", value = 1 }}", wire.name))
        .collect();
    if !enables.is_empty() {
        text += &format!("[control]\ninit = [{}]\n\n", enables.join(", "));
    }
    let programs: Vec<String> = facts
        .ways()
        .into_iter()
        .map(|way| descriptor_program(facts, way))
        .collect();
    text + &programs.join("\n")
}

/// The channel for `way` that flows in `direction`: the one with a word of it, or the only one.
fn channel_for<'a>(facts: &Facts<'a>, way: Way, direction: StreamDirection) -> Option<&'a Channel> {
    let words: &[&str] = match way {
        Way::Copy => &[],
        Way::Mm2s => &["mm2s", "read", "rd"],
        Way::S2mm => &["s2mm", "write", "wr"],
    };
    let all: Vec<&Channel> = facts
        .found
        .channels
        .iter()
        .filter(|each| each.direction == direction)
        .collect();
    let has_word = |channel: &&&Channel| {
        let own = super::words::words(&channel.name);
        own.iter().any(|word| words.contains(&word.as_str()))
    };
    all.iter()
        .find(has_word)
        .or_else(|| all.first().filter(|_| all.len() == 1))
        .copied()
}

fn field<'a>(channel: &'a Channel, names: &[&str]) -> Option<(&'a str, u32)> {
    names.iter().find_map(|name| {
        let mut fields = channel.fields.iter();
        let (field, _, width) = fields.find(|(field, ..)| field == name)?;
        Some((field.as_str(), *width))
    })
}

fn descriptor_program(facts: &Facts<'_>, way: Way) -> String {
    let name = |channel: Option<&Channel>, what: &str| {
        channel.map_or_else(
            || format!("TODO channel of the {what}"),
            |channel| channel.name.clone(),
        )
    };
    let descriptor = channel_for(facts, way, StreamDirection::Sink);
    let status = channel_for(facts, way, StreamDirection::Source);
    let mut fields = Vec::new();
    let mut put = |names: &[&str], value: &str, what: &str| {
        let found = descriptor.and_then(|channel| field(channel, names));
        fields.push(match found {
            Some((field, _)) => format!("{field} = \"{value}\""),
            None => format!("todo_{value} = \"TODO the field of the {what} in place of this, with its value {value}\""),
        });
    };
    for (symbol, what) in way.addresses() {
        let names: &[&str] = match (way, *symbol) {
            (Way::Copy, "src") => &["read_addr", "src_addr", "src", "source", "raddr", "saddr"],
            (Way::Copy, _) => &[
                "write_addr",
                "dst_addr",
                "dst",
                "dest_addr",
                "destination",
                "waddr",
                "daddr",
            ],
            _ => &[
                "addr",
                "address",
                "read_addr",
                "write_addr",
                "src_addr",
                "dst_addr",
                "src",
                "dst",
            ],
        };
        put(names, symbol, what);
    }
    put(
        &["len", "length", "size", "bytes", "btt", "count"],
        "len",
        "length",
    );
    let tag = |channel: Option<&Channel>| {
        let (name, width) = field(channel?, &["tag", "id"])?;
        let value = if width < 64 {
            format!("tag[{}:0]", width.saturating_sub(1))
        } else {
            "tag".to_owned()
        };
        Some(format!("{name} = \"{value}\""))
    };
    fields.extend(tag(descriptor));
    let start = format!(
        "{{ push = \"{}\", fields = {{ {} }} }}",
        name(descriptor, "descriptors"),
        fields.join(", ")
    );
    let mut pop = format!("pop = \"{}\"", name(status, "status"));
    if let (Some(tag), Some(_)) = (tag(status), tag(descriptor)) {
        pop += &format!(", match = {{ {tag} }}");
    }
    let error = status.and_then(|channel| field(channel, &["error", "err", "resp", "status"]));
    let mut errors = String::new();
    if let Some((field, _)) = error {
        pop += &format!(", into = {{ error = \"{field}\" }}");
        errors = "# Any value but 0; name the core's own codes with `equals`, one rule each.\nerrors = [{ name = \"transfer failed\", from = \"error\" }]\n".to_owned();
    }
    format!(
        "[control.{}]\nstart = [\n    {start},\n]\ndone = [{{ {pop} }}]\n{errors}",
        way.name()
    )
}
