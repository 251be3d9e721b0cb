//! The data sheet for the terminal: defects and disagreements first, then what follows, then the tables.

use crate::characterize::derived::Derived;
use crate::characterize::sheet::Sheet;
use crate::characterize::tables::{Table, tables};

/// Most columns of a line, the C lines apart.
const COLUMNS: usize = 100;
/// Evidence that is printed of each finding; all of it is in the files.
const EVIDENCE: usize = 2;
/// Fewest columns of a last cell that holds a sentence.
const LEAST_LAST: usize = 24;

/// Returns the lines of the sheet.
#[must_use]
pub fn lines(sheet: &Sheet, derived: &Derived) -> Vec<String> {
    let mut lines = head(sheet);
    lines.push(String::new());
    lines.extend(findings(sheet, derived));
    lines.push(String::new());
    match &derived.unknown {
        Some(reason) => lines.extend(wrapped(reason, "UNKNOWN   ", "          ")),
        None => lines.extend(consequences(derived)),
    }
    for table in tables(sheet, derived) {
        lines.push(String::new());
        lines.extend(table_lines(&table));
    }
    if !sheet.unmeasured.is_empty() {
        lines.push(String::new());
        lines.push("Not measured".to_owned());
        lines.extend(
            sheet
                .unmeasured
                .iter()
                .flat_map(|text| wrapped(text, "    - ", "      ")),
        );
    }
    lines
}

/// What a driver sets, and the limits as measured.
fn consequences(derived: &Derived) -> Vec<String> {
    let mut lines = Vec::new();
    lines.push("A Linux driver sets".to_owned());
    lines.extend(
        derived
            .c
            .lines()
            .map(|line| format!("    {line}").trim_end().to_owned()),
    );
    lines.push(String::new());
    lines.push("The limits as measured, for the manifest".to_owned());
    lines.extend(
        derived
            .preset
            .toml
            .lines()
            .map(|line| format!("    {line}")),
    );
    lines.push(String::new());
    lines.push("As the limits of a device".to_owned());
    let device = derived.preset.device_json().to_string();
    lines.extend(wrapped(&device.replace(',', ", "), "    ", "    "));
    lines
}

fn head(sheet: &Sheet) -> Vec<String> {
    let core = &sheet.core;
    let mut name = core.name.clone();
    for (parameter, value) in &core.parameters {
        name.push_str(&format!(" {parameter}={value}"));
    }
    let ports = core.managers.iter().map(|port| {
        format!(
            "{}: {}, {} address, {} data, {} id bits",
            port.name, port.protocol, port.address_bits, port.data_bits, port.id_bits
        )
    });
    let mut lines = wrapped(&name, "", "  ");
    lines.extend(ports.flat_map(|port| wrapped(&port, "    ", "      ")));
    lines.push(format!("    {} probes, seed {}", sheet.probes, sheet.seed));
    lines
}

/// Defects, then disagreements, the worst first; or that there are none.
fn findings(sheet: &Sheet, derived: &Derived) -> Vec<String> {
    let mut lines = Vec::new();
    for defect in &sheet.defects {
        let text = format!("{}: {}", defect.name, defect.what);
        lines.extend(wrapped(&text, "DEFECT    ", "          "));
        lines.extend(evidence(&defect.evidence));
    }
    for one in &derived.disagreements {
        let head = format!("{:<9} ", one.severity.name());
        let text = format!(
            "{} declared {}, measured {} ({})",
            one.field,
            one.declared,
            one.measured,
            one.places.join(", ")
        );
        lines.extend(wrapped(&text, &head, "          "));
        lines.extend(evidence(&one.evidence));
        lines.extend(wrapped(&one.advice, "          -> ", "             "));
    }
    if lines.is_empty() {
        lines.push("SOUND     no defect, and the core does what its manifest declares".to_owned());
    }
    lines
}

fn evidence(all: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = all
        .iter()
        .take(EVIDENCE)
        .flat_map(|text| wrapped(text, "          ", "            "))
        .collect();
    if all.len() > EVIDENCE {
        lines.push(format!("          and {} more", all.len() - EVIDENCE));
    }
    lines
}

