//! What a core's parameters decide: guessed from their names, checked against the widths of the ports.

use std::collections::{BTreeMap, BTreeSet};

use rebound_sim::verilate::outline::Outline;

use super::model::{Interface, Recognised};

/// A parameter of the core.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Name.
    pub name: String,
    /// Value; none if it is no number, so that a manifest cannot set it.
    pub value: Option<i64>,
    /// What it decides, as `bind` of the manifest says it.
    pub bind: Option<&'static str>,
    /// How that was found out.
    pub why: Option<String>,
    /// Parameter that this one is computed from, unless somebody sets it.
    pub derived_from: Option<String>,
    /// Ports that are as wide as its value, now and after a change of it.
    follows: Vec<String>,
}

/// What a name can say.
const NAMES: [(&str, &[&str]); 5] = [
    (
        "address_bits",
        &[
            "addrwidth",
            "addresswidth",
            "addrbits",
            "addressbits",
            "aw",
            "addrw",
        ],
    ),
    (
        "data_width",
        &["datawidth", "databits", "dw", "dataw", "buswidth"],
    ),
    ("id_width", &["idwidth", "idbits", "iw", "idw"]),
    (
        "length_bits",
        &[
            "lenwidth",
            "lengthwidth",
            "lenbits",
            "lengthbits",
            "lglen",
            "bttwidth",
            "bttused",
            "sglengthwidth",
        ],
    ),
    (
        "max_burst_beats",
        &[
            "maxbeats",
            "maxburstlen",
            "maxburstbeats",
            "burstlen",
            "maxburst",
        ],
    ),
];

/// Words of parameters that belong to register or stream ports.
const OF_OTHER_PORTS: [&str; 9] = [
    "axil", "lite", "saxi", "axis", "apb", "wb", "ctrl", "reg", "cfg",
];

/// Other values that are tried to see which ports follow.
fn others(bind: &str, value: i64) -> Vec<i64> {
    match bind {
        "data_width" if value > 32 => vec![value / 2, value.saturating_mul(2)],
        "data_width" => vec![value.saturating_mul(2)],
        _ => vec![value.saturating_sub(1), value.saturating_add(1)],
    }
}

/// The binding that the name suggests.
fn by_name(name: &str) -> Option<&'static str> {
    let bare: String = name
        .to_ascii_lowercase()
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    if OF_OTHER_PORTS.iter().any(|word| bare.contains(word)) {
        return None;
    }
    // A logarithm of beats is no number of beats.
    let is_logarithm = bare.contains("lg") || bare.contains("log");
    let found = NAMES.iter().find(|(bind, names)| {
        !(is_logarithm && *bind == "max_burst_beats")
            && names.iter().any(|known| {
                if known.len() > 3 {
                    bare.ends_with(known)
                } else {
                    bare == *known
                }
            })
    });
    found.map(|(bind, _)| *bind)
}

/// The parameters of a core; `probe` elaborates it again with another value of one.
pub fn bind(
    outline: &Outline,
    found: &Recognised,
    mut probe: impl FnMut(&str, i64) -> Option<Outline>,
) -> Vec<Parameter> {
    let mut parameters: Vec<Parameter> = outline
        .parameters
        .iter()
        .map(|(name, value)| Parameter {
            name: name.clone(),
            value: *value,
            bind: None,
            why: None,
            derived_from: None,
            follows: Vec::new(),
        })
        .collect();
    let mut bound: BTreeSet<&str> = BTreeSet::new();
    let mut derived: BTreeMap<String, String> = BTreeMap::new();
    for parameter in &mut parameters {
        let (Some(value), Some(bind)) = (parameter.value, by_name(&parameter.name)) else {
            continue;
        };
        let tried = others(bind, value)
            .into_iter()
            .filter(|other| *other > 0)
            .find_map(|other| Some((other, probe(&parameter.name, other)?)));
        if let Some((_, after)) = &tried {
            for name in changed(outline, after, &parameter.name) {
                derived
                    .entry(name)
                    .or_insert_with(|| parameter.name.clone());
            }
        }
        parameter.follows = following(outline, value, tried.as_ref());
        let fits = fits(bind, value, found, &parameter.follows);
        if let Some(why) = fits
            && !derived.contains_key(&parameter.name)
            && bound.insert(bind)
        {
            parameter.bind = Some(bind);
            parameter.why = Some(match tried {
                Some(_) if parameter.follows.is_empty() => why,
                Some((other, _)) => format!("{why}, with {other} as well"),
                None => format!("{why}; no other value elaborates"),
            });
        }
    }
    for parameter in &mut parameters {
        parameter.derived_from = derived.remove(&parameter.name);
    }
    parameters
}

