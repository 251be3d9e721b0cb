//! Runs the control program of a manifest, in the plainest way: one transfer after the other.

use std::collections::BTreeMap;

use rebound_sim::host::Host;
use rebound_sim::manifest::{Control, Direction, Step, Symbol, UnitBytes, Value};

/// One transfer with the values that its steps have read.
pub struct Transfer {
    pub src: u64,
    pub dst: u64,
    pub len: u64,
    pub tag: u64,
    pub read: BTreeMap<String, u64>,
}

/// How a transfer ended: well, or with the names of the errors that held.
pub type Errors = Vec<String>;

/// Runs `init`.
pub async fn init(host: &Host, control: &Control) {
    let mut nothing = transfer(0, 0, 0, 0);
    for step in &control.init {
        run(host, control, step, &mut nothing)
            .await
            .unwrap_or_else(|problem| panic!("init: {step}: {problem}"));
    }
}

/// A transfer that has read nothing yet.
pub fn transfer(src: u64, dst: u64, len: u64, tag: u64) -> Transfer {
    let read = BTreeMap::new();
    Transfer {
        src,
        dst,
        len,
        tag,
        read,
    }
}

/// Runs `start` and `done` of a copy; the error says which step waited for what.
pub async fn copy(
    host: &Host,
    control: &Control,
    transfer: &mut Transfer,
) -> Result<Errors, String> {
    let program = control.program(Direction::Copy).expect("a copy");
    for (part, steps) in &program.parts()[..2] {
        for (index, step) in steps.iter().enumerate() {
            run(host, control, step, transfer)
                .await
                .map_err(|problem| format!("control.copy.{part}[{index}]: {step}: {problem}"))?;
        }
    }
    let holds = program.errors.iter().filter(|rule| {
        let value = rule.from.as_ref().and_then(|name| transfer.read.get(name));
        value.is_some_and(|value| rule.holds(*value))
    });
    Ok(holds.map(|rule| rule.name.clone()).collect())
}

fn resolve(transfer: &Transfer, value: &Value) -> u64 {
    let symbol = |symbol: &Symbol| match symbol {
        Symbol::Source => Some(transfer.src),
        Symbol::Destination => Some(transfer.dst),
        Symbol::Length => Some(transfer.len),
        Symbol::Tag => Some(transfer.tag),
        Symbol::Read(name) => transfer.read.get(name).copied(),
    };
    let units = UnitBytes { word: 4, beat: 4 };
    value
        .resolve(symbol, units)
        .unwrap_or_else(|error| panic!("{error}"))
}

async fn run(
    host: &Host,
    control: &Control,
    step: &Step,
    transfer: &mut Transfer,
) -> Result<(), String> {
    let registers = |name: &Option<String>| {
        let name = name.as_ref().or(control.interface.as_ref());
        let name = name.unwrap_or(&host.register_names()[0]);
        host.registers_named(name).expect("checked by the manifest")
    };
    let limit = step.timeout_cycles().unwrap_or(control.timeout_cycles);
    match step {
        Step::Write {
            address,
            value,
            fields,
            bytes,
            interface,
            ..
        } => {
            let whole = value.as_ref().map_or(0, |value| resolve(transfer, value));
            let word = fields.iter().fold(whole, |word, (bits, value)| {
                word | resolve(transfer, value) << bits.low
            });
            let bytes = bytes.unwrap_or(4);
            let write = registers(interface)
                .write_bytes(*address, word, bytes)
                .await;
            write.map_err(|error| error.to_string())
        }
        Step::Read {
            address,
            into,
            bytes,
            interface,
            ..
        } => {
            let read = registers(interface)
                .read_bytes(*address, bytes.unwrap_or(4))
                .await;
            let value = read.map_err(|error| error.to_string())?;
            transfer.read.extend(into.clone().map(|name| (name, value)));
            Ok(())
        }
        Step::Poll {
            address,
            mask,
            equals,
            at_least,
            interface,
            ..
        } => {
            let mask = mask.unwrap_or(u64::MAX);
            let end = host.cycle() + limit;
            loop {
                let read = registers(interface).read_bytes(*address, 4).await;
                let value = read.map_err(|error| error.to_string())? & mask;
                let is_there = match (equals, at_least) {
                    (Some(equals), _) => value == resolve(transfer, equals) & mask,
                    (None, Some(least)) => {
                        value.wrapping_sub(resolve(transfer, least)) & mask <= mask / 2
                    }
                    (None, None) => false,
                };
                if is_there {
                    return Ok(());
                }
                if host.cycle() >= end {
                    return Err(format!("not within {limit} cycles, last read {value:#x}"));
                }
                host.sleep(1).await;
            }
        }
        Step::Push {
            channel, fields, ..
        } => {
            let values: Vec<(&str, u64)> = fields
                .iter()
                .map(|(name, value)| (name.as_str(), resolve(transfer, value)))
                .collect();
            let channel = host
                .channel_named(channel)
                .expect("checked by the manifest");
            channel
                .push(&values, limit)
                .await
                .map_err(|error| error.to_string())
        }
        Step::Pop {
            channel,
            r#match,
            into,
            ..
        } => {
            let channel = host
                .channel_named(channel)
                .expect("checked by the manifest");
            let beat = channel
                .pop(limit)
                .await
                .map_err(|error| error.to_string())?;
            for (field, value) in r#match {
                assert_eq!(beat.get(field), Some(resolve(transfer, value)), "{field}");
            }
            for (name, field) in into {
                let value = beat.get(field).expect("checked by the manifest");
                transfer.read.insert(name.clone(), value);
            }
            Ok(())
        }
        Step::Set { wire, value } => {
            let wire = host.wire_in_named(wire).expect("checked by the manifest");
            wire.set(resolve(transfer, value));
            Ok(())
        }
        Step::WaitIrq { wire, .. } => {
            let wire = host.wire_named(wire).expect("checked by the manifest");
            wire.wait_high(limit)
                .await
                .map_err(|error| error.to_string())
        }
        Step::Pulse { .. } | Step::Wait { .. } | Step::Delay { .. } => {
            unimplemented!("no core of the tests needs it")
        }
    }
}
