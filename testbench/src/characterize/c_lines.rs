//! The settings as C: a function to paste into a driver.

use crate::characterize::duties::Duty;
use crate::characterize::settings::Setting;

/// Columns of the kernel's sources.
const COLUMNS: usize = 100;

/// Writes the settings as one function, with the evidence of each line above it, and the duties behind it.
#[must_use]
pub fn c_lines(core: &str, settings: &[Setting], duties: &[Duty]) -> String {
    let name = identifier(core);
    let mut text = format!("static int {name}_set_dma_limits(struct device *dev)\n{{\n");
    let can_fail = settings.iter().any(|setting| setting.can_fail);
    if can_fail {
        text.push_str("\tint ret;\n");
    }
    for setting in settings {
        text.push('\n');
        text.push_str(&comment("\t", &setting.why));
        // The structure is the driver's own, which this function does not know.
        let is_elsewhere = setting.function == "copy_align";
        let line = match (setting.can_fail, is_elsewhere) {
            (true, _) => format!(
                "\tret = {};\n\tif (ret)\n\t\treturn dev_err_probe(dev, ret, \"no usable DMA addressing\\n\");\n",
                setting.call
            ),
            (false, true) => format!("\t/* {}; */\n", setting.call),
            (false, false) => format!("\t{};\n", setting.call),
        };
        text.push_str(&line);
    }
    text.push_str("\n\treturn 0;\n}\n");
    if !duties.is_empty() {
        text.push_str("\n/*\n * What no call does, and the driver has to:\n");
        for duty in duties {
            let sentence = format!("{} ({})", duty.what, duty.why);
            let options = textwrap::Options::new(COLUMNS)
                .initial_indent(" * - ")
                .subsequent_indent(" *   ");
            text.push_str(&textwrap::fill(&sentence.replace("*/", "* /"), options));
            text.push('\n');
        }
        text.push_str(" */\n");
    }
    text
}

/// A comment of the kernel's style: one line if it fits, else a block.
fn comment(indent: &str, sentences: &[String]) -> String {
    let sentences: Vec<String> = sentences
        .iter()
        .map(|sentence| sentence.replace("*/", "* /"))
        .collect();
    // A tab is eight columns.
    let room = COLUMNS - 8;
    if let [only] = sentences.as_slice()
        && only.chars().count() + 6 <= room
    {
        return format!("{indent}/* {only} */\n");
    }
    let start = format!("{indent} * ");
    let wrapped = sentences.iter().map(|text| {
        let text = textwrap::fill(&sentence(text), room - 3);
        let lines = text.lines().map(|line| format!("{start}{line}\n"));
        lines.collect::<String>()
    });
    let lines: String = wrapped.collect();
    format!("{indent}/*\n{lines}{indent} */\n")
}

/// A sentence among others: with a capital letter and a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    let stop = if text.ends_with('.') { "" } else { "." };
    format!(
        "{}{}{stop}",
        first.map_or_else(String::new, String::from),
        letters.as_str()
    )
}

/// A name that C takes.
fn identifier(name: &str) -> String {
    let valid = |letter: char| {
        if letter.is_ascii_alphanumeric() {
            letter.to_ascii_lowercase()
        } else {
            '_'
        }
    };
    let text: String = name.chars().map(valid).collect();
    match text.chars().next() {
        Some(first) if !first.is_ascii_digit() => text,
        _ => format!("core_{text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::characterize::duties::duties;
    use crate::characterize::envelope::Envelope;
    use crate::characterize::fixtures;
    use crate::characterize::settings::settings;
    use crate::characterize::sheet::Role;

    #[test]
    fn the_lines_are_a_function_with_the_error_handling_of_a_driver() {
        let mut sheet = fixtures::wrapping();
        fixtures::align(&mut sheet, Role::Source, 8);
        let envelope = Envelope::of(&sheet);
        let text = c_lines(
            "Wrapping-Copy",
            &settings(&sheet, &envelope),
            &duties(&sheet, &envelope),
        );
        assert!(
            text.starts_with("static int wrapping_copy_set_dma_limits(struct device *dev)\n{\n")
        );
        let mask = "\tret = dma_set_mask_and_coherent(dev, DMA_BIT_MASK(40));\n\tif (ret)\n\t\treturn dev_err_probe(";
        assert!(text.contains(mask), "{text}");
        assert!(
            text.contains("\n\tdma_set_seg_boundary(dev, 0xffff);\n"),
            "{text}"
        );
        assert!(text.contains("\n\t/* dma_dev->copy_align = DMAENGINE_ALIGN_8_BYTES; */\n"));
        assert!(text.contains("\n\treturn 0;\n}\n"));
        assert!(text.contains(" * - wait with a time-out"), "{text}");
        let widest = text
            .lines()
            .map(|line| line.replace('\t', "        ").len())
            .max();
        assert!(widest.is_some_and(|width| width <= COLUMNS), "{text}");
        assert_eq!(text.matches("/*").count(), text.matches("*/").count());
    }

    #[test]
    fn a_comment_in_the_evidence_ends_no_comment() {
        let text = comment("\t", &["what */ evil".into()]);
        assert_eq!(text, "\t/* what * / evil */\n");
    }

    #[test]
    fn a_name_becomes_an_identifier() {
        assert_eq!(identifier("8237-like"), "core_8237_like");
    }
}
