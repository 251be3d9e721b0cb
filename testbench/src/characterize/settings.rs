//! What a Linux driver of the core has to set, as lines of C, each with the evidence that asks for it.

use serde::Serialize;

use crate::characterize::envelope::{Bound, Envelope};
use crate::characterize::sheet::Sheet;
use crate::characterize::words;
use crate::scenario::plan::low_bits;

/// Bits below which Linux refuses a mask on a machine whose DMA zone ends at 16 MiB (`ZONE_DMA`).
const ZONE_DMA_BITS: u32 = 24;
/// Longest segment if a driver sets none (`dma_get_max_seg_size`).
const DEFAULT_SEGMENT: u64 = 65_536;
/// Boundary mask if a driver sets none (`dma_get_seg_boundary`).
const DEFAULT_BOUNDARY_MASK: u64 = 0xffff_ffff;
/// Longest bounced mapping (`IO_TLB_SEGSIZE` slots).
const LONGEST_BOUNCED: u64 = swiotlb_limit(0);

/// A call that the driver makes when it takes the device (`probe`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// The Linux function.
    pub function: &'static str,
    /// The call, without `ret =` and `;`.
    pub call: String,
    /// Whether it returns an error that a driver must look at.
    pub can_fail: bool,
    /// The core may do better: the value is what was seen.
    pub is_conservative: bool,
    /// Why, a sentence each: what was measured, and what the call does.
    pub why: Vec<String>,
}

/// All calls, in the order in which a driver makes them. A call that would set the default is left out, unless a
/// measured limit needs it: then the default is named as such.
#[must_use]
pub fn settings(sheet: &Sheet, envelope: &Envelope) -> Vec<Setting> {
    let mut settings = masks(envelope);
    settings.extend(envelope.boundary.as_ref().map(segment_boundary));
    settings.extend(max_segment(envelope));
    settings.extend(min_align_mask(envelope));
    settings.extend(copy_align(sheet, envelope));
    settings
}

/// The masks. One mask serves all ends of a `struct device`, so it is that of the narrowest.
fn masks(envelope: &Envelope) -> Vec<Setting> {
    let Some(bits) = &envelope.address_bits else {
        return Vec::new();
    };
    let value = bits.value;
    let mut why = vec![format!(
        "{} reaches {}{value} address bits{}",
        bits.place,
        bits.prefix(),
        reason(bits)
    )];
    if bits.is_at_least {
        why.push("nothing beyond was tried or could be: the mask is what was seen".to_owned());
    }
    why.extend(gaps(envelope));
    if value < ZONE_DMA_BITS {
        why.push(format!(
            "Linux refuses a mask below DMA_BIT_MASK({ZONE_DMA_BITS}) unless all RAM lies below it: expect -EIO"
        ));
    } else if value < 32 {
        why.push(
            "below 32 bits Linux takes the mask only if a DMA zone or all RAM lies below it: expect -EIO elsewhere"
                .to_owned(),
        );
    }
    if value == 32 {
        why.push("32 bits are Linux's default, which drivers state all the same".to_owned());
    }
    why.extend(
        envelope
            .unknown_reach
            .iter()
            .map(|unknown| format!("the reach of {unknown}: it is not in the mask")),
    );
    let mask = format!("DMA_BIT_MASK({value})");
    let one = |function, why| Setting {
        function,
        call: format!("{function}(dev, {mask})"),
        can_fail: true,
        is_conservative: bits.is_at_least,
        why,
    };
    let Some(widest) = envelope.widest_reach() else {
        return vec![one("dma_set_mask_and_coherent", why)];
    };
    why.push(format!(
        "{} reaches {} bits, but a device has one streaming mask, whatever the direction: the narrowest end decides",
        widest.place, widest.value
    ));
    let coherent = vec![format!(
        "the same for coherent memory; memory that {} alone touches could lie below DMA_BIT_MASK({})",
        widest.place, widest.value
    )];
    vec![
        one("dma_set_mask", why),
        one("dma_set_coherent_mask", coherent),
    ]
}

