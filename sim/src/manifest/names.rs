//! From a signal of a protocol to the port of the core that carries it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Case of channel and signal in port names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NamingCase {
    /// `awaddr`.
    #[default]
    Lower,
    /// `AWADDR`.
    Upper,
}

/// How the ports of one interface are named.
#[derive(Debug, Clone, Copy)]
pub struct Naming<'a> {
    /// Stands for `{prefix}`.
    pub prefix: &'a str,
    /// The pattern, with `{prefix}`, `{channel}`, `{signal}`, `{direction}`.
    pub pattern: &'a str,
    /// Case of `{channel}` and `{signal}`.
    pub case: NamingCase,
    /// Exceptions, signal to port.
    pub ports: &'a BTreeMap<String, String>,
}

/// Places in a pattern that are filled in.
pub(crate) const PLACES: [&str; 4] = ["{prefix}", "{channel}", "{signal}", "{direction}"];

impl Naming<'_> {
    /// Port of signal `channel` + `signal` (`aw` + `addr`, or empty + `tdata`).
    pub fn port(&self, channel: &str, signal: &str, is_core_output: bool) -> String {
        if let Some(port) = self.ports.get(&format!("{channel}{signal}")) {
            return port.clone();
        }
        // A Wishbone's two data buses have one name when the direction tells them apart.
        let signal = match signal.strip_prefix("dat_") {
            Some("w" | "r") if self.pattern.contains("{direction}") => "dat",
            _ => signal,
        };
        let in_case = |text: &str| match self.case {
            NamingCase::Lower => text.to_owned(),
            NamingCase::Upper => text.to_uppercase(),
        };
        self.pattern
            .replace("{prefix}", self.prefix)
            .replace("{channel}", &in_case(channel))
            .replace("{signal}", &in_case(signal))
            .replace("{direction}", if is_core_output { "o" } else { "i" })
    }
}

macro_rules! naming {
    ($spec:ty, $pattern:literal) => {
        impl $spec {
            /// How the ports of this interface are named.
            pub fn naming(&self) -> Naming<'_> {
                Naming {
                    prefix: &self.prefix,
                    pattern: self.pattern.as_deref().unwrap_or($pattern),
                    case: self.case,
                    ports: &self.ports,
                }
            }
        }
    };
}

naming!(super::AxiSpec, "{prefix}{channel}{signal}");
naming!(super::AxilSpec, "{prefix}{channel}{signal}");
naming!(super::ApbSpec, "{prefix}{signal}");
naming!(super::WishboneSpec, "{prefix}{signal}_{direction}");
naming!(super::StreamSpec, "{prefix}{signal}");

#[cfg(test)]
mod tests {
    use super::*;

    fn port(pattern: &str, case: NamingCase, channel: &str, signal: &str, output: bool) -> String {
        let ports = BTreeMap::from([("wdata".to_owned(), "WRITE_DATA".to_owned())]);
        Naming {
            prefix: "m_",
            pattern,
            case,
            ports: &ports,
        }
        .port(channel, signal, output)
    }

    #[test]
    fn names_met_in_practice_can_be_written() {
        let lower = NamingCase::Lower;
        assert_eq!(
            port("{prefix}{channel}{signal}", lower, "aw", "addr", true),
            "m_awaddr"
        );
        assert_eq!(
            port(
                "axi_{channel}_{signal}_{direction}",
                lower,
                "ar",
                "ready",
                false
            ),
            "axi_ar_ready_i"
        );
        assert_eq!(
            port("{channel}{signal}0", NamingCase::Upper, "aw", "addr", true),
            "AWADDR0"
        );
        assert_eq!(
            port("wbs_{signal}_{direction}", lower, "", "dat_r", true),
            "wbs_dat_o"
        );
        assert_eq!(
            port("{prefix}{signal}", NamingCase::Upper, "", "dat_w", false),
            "m_DAT_W"
        );
        assert_eq!(
            port(
                "io_write_{channel}_{channel}{signal}",
                lower,
                "aw",
                "addr",
                true
            ),
            "io_write_aw_awaddr"
        );
    }

    #[test]
    fn an_explicit_port_wins_over_the_pattern() {
        assert_eq!(
            port(
                "{prefix}{channel}{signal}",
                NamingCase::Lower,
                "w",
                "data",
                true
            ),
            "WRITE_DATA"
        );
    }
}
