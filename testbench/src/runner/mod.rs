//! The runner: spreads runs over processes and hands back their results in the order of the suite.

pub mod child;

use crate::error::UsageError;
use crate::parallel::in_parallel;
use crate::result::RunResult;
use child::ChildCommand;

/// Runs all commands on `jobs` processes at a time.
///
/// `finished` is called for each in the order of `commands`, as soon as it and all before it are done.
///
/// # Errors
/// The first error of the environment; commands that have not begun are then not started.
pub fn run_all(
    commands: &[ChildCommand],
    jobs: usize,
    finished: impl FnMut(usize, RunResult),
) -> Result<(), UsageError> {
    in_parallel(commands, jobs, child::run, finished)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn sleeper(milliseconds: u32) -> ChildCommand {
        let script = format!("sleep {}.{:03}", milliseconds / 1000, milliseconds % 1000);
        ChildCommand {
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), script],
            timeout: Duration::from_secs(20),
        }
    }

    #[test]
    fn results_come_in_the_order_of_the_commands() {
        let commands = [sleeper(150), sleeper(1), sleeper(50), sleeper(1)];
        let mut order = Vec::new();
        run_all(&commands, 4, |index, _| order.push(index)).expect("the shell starts");
        assert_eq!(order, [0, 1, 2, 3]);
    }

    #[test]
    fn an_error_of_the_environment_ends_the_runs() {
        let mut commands = vec![sleeper(1); 3];
        commands[0].program = "/nowhere/rebound".into();
        let error = run_all(&commands, 1, |_, _| {}).expect_err("there is no such program");
        assert!(error.to_string().contains("/nowhere/rebound"));
    }
}
