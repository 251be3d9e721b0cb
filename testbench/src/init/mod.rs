//! From a core to the first draft of its manifest: elaborate, recognise, write.
//!
//! [`recognise`] is a pure function from an elaborated core to what its ports were taken for. Each port has a place
//! in the answer: nothing is dropped without a word.

mod buses;
mod channels;
mod clocks;
pub mod elaborate;
pub mod model;
pub mod parameters;
mod reading;
pub mod render;
mod signals;
pub mod templates;
mod wires;
mod words;

use std::collections::BTreeSet;

use rebound_sim::verilate::outline::Outline;
use rebound_sim::verilate::ports::CorePort;

use model::Recognised;

/// What the ports of a core were taken for.
#[must_use]
pub fn recognise(outline: &Outline) -> Recognised {
    let clocks = clocks::clocks(outline);
    let resets = clocks::resets(outline, &clocks);
    let mut found = Recognised {
        clocks,
        resets,
        ..Recognised::default()
    };
    let mut taken: BTreeSet<String> = BTreeSet::new();
    taken.extend(found.clocks.iter().map(|clock| clock.port.clone()));
    taken.extend(found.resets.iter().map(|reset| reset.port.clone()));

    let plain = |taken: &BTreeSet<String>| -> Vec<&CorePort> {
        let ports = outline.ports.iter();
        ports
            .filter(|port| !taken.contains(&port.name) && !outline.structs.contains(&port.name))
            .collect()
    };
    let mut buses = buses::recognise(&plain(&taken));
    taken.append(&mut buses.taken);
    found.open = clocks::assign(&found.clocks, &mut buses.interfaces);
    found.channels = channels::commands(&mut buses.interfaces);
    found.interfaces = buses.interfaces;

    let names = found.interfaces.iter().map(|each| &each.name);
    let names: Vec<String> = names
        .chain(found.channels.iter().map(|each| &each.name))
        .cloned()
        .collect();
    let mut free = plain(&taken);
    free.retain(|port| !buses.puzzling.contains_key(&port.name));
    let mut more = channels::recognise(&free, &names, &mut taken);
    for channel in &mut more {
        channel.clock = clocks::of_channel(&found.clocks, &channel.prefix);
    }
    found.channels.append(&mut more);

    let rest: Vec<&CorePort> = outline
        .ports
        .iter()
        .filter(|port| !taken.contains(&port.name))
        .collect();
    wires::sort(&rest, &outline.structs, &buses.puzzling, &mut found);
    if found.clocks.is_empty() {
        found
            .open
            .push("no input was taken for a clock: name it in `clocks`".to_owned());
    }
    if !found
        .interfaces
        .iter()
        .any(|each| each.protocol.is_manager())
    {
        found.open.push(
            "no AXI manager port was recognised: describe the core's way to memory in [[axi]], with `ports` if its names follow no pattern"
                .to_owned(),
        );
    }
    found
}
