//! The schema in the repository, and the reference page, are those of the types. `REBOUND_BLESS=1` writes them anew.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::*;

/// Around the part of the page that is written from the schema.
const MARKS: (&str, &str) = (
    "<!-- fields: written from the schema -->\n",
    "<!-- end of fields -->\n",
);

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Compares a file with what it should be, or writes it.
fn expect_file(name: &str, expected: &str) {
    let path = path(name);
    if std::env::var_os("REBOUND_BLESS").is_some() {
        std::fs::write(&path, expected).expect("written");
    }
    let found = std::fs::read_to_string(&path).expect("is there");
    assert!(
        found == expected,
        "sim/{name} is stale: run `REBOUND_BLESS=1 cargo test --release --package rebound-sim --lib schema`"
    );
}

fn page() -> String {
    std::fs::read_to_string(path("MANIFEST.md")).expect("is there")
}

#[test]
fn the_schema_in_the_repository_is_that_of_the_types() {
    expect_file("manifest.schema.json", &text());
}

#[test]
fn the_reference_page_has_every_field() {
    let page = page();
    let (before, rest) = page.split_once(MARKS.0).expect("the first mark");
    let (_, after) = rest.split_once(MARKS.1).expect("the second mark");
    let schema: Value = serde_json::from_str(&text()).expect("JSON");
    let fields = Page::of(&schema).text;
    for word in [
        "| `wait_irq` |",
        "| `address_bits` |",
        "### `[control]`",
        "### `[[apb]]`",
    ] {
        assert!(fields.contains(word), "no {word} in\n{fields}");
    }
    expect_file(
        "MANIFEST.md",
        &format!("{before}{}{fields}{}{after}", MARKS.0, MARKS.1),
    );
}

#[test]
fn every_example_of_the_reference_page_is_a_good_manifest() {
    let page = page();
    let examples: Vec<&str> = page
        .split("```toml\n")
        .skip(1)
        .filter_map(|block| block.split("```").next())
        .filter(|block| block.starts_with("#:schema manifest"))
        .collect();
    assert!(examples.len() >= 4, "the page has four examples");
    for example in examples {
        Manifest::parse(Path::new("example.toml"), example.to_owned())
            .unwrap_or_else(|error| panic!("{error}\n{example}"));
    }
}

/// The fields of all tables as text.
struct Page<'a> {
    schema: &'a Value,
    text: String,
    seen: BTreeSet<String>,
    /// Tables still to come: heading, description, schema.
    next: Vec<(String, &'a Value)>,
}

impl<'a> Page<'a> {
    fn of(schema: &'a Value) -> Self {
        let mut page = Self {
            schema,
            text: String::new(),
            seen: BTreeSet::new(),
            next: Vec::new(),
        };
        page.text.push_str("\n### Top level\n");
        page.table(schema, "");
        while !page.next.is_empty() {
            let (heading, schema) = page.next.remove(0);
            let _ = write!(page.text, "\n### {heading}\n");
            page.paragraph(schema);
            match schema["anyOf"].as_array() {
                Some(variants) if schema["properties"].is_null() => {
                    for variant in variants {
                        let _ = write!(page.text, "\n**{}**", said(variant));
                        page.text.push('\n');
                        page.table(variant, &heading);
                    }
                }
                _ => page.table(schema, &heading),
            }
        }
        page.text.push('\n');
        page
    }

    fn paragraph(&mut self, schema: &Value) {
        let text = said(schema);
        if !text.is_empty() {
            let _ = write!(self.text, "\n{text}\n");
        }
    }

    fn table(&mut self, schema: &'a Value, within: &str) {
        let Some(properties) = schema["properties"].as_object() else {
            return;
        };
        let required = schema["required"].as_array();
        self.text
            .push_str("\n| Field | Type, default | Meaning |\n| --- | --- | --- |\n");
        for (name, field) in properties {
            let is_required = required.is_some_and(|all| all.iter().any(|each| each == name));
            let default = match &field["default"] {
                _ if is_required => String::new(),
                Value::Null => ", none".to_owned(),
                Value::Object(map) if map.is_empty() => ", `{}`".to_owned(),
                default => format!(", `{default}`"),
            };
            let kind = self.kind(field, name, within);
            let _ = writeln!(
                self.text,
                "| `{name}` | {kind}{default} | {} |",
                said(field)
            );
        }
    }

