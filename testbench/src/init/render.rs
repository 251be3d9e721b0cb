//! The manifest as text, in its shortest form, with a remark wherever something was guessed or is open.

use std::fmt::Write as _;

use rebound_sim::manifest::{Access, ActiveLevel, NamingCase, ResetKind, StreamDirection};

use super::elaborate::quoted;
use super::model::{Channel, Interface, Protocol, Recognised, Wire};
use super::parameters::{Parameter, bound, width_of};
use super::templates::{Template, is_open};

/// What a manifest is written from.
#[derive(Debug)]
pub struct Draft<'a> {
    /// First lines: name, top and sources.
    pub header: String,
    /// Path or URL of the schema.
    pub schema: String,
    /// What the ports were taken for.
    pub found: &'a Recognised,
    /// The core's parameters.
    pub parameters: &'a [Parameter],
    /// The control program to begin with.
    pub template: &'a Template,
}

impl Draft<'_> {
    /// The whole manifest.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("#:schema {}\n", self.schema);
        text += "# Written by `rebound init`. What was guessed says why; what is left to do says OPEN.\n";
        let open = self.open();
        for line in &open {
            text += &remark(&format!("OPEN: {line}"));
        }
        text += &self.header;
        text += &self.clocks();
        text += &self.resets();
        text += &self.parameter_lines();
        for interface in &self.found.interfaces {
            text += &self.interface(interface);
        }
        for each in &self.found.channels {
            text += &channel(each);
        }
        for each in &self.found.wires {
            text += &wire(each);
        }
        text += &self.ties();
        text += &self.unused();
        text += &self.limits();
        text += &self.control();
        text
    }

    /// Everything that a person must see to.
    #[must_use]
    pub fn open(&self) -> Vec<String> {
        let mut open = self.found.open.clone();
        if self.is_control_open() {
            open.push(format!(
                "the control program: fill in the template `{}` at the end of the file",
                self.template.name
            ));
        }
        open
    }

    fn is_control_open(&self) -> bool {
        is_open(&self.template.program(self.found))
    }

    fn clocks(&self) -> String {
        let clocks = &self.found.clocks;
        if clocks.is_empty() {
            return "clocks = [\"TODO port of the clock\"]\n".to_owned();
        }
        let mut text = String::new();
        for clock in clocks {
            text += &remark(&format!("{}: {}.", clock.port, clock.why));
        }
        if clocks.len() > 1 {
            text += &remark(
                "All run with the base clock; for another ratio write { port = \"…\", period = 2, phase = 1 }.",
            );
        }
        let ports: Vec<String> = clocks.iter().map(|clock| quoted(&clock.port)).collect();
        let _ = writeln!(text, "clocks = [{}]", ports.join(", "));
        text
    }

    fn resets(&self) -> String {
        let mut text = String::new();
        for reset in &self.found.resets {
            text += &format!("\n# {}.\n[[reset]]\n", capital(&reset.why));
            let _ = writeln!(text, "port = {}", quoted(&reset.port));
            let level = match reset.active {
                ActiveLevel::Low => "low",
                ActiveLevel::High => "high",
            };
            let _ = writeln!(text, "active = \"{level}\"");
            if reset.kind == ResetKind::Async {
                text += "kind = \"async\"\n";
            }
            text += &clock_line(reset.clock.as_deref());
        }
        text
    }

    fn parameter_lines(&self) -> String {
        let (numbers, others): (Vec<_>, Vec<_>) = self
            .parameters
            .iter()
            .partition(|parameter| parameter.value.is_some());
        let mut text = String::new();
        if !numbers.is_empty() {
            text += "\n# Values are the core's own; `min`, `max` or `values` say what else it takes.\n[parameters]\n";
        }
        for parameter in numbers {
            if let Some(cause) = &parameter.derived_from {
                text += &remark(&format!(
                    "{} is computed from {cause}: the core does it.",
                    parameter.name
                ));
                continue;
            }
            if let Some(why) = &parameter.why {
                text += &remark(&format!("{}.", capital(why)));
            }
            let bind = parameter
                .bind
                .map_or_else(String::new, |bind| format!(", bind = \"{bind}\""));
            let value = parameter.value.unwrap_or_default();
            let _ = writeln!(text, "{} = {{ default = {value}{bind} }}", parameter.name);
        }
        for parameter in others {
            text += &remark(&format!(
                "{} is no number: it keeps its value, or is set in a wrapper file.",
                parameter.name
            ));
        }
        text
    }

    fn interface(&self, interface: &Interface) -> String {
        let kind = match interface.protocol {
            Protocol::Axi4 | Protocol::Axi3 => "axi",
            Protocol::Lite => "axil",
            Protocol::Stream(_) => "stream",
            Protocol::Apb => "apb",
            Protocol::Wishbone => "wishbone",
        };
        let mut text = "\n".to_owned();
        for note in &interface.notes {
            text += &remark(note);
        }
        let _ = writeln!(text, "[[{kind}]]\nname = {}", quoted(&interface.name));
        match interface.protocol {
            Protocol::Axi3 => text += "protocol = \"axi3\"\n",
            Protocol::Stream(direction) => text += direction_line(direction),
            _ => {}
        }
        match interface.access {
            Access::Read if interface.protocol.is_manager() => text += "access = \"read\"\n",
            Access::Write if interface.protocol.is_manager() => text += "access = \"write\"\n",
            _ => {}
        }
        text += &naming(interface);
        text += &clock_line(interface.clock.as_deref());
        if !matches!(interface.protocol, Protocol::Stream(_)) {
            text += &self.size("address_width", interface.address());
        }
        text += &self.size("data_width", interface.data());
        if interface.protocol.is_manager() {
            text += &self.size("id_width", interface.id());
        }
        text
    }

    /// A width: the parameter that decides it, or the number of bits.
    fn size(&self, field: &str, port: Option<&rebound_sim::verilate::ports::CorePort>) -> String {
        let Some((port, width)) = port.and_then(|port| Some((port, port.width?))) else {
            return String::new();
        };
        match width_of(self.parameters, &port.name) {
            Some(parameter) => format!("{field} = {}\n", quoted(&parameter.name)),
            None => format!("{field} = {width}\n"),
        }
    }

    fn ties(&self) -> String {
        let ties = &self.found.ties;
        if ties.is_empty() {
            return String::new();
        }
        let mut text = "\n[tie_off]\n".to_owned();
        for tie in ties {
            text += &remark(&format!("{}.", capital(&tie.note)));
            let _ = writeln!(text, "{} = {}", quoted_key(&tie.port), tie.value);
        }
        text
    }

    fn unused(&self) -> String {
        if self.found.unused.is_empty() {
            return String::new();
        }
        let list = self.found.unused.join(", ");
        format!(
            "\n{}",
            remark(&format!(
                "Ports that nothing looks at: {list}. If the control program or an error rule wants one, make it a [[wire]]."
            ))
        )
    }

    fn limits(&self) -> String {
        let mut text = "\n[limits]\n".to_owned();
        let mut managers = self
            .found
            .interfaces
            .iter()
            .filter(|each| each.protocol.is_manager());
        let manager = managers.next();
        let address = manager
            .and_then(Interface::address)
            .and_then(|port| port.width);
        match (bound(self.parameters, "address_bits"), address) {
            (Some(parameter), _) => {
                let _ = writeln!(text, "address_bits = {}", quoted(&parameter.name));
            }
            (None, Some(width)) => {
                text += "# Width of the address port; less, if the core implements less.\n";
                let _ = writeln!(text, "address_bits = {}", width.min(64));
            }
            (None, None) => text += "# address_bits = 32\n",
        }
        match bound(self.parameters, "length_bits") {
            Some(parameter) => {
                let _ = writeln!(text, "length_bits = {}", quoted(&parameter.name));
            }
            None => text += &self.length_without_parameter(),
        }
        let data = manager
            .and_then(Interface::data)
            .and_then(|port| port.width);
        let bytes = data.map_or(8, |bits| bits / 8).max(1);
        let is_aligned = self.parameters.iter().any(|parameter| {
            parameter.name.to_ascii_lowercase().contains("unaligned") && parameter.value == Some(0)
        });
        let beat = match bound(self.parameters, "data_width") {
            Some(parameter) => format!("\"{} / 8\"", parameter.name),
            None => bytes.to_string(),
        };
        if is_aligned {
            text += "# By a parameter that turns unaligned transfers off: whole beats.\n";
            let _ = writeln!(text, "alignment = {beat}");
        } else {
            let _ = writeln!(
                text,
                "# If addresses or lengths must be whole beats (else any byte is taken to work):\n# alignment = {beat}"
            );
        }
        if let Some(parameter) = bound(self.parameters, "max_burst_beats") {
            let _ = writeln!(text, "max_burst_beats = {}", quoted(&parameter.name));
        }
        text
    }

    fn length_without_parameter(&self) -> String {
        let lengths = self
            .found
            .channels
            .iter()
            .flat_map(|channel| &channel.fields);
        let mut lengths =
            lengths.filter(|(field, ..)| matches!(field.as_str(), "len" | "length" | "btt"));
        match lengths.next() {
            Some((field, _, width)) => {
                format!("# Width of the field `{field}`.\nlength_bits = {width}\n")
            }
            None => "# Bits of the length register, if lengths are limited:\n# length_bits = 23\n"
                .to_owned(),
        }
    }

    fn control(&self) -> String {
        let program = self.template.program(self.found);
        let head = remark(&format!(
            "Control program by the template `{}`: {}.",
            self.template.name, self.template.about
        ));
        let head = format!("\n{head}");
        if !is_open(&program) {
            return format!("{head}{program}");
        }
        let lines = program
            .lines()
            .map(|line| format!("# {line}").trim_end().to_owned() + "\n");
        let lines: String = lines.collect();
        format!(
            "{head}# OPEN: take the comment signs away and replace each \"TODO …\", quotes too, as the core's documentation says.\n{lines}"
        )
    }
}

