//! The ports of the core by their names in the manifest, and register accesses of a CPU.

use rebound_sim::axil::{AxilError, Registers};
use rebound_sim::cpu::CpuState;
use rebound_sim::manifest::BitRange;
use rebound_sim::stream::Channel;
use rebound_sim::wire::{Wire, WireIn};

use super::error::StepProblem;
use super::interpreter::Interpreter;
use crate::scenario::plan::low_bits;

/// Bytes of a register access whose step does not say.
const USUAL_BYTES: u32 = 4;

/// A register as a step names it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Register<'a> {
    pub(super) address: u64,
    pub(super) bytes: Option<u32>,
    pub(super) interface: Option<&'a str>,
}

impl Register<'_> {
    fn bytes(self) -> u32 {
        self.bytes.unwrap_or(USUAL_BYTES)
    }

    /// Bits of an access.
    pub(super) fn mask(self) -> u64 {
        low_bits(8 * self.bytes())
    }
}

impl Interpreter {
    pub(super) async fn read(&self, register: Register<'_>) -> Result<u64, StepProblem> {
        let registers = self.registers(register)?;
        let access = registers.read_bytes(register.address, register.bytes());
        let value = self
            .cpu
            .occupy(CpuState::Registers, access)
            .await
            .map_err(refused)?;
        let cost = self.host.costs().register_read_cycles;
        self.cpu.run(cost.into(), CpuState::Registers).await;
        Ok(value)
    }

    pub(super) async fn write(
        &self,
        register: Register<'_>,
        value: u64,
    ) -> Result<(), StepProblem> {
        if value & !register.mask() != 0 {
            return Err(StepProblem::NoRoom {
                what: format!("register {:#x}", register.address),
                bits: 8 * register.bytes(),
                value,
            });
        }
        let registers = self.registers(register)?;
        let access = registers.write_bytes(register.address, value, register.bytes());
        self.cpu
            .occupy(CpuState::Registers, access)
            .await
            .map_err(refused)?;
        let cost = self.host.costs().register_write_cycles;
        self.cpu.run(cost.into(), CpuState::Registers).await;
        Ok(())
    }

    fn registers(&self, register: Register<'_>) -> Result<Registers, StepProblem> {
        let usual = self.control().interface.as_deref();
        let first = self.host.register_names().first().map(String::as_str);
        register
            .interface
            .or(usual)
            .or(first)
            .and_then(|name| self.host.registers_named(name))
            .ok_or_else(|| StepProblem::Missing("a register port".into()))
    }

    pub(super) fn wire(&self, name: &str) -> Result<Wire, StepProblem> {
        let wire = self.host.wire_named(name);
        wire.ok_or_else(|| StepProblem::Missing(format!("a wire {name} out of it")))
    }

    pub(super) fn wire_in(&self, name: &str) -> Result<WireIn, StepProblem> {
        let wire = self.host.wire_in_named(name);
        wire.ok_or_else(|| StepProblem::Missing(format!("a wire {name} into it")))
    }

    pub(super) fn channel(&self, name: &str) -> Result<Channel, StepProblem> {
        let channel = self.host.channel_named(name);
        channel.ok_or_else(|| StepProblem::Missing(format!("a channel {name}")))
    }
}

/// Puts a value into its bits of a register that holds 0 there.
pub(super) fn place(value: u64, bits: BitRange) -> Result<u64, StepProblem> {
    let width = bits.width();
    if value & !low_bits(width) != 0 {
        return Err(StepProblem::NoRoom {
            what: format!("bits {bits}"),
            bits: width,
            value,
        });
    }
    Ok(value << bits.low)
}

fn refused(error: AxilError) -> StepProblem {
    StepProblem::Access(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_without_room_for_its_value_is_refused() {
        let bits = BitRange { high: 9, low: 4 };
        assert_eq!(place(0x3f, bits), Ok(0x3f0));
        let problem = place(0x40, bits).expect_err("seven bits");
        assert_eq!(
            problem.to_string(),
            "expected a value of 6 bits for bits 9:4, found 0x40"
        );
    }
}
