//! The core as Rebound takes it: `[limits]` of a manifest as measured, and the limits of a device.

use std::fmt::Write as _;

use rebound_sim::limits::ResolvedLimits;
use rebound_sim::manifest::CompletionOrder;
use serde::Serialize;

use crate::characterize::envelope::{Bound, Envelope};
use crate::characterize::settings::{dma_mask, longest_segment};
use crate::characterize::sheet::{BurstFacts, DirectionFacts, Fate, Sheet};
use crate::scenario::plan::{DeviceLimits, low_bits};

/// The core as measured. What was not measured is as declared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Preset {
    /// The limits of a manifest.
    pub limits: ResolvedLimits,
    /// What a driver declares (`struct device`).
    pub device: DeviceLimits,
    /// Longest segment (`max_segment_size`); none if the longest transfer is not known.
    pub max_segment_bytes: Option<u64>,
    /// The limits as the table of a manifest, with a comment where a value was not measured in full.
    pub toml: String,
}

/// Where a value of the table comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Measured,
    AtLeast,
    Declared,
}

impl Source {
    const fn of<T>(bound: Option<&Bound<T>>) -> Self {
        match bound {
            Some(bound) if bound.is_at_least => Self::AtLeast,
            Some(_) => Self::Measured,
            None => Self::Declared,
        }
    }

    const fn comment(self) -> &'static str {
        match self {
            Self::Measured => "",
            Self::AtLeast => "at least: nothing beyond was tried",
            Self::Declared => "not measured: as declared",
        }
    }
}

impl Preset {
    /// The preset of a sheet.
    #[must_use]
    pub fn of(sheet: &Sheet, envelope: &Envelope) -> Self {
        let declared = &sheet.declared;
        let value = |bound: &Option<Bound<u64>>, otherwise| {
            bound.as_ref().map_or(otherwise, |bound| bound.value)
        };
        let source = value(&envelope.source_granule, declared.source_alignment);
        let destination = value(
            &envelope.destination_granule,
            declared.destination_alignment,
        );
        let length = value(&envelope.length_granule, declared.length_alignment);
        let bits = envelope.address_bits.as_ref();
        let max_length = envelope.max_length.as_ref().map(|bound| bound.value);
        let limits = ResolvedLimits {
            address_bits: bits.map_or(declared.address_bits, |bound| bound.value),
            boundary: boundary(sheet, envelope),
            max_length: max_length
                .or(declared.max_length)
                .map(|longest| longest - longest % length.max(1)),
            min_length: min_length(sheet),
            alignment: most_common([source, destination, length]),
            source_alignment: source,
            destination_alignment: destination,
            length_alignment: length,
            max_burst_beats: longest_burst(sheet).or(declared.max_burst_beats),
            max_transfers: declared.max_transfers,
            completion: declared.completion,
        };
        let device = DeviceLimits {
            dma_mask: dma_mask(envelope).unwrap_or_else(|| low_bits(declared.address_bits)),
            min_align_mask: u32::try_from(source.max(destination) - 1).unwrap_or(u32::MAX),
            segment_boundary_mask: limits.boundary.map_or(u64::MAX, |boundary| boundary - 1),
            ..DeviceLimits::bits(64)
        };
        Self {
            toml: toml(sheet, envelope, &limits),
            limits,
            device,
            max_segment_bytes: longest_segment(envelope),
        }
    }
}

impl Preset {
    /// The limits of a device as JSON, as a plan of `rebound list --plan` has them, with the longest segment.
    #[must_use]
    pub fn device_json(&self) -> serde_json::Value {
        let mut device = serde_json::json!(self.device);
        device["max_segment_bytes"] = serde_json::json!(self.max_segment_bytes);
        device
    }
}

/// The smallest boundary that broke; without one, the declared one unless it was seen to be crossed.
fn boundary(sheet: &Sheet, envelope: &Envelope) -> Option<u64> {
    if let Some(broken) = &envelope.boundary {
        return Some(broken.value);
    }
    let declared = sheet.declared.boundary?;
    let crossed = sheet.sides.iter().all(|side| {
        side.boundaries
            .iter()
            .any(|tried| tried.boundary == declared && tried.fate == Fate::Reaches)
    });
    (!crossed || sheet.sides.is_empty()).then_some(declared)
}

