//! Valid/ready channels of named fields, such as descriptors and their status.

use std::collections::BTreeSet;

use rebound_sim::manifest::StreamDirection;
use rebound_sim::verilate::ports::{CorePort, PortDirection};

use super::model::{Channel, Interface, Protocol};
use super::words::{free_name, identifier, words};

/// A port named `<prefix>valid`.
struct Valid<'a> {
    port: &'a CorePort,
    prefix: &'a str,
}

fn valid(port: &CorePort) -> Option<Valid<'_>> {
    let lower = port.name.to_ascii_lowercase();
    let stem = without_direction(&lower);
    let prefix = stem
        .strip_suffix("valid")
        .or_else(|| stem.strip_suffix("vld"))?;
    let is_prefix = prefix.len() > 1 && prefix.ends_with('_') && port.width == Some(1);
    is_prefix.then(|| Valid {
        port,
        prefix: &port.name[..prefix.len()],
    })
}

fn without_direction(name: &str) -> &str {
    let ends = ["_i", "_o", "_in", "_out", "_I", "_O"];
    ends.iter()
        .find_map(|end| name.strip_suffix(end))
        .unwrap_or(name)
}

/// Every channel among `ports`; the ports it has are added to `taken`.
pub(super) fn recognise(
    ports: &[&CorePort],
    names: &[String],
    taken: &mut BTreeSet<String>,
) -> Vec<Channel> {
    let mut valids: Vec<Valid<'_>> = ports.iter().filter_map(|port| valid(port)).collect();
    // The longest first: `m_desc_status_valid` takes its fields before `m_desc_valid`.
    valids.sort_by_key(|valid| std::cmp::Reverse(valid.prefix.len()));
    let mut channels: Vec<(usize, Channel)> = Vec::new();
    for valid in valids {
        let behind = |port: &CorePort| {
            let is_free = !taken.contains(&port.name) && port.name != valid.port.name;
            let rest = port.name.strip_prefix(valid.prefix).filter(|_| is_free)?;
            Some(rest.to_owned())
        };
        let mut ready = None;
        let mut fields = Vec::new();
        let mut mine = vec![valid.port.name.clone()];
        for port in ports {
            let Some(rest) = behind(port) else {
                continue;
            };
            let field = identifier(without_direction(&rest), "field");
            let is_same_way = port.direction == valid.port.direction;
            if !is_same_way && matches!(field.as_str(), "ready" | "rdy") {
                ready = Some(rest);
            } else if let Some(width) = port.width.filter(|_| is_same_way) {
                fields.push((field, rest, width));
            } else {
                continue;
            }
            mine.push(port.name.clone());
        }
        if fields.is_empty() {
            continue;
        }
        taken.extend(mine);
        let place = ports.iter().position(|port| port.name == valid.port.name);
        let is_source = valid.port.direction == PortDirection::Output;
        channels.push((
            place.unwrap_or_default(),
            Channel {
                name: identifier(valid.prefix, "channel"),
                direction: if is_source {
                    StreamDirection::Source
                } else {
                    StreamDirection::Sink
                },
                prefix: valid.prefix.to_owned(),
                valid: valid.port.name[valid.prefix.len()..].to_owned(),
                ready,
                fields,
                clock: None,
            },
        ));
    }
    channels.sort_by_key(|(place, _)| *place);
    let mut used: BTreeSet<String> = names.iter().cloned().collect();
    let mut channels: Vec<Channel> = channels.into_iter().map(|(_, channel)| channel).collect();
    for channel in &mut channels {
        let name = std::mem::take(&mut channel.name);
        channel.name = free_name(name, |name| used.contains(name));
        used.insert(channel.name.clone());
    }
    channels
}

/// Streams that carry commands or their status, not data, are channels with one field.
pub(super) fn commands(interfaces: &mut Vec<Interface>) -> Vec<Channel> {
    const COMMANDS: [&str; 7] = [
        "cmd",
        "command",
        "desc",
        "descriptor",
        "sts",
        "status",
        "req",
    ];
    let is_command = |interface: &Interface| {
        let words = words(&interface.name);
        matches!(interface.protocol, Protocol::Stream(_))
            && words.iter().any(|word| COMMANDS.contains(&word.as_str()))
    };
    let (commands, others): (Vec<_>, Vec<_>) =
        std::mem::take(interfaces).into_iter().partition(is_command);
    *interfaces = others;
    commands.iter().filter_map(channel_of).collect()
}

fn channel_of(interface: &Interface) -> Option<Channel> {
    let Protocol::Stream(direction) = interface.protocol else {
        return None;
    };
    let name = |signal: &str| interface.port("", signal).map(|port| port.name.clone());
    let fields = ["tdata", "tuser", "tid", "tdest", "tlast"];
    let fields = fields.iter().filter_map(|signal| {
        let port = interface.port("", signal)?;
        Some(((*signal).to_owned(), port.name.clone(), port.width?))
    });
    Some(Channel {
        name: interface.name.clone(),
        direction,
        prefix: String::new(),
        valid: name("tvalid")?,
        ready: name("tready"),
        fields: fields.collect(),
        clock: interface.clock.clone(),
    })
}
