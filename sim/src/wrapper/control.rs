//! Fits the control program to the widths of the core: addresses, accesses and masks.

use super::connect::{Fitter, bits_text, mask_of};
use crate::manifest::{Control, Direction, ManifestError, Step};

/// A register port as steps see it.
struct Bus<'a> {
    name: &'a str,
    /// Bits of a byte address.
    address_bits: u32,
    data_bytes: u32,
}

impl Fitter<'_> {
    pub(super) fn control(&self) -> Result<(), ManifestError> {
        let Some(control) = &self.manifest.control else {
            return Ok(());
        };
        self.fit_steps(control, "control.init", &control.init)?;
        for direction in control.directions() {
            let Some(program) = control.program(direction) else {
                continue;
            };
            for (part, steps) in program.parts() {
                let at = format!("control.{}.{part}", Direction::name(direction));
                self.fit_steps(control, &at, steps)?;
            }
        }
        Ok(())
    }

    fn fit_steps(&self, control: &Control, at: &str, steps: &[Step]) -> Result<(), ManifestError> {
        for (index, step) in steps.iter().enumerate() {
            let at = format!("{at}[{index}]");
            match step {
                Step::Write {
                    address,
                    fields,
                    bytes,
                    interface,
                    ..
                } => {
                    let name = interface.as_ref().or(control.interface.as_ref());
                    let bits = self.fit_access(&at, step, *address, *bytes, name)?;
                    if let Some(field) = fields.keys().find(|field| field.high >= bits) {
                        return Err(self.manifest.error_at(
                            format!("{at}.fields.{field}"),
                            format!("bits of a register of {}", bits_text(bits)),
                            format!("[{field}]"),
                        ));
                    }
                }
                Step::Read {
                    address,
                    bytes,
                    interface,
                    ..
                } => {
                    let name = interface.as_ref().or(control.interface.as_ref());
                    self.fit_access(&at, step, *address, *bytes, name)?;
                }
                Step::Poll {
                    address,
                    mask,
                    bytes,
                    interface,
                    ..
                } => {
                    let name = interface.as_ref().or(control.interface.as_ref());
                    let bits = self.fit_access(&at, step, *address, *bytes, name)?;
                    if let Some(mask) = mask.filter(|mask| mask & mask_of(bits) != *mask) {
                        return Err(self.manifest.error_at(
                            format!("{at}.mask"),
                            format!("a mask of a register of {}", bits_text(bits)),
                            format!("{mask:#x}"),
                        ));
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Checks one access; returns the bits that it moves.
    fn fit_access(
        &self,
        at: &str,
        step: &Step,
        address: u64,
        bytes: Option<u32>,
        name: Option<&String>,
    ) -> Result<u32, ManifestError> {
        let buses = self.buses();
        let bus = match name {
            Some(name) => buses.iter().find(|bus| bus.name == name),
            None => buses.first(),
        };
        // A port that is not there was refused when the manifest was read.
        let Some(bus) = bus else { return Ok(64) };
        if let Some(bytes) = bytes.filter(|bytes| *bytes > bus.data_bytes) {
            return Err(self.manifest.error_at(
                format!("{at}.bytes"),
                format!(
                    "at most {} bytes, the width of {}",
                    bus.data_bytes, bus.name
                ),
                bytes.to_string(),
            ));
        }
        let bytes = bytes.unwrap_or(4).min(bus.data_bytes);
        let field = format!("{at}.{}", step.verb());
        if !address.is_multiple_of(u64::from(bytes)) {
            let expected = format!("an address that is a multiple of {bytes}");
            return Err(self
                .manifest
                .error_at(field, expected, format!("{address:#x}")));
        }
        if address > mask_of(bus.address_bits) {
            let expected = format!(
                "an address of {}, as {} has it",
                bits_text(bus.address_bits),
                bus.name
            );
            return Err(self
                .manifest
                .error_at(field, expected, format!("{address:#x}")));
        }
        Ok(8 * bytes)
    }

    /// Register ports in the order of their indices.
    fn buses(&self) -> Vec<Bus<'_>> {
        let interfaces = &self.wiring.interfaces;
        let lites = interfaces.lites.iter().map(|port| Bus {
            name: &port.name,
            address_bits: port.address_width,
            data_bytes: port.data_width / 8,
        });
        let others = interfaces.registers.iter().map(|port| {
            let data_bytes = port.data_width / 8;
            let is_words = port.address_unit == crate::manifest::AddressUnit::Word;
            let unit_bits = if is_words { data_bytes.ilog2() } else { 0 };
            Bus {
                name: &port.name,
                address_bits: port.address_width + unit_bits,
                data_bytes,
            }
        });
        lites.chain(others).collect()
    }
}
