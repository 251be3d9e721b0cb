//! What a driver may count on: the narrowest of what every end and every direction was measured to take.

use rebound_sim::manifest::Direction;
use serde::Serialize;

use crate::characterize::sheet::{BoundaryFate, Fate, Finding, Role, Sheet, Side};
use crate::characterize::words;

/// A value that held, and where it was measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bound<T> {
    /// The value.
    pub value: T,
    /// Nothing beyond it was tried, or could be: the core may go further.
    pub is_at_least: bool,
    /// The end or direction that it comes from, such as `copy source`.
    pub place: String,
    /// The probes that show it, a sentence each.
    pub evidence: Vec<String>,
}

impl<T: Copy> Bound<T> {
    /// The bound that a finding gives, if it found anything.
    pub(super) fn of(finding: &Finding<T>, place: impl Into<String>) -> Option<Self> {
        let (value, is_at_least, evidence) = match finding {
            Finding::Measured { value, evidence } => (*value, false, evidence),
            Finding::AtLeast { value, evidence } => (*value, true, evidence),
            Finding::Unknown { .. } => return None,
        };
        Some(Self {
            value,
            is_at_least,
            place: place.into(),
            evidence: evidence.clone(),
        })
    }
}

impl<T> Bound<T> {
    /// Returns `at least ` before a value that may be larger, else nothing.
    #[must_use]
    pub const fn prefix(&self) -> &'static str {
        if self.is_at_least { "at least " } else { "" }
    }
}

/// How far one end reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reach {
    /// The direction.
    pub direction: Direction,
    /// Which end of it.
    pub role: Role,
    /// Address bits below which every address reaches memory; none if that is not known.
    pub bits: Option<Bound<u32>>,
    /// What became of the first address bit that does not reach, if it was seen.
    pub beyond: Option<Fate>,
    /// Bits above the first dead one that do reach: addresses with a hole.
    pub beyond_gap: Vec<u32>,
    /// Smallest boundary that a transfer must not cross, and what became of one that did.
    pub boundary: Option<(u64, Fate)>,
}

/// The narrowest of everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Envelope {
    /// How far each end reaches.
    pub reaches: Vec<Reach>,
    /// Fewest address bits.
    pub address_bits: Option<Bound<u32>>,
    /// Smallest boundary that a transfer must not cross.
    pub boundary: Option<Bound<u64>>,
    /// Largest granule of source addresses.
    pub source_granule: Option<Bound<u64>>,
    /// Largest granule of destination addresses.
    pub destination_granule: Option<Bound<u64>>,
    /// Largest granule of lengths.
    pub length_granule: Option<Bound<u64>>,
    /// Shortest of the longest transfers.
    pub max_length: Option<Bound<u64>>,
    /// Ends whose reach is not known, with the reason.
    pub unknown_reach: Vec<String>,
}

impl Envelope {
    /// The narrowest of what `sheet` found.
    #[must_use]
    pub fn of(sheet: &Sheet) -> Self {
        let reaches: Vec<Reach> = sheet.sides.iter().map(|side| reach(sheet, side)).collect();
        let bits = reaches.iter().filter_map(|reach| reach.bits.clone());
        let boundaries = reaches.iter().filter_map(boundary_bound);
        let granules = |role| {
            let sides = sheet.sides.iter().filter(move |side| side.role == role);
            widest(sides.filter_map(|side| {
                Bound::of(&side.granule, words::place(side.direction, side.role))
            }))
        };
        let directions = || sheet.directions.iter();
        Self {
            address_bits: narrowest(bits),
            boundary: narrowest(boundaries),
            source_granule: granules(Role::Source),
            destination_granule: granules(Role::Destination),
            length_granule: widest(
                directions()
                    .filter_map(|facts| Bound::of(&facts.length_granule, facts.direction.name())),
            ),
            max_length: narrowest(
                directions()
                    .filter_map(|facts| Bound::of(&facts.max_length, facts.direction.name())),
            ),
            unknown_reach: sheet.sides.iter().filter_map(unknown_reach).collect(),
            reaches,
        }
    }

    /// Largest granule of addresses of either end; 1 if none was measured.
    #[must_use]
    pub fn address_granule(&self) -> u64 {
        let of = |bound: &Option<Bound<u64>>| bound.as_ref().map_or(1, |bound| bound.value);
        of(&self.source_granule).max(of(&self.destination_granule))
    }

    /// Most address bits of any end, where the ends differ.
    #[must_use]
    pub fn widest_reach(&self) -> Option<&Bound<u32>> {
        let bits = self.reaches.iter().filter_map(|reach| reach.bits.as_ref());
        let narrowest = self.address_bits.as_ref()?.value;
        bits.max_by_key(|bound| bound.value)
            .filter(|bound| bound.value > narrowest)
    }
}

/// The smallest bound; of equal ones the surer, then the first.
fn narrowest<T: Copy + Ord>(bounds: impl Iterator<Item = Bound<T>>) -> Option<Bound<T>> {
    bounds.min_by_key(|bound| (bound.value, bound.is_at_least))
}

/// The largest bound; of equal ones the surer, then the first.
fn widest(bounds: impl Iterator<Item = Bound<u64>>) -> Option<Bound<u64>> {
    bounds.min_by_key(|bound| (std::cmp::Reverse(bound.value), bound.is_at_least))
}