fn gaps(envelope: &Envelope) -> Vec<String> {
    let text = |reach: &crate::characterize::envelope::Reach| {
        let dead = reach.bits.as_ref()?.value;
        let (first, last) = (reach.beyond_gap.first()?, reach.beyond_gap.last()?);
        let place = words::place(reach.direction, reach.role);
        Some(format!(
            "{place}: bit {dead} is dead though bits {first} to {last} above it reach; a mask has no holes, so it ends \
             below the first dead bit"
        ))
    };
    envelope.reaches.iter().filter_map(text).collect()
}

fn segment_boundary(bound: &Bound<u64>) -> Setting {
    let mask = bound.value - 1;
    let mut setting = Setting {
        function: "dma_set_seg_boundary",
        call: format!("dma_set_seg_boundary(dev, {mask:#x})"),
        can_fail: false,
        is_conservative: false,
        why: vec![
            format!(
                "{} does not take a transfer across {}{}",
                bound.place,
                words::size(bound.value),
                reason(bound)
            ),
            "bounce buffers and merged lists then keep within it; a buffer that is mapped directly may still cross it: \
             split it there"
                .to_owned(),
        ],
    };
    if mask == DEFAULT_BOUNDARY_MASK {
        let why = "this is Linux's default; it is stated since the core needs it";
        setting.why.push(why.to_owned());
    }
    setting
}

/// The longest segment, in whole granules of lengths and, as the next one begins where it ends, of addresses.
#[must_use]
pub fn longest_segment(envelope: &Envelope) -> Option<u64> {
    let longest = envelope.max_length.as_ref()?.value;
    let granule = envelope.length_granule.as_ref().map_or(1, |one| one.value);
    let granule = granule.max(envelope.address_granule());
    // The kernel keeps it as an unsigned int.
    let longest = longest.min(u64::from(u32::MAX));
    Some(longest - longest % granule.max(1))
}

fn max_segment(envelope: &Envelope) -> Option<Setting> {
    let bound = envelope.max_length.as_ref()?;
    let longest = longest_segment(envelope).filter(|longest| *longest != DEFAULT_SEGMENT)?;
    let mut why = vec![format!(
        "{} moves {}{} in one transfer{}",
        bound.place,
        bound.prefix(),
        words::size(bound.value),
        reason(bound)
    )];
    if longest < bound.value {
        why.push(format!(
            "{longest} is the most in whole granules and 32 bits"
        ));
    }
    why.push(if longest < DEFAULT_SEGMENT {
        "without it, lists come in segments of up to 64 KiB; a single mapping must be split by the driver".to_owned()
    } else {
        "without it, lists are cut into segments of 64 KiB".to_owned()
    });
    if longest < 4096 {
        why.push("less than a page: the block layer takes no such device".to_owned());
    }
    Some(Setting {
        function: "dma_set_max_seg_size",
        call: format!("dma_set_max_seg_size(dev, {longest})"),
        can_fail: false,
        is_conservative: bound.is_at_least,
        why,
    })
}

fn min_align_mask(envelope: &Envelope) -> Option<Setting> {
    let granule = envelope.address_granule();
    let ends = [&envelope.source_granule, &envelope.destination_granule];
    let bound = ends
        .into_iter()
        .flatten()
        .find(|one| one.value == granule && granule > 1)?;
    let mask = granule - 1;
    let limit = swiotlb_limit(mask);
    Some(Setting {
        function: "dma_set_min_align_mask",
        call: format!("dma_set_min_align_mask(dev, {mask:#x})"),
        can_fail: false,
        is_conservative: bound.is_at_least,
        why: vec![
            format!(
                "{} takes addresses at multiples of {}{}",
                bound.place,
                words::size(granule),
                reason(bound)
            ),
            if mask < swiotlb::SLOT_BYTES {
                "bounce buffers then keep these low bits of the original; without it they begin at multiples of 2 KiB, \
                 aligned even where the original is not, so that an error of the driver shows only unbounced"
                    .to_owned()
            } else {
                "bounce buffers then keep these low bits of the original; without it they begin at multiples of 2 KiB, \
                 which this core does not take"
                    .to_owned()
            },
            format!("the longest bounced mapping falls from {LONGEST_BOUNCED} to {limit} bytes"),
        ],
    })
}

