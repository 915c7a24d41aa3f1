//! A flow: one way to a peer and back (RFC 5626 §2). What a message came by, and what its answer leaves by.

use super::message::{Malformed, Message};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::SocketAddr;

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

/// A message as the shell hands it in: parsed off the switch's thread.
#[derive(Clone, Debug)]
pub struct Received {
    /// Where it came from.
    pub flow: Flow,
    /// What it says, or why it says nothing and what answer that deserves.
    pub message: Result<Message, Malformed>,
}
