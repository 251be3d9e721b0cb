//! Channels of named fields: their ports become the data of a stream, side by side.

use std::collections::BTreeMap;

use super::Link;
use super::clocks::clock_name;
use super::connect::{Fitter, bits_text};
use super::interface::{Fitted, Known, Widths};
use super::rules::stream_rules;
use super::signals;
use crate::interfaces::{ChannelPort, StreamPort};
use crate::manifest::{BitRange, ChannelSpec, ManifestError};

/// Widest channel in bits.
const WIDEST: u32 = 1024;

impl Fitter<'_> {
    pub(super) fn channel(
        &mut self,
        index: usize,
        spec: &ChannelSpec,
    ) -> Result<(), ManifestError> {
        let at = format!("channel[{index}]");
        let sends = spec.direction.is_source();
        let interfaces = &self.wiring.interfaces;
        let (pins, short, stream) = if sends {
            let stream = interfaces.streams_out.len();
            (
                format!("m_streams_out[{stream}]"),
                format!("so{stream}"),
                stream,
            )
        } else {
            let stream = interfaces.streams_in.len();
            (
                format!("m_streams_in[{stream}]"),
                format!("si{stream}"),
                stream,
            )
        };
        let gate = self.slow_clock(spec.clock.as_deref());
        let (fields, width) = self.channel_fields(&at, spec, &short)?;
        let mut present = BTreeMap::from([("tdata".to_owned(), width)]);
        self.wiring.links.push(Link {
            wrapper: format!("{short}_tdata"),
            core: None,
            width,
            from_core: sends,
            pin: format!("{pins}.data"),
            is_words: true,
            is_inverted: false,
            gate: None,
        });
        for (signal, named, from_core) in [
            ("valid", &spec.valid, sends),
            ("ready", &spec.ready, !sends),
        ] {
            let name = format!("{}{}", spec.prefix, named.as_deref().unwrap_or(signal));
            let is_optional = signal == "ready" && named.is_none();
            if is_optional && self.find(&name).is_none() {
                continue;
            }
            let field = match named {
                Some(_) => format!("{at}.{signal}"),
                None => format!("{at}.prefix"),
            };
            match self.require(&field, &name, from_core)? {
                1 => {}
                bits => {
                    let expected = format!("port `{name}` of 1 bit");
                    return Err(self.manifest.error_at(field, expected, bits_text(bits)));
                }
            }
            present.insert(format!("t{signal}"), 1);
            self.wiring.links.push(Link {
                wrapper: format!("{short}_t{signal}"),
                core: Some(name),
                width: 1,
                from_core,
                pin: format!("{pins}.{signal}"),
                is_words: false,
                is_inverted: false,
                gate: gate.filter(|_| from_core),
            });
        }
        let signals = signals::stream(spec.direction);
        let data = Some(Known {
            bits: width,
            from: String::new(),
            field: None,
        });
        let fitted = Fitted {
            present,
            widths: Widths {
                data,
                ..Widths::default()
            },
        };
        self.fill_absent_stream(&signals, &fitted, &pins, gate);
        let port = StreamPort {
            name: spec.name.clone(),
            number: self.next_number(),
            data_width: width,
            has_keep: false,
            has_last: false,
            has_ready: fitted.present.contains_key("tready"),
        };
        let rules = stream_rules(&port, &signals, &fitted, &short, clock_name(gate));
        self.wiring.rules.push(rules);
        let interfaces = &mut self.wiring.interfaces;
        interfaces.channels.push(ChannelPort {
            name: spec.name.clone(),
            from_core: sends,
            stream,
            data_width: width,
            fields,
        });
        if sends {
            &mut interfaces.streams_out
        } else {
            &mut interfaces.streams_in
        }
        .push(port);
        Ok(())
    }

    /// Places the ports of all fields side by side; returns the fields and the width of all ports.
    fn channel_fields(
        &mut self,
        at: &str,
        spec: &ChannelSpec,
        short: &str,
    ) -> Result<(Vec<(String, BitRange)>, u32), ManifestError> {
        // Port to its lowest bit in the stream's data.
        let mut places: BTreeMap<String, u32> = BTreeMap::new();
        let mut fields = Vec::new();
        let mut used = 0;
        for (name, part) in &spec.fields {
            let field = format!("{at}.fields.{name}");
            let port = format!("{}{}", spec.prefix, part.port);
            let width = self.require(&field, &port, spec.direction.is_source())?;
            let low = match places.get(&port) {
                Some(low) => *low,
                None => {
                    let low = used;
                    used += width;
                    places.insert(port.clone(), low);
                    let slice = format!("{short}_tdata[{}:{low}]", used - 1);
                    self.wiring.joins.push((port.clone(), slice));
                    low
                }
            };
            let bits = part.bits.unwrap_or(BitRange {
                high: width - 1,
                low: 0,
            });
            if self.within(&field, &port, width, bits)? > 64 {
                let expected = "a field of at most 64 bits";
                return Err(self
                    .manifest
                    .error_at(field, expected, bits_text(bits.width())));
            }
            let bits = BitRange {
                high: low + bits.high,
                low: low + bits.low,
            };
            fields.push((name.clone(), bits));
        }
        if used > WIDEST {
            return Err(self.manifest.error_at(
                format!("{at}.fields"),
                format!("ports of at most {WIDEST} bits together"),
                bits_text(used),
            ));
        }
        Ok((fields, used))
    }
}
