//! Where calls go: destinations, routes in and out, menus (model.md: inbound_route, outbound_route, ivr).

use super::Sound;
use crate::id::Name;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// Where a call goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Destination {
    /// Into a queue's line.
    Queue(Name),
    /// To an agent's phone.
    Agent(Name),
    /// To all phones of a group.
    Group(Name),
    /// Into a menu.
    Ivr(Name),
    /// Refused with this status; a call that was answered already hears goodbye.
    Hangup(u16),
}

/// `[[inbound_route]]`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InboundRoute {
    /// Calls of this trunk.
    pub trunk: Name,
    /// Exact number, or a prefix.
    pub did: DidPattern,
    /// Where they go.
    pub to: Destination,
    /// When `to` holds; `None`: always.
    pub schedule: Option<Name>,
    /// Where they go otherwise; `None`: "we are closed", and goodbye.
    pub closed_to: Option<Destination>,
}

impl InboundRoute {
    /// A route that always holds.
    pub fn of(trunk: &str, did: DidPattern, to: Destination) -> InboundRoute {
        InboundRoute { trunk: trunk.into(), did, to, schedule: None, closed_to: None }
    }
}

/// What a dialled number is compared with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DidPattern {
    /// Equal, `+` and formatting aside.
    Exact(String),
    /// Begins so (`*` at the end in the file).
    Prefix(String),
}

impl DidPattern {
    /// Whether a dialled number is meant, digit for digit.
    pub fn matches(&self, dialled: &str) -> bool {
        let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
        match self {
            DidPattern::Exact(number) => digits(number) == digits(dialled),
            DidPattern::Prefix(number) => digits(dialled).starts_with(&digits(number)),
        }
    }
}

/// `[[outbound_route]]`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OutboundRoute {
    /// What `dial_prefix` + number begins with.
    pub prefix: String,
    /// Characters removed from the front.
    pub strip: u8,
    /// Then put in front.
    pub prepend: String,
    /// In order of preference.
    pub trunks: Vec<Name>,
}

/// `[[ivr]]`: a menu of keys.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ivr {
    /// Its name.
    pub name: Name,
    /// What phones dial.
    pub number: Option<Name>,
    /// What is said.
    pub prompt: Sound,
    /// How long a key is waited for after the prompt.
    pub timeout: Duration,
    /// How often the prompt is said.
    pub tries: u8,
    /// Key and destination.
    pub keys: BTreeMap<char, Destination>,
    /// Without a key; `None`: goodbye.
    pub timeout_dest: Option<Destination>,
    /// When it is open; `None`: always.
    pub schedule: Option<Name>,
    /// Where calls go otherwise; `None`: "we are closed", and goodbye.
    pub closed_dest: Option<Destination>,
}

impl Ivr {
    /// A menu without keys, with the defaults of the model.
    pub fn named(name: &str) -> Ivr {
        Ivr {
            name: name.into(),
            number: None,
            prompt: Sound::BuiltIn,
            timeout: Duration::from_secs(10),
            tries: 3,
            keys: BTreeMap::new(),
            timeout_dest: None,
            schedule: None,
            closed_dest: None,
        }
    }
}
