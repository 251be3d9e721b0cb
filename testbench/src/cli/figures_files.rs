//! Files that the commands on traces write.

use std::path::Path;

use serde::Serialize;

use crate::error::UsageError;

/// Writes rows as CSV.
pub(crate) fn write_csv<T: Serialize>(path: &Path, rows: &[T]) -> Result<(), UsageError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer
            .serialize(row)
            .map_err(|error| UsageError::from_error("cannot write a row", &error))?;
    }
    let bytes = writer
        .into_inner()
        .map_err(|error| UsageError::from_error("cannot write the rows", &error))?;
    write_file(path, &bytes)
}

/// Writes a value as JSON.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), UsageError> {
    let text = serde_json::to_vec_pretty(value)
        .map_err(|error| UsageError::from_error("cannot write the report", &error))?;
    write_file(path, &text)
}

/// Writes a file.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), UsageError> {
    std::fs::write(path, bytes).map_err(|error| {
        UsageError::from_error(&format!("cannot write {}", path.display()), &error)
    })
}
