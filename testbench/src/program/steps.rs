//! Single steps: what each does, and what it waits for.

use std::collections::BTreeMap;

use rebound_sim::manifest::{BitRange, ErrorRule, Step, Symbol, Value};
use rebound_sim::stream::{Beat, Channel, ChannelError};

use super::access::{Register, place};
use super::error::StepProblem;
use super::interpreter::Interpreter;
use super::symbols::Symbols;
use crate::scenario::plan::low_bits;

/// Cycles in which a wire comes to show what the step before has driven.
const REACTION_CYCLES: u64 = 2;

/// What a poll waits for.
#[derive(Debug, Clone, Copy)]
enum Goal {
    /// These bits.
    Equals(u64),
    /// A count that may wrap.
    AtLeast(u64),
}

impl Goal {
    /// Whether a value, of which `mask` counts, is there.
    const fn is_met(self, value: u64, mask: u64) -> bool {
        match self {
            Self::Equals(goal) => value & mask == goal & mask,
            Self::AtLeast(goal) => value.wrapping_sub(goal) & mask <= mask >> 1,
        }
    }
}

impl Interpreter {
    pub(super) async fn step(
        &self,
        step: &Step,
        rules: &[ErrorRule],
        symbols: &mut Symbols,
    ) -> Result<(), StepProblem> {
        match step {
            Step::Write {
                address,
                value,
                fields,
                modify,
                bytes,
                interface,
            } => {
                let register = register(*address, *bytes, interface.as_deref());
                let kept = if *modify {
                    let named = fields.keys().map(|bits| mask_of(*bits));
                    self.read(register).await? & !named.fold(0, |all, bits| all | bits)
                } else {
                    0
                };
                let value = self.whole(value.as_ref(), fields, symbols)?;
                self.write(register, kept | value).await
            }
            Step::Read {
                address,
                into,
                bits,
                bytes,
                interface,
            } => {
                let value = self
                    .read(register(*address, *bytes, interface.as_deref()))
                    .await?;
                if let Some(name) = into {
                    symbols.set(name, bits.map_or(value, |bits| bits.of(value)));
                }
                Ok(())
            }
            Step::Poll { .. } => self.poll(step, rules, symbols).await,
            Step::Push {
                channel, fields, ..
            } => self.push(step, channel, fields, symbols).await,
            Step::Pop {
                channel,
                r#match,
                into,
                ..
            } => self.pop(step, channel, r#match, into, symbols).await,
            Step::Delay { cycles } => {
                self.cpu.wait(self.host.sleep(*cycles)).await;
                Ok(())
            }
            _ => self.wire_step(step, symbols).await,
        }
    }

    async fn wire_step(&self, step: &Step, symbols: &Symbols) -> Result<(), StepProblem> {
        match step {
            Step::Set { wire, value } => {
                let wire = self.wire_in(wire)?;
                wire.set(self.value(value, symbols)?);
            }
            Step::Pulse {
                wire,
                value,
                cycles,
            } => {
                let wire = self.wire_in(wire)?;
                let value = value.as_ref().map(|value| self.value(value, symbols));
                let before = wire.value();
                wire.set(value.transpose()?.unwrap_or(1));
                self.cpu.wait(self.host.sleep(*cycles)).await;
                wire.set(before);
            }
            Step::Wait {
                wire, mask, equals, ..
            } => {
                let mask = mask.unwrap_or(u64::MAX);
                let goal = equals.as_ref().map(|value| self.value(value, symbols));
                let goal = goal.transpose()?.unwrap_or(1);
                // What the steps before have driven, the core takes at one edge and shows behind it.
                self.cpu.wait(self.host.sleep(REACTION_CYCLES)).await;
                self.level(step, wire, mask, goal).await?;
            }
            Step::WaitIrq { wire, .. } => {
                self.level(step, wire, 1, 1).await?;
                self.cpu.interrupt_entry().await;
            }
            _ => {}
        }
        Ok(())
    }

    async fn level(
        &self,
        step: &Step,
        name: &str,
        mask: u64,
        goal: u64,
    ) -> Result<(), StepProblem> {
        let wire = self.wire(name)?;
        let limit = self.limit(step);
        let level = wire.wait_for(mask, goal, limit);
        if self.cpu.wait(level).await.is_err() {
            return Err(self.timeout(step, Some(wire.value())));
        }
        self.seen();
        Ok(())
    }

    async fn poll(
        &self,
        step: &Step,
        rules: &[ErrorRule],
        symbols: &mut Symbols,
    ) -> Result<(), StepProblem> {
        let Step::Poll {
            address,
            mask,
            equals,
            at_least,
            into,
            every_cycles,
            bytes,
            interface,
            ..
        } = step
        else {
            return Ok(());
        };
        let register = register(*address, *bytes, interface.as_deref());
        let mask = mask.unwrap_or_else(|| register.mask());
        let goal = match (equals, at_least) {
            (Some(value), _) => Goal::Equals(self.value(value, symbols)?),
            (None, Some(value)) => Goal::AtLeast(self.value(value, symbols)?),
            (None, None) => return Ok(()),
        };
        let end = self.host.cycle().saturating_add(self.limit(step));
        loop {
            let value = self.read(register).await?;
            let has_failed = into.as_ref().is_some_and(|name| {
                symbols.set(name, value);
                let mut rules = rules.iter();
                rules.any(|rule| rule.from.as_ref() == Some(name) && rule.holds(value))
            });
            if has_failed || goal.is_met(value, mask) {
                self.seen();
                return Ok(());
            }
            if self.host.cycle() >= end {
                return Err(self.timeout(step, Some(value)));
            }
            self.cpu.wait(self.host.sleep(*every_cycles)).await;
        }
    }

    async fn push(
        &self,
        step: &Step,
        channel: &str,
        fields: &BTreeMap<String, Value>,
        symbols: &Symbols,
    ) -> Result<(), StepProblem> {
        let channel = self.channel(channel)?;
        let mut values = Vec::new();
        for (name, value) in fields {
            values.push((name.as_str(), self.field(&channel, name, value, symbols)?));
        }
        let push = channel.push(&values, self.limit(step));
        match self.cpu.wait(push).await {
            Ok(()) => Ok(()),
            Err(ChannelError::Timeout { .. }) => Err(self.timeout(step, None)),
            Err(ChannelError::TooWide {
                channel,
                field,
                bits,
                value,
            }) => Err(StepProblem::NoRoom {
                what: format!("field {field} of channel {channel}"),
                bits,
                value,
            }),
            Err(error) => Err(StepProblem::Access(error.to_string())),
        }
    }

    async fn pop(
        &self,
        step: &Step,
        channel: &str,
        matching: &BTreeMap<String, Value>,
        into: &BTreeMap<String, String>,
        symbols: &mut Symbols,
    ) -> Result<(), StepProblem> {
        let fields = self.channel(channel)?;
        let mut wanted = Vec::new();
        for (field, value) in matching {
            wanted.push((field.as_str(), self.field(&fields, field, value, symbols)?));
        }
        let is_ours = |beat: &Beat| {
            let mut wanted = wanted.iter();
            wanted.all(|(field, value)| beat.get(field) == Some(*value))
        };
        let kept = self.take_kept(channel, is_ours);
        let beat = match kept {
            Some(beat) => beat,
            None => self.pop_new(step, channel, is_ours).await?,
        };
        self.seen();
        for (name, field) in into {
            let value = beat.get(field);
            let value =
                value.ok_or_else(|| StepProblem::Missing(format!("a field {channel}.{field}")))?;
            symbols.set(name, value);
        }
        Ok(())
    }

    fn take_kept(&self, channel: &str, is_ours: impl Fn(&Beat) -> bool) -> Option<Beat> {
        let mut kept = self.kept.borrow_mut();
        let beats = kept.get_mut(channel)?;
        let at = beats.iter().position(is_ours)?;
        Some(beats.remove(at))
    }

    /// Takes beats until one is ours; the others are kept for whom they belong to.
    async fn pop_new(
        &self,
        step: &Step,
        name: &str,
        is_ours: impl Fn(&Beat) -> bool,
    ) -> Result<Beat, StepProblem> {
        let channel = self.channel(name)?;
        let end = self.host.cycle().saturating_add(self.limit(step));
        loop {
            let left = end.saturating_sub(self.host.cycle());
            match self.cpu.wait(channel.pop(left)).await {
                Ok(beat) if is_ours(&beat) => return Ok(beat),
                Ok(beat) => {
                    let mut kept = self.kept.borrow_mut();
                    kept.entry(name.to_owned()).or_default().push(beat);
                }
                Err(ChannelError::Timeout { .. }) => return Err(self.timeout(step, None)),
                Err(error) => return Err(StepProblem::Access(error.to_string())),
            }
        }
    }

    /// The core has shown what was waited for: what is still open on its bus now, is open too late.
    fn seen(&self) {
        if self.unanswered.get().is_none() {
            self.unanswered.set(Some(self.unanswered_writes()));
        }
    }

    fn whole(
        &self,
        value: Option<&Value>,
        fields: &BTreeMap<BitRange, Value>,
        symbols: &Symbols,
    ) -> Result<u64, StepProblem> {
        let mut word = match value {
            Some(value) => self.value(value, symbols)?,
            None => 0,
        };
        for (bits, value) in fields {
            word |= place(self.value(value, symbols)?, *bits)?;
        }
        Ok(word)
    }

    /// The value of a field of a channel. Tags count on past the field's width and begin again: any will do.
    fn field(
        &self,
        channel: &Channel,
        name: &str,
        value: &Value,
        symbols: &Symbols,
    ) -> Result<u64, StepProblem> {
        let found = self.value(value, symbols)?;
        match channel.field_bits(name) {
            Some(bits) if value.symbol() == Some(&Symbol::Tag) => Ok(found & low_bits(bits)),
            _ => Ok(found),
        }
    }

    fn value(&self, value: &Value, symbols: &Symbols) -> Result<u64, StepProblem> {
        Ok(symbols.resolve(value, self.units())?)
    }

    fn limit(&self, step: &Step) -> u64 {
        let own = step.timeout_cycles();
        own.unwrap_or(self.control().timeout_cycles)
    }

    fn timeout(&self, step: &Step, last: Option<u64>) -> StepProblem {
        StepProblem::Timeout {
            awaited: step.to_string(),
            cycles: self.limit(step),
            last,
        }
    }
}

const fn register(address: u64, bytes: Option<u32>, interface: Option<&str>) -> Register<'_> {
    Register {
        address,
        bytes,
        interface,
    }
}

const fn mask_of(bits: BitRange) -> u64 {
    low_bits(bits.width()) << bits.low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_that_wraps_is_reached_while_it_lies_less_than_half_behind() {
        let goal = Goal::AtLeast(0xfffe);
        assert!(goal.is_met(0xfffe, 0xffff) && goal.is_met(3, 0xffff));
        assert!(!goal.is_met(0xfffd, 0xffff));
    }

    #[test]
    fn only_the_bits_of_the_mask_are_compared() {
        assert!(Goal::Equals(0x10).is_met(0x1234_5610, 0xff));
        assert!(!Goal::Equals(0x10).is_met(0x11, 0xff));
    }
}
