//! Validation of any core by its manifest: scenarios from its declared limits, a generic driver, a verdict each.

mod address;
mod basic;
mod bus;
mod driver;
mod errors;
mod evidence;
mod job;
mod layout;
mod overlap;
mod profile;
mod random;
pub mod report;
mod reset;
mod run;
pub(crate) mod stage;
mod suite;
mod trial;
pub(crate) mod world;

pub use profile::Profile;
pub use run::run_on;
pub use suite::{Scenario, all, find};
pub use trial::{Fate, Job, Trial};
