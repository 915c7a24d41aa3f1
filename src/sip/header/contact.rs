//! Contact: a list, or `*` (RFC 3261 §20.10, §10.2.2).

#![allow(clippy::todo, unused_variables, dead_code)] // The names first; the reading behind them follows.

use super::name_addr::NameAddr;

/// All Contact values of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contacts {
    /// None at all.
    None,
    /// `*`: all bindings.
    Star,
    /// One or more, in order.
    List(Vec<NameAddr>),
}

impl Contacts {
    /// The first address.
    pub fn first(&self) -> Option<&NameAddr> {
        match self {
            Contacts::List(list) => list.first(),
            Contacts::None | Contacts::Star => None,
        }
    }
}

impl NameAddr {
    /// `expires` of a Contact in seconds, clamped to what fits; `None` when absent or no number.
    pub fn expires(&self) -> Option<u32> {
        todo!()
    }

    /// `q` of a Contact in thousandths; 1000 when absent or wrong.
    pub fn q(&self) -> u16 {
        todo!()
    }
}
