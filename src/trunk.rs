//! Trunks in both modes: `register` (we register there, RFC 3261 §10.2) and `peer` (known by source address, watched by
//! OPTIONS, RFC 3261 §11). Also what a trunk makes of numbers: the ones we dial, the ones it shows us.
//!
//! A trunk wants things (`poll_want`: a lookup, a request), hears what became of them (`located`, `response`), and tells
//! when its state has turned (`poll_turned`). The user agent answers digest challenges; what arrives here is final.

use crate::entropy::Entropy;
use crate::id::Name;
use crate::settings::Settings;
use crate::sip::flow::Flow;
use crate::sip::message::{Request, Response};
use crate::sip::user_agent::{Field, OutgoingRequest};
use crate::time::{Now, Tick};
use std::fmt;
use std::net::IpAddr;

/// What a request of a trunk is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Registration, refresh or its removal.
    Register,
    /// A sign of life.
    Options,
}

/// What a trunk asks of the switch.
#[derive(Clone, Debug)]
pub enum Want {
    /// Where is this host? Answered by `located`, always.
    Locate {
        /// Which trunk.
        trunk: Name,
        /// Host name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// Send this; answered by `response`, always.
    Request {
        /// Which trunk.
        trunk: Name,
        /// What.
        request: OutgoingRequest,
        /// What for.
        kind: Kind,
    },
}

/// Why a trunk is down; `Display` says it in plain words.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// It has no capacity or is broken (5xx); it is asked again.
    Unavailable(u16),
    /// We are leaving.
    ShuttingDown,
}

impl fmt::Display for Down {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Down::Unknown => f.write_str("no such trunk"),
            Down::Resolving => f.write_str("resolving its host name"),
            Down::NotFound => f.write_str("host name not found; check host or proxy"),
            Down::Registering => f.write_str("registering"),
            Down::Silent => f.write_str("no answer; check host, port and firewall"),
            Down::Refused(status) => write!(f, "registrar refused: {status}"),
            Down::Unavailable(status) => write!(f, "not available: {status}"),
            Down::ShuttingDown => f.write_str("shutting down"),
        }
    }
}

/// A trunk's state has turned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turned {
    /// Calls may leave by it.
    Up,
    /// They may not.
    Down(Down),
}

/// A trunk as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// `registered`, `up` or `down`.
    pub word: &'static str,
    /// Why it is down, in plain words.
    pub reason: Option<String>,
    /// When it is tried again, or refreshed.
    pub next: Option<Tick>,
}

/// Who calls, as an INVITE to a trunk says it.
#[derive(Clone, Debug, PartialEq)]
pub struct CallerFields {
    /// Display name and URI of From: `Invite::from`.
    pub from: (String, String),
    /// P-Asserted-Identity or Remote-Party-ID, as the trunk wants: part of `Invite::fields`.
    pub fields: Vec<Field>,
}

/// All trunks.
pub struct Trunks {
    entropy: Entropy,
}

#[allow(unused_variables, clippy::todo)] // Signatures first; the rules follow.
impl Trunks {
    /// All trunks of the site; each wants its address found at once.
    pub fn new(settings: &Settings, now: Now, entropy: Entropy) -> Trunks {
        Trunks { entropy }
    }

    /// The instant of `next_timeout` has come.
    pub fn on_timeout(&mut self, now: Now) {
        todo!()
    }

    /// When `on_timeout` is wanted.
    pub fn next_timeout(&self) -> Option<Tick> {
        todo!()
    }

    /// The next thing a trunk wants; ask after every call that takes `now`.
    pub fn poll_want(&mut self) -> Option<Want> {
        todo!()
    }

    /// The next trunk whose state has turned; ask after every call that takes `now`.
    pub fn poll_turned(&mut self) -> Option<(Name, Turned)> {
        todo!()
    }

    /// A `Want::Locate` is answered: flows to try, in order; empty when the name leads nowhere.
    pub fn located(&mut self, now: Now, trunk: &str, flows: Vec<Flow>) {
        todo!()
    }

    /// A `Want::Request` is answered; `None`: nobody did.
    pub fn response(&mut self, now: Now, trunk: &str, kind: Kind, response: Option<&Response>) {
        todo!()
    }

    /// Whose address this is: an exact resolved address first, then the narrowest `acl` block, then the resolved host
    /// on another port (never for loopback, where phones and carriers share one address).
    pub fn by_source(&self, address: IpAddr, port: u16) -> Option<&Name> {
        todo!()
    }

    /// Where an INVITE by this trunk goes, in order, or why it cannot.
    pub fn dialable(&self, trunk: &str) -> Result<&[Flow], Down> {
        todo!()
    }

    /// The user part of the Request-URI for `number` (E.164 with `+`, or as routed): `number_format`, then
    /// `strip_digits`, then `prefix`.
    pub fn dialled_user(&self, trunk: &str, number: &str) -> String {
        todo!()
    }

    /// The Request-URI for `number`: `sip:` + `dialled_user` + the trunk's host.
    pub fn dialled_uri(&self, trunk: &str, number: &str) -> String {
        todo!()
    }

    /// How our own `number` and `display` name are shown to this trunk.
    pub fn caller_fields(&self, trunk: &str, number: &str, display: &str) -> CallerFields {
        todo!()
    }

    /// Which number a call from this trunk has dialled: see `dialled`.
    pub fn dialled_by(&self, trunk: &str, request: &Request) -> String {
        todo!()
    }

    /// A trunk as people see it; `None`: there is no such trunk.
    pub fn state(&self, trunk: &str) -> Option<State> {
        todo!()
    }

    /// Every registration is removed (RFC 3261 §10.2.2), and nothing is asked for any more.
    pub fn shut_down(&mut self, now: Now) {
        todo!()
    }
}

/// The calling number as the far end shows it, undecorated and otherwise raw; `None` when it is withheld. Identity
/// headers count from trusted trunks only (security.md T20).
#[allow(unused_variables, clippy::todo)] // Signature first.
pub fn caller(request: &Request, trusted: bool) -> Option<String> {
    todo!()
}

/// The dialled number: the user of the Request-URI (sip or tel), or, where that is `registered`, the user part of the
/// Contact we have registered, the user of To.
#[allow(unused_variables, clippy::todo)] // Signature first.
pub fn dialled(request: &Request, registered: Option<&str>) -> String {
    todo!()
}
