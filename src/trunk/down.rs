//! Why a trunk is down, in words a person can act on.

use crate::sip::message::reason_phrase;
use std::fmt;

/// Why a trunk is down; `Display` says it in plain words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Down {
    /// There is no such trunk.
    Unknown,
    /// Its host is being looked up.
    Resolving,
    /// Its host name leads nowhere.
    NotFound,
    /// Its first registration is on its way.
    Registering,
    /// Nobody answers.
    Silent,
    /// Its registrar says no; the status says what to check.
    Refused(u16),
    /// It has no capacity, is broken, or cannot be reached behind its proxy; it is asked again.
    Unavailable(u16),
    /// We are leaving.
    ShuttingDown,
}

impl Down {
    /// Whether it is only that nothing is known yet.
    pub(super) fn is_beginning(self) -> bool {
        matches!(self, Down::Resolving | Down::Registering)
    }
}

impl fmt::Display for Down {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Down::Unknown => f.write_str("no such trunk"),
            Down::Resolving => f.write_str("resolving its host name"),
            Down::NotFound => f.write_str("host name not found; check host or proxy"),
            Down::Registering => f.write_str("registering"),
            Down::Silent => f.write_str("no answer; check host, port and firewall"),
            Down::Refused(status) => {
                write!(f, "registrar refused: {status} {}; {}", reason_phrase(status), advice(status))
            }
            Down::Unavailable(status) => write!(f, "not available: {status} {}", reason_phrase(status)),
            Down::ShuttingDown => f.write_str("shutting down"),
        }
    }
}

fn advice(status: u16) -> &'static str {
    match status {
        401 | 403 | 407 => "check username and password",
        404 | 604 => "check username and host",
        423 => "it asks for ever longer registrations",
        300..=399 => "it has moved; check host",
        _ => "ask the provider",
    }
}
