//! Interfaces of bus protocols: ports whose names differ in the signal alone, judged by the signals they have.

use std::collections::{BTreeMap, BTreeSet};

use rebound_sim::manifest::{Access, Naming, NamingCase, StreamDirection};
use rebound_sim::verilate::ports::{CorePort, PortDirection};

use super::model::{Interface, Protocol};
use super::reading::{Key, Reading, readings};
use super::signals::{Family, is_by_asker};
use super::words::{free_name, identifier};

/// Ports that one key holds together.
struct Group<'a> {
    key: Key,
    members: BTreeMap<(&'static str, &'static str), (&'a CorePort, Reading)>,
}

/// What a set of ports was taken for.
pub(super) struct Buses {
    pub(super) interfaces: Vec<Interface>,
    /// Ports that are taken.
    pub(super) taken: BTreeSet<String>,
    /// Ports that look like a bus which is not understood: port to remark.
    pub(super) puzzling: BTreeMap<String, String>,
}

/// Recognises every bus among `ports`, the largest first.
pub(super) fn recognise(ports: &[&CorePort]) -> Buses {
    let mut buses = Buses {
        interfaces: Vec::new(),
        taken: BTreeSet::new(),
        puzzling: BTreeMap::new(),
    };
    loop {
        let free: Vec<&CorePort> = ports
            .iter()
            .copied()
            .filter(|port| !buses.taken.contains(&port.name))
            .collect();
        let mut groups = groups(&free);
        groups.sort_by_key(|group| std::cmp::Reverse(group.members.len()));
        let Some(interface) = groups.iter().find_map(|group| interface(group).ok()) else {
            for group in &groups {
                if let Err(Some(remark)) = interface(group) {
                    for (port, _) in group.members.values() {
                        buses
                            .puzzling
                            .entry(port.name.clone())
                            .or_insert_with(|| remark.clone());
                    }
                }
            }
            break;
        };
        let names = interface.signals.values().map(|port| port.name.clone());
        buses.taken.extend(names);
        buses.interfaces.push(interface);
    }
    let place = |interface: &Interface| {
        let first = interface.signals.values();
        first
            .filter_map(|each| ports.iter().position(|port| port.name == each.name))
            .min()
    };
    buses.interfaces.sort_by_key(place);
    name_all(&mut buses.interfaces);
    halves(&mut buses.interfaces);
    buses
}

fn groups<'a>(ports: &[&'a CorePort]) -> Vec<Group<'a>> {
    let mut groups: BTreeMap<Key, Group<'a>> = BTreeMap::new();
    for port in ports {
        let is_output = port.direction == PortDirection::Output;
        for reading in readings(&port.name, is_output) {
            let group = groups.entry(reading.key.clone()).or_insert_with(|| Group {
                key: reading.key.clone(),
                members: BTreeMap::new(),
            });
            let place = (reading.channel, reading.signal);
            group.members.entry(place).or_insert((port, reading));
        }
    }
    groups.into_values().collect()
}

impl Group<'_> {
    fn direction(&self, channel: &str, signal: &str) -> Option<PortDirection> {
        let mut members = self.members.iter();
        members
            .find(|((c, s), _)| (*c, *s) == (channel, signal))
            .map(|(_, (port, _))| port.direction)
    }

    /// The core asks: it drives the signal that says so.
    fn core_asks(&self) -> Option<bool> {
        let telling = match self.key.family {
            Family::Axi => [("aw", "valid"), ("ar", "valid")],
            Family::Stream => [("", "tvalid"), ("", "tvalid")],
            Family::Apb => [("", "psel"), ("", "penable")],
            Family::Wishbone => [("", "stb"), ("", "cyc")],
        };
        let direction = telling.iter().find_map(|(c, s)| self.direction(c, s))?;
        Some(direction == PortDirection::Output)
    }
}

