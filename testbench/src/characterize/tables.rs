//! The data sheet as tables, which the terminal and the page share.

use serde::Serialize;

use crate::characterize::cost::{Cost, CostRow};
use crate::characterize::derived::Derived;
use crate::characterize::envelope::Reach;
use crate::characterize::sheet::{BurstFacts, DirectionFacts, Fate, Role, Sheet, Side, Timing};
use crate::characterize::words::{self, grouped, size};

/// A table with a heading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Table {
    /// What it is about.
    pub title: &'static str,
    /// Heading of each column; numbers stand right under those that begin with `>`.
    pub columns: Vec<String>,
    /// Rows, each as long as `columns`. The last column may hold a sentence.
    pub rows: Vec<Vec<String>>,
    /// Sentences below it.
    pub notes: Vec<String>,
}

impl Table {
    fn new(title: &'static str, columns: &[&str], rows: Vec<Vec<String>>) -> Self {
        Self {
            title,
            columns: columns.iter().map(|&column| column.to_owned()).collect(),
            rows,
            notes: Vec::new(),
        }
    }

    fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}

/// All tables of a sheet that have rows, in their order.
#[must_use]
pub fn tables(sheet: &Sheet, derived: &Derived) -> Vec<Table> {
    let mut tables = vec![
        ends(sheet, derived),
        transfers(sheet),
        bursts(sheet),
        refusals(sheet),
        stops(sheet),
        cycles(sheet),
    ];
    tables.extend(derived.cost.as_ref().map(cost));
    tables.retain(|table| !table.rows.is_empty());
    tables
}

fn ends(sheet: &Sheet, derived: &Derived) -> Table {
    let reaches = derived.envelope.reaches.iter();
    let row = |(side, reach): (&Side, &Reach)| {
        let bits = reach.bits.as_ref().map_or_else(
            || "unknown".to_owned(),
            |bound| format!("{}{}", bound.prefix(), bound.value),
        );
        let beyond = reach.beyond.as_ref();
        let broken = reach.boundary.as_ref();
        vec![
            words::place(side.direction, side.role),
            bits,
            broken.map_or_else(|| crossed(side), |(boundary, _)| size(*boundary)),
            words::finding(&side.granule, size),
            end_text(
                beyond,
                broken.map(|(_, fate)| fate),
                side.off_granule.as_ref(),
            ),
        ]
    };
    let columns = [
        "end",
        ">address bits",
        ">boundary",
        ">granule",
        "beyond these",
    ];
    Table::new(
        "Addresses",
        &columns,
        sheet.sides.iter().zip(reaches).map(row).collect(),
    )
}

/// The largest boundary that was crossed well, if none broke.
fn crossed(side: &Side) -> String {
    let reached = |fate: &Fate| *fate == Fate::Reaches;
    let tried = side.boundaries.iter().rev();
    tried
        .clone()
        .find(|tried| reached(&tried.fate))
        .map_or_else(
            || "not tried".to_owned(),
            |tried| format!("none to {}", size(tried.boundary)),
        )
}

fn end_text(beyond: Option<&Fate>, across: Option<&Fate>, off: Option<&Fate>) -> String {
    let parts = [("address", beyond), ("boundary", across), ("granule", off)];
    let texts = parts
        .into_iter()
        .filter_map(|(what, fate)| fate.map(|fate| format!("{what}: {}", words::fate(fate))));
    let text = texts.collect::<Vec<_>>().join("; ");
    if text.is_empty() {
        "-".to_owned()
    } else {
        text
    }
}

fn transfers(sheet: &Sheet) -> Table {
    let row = |facts: &DirectionFacts| {
        let past = facts.past_longest.as_ref();
        vec![
            facts.direction.name().to_owned(),
            words::finding(&facts.min_length, size),
            words::finding(&facts.max_length, size),
            words::finding(&facts.length_granule, size),
            words::fate_word(&facts.zero_length).to_owned(),
            facts.strobes.map_or_else(
                || "-".to_owned(),
                |strobes| words::strobes(strobes).to_owned(),
            ),
            past.map_or_else(|| "not reached".to_owned(), words::fate),
        ]
    };
    Table::new(
        "Transfers",
        &[
            "direction",
            ">shortest",
            ">longest",
            ">granule",
            "no bytes",
            "strobes",
            "past the longest",
        ],
        sheet.directions.iter().map(row).collect(),
    )
}

