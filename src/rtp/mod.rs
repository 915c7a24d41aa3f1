//! RTP (RFC 3550): packets, streams, sources, key presses, RTCP.

pub mod dtmf;
pub mod packet;
pub mod rtcp;
pub mod source;
pub mod stream;

use crate::time::Tick;

/// An instant in units of the RTP clock of telephony, 8 kHz (RFC 3551 §4.5).
pub fn clock(at: Tick) -> u64 {
    at.as_nanos() / 125_000
}
