//! People to try the switch with: phones, a carrier and its customers, with a small SIP, SDP and RTP of their own.
//! They share no parser with the switch, or both would be wrong together. `tests/sim` runs them in virtual time,
//! `ringback demo` over real sockets; they are sans-IO and know of neither.

pub mod codec;
pub mod digest;
pub mod endpoint;
pub mod person;
#[cfg(feature = "shell")]
pub mod run;
pub mod session;
pub mod station;
pub mod transaction;
pub mod voice;
