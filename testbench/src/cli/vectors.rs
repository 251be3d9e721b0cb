//! temp
use crate::cli::Outcome;
use crate::error::UsageError;
use clap::Args;
/// temp
#[derive(Debug, Args)]
pub(crate) struct Vectors {}
impl Vectors {
    pub(super) fn run(&self) -> Result<Outcome, UsageError> {
        Ok(Outcome::Pass)
    }
}
