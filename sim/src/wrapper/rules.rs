//! Instances of the rule modules, with a value for every signal that the core lacks.

use super::RuleCell;
use super::interface::Fitted;
use super::signals::{Absent, Signal, Width};
use crate::interfaces::{ManagerPort, StreamPort};
use crate::manifest::{AxiProtocol, AxiSpec};

pub(super) fn manager_rules(
    port: &ManagerPort,
    all: &[Signal],
    fitted: &Fitted,
    index: usize,
    spec: &AxiSpec,
    clock: String,
) -> RuleCell {
    let id_width = port.id_width.max(1);
    let width_of = |signal: &Signal| match (signal.name, signal.width) {
        ("len", _) => 8,
        (_, Width::Fixed(bits) | Width::AtMost(bits)) => bits,
        (_, Width::Address) => port.address_width,
        (_, Width::Data) => port.data_width,
        (_, Width::Strobe) => port.data_width / 8,
        (_, Width::WriteId | Width::ReadId) => id_width,
    };
    let has_channel = |signal: &Signal| match signal.channel {
        "ar" | "r" => port.access.reads(),
        _ => port.access.writes(),
    };
    let mut ports: Vec<(String, String)> = all
        .iter()
        .filter(|signal| !signal.pin.is_empty())
        .map(|signal| {
            let full = signal.full_name();
            let expression = if fitted.present.contains_key(&full) {
                format!("{}'(m{index}_{full})", width_of(signal))
            } else if let Some(value) = spec.defaults.get(&full) {
                format!("{}'d{value}", width_of(signal))
            } else if has_channel(signal) {
                absent_expression(signal, width_of(signal), port.data_width)
            } else {
                "'0".to_owned()
            };
            (full, expression)
        })
        .collect();
    if port.protocol == AxiProtocol::Axi4 {
        ports.push(("wid".to_owned(), "'0".to_owned()));
    }
    RuleCell {
        module: "axi_manager_rules",
        name: format!("rules_{}", port.name),
        clock,
        parameters: vec![
            ("AddrWidth", port.address_width),
            ("DataWidth", port.data_width),
            ("IdWidth", id_width),
            ("Port", port.number),
            ("MaxReads", port.max_reads.unwrap_or(0)),
            ("MaxWrites", port.max_writes.unwrap_or(0)),
            ("Axi3", u32::from(port.protocol == AxiProtocol::Axi3)),
        ],
        ports,
    }
}

pub(super) fn stream_rules(
    port: &StreamPort,
    all: &[Signal],
    fitted: &Fitted,
    short: &str,
    clock: String,
) -> RuleCell {
    let data_width = port.data_width.next_multiple_of(8);
    let ports = all
        .iter()
        .filter(|signal| {
            matches!(
                signal.name,
                "tvalid" | "tready" | "tdata" | "tkeep" | "tlast"
            )
        })
        .map(|signal| {
            let width = match signal.width {
                Width::Data => data_width,
                Width::Strobe => data_width / 8,
                _ => 1,
            };
            let expression = if fitted.present.contains_key(signal.name) {
                format!("{width}'({short}_{})", signal.name)
            } else {
                absent_expression(signal, width, data_width)
            };
            (signal.name.to_owned(), expression)
        })
        .collect();
    RuleCell {
        module: "axi_stream_rules",
        name: format!("rules_{}", port.name),
        clock,
        parameters: vec![("DataWidth", data_width), ("Port", port.number)],
        ports,
    }
}

/// What the rules see of a signal that the core lacks.
fn absent_expression(signal: &Signal, width: u32, data_width: u32) -> String {
    match signal.absent {
        Absent::Required | Absent::Zero => "'0".to_owned(),
        Absent::One => format!("{width}'d1"),
        Absent::Ones => "'1".to_owned(),
        Absent::FullSize => format!("{width}'d{}", full_size(data_width)),
    }
}

/// `AxSIZE` of a beat of the whole bus.
pub(super) fn full_size(data_bits: u32) -> u32 {
    (data_bits / 8).max(1).ilog2()
}