/// 0 where a transfer of no bytes was done, else the longest of the shortest ones.
fn min_length(sheet: &Sheet) -> u64 {
    let directions = &sheet.directions;
    let is_done = |fate: &Fate| *fate == Fate::Reaches;
    let is_tried = |fate: &Fate| !matches!(fate, Fate::NotTried { .. });
    let declared = sheet.declared.min_length;
    let of = |facts: &DirectionFacts| {
        let found = Bound::of(&facts.min_length, "").map(|bound| bound.value);
        // A granule is the shortest of its own accord, which no manifest has to say.
        let granule = Bound::of(&facts.length_granule, "").map_or(1, |bound| bound.value);
        found.map(|shortest| if shortest <= granule { 1 } else { shortest })
    };
    let shortest = directions.iter().filter_map(of).max();
    let takes_none = directions.iter().all(|facts| is_done(&facts.zero_length));
    let refuses_none = directions
        .iter()
        .any(|facts| is_tried(&facts.zero_length) && !is_done(&facts.zero_length));
    match shortest {
        Some(1) if takes_none => 0,
        Some(shortest) => shortest,
        None if refuses_none => declared.max(1),
        None => declared,
    }
}

fn longest_burst(sheet: &Sheet) -> Option<u64> {
    let ways = sheet.directions.iter();
    let bursts = ways.flat_map(|facts| [facts.reads.as_ref(), facts.writes.as_ref()]);
    let beats = |bursts: &BurstFacts| u64::from(bursts.longest_beats);
    bursts.flatten().map(beats).max().filter(|beats| *beats > 0)
}

/// The granule that most of the three have, so that fewest fields are needed; the largest if all differ.
fn most_common(granules: [u64; 3]) -> u64 {
    let count = |value: &u64| granules.iter().filter(|other| *other == value).count();
    granules
        .into_iter()
        .max_by_key(|value| (count(value), *value))
        .unwrap_or(1)
}

