//! APB and Wishbone ports.

use super::connect::{Fitter, bits_text};
use super::interface::{Known, Place, Widths};
use super::signals;
use crate::device_port::RegisterProtocol;
use crate::interfaces::RegisterPort;
use crate::manifest::{AddressUnit, ApbSpec, ManifestError, Naming, Size, WishboneSpec};

/// What APB and Wishbone ports have in common in the manifest.
struct RegisterSpec<'a> {
    at: String,
    name: &'a str,
    naming: Naming<'a>,
    clock: Option<&'a str>,
    address_width: Option<&'a Size>,
    data_width: Option<&'a Size>,
    protocol: RegisterProtocol,
    address_unit: AddressUnit,
}

impl Fitter<'_> {
    pub(super) fn apb(&mut self, index: usize, spec: &ApbSpec) -> Result<(), ManifestError> {
        self.register_port(&RegisterSpec {
            at: format!("apb[{index}]"),
            name: &spec.name,
            naming: spec.naming(),
            clock: spec.clock.as_deref(),
            address_width: spec.address_width.as_ref(),
            data_width: spec.data_width.as_ref(),
            protocol: RegisterProtocol::Apb,
            address_unit: AddressUnit::Byte,
        })
    }

    pub(super) fn wishbone(
        &mut self,
        index: usize,
        spec: &WishboneSpec,
    ) -> Result<(), ManifestError> {
        self.register_port(&RegisterSpec {
            at: format!("wishbone[{index}]"),
            name: &spec.name,
            naming: spec.naming(),
            clock: spec.clock.as_deref(),
            address_width: spec.address_width.as_ref(),
            data_width: spec.data_width.as_ref(),
            protocol: RegisterProtocol::Wishbone,
            address_unit: spec.address_unit,
        })
    }

    fn register_port(&mut self, spec: &RegisterSpec<'_>) -> Result<(), ManifestError> {
        let at = &spec.at;
        let widths = Widths {
            address: self.given(format!("{at}.address_width"), spec.address_width)?,
            data: self.given(format!("{at}.data_width"), spec.data_width)?,
            ..Widths::default()
        };
        let index = self.wiring.interfaces.registers.len();
        let place = Place {
            pins: format!("m_registers[{index}]"),
            short: format!("r{index}"),
            has_words: false,
            // The engine looks at the tick; so does nothing else.
            gate: None,
        };
        let (signals, allowed): (_, &[u32]) = match spec.protocol {
            RegisterProtocol::Apb => (signals::apb(), &[8, 16, 32]),
            RegisterProtocol::Wishbone => (signals::wishbone(), &[8, 16, 32, 64]),
        };
        let fitted = self.interface(at, spec.naming, &signals, widths, &place)?;
        self.fill_absent(&signals, &fitted, &place, None);
        let tick = format!("{}.tick", place.pins);
        match self.slow_clock(spec.clock) {
            Some(slow) => self.wiring.forced.push((tick, format!("rises_{slow}"))),
            None => self.wiring.constants.push((tick, "1".to_owned())),
        }
        let bits = |known: &Option<Known>| known.as_ref().map_or(0, |known| known.bits);
        let data_width = bits(&fitted.widths.data);
        if !allowed.contains(&data_width) {
            let words: Vec<String> = allowed.iter().map(ToString::to_string).collect();
            return Err(self.manifest.error_at(
                format!("{at}.data_width"),
                format!("a register bus of {} bits", words.join(" or ")),
                bits_text(data_width),
            ));
        }
        let port = RegisterPort {
            name: spec.name.to_owned(),
            number: self.next_number(),
            protocol: spec.protocol,
            address_width: bits(&fitted.widths.address),
            data_width,
            address_unit: spec.address_unit,
            is_pipelined: fitted.present.contains_key("stall"),
        };
        self.wiring.interfaces.registers.push(port);
        Ok(())
    }
}
