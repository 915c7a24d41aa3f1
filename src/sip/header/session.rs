//! Session-Expires and Min-SE (RFC 4028 §§4, 5).

#![allow(clippy::todo, unused_variables, dead_code)] // The names first; the reading behind them follows.

use crate::sip::lexer::Bad;
use crate::sip::text::Text;
use std::fmt;

/// Who refreshes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresher {
    /// The side that sent the request.
    Uac,
    /// The side that answers.
    Uas,
}

/// Session-Expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionExpires {
    /// Seconds, clamped to what fits.
    pub seconds: u32,
    /// Who refreshes, when said.
    pub refresher: Option<Refresher>,
}

impl SessionExpires {
    /// Reads the value.
    pub fn parse(text: &Text) -> Result<SessionExpires, Bad> {
        todo!()
    }
}

impl fmt::Display for SessionExpires {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}
