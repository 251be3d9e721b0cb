//! Bytes of the units in which a control program counts.

use rebound_sim::manifest::{Manifest, UnitBytes};
use rebound_sim::verilate::CoreLibrary;

/// Bytes of words and beats of a built core; of several manager ports, the widest counts.
#[must_use]
pub fn units(manifest: &Manifest, library: &CoreLibrary) -> UnitBytes {
    let size = manifest.control.as_ref().map(|control| &control.word_bytes);
    let word = size.and_then(|size| {
        let value = size.parameter().map_or(Some(0), |name| {
            let value = library.parameters().get(name)?;
            u64::try_from(value).ok()
        });
        size.of(value?)
    });
    let managers = library.interfaces().managers.iter();
    let widest = managers.map(|port| port.data_width).max().unwrap_or(8);
    UnitBytes {
        word: word.unwrap_or(1),
        beat: u64::from(widest / 8).max(1),
    }
}
