//! Numbers and extensions: whom a callback reaches.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Whom we call: a telephone number of the world, or an extension of the site.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    /// E.164 with `+`, at most 15 digits.
    Number(Box<str>),
    /// An agent's extension: rung at its bindings, no route, no policy.
    Extension(Box<str>),
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Party::Number(digits) | Party::Extension(digits) => f.write_str(digits),
        }
    }
}