/// How far an end reaches: no further than its first dead bit, whatever lies beyond it.
fn reach(sheet: &Sheet, side: &Side) -> Reach {
    let granule = Bound::of(&side.granule, "").map_or(1, |bound| bound.value);
    // Bits within the granule are a matter of alignment.
    let is_dead = |bit: u32, fate: &Fate| {
        bit >= granule.trailing_zeros() && !matches!(fate, Fate::Reaches | Fate::NotTried { .. })
    };
    let dead = side.bits.iter().find(|bit| is_dead(bit.bit, &bit.fate));
    let place = words::place(side.direction, side.role);
    let mut bits = Bound::of(&side.address_bits, place);
    if let (Some(bound), Some(dead)) = (&mut bits, dead)
        && dead.bit < bound.value
    {
        bound.value = dead.bit;
        bound.is_at_least = false;
        let text = format!("bit {}: {}", dead.bit, words::fate(&dead.fate));
        bound.evidence.insert(0, text);
    }
    if let Some(bound) = &mut bits {
        settle_at_port(sheet, bound);
    }
    let first = bits.as_ref().map_or(u32::MAX, |bound| bound.value);
    let beyond_gap = dead.map_or_else(Vec::new, |dead| {
        let above = side.bits.iter().filter(|bit| bit.bit > dead.bit);
        let live = above.filter(|bit| bit.fate == Fate::Reaches);
        live.map(|bit| bit.bit).collect()
    });
    let beyond = side.bits.iter().find(|bit| bit.bit == first);
    Reach {
        direction: side.direction,
        role: side.role,
        boundary: broken_boundary(side, first).map(|broken| (broken.boundary, broken.fate.clone())),
        bits,
        beyond: beyond
            .map(|bit| bit.fate.clone())
            .filter(|fate| !matches!(fate, Fate::Reaches | Fate::NotTried { .. })),
        beyond_gap,
    }
}

/// Where a port has no further address bits, "at least" is all that there is.
fn settle_at_port(sheet: &Sheet, bound: &mut Bound<u32>) {
    let mut ports = sheet.core.managers.iter().map(|port| port.address_bits);
    if bound.value >= 64 {
        bound.is_at_least = false;
    } else if bound.is_at_least
        && let Some(first) = ports.next()
        && first == bound.value
        && ports.all(|bits| bits == first)
    {
        bound.is_at_least = false;
        bound.evidence.push(format!("AxADDR has {first} bits"));
    }
}

/// The smallest boundary that did not hold a transfer. One that lies at the end of what the core reaches tells of the
/// reach, not of a boundary.
fn broken_boundary(side: &Side, bits: u32) -> Option<&BoundaryFate> {
    let is_within = |boundary: u64| bits >= 64 || boundary < 1 << bits;
    side.boundaries.iter().find(|tried| {
        is_within(tried.boundary) && !matches!(tried.fate, Fate::Reaches | Fate::NotTried { .. })
    })
}

fn boundary_bound(reach: &Reach) -> Option<Bound<u64>> {
    let (boundary, fate) = reach.boundary.as_ref()?;
    let text = format!("across {}: {}", words::size(*boundary), words::fate(fate));
    Some(Bound {
        value: *boundary,
        is_at_least: false,
        place: words::place(reach.direction, reach.role),
        evidence: vec![text],
    })
}

fn unknown_reach(side: &Side) -> Option<String> {
    let Finding::Unknown { reason } = &side.address_bits else {
        return None;
    };
    let place = words::place(side.direction, side.role);
    Some(format!("{place}: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::characterize::fixtures;

    #[test]
    fn the_narrowest_end_decides() {
        let mut sheet = fixtures::sound();
        fixtures::truncate(&mut sheet, Role::Destination, 32);
        let envelope = Envelope::of(&sheet);
        let bits = envelope.address_bits.as_ref().expect("measured");
        assert_eq!((bits.value, bits.place.as_str()), (32, "copy destination"));
        assert_eq!(envelope.widest_reach().expect("the other").value, 40);
    }

    #[test]
    fn a_dead_bit_below_living_ones_ends_the_reach() {
        let mut sheet = fixtures::sound();
        fixtures::kill_bit(&mut sheet, Role::Source, 20);
        let envelope = Envelope::of(&sheet);
        assert_eq!(envelope.address_bits.expect("measured").value, 20);
        let source = &envelope.reaches[0];
        assert_eq!(source.beyond_gap.first(), Some(&21));
        assert!(matches!(source.beyond, Some(Fate::Goes { .. })));
    }

    #[test]
    fn bits_within_the_granule_are_no_matter_of_reach() {
        let mut sheet = fixtures::sound();
        fixtures::kill_bit(&mut sheet, Role::Source, 2);
        fixtures::align(&mut sheet, Role::Source, 8);
        assert_eq!(
            Envelope::of(&sheet).address_bits.expect("measured").value,
            40
        );
    }

    #[test]
    fn a_boundary_at_the_end_of_the_reach_is_none() {
        let mut sheet = fixtures::sound();
        fixtures::truncate(&mut sheet, Role::Source, 32);
        fixtures::wrap(&mut sheet, Role::Source, 1 << 32);
        assert_eq!(Envelope::of(&sheet).boundary, None);
        fixtures::wrap(&mut sheet, Role::Destination, 1 << 32);
        assert_eq!(
            Envelope::of(&sheet).boundary.expect("broken").value,
            1 << 32
        );
    }

    #[test]
    fn at_least_is_exact_where_the_port_ends() {
        let mut sheet = fixtures::sound();
        for side in &mut sheet.sides {
            side.address_bits = fixtures::at_least(40);
        }
        let bits = Envelope::of(&sheet).address_bits.expect("measured");
        assert!(!bits.is_at_least, "{bits:?}");
        sheet.core.managers[0].address_bits = 64;
        let bits = Envelope::of(&sheet).address_bits.expect("measured");
        assert!(bits.is_at_least, "{bits:?}");
    }
}
