//! Clocks and resets: by the edges that the core waits for where the tool tells them, and by name.

use rebound_sim::manifest::{ActiveLevel, ResetKind};
use rebound_sim::verilate::outline::{Edges, Outline};
use rebound_sim::verilate::ports::{CorePort, PortDirection};

use super::model::{Clock, Interface, Reset};
use super::words::{shared, words};

/// Words that make a name with a clock in it something else.
const NOT_A_CLOCK: [&str; 9] = [
    "en", "enable", "gate", "div", "sel", "req", "ready", "valid", "locked",
];

fn is_wire_in(port: &CorePort) -> bool {
    port.direction == PortDirection::Input && port.width == Some(1)
}

/// The core's clocks in order of declaration.
pub(super) fn clocks(outline: &Outline) -> Vec<Clock> {
    let ports = outline.ports.iter().filter(|port| is_wire_in(port));
    ports
        .filter_map(|port| {
            let edges = edges_of(outline, port);
            let waits = edges.is_some_and(|edges| edges.alone);
            let why = match (is_clock_name(&port.name), waits) {
                (true, true) => "by its name, and the core waits for its edges",
                (true, false) if outline.edges.is_some() => {
                    "by its name; no edge of it was found to be waited for"
                }
                (true, false) => "by its name",
                (false, true) if level_of(&port.name).is_none() => "the core waits for its edges",
                _ => return None,
            };
            Some(Clock {
                port: port.name.clone(),
                why: why.to_owned(),
            })
        })
        .collect()
}

/// The core's resets in order of declaration.
pub(super) fn resets(outline: &Outline, clocks: &[Clock]) -> Vec<Reset> {
    let is_clock = |port: &CorePort| clocks.iter().any(|clock| clock.port == port.name);
    let ports = outline
        .ports
        .iter()
        .filter(|port| is_wire_in(port) && !is_clock(port));
    ports
        .filter_map(|port| {
            let by_name = level_of(&port.name)?;
            let edges = edges_of(outline, port);
            let (active, kind, why) = match edges {
                Some(edges) if edges.rising != edges.falling => {
                    let active = if edges.rising {
                        ActiveLevel::High
                    } else {
                        ActiveLevel::Low
                    };
                    (active, ResetKind::Async, "the core waits for its edge")
                }
                Some(_) => (
                    by_name,
                    ResetKind::Async,
                    "the core waits for its edges; level by name",
                ),
                None if outline.edges.is_some() => (
                    by_name,
                    ResetKind::Sync,
                    "level by name; the core waits for no edge of it",
                ),
                None if is_async_name(&port.name) => {
                    (by_name, ResetKind::Async, "level and kind by name")
                }
                None => (by_name, ResetKind::Sync, "level by name, kind not known"),
            };
            Some(Reset {
                port: port.name.clone(),
                active,
                kind,
                clock: clock_of(clocks, &words(&port.name)),
                why: why.to_owned(),
            })
        })
        .collect()
}

fn edges_of(outline: &Outline, port: &CorePort) -> Option<Edges> {
    outline.edges.as_ref()?.get(&port.name).copied()
}

fn is_clock_name(name: &str) -> bool {
    let words = words(name);
    let is_clock = |word: &String| {
        let stem = word.trim_end_matches(|c: char| c.is_ascii_digit());
        stem.ends_with("clk") || stem.ends_with("clock")
    };
    words.iter().any(is_clock)
        && !words
            .iter()
            .any(|word| NOT_A_CLOCK.contains(&word.as_str()))
}

/// The level that resets, if the name is that of a reset.
fn level_of(name: &str) -> Option<ActiveLevel> {
    let words = words(name);
    let at = words.iter().position(|word| is_reset_word(word))?;
    let word = &words[at];
    let behind = words.get(at + 1).map(String::as_str);
    let before = at.checked_sub(1).map(|before| words[before].as_str());
    let is_low = word.ends_with(['n', 'b']) && !word.ends_with("in")
        || word.starts_with("nr")
        || matches!(behind, Some("n" | "ni" | "b" | "l"))
        || before == Some("n");
    Some(if is_low {
        ActiveLevel::Low
    } else {
        ActiveLevel::High
    })
}

