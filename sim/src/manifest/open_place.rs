//! Open places: marks in a manifest that say what is to be filled in.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{ManifestError, ManifestSource, locate};

/// What a text begins with that stands for a value still to be filled in: `"TODO offset of the length register"`.
pub const OPEN_PLACE: &str = "TODO";

/// Checks that no value of the manifest is an open place. A text that is no TOML is left to its reader.
pub(super) fn none_left(source: &ManifestSource) -> Result<(), ManifestError> {
    let Ok(document) = DeTable::parse(&source.text) else {
        return Ok(());
    };
    let Some((span, what)) = first_in_table(document.get_ref()) else {
        return Ok(());
    };
    let field = locate::field_at(&source.text, &span);
    let what = what
        .trim_start_matches(OPEN_PLACE)
        .trim_start_matches([':', ' ']);
    let what = if what.is_empty() { "this value" } else { what };
    let error = ManifestError::at(
        source,
        field,
        format!("open place: fill in {what}"),
        "a mark for it".to_owned(),
    );
    Err(error.with_help(
        "the core's documentation says what belongs here; replace the whole text, quotes too",
    ))
}

fn first_in_table(table: &DeTable<'_>) -> Option<(Range<usize>, String)> {
    let values = table.iter().map(|(_, value)| value);
    values
        .filter_map(first_in_value)
        .min_by_key(|(span, _)| span.start)
}

fn first_in_value(value: &Spanned<DeValue<'_>>) -> Option<(Range<usize>, String)> {
    match value.get_ref() {
        DeValue::Table(table) => first_in_table(table),
        DeValue::Array(array) => array.iter().find_map(first_in_value),
        DeValue::String(text) if text.starts_with(OPEN_PLACE) => {
            Some((value.span(), text.to_string()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::manifest::Manifest;

    #[test]
    fn an_open_place_is_reported_with_line_field_and_what_belongs_there() {
        let text = "name = \"a\"\ntop = \"a\"\nclocks = [\"clk\"]\n[control.copy]\nstart = [\n\
                    { write = \"TODO offset of SRC\", value = \"src\" },\n]\ndone = []\n";
        let error = Manifest::parse(Path::new("a.toml"), text.to_owned()).expect_err("open");
        let text = error.to_string();
        for part in [
            "a.toml:6",
            "control.copy.start[0].write",
            "open place: fill in offset of SRC",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }
}
