//! Finds the port of the core for each signal of the manifest and checks direction and width.

use std::collections::BTreeSet;

use super::{Link, Wiring};
use crate::interfaces::WirePort;
use crate::manifest::{ActiveLevel, Manifest, ManifestError, WireDirection};
use crate::parameters::Parameters;
use crate::verilate::ports::{CorePort, PortDirection};

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
    for (index, spec) in manifest.apbs.iter().enumerate() {
        fitter.apb(index, spec)?;
    }
    for (index, spec) in manifest.wishbones.iter().enumerate() {
        fitter.wishbone(index, spec)?;
    }
    for (index, spec) in manifest.streams.iter().enumerate() {
        fitter.stream(index, spec)?;
    }
    for (index, spec) in manifest.channels.iter().enumerate() {
        fitter.channel(index, spec)?;
    }
    fitter.wires()?;
    fitter.ties()?;
    fitter.join_parts()?;
    fitter.nothing_left()?;
    fitter.control()?;
    Ok(fitter.wiring)
}

/// Work in progress of one fit.
pub(super) struct Fitter<'a> {
    pub(super) manifest: &'a Manifest,
    pub(super) parameters: &'a Parameters,
    pub(super) ports: &'a [CorePort],
    /// Ports of the core that something of the manifest names.
    pub(super) named: BTreeSet<&'a str>,
    pub(super) wiring: Wiring,
}

impl<'a> Fitter<'a> {
    pub(super) fn find(&self, name: &str) -> Option<&'a CorePort> {
        self.ports.iter().find(|port| port.name == name)
    }

    pub(super) fn no_port(&self, field: String, name: &str, what: &str) -> ManifestError {
        self.manifest
            .error_at(
                field,
                format!("port `{name}` of module {}{what}", self.manifest.top),
                "no such port",
            )
            .with_suggestion(name, self.ports.iter().map(|port| port.name.as_str()))
    }

    /// A port that must exist, point the right way and be a plain vector; returns its width.
    pub(super) fn require(
        &mut self,
        field: &str,
        name: &str,
        from_core: bool,
    ) -> Result<u32, ManifestError> {
        let port = self
            .find(name)
            .ok_or_else(|| self.no_port(field.to_owned(), name, ""))?;
        self.check(field, port, from_core)
    }

    pub(super) fn check(
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

    pub(super) fn one_bit(&mut self, field: &str, name: &str) -> Result<(), ManifestError> {
        match self.require(field, name, false)? {
            1 => Ok(()),
            width => Err(self.manifest.error_at(
                field,
                format!("port `{name}` of 1 bit"),
                format!("{width} bits"),
            )),
        }
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
                core: Some(name.clone()),
                width,
                from_core,
                pin,
                is_words: false,
                is_inverted: spec.active == ActiveLevel::Low,
                gate: None,
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
        let links = self
            .wiring
            .links
            .iter()
            .filter_map(|link| link.core.as_ref())
            .chain(self.wiring.joins.iter().map(|(port, _)| port));
        let others = self
            .wiring
            .clocks
            .iter()
            .map(|(port, _)| port)
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

pub(super) fn bits_text(bits: u32) -> String {
    format!("{bits} {}", if bits == 1 { "bit" } else { "bits" })
}

pub(super) fn mask_of(bits: u32) -> u64 {
    if bits >= 64 {
        u64::MAX
    } else {
        (1 << bits) - 1
    }
}