/// `rst`, `reset`, and what is put around them; not `first` or `burst`.
fn is_reset_word(word: &str) -> bool {
    let stem = word.trim_end_matches(|c: char| c.is_ascii_digit());
    stem.contains("reset") || stem.starts_with("rst") || {
        let stem = stem.trim_end_matches(['n', 'b']);
        stem.ends_with("rst") && !matches!(stem, "first" | "burst" | "worst")
    }
}

fn is_async_name(name: &str) -> bool {
    words(name)
        .iter()
        .any(|word| matches!(word.as_str(), "ni" | "arst" | "arstn" | "async"))
}

/// The clock that shares most words with a port or an interface, if it is not the first and no other shares as many.
fn clock_of(clocks: &[Clock], name: &[String]) -> Option<String> {
    let best = best_clock(clocks, name)?;
    (best != 0).then(|| clocks[best].port.clone())
}

fn best_clock(clocks: &[Clock], name: &[String]) -> Option<usize> {
    let score = |clock: &Clock| {
        let mut own = words(&clock.port);
        own.retain(|word| !is_clock_name(word));
        shared(&own, name)
    };
    let scores: Vec<usize> = clocks.iter().map(score).collect();
    let most = scores.iter().copied().max().filter(|&most| most > 0)?;
    let mut best = (0..scores.len()).filter(|&index| scores[index] == most);
    best.next().filter(|_| best.next().is_none())
}

/// Gives each interface its clock; returns what stays open.
pub(super) fn assign(clocks: &[Clock], interfaces: &mut [Interface]) -> Vec<String> {
    if clocks.len() < 2 {
        return Vec::new();
    }
    let found: Vec<Option<usize>> = interfaces
        .iter()
        .map(|interface| best_clock(clocks, &words(&interface.name)))
        .collect();
    let mut free = (0..clocks.len()).filter(|index| !found.contains(&Some(*index)));
    let only_free = free.next().filter(|_| free.next().is_none());
    let mut open = Vec::new();
    for (interface, found) in interfaces.iter_mut().zip(&found) {
        let index = match (found, only_free) {
            (Some(index), _) => *index,
            (None, Some(index)) => {
                interface.notes.push(
                    "Clock guessed: the only one to which no other interface belongs by name."
                        .to_owned(),
                );
                index
            }
            (None, None) => {
                open.push(format!(
                    "interface {}: no clock has its name; it is taken to belong to {}, set `clock` if it does not",
                    interface.name, clocks[0].port
                ));
                0
            }
        };
        interface.clock = (index != 0).then(|| clocks[index].port.clone());
    }
    open
}

/// Gives a channel its clock.
pub(super) fn of_channel(clocks: &[Clock], prefix: &str) -> Option<String> {
    clock_of(clocks, &words(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resets_have_the_level_of_their_name() {
        for low in [
            "aresetn",
            "S_AXI_ARESETN",
            "rst_ni",
            "rst_n",
            "RESETn",
            "nrst",
            "presetn",
            "i_reset_n",
            "sys_rst_n_i",
            "n_rst",
            "rst_b",
        ] {
            assert_eq!(level_of(low), Some(ActiveLevel::Low), "{low}");
        }
        for high in [
            "rst", "reset", "i_reset", "areset", "rst_i", "ap_rst", "reset_in",
        ] {
            assert_eq!(level_of(high), Some(ActiveLevel::High), "{high}");
        }
        for other in ["first_i", "burst", "enable"] {
            assert_eq!(level_of(other), None, "{other}");
        }
    }

    #[test]
    fn clocks_are_told_by_name() {
        for name in [
            "clk",
            "aclk",
            "S_AXI_ACLK",
            "clk_i",
            "i_clk",
            "clock",
            "bus_clk",
            "clk2",
            "PCLK",
        ] {
            assert!(is_clock_name(name), "{name}");
        }
        for name in ["clk_en", "clk_sel", "enable", "clocked", "ack"] {
            assert!(!is_clock_name(name), "{name}");
        }
    }
}
