//! Finds the port of the core for each signal of the manifest and checks direction and width.

use std::collections::{BTreeMap, BTreeSet};

use super::signals::{self, Absent, Signal, Width};
use super::{Link, RuleCell, Wiring};
use crate::interfaces::{LitePort, ManagerPort, StreamPort, WirePort};
use crate::manifest::{
    AxiProtocol, AxiSpec, AxilSpec, Manifest, ManifestError, Naming, Size, StreamSpec,
    WireDirection,
};
use crate::parameters::Parameters;
use crate::pins::DATA_WORDS;
use crate::verilate::ports::{CorePort, PortDirection};

/// Widest data bus in bits.
const WIDEST_DATA: u32 = 1024;
const _: () = assert!(DATA_WORDS * 64 == 1024);

pub(super) fn connect(
    manifest: &Manifest,
    parameters: &Parameters,
    ports: &[CorePort],
) -> Result<Wiring, ManifestError> {
    let mut fitter = Fitter {
        manifest,
        parameters,
        ports,
        named: BTreeSet::new(),
        wiring: Wiring::default(),
    };
    fitter.clocks_and_resets()?;
    for (index, spec) in manifest.managers.iter().enumerate() {
        fitter.manager(index, spec)?;
    }
    for (index, spec) in manifest.lites.iter().enumerate() {
        fitter.lite(index, spec)?;
    }
    for (index, spec) in manifest.streams.iter().enumerate() {
        fitter.stream(index, spec)?;
    }
    fitter.wires()?;
    fitter.ties()?;
    fitter.nothing_left()?;
    Ok(fitter.wiring)
}

struct Fitter<'a> {
    manifest: &'a Manifest,
    parameters: &'a Parameters,
    ports: &'a [CorePort],
    /// Ports of the core that something of the manifest names.
    named: BTreeSet<&'a str>,
    wiring: Wiring,
}

/// Widths of an interface, each known from the first port that has it or from the manifest.
#[derive(Default)]
struct Widths {
    address: Option<Known>,
    data: Option<Known>,
    write_id: Option<Known>,
    read_id: Option<Known>,
}

#[derive(Clone)]
struct Known {
    bits: u32,
    /// Why, for messages.
    from: String,
    /// Field of the manifest that says it, if one does.
    field: Option<String>,
}

/// Where an interface is in the pin block and the wrapper.
struct Place {
    /// C++ lvalue of its pins.
    pins: String,
    /// What its ports of the wrapper begin with.
    short: String,
    /// Its data pins are arrays of words.
    has_words: bool,
}

/// The signals of one interface that the core has.
struct Fitted {
    /// Width of each signal present, by full name.
    present: BTreeMap<String, u32>,
    widths: Widths,
}

