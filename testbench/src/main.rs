//! The `rebound` program.
#![forbid(unsafe_code)]

fn main() {}
