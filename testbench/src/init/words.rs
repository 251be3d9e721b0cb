//! Words of port names.

/// Lower-case words of a name, with what tells the direction left out.
pub(super) fn words(name: &str) -> Vec<String> {
    let lower = name.to_ascii_lowercase();
    let mut words: Vec<&str> = lower.split('_').filter(|word| !word.is_empty()).collect();
    let is_marker = |word: &&str| matches!(*word, "i" | "o" | "in" | "out");
    if words.len() > 1 && words.last().is_some_and(is_marker) {
        words.pop();
    }
    if words.len() > 1 && words.first().is_some_and(|word| matches!(*word, "i" | "o")) {
        words.remove(0);
    }
    words.into_iter().map(str::to_owned).collect()
}

/// A name for the manifest, made of a piece of a port's name.
pub(super) fn identifier(text: &str, otherwise: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let kept: String = lower
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    let trimmed = kept.trim_matches('_');
    if trimmed.is_empty() {
        otherwise.to_owned()
    } else if trimmed.starts_with(|c: char| c.is_ascii_digit()) {
        format!("{otherwise}_{trimmed}")
    } else {
        trimmed.to_owned()
    }
}

/// `name`, or with a number behind it if `is_taken`.
pub(super) fn free_name(name: String, is_taken: impl Fn(&str) -> bool) -> String {
    if !is_taken(&name) {
        return name;
    }
    (2..)
        .map(|number| format!("{name}_{number}"))
        .find(|name| !is_taken(name))
        .unwrap_or(name)
}

/// Number of words that two names share.
pub(super) fn shared(a: &[String], b: &[String]) -> usize {
    a.iter().filter(|word| b.contains(word)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_are_no_words() {
        assert_eq!(words("S_AXI_ACLK"), ["s", "axi", "aclk"]);
        assert_eq!(words("rst_ni"), ["rst", "ni"]);
        assert_eq!(words("o_int"), ["int"]);
        assert_eq!(words("irq_o"), ["irq"]);
    }

    #[test]
    fn names_for_the_manifest_are_identifiers_and_free() {
        assert_eq!(identifier("M_AXI_", "axi"), "m_axi");
        assert_eq!(identifier("_0", "axi"), "axi_0");
        assert_eq!(identifier("", "axi"), "axi");
        assert_eq!(free_name("a".to_owned(), |name| name == "a"), "a_2");
    }
}
