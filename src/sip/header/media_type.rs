//! Content-Type (RFC 3261 §20.15).

#![allow(clippy::todo, unused_variables, dead_code)] // The names first; the reading behind them follows.

use super::params::Params;
use crate::sip::lexer::Bad;
use crate::sip::text::Text;

/// `type/subtype;params`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaType {
    /// `application/sdp` in lower case.
    pub essence: String,
    /// boundary, charset…
    pub params: Params,
}

impl MediaType {
    /// Reads the value.
    pub fn parse(text: &Text) -> Result<MediaType, Bad> {
        todo!()
    }
}
