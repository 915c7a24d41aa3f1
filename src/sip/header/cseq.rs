//! CSeq (RFC 3261 §20.16).

#![allow(clippy::todo, unused_variables, dead_code)] // The names first; the reading behind them follows.

use crate::sip::lexer::Bad;
use crate::sip::message::Method;
use crate::sip::text::Text;
use std::fmt;

/// Sequence number, below 2^31 (RFC 3261 §8.1.1.5), and method.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CSeq {
    /// The number.
    pub number: u32,
    /// The method.
    pub method: Method,
}

impl CSeq {
    /// Reads the value.
    pub fn parse(text: &Text) -> Result<CSeq, Bad> {
        todo!()
    }
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.method)
    }
}
