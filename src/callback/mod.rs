//! The callback: when it is offered (rule), how it is made (profile), what is promised (task), when it may be
//! dialled (window), what follows a failure (retry), and which one is next (planner).

pub mod task;