impl<'a> Fitter<'a> {
    fn find(&self, name: &str) -> Option<&'a CorePort> {
        self.ports.iter().find(|port| port.name == name)
    }

    fn no_port(&self, field: String, name: &str, what: &str) -> ManifestError {
        self.manifest
            .error_at(
                field,
                format!("port `{name}` of module {}{what}", self.manifest.top),
                "no such port",
            )
            .with_suggestion(name, self.ports.iter().map(|port| port.name.as_str()))
    }

    /// A port that must exist, point the right way and be a plain vector; returns its width.
    fn require(&mut self, field: &str, name: &str, from_core: bool) -> Result<u32, ManifestError> {
        let port = self
            .find(name)
            .ok_or_else(|| self.no_port(field.to_owned(), name, ""))?;
        self.check(field, port, from_core)
    }

    fn check(
        &mut self,
        field: &str,
        port: &'a CorePort,
        from_core: bool,
    ) -> Result<u32, ManifestError> {
        let wanted = if from_core {
            PortDirection::Output
        } else {
            PortDirection::Input
        };
        let word = |direction| match direction {
            PortDirection::Input => "an input",
            PortDirection::Output => "an output",
            PortDirection::Inout => "an inout",
        };
        if port.direction != wanted {
            return Err(self.manifest.error_at(
                field,
                format!("port `{}` to be {} of the core", port.name, word(wanted)),
                word(port.direction),
            ));
        }
        let width = port.width.ok_or_else(|| {
            self.manifest
                .error_at(
                    field,
                    format!("port `{}` to be a packed vector", port.name),
                    "another type",
                )
                .with_help("write a wrapper module with plain ports and name it as top")
        })?;
        self.named.insert(&port.name);
        Ok(width)
    }

    fn one_bit(&mut self, field: &str, name: &str) -> Result<(), ManifestError> {
        match self.require(field, name, false)? {
            1 => Ok(()),
            width => Err(self.manifest.error_at(
                field,
                format!("port `{name}` of 1 bit"),
                format!("{width} bits"),
            )),
        }
    }

    fn clocks_and_resets(&mut self) -> Result<(), ManifestError> {
        for (index, clock) in self.manifest.clocks.iter().enumerate() {
            self.one_bit(&format!("clocks[{index}]"), clock)?;
            self.wiring.clocks.push(clock.clone());
        }
        for (index, reset) in self.manifest.resets.iter().enumerate() {
            self.one_bit(&format!("reset[{index}].port"), &reset.port)?;
            self.wiring.resets.push((reset.port.clone(), reset.active));
        }
        Ok(())
    }

    /// A width that the manifest gives.
    fn given(&self, field: String, size: Option<&Size>) -> Result<Option<Known>, ManifestError> {
        let Some(size) = size else { return Ok(None) };
        let value = self.parameters.size(self.manifest, &field, size)?;
        let bits = u32::try_from(value)
            .ok()
            .filter(|bits| (1..=WIDEST_DATA).contains(bits))
            .ok_or_else(|| {
                self.manifest.error_at(
                    field.clone(),
                    format!("a width of 1 to {WIDEST_DATA} bits"),
                    value.to_string(),
                )
            })?;
        let from = match size {
            Size::Value(_) => String::new(),
            Size::Parameter(name) => format!(" ({name} = {bits})"),
        };
        Ok(Some(Known {
            bits,
            from,
            field: Some(field),
        }))
    }

    /// A count that the manifest gives.
    fn count(&self, field: String, size: Option<&Size>) -> Result<Option<u32>, ManifestError> {
        let Some(size) = size else { return Ok(None) };
        let value = self.parameters.size(self.manifest, &field, size)?;
        u32::try_from(value)
            .ok()
            .filter(|count| *count > 0)
            .map(Some)
            .ok_or_else(|| {
                self.manifest
                    .error_at(field, "a number of at least 1", value.to_string())
            })
    }

    /// Connects the signals of one interface.
    fn interface(
        &mut self,
        at: &str,
        naming: Naming<'_>,
        signals: &[Signal],
        mut widths: Widths,
        Place {
            pins,
            short,
            has_words,
        }: &Place,
    ) -> Result<Fitted, ManifestError> {
        let mut present = BTreeMap::new();
        for signal in signals {
            let full = signal.full_name();
            let name = naming.port(signal.channel, signal.name, signal.from_core);
            let explicit = naming.ports.contains_key(&full);
            let field = if explicit {
                format!("{at}.ports.{full}")
            } else {
                naming_field(self.manifest, at)
            };
            let Some(port) = self.find(&name) else {
                if explicit || signal.absent == Absent::Required {
                    return Err(self.no_port(field, &name, &format!(" as `{full}`")));
                }
                continue;
            };
            let width = self.check(&field, port, signal.from_core)?;
            self.check_width(&field, &name, signal, width, &mut widths)?;
            if signal.pin.is_empty() {
                if !signal.from_core {
                    self.wiring.ties.push((name, width, 0));
                }
                continue;
            }
            self.wiring.links.push(Link {
                wrapper: format!("{short}_{full}"),
                core: name,
                width,
                from_core: signal.from_core,
                pin: format!("{pins}.{}", signal.pin),
                is_words: *has_words && matches!(signal.width, Width::Data | Width::Strobe),
            });
            present.insert(full, width);
        }
        Ok(Fitted { present, widths })
    }

    fn check_width(
        &self,
        field: &str,
        port: &str,
        signal: &Signal,
        width: u32,
        widths: &mut Widths,
    ) -> Result<(), ManifestError> {
        let wrong = |field: &str, expected: String| {
            Err(self.manifest.error_at(
                field,
                format!("port `{port}` of {expected}"),
                format!("{width} {}", if width == 1 { "bit" } else { "bits" }),
            ))
        };
        let known = match signal.width {
            Width::Fixed(bits) if bits == width => return Ok(()),
            Width::Fixed(bits) => return wrong(field, bits_text(bits)),
            Width::AtMost(most) if width <= most => return Ok(()),
            Width::AtMost(most) => return wrong(field, format!("at most {most} bits")),
            Width::Strobe => {
                let bytes = widths
                    .data
                    .as_ref()
                    .map_or(width, |data| data.bits.div_ceil(8));
                if bytes == width {
                    return Ok(());
                }
                return wrong(field, format!("{} for as many bytes", bits_text(bytes)));
            }
            Width::Address if width > 64 => return wrong(field, "at most 64 bits".to_owned()),
            Width::WriteId | Width::ReadId if width > 32 => {
                return wrong(field, "at most 32 bits".to_owned());
            }
            Width::Data if width > WIDEST_DATA => {
                return wrong(field, format!("at most {WIDEST_DATA} bits"));
            }
            Width::Address => &mut widths.address,
            Width::Data => &mut widths.data,
            Width::WriteId => &mut widths.write_id,
            Width::ReadId => &mut widths.read_id,
        };
        match known {
            Some(known) if known.bits == width => Ok(()),
            Some(known) => {
                let field = known.field.as_deref().unwrap_or(field);
                wrong(field, format!("{}{}", bits_text(known.bits), known.from))
            }
            None => {
                let from = format!(" as `{port}`");
                *known = Some(Known {
                    bits: width,
                    from,
                    field: None,
                });
                Ok(())
            }
        }
    }

    /// Constant pins for the signals that the core lacks.
    fn fill_absent(&mut self, signals: &[Signal], fitted: &Fitted, place: &Place) {
        let data_bits = fitted.widths.data.as_ref().map_or(8, |data| data.bits);
        for signal in signals
            .iter()
            .filter(|signal| signal.from_core && !signal.pin.is_empty())
        {
            if fitted.present.contains_key(&signal.full_name()) {
                continue;
            }
            let pin = format!("{}.{}", place.pins, signal.pin);
            match signal.absent {
                Absent::Required | Absent::Zero => {}
                Absent::One => self.wiring.constants.push((pin, "1".to_owned())),
                Absent::FullSize => {
                    self.wiring
                        .constants
                        .push((pin, full_size(data_bits).to_string()));
                }
                Absent::Ones => {
                    let lanes = data_bits.div_ceil(8);
                    for word in 0..lanes.div_ceil(64) {
                        let mask = mask_of((lanes - 64 * word).min(64));
                        self.wiring
                            .constants
                            .push((format!("{pin}[{word}]"), format!("{mask:#x}ull")));
                    }
                }
            }
        }
    }

    fn manager(&mut self, index: usize, spec: &AxiSpec) -> Result<(), ManifestError> {
        let at = format!("axi[{index}]");
        let id = self.given(format!("{at}.id_width"), spec.id_width.as_ref())?;
        let widths = Widths {
            address: self.given(format!("{at}.address_width"), spec.address_width.as_ref())?,
            data: self.given(format!("{at}.data_width"), spec.data_width.as_ref())?,
            write_id: id.clone(),
            read_id: id,
        };
        let all = signals::axi(spec.protocol);
        let used: Vec<Signal> = all
            .iter()
            .copied()
            .filter(|signal| match signal.channel {
                "ar" | "r" => spec.access.reads(),
                _ => spec.access.writes(),
            })
            .collect();
        let place = Place {
            pins: format!("m_managers[{index}]"),
            short: format!("m{index}"),
            has_words: true,
        };
        let fitted = self.interface(&at, spec.naming(), &used, widths, &place)?;
        self.fill_absent(&used, &fitted, &place);
        let bits = |known: &Option<Known>| known.as_ref().map_or(0, |known| known.bits);
        let data_width = bits(&fitted.widths.data);
        if !data_width.is_power_of_two() || data_width < 8 {
            return Err(self.manifest.error_at(
                format!("{at}.data_width"),
                "a data bus of 8, 16, 32, … 1024 bits",
                bits_text(data_width),
            ));
        }
        let has_ids = ["awid", "arid"]
            .iter()
            .any(|id| fitted.present.contains_key(*id));
        let port = ManagerPort {
            name: spec.name.clone(),
            number: self.next_number(),
            protocol: spec.protocol,
            access: spec.access,
            address_width: bits(&fitted.widths.address),
            data_width,
            id_width: if has_ids {
                bits(&fitted.widths.write_id).max(bits(&fitted.widths.read_id))
            } else {
                0
            },
            max_reads: self.count(format!("{at}.max_reads"), spec.max_reads.as_ref())?,
            max_writes: self.count(format!("{at}.max_writes"), spec.max_writes.as_ref())?,
        };
        self.wiring
            .rules
            .push(manager_rules(&port, &all, &fitted, index));
        self.wiring.interfaces.managers.push(port);
        Ok(())
    }

    fn lite(&mut self, index: usize, spec: &AxilSpec) -> Result<(), ManifestError> {
        let at = format!("axil[{index}]");
        let widths = Widths {
            address: self.given(format!("{at}.address_width"), spec.address_width.as_ref())?,
            data: self.given(format!("{at}.data_width"), spec.data_width.as_ref())?,
            ..Widths::default()
        };
        let place = Place {
            pins: format!("m_lites[{index}]"),
            short: format!("l{index}"),
            has_words: false,
        };
        let fitted = self.interface(&at, spec.naming(), &signals::axil(), widths, &place)?;
        let bits = |known: &Option<Known>| known.as_ref().map_or(0, |known| known.bits);
        let data_width = bits(&fitted.widths.data);
        if data_width != 32 && data_width != 64 {
            return Err(self.manifest.error_at(
                format!("{at}.data_width"),
                "a register bus of 32 or 64 bits",
                bits_text(data_width),
            ));
        }
        let port = LitePort {
            name: spec.name.clone(),
            number: self.next_number(),
            address_width: bits(&fitted.widths.address),
            data_width,
        };
        self.wiring.interfaces.lites.push(port);
        Ok(())
    }

    fn stream(&mut self, index: usize, spec: &StreamSpec) -> Result<(), ManifestError> {
        let at = format!("stream[{index}]");
        let widths = Widths {
            data: self.given(format!("{at}.data_width"), spec.data_width.as_ref())?,
            ..Widths::default()
        };
        let signals = signals::stream(spec.direction);
        let sends = spec.direction.is_source();
        let interfaces = &self.wiring.interfaces;
        let (pins, short) = if sends {
            let index = interfaces.streams_out.len();
            (format!("m_streams_out[{index}]"), format!("so{index}"))
        } else {
            let index = interfaces.streams_in.len();
            (format!("m_streams_in[{index}]"), format!("si{index}"))
        };
        let place = Place {
            pins,
            short,
            has_words: true,
        };
        let fitted = self.interface(&at, spec.naming(), &signals, widths, &place)?;
        self.fill_absent(&signals, &fitted, &place);
        let port = StreamPort {
            name: spec.name.clone(),
            number: self.next_number(),
            data_width: fitted.widths.data.as_ref().map_or(0, |data| data.bits),
            has_keep: fitted.present.contains_key("tkeep") || fitted.present.contains_key("tstrb"),
            has_last: fitted.present.contains_key("tlast"),
            has_ready: fitted.present.contains_key("tready"),
        };
        self.wiring
            .rules
            .push(stream_rules(&port, &signals, &fitted, &place.short));
        let interfaces = &mut self.wiring.interfaces;
        if sends {
            &mut interfaces.streams_out
        } else {
            &mut interfaces.streams_in
        }
        .push(port);
        Ok(())
    }

    fn next_number(&self) -> u32 {
        let interfaces = &self.wiring.interfaces;
        let count = interfaces.managers.len()
            + interfaces.lites.len()
            + interfaces.streams_out.len()
            + interfaces.streams_in.len();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    fn wires(&mut self) -> Result<(), ManifestError> {
        for (index, spec) in self.manifest.wires.iter().enumerate() {
            let (name, field) = match &spec.port {
                Some(port) => (port, format!("wire[{index}].port")),
                None => (&spec.name, format!("wire[{index}].name")),
            };
            let from_core = spec.direction == WireDirection::Output;
            let width = self.require(&field, name, from_core)?;
            if width > 64 {
                return Err(self.manifest.error_at(
                    field,
                    format!("port `{name}` of at most 64 bits"),
                    bits_text(width),
                ));
            }
            if spec.initial > mask_of(width) {
                return Err(self.manifest.error_at(
                    format!("wire[{index}].initial"),
                    format!("a value of {}", bits_text(width)),
                    spec.initial.to_string(),
                ));
            }
            let port = WirePort {
                name: spec.name.clone(),
                width,
                role: spec.role,
            };
            let interfaces = &mut self.wiring.interfaces;
            let (list, array, short) = if from_core {
                (&mut interfaces.wires_out, "m_wires_out", "wo")
            } else {
                (&mut interfaces.wires_in, "m_wires_in", "wi")
            };
            let pin = format!("{array}[{}]", list.len());
            let wrapper = format!("{short}{}", list.len());
            list.push(port);
            if spec.initial != 0 && !from_core {
                self.wiring
                    .constants
                    .push((pin.clone(), format!("{:#x}ull", spec.initial)));
            }
            self.wiring.links.push(Link {
                wrapper,
                core: name.clone(),
                width,
                from_core,
                pin,
                is_words: false,
            });
        }
        Ok(())
    }

    fn ties(&mut self) -> Result<(), ManifestError> {
        for (name, value) in &self.manifest.tie_off {
            let field = format!("tie_off.{name}");
            let width = self.require(&field, name, false)?;
            if *value > mask_of(width.min(64)) {
                return Err(self.manifest.error_at(
                    field,
                    format!("a value of {}", bits_text(width)),
                    value.to_string(),
                ));
            }
            self.wiring.ties.push((name.clone(), width, *value));
        }
        Ok(())
    }

    /// Every port of the core has one meaning; every input has a driver.
    fn nothing_left(&self) -> Result<(), ManifestError> {
        let mut seen = BTreeSet::new();
        let links = self.wiring.links.iter().map(|link| &link.core);
        let others = self
            .wiring
            .clocks
            .iter()
            .chain(self.wiring.resets.iter().map(|(port, _)| port));
        let ties = self.wiring.ties.iter().map(|(port, ..)| port);
        for port in links.chain(others).chain(ties) {
            if !seen.insert(port) {
                return Err(self.manifest.error_at(
                    "manifest",
                    format!("port `{port}` of module {} named once", self.manifest.top),
                    "two meanings for it",
                ));
            }
        }
        let left: Vec<&str> = self
            .ports
            .iter()
            .filter(|port| port.direction != PortDirection::Output)
            .map(|port| port.name.as_str())
            .filter(|name| !self.named.contains(name))
            .collect();
        if left.is_empty() {
            return Ok(());
        }
        Err(self
            .manifest
            .error_at(
                "tie_off",
                format!("every input of module {} to be named", self.manifest.top),
                format!("none for {}", left.join(", ")),
            )
            .with_help("say what drives them: an interface, a wire or tie_off"))
    }
}

