//! Replays trace files and prints how fast: `cargo run --release --features vectors --example replay FILE...`.

use std::process::ExitCode;
use std::time::Instant;

use swiotlb::vectors::{Summary, replay_files};

fn main() -> ExitCode {
    let mut total = Summary::default();
    let start = Instant::now();
    let files: Vec<String> = std::env::args().skip(1).collect();
    for result in replay_files(&files) {
        match result {
            Ok(summary) => total.add(summary),
            Err(error) => {
                eprintln!("{error}");
                return ExitCode::from(2);
            }
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    if let Some(failure) = &total.first_failure {
        println!("{failure}");
    }
    let rows = total.rows_checked;
    println!(
        "{} scenarios, {rows} rows checked, {} failed, in {seconds:.3} s",
        total.scenarios_run,
        total.rows_failed + total.starts_failed
    );
    ExitCode::from(u8::from(!total.is_pass()))
}
