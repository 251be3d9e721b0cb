//! The limits of waits: those of the manifest are taken away, and a watchdog that looks at the bus takes their place.
//!
//! A limit in cycles either cuts a long transfer off or lets a dead core idle for ever; silence tells them apart.

use rebound_sim::manifest::{Control, Manifest, Program, Step};

/// Cycles without anything on the bus after which a step is given up, beyond what the bus itself takes to answer.
pub(super) const SILENCE: u64 = 20_000;
/// No limit: no probe lasts as long.
const NEVER: u64 = 1 << 40;

/// Returns the manifest with steps that wait as long as it takes.
pub(super) fn without_limits(manifest: &Manifest) -> Manifest {
    let mut manifest = manifest.clone();
    if let Some(control) = &mut manifest.control {
        control.timeout_cycles = NEVER;
        for step in steps_of(control) {
            if let Some(limit) = limit_of(step) {
                *limit = None;
            }
        }
    }
    manifest
}

/// Returns the first step of a part that waits for the core, in words.
pub(super) fn waiting_step(steps: &[Step]) -> Option<(usize, String)> {
    let waits = |step: &Step| {
        matches!(
            step,
            Step::Poll { .. }
                | Step::Push { .. }
                | Step::Pop { .. }
                | Step::Wait { .. }
                | Step::WaitIrq { .. }
        )
    };
    let place = steps.iter().position(waits)?;
    Some((place, steps[place].to_string()))
}

fn steps_of(control: &mut Control) -> impl Iterator<Item = &mut Step> {
    let programs = [&mut control.copy, &mut control.mm2s, &mut control.s2mm];
    control
        .init
        .iter_mut()
        .chain(programs.into_iter().flatten().flat_map(|program| {
            let Program {
                start,
                done,
                recover,
                ..
            } = program;
            start.iter_mut().chain(done).chain(recover)
        }))
}

fn limit_of(step: &mut Step) -> Option<&mut Option<u64>> {
    match step {
        Step::Poll { timeout_cycles, .. }
        | Step::Push { timeout_cycles, .. }
        | Step::Pop { timeout_cycles, .. }
        | Step::Wait { timeout_cycles, .. }
        | Step::WaitIrq { timeout_cycles, .. } => Some(timeout_cycles),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn no_step_has_a_limit_of_its_own() {
        let text = "name = \"c\"\ntop = \"c\"\nclocks = [\"k\"]\n\
            [[axil]]\nname = \"r\"\nprefix = \"r_\"\naddress_width = 8\ndata_width = 32\n\
            [[wire]]\nname = \"irq\"\ndirection = \"output\"\nrole = \"interrupt\"\n\
            [control]\ntimeout_cycles = 5\n[control.copy]\n\
            start = [{ write = 0, value = 1 }]\n\
            done = [{ read = 4, into = \"s\" }, { wait_irq = \"irq\", timeout_cycles = 7 }]\n";
        let manifest =
            Manifest::parse(Path::new("core.toml"), text.to_owned()).expect("a valid manifest");
        let patient = without_limits(&manifest);
        let control = patient.control.expect("it was there");
        assert_eq!(control.timeout_cycles, NEVER);
        let done = &control.copy.as_ref().expect("it was there").done;
        assert_eq!(done[1].timeout_cycles(), None);
        let (place, words) = waiting_step(done).expect("the interrupt");
        assert_eq!(place, 1);
        assert!(words.contains("irq"), "{words}");
        assert!(waiting_step(&done[..1]).is_none());
    }
}
