//! Marks that someone wrote to `trace_marker`: a phase begins.

/// A phase begins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Marker {
    /// Its name.
    pub name: String,
    /// `io_tlb_nslabs`, if the marker tells it.
    pub slots: Option<u64>,
    /// `io_tlb_used`.
    pub used: Option<u64>,
    /// `io_tlb_used_hiwater` since the marker before.
    pub hiwater: Option<u64>,
}

impl Marker {
    /// Reads `phase=NAME io_tlb_nslabs=N io_tlb_used=N io_tlb_used_hiwater=N`, or takes any text as a name.
    pub(crate) fn parse(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text);
        let mut marker = Self::default();
        let mut words = Vec::new();
        for word in text.split_ascii_whitespace() {
            let number = |name: &str| {
                word.strip_prefix(name)
                    .and_then(|digits| digits.parse().ok())
            };
            if let Some(name) = word.strip_prefix("phase=") {
                words.push(name);
            } else if let Some(slots) = number("io_tlb_nslabs=") {
                marker.slots = Some(slots);
            } else if let Some(used) = number("io_tlb_used=") {
                marker.used = Some(used);
            } else if let Some(hiwater) = number("io_tlb_used_hiwater=") {
                marker.hiwater = Some(hiwater);
            } else {
                words.push(word);
            }
        }
        marker.name = words.join(" ");
        marker
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_tell_the_phase_and_the_counters() {
        let text = b"phase=read io_tlb_nslabs=1024 io_tlb_used=3 io_tlb_used_hiwater=17 ";
        let expected = Marker {
            name: "read".to_owned(),
            slots: Some(1024),
            used: Some(3),
            hiwater: Some(17),
        };
        assert_eq!(Marker::parse(text), expected);
        let plain = Marker::parse(b"now the backup io_tlb_used=many");
        assert_eq!(
            (plain.name.as_str(), plain.hiwater),
            ("now the backup io_tlb_used=many", None)
        );
    }
}
