//! Confidential computing: which memory a device may see, and how an address says so.

/// A bit by which an address tells shared from private memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AddressMarker {
    /// Both forms of an address are equal.
    #[default]
    None,
    /// The encrypted form carries this bit (AMD memory encryption).
    Encrypted(u8),
    /// The unencrypted form carries this bit (arm64 realms).
    Unencrypted(u8),
}

/// Whether, and on which side, memory is encrypted.
#[doc(alias = "cc_platform_has")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CcPlatform {
    /// No memory encryption.
    #[default]
    None,
    /// A confidential guest: devices reach shared pages only.
    Guest(AddressMarker),
    /// A host with memory encryption: devices whose mask lacks the encryption bit need
    /// unencrypted memory.
    Host {
        /// Position of the encryption bit.
        encryption_bit: u8,
    },
}

impl CcPlatform {
    /// Returns whether memory is encrypted at all.
    #[must_use]
    pub const fn is_active(self) -> bool {
        !matches!(self, Self::None)
    }

    /// Returns the bits that the encrypted (`shared` false) or unencrypted form of an address has.
    pub(crate) const fn marker_bits(self, shared: bool) -> u64 {
        let marker = match self {
            Self::None => AddressMarker::None,
            Self::Guest(marker) => marker,
            Self::Host { encryption_bit } => AddressMarker::Encrypted(encryption_bit),
        };
        match marker {
            AddressMarker::Encrypted(bit) if !shared && bit < 64 => 1 << bit,
            AddressMarker::Unencrypted(bit) if shared && bit < 64 => 1 << bit,
            _ => 0,
        }
    }

    /// Returns the bits that translation back to a physical address drops.
    pub(crate) const fn all_marker_bits(self) -> u64 {
        self.marker_bits(false) | self.marker_bits(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form_of_an_address_carries_the_marker() {
        let host = CcPlatform::Host { encryption_bit: 47 };
        assert_eq!(host.marker_bits(false), 1 << 47);
        assert_eq!(host.marker_bits(true), 0);
        let realm = CcPlatform::Guest(AddressMarker::Unencrypted(51));
        assert_eq!(realm.marker_bits(true), 1 << 51);
        assert_eq!(realm.marker_bits(false), 0);
        assert_eq!(CcPlatform::None.all_marker_bits(), 0);
    }
}
