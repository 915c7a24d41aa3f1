//! Parameters `;name=value;name` (RFC 3261 §7.3.1), kept as normalised text and searched when asked.

#![allow(clippy::todo, unused_variables, dead_code)] // The names first; the reading behind them follows.

use crate::sip::lexer::Bad;
use crate::sip::text::Text;
use std::fmt;

/// Parameters of a header value or a URI: `;name=value;name`, without white space, or empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Params(Text);

impl Params {
    /// Reads what follows a value: empty, or parameters that each begin with `;`.
    pub fn parse(text: &Text) -> Result<Params, Bad> {
        todo!()
    }

    /// The value of the first parameter `name` (any case), as written; `Some("")` when it has none.
    pub fn get(&self, name: &str) -> Option<&str> {
        todo!()
    }

    /// Whether the parameter is there.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Names and values in order; a parameter without `=` has `None`.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        [].into_iter()
    }

    /// Adds `;name=value` (or `;name`), in the place of an earlier one. What is no token is put in quotes.
    pub fn set(&mut self, name: &'static str, value: Option<&str>) {
        todo!()
    }

    /// Takes a parameter out.
    pub fn remove(&mut self, name: &str) {
        todo!()
    }
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