/// `copy_align` of a dmaengine driver, which has no other word for a granule.
fn copy_align(sheet: &Sheet, envelope: &Envelope) -> Option<Setting> {
    use rebound_sim::manifest::Direction;
    let copies = sheet
        .directions
        .iter()
        .any(|facts| facts.direction == Direction::Copy);
    let length = envelope.length_granule.as_ref().map_or(1, |one| one.value);
    let granule = envelope.address_granule().max(length);
    if !copies || !(2..=256).contains(&granule) || !granule.is_power_of_two() {
        return None;
    }
    Some(Setting {
        function: "copy_align",
        call: format!("dma_dev->copy_align = DMAENGINE_ALIGN_{granule}_BYTES"),
        can_fail: false,
        is_conservative: false,
        why: vec![format!(
            "in a dmaengine driver: source, destination and length of a copy are multiples of {}",
            words::size(granule)
        )],
    })
}

/// Longest mapping that bounces under a `min_align_mask` (`swiotlb_max_mapping_size`).
#[must_use]
pub const fn swiotlb_limit(min_align_mask: u64) -> u64 {
    let kept = min_align_mask.next_multiple_of(swiotlb::SLOT_BYTES);
    (128 * swiotlb::SLOT_BYTES).saturating_sub(kept)
}

/// The streaming mask that the settings make.
#[must_use]
pub fn dma_mask(envelope: &Envelope) -> Option<u64> {
    let bits = envelope.address_bits.as_ref()?;
    Some(low_bits(bits.value))
}

