//! Fields of a manifest and their places in its text.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Bytes of the field `field` (`axi[0].data_width`), or of the nearest table around it that exists.
pub(crate) fn span_of(text: &str, field: &str) -> Option<Range<usize>> {
    let document = DeTable::parse(text).ok()?;
    let mut table = document.get_ref();
    let mut nearest = None;
    let mut rest = field;
    loop {
        let (segment, after) = rest
            .split_once('.')
            .map_or((rest, None), |(a, b)| (a, Some(b)));
        let (name, index) = match segment
            .strip_suffix(']')
            .and_then(|open| open.split_once('['))
        {
            Some((name, index)) => (name, index.parse::<usize>().ok()),
            None => (segment, None),
        };
        let Some((key, value)) = table.iter().find(|(key, _)| key.get_ref() == name) else {
            return nearest;
        };
        let (span, value) = match index {
            Some(index) => {
                let Some(element) = value.get_ref().get(index) else {
                    return nearest;
                };
                (element.span(), element)
            }
            None => (key.span(), value),
        };
        match (after, value.get_ref().as_table()) {
            (Some(after), Some(inner)) => {
                nearest = Some(span);
                table = inner;
                rest = after;
            }
            (None, None) => return Some(if index.is_some() { span } else { value.span() }),
            _ => return Some(span),
        }
    }
}

/// The field whose key or value holds `span`, written like `axi[0].data_width`; empty at top level.
pub(crate) fn field_at(text: &str, span: &Range<usize>) -> String {
    let (document, _) = DeTable::parse_recoverable(text);
    let mut field = String::new();
    in_table(document.get_ref(), span, &mut field);
    field
}

fn holds(outer: &Range<usize>, inner: &Range<usize>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

fn in_table(table: &DeTable<'_>, span: &Range<usize>, field: &mut String) -> bool {
    table.iter().any(|(key, value)| {
        let length = field.len();
        if !field.is_empty() {
            field.push('.');
        }
        field.push_str(key.get_ref());
        let found = in_value(value, span, field) || holds(&key.span(), span);
        if !found {
            field.truncate(length);
        }
        found
    })
}

fn in_value(value: &Spanned<DeValue<'_>>, span: &Range<usize>, field: &mut String) -> bool {
    match value.get_ref() {
        DeValue::Table(table) => in_table(table, span, field) || holds(&value.span(), span),
        DeValue::Array(array) => {
            let length = field.len();
            let inside = array.iter().enumerate().any(|(index, element)| {
                field.push_str(&format!("[{index}]"));
                let found = in_value(element, span, field);
                if !found {
                    field.truncate(length);
                }
                found
            });
            inside || holds(&value.span(), span)
        }
        _ => holds(&value.span(), span),
    }
}

/// Line (from 1) of byte `offset`.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    text.bytes()
        .take(offset)
        .filter(|&byte| byte == b'\n')
        .count()
        + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "name = \"x\"\n[[axi]]\nname = \"m\"\ndata_width = 64\n[parameters]\nA = { default = 1 }\n";

    #[test]
    fn a_field_is_found_in_tables_arrays_and_inline_tables() {
        assert_eq!(
            &TEXT[span_of(TEXT, "axi[0].data_width").expect("is there")],
            "64"
        );
        assert_eq!(
            &TEXT[span_of(TEXT, "parameters.A.default").expect("is there")],
            "1"
        );
        assert_eq!(span_of(TEXT, "axil[0]"), None);
    }

    #[test]
    fn an_absent_field_is_placed_at_its_table() {
        let span = span_of(TEXT, "axi[0].prefix").expect("table is there");
        assert_eq!(line_of(TEXT, span.start), 2);
    }

    #[test]
    fn a_place_is_named_by_its_field() {
        let at = TEXT.find("64").expect("is there");
        assert_eq!(field_at(TEXT, &(at..at + 2)), "axi[0].data_width");
        let at = TEXT.find("default").expect("is there");
        assert_eq!(field_at(TEXT, &(at..at + 7)), "parameters.A.default");
    }
}