/// The table, ready to stand in a manifest.
fn toml(sheet: &Sheet, envelope: &Envelope, limits: &ResolvedLimits) -> String {
    let mut text = String::from("[limits]\n");
    let mut line = |field: &str, value: String, source: Source| {
        let comment = source.comment();
        let comment = if comment.is_empty() {
            String::new()
        } else {
            format!("  # {comment}")
        };
        let _ = writeln!(text, "{field} = {value}{comment}");
    };
    let bits = Source::of(envelope.address_bits.as_ref());
    line("address_bits", limits.address_bits.to_string(), bits);
    if let Some(boundary) = limits.boundary {
        let source = Source::of(envelope.boundary.as_ref());
        line("boundary", boundary.to_string(), source);
    }
    if let Some(longest) = limits.max_length {
        let source = Source::of(envelope.max_length.as_ref());
        line("max_length", longest.to_string(), source);
    }
    if limits.min_length != 1 {
        line(
            "min_length",
            limits.min_length.to_string(),
            Source::Measured,
        );
    }
    let granules = [
        (
            "source_alignment",
            limits.source_alignment,
            &envelope.source_granule,
        ),
        (
            "destination_alignment",
            limits.destination_alignment,
            &envelope.destination_granule,
        ),
        (
            "length_alignment",
            limits.length_alignment,
            &envelope.length_granule,
        ),
    ];
    if limits.alignment != 1 {
        let common = granules.iter().find(|(_, own, _)| *own == limits.alignment);
        let source = common.map_or(Source::Declared, |(_, _, bound)| Source::of(bound.as_ref()));
        line("alignment", limits.alignment.to_string(), source);
    }
    for (field, own, bound) in granules {
        if own != limits.alignment {
            line(field, own.to_string(), Source::of(bound.as_ref()));
        }
    }
    if let Some(beats) = limits.max_burst_beats {
        let source = if longest_burst(sheet).is_some() {
            Source::Measured
        } else {
            Source::Declared
        };
        line("max_burst_beats", beats.to_string(), source);
    }
    if limits.max_transfers != 1 {
        line(
            "max_transfers",
            limits.max_transfers.to_string(),
            Source::Declared,
        );
    }
    if limits.completion != CompletionOrder::InOrder {
        line("completion", "\"any_order\"".to_owned(), Source::Declared);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use rebound_sim::manifest::Manifest;
    use rebound_sim::parameters::Parameters;

    use super::*;
    use crate::characterize::fixtures;
    use crate::characterize::sheet::{Finding, Role};

    fn of(sheet: &Sheet) -> Preset {
        Preset::of(sheet, &Envelope::of(sheet))
    }

    /// The limits that a manifest with this table has.
    fn read(toml: &str) -> ResolvedLimits {
        let text = format!("name = \"c\"\ntop = \"c\"\nclocks = [\"k\"]\n{toml}");
        let manifest = Manifest::parse(Path::new("core.toml"), text).expect("a valid manifest");
        let parameters = Parameters::resolve(&manifest, &BTreeMap::new()).expect("none");
        ResolvedLimits::resolve(&manifest, &parameters).expect("valid limits")
    }

    #[test]
    fn the_table_reads_back_as_the_limits_that_were_measured() {
        let mut aligned = fixtures::truncating();
        fixtures::align(&mut aligned, Role::Source, 8);
        fixtures::wrap(&mut aligned, Role::Destination, 1 << 16);
        aligned.directions[0].length_granule = fixtures::measured(4);
        aligned.declared.completion = CompletionOrder::AnyOrder;
        aligned.declared.max_transfers = 8;
        for sheet in [fixtures::sound(), fixtures::truncating(), aligned] {
            let preset = of(&sheet);
            assert_eq!(read(&preset.toml), preset.limits, "{}", preset.toml);
        }
    }

    #[test]
    fn a_device_is_limited_as_its_narrowest_end() {
        let mut sheet = fixtures::wrapping();
        fixtures::truncate(&mut sheet, Role::Destination, 32);
        fixtures::align(&mut sheet, Role::Source, 16);
        let preset = of(&sheet);
        let device = DeviceLimits {
            dma_mask: 0xffff_ffff,
            min_align_mask: 15,
            segment_boundary_mask: 0xffff,
            ..DeviceLimits::bits(32)
        };
        assert_eq!(preset.device, device);
        assert_eq!(preset.max_segment_bytes, Some(65_520));
        let json = preset.device_json();
        assert_eq!(json["dma_mask"], 0xffff_ffff_u64);
        assert_eq!(json["max_segment_bytes"], 65_520);
    }

    #[test]
    fn what_is_not_known_in_full_is_said_beside_it() {
        let mut sheet = fixtures::sound();
        sheet.directions[0].max_length = fixtures::at_least(1 << 20);
        for side in &mut sheet.sides {
            side.address_bits = Finding::Unknown {
                reason: "no memory there".into(),
            };
        }
        let toml = of(&sheet).toml;
        assert!(toml.contains("max_length = 1048576  # at least"), "{toml}");
        assert!(
            toml.contains("address_bits = 40  # not measured: as declared"),
            "{toml}"
        );
    }

    #[test]
    fn a_declared_boundary_stays_unless_both_ends_cross_it() {
        let mut sheet = fixtures::sound();
        sheet.declared.boundary = Some(4096);
        assert_eq!(of(&sheet).limits.boundary, None);
        sheet.sides[1].boundaries.clear();
        assert_eq!(of(&sheet).limits.boundary, Some(4096));
    }

    #[test]
    fn the_shortest_transfer_is_told_unless_it_is_the_granule() {
        let mut sheet = fixtures::sound();
        sheet.directions[0].length_granule = fixtures::measured(4);
        sheet.directions[0].min_length = fixtures::measured(4);
        assert_eq!(of(&sheet).limits.min_length, 1);
        sheet.directions[0].min_length = fixtures::measured(16);
        assert_eq!(of(&sheet).limits.min_length, 16);
        assert!(of(&sheet).toml.contains("\nmin_length = 16\n"));
    }

    #[test]
    fn a_transfer_of_no_bytes_is_allowed_where_it_was_done() {
        let mut sheet = fixtures::sound();
        sheet.directions[0].zero_length = Fate::Reaches;
        assert_eq!(of(&sheet).limits.min_length, 0);
        sheet.directions[0].zero_length = Fate::Corrupts {
            what: "a byte was written".into(),
        };
        sheet.declared.min_length = 0;
        assert_eq!(of(&sheet).limits.min_length, 1);
    }
}
