//! Build script: compiles the C++ side of the model border.

fn main() {}