/// The field that makes a port's name, for messages.
fn naming_field(manifest: &Manifest, at: &str) -> String {
    let pattern = format!("{at}.pattern");
    let has_pattern = crate::manifest::has_field(manifest, &pattern);
    if has_pattern {
        pattern
    } else {
        format!("{at}.prefix")
    }
}

fn bits_text(bits: u32) -> String {
    format!("{bits} {}", if bits == 1 { "bit" } else { "bits" })
}

pub(super) fn mask_of(bits: u32) -> u64 {
    if bits >= 64 {
        u64::MAX
    } else {
        (1 << bits) - 1
    }
}

/// `AxSIZE` of a beat of the whole bus.
fn full_size(data_bits: u32) -> u32 {
    (data_bits / 8).max(1).ilog2()
}

fn manager_rules(port: &ManagerPort, all: &[Signal], fitted: &Fitted, index: usize) -> RuleCell {
    let id_width = port.id_width.max(1);
    let width_of = |signal: &Signal| match (signal.name, signal.width) {
        ("len", _) => 8,
        (_, Width::Fixed(bits) | Width::AtMost(bits)) => bits,
        (_, Width::Address) => port.address_width,
        (_, Width::Data) => port.data_width,
        (_, Width::Strobe) => port.data_width / 8,
        (_, Width::WriteId | Width::ReadId) => id_width,
    };
    let has_channel = |signal: &Signal| match signal.channel {
        "ar" | "r" => port.access.reads(),
        _ => port.access.writes(),
    };
    let mut ports: Vec<(String, String)> = all
        .iter()
        .filter(|signal| !signal.pin.is_empty())
        .map(|signal| {
            let full = signal.full_name();
            let expression = if fitted.present.contains_key(&full) {
                format!("{}'(m{index}_{full})", width_of(signal))
            } else if has_channel(signal) {
                absent_expression(signal, width_of(signal), port.data_width)
            } else {
                "'0".to_owned()
            };
            (full, expression)
        })
        .collect();
    if port.protocol == AxiProtocol::Axi4 {
        ports.push(("wid".to_owned(), "'0".to_owned()));
    }
    RuleCell {
        module: "axi_manager_rules",
        name: format!("rules_{}", port.name),
        parameters: vec![
            ("AddrWidth", port.address_width),
            ("DataWidth", port.data_width),
            ("IdWidth", id_width),
            ("Port", port.number),
            ("MaxReads", port.max_reads.unwrap_or(0)),
            ("MaxWrites", port.max_writes.unwrap_or(0)),
            ("Axi3", u32::from(port.protocol == AxiProtocol::Axi3)),
        ],
        ports,
    }
}

