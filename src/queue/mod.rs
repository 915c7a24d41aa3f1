//! Queues: the line people stand in, present on the phone or represented by a promise (`line`), who is served next
//! (`distribute`) by whom (`strategy`), and how long it will take (`estimate`). A line knows nothing of SIP.

pub mod distribute;
pub mod estimate;
pub mod line;
mod ranks;
pub mod strategy;

pub use distribute::{Gates, Pick};
pub use line::{Claim, Entry, Full, Joining, Kind, Line, Standing};
pub use strategy::{Idle, Turn};
