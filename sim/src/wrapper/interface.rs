//! Connects the signals of one interface, whichever its protocol.

use std::collections::BTreeMap;

use super::clocks::gated;
use super::connect::{Fitter, bits_text, mask_of};
use super::rules::full_size;
use super::signals::{Absent, Signal, Width};
use super::{Link, Part};
use crate::manifest::{Manifest, ManifestError, Naming, PortPart, Size};
use crate::pins::DATA_WORDS;

/// Widest data bus in bits.
const WIDEST_DATA: u32 = 1024;
const _: () = assert!(DATA_WORDS * 64 == 1024);

/// Widths of an interface, each known from the first port that has it or from the manifest.
#[derive(Default)]
pub(super) struct Widths {
    pub(super) address: Option<Known>,
    pub(super) data: Option<Known>,
    pub(super) write_id: Option<Known>,
    pub(super) read_id: Option<Known>,
}

#[derive(Clone)]
pub(super) struct Known {
    pub(super) bits: u32,
    /// Why, for messages.
    pub(super) from: String,
    /// Field of the manifest that says it, if one does.
    pub(super) field: Option<String>,
}

/// Where an interface is in the pin block and the wrapper.
pub(super) struct Place {
    /// C++ lvalue of its pins.
    pub(super) pins: String,
    /// What its ports of the wrapper begin with.
    pub(super) short: String,
    /// Its data pins are arrays of words.
    pub(super) has_words: bool,
    /// Slow clock that its handshakes belong to.
    pub(super) gate: Option<usize>,
}

/// The signals of one interface that the core has.
pub(super) struct Fitted {
    /// Width of each signal present, by full name.
    pub(super) present: BTreeMap<String, u32>,
    pub(super) widths: Widths,
}

impl Fitter<'_> {
    /// A width that the manifest gives.
    pub(super) fn given(
        &self,
        field: String,
        size: Option<&Size>,
    ) -> Result<Option<Known>, ManifestError> {
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
        let from = match size.parameter() {
            None => String::new(),
            Some(_) => format!(" ({size} = {bits})"),
        };
        Ok(Some(Known {
            bits,
            from,
            field: Some(field),
        }))
    }

    /// A count that the manifest gives.
    pub(super) fn count(
        &self,
        field: String,
        size: Option<&Size>,
    ) -> Result<Option<u32>, ManifestError> {
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
    pub(super) fn interface(
        &mut self,
        at: &str,
        naming: Naming<'_>,
        signals: &[Signal],
        mut widths: Widths,
        Place {
            pins,
            short,
            has_words,
            gate,
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
            // A part of a port is written out; what a pattern makes is a name.
            let part = naming.ports.get(&full).and_then(|text| text.parse().ok());
            let (name, part) = match part {
                Some(PortPart { port, bits }) => (port, bits),
                None => (name, None),
            };
            let Some(port) = self.find(&name) else {
                if explicit || signal.absent == Absent::Required {
                    return Err(self.no_port(field, &name, &format!(" as `{full}`")));
                }
                if signal.is_watched() {
                    present.insert(full.clone(), 1);
                    self.wiring.links.push(Link {
                        wrapper: format!("{short}_{full}"),
                        core: None,
                        width: 1,
                        from_core: false,
                        pin: format!("{pins}.{}", signal.pin),
                        is_words: false,
                        is_inverted: false,
                        gate: None,
                    });
                }
                continue;
            };
            let width = self.check(&field, port, signal.from_core)?;
            let width = match part {
                Some(bits) => self.within(&field, &name, width, bits)?,
                None => width,
            };
            self.check_width(&field, &name, signal, width, &mut widths)?;
            if signal.pin.is_empty() {
                if !signal.from_core && part.is_none() {
                    self.wiring.ties.push((name, width, 0));
                }
                continue;
            }
            let wrapper = format!("{short}_{full}");
            if let Some(bits) = part {
                self.wiring.parts.push(Part {
                    core: name.clone(),
                    bits,
                    wrapper: wrapper.clone(),
                    from_core: signal.from_core,
                    field,
                });
            }
            self.wiring.links.push(Link {
                wrapper,
                core: Some(name).filter(|_| part.is_none()),
                width,
                from_core: signal.from_core,
                pin: format!("{pins}.{}", signal.pin),
                is_words: *has_words && matches!(signal.width, Width::Data | Width::Strobe),
                is_inverted: false,
                gate: gate.filter(|_| signal.from_core && signal.is_handshake()),
            });
            present.insert(full, width);
        }
        Ok(Fitted { present, widths })
    }

    pub(super) fn check_width(
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

    /// Constant pins for the signals that the core lacks: what the manifest says, or the protocol.
    pub(super) fn fill_absent(
        &mut self,
        signals: &[Signal],
        fitted: &Fitted,
        place: &Place,
        defaults: Option<&BTreeMap<String, u64>>,
    ) {
        let data_bits = fitted.widths.data.as_ref().map_or(8, |data| data.bits);
        for signal in signals
            .iter()
            .filter(|signal| signal.from_core && !signal.pin.is_empty())
        {
            if fitted.present.contains_key(&signal.full_name()) {
                continue;
            }
            let pin = format!("{}.{}", place.pins, signal.pin);
            if let Some(value) = defaults.and_then(|all| all.get(&signal.full_name())) {
                self.wiring.constants.push((pin, format!("{value:#x}")));
                continue;
            }
            match signal.absent {
                Absent::Required | Absent::Zero => {}
                Absent::One if signal.is_handshake() && place.gate.is_some() => {
                    self.wiring.forced.push((pin, gated("1", place.gate)));
                }
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
}

impl Fitter<'_> {
    /// As [`fill_absent`](Self::fill_absent), for a stream: one that the core sends without ready is always taken.
    pub(super) fn fill_absent_stream(
        &mut self,
        signals: &[Signal],
        fitted: &Fitted,
        pins: &str,
        gate: Option<usize>,
    ) {
        let place = Place {
            pins: pins.to_owned(),
            short: String::new(),
            has_words: true,
            gate,
        };
        self.fill_absent(signals, fitted, &place, None);
        let takes = signals
            .iter()
            .any(|signal| signal.name == "tready" && !signal.from_core);
        if takes && !fitted.present.contains_key("tready") {
            let pin = format!("{pins}.ready");
            self.wiring.forced.push((pin, "1".to_owned()));
        }
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
