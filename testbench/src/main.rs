//! The `rebound` program.

fn main() {}
