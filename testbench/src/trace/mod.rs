//! Linux's traces of its DMA mappings as text: lines, events, and what could not be read.
//!
//! Nothing is kept of a line once its event is handed on, so a trace of any length is read in constant
//! memory. [`Reader`] takes the text of tracefs, of `trace-cmd report` and of `perf script`.

mod error;
mod event;
mod fields;
mod lines;
mod marker;
mod names;
mod prefix;
mod reader;

pub use error::{ForeignFormat, TraceError};
pub use event::{Dir, Event, Lists, TraceAttrs};
pub use fields::Malformed;
pub use lines::Lines;
pub use marker::Marker;
pub use names::Names;
pub use prefix::Prefix;
pub use reader::{BadLine, Item, ReadCounts, Reader, Record};
