//! The JSON Schema of the manifest, for editors that complete and check TOML.

use super::Manifest;

/// The schema as text, as it lies in `sim/manifest.schema.json`.
///
/// # Panics
/// Never: a schema is plain JSON.
pub fn text() -> String {
    let mut schema = schemars::schema_for!(Manifest);
    schema.insert("title".to_owned(), "Rebound manifest".into());
    let mut text = serde_json::to_string_pretty(&schema).expect("a schema is plain JSON");
    text.push('\n');
    text
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