fn bursts(sheet: &Sheet) -> Table {
    let row = |facts: &DirectionFacts, role: Role, bursts: &BurstFacts| {
        let list = |values: Vec<String>| values.join(" ");
        let count: u64 = bursts.lengths.values().sum();
        let full = bursts.lengths.get(&bursts.longest_beats).copied();
        vec![
            format!("{} {}", facts.direction.name(), words::way_name(role)),
            format!("{} beats", bursts.longest_beats),
            format!("{} of {count}", full.unwrap_or_default()),
            list(
                bursts
                    .sizes
                    .iter()
                    .map(|size| format!("{size} B"))
                    .collect(),
            ),
            bursts.types.join(" "),
            ids(&bursts.ids),
            words::finding(&bursts.outstanding, |bursts| bursts.to_string()),
            bursts
                .crosses_4k
                .clone()
                .map_or_else(|| "no".to_owned(), |first| format!("YES: {first}")),
        ]
    };
    let rows = sheet.directions.iter().flat_map(|facts| {
        let ways = [
            (Role::Source, facts.reads.as_ref()),
            (Role::Destination, facts.writes.as_ref()),
        ];
        ways.into_iter()
            .filter_map(move |(role, bursts)| bursts.map(|bursts| row(facts, role, bursts)))
    });
    Table::new(
        "Bursts",
        &[
            "way",
            ">longest",
            ">so long",
            ">beat",
            "type",
            "ids",
            ">in flight",
            "across 4 KiB",
        ],
        rows.collect(),
    )
}

/// Ids, short if there are many.
fn ids(ids: &[u64]) -> String {
    match ids {
        [] => "-".to_owned(),
        [first, .., last] if ids.len() > 4 => format!("{} of {first}..{last}", ids.len()),
        few => few
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(" "),
    }
}

fn refusals(sheet: &Sheet) -> Table {
    let rows = sheet.directions.iter().flat_map(|facts| {
        facts.errors.iter().map(|one| {
            vec![
                format!("{} {}", facts.direction.name(), words::way_name(one.role)),
                words::phase(one.phase).to_owned(),
                one.response.clone(),
                words::recovery(one.after).to_owned(),
                words::error_fate(&one.fate),
            ]
        })
    });
    let (at, response) = (1, 2);
    Table::new(
        "Refusals of the bus",
        &["way", "burst", "response", "then", "the core"],
        joined(joined(rows.collect(), at), response),
    )
}

/// Joins rows that differ in one column alone.
fn joined(rows: Vec<Vec<String>>, column: usize) -> Vec<Vec<String>> {
    let mut joined: Vec<Vec<String>> = Vec::new();
    for row in rows {
        let is_same = |other: &&mut Vec<String>| {
            let pairs = other.iter().zip(&row).enumerate();
            let mut others = pairs.filter(|(index, _)| *index != column);
            others.all(|(_, (left, right))| left == right)
        };
        if let Some(known) = joined.iter_mut().find(is_same) {
            known[column].push(' ');
            known[column].push_str(&row[column]);
        } else {
            joined.push(row);
        }
    }
    joined
}

fn stops(sheet: &Sheet) -> Table {
    let mut rows = Vec::new();
    for facts in &sheet.directions {
        let name = facts.direction.name();
        for silence in &facts.silence {
            rows.push(vec![
                name.to_owned(),
                format!("no answer to {}", words::way_name(silence.role)),
                words::recovery(silence.after).to_owned(),
                words::error_fate(&silence.fate),
            ]);
        }
        rows.push(vec![
            name.to_owned(),
            "reset amid a transfer".to_owned(),
            "-".to_owned(),
            words::reset_fate(&facts.reset),
        ]);
        rows.push(vec![
            name.to_owned(),
            "answers out of order".to_owned(),
            "-".to_owned(),
            words::fate(&facts.reordered),
        ]);
        rows.push(vec![
            name.to_owned(),
            "done".to_owned(),
            "-".to_owned(),
            facts.early_done.as_ref().map_or_else(
                || "after the last write response".to_owned(),
                |text| format!("EARLY: {text}"),
            ),
        ]);
    }
    rows.retain(|row| row[3] != "not tried");
    Table::new(
        "Silence, resets, order",
        &["direction", "what", "then", "the core"],
        rows,
    )
}

