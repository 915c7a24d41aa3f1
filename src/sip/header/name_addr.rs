//! From, To, Route, Record-Route, Contact, P-Asserted-Identity: `"display" <uri>;params` (RFC 3261 §20.10).

#![allow(clippy::todo, unused_variables, dead_code)] // The names first; the reading behind them follows.

use super::params::Params;
use crate::sip::lexer::Bad;
use crate::sip::text::Text;
use crate::sip::uri::Uri;
use std::fmt;

/// A URI with an optional display name and header parameters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NameAddr {
    /// The display name as written, quotes included.
    display: Option<Text>,
    /// The URI.
    pub uri: Uri,
    /// tag, expires, q…
    pub params: Params,
}

impl NameAddr {
    /// `"display" <uri>`; an empty display is left out, another is put in quotes and escaped.
    pub fn new(display: &str, uri: Uri) -> NameAddr {
        todo!()
    }

    /// The same with a tag.
    pub fn with_tag(mut self, tag: &str) -> NameAddr {
        self.params.set("tag", Some(tag));
        self
    }

    /// Reads one value.
    pub fn parse(text: &Text) -> Result<NameAddr, Bad> {
        todo!()
    }

    /// The display name without quotes and escapes; empty when there is none.
    pub fn display(&self) -> String {
        todo!()
    }

    /// The tag.
    pub fn tag(&self) -> Option<&str> {
        self.params.get("tag")
    }
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}
