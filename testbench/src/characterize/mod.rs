//! Measures what a core can do, by probes on the pins: its data sheet, and what it does that no core may do.
//!
//! Of the manifest it believes the ports and the control program; the limits are what it measures.

mod address_bits;
mod assemble;
mod baseline;
mod boundaries;
mod bursts;
pub mod c_lines;
pub mod compare;
pub mod cost;
mod defects;
pub mod derived;
pub mod duties;
pub mod envelope;
mod errors;
#[cfg(test)]
mod fake;
mod fate;
pub mod files;
mod granule;
pub mod lab;
mod length;
pub mod page;
mod plan;
mod plots;
pub mod preset;
mod pressure;
pub mod probe;
mod reset;
mod session;
pub mod settings;
pub mod sheet;
pub mod tables;
pub mod text;
mod timing;
pub mod words;
mod workers;

#[cfg(test)]
mod fixtures;

use std::path::Path;
use std::time::Duration;

use rebound_sim::interfaces::ManagerPort;
use rebound_sim::manifest::{Access, AxiProtocol, Direction, Manifest};
use rebound_sim::verilate::CoreLibrary;

use crate::error::UsageError;
use crate::program::units;
use crate::seed::Seed;
use lab::{ChildLab, Lab};
use session::Shape;
use sheet::{CoreFacts, ManagerFacts, Sheet};
use workers::Workers;

/// A core in one build, and how to measure it.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The program `rebound`, which runs the probes in processes of its own.
    pub program: &'a Path,
    /// File of the manifest: processes of the probes read it again.
    pub path: &'a Path,
    /// The manifest.
    pub manifest: &'a Manifest,
    /// The build.
    pub library: &'a CoreLibrary,
    /// Its parameters that are not the defaults, `NAME=VALUE`.
    pub parameters: &'a [String],
    /// Seed of all data and random behaviour of the bus.
    pub seed: Seed,
    /// Processes at a time, at least 1.
    pub jobs: usize,
    /// Wall time after which the process of a probe is stopped.
    pub timeout: Duration,
}

/// How far a characterisation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What is measured now.
    pub what: String,
    /// Measurements that are done.
    pub done: usize,
    /// All of them.
    pub all: usize,
}

/// Measures a core. `progress` is told before each measurement.
///
/// # Errors
/// If a process cannot be started, or the manifest lacks a control program or a manager port.
pub fn characterize(
    subject: &Subject<'_>,
    progress: &(dyn Fn(Step) + Sync),
) -> Result<Sheet, UsageError> {
    let shapes = shapes(subject.manifest, subject.library)?;
    let arguments = arguments(subject)?;
    let make = || -> Box<dyn Lab + Send> {
        let lab = ChildLab::new(
            subject.program.to_owned(),
            arguments.clone(),
            subject.timeout,
        );
        Box::new(lab)
    };
    let all = shapes.iter().map(plan::count).sum();
    let workers = Workers::new(&make, subject.jobs, all, progress);
    let (drafts, notes) = plan::measure(&shapes, &workers)?;
    let declared = *subject.library.limits();
    let sides: Vec<_> = drafts.iter().flat_map(assemble::sides).collect();
    Ok(Sheet {
        core: core(subject),
        seed: subject.seed,
        declared,
        directions: drafts.iter().map(assemble::direction).collect(),
        timings: drafts.into_iter().flat_map(|draft| draft.timings).collect(),
        probes: notes.probes,
        unmeasured: notes.unmeasured.clone(),
        defects: defects::beyond(&declared, &sides, notes),
        sides,
    })
}

/// The directions of a core and the ports that they use.
fn shapes(manifest: &Manifest, library: &CoreLibrary) -> Result<Vec<Shape>, UsageError> {
    let Some(control) = &manifest.control else {
        return Err(UsageError::from_diagnostic(manifest.error_at(
            "control",
            "a control program, which says how software runs the core",
            "none",
        )));
    };
    let interfaces = library.interfaces();
    if interfaces.managers.is_empty() {
        return Err(UsageError::from_diagnostic(manifest.error_at(
            "axi",
            "an AXI manager port, by which the core reaches memory",
            "none",
        )));
    }
    let bits = |without: Access| {
        let ports = interfaces.managers.iter();
        let able = ports.filter(|port| port.access != without);
        able.map(|port| port.address_width).min().unwrap_or(64)
    };
    let units = units(manifest, library);
    let shape = |direction: Direction| Shape {
        direction,
        beat_bytes: units.beat,
        read_bits: bits(Access::Write),
        write_bits: bits(Access::Read),
        has_error_rules: control
            .program(direction)
            .is_some_and(|program| !program.errors.is_empty()),
    };
    Ok(control.directions().map(shape).collect())
}

fn arguments(subject: &Subject<'_>) -> Result<Vec<String>, UsageError> {
    let path = subject.path.to_str().ok_or_else(|| {
        UsageError::new(format!(
            "{}: expected a path in UTF-8",
            subject.path.display()
        ))
    })?;
    let mut arguments = vec![
        "characterize-one".to_owned(),
        "--seed".into(),
        subject.seed.to_string(),
        "--manifest".into(),
        path.to_owned(),
    ];
    for parameter in subject.parameters {
        arguments.extend(["--parameter".to_owned(), parameter.clone()]);
    }
    Ok(arguments)
}

fn core(subject: &Subject<'_>) -> CoreFacts {
    let parameters = subject.library.parameters();
    let manager = |port: &ManagerPort| ManagerFacts {
        name: port.name.clone(),
        protocol: match port.protocol {
            AxiProtocol::Axi3 => "AXI3".to_owned(),
            AxiProtocol::Axi4 => "AXI4".to_owned(),
        },
        address_bits: port.address_width,
        data_bits: port.data_width,
        id_bits: port.id_width,
    };
    CoreFacts {
        name: subject.manifest.name.clone(),
        top: subject.manifest.top.clone(),
        parameters: parameters
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_string()))
            .collect(),
        managers: subject
            .library
            .interfaces()
            .managers
            .iter()
            .map(manager)
            .collect(),
    }
}
