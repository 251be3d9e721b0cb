//! Reads a step: every field has its place, and the fields that belong together become one step.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize as DeserializeDerive;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

use super::Step;
use crate::manifest::{BitRange, Value};

/// What steps begin with.
const VERBS: &str = "write, read, poll, push, pop, set, pulse, wait, wait_irq, delay";

/// Where a read value goes: one name, or a name for each field.
#[derive(Debug)]
enum ReadInto {
    Name(String),
    Fields(BTreeMap<String, String>),
}

/// Every field of every step, as the reader meets them: so an unknown field, or one of a wrong type, is told with its
/// place. What belongs together is sorted out afterwards.
#[derive(Debug, Default, DeserializeDerive)]
#[serde(default, deny_unknown_fields)]
struct StepFields {
    write: Option<u64>,
    read: Option<u64>,
    poll: Option<u64>,
    push: Option<String>,
    pop: Option<String>,
    set: Option<String>,
    pulse: Option<String>,
    wait: Option<String>,
    wait_irq: Option<String>,
    delay: Option<u64>,
    value: Option<Value>,
    fields: Option<BTreeMap<String, Value>>,
    modify: Option<bool>,
    bytes: Option<u32>,
    bits: Option<BitRange>,
    mask: Option<u64>,
    equals: Option<Value>,
    at_least: Option<Value>,
    into: Option<ReadInto>,
    r#match: Option<BTreeMap<String, Value>>,
    every_cycles: Option<u64>,
    timeout_cycles: Option<u64>,
    cycles: Option<u64>,
    interface: Option<String>,
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(StepVisitor)
    }
}

/// Sorts the fields out while the reader still knows where it is, so that the error has the step's place.
struct StepVisitor;

impl<'de> Visitor<'de> for StepVisitor {
    type Value = Step;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "a step: a table with one of {VERBS}")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Step, A::Error> {
        let mut fields = StepFields::deserialize(MapAccessDeserializer::new(map))?;
        let step = fields.step();
        let step = step.and_then(|step| fields.nothing_left(&step).map(|()| step));
        step.map_err(|(expected, got)| {
            de::Error::custom(format_args!("invalid value: {got}, expected {expected}"))
        })
    }
}

/// What was expected, and what is there.
type Problem = (String, String);

impl StepFields {
    /// Takes the fields of the one step that is meant.
    fn step(&mut self) -> Result<Step, Problem> {
        let verbs = [
            self.write.is_some(),
            self.read.is_some(),
            self.poll.is_some(),
            self.push.is_some(),
            self.pop.is_some(),
            self.set.is_some(),
            self.pulse.is_some(),
            self.wait.is_some(),
            self.wait_irq.is_some(),
            self.delay.is_some(),
        ];
        match verbs.iter().filter(|is_there| **is_there).count() {
            1 => {}
            0 => return Err((format!("a step with one of {VERBS}"), "none of them".into())),
            _ => {
                return Err((
                    format!("a step with one of {VERBS}"),
                    "more than one".into(),
                ));
            }
        }
        if let Some(address) = self.write.take() {
            return self.write_step(address);
        }
        if let Some(address) = self.read.take() {
            return Ok(Step::Read {
                address,
                into: self.name()?,
                bits: self.bits.take(),
                bytes: self.bytes()?,
                interface: self.interface.take(),
            });
        }
        if let Some(address) = self.poll.take() {
            return self.poll_step(address);
        }
        if let Some(channel) = self.push.take() {
            let fields = self
                .fields
                .take()
                .ok_or_else(|| ("fields, the values to push".to_owned(), "none".to_owned()))?;
            return Ok(Step::Push {
                channel,
                fields,
                timeout_cycles: self.timeout()?,
            });
        }
        if let Some(channel) = self.pop.take() {
            let into = match self.into.take() {
                None => BTreeMap::new(),
                Some(ReadInto::Fields(fields)) => fields,
                Some(ReadInto::Name(name)) => {
                    let expected = "into as a table, name to field".to_owned();
                    return Err((expected, format!("\"{name}\"")));
                }
            };
            return Ok(Step::Pop {
                channel,
                r#match: self.r#match.take().unwrap_or_default(),
                into,
                timeout_cycles: self.timeout()?,
            });
        }
        self.wire_step()
    }

    fn write_step(&mut self, address: u64) -> Result<Step, Problem> {
        let mut fields = BTreeMap::new();
        for (key, value) in self.fields.take().unwrap_or_default() {
            let bits: BitRange = key.parse().map_err(|error| {
                (
                    format!("fields named by their {error}"),
                    format!("\"{key}\""),
                )
            })?;
            if bits.high > 63 {
                return Err(("bits from 63:0".to_owned(), format!("\"{key}\"")));
            }
            let overlaps = |other: &BitRange| other.low <= bits.high && bits.low <= other.high;
            if let Some(other) = fields.keys().find(|other| overlaps(other)) {
                return Err((
                    "fields that do not overlap".to_owned(),
                    format!("\"{other}\" and \"{bits}\""),
                ));
            }
            fields.insert(bits, value);
        }
        let value = self.value.take();
        let modify = self.modify.take().unwrap_or_default();
        let got = match (&value, fields.is_empty()) {
            (Some(_), true) if modify => "modify with value".to_owned(),
            (Some(_), true) | (None, false) => {
                return Ok(Step::Write {
                    address,
                    value,
                    fields,
                    modify,
                    bytes: self.bytes()?,
                    interface: self.interface.take(),
                });
            }
            (Some(_), false) => "both".to_owned(),
            (None, true) => "neither".to_owned(),
        };
        let expected = "a write with value or fields (modify goes with fields)";
        Err((expected.to_owned(), got))
    }