/// Parameters other than `cause` that have another value after it was changed.
fn changed(before: &Outline, after: &Outline, cause: &str) -> Vec<String> {
    let changed = before
        .parameters
        .iter()
        .filter(|parameter| parameter.0 != cause && !after.parameters.contains(parameter));
    changed.map(|(name, _)| name.clone()).collect()
}

/// Ports whose width is the parameter's value, and stays it when that changes.
fn following(outline: &Outline, value: i64, tried: Option<&(i64, Outline)>) -> Vec<String> {
    let is_wide = |outline: &Outline, name: &str, bits: i64| {
        let mut ports = outline.ports.iter();
        ports.any(|port| port.name == name && port.width.map(i64::from) == Some(bits))
    };
    outline
        .ports
        .iter()
        .filter(|port| is_wide(outline, &port.name, value))
        .filter(|port| tried.is_none_or(|(other, after)| is_wide(after, &port.name, *other)))
        .map(|port| port.name.clone())
        .collect()
}

/// Why the parameter decides what its name says; none if the ports say otherwise.
fn fits(bind: &str, value: i64, found: &Recognised, follows: &[String]) -> Option<String> {
    let managers = || {
        found
            .interfaces
            .iter()
            .filter(|each| each.protocol.is_manager())
    };
    let port_of: fn(&Interface) -> Option<&rebound_sim::verilate::ports::CorePort> = match bind {
        "address_bits" => Interface::address,
        "data_width" => Interface::data,
        "id_width" => Interface::id,
        "length_bits" => {
            let fields = found.channels.iter().flat_map(|channel| {
                channel
                    .fields
                    .iter()
                    .map(move |(_, port, _)| format!("{}{port}", channel.prefix))
            });
            let field = fields.into_iter().find(|port| follows.contains(port));
            return Some(match field {
                Some(port) => format!("by its name; {port} is as wide"),
                None => "by its name alone".to_owned(),
            });
        }
        _ => return (value > 1).then(|| "by its name alone".to_owned()),
    };
    let mut ports = managers().filter_map(port_of);
    if let Some(port) = ports.clone().find(|port| follows.contains(&port.name)) {
        return Some(format!("by its name; {} is as wide", port.name));
    }
    let port = ports.find(|port| {
        bind == "address_bits" && port.width.is_some_and(|width| value <= i64::from(width))
    })?;
    let width = port.width.unwrap_or_default();
    Some(format!(
        "by its name; {} has {width} bits whatever it is",
        port.name
    ))
}

/// The parameter that is bound to `bind`.
pub fn bound<'a>(parameters: &'a [Parameter], bind: &str) -> Option<&'a Parameter> {
    parameters
        .iter()
        .find(|parameter| parameter.bind == Some(bind))
}

/// The parameter that decides the width of `port`.
pub fn width_of<'a>(parameters: &'a [Parameter], port: &str) -> Option<&'a Parameter> {
    parameters
        .iter()
        .filter(|parameter| parameter.derived_from.is_none())
        .find(|parameter| parameter.follows.iter().any(|follower| follower == port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_parameters_are_understood() {
        for (name, bind) in [
            ("AXI_ADDR_WIDTH", Some("address_bits")),
            ("C_AXI_ADDR_WIDTH", Some("address_bits")),
            ("C_M_AXI_DATA_WIDTH", Some("data_width")),
            ("AddrWidth", Some("address_bits")),
            ("AW", Some("address_bits")),
            ("DW", Some("data_width")),
            ("DATA_WIDTH", Some("data_width")),
            ("LEN_WIDTH", Some("length_bits")),
            ("LGLEN", Some("length_bits")),
            ("C_SG_LENGTH_WIDTH", Some("length_bits")),
            ("AXI_ID_WIDTH", Some("id_width")),
            ("AXI_MAX_BURST_LEN", Some("max_burst_beats")),
            ("AXIL_ADDR_WIDTH", None),
            ("C_S_AXI_DATA_WIDTH", None),
            ("AXIS_DATA_WIDTH", None),
            ("LGMAXBURST", None),
            ("RAW", None),
            ("FIFO_DEPTH", None),
        ] {
            assert_eq!(by_name(name), bind, "{name}");
        }
    }
}
