//! A flow: one way to a peer and back (RFC 5626 §2). What a message came by, and what its answer leaves by.

use super::message::{Malformed, Message};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

/// How SIP is carried. UDP only for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Transport {
    /// RFC 3261 §18.
    Udp,
}

/// One way to a peer. `local` is a concrete address of ours, never the wildcard: Via, Contact and SDP carry it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Flow {
    /// Carried by.
    pub transport: Transport,
    /// Our address as this peer's packets reach it.
    pub local: SocketAddr,
    /// The peer's address as we see it.
    pub remote: SocketAddr,
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "udp:{}>{}", self.local, self.remote)
    }
}

/// The text is no flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAFlow;

impl FromStr for Flow {
    type Err = NotAFlow;

    /// Reads what `Display` writes.
    fn from_str(text: &str) -> Result<Flow, NotAFlow> {
        let (local, remote) = text.strip_prefix("udp:").and_then(|rest| rest.split_once('>')).ok_or(NotAFlow)?;
        let (local, remote) = (local.parse().map_err(|_| NotAFlow)?, remote.parse().map_err(|_| NotAFlow)?);
        Ok(Flow { transport: Transport::Udp, local, remote })
    }
}

/// A message as the shell hands it in: parsed off the switch's thread.
#[derive(Clone, Debug)]
pub struct Received {
    /// Where it came from.
    pub flow: Flow,
    /// Its octets, as they came.
    pub wire: Bytes,
    /// What it says, or why it says nothing and what answer that deserves.
    pub message: Result<Message, Malformed>,
}

impl Received {
    /// Reads a datagram.
    pub fn read(flow: Flow, wire: Bytes) -> Received {
        let message = Message::parse(&wire);
        Received { flow, wire, message }
    }
}
