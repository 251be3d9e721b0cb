//! What a port's name can mean: which signal of which protocol, and the pattern of the names around it.

use rebound_sim::manifest::NamingCase;

use super::signals::{Family, SIGNALS};

/// One way to read a port's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reading {
    /// What the ports of one interface have in common: the protocol family, and the name without its signal.
    pub(super) key: Key,
    /// Channel, empty outside AXI.
    pub(super) channel: &'static str,
    /// Signal within the channel, as the manifest calls it.
    pub(super) signal: &'static str,
    /// The name with places for channel, signal and direction.
    pub(super) pattern: String,
    /// Case of the signal in it.
    pub(super) case: NamingCase,
}

/// What the ports of one interface have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) family: Family,
    shape: Shape,
    marker: Marker,
    /// Lower-case text before the signal.
    pub(super) before: String,
    /// Lower-case text behind it.
    pub(super) after: String,
}

/// How channel and signal are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Shape {
    /// `awaddr`.
    Joined,
    /// `aw_addr`, `aw_bits_addr`.
    Separated,
    /// `aw_awaddr`.
    Doubled,
}

/// Where the name tells the direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Marker {
    None,
    /// `_i`, `_o`, `_in`, `_out`.
    Behind,
    /// `i_`, `o_`.
    Before,
}

/// Every meaning of `name`; none if no protocol has such a signal.
pub(super) fn readings(name: &str, is_output: bool) -> Vec<Reading> {
    let marked = Marked::of(name, is_output);
    let mut found = Vec::new();
    for entry in &SIGNALS {
        let shapes: &[(Shape, String)] = &if entry.channel.is_empty() {
            vec![(Shape::Joined, entry.spelling.to_owned())]
        } else {
            let (channel, signal) = (entry.channel, entry.spelling);
            vec![
                (Shape::Doubled, format!("{channel}_{channel}{signal}")),
                (Shape::Joined, format!("{channel}{signal}")),
                (Shape::Separated, format!("{channel}_bits_{signal}")),
                (Shape::Separated, format!("{channel}_{signal}")),
            ]
        };
        for (shape, token) in shapes {
            if let Some(reading) = marked.read(entry, *shape, token) {
                found.push(reading);
            }
        }
    }
    found
}

/// A name with what tells its direction taken off.
struct Marked<'a> {
    core: &'a str,
    is_output: bool,
    marker: Marker,
    /// Text before and behind the core, for the pattern.
    around: (String, String),
}

impl<'a> Marked<'a> {
    fn of(name: &'a str, is_output: bool) -> Self {
        let ends: [&str; 4] = if is_output {
            ["_o", "_out", "_O", "_OUT"]
        } else {
            ["_i", "_in", "_I", "_IN"]
        };
        let written = |text: &str, short: &str| text.replace(short, "{direction}");
        let short = if is_output { "o" } else { "i" };
        for end in ends {
            if let Some(core) = name.strip_suffix(end) {
                let behind = if end.len() == 2 {
                    written(end, short)
                } else {
                    end.to_owned()
                };
                return Self {
                    core,
                    is_output,
                    marker: Marker::Behind,
                    around: (String::new(), behind),
                };
            }
        }
        for start in [format!("{short}_"), format!("{}_", short.to_uppercase())] {
            if let Some(core) = name.strip_prefix(&start) {
                return Self {
                    core,
                    is_output,
                    marker: Marker::Before,
                    around: (written(&start, short), String::new()),
                };
            }
        }
        Self {
            core: name,
            is_output,
            marker: Marker::None,
            around: (String::new(), String::new()),
        }
    }

    fn read(&self, entry: &super::signals::Entry, shape: Shape, token: &str) -> Option<Reading> {
        let lower = self.core.to_ascii_lowercase();
        let at = lower
            .rmatch_indices(token)
            .map(|(at, _)| at)
            .find(|at| self.stands_alone(*at, token.len()))?;
        let (before, rest) = self.core.split_at(at);
        let (written, after) = rest.split_at(token.len());
        let is_upper = written.chars().all(|c| !c.is_ascii_lowercase());
        let place = match shape {
            Shape::Joined if entry.channel.is_empty() => "{signal}",
            Shape::Joined => "{channel}{signal}",
            Shape::Separated if token.contains("_bits_") => "{channel}_bits_{signal}",
            Shape::Separated => "{channel}_{signal}",
            Shape::Doubled => "{channel}_{channel}{signal}",
        };
        let pattern = format!("{}{before}{place}{after}{}", self.around.0, self.around.1);
        Some(Reading {
            key: Key {
                family: entry.family,
                shape,
                marker: self.marker,
                before: before.to_ascii_lowercase(),
                after: after.to_ascii_lowercase(),
            },
            channel: entry.channel,
            signal: entry.meaning(self.is_output),
            pattern,
            case: if is_upper {
                NamingCase::Upper
            } else {
                NamingCase::Lower
            },
        })
    }

    /// No letter of another word touches the token.
    fn stands_alone(&self, at: usize, length: usize) -> bool {
        let bytes = self.core.as_bytes();
        let starts = match at.checked_sub(1).map(|before| bytes[before]) {
            None => true,
            Some(before) => {
                !before.is_ascii_alphabetic()
                    || (before.is_ascii_lowercase() && bytes[at].is_ascii_uppercase())
            }
        };
        let behind = &bytes[at + length..];
        let ends = behind.first().is_none_or(|&first| first == b'_')
            || behind.iter().all(u8::is_ascii_digit);
        starts && ends
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(name: &str, is_output: bool) -> Vec<(String, String)> {
        readings(name, is_output)
            .into_iter()
            .map(|reading| {
                (
                    reading.pattern,
                    format!("{}{}", reading.channel, reading.signal),
                )
            })
            .collect()
    }

    #[test]
    fn each_style_of_names_has_its_pattern() {
        for (name, is_output, pattern, signal) in [
            ("m_axi_awaddr", true, "m_axi_{channel}{signal}", "awaddr"),
            ("M_AXI_RDATA", false, "M_AXI_{channel}{signal}", "rdata"),
            (
                "axi_ar_ready_i",
                false,
                "axi_{channel}_{signal}_{direction}",
                "arready",
            ),
            (
                "io_write_aw_awaddr",
                true,
                "io_write_{channel}_{channel}{signal}",
                "awaddr",
            ),
            (
                "io_m_aw_bits_addr",
                true,
                "io_m_{channel}_bits_{signal}",
                "awaddr",
            ),
            ("AWADDR0", true, "{channel}{signal}0", "awaddr"),
            ("s_axis_tdata", false, "s_axis_{signal}", "tdata"),
            ("PADDR", false, "{signal}", "paddr"),
            ("i_wb_data", false, "{direction}_wb_{signal}", "dat_w"),
            ("wb_dat_o", true, "wb_{signal}_{direction}", "dat_r"),
        ] {
            let expected = (pattern.to_owned(), signal.to_owned());
            let found = patterns(name, is_output);
            assert!(found.contains(&expected), "{name}: {found:?}");
        }
    }

    #[test]
    fn a_signal_within_a_word_is_none() {
        for name in ["forward", "pwdata_x", "sawaddrs", "brready"] {
            assert!(
                patterns(name, false)
                    .iter()
                    .all(|(_, signal)| signal == "pwdata"),
                "{name}"
            );
        }
    }
}
