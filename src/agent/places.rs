//! Where an agent's phones have been, and how much a phone at a new place may do (security.md T35).
//!
//! Whoever has stolen a phone's secret uses it from somewhere else, and calls numbers that cost. So each agent has
//! places: networks from which somebody has shown the secret, a /24 (IPv6: /64). The first one is taken on trust, and
//! so is every private one, which nobody on the internet can come from. A new one may make a few calls to the outside,
//! one at a time, all new ones together; then none, until a person says that it is all right. Calls to colleagues and
//! queues cost nothing and are not counted.

use crate::limits;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Neighbours of an address: with them, an address that its provider changes now and then stays one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network(IpAddr);

impl Network {
    /// The network of an address.
    pub fn of(address: IpAddr) -> Network {
        Network(match address.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & (u32::MAX << 8))),
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
        })
    }

    /// RFC 1918, RFC 4193, loopback and link-local: not to be reached from the internet.
    fn is_private(self) -> bool {
        match self.0 {
            IpAddr::V4(address) => address.is_private() || address.is_loopback() || address.is_link_local(),
            // The network of `::1` is that of `::`.
            IpAddr::V6(address) => {
                address.is_unique_local() || address.is_unicast_link_local() || address.is_unspecified()
            }
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.0, if self.0.is_ipv4() { 24 } else { 64 })
    }
}

/// The places of one agent; stored, since a restart must not begin the count anew.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Places {
    known: Vec<Network>,
    new: Vec<Network>,
    /// Calls to the outside from new ones.
    calls: u32,
    /// They may make no more, and a person is asked.
    blocked: bool,
}

/// What is to be said of a call to the outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may be made, from a place that is known, or however many are made.
    Allowed,
    /// It may be made, and is one of the few from new places.
    Counted,
    /// It may not, and a person is asked now.
    Blocked,
    /// It may not, and a person has been asked.
    StillBlocked,
}

impl Places {
    /// Somebody has shown the agent's secret from this address. True: from a place that is new, for the first time.
    pub fn seen(&mut self, address: IpAddr) -> bool {
        let network = Network::of(address);
        if self.known.is_empty() && self.new.is_empty() {
            self.known.push(network);
        }
        let is_news = !self.knows(network) && !self.new.contains(&network) && self.new.len() < limits::AGENT_PLACES;
        if is_news {
            self.new.push(network);
        }
        is_news
    }

    /// A phone at this address calls the outside. From new places `most` such calls are allowed (`None`: as many as
    /// they like), and none that `is_suspicious` by itself.
    pub fn calls_out(&mut self, address: IpAddr, most: Option<u32>, is_suspicious: bool) -> Verdict {
        let Some(most) = most.filter(|_| !self.knows(Network::of(address))) else { return Verdict::Allowed };
        if self.blocked {
            return Verdict::StillBlocked;
        }
        if is_suspicious || self.calls >= most {
            self.blocked = true;
            return Verdict::Blocked;
        }
        self.calls += 1;
        Verdict::Counted
    }

    /// A person says that the new places are the agent's own.
    pub fn trust(&mut self) {
        let new = std::mem::take(&mut self.new);
        self.known.extend(new);
        let too_many = self.known.len().saturating_sub(limits::AGENT_PLACES);
        self.known.drain(..too_many);
        (self.calls, self.blocked) = (0, false);
    }

    /// The agent has another secret: who had the old one is nobody any more.
    pub fn forget_new(&mut self) {
        self.new.clear();
        (self.calls, self.blocked) = (0, false);
    }

    /// Places that nobody has said anything about.
    pub fn new_ones(&self) -> &[Network] {
        &self.new
    }

    /// Whether new places may not call the outside until a person has looked.
    pub fn is_blocked(&self) -> bool {
        self.blocked
    }

    fn knows(&self, network: Network) -> bool {
        network.is_private() || self.known.contains(&network)
    }
}
