//! Managers, control ports and streams: what each protocol adds to its signals.

use super::clocks::clock_name;
use super::connect::{Fitter, bits_text, mask_of};
use super::interface::{Fitted, Known, Place, Widths};
use super::rules::{manager_rules, stream_rules};
use super::signals::{self, Signal, Width};
use crate::interfaces::{LitePort, ManagerPort, StreamPort};
use crate::manifest::{AxiSpec, AxilSpec, ManifestError, StreamSpec};
use crate::verilate::ports::{CorePort, PortDirection};

impl Fitter<'_> {
    pub(super) fn manager(&mut self, index: usize, spec: &AxiSpec) -> Result<(), ManifestError> {
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
            gate: self.slow_clock(spec.clock.as_deref()),
        };
        let fitted = self.interface(&at, spec.naming(), &used, widths, &place)?;
        self.check_defaults(&at, spec, &used, &fitted)?;
        self.fill_absent(&used, &fitted, &place, Some(&spec.defaults));
        self.tie_unused(spec, &all);
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
        self.wiring.rules.push(manager_rules(
            &port,
            &all,
            &fitted,
            index,
            spec,
            clock_name(place.gate),
        ));
        self.wiring.interfaces.managers.push(port);
        Ok(())
    }

    /// A default is for a signal that the core could drive, but does not have, and fits it.
    fn check_defaults(
        &self,
        at: &str,
        spec: &AxiSpec,
        used: &[Signal],
        fitted: &Fitted,
    ) -> Result<(), ManifestError> {
        for (name, value) in &spec.defaults {
            let field = format!("{at}.defaults.{name}");
            let signal = used.iter().find(|signal| signal.full_name() == *name);
            let bits = match signal.map(|signal| (signal.from_core, signal.absent, signal.width)) {
                Some((true, absent, Width::Fixed(bits) | Width::AtMost(bits)))
                    if absent != signals::Absent::Required =>
                {
                    bits
                }
                _ => {
                    return Err(self.manifest.error_at(
                        field,
                        "a signal that the core may leave out, such as awburst",
                        format!("`{name}`"),
                    ));
                }
            };
            if fitted.present.contains_key(name) {
                let expected = format!("a signal that module {} lacks", self.manifest.top);
                return Err(self.manifest.error_at(field, expected, format!("`{name}`")));
            }
            if *value > mask_of(bits) {
                return Err(self.manifest.error_at(
                    field,
                    format!("a value of {}", bits_text(bits)),
                    value.to_string(),
                ));
            }
        }
        Ok(())
    }

    /// Inputs of channels that the port does not use are 0, if the core has them at all.
    fn tie_unused(&mut self, spec: &AxiSpec, all: &[Signal]) {
        let unused = all.iter().filter(|signal| match signal.channel {
            "ar" | "r" => !spec.access.reads(),
            _ => !spec.access.writes(),
        });
        for signal in unused.filter(|signal| !signal.from_core) {
            let name = spec.naming().port(signal.channel, signal.name, false);
            let port = self.find(&name);
            let is_input = |port: &&CorePort| port.direction == PortDirection::Input;
            let Some(port) = port.filter(is_input) else {
                continue;
            };
            // Another interface may have the other half under the same names.
            if let Some(width) = port.width
                && !self.named.contains(name.as_str())
                && !self.is_used_elsewhere(&name, spec)
            {
                self.named.insert(&port.name);
                self.wiring.ties.push((name, width, 0));
            }
        }
    }

    /// Whether another manager port has this port of the core in a channel that it uses.
    fn is_used_elsewhere(&self, name: &str, spec: &AxiSpec) -> bool {
        let others = self.manifest.managers.iter();
        others.filter(|other| other.name != spec.name).any(|other| {
            signals::axi(other.protocol).iter().any(|signal| {
                let is_used = match signal.channel {
                    "ar" | "r" => other.access.reads(),
                    _ => other.access.writes(),
                };
                let port = other
                    .naming()
                    .port(signal.channel, signal.name, signal.from_core);
                is_used && port == name
            })
        })
    }

    pub(super) fn lite(&mut self, index: usize, spec: &AxilSpec) -> Result<(), ManifestError> {
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
            gate: self.slow_clock(spec.clock.as_deref()),
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

    pub(super) fn stream(&mut self, index: usize, spec: &StreamSpec) -> Result<(), ManifestError> {
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
            gate: self.slow_clock(spec.clock.as_deref()),
        };
        let fitted = self.interface(&at, spec.naming(), &signals, widths, &place)?;
        self.fill_absent_stream(&signals, &fitted, &place.pins, place.gate);
        let port = StreamPort {
            name: spec.name.clone(),
            number: self.next_number(),
            data_width: fitted.widths.data.as_ref().map_or(0, |data| data.bits),
            has_keep: fitted.present.contains_key("tkeep") || fitted.present.contains_key("tstrb"),
            has_last: fitted.present.contains_key("tlast"),
            has_ready: fitted.present.contains_key("tready"),
        };
        self.wiring.rules.push(stream_rules(
            &port,
            &signals,
            &fitted,
            &place.short,
            clock_name(place.gate),
        ));
        let interfaces = &mut self.wiring.interfaces;
        if sends {
            &mut interfaces.streams_out
        } else {
            &mut interfaces.streams_in
        }
        .push(port);
        Ok(())
    }

    pub(super) fn next_number(&self) -> u32 {
        let interfaces = &self.wiring.interfaces;
        let count = interfaces.managers.len()
            + interfaces.lites.len()
            + interfaces.registers.len()
            + interfaces.streams_out.len()
            + interfaces.streams_in.len();
        u32::try_from(count).unwrap_or(u32::MAX)
    }
}