/// The first evidence, in parentheses: what held, and what did not.
fn reason<T>(bound: &Bound<T>) -> String {
    let evidence = bound.evidence.iter().take(2).map(String::as_str);
    let text = evidence.collect::<Vec<_>>().join("; ");
    if text.is_empty() {
        text
    } else {
        format!(" ({text})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::characterize::fixtures;
    use crate::characterize::sheet::Role;

    fn of(sheet: &Sheet) -> Vec<Setting> {
        settings(sheet, &Envelope::of(sheet))
    }

    fn calls(sheet: &Sheet) -> Vec<String> {
        of(sheet).into_iter().map(|setting| setting.call).collect()
    }

    /// The core of 40 bits with the default segment, so that only what a test changes is left.
    fn plain() -> Sheet {
        let mut sheet = fixtures::sound();
        sheet.directions[0].max_length = fixtures::measured(65_536);
        sheet
    }

    #[test]
    fn a_default_that_a_limit_needs_is_stated_as_one() {
        let whys = |sheet: &Sheet| {
            let all = settings(sheet, &Envelope::of(sheet)).into_iter();
            all.flat_map(|one| one.why).collect::<Vec<_>>().join("; ")
        };
        let mut sheet = fixtures::sound();
        assert!(!whys(&sheet).contains("Linux's default"));
        fixtures::wrap(&mut sheet, Role::Source, 1 << 32);
        assert!(whys(&sheet).contains("this is Linux's default"));
        let mut sheet = fixtures::sound();
        fixtures::truncate(&mut sheet, Role::Source, 32);
        assert!(whys(&sheet).contains("32 bits are Linux's default"));
    }

    #[test]
    fn equal_ends_share_one_call_for_both_masks() {
        let found = of(&plain());
        assert_eq!(found.len(), 1, "defaults are left out: {found:#?}");
        assert_eq!(
            found[0].call,
            "dma_set_mask_and_coherent(dev, DMA_BIT_MASK(40))"
        );
        assert!(found[0].can_fail && !found[0].is_conservative);
    }

    #[test]
    fn ends_that_differ_have_the_narrowest_mask_and_are_told_why() {
        let mut sheet = plain();
        fixtures::truncate(&mut sheet, Role::Destination, 32);
        let found = of(&sheet);
        assert_eq!(found[0].call, "dma_set_mask(dev, DMA_BIT_MASK(32))");
        assert_eq!(
            found[1].call,
            "dma_set_coherent_mask(dev, DMA_BIT_MASK(32))"
        );
        assert!(found[0].why[0].starts_with("copy destination reaches 32 "));
        assert!(found[0].why.join("\n").contains("one streaming mask"));
        assert!(found[1].why[0].contains("DMA_BIT_MASK(40)"));
    }

    #[test]
    fn a_hole_ends_the_mask_below_the_first_dead_bit() {
        let mut sheet = plain();
        for role in [Role::Source, Role::Destination] {
            fixtures::kill_bit(&mut sheet, role, 30);
        }
        let found = of(&sheet);
        assert_eq!(
            found[0].call,
            "dma_set_mask_and_coherent(dev, DMA_BIT_MASK(30))"
        );
        let why = found[0].why.join("\n");
        assert!(why.contains("bit 30 is dead though bits 31 to 39"), "{why}");
        assert!(why.contains("DMA zone"), "{why}");
    }

    #[test]
    fn a_mask_below_the_dma_zone_is_told_to_fail() {
        let mut sheet = plain();
        for role in [Role::Source, Role::Destination] {
            fixtures::kill_bit(&mut sheet, role, 20);
        }
        assert!(of(&sheet)[0].why.join("\n").contains("DMA_BIT_MASK(24)"));
    }

    #[test]
    fn at_least_is_set_and_told_to_be_conservative() {
        let mut sheet = plain();
        sheet.core.managers[0].address_bits = 64;
        for side in &mut sheet.sides {
            side.address_bits = fixtures::at_least(40);
        }
        let found = of(&sheet);
        assert!(found[0].is_conservative);
        assert!(found[0].why[0].contains("at least 40"));
    }

    #[test]
    fn a_wrap_at_4_gib_or_64_kib_sets_the_segment_boundary() {
        let mut sheet = plain();
        fixtures::wrap(&mut sheet, Role::Source, 1 << 32);
        assert!(calls(&sheet).contains(&"dma_set_seg_boundary(dev, 0xffffffff)".to_owned()));
        assert!(
            calls(&fixtures::wrapping()).contains(&"dma_set_seg_boundary(dev, 0xffff)".to_owned())
        );
    }

    #[test]
    fn the_longest_transfer_is_the_segment_in_whole_granules() {
        assert!(calls(&fixtures::sound()).contains(&"dma_set_max_seg_size(dev, 65535)".to_owned()));
        let mut sheet = plain();
        sheet.directions[0].max_length = fixtures::measured(1023);
        sheet.directions[0].length_granule = fixtures::measured(8);
        let found = of(&sheet);
        let segment = found
            .iter()
            .find(|setting| setting.function == "dma_set_max_seg_size")
            .expect("it is not the default");
        assert_eq!(segment.call, "dma_set_max_seg_size(dev, 1016)");
        assert!(segment.why.join("\n").contains("less than a page"));
        let mut odd = plain();
        fixtures::align(&mut odd, Role::Destination, 8);
        odd.directions[0].max_length = fixtures::measured(1023);
        let whole = "dma_set_max_seg_size(dev, 1016)".to_owned();
        assert!(calls(&odd).contains(&whole), "the next one begins there");
        sheet.directions[0].max_length = fixtures::at_least(1 << 40);
        let huge = "dma_set_max_seg_size(dev, 4294967288)".to_owned();
        sheet.directions[0].length_granule = fixtures::measured(8);
        assert!(!calls(&sheet).contains(&"dma_set_max_seg_size(dev, 1099511627776)".to_owned()));
        assert!(
            calls(&sheet).contains(&huge),
            "whole granules below 4 GiB: {:?}",
            calls(&sheet)
        );
    }

    #[test]
    fn a_granule_sets_the_align_mask_and_the_dmaengine_field() {
        let mut sheet = plain();
        fixtures::align(&mut sheet, Role::Destination, 8);
        let found = of(&sheet);
        assert_eq!(found[1].call, "dma_set_min_align_mask(dev, 0x7)");
        assert!(found[1].why[1].contains("shows only unbounced"));
        assert!(found[1].why[2].contains("from 262144 to 260096"));
        fixtures::align(&mut sheet, Role::Source, 4096);
        assert_eq!(of(&sheet)[1].call, "dma_set_min_align_mask(dev, 0xfff)");
        assert!(of(&sheet)[1].why[1].contains("does not take"));
        fixtures::align(&mut sheet, Role::Source, 8);
        let found = of(&sheet);
        assert_eq!(
            found[2].call,
            "dma_dev->copy_align = DMAENGINE_ALIGN_8_BYTES"
        );
    }
}
