//! The IOMMU layer: I/O virtual addresses, page tables, and when a buffer behind them is bounced.
//!
//! A [`Device`](crate::Device) that is attached to an [`IommuDomain`] puts I/O virtual addresses on
//! its bus. The calls of [`Dma`](crate::Dma) find the attachment and map through the domain; whoever
//! simulates the bus asks [`IommuDomain::translate`] for the physical address of each beat, and gets
//! a [`Fault`] with facts where the device has no right.

mod attachment;
mod coherent;
mod config;
mod domain;
mod error;
mod fault;
mod flush_queue;
mod granule;
mod iova_cache;
mod iova_space;
mod iova_state;
mod link;
mod map;
mod page_table;
mod route;
mod sg;
mod sg_layout;
mod sync;
mod table_calls;
mod translate;
mod unlink;
mod unmap;

pub use attachment::Attachment;
pub use config::{Aperture, DomainConfig, FlushMode, FlushQueues, ReservedRegion};
pub use domain::{DomainStats, IommuDomain};
pub use error::{DomainError, IommuError, IovaError};
pub use fault::{Access, Fault, FaultReason, Translation};
pub use granule::Granule;
pub use iova_state::IovaState;
pub use link::Linked;
pub use page_table::Prot;
pub use route::Route;
pub use unlink::Unlinked;
