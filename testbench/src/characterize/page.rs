//! The data sheet as one HTML file that needs nothing else: no network, no script, light or dark as the reader has it.

use minijinja::value::{Serde, Value};
use minijinja::{Environment, HtmlEscape, UndefinedBehavior, context};
use serde::Serialize;

use crate::characterize::derived::Derived;
use crate::characterize::envelope::Reach;
use crate::characterize::plots::plots;
use crate::characterize::sheet::{Fate, Sheet, Side};
use crate::characterize::tables::tables;
use crate::characterize::words;
use crate::error::UsageError;

/// Its template. A name in `.html` has minijinja escape what is filled in.
const TEMPLATE: (&str, &str) = ("page.html", include_str!("page.html"));

/// The fates of address bits at one end, from bit 63 down.
#[derive(Debug, Serialize)]
struct Strip {
    place: String,
    cells: Vec<Cell>,
}

/// One address bit.
#[derive(Debug, Serialize)]
struct Cell {
    bit: u32,
    /// Class of the style sheet.
    class: &'static str,
    /// A sign for those who see no colours.
    sign: &'static str,
    what: String,
}

/// Renders the page.
///
/// # Errors
/// If a plot or the template has a mistake.
pub fn page(sheet: &Sheet, derived: &Derived) -> Result<String, UsageError> {
    let failed = |error: &dyn std::error::Error| {
        UsageError::from_error("cannot render the data sheet as a page", error)
    };
    let plots = plots(sheet, derived.cost.as_ref()).map_err(|error| failed(&error))?;
    let reaches = derived.envelope.reaches.iter();
    let ends = sheet.sides.iter().zip(reaches);
    let strips: Vec<Strip> = ends.map(|(side, reach)| strip(side, reach)).collect();
    let mut templates = Environment::new();
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    templates.add_filter("code", code);
    let render = || -> Result<String, minijinja::Error> {
        templates.add_template(TEMPLATE.0, TEMPLATE.1)?;
        templates.get_template(TEMPLATE.0)?.render(context! {
            sheet => Serde(sheet),
            seed => sheet.seed.to_string(),
            derived => Serde(derived),
            severities => Serde(derived.disagreements.iter().map(|one| one.severity.name()).collect::<Vec<_>>()),
            device => format!("{:#}", derived.preset.device_json()),
            tables => Serde(tables(sheet, derived)),
            plots => Serde(plots),
            strips => Serde(strips),
            is_sound => derived.is_sound(sheet),
            broken => derived.broken_promises(),
        })
    };
    render().map_err(|error| failed(&error))
}

/// Shows what stands between backticks as code.
fn code(text: &str) -> Value {
    let parts = text.split('`').enumerate().map(|(index, part)| {
        let part = HtmlEscape(part);
        if index % 2 == 0 {
            part.to_string()
        } else {
            format!("<code>{part}</code>")
        }
    });
    Value::from_safe_string(parts.collect())
}

fn strip(side: &Side, reach: &Reach) -> Strip {
    let low = reach.bits.as_ref().map_or(0, |bits| bits.value);
    let cell = |bit| {
        let fate = side.bits.iter().find(|one| one.bit == bit);
        let fate = fate.map(|one| &one.fate);
        let (class, sign) = match fate {
            None if bit < low => ("reaches", ""),
            None | Some(Fate::NotTried { .. }) => ("untried", ""),
            Some(Fate::Reaches) => ("reaches", ""),
            Some(Fate::Goes { .. }) => ("goes", "×"),
            Some(Fate::Refuses { .. }) => ("refuses", "–"),
            Some(Fate::Corrupts { .. }) => ("corrupts", "!"),
            Some(Fate::Hangs { .. } | Fate::Dies { .. }) => ("hangs", "…"),
        };
        Cell {
            bit,
            class,
            sign,
            what: match fate {
                None if bit < low => "reaches, in the probes of other bits".to_owned(),
                None => "not tried".to_owned(),
                Some(fate) => words::fate(fate),
            },
        }
    };
    Strip {
        place: words::place(side.direction, side.role),
        cells: (0..64).rev().map(cell).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::characterize::cost::Machine;
    use crate::characterize::fixtures;
    use crate::characterize::sheet::Role;

    fn rendered(sheet: &Sheet) -> String {
        page(sheet, &Derived::of(sheet, Machine::default())).expect("rendered")
    }

    fn parsed(text: &str) -> roxmltree::Document<'_> {
        let options = roxmltree::ParsingOptions {
            allow_dtd: true,
            ..roxmltree::ParsingOptions::default()
        };
        roxmltree::Document::parse_with_options(text, options).expect("well-formed")
    }

    #[test]
    fn the_page_is_well_formed_and_needs_no_other_file() {
        for sheet in [
            fixtures::sound(),
            fixtures::truncating(),
            fixtures::wrapping(),
        ] {
            let text = rendered(&sheet);
            for node in parsed(&text).descendants() {
                assert!(!["script", "link", "iframe", "img"].contains(&node.tag_name().name()));
                for attribute in node.attributes() {
                    assert!(
                        !["src", "href"].contains(&attribute.name()),
                        "{attribute:?}"
                    );
                    assert!(!attribute.value().contains("http"), "{attribute:?}");
                }
            }
            let style = text.split("</style>").next().expect("a style sheet");
            assert!(!style.contains("url(") && !style.contains("@import"));
        }
    }

    #[test]
    fn the_strip_shows_every_bit_with_its_fate() {
        let mut sheet = fixtures::sound();
        fixtures::kill_bit(&mut sheet, Role::Source, 20);
        // Not tried one by one, because all places have them.
        fixtures::side_mut(&mut sheet, Role::Destination)
            .bits
            .drain(..16);
        let text = rendered(&sheet);
        let document = parsed(&text);
        let class = |wanted: &str| {
            let nodes = document.descendants();
            let cells = nodes.filter(|node| node.attribute("class") == Some(wanted));
            cells.count()
        };
        assert_eq!(class("cell goes"), 1);
        assert_eq!(class("cell reaches"), 39 + 40);
        assert_eq!(class("cell untried"), 2 * 24);
    }

    #[test]
    fn names_with_markup_are_shown_as_they_are() {
        let mut sheet = fixtures::truncating();
        sheet.core.name = "<b>&core".into();
        let text = rendered(&sheet);
        assert!(text.contains("&lt;b&gt;&amp;core") && !text.contains("<b>&"));
        assert!(text.contains("declare <code>address_bits = 32</code>"));
        assert_eq!(
            code("`a<b` or <c>").to_string(),
            "<code>a&lt;b</code> or &lt;c&gt;"
        );
    }

    #[test]
    fn defects_and_disagreements_stand_before_all_else() {
        let text = rendered(&fixtures::truncating());
        let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("no {what}"));
        assert!(at("truncates-address") < at("limits.address_bits"));
        assert!(at("limits.address_bits") < at("dma_set_mask_and_coherent"));
        assert!(at("dma_set_mask_and_coherent") < at("<svg"));
    }
}
