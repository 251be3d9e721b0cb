//! Judges a byte in memory by what it claims to be.

use super::explain::place_text;
use super::{Buffer, Entry, GUARD_BYTES, Role};
use crate::pattern::Kind;
use crate::violation::{Check, Place, Violation};

/// Describes the first wrong byte of a section of a buffer, guards included.
pub(super) fn buffer_violation(
    buffer: &Buffer,
    found: &[u8],
    at: usize,
    is_content: bool,
    wrong: usize,
    entry: Option<&Entry>,
    cycle: u64,
) -> Violation {
    let offset = at as i64 - GUARD_BYTES.cast_signed();
    let (right, byte) = (buffer.guarded()[at], found[at]);
    let in_mapping = entry.and_then(|entry| {
        let position = offset.checked_sub_unsigned(entry.mapping.offset)?;
        usize::try_from(position)
            .ok()
            .filter(|position| (*position as u64) < entry.bytes)
            .map(|position| (entry, position))
    });
    let was_written = in_mapping.is_some_and(|(entry, position)| entry.written.get(position));
    // Without a bounce buffer there is nothing to sync: what the device wrote is what the CPU sees.
    let is_bounced = entry.is_some_and(|entry| entry.mapping.is_bounced);
    let (check, what) = if !is_content {
        (Check::Guard, "overwritten outside its buffer")
    } else if buffer.role == Role::Bystander {
        (Check::Guard, "overwritten though nobody lent it")
    } else if buffer.role == Role::Source {
        (Check::SourceOverwritten, "overwritten in a source")
    } else if was_written && is_bounced {
        (
            Check::Stale,
            "written by the device but not seen by the CPU, no sync for the CPU",
        )
    } else if Kind::claimed_by(byte) == "background" {
        (Check::NotWritten, "not written")
    } else {
        (Check::Data, "wrong in memory")
    };
    let place = Place {
        dma: in_mapping
            .map(|(entry, position)| entry.mapping.dma.raw().wrapping_add(position as u64)),
        is_bounced,
        ..buffer.place(offset)
    };
    let more = if wrong > 1 {
        format!(" and {} more bytes", wrong - 1)
    } else {
        String::new()
    };
    Violation {
        check,
        cycle: Some(cycle),
        transfer: entry.map(|entry| entry.mapping.transfer),
        text: format!(
            "{} {what}: expected {right:#04x}, found {} {byte:#04x}{more}",
            place_text(&place),
            Kind::claimed_by(byte),
        ),
        place: Some(place),
    }
}
