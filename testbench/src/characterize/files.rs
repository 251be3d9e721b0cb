//! The files of a data sheet: `characterize.json` for programs and `characterize.html` for people.

use std::path::{Path, PathBuf};

use crate::characterize::derived::Derived;
use crate::characterize::page::page;
use crate::characterize::sheet::Sheet;
use crate::error::UsageError;
use crate::report::files::{make_folder, replace};

/// Returns the sheet and what follows from it as JSON.
///
/// # Errors
/// If it cannot be written as JSON.
pub fn json(sheet: &Sheet, derived: &Derived) -> Result<String, UsageError> {
    let value = serde_json::json!({ "sheet": sheet, "derived": derived });
    let mut text = serde_json::to_string_pretty(&value)
        .map_err(|error| UsageError::from_error("cannot write the data sheet as JSON", &error))?;
    text.push('\n');
    Ok(text)
}

/// Writes both files into `folder`, which is made if need be, and returns their paths.
///
/// # Errors
/// If the folder or a file cannot be written; a file that exists is then as it was.
pub fn write(folder: &Path, sheet: &Sheet, derived: &Derived) -> Result<[PathBuf; 2], UsageError> {
    let contents = [json(sheet, derived)?, page(sheet, derived)?];
    make_folder(folder)?;
    let paths = ["characterize.json", "characterize.html"].map(|name| folder.join(name));
    for (path, content) in paths.iter().zip(contents) {
        replace(path, content.as_bytes())?;
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::characterize::cost::Machine;
    use crate::characterize::fixtures;

    #[test]
    fn the_sheet_reads_back_from_its_file_and_is_the_same_each_time() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let sheet = fixtures::truncating();
        let derived = Derived::of(&sheet, Machine::default());
        let results = folder.path().join("made/on/demand");
        let paths = write(&results, &sheet, &derived).expect("it can be written");
        let first = paths
            .clone()
            .map(|path| std::fs::read(path).expect("written"));
        write(&results, &sheet, &derived).expect("it can be replaced");
        let second = paths.map(|path| std::fs::read(path).expect("written"));
        assert_eq!(first, second);
        let value: serde_json::Value = serde_json::from_slice(&first[0]).expect("JSON");
        let read: Sheet = serde_json::from_value(value["sheet"].clone()).expect("a sheet");
        assert_eq!(read, sheet);
        let derived = &value["derived"];
        assert_eq!(derived["preset"]["device"]["dma_mask"], 0xffff_ffff_u64);
        assert_eq!(derived["disagreements"][0]["severity"], "corrupts");
    }
}
