//! The price of bouncing: transfers of a trace carried out by a core on the simulated bus, bounced and direct.
//!
//! The model, for each device of the trace:
//!
//! - Its bounced transfers are done one after the other on one CPU, in the order of the trace, with the length, the
//!   place in the page and the `min_align_mask` that they have there. Time between them is left out.
//! - Bounced, each buffer lies above what the driver declares (the core's reach, at most 4 GiB); direct, the same
//!   buffer lies below. Nothing else differs.
//! - What the device reads is moved by the program `mm2s`, what it writes by `s2mm`; a core without these copies, and
//!   the other side of the copy is always within reach. A buffer mapped both ways is taken for one that is written.
//! - A mapping with `SKIP_CPU_SYNC`, as in the ring of a network card, is no transfer; what a sync hands to the CPU
//!   is one, of that length. Its copy in is then one more than the kernel's.
//! - A core that asks for alignment is given offsets rounded down and lengths rounded up to it.
//! - What the CPU does costs cycles by [`rebound_sim::cpu::CostModel`].

mod report;
mod window;
mod world;

pub use report::{PriceReport, PriceRow};
pub use window::{Moved, Window, WindowError, moved};
pub use world::{CoreTraits, Place, WorldError, plan, trial};
