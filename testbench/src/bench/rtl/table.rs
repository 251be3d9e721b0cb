//! The table for people, and the comparison in a few lines.

use std::cmp::Ordering;

use super::against::Against;
use super::cell::Cell;
use super::row::Row;

/// Returns the rows as a table, in groups of one core, width, mode, number of transfers and pair of offsets.
#[must_use]
pub fn lines(rows: &[Row], against: &Against) -> Vec<String> {
    let mut lines = Vec::new();
    for group in rows.chunk_by(|one, other| heading(one) == heading(other)) {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        lines.push(heading(&group[0]));
        let cycles = if group[0].count == 1 {
            "cycles"
        } else {
            "cycles each"
        };
        lines.push(format!(
            "{:>9} {:>5} {cycles:>12} {:>9} {:>8} {:>12} {:>7}",
            "bytes", "L", "beats", "bus use", "best peer", "ratio"
        ));
        lines.extend(group.iter().map(|row| line(row, against)));
    }
    lines
}

fn heading(row: &Row) -> String {
    let offsets = match (row.src_offset, row.dst_offset) {
        (0, 0) => "aligned".to_owned(),
        (source, 0) => format!("source +{source}"),
        (0, destination) => format!("destination +{destination}"),
        (source, destination) => format!("source +{source}, destination +{destination}"),
    };
    let count = match row.count {
        1 => "one transfer".to_owned(),
        count => format!("{count} transfers"),
    };
    format!(
        "{}, {} bits: {}, {count}, {offsets}",
        row.core, row.data_width, row.mode
    )
}

fn line(row: &Row, against: &Against) -> String {
    let cell = row.cell();
    let peer = match against.best(&cell) {
        None => format!("{:>12}", "none"),
        Some(best) => format!(
            "{:>12} {:>7} {} {}",
            cycles(&cell, best.cycles),
            ratio(row, best),
            mark(against.compare(row)),
            best.core
        ),
    };
    format!(
        "{:>9} {:>5} {:>12} {:>9} {:>6} % {peer}",
        row.bytes,
        row.latency,
        cycles(&cell, row.cycles),
        row.beats,
        tenths(permille(row.beats, row.cycles))
    )
}

/// `<` fewer cycles than the best, `=` as many, `>` more.
const fn mark(order: Option<Ordering>) -> char {
    match order {
        Some(Ordering::Less) => '<',
        Some(Ordering::Equal) => '=',
        Some(Ordering::Greater) => '>',
        None => ' ',
    }
}

/// Cycles of a lone transfer, or of each of many with two digits.
fn cycles(cell: &Cell, cycles: u64) -> String {
    if cell.count == 1 {
        return cycles.to_string();
    }
    let each = cell.hundredths_each(cycles);
    format!("{}.{:02}", each / 100, each % 100)
}

fn ratio(row: &Row, best: &Row) -> String {
    let thousandths = permille(row.cycles, best.cycles);
    format!("{}.{:03}", thousandths / 1000, thousandths % 1000)
}

fn permille(part: u64, whole: u64) -> u64 {
    (part * 1000 + whole / 2).checked_div(whole).unwrap_or(0)
}

fn tenths(permille: u64) -> String {
    format!("{}.{}", permille / 10, permille % 10)
}

/// Returns for each core how many cells are better than the best peer, as good, and worse, and those that are worse.
#[must_use]
pub fn summary(rows: &[Row], against: &Against) -> Vec<String> {
    let mut lines = Vec::new();
    for group in rows.chunk_by(|one, other| one.core == other.core) {
        let count = |order| {
            let has = |row: &&Row| against.compare(row) == order;
            group.iter().filter(has).count()
        };
        let [fewer, as_many, more] =
            [Ordering::Less, Ordering::Equal, Ordering::Greater].map(|order| count(Some(order)));
        lines.push(format!(
            "{}: {} cells, {} with a figure of a peer: at or better than the best in {} (fewer cycles in {fewer}, \
             as many in {as_many}), worse in {more}",
            group[0].core,
            group.len(),
            fewer + as_many + more,
            fewer + as_many
        ));
        let worse = |row: &&Row| against.compare(row) == Some(Ordering::Greater);
        lines.extend(group.iter().filter(worse).filter_map(|row| {
            let cell = row.cell();
            let best = against.best(&cell)?;
            Some(format!(
                "  worse: {cell}: {} against {} ({}), ratio {}",
                cycles(&cell, row.cycles),
                cycles(&cell, best.cycles),
                best.core,
                ratio(row, best)
            ))
        }));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::rtl::cell::{Mode, cells};

    /// The first cells of a mode at 64 bits, which peers have figures of, each with these cycles.
    fn rows(mode: Mode, latencies: &[u32], cycles: u64) -> Vec<Row> {
        let of = |cell: &Cell| Row::new("core".to_owned(), cell, cycles);
        cells(&[mode], &[64], latencies).iter().map(of).collect()
    }

    #[test]
    fn each_cell_has_its_best_peer_ratio_and_mark() {
        let peers = Against::peers().expect("the peers");
        for (cycles, end) in [
            (10, "80.0 %           11   0.909 < iDMA, 3 in flight"),
            (11, "72.7 %           11   1.000 = iDMA, 3 in flight"),
            (22, "36.4 %           11   2.000 > iDMA, 3 in flight"),
        ] {
            let lines = lines(&rows(Mode::Copy, &[1], cycles)[..1], &peers);
            assert_eq!(lines[0], "core, 64 bits: copy, one transfer, aligned");
            assert!(lines[2].ends_with(end), "{}", lines[2]);
        }
        let none = lines(&rows(Mode::Copy, &[7], 30)[..1], &peers);
        assert!(none[2].ends_with("none"), "{}", none[2]);
    }

    #[test]
    fn cycles_of_many_are_told_each() {
        let peers = Against::peers().expect("the peers");
        let lines = lines(&rows(Mode::CopyQueue, &[200], 8_404)[..1], &peers);
        assert!(lines[1].contains("cycles each"), "{}", lines[1]);
        assert!(lines[2].contains(" 8.40 "), "{}", lines[2]);
        assert!(lines[2].contains(" = iDMA, 64 in flight"), "{}", lines[2]);
    }

    #[test]
    fn groups_have_a_head_each() {
        let peers = Against::peers().expect("the peers");
        let lines = lines(&rows(Mode::Mm2s, &[1, 10], 100), &peers);
        let heads: Vec<&String> = lines.iter().filter(|line| line.contains("bits:")).collect();
        assert_eq!(heads.len(), 2);
        assert!(
            heads[1].ends_with("one transfer, source +1"),
            "{}",
            heads[1]
        );
    }

    #[test]
    fn the_summary_counts_and_names_what_is_worse() {
        let peers = Against::peers().expect("the peers");
        let mut rows = rows(Mode::Copy, &[1, 7], 11);
        rows.truncate(2);
        let mut slower = rows[0].clone();
        slower.cycles = 12;
        rows.push(slower);
        let lines = summary(&rows, &peers);
        assert_eq!(
            lines,
            [
                "core: 3 cells, 2 with a figure of a peer: at or better than the best in 1 (fewer cycles in 0, as many \
                 in 1), worse in 1",
                "  worse: 64 bits, copy, 1 of 64 bytes, source +0, destination +0, L = 1: 12 against 11 (iDMA, 3 in \
                 flight), ratio 1.091"
            ]
        );
    }
}