fn stream_rules(port: &StreamPort, all: &[Signal], fitted: &Fitted, short: &str) -> RuleCell {
    let data_width = port.data_width.next_multiple_of(8);
    let ports = all
        .iter()
        .filter(|signal| {
            matches!(
                signal.name,
                "tvalid" | "tready" | "tdata" | "tkeep" | "tlast"
            )
        })
        .map(|signal| {
            let width = match signal.width {
                Width::Data => data_width,
                Width::Strobe => data_width / 8,
                _ => 1,
            };
            let expression = if fitted.present.contains_key(signal.name) {
                format!("{width}'({short}_{})", signal.name)
            } else {
                absent_expression(signal, width, data_width)
            };
            (signal.name.to_owned(), expression)
        })
        .collect();
    RuleCell {
        module: "axi_stream_rules",
        name: format!("rules_{}", port.name),
        parameters: vec![("DataWidth", data_width), ("Port", port.number)],
        ports,
    }
}

/// What the rules see of a signal that the core lacks.
fn absent_expression(signal: &Signal, width: u32, data_width: u32) -> String {
    match signal.absent {
        Absent::Required | Absent::Zero => "'0".to_owned(),
        Absent::One => format!("{width}'d1"),
        Absent::Ones => "'1".to_owned(),
        Absent::FullSize => format!("{width}'d{}", full_size(data_width)),
    }
}
