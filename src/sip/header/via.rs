//! Via (RFC 3261 §20.42, RFC 3581).

#![allow(clippy::todo, unused_variables, dead_code)] // The names first; the reading behind them follows.

use super::params::Params;
use crate::sip::lexer::Bad;
use crate::sip::text::Text;
use crate::sip::uri::Host;
use std::fmt;
use std::net::IpAddr;

/// One Via value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Via {
    /// `UDP`, `TCP`… as written.
    pub transport: Text,
    /// sent-by.
    pub host: Host,
    /// Port of sent-by.
    pub port: Option<u16>,
    /// branch, received, rport, maddr…
    pub params: Params,
}

impl Via {
    /// Our own Via: `SIP/2.0/UDP host:port;branch=…;rport`.
    pub fn udp(host: Host, port: u16, branch: &str) -> Via {
        todo!()
    }

    /// Reads one value.
    pub fn parse(text: &Text) -> Result<Via, Bad> {
        todo!()
    }

    /// The branch; `None` from an RFC 2543 element.
    pub fn branch(&self) -> Option<&str> {
        self.params.get("branch")
    }

    /// `received` as an address, with or without brackets (RFC 5118 §4.5).
    pub fn received(&self) -> Option<IpAddr> {
        todo!()
    }

    /// Whether the sender asked for `rport` (RFC 3581 §4).
    pub fn wants_rport(&self) -> bool {
        self.params.has("rport")
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}
