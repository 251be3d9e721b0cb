//! The limits of a core's DMA in one build, and the pieces that a driver cuts a transfer into.

use serde::{Deserialize, Serialize};

use crate::manifest::{CompletionOrder, Manifest, ManifestError, Size, low_mask};
use crate::parameters::Parameters;

/// What the core's DMA can do in one build, with parameters filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolvedLimits {
    /// DMA address bits that the core implements.
    pub address_bits: u32,
    /// Boundary in bytes that one transfer must not cross.
    pub boundary: Option<u64>,
    /// Longest transfer in bytes, as the manifest says it or the length field allows.
    pub max_length: Option<u64>,
    /// Shortest transfer in bytes.
    pub min_length: u64,
    /// Granule of addresses and lengths in bytes.
    pub alignment: u64,
    /// Granule of source addresses in bytes.
    pub source_alignment: u64,
    /// Granule of destination addresses in bytes.
    pub destination_alignment: u64,
    /// Granule of lengths in bytes.
    pub length_alignment: u64,
    /// Longest burst in beats.
    pub max_burst_beats: Option<u64>,
    /// Transfers that may be started before the first is done.
    pub max_transfers: u64,
    /// Order in which transfers of one direction are done.
    pub completion: CompletionOrder,
}

impl ResolvedLimits {
    /// Limits of `manifest` under `parameters`.
    pub fn resolve(manifest: &Manifest, parameters: &Parameters) -> Result<Self, ManifestError> {
        let limits = &manifest.limits;
        let number = |field: &str, size: &Option<Size>| {
            let at = format!("limits.{field}");
            size.as_ref()
                .map(|size| parameters.size(manifest, &at, size))
                .transpose()
        };
        let wrong = |field: &str, expected: &str, value: u64| {
            Err(manifest.error_at(format!("limits.{field}"), expected, value.to_string()))
        };
        let power = |field: &str, size: &Option<Size>| match number(field, size)? {
            Some(value) if !value.is_power_of_two() => wrong(field, "a power of two", value),
            value => Ok(value),
        };
        let within = |field: &str, size: &Option<Size>| match number(field, size)? {
            Some(bits) if !(1..=64).contains(&bits) => wrong(field, "1 to 64", bits).map(|_| None),
            bits => Ok(bits.and_then(|bits| u32::try_from(bits).ok())),
        };
        let positive = |field: &str, size: &Option<Size>| match number(field, size)? {
            Some(0) => wrong(field, "at least 1", 0),
            value => Ok(value),
        };
        let alignment = power("alignment", &limits.alignment)?.unwrap_or(1);
        let granule = |field: &str, size: &Option<Size>| {
            power(field, size).map(|granule| granule.unwrap_or(alignment))
        };
        let length_alignment = granule("length_alignment", &limits.length_alignment)?;
        let said = positive("max_length", &limits.max_length)?;
        let counted = within("length_bits", &limits.length_bits)?.map(low_mask);
        let longest = match (said, counted) {
            (Some(said), Some(counted)) => Some(said.min(counted)),
            (said, counted) => said.or(counted),
        };
        let whole = longest.map(|bytes| bytes - bytes % length_alignment);
        if let (Some(0), Some(longest)) = (whole, longest) {
            let field = if said.is_some() {
                "max_length"
            } else {
                "length_bits"
            };
            let expected = format!("room for one granule of {length_alignment} bytes");
            return Err(manifest.error_at(
                format!("limits.{field}"),
                expected,
                format!("at most {longest} bytes"),
            ));
        }
        let min_length = number("min_length", &limits.min_length)?.unwrap_or(1);
        let boundary = power("boundary", &limits.boundary)?;
        for (most, name) in [(whole, "longest transfer"), (boundary, "boundary")] {
            if let Some(most) = most.filter(|most| *most < min_length) {
                let expected = format!("at most {most} bytes, the {name}");
                let found = min_length.to_string();
                return Err(manifest.error_at("limits.min_length", expected, found));
            }
        }
        Ok(Self {
            address_bits: within("address_bits", &limits.address_bits)?.unwrap_or(64),
            boundary,
            max_length: whole,
            min_length,
            alignment,
            source_alignment: granule("source_alignment", &limits.source_alignment)?,
            destination_alignment: granule("destination_alignment", &limits.destination_alignment)?,
            length_alignment,
            max_burst_beats: number("max_burst_beats", &limits.max_burst_beats)?,
            max_transfers: positive("max_transfers", &limits.max_transfers)?.unwrap_or(1),
            completion: limits.completion,
        })
    }

