//! What tests of the sample cores share.

use std::collections::BTreeSet;
use std::path::Path;

/// The pairs of core and defect in the table of `cores/README.md`.
pub(crate) fn documented_defects() -> BTreeSet<(String, String)> {
    let page =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("cores/README.md"));
    let page = page.expect("the page is there");
    let mut pairs = BTreeSet::new();
    for row in page.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = row.split(" | ").collect();
        let name = cells[0].strip_prefix("| ").unwrap_or_default();
        let Some((number, defect)) = name.split_once(' ') else {
            continue;
        };
        if number.parse::<u32>().is_err() {
            continue;
        }
        // `split_dma` (`s2mm`) has a half in parentheses.
        for core in cells[1].split(", ") {
            let core = core.split('`').nth(1).expect("a core's name");
            pairs.insert((core.to_owned(), defect.trim_matches('`').to_owned()));
        }
    }
    pairs
}
