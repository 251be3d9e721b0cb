//! The data sheet of a core: measured, compared with its manifest, and what follows for its Linux driver.

pub mod c_lines;
pub mod compare;
pub mod cost;
pub mod derived;
pub mod duties;
pub mod envelope;
pub mod preset;
pub mod settings;
pub mod sheet;
pub mod tables;
pub mod text;
pub mod words;

#[cfg(test)]
mod fixtures;

pub use sheet::Sheet;
