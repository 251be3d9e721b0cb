//! Rules of the control program: its steps name what the manifest has.

use std::collections::BTreeSet;

use super::super::value::is_name;
use super::super::{
    ChannelSpec, Control, Direction, Manifest, ManifestError, Program, Size, Step, Symbol, Value,
    WireDirection, WireRole,
};
use super::reference;

pub(super) fn check(manifest: &Manifest, control: &Control) -> Result<(), ManifestError> {
    reference(
        manifest,
        "control.word_bytes".to_owned(),
        Some(&control.word_bytes),
    )?;
    if let Size::Value(bytes) = control.word_bytes
        && !bytes.is_power_of_two()
    {
        return Err(manifest.error_at("control.word_bytes", "a power of two", bytes.to_string()));
    }
    if control.timeout_cycles == 0 {
        return Err(manifest.error_at("control.timeout_cycles", "at least 1", "0"));
    }
    if control.directions().next().is_none() {
        return Err(manifest
            .error_at("control", "a program copy, mm2s or s2mm", "none of them")
            .with_help("write [control.copy] with start and done"));
    }
    interface(manifest, "control.interface", control.interface.as_deref())?;
    let mut scope = Scope::new(manifest, control, None);
    scope.steps("control.init", &control.init)?;
    for direction in control.directions() {
        if let Some(program) = control.program(direction) {
            check_program(manifest, control, direction, program)?;
        }
    }
    Ok(())
}

fn check_program(
    manifest: &Manifest,
    control: &Control,
    direction: Direction,
    program: &Program,
) -> Result<(), ManifestError> {
    let at = format!("control.{}", direction.name());
    for (part, steps) in [("start", &program.start), ("done", &program.done)] {
        if steps.is_empty() {
            return Err(manifest.error_at(format!("{at}.{part}"), "at least one step", "none"));
        }
    }
    let mut scope = Scope::new(manifest, control, Some(direction));
    for (part, steps) in program.parts() {
        scope.steps(&format!("{at}.{part}"), steps)?;
    }
    for (index, rule) in program.errors.iter().enumerate() {
        let at = format!("{at}.errors[{index}]");
        match (&rule.from, &rule.wire) {
            (Some(name), None) => scope.is_read(&format!("{at}.from"), name)?,
            (None, Some(name)) => {
                wire(manifest, &format!("{at}.wire"), name, WireDirection::Output)?;
            }
            (from, _) => {
                let got = if from.is_some() { "both" } else { "neither" };
                return Err(manifest.error_at(at, "from or wire", got));
            }
        }
        if rule.mask == Some(0) {
            return Err(manifest.error_at(format!("{at}.mask"), "a mask with a bit set", "0"));
        }
    }
    if program.drops_idle_data && direction != Direction::S2mm {
        let at = format!("{at}.drops_idle_data");
        return Err(manifest.error_at(at, "no such field but in s2mm", "true"));
    }
    stream(manifest, &at, direction, program)
}

/// The data of a stream direction has one way to go.
fn stream(
    manifest: &Manifest,
    at: &str,
    direction: Direction,
    program: &Program,
) -> Result<(), ManifestError> {
    let at = format!("{at}.stream");
    let (wanted, words) = match direction {
        Direction::Copy => {
            return match &program.stream {
                None => Ok(()),
                Some(name) => Err(manifest.error_at(at, "no stream in a copy", quoted(name))),
            };
        }
        Direction::Mm2s => (true, "source"),
        Direction::S2mm => (false, "sink"),
    };
    let fitting: Vec<&str> = manifest
        .streams
        .iter()
        .filter(|stream| stream.direction.is_source() == wanted)
        .map(|stream| stream.name.as_str())
        .collect();
    let expected = || format!("a stream of direction {words}: {}", list(&fitting));
    match &program.stream {
        Some(name) if !fitting.contains(&name.as_str()) => Err(manifest
            .error_at(at, expected(), quoted(name))
            .with_suggestion(name, fitting.iter().copied())),
        None if fitting.len() != 1 => Err(manifest.error_at(at, expected(), "nothing")),
        _ => Ok(()),
    }
}

/// What steps know when their turn comes.
struct Scope<'a> {
    manifest: &'a Manifest,
    control: &'a Control,
    /// The direction, or none before any transfer.
    direction: Option<Direction>,
    read: BTreeSet<&'a str>,
}

