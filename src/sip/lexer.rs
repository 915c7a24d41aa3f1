//! The characters of SIP (RFC 3261 §25.1): what a token is, where a quoted string ends, where a list is split.

/// A value that is not what its grammar says, and why: for the debug log, never for the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bad(pub &'static str);