fn naming(interface: &Interface) -> String {
    let mut text = String::new();
    let default = match interface.protocol {
        Protocol::Axi4 | Protocol::Axi3 | Protocol::Lite => "{channel}{signal}",
        Protocol::Stream(_) | Protocol::Apb => "{signal}",
        Protocol::Wishbone => "{signal}_{direction}",
    };
    match interface
        .pattern
        .strip_suffix(default)
        .filter(|prefix| !prefix.contains('{'))
    {
        Some("") => {}
        Some(prefix) => {
            let _ = writeln!(text, "prefix = {}", quoted(prefix));
        }
        None => {
            let _ = writeln!(text, "pattern = {}", quoted(&interface.pattern));
        }
    }
    if interface.case == NamingCase::Upper {
        text += "case = \"upper\"\n";
    }
    if !interface.ports.is_empty() {
        let ports = interface.ports.iter();
        let ports: Vec<String> = ports
            .map(|(signal, port)| format!("{signal} = {}", quoted(port)))
            .collect();
        let _ = writeln!(text, "ports = {{ {} }}", ports.join(", "));
    }
    text
}

fn channel(channel: &Channel) -> String {
    let mut text = "\n".to_owned();
    if channel.ready.is_none() {
        text += "# It has no ready.\n";
    }
    let _ = writeln!(text, "[[channel]]\nname = {}", quoted(&channel.name));
    text += direction_line(channel.direction);
    if !channel.prefix.is_empty() {
        let _ = writeln!(text, "prefix = {}", quoted(&channel.prefix));
    }
    if channel.valid != "valid" {
        let _ = writeln!(text, "valid = {}", quoted(&channel.valid));
    }
    if let Some(ready) = channel.ready.as_ref().filter(|ready| *ready != "ready") {
        let _ = writeln!(text, "ready = {}", quoted(ready));
    }
    let fields = channel.fields.iter();
    let fields: Vec<String> = fields
        .map(|(name, port, _)| format!("{name} = {}", quoted(port)))
        .collect();
    let _ = writeln!(text, "fields = {{ {} }}", fields.join(", "));
    text += &clock_line(channel.clock.as_deref());
    text
}

