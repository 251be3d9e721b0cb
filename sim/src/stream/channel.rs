//! Channels of named fields: descriptors pushed into the core, status popped from it.

use super::{Packet, StreamSink, StreamSource};
use crate::clock::WaitTimeout;
use crate::host::Host;
use crate::interfaces::ChannelPort;
use crate::manifest::low_mask;

/// A beat that could not be pushed or popped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChannelError {
    /// The core did not take it, or sent none, in time.
    #[error("channel {channel}: {timeout}")]
    Timeout {
        /// Channel.
        channel: String,
        /// What was waited for, and how long.
        timeout: WaitTimeout,
    },
    /// The channel has no such field.
    #[error("channel {channel}: expected a field of {}, got `{field}`", known.join(", "))]
    NoField {
        /// Channel.
        channel: String,
        /// The field that was named.
        field: String,
        /// Fields that it has.
        known: Vec<String>,
    },
    /// A value that its field has no room for.
    #[error("channel {channel}: expected a value of {bits} bits for field {field}, got {value:#x}")]
    TooWide {
        /// Channel.
        channel: String,
        /// Field.
        field: String,
        /// Its bits.
        bits: u32,
        /// The value.
        value: u64,
    },
    /// Pushing to a channel that the core sends on, or popping from one that it receives on.
    #[error("channel {channel}: the core {} on it", if *from_core { "sends" } else { "receives" })]
    WrongWay {
        /// Channel.
        channel: String,
        /// The core sends.
        from_core: bool,
    },
}

/// A beat of a channel: the values of its fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beat {
    fields: Vec<(String, u64)>,
}

impl Beat {
    /// The value of a field, if the channel has it.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<u64> {
        let mut fields = self.fields.iter();
        fields
            .find(|(name, _)| name == field)
            .map(|(_, value)| *value)
    }

    /// All fields with their values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.fields
            .iter()
            .map(|(name, value)| (name.as_str(), *value))
    }
}

/// A channel of named fields, as a task holds it.
#[derive(Debug, Clone)]
pub struct Channel {
    host: Host,
    index: usize,
}

impl Channel {
    pub(crate) const fn new(host: Host, index: usize) -> Self {
        Self { host, index }
    }

    /// Returns its name, direction and fields.
    #[must_use]
    pub fn port(&self) -> &ChannelPort {
        &self.host.shared().channels[self.index]
    }

    /// Pushes a beat, and waits, at most `limit` cycles, until the core has taken it. Fields not named are 0.
    ///
    /// # Errors
    /// If a field does not exist or has no room, or the core does not take the beat in time.
    pub async fn push(&self, values: &[(&str, u64)], limit: u64) -> Result<(), ChannelError> {
        let port = self.port();
        self.check_way(false)?;
        let packet = Packet::new(pack(port, values)?);
        let source = StreamSource::new(self.host.clone(), port.stream);
        source
            .send(packet, limit)
            .await
            .map_err(|timeout| self.timeout(timeout))
    }

    /// Waits, at most `limit` cycles, for the next beat of the core.
    ///
    /// # Errors
    /// If none came in time.
    pub async fn pop(&self, limit: u64) -> Result<Beat, ChannelError> {
        self.check_way(true)?;
        let packet = self.sink().recv(limit).await;
        let packet = packet.map_err(|timeout| self.timeout(timeout))?;
        Ok(unpack(self.port(), &packet.data))
    }

    /// Takes the next beat, if one has come.
    #[must_use]
    pub fn try_pop(&self) -> Option<Beat> {
        let port = self.port();
        let packet = port.from_core.then(|| self.sink().try_recv())??;
        Some(unpack(port, &packet.data))
    }

    /// Bits of a field; `None` if there is no such field.
    #[must_use]
    pub fn field_bits(&self, name: &str) -> Option<u32> {
        let mut fields = self.port().fields.iter();
        let (_, bits) = fields.find(|(field, _)| field == name)?;
        Some(bits.width())
    }

    fn sink(&self) -> StreamSink {
        StreamSink::new(self.host.clone(), self.port().stream)
    }

    fn check_way(&self, from_core: bool) -> Result<(), ChannelError> {
        let port = self.port();
        if port.from_core == from_core {
            return Ok(());
        }
        Err(ChannelError::WrongWay {
            channel: port.name.clone(),
            from_core: port.from_core,
        })
    }

    fn timeout(&self, timeout: WaitTimeout) -> ChannelError {
        ChannelError::Timeout {
            channel: self.port().name.clone(),
            timeout,
        }
    }
}

/// The data of a beat, byte by byte.
fn pack(port: &ChannelPort, values: &[(&str, u64)]) -> Result<Vec<u8>, ChannelError> {
    let mut data = vec![0; port.data_width.div_ceil(8) as usize];
    for (name, value) in values {
        let found = port.fields.iter().find(|(field, _)| field == name);
        let (field, bits) = found.ok_or_else(|| ChannelError::NoField {
            channel: port.name.clone(),
            field: (*name).to_owned(),
            known: port.fields.iter().map(|(field, _)| field.clone()).collect(),
        })?;
        if *value > low_mask(bits.width()) {
            return Err(ChannelError::TooWide {
                channel: port.name.clone(),
                field: field.clone(),
                bits: bits.width(),
                value: *value,
            });
        }
        let shifted = (u128::from(*value) << (bits.low % 8)).to_le_bytes();
        for (byte, part) in data[bits.low as usize / 8..].iter_mut().zip(shifted) {
            *byte |= part;
        }
    }
    Ok(data)
}

fn unpack(port: &ChannelPort, data: &[u8]) -> Beat {
    let field = |low: u32, width: u32| {
        let mut bytes = [0; 16];
        for (byte, part) in bytes.iter_mut().zip(data.iter().skip(low as usize / 8)) {
            *byte = *part;
        }
        let value = u128::from_le_bytes(bytes) >> (low % 8) & u128::from(low_mask(width));
        u64::try_from(value).unwrap_or(u64::MAX)
    };
    let fields = port.fields.iter();
    Beat {
        fields: fields
            .map(|(name, bits)| (name.clone(), field(bits.low, bits.width())))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::BitRange;

    fn port() -> ChannelPort {
        let field = |name: &str, high, low| (name.to_owned(), BitRange { high, low });
        ChannelPort {
            name: "desc".to_owned(),
            from_core: false,
            stream: 0,
            data_width: 99,
            fields: vec![
                field("len", 19, 0),
                field("addr", 83, 20),
                field("tag", 98, 91),
            ],
        }
    }

    #[test]
    fn fields_come_back_as_they_were_packed() {
        let values = [("addr", u64::MAX), ("len", 0xabcde), ("tag", 0x5a)];
        let data = pack(&port(), &values).expect("they fit");
        assert_eq!(data.len(), 13);
        let beat = unpack(&port(), &data);
        for (name, value) in values {
            assert_eq!(beat.get(name), Some(value), "{name}");
        }
        assert_eq!(data[11] & 0x07, 0, "bits of no field are 0");
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert_eq!(
            pack(&port(), &[("len", 1 << 20)])
                .expect_err("21 bits")
                .to_string(),
            "channel desc: expected a value of 20 bits for field len, got 0x100000"
        );
        assert_eq!(
            pack(&port(), &[("size", 1)])
                .expect_err("no such field")
                .to_string(),
            "channel desc: expected a field of len, addr, tag, got `size`"
        );
    }
}