    /// Length of the first piece of a transfer that the core takes at once: no longer than its longest transfer, no
    /// address of it beyond a boundary, and shorter if the rest were else too short. `None` if there is no such piece
    /// of whole granules.
    ///
    /// ```
    /// # use rebound_sim::limits::ResolvedLimits;
    /// # fn demo(limits: &ResolvedLimits, (src, dst, len): (u64, u64, u64)) -> Option<()> {
    /// let mut done = 0;
    /// while done < len {
    ///     done += limits.first_piece(&[src + done, dst + done], len - done)?;
    /// }
    /// # Some(())
    /// # }
    /// ```
    #[must_use]
    pub fn first_piece(&self, addresses: &[u64], left: u64) -> Option<u64> {
        let longest = left.min(self.max_length.unwrap_or(u64::MAX));
        let to_boundary =
            |address: &u64| self.boundary.map(|boundary| boundary - address % boundary);
        let piece = addresses
            .iter()
            .filter_map(to_boundary)
            .fold(longest, u64::min);
        let shortest = self.min_length.max(1);
        let piece = match left - piece {
            0 => piece,
            rest => piece - shortest.saturating_sub(rest).min(piece),
        };
        // Another piece begins where this one ends: at an address.
        let granule = if piece < left {
            let addresses = self.source_alignment.max(self.destination_alignment);
            addresses.max(self.length_alignment)
        } else {
            self.length_alignment
        };
        let piece = piece - piece % granule;
        (piece >= shortest).then_some(piece)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;

    fn limits(text: &str) -> Result<ResolvedLimits, ManifestError> {
        let text = format!("name = \"c\"\ntop = \"c\"\nclocks = [\"k\"]\n[limits]\n{text}");
        let manifest = Manifest::parse(Path::new("core.toml"), text).expect("a valid manifest");
        let parameters = Parameters::resolve(&manifest, &BTreeMap::new()).expect("none");
        ResolvedLimits::resolve(&manifest, &parameters)
    }

    fn pieces(limits: &ResolvedLimits, src: u64, dst: u64, len: u64) -> Vec<u64> {
        let mut pieces = Vec::new();
        let mut done = 0;
        while done < len {
            let piece = limits.first_piece(&[src + done, dst + done], len - done);
            pieces.push(piece.expect("whole granules"));
            done += pieces[pieces.len() - 1];
        }
        pieces
    }

    #[test]
    fn a_transfer_is_cut_at_the_longest_length_and_at_boundaries() {
        let limits = limits("length_bits = 10\nalignment = 8\nboundary = 4096").expect("valid");
        assert_eq!(limits.max_length, Some(1016), "1023, in whole granules");
        assert_eq!(pieces(&limits, 0, 0, 2000), [1016, 984]);
        assert_eq!(pieces(&limits, 4096 - 64, 0, 80), [64, 16]);
        assert_eq!(pieces(&limits, 0, 8192 - 8, 80), [8, 72]);
        assert_eq!(limits.first_piece(&[0], 7), None);
    }

    #[test]
    fn every_piece_begins_where_an_address_may_be() {
        let limits =
            limits("alignment = 8\nlength_alignment = 1\nmax_length = 1023").expect("valid");
        assert_eq!(limits.max_length, Some(1023));
        assert_eq!(pieces(&limits, 0, 0, 2045), [1016, 1016, 13]);
        assert_eq!(pieces(&limits, 0, 0, 1023), [1023]);
    }

    #[test]
    fn no_piece_is_shorter_than_the_shortest_transfer() {
        let limits = limits("min_length = 5000\nmax_length = 6000").expect("valid");
        assert_eq!(pieces(&limits, 0, 0, 10_500), [5500, 5000]);
        assert_eq!(pieces(&limits, 0, 0, 16_500), [6000, 5500, 5000]);
        assert_eq!(limits.first_piece(&[0], 8000), None, "4000 twice");
    }

    #[test]
    fn a_shortest_transfer_that_no_transfer_can_be_is_refused() {
        for (text, most) in [
            (
                "min_length = 9000\nmax_length = 6000",
                "6000 bytes, the longest transfer",
            ),
            (
                "min_length = 9000\nboundary = 4096",
                "4096 bytes, the boundary",
            ),
        ] {
            let wrong = limits(text).expect_err("contradictory").to_string();
            let expected =
                format!("core.toml:5: limits.min_length: expected at most {most}, got 9000");
            assert_eq!(wrong, expected);
        }
    }

    #[test]
    fn a_length_field_that_holds_no_granule_is_refused() {
        assert_eq!(
            limits("length_bits = 3\nlength_alignment = 16")
                .expect_err("7 bytes")
                .to_string(),
            "core.toml:5: limits.length_bits: expected room for one granule of 16 bytes, got at most 7 bytes"
        );
        let wrong = limits("length_bits = 65")
            .expect_err("too many")
            .to_string();
        assert!(
            wrong.ends_with("limits.length_bits: expected 1 to 64, got 65"),
            "{wrong}"
        );
    }
}