/// A table: columns as wide as their cells, the last one wrapped.
fn table_lines(table: &Table) -> Vec<String> {
    let headings: Vec<&str> = table
        .columns
        .iter()
        .map(|column| column.trim_start_matches('>'))
        .collect();
    let width = |index: usize| {
        let cells = table.rows.iter().map(|row| row[index].chars().count());
        cells.max().unwrap_or(0).max(headings[index].len())
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let (last, before) = widths.split_last().unwrap_or((&0, &[]));
    let start: usize = 4 + before.iter().map(|width| width + 2).sum::<usize>();
    let room = COLUMNS
        .saturating_sub(start)
        .clamp(LEAST_LAST, (*last).max(LEAST_LAST));
    let row = |cells: &[&str]| {
        let mut line = " ".repeat(4);
        for (index, cell) in cells.iter().enumerate().take(before.len()) {
            let width = widths[index];
            if table.columns[index].starts_with('>') {
                line.push_str(&format!("{cell:>width$}  "));
            } else {
                line.push_str(&format!("{cell:<width$}  "));
            }
        }
        let cell = cells.last().copied().unwrap_or_default();
        let is_number = table
            .columns
            .last()
            .is_some_and(|column| column.starts_with('>'));
        if is_number {
            line.push_str(&format!("{cell:>last$}"));
            return vec![line];
        }
        let indent = " ".repeat(start);
        let mut lines = Vec::new();
        for (index, part) in textwrap::wrap(cell, room).iter().enumerate() {
            let head = if index == 0 { &line } else { &indent };
            lines.push(format!("{head}{part}"));
        }
        if lines.is_empty() {
            lines.push(line.trim_end().to_owned());
        }
        lines
    };
    let mut lines = vec![table.title.to_owned()];
    lines.extend(row(&headings));
    for cells in &table.rows {
        let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
        lines.extend(row(&cells));
    }
    lines.extend(
        table
            .notes
            .iter()
            .flat_map(|note| wrapped(note, "    ", "    ")),
    );
    lines
}

fn wrapped(text: &str, first: &str, rest: &str) -> Vec<String> {
    let options = textwrap::Options::new(COLUMNS)
        .initial_indent(first)
        .subsequent_indent(rest);
    textwrap::wrap(text, options)
        .into_iter()
        .map(std::borrow::Cow::into_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::characterize::cost::Machine;
    use crate::characterize::fixtures;

    fn text(sheet: &Sheet) -> Vec<String> {
        lines(sheet, &Derived::of(sheet, Machine::default()))
    }

    #[test]
    fn defects_come_first_then_disagreements_with_their_advice() {
        let text = text(&fixtures::truncating());
        let expected = [
            "truncating_copy AddrWidth=40",
            "    m_axi: AXI4, 40 address, 64 data, 4 id bits",
            "    250 probes, seed 0x1",
            "",
            "DEFECT    truncates-address: the core drops the address bits from bit 32 up, and says done",
            "          a source at 0x100001000 was read at 0x1000",
            "CORRUPTS  limits.address_bits declared 40 bits, measured 32 bits (copy source, copy destination)",
            "          a probe reached, and its neighbour did not",
            "          bit 32: goes to 0x1000 instead of 0x100001000, and the core says done",
            "          -> declare `address_bits = 32`, so that buffers beyond are bounced, or give the core the",
            "             bits",
            "",
            "A Linux driver sets",
        ];
        assert_eq!(text[..expected.len()], expected);
    }

    #[test]
    fn a_sound_core_is_said_to_be_so() {
        let text = text(&fixtures::sound());
        assert_eq!(
            text[4],
            "SOUND     no defect, and the core does what its manifest declares"
        );
    }

    #[test]
    fn no_line_is_wider_than_a_terminal() {
        for sheet in [
            fixtures::sound(),
            fixtures::truncating(),
            fixtures::wrapping(),
        ] {
            let lines = text(&sheet);
            let is_c = |line: &&String| line.contains('\t');
            for line in lines.iter().filter(|line| !is_c(line)) {
                assert!(line.chars().count() <= COLUMNS + 4, "{line}");
                assert_eq!(line.trim_end(), line);
            }
        }
    }

    #[test]
    fn numbers_stand_under_the_right_end_of_their_heading() {
        let text = text(&fixtures::sound());
        let at = text
            .iter()
            .position(|line| line == "Cycles of a transfer")
            .expect("a table");
        let heading = text[at + 1]
            .find("latency 1")
            .map(|at| at + "latency 1".len());
        let cell = text[at + 2]
            .find("20 (40 %)")
            .map(|at| at + "20 (40 %)".len());
        assert_eq!(heading, cell, "{}\n{}", text[at + 1], text[at + 2]);
    }
}
