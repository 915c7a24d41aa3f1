//! The callback: when it is offered (rule), what is promised (task), how many tries and when the next (retry), when
//! it may be dialled (window, hours), which gate holds it (hold), and which one is next (planner).

pub mod hold;
mod hours;
pub mod ledger;
pub mod planner;
pub mod promised;
pub mod retry;
pub mod rule;
pub mod task;
pub mod window;

pub use hold::Hold;
pub use planner::Planner;
