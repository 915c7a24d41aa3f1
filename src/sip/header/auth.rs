//! Digest challenges and credentials (RFC 3261 §§20.7, 20.44, RFC 7616 §3, RFC 8760).

#![allow(clippy::todo, unused_variables, dead_code)] // The names first; the reading behind them follows.

use crate::sip::lexer::Bad;
use crate::sip::text::Text;
use std::fmt;

/// Hash algorithms of RFC 7616 that RFC 8760 lets SIP use and that we speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Of desk phones.
    Md5,
    /// RFC 8760.
    Sha256,
}

/// WWW-Authenticate or Proxy-Authenticate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Unescaped.
    pub realm: String,
    /// Unescaped.
    pub nonce: String,
    /// Given back as it came.
    pub opaque: Option<String>,
    /// `Err` of the name when it is one we do not speak; absent means MD5.
    pub algorithm: Result<Algorithm, Text>,
    /// `auth` is among the offered qop values.
    pub qop_auth: bool,
    /// Any qop was offered (none: RFC 2069 computation).
    pub qop_offered: bool,
    /// The earlier nonce was too old, the secret right.
    pub stale: bool,
}

/// Authorization or Proxy-Authorization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Unescaped.
    pub username: String,
    /// Unescaped.
    pub realm: String,
    /// Unescaped.
    pub nonce: String,
    /// digest-uri as written.
    pub uri: String,
    /// Hex as written.
    pub response: String,
    /// `Err` of the name when it is one we do not speak; absent means MD5.
    pub algorithm: Result<Algorithm, Text>,
    /// cnonce, unescaped.
    pub cnonce: Option<String>,
    /// Given back.
    pub opaque: Option<String>,
    /// `auth`, `auth-int`, as written.
    pub qop: Option<Text>,
    /// Exactly eight hex digits on the wire.
    pub nc: Option<u32>,
}

impl Challenge {
    /// Reads one value; `Ok(None)` when the scheme is not Digest.
    pub fn parse(text: &Text) -> Result<Option<Challenge>, Bad> {
        todo!()
    }
}

impl Credentials {
    /// Reads one value; `Ok(None)` when the scheme is not Digest.
    pub fn parse(text: &Text) -> Result<Option<Credentials>, Bad> {
        todo!()
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}

impl fmt::Display for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}
