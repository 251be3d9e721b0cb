//! The buffers of a run with their guards, and what each of their bytes should be.

use crate::pattern::{self, Kind};
use crate::violation::Place;

/// Guard bytes before and after each buffer.
pub const GUARD_BYTES: u64 = 64;

/// What a buffer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The device reads it.
    Source,
    /// The device writes it.
    Destination,
    /// Nobody lends it to the device: it stands for other people's memory.
    Bystander,
}

/// A buffer in host memory with guards on both sides.
#[derive(Debug, Clone)]
pub struct Buffer {
    /// Name used in messages.
    pub name: String,
    /// Physical address of its first byte.
    pub phys: u64,
    /// Length without guards.
    pub bytes: u64,
    /// What it is for.
    pub role: Role,
    /// Hash key of its patterns.
    pub salt: u64,
    /// Whether it lies in memory now: coherent memory does so from its allocation to its end.
    pub has_memory: bool,
    /// What guard, buffer and guard should hold.
    expected: Vec<u8>,
}

impl Buffer {
    /// Makes a buffer whose content is the pattern of its role.
    #[must_use]
    pub fn new(name: String, phys: u64, bytes: u64, role: Role, salt: u64) -> Self {
        let len = usize::try_from(bytes + 2 * GUARD_BYTES).expect("a buffer fits into memory");
        let mut expected = pattern::filled(Kind::Guard, salt, 0, len);
        let kind = match role {
            Role::Source | Role::Bystander => Kind::Source { round: 0 },
            Role::Destination => Kind::Background,
        };
        let guard = index(GUARD_BYTES);
        let end = len - guard;
        pattern::fill(kind, salt, 0, &mut expected[guard..end]);
        Self {
            name,
            phys,
            bytes,
            role,
            salt,
            has_memory: true,
            expected,
        }
    }

    /// Takes the buffer out of memory: its allocation says where it will lie.
    #[must_use]
    pub const fn without_memory(mut self) -> Self {
        self.has_memory = false;
        self
    }

    /// Physical address of the first guard byte.
    #[must_use]
    pub fn guarded_phys(&self) -> u64 {
        self.phys - GUARD_BYTES
    }

    /// Returns what guard, buffer and guard should hold.
    #[must_use]
    pub fn guarded(&self) -> &[u8] {
        &self.expected
    }

    /// Returns what `bytes` bytes from `offset` on should hold.
    #[must_use]
    pub fn content(&self, offset: u64, bytes: u64) -> &[u8] {
        let start = index(GUARD_BYTES + offset);
        &self.expected[start..start + index(bytes)]
    }

    /// Changes what the bytes from `offset` on should hold.
    pub fn expect(&mut self, offset: u64, content: &[u8]) {
        let start = index(GUARD_BYTES + offset);
        self.expected[start..start + content.len()].copy_from_slice(content);
    }

    /// Returns whether guard or buffer hold this physical address.
    #[must_use]
    pub fn guards(&self, phys: u64) -> bool {
        self.has_memory
            && (self.guarded_phys()..self.phys + self.bytes + GUARD_BYTES).contains(&phys)
    }

    /// Describes the byte at `offset` of the buffer, negative in the guard before it.
    #[must_use]
    pub fn place(&self, offset: i64) -> Place {
        Place {
            buffer: Some(self.name.clone()),
            offset,
            phys: self.phys.checked_add_signed(offset),
            dma: None,
            is_bounced: false,
        }
    }
}

/// Converts an address distance inside one buffer to an index.
pub(crate) fn index(bytes: u64) -> usize {
    usize::try_from(bytes).expect("a distance inside a buffer fits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guards_surround_the_content() {
        let mut buffer = Buffer::new("rx0".into(), 0x1000, 5, Role::Destination, 3);
        assert_eq!(buffer.guarded().len(), 133);
        assert_eq!(
            buffer.content(0, 5),
            pattern::filled(Kind::Background, 3, 0, 5)
        );
        buffer.expect(2, &[1, 2]);
        assert_eq!(buffer.content(2, 2), [1, 2]);
        assert!(buffer.guards(0x1000 - 64) && buffer.guards(0x1000 + 5 + 63));
        assert!(!buffer.guards(0x1000 + 5 + 64));
        assert_eq!(buffer.place(-1).phys, Some(0xfff));
    }
}