/// Latencies that were measured, ascending.
#[must_use]
pub fn latencies(timings: &[Timing]) -> Vec<u32> {
    let mut all: Vec<u32> = timings.iter().map(|timing| timing.latency).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// A row for each direction and length, a column for each latency.
fn cycles(sheet: &Sheet) -> Table {
    let latencies = latencies(&sheet.timings);
    let mut columns = vec!["direction".to_owned(), ">bytes".to_owned()];
    columns.extend(
        latencies
            .iter()
            .map(|latency| format!(">latency {latency}")),
    );
    let mut keys: Vec<_> = sheet
        .timings
        .iter()
        .map(|timing| (timing.direction, timing.bytes))
        .collect();
    keys.sort_unstable();
    keys.dedup();
    let cell = |(direction, bytes), latency| {
        let found = sheet.timings.iter().find(|timing| {
            (timing.direction, timing.bytes, timing.latency) == (direction, bytes, latency)
        });
        found.map_or_else(
            || "-".to_owned(),
            |timing| {
                format!(
                    "{} ({:.0} %)",
                    grouped(timing.cycles),
                    100.0 * timing.utilisation
                )
            },
        )
    };
    let rows = keys.into_iter().map(|key: (_, u64)| {
        let mut row = vec![key.0.name().to_owned(), size(key.1)];
        row.extend(latencies.iter().map(|latency| cell(key, *latency)));
        row
    });
    Table {
        title: "Cycles of a transfer",
        rows: rows.collect(),
        columns,
        notes: vec![
            "bus cycles from the last step of `start` to the end of `done`; in parentheses beats per cycle of the busier \
             way"
                .to_owned(),
        ],
    }
}

fn cost(cost: &Cost) -> Table {
    let number = |value: f64| {
        let text = format!("{value:.0}");
        text.parse().map_or(text, grouped)
    };
    let row = |row: &CostRow| {
        let star = if row.is_estimated { "*" } else { "" };
        let worst = 100.0 * super::cost::as_float(row.copy_cycles)
            / super::cost::as_float(row.direct_cycles.max(1));
        vec![
            row.direction.name().to_owned(),
            size(row.bytes),
            row.pieces.to_string(),
            format!("{}{star}", grouped(row.core_cycles)),
            grouped(row.call_cycles),
            grouped(row.copy_cycles),
            format!("+{worst:.0} %"),
            number(row.mean_cycles),
            format!("+{:.0} %", row.mean_overhead_percent),
            grouped(row.pool_holds),
        ]
    };
    let columns = [
        "direction",
        ">bytes",
        ">pieces",
        ">core",
        ">calls",
        ">copying",
        ">bounced",
        ">mean",
        ">on average",
        ">pool holds",
    ];
    let share = 100.0 * cost.beyond_share;
    let model = &cost.model;
    Table::new(
        "Cost of bouncing",
        &columns,
        cost.rows.iter().map(row).collect(),
    )
    .note(format!(
        "RAM {} ({} from 0, the rest from 4 GiB): {} beyond {:#x}, so {share:.1} % of pages taken at random are bounced",
        size(cost.machine.ram_bytes),
        size(cost.machine.ram().first().map_or(0, |range| range.bytes)),
        size(cost.beyond_bytes),
        cost.dma_mask,
    ))
    .note(format!(
        "core: measured at latency {}, * on the line through measured lengths; longest mapping {}; pool {}",
        cost.latency,
        size(cost.longest_mapping),
        size(cost.machine.pool_bytes),
    ))
    .note(format!(
        "calls and copying: counted with the cost model of the simulated CPUs, not simulated (map {}, unmap {}, copy \
         {} + 1 for each {} B); one transfer after the other, without interrupt entry",
        model.map_cycles, model.unmap_cycles, model.copy_setup_cycles, model.copy_bytes_per_cycle
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::characterize::cost::Machine;
    use crate::characterize::fixtures;
    use crate::characterize::sheet::{ErrorFacts, Phase};

    #[test]
    fn every_row_is_as_long_as_its_heading() {
        for sheet in [
            fixtures::sound(),
            fixtures::truncating(),
            fixtures::wrapping(),
        ] {
            let derived = Derived::of(&sheet, Machine::default());
            let tables = tables(&sheet, &derived);
            assert_eq!(tables.len(), 7);
            for table in tables {
                for row in &table.rows {
                    assert_eq!(row.len(), table.columns.len(), "{}", table.title);
                }
            }
        }
    }

    #[test]
    fn cycles_stand_under_their_latency() {
        let sheet = fixtures::sound();
        let table = cycles(&sheet);
        assert_eq!(
            table.columns[2..],
            [">latency 1", ">latency 10", ">latency 100"]
        );
        assert_eq!(
            table.rows[0],
            ["copy", "64 B", "20 (40 %)", "38 (21 %)", "218 (4 %)"]
        );
    }

    #[test]
    fn refusals_that_end_alike_share_a_row() {
        let mut sheet = fixtures::sound();
        let first = sheet.directions[0].errors[0].clone();
        for (phase, response) in [
            (Phase::Last, "SLVERR"),
            (Phase::First, "DECERR"),
            (Phase::Last, "DECERR"),
        ] {
            sheet.directions[0].errors.push(ErrorFacts {
                phase,
                response: response.into(),
                ..first.clone()
            });
        }
        let rows = refusals(&sheet).rows;
        assert_eq!(rows.len(), 2, "{rows:?}");
        assert_eq!(rows[0][..3], ["copy reads", "first last", "SLVERR DECERR"]);
        assert_eq!(rows[1][..3], ["copy writes", "first", "SLVERR"]);
    }

    #[test]
    fn many_ids_are_told_in_short() {
        assert_eq!(ids(&[]), "-");
        assert_eq!(ids(&[0, 3]), "0 3");
        assert_eq!(ids(&[0, 1, 2, 3, 9]), "5 of 0..9");
    }
}