/// The interface that a group is; or a remark, if it looks like one.
fn interface(group: &Group<'_>) -> Result<Interface, Option<String>> {
    let core_asks = group.core_asks().ok_or(None)?;
    let family = group.key.family;
    let members: BTreeMap<_, _> = group
        .members
        .iter()
        .filter(|((channel, signal), (port, _))| {
            let from_core = is_by_asker(family, channel, signal) == core_asks;
            let is_output = port.direction == PortDirection::Output;
            port.width.is_some() && from_core == is_output
        })
        .collect();
    let lacks = |needed: &[(&str, &str)]| {
        let missing: Vec<String> = needed
            .iter()
            .filter(|place| !members.contains_key(*place))
            .map(|(channel, signal)| format!("{channel}{signal}"))
            .collect();
        (!missing.is_empty()).then(|| missing.join(", "))
    };
    let mut notes = Vec::new();
    let mut access = Access::ReadWrite;
    let protocol = match family {
        Family::Axi => {
            let (no_reads, no_writes) = (lacks(&READS), lacks(&WRITES));
            access = match (&no_reads, &no_writes) {
                (None, None) => Access::ReadWrite,
                (None, Some(_)) => Access::Read,
                (Some(_), None) => Access::Write,
                (Some(reads), Some(writes)) if members.len() > 2 => {
                    return Err(Some(format!(
                        "looks like AXI, but reads lack {reads}, and writes lack {writes}"
                    )));
                }
                _ => return Err(None),
            };
            let width =
                |channel, signal| members.get(&(channel, signal)).map(|(port, _)| port.width);
            let length = width("aw", "len").or(width("ar", "len"));
            if core_asks {
                if length.is_none() {
                    notes.push("It has no AxLEN: each burst is one beat.".to_owned());
                }
                let is_axi3 = members.contains_key(&("w", "id")) || length == Some(Some(4));
                if is_axi3 {
                    Protocol::Axi3
                } else {
                    Protocol::Axi4
                }
            } else if access != Access::ReadWrite {
                let lacking = no_reads.or(no_writes).unwrap_or_default();
                return Err(Some(format!(
                    "looks like an AXI4-Lite register port, but lacks {lacking}: give it these in a wrapper file"
                )));
            } else {
                if length.is_some() {
                    notes.push(
                        "A full AXI4 port; it is used with single beats, as AXI4-Lite.".to_owned(),
                    );
                }
                Protocol::Lite
            }
        }
        Family::Stream => {
            if lacks(&[("", "tvalid"), ("", "tdata")]).is_some() {
                return Err(None);
            }
            Protocol::Stream(if core_asks {
                StreamDirection::Source
            } else {
                StreamDirection::Sink
            })
        }
        Family::Apb => {
            needed("APB", core_asks, lacks(&APB), members.len())?;
            Protocol::Apb
        }
        Family::Wishbone => {
            needed("Wishbone", core_asks, lacks(&WISHBONE), members.len())?;
            Protocol::Wishbone
        }
    };
    let signals: BTreeMap<_, _> = members
        .iter()
        .filter(|(place, _)| is_named(protocol, place))
        .map(|(place, (port, _))| (**place, (*port).clone()))
        .collect();
    let readings: Vec<&Reading> = members.values().map(|(_, reading)| reading).collect();
    let (pattern, case, ports) = naming(&signals, &readings);
    Ok(Interface {
        name: identifier(
            &format!("{}{}", group.key.before, group.key.after),
            if core_asks { "axi" } else { "regs" },
        ),
        protocol,
        access,
        signals,
        pattern,
        case,
        ports,
        clock: None,
        notes,
    })
}

