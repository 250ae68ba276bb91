//! Floor 2: text → plan; plan and request → route and its explanation. Pure, but for `load`, which reads the files.

mod caller;
pub mod change;
pub mod directory;
pub mod explain;
mod load;
pub mod numbering;
pub mod pattern;
pub mod plan;
pub mod route;
mod rule;
mod schedule;
mod shadow;
mod target;
mod template;
mod test;

pub use plan::{Plan, PlanContext};
pub use target::is_dialable;
pub use test::{TestFailure, moment};
