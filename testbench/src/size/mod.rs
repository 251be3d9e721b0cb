//! Size: the smallest pool that a load fits into, and why no size helps where none does.

mod advice;
mod leak;
mod search;
mod text;

pub use advice::{Advice, Obstacle, PolicyAdvice, advise};
pub use leak::{Leak, leaks};
pub use search::{Margin, smallest};
pub(crate) use text::command_line;
pub use text::text;