    /// The type of a field in words; a table of its own is kept for later.
    fn kind(&mut self, field: &'a Value, name: &str, within: &str) -> String {
        if let Some(all) = field["anyOf"].as_array() {
            let kinds = all
                .iter()
                .filter(|each| each["type"] != "null")
                .map(|each| self.kind(each, name, within));
            return kinds.collect::<Vec<_>>().join(" or ");
        }
        if let Some(all) = field["allOf"].as_array() {
            return self.kind(&all[0], name, within);
        }
        if let Some(target) = field["$ref"].as_str() {
            return self.named(target, &path_in(within, name, ("[", "]")));
        }
        if let Some(words) = words(field) {
            return words.join(", ");
        }
        let kind = match &field["type"] {
            Value::Array(kinds) => kinds.iter().find(|kind| *kind != "null"),
            kind => Some(kind),
        };
        match kind.and_then(Value::as_str).unwrap_or_default() {
            "string" => "text".to_owned(),
            "integer" => "number".to_owned(),
            "boolean" => "`true`, `false`".to_owned(),
            "array" => match field["items"]["$ref"].as_str() {
                Some(target) => {
                    let inner = self.named(target, &path_in(within, name, ("[[", "]]")));
                    format!("list of {inner}")
                }
                None => format!("list of {}", self.kind(&field["items"], name, within)),
            },
            "object" => {
                let values = match &field["additionalProperties"] {
                    Value::Object(_) => &field["additionalProperties"],
                    _ => field["patternProperties"]
                        .as_object()
                        .and_then(|patterns| patterns.values().next())
                        .unwrap_or(&Value::Null),
                };
                let inner = match values["$ref"].as_str() {
                    Some(target) => self.named(target, &path_in(within, name, ("[", "]"))),
                    None => self.kind(values, name, within),
                };
                format!("table, name to {inner}")
            }
            _ => "any".to_owned(),
        }
    }

    fn named(&mut self, target: &str, heading: &str) -> String {
        let name = target.rsplit('/').next().unwrap_or_default();
        let schema = &self.schema["$defs"][name];
        if let Some(words) = words(schema) {
            return words.join(", ");
        }
        let has_table = schema["properties"].is_object()
            || schema["anyOf"]
                .as_array()
                .is_some_and(|all| all.iter().all(|each| each["properties"].is_object()));
        if has_table && self.seen.insert(name.to_owned()) {
            self.next.push((heading.to_owned(), schema));
        }
        match name {
            "Size" => "number or parameter".to_owned(),
            "Value" => "value".to_owned(),
            "BitRange" => "bits".to_owned(),
            "PortPart" => "port".to_owned(),
            "ParameterValue" => "number or name".to_owned(),
            "Clock" => {
                let table = schema["anyOf"][1]["$ref"].as_str().unwrap_or_default();
                format!("port or {}", self.named(table, "A clock in `clocks`"))
            }
            name => name.to_lowercase(),
        }
    }
}

/// Heading of a table inside another: `[control.copy]`, `[[control.init]]`.
fn path_in(within: &str, name: &str, (open, close): (&str, &str)) -> String {
    let outer = within.trim_matches(['`', '[', ']']);
    if outer.is_empty() {
        format!("`{open}{name}{close}`")
    } else {
        format!("`{open}{outer}.{name}{close}`")
    }
}

/// The words that a field may be, if it is an enumeration.
fn words(schema: &Value) -> Option<Vec<String>> {
    let all = schema["oneOf"].as_array().or(schema["enum"].as_array())?;
    let word = |each: &Value| {
        let text = each["const"].as_str().or(each.as_str())?;
        Some(format!("`{text}`"))
    };
    all.iter().map(word).collect()
}

/// The description on one line.
fn said(schema: &Value) -> String {
    let text = schema["description"].as_str().unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
