//! What is left when clocks, resets, buses and channels are taken: interrupts, controls, and constants.

use std::collections::{BTreeMap, BTreeSet};

use rebound_sim::verilate::ports::{CorePort, PortDirection};

use super::model::{Recognised, Tie, Wire};
use super::reading::readings;
use super::signals::Family;
use super::words::{free_name, identifier, words};

/// Widest wire that a manifest can have.
const WIDEST: u32 = 64;

/// Gives each of `ports` a meaning in `found`.
pub(super) fn sort(
    ports: &[&CorePort],
    structs: &BTreeSet<String>,
    puzzling: &BTreeMap<String, String>,
    found: &mut Recognised,
) {
    let has_registers = found
        .interfaces
        .iter()
        .any(|each| each.protocol.has_registers());
    let is_wired = !has_registers && found.channels.is_empty();
    for port in ports {
        let is_plain = !structs.contains(&port.name) && port.width.is_some();
        if !is_plain || port.direction == PortDirection::Inout {
            strange(port, found);
        } else if let Some(remark) = puzzling.get(&port.name) {
            puzzle(port, remark, found);
        } else if port.direction == PortDirection::Output {
            output(port, is_wired, found);
        } else {
            input(port, is_wired, found);
        }
    }
}

fn strange(port: &CorePort, found: &mut Recognised) {
    let what = match (port.direction, port.width) {
        (PortDirection::Inout, _) => "goes both ways",
        (_, Some(_)) => "is a struct",
        (_, None) => "is no packed vector",
    };
    found.open.push(format!(
        "port {} {what}: write a module with plain ports around the core, name its file as `wrapper` and the module as `top`",
        port.name
    ));
    match (port.direction, port.width) {
        (PortDirection::Input, Some(_)) => found.ties.push(Tie {
            port: port.name.clone(),
            value: 0,
            note: format!("OPEN: it {what}; see the list above"),
        }),
        _ => found.unused.push(port.name.clone()),
    }
}

fn puzzle(port: &CorePort, remark: &str, found: &mut Recognised) {
    let line = format!("port {} and others of its kind: {remark}", port.name);
    if !found.open.iter().any(|open| open.ends_with(remark)) {
        found.open.push(line);
    }
    if port.direction == PortDirection::Output {
        found.unused.push(port.name.clone());
    } else {
        found.ties.push(Tie {
            port: port.name.clone(),
            value: 0,
            note: format!("OPEN: {remark}"),
        });
    }
}

fn is_interrupt(port: &CorePort) -> bool {
    port.width == Some(1)
        && words(&port.name).iter().any(|word| {
            // `nIRQ`, `irqn`, `irqs`.
            let stem = word.trim_start_matches('n').trim_end_matches(['n', 's']);
            let ends = ["irq", "introut", "intr", "interrupt"];
            stem == "int" || ends.iter().any(|end| stem.ends_with(end))
        })
}

fn output(port: &CorePort, is_wired: bool, found: &mut Recognised) {
    let is_interrupt = is_interrupt(port);
    if !is_interrupt && (!is_wired || port.width > Some(WIDEST)) {
        found.unused.push(port.name.clone());
        return;
    }
    let words = words(&port.name);
    let is_low = is_interrupt
        && words.iter().any(|word| {
            word == "n"
                || word.starts_with("ni")
                || word.ends_with("irqn")
                || word.ends_with("intn")
        });
    wire(port, found, |wire| {
        wire.is_interrupt = is_interrupt;
        wire.is_low = is_low;
    });
}

fn input(port: &CorePort, is_wired: bool, found: &mut Recognised) {
    let words = words(&port.name);
    let has = |known: &[&str]| words.iter().any(|word| known.contains(&word.as_str()));
    if let Some((value, note)) = constant_of_register_port(port, found) {
        found.ties.push(Tie {
            port: port.name.clone(),
            value,
            note,
        });
    } else if has(&["test", "testmode", "scan", "dft", "bist", "abort", "flush"]) {
        found.ties.push(Tie {
            port: port.name.clone(),
            value: 0,
            note: "off, by its name".to_owned(),
        });
    } else if port.width > Some(WIDEST) || !(is_wired || has(&["enable", "en"])) {
        found.open.push(format!(
            "input {}: no known interface has it; give it a value in [tie_off], or make it a [[wire]] that the control program sets",
            port.name
        ));
        found.ties.push(Tie {
            port: port.name.clone(),
            value: 0,
            note: "OPEN: what the core needs here".to_owned(),
        });
    } else {
        let is_enable = has(&["enable", "en"]);
        wire(port, found, |wire| {
            wire.initial = u64::from(is_enable);
            wire.note = is_enable.then(|| "On, by its name.".to_owned());
        });
    }
}

fn wire(port: &CorePort, found: &mut Recognised, set: impl FnOnce(&mut Wire)) {
    let interfaces = found.interfaces.iter().map(|each| &each.name);
    let channels = found.channels.iter().map(|each| &each.name);
    let wires = found.wires.iter().map(|each| &each.name);
    let names: BTreeSet<&String> = interfaces.chain(channels).chain(wires).collect();
    let bare = identifier(&words(&port.name).join("_"), "wire");
    let name = free_name(bare, |name| names.contains(&name.to_owned()));
    let mut wire = Wire {
        name,
        port: port.name.clone(),
        is_output: port.direction == PortDirection::Output,
        is_interrupt: false,
        is_low: false,
        initial: 0,
        width: port.width.unwrap_or(1),
        note: None,
    };
    set(&mut wire);
    found.wires.push(wire);
}

/// Constants that make an AXI4 register port take single beats, as AXI4-Lite has them.
fn constant_of_register_port(port: &CorePort, found: &Recognised) -> Option<(u64, String)> {
    let lites = found
        .interfaces
        .iter()
        .filter(|each| each.protocol == super::model::Protocol::Lite);
    for lite in lites {
        for reading in readings(&port.name, false) {
            let is_same = reading.key.family == Family::Axi && reading.pattern == lite.pattern;
            if !is_same {
                continue;
            }
            let bytes = lite.data().and_then(|data| data.width).unwrap_or(32) / 8;
            let value = match reading.signal {
                "size" => u64::from(bytes.ilog2()),
                "burst" | "last" => 1,
                _ => 0,
            };
            return Some((value, format!("single beats on {}", lite.name)));
        }
    }
    None
}