const READS: [(&str, &str); 5] = [
    ("ar", "addr"),
    ("ar", "valid"),
    ("ar", "ready"),
    ("r", "data"),
    ("r", "valid"),
];
const WRITES: [(&str, &str); 7] = [
    ("aw", "addr"),
    ("aw", "valid"),
    ("aw", "ready"),
    ("w", "data"),
    ("w", "valid"),
    ("w", "ready"),
    ("b", "valid"),
];
const APB: [(&str, &str); 6] = [
    ("", "paddr"),
    ("", "psel"),
    ("", "penable"),
    ("", "pwrite"),
    ("", "pwdata"),
    ("", "prdata"),
];
const WISHBONE: [(&str, &str); 7] = [
    ("", "adr"),
    ("", "cyc"),
    ("", "stb"),
    ("", "we"),
    ("", "ack"),
    ("", "dat_w"),
    ("", "dat_r"),
];

fn needed(
    protocol: &str,
    core_asks: bool,
    lacking: Option<String>,
    members: usize,
) -> Result<(), Option<String>> {
    match lacking {
        Some(_) if members < 4 => Err(None),
        Some(lacking) => Err(Some(format!("looks like {protocol}, but lacks {lacking}"))),
        None if core_asks => Err(Some(format!(
            "an {protocol} manager port: only AXI reaches the host memory; put a bridge to AXI into a wrapper file"
        ))),
        None => Ok(()),
    }
}

/// The manifest knows the signal; others of an AXI4 register port are tied off.
fn is_named(protocol: Protocol, (channel, signal): &(&str, &str)) -> bool {
    protocol != Protocol::Lite
        || matches!(
            *signal,
            "addr" | "prot" | "valid" | "ready" | "data" | "strb" | "resp"
        ) && !channel.is_empty()
}

/// The pattern that most ports follow, and the ports that do not.
fn naming(
    signals: &BTreeMap<(&'static str, &'static str), CorePort>,
    readings: &[&Reading],
) -> (String, NamingCase, BTreeMap<String, String>) {
    let none = BTreeMap::new();
    let strays = |pattern: &str, case| -> BTreeMap<String, String> {
        let naming = Naming {
            prefix: "",
            pattern,
            case,
            ports: &none,
        };
        let differs = signals.iter().filter(|((channel, signal), port)| {
            naming.port(channel, signal, port.direction == PortDirection::Output) != port.name
        });
        differs
            .map(|((channel, signal), port)| (format!("{channel}{signal}"), port.name.clone()))
            .collect()
    };
    let best = readings
        .iter()
        .map(|reading| (&reading.pattern, reading.case))
        .min_by_key(|(pattern, case)| strays(pattern, *case).len());
    let (pattern, case) = best.map_or_else(
        || ("{channel}{signal}".to_owned(), NamingCase::Lower),
        |(pattern, case)| (pattern.clone(), case),
    );
    let ports = strays(&pattern, case);
    (pattern, case, ports)
}

fn name_all(interfaces: &mut [Interface]) {
    let mut taken: BTreeSet<String> = BTreeSet::new();
    for interface in interfaces {
        let name = std::mem::take(&mut interface.name);
        interface.name = free_name(name, |name| taken.contains(name));
        taken.insert(interface.name.clone());
    }
}

/// Two whole manager ports of which one is named after reads, the other after writes: each is used by half.
fn halves(interfaces: &mut [Interface]) {
    let half = |interface: &Interface| {
        let is_whole = interface.protocol.is_manager() && interface.access == Access::ReadWrite;
        let words = super::words::words(&interface.name);
        let has = |known: &[&str]| words.iter().any(|word| known.contains(&word.as_str()));
        match (has(&["read", "rd", "mm2s"]), has(&["write", "wr", "s2mm"])) {
            (true, false) if is_whole => Some(Access::Read),
            (false, true) if is_whole => Some(Access::Write),
            _ => None,
        }
    };
    let all: Vec<Option<Access>> = interfaces.iter().map(half).collect();
    if !(all.contains(&Some(Access::Read)) && all.contains(&Some(Access::Write))) {
        return;
    }
    for (interface, half) in interfaces.iter_mut().zip(all) {
        if let Some(access) = half {
            interface.access = access;
            interface.notes.push(
                "It has all five channels; its name says which half is used. Inputs of the other are 0."
                    .to_owned(),
            );
        }
    }
}
