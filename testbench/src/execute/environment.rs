//! temp
use crate::error::UsageError;
use crate::result::RunResult;
use crate::scenario::plan::{EnginePlan, Plan};
use std::path::{Path, PathBuf};
/// temp
#[derive(Debug)]
pub struct Environment;
/// temp
#[derive(Debug)]
pub struct Core;
/// temp
#[derive(Debug)]
pub struct WaveRequest {
    /// temp
    pub path: PathBuf,
    /// temp
    pub from: u64,
    /// temp
    pub to: Option<u64>,
}
impl Environment {
    /// temp
    pub fn load(_m: &Path) -> Result<Self, UsageError> {
        Ok(Self)
    }
    /// temp
    pub fn build_all(
        &self,
        c: &[(EnginePlan, bool)],
        _j: usize,
        f: impl Fn(),
    ) -> Result<(), UsageError> {
        for _ in c {
            f();
        }
        Ok(())
    }
}
/// temp
pub fn run(_e: &Environment, _p: &Plan, _w: Option<&WaveRequest>) -> Result<RunResult, UsageError> {
    Ok(RunResult::default())
}