    fn poll_step(&mut self, address: u64) -> Result<Step, Problem> {
        let (equals, at_least) = (self.equals.take(), self.at_least.take());
        if equals.is_some() == at_least.is_some() {
            let got = if equals.is_some() { "both" } else { "neither" };
            return Err(("a poll with equals or at_least".to_owned(), got.to_owned()));
        }
        Ok(Step::Poll {
            address,
            mask: self.mask()?,
            equals,
            at_least,
            into: self.name()?,
            every_cycles: at_least_one("every_cycles", self.every_cycles.take())?.unwrap_or(1),
            timeout_cycles: self.timeout()?,
            bytes: self.bytes()?,
            interface: self.interface.take(),
        })
    }

    fn wire_step(&mut self) -> Result<Step, Problem> {
        if let Some(wire) = self.set.take() {
            let value = self.value.take().ok_or_else(|| {
                (
                    "value, what the wire is set to".to_owned(),
                    "none".to_owned(),
                )
            })?;
            return Ok(Step::Set { wire, value });
        }
        if let Some(wire) = self.pulse.take() {
            return Ok(Step::Pulse {
                wire,
                value: self.value.take(),
                cycles: at_least_one("cycles", self.cycles.take())?.unwrap_or(1),
            });
        }
        if let Some(wire) = self.wait.take() {
            return Ok(Step::Wait {
                wire,
                mask: self.mask()?,
                equals: self.equals.take(),
                timeout_cycles: self.timeout()?,
            });
        }
        if let Some(wire) = self.wait_irq.take() {
            let timeout_cycles = self.timeout()?;
            return Ok(Step::WaitIrq {
                wire,
                timeout_cycles,
            });
        }
        let cycles = self.delay.take().unwrap_or_default();
        Ok(Step::Delay { cycles })
    }

    fn name(&mut self) -> Result<Option<String>, Problem> {
        match self.into.take() {
            None => Ok(None),
            Some(ReadInto::Name(name)) => Ok(Some(name)),
            Some(ReadInto::Fields(_)) => Err(("into as one name".to_owned(), "a table".to_owned())),
        }
    }

    fn mask(&mut self) -> Result<Option<u64>, Problem> {
        match self.mask.take() {
            Some(0) => Err(("a mask with a bit set".to_owned(), "0".to_owned())),
            mask => Ok(mask),
        }
    }

    fn bytes(&mut self) -> Result<Option<u32>, Problem> {
        match self.bytes.take() {
            Some(bytes) if ![1, 2, 4, 8].contains(&bytes) => {
                Err(("bytes as 1, 2, 4 or 8".to_owned(), bytes.to_string()))
            }
            bytes => Ok(bytes),
        }
    }

    fn timeout(&mut self) -> Result<Option<u64>, Problem> {
        at_least_one("timeout_cycles", self.timeout_cycles.take())
    }

    /// What the step does not take does not belong to it.
    fn nothing_left(&self, step: &Step) -> Result<(), Problem> {
        let left = [
            ("value", self.value.is_some()),
            ("fields", self.fields.is_some()),
            ("modify", self.modify.is_some()),
            ("bytes", self.bytes.is_some()),
            ("bits", self.bits.is_some()),
            ("mask", self.mask.is_some()),
            ("equals", self.equals.is_some()),
            ("at_least", self.at_least.is_some()),
            ("into", self.into.is_some()),
            ("match", self.r#match.is_some()),
            ("every_cycles", self.every_cycles.is_some()),
            ("timeout_cycles", self.timeout_cycles.is_some()),
            ("cycles", self.cycles.is_some()),
            ("interface", self.interface.is_some()),
        ];
        match left.iter().find(|(_, is_left)| *is_left) {
            None => Ok(()),
            Some((name, _)) => Err((
                format!("only fields of a step `{}`", step.verb()),
                format!("`{name}`"),
            )),
        }
    }
}

fn at_least_one(name: &str, cycles: Option<u64>) -> Result<Option<u64>, Problem> {
    match cycles {
        Some(0) => Err((format!("{name} of at least 1"), "0".to_owned())),
        cycles => Ok(cycles),
    }
}

impl<'de> Deserialize<'de> for ReadInto {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct IntoVisitor;

        impl<'de> Visitor<'de> for IntoVisitor {
            type Value = ReadInto;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a name, or a table of names to fields")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<ReadInto, E> {
                Ok(ReadInto::Name(name.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ReadInto, A::Error> {
                BTreeMap::deserialize(MapAccessDeserializer::new(map)).map(ReadInto::Fields)
            }
        }

        deserializer.deserialize_any(IntoVisitor)
    }
}
