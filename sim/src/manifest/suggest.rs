//! "Did you mean": the known name nearest to one that is not known.

/// The candidate nearest to `name`, if one is near enough to be meant.
pub(crate) fn closest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let wanted = name.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&wanted, &candidate.to_lowercase()),
                candidate,
            )
        })
        .min()
        .filter(|&(distance, _)| distance <= (name.len() / 3).max(1))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn a_slip_of_the_keyboard_is_recognised() {
        assert_eq!(
            closest("prefx", ["name", "prefix", "ports"]),
            Some("prefix")
        );
        assert_eq!(
            closest("datawidth", ["DataWidth", "IdWidth"]),
            Some("DataWidth")
        );
    }

    #[test]
    fn a_strange_word_is_not_forced_onto_a_name() {
        assert_eq!(closest("colour", ["name", "prefix", "ports"]), None);
    }
}
