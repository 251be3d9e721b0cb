//! What the engine's cycles are compared with: the best figure of each cell.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::Path;

use super::cell::Cell;
use super::row::Row;
use crate::error::UsageError;

/// The fewest cycles of any open DMA core that was measured, by cell. See `PEERS.md`.
const PEERS: &str = include_str!("peers.csv");

/// The best row of each cell.
#[derive(Debug, Clone, Default)]
pub struct Against {
    best: BTreeMap<Cell, Row>,
}

impl Against {
    /// The open DMA cores.
    ///
    /// # Errors
    /// Never, unless the file within the program is damaged.
    pub fn peers() -> Result<Self, UsageError> {
        Self::parse(PEERS, "peers.csv")
    }

    /// The rows of a file, as `--csv` writes them.
    ///
    /// # Errors
    /// If it cannot be read, a row is malformed, or there is none.
    pub fn load(path: &Path) -> Result<Self, UsageError> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|error| UsageError::from_error(&format!("cannot read {name}"), &error))?;
        Self::parse(&text, &name)
    }

    fn parse(text: &str, name: &str) -> Result<Self, UsageError> {
        let help = "expected the columns that `rebound bench rtl --csv` prints";
        let mut against = Self::default();
        for row in csv::Reader::from_reader(text.as_bytes()).deserialize() {
            let row: Row = row.map_err(|error| UsageError::from_error(name, &error).help(help))?;
            if row.count == 0 || row.cycles == 0 {
                let cell = row.cell();
                return Err(UsageError::new(format!(
                    "{name}: {cell}: expected a count and cycles above 0, found {} and {}",
                    row.count, row.cycles
                )));
            }
            against.add(row);
        }
        if against.best.is_empty() {
            return Err(UsageError::new(format!("{name} has no row")).help(help));
        }
        Ok(against)
    }

    /// Keeps the row if it is better than what its cell has.
    fn add(&mut self, row: Row) {
        let cell = row.cell();
        let is_better = self
            .best
            .get(&cell)
            .is_none_or(|best| row.cycles < best.cycles);
        if is_better {
            self.best.insert(cell, row);
        }
    }

    /// The best row of a cell.
    #[must_use]
    pub fn best(&self, cell: &Cell) -> Option<&Row> {
        self.best.get(cell)
    }

    /// How a row's cycles compare with the best: `Less` is fewer cycles. Cycles of many transfers are told in
    /// hundredths of a cycle each, and so they are compared.
    #[must_use]
    pub fn compare(&self, row: &Row) -> Option<Ordering> {
        let best = self.best(&row.cell())?;
        Some(row.hundredths_each().cmp(&best.hundredths_each()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::rtl::cell::{Mode, cells};

    const HEAD: &str =
        "core,mode,data_width,latency,bytes,src_offset,dst_offset,count,cycles,beats,utilisation\n";

    #[test]
    fn the_peers_are_well_formed_and_say_what_was_measured() {
        let peers = Against::peers().expect("the file within the program");
        let rows = csv::Reader::from_reader(PEERS.as_bytes()).into_deserialize::<Row>();
        let mut count = 0;
        for row in rows {
            let row = row.expect("well-formed");
            assert_eq!(row, Row::new(row.core.clone(), &row.cell(), row.cycles));
            assert!(
                row.cycles >= row.beats,
                "{}: faster than its bus",
                row.cell()
            );
            count += 1;
        }
        assert_eq!(count, peers.best.len(), "one row a cell");
        assert!(count > 200, "{count} cells");
    }

    #[test]
    fn the_best_of_a_cell_counts() {
        let rows = format!(
            "{HEAD}slow,copy,64,1,64,0,0,1,15,8,0.5\nfast,copy,64,1,64,0,0,1,11,8,0.7\n\
             slower,copy,64,1,64,0,0,1,16,8,0.5\n"
        );
        let against = Against::parse(&rows, "rows").expect("well-formed");
        let cell = cells(&[Mode::Copy], &[64], &[1])[0];
        assert_eq!(against.best(&cell).expect("it is there").core, "fast");
        let ours = |cycles| Row::new("ours".to_owned(), &cell, cycles);
        assert_eq!(against.compare(&ours(10)), Some(Ordering::Less));
        assert_eq!(against.compare(&ours(11)), Some(Ordering::Equal));
        assert_eq!(against.compare(&ours(12)), Some(Ordering::Greater));
        let elsewhere = cells(&[Mode::Copy], &[128], &[1])[0];
        let row = Row::new("ours".to_owned(), &elsewhere, 1);
        assert_eq!(against.compare(&row), None);
    }

    #[test]
    fn malformed_rows_are_refused_with_their_place() {
        let refused = |rows: &str| {
            let text = format!("{HEAD}{rows}");
            Against::parse(&text, "mine.csv")
                .expect_err("malformed")
                .to_string()
        };
        let message = refused("a,copy,64,1,64,0,0,1,11,8,0.7\nb,copy,many,1,64,0,0,1,11,8,0.7\n");
        assert!(
            message.contains("mine.csv") && message.contains("line: 3"),
            "{message}"
        );
        assert!(refused("a,copy,64,1,64,0,0,0,11,8,0.7\n").contains("above 0"));
        assert!(refused("").contains("has no row"));
    }
}
