//! A descriptor of the engine's rings, 16 bytes of memory: `rtl/README.md`, "Descriptor rings".

/// Bytes of a descriptor.
pub const BYTES: u64 = 16;
/// Where the engine writes back: the count of bytes, then the status, 4 bytes each.
pub const WRITE_BACK: u64 = 8;

/// Flag: the packet goes on with the next descriptor.
pub const MORE: u32 = 1 << 0;
/// Flag: interrupt when the descriptor is written back.
pub const IRQ: u32 = 1 << 1;

/// Status: there was an error, its kind in bits 11:8.
pub const ERROR: u32 = 1 << 2;
/// Status: the length was 0, nothing was transferred.
pub const ZERO_LENGTH: u32 = 1 << 3;
/// Status: a packet ended here.
pub const PACKET_END: u32 = 1 << 4;
/// Status: the engine has been here.
pub const DONE: u32 = 1 << 31;

/// Returns a descriptor as it lies in memory, of `length` bytes at `addr`.
#[must_use]
pub fn encode(addr: u64, length: u32, flags: u32) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&addr.to_le_bytes());
    bytes[8..12].copy_from_slice(&length.to_le_bytes());
    bytes[12..].copy_from_slice(&flags.to_le_bytes());
    bytes
}