impl<'a> Scope<'a> {
    const fn new(
        manifest: &'a Manifest,
        control: &'a Control,
        direction: Option<Direction>,
    ) -> Self {
        Self {
            manifest,
            control,
            direction,
            read: BTreeSet::new(),
        }
    }

    fn steps(&mut self, at: &str, steps: &'a [Step]) -> Result<(), ManifestError> {
        for (index, step) in steps.iter().enumerate() {
            self.step(&format!("{at}[{index}]"), step)?;
        }
        Ok(())
    }

    fn step(&mut self, at: &str, step: &'a Step) -> Result<(), ManifestError> {
        let manifest = self.manifest;
        let field = |name: &str| format!("{at}.{name}");
        match step {
            Step::Write {
                value,
                fields,
                interface,
                ..
            } => {
                self.register(at, step, interface.as_deref())?;
                self.value(&field("value"), value.as_ref())?;
                for (bits, value) in fields {
                    self.value(&field(&format!("fields.{bits}")), Some(value))?;
                }
            }
            Step::Read {
                into, interface, ..
            } => {
                self.register(at, step, interface.as_deref())?;
                self.reads(&field("into"), into.as_deref())?;
            }
            Step::Poll {
                equals,
                at_least,
                into,
                interface,
                ..
            } => {
                self.register(at, step, interface.as_deref())?;
                self.value(&field("equals"), equals.as_ref())?;
                self.value(&field("at_least"), at_least.as_ref())?;
                self.reads(&field("into"), into.as_deref())?;
            }
            Step::Push {
                channel, fields, ..
            } => {
                let spec = find_channel(manifest, &field("push"), channel, false)?;
                for (name, value) in fields {
                    has_field(manifest, &field(&format!("fields.{name}")), spec, name)?;
                    self.value(&field(&format!("fields.{name}")), Some(value))?;
                }
            }
            Step::Pop {
                channel,
                r#match,
                into,
                ..
            } => {
                let spec = find_channel(manifest, &field("pop"), channel, true)?;
                for (name, value) in r#match {
                    has_field(manifest, &field(&format!("match.{name}")), spec, name)?;
                    self.value(&field(&format!("match.{name}")), Some(value))?;
                }
                for (name, from) in into {
                    has_field(manifest, &field(&format!("into.{name}")), spec, from)?;
                    self.reads(&field(&format!("into.{name}")), Some(name))?;
                }
            }
            Step::Set { wire: name, value } => {
                wire(manifest, &field("set"), name, WireDirection::Input)?;
                self.value(&field("value"), Some(value))?;
            }
            Step::Pulse {
                wire: name, value, ..
            } => {
                wire(manifest, &field("pulse"), name, WireDirection::Input)?;
                self.value(&field("value"), value.as_ref())?;
            }
            Step::Wait {
                wire: name, equals, ..
            } => {
                wire(manifest, &field("wait"), name, WireDirection::Output)?;
                self.value(&field("equals"), equals.as_ref())?;
            }
            Step::WaitIrq { wire: name, .. } => {
                wire(manifest, &field("wait_irq"), name, WireDirection::Output)?;
                interrupt(manifest, &field("wait_irq"), name)?;
            }
            Step::Delay { .. } => {}
        }
        Ok(())
    }

    /// A step that uses registers has a port for them.
    fn register(&self, at: &str, step: &Step, name: Option<&str>) -> Result<(), ManifestError> {
        interface(self.manifest, &format!("{at}.interface"), name)?;
        let has_port = name.or(self.control.interface.as_deref()).is_some()
            || !self.manifest.register_ports().is_empty();
        if has_port {
            return Ok(());
        }
        Err(self
            .manifest
            .error_at(
                format!("{at}.{}", step.verb()),
                "a register port: [[axil]], [[apb]] or [[wishbone]]",
                "none",
            )
            .with_help("describe the port that has the registers"))
    }

    /// A value whose symbol means something at this place.
    fn value(&self, at: &str, value: Option<&Value>) -> Result<(), ManifestError> {
        let Some(symbol) = value.and_then(Value::symbol) else {
            return Ok(());
        };
        let known = match (symbol, self.direction) {
            (Symbol::Read(name), _) => return self.is_read(at, name),
            (_, None) => false,
            (Symbol::Source, direction) => direction != Some(Direction::S2mm),
            (Symbol::Destination, direction) => direction != Some(Direction::Mm2s),
            (Symbol::Length | Symbol::Tag, _) => true,
        };
        if known {
            return Ok(());
        }
        let expected = match self.direction {
            None => "a number: before the first transfer nothing else is known".to_owned(),
            Some(direction) => format!("a symbol that a transfer {} has", direction.name()),
        };
        Err(self.manifest.error_at(at, expected, format!("`{symbol}`")))
    }

    fn is_read(&self, at: &str, name: &str) -> Result<(), ManifestError> {
        if self.read.contains(name) {
            return Ok(());
        }
        let known: Vec<&str> = self.read.iter().copied().collect();
        Err(self
            .manifest
            .error_at(
                at,
                format!(
                    "src, dst, len, tag or a name that an earlier step reads into: {}",
                    list(&known)
                ),
                format!("`{name}`"),
            )
            .with_suggestion(name, known))
    }

    fn reads(&mut self, at: &str, name: Option<&'a str>) -> Result<(), ManifestError> {
        let Some(name) = name else { return Ok(()) };
        if !is_name(name) || ["src", "dst", "len", "tag"].contains(&name) {
            return Err(self.manifest.error_at(
                at,
                "a name of letters, digits and `_`, other than src, dst, len, tag",
                quoted(name),
            ));
        }
        self.read.insert(name);
        Ok(())
    }
}

fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

fn list(names: &[&str]) -> String {
    if names.is_empty() {
        "there is none".to_owned()
    } else {
        names.join(", ")
    }
}

fn interface(manifest: &Manifest, at: &str, name: Option<&str>) -> Result<(), ManifestError> {
    let known = manifest.register_ports();
    match name {
        Some(name) if !known.contains(&name) => Err(manifest
            .error_at(
                at,
                format!("a register port: {}", list(&known)),
                quoted(name),
            )
            .with_suggestion(name, known)),
        _ => Ok(()),
    }
}

fn find_channel<'a>(
    manifest: &'a Manifest,
    at: &str,
    name: &str,
    from_core: bool,
) -> Result<&'a ChannelSpec, ManifestError> {
    let known = || {
        let channels = manifest.channels.iter();
        channels.filter(|channel| channel.direction.is_source() == from_core)
    };
    known().find(|channel| channel.name == name).ok_or_else(|| {
        let names: Vec<&str> = known().map(|channel| channel.name.as_str()).collect();
        let direction = if from_core { "source" } else { "sink" };
        manifest
            .error_at(
                at,
                format!("a channel of direction {direction}: {}", list(&names)),
                quoted(name),
            )
            .with_suggestion(name, names)
    })
}

fn has_field(
    manifest: &Manifest,
    at: &str,
    channel: &ChannelSpec,
    name: &str,
) -> Result<(), ManifestError> {
    if channel.fields.contains_key(name) {
        return Ok(());
    }
    let known: Vec<&str> = channel.fields.keys().map(String::as_str).collect();
    Err(manifest
        .error_at(
            at,
            format!("a field of channel {}: {}", channel.name, known.join(", ")),
            format!("`{name}`"),
        )
        .with_suggestion(name, known))
}

fn wire(
    manifest: &Manifest,
    at: &str,
    name: &str,
    direction: WireDirection,
) -> Result<(), ManifestError> {
    let known: Vec<&str> = manifest
        .wires
        .iter()
        .filter(|wire| wire.direction == direction)
        .map(|wire| wire.name.as_str())
        .collect();
    if known.contains(&name) {
        return Ok(());
    }
    let word = match direction {
        WireDirection::Input => "input",
        WireDirection::Output => "output",
    };
    Err(manifest
        .error_at(
            at,
            format!("a wire of direction {word}: {}", list(&known)),
            quoted(name),
        )
        .with_suggestion(name, known))
}

fn interrupt(manifest: &Manifest, at: &str, name: &str) -> Result<(), ManifestError> {
    let is_interrupt = |wire: &&super::super::WireSpec| wire.role == WireRole::Interrupt;
    if manifest
        .wires
        .iter()
        .filter(is_interrupt)
        .any(|wire| wire.name == name)
    {
        return Ok(());
    }
    Err(manifest
        .error_at(at, "a wire of role \"interrupt\"", quoted(name))
        .with_help("give the wire this role, or use `wait`"))
}
