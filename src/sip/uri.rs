//! URIs (RFC 3261 §19.1, RFC 3966): kept verbatim, because an echo and a digest need the very characters, with the places
//! of the parts beside. Schemes other than sip, sips and tel are opaque but well formed (RFC 4475 §3.3.2 wants a 416).

#![allow(clippy::todo, unused_variables, dead_code)] // The names first; the reading behind them follows.

use super::header::params::Params;
use super::lexer::Bad;
use super::text::Text;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A host: RFC 3261 §25.1 `host`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// A name, as written.
    Domain(Text),
    /// An address.
    V4(Ipv4Addr),
    /// An address; printed in brackets.
    V6(Ipv6Addr),
}

/// What kind of URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// RFC 3261.
    Sip,
    /// RFC 3261 §26.2.2.
    Sips,
    /// RFC 3966.
    Tel,
    /// Anything else, opaque.
    Other,
}

/// A URI. `PartialEq` compares the characters; `equivalent` compares as RFC 3261 §19.1.4 says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Uri {
    text: Text,
}

impl Uri {
    /// Reads a URI that is the whole of `text`.
    pub fn parse(text: &Text) -> Result<Uri, Bad> {
        todo!()
    }

    /// `sip:user@host:port`, `user` escaped where it needs to be; no `@` when `user` is empty.
    pub fn sip(user: &str, host: &Host, port: Option<u16>) -> Uri {
        todo!()
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The kind.
    pub fn scheme(&self) -> Scheme {
        todo!()
    }

    /// The scheme as written.
    pub fn scheme_name(&self) -> &str {
        todo!()
    }

    /// The user part (for tel: the number) with its escapes, without password.
    pub fn user(&self) -> Option<&str> {
        todo!()
    }

    /// The user part with escapes decoded; octets that are not UTF-8 become U+FFFD.
    pub fn user_decoded(&self) -> Option<String> {
        todo!()
    }

    /// The host of a sip or sips URI.
    pub fn host(&self) -> Option<&Host> {
        todo!()
    }

    /// The port, when written.
    pub fn port(&self) -> Option<u16> {
        todo!()
    }

    /// The URI parameters (of sip, sips, tel).
    pub fn params(&self) -> Params {
        todo!()
    }

    /// What follows `?`.
    pub fn headers(&self) -> Option<&str> {
        todo!()
    }

    /// `;lr`: a loose router (RFC 3261 §16.12.1.1).
    pub fn is_loose_router(&self) -> bool {
        todo!()
    }

    /// RFC 3261 §19.1.4; other schemes are equal when their characters are.
    pub fn equivalent(&self, other: &Uri) -> bool {
        todo!()
    }
}

impl std::str::FromStr for Uri {
    type Err = Bad;
    fn from_str(text: &str) -> Result<Uri, Bad> {
        Uri::parse(&Text::from(text))
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Host {
    /// Reads a host: a name, an IPv4 address or an IPv6 address in brackets.
    pub fn parse(text: &Text) -> Result<Host, Bad> {
        todo!()
    }

    /// The address, when it is one.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Host::Domain(_) => None,
            Host::V4(ip) => Some(IpAddr::V4(*ip)),
            Host::V6(ip) => Some(IpAddr::V6(*ip)),
        }
    }
}

impl From<IpAddr> for Host {
    fn from(ip: IpAddr) -> Host {
        match ip {
            IpAddr::V4(ip) => Host::V4(ip),
            IpAddr::V6(ip) => Host::V6(ip),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Domain(name) => name.fmt(f),
            Host::V4(ip) => ip.fmt(f),
            Host::V6(ip) => write!(f, "[{ip}]"),
        }
    }
}
