//! Session descriptions (RFC 8866) and offer/answer (RFC 3264).
//!
//! `description` reads what peers send, tolerantly and within limits; `answer` makes our offers and answers and says
//! what came of them: a [`Format`], an address and a [`Direction`], which is all that media has to know.

pub mod answer;
pub mod description;

pub use description::{Description, SdpError};

use crate::settings::Codec;
use serde::{Deserialize, Serialize};

/// What a leg sends and takes: the outcome of offer and answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    /// The codec both sides use.
    pub codec: Codec,
    /// Payload type we send and take for it.
    pub payload_type: u8,
    /// Payload type of telephone-event that the peer takes (RFC 4733 §2.4); `None`: it takes none.
    pub dtmf_send: Option<u8>,
    /// Payload type of telephone-event that we named and the peer sends.
    pub dtmf_receive: Option<u8>,
    /// Samples per packet that we send; 160 (20 ms) unless the peer's `ptime` differs.
    pub frame_samples: u16,
}

/// Which way media flows, seen from whoever describes himself: from us wherever it is not in a parsed description
/// (RFC 3264 §8.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// Both ways.
    SendRecv,
    /// We only send: the peer has put us on hold listening.
    SendOnly,
    /// We only receive.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl Direction {
    /// From whether one sends and whether one receives.
    pub fn of(sends: bool, receives: bool) -> Direction {
        match (sends, receives) {
            (true, true) => Direction::SendRecv,
            (true, false) => Direction::SendOnly,
            (false, true) => Direction::RecvOnly,
            (false, false) => Direction::Inactive,
        }
    }

    /// Whether the describer sends.
    pub fn sends(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::SendOnly)
    }

    /// Whether the describer receives.
    pub fn receives(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::RecvOnly)
    }

    /// The same flow seen from the other end.
    pub fn reversed(self) -> Direction {
        Direction::of(self.receives(), self.sends())
    }

    /// What remains where both agree.
    pub fn and(self, other: Direction) -> Direction {
        Direction::of(self.sends() && other.sends(), self.receives() && other.receives())
    }

    /// Its attribute (RFC 8866 §6.7).
    pub fn attribute(self) -> &'static str {
        match self {
            Direction::SendRecv => "sendrecv",
            Direction::SendOnly => "sendonly",
            Direction::RecvOnly => "recvonly",
            Direction::Inactive => "inactive",
        }
    }

    fn from_attribute(name: &str) -> Option<Direction> {
        match name {
            "sendrecv" => Some(Direction::SendRecv),
            "sendonly" => Some(Direction::SendOnly),
            "recvonly" => Some(Direction::RecvOnly),
            "inactive" => Some(Direction::Inactive),
            _ => None, // Any other attribute: not a direction.
        }
    }
}
