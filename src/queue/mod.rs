//! Queues: the line people stand in, present on the phone or represented by a promise (`line`), who is served next
//! by whom (`distribute`), and how long it will take (`estimate`). A line knows nothing of SIP.

pub mod distribute;
pub mod estimate;
pub mod line;

pub use distribute::{Gates, Idle, Pick};
pub use line::{Entry, Full, Joining, Kind, Line, Standing};