fn wire(wire: &Wire) -> String {
    let mut text = "\n".to_owned();
    if let Some(note) = &wire.note {
        text += &remark(note);
    }
    let _ = writeln!(text, "[[wire]]\nname = {}", quoted(&wire.name));
    if wire.port != wire.name {
        let _ = writeln!(text, "port = {}", quoted(&wire.port));
    }
    let direction = if wire.is_output { "output" } else { "input" };
    let _ = writeln!(text, "direction = \"{direction}\"");
    if wire.is_interrupt {
        text += "role = \"interrupt\"\n";
    }
    if wire.is_low {
        text += "active = \"low\"\n";
    }
    if wire.initial != 0 {
        let _ = writeln!(text, "initial = {}", wire.initial);
    }
    text
}

fn direction_line(direction: StreamDirection) -> &'static str {
    match direction {
        StreamDirection::Source => "direction = \"source\"\n",
        StreamDirection::Sink => "direction = \"sink\"\n",
    }
}

fn clock_line(clock: Option<&str>) -> String {
    clock.map_or_else(String::new, |clock| format!("clock = {}\n", quoted(clock)))
}

/// A key of a table, bare if it can be.
fn quoted_key(name: &str) -> String {
    let is_bare = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    if is_bare {
        name.to_owned()
    } else {
        quoted(name)
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

/// Longest line of a remark.
const LINE: usize = 118;

/// A comment, broken into lines.
fn remark(text: &str) -> String {
    let mut lines = String::new();
    let mut line = "#".to_owned();
    for word in text.split_whitespace() {
        if line.len() + word.len() >= LINE {
            lines += &line;
            lines.push('\n');
            "#".clone_into(&mut line);
        }
        line.push(' ');
        line += word;
    }
    lines + &line + "\n"
}
